"""RTTM and TextGrid readers: what they take, and the sentence for what they do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.scenes.timing.corpus import (
    Conversation,
    CorpusError,
    Interval,
    read_conversations,
    read_rttm,
    read_textgrid,
)

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2.3
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "小王"
        xmin = 0
        xmax = 2.3
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 1.2
            text = "他说""好"" 3 次
再见"
        intervals [2]:
            xmin = 1.2
            xmax = 2.3
            text = " "
    item [2]:
        class = "TextTier"
        name = "bell"
        xmin = 0
        xmax = 2.3
        points: size = 1
        points [1]:
            number = 0.7
            mark = "ding"
    item [3]:
        class = "IntervalTier"
        name = "Mary"
        xmin = 0
        xmax = 2.3
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 1.5
            text = "sil"
        intervals [2]:
            xmin = 1.5
            xmax = 2.3
            text = "hi" ! a remark with "quotes" and 7 numbers
"""
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
2.3
<exists>
3
"IntervalTier"
"小王"
0
2.3
2
0
1.2
"好"
1.2
2.3
""
"TextTier"
"bell"
0
2.3
1
0.7
"ding"
"IntervalTier"
"Mary"
0
2.3
2
0
1.5
""
1.5
2.3
"hi"
"""
EXPECTED = (
    Interval(speaker="小王", start_s=0.0, stop_s=1.2),
    Interval(speaker="Mary", start_s=1.5, stop_s=2.3),
)


def saved(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", [LONG, SHORT, LONG.replace("\n", "\r\n")])
def test_a_textgrid_is_read_in_every_spelling_praat_saves(tmp_path: Path, text: str, encoding: str) -> None:
    assert read_textgrid(saved(tmp_path, "a.TextGrid", text, encoding)) == Conversation(name="a", intervals=EXPECTED)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("            xmax = 1.2", "            xmax = 0", "not after its start"),
        ("size = 3", "size = 3.5", "whole number"),
        ("size = 3", "size = 1e999", "'1e999' is no number"),
        ('Object class = "TextGrid"', 'Object class = "Sound"', "no Praat TextGrid"),
        ('"TextTier"', '"OtherTier"', "no tier class"),
        ('name = "Mary"', 'name = "小王"', "second tier"),
        ('"hi" ! a remark with', '"hi" 7', "more in it"),
        ('"hi" ! a remark with "quotes" and 7 numbers', '"hi', "never closed"),
        ("xmax = 2.3\ntiers?", 'xmax = "x"\ntiers?', "where a number (xmax)"),
        ("<exists>", '"exists"', "where <exists> should"),
    ],
)
def test_a_broken_textgrid_is_named_with_its_line(tmp_path: Path, old: str, new: str, problem: str) -> None:
    line = LONG.count("\n", 0, LONG.index(old)) + 1
    path = saved(tmp_path, "a.TextGrid", LONG.replace(old, new, 1))
    with pytest.raises(CorpusError) as caught:
        read_textgrid(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert problem in str(caught.value)


def test_a_textgrid_that_was_cut_short_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="was cut short"):
        read_textgrid(saved(tmp_path, "a.TextGrid", SHORT[: SHORT.index('"hi"')]))


def test_an_rttm_holds_many_recordings(tmp_path: Path) -> None:
    text = (
        ";; made by hand\n"
        "SPKR-INFO call1 1 <NA> <NA> <NA> unknown 小王 <NA> <NA>\n"
        "SPEAKER call1 1 3.00 1.50 <NA> <NA> Mary <NA> <NA>\n"
        "\n"
        "SPEAKER call2 1 0.1 0.2 <NA> <NA> A <NA>\r\n"
        "SPEAKER call1 1 0.25 1e0 <NA> <NA> 小王 <NA> <NA>\n"
    )
    assert read_rttm(saved(tmp_path, "a.rttm", text)) == (
        Conversation(
            name="call1",
            intervals=(
                Interval(speaker="小王", start_s=0.25, stop_s=1.25),
                Interval(speaker="Mary", start_s=3.0, stop_s=4.5),
            ),
        ),
        Conversation(name="call2", intervals=(Interval(speaker="A", start_s=0.1, stop_s=0.1 + 0.2),)),
    )


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("SPEAKER c 1 x 1.0 <NA> <NA> A <NA> <NA>", "start 'x' is no number"),
        ("SPEAKER c 1 0.0 nan <NA> <NA> A <NA> <NA>", "duration 'nan' is no number"),
        ("SPEAKER c 1 1_0 1 <NA> <NA> A <NA> <NA>", "start '1_0' is no number"),
        ("SPEAKER c 1 0 1e999 <NA> <NA> A <NA> <NA>", "duration '1e999' is no number"),
        ("SPEAKER c 1 0.0 0 <NA> <NA> A <NA> <NA>", "not after its start"),
        ("SPEAKER c 1 -1 2 <NA> <NA> A <NA> <NA>", "before the recording"),
        ("SPEAKER c 1 0.0 1.0 A", "has 6 fields"),
        ("speaker c 1 0.0 1.0 <NA> <NA> A <NA> <NA>", "no RTTM row type"),
    ],
)
def test_a_broken_rttm_row_is_named_with_its_line(tmp_path: Path, row: str, problem: str) -> None:
    path = saved(tmp_path, "a.rttm", f"SPEAKER c 1 0.0 1.0 <NA> <NA> A <NA> <NA>\n{row}\n")
    with pytest.raises(CorpusError) as caught:
        read_rttm(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert problem in str(caught.value)


def test_files_of_other_kinds_or_without_speech_are_refused(tmp_path: Path) -> None:
    rttm = saved(tmp_path, "a.rttm", "SPEAKER c 1 0.0 1.0 <NA> <NA> A <NA> <NA>\n")
    for path, speakers, problem in (
        (tmp_path / "a.eaf", (), "neither .rttm nor .TextGrid"),
        (tmp_path / "none.rttm", (), "no such file"),
        (saved(tmp_path, "empty.rttm", ""), (), "holds no speech"),
        (saved(tmp_path, "latin.rttm", "SPEAKER é", "latin-1"), (), "latin.rttm:1: is not UTF-8 text"),
        (rttm, ("B",), "holds no speech of B; it has A"),
    ):
        with pytest.raises(CorpusError) as caught:
            tuple(read_conversations([path], speakers))
        assert problem in str(caught.value)


def test_only_the_named_tiers_are_kept(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.TextGrid", LONG)
    (found,) = read_conversations([path], ("Mary",))
    assert found.speakers == ("Mary",)


@given(text=st.text(max_size=200))
def test_no_text_gives_a_traceback(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("corpus")
    for name, begin in (("a.rttm", "SPEAKER c 1 "), ("a.TextGrid", '"ooTextFile" "TextGrid" 0 1 <exists> ')):
        path = folder / name
        path.write_bytes((begin + text).encode("utf-8", errors="replace"))
        try:
            tuple(read_conversations([path]))
        except CorpusError as error:
            assert str(path) in str(error)
