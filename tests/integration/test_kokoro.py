"""Real Kokoro: the words are right, the bytes repeat, levels and edges are what the settings say.

What is heard is compared as a recogniser can be trusted with: Chinese as syllables without tones, because which of
several homophones it writes hangs on the processor, English as words. Of all sentences together few units may be wrong;
and numbers and foreign words, which the engine has to read itself, must be heard but for two of a language: a kind that
is read wrongly (all digits, all capitals) loses three and more.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.tasks import Language, Role, Split
from data_schemas.utterance import SpeechRequest
from generators.speech.finish import finish, speech_spans
from generators.speech.kokoro.engine import SAMPLE_RATE, KokoroEngine
from generators.speech.text.normalise import normalise
from tests.support.disturbance import disturbed
from validators.core.clips import Clip
from validators.words.recogniser import Recogniser
from validators.words.transcript import read

pytestmark = pytest.mark.integration

EDGE_MS = 50
#: Wrong units of all sentences of a language together; 0 to 0.05 were heard on the kinds of processor that were tried,
#: with noise 50 dB under the speech and without. A sentence of another alphabet alone passes it.
MAX_WRONG = 0.12
MAX_LOST = 2


class Sentence(NamedTuple):
    voice: str
    text: str
    read: tuple[str, ...] = ()  # what has to be read in it
    said: str | None = None  # as it is spoken, where `validators.words` does not bring both to one form


SENTENCES: dict[Language, tuple[Sentence, ...]] = {
    Language.ZH: (
        Sentence("zf_xiaobei", "我2点到，花了￥200，买了3斤苹果。", ("2点", "200", "3斤")),
        Sentence("zm_yunxi", "周末我们去KTV唱歌，他是公司的CEO。", ("KTV", "CEO")),
        Sentence("zf_xiaoxiao", "这个PPT做完了吗？下午3点半要用。", ("PPT", "3点半")),
        Sentence("zm_yunjian", "今天下午下大雨，我忘了带伞，衣服全湿了。"),
    ),
    Language.EN: (
        Sentence("af_heart", "Dr. Lee paid $45.50 on August 15th.", ("Dr.", "$45.50", "15th")),
        Sentence("am_michael", "The FBI and the CIA need your ID by March 3rd.", ("FBI", "CIA", "ID", "3rd")),
        Sentence(
            "bf_emma",
            "We need 1/2 cup of sugar, 350 g of flour and 2 eggs.",
            ("one half", "350 grams", "2 eggs"),
            said="We need one half cup of sugar, 350 grams of flour and 2 eggs.",
        ),
        Sentence("bm_george", "I can't believe it, how could they leave my boxes out in the rain?"),
    ),
}


@pytest.fixture(scope="module")
def engine() -> KokoroEngine:
    return KokoroEngine()


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


def transcribe(recogniser: Recogniser, samples: Samples, language: Language) -> str:
    clip = Clip(
        item="one",
        name="turn_1",
        file="one.wav",
        span=(0.0, len(samples) / SAMPLE_RATE_HZ),
        rate=SAMPLE_RATE_HZ,
        samples=disturbed(samples),
        layout="track1-seed",
        language=language,
        split=Split.TRAIN,
        role=Role.USER,
        text="",
    )
    return recogniser.measure(clip).texts["heard"]


def speech_request(engine: KokoroEngine, voice: str, language: Language, text: str) -> SpeechRequest:
    return SpeechRequest(
        engine=engine.name,
        weights_sha256=engine.weights_sha256,
        voice=voice,
        language=language,
        spoken_text=normalise(text, language),
        loudness_lufs=-23.0,
        edge_silence_ms=EDGE_MS,
        max_inner_silence_ms=400,
    )


@dataclass(frozen=True)
class Heard:
    """Sentences as they were asked for and as they were heard."""

    language: Language
    pairs: tuple[tuple[str, str], ...]

    @property
    def wrong(self) -> float:
        """Share of the units of all sentences together that are wrong, missing or too many."""
        readings = [read(said, heard, self.language) for said, heard in self.pairs]
        counts = [len(reading.pair.reference) for reading in readings if reading is not None]
        wrong = [reading.error_rate * len(reading.pair.reference) for reading in readings if reading is not None]
        return sum(wrong) / sum(counts)

    @property
    def lost(self) -> tuple[str, ...]:
        """Numbers and foreign words that were not heard."""
        return tuple(
            part
            for sentence, (_, heard) in zip(SENTENCES[self.language], self.pairs, strict=True)
            for part in sentence.read
            if not self._holds(heard, part)
        )

    def _holds(self, heard: str, part: str) -> bool:
        """Its units one after the other, nothing between them."""
        reading = read(part, heard, self.language)
        return reading is not None and _inside(reading.pair.reference, reading.pair.heard)


def _inside(part: tuple[str, ...], whole: tuple[str, ...]) -> bool:
    return any(whole[start : start + len(part)] == part for start in range(len(whole) - len(part) + 1))


@pytest.fixture(scope="module", params=list(Language))
def heard(request: pytest.FixtureRequest, engine: KokoroEngine, recogniser: Recogniser) -> Heard:
    language: Language = request.param
    pairs = []
    for sentence in SENTENCES[language]:
        one = speech_request(engine, sentence.voice, language, sentence.text)
        samples = finish(engine.synthesise(one), one).samples
        pairs.append((sentence.said or sentence.text, transcribe(recogniser, samples, language)))
    return Heard(language, tuple(pairs))


def test_speech_is_understood(heard: Heard) -> None:
    assert heard.wrong <= MAX_WRONG, heard.pairs


def test_numbers_and_foreign_words_are_read(heard: Heard) -> None:
    assert len(heard.lost) <= MAX_LOST, (heard.lost, heard.pairs)


@pytest.mark.parametrize(
    ("language", "pattern"),
    [
        (Language.ZH, r"[0-9]+"),
        (Language.ZH, r"[A-Z]{3}"),
        (Language.EN, r"\$?[0-9.]+(?:st|nd|rd|th)?"),
        (Language.EN, r"[A-Z]{2,3}\b"),
    ],
)
def test_a_kind_of_text_that_is_not_read_would_show(language: Language, pattern: str) -> None:
    """The bounds are narrow enough: numbers or foreign words left out, and all else heard, are too many lost."""
    plain = [sentence.said or sentence.text for sentence in SENTENCES[language]]
    assert Heard(language, tuple((text, text) for text in plain)).lost == ()
    without = Heard(language, tuple((text, re.sub(pattern, "", text)) for text in plain))
    assert len(without.lost) > MAX_LOST, without.lost


def test_the_same_request_gives_the_same_bytes_whatever_came_before(engine: KokoroEngine) -> None:
    zh = speech_request(engine, *("zf_xiaoyi", Language.ZH, "好的，马上来。"))
    en = speech_request(engine, *("am_puck", Language.EN, "Sure, on my way."))
    first = engine.synthesise(zh)
    engine.synthesise(en)
    assert engine.synthesise(zh).samples.tobytes() == first.samples.tobytes()
    assert KokoroEngine().synthesise(zh).samples.tobytes() == first.samples.tobytes()
    assert (first.sample_rate, first.samples.dtype) == (SAMPLE_RATE, np.float32)


def test_finished_speech_has_the_configured_level_and_edges(engine: KokoroEngine) -> None:
    one = speech_request(engine, "zf_xiaoyi", Language.ZH, "嗯嗯，对对对。")
    finished = finish(engine.synthesise(one), one)
    spans = speech_spans(finished.samples)
    edge = EDGE_MS * SAMPLE_RATE_HZ // 1000
    assert finished.loudness_lufs == pytest.approx(-23.0, abs=0.1)
    assert finished.peak_dbfs <= -1.0
    assert abs(spans[0][0] - edge) <= 160
    assert abs(len(finished.samples) - spans[-1][1] - edge) <= 160
    assert abs(float(np.mean(finished.samples))) < 1e-3


def test_a_long_text_is_spoken_to_its_end(engine: KokoroEngine, recogniser: Recogniser) -> None:
    """Longer than the model's 510 phonemes, so it is spoken in several pieces."""
    text = "我们先去超市买菜，然后回家做饭，吃完饭再出去散步。" * 5 + "最后别忘了锁门。"
    one = speech_request(engine, "zf_xiaoxiao", Language.ZH, text)
    assert len(engine.phonemes(one)) > 510
    finished = finish(engine.synthesise(one), one)
    assert 15 < len(finished.samples) / SAMPLE_RATE_HZ < 60
    heard = transcribe(recogniser, finished.samples[-4 * SAMPLE_RATE_HZ :], Language.ZH)
    reading = read("最后别忘了锁门", heard, Language.ZH)
    assert reading is not None
    assert sum(unit in reading.pair.heard for unit in reading.pair.reference) >= 5, heard  # of seven
