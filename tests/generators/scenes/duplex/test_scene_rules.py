"""FORMATS.md B and the energy of the channels, on generated scenes of every sub-task and language, the ugly ones too.

`tests.support.format_rules` holds the rules of the published form, written without our code. The cases are drawn by
hypothesis: ordinary, very short and very long utterances, many pauses, other timing settings.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import hypothesis
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples, to_pcm16, write_wav
from data_schemas.item import ASSISTANT_WAV, CLEAN_WAV, USER_WAV, Item
from data_schemas.layouts.track2 import FOLDER_OF_TASK, Track2
from data_schemas.layouts.writer import write_items
from data_schemas.plan import DialoguePlan
from data_schemas.scene import EventKind, Placement, Scene
from data_schemas.script import Script
from data_schemas.tasks import INTERRUPTION_TASKS, SUB_TASKS, Channel, Language, Part, Role, Task
from data_schemas.utterance import Utterance
from generators.scenes.duplex.composer import SceneImpossible, compose
from generators.scenes.errors import MixClips
from generators.scenes.hesitation import HesitationSettings, pieces_of, utterance_ids
from generators.scenes.microphone.draw import draw_microphone
from generators.scenes.microphone.settings import MicrophoneSettings
from generators.scenes.mixer import DRY_USER, Mixed, clean_channel, mix
from generators.scenes.settings import SceneSettings
from generators.scenes.timing.distributions import DecibelRange, Distribution, Fixed, LogNormal, Uniform
from tests.support.format_rules import BREAK, Choices, Published, broken_rules
from tests.support.scene_factory import make_plan, make_script, make_utterance

RATE = SAMPLE_RATE_HZ
LAYOUT = Track2()
#: What is placed is what is heard: rules about silence are about dry scenes.
DRY = MicrophoneSettings.model_validate(
    {stage: {"use": "off"} for stage in ("room", "echo", "stationary", "babble", "telephone")}
)
DEFAULTS = SceneSettings(microphone=DRY)
CELLS = [(task, language) for task in SUB_TASKS for language in Language]
RESUMED = (Task.BACKCHANNEL, Task.THIRD_PARTY_AFTER, Task.SPEECH_TO_OTHERS)
SPOKEN_INTO = (*sorted(INTERRUPTION_TASKS), *RESUMED)
#: The line that is spoken into a reply, and that reply.
INTRUDER = {
    **dict.fromkeys(sorted(INTERRUPTION_TASKS), (Part.INTERRUPTION, Part.REPLY)),
    Task.BACKCHANNEL: (Part.BACKCHANNEL, Part.REPLY),
    Task.THIRD_PARTY_AFTER: (Part.ASIDE, Part.REPLY),
    Task.SPEECH_TO_OTHERS: (Part.ASIDE, Part.SECOND_REPLY),
}
FULL_SCALE = 32_767 / 32_768
#: Cases drawn for each sub-task and language, and how many of them must be scenes (the rest are refused).
EXAMPLES = 105
EXAMPLES_SPOKEN_INTO = 165
SCENES = 100

#: Ordinary lengths in seconds (the quickstart's lines), and the ugly ones.
ORDINARY_S = {
    Part.QUERY: (1.0, 4.0),
    Part.REPLY: (10.0, 15.0),
    Part.INTERRUPTION: (1.5, 3.3),
    Part.BACKCHANNEL: (0.3, 1.0),
    Part.SECOND_QUERY: (1.0, 3.0),
    Part.SECOND_REPLY: (9.0, 12.0),
    Part.ASIDE: (1.5, 3.2),
}
SHORT_S = (0.15, 0.4)
LONG_S = (15.0, 30.0)
#: of eight utterances one is very short and one very long
_LENGTH_KINDS = ("ordinary",) * 6 + ("short", "long")

#: Noise without a zero sample, long enough for the longest utterance at every offset.
_GENERATOR = np.random.default_rng(20_26)
_OFFSETS = 997
_NOISE: Samples = (
    _GENERATOR.choice(np.array([-1.0, 1.0]), 31 * RATE) * _GENERATOR.uniform(0.1, 0.5, 31 * RATE)
).astype(np.float32)

_WORDS = {
    Language.ZH: ("嗯我想", "那个去西安", "就是说", "玩几天", "带上老人", "行吗"),
    Language.EN: ("I want", "um, to go", "you know", "to Xi'an", "with my folks", "please"),
}


#: The CHOICEs of FORMATS.md B.6, whatever the settings say.
FORMATS_NUMBERS = {name: getattr(Choices(), name) for name in ("event_after", "third_party_gap", "pause", "tail")}


@dataclass(frozen=True)
class Case:
    """What a scene is made from. ``lengths`` are samples of each part and piece."""

    lengths: Mapping[Part, tuple[int, ...]]
    pauses: int
    scenes: SceneSettings
    seed: int

    def samples_of(self, part: Part, piece: int) -> int:
        own = self.lengths[part]
        return own[piece % len(own)]


@dataclass(frozen=True)
class Made:
    """A composed scene with what it was made from."""

    plan: DialoguePlan
    script: Script
    utterances: tuple[Utterance, ...]
    scene: Scene
    scenes: SceneSettings

    @property
    def item(self) -> Item:
        return Item(plan=self.plan, script=self.script, utterances=self.utterances, scene=self.scene)

    def placed(self, part: Part) -> Placement:
        """The last placement of a line."""
        return [each for each in self.scene.placements if each.part is part][-1]


@st.composite
def lengths(draw: st.DrawFn, part: Part) -> int:
    low, high = {"ordinary": ORDINARY_S[part], "short": SHORT_S, "long": LONG_S}[draw(st.sampled_from(_LENGTH_KINDS))]
    return draw(st.integers(round(low * RATE), round(high * RATE)))


@st.composite
def distributions(draw: st.DrawFn, low_ms: int, high_ms: int) -> Distribution:
    """Any distribution within the bounds, which people write in milliseconds."""
    low, middle, high = sorted(draw(st.tuples(*[st.integers(low_ms, high_ms)] * 3)))
    match draw(st.sampled_from(("fixed", "uniform", "lognormal"))):
        case "fixed":
            return Fixed(value_s=middle / 1000)
        case "uniform":
            return Uniform(low_s=low / 1000, high_s=high / 1000)
        case _:
            sigma = draw(st.sampled_from((0.05, 0.7, 3.0)))
            return LogNormal(median_s=max(middle, 1) / 1000, sigma=sigma, low_s=low / 1000, high_s=max(high, 1) / 1000)


@st.composite
def other_settings(draw: st.DrawFn) -> SceneSettings:
    """Settings that are valid and far from the defaults; just above 0.6 s wherever that is the limit."""

    def seconds(low_ms: int, high_ms: int) -> float:
        return draw(st.integers(low_ms, high_ms)) / 1000

    stop_latency = draw(distributions(1, 1500))
    levels = sorted(draw(st.tuples(*[st.integers(-40, 0)] * 2)))
    return SceneSettings(
        leading_silence=draw(distributions(0, 2000)),
        floor_transfer=draw(distributions(0, 4000)),
        query_to_event=draw(distributions(601, 12_000)),
        stop_latency=stop_latency,
        pause=draw(distributions(601, 5000)),
        third_party_gap=draw(distributions(601, 5000)),
        tail=draw(distributions(5000, 12_000)),
        closing_silence_s=seconds(0, 1500),
        fade_out_ms=draw(st.integers(0, int(stop_latency.lower_s * 1000))),
        min_segment_gap_s=seconds(601, 2500),
        min_reply_heard_s=seconds(1, 2500),
        min_reply_unheard_s=seconds(1, 1500),
        min_reply_rest_s=seconds(1, 1500),
        phrase_reach_s=seconds(0, 4000),
        third_party_level=DecibelRange(low_db=levels[0], high_db=levels[1]),
        hesitation=HesitationSettings(
            fillers=draw(st.sampled_from(("off", "on"))),
            before_pause_share=draw(st.sampled_from((0.0, 0.5, 1.0))),
            seam=draw(distributions(0, 400)),
        ),
        microphone=DRY,
    )


@st.composite
def cases(draw: st.DrawFn, scenes: st.SearchStrategy[SceneSettings]) -> Case:
    return Case(
        lengths={
            part: tuple(draw(lengths(part)) for _ in range(3 if part is Part.QUERY else 1)) for part in ORDINARY_S
        },
        pauses=draw(st.sampled_from((1, 1, 1, 2, 3, 9))),
        scenes=draw(scenes),
        seed=draw(st.integers(0, 2**31 - 1)),
    )


ALL_CASES = cases(st.one_of(st.just(DEFAULTS), st.just(DEFAULTS), other_settings()))


@cache
def words(task: Task, language: Language, pauses: int) -> tuple[DialoguePlan, Script]:
    query = None
    if task is Task.PAUSE:
        query = BREAK.join(_WORDS[language][place % len(_WORDS[language])] for place in range(pauses + 1))
    script = make_script(task, language, query=query)
    return make_plan(script, plan_id=f"{task}-{language}"), script


def make(task: Task, language: Language, case: Case) -> Made:
    """Compose the case; `SceneImpossible` goes up."""
    plan, script = words(task, language, case.pauses)
    spoken: list[Utterance] = []
    for number, line in enumerate(script.lines, start=1):
        pieces = pieces_of(plan.id, number, line, language, case.scenes.hesitation, case.seed)
        for count, (name, piece) in enumerate(zip(utterance_ids(plan.id, number, pieces), pieces, strict=True)):
            samples = case.samples_of(line.part, count)
            spoken.append(make_utterance(name, line.role, piece.text, samples, language, line.part))
    utterances = tuple(spoken)
    scene = compose(plan, script, utterances, case.scenes, case.seed)
    return Made(plan, script, utterances, scene, case.scenes)


def ordinary(task: Task, seed: int = 7, scenes: SceneSettings = DEFAULTS, **lengths_s: float) -> Case:
    """Middling lengths, some replaced by name."""
    own = {part: (round(lengths_s.get(part.value, sum(ORDINARY_S[part]) / 2) * RATE),) for part in ORDINARY_S}
    return Case(lengths=own, pauses=1, scenes=scenes, seed=seed)


def loader(utterances: tuple[Utterance, ...], peak: float = 0.5) -> Callable[[str], Samples]:
    """Noise of every utterance's length, without a single zero; another stretch for another id."""
    samples_of = {each.id: each.num_samples for each in utterances}
    noise = _NOISE if peak == 0.5 else np.sign(_NOISE) * np.float32(peak)

    def load(name: str) -> Samples:
        offset = crc32(name.encode()) % _OFFSETS
        return noise[offset : offset + samples_of[name]]

    return load


