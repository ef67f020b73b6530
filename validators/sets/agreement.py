"""One release, told three times: the rows, ``catalog.parquet`` and ``scripts.jsonl`` must agree, and the lock's counts.

What only one of them holds is not compared; data sets without these files have nothing to agree with.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import polars
from pydantic import BaseModel, ConfigDict

from data_schemas.catalog import CATALOG_SCHEMA, EVENT, UTTERANCE
from data_schemas.finding import Finding
from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.foundation.base import RecordError
from data_schemas.layouts.base import FoundItem
from data_schemas.layouts.rows import read_rows
from data_schemas.tasks import Channel, Language, Role, Task, Track
from validators.core.codes import Judge
from validators.files.lock import LOCK_FILE
from validators.rows.rows import read_json, view
from validators.sets.catalog import CATALOG_FILE
from validators.text.texts import units

VALIDATOR = "agreement/1"
SCRIPTS_FILE = "scripts.jsonl"

#: (track, language, id): unique in a release, whose ids end with an index per track and language
Key = tuple[str, str, str]
Row = Mapping[str, Any]

_COLUMNS = (
    "item_id", "track", "task", "language", "split", "script_id", "kind", "file", "channel", "role", "turn_id", "line",
    "speaker", "text", "heard_text", "emotion", "intensity", "response_text", "start_s", "stop_s", "duration_s",
    "cut", "event_kind", "latency_s",
)  # fmt: skip
_KEY_COLUMNS = ("track", "language", "item_id")
_SHOWN_DIFFERENCES = 3
_SHOWN_CHARACTERS = 60
_HASH_BYTES = 8


def judge_agreement(root: Path, items: Iterable[FoundItem]) -> tuple[Finding, ...]:
    """Rows against catalog and lock, the catalog against the scripts; one pass over the items.

    At most one ``SET.CATALOG_AGREES`` finding per item, with the first differences. Memory grows with the catalog
    (its columns that are compared) and 60 bytes for each line of the scripts.
    """
    findings: list[Finding] = []
    catalog = read_catalog(root)
    if isinstance(catalog, Finding):
        findings.append(catalog)
        catalog = None
    seen: set[Key] = set()
    counted: Counter[Cell] = Counter()
    for found in items:
        if found.manifest is None:
            continue  # a file without a row: for the catalog as if it were not there
        counted[_cell_of(found)] += 1
        if catalog is not None:
            key = (found.track.value, found.language.value, found.id)
            seen.add(key)
            findings += _said(found.id, found.manifest, _differences(found, catalog.rows(key)))
    if catalog is not None:
        missing = (f"{CATALOG_FILE} lists it, and no manifest has a row for it",)
        for key in sorted(catalog.places.keys() - seen):
            findings += _said(key[-1], catalog.file_of(key), missing)
        findings += _scripts(root, catalog)
    findings += _counts(root, counted)
    return tuple(findings)


class Catalog(NamedTuple):
    """The catalog's rows by item."""

    frame: polars.DataFrame  # rows of one item stand together
    places: Mapping[Key, tuple[int, int]]  # item -> first row, number of rows

    def rows(self, key: Key) -> list[dict[str, Any]]:
        first, number = self.places.get(key, (0, 0))
        return self.frame.slice(first, number).to_dicts()

    def file_of(self, key: Key) -> str:
        """A file of the item, whose path tells its language; ids alone may not."""
        return str(self.frame["file"][self.places[key][0]] or CATALOG_FILE)


