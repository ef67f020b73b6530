"""The catalog's rows: of turns and voiced replies, what was told to the engine, and which tags are heard."""

from __future__ import annotations

import json

from data_schemas.catalog import CATALOG_SCHEMA
from data_schemas.emotions import Emotion
from data_schemas.expression import Expression
from data_schemas.item import Item
from data_schemas.layouts.registry import layout
from data_schemas.tasks import Language, Role, Task
from data_schemas.utterance import VocalSound
from flows.shards.catalog import catalog_frame
from tests.support.spoken_release import make_dialogue_item, make_scene_item
from tests.support.voiced_release import voiced

SEED = layout("track1-seed")


def test_a_voiced_reply_is_a_row_after_its_turn() -> None:
    item = voiced(make_dialogue_item(Language.ZH, 3, 1))
    rows = catalog_frame([(item, SEED)]).to_dicts()
    assert [(row["turn_id"], row["role"]) for row in rows] == [
        (turn, role) for turn in (1, 2, 3) for role in ("user", "assistant")
    ]
    audio = SEED.audio_files(item)
    for number, (said, reply) in enumerate(zip(rows[::2], rows[1::2], strict=True), start=1):
        turn = item.script.turns[number - 1]
        assert (said["text"], said["response_text"]) == (turn.text, turn.response_text)
        assert said["speaker"] == item.plan.user.id
        assert (reply["text"], reply["response_text"]) == (turn.response_text, None)
        assert reply["speaker"] == item.plan.assistant.id
        assert reply["file"] == audio[f"response_{number}.wav"]
        assert reply["duration_s"] == reply["stop_s"] == item.responses[number - 1].duration
        assert reply["voice"] == "voice-assistant"
        assert reply["utterance_id"] == f"{said['utterance_id']}.reply"


def test_a_reply_has_the_emotion_of_its_tone_and_a_turn_its_own() -> None:
    item = voiced(make_dialogue_item(Language.EN, 3, 1))
    felt = [(Emotion.SAD, 3), (Emotion.ANGER, 2), (Emotion.NEUTRAL, 0)]
    turns = tuple(
        turn.model_copy(update={"emotion": emotion, "intensity": intensity})
        for turn, (emotion, intensity) in zip(item.script.turns, felt, strict=True)
    )
    item = item.model_copy(update={"script": item.script.model_copy(update={"turns": turns})})
    rows = catalog_frame([(item, SEED)]).to_dicts()
    assert [(row["emotion"], row["intensity"]) for row in rows[::2]] == [("sad", 3), ("anger", 2), ("neutral", 0)]
    assert [(row["emotion"], row["intensity"]) for row in rows[1::2]] == [("sad", 1), ("neutral", 0), ("neutral", 0)]


def test_text_replies_and_scenes_have_the_rows_they_had() -> None:
    item, scene = make_dialogue_item(Language.EN, 5, 1), make_scene_item(Task.FOLLOW_UP, Language.EN, 7)
    frame = catalog_frame([(item, SEED), (scene, layout("track2"))])
    assert dict(frame.schema) == CATALOG_SCHEMA
    rows = frame.to_dicts()
    assert [row["role"] for row in rows[:5]] == [Role.USER.value] * 5
    assert sum(row["kind"] == "utterance" for row in rows[5:]) == len(scene.utterances)


def test_what_an_engine_was_told_and_what_was_added() -> None:
    item = make_dialogue_item(Language.ZH, 3, 1)
    first, second, third = item.utterances
    change = Expression(pitch_semitones=1.5, tempo=0.9)
    requests = [
        first.request.model_copy(update={"emotion": Emotion.SAD, "intensity": 2, "speed": 0.9, "voice_sha256": "ab"}),
        second.request.model_copy(
            update={
                "expression": change,
                "spoken_text": "唉，[laughter]算了",
                "sounds": (VocalSound(tag="[sigh]", after=2), VocalSound(tag="[sigh]", after=14)),
            }
        ),
        third.request,
    ]
    spoken = [
        one.model_copy(update={"request": request, "tries": tries})
        for tries, (one, request) in enumerate(zip(item.utterances, requests, strict=True), start=1)
    ]
    rows = catalog_frame([(Item.model_validate({**dict(item), "utterances": spoken}), SEED)]).to_dicts()
    told = [(row["told_emotion"], row["told_intensity"], row["speed"], row["voice_sha256"]) for row in rows]
    assert told == [("sad", 2, 0.9, "ab"), (None, None, 1.0, None), (None, None, 1.0, None)]
    assert [row["tries"] for row in rows] == [1, 2, 3]
    assert [row["heard_tags"] for row in rows] == [None, "[sigh] [laughter] [sigh]", None]
    assert [row["expression"] is None for row in rows] == [True, False, True]
    assert Expression.model_validate(json.loads(rows[1]["expression"])) == change