def mixed(made: Made, peak: float = 0.5) -> Mixed:
    """As the build mixes it, with all stages of the microphone off."""
    microphone = draw_microphone(made.plan.id, made.scene.placements, made.scenes.microphone, seed=1)
    assert microphone is None
    return mix(made.scene, loader(made.utterances, peak))


def published(made: Made, sound: Mixed) -> Published:
    """The sample as the layout publishes it, samples as they are written."""
    item = made.item
    (text,) = LAYOUT.text_files(item).values()
    clean = clean_channel(sound.scene, sound.stems[DRY_USER])
    return Published(
        home=LAYOUT.manifest(item).rpartition("/")[0],
        folder=LAYOUT.manifest(item).rpartition("/")[2].removesuffix(".jsonl"),
        paths=frozenset({*LAYOUT.audio_files(item).values(), *LAYOUT.text_files(item)}),
        row=json.loads(LAYOUT.row(item).to_json_line()),
        sentence=json.loads(text),
        user=to_pcm16(sound.channels[Channel.USER]),
        assistant=sound.channels[Channel.ASSISTANT],
        clean=None if clean is None else to_pcm16(clean),
        rate=RATE,
    )


def choices_of(made: Made) -> Choices:
    """The numbers of FORMATS.md's CHOICEs: its own for the default settings, else those that were asked for."""
    replies = {
        number: each.num_samples / RATE
        for number, line in enumerate(made.script.lines, start=1)
        for each in made.utterances
        if line.role is Role.ASSISTANT and each.id == f"{made.plan.id}/{number}"
    }
    if made.scenes == DEFAULTS:
        return Choices(replies=replies)
    scenes = made.scenes
    return Choices(
        event_after=(scenes.query_to_event.lower_s, scenes.query_to_event.upper_s),
        third_party_gap=(scenes.third_party_gap.lower_s, scenes.third_party_gap.upper_s),
        pause=(scenes.pause.lower_s, scenes.pause.upper_s),
        tail=scenes.tail.lower_s,
        least_heard=scenes.min_reply_heard_s,
        least_unheard=scenes.min_reply_unheard_s,
        least_rest=scenes.min_reply_rest_s,
        least_gap=scenes.min_segment_gap_s,
        replies=replies,
    )


