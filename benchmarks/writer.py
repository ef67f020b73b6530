"""The script factory against a loopback server with a fixed latency: wall time, CPU and memory per plan.

The server is a process of its own (``tests/support/llm_server.py``) and answers with noise that keeps every
rule, so each plan costs one question. Each run of the factory is a fresh process as well: this file, called with
``--url``, which prints a `WriterRun` as JSON.

Ideal wall time: ``ceil(plans / in flight) * latency``; see `READING`.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from data_schemas.foundation.base import Record
from flows.common.progress import SilentReporter
from tests.support.script_orders import factory_of, llm_config, wanted

IN_FLIGHT = 32
LATENCY_SECONDS = 0.5
PLANS = (1_000, 10_000)
SAMPLES = 20
MIB = 2**20
#: Tasks whose answers keep the rules without knowledge of the plan, with a split and a number of turns.
TASKS = (
    ("recognition", "train", 1),
    ("empathy", "dev", 4),
    ("follow_up", "dev", 1),
    ("backchannel", "dev", 1),
    ("third_party_before", "dev", 1),
)
LANGUAGES = ("zh", "en")
READING = f"""\
Ideal: `ceil(plans / {IN_FLIGHT}) x {LATENCY_SECONDS:g} s`, all slots full from the first moment to the last. The
first ratio is the whole wall time over it: a start-up of some 2 s (import of the openai package, the question that
probes structured output, the limiter's slow start from 8 to {IN_FLIGHT}), then drawing plans, asking, rules,
near-duplicates, diversity, files and the report. The ratio in brackets leaves the start-up out, which is an eighth of
the shorter run. One core has {1e3 * LATENCY_SECONDS / IN_FLIGHT:.1f} ms per plan at this pace; a third of the time
that a plan takes of it is spent in the openai package. Other work on the machine shows in both figures.

What grows in memory with the plans (by `tracemalloc`): signatures for near-duplicates, 1.1 kB per plan; ids and
offsets, 0.3 kB; counts of openings, 0.3 kB here, where nearly every script begins differently. The rest is the
allocator's. Texts, questions and answers are on disk. The judge, which would double the questions, is off here.
"""


class Sample(Record):
    """One moment of a run."""

    plans: int
    seconds: float
    rss_bytes: int


class WriterRun(Record):
    """What one run of the factory took."""

    plans: int
    accepted: int
    requests: int
    wall_seconds: float
    cpu_seconds: float
    #: before the first plan: interpreter, packages, catalogues
    base_bytes: int
    peak_bytes: int
    samples: tuple[Sample, ...]

    @property
    def ideal_seconds(self) -> float:
        return math.ceil(self.plans / IN_FLIGHT) * LATENCY_SECONDS

    @property
    def ratio(self) -> float:
        return self.wall_seconds / self.ideal_seconds

    @property
    def steady_ratio(self) -> float:
        """Time between the first and the last sample over the ideal time for the plans between them."""
        first, last = self.samples[0], self.samples[-1]
        return (last.seconds - first.seconds) / ((last.plans - first.plans) / IN_FLIGHT * LATENCY_SECONDS)

    def rss_at(self, plans: int) -> int:
        """Resident bytes when so many plans were decided (the sample nearest to it)."""
        return min(self.samples, key=lambda sample: abs(sample.plans - plans)).rss_bytes


class _Sampler(SilentReporter):
    """A reporter that notes time and memory each time another part of the plans is decided."""

    def __init__(self, plans: int) -> None:
        self._step = max(1, plans // SAMPLES)
        self._done = 0
        self._began = time.monotonic()
        self._process = psutil.Process()
        self.samples: list[Sample] = []

    def advance(self, stage: str, done: int = 1) -> None:
        self._done += done
        if self._done % self._step == 0:
            seconds = time.monotonic() - self._began
            self.samples.append(Sample(plans=self._done, seconds=seconds, rss_bytes=self._process.memory_info().rss))


def run_factory(url: str, plans: int, folder: Path) -> WriterRun:
    """Write ``plans`` scripts in this process."""
    import resource

    quotas = tuple(
        {"task": task, "languages": LANGUAGES, "splits": [split], "turns": [turns], "count": count}
        for (task, split, turns), count in zip(TASKS, _shares(plans), strict=True)
    )
    endpoint = {"max_in_flight": IN_FLIGHT, "start_in_flight": 8, "timeout_s": 120.0}
    config = llm_config(folder, url, quotas, endpoint)
    sampler = _Sampler(plans)
    factory = factory_of(config, reporter=sampler)
    orders = wanted(config)
    base = psutil.Process().memory_info().rss
    cpu, began = time.process_time(), time.monotonic()
    report = factory.fill(orders)
    wall, cpu = time.monotonic() - began, time.process_time() - cpu
    factory.close()
    return WriterRun(
        plans=plans,
        accepted=report.accepted,
        requests=report.requests_sent,
        wall_seconds=wall,
        cpu_seconds=cpu,
        base_bytes=base,
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        samples=tuple(sampler.samples),
    )


def _shares(plans: int) -> tuple[int, ...]:
    """Plans per task and language."""
    share, rest = divmod(plans, len(TASKS) * len(LANGUAGES))
    if rest:
        raise SystemExit(f"{plans} plans cannot be shared equally; name a multiple of {len(TASKS) * len(LANGUAGES)}")
    return (share,) * len(TASKS)


@contextmanager
def loopback_server() -> Iterator[str]:
    """A server process; gives its base_url."""
    command = [sys.executable, "-m", "tests.support.llm_server", "--noise", "--latency", str(LATENCY_SECONDS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise SystemExit("the loopback server did not start; its words are above")
            yield url
        finally:
            process.terminate()


def measured(url: str, plans: int) -> WriterRun:
    """One run in a process and a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="humdial-bench-") as folder:
        command = [sys.executable, "-m", __spec__.name, "--url", url, "--plans", str(plans), "--folder", folder]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the run with {plans} plans failed; its words are above")
    return WriterRun.from_json_line(done.stdout)


def measure() -> list[str]:
    """A run for each number of plans; rows of the table."""
    with loopback_server() as url:
        runs = [measured(url, plans) for plans in PLANS]
    rows = []
    for run in runs:
        rows += [
            f"| {run.plans} plans, {IN_FLIGHT} in flight, latency {LATENCY_SECONDS:g} s | "
            f"{run.wall_seconds:.1f} s wall, ideal {run.ideal_seconds:.1f} s: ratio {run.ratio:.3f} "
            f"({run.steady_ratio:.3f} from plan {run.samples[0].plans} on); "
            f"{1e3 * run.cpu_seconds / run.plans:.1f} ms cpu per plan; "
            f"{run.accepted} accepted, {run.requests} questions sent |",
            f"| {run.plans} plans: resident memory | {run.base_bytes / MIB:.0f} MiB before the first plan, "
            f"{run.peak_bytes / MIB:.0f} MiB at its peak |",
        ]
    few, many = PLANS[0], runs[-1].plans
    grown = runs[-1].rss_at(many) - runs[-1].rss_at(few)
    rows.append(
        f"| growth from plan {few} to plan {many} of the longer run | {grown / MIB:.0f} MiB, "
        f"{grown / (many - few) / 1e3:.1f} kB per plan |"
    )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="one run of the factory in this process; `make bench` starts it")
    parser.add_argument("--url", required=True)
    parser.add_argument("--plans", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    chosen = parser.parse_args()
    print(run_factory(chosen.url, chosen.plans, chosen.folder).to_json_line())


if __name__ == "__main__":
    main()
