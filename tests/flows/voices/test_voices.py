"""``humdial voices``: the pool as it is cast, and the page of an audition, without models."""

from __future__ import annotations

import base64
import io
import re
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from rich.console import Console

from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.speakers import MixPart
from data_schemas.tasks import Language, Role, Split
from flows.cli.voices import print_pool
from flows.common.errors import ResourceError, TargetError
from flows.common.progress import SilentReporter
from flows.config.build_config import load_config
from flows.shards import steps
from flows.voices import audition as audition_module
from flows.voices.audition import (
    PAGE,
    ROWS,
    CastPool,
    Heard,
    Hearing,
    _rows,
    _speak_all,
    audition,
    cast_pool,
    sentences,
)
from flows.voices.page import PageVoice, voices_page
from generators.speech.engine import EngineUnusable
from generators.speech.espeak.engine import EspeakEngine
from generators.speech.requests import PlannedUtterance
from generators.speech.text.normalise import normalise
from tests.support.builds import draft_config
from tests.support.cli import invoke

ZH, EN = Language.ZH, Language.EN


def test_every_voice_of_the_quotas_languages_is_listed_with_its_place(tmp_path: Path) -> None:
    config = load_config(draft_config(tmp_path))
    pool = cast_pool(config)
    declared = [(voice.language, voice.id) for voice in EspeakEngine().voices()]
    assert sorted((one.language, one.voice) for one in pool.voices) == sorted(declared)
    assert pool.notes == ()
    assert all(len({split for split, _ in one.cast_as}) == 1 for one in pool.voices)
    assistants = [one for one in pool.voices if (Split.TRAIN, Role.ASSISTANT) in one.cast_as]
    assert len(assistants) == 2 and {one.roles for one in assistants} == {"assistant"}


def test_a_language_without_quota_is_left_out(tmp_path: Path) -> None:
    quotas = [{"task": "pause", "languages": ["zh"], "splits": ["dev"], "turns": [1], "count": 1}]
    pool = cast_pool(load_config(draft_config(tmp_path, quotas=quotas)))
    assert {one.language for one in pool.voices} == {ZH}


class TwoVoices(EspeakEngine):
    def voices(self):  # type: ignore[no-untyped-def]
        return tuple(voice for voice in super().voices() if voice.id in {"cmn+f1", "cmn+m1"})


def test_a_pool_that_cannot_be_cast_is_listed_with_the_reason(tmp_path: Path) -> None:
    pool = cast_pool(load_config(draft_config(tmp_path)), TwoVoices())
    assert [one.voice for one in pool.voices] == ["cmn+f1", "cmn+m1"]
    assert {one.split for one in pool.voices} == {""}
    assert pool.problem is not None and "too few" in pool.problem


def test_the_command_prints_the_pool(tmp_path: Path) -> None:
    status, out, _ = invoke("voices", str(draft_config(tmp_path)))
    lines = [line for line in out.splitlines() if "cmn+f1" in line]
    assert status == 0
    assert len(lines) == 1
    assert re.search(
        r"cmn\+f1\s.*zh\s.*female\s.*GPL-3\.0-or-later\s.*(train|dev)\s.*(user third_party|assistant)", lines[0]
    )
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["draft.yaml"]


def test_notes_stand_below_the_table() -> None:
    out = io.StringIO()
    print_pool(CastPool((), ("林小满: 太短了",)), Console(file=out, width=80))
    assert out.getvalue().rstrip().endswith("林小满: 太短了")


def test_the_sentences_are_two_per_language_of_about_five_seconds() -> None:
    """Nothing in them is read in more than one way: no digits, no Latin letters in Chinese."""
    for language, texts in sentences().items():
        assert len(texts) == 2
        for text in texts:
            assert not re.search(r"[0-9]", text)
            assert normalise(text, language)
            if language is ZH:
                assert 28 <= len(text) <= 40 and not re.search(r"[A-Za-z]", text)
            else:
                assert 14 <= len(text.split()) <= 22


