"""The real Silero VAD on real speech in composed scenes: it finds what is annotated, and sees what is not."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

import validators.scene.voice_activity as module
from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.foundation.audio import Samples
from data_schemas.scene import Scene
from data_schemas.tasks import Channel, Language, Task
from generators.scenes.duplex.composer import compose
from generators.scenes.mixer import render
from generators.scenes.settings import SceneSettings
from generators.speech.registry import create_engine
from generators.speech.requests import utterance_requests
from generators.speech.settings import SpeechSettings
from generators.speech.speak import load_samples, speak
from generators.store import Store
from tests.support.disturbance import disturbed
from tests.support.scene_factory import make_plan, make_script
from validators.scene.voice_activity import VoiceActivityDetector, agreement, annotated_spans, merged

pytestmark = pytest.mark.integration

SEED = 5
#: Long enough that the aside falls into it in espeak's voices.
SECOND_REPLY = {
    Language.ZH: "去回民街吧，天黑以后最热闹，羊肉泡馍一定要尝，吃完还可以沿着城墙根走一走，看看夜景，再坐地铁回酒店。",
    Language.EN: "The Muslim quarter is the place to go, best of all in the evening, when the stalls are open, the "
    "lanterns are lit, and you can walk along the city wall afterwards.",
}


@pytest.fixture(scope="module")
def detector() -> VoiceActivityDetector:
    return VoiceActivityDetector()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


def spoken_scene(task: Task, language: Language, store: Store) -> tuple[Scene, Samples]:
    """A dry scene in espeak's voices and its user channel."""
    engine = create_engine("espeak")
    voices = [voice.id for voice in engine.voices() if voice.language is language]
    long = {"second_reply": SECOND_REPLY[language]} if task is Task.SPEECH_TO_OTHERS else {}
    script = make_script(task, language, **long)
    plan = make_plan(script)
    plan = plan.model_copy(
        update={
            role: getattr(plan, role).model_copy(update={"voice": voice})
            for role, voice in zip(("user", "assistant", "third_party"), voices, strict=False)
        }
    )
    settings = SceneSettings()
    planned = utterance_requests(plan, script, SpeechSettings(engine="espeak"), settings.hesitation, engine, SEED)
    spoken = tuple(speak(one, engine, store) for one in planned)
    scene = compose(plan, script, spoken, settings, SEED)
    keys = {one.id: one.audio_key for one in spoken}
    return scene, render(scene, lambda name: disturbed(load_samples(store, keys[name])))[Channel.USER]


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("task", [Task.SPEECH_TO_OTHERS, Task.PAUSE])
def test_annotated_segments_are_found(
    detector: VoiceActivityDetector, store: Store, task: Task, language: Language
) -> None:
    scene, user = spoken_scene(task, language, store)
    annotated = annotated_spans(scene)
    assert len(annotated) == (3 if task is Task.SPEECH_TO_OTHERS else 2)
    result = agreement(annotated, merged(detector.speech_spans(user)))
    assert result.is_exact, result


def test_speech_without_a_label_and_a_label_without_speech_are_seen(
    detector: VoiceActivityDetector, store: Store
) -> None:
    scene, user = spoken_scene(Task.SPEECH_TO_OTHERS, Language.ZH, store)
    annotated = annotated_spans(scene)
    silenced = user.copy()
    silenced[scene.segments[1].start : scene.segments[1].stop] = 0.0
    assert agreement(annotated, merged(detector.speech_spans(silenced))).outcome == "count"
    late = np.roll(user, RATE // 2)
    assert agreement(annotated, merged(detector.speech_spans(late))).outcome == "boundary"
    assert detector.speech_spans(np.zeros(RATE, np.float32)) == ()


def test_the_same_channel_gives_the_same_spans_whatever_was_heard_before(
    detector: VoiceActivityDetector, store: Store
) -> None:
    _, user = spoken_scene(Task.PAUSE, Language.EN, store)
    first = detector.speech_spans(user)
    detector.speech_spans(np.roll(user, RATE))
    assert detector.speech_spans(user) == first == VoiceActivityDetector().speech_spans(user)


def test_stereo_is_refused(detector: VoiceActivityDetector) -> None:
    with pytest.raises(ValueError, match="mono"):
        detector.speech_spans(np.zeros((RATE, 2), np.float32))


def test_a_copy_of_the_pinned_file_serves_and_a_changed_one_does_not(tmp_path: Path) -> None:
    source = module._packaged_file()
    assert hashlib.sha256(source.read_bytes()).hexdigest() == module.MODEL_SHA256
    copy = Path(shutil.copy(source, tmp_path / "vad.onnx"))
    assert VoiceActivityDetector(copy).speech_spans(np.zeros(RATE, np.float32)) == ()
    copy.write_bytes(source.read_bytes()[:-1] + b"x")
    with pytest.raises(module.ModelCorrupt):
        VoiceActivityDetector(copy)
