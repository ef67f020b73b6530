"""All items together: the same thing twice, what is missing, what does not belong there."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import PurePosixPath

import numpy as np

from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Language, Split, Task
from tests.support.mutations.kinds.common import (
    BOOKS,
    CLEAN_FILE,
    OTHER_VOICE,
    OTHER_WORDS,
    SAME_SOUND,
    is_dialogue,
    is_scene,
    near_in_length,
    one,
    owner,
)
from tests.support.mutations.kinds.rows import cell_of
from tests.support.mutations.planting import Applies, Copy, Kind, Plant, Planted, Row, at, place_of
from tests.support.mutations.spots import sentences, spots

GROUP = "sets"
LOCK = "dataset.lock.json"
#: digits of a speaker and of an index that no release of the test has
_GROUP_DIGITS, _INDEX = "0901", "0901"
#: the speaker of a copy under such an id, whom judges of speakers name
_NEW_SPEAKER = f"S{_GROUP_DIGITS}"
_COPIED = BOOKS | SAME_SOUND | {"SET.TEXT_LEAK", "SET.NEAR_TEXT_LEAK", "SPEAKER.SHARED", "SET.SPEAKER_LEAK"}
_KNOWN_S = 10.0
_PREFIX = {Language.ZH: "那个，", Language.EN: "Well, "}


def _train(found: FoundItem) -> bool:
    """A Track 1 item of train whose task is in dev too."""
    return is_dialogue(found) and found.split is Split.TRAIN and found.task is not Task.RECOGNITION


def _dev_home(copy: Copy, found: FoundItem) -> str:
    """Manifest of the same task and language in dev."""
    return next(
        str(item.manifest)
        for item in copy.items
        if item.task is found.task and item.language is found.language and item.split is Split.DEV
    )


def _fresh_id(found: FoundItem) -> str:
    task, turns, language, _, _ = found.id.split("_")
    return "_".join((task, turns, language, _GROUP_DIGITS, _INDEX))


def _leaked(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """A train item once more in dev, under a new id and speaker."""
    return at(found, copy.twin(found, _dev_home(copy, found), _fresh_id(found)), _NEW_SPEAKER, _dev_cell(found))


def _dev_cell(found: FoundItem) -> str:
    return cell_of(found).replace(Split.TRAIN.value, Split.DEV.value)


def _nearly(row: Row, language: Language) -> None:
    """A few words changed in every turn."""
    for turn in row["turns"]:
        turn["text"] = _PREFIX[language] + turn["text"]


def _nearly_leaked(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    twin = copy.twin(found, _dev_home(copy, found), _fresh_id(found), lambda row: _nearly(row, found.language))
    return at(found, twin, _NEW_SPEAKER, _dev_cell(found))


def _twice(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    return at(found, copy.twin(found, place_of(found)[0], _fresh_id(found)), _NEW_SPEAKER, cell_of(found))


def _nearly_twice(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    twin = copy.twin(found, place_of(found)[0], _fresh_id(found), lambda row: _nearly(row, found.language))
    return at(found, twin, _NEW_SPEAKER, cell_of(found))


def _leaked_sound(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """A turn of train sounds in dev, softer, in place of what the text says."""
    sources = [
        (item, spot)
        for item in copy.items
        if item.split is Split.TRAIN and item.language is found.language
        for spot in sentences(item)
    ]
    spot = one(sentences(found), rng)
    item, source = min(sources, key=lambda pair: (abs(pair[1].seconds - spot.seconds), rng.random()))
    copy.put(spot, copy.heard(source) * 0.6)
    return at(found, item)


def _same_sound(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """Another item's sound, at another level, under these words."""
    spot = one(sentences(found), rng)
    source = near_in_length(copy, found, spot, rng, same_speaker=True)
    copy.put(spot, copy.heard(source) * 0.6)
    return at(found, owner(copy, source))


def _has_sibling(found: FoundItem) -> bool:
    return is_dialogue(found) and bool(sentences(found))