def heard(pitch_st: float, vector: tuple[float, ...], seconds: float, **values: float) -> Heard:
    return Heard({"f0_median_st": pitch_st, "speaker_seconds": seconds, **values}, vector)


def test_rows_hold_means_in_their_units_and_the_nearest_voice_of_the_language(tmp_path: Path) -> None:
    pool = cast_pool(load_config(draft_config(tmp_path))).voices
    chosen = [one for one in pool if one.voice in {"cmn+f1", "cmn+f4", "cmn+m1", "cmn+m2", "en-us+f1"}]
    hearing = Hearing(
        spoken={},
        heard={
            (ZH, "cmn+f1"): [heard(0.0, (1.0, 0.0), 3.0, cer=0.1, ovrl=3.0), heard(24.0, (0.0, 1.0), 1.0, cer=0.3)],
            (ZH, "cmn+f4"): [heard(12.0, (1.0, 0.0), 2.0)],
            (ZH, "cmn+m1"): [heard(12.0, (0.0, 1.0), 2.0)],
            (EN, "en-us+f1"): [heard(12.0, (3 / np.sqrt(10), 1 / np.sqrt(10)), 2.0, wer=0.25)],
        },
        problems={(ZH, "cmn+m2"): "无法说话"},
    )
    rows = {row.voice: row for row in _rows(chosen, hearing)}
    first = rows["cmn+f1"]
    assert first.pitch_hz == pytest.approx(200.0)  # twelve semitones over 100 Hz
    assert first.cer == pytest.approx(0.2)
    assert (first.dnsmos, first.wer) == (3.0, None)
    assert first.nearest == "cmn+f4"
    assert first.nearest_similarity == pytest.approx(3 / np.sqrt(10), abs=1e-3)  # not the English voice, which is equal
    assert rows["en-us+f1"].nearest is None and rows["en-us+f1"].wer == 0.25
    assert rows["cmn+m2"].problem == "无法说话" and rows["cmn+m2"].pitch_hz is None


# --- the page


