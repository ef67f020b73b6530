"""Names, proportional word times, files that are the same in every run."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.foundation.audio import read_wav
from data_schemas.layouts.base import FoundItem
from data_schemas.tags import strip_tags
from data_schemas.tasks import Language, Split, Task, Track
from flows.exports.base import ExportError
from flows.exports.writing.common import (
    LineFiles,
    Span,
    export_name,
    proportional_words,
    spoken_spans,
    words_of,
    write_audio,
    write_text,
)

TEXTS = st.text(st.sampled_from("我想存钱，。“”？！ab Z9'—…()[] \n𠀀々é"), max_size=40)


def item(identity: str, track: Track = Track.DUPLEX, task: Task = Task.PAUSE) -> FoundItem:
    return FoundItem(
        id=identity,
        layout="track2",
        track=track,
        task=task,
        language=Language.ZH,
        split=Split.DEV,
        manifest="m.jsonl",
        line=3,
        row={},
        files={},
    )


def test_names_tell_split_language_and_task_apart() -> None:
    assert export_name(item("0001_0002")) == "dev_zh_pause_0001_0002"
    assert export_name(item("task2_3_zh_0001_0002", Track.EMOTION)) == "dev_task2_3_zh_0001_0002"
    assert export_name(item("zh_0001_0002", Track.EMOTION, Task.EMPATHY)) == "dev_zh_empathy_zh_0001_0002"


@pytest.mark.parametrize("identity", ["中文", "a b", "a.b", "../a", ""])
def test_an_id_that_is_no_name_is_refused_with_file_and_line(identity: str) -> None:
    with pytest.raises(ExportError, match=r"m\.jsonl:3: id .* cannot be a file name"):
        export_name(item(identity))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("我有6000块，想存T恤吗？", ["我", "有", "6000", "块，", "想", "存", "T", "恤", "吗？"]),
        ("他说：“好”。", ["他", "说：", "“好”。"]),
        ("I'm well-known, [laughter] 'really'!", ["I'm", "well-known,", "'really'!"]),
        ("wait — what", ["wait—", "what"]),
        ("嗯…… [sigh] 算了", ["嗯……", "算", "了"]),
        ("…… [break]", []),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert list(words_of(text)) == words


@given(TEXTS)
def test_words_lose_nothing_but_blanks_and_tags(text: str) -> None:
    words = words_of(text)
    assert not words or "".join(words) == "".join(strip_tags(text).split())


@given(TEXTS, st.floats(0, 1000), st.floats(0.05, 30))
def test_word_times_fill_the_span_in_order(text: str, start: float, seconds: float) -> None:
    span = Span(round(start, 7), round(start + seconds, 7))
    words = proportional_words(text, span)
    assert [word.text for word in words] == list(words_of(text))
    if words:
        edges = [words[0].start, *(word.stop for word in words)]
        assert (edges[0], edges[-1]) == span
        assert edges == sorted(edges)
        assert [word.start for word in words] == edges[:-1]


def test_longer_words_take_longer() -> None:
    (short, long) = proportional_words("ab, cdefgh!", Span(1.0, 5.0))
    assert (short.start, short.stop, long.start, long.stop) == (1.0, 2.0, 2.0, 5.0)


def test_no_word_lies_in_a_pause() -> None:
    words = proportional_words("我想去 [break] 西安", Span(0.0, 6.0), [Span(3.0, 5.0)])
    assert [(word.text, word.start, word.stop) for word in words] == [
        ("我", 0.0, 1.0),
        ("想", 1.0, 2.0),
        ("去", 2.0, 3.0),
        ("西", 5.0, 5.5),
        ("安", 5.5, 6.0),
    ]


def test_pauses_without_a_mark_each_are_passed_over() -> None:
    words = proportional_words("我想去西安", Span(0.0, 5.0), [Span(3.0, 4.0)])
    assert [word.stop for word in words] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_spoken_spans() -> None:
    assert spoken_spans(Span(1, 9), [Span(6, 7), Span(2, 3)]) == ((1, 2), (3, 6), (7, 9))
    assert spoken_spans(Span(1, 9), [Span(0, 3), Span(8, 9)]) == ((1, 9),)


def test_files_are_written_once(tmp_path: Path) -> None:
    tone = np.linspace(-1, 0.9, 77, dtype=np.float32)
    write_audio(tmp_path / "甲" / "a.wav", tone)
    assert np.abs(read_wav(tmp_path / "甲" / "a.wav")[0] - tone).max() < 1 / 32_768
    write_text(tmp_path / "a.rttm", "一\n")
    for again in (lambda: write_audio(tmp_path / "甲" / "a.wav", tone), lambda: write_text(tmp_path / "a.rttm", "")):
        with pytest.raises(ExportError, match="a stands twice"):
            again()


def test_packed_lines_have_the_same_bytes_in_every_run(tmp_path: Path) -> None:
    for name in ("一", "two"):
        with LineFiles(tmp_path / name) as files:
            files.write("d/x.jsonl.gz", {"text": "西安"})
            files.write("y.jsonl", {"text": "西安"})
            files.write("d/x.jsonl.gz", [1])
    first, second = ((tmp_path / name / "d" / "x.jsonl.gz").read_bytes() for name in ("一", "two"))
    assert first == second
    assert first[3:8] == bytes(5)  # neither a name nor a time in the header
    assert gzip.decompress(first).decode("utf-8") == '{"text":"西安"}\n[1]\n'
    assert (tmp_path / "two" / "y.jsonl").read_text(encoding="utf-8") == '{"text":"西安"}\n'
