"""How the timing of composed scenes compares with what was asked for: ``validation/timing.json`` of a release."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from data_schemas.foundation.base import Record
from data_schemas.scene import EventKind, Scene
from data_schemas.tasks import Part, Task
from generators.scenes.duplex.recipes import RECIPES, Intrude
from generators.scenes.settings import SceneSettings
from generators.scenes.timeline import Clock, line_name
from generators.scenes.timing.distance import Quantiles, ks_statistic, mean_of, wasserstein_s
from generators.scenes.timing.distributions import Distribution, Fixed

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
        "overlap": (0.05, 20),
        "barge_in": (0.5, 24),
        "backchannel_delay": (0.05, 20),
        "talk_over": (0.1, 30),
        "conversation_tail": (0.1, 25),
    }
)

#: Names above that stand for a distribution of ``scenes.conversation``, and which.
OF_CONVERSATION = MappingProxyType(
    {
        "overlap": "overlap",
        "barge_in": "barge_in",
        "backchannel_delay": "backchannel_delay",
        "talk_over": "talk_over",
        "conversation_tail": "tail",
    }
)

#: What the composer may do to a drawn duration, so what a difference from the target can come from.
SHIFTS = MappingProxyType(
    {
        "leading_silence": "nothing shifts it",
        "floor_transfer": "longer where the channel is still busy, or the segments of the user or two lines of a "
        "party of a conversation must lie apart",
        "query_to_event": "bounded by how much of the reply was heard and how much is left; a backchannel moves "
        "to the end of a phrase",
        "stop_latency": "nothing shifts it",
        "pause": "nothing shifts it",
        "third_party_gap": "longer where the user's segments must lie apart",
        "tail": "longer where the assistant speaks on after the user's last segment; a scene ends on a whole "
        "millisecond",
        "overlap": "shorter where either turn is short, or the newcomer or a backchannel was heard just before",
        "barge_in": "bounded by how much of the reply was heard and how much is left; later after a backchannel",
        "backchannel_delay": "nothing shifts it; a backchannel that found no phrase end has none",
        "talk_over": "shorter where either turn is short, or the assistant was heard just before",
        "conversation_tail": "a scene ends on a whole millisecond",
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


class ShareReport(Record):
    """How many of the ``n`` turns of conversations that took the floor began before the one before them had ended.

    Barge-ins and talking over are no such turns: they have shares of their own. ``share`` is None where n is 0.
    """

    target: float
    n: int
    share: float | None = None


class TimingReport(Record):
    """Target against realised, over a set of scenes, computed from their timelines and not from audio."""

    scenes: int
    durations: tuple[DurationReport, ...]
    overlaps: ShareReport

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
    turns, overlaps = 0, 0
    found: dict[str, list[float]] = defaultdict(list)
    for scene in scenes:
        count += 1
        conversation = scene.task is Task.CONVERSATION
        for each in (_in_conversation if conversation else _in_sub_task)(scene, settings, seed):
            found[each.name].append(scene.seconds(each.samples))
            moved[each.name] += each.drawn != each.samples
            turns += conversation and each.name in ("floor_transfer", "overlap")
            overlaps += each.name == "overlap"
    return TimingReport(
        scenes=count,
        durations=tuple(
            _compare(name, _target(name, settings), found[name], None if seed is None else moved[name]) for name in BINS
        ),
        overlaps=ShareReport(
            target=settings.conversation.overlap_share,
            n=turns,
            share=round(overlaps / turns, _DIGITS) if turns else None,
        ),
    )


def _target(name: str, settings: SceneSettings) -> Distribution:
    """The distribution that a name of `BINS` stands for."""
    if name in OF_CONVERSATION:
        target: Distribution = getattr(settings.conversation, OF_CONVERSATION[name])
    else:
        target = getattr(settings, name)
    return target


def _in_sub_task(scene: Scene, settings: SceneSettings, seed: int | None) -> Iterator[_Realised]:
    """Every named duration of a scene, found by its sub-task's recipe."""
    clock = None if seed is None else Clock(settings, seed, scene.plan_id, scene.sample_rate)
    starts = {part: min(p.start for p in scene.placements if p.part is part) for part in _parts(scene)}
    stops = {part: max(p.stop for p in scene.placements if p.part is part) for part in _parts(scene)}
    pauses = [event for event in scene.events if event.kind is EventKind.PAUSE]
    latencies = [
        event.latency for event in scene.events if event.kind is EventKind.ASSISTANT_STOP and event.latency is not None
    ]
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


