"""Track 2 (FORMATS.md B.1): ``track2/zh/dev/<Sub-task>/`` flat, one manifest beside each folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from data_schemas.foundation.base import RecordError
from data_schemas.item import ASSISTANT_WAV, CLEAN_WAV, USER_WAV, Item, stem_wav
from data_schemas.layouts.base import FoundItem
from data_schemas.layouts.rows import read_rows
from data_schemas.layouts.track2_rows import (
    Track2Row,
    assistant_segments,
    event_rows,
    floor_rows,
    scene_of,
    seconds,
    sentence_json,
    speakers,
    speech_segments,
)
from data_schemas.tasks import Language, Split, Task, Track

TOP = "track2"

FOLDER_OF_TASK: dict[Task, str] = {
    Task.FOLLOW_UP: "Follow-up_Questions",
    Task.NEGATION: "Negation_Dissatisfaction",
    Task.REPETITION: "Repetition_Requests",
    Task.TOPIC_SWITCH: "Topic_Switching",
    Task.SILENCE: "Silence_Termination",
    Task.BACKCHANNEL: "User_Real-time_Backchannels",
    Task.PAUSE: "Pause_Handling",
    Task.THIRD_PARTY_AFTER: "Third-party_Speech_after",
    Task.THIRD_PARTY_BEFORE: "Third-party_Speech_before",
    Task.SPEECH_TO_OTHERS: "Speech_Directe_at_Others",  # the scripts' own spelling
    Task.CONVERSATION: "Conversation",  # ours: no script of the challenge reads it
}
TASK_OF_FOLDER: dict[str, Task] = {folder: task for task, folder in FOLDER_OF_TASK.items()} | {
    "Speech_Directed_at_Others": Task.SPEECH_TO_OTHERS,
}
#: Tasks without a clean file (FORMATS.md B.4)
NO_CLEAN: frozenset[Task] = frozenset({Task.PAUSE, Task.THIRD_PARTY_BEFORE, Task.CONVERSATION})
#: What the challenge's scripts accept as an id (FORMATS.md B.1)
SCENE_ID = re.compile(r"^\d{4}_\d{4}(_add)?$")

_SENTENCE = "_sentence.json"
#: Names of an item's own files: no stem is called so
_ROLES = frozenset({"user", "assistant", "clean", "sentence"})


class Track2:
    """User channel, labels and clean file in the sub-task's folder, the assistant's channel beside it."""

    name = "track2"
    track = Track.DUPLEX

    def item_id(self, item: Item) -> str:
        return item.plan.item_code

    def _home(self, item: Item) -> str:
        return f"{TOP}/{item.plan.language}/{item.plan.cell.split}"

    def audio_files(self, item: Item) -> Mapping[str, str]:
        folder, name = f"{self._home(item)}/{FOLDER_OF_TASK[item.plan.task]}", self.item_id(item)
        files = {USER_WAV: f"{folder}/{name}.wav", ASSISTANT_WAV: f"{folder}_model/{name}.wav"}
        if item.plan.task not in NO_CLEAN:
            files[CLEAN_WAV] = f"{folder}/clean_{name}.wav"
        return files | {stem_wav(stem): f"{folder}_stems/{name}/{stem}.wav" for stem in item.stems}

    def text_files(self, item: Item) -> Mapping[str, str]:
        folder = f"{self._home(item)}/{FOLDER_OF_TASK[item.plan.task]}"
        return {f"{folder}/{self.item_id(item)}{_SENTENCE}": sentence_json(item).to_json_line() + "\n"}

    def manifest(self, item: Item) -> str:
        return f"{self._home(item)}/{FOLDER_OF_TASK[item.plan.task]}.jsonl"

    def row(self, item: Item) -> Track2Row:
        folder, name, scene = FOLDER_OF_TASK[item.plan.task], self.item_id(item), scene_of(item)
        return Track2Row(
            id=name,
            task=item.plan.task,
            language=item.plan.language,
            wav=f"{folder}/{name}.wav",
            sentence=f"{folder}/{name}{_SENTENCE}",
            clean=None if item.plan.task in NO_CLEAN else f"{folder}/clean_{name}.wav",
            assistant_wav=f"{folder}_model/{name}.wav",
            stems={stem: f"{folder}_stems/{name}/{stem}.wav" for stem in item.stems},
            final_duration=seconds(scene, scene.num_samples),
            speech_segments=speech_segments(item),
            assistant_segments=assistant_segments(item),
            events=event_rows(item),
            floor=floor_rows(item),
            microphone=scene.microphone,
            speakers=speakers(item),
        )

    def recognises(self, root: Path) -> bool:
        return any(True for _ in self._folders(root))

    def read(self, root: Path, problems: list[RecordError] | None = None) -> Iterator[FoundItem]:
        """Every id that has a manifest row, a recording or a label file."""
        for split, language, folder in self._folders(root):
            manifest = folder.with_name(f"{folder.name}.jsonl")
            rows: dict[str, tuple[int, dict[str, object]]] = {}
            if manifest.is_file():
                for line, row in read_rows(manifest, problems):
                    name = str(row.get("id", f"line {line}"))
                    if name in rows:
                        name = f"{name}:{line}"  # a repeated id stays visible to the judges
                    rows[name] = (line, row)
            for name in sorted(rows.keys() | _ids_of_files(folder)):
                found_line, row = rows.get(name, (None, {}))
                yield FoundItem(
                    id=str(row.get("id", name)),
                    layout=self.name,
                    track=self.track,
                    task=TASK_OF_FOLDER[folder.name],
                    language=language,
                    split=split,
                    manifest=manifest.relative_to(root).as_posix() if found_line is not None else None,
                    line=found_line,
                    row=row,
                    files=_files(folder.relative_to(root).as_posix(), str(row.get("id", name)), folder, root)
                    | _stems(row, folder.parent.relative_to(root).as_posix()),
                )

    def _folders(self, root: Path) -> Iterator[tuple[Split, Language, Path]]:
        base = root / TOP if (root / TOP).is_dir() else root
        for language in Language:
            for split in Split:
                home = base / language / split
                names = {entry.name for entry in home.iterdir() if entry.is_dir()} if home.is_dir() else set()
                names |= {path.stem for path in home.glob("*.jsonl")} if home.is_dir() else set()
                for name in sorted(names & TASK_OF_FOLDER.keys()):
                    yield split, language, home / name


def _ids_of_files(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    names = {path.stem for path in folder.glob("*.wav") if SCENE_ID.match(path.stem)}
    return names | {path.name.removesuffix(_SENTENCE) for path in folder.glob(f"*{_SENTENCE}")}


def _files(folder: str, name: str, directory: Path, root: Path) -> dict[str, str]:
    """Roles and where they belong; ``clean`` and ``assistant`` only where the sub-task or the disk has them."""
    files = {"user": f"{folder}/{name}.wav", "sentence": f"{folder}/{name}{_SENTENCE}"}
    if TASK_OF_FOLDER[directory.name] not in NO_CLEAN:
        files["clean"] = f"{folder}/clean_{name}.wav"
    assistant = f"{folder}_model/{name}.wav"
    if SCENE_ID.match(name) and (root / assistant).is_file():
        files["assistant"] = assistant
    return files


def _stems(row: dict[str, object], parent: str) -> dict[str, str]:
    """Kept stems by name; their paths count from the manifest's directory, as all paths of a row."""
    stems = row.get("stems")
    if not isinstance(stems, dict):
        return {}
    return {name: f"{parent}/{path}" for name, path in stems.items() if isinstance(path, str) and name not in _ROLES}
