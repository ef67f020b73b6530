import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data_schemas.emotions import DEEPDIALOGUE, EMOTIONTALK, NAMES, Emotion, parse_emotion
from data_schemas.export import EXPORTED, export, outdated
from data_schemas.foundation.base import RecordError, read_jsonl, write_jsonl
from data_schemas.foundation.randomness import named_generator, named_seed
from data_schemas.plan import EmotionStep, check_trajectory
from data_schemas.release import FileEntry, tree_sha256
from data_schemas.script import Script
from data_schemas.tags import strip_tags, tags_in
from data_schemas.tasks import Language, Task
from tests.support.scene_factory import make_plan, make_script
from tests.support.script_factory import make_trajectory


def test_every_vocabulary_maps_onto_the_seven() -> None:
    assert len(DEEPDIALOGUE) == 20
    assert set(EMOTIONTALK) == set(Emotion)
    assert {parse_emotion(label) for label in EMOTIONTALK.values()} == set(Emotion)
    assert set(DEEPDIALOGUE.values()) == set(Emotion)
    for language in Language:
        names = [name for choices in NAMES[language].values() for name in choices]
        assert len(names) == len(set(names))
    with pytest.raises(ValueError, match="anger"):
        parse_emotion("愤怒地")


def test_json_schemas_are_current_and_staleness_is_seen(tmp_path: Path) -> None:
    assert outdated() == [], "run: make schemas"
    export(tmp_path)
    (tmp_path / "Script.schema.json").write_text("{}", encoding="utf-8")
    (tmp_path / "Gone.schema.json").write_text("{}", encoding="utf-8")
    assert outdated(tmp_path) == ["Script", "Gone.schema.json"]
    assert len(EXPORTED) == len({kind.__name__ for kind in EXPORTED})


def test_records_are_frozen_and_refuse_unknown_keys() -> None:
    step = EmotionStep(emotion=Emotion.SAD, intensity=2)
    with pytest.raises(ValidationError):
        step.intensity = 3  # type: ignore[misc]
    with pytest.raises(ValidationError, match="extra_forbidden"):
        EmotionStep.model_validate({"emotion": "sad", "intensity": 2, "情绪": 1})


@pytest.mark.parametrize(("emotion", "intensity"), [("neutral", 1), ("anger", 0), ("anger", 4)])
def test_intensity_fits_the_emotion(emotion: str, intensity: int) -> None:
    with pytest.raises(ValidationError):
        EmotionStep.model_validate({"emotion": emotion, "intensity": intensity})


@pytest.mark.parametrize(
    ("task", "emotions"),
    [
        (Task.TRAJECTORY, "anger sad anger"),
        (Task.REASONING, "sad sad neutral"),
        (Task.EMPATHY, "sad neutral neutral"),
        (Task.EMPATHY, "sad happy fear"),
    ],
)
def test_broken_trajectories_are_refused(task: Task, emotions: str) -> None:
    with pytest.raises(ValueError, match=str(task)):
        check_trajectory(task, tuple(Emotion(label) for label in emotions.split()))


def test_scripts_and_plans_round_trip_through_files(tmp_path: Path) -> None:
    scripts = [make_trajectory("zh-1", Language.ZH), make_script(Task.PAUSE, Language.ZH)]
    assert write_jsonl(tmp_path / "剧本.jsonl", scripts) == 2
    assert list(read_jsonl(tmp_path / "剧本.jsonl", Script)) == scripts
    plan = make_plan(scripts[1])
    assert type(plan).from_json_line(plan.to_json_line()) == plan


def test_a_broken_line_names_file_line_and_field(tmp_path: Path) -> None:
    raw = json.loads(make_trajectory("a").to_json_line())
    raw["turns"][1]["emotion"] = "愤怒"
    path = tmp_path / "s.jsonl"
    path.write_text(make_trajectory("b").to_json_line() + "\n" + json.dumps(raw) + "\n", encoding="utf-8")
    with pytest.raises(RecordError, match=r"s\.jsonl:2: turns\.1\.emotion"):
        list(read_jsonl(path, Script))


@pytest.mark.parametrize("tag", ["[cough]", "[break]", "[咳嗽]"])
def test_unknown_tags_are_refused(tag: str) -> None:
    raw = json.loads(make_trajectory("a").to_json_line())
    raw["turns"][0]["text"] += f" {tag}"
    with pytest.raises(ValidationError, match=r"tag|stands in"):
        Script.model_validate(raw)


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ({"query": "我想去西安", "reply": "好的 [break] 去吧"}, "stands in the query"),
        ({"query": "我想 [break] 去西安", "reply": "好的 [break] 去吧"}, "stands in the query"),
        ({"query": "[break] 我想去西安"}, "stands between words"),
        ({"query": "我想去西安 [break] "}, "stands between words"),
        ({"query": "我想 [break] [sigh] [break] 去西安"}, "stands between words"),
    ],
)
def test_a_pause_stands_between_words_of_the_query(texts: dict[str, str], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        make_script(Task.PAUSE, Language.ZH, **texts)


@given(st.lists(st.sampled_from(["[sigh]", "你好", "well", "，", "[laughter]"]), max_size=8))
def test_stripping_leaves_no_tag(parts: list[str]) -> None:
    text = " ".join(parts)
    assert tags_in(strip_tags(text)) == ()
    assert strip_tags(text).count("你好") == parts.count("你好")


@given(st.integers(0, 2**31 - 1), st.text(max_size=20), st.text(max_size=20))
def test_randomness_depends_on_names_only(seed: int, record: str, stage: str) -> None:
    named_generator(seed, "someone", "else").random(100)
    assert named_seed(seed, record, stage) == named_seed(seed, record, stage)
    assert named_seed(seed, record, stage) != named_seed(seed, record, stage + "'")


def test_the_tree_hash_ignores_order_and_sees_every_change() -> None:
    entries = [FileEntry(path=name, sha256="0" * 64, bytes=1) for name in ("乙.wav", "a.wav")]
    whole = tree_sha256(entries)
    assert whole == tree_sha256(reversed(entries))
    assert whole != tree_sha256(entries[:1])
    assert whole != tree_sha256([entries[0], entries[1].model_copy(update={"bytes": 2})])
