"""Gaps, overlaps and latencies of thousands of scenes against the distributions they are drawn from.

Durations that nothing moves must be as near as chance allows; those that the composer may move have a stated bound.
Lengths are realistic: the quickstart's lines at the speech rates measured on them, spoken faster and slower.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache

import pytest

from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.foundation.randomness import named_generator
from data_schemas.scene import EventKind, Placement, Scene
from data_schemas.script import Script
from data_schemas.speech_rate import spoken_seconds
from data_schemas.tasks import INTERRUPTION_TASKS, SUB_TASKS, Channel, Language, Part, Task
from flows.timing.distance import exceeded
from flows.timing.report import timing_report
from generators.scenes.duplex.composer import compose
from generators.scenes.hesitation import pieces_of, utterance_ids
from generators.scenes.settings import SceneSettings
from generators.scenes.timing.distance import ks_statistic, wasserstein_s
from generators.scenes.timing.distributions import Distribution, Fixed, LogNormal, Uniform
from generators.scripts.packs import packs_dir
from generators.scripts.script_file import read_script_files
from tests.support.scene_factory import make_plan, make_utterance

pytestmark = pytest.mark.statistics

RATE = SAMPLE_RATE_HZ
SEED = 20_26
#: Scenes of each sub-task and language, and in all.
EACH = 300
ALL = EACH * len(SUB_TASKS) * len(Language)
#: Critical value of the Kolmogorov-Smirnov statistic at alpha = 0.001, times sqrt(n): sqrt(-ln(0.001 / 2) / 2).
KS_CRITICAL = 1.95
#: How much faster or slower than the speech rate people speak (CHOICE).
TEMPO = (0.85, 1.2)
#: Named durations that nothing moves, or so few that all scenes together are as near as chance allows.
AS_DRAWN = ("leading_silence", "stop_latency", "pause", "third_party_gap", "query_to_event", "floor_transfer")
#: Backchannels move to the end of a phrase, at most ``phrase_reach_s`` away: how far the average may lie from the
#: target. Calibrated: measured 0.05 s over both languages; a shift by a tenth is 0.53 s.
BACKCHANNEL_MOVED_S = 0.15
#: The same for one sub-task and language. Measured 0.12 s (backchannels, en) and 0.27 s (speech to others, zh: the
#: quickstart's second replies last 7 to 10 s, so that 3 in 10 asides come before the time that was drawn).
CELL_MOVED_S = 0.4

Durations = Mapping[str, Sequence[float]]


@cache
def pack() -> Mapping[tuple[Task, Language], tuple[Script, ...]]:
    """The quickstart's full-duplex scripts."""
    found: dict[tuple[Task, Language], list[Script]] = defaultdict(list)
    for script in read_script_files(sorted((packs_dir() / "quickstart").glob("*.jsonl"))):
        found[script.task, script.language].append(script)
    return {place: tuple(scripts) for place, scripts in found.items()}


def composed(settings: SceneSettings, tasks: Sequence[Task] = SUB_TASKS, each: int = EACH) -> tuple[Scene, ...]:
    """``each`` scenes of every task and language; the same scripts, names and lengths for all settings."""
    return tuple(
        scene_of(scripts[number % len(scripts)], f"{task}-{language}-{number}", settings)
        for task in tasks
        for language in Language
        for scripts in (pack()[task, language],)
        for number in range(each)
    )


def scene_of(script: Script, name: str, settings: SceneSettings) -> Scene:
    plan = make_plan(script, plan_id=name)
    tempo = named_generator(SEED, name, "tempo")
    utterances = []
    for number, line in enumerate(script.lines, start=1):
        pieces = pieces_of(plan.id, number, line, script.language, settings.hesitation, SEED)
        for utterance_id, piece in zip(utterance_ids(plan.id, number, pieces), pieces, strict=True):
            samples = round(spoken_seconds(piece.text, script.language) / tempo.uniform(*TEMPO) * RATE)
            utterances.append(
                make_utterance(utterance_id, line.role, piece.text, samples, script.language, part=line.part)
            )
    return compose(plan, script, tuple(utterances), settings, SEED)


