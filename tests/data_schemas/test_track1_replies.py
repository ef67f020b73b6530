"""Voiced replies of Track 1: where they lie, what the row says, and that rows without them stay what they were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
from pydantic import ValidationError

from data_schemas.item import Item
from data_schemas.layouts.registry import layout
from data_schemas.layouts.track1_rows import Track1Row, Track1Turn
from data_schemas.tasks import Language, Task
from tests.support.spoken_release import make_dialogue_item, make_scene_item
from tests.support.voiced_release import make_voiced_release, voiced

LAYOUTS = ("track1-seed", "track1-later")
REPLY_KEYS = {"response_audio", "response_speaker", "response_duration"}


@pytest.mark.parametrize("name", LAYOUTS)
def test_replies_are_written_and_read_back(name: str, tmp_path: Path) -> None:
    chosen = layout(name)
    items = {chosen.item_id(item): item for item in make_voiced_release(tmp_path / "集", name)}
    for found in chosen.read(tmp_path / "集"):
        item = items[found.id]
        turns = range(1, len(item.utterances) + 1)
        replies = {f"response_{n}" for n in turns if item.responses}
        assert set(found.files) == {f"turn_{n}" for n in turns} | replies
        home = Path(found.manifest or "").parent
        for n in turns if item.responses else ():
            row, file = found.row["turns"][n - 1], found.files[f"response_{n}"]  # type: ignore[index]
            folder = Path(found.manifest or "").stem
            assert row["response_audio"] == f"{folder}_model/{found.id}_{n}_response.wav"
            assert file == (home / row["response_audio"]).as_posix()
            assert row["response_speaker"] == item.plan.assistant.id != row["speaker"]
            frames = soundfile.info(tmp_path / "集" / file).frames
            assert frames == item.responses[n - 1].num_samples != item.utterances[n - 1].num_samples
            assert row["response_duration"] == round(frames / 16_000, 7)


def test_a_row_without_voiced_replies_is_what_it_was() -> None:
    """Byte for byte, and key by key in the old order."""
    item = make_dialogue_item(Language.ZH, 3, 1)
    line = layout("track1-seed").row(item).to_json_line()
    (first, *_) = json.loads(line)["turns"]
    assert list(first) == [
        "turn_id", "text", "emotion", "split_audio_file", "response_text", "speaker", "intensity", "cause", "duration",
    ]  # fmt: skip
    turns = layout("track1-seed").row(voiced(item)).model_dump(mode="json")["turns"]
    assert list(turns[0])[:9] == list(first)
    for turn, utterance in zip(turns, item.utterances, strict=True):
        for key in REPLY_KEYS:
            del turn[key]
        turn["speaker"] = utterance.speaker
    assert json.loads(line)["turns"] == turns


@pytest.mark.parametrize("key", sorted(REPLY_KEYS))
def test_a_rows_reply_is_whole_or_absent(key: str) -> None:
    row = layout("track1-seed").row(voiced(make_dialogue_item(Language.EN, 3, 1)))
    assert isinstance(row, Track1Row)
    turn = row.turns[0].model_dump()
    assert Track1Turn.model_validate(turn) == row.turns[0]
    del turn[key]
    with pytest.raises(ValidationError, match="stand together or not at all"):
        Track1Turn.model_validate(turn)


def test_an_item_has_all_replies_or_none() -> None:
    item = voiced(make_dialogue_item(Language.ZH, 3, 1))
    assert Item.from_json_line(item.to_json_line()) == item
    for wrong, words in (
        ({"responses": item.responses[:2]}, "one for each turn, or none"),
        ({"responses": item.utterances}, "spoken by the assistant"),
    ):
        with pytest.raises(ValidationError, match=words):
            Item.model_validate({**dict(item), **wrong})
    scene = make_scene_item(Task.FOLLOW_UP, Language.ZH, 7)
    with pytest.raises(ValidationError, match="Track 1 item's turns"):
        Item.model_validate({**dict(scene), "responses": item.responses})


def test_replies_do_not_move_the_turns_files() -> None:
    item = make_dialogue_item(Language.EN, 5, 1)
    for name in LAYOUTS:
        bare, spoken = layout(name).audio_files(item), layout(name).audio_files(voiced(item))
        assert bare.items() < spoken.items()
        assert len(spoken) == 2 * len(bare) == len(set(spoken.values()))
