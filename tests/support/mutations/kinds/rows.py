"""Rows and labels: numbers, order, counts, and the bytes of manifests."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Language, Task
from tests.support.mutations.kinds.common import (
    BOOKS,
    BOUNDS,
    CLEAN_FILE,
    OTHER_VOICE,
    OTHER_WORDS,
    is_dialogue,
    is_scene,
)
from tests.support.mutations.planting import Applies, Copy, Kind, Plant, Planted, Row, at, place_of

GROUP = "rows"
#: what a label that points elsewhere also breaks
_LABELS = (
    OTHER_WORDS
    | OTHER_VOICE
    | BOUNDS
    | BOOKS
    | CLEAN_FILE
    | {
        "T2.ROW_AGREES",
        "T2.SEGMENT_ORDER",
        "T2.SEGMENT_GAP",
        "T2.FINAL_DURATION",
        "T2.TAIL",
        "T2.EVENT_PLACE",
        "T2.EVENT_LATENCY",
        "T2.EVENT_LINES",
        "T2.EVENT_MISSING",
        "T2.EVENT_FIELDS",
        "T2.FLOOR",
        "T2.LINES",
        "T2.TURN_COUNT",
        "T2.PAUSE_LENGTH",
        "TIMELINE.USER_OUTSIDE",
        "TIMELINE.USER_ABSENT",
        "TIMELINE.FLOOR",
        "SCENE.SEGMENT_INVENTED",
        "SCENE.SEGMENT_MISSED",
        "SCENE.EVENT_SILENT",
        "SCENE.OVERLAP_MISSED",
        "SCENE.OVERLAP_UNPLANNED",
    }
)
#: what one bad line takes from the set: its item
_LOST = BOOKS | {"SET.BAD_ROW", "SET.UNREADABLE", "T2.ROW_MISSING", "T1.ROW_FIELDS", "T2.ROW_AGREES",
                 "TIMELINE.ASSISTANT_FIELDS", "T2.EVENT_FIELDS", "T2.MICROPHONE", "T2.ASSISTANT_LABELS"}  # fmt: skip


def _labels(change: Callable[[list[Row], Row], object]) -> Callable[..., Planted]:
    """``change(segments, row)`` in ``sentence.json`` and row alike."""

    def plant(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
        copy.edit_labels(found, lambda row: change(row["speech_segments"], row))
        return at(found)

    return plant


def _row(change: Callable[[Row], object]) -> Callable[..., Planted]:
    def plant(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
        copy.edit_row(found, change)
        return at(found)

    return plant


def _negative(segments: list[Row], row: Row) -> None:
    segments[0]["xmin"] = -0.25


def _backwards(segments: list[Row], row: Row) -> None:
    segments[-1]["xmin"], segments[-1]["xmax"] = segments[-1]["xmax"], segments[-1]["xmin"]


def _overlapping(segments: list[Row], row: Row) -> None:
    segments[1]["xmin"] = round(segments[0]["xmax"] - 0.2, 7)


def _touching(segments: list[Row], row: Row) -> None:
    segments[0]["xmax"] = round(segments[1]["xmin"] - 0.3, 7)


def _beyond(segments: list[Row], row: Row) -> None:
    segments[-1]["xmax"] = round(row["final_duration"] + 1.0, 7)


def _wrong_length(segments: list[Row], row: Row) -> None:
    row["final_duration"] = round(row["final_duration"] + 0.5, 7)


def _fused(segments: list[Row], row: Row) -> None:
    """All segments become one."""
    segments[0]["xmax"] = segments[-1]["xmax"]
    segments[0]["text"] = " ".join(segment["text"] for segment in segments)
    del segments[1:]


def _short_tail(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """Both channels end a second after the last label."""
    end = round(max(label["xmax"] for label in found.row["speech_segments"]) + 1.0, 4)  # type: ignore[attr-defined]
    for role in ("user", "assistant", "clean"):
        if role in found.files and (copy.root / found.files[role]).exists():
            copy.write_wave(found.files[role], copy.wave(found.files[role])[: round(end * 16_000)])
    copy.edit_labels(found, lambda row: row.update(final_duration=end))
    return at(found)


def _only_in_row(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """``sentence.json`` says one thing, the row another."""
    path = found.files["sentence"]
    labels = json.loads((copy.root / path).read_text(encoding="utf-8"))
    labels["speech_segments"][0]["xmax"] = round(labels["speech_segments"][0]["xmax"] - 0.05, 7)
    copy.write_bytes(path, json.dumps(labels, ensure_ascii=False).encode())
    return at(found)


def _event_moved(row: Row) -> None:
    row["events"][0]["start"] = round(row["events"][0]["start"] + 0.4, 7)
    row["events"][0]["stop"] = round(row["events"][0]["stop"] + 0.4, 7)


def _event_lost(row: Row) -> None:
    del row["events"][0]


def _floor_lost(row: Row) -> None:
    del row["floor"][0]


def _line(damage: Callable[[bytes], bytes]) -> Callable[..., Planted]:
    """Damage the bytes of an item's line; the manifest is at fault, and the item cannot be read any more."""

    def plant(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
        manifest, place = place_of(found)
        lines = (copy.root / manifest).read_bytes().splitlines(keepends=True)
        lines[place] = damage(lines[place])
        copy.write_bytes(manifest, b"".join(lines))
        return at(found, manifest, cell_of(found))

    return plant


def cell_of(found: FoundItem) -> str:
    """The item's quota cell as the judges name it; rows of scenes do not count turns."""
    turns = (_turns(found),) if is_dialogue(found) else ()
    return "/".join(map(str, (found.task.value, found.language.value, *turns, found.split.value)))


def _not_a_number(line: bytes) -> bytes:
    key = b'"duration"' if b'"duration"' in line else b'"final_duration"'
    row: dict[str, Any] = json.loads(line)
    if key == b'"duration"':
        row["turns"][0]["duration"] = float("nan")
    else:
        row["final_duration"] = float("nan")
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _bad_sentence(body: bytes) -> Callable[..., Planted]:
    def plant(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
        copy.write_bytes(found.files["sentence"], body)
        return at(found)

    return plant


def _wrong_turns(row: Row) -> None:
    row["turns"].reverse()


def _turn_missing(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    copy.edit_row(found, lambda row: row["turns"].pop(0))
    turns = _turns(found)
    fewer = cell_of(found).replace(f"/{turns}/", f"/{turns - 1}/")
    return at(found, found.files["turn_1"], cell_of(found), fewer)


def _empty_text(row: Row) -> None:
    row["turns"][0]["text"] = ""


def _id_digits(row: Row) -> None:
    other = Language.EN.value if f"_{Language.ZH.value}_" in row["dialogue_id"] else Language.ZH.value
    task, turns, _, group, number = row["dialogue_id"].split("_")
    row["dialogue_id"] = "_".join((task, turns, other, group, number))


def _renamed(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    copy.edit_row(found, _id_digits)
    fresh = copy.rows(place_of(found)[0])[place_of(found)[1]]["dialogue_id"]
    return at(found, str(fresh))


def _audio_elsewhere(row: Row) -> None:
    path = PurePosixPath(row["turns"][0]["split_audio_file"])
    row["turns"][0]["split_audio_file"] = f"../{path}"


def _sub_task(found: FoundItem) -> bool:
    return is_scene(found) and found.task is not Task.CONVERSATION


def _turns(found: FoundItem) -> int:
    return sum(role.startswith("turn") for role in found.files)


def _many_turns(found: FoundItem) -> bool:
    return _turns(found) > 1


def _two(found: FoundItem) -> bool:
    return is_scene(found) and len(found.row["speech_segments"]) >= 2  # type: ignore[arg-type]


def _with_events(found: FoundItem) -> bool:
    return is_scene(found) and bool(found.row["events"])


def _kind(
    name: str, code: str, plant: Plant, applies: Applies, follows: AbstractSet[str] = _LABELS, cases: int = 3
) -> Kind:
    return Kind(name, GROUP, code, plant, applies, frozenset(follows), cases)


_TURNS = _LOST | {"T1.ID_DIGITS", "T1.TURN_ORDER", "T1.TURN_COUNT", "T1.AUDIO_NAME", "T1.AUDIO_MISSING",
                  "T1.EMOTION_CHANGE", "T1.EMPATHY_TURNS", "T1.REPLY_NAMES_EMOTIONS"} | OTHER_WORDS  # fmt: skip
KINDS: tuple[Kind, ...] = (
    _kind("negative time", "T2.SEGMENT_ORDER", _labels(_negative), is_scene, _LABELS | _LOST),
    _kind("xmin after xmax", "T2.SEGMENT_ORDER", _labels(_backwards), is_scene, _LABELS | _LOST),
    _kind("segments overlap", "T2.SEGMENT_ORDER", _labels(_overlapping), _two),
    _kind("segments 0.3 s apart", "T2.SEGMENT_GAP", _labels(_touching), lambda f: _two(f) and _sub_task(f)),
    _kind("label beyond the file", "T2.SEGMENT_ORDER", _labels(_beyond), is_scene),
    _kind("final_duration half a second long", "T2.FINAL_DURATION", _labels(_wrong_length), is_scene),
    _kind("too few segments", "T2.SEGMENT_COUNT", _labels(_fused), lambda f: _two(f) and _sub_task(f),
          _LABELS | {"T2.SEGMENT_ROLES"}),
    _kind("tail of one second", "T2.TAIL", _short_tail, _sub_task,
          _LABELS | {"TIMELINE.ASSISTANT_FIELDS", "TIMELINE.ASSISTANT_OUTSIDE"}),
    _kind("sentence.json and row disagree", "T2.ROW_AGREES", _only_in_row, is_scene),
    _kind("event 0.4 s off", "T2.EVENT_PLACE", _row(_event_moved), _with_events),
    _kind("event left out", "T2.EVENT_MISSING", _row(_event_lost), _with_events),
    _kind("floor left out", "T2.FLOOR", _row(_floor_lost), is_scene),
    _kind("sentence.json is no JSON", "T2.SENTENCE_FIELDS", _bad_sentence(b'{"final_duration": '), is_scene),
    _kind("sentence.json with NaN", "T2.SENTENCE_FIELDS",
          _bad_sentence(b'{"final_duration": NaN, "speech_segments": []}'), is_scene),
    _kind("turns in reverse order", "T1.TURN_ORDER", _row(_wrong_turns),
          _many_turns, _TURNS | {"T1.EMOTION_FINAL"}),
    _kind("turn missing", "T1.ID_DIGITS", _turn_missing, _many_turns, _TURNS),
    _kind("empty text", "T1.TEXT_EMPTY", _row(_empty_text), is_dialogue, _TURNS | {"T1.TEXT_LANGUAGE"}),
    _kind("id of another language", "T1.ID_DIGITS", _renamed, is_dialogue, _TURNS),
    _kind("path that leaves the folder", "T1.AUDIO_NAME", _row(_audio_elsewhere), is_dialogue, _TURNS),
    _kind("byte-order mark", "SET.BAD_ROW", _line(lambda line: b"\xef\xbb\xbf" + line),
          lambda f: f.line == 1, _LOST, 4),
    _kind("blank line", "SET.BAD_ROW", _line(lambda line: line + b"\n"), lambda f: True, _LOST, 4),
    _kind("carriage return", "SET.BAD_ROW", _line(lambda line: line.rstrip(b"\n") + b"\r\n"), lambda f: True, _LOST),
    _kind("NaN in a row", "SET.BAD_ROW", _line(_not_a_number), lambda f: True, _LOST, 4),
    _kind("invalid UTF-8", "SET.BAD_ROW", _line(lambda line: line[:40] + b"\xff\xfe" + line[40:]), lambda f: True,
          _LOST, 4),
    _kind("half a row", "SET.BAD_ROW", _line(lambda line: line[: len(line) // 2] + b"\n"), lambda f: True, _LOST),
)  # fmt: skip