def check_energy(made: Made, sample: Published, sound: Mixed) -> None:
    """Non-zero at every labelled sample and zero at every other, seconds of the labels read back."""
    channels = sound.channels
    assert {len(samples) for samples in channels.values()} == {made.scene.num_samples}
    assert all(float(np.abs(samples).max()) <= FULL_SCALE for samples in channels.values())

    user = np.zeros(made.scene.num_samples, dtype=bool)
    for segment in sample.sentence["speech_segments"]:
        user[round(segment["xmin"] * RATE) : round(segment["xmax"] * RATE)] = True
    for event in sample.row["events"]:
        if event["kind"] == "pause":
            user[round(event["start"] * RATE) : round(event["stop"] * RATE)] = False
    for before, after in seams(made.scene):
        user[before:after] = False
    assert np.array_equal(channels[Channel.USER] != 0.0, user)

    assistant = np.zeros_like(user)
    for reply in sample.row["assistant_segments"]:
        assistant[round(reply["xmin"] * RATE) : round(reply["xmax"] * RATE)] = True
    for cut in (each for each in made.scene.placements if each.cut and each.fade_out):
        assistant[cut.stop - 1] = False  # a fade ends on zero
    assert np.array_equal(channels[Channel.ASSISTANT] != 0.0, assistant)


