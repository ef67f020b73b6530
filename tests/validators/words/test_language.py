"""Text in another language than the item's."""

from __future__ import annotations

import pytest

from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Language, Split, Task, Track
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.words.language import VALIDATOR, foreign_language, judge_language, texts_of

T = Thresholds()


@pytest.mark.parametrize(
    ("text", "language", "name"),
    [
        ("Je ne sais pas pourquoi il est parti si vite hier soir.", Language.EN, "'fr'"),
        ("Ich weiß nicht, warum er gestern so schnell gegangen ist.", Language.EN, "'de'"),
        ("No sé por qué se fue tan rápido anoche, la verdad.", Language.EN, "'es'"),
        ("Я не знаю, почему он ушёл", Language.EN, "Cyrillic"),
        ("오늘은 정말 기분이 좋아요", Language.EN, "Korean"),
        ("今日はとても楽しかったです", Language.ZH, "Japanese"),
        ("昨日、友達と映画を見ました", Language.ZH, "Japanese"),
        ("佢哋琴日冇嚟，我唔知點解", Language.ZH, "Cantonese"),
        ("你食咗飯未呀，我喺樓下等你", Language.ZH, "Cantonese"),
        ("寻日落大雨，我冇带遮。", Language.ZH, "Cantonese"),
    ],
)
def test_another_language_is_named(text: str, language: Language, name: str) -> None:
    answer = foreign_language(text, language, T)
    assert answer is not None
    assert name in answer[0]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("今天领导开会又点名表扬了小王，我心里不是滋味。", Language.ZH),
        ("我在KTV唱了一首《Let It Go》，嗓子都哑了。", Language.ZH),
        ("老佢家的羊跑了。", Language.ZH),
        ("他说了句「さよなら」就走了，我愣在站台上半天没动。", Language.ZH),
        ("嗯嗯", Language.ZH),
        ("No problem, I'll be quiet now.", Language.EN),
        ("Mm-hm.", Language.EN),
        ("Ah, oui.", Language.EN),
        ("Dr. Osei and Señora García met Jürgen in Düsseldorf on Monday.", Language.EN),
        ("We had the crème brûlée at a café on the corner.", Language.EN),
        ("", Language.EN),
    ],
)
def test_the_own_language_with_names_and_short_texts_are_left_alone(text: str, language: Language) -> None:
    assert foreign_language(text, language, T) is None


def dialogue(language: Language, text: str, reply: str) -> FoundItem:
    turns = [
        {
            "turn_id": number,
            "text": said,
            "emotion": "sad",
            "split_audio_file": "x.wav",
            "response_text": reply,
        }
        for number, said in enumerate(("It rained all day and nobody came to the fair.", text), start=1)
    ]
    return FoundItem(
        id="task1_2_en_0001_0001",
        layout="track1-seed",
        track=Track.EMOTION,
        task=Task.RECOGNITION,
        language=language,
        split=Split.TRAIN,
        manifest="task1.jsonl",
        line=1,
        row={"dialogue_id": "task1_2_en_0001_0001", "turns": turns},
        files={},
    )


def scene(segments: list[dict[str, object]], replies: list[dict[str, object]] | None) -> FoundItem:
    return FoundItem(
        id="0001_0001",
        layout="track2",
        track=Track.DUPLEX,
        task=Task.FOLLOW_UP,
        language=Language.EN,
        split=Split.TRAIN,
        manifest="a.jsonl",
        line=1,
        row={"speech_segments": segments, "assistant_segments": replies},
        files={},
    )


FRENCH = "Je suis vraiment désolé pour ce qui est arrivé [sigh]"
ENGLISH = "I really am so sorry about what happened to you."


@pytest.mark.parametrize(
    ("found", "places"),
    [
        (dialogue(Language.EN, ENGLISH, ENGLISH), []),
        (dialogue(Language.EN, FRENCH, ENGLISH), ["turn 2"]),
        (dialogue(Language.EN, ENGLISH, FRENCH), ["reply 1", "reply 2"]),
        (scene([{"xmin": 0.0, "xmax": 1.0, "text": FRENCH}], None), ["user segment 1"]),
        (
            scene([{"xmin": 0.0, "xmax": 1.0, "text": ENGLISH}], [{"xmin": 0.0, "xmax": 1.0, "text": FRENCH}]),
            ["assistant segment 1"],
        ),
    ],
)
def test_every_text_of_an_item_is_read(found: FoundItem, places: list[str]) -> None:
    findings = list(judge_language(Judge(VALIDATOR, found.id), found, T))
    assert [finding.message.split(":")[0] for finding in findings] == places
    assert {finding.code for finding in findings} <= {"LANGUAGE.TEXT"}


def test_a_row_that_cannot_be_read_has_no_texts() -> None:
    found = dialogue(Language.EN, ENGLISH, ENGLISH)
    assert texts_of(found.model_copy(update={"row": {"turns": "none"}})) == ()
