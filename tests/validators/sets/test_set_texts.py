"""Near-duplicate texts inside a split, across splits and against an excluded set; what is left alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data_schemas.foundation.base import RecordError
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Language, Split, Task, Track
from validators.core.thresholds import Thresholds
from validators.sets.exclusion import excluded_texts, read_exclusion
from validators.sets.set_texts import ExcludedTexts, ItemTexts, judge_texts, texts_of

ZH = ItemTexts(
    (
        "组里又把错的数据发给客户了，这都第三次了！",
        "结果挨骂的是我，我在楼梯间坐了半个小时。",
        "你说说，我今天的心情是怎么变的？",
    ),
    ("第三次了，换谁都得火。", "替别人挨骂，心里肯定憋屈。", "您先是因为数据发错而生气，后来替人挨骂，变得难过。"),
)
EN = ItemTexts(
    ("I got the job, they called me this morning while I was still in bed!", "Sadly my old dog cannot come along."),
    ("That is wonderful news.", "That must be hard for both of you."),
)
OTHER_ZH = ItemTexts(("我想订一张明天上午去成都的高铁票，靠窗的。",), ("明天上午去成都有三班，您要哪一班？",))
OTHER_EN = ItemTexts(("How do I get red wine out of a white shirt before dinner?",), ("Blot it, then use salt.",))


def item(
    name: str, split: Split = Split.TRAIN, language: Language = Language.ZH, task: Task | None = None
) -> FoundItem:
    return FoundItem(
        id=name,
        layout="track1-seed",
        track=Track.EMOTION,
        task=task or Task.EMPATHY,
        language=language,
        split=split,
        manifest=f"track1/{split}/{language}/task4.jsonl",
        line=1,
        row={},
        files={},
    )


def said(items: list[tuple[FoundItem, ItemTexts]], excluded: ExcludedTexts | None = None) -> list[tuple[str, str]]:
    findings = judge_texts(items, Thresholds(), excluded)
    for finding in findings:
        finding.to_json_line()
    return [(finding.code, finding.item) for finding in findings]


def reworded(texts: ItemTexts, old: str, new: str) -> ItemTexts:
    changed = ItemTexts(tuple(text.replace(old, new) for text in texts.own), texts.replies)
    assert changed != texts
    return changed


NEAR = [
    (Language.ZH, ZH, reworded(ZH, "第三次", "第四次")),
    (Language.EN, EN, reworded(EN, "morning", "evening")),
]


@pytest.mark.parametrize(("language", "texts", "near"), NEAR, ids=["zh", "en"])
def test_near_in_the_other_split_is_a_leak_and_in_the_same_one_a_warning(
    language: Language, texts: ItemTexts, near: ItemTexts
) -> None:
    first = (item("a", Split.TRAIN, language), texts)
    assert said([first, (item("b", Split.DEV, language), near)]) == [("SET.NEAR_TEXT_LEAK", "b")]
    assert said([first, (item("b", Split.TRAIN, language), near)]) == [("SET.NEAR_DUPLICATE_TEXT", "b")]


@pytest.mark.parametrize(("language", "texts", "near"), NEAR, ids=["zh", "en"])
def test_of_a_pair_the_later_id_is_named_in_any_order(language: Language, texts: ItemTexts, near: ItemTexts) -> None:
    items = [(item("a", Split.TRAIN, language), texts), (item("b", Split.DEV, language), near)]
    assert judge_texts(items[::-1], Thresholds())[0].message.endswith("of a (in train; this one is in dev)")
    assert said(items[::-1]) == said(items) == [("SET.NEAR_TEXT_LEAK", "b")]


def test_a_leak_weighs_more_than_a_nearer_duplicate() -> None:
    train, near = reworded(ZH, "第三次", "第四次"), reworded(ZH, "半个小时", "一个钟头")
    items = [(item("a"), train), (item("b", Split.DEV), near), (item("c", Split.DEV), reworded(near, "组里", "部门"))]
    assert said(items) == [("SET.NEAR_TEXT_LEAK", "b"), ("SET.NEAR_TEXT_LEAK", "c")]


@pytest.mark.parametrize(("language", "texts", "other"), [(Language.ZH, ZH, OTHER_ZH), (Language.EN, EN, OTHER_EN)])
def test_one_copied_line_is_enough(language: Language, texts: ItemTexts, other: ItemTexts) -> None:
    copied = ItemTexts((*other.own, texts.own[0]), other.replies)
    items = [(item("a", Split.TRAIN, language), texts), (item("b", Split.DEV, language), copied)]
    assert said(items) == [("SET.NEAR_TEXT_LEAK", "b")]


def test_other_stories_short_lines_and_shared_replies_are_left_alone() -> None:
    short = ItemTexts((*OTHER_ZH.own, "等一下，多少钱？"), OTHER_ZH.replies)
    longer = ItemTexts((*ZH.own, "等一下，多少钱？"), (*ZH.replies, OTHER_ZH.replies[0]))
    assert said([(item("a"), short), (item("b", Split.DEV), longer)]) == []
    assert said([(item("a"), ItemTexts(("嗯。",), ())), (item("b", Split.DEV), ItemTexts(("嗯。", "好。"), ()))]) == []
    assert said([(item("a"), ItemTexts((), ())), (item("b"), ItemTexts((), ()))]) == []


def test_the_form_of_a_final_question_may_come_back() -> None:
    question = "那你帮我理一理，这几件事里我的心情到底是怎么一步一步变过来的呢？"
    items = [
        (item("a", task=Task.TRAJECTORY), ItemTexts((*OTHER_ZH.own, question), ())),
        (item("b", Split.DEV, task=Task.TRAJECTORY), ItemTexts((*ZH.own, question.replace("几", "些")), ())),
    ]
    assert said(items) == []
    assert said([(item(one.id, one.split), texts) for one, texts in items]) == [("SET.NEAR_TEXT_LEAK", "b")]


def test_exact_copies_are_left_to_the_exact_judge() -> None:
    loud = ItemTexts(tuple(text.replace("，", "！") for text in ZH.own), ZH.replies)
    assert said([(item("a"), ZH), (item("b", Split.DEV), loud)]) == []


def test_excluded_lines_and_items() -> None:
    items = [(item("a"), ZH), (item("b"), OTHER_ZH), (item("c", language=Language.EN), EN)]
    reply = ExcludedTexts(lines=(("test.txt:1", ZH.replies[2]),))
    assert said(items, reply) == [("SET.EXCLUDED_TEXT", "a")]
    whole = ExcludedTexts(items=(("x of test", Language.EN, reworded(EN, "morning", "evening")),))
    assert said(items, whole) == [("SET.EXCLUDED_TEXT", "c")]
    assert (
        said(items, ExcludedTexts(lines=(("test.txt:1", "嗯。"), ("test.txt:2", "今天天气不错，我们去爬山吧。")))) == []
    )


def test_the_order_of_excluded_texts_changes_nothing_but_the_place() -> None:
    lines = (("t:1", ZH.own[0]), ("t:2", OTHER_EN.own[0]))
    first, second = (said([(item("a"), ZH)], ExcludedTexts(lines=order)) for order in (lines, lines[::-1]))
    assert first == second == [("SET.EXCLUDED_TEXT", "a")]


def test_a_data_set_as_exclusion(bench: object, sound_root: Path, tmp_path: Path) -> None:
    del bench
    exclusion = read_exclusion(sound_root)
    assert len(exclusion.items) == 6
    again = [(found, texts_of(found, sound_root)) for found in exclusion.items]
    hit = {name for code, name in said(again, excluded_texts([exclusion])) if code == "SET.EXCLUDED_TEXT"}
    assert hit == {found.id for found in exclusion.items}
    strangers = [(item("a"), ItemTexts(("这句话哪儿都没有出现过，谁也没有说过。",), ()))]
    assert said(strangers, excluded_texts([exclusion])) == []


@pytest.mark.parametrize("name", ["texts.txt", "rows.jsonl"])
def test_a_file_of_texts_as_exclusion(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    line = ZH.own[1] if name.endswith("txt") else json.dumps({"turns": [{"text": ZH.own[1]}]}, ensure_ascii=False)
    path.write_text(f"{line}\n", encoding="utf-8")
    exclusion = read_exclusion(path)
    assert exclusion.items == ()
    assert said([(item("a"), ZH)], exclusion.texts) == [("SET.EXCLUDED_TEXT", "a")]


def broken(folder: Path) -> None:
    (folder / "dev" / "zh").mkdir(parents=True)
    (folder / "dev" / "zh" / "task2.jsonl").write_bytes(b"\xff\n")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda folder: None, "holds no text"),
        (shutil.rmtree, "does not exist"),
        (broken, "holds no item that can be read"),
    ],
)
def test_an_exclusion_that_excludes_nothing_is_refused(
    tmp_path: Path, prepare: Callable[[Path], object], message: str
) -> None:
    folder = tmp_path / "测试集"
    folder.mkdir()
    prepare(folder)
    with pytest.raises(RecordError, match=message):
        read_exclusion(folder)


@pytest.mark.parametrize("turns", [None, 3, "x", [1, None], [{}], [{"text": 5}], {"text": "好"}])
def test_labels_of_wrong_form_have_no_texts(turns: object) -> None:
    found = item("a").model_copy(update={"row": {"turns": turns}})
    assert texts_of(found, Path()) == ItemTexts((), ())
    scene = found.model_copy(update={"track": Track.DUPLEX, "row": {"speech_segments": turns}})
    assert texts_of(scene, Path()) == ItemTexts((), ())
