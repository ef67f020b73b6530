"""``humdial doctor``: what is installed, verified and missing here, each with the command that fixes it."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from data_schemas.foundation.base import Record
from data_schemas.foundation.models import ModelEntry, ModelError, load_model_table, models_dir
from flows.common.machine import machine_facts
from flows.models.fetch import DISK_FACTOR, entry_state

DISTRIBUTION = "humdial"
CONSTRAINTS = Path(__file__).resolve().parents[2] / "configs" / "constraints.txt"
FIX_PACKAGES = "make setup"
OLDEST_PYTHON, TOO_NEW_PYTHON = (3, 11), (3, 13)
#: Models while they are fetched, and the store and release of a first build.
WANTED_FREE_BYTES = 2 * 10**9
PROBE_TIMEOUT_SECONDS = 120
_GIGABYTE = 1e9
_SHOWN_NAMES = 6
_SHOWN_CHARACTERS = 300

#: Loads the library from its wheel in a process of its own: a broken one must not take us along.
_ESPEAK_PROBE = """
import ctypes, espeakng_loader
library = ctypes.CDLL(espeakng_loader.get_library_path())
library.espeak_Info.restype = ctypes.c_char_p
print("espeak-ng", library.espeak_Info(None).decode(), "with its data in", espeakng_loader.get_data_path())
"""
#: Loads the pinned weights and scores a second of silence: torch, torchaudio and pyannote.audio together.
_OVERLAP_PROBE = """
import numpy, torch
from validators.scene.overlap import OverlapDetector
OverlapDetector().scores(numpy.zeros(16000, dtype=numpy.float32))
from importlib.metadata import version
print("pyannote.audio", version("pyannote.audio"), "runs its pinned weights on torch", torch.__version__)
"""
_PREFECT_PROBE = """
import prefect, fastapi
print("prefect", prefect.__version__, "with fastapi", fastapi.__version__)
"""


class Check(Record):
    """One line of the doctor's answer; ``fix`` is a command, None where all is well."""

    name: str
    ok: bool
    detail: str
    fix: str | None = None


def run_checks() -> tuple[Check, ...]:
    """All checks, in the order a person would mend them; about 10 s, most of it loading torch."""
    probes: tuple[Callable[[], Check], ...] = (
        check_prefect,
        check_espeak,
        check_overlap_detection,
    )
    with ThreadPoolExecutor(max_workers=len(probes)) as pool:
        running = [pool.submit(probe) for probe in probes]
        light = (
            check_python(),
            check_machine(),
            check_packages(),
            check_pins(),
            check_npm(),
            check_disk(),
            *check_models(),
        )
        return light + tuple(future.result() for future in running)


def check_python() -> Check:
    """Python 3.11 or 3.12."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    ok = OLDEST_PYTHON <= sys.version_info[:2] < TOO_NEW_PYTHON
    return Check(
        name="python",
        ok=ok,
        detail=f"{version} at {sys.executable}" + ("" if ok else "; 3.11 or 3.12 is needed"),
        fix=None if ok else "install Python 3.11, then: make clean-env setup PYTHON=python3.11",
    )


def check_machine() -> Check:
    """What the bytes of a release depend on besides configuration, code and models; nothing to mend."""
    facts = machine_facts()
    return Check(
        name="machine",
        ok=True,
        detail=f"{facts.vendor or 'unknown vendor'}, {facts.architecture} with {facts.kernels}; {facts.system}; "
        f"recogniser: {facts.recogniser}; another kind of machine may make other bytes (docs/same-bytes.md)",
    )


def installed_version(name: str) -> str | None:
    """Version of an installed distribution, None when it is not there."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def package_problems(requirements: list[str]) -> Iterator[str]:
    """One clause per requirement (of the running Python, extras left out) that is not met."""
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        version = installed_version(requirement.name)
        if version is None:
            yield f"{requirement.name} is not installed"
        elif not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement.name} is {version}, needed is {requirement.specifier}"


def check_packages() -> Check:
    """Every package that pyproject.toml asks for is here, within its limits."""
    try:
        requirements = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return Check(name="packages", ok=False, detail=f"{DISTRIBUTION} is not installed", fix=FIX_PACKAGES)
    problems = list(package_problems(requirements))
    return Check(
        name="packages",
        ok=not problems,
        detail=_listing(problems) if problems else f"all requirements of {DISTRIBUTION} are met",
        fix=FIX_PACKAGES if problems else None,
    )


