"""The real models on a small scene: nothing to say of the clean one, and each planted defect by its own code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from data_schemas.finding import Finding
from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.foundation.audio import Samples
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Language, Split, Task, Track
from generators.speech.registry import create_engine
from tests.integration.test_overlap_detection import TEXTS, speak
from validators.core.thresholds import Thresholds
from validators.rows.rows import AssistantSegmentRow, SegmentRow
from validators.scene.diarization import judge_diarization, reference_talkers
from validators.scene.overlap import OverlapDetector, balanced_mix
from validators.scene.segments import judge_voices
from validators.scene.speech_activity import DENSE_STEP_S, SPARSE_STEP_S, SegmentationModel
from validators.scene.timeline import Channels
from validators.scene.voice_activity import VoiceActivityDetector
from validators.voices.speaker_encoder import SpeakerEncoder

pytestmark = pytest.mark.integration

EDGE = RATE // 20  # 50 ms of silence that a label includes
STOP_S = 0.4


@dataclass(frozen=True)
class Scene:
    """A query, a reply that is cut, and the interruption that cuts it."""

    language: Language
    user: Samples
    assistant: Samples
    spoken: tuple[SegmentRow, ...]
    replies: tuple[AssistantSegmentRow, ...]
    rest_of_reply: Samples

    def part(self, label: SegmentRow) -> slice:
        return slice(round(label.xmin * RATE), round(label.xmax * RATE))


def make_scene(language: Language) -> Scene:
    engine = create_engine("espeak")
    query, reply, second = (
        speak(engine, language, gender, text)
        for gender, text in zip(("female", "male", "female"), TEXTS[language], strict=True)
    )
    first = RATE
    answer = first + len(query) + RATE // 2
    barge = answer + 3 * RATE
    cut = barge + round(STOP_S * RATE)
    user, assistant = (np.zeros(barge + len(second) + 4 * RATE, np.float32) for _ in "ua")
    user[first : first + len(query)] = query
    user[barge : barge + len(second)] = second
    assistant[answer:cut] = reply[: cut - answer]
    assistant[cut - 640 : cut] *= np.linspace(1.0, 0.0, 640, dtype=np.float32)

    def segment(start: int, stop: int, text: str) -> SegmentRow:
        return SegmentRow(xmin=(start - EDGE) / RATE, xmax=(stop + EDGE) / RATE, text=text, role="user")

    spoken = (
        segment(first, first + len(query), TEXTS[language][0]),
        segment(barge, barge + len(second), TEXTS[language][2]),
    )
    heard = AssistantSegmentRow(xmin=(answer - EDGE) / RATE, xmax=cut / RATE, text=TEXTS[language][1], cut=True)
    return Scene(language, user, assistant, spoken, (heard,), reply[cut - answer :])


@dataclass(frozen=True)
class Models:
    segmentation: SegmentationModel
    silero: VoiceActivityDetector

    def judge(self, scene: Scene) -> tuple[Finding, ...]:
        found = FoundItem(
            id="0001_0001",
            layout="track2",
            track=Track.DUPLEX,
            task=Task.FOLLOW_UP,
            language=scene.language,
            split=Split.DEV,
            manifest=None,
            line=None,
            row={},
            files={"user": "0001_0001.wav", "assistant": "0001_0001_model.wav"},
        )
        channels = Channels(scene.user, scene.assistant, None, RATE)
        return judge_voices(
            found, scene.spoken, scene.replies, channels, None, Thresholds(), self.segmentation, self.silero
        )


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(SegmentationModel(), VoiceActivityDetector())


@pytest.fixture(scope="module", params=list(Language))
def scene(request: Any) -> Scene:
    return make_scene(request.param)


def moved(scene: Scene) -> Scene:
    first, second = scene.spoken
    return replace(
        scene, spoken=(first, second.model_copy(update={"xmin": second.xmin + 0.3, "xmax": second.xmax + 0.3}))
    )


def with_user(scene: Scene, change: Callable[[Samples, slice], None]) -> Scene:
    user = scene.user.copy()
    change(user, scene.part(scene.spoken[1]))
    return replace(scene, user=user)


def noise(samples: Samples, place: slice) -> None:
    level = float(np.sqrt(np.mean(samples[place] ** 2)))
    generator = np.random.Generator(np.random.Philox(1))
    samples[place] = level * generator.standard_normal(place.stop - place.start)


def music(samples: Samples, place: slice) -> None:
    """Plucked tones of four harmonics, four a second: what pyannote may take for speech and Silero does not."""
    level = float(np.sqrt(np.mean(samples[place] ** 2)))
    generator = np.random.Generator(np.random.Philox(2))
    tune = np.zeros(place.stop - place.start)
    for start in range(0, len(tune), RATE // 4):
        note = np.arange(min(RATE // 2, len(tune) - start)) / RATE
        pitch = 220.0 * 2.0 ** (generator.integers(24) / 12.0)
        tones = sum(np.sin(2 * np.pi * pitch * k * note) / k for k in range(1, 5))
        tune[start : start + len(note)] += np.exp(-note / 0.19) * tones
    samples[place] = tune * level / float(np.sqrt(np.mean(tune**2)))


def silenced(samples: Samples, place: slice) -> None:
    samples[place] = 0.0


def unlabelled(samples: Samples, place: slice) -> None:
    samples[-3 * RATE : -RATE] = samples[place.start : place.start + 2 * RATE]


def goes_on(scene: Scene) -> Scene:
    assistant = scene.assistant.copy()
    start = scene.part(scene.replies[0]).stop
    rest = scene.rest_of_reply[: len(assistant) - start]
    assistant[start : start + len(rest)] = rest
    return replace(scene, assistant=assistant)


def uncut(scene: Scene) -> Scene:
    """The same, and the label says so too."""
    on = goes_on(scene)
    end = np.flatnonzero(on.assistant)[-1] / RATE
    return replace(on, replies=(scene.replies[0].model_copy(update={"xmax": float(end), "cut": False}),))


def test_a_clean_scene_yields_nothing(models: Models, scene: Scene) -> None:
    assert models.judge(scene) == ()


@pytest.mark.parametrize(
    ("code", "plant"),
    [
        ("SCENE.SEGMENT_SHIFTED", moved),
        ("SCENE.SEGMENT_MISSED", lambda scene: with_user(scene, noise)),
        ("SCENE.SEGMENT_MISSED", lambda scene: with_user(scene, music)),
        ("SCENE.SEGMENT_MISSED", lambda scene: with_user(scene, silenced)),
        ("SCENE.SEGMENT_INVENTED", lambda scene: with_user(scene, unlabelled)),
        ("SCENE.NOT_STOPPED", goes_on),
        ("SCENE.NOT_STOPPED", uncut),
    ],
)
def test_a_planted_defect_is_found_by_its_own_code(
    models: Models, scene: Scene, code: str, plant: Callable[[Scene], Scene]
) -> None:
    assert {finding.code for finding in models.judge(plant(scene))} == {code}


def test_swapped_channels_are_missed(models: Models, scene: Scene) -> None:
    found = models.judge(replace(scene, user=scene.assistant, assistant=scene.user))
    assert {"SCENE.SEGMENT_MISSED", "SCENE.SEGMENT_INVENTED"} <= {finding.code for finding in found}


def test_who_speaks_when_is_heard_in_the_mix(models: Models, scene: Scene) -> None:
    mix = balanced_mix(scene.user, scene.assistant, [each.span for each in scene.spoken], RATE)
    windows = models.segmentation.windows(mix)
    talkers = reference_talkers(scene.spoken, scene.replies, scene.user, scene.assistant, RATE, Thresholds())
    encoder = SpeakerEncoder()
    found = judge_diarization("0001_0001", windows, mix, talkers, Thresholds(), encoder)
    assert found.findings == ()
    assert found.values["der"] < 0.25
    away = {name: tuple((start + 2.0, stop + 2.0) for start, stop in spans) for name, spans in talkers.items()}
    wrong = judge_diarization("0001_0001", windows, mix, away, Thresholds(), encoder)
    assert [each.code for each in wrong.findings] == ["SCENE.DIARIZATION"]


def test_one_model_serves_all_and_gives_the_same_bytes_after_other_steps(models: Models, scene: Scene) -> None:
    mix = balanced_mix(scene.user, scene.assistant, [], RATE)
    shared = OverlapDetector(model=models.segmentation).scores(mix).values
    models.segmentation.windows(mix, step_s=SPARSE_STEP_S)
    again = models.segmentation.windows(mix, step_s=DENSE_STEP_S).second_highest().values
    assert np.array_equal(shared, again)
    assert np.array_equal(shared, OverlapDetector().scores(mix).values)
