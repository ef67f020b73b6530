"""CPU time of everything that is no speech engine and no model: hours of files per CPU second, stage by stage.

    python -m benchmarks.pace [--items N]

`configs/rehearsal.yaml` at about N items, in one process on one thread. Each pass starts with nothing but the speech:
one composes, one composes and judges (the difference is the judges'), one does so under the profiler. Judges without
models only. Publishing and the conductor are not in it; `benchmarks.rehearsal` measures whole builds.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_schemas.plan import DialoguePlan
from data_schemas.script import Script
from data_schemas.utterance import Utterance
from flows.common.progress import SilentReporter
from flows.common.threads import limit_threads
from flows.config.build_config import BuildConfig, load_config
from flows.prepare.resolve import prepare, resolve
from flows.shards import steps
from flows.shards.job import BuildContext, ContextRef, ItemOutcome, keep_context
from flows.shards.kept import SCENES
from flows.shards.steps import ALL_STAGES, Examined, Stage
from generators.plans.quotas import expand
from generators.scenes.errors import SceneImpossible

CONFIG = Path(__file__).parents[1] / "configs" / "rehearsal.yaml"
_BYTES_PER_HOUR = 2 * 16_000 * 3600
_HEADER_BYTES = 44
_DEAREST = 10
_SHARD_ITEMS = 8

Work = tuple[DialoguePlan, Script, tuple[Utterance, ...], tuple[Utterance, ...]]


@dataclass
class Clock:
    """CPU seconds of this process by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        started = time.process_time()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.process_time() - started


def paced_config(items: int, folder: Path) -> BuildConfig:
    """The rehearsal with its counts scaled down, each to one item at least."""
    quotas = load_config(CONFIG).quotas
    whole = sum(count for _, count in expand(quotas))
    counts = [max(1, round(quota.count * items / whole)) for quota in quotas]
    overrides = [f"quotas.{place}.count={count}" for place, count in enumerate(counts)]
    return load_config(CONFIG, (*overrides, f"release={folder / 'release'}", f"work={folder / 'work'}"))


@dataclass(frozen=True)
class Pace:
    """What was measured: hours of audio files, CPU seconds by stage, and the dearest functions with theirs."""

    items: int
    hours: float
    seconds: dict[str, float]
    dearest: tuple[tuple[str, float], ...]

    def rows(self) -> list[str]:
        """Rows of a table."""
        counted = {stage: spent for stage, spent in self.seconds.items() if stage != "speak"}
        rows = [f"| files | {self.items} items, {self.hours:.2f} hours |"]
        for stage, spent in [*self.seconds.items(), ("all but speak", sum(counted.values()))]:
            rows.append(
                f"| {stage} | {self.hours / spent:.3f} hours of files per CPU second: {spent / self.hours:.2f} CPU "
                f"seconds per hour, {self.hours * 3600 / spent:.0f} x real time |"
            )
        rows += [
            f"| `{name}` | {spent / self.hours:.2f} CPU seconds per hour, profiled |" for name, spent in self.dearest
        ]
        return rows


def measure(items: int, folder: Path) -> Pace:
    """Speak, then the three passes."""
    config, clock = paced_config(items, folder), Clock()
    with clock.of("plan"):
        prepared = prepare(config, CONFIG.parent, resolve(config), SilentReporter())
        context = keep_context(BuildContext(config=config, speakers=prepared.speakers))
        planned = []
        for plan in prepared.plans:
            script = prepared.writer.write(plan)
            planned.append((plan, script, steps.plan_step(context, plan, script)))
    asked = [one for _, _, wanted in planned for one in (*wanted.planned, *wanted.background)]
    store = config.work_dir / steps.STORE
    with clock.of("speak"):
        for one in asked:
            steps.speak_step(one, config.speech, store)
    with clock.of("find speech"):
        said = {one.id: steps.speak_step(one, config.speech, store) for one in asked}
    work = [
        (plan, script, tuple(said[one.id] for one in wanted.planned), tuple(said[one.id] for one in wanted.background))
        for plan, script, wanted in planned
    ]
    _examined(config, context, work[:1], ALL_STAGES)  # imports are no work
    with clock.of("compose"):
        _examined(config, context, work, frozenset({Stage.COMPOSE}))
    with clock.of("judge by rules"):
        made = _examined(config, context, work, ALL_STAGES)
    clock.seconds["judge by rules"] -= clock.seconds["compose"]
    with clock.of("lay out"):
        _bind(context, made)
    wavs = list((config.work_dir / SCENES).rglob("*.wav"))
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    _bind(context, _examined(config, context, work, ALL_STAGES))
    profile.disable()
    size = sum(path.stat().st_size - _HEADER_BYTES for path in wavs)
    return Pace(len(made), size / _BYTES_PER_HOUR, clock.seconds, _dearest(profile))


def _examined(
    config: BuildConfig, context: ContextRef, work: Sequence[Work], stages: frozenset[Stage]
) -> list[tuple[DialoguePlan, Examined]]:
    """Every item made anew; nothing composed or measured is left from the pass before."""
    shutil.rmtree(config.work_dir / SCENES, ignore_errors=True)
    for kept in config.work_dir.glob(f"{steps.MEASURED}*"):
        kept.unlink()
    steps._instruments.cache_clear()
    made = []
    for plan, script, said, background in work:
        try:
            made.append((plan, steps.examine_step(context, plan, script, said, background, stages)))
        except SceneImpossible:
            continue
    return made


def _bind(context: ContextRef, made: Sequence[tuple[DialoguePlan, Examined]]) -> None:
    for first in range(0, len(made), _SHARD_ITEMS):
        outcomes = [
            ItemOutcome(
                plan_id=plan.id,
                cell=plan.cell,
                script_id=plan.outline.script_id,
                accepted=True,
                findings=one.findings,
                audio_seconds=one.audio_seconds,
                scene_key=one.scene_key,
                verdict_key=one.verdict_key,
            )
            for plan, one in made[first : first + _SHARD_ITEMS]
        ]
        steps.bind_step(context, f"pace-{first}", outcomes)


def _dearest(profile: cProfile.Profile) -> tuple[tuple[str, float], ...]:
    """Functions by their own time."""
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, Any]] = vars(pstats.Stats(profile))["stats"]
    own = sorted(((spent, key) for key, (_, _, spent, _, _) in stats.items()), reverse=True)
    return tuple((_named(file, name), spent) for spent, (file, _, name) in own[:_DEAREST])


def _named(file: str, name: str) -> str:
    return name.strip("<>") if file == "~" else f"{Path(file).parent.name}/{Path(file).stem}.{name}"


def rows(items: int = 100) -> list[str]:
    """Lines of Markdown."""
    limit_threads()
    with tempfile.TemporaryDirectory(prefix="humdial-pace-") as folder:
        return list(measure(items, Path(folder)).rows())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100, help="about so many")
    print("\n".join(rows(parser.parse_args().items)))


if __name__ == "__main__":
    main()