def pin_differences(constraints: str) -> Iterator[str]:
    """One clause per installed package whose version is not the pinned one (local labels aside)."""
    for line in constraints.splitlines():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            pin = Requirement(text)
        except InvalidRequirement as error:
            yield f"{text}: {error}"
            continue
        version = installed_version(pin.name)
        if version is not None and not pin.specifier.contains(version, prereleases=True):
            yield f"{pin.name} is {version}, pinned is {str(pin.specifier).removeprefix('==')}"


def check_pins() -> Check:
    """Installed versions are those of configs/constraints.txt (a checkout has it, a wheel does not)."""
    if not CONSTRAINTS.is_file():
        return Check(name="pins", ok=True, detail="not a checkout: no configs/constraints.txt to compare with")
    problems = list(pin_differences(CONSTRAINTS.read_text(encoding="utf-8")))
    return Check(
        name="pins",
        ok=not problems,
        detail=_listing(problems) if problems else f"every installed package has the version of {CONSTRAINTS}",
        fix=FIX_PACKAGES if problems else None,
    )


def check_npm() -> Check:
    """npm is only used to fetch the Kokoro voices."""
    npm = shutil.which("npm")
    return Check(
        name="npm",
        ok=npm is not None,
        detail=npm or "not installed; the Kokoro voices come from the npm registry",
        fix=None if npm else "install Node.js with npm, e.g. apt-get install npm",
    )


def check_disk() -> Check:
    """Free space where models go and where we stand."""
    places = {place: shutil.disk_usage(_existing(place)).free for place in (models_dir(), Path.cwd())}
    short = {place: free for place, free in places.items() if free < WANTED_FREE_BYTES}
    return Check(
        name="disk",
        ok=not short,
        detail=", ".join(f"{free / _GIGABYTE:.1f} GB free at {place}" for place, free in (short or places).items())
        + (f"; {WANTED_FREE_BYTES / _GIGABYTE:.0f} GB are wanted" if short else ""),
        fix="free some space, or set HUMDIAL_MODELS, work and release to a larger disk" if short else None,
    )


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())


def check_models() -> tuple[Check, ...]:
    """One check per model; a missing test or optional model is no fault."""
    try:
        table = load_model_table()
    except ModelError as error:
        return (Check(name="models", ok=False, detail=str(error), fix="unset HUMDIAL_MODEL_TABLE"),)
    return tuple(_check_model(entry) for entry in table)


def _check_model(entry: ModelEntry) -> Check:
    state = entry_state(entry)
    ok = state == "present" or (state == "missing" and entry.group != "default")
    size = f"{entry.bytes / 1e6:.0f} MB"
    wording = {
        "present": f"verified, {size} in {models_dir() / entry.name}",
        "missing": f"not here ({size}; {DISK_FACTOR} times that while it is fetched)",
        "corrupt": "a file is not the pinned one; it will not be loaded",
    }
    note = "" if state == "present" or entry.group == "default" else f"; only for group {entry.group}"
    return Check(
        name=f"model {entry.name}",
        ok=ok,
        detail=wording[state] + note,
        fix=None if ok else f"humdial models fetch {entry.name}",
    )


def check_prefect() -> Check:
    """Prefect imports, with a FastAPI it can live with (the limit itself is checked with the packages)."""
    return probe("prefect", _PREFECT_PROBE, FIX_PACKAGES)


def check_espeak() -> Check:
    """espeak-ng, used by the engine ``espeak`` and for Kokoro's English phonemes."""
    return probe("espeak-ng", _ESPEAK_PROBE, FIX_PACKAGES)


def check_overlap_detection() -> Check:
    """The overlap judge runs once for real."""
    return probe("overlap detection", _OVERLAP_PROBE, f"{FIX_PACKAGES} && humdial models fetch")


def probe(name: str, code: str, fix: str) -> Check:
    """Run ``code`` in a fresh interpreter; its last line of output, or of its error, is the detail."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Check(name=name, ok=False, detail=f"no answer within {PROBE_TIMEOUT_SECONDS} s", fix=fix)
    ok = done.returncode == 0
    lines = (done.stdout if ok else done.stderr).strip().splitlines()
    detail = lines[-1][:_SHOWN_CHARACTERS] if lines else f"ended with status {done.returncode} and said nothing"
    return Check(name=name, ok=ok, detail=detail, fix=None if ok else fix)


def _listing(problems: list[str]) -> str:
    more = len(problems) - _SHOWN_NAMES
    return "; ".join(problems[:_SHOWN_NAMES]) + (f"; and {more} more" if more > 0 else "")
