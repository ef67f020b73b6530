"""Real engines through the prosody step: emotion is heard by unknown listeners, and the words are still understood."""

from __future__ import annotations

import pytest

from data_schemas.emotions import Emotion
from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.tasks import Language, Role, Split
from data_schemas.utterance import SpeechRequest
from generators.speech.engine import RawSpeech, SpeechEngine
from generators.speech.espeak.engine import EspeakEngine
from generators.speech.expression.draw import draw_expression
from generators.speech.expression.world import express
from generators.speech.finish import finish
from generators.speech.kokoro.engine import KokoroEngine
from tests.support.disturbance import disturbed
from validators.core.clip_measures import ClipMeasures, measures_of
from validators.core.clips import Clip
from validators.core.instruments import Instruments
from validators.core.judges import select
from validators.core.thresholds import Thresholds
from validators.emotion.acoustic_features import AcousticFeatures
from validators.emotion.directions import judge_prosody
from validators.emotion.prosody import ProsodyProbe
from validators.emotion.recovery import RecoverySettings, recover_emotions

pytestmark = pytest.mark.integration

SEED = 5
LOUDNESS_LUFS = -23.0
TEXTS = {
    Language.ZH: ("今天下班的路上我遇见了老同学。", "他说明天要搬到另一座城市去。", "我们在车站聊了很长时间。"),
    Language.EN: (
        "I met an old friend on my way home.",
        "He told me that he would move to another town.",
        "We talked at the station for a long time.",
    ),
}
ESPEAK_VOICES = {Language.ZH: ("cmn+f1", "cmn+m3", "cmn+f4"), Language.EN: ("en-us+f4", "en-gb+m4", "en-us+m2")}
KOKORO_VOICES = {Language.ZH: "zf_xiaoxiao", Language.EN: "bm_george"}
QUICK = RecoverySettings(bootstraps=200)


def spoken(engine: SpeechEngine, voice: str, language: Language, text: str) -> tuple[RawSpeech, SpeechRequest]:
    request = SpeechRequest(
        engine=engine.name,
        weights_sha256=engine.weights_sha256,
        voice=voice,
        language=language,
        spoken_text=text,
        loudness_lufs=LOUDNESS_LUFS,
        edge_silence_ms=50,
    )
    return engine.synthesise(request), request


def felt(raw: RawSpeech, request: SpeechRequest, emotion: Emotion, intensity: int, name: str) -> Clip:
    """The same speech with emotion, finished as a build does it."""
    change = draw_expression(emotion, intensity, request.language, SEED, name)
    louder = request.model_copy(update={"loudness_lufs": LOUDNESS_LUFS + change.energy_db, "expression": change})
    samples = disturbed(finish(express(raw, change, name), louder).samples)
    return Clip(
        item=name,
        name="turn_1",
        file=f"{name}.wav",
        span=(0.0, len(samples) / SAMPLE_RATE_HZ),
        rate=SAMPLE_RATE_HZ,
        samples=samples,
        layout="track1-seed",
        language=request.language,
        split=Split.TRAIN,
        role=Role.USER,
        text=request.spoken_text,
        speaker=request.voice,
        emotion=emotion,
        intensity=intensity,
    )


@pytest.fixture(scope="module")
def espeak_measures() -> list[ClipMeasures]:
    """Every text of six voices in seven emotions at intensity 2 and 3, measured."""
    engine, prosody, features = EspeakEngine(), ProsodyProbe(), AcousticFeatures()
    found = []
    for language, voices in ESPEAK_VOICES.items():
        for voice in voices:
            for number, text in enumerate(TEXTS[language]):
                raw, request = spoken(engine, voice, language, text)
                for emotion in Emotion:
                    intensity = 0 if emotion.is_neutral else 2 + number % 2
                    clip = felt(raw, request, emotion, intensity, f"{voice}-{number}-{emotion}")
                    found.append(measures_of(clip, prosody.measure(clip).values, {}, features.measure(clip).vectors))
    return found


@pytest.mark.parametrize("features", ["egemaps", "prosody"])
def test_emotion_is_recovered_from_voices_that_nobody_knows(espeak_measures: list[ClipMeasures], features: str) -> None:
    figure = recover_emotions(espeak_measures, QUICK, features).figure()  # type: ignore[arg-type]
    assert (figure.clips, figure.speakers) == (126, 6)
    assert figure.accuracy is not None and figure.accuracy > 0.6, figure  # chance is 0.14


def test_the_judge_of_directions_agrees_with_the_table(espeak_measures: list[ClipMeasures]) -> None:
    findings, report = judge_prosody(espeak_measures, Thresholds())
    assert findings == (), findings
    assert report.mean_agreement is not None and report.mean_agreement > 0.8


@pytest.mark.parametrize("language", list(Language))
def test_kokoro_is_understood_and_sounds_clean_in_every_emotion(language: Language) -> None:
    """Its own voice at full intensity: every word is heard, nothing clicks, DNSMOS stays near neutral's."""
    raw, request = spoken(KokoroEngine(), KOKORO_VOICES[language], language, TEXTS[language][0])
    instruments, ratings = Instruments(select(only=("transcript", "sound", "quality"))), {}
    for emotion in Emotion:
        clip = felt(raw, request, emotion, 0 if emotion.is_neutral else 3, f"{language}-{emotion}")
        findings, measures = instruments.examine(clip, Thresholds())
        assert findings == (), emotion
        ratings[emotion] = measures.values["ovrl"]
    assert min(ratings.values()) > ratings[Emotion.NEUTRAL] - 0.6, ratings
