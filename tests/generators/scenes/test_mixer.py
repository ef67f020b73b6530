"""Rendered channels agree with the labels to the sample; clean files are the challenge's."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples, from_pcm16, to_pcm16
from data_schemas.scene import Placement, Scene, Segment
from data_schemas.tasks import INTERRUPTION_TASKS, SUB_TASKS, Channel, Language, Part, Role, Task
from data_schemas.utterance import Utterance
from generators.scenes.duplex.composer import SceneImpossible, compose
from generators.scenes.errors import MixClips
from generators.scenes.mixer import DRY_USER, clean_channel, fade_out_curve, mix, render
from generators.scenes.settings import SceneSettings
from tests.support.scene_factory import make_plan, make_script, make_utterances, noise_burst, noise_loader

RATE = SAMPLE_RATE_HZ
ORDINARY = {Part.QUERY: 1.1, Part.REPLY: 9.3, Part.SECOND_REPLY: 8.2, Part.BACKCHANNEL: 0.4}


def scene_of(task: Task, seed: int = 3, extra: int = 0) -> tuple[Scene, tuple[Utterance, ...]]:
    script = make_script(task, Language.ZH)
    plan = make_plan(script)
    utterances = make_utterances(plan, script, lambda part, piece: round(ORDINARY.get(part, 1.5) * RATE) + extra)
    return compose(plan, script, utterances, SceneSettings(), seed), utterances


def spoken_mask(scene: Scene, channel: Channel) -> np.ndarray:
    mask = np.zeros(scene.num_samples, dtype=bool)
    for placement in scene.placements:
        if placement.channel is channel:
            mask[placement.start : placement.stop] = True
    return mask


@given(task=st.sampled_from(SUB_TASKS), seed=st.integers(0, 2**31 - 1), extra=st.integers(0, 5000))
@settings(max_examples=40, deadline=None)
def test_energy_agrees_with_the_labels_to_the_sample(task: Task, seed: int, extra: int) -> None:
    try:
        scene, utterances = scene_of(task, seed, extra)
    except SceneImpossible:
        pytest.fail("ordinary lengths make a scene")
    channels = render(scene, noise_loader(utterances))
    assert all(samples.dtype == np.float32 and len(samples) == scene.num_samples for samples in channels.values())

    labelled = np.zeros(scene.num_samples, dtype=bool)
    for segment in scene.segments:
        labelled[segment.start : segment.stop] = True
    for event in scene.events:
        if event.kind == "pause":
            labelled[event.start : event.stop] = False
    assert np.array_equal(channels[Channel.USER] != 0.0, labelled)

    present = channels[Channel.ASSISTANT] != 0.0
    expected = spoken_mask(scene, Channel.ASSISTANT)
    faded = next((each for each in scene.placements if each.cut), None)
    if faded is not None:
        assert present[faded.stop - faded.fade_out : faded.stop - 1].all() and not present[faded.stop - 1]
        expected[faded.stop - 1] = False  # the fade ends on zero
    assert np.array_equal(present, expected)

    both = (channels[Channel.USER] != 0.0) & present
    spans = np.zeros(scene.num_samples, dtype=bool)
    for start, stop in scene.overlap_spans():
        spans[start:stop] = True
    if faded is not None:
        spans[faded.stop - 1] = False
    assert np.array_equal(both, spans)
    assert max(float(np.abs(samples).max()) for samples in channels.values()) <= 0.5


def placed_start(scene: Scene, part: Part) -> int:
    return next(placement.start for placement in scene.placements if placement.part is part)


def test_placed_samples_are_the_utterances_own_bits() -> None:
    scene, utterances = scene_of(Task.FOLLOW_UP)
    by_id = {utterance.id: utterance for utterance in utterances}
    channels = render(scene, noise_loader(utterances))
    for placement in scene.placements:
        kept = placement.stop - placement.start - placement.fade_out
        expected = noise_burst(by_id[placement.utterance_id])[:kept]
        assert np.array_equal(channels[placement.channel][placement.start : placement.start + kept], expected)


def test_the_assistant_is_silent_from_the_cut_to_its_second_reply() -> None:
    scene, utterances = scene_of(Task.NEGATION)
    assistant = render(scene, noise_loader(utterances))[Channel.ASSISTANT]
    cut = next(each for each in scene.placements if each.cut)
    second = placed_start(scene, Part.SECOND_REPLY)
    assert cut.stop < second
    assert not assistant[cut.stop - 1 : second].any() and assistant[second] != 0.0


def test_the_fade_falls_from_full_level_to_zero_without_a_step() -> None:
    curve = fade_out_curve(640)
    assert curve[0] == 1.0 and curve[-1] == 0.0
    assert (np.diff(curve) <= 0).all() and float(np.abs(np.diff(curve)).max()) < 0.01
    assert fade_out_curve(1).tolist() == [0.0] and fade_out_curve(0).size == 0


def test_third_party_speech_arrives_at_its_level() -> None:
    scene, utterances = scene_of(Task.THIRD_PARTY_AFTER)
    user = render(scene, noise_loader(utterances))[Channel.USER]
    aside = next(each for each in scene.placements if each.role is Role.THIRD_PARTY)
    source = noise_burst(next(each for each in utterances if each.id == aside.utterance_id))
    ratio = np.abs(user[aside.start : aside.stop]) / np.abs(source)
    assert aside.gain_db < 0.0
    assert 20 * np.log10(ratio) == pytest.approx(aside.gain_db, abs=1e-4)


def test_rendering_again_gives_the_same_bytes() -> None:
    scene, utterances = scene_of(Task.SPEECH_TO_OTHERS)
    first, second = (render(scene, noise_loader(utterances)) for _ in range(2))
    assert all(first[channel].tobytes() == second[channel].tobytes() for channel in Channel)


def test_a_sum_beyond_full_scale_is_refused_with_its_place() -> None:
    scene, utterances = scene_of(Task.FOLLOW_UP)
    with pytest.raises(MixClips, match=r"p1: the user channel reaches \+\d\.\d\d dBFS at \d+\.\d{3} s"):
        render(scene, noise_loader(utterances, peak=1.5))
    assert issubclass(MixClips, SceneImpossible)


def test_overlapping_placements_of_one_channel_add_up() -> None:
    def placement(name: str, start: int) -> Placement:
        return Placement(
            utterance_id=name,
            line=1,
            channel=Channel.USER,
            role=Role.USER,
            part=Part.QUERY,
            start=start,
            stop=start + 4,
            source_start=1,
            planned_text="a",
            heard_text="a",
        )

    scene = Scene(
        plan_id="p1",
        task=Task.PAUSE,
        language=Language.EN,
        sample_rate=RATE,
        num_samples=8,
        placements=(placement("a", 0), placement("b", 2)),
        segments=(Segment(line=1, start=0, stop=6, text="a", role=Role.USER, part=Part.QUERY),),
    )
    source = np.array([0.9, 0.25, 0.25, 0.25, 0.25], dtype=np.float32)
    assert render(scene, lambda name: source)[Channel.USER].tolist() == [
        0.25,
        0.25,
        0.5,
        0.5,
        0.25,
        0.25,
        0,
        0,
    ]
    with pytest.raises(ValueError, match="needs 5 mono samples"):
        render(scene, lambda name: source[:4])
    with pytest.raises(ValueError, match="mono"):
        render(scene, lambda name: np.zeros((8, 2), dtype=np.float32))


@pytest.mark.parametrize("task", sorted(INTERRUPTION_TASKS | {Task.BACKCHANNEL, Task.THIRD_PARTY_AFTER}))
def test_the_clean_file_is_segment_0_alone(task: Task) -> None:
    scene, utterances = scene_of(task)
    user = render(scene, noise_loader(utterances))[Channel.USER]
    clean = clean_channel(scene, mix(scene, noise_loader(utterances)).stems[DRY_USER])
    assert clean is not None
    # as clean_wav.py reads the row: seconds from JSON, rounded back to samples
    row = json.loads(json.dumps([scene.seconds(scene.segments[0].start), scene.seconds(scene.segments[0].stop)]))
    expected = np.zeros(round(scene.seconds(scene.num_samples) * RATE), dtype=np.float32)
    start, stop = round(row[0] * RATE), min(round(row[1] * RATE), len(expected) - 1)
    expected[start:stop] = user[start:stop]
    assert np.array_equal(clean, expected)
    assert (clean[scene.segments[0].start : scene.segments[0].stop] != 0.0).all()


def test_a_first_segment_that_reaches_the_end_loses_its_last_sample() -> None:
    scene, _ = scene_of(Task.BACKCHANNEL)
    first = scene.segments[0].model_copy(update={"start": 0, "stop": scene.num_samples})
    clean = clean_channel(scene.model_copy(update={"segments": (first,)}), np.ones(scene.num_samples, dtype=np.float32))
    assert clean is not None and clean[:-1].all() and clean[-1] == 0.0


@pytest.mark.parametrize("task", [Task.PAUSE, Task.THIRD_PARTY_BEFORE])
def test_pause_and_third_party_before_have_no_clean_file(task: Task) -> None:
    scene, utterances = scene_of(task)
    assert clean_channel(scene, render(scene, noise_loader(utterances))[Channel.USER]) is None


def pydub_clean(scene: Scene, user: Samples) -> Samples:
    """What the challenge's preparation step does with pydub, told from FORMATS.md B.4."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydub warns that there is no ffmpeg; WAV needs none
        from pydub import AudioSegment

    def milliseconds(sample: int) -> int:
        return round(float(json.dumps(scene.seconds(sample))) * 1000)

    audio = AudioSegment(to_pcm16(user).tobytes(), sample_width=2, frame_rate=RATE, channels=1)
    first, second, aside = scene.segments
    cut_from, cut_to = milliseconds(first.start), milliseconds(second.start)
    cut = audio[:cut_from] + audio[cut_to:]
    mute_from, mute_to = (milliseconds(at) - (cut_to - cut_from) for at in (aside.start, aside.stop))
    muted = cut[:mute_from] + AudioSegment.silent(mute_to - mute_from, frame_rate=RATE) + cut[mute_to:]
    return from_pcm16(np.array(muted.get_array_of_samples(), dtype=np.int16))


@given(seed=st.integers(0, 2**31 - 1), extra=st.integers(0, 64))
@settings(max_examples=25, deadline=None)
def test_speech_to_others_is_cut_and_muted_as_pydub_does(seed: int, extra: int) -> None:
    scene, utterances = scene_of(Task.SPEECH_TO_OTHERS, seed, extra)
    user = from_pcm16(to_pcm16(render(scene, noise_loader(utterances))[Channel.USER]))
    clean = clean_channel(scene, user)
    assert clean is not None and np.array_equal(clean, pydub_clean(scene, user))
    first, second, aside = scene.segments
    assert abs((len(user) - len(clean)) - (second.start - first.start)) <= RATE // 1000
    heard = np.flatnonzero(clean)
    assert abs(len(heard) - (second.stop - second.start)) <= 3 * RATE // 1000
    assert not user[second.stop : aside.start].any()