def seams(scene: Scene) -> Iterator[tuple[int, int]]:
    """The short silences between a filler and the words beside it."""
    fillers = [(each.start, each.stop) for each in scene.events if each.kind is EventKind.FILLER]
    pauses = [(each.start, each.stop) for each in scene.events if each.kind is EventKind.PAUSE]
    spoken = sorted((each.start, each.stop) for each in scene.placements if each.part is Part.QUERY)
    for before, after in pairwise(spoken):
        if (before in fillers or after in fillers) and (before[1], after[0]) not in pauses:
            yield before[1], after[0]


def check_stop(made: Made, sample: Published, sound: Mixed) -> None:
    """The interrupted assistant is silent from its stop latency on until its next reply."""
    stops = [each for each in sample.row["events"] if each["kind"] == "assistant_stop"]
    if made.script.task not in INTERRUPTION_TASKS:
        assert not stops and not any(reply["cut"] for reply in sample.row["assistant_segments"])
        return
    (stop,) = stops
    interruption, second = made.placed(Part.INTERRUPTION), made.placed(Part.SECOND_REPLY)
    latency = round(stop["latency"] * RATE)
    bounds = made.scenes.stop_latency
    assert round(bounds.lower_s * RATE) <= latency <= round(bounds.upper_s * RATE)
    silent = interruption.start + latency
    assert silent == round(stop["stop"] * RATE)
    assert second.start >= max(silent, interruption.stop)
    assistant = sound.channels[Channel.ASSISTANT]
    assert not assistant[silent : second.start].any()
    assert assistant[second.start] != 0.0
    first = sample.row["assistant_segments"][0]
    assert first["planned_text"].startswith(first["text"])