class Page(HTMLParser):
    """Rows of cells, sources of sound, and everything that would be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.keys: list[list[str | None]] = []
        self.sounds: list[str] = []
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        told = dict(attrs)
        if tag == "tr":
            self.rows.append([])
            self.keys.append([])
        if tag == "td":
            self.rows[-1].append("")
            self.keys[-1].append(told.get("data-key"))
            self._in_cell = True
        source = told.get("src") or told.get("href")
        if source is not None:
            (self.sounds if source.startswith("data:audio/flac;base64,") else self.fetched).append(source)

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag != "td"

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data


def page_voice(name: str, **changes: object) -> PageVoice:
    told: dict[str, object] = {
        "voice": name,
        "language": ZH,
        "gender": "female",
        "age": None,
        "license": "CC0-1.0",
        "origin": "",
        "mix": (),
        "cast_as": ((Split.TRAIN, Role.USER), (Split.TRAIN, Role.THIRD_PARTY)),
        "pitch_hz": 212.4,
        "pitch_range_st": 9.0,
        "units_per_s": 4.5,
        "dnsmos": 3.21,
        "error_rate": 0.031,
        "nearest": "另一个",
        "nearest_similarity": 0.8,
        "problem": None,
    }
    return PageVoice(**(told | changes))  # type: ignore[arg-type]


def tone(hertz: float) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ)).astype(np.float32)


def test_the_page_holds_its_sound_and_fetches_nothing() -> None:
    sound = tone(220.0)
    samples = {(ZH, "小满"): [("今天很好", sound), ("明天也好", tone(330.0))]}
    text = voices_page("草稿", [page_voice("小满"), page_voice("小暑")], samples, ["注意"], 0.93)
    page = Page(text)
    assert page.fetched == [] and "http://" not in text and "https://" not in text
    assert len(page.sounds) == 2
    data, rate = soundfile.read(io.BytesIO(base64.b64decode(page.sounds[0].partition(",")[2])), dtype="float32")
    assert rate == SAMPLE_RATE_HZ
    np.testing.assert_allclose(data, sound, atol=1.0 / 32768)
    (first, second) = [row for row in page.rows if row]
    assert first[0] == "小满" and second[-1] == "–"
    assert first[4:12] == [
        "train user, train third party",
        "CC0-1.0",
        "212",
        "9.0",
        "4.5",
        "3.21",
        "3.1%",
        "0.80 另一个",
    ]
    assert "{{" not in text and text == voices_page(
        "草稿", [page_voice("小满"), page_voice("小暑")], samples, ["注意"], 0.93
    )


def test_columns_sort_by_value_and_unknown_ones_have_no_key() -> None:
    page = Page(voices_page("x", [page_voice("a"), page_voice("b", pitch_hz=None)], {}, [], 0.93))
    keys = [keys for keys in page.keys if keys]
    assert (keys[0][6], keys[1][6]) == ("212.4", "")
    assert page.tags.count("button") == len(keys[0]) - 1  # every column but the players


def test_what_comes_from_files_is_text_and_never_markup() -> None:
    evil = '<script>alert("{{body}}")</script>'
    mix = (MixPart(voice="zf_a", weight=0.5), MixPart(voice="zf_b", weight=0.5))
    voice = page_voice("小满", origin=evil, license='"><img src=x>', problem=evil, mix=mix, nearest=evil)
    text = voices_page(evil, [voice], {}, [evil], 0.93)
    page = Page(text)
    assert page.tags.count("script") == 1 and "img" not in page.tags and page.fetched == []
    (row,) = [row for row in page.rows if row]
    assert "50% zf_a + 50% zf_b" in row[0] and evil in row[0]


def test_voices_that_judges_would_take_for_one_are_marked() -> None:
    alike = voices_page("x", [page_voice("a", nearest_similarity=0.931)], {}, [], 0.93)
    apart = voices_page("x", [page_voice("a", nearest_similarity=0.93)], {}, [], 0.93)
    assert '<span class="bad">0.93</span>' in alike and '<span class="bad">' not in apart


def test_an_engine_that_cannot_be_loaded_ends_the_audition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unusable(planned: PlannedUtterance, *_: object) -> None:
        raise EngineUnusable("模型无法加载")

    monkeypatch.setattr(steps, "speak_step", unusable)
    workers: Any = ThreadPoolExecutor(1)
    config = load_config(draft_config(tmp_path))
    engine = EspeakEngine()
    with pytest.raises(EngineUnusable, match="模型无法加载"):
        _speak_all(config, engine, engine.voices()[:2], sentences(), workers, SilentReporter())


def test_an_audition_is_whole_and_alone_and_renews_only_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, folder = load_config(draft_config(tmp_path)), tmp_path / "试听"
    seen: list[list[str]] = []

    def silent(*_: object) -> Hearing:
        seen.append([path.name for path in folder.iterdir()] if folder.exists() else [])
        with pytest.raises(ResourceError, match=r"another process is writing .*--audition FOLDER"):
            audition(config, folder, SilentReporter())
        return Hearing({}, {}, {})

    monkeypatch.setattr(audition_module, "hear_voices", silent)
    audition(config, folder, SilentReporter())
    assert {path.name for path in folder.iterdir()} == {PAGE, ROWS}
    (folder / PAGE).write_text("旧", encoding="utf-8")
    (folder / "笔记.txt").touch()
    audition(config, folder, SilentReporter())
    assert "旧" not in (folder / PAGE).read_text(encoding="utf-8")
    assert {path.name for path in folder.iterdir()} == {PAGE, ROWS, "笔记.txt"} and seen[0] == []
    (folder / ROWS).unlink()  # a page that is somebody else's
    with pytest.raises(TargetError, match=r"is not empty; name another place with --audition FOLDER"):
        audition(config, folder, SilentReporter())
