"""The audition with real speech and real judges; Kokoro's mixtures are voices of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from data_schemas.foundation.audio import Samples
from data_schemas.speakers import Voice
from data_schemas.tasks import Language, Role, Split
from data_schemas.utterance import SpeechRequest
from flows.common.progress import SilentReporter
from flows.config.build_config import load_config
from flows.voices.audition import PAGE, ROWS, audition, sentences
from generators.speech.espeak.engine import EspeakEngine
from generators.speech.finish import finish
from generators.speech.kokoro.engine import KokoroEngine
from generators.speech.voices.kokoro_mixes import pinned_mixes
from generators.speech.voices.registry import voice_digest
from tests.support.builds import draft_config
from validators.core.clips import Clip
from validators.voices.speaker_encoder import VECTOR, SpeakerEncoder

pytestmark = pytest.mark.integration

QUOTAS = [{"task": "pause", "languages": ["zh"], "splits": ["dev"], "turns": [1], "count": 1}]
#: benchmarks/voices.py, on other sentences and more of them; 0.02 for hearing fewer
MAX_SIMILARITY = 0.92


class SixVoices(EspeakEngine):
    """And one that espeak does not have."""

    def voices(self) -> tuple[Voice, ...]:
        known = {voice.id: voice for voice in super().voices()}
        chosen = [known[f"cmn+{variant}"] for variant in ("f1", "f4", "Annie", "m1", "m3", "m8")]
        return (*chosen, chosen[0].model_copy(update={"id": "cmn+nobody"}))


def test_an_audition_hears_measures_and_shows_every_voice(tmp_path: Path) -> None:
    config = load_config(draft_config(tmp_path, quotas=QUOTAS))
    folder = tmp_path / "试听"
    page = audition(config, folder, SilentReporter(), SixVoices())
    rows = [json.loads(line) for line in (folder / ROWS).read_text(encoding="utf-8").splitlines()]
    assert [row["voice"] for row in rows] == [voice.id for voice in SixVoices().voices()]
    *good, nobody = rows
    assert "no zh voice 'cmn+nobody'" in nobody["problem"] and nobody["pitch_hz"] is None
    for row in good:
        assert row["problem"] is None
        assert row["nearest"] in {other["voice"] for other in good if other is not row}
        assert 0.3 < row["nearest_similarity"] < 1.0 and 1.0 <= row["dnsmos"] <= 5.0
        assert 3.0 < row["units_per_s"] < 8.0 and 0.0 <= row["syllable_error_rate"] <= row["cer"] + 1e-9
    pitch = {row["voice"]: row["pitch_hz"] for row in good}
    assert min(pitch["cmn+f1"], pitch["cmn+f4"]) > max(pitch["cmn+m1"], pitch["cmn+m8"])
    text = page.read_text(encoding="utf-8")
    assert page == folder / PAGE and text.count("data:audio/flac;base64,") == len(good) * len(sentences()[Language.ZH])
    first = (page.read_bytes(), (folder / ROWS).read_bytes())
    audition(config, folder, SilentReporter(), SixVoices())
    assert (page.read_bytes(), (folder / ROWS).read_bytes()) == first


# --- Kokoro's mixtures


def request(engine: KokoroEngine, voice: Voice, text: str) -> SpeechRequest:
    return SpeechRequest(
        engine=engine.name,
        weights_sha256=engine.weights_sha256,
        voice=voice.id,
        language=voice.language,
        spoken_text=text,
        voice_sha256=voice_digest(voice),
        loudness_lufs=-23.0,
        edge_silence_ms=50,
    )


@pytest.fixture(scope="module")
def spoken() -> Mapping[str, Samples]:
    """The Mandarin mixtures and their parts, all saying the same."""
    engine = KokoroEngine(mixtures=pinned_mixes())
    mixtures = [voice for voice in pinned_mixes() if voice.language is Language.ZH]
    needed = {part.voice for voice in mixtures for part in voice.mix} | {voice.id for voice in mixtures}
    samples: dict[str, Samples] = {}
    for voice in engine.voices():
        if voice.id in needed:
            one = request(engine, voice, sentences()[Language.ZH][0])
            samples[voice.id] = finish(engine.synthesise(one), one).samples
    return samples


def test_mixtures_repeat_to_the_byte(spoken: Mapping[str, Samples]) -> None:
    voice = next(voice for voice in pinned_mixes() if voice.language is Language.ZH)
    engine = KokoroEngine(mixtures=[voice])
    one = request(engine, voice, sentences()[Language.ZH][0])
    assert finish(engine.synthesise(one), one).samples.tobytes() == spoken[voice.id].tobytes()


def test_a_mixture_is_nobody_else(spoken: Mapping[str, Samples]) -> None:
    encoder = SpeakerEncoder()
    vectors = {}
    for name, samples in spoken.items():
        clip = Clip(
            item="x",
            name=name,
            file=name,
            span=(0.0, 1.0),
            rate=16_000,
            samples=samples,
            layout="x",
            language=Language.ZH,
            split=Split.TRAIN,
            role=Role.USER,
            text="",
        )
        vectors[name] = encoder.measure(clip).vectors[VECTOR]
    mixtures = [name for name in spoken if "+" in name]
    assert len(mixtures) >= 2
    for name in mixtures:
        alike = {other for other in mixtures if set(other.split("+")) & set(name.split("+"))}  # never cast together
        others = {other: float(np.dot(vectors[name], vectors[other])) for other in vectors.keys() - alike}
        assert others and max(others.values()) <= MAX_SIMILARITY, (name, others)