def check_refusal(task: Task, case: Case, made_from: str) -> None:
    """Refused where the reply is too short and nowhere else; the sentence names the lengths and a way out."""
    found = re.fullmatch(
        r"(?P<plan>[\w-]+): the (?P<reply>\w+) lasts (?P<lasts>\d+\.\d\d) s; the (?P<line>\w+) may start "
        r"(?P<earliest>\d+\.\d\d) s into it at the earliest and needs (?P<needs>\d+\.\d\d) s of it from there; "
        r"write a longer (?P=reply)( or a shorter (?P=line))?",
        made_from,
    )
    assert found, made_from
    line, reply = INTRUDER[task]
    assert (found["line"], found["reply"]) == (line.value, reply.value)
    whole = case.samples_of(reply, 0)
    assert float(found["lasts"]) == pytest.approx(whole / RATE, abs=0.0051)
    assert float(found["earliest"]) + float(found["needs"]) > float(found["lasts"]) - 0.011
    _, most = needed(task, case)
    assert whole < most


def needed(task: Task, case: Case) -> tuple[int, int]:
    """Samples of reply that a case cannot do without, and that are always enough (latencies and gaps are drawn)."""
    scenes, (line, _) = case.scenes, INTRUDER[task]
    heard = round(scenes.min_reply_heard_s * RATE)
    clear = max(heard, round(scenes.min_segment_gap_s * RATE) - round(scenes.floor_transfer.lower_s * RATE))
    if task in INTERRUPTION_TASKS:
        rest = round(scenes.min_reply_unheard_s * RATE)
        low, high = (round(edge * RATE) for edge in (scenes.stop_latency.lower_s, scenes.stop_latency.upper_s))
        return heard + rest + low, clear + rest + high
    own = case.samples_of(line, 0) + round(scenes.min_reply_rest_s * RATE)
    return heard + own, clear + own


def check(task: Task, language: Language, case: Case) -> bool:
    """All of it for one case; False where the case was refused, rightly."""
    try:
        made = make(task, language, case)
    except SceneImpossible as refusal:
        check_refusal(task, case, str(refusal))
        return False
    if task in SPOKEN_INTO:
        assert case.samples_of(INTRUDER[task][1], 0) >= needed(task, case)[0]
    sound = mixed(made)
    sample = published(made, sound)
    assert broken_rules(sample, choices_of(made)) == []
    check_energy(made, sample, sound)
    check_stop(made, sample, sound)
    return True


@pytest.mark.statistics
@pytest.mark.parametrize(("task", "language"), CELLS)
def test_generated_scenes_keep_the_published_rules_and_their_energy(task: Task, language: Language) -> None:
    tally: Counter[bool] = Counter()

    def keeps_the_rules(case: Case) -> None:
        tally[check(task, language, case)] += 1

    examples = EXAMPLES_SPOKEN_INTO if task in SPOKEN_INTO else EXAMPLES
    run = settings(max_examples=examples, deadline=None)(given(case=ALL_CASES)(keeps_the_rules))
    if settings().derandomize:  # repeatable, and other examples for every cell
        run = hypothesis.seed(crc32(f"{task}-{language}".encode()))(run)
    run()
    assert tally[True] >= SCENES, tally
    assert (tally[False] > 0) == (task in SPOKEN_INTO), tally