def durations(scenes: Sequence[Scene]) -> Durations:
    """Seconds of every named duration, measured on segments, replies and events; backchannels apart."""
    found: dict[str, list[float]] = defaultdict(list)
    for scene in scenes:
        first, *others = scene.segments
        replies = [each for each in scene.placements if each.channel is Channel.ASSISTANT]
        found["leading_silence"].append(first.start / RATE)
        found["tail"].append((scene.num_samples - scene.segments[-1].stop) / RATE)
        found["pause"] += [(each.stop - each.start) / RATE for each in scene.events if each.kind is EventKind.PAUSE]
        for stop in (each for each in scene.events if each.kind is EventKind.ASSISTANT_STOP):
            found["stop_latency"].append((stop.stop - others[0].start) / RATE)
        found["floor_transfer"] += [gap / RATE for gap in _floor_transfers(scene, replies)]
        match scene.task:
            case Task.PAUSE:
                pass
            case Task.THIRD_PARTY_BEFORE:
                found["third_party_gap"].append((others[0].start - first.stop) / RATE)
            case Task.BACKCHANNEL:
                found["backchannel"].append((others[0].start - first.stop) / RATE)
            case _:
                found["query_to_event"].append((scene.segments[-1].start - scene.segments[-2].stop) / RATE)
    return found


def _floor_transfers(scene: Scene, replies: Sequence[Placement]) -> list[int]:
    """From the end of a turn to the start of the answer to it, samples."""
    segments = scene.segments
    if scene.task in INTERRUPTION_TASKS:
        asked = (segments[0].stop, max(segments[1].stop, replies[0].stop))
        return [reply.start - stop for stop, reply in zip(asked, replies, strict=True)]
    if scene.task is Task.SPEECH_TO_OTHERS:
        (first, second), (query, again, _) = replies, segments
        return [first.start - query.stop, again.start - first.stop, second.start - again.stop]
    query = next(segment for segment in segments if segment.part is Part.QUERY)
    return [replies[0].start - query.stop]


def too_far(found: Durations, settings: SceneSettings) -> dict[str, str]:
    """Names of the durations that are farther from their targets than stated, and by what."""
    far = {}
    for name in AS_DRAWN:
        target: Distribution = getattr(settings, name)
        distance, bound = ks_statistic(found[name], target.cdf), KS_CRITICAL / len(found[name]) ** 0.5
        if distance >= bound:
            far[name] = f"Kolmogorov-Smirnov {distance:.4f}, not below {bound:.4f}"
    moved = wasserstein_s(found["backchannel"], settings.query_to_event)
    if moved >= BACKCHANNEL_MOVED_S:
        far["backchannel"] = f"{moved:.3f} s from the target, not below {BACKCHANNEL_MOVED_S} s"
    shortest = min(found["tail"])
    if shortest < settings.tail.lower_s:
        far["tail"] = f"as short as {shortest} s"
    return far


@cache
def by_default() -> tuple[Scene, ...]:
    return composed(SceneSettings())


def test_six_thousand_scenes_are_as_near_to_their_targets_as_stated() -> None:
    scenes = by_default()
    assert len(scenes) == ALL
    found = durations(scenes)
    assert too_far(found, SceneSettings()) == {}
    interruptions = EACH * len(Language) * len(INTERRUPTION_TASKS)
    assert len(found["stop_latency"]) == interruptions
    assert len(found["query_to_event"]) == interruptions + 2 * EACH * len(Language)
    assert len(found["floor_transfer"]) == ALL + interruptions + 2 * EACH * len(Language)
    assert min(len(values) for values in found.values()) >= EACH * len(Language)


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("task", SUB_TASKS)
def test_each_sub_task_and_language_is_near_its_targets_by_itself(task: Task, language: Language) -> None:
    own = [scene for scene in by_default() if scene.task is task and scene.language is language]
    assert len(own) == EACH
    defaults = SceneSettings()
    found = durations(own)
    assert found["leading_silence"] and found["floor_transfer"]
    for name, values in found.items():
        moved = name == "query_to_event" and task is Task.SPEECH_TO_OTHERS
        if name == "backchannel" or moved:
            assert wasserstein_s(values, defaults.query_to_event) < CELL_MOVED_S
        elif name in AS_DRAWN and values:
            assert ks_statistic(values, getattr(defaults, name).cdf) < KS_CRITICAL / len(values) ** 0.5, name


