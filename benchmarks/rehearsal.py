"""The conductor at size: rehearsals of 1, 10 and 20 hours of files, what they take by process, what the full one would.

    python -m benchmarks.rehearsal [--hours 1 10 20]

`configs/rehearsal.yaml` with its counts scaled down; builds run as a person runs them, in processes of their own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from flows.build.report import REPORT_FILE, BuildReport
from flows.config.build_config import load_config
from flows.prepare.estimate import estimate
from flows.prepare.resolve import resolve
from generators.plans.quotas import expand

CONFIG = Path(__file__).parents[1] / "configs" / "rehearsal.yaml"
MIB = 2**20
SERVER = "server"
_LOOK_EVERY_S = 0.2
_WAV_BYTES_PER_SECOND = 32_000


@dataclass
class Watched:
    """Peak memory and CPU seconds of the processes of one build, by what they are."""

    peak_bytes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cpu_seconds: dict[int, tuple[str, float]] = field(default_factory=dict)

    def look(self, conductor: psutil.Process) -> None:
        for process in (conductor, *conductor.children(recursive=True)):
            try:
                kind = _kind(process, conductor)
                memory, times = process.memory_info().rss, process.cpu_times()
            except psutil.Error:
                continue
            self.peak_bytes[kind] = max(self.peak_bytes[kind], memory)
            self.cpu_seconds[process.pid] = (kind, times.user + times.system)

    def cpu(self) -> dict[str, float]:
        total: dict[str, float] = defaultdict(float)
        for kind, seconds in self.cpu_seconds.values():
            total[kind] += seconds
        return total


def _kind(process: psutil.Process, conductor: psutil.Process) -> str:
    if process == conductor:
        return "conductor"
    command = " ".join(process.cmdline())
    if "server_process" in command or "uvicorn" in command:
        return SERVER
    return "worker" if "spawn_main" in command else "other"


@dataclass(frozen=True)
class Run:
    items: int
    file_hours: float
    release_bytes: int
    files: int
    wall_s: float
    report: BuildReport
    watched: Watched


def scaled(hours: float, folder: Path, orchestrator: str) -> Path:
    """A rehearsal of about so many hours of files."""
    raw: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config = load_config(CONFIG)
    whole = estimate(config, resolve(config, need_models=False), CONFIG.parent).audio_seconds / 3600
    for quota in raw["quotas"]:
        quota["count"] = max(1, round(quota["count"] * hours / whole))
    raw |= {"release": str(folder / "release"), "work": str(folder / "work")}
    raw["execution"] = {"orchestrator": orchestrator}
    path = folder / "rehearsal.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def run(hours: float, folder: Path, orchestrator: str) -> Run:
    path = scaled(hours, folder, orchestrator)
    started = time.monotonic()
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "flows", "build", str(path)], stdout=log, stderr=log)
        watched, seen = Watched(), psutil.Process(process.pid)
        while process.poll() is None:
            try:
                watched.look(seen)
            except psutil.NoSuchProcess:
                break
            time.sleep(_LOOK_EVERY_S)
    if process.wait() != 0:
        raise SystemExit((folder / "log.txt").read_text(encoding="utf-8")[-2000:])
    wall = time.monotonic() - started
    files = [entry for entry in (folder / "release").rglob("*") if entry.is_file()]
    audio = sum(entry.stat().st_size for entry in files if entry.suffix == ".wav")
    report = BuildReport.model_validate_json((folder / "work" / REPORT_FILE).read_text(encoding="utf-8"))
    return Run(
        items=report.released,
        file_hours=audio / _WAV_BYTES_PER_SECOND / 3600,
        release_bytes=sum(entry.stat().st_size for entry in files),
        files=len(files),
        wall_s=wall,
        report=report,
        watched=watched,
    )


def told(one: Run) -> str:
    """A row of the table."""
    cpu, peak = one.watched.cpu(), one.watched.peak_bytes
    total = sum(cpu.values())
    return (
        f"| {one.file_hours:.1f} | {one.items} | {one.wall_s:.0f} s | {total:.0f} s "
        f"| {3600 * one.file_hours / total:.0f} x | {cpu['conductor']:.0f} s | {peak['conductor'] / MIB:.0f} MiB "
        f"| {peak['worker'] / MIB:.0f} MiB | {peak[SERVER] / MIB:.0f} MiB "
        f"| {one.release_bytes / one.file_hours / 1e6:.0f} MB | {one.files / one.file_hours:.0f} |"
    )


HOURS = (1.5, 15.0, 32.0)
_HEADINGS = (
    "| hours of files | items | wall | CPU | real time per CPU second, engine included | CPU of the conductor "
    "| peak conductor | peak worker | peak Prefect's server | release per hour | files per hour |"
)


def rows(hours: Sequence[float] = HOURS, orchestrator: str = "prefect") -> Iterator[str]:
    """Lines of Markdown, each when it is known; the last run is what the full rehearsal is extrapolated from.

    Args:
        hours: of files, by the estimate of a dry run, which is about half too high.
    """
    yield _HEADINGS
    yield "|---" * 11 + "|"
    last = None
    for some in hours:
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
            last = run(some, Path(folder), orchestrator)
        yield told(last)
    if last is None:
        return
    config = load_config(CONFIG)
    items = sum(count for _, count in expand(config.quotas))
    share = items / last.items
    cpu = sum(last.watched.cpu().values()) * share
    yield ""
    yield f"Seconds by stage of the last: {last.report.stage_seconds}; rejected: {last.report.rejects}."
    yield (
        f"The full rehearsal ({items} items), extrapolated by items: {last.file_hours * share:.0f} hours of files, "
        f"{cpu / 3600:.1f} CPU hours, {last.release_bytes * share / 1e9:.0f} GB, {round(last.files * share)} files."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--hours", type=float, nargs="+", default=list(HOURS), help="of files, as a dry run counts them"
    )
    parser.add_argument("--orchestrator", choices=["prefect", "none"], default="prefect")
    chosen = parser.parse_args()
    for row in rows(chosen.hours, chosen.orchestrator):
        print(row, flush=True)


if __name__ == "__main__":
    main()