def _shared_voice(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """A train item moved to dev under a new speaker id; the speaker's other items stay in train."""
    twin = copy.twin(found, _dev_home(copy, found), _fresh_id(found))
    copy.drop_row(found)
    for role, path in found.files.items():
        if role.startswith("turn"):
            copy.remove(path)
    return at(found, twin, _NEW_SPEAKER, cell_of(found), _dev_cell(found))


def _speaks_elsewhere(found: FoundItem, items: tuple[FoundItem, ...]) -> bool:
    """The speaker says enough in other items of the split to be known by voice."""
    speaker = spots(found)[0].speaker
    others = [item for item in items if item.id != found.id and item.split is found.split]
    heard = [spot for item in others if item.language is found.language for spot in spots(item)]
    return sum(spot.seconds for spot in heard if spot.speaker == speaker and spot.dry) >= _KNOWN_S


def _speaker_in_both(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """A dev item's row names a speaker of train."""
    speaker = next(
        spot.speaker
        for item in copy.items
        if item.split is Split.TRAIN and item.language is found.language and is_dialogue(item)
        for spot in spots(item)
    )

    def rename(row: Row) -> None:
        for turn in row["turns"]:
            turn["speaker"] = speaker

    copy.edit_row(found, rename)
    sharing = [item for item in copy.items if any(spot.speaker == speaker for spot in spots(item))]
    return at(found, *sharing)


def _duplicate_id(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """The row stands there twice."""
    manifest, place = place_of(found)
    rows = copy.rows(manifest)
    copy.write_rows(manifest, [*rows, rows[place]])
    return at(found, cell_of(found))


def _row_missing(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    copy.drop_row(found)
    return at(found, *found.files.values(), cell_of(found))


def _item_missing(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """Row and files are gone: the quota is short."""
    copy.drop_row(found)
    for path in found.files.values():
        if (copy.root / path).exists():
            copy.remove(path)
    return at(found, cell_of(found))


def _beside(found: FoundItem, name: str) -> str:
    return (PurePosixPath(next(iter(found.files.values()))).parent / name).as_posix()


def _extra(name: str) -> Plant:
    def plant(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
        path = _beside(found, name.format(id=found.id))
        copy.bring(next(path for path in found.files.values() if path.endswith(".wav")), path)
        return at(path)

    return plant


def _lock_altered(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """The lock lists another hash for one file."""
    path = next(path for path in found.files.values() if path.endswith(".wav"))
    lock = json.loads((copy.root / LOCK).read_text(encoding="utf-8"))
    for entry in lock["files"]:
        if entry["path"] == path:
            entry["sha256"] = entry["sha256"][::-1]
    copy.write_bytes(LOCK, json.dumps(lock, ensure_ascii=False).encode())
    return at(path)


def _one_sample(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """One sample by one step: nobody hears it, and the bytes are others."""
    path = found.files.get("turn_1") or found.files["assistant"]
    wave = copy.wave(path)
    wave[len(wave) // 2] += 1 / 32768
    copy.write_wave(path, wave)
    return at(path, found)


def _kind(
    name: str,
    code: str,
    plant: Plant,
    applies: Applies = lambda found: True,
    follows: AbstractSet[str] = frozenset(),
    cases: int = 3,
    pair: bool = False,
    *,
    with_lock: bool = False,
    fits: Callable[[FoundItem, tuple[FoundItem, ...]], bool] = lambda found, items: True,
) -> Kind:
    return Kind(name, GROUP, code, plant, applies, frozenset(follows), cases, pair, with_lock, fits=fits)


KINDS: tuple[Kind, ...] = (
    _kind("train item copied into dev", "SET.TEXT_LEAK", _leaked, _train, _COPIED, 4, True),
    _kind("train item copied into dev, a few words changed", "SET.NEAR_TEXT_LEAK", _nearly_leaked, _train,
          _COPIED | OTHER_WORDS, 4, True),
    _kind("train audio under other words in dev", "SET.AUDIO_LEAK", _leaked_sound,
          lambda f: f.split is Split.DEV and bool(sentences(f)),
          SAME_SOUND | OTHER_WORDS | OTHER_VOICE | CLEAN_FILE | {"SPEAKER.SHARED", "SCENE.SEGMENT_SHIFTED"}, 4, True),
    _kind("item twice in one split", "SET.DUPLICATE_TEXT", _twice, is_dialogue, _COPIED, 4, True),
    _kind("item twice in one split, a few words changed", "SET.NEAR_DUPLICATE_TEXT", _nearly_twice, is_dialogue,
          _COPIED | OTHER_WORDS, 4, True),
    _kind("audio twice in one split, at another level", "SET.DUPLICATE_AUDIO", _same_sound, _has_sibling,
          SAME_SOUND | OTHER_WORDS | OTHER_VOICE, 4, True),
    _kind("train item moved to dev under a new speaker", "SPEAKER.SHARED", _shared_voice, _train,
          _COPIED | {"SET.NEAR_TEXT_LEAK"}, 4, True,
        fits=_speaks_elsewhere),
    _kind("speaker id in train and dev", "SET.SPEAKER_LEAK", _speaker_in_both,
          lambda f: is_dialogue(f) and f.split is Split.DEV, BOOKS | {"SPEAKER.SHARED"}, 4, True),
    _kind("row twice", "SET.DUPLICATE_ID", _duplicate_id, follows=_COPIED, cases=4),
    _kind("missing row (track1)", "SET.CATALOG_AGREES", _row_missing, is_dialogue, BOOKS),
    _kind("missing row (track2)", "T2.ROW_MISSING", _row_missing, is_scene,
          BOOKS | {"T2.ASSISTANT_LABELS", "T2.CLEAN_FILE", "T2.TURN_COUNT", "T2.LINES"}),
    _kind("quota short: item missing", "SET.COUNTS", _item_missing, follows=BOOKS | {"SET.UNREADABLE"}, cases=4),
    _kind("extra file", "SET.STRAY_FILE", _extra("extra_{id}.wav"), follows=CLEAN_FILE, cases=4),
    _kind("file of a system under test", "SET.OUTPUT_FILE", _extra("{id}_output.wav"), cases=4),
    _kind("lock altered", "SET.LOCK_MISMATCH", _lock_altered, cases=3, with_lock=True),
    _kind("one sample changed after the lock", "SET.LOCK_MISMATCH", _one_sample, cases=3, with_lock=True),
)  # fmt: skip