def read_catalog(root: Path) -> Catalog | Finding | None:
    """The catalog below ``root``, one sentence why it cannot be compared, or None where there is none."""
    path = root / CATALOG_FILE
    if not path.exists():
        return None
    judge = Judge(VALIDATOR, CATALOG_FILE, CATALOG_FILE)
    try:
        frame = polars.read_parquet(path, columns=list(_COLUMNS), use_pyarrow=False)
    except (polars.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return judge.say("SET.CATALOG_AGREES", f"{CATALOG_FILE} cannot be read as a catalog: {reason}")
    wrong = [name for name in _COLUMNS if frame.schema[name] != CATALOG_SCHEMA[name]]
    if wrong:
        return judge.say("SET.CATALOG_AGREES", f"{CATALOG_FILE}: columns of another type: {', '.join(wrong)}")
    frame = frame.drop_nulls(_KEY_COLUMNS).sort(_KEY_COLUMNS, maintain_order=True)
    groups = frame.group_by(_KEY_COLUMNS, maintain_order=True).len()
    places, first = {}, 0
    for track, language, item_id, number in groups.iter_rows():
        places[track, language, item_id] = (first, number)
        first += number
    return Catalog(frame, places)


def _said(item: str, file: str, differences: Iterable[str]) -> Iterator[Finding]:
    found = list(differences)
    if found:
        more = f" (and {len(found) - _SHOWN_DIFFERENCES} more)" if len(found) > _SHOWN_DIFFERENCES else ""
        message = "; ".join(islice(found, _SHOWN_DIFFERENCES)) + more
        yield Judge(VALIDATOR, item, file).say("SET.CATALOG_AGREES", message, value=len(found))


def _differences(found: FoundItem, rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        yield f"{CATALOG_FILE} does not list it"
        return
    for name, value in (("task", found.task.value), ("split", found.split.value)):
        yield from _differ(name, value, rows[0][name])
    spoken = [row for row in rows if row["kind"] == UTTERANCE]
    if found.track is Track.EMOTION:
        yield from _dialogue(found, spoken)
    else:
        yield from _lines(found, spoken)
        yield from _events(found, [row for row in rows if row["kind"] == EVENT])


def _differ(name: str, said: object, known: object) -> Iterator[str]:
    """One clause where a value of a row is not the catalog's; times are equal to within one sample."""
    here, there = _number(said), _number(known)
    same = said == known if here is None or there is None else abs(here - there) <= 1 / SAMPLE_RATE_HZ
    if not same:
        yield f"{name} is {_show(said)}, {CATALOG_FILE} says {_show(known)}"


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _dialogue(found: FoundItem, rows: Sequence[Row]) -> Iterator[str]:
    value = found.row.get("turns")
    turns = value if isinstance(value, list) else []
    said = [row for row in rows if row["role"] != Role.ASSISTANT.value]
    replies = {row["turn_id"]: row for row in rows if row["role"] == Role.ASSISTANT.value}
    yield from _differ("number of turns", len(turns), len(said))
    for turn, row in zip(turns, sorted(said, key=lambda row: row["turn_id"] or 0), strict=False):
        if not isinstance(turn, dict):
            continue  # T1.ROW_FIELDS of the item says so
        name = f"turn {row['turn_id']}:"
        for field in ("turn_id", "text", "emotion", "intensity", "speaker", "response_text"):
            if field in turn:
                yield from _differ(f"{name} {field}", turn[field], row[field])
        if "duration" in turn:
            yield from _differ(f"{name} duration", turn["duration"], row["duration_s"])
        if "split_audio_file" in turn:
            file = found.files.get(f"turn_{turn.get('turn_id')}")
            yield from _differ(f"{name} file", file, row["file"])
        yield from _reply(found, turn, replies.get(row["turn_id"]))
    voiced = sum(isinstance(turn, dict) and bool(turn.get("response_audio")) for turn in turns)
    yield from _differ("number of voiced replies", voiced, len(replies))


def _reply(found: FoundItem, turn: dict[str, Any], row: Row | None) -> Iterator[str]:
    """The voiced reply to a turn; where only one side has one, their numbers differ."""
    if row is None or not turn.get("response_audio"):
        return
    name = f"reply {row['turn_id']}:"
    yield from _differ(f"{name} text", turn.get("response_text"), row["text"])
    yield from _differ(f"{name} file", found.files.get(f"response_{turn.get('turn_id')}"), row["file"])
    for field, column in (("response_speaker", "speaker"), ("response_duration", "duration_s")):
        if field in turn:
            yield from _differ(f"{name} {field}", turn[field], row[column])


def _lines(found: FoundItem, rows: Sequence[Row]) -> Iterator[str]:
    """Labels that name their line of the script; without that it is not known which row of the catalog is meant."""
    speakers = found.row.get("speakers")
    assistant = speakers.get(Role.ASSISTANT.value) if isinstance(speakers, dict) else None
    for channel, field in ((Channel.USER, "speech_segments"), (Channel.ASSISTANT, "assistant_segments")):
        value = found.row.get(field)
        labels = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
        if not labels or not all("line" in label for label in labels):
            continue
        own = [row for row in rows if row["channel"] == channel.value]
        labelled = [label["line"] for label in labels]
        yield from _differ(f"lines of the {channel}'s channel", labelled, _in_order(own))
        for label in labels:
            pieces = [row for row in own if row["line"] == label["line"]]
            if pieces:
                speaker = assistant if channel is Channel.ASSISTANT else label.get("speaker")
                yield from _line(found.language, channel, label, speaker, pieces)


def _in_order(rows: Sequence[Row]) -> list[int]:
    return list(dict.fromkeys(row["line"] for row in sorted(rows, key=lambda row: row["start_s"])))


def _line(
    language: Language, channel: Channel, label: dict[str, Any], speaker: object, pieces: Sequence[Row]
) -> Iterator[str]:
    """One label and the utterances of its line: several where a pause lies between them."""
    name = f"line {label['line']}:"
    ordered = sorted(pieces, key=lambda row: row["start_s"])
    heard = [row["heard_text"] if channel is Channel.ASSISTANT or row["cut"] else row["text"] for row in ordered]
    yield from _same_words(f"{name} text", label.get("text"), heard, language)
    if "planned_text" in label:
        planned = [row["text"] for row in ordered]
        yield from _same_words(f"{name} planned_text", label["planned_text"], planned, language)
    yield from _differ(f"{name} xmin", label.get("xmin"), ordered[0]["start_s"])
    yield from _differ(f"{name} xmax", label.get("xmax"), max(row["stop_s"] for row in ordered))
    if speaker is not None:
        yield from _differ(f"{name} speaker", speaker, ordered[0]["speaker"])
    if "cut" in label:
        yield from _differ(f"{name} cut", label["cut"], any(row["cut"] for row in ordered))


def _same_words(name: str, text: object, pieces: Sequence[str | None], language: Language) -> Iterator[str]:
    """Word for word where a line is one utterance; pieces of a line are joined by the label's own tags."""
    if len(pieces) == 1 or not isinstance(text, str):
        yield from _differ(name, text, pieces[0])
    elif units(text, language) != units(" ".join(piece or "" for piece in pieces), language):
        yield from _differ(name, text, " ".join(piece or "" for piece in pieces))


def _events(found: FoundItem, rows: Sequence[Row]) -> Iterator[str]:
    value = found.row.get("events")
    if not isinstance(value, list) or not all(isinstance(event, dict) for event in value):
        return
    told = sorted(value, key=lambda event: _event_order(event, "kind", "start"))
    listed = sorted(rows, key=lambda row: _event_order(row, "event_kind", "start_s"))
    said = [tuple(event.get(name) for name in ("kind", "channel", "line")) for event in told]
    known = [tuple(row[name] for name in ("event_kind", "channel", "line")) for row in listed]
    if said != known:
        yield from _differ("events", said, known)
        return
    for event, row in zip(told, listed, strict=True):
        for field, column in (("start", "start_s"), ("stop", "stop_s"), ("latency", "latency_s")):
            yield from _differ(f"event {row['event_kind']}: {field}", event.get(field), row[column])


def _event_order(event: Row, kind: str, start: str) -> tuple[str, str, str, float]:
    """Both sides list events in an order of their own."""
    return str(event.get(kind)), str(event.get("channel")), str(event.get("line")), _number(event.get(start)) or 0.0


class _Said(NamedTuple):
    """A turn or line of a script: hashes instead of words."""

    words: bytes
    reply: bytes
    emotion: object
    intensity: object


def _scripts(root: Path, catalog: Catalog) -> Iterator[Finding]:
    """The catalog's utterances against the scripts they were spoken from."""
    path = root / SCRIPTS_FILE
    if not path.is_file():
        return
    try:
        scripts = {row.get("script_id"): _script(row) for _, row in read_rows(path, []) if _is_script(row)}
    except (RecordError, OSError) as error:
        yield Judge(VALIDATOR, SCRIPTS_FILE, SCRIPTS_FILE).say("SET.CATALOG_AGREES", f"{SCRIPTS_FILE}: {error}")
        return
    for key in catalog.places:
        rows = [row for row in catalog.rows(key) if row["kind"] == UTTERANCE]
        if rows:
            yield from _said(key[-1], catalog.file_of(key), _spoken_as_written(rows, scripts))


def _is_script(row: dict[str, Any]) -> bool:
    return isinstance(row.get("script_id"), str)


def _script(row: dict[str, Any]) -> tuple[_Said, ...]:
    written = [one for name in ("turns", "lines") if isinstance(row.get(name), list) for one in row[name]]
    return tuple(
        _Said(_hash(one.get("text")), _hash(one.get("response_text")), one.get("emotion"), one.get("intensity"))
        for one in written
        if isinstance(one, dict)
    )


def _hash(text: object) -> bytes:
    return hashlib.blake2b(str(text).encode("utf-8", "replace"), digest_size=_HASH_BYTES).digest()


def _spoken_as_written(rows: Sequence[Row], scripts: Mapping[object, tuple[_Said, ...]]) -> Iterator[str]:
    name = rows[0]["script_id"]
    written = scripts.get(name)
    if written is None:
        yield f"{SCRIPTS_FILE} has no script {name!r}"
        return
    pieces = Counter(row["line"] for row in rows)
    numbers = {row["turn_id"] if row["line"] is None else row["line"] for row in rows}
    if numbers != set(range(1, len(written) + 1)):
        yield f"{len(numbers)} turns or lines are spoken, script {name} has {len(written)}"
    for row in rows:
        number = row["turn_id"] if row["line"] is None else row["line"]
        if number is None or not 1 <= number <= len(written):
            continue
        said = written[number - 1]
        is_turn = row["line"] is None
        where = f"{'turn' if is_turn else 'line'} {number}:"
        if is_turn and row["role"] == Role.ASSISTANT.value:
            if _hash(row["text"]) != said.reply:
                yield f"{where} the voiced reply {_show(row['text'])} is not that of script {name}"
            continue
        if (is_turn or pieces[row["line"]] == 1) and _hash(row["text"]) != said.words:
            yield f"{where} {_show(row['text'])} is not what script {name} says"
        if is_turn and _hash(row["response_text"]) != said.reply:
            yield f"{where} the reply {_show(row['response_text'])} is not that of script {name}"
        if is_turn and (row["emotion"], row["intensity"]) != (said.emotion, said.intensity):
            yield f"{where} {row['emotion']} {row['intensity']}, script {name} says {said.emotion} {said.intensity}"


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _LockedCell(_View):
    task: Task
    language: str
    turns: int
    split: str


class LockedNumbers(_View):
    """What the lock says about one quota cell."""

    cell: _LockedCell
    quota: int
    released: int


class _LockedCounts(_View):
    counts: tuple[LockedNumbers, ...] | None = None


class Cell(NamedTuple):
    """A quota cell as rows tell it: ``turns`` is None for full-duplex items, whose rows do not count them."""

    task: str
    language: str
    turns: int | None
    split: str

    @property
    def key(self) -> str:
        return "/".join(str(part) for part in self if part is not None)


def locked_counts(root: Path) -> tuple[LockedNumbers, ...] | None:
    """The counts of ``dataset.lock.json``; None without a lock or where it cannot be read (``judge_lock`` says so)."""
    try:
        lock = view(_LockedCounts, read_json(root / LOCK_FILE))
    except (OSError, ValueError):
        return None
    return None if isinstance(lock, str) else lock.counts


def locked_cell(numbers: LockedNumbers) -> Cell:
    """The cell as rows tell it."""
    cell = numbers.cell
    return Cell(cell.task.value, cell.language, cell.turns if cell.task.track is Track.EMOTION else None, cell.split)


def _cell_of(found: FoundItem) -> Cell:
    turns = found.row.get("turns")
    number = len(turns) if isinstance(turns, list) and found.track is Track.EMOTION else None
    return Cell(found.task.value, found.language.value, number, found.split.value)


def _counts(root: Path, counted: Counter[Cell]) -> Iterator[Finding]:
    locked = locked_counts(root)
    if locked is None:
        return
    expected: Counter[Cell] = Counter()
    for numbers in locked:
        expected[locked_cell(numbers)] += numbers.released
    for cell in sorted(set(chain(expected, counted)), key=str):
        if expected[cell] != counted[cell]:
            yield Judge(VALIDATOR, cell.key, LOCK_FILE).say(
                "SET.COUNTS",
                f"{cell.key}: {counted[cell]} rows, {LOCK_FILE} says {expected[cell]}",
                value=counted[cell],
                threshold=expected[cell],
            )
