"""Set-level judges: what no single item can tell. One pass over all items, little kept of each."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from data_schemas.finding import Finding
from data_schemas.foundation.base import RecordError
from data_schemas.layouts.base import FoundItem, Layout
from data_schemas.tags import strip_tags
from data_schemas.tasks import Track
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.files.manifests import judge_manifest
from validators.rows.rows import DialogueRow, SentenceFile, existing_file, read_json, view

VALIDATOR = "dataset/1"

#: The group digits of both tracks' ids: recording session or speaker (FORMATS.md A.4).
_GROUP = re.compile(r"(\d{4})_\d{4}(?:_add)?$")
_OUTPUT = re.compile(r"_output\.[^.]+$")
#: Folders of a release that hold no items.
OWN_FOLDERS = frozenset({"validation", "quarantine"})
_OWN_FILES = re.compile(r"^(README.*|LICENSE.*|RESOURCES\.md|dataset\.lock\.json|catalog\.parquet|\..*)$")
_DATA_FILE = re.compile(r"(\.wav|_sentence\.json)$")
_KEY_BYTES = 16


def judge_dataset(root: Path, layouts: Sequence[Layout], thresholds: Thresholds) -> tuple[Finding, ...]:
    """All set-level findings on the items of these layouts below ``root``."""
    return survey(root, layouts, thresholds).findings


@dataclass(frozen=True)
class Survey:
    """What one pass over a root found: number of items and set-level findings."""

    items: int
    findings: tuple[Finding, ...]


def survey(root: Path, layouts: Sequence[Layout], thresholds: Thresholds) -> Survey:
    """One pass over all rows and file names; audio is not opened. ``thresholds`` is kept for symmetry."""
    del thresholds
    findings: list[Finding] = []
    seen = _Seen()
    for path in sorted(root.rglob("*.jsonl")):
        if path.relative_to(root).parts[0] not in OWN_FOLDERS:
            findings += judge_manifest(root, path)
    for entry in read_items(root, layouts):
        if isinstance(entry, Finding):
            findings.append(entry)
        else:
            findings += seen.add(entry, root)
    if not seen.items:
        judge = Judge(VALIDATOR, str(root.name))
        names = ", ".join(layout.name for layout in layouts) or "any layout"
        findings.append(judge.say("SET.EMPTY", f"{root} holds no item of {names}"))
    findings += _files(root, seen)
    return Survey(seen.items, tuple(findings))


def read_items(root: Path, layouts: Sequence[Layout]) -> Iterator[FoundItem | Finding]:
    """Items in layout order; a reader that stops becomes a finding, and the next layout follows."""
    for layout in layouts:
        passed_over: list[RecordError] = []  # judge_manifest reports these lines
        try:
            yield from layout.read(root, passed_over)
        except (RecordError, OSError, UnicodeDecodeError) as error:
            judge = Judge(VALIDATOR, layout.name)
            yield judge.say("SET.UNREADABLE", f"{error}; items after this place were not judged")


@dataclass
class _Seen:
    """Facts about the items so far: ids, speakers' splits, hashes of texts, paths of files."""

    items: int = 0
    ids: set[tuple[str, ...]] = field(default_factory=set)
    speakers: dict[tuple[str, ...], str] = field(default_factory=dict)
    texts: dict[bytes, tuple[str, str, str | None]] = field(default_factory=dict)  # -> first id, split, manifest
    files: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)

    def add(self, found: FoundItem, root: Path) -> Iterator[Finding]:
        self.items += 1
        judge = Judge(VALIDATOR, found.id, found.manifest)
        yield from self._id(judge, found)
        yield from self._speakers(judge, found)
        yield from self._text(found, root)
        own = {PurePosixPath(path).as_posix() for path in found.files.values()}
        own |= {found.manifest} if found.manifest else set()
        self.files |= own
        self.folders |= {PurePosixPath(path).parent.as_posix() for path in own}

    def _id(self, judge: Judge, found: FoundItem) -> Iterator[Finding]:
        key: tuple[str, ...] = (found.layout, found.language.value, found.id)
        if found.track is Track.DUPLEX:  # ids count per folder there (FORMATS.md B.1)
            key = (*key, found.split.value, found.task.value)
        if key in self.ids:
            yield judge.say("SET.DUPLICATE_ID", f"{found.id} at {found.manifest}:{found.line} was there before")
        self.ids.add(key)

    def _speakers(self, judge: Judge, found: FoundItem) -> Iterator[Finding]:
        group = _GROUP.search(found.id)
        names = [("group", found.layout, group[1])] if group else []
        names += [("speaker", "", speaker) for speaker in _speaker_ids(found.row)]
        for kind, layout, name in names:
            split = self.speakers.setdefault((kind, layout, found.language.value, name), found.split.value)
            if split != found.split.value:
                yield judge.say(
                    "SET.SPEAKER_LEAK", f"{kind} {name} ({found.language}) is in {split} and in {found.split}"
                )
                return

    def _text(self, found: FoundItem, root: Path) -> Iterator[Finding]:
        words = text_key(found, root)
        if words is None:
            return
        own = (found.id, found.split.value, found.manifest)
        known = self.texts.setdefault(words, own)
        if (known[0], known[2]) == (found.id, found.manifest):
            return
        first, later = sorted((known, own), key=lambda one: (one[0], one[2] or ""))
        self.texts[words] = first
        judge = Judge(VALIDATOR, later[0], later[2])
        if first[1] != later[1]:
            yield judge.say("SET.TEXT_LEAK", f"says in {later[1]} what {first[0]} says in {first[1]}")
        else:
            yield judge.say("SET.DUPLICATE_TEXT", f"says what {first[0]} says")