def test_an_interruption_overlaps_the_reply_for_the_stop_latency() -> None:
    overlaps = []
    for scene in by_default():
        if scene.task in INTERRUPTION_TASKS:
            ((start, stop),) = scene.overlap_spans()
            overlaps.append((stop - start) / RATE)
    assert len(overlaps) == EACH * len(Language) * len(INTERRUPTION_TASKS)
    assert ks_statistic(overlaps, SceneSettings().stop_latency.cdf) < KS_CRITICAL / len(overlaps) ** 0.5


def test_the_report_of_a_release_measures_the_same() -> None:
    found, report = durations(by_default()), timing_report(by_default(), seed=SEED)
    events = [*found["query_to_event"], *found["backchannel"]]
    for name, values in {**found, "query_to_event": events}.items():
        if name == "backchannel":
            continue
        told = report.duration(name)
        assert told.n == len(values), name
        if name != "floor_transfer":  # the report counts from the end of the interruption, not of the cut reply
            assert told.mean == pytest.approx(sum(values) / len(values), abs=1e-4), name
    assert exceeded(report) == ()
    for name in ("leading_silence", "stop_latency", "pause", "third_party_gap", "floor_transfer"):
        assert report.duration(name).moved == 0, name


def shifted(target: Distribution, factor: float) -> Distribution:
    """The same distribution, all durations ``factor`` times as long."""
    match target:
        case Fixed(value_s=value):
            return Fixed(value_s=value * factor)
        case Uniform(low_s=low, high_s=high):
            return Uniform(low_s=low * factor, high_s=high * factor)
        case LogNormal(median_s=median, sigma=sigma, low_s=low, high_s=high):
            return LogNormal(median_s=median * factor, sigma=sigma, low_s=low * factor, high_s=high * factor)


@pytest.mark.parametrize("factor", [0.9, 1.1])
@pytest.mark.parametrize(
    ("name", "tasks"),
    [
        ("leading_silence", (Task.PAUSE, Task.SILENCE)),
        ("floor_transfer", (Task.FOLLOW_UP, Task.NEGATION, Task.SPEECH_TO_OTHERS)),
        ("stop_latency", tuple(sorted(INTERRUPTION_TASKS))),
        ("pause", (Task.PAUSE,)),
        ("third_party_gap", (Task.THIRD_PARTY_BEFORE,)),
        ("query_to_event", (Task.TOPIC_SWITCH, Task.THIRD_PARTY_AFTER)),
        ("backchannel", (Task.BACKCHANNEL,)),
    ],
)
def test_a_distribution_shifted_by_a_tenth_is_caught(name: str, tasks: tuple[Task, ...], factor: float) -> None:
    setting = "query_to_event" if name == "backchannel" else name
    defaults = SceneSettings()
    other = defaults.model_copy(update={setting: shifted(getattr(defaults, setting), factor)})
    sound = durations([scene for scene in by_default() if scene.task in tasks])
    scenes = composed(other, tasks)
    wrong = {**durations(by_default()), name: durations(scenes)[name]}
    assert len(wrong[name]) == len(sound[name])
    assert set(too_far(wrong, defaults)) == {name}
    assert too_far({**wrong, name: sound[name]}, defaults) == {}
    if name != "floor_transfer":  # there the bound that `flows.timing.report` states, 0.03 s, is as wide as the shift
        assert setting in {each.name for each in exceeded(timing_report(scenes))}


def test_a_shorter_tail_is_caught() -> None:
    short = composed(SceneSettings(tail=Fixed(value_s=9.0)), (Task.SPEECH_TO_OTHERS,), each=20)
    assert set(too_far({**durations(by_default()), "tail": durations(short)["tail"]}, SceneSettings())) == {"tail"}