@given(seed=st.integers(0, 2**31 - 1), language=st.sampled_from(list(Language)), pauses=st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_fillers_beside_pauses_stay_inside_the_one_segment(seed: int, language: Language, pauses: int) -> None:
    talkative = DEFAULTS.model_copy(update={"hesitation": HesitationSettings(fillers="on")})
    case = replace(ordinary(Task.PAUSE, seed, talkative, query=0.5), pauses=pauses)
    made = make(Task.PAUSE, language, case)
    sound = mixed(made)
    sample = published(made, sound)
    assert broken_rules(sample) == []
    check_energy(made, sample, sound)
    (segment,) = sample.sentence["speech_segments"]
    assert segment["text"].count(BREAK) == pauses
    fillers = [each for each in made.scene.events if each.kind is EventKind.FILLER]
    assert len(fillers) <= pauses and (fillers or pauses < 4)  # the first breaks stand beside written hesitations


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("task", SPOKEN_INTO)
def test_a_reply_exactly_at_its_bound_is_spoken_into_and_one_sample_less_is_refused(
    task: Task, language: Language
) -> None:
    fixed = DEFAULTS.model_copy(update={"stop_latency": Fixed(value_s=0.3)})
    case = ordinary(task, scenes=fixed)
    line, reply = INTRUDER[task]
    at_bound = fixed.min_reply_heard_s + (
        0.3 + fixed.min_reply_unheard_s
        if task in INTERRUPTION_TASKS
        else case.samples_of(line, 0) / RATE + fixed.min_reply_rest_s
    )
    bound = round(at_bound * RATE)
    made = make(task, language, replace(case, lengths={**case.lengths, reply: (bound,)}))
    host, event = made.placed(reply), made.placed(line)
    assert event.start - host.start == round(fixed.min_reply_heard_s * RATE)
    sound = mixed(made)
    sample = published(made, sound)
    assert broken_rules(sample, choices_of(made)) == []
    check_energy(made, sample, sound)
    check_stop(made, sample, sound)
    short = replace(case, lengths={**case.lengths, reply: (bound - 1,)})
    with pytest.raises(SceneImpossible) as refused:
        make(task, language, short)
    check_refusal(task, short, str(refused.value))


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("task", sorted(INTERRUPTION_TASKS))
def test_an_interruption_of_30_s_into_a_reply_that_is_nearly_over(task: Task, language: Language) -> None:
    case = ordinary(task, reply=5.5, interruption=30.0)
    made = make(task, language, case)
    sound = mixed(made)
    sample = published(made, sound)
    assert broken_rules(sample, choices_of(made)) == []
    check_stop(made, sample, sound)
    assert made.placed(Part.INTERRUPTION).stop - made.placed(Part.REPLY).stop > 29 * RATE


@given(
    cell=st.sampled_from(CELLS),
    seed=st.integers(0, 2**31 - 1),
    peak=st.sampled_from((0.9, FULL_SCALE, 1.0, 1.0001, 1.9)),
)
@settings(max_examples=60, deadline=None)
def test_what_would_clip_is_refused_and_nothing_else(cell: tuple[Task, Language], seed: int, peak: float) -> None:
    made = make(*cell, ordinary(cell[0], seed))
    if peak > FULL_SCALE:
        with pytest.raises(
            MixClips, match=r"channel reaches \+\d\.\d\d dBFS at \d+\.\d{3} s; lower the speech loudness"
        ):
            mixed(made, peak)
        return
    sound = mixed(made, peak)
    assert max(float(np.abs(samples).max()) for samples in sound.channels.values()) == np.float32(peak)
    assert broken_rules(published(made, sound), choices_of(made)) == []


@pytest.mark.parametrize(("task", "language"), CELLS)
def test_wav_files_of_a_release_keep_the_rules(task: Task, language: Language, tmp_path: Path) -> None:
    for seed in (1, 2):
        made = make(task, language, ordinary(task, seed, query=1.0 + seed / 7))
        sound, staged, root = mixed(made), tmp_path / f"staged-{seed}", tmp_path / f"release-{seed}"
        clean = clean_channel(sound.scene, sound.stems[DRY_USER])
        write_wav(staged / USER_WAV, sound.channels[Channel.USER])
        write_wav(staged / ASSISTANT_WAV, sound.channels[Channel.ASSISTANT])
        if clean is not None:
            write_wav(staged / CLEAN_WAV, clean)
        (manifest,) = write_items(root, LAYOUT, [(made.item, staged)])
        sample = read_back(root, manifest)
        assert sample.folder == FOLDER_OF_TASK[task] and len(sample.user) == made.scene.num_samples
        assert broken_rules(sample, choices_of(made)) == []
        check_energy(made, sample, sound)


def read_back(root: Path, manifest: Path) -> Published:
    """The only sample of a release, as a stranger reads it."""
    (line,) = manifest.read_text(encoding="utf-8").splitlines()
    row = json.loads(line)

    def pcm(name: str | None) -> np.ndarray | None:
        if name is None:
            return None
        samples, rate = soundfile.read(manifest.parent / name, dtype="int16")
        assert rate == RATE
        return np.asarray(samples)

    user, assistant = pcm(row["wav"]), pcm(row["assistant_wav"])
    assert user is not None and assistant is not None
    return Published(
        home=manifest.parent.relative_to(root).as_posix(),
        folder=manifest.stem,
        paths=frozenset(
            path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() and path != manifest
        ),
        row=row,
        sentence=json.loads((manifest.parent / row["sentence"]).read_text(encoding="utf-8")),
        user=user,
        assistant=assistant,
        clean=pcm(row["clean"]),
        rate=RATE,
    )


def _relabelled(sample: Published, **segments: Mapping[str, object]) -> Published:
    """``s0={"xmin": 1.0}`` changes segment 0, in the row as well."""
    changed = [dict(segment) for segment in sample.sentence["speech_segments"]]
    for name, values in segments.items():
        changed[int(name[1:])].update(values)
    return replace(
        sample,
        sentence={**sample.sentence, "speech_segments": changed},
        row={**sample.row, "speech_segments": changed},
    )


def _renamed(sample: Published, name: str) -> Published:
    old = sample.row["id"]
    row = json.loads(json.dumps(sample.row).replace(old, name))
    return replace(sample, row=row, paths=frozenset(path.replace(old, name) for path in sample.paths))


def _silenced(sample: Published, start: int, stop: int) -> Published:
    user = sample.user.copy()
    user[start:stop] = 0
    return replace(sample, user=user)


def _first(sample: Published) -> tuple[int, int]:
    segment = sample.sentence["speech_segments"][0]
    return round(segment["xmin"] * RATE), round(segment["xmax"] * RATE)


#: A fault planted into a sound sample, and what the complaint about it begins with.
FAULTS: dict[str, tuple[Task, Callable[[Published], Published], str]] = {
    "an id with _before": (Task.FOLLOW_UP, lambda s: _renamed(s, "0001_0001_before"), "B.1: the scripts do not take"),
    "a stray file": (
        Task.FOLLOW_UP,
        lambda s: replace(s, paths=s.paths | {f"{s.home}/{s.folder}/{s.row['id']}_output.wav"}),
        "B.1: .*_output.wav does not belong",
    ),
    "no label file": (
        Task.PAUSE,
        lambda s: replace(s, paths=frozenset(path for path in s.paths if not path.endswith("json"))),
        "B.1: .* is missing",
    ),
    "a wav one sample short": (Task.SILENCE, lambda s: replace(s, user=s.user[:-1]), "B.2: final_duration"),
    "a stereo wav": (Task.SILENCE, lambda s: replace(s, user=np.stack([s.user] * 2, axis=1)), "B.6: .* not mono"),
    "an empty text": (Task.NEGATION, lambda s: _relabelled(s, s1={"text": " "}), "B.2: segment 1 has no text"),
    "segments that touch": (
        Task.NEGATION,
        lambda s: _relabelled(s, s0={"xmax": s.sentence["speech_segments"][1]["xmin"] - 0.6}),
        "B.6: segments 0 and 1 are 0.6 s apart",
    ),
    "another speaker": (Task.THIRD_PARTY_BEFORE, lambda s: _relabelled(s, s0={"role": "user"}), "B.3: segment 0 is"),
    "a pause without blanks": (
        Task.PAUSE,
        lambda s: _relabelled(s, s0={"text": "去[break]哪里"}),
        "B.3: a pause is shown as",
    ),
    "a pause that is not shown": (
        Task.PAUSE,
        lambda s: _silenced(s, _first(s)[0] + 100, _first(s)[0] + 20_000),
        "B.3: 1 pauses are shown and 2",
    ),
    "a hole in a segment": (
        Task.FOLLOW_UP,
        lambda s: _silenced(s, _first(s)[0] + 100, _first(s)[0] + 100 + 9601),
        "B.6: segment 0 holds a silence",
    ),
    "a click outside": (
        Task.PAUSE,
        lambda s: replace(s, user=np.concatenate([s.user[:-1], np.ones(1, np.int16)])),
        "B.6: .* not silent after the last",
    ),
    "a clean file one sample late": (
        Task.BACKCHANNEL,
        lambda s: replace(s, clean=None if s.clean is None else np.roll(s.clean, 1)),
        "B.4: the clean file differs",
    ),
    "a clean file that was not cut": (
        Task.SPEECH_TO_OTHERS,
        lambda s: replace(s, clean=s.user),
        "B.4: the clean file has",
    ),
    "a clean file where none belongs": (Task.PAUSE, lambda s: replace(s, clean=s.user), "B.4: .* has no clean"),
    "an assistant that is not cut": (
        Task.REPETITION,
        lambda s: replace(
            s, row={**s.row, "assistant_segments": [{**each, "cut": False} for each in s.row["assistant_segments"]]}
        ),
        "B.3: the interrupted assistant talks on",
    ),
    "an assistant that stops for a backchannel": (
        Task.BACKCHANNEL,
        lambda s: replace(
            s,
            row={
                **s.row,
                "assistant_segments": [
                    {**each, "xmax": s.sentence["speech_segments"][1]["xmax"] - 0.1}
                    for each in s.row["assistant_segments"]
                ],
            },
        ),
        "B.3: the assistant does not talk on",
    ),
    "a short tail": (
        Task.PAUSE,
        lambda s: replace(
            s,
            user=s.user[: _first(s)[1] + 9 * RATE],
            assistant=s.assistant[: _first(s)[1] + 9 * RATE],
            sentence={**s.sentence, "final_duration": (_first(s)[1] + 9 * RATE) / RATE},
            row={**s.row, "final_duration": (_first(s)[1] + 9 * RATE) / RATE},
        ),
        "B.6: the tail",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_checker_sees_a_planted_fault(fault: str) -> None:
    task, plant, complaint = FAULTS[fault]
    made = make(task, Language.ZH, ordinary(task))
    sample = published(made, mixed(made))
    assert broken_rules(sample, choices_of(made)) == []
    found = broken_rules(plant(sample), choices_of(made))
    assert any(re.match(complaint, each) for each in found), found


@pytest.mark.parametrize(
    ("task", "moved", "complaint"),
    [
        (Task.FOLLOW_UP, {"query_to_event": Fixed(value_s=3.9)}, "B.6: segment 1 comes 3.9 s after segment 0"),
        (Task.BACKCHANNEL, {"query_to_event": Fixed(value_s=8.1), "phrase_reach_s": 0.0}, "B.6: segment 1 comes 8.1"),
        (Task.SPEECH_TO_OTHERS, {"query_to_event": Fixed(value_s=3.9)}, "B.6: segment 2 comes 3.9 s after segment 1"),
        (Task.THIRD_PARTY_BEFORE, {"third_party_gap": Fixed(value_s=3.1)}, "B.6: the request comes 3.1 s after"),
        (Task.PAUSE, {"pause": Fixed(value_s=0.9)}, "B.6: a pause lasts 0.9 s"),
        (Task.SPEECH_TO_OTHERS, {"tail": Fixed(value_s=9.9)}, "B.6: the tail after the last segment lasts 9.9"),
    ],
)
def test_the_checker_sees_times_that_are_not_the_formats(task: Task, moved: dict[str, object], complaint: str) -> None:
    made = make(task, Language.EN, ordinary(task, scenes=DEFAULTS.model_copy(update=moved)))
    found = broken_rules(published(made, mixed(made)), replace(choices_of(made), **FORMATS_NUMBERS))
    assert any(each.startswith(complaint) for each in found), found
