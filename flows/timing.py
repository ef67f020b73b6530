"""``humdial timing fit``, and how the timing of composed scenes compares with what was asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from data_schemas.base import Record
from data_schemas.scene import EventKind, Scene
from data_schemas.tasks import Part
from flows.atomic import write_text_atomic
from flows.errors import ConfigError, HumdialError
from generators.scenes.corpus import CorpusError, read_conversations
from generators.scenes.distance import Quantiles, ks_statistic, mean_of, wasserstein_s
from generators.scenes.distributions import Distribution, Fixed
from generators.scenes.fit import MEASURED, FittedTiming, TimingFit, fit_timing
from generators.scenes.recipes import RECIPES, Intrude
from generators.scenes.settings import SceneSettings
from generators.scenes.timeline import Clock

#: Histogram of each named duration: width of a bin in seconds and number of bins, from 0 s. Fixed, so that
#: releases can be laid side by side (CHOICE: the default range in 10 to 20 bins, with room above).
BINS = MappingProxyType(
    {
        "leading_silence": (0.05, 20),
        "floor_transfer": (0.1, 25),
        "query_to_event": (0.25, 48),
        "stop_latency": (0.04, 25),
        "pause": (0.2, 20),
        "third_party_gap": (0.2, 20),
        "tail": (1.0, 40),
    }
)

#: What the composer may do to a drawn duration, so what a difference from the target can come from.
SHIFTS = MappingProxyType(
    {
        "leading_silence": "nothing shifts it",
        "floor_transfer": "longer where the channel is still busy or the user's segments must lie apart",
        "query_to_event": "bounded by how much of the reply was heard and how much is left; a backchannel moves "
        "to the end of a phrase",
        "stop_latency": "nothing shifts it",
        "pause": "nothing shifts it",
        "third_party_gap": "longer where the user's segments must lie apart",
        "tail": "longer where the assistant speaks on after the user's last segment; a scene ends on a whole "
        "millisecond",
    }
)

_DIGITS = 4


class DurationReport(Record):
    """Target against realised for one named distribution of `SceneSettings`; seconds.

    ``histogram[k]`` counts durations of ``[k, k + 1) * bin_s``, ``above`` those beyond the last bin;
    ``expected`` has what the target would put into each bin. ``outside`` counts durations outside the
    target's bounds and ``moved`` those that are not what was drawn (None: no seed was given).
    ``ks`` is None for a fixed target, from which the least rounding is as far as can be.
    """

    name: str
    target: Distribution
    target_mean: float
    target_quantiles: Quantiles
    n: int
    mean: float | None = None
    quantiles: Quantiles | None = None
    bin_s: float
    histogram: tuple[int, ...] = ()
    above: int = 0
    expected: tuple[float, ...] = ()
    ks: float | None = None
    wasserstein_s: float | None = None
    outside: int = 0
    moved: int | None = None
    shifts: str


class TimingReport(Record):
    """Target against realised, over a set of scenes, computed from their timelines and not from audio."""

    scenes: int
    durations: tuple[DurationReport, ...]

    def duration(self, name: str) -> DurationReport:
        """The report on the distribution of that name."""
        return next(each for each in self.durations if each.name == name)


class _Realised(Record):
    """One duration of one scene, in samples; ``drawn`` is what its distribution said."""

    name: str
    samples: int
    drawn: int | None = None


def timing_report(
    scenes: Iterable[Scene], settings: SceneSettings | None = None, seed: int | None = None
) -> TimingReport:
    """Compare what scenes have with what their distributions ask for. Scenes are read once, in order.

    Args:
        settings: those the scenes were composed with (None: the defaults).
        seed: the build's seed; with it every draw is repeated and the moved ones are counted.

    Durations are those of the labels: from the end of one line to the start of the next, and so on.
    The composer's constraints shift some draws (`SHIFTS`): they count as they came out.
    """
    settings = settings or SceneSettings()
    count, moved = 0, dict.fromkeys(BINS, 0)
    found: dict[str, list[float]] = defaultdict(list)
    for scene in scenes:
        count += 1
        for each in _realised(scene, settings, seed):
            found[each.name].append(scene.seconds(each.samples))
            moved[each.name] += each.drawn != each.samples
    return TimingReport(
        scenes=count,
        durations=tuple(
            _compare(name, getattr(settings, name), found[name], None if seed is None else moved[name]) for name in BINS
        ),
    )


def _realised(scene: Scene, settings: SceneSettings, seed: int | None) -> Iterator[_Realised]:
    """Every named duration of a scene, found by its sub-task's recipe."""
    clock = None if seed is None else Clock(settings, seed, scene.plan_id, scene.sample_rate)
    starts = {part: min(p.start for p in scene.placements if p.part is part) for part in _parts(scene)}
    stops = {part: max(p.stop for p in scene.placements if p.part is part) for part in _parts(scene)}
    pauses = [event for event in scene.events if event.kind is EventKind.PAUSE]
    latencies = [event.latency for event in scene.events if event.latency is not None]
    for step in RECIPES[scene.task].steps:
        timing, after = (step.delay, step.counted_from) if isinstance(step, Intrude) else (step.gap, step.after)
        yield _Realised(
            name=timing,
            samples=starts[step.part] - (stops[after] if after else 0),
            drawn=clock and clock.draw(timing, step.part),
        )
        if isinstance(step, Intrude) and step.cuts:
            for latency in latencies:
                name = f"stop_latency/{step.part}"
                drawn = clock and clock.draw_from(settings.stop_latency, name)
                yield _Realised(name="stop_latency", samples=latency, drawn=drawn)
        own = [p for p in pauses if starts[step.part] <= p.start < stops[step.part] and p.channel is step.channel]
        for number, pause in enumerate(own, start=1):
            drawn = clock and clock.draw("pause", step.part, number)
            yield _Realised(name="pause", samples=pause.stop - pause.start, drawn=drawn)
    tail = scene.num_samples - scene.segments[-1].stop
    yield _Realised(name="tail", samples=tail, drawn=clock and clock.draw_from(settings.tail, "tail"))


