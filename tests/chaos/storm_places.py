"""What a build leaves on disk while it works: by which files each phase is seen, and what is finished and whole."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

#: i-node and time of the last write: another one once a file was made again, whatever it holds
Stamp = tuple[int, int]
#: kind ("speech", "scene", "verdict", "shard") and key
Unit = tuple[str, str]

_MAKING = ".making."
_HALF_MADE = re.compile(r"\.making\.|\.partial$")


class Phase(StrEnum):
    """What a build is doing. Each is seen by files that appear."""

    PLANNING = "planning"
    SPEECH = "speech"
    COMPOSING = "composing"
    JUDGING = "judging"
    BINDING = "binding"
    REJECTS = "rejects"
    STAGING = "staging"
    SET_JUDGES = "set judges"
    LOCK = "lock"
    RENAMED = "renamed"


@dataclass(frozen=True)
class Places:
    """The folders of one build, as `tests.support.builds.draft_config` sets them."""

    folder: Path

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def release(self) -> Path:
        return self.folder / "release"

    @property
    def staging(self) -> Path:
        return self.folder / ".release.partial"

    @property
    def mark(self) -> Path:
        return self.staging / ".humdial-partial"

    def signs(self, phase: Phase) -> Iterator[Path]:
        """The files by which a phase is seen."""
        work, staging = self.work, self.staging
        found: Mapping[Phase, Callable[[], Iterable[Path]]] = {
            Phase.PLANNING: lambda: work.glob("plans.jsonl"),
            Phase.SPEECH: lambda: work.glob("store/??/*.json"),
            Phase.COMPOSING: lambda: work.glob("scenes/??/*/facts.json"),
            Phase.JUDGING: lambda: work.glob("scenes/??/*/verdict-*.json"),
            Phase.BINDING: lambda: work.glob("shards/*/result.json"),
            Phase.REJECTS: lambda: work.glob("quarantine/*/findings.jsonl"),
            Phase.STAGING: lambda: staging.rglob("*.wav"),
            Phase.SET_JUDGES: lambda: (*staging.glob("*.parquet"), *staging.glob("validation/*")),
            Phase.LOCK: lambda: (*staging.glob("R*.md"), *staging.glob("*dataset.lock.json*")),
            Phase.RENAMED: lambda: self.release.glob("dataset.lock.json"),
        }
        return (path for path in found[phase]() if _MAKING not in path.parent.name)

    def half_made(self) -> list[Path]:
        """What no finished build leaves."""
        beside = [path for path in (self.staging, self.folder / ".release.probe") if path.exists()]
        shards = [path for path in self.work.glob("shards/*") if "." in path.name]
        return sorted([*beside, *shards, *(path for path in self.work.rglob("*") if _HALF_MADE.search(path.name))])

    def damageable(self) -> dict[str, list[Path]]:
        """Files that may be damaged while no build is running, by what they are."""
        work, staging = self.work, self.staging
        globs = {
            "speech": work.glob("store/??/*.wav"),
            "speech facts": work.glob("store/??/*.json"),
            "item": work.glob("scenes/??/*/item.json"),
            "scene facts": work.glob("scenes/??/*/facts.json"),
            "staged audio": work.glob("scenes/??/*/staged/*.wav"),
            "verdict": work.glob("scenes/??/*/verdict-*.json"),
            "shard result": work.glob("shards/*/result.json"),
            "shard table": work.glob("shards/*/*.parquet"),
            "plan book": work.glob("plans.jsonl"),
            "context": work.glob("contexts/*.json"),
            "measurements": work.glob("measured.sqlite*"),
            "servers": work.glob("prefect-servers.json"),
            "Prefect's home": (path for path in work.glob("prefect/**/*") if path.is_file()),
            "quarantine": (path for path in work.glob("quarantine/**/*") if path.is_file()),
            "report": work.glob("build-report.json"),
            "staging": (path for path in staging.rglob("*") if path.is_file() and path != self.mark),
            "mark": self.staging.glob(self.mark.name),
        }
        found = {kind: sorted(paths) for kind, paths in globs.items()}
        return {kind: paths for kind, paths in found.items() if paths}


def stamps(paths: Iterable[Path]) -> dict[Path, Stamp]:
    """Of those that are there."""
    found: dict[Path, Stamp] = {}
    for path in paths:
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        found[path] = (status.st_ino, status.st_mtime_ns)
    return found


@dataclass(frozen=True)
class Finished:
    """Everything that is kept under a key and whole, with the stamps of its files."""

    files: Mapping[Unit, Mapping[Path, Stamp]]
    #: of each unit, the units that must be whole for it to be believed
    needs: Mapping[Unit, frozenset[Unit]]

    def sound(self, broken: Mapping[Path, Stamp]) -> Finished:
        """Without what has a broken file, or needs what has one."""
        hit = {unit for unit, files in self.files.items() if any(broken.get(path) == at for path, at in files.items())}
        left = {
            unit: files
            for unit, files in self.files.items()
            if unit not in hit and not self.needs[unit] & hit and self.needs[unit] <= self.files.keys()
        }
        return Finished(left, {unit: self.needs[unit] for unit in left})

    def changed(self) -> list[Unit]:
        """The units of which a file is gone or has another stamp now."""
        now = stamps(path for files in self.files.values() for path in files)
        return [unit for unit, files in self.files.items() if any(now.get(path) != at for path, at in files.items())]

    def of_kind(self, kind: str) -> list[Unit]:
        return [unit for unit in self.files if unit[0] == kind]


def finished(places: Places) -> Finished:
    """All that is finished; what cannot be read is not."""
    work = places.work
    listed: dict[Unit, list[Path]] = {}
    needs: dict[Unit, frozenset[Unit]] = {}
    for note in places.signs(Phase.SPEECH):
        listed["speech", note.stem] = [note, note.with_suffix(".wav")]
    for facts in places.signs(Phase.COMPOSING):
        scene, body = ("scene", facts.parent.name), _sealed(facts)
        if body is not None:
            listed[scene] = [facts, *(facts.parent / entry["path"] for entry in body["files"])]
    for verdict in places.signs(Phase.JUDGING):
        unit = ("verdict", f"{verdict.parent.name}/{verdict.stem}")
        listed[unit], needs[unit] = [verdict], frozenset({("scene", verdict.parent.name)})
    for result in places.signs(Phase.BINDING):
        shard, body = ("shard", result.parent.name), _sealed(result)
        if body is not None:
            listed[shard] = [result, *(work / "shards" / shard[1] / entry["path"] for entry in body["files"])]
            needs[shard] = frozenset(("scene", key) for key in body["scenes"])
    files = {unit: stamps(paths) for unit, paths in listed.items()}
    whole = {unit: known for unit, known in files.items() if len(known) == len(listed[unit])}
    return Finished(whole, {unit: needs.get(unit, frozenset()) for unit in whole})


def speech_of(places: Places, scene: str) -> list[Path]:
    """The notes in the store of what is said in an item; none where it cannot be read."""
    try:
        item = json.loads((places.work / "scenes" / scene[:2] / scene / "item.json").read_bytes())
        keys = [one["audio_key"] for one in item["utterances"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [places.work / "store" / key[:2] / f"{key}.json" for key in keys]


def _sealed(path: Path) -> dict[str, Any] | None:
    """The record behind a seal that is right."""
    try:
        seal, _, body = path.read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    if hashlib.sha256(body.removesuffix("\n").encode()).hexdigest() != seal:
        return None
    record: dict[str, Any] = json.loads(body)
    return record