def _in_conversation(scene: Scene, settings: SceneSettings, seed: int | None) -> Iterator[_Realised]:
    """Every named duration of a conversation, found by its lines and events."""
    clock = None if seed is None else Clock(settings, seed, scene.plan_id, scene.sample_rate)
    rules = settings.conversation
    spans = _spans(scene)
    first, *others = [line for line, (part, _, _) in spans.items() if part is not Part.BACKCHANNEL]
    yield _Realised(
        name="leading_silence",
        samples=spans[first][1],
        drawn=clock and clock.draw("leading_silence", line_name(first)),
    )
    talked_over = {event.line for event in scene.events if event.kind is EventKind.TALK_OVER}
    for before, line in pairwise((first, *others)):
        part, start, _ = spans[line]
        offset, name = start - spans[before][2], line_name(line)
        if part is Part.INTERRUPTION:
            drawn = clock and clock.draw_from(rules.barge_in, f"barge_in/{name}")
            yield _Realised(name="barge_in", samples=start - spans[before][1], drawn=drawn)
        elif line in talked_over:
            continue
        elif offset < 0:
            drawn = clock and clock.draw_from(rules.overlap, f"overlap/{name}")
            yield _Realised(name="overlap", samples=-offset, drawn=drawn)
        else:
            drawn = clock and clock.draw("floor_transfer", name)
            yield _Realised(name="floor_transfer", samples=offset, drawn=drawn)
    yield from _events_of_conversation(scene, settings, clock)
    tail = scene.num_samples - max(stop for _, _, stop in spans.values())
    drawn = clock and clock.draw_from(rules.tail, "tail")
    yield _Realised(name="conversation_tail", samples=tail, drawn=drawn)


def _events_of_conversation(scene: Scene, settings: SceneSettings, clock: Clock | None) -> Iterator[_Realised]:
    """The durations that events carry. A stop's draw is named by the line that makes the other party stop."""
    rules, pauses = settings.conversation, Counter[int | None]()
    for event in sorted(scene.events, key=lambda event: event.start):
        if event.kind is EventKind.PAUSE and event.line is not None:
            pauses[event.line] += 1
            drawn = clock and clock.draw("pause", line_name(event.line), pauses[event.line])
            yield _Realised(name="pause", samples=event.stop - event.start, drawn=drawn)
        if event.line is None or event.target is None or event.latency is None:
            continue
        if event.kind in (EventKind.ASSISTANT_STOP, EventKind.USER_STOP):
            drawn = clock and clock.draw_from(settings.stop_latency, f"stop_latency/{line_name(event.target)}")
            yield _Realised(name="stop_latency", samples=event.latency, drawn=drawn)
        elif event.kind is EventKind.TALK_OVER:
            drawn = clock and clock.draw_from(rules.talk_over, f"talk_over/{line_name(event.line)}")
            yield _Realised(name="talk_over", samples=-event.latency, drawn=drawn)
        elif event.kind is EventKind.BACKCHANNEL:
            drawn = clock and clock.draw_from(rules.backchannel_delay, f"backchannel_delay/{line_name(event.line)}")
            yield _Realised(name="backchannel_delay", samples=event.latency, drawn=drawn)


def _spans(scene: Scene) -> dict[int, tuple[Part, int, int]]:
    """Part, start and stop of every line, by its number, ascending."""
    spans: dict[int, tuple[Part, int, int]] = {}
    for each in sorted(scene.placements, key=lambda each: (each.line, each.start)):
        start = spans[each.line][1] if each.line in spans else each.start
        spans[each.line] = (each.part, start, each.stop)
    return spans


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