def _parts(scene: Scene) -> set[Part]:
    return {placement.part for placement in scene.placements}


def _compare(name: str, target: Distribution, values: Sequence[float], moved: int | None) -> DurationReport:
    bin_s, bins = BINS[name]
    report = DurationReport(
        name=name,
        target=target,
        target_mean=round(mean_of(target), _DIGITS),
        target_quantiles=Quantiles.of_target(target),
        n=len(values),
        bin_s=bin_s,
        moved=moved,
        shifts=SHIFTS[name],
    )
    if not values:
        return report
    # to the microsecond: 0.3 / 0.1 must fall into bin 3
    counts = np.bincount([min(int(round(value / bin_s, 6)), bins) for value in values], minlength=bins + 1)
    chances = np.diff([target.cdf(bin_s * k) for k in range(bins + 1)], prepend=0.0)[1:]
    chances[0] += target.cdf(0.0)
    return report.model_copy(
        update={
            "mean": round(float(np.mean(values)), _DIGITS),
            "quantiles": Quantiles.of(values),
            "histogram": tuple(counts[:bins].tolist()),
            "above": int(counts[bins]),
            "expected": tuple(round(float(chance) * len(values), 2) for chance in chances),
            "ks": None if isinstance(target, Fixed) else round(ks_statistic(values, target.cdf), _DIGITS),
            "wasserstein_s": round(wasserstein_s(values, target), _DIGITS),
            "outside": sum(not _within(value, target) for value in values),
        }
    )


def _within(value: float, target: Distribution) -> bool:
    """Inside the bounds, give or take the millisecond to which a scene's end is rounded."""
    return target.lower_s - 0.001 <= value <= target.upper_s + 0.001


