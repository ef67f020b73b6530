"""Pauses as hesitations: pieces, fillers, their labels, and where they stand in a composed scene."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.item import Item
from data_schemas.scene import EventKind
from data_schemas.script import Script, ScriptLine
from data_schemas.tags import BREAK_TAG
from data_schemas.tasks import Language, Part, Role, Task
from data_schemas.utterance import Utterance
from generators.scenes.duplex.composer import compose
from generators.scenes.hesitation import (
    FillerWords,
    HesitationSettings,
    Piece,
    breaks_off,
    pieces_of,
    shown_text,
    utterance_ids,
)
from generators.scenes.settings import USER_MERGE_GAP_S, SceneSettings
from generators.scenes.timing.distributions import Fixed, Uniform
from tests.support.scene_factory import make_plan, make_script, make_utterance
from tests.validators.composed import lay_out
from validators.core.thresholds import Thresholds
from validators.run.directory import validate_root

ZH, EN = Language.ZH, Language.EN
ON, OFF = HesitationSettings(fillers="on"), HesitationSettings(fillers="off")
BEFORE = HesitationSettings(fillers="on", before_pause_share=1.0)
AFTER = HesitationSettings(fillers="on", before_pause_share=0.0)
PARTS = {
    ZH: st.tuples(st.text("我想去成都看熊猫", min_size=1, max_size=8), st.sampled_from(["", "，"])).map("票".join),
    EN: st.lists(st.sampled_from(["I", "go", "there,", "the", "opera", "by", "bus"]), min_size=1, max_size=6).map(
        lambda words: " ".join([*words, "now"])
    ),
}


def line_of(*texts: str) -> ScriptLine:
    return ScriptLine(role=Role.USER, part=Part.QUERY, text=BREAK_TAG.join(texts))


def pieces(
    language: Language, chosen: HesitationSettings, *texts: str, plan: str = "p1", seed: int = 1
) -> tuple[Piece, ...]:
    return pieces_of(plan, 1, line_of(*texts), language, chosen, seed)


@st.composite
def hesitant(draw: st.DrawFn) -> tuple[Language, list[str]]:
    language = draw(st.sampled_from(list(Language)))
    return language, draw(st.lists(PARTS[language], min_size=2, max_size=5))


@given(hesitant(), st.sampled_from([ON, OFF, BEFORE, AFTER, HesitationSettings()]), st.integers(0, 999))
def test_labels_hold_what_is_spoken_and_one_mark_per_break(
    spoken: tuple[Language, list[str]], chosen: HesitationSettings, seed: int
) -> None:
    language, texts = spoken
    made = pieces(language, chosen, *texts, seed=seed)
    shown = shown_text(made)
    assert len(re.findall(r"(?<! ) \[break\] (?! )", shown)) == shown.count(BREAK_TAG) == len(texts) - 1
    letters = "".join(sign for sign in shown.replace(BREAK_TAG, "") if sign.isalnum())
    assert letters == "".join(sign for piece in made for sign in piece.text if sign.isalnum())
    assert not re.search(r"[，,]\s*[，,]|  |^\s|\s$|\s[，,]", shown)
    assert [piece.text for piece in made if piece.kind == "words"] == texts


@given(hesitant(), st.integers(0, 999))
def test_every_break_is_a_break_and_every_filler_touches_words_by_a_seam(
    spoken: tuple[Language, list[str]], seed: int
) -> None:
    language, texts = spoken
    made = pieces(language, ON, *texts, seed=seed)
    assert [piece.after for piece in made].count("start") == 1 and made[0].after == "start"
    assert sum(piece.after == "break" for piece in made) == len(texts) - 1
    fillers = [place for place, piece in enumerate(made) if piece.kind == "filler"]
    assert len(fillers) == len(texts) - 1
    for place in fillers:
        assert {made[place].after, made[place + 1].after} == {"break", "seam"}


@given(hesitant(), st.integers(0, 99))
def test_the_same_names_give_the_same_pieces_and_a_new_pause_moves_no_other(
    spoken: tuple[Language, list[str]], seed: int
) -> None:
    language, texts = spoken
    chosen = HesitationSettings(share=0.5)
    made = pieces(language, chosen, *texts, seed=seed)
    assert made == pieces(language, chosen, *texts, seed=seed)
    longer = pieces(language, chosen, *texts, texts[0], seed=seed)
    assert longer[: len(made)] == made


def test_fillers_are_as_frequent_and_stand_where_the_settings_say() -> None:
    chosen = HesitationSettings(share=0.4, before_pause_share=0.75)
    made = [pieces(EN, chosen, "I want to go to", "the opera", plan=f"p{number}") for number in range(1500)]
    filled = [one for one in made if len(one) == 3]
    assert len(filled) / len(made) == pytest.approx(0.4, abs=0.05)
    assert sum(one[1].after == "seam" for one in filled) / len(filled) == pytest.approx(0.75, abs=0.06)
    assert {one[1].text for one in filled} == {"um", "uh"}


def test_lines_and_breaks_draw_for_themselves() -> None:
    chosen = HesitationSettings(share=0.5)
    line = line_of("I go", "to the", "opera by", "bus now")
    drawn = {
        tuple(piece.kind for piece in pieces_of(f"p{number}", place, line, EN, chosen, 1))
        for number in range(20)
        for place in (1, 2)
    }
    assert len(drawn) > 4
    kinds = [[len(pieces_of(f"p{number}", place, line, EN, chosen, 1)) for number in range(40)] for place in (1, 2)]
    assert kinds[0] != kinds[1]


@pytest.mark.parametrize(
    ("chosen", "language", "texts", "shown"),
    [
        (BEFORE, ZH, ("我想订一张后天去", "成都的高铁票。"), "我想订一张后天去，{} [break] 成都的高铁票。"),
        (AFTER, ZH, ("我想订一张后天去", "成都的高铁票。"), "我想订一张后天去 [break] {}，成都的高铁票。"),
        (BEFORE, ZH, ("我想，", "去成都"), "我想，{} [break] 去成都"),
        (AFTER, ZH, ("我想", "，去成都"), "我想 [break] {}，去成都"),
        (BEFORE, EN, ("I want to go to", "the opera."), "I want to go to, {} [break] the opera."),
        (AFTER, EN, ("I want to go to", "the opera."), "I want to go to [break] {}, the opera."),
        (BEFORE, EN, ("Well then,", "the opera."), "Well then, {} [break] the opera."),
        (BEFORE, ZH, ("唉 [sigh]", "去成都"), "唉 [sigh] {} [break] 去成都"),
        (BEFORE, EN, ('I saw "Tosca"', "in Rome"), 'I saw "Tosca", {} [break] in Rome'),
        (OFF, EN, ("to ", " the opera."), "to [break] the opera."),
    ],
)
def test_the_transcript_reads_as_people_write(
    chosen: HesitationSettings, language: Language, texts: tuple[str, ...], shown: str
) -> None:
    made = pieces(language, chosen, *texts)
    assert shown_text(made) == shown.format(*(piece.text for piece in made if piece.kind == "filler"))


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        (ZH, ("我想去", "呃，去成都")),
        (ZH, ("我想去，那个", "成都")),
        (ZH, ("西安有什么好玩的？", "那我去哪儿吃饭？")),
        (EN, ("I want to go to", "um, to the opera")),
        (EN, ("I want to go to", "What's it called, the opera")),
        (EN, ("I want to, you know,", "go")),
        (EN, ("I am here.", "Where are you?")),
        (EN, ("[laughter]", "go")),
    ],
)
def test_who_hesitates_already_or_has_finished_gets_no_filler(language: Language, texts: tuple[str, ...]) -> None:
    assert [piece.kind for piece in pieces(language, ON, *texts)] == ["words", "words"]


@pytest.mark.parametrize("texts", [("umbrellas and", "erasers"), ("a likely", "humming sound")])
def test_words_that_only_begin_like_a_filler_are_words(texts: tuple[str, ...]) -> None:
    assert len(pieces(EN, ON, *texts)) == 3


def test_a_line_goes_on_in_the_middle_of_a_sentence_only() -> None:
    asked, told, last = (Piece(text=text) for text in ("去哪儿？", "我想去，", "成都"))
    assert not breaks_off(asked, told)
    assert breaks_off(told, last)
    assert not breaks_off(last, None)


def test_fillers_of_one_place_leave_those_of_the_other() -> None:
    own = HesitationSettings.model_validate({"zh": {"before_pause": ["怎么说呢"]}})
    assert own.zh.before_pause == ("怎么说呢",)
    assert (own.zh.after_pause, own.en) == (HesitationSettings().zh.after_pause, HesitationSettings().en)


@pytest.mark.parametrize(
    "wrong",
    [
        {"fillers": "sometimes"},
        {"fillers": 1},
        {"share": 1.1},
        {"seam": {"kind": "uniform", "low_s": 0.0, "high_s": 0.5}},
        {"en": {"before_pause": [], "after_pause": ["uh"]}},
        {"zh": {"before_pause": ["[break]"], "after_pause": ["呃"]}},
        {"zh": {"before_pause": [" "], "after_pause": ["呃"]}},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        HesitationSettings.model_validate(wrong)


def spoken(script: Script, chosen: HesitationSettings, seed: int) -> tuple[Utterance, ...]:
    """An utterance of 0.3 to 0.9 s per piece, a reply of 2 s."""
    plan, made = make_plan(script), []
    for number, line in enumerate(script.lines, start=1):
        own = pieces_of(plan.id, number, line, script.language, chosen, seed)
        for utterance_id, piece in zip(utterance_ids(plan.id, number, own), own, strict=True):
            length = 32_000 if line.role is Role.ASSISTANT else 4_801 + 600 * len(piece.text)
            made.append(make_utterance(utterance_id, line.role, piece.text, length, script.language, part=line.part))
    return tuple(made)


@settings(deadline=None, max_examples=40)
@given(hesitant(), st.sampled_from([ON, BEFORE, AFTER]), st.integers(0, 99), st.sampled_from([0.0, 0.1, 0.4]))
def test_in_a_scene_only_breaks_are_pauses(
    hesitation: tuple[Language, list[str]], chosen: HesitationSettings, seed: int, seam_s: float
) -> None:
    language, texts = hesitation
    chosen = chosen.model_copy(update={"seam": Fixed(value_s=seam_s)})
    script = make_script(Task.PAUSE, language, query=f" {BREAK_TAG} ".join(texts))
    scene = compose(
        make_plan(script), script, spoken(script, chosen, seed), SceneSettings(hesitation=chosen), seed=seed
    )
    (segment,) = scene.segments
    assert segment.text == shown_text(pieces_of("p1", 1, script.lines[0], language, chosen, seed))
    said = [one for one in scene.placements if one.role is Role.USER]
    gaps = [(a.stop, b.start) for a, b in pairwise(said)]
    pauses = [(event.start, event.stop) for event in scene.events if event.kind is EventKind.PAUSE]
    assert len(pauses) == len(texts) - 1
    assert set(pauses) <= set(gaps)
    for start, stop in gaps:
        assert ((stop - start) / SAMPLE_RATE_HZ > USER_MERGE_GAP_S) == ((start, stop) in pauses)
    fillers = [(event.start, event.stop) for event in scene.events if event.kind is EventKind.FILLER]
    assert fillers == [(one.start, one.stop) for one in said if one.utterance_id in _filler_ids(script, chosen, seed)]


def _filler_ids(script: Script, chosen: HesitationSettings, seed: int) -> set[str]:
    own = pieces_of("p1", 1, script.lines[0], script.language, chosen, seed)
    return {name for name, piece in zip(utterance_ids("p1", 1, own), own, strict=True) if piece.kind == "filler"}


@pytest.mark.parametrize("chosen", [BEFORE, AFTER])
@pytest.mark.parametrize(
    ("language", "query"),
    [
        (ZH, "我想订一张后天去 [break] 成都的高铁票，再订一间靠近 [break] 车站的房间。"),
        (EN, "I want to go to [break] the opera, and then to [break] a place near the river."),
    ],
)
def test_the_judge_of_pauses_takes_hesitations(
    tmp_path: Path, chosen: HesitationSettings, language: Language, query: str
) -> None:
    """Two pauses heard and none besides."""
    chosen = chosen.model_copy(update={"seam": Fixed(value_s=0.4)})
    script = make_script(Task.PAUSE, language, query=query)
    plan, utterances = make_plan(script), spoken(script, chosen, 1)
    scene = compose(plan, script, utterances, SceneSettings(hesitation=chosen), seed=1)
    assert len(scene.placements) == 6  # three parts of a sentence, two fillers, a reply
    lay_out(tmp_path / "r", Item(plan=plan, script=script, utterances=utterances, scene=scene))
    assert "T2.PAUSE_LENGTH" not in codes(tmp_path / "r")
    manifest = tmp_path / "r/track2" / language / "dev/Pause_Handling"
    for file in (manifest.with_suffix(".jsonl"), *manifest.glob("*.json")):
        file.write_text(file.read_text(encoding="utf-8").replace("[break]", "[break] [break]"), encoding="utf-8")
    assert "T2.PAUSE_LENGTH" in codes(tmp_path / "r")


def codes(root: Path) -> set[str]:
    return {finding.code for finding in validate_root(root, Thresholds()).findings}


def test_inventories_are_settings() -> None:
    mine = HesitationSettings(
        fillers="on",
        before_pause_share=1.0,
        zh=FillerWords(before_pause=("这个",), after_pause=("那",)),
        seam=Uniform(low_s=0.1, high_s=0.2),
    )
    assert shown_text(pieces(ZH, mine, "我要去", "成都")) == "我要去，这个 [break] 成都"
    assert mine.en == HesitationSettings().en
