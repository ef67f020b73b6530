"""The arrows between the rooms, and nothing heavy at import time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("data_schemas", "generators", "validators", "flows")
#: Packages that take seconds to import or start work when imported.
HEAVY = ("torch", "torchaudio", "pyannote", "onnxruntime", "kokoro_onnx", "great_expectations", "librosa", "openai")


def lint_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    """Run the contracts of ``directory``'s pyproject.toml on the rooms in ``directory``."""
    command = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    return subprocess.run([sys.executable, "-c", command], cwd=directory, capture_output=True, text=True, check=False)


@pytest.fixture
def copy_of_rooms(tmp_path: Path) -> Path:
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "packs", "json"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_arrows_go_one_way() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 kept, 0 broken" in done.stdout


FORBIDDEN = (
    ("generators", "validators"),
    ("validators", "generators"),
    ("data_schemas", "generators"),
    ("generators", "flows"),
    ("validators", "flows"),
)


def test_every_planted_import_is_caught(copy_of_rooms: Path) -> None:
    for offender, imported in FORBIDDEN:
        planted = f"def use() -> None:\n    import {imported}\n\n    print({imported})\n"
        (copy_of_rooms / offender / f"planted_{imported}.py").write_text(planted, encoding="utf-8")
    done = lint_imports(copy_of_rooms)
    assert done.returncode != 0
    for offender, imported in FORBIDDEN:
        assert f"{offender}.planted_{imported} -> {imported}" in done.stdout


def test_no_room_has_a_module_outside_its_packages() -> None:
    """A folder without __init__.py would be missing from the installed package and from the contracts."""
    lost = [
        path.relative_to(ROOT)
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if not (path.parent / "__init__.py").is_file()
    ]
    assert not lost


def test_importing_everything_loads_nothing_heavy() -> None:
    code = (
        "import importlib, pkgutil, sys\n"
        f"for room in {ROOMS!r}:\n"
        "    package = importlib.import_module(room)\n"
        "    for found in pkgutil.walk_packages(package.__path__, room + '.'):\n"
        "        if not found.name.endswith('__main__'):\n"
        "            importlib.import_module(found.name)\n"
        f"print(sorted(set(sys.modules) & set({HEAVY!r})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_no_folder_of_the_conductor_is_a_flat_list() -> None:
    """A folder is named after what a person looks for, and holds about a dozen files (a command each in ``cli``)."""
    counts = {
        folder.relative_to(ROOT).as_posix(): len([path for path in folder.glob("*.py") if path.name != "__init__.py"])
        for folder in (ROOT / "flows", *(path for path in (ROOT / "flows").rglob("*") if path.is_dir()))
        if folder.name != "__pycache__"
    }
    assert {folder: count for folder, count in counts.items() if count > 14} == {"flows/cli": 17}


def test_a_folder_that_reaches_upwards_is_caught(copy_of_rooms: Path) -> None:
    """The order of the folders of flows is a contract: shards know nothing of the release, nor Prefect of commands."""
    for offender, imported in (("shards", "release"), ("orchestration", "cli"), ("build", "orchestration")):
        planted = f"def use() -> None:\n    import flows.{imported}\n\n    print(flows.{imported})\n"
        (copy_of_rooms / "flows" / offender / f"planted_{imported}.py").write_text(planted, encoding="utf-8")
    done = lint_imports(copy_of_rooms)
    assert done.returncode != 0
    assert "flows.shards.planted_release -> flows.release" in done.stdout
    assert "flows.orchestration.planted_cli -> flows.cli" in done.stdout