def timing_fit_command(
    files: Sequence[Path],
    output: Path | None,
    console: Console,
    speakers: tuple[str, ...] = (),
    settings: SceneSettings | None = None,
) -> None:
    """``humdial timing fit FILES``: print what a corpus says and write the settings it teaches.

    Args:
        output: the YAML file to write (None: only print); its ``scenes`` section goes into a configuration.
        speakers: the two speakers or tiers to measure, where files have more.
        settings: whose bounds the learned settings keep (None: the defaults).

    Raises:
        ConfigError: no files, a file that cannot be read or measured, or an output that cannot be written.
        HumdialError: the corpus is too small for any fit; nothing is written.
    """
    if not files:
        raise ConfigError("timing fit: name at least one .rttm or .TextGrid file")
    if output is not None and output.is_dir():
        raise ConfigError(f"{output} is a directory; name a file with -o, e.g. -o {output / 'timing.yaml'}")
    try:
        found = fit_timing(read_conversations(files, speakers), settings)
    except CorpusError as error:
        raise ConfigError(str(error)) from error
    print_timing_fit(found, console)
    if not found.replacements():
        raise HumdialError(
            "the files hold too little to learn from: "
            + "; ".join(f"{each.name}: {each.note}" for each in found.timings if each.replaces)
        )
    text = fit_yaml(found, files)
    if output is None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)
        return
    try:
        write_text_atomic(output, text)
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written: {error.strerror}") from error
    console.print(f"{output}: put its scenes section into your configuration", markup=False, soft_wrap=True)


def print_timing_fit(found: TimingFit, console: Console) -> None:
    """One row per measured duration."""
    table = Table(title=f"{_heard(found)} (seconds)")
    for heading in ("duration", "n", "fitted", "mean", "median", "5-95 %", "fit", "KS", "replaces"):
        table.add_column(heading, justify="left" if heading in {"duration", "fit", "replaces"} else "right")
    for name in MEASURED:
        each = found.timing(name)
        spread = each.quantiles
        table.add_row(
            each.name,
            str(each.n),
            str(each.used) if each.distribution else "-",
            "-" if each.mean is None else f"{each.mean:.3f}",
            "-" if spread is None else f"{spread.q50:.3f}",
            "-" if spread is None else f"{spread.q05:.2f} to {spread.q95:.2f}",
            describe(each.distribution) if each.distribution else (each.note or "-"),
            "-" if each.ks is None else f"{each.ks:.3f}",
            f"scenes.{each.replaces}" if each.replaces and each.distribution else "-",
        )
    console.print(table)
    if found.unclear:
        console.print(
            f"{found.unclear} silences or overlaps lie at a simultaneous start or stop and were left out", markup=False
        )


def describe(distribution: Distribution) -> str:
    """The distribution in a few words."""
    values = distribution.model_dump(exclude={"kind"})
    return f"{distribution.kind} " + " ".join(f"{name}={value:g}" for name, value in values.items())


def fit_yaml(found: TimingFit, files: Sequence[Path]) -> str:
    """The ``scenes`` section as YAML, with where each number comes from as comments."""
    names = ", ".join(path.name for path in files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")  # noqa: PLR2004
    lines = [
        f"# Timing learned by `humdial timing fit` from {_one_line(names)}:",
        f"# {_heard(found)}.",
        "# Bounds are those of the settings that are replaced; durations outside them were left out.",
        "scenes:",
    ]
    for each in found.timings:
        if each.replaces and each.distribution:
            lines.append(f"  {_source(each)}")
            value = each.distribution.model_dump(mode="json")
            shown = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000).strip()
            lines.append(f"  {each.replaces}: {shown}")
    return "\n".join(lines) + "\n"


def _heard(found: TimingFit) -> str:
    plural = "" if found.conversations == 1 else "s"
    return f"{found.conversations} conversation{plural}, {found.speech_s / 60:.1f} minutes of speech"


def _source(each: FittedTiming) -> str:
    return f"# {each.used} of {each.n} {each.name}s, Kolmogorov-Smirnov {each.ks:.3f}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