def _speaker_ids(row: dict[str, object]) -> tuple[str, ...]:
    """Speaker ids our rows carry: one per turn and voiced reply (Track 1), or one per role (Track 2)."""
    turns, roles = row.get("turns"), row.get("speakers")
    told = [turn for turn in turns if isinstance(turn, dict)] if isinstance(turns, list) else []
    names = [turn.get(field) for field in ("speaker", "response_speaker") for turn in told]
    names += list(roles.values()) if isinstance(roles, dict) else []
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))


def text_key(found: FoundItem, root: Path) -> bytes | None:
    """A hash of all that is said on the user's channel, without tags, case and punctuation."""
    if found.track is Track.EMOTION:
        row = view(DialogueRow, found.row)
        texts = None if isinstance(row, str) else [turn.text for turn in row.turns]
    else:
        path = existing_file(found, root, "sentence")
        texts = None if path is None else _segment_texts(path)
    if not texts:
        return None
    spoken = unicodedata.normalize("NFKC", strip_tags(" ".join(texts))).casefold()
    bare = "".join(letter for letter in spoken if letter.isalnum())
    name = f"{found.layout}/{found.language}/{bare}"
    return hashlib.blake2b(name.encode(), digest_size=_KEY_BYTES).digest() if bare else None


def _segment_texts(path: Path) -> list[str] | None:
    try:
        sentence = view(SentenceFile, read_json(path))
    except (OSError, ValueError):
        return None  # T2.SENTENCE_FIELDS of the item says so
    return None if isinstance(sentence, str) else [segment.text for segment in sentence.speech_segments]


def _files(root: Path, seen: _Seen) -> Iterator[Finding]:
    for folder, subfolders, names in os.walk(root):
        subfolders.sort()
        relative = PurePosixPath(Path(folder).relative_to(root).as_posix())
        if relative.parts and relative.parts[0] in OWN_FOLDERS:
            subfolders.clear()
            continue
        for name in sorted(names):
            path = (relative / name).as_posix()
            judge = Judge(VALIDATOR, path, path)
            if _OUTPUT.search(name):
                yield judge.say("SET.OUTPUT_FILE", f"{path} belongs to a system under test; remove it")
            elif path not in seen.files and _is_stray(relative, name, seen):
                yield judge.say("SET.STRAY_FILE", f"{path} is named by no row")


def _is_stray(folder: PurePosixPath, name: str, seen: _Seen) -> bool:
    in_data_folder = folder.as_posix() in seen.folders and not _OWN_FILES.match(name)
    return in_data_folder or _DATA_FILE.search(name) is not None
