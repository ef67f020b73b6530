"""Clips are exactly what rows label: samples, words, speakers; what cannot be read gives none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_schemas.layouts.base import FoundItem
from data_schemas.layouts.registry import detect_layouts
from data_schemas.tasks import SUB_TASKS, Language, Role, Task, Track
from tests.support.duplex_release import write_duplex_release
from tests.support.spoken_release import make_release
from tests.support.voiced_release import make_voiced_release
from validators.core.clips import Clip, clips_of

RATE = 16_000


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[FoundItem, Path], ...]:
    folder = tmp_path_factory.mktemp("clips")
    make_release(folder / "spoken" / "root")
    write_duplex_release(folder / "duplex" / "root", SUB_TASKS)
    roots = (folder / "spoken" / "root", folder / "duplex" / "root")
    return tuple((found, root) for root in roots for layout in detect_layouts(root) for found in layout.read(root))


def clips(found: FoundItem, root: Path) -> tuple[Clip, ...]:
    samples = {}
    for role, name in found.files.items():
        if name.endswith(".wav"):
            samples[role] = soundfile.read(root / name, dtype="float32")[0]
    return clips_of(found, samples, RATE)


def test_every_label_is_a_clip_and_ids_are_unique(items: tuple[tuple[FoundItem, Path], ...]) -> None:
    seen: list[str] = []
    for found, root in items:
        own = clips(found, root)
        if found.track is Track.EMOTION:
            labels = len(found.row["turns"])  # type: ignore[arg-type]
        else:
            labels = len(found.row["speech_segments"]) + len(found.row["assistant_segments"])  # type: ignore[arg-type]
        assert len(own) == labels
        seen += [f"{root}/{clip.id}" for clip in own]
        assert {clip.language for clip in own} == {found.language}
    assert len(set(seen)) == len(seen)
    assert {found.language for found, _ in items} == set(Language)


def test_a_clip_is_the_labelled_stretch_of_its_channel(items: tuple[tuple[FoundItem, Path], ...]) -> None:
    for found, root in items:
        for clip in clips(found, root):
            whole = soundfile.read(root / clip.file, dtype="float32")[0]
            first = round(clip.span[0] * RATE)
            assert np.array_equal(clip.samples, whole[first : first + len(clip.samples)])
            assert abs(clip.seconds - (clip.span[1] - clip.span[0])) <= 1 / RATE
            assert clip.samples.any()


def test_words_speakers_and_labels_come_from_the_row(items: tuple[tuple[FoundItem, Path], ...]) -> None:
    for found, root in items:
        own = {clip.name: clip for clip in clips(found, root)}
        if found.track is Track.EMOTION:
            turn = found.row["turns"][1]  # type: ignore[index]
            clip = own["turn_2"]
            assert (clip.text, clip.emotion, clip.intensity, clip.speaker) == (
                turn["text"],
                turn["emotion"],
                turn["intensity"],
                turn["speaker"],
            )
        else:
            segment = found.row["speech_segments"][0]  # type: ignore[index]
            assert (own["user_1"].text, own["user_1"].role, own["user_1"].speaker) == (
                segment["text"],
                Role(segment["role"]),
                segment["speaker"],
            )
            assistant = [clip for clip in own.values() if clip.role is Role.ASSISTANT]
            assert {clip.speaker for clip in assistant} == {found.row["speakers"]["assistant"]}  # type: ignore[index]


def test_a_voiced_reply_is_a_clip_of_the_assistant(tmp_path: Path) -> None:
    make_voiced_release(tmp_path / "set")
    (layout,) = detect_layouts(tmp_path / "set")
    for found in layout.read(tmp_path / "set"):
        own = {clip.name: clip for clip in clips(found, tmp_path / "set")}
        turns = found.row["turns"]
        assert isinstance(turns, list)
        voiced = "response_audio" in turns[0]
        assert len(own) == len(turns) * (2 if voiced else 1)
        assert len({clip.id for clip in own.values()}) == len(own)
        for number, turn in enumerate(turns if voiced else (), start=1):
            reply, said = own[f"response_{number}"], own[f"turn_{number}"]
            assert (reply.role, reply.text, reply.speaker) == (
                Role.ASSISTANT,
                turn["response_text"],
                turn["response_speaker"],
            )
            assert (reply.emotion, reply.intensity) == (None, None), "a tone is no label"
            assert said.role is Role.USER and said.speaker != reply.speaker
            assert reply.seconds == pytest.approx(turn["response_duration"])
            assert (reply.language, reply.split) == (said.language, said.split)


def test_a_reply_of_others_has_no_speaker_and_without_words_is_no_clip(
    items: tuple[tuple[FoundItem, Path], ...],
) -> None:
    dialogue = next(found for found, _ in items if found.track is Track.EMOTION)
    dialogue = dialogue.model_copy(update={"files": {"response_1": "a_1_response.wav"}})
    sound = {"response_1": np.full(160, 0.1, dtype=np.float32)}
    row = {"turns": [{"text": "嗯", "emotion": "sad", "response_text": "好。"}]}
    (clip,) = clips_of(dialogue.model_copy(update={"row": row}), sound, RATE)
    assert (clip.name, clip.speaker, clip.text) == ("response_1", None, "好。")
    del row["turns"][0]["response_text"]
    assert clips_of(dialogue.model_copy(update={"row": row}), sound, RATE) == ()


def test_third_parties_are_not_the_user(items: tuple[tuple[FoundItem, Path], ...]) -> None:
    for found, root in items:
        if found.task in {Task.THIRD_PARTY_BEFORE, Task.THIRD_PARTY_AFTER}:
            speakers = {clip.role: clip.speaker for clip in clips(found, root)}
            assert len({speakers[role] for role in (Role.USER, Role.ASSISTANT, Role.THIRD_PARTY)}) == 3


def test_labels_outside_the_file_and_unknown_rows_give_no_clip(items: tuple[tuple[FoundItem, Path], ...]) -> None:
    duplex = next(found for found, _ in items if found.track is Track.DUPLEX)
    dialogue = next(found for found, _ in items if found.track is Track.EMOTION)
    silence = np.zeros(160, dtype=np.float32)
    late = {"speech_segments": [{"xmin": 5.0, "xmax": 6.0, "text": "晚了"}], "assistant_segments": None}
    assert clips_of(duplex.model_copy(update={"row": late}), {"user": silence}, RATE) == ()
    for row in ({}, {"turns": "无"}, {"speech_segments": 3}):
        assert clips_of(duplex.model_copy(update={"row": row}), {"user": silence}, RATE) == ()
        assert clips_of(dialogue.model_copy(update={"row": row}), {"turn_1": silence}, RATE) == ()
    other = {"turns": [{"text": "嗯", "emotion": "joy"}]}
    (clip,) = clips_of(dialogue.model_copy(update={"row": other}), {"turn_1": silence}, RATE)
    assert (clip.emotion, clip.speaker) == (None, None)
