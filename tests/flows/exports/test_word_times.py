"""Word times of a row against shared-out ones, and what an export says of them."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from data_schemas.tasks import Language, Track
from flows.exports.base import ReleaseSource
from flows.exports.reading.timeline import Line, timeline_of
from flows.exports.reading.word_times import WordMark, WordTimesNote, words_in
from flows.exports.writing.common import Span, Word, proportional_words
from tests.support.spoken_release import make_release

SPAN = Span(1.0, 3.0)


def marks(*words: tuple[str, float, float]) -> tuple[WordMark, ...]:
    return tuple(WordMark(text=text, start=start, stop=stop) for text, start, stop in words)


def test_words_of_the_row_win_and_are_written_as_in_the_text() -> None:
    told = marks(("the", 1.0, 1.1), ("opera", 1.5, 2.9))
    assert words_in('The "opera".', SPAN, (), told) == (Word("The", 1.0, 1.1), Word('"opera".', 1.5, 2.9))


def test_where_other_words_were_said_they_are_written() -> None:
    told = marks(("two", 1.0, 1.1), ("tickets", 1.5, 2.9))
    assert [word.text for word in words_in("2 tickets!", SPAN, (), told)] == ["two", "tickets"]


def test_without_any_they_are_shared_out_and_none_spoken_is_none() -> None:
    assert words_in("我想去", SPAN, (), None) == proportional_words("我想去", SPAN)
    assert words_in("I want", SPAN, (), ()) == ()


def test_a_note_tells_by_language() -> None:
    note = WordTimesNote()
    for language, measured in ((Language.ZH, False), (Language.EN, True), (Language.ZH, False)):
        note.add(language, measured)
    assert note.told() == {"en": "engine", "zh": "proportional"}
    note.add(Language.EN, False)
    assert note.told()["en"] == "mixed"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([("go", 0.5, 1.5)], "not inside"),
        ([("go", 2.5, 3.5)], "not inside"),
        ([("go", 2.0, 2.0)], "ends at"),
        ([("go", 1.5, 2.0), ("on", 1.9, 2.5)], "begins before"),
        ([("", 1.5, 2.0)], "at least 1"),
    ],
)
def test_words_that_cannot_be_are_refused(words: list[tuple[str, float, float]], said: str) -> None:
    given = tuple({"text": text, "start": start, "stop": stop} for text, start, stop in words)
    with pytest.raises(ValidationError, match=said):
        Line.model_validate({"xmin": 1.0, "xmax": 3.0, "text": "go", "role": "user", "words": given})


def test_every_word_of_a_release_has_the_time_of_its_row(tmp_path: Path) -> None:
    checked = 0
    for item in ReleaseSource(make_release(tmp_path / "r"), frozenset({Track.DUPLEX})).items():
        timeline = timeline_of(item)
        rows = json.loads(json.dumps([*item.row["speech_segments"], *item.row["assistant_segments"]]))  # type: ignore[misc]
        by_start = {(row.get("role", "assistant"), row["xmin"]): row for row in rows}
        for line in timeline.lines:
            told = by_start[line.role, line.xmin]["words"]
            assert (told is None) == (item.language == "zh")
            if told is not None:
                spans = [(word.start, word.stop) for word in timeline.words_of(line)]
                assert spans == [(word["start"], word["stop"]) for word in told]
                checked += len(spans)
    assert checked > 100
