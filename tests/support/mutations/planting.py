"""`Copy`: a release to damage. `Kind` and `Planted`: a defect, and where it was put."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Track
from tests.support.mutations.spares import Spare
from tests.support.mutations.spots import Spot

Row = dict[str, Any]
Applies = Callable[[FoundItem], bool]
Wave = npt.NDArray[np.float64]
_SOUND = ".wav"


@dataclass(frozen=True)
class Planted:
    """Where a defect was put: items by id, or paths, or cells, as findings name them."""

    names: frozenset[str]
    #: the other half of a pair: not at fault, but what follows from the defect may name it too
    partners: frozenset[str] = frozenset()
    excluded: tuple[Path, ...] = ()  # data that must not come back, for the judges of such


@dataclass(frozen=True)
class Kind:
    """One kind of defect.

    ``code`` is the finding that must name the right item in every case. ``follows`` are codes of errors that are
    fair consequences of the same defect on the same item; an error of any other code fails the test.
    """

    name: str
    group: str
    code: str
    plant: Plant
    applies: Applies = lambda found: True
    follows: frozenset[str] = frozenset()
    cases: int = 3
    pair: bool = False  # two items are at fault together, and either may be named
    with_lock: bool = False  # asked only here: every other kind breaks the lock too
    #: speech that planting it in an item of these needs
    needs: Callable[[FoundItem, tuple[FoundItem, ...]], tuple[Spare, ...]] | None = None
    #: whether an item it applies to has among these what the defect takes
    fits: Callable[[FoundItem, tuple[FoundItem, ...]], bool] = lambda found, items: True
    asks: frozenset[str] = frozenset()  # judges that are asked for this kind only, see `run.ASKED_FOR`


@dataclass
class Copy:
    """A copy of a clean release made of hard links. What changes is a new file: the clean one is never written to."""

    root: Path
    items: tuple[FoundItem, ...]  # of the clean release
    spares: Mapping[str, Path] = field(default_factory=dict)  # see `spares`
    touched: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, clean: Path, target: Path, items: tuple[FoundItem, ...], spares: Mapping[str, Path]) -> Copy:
        shutil.rmtree(target, ignore_errors=True)  # of a run that was killed
        shutil.copytree(clean, target, copy_function=os.link)
        return cls(target, items, spares)

    @property
    def text_changed(self) -> bool:
        """Whether anything but the inside of audio files differs."""
        return any(not path.endswith(_SOUND) for path in self.touched)

    # --- files

    def write_bytes(self, path: str, body: bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)  # the link only
        target.write_bytes(body)
        self.touched.add(path)

    def remove(self, path: str) -> None:
        (self.root / path).unlink()
        self.touched.add(path)

    def bring(self, source: str, target: str) -> None:
        """The same bytes under another name."""
        self.write_bytes(target, (self.root / source).read_bytes())

    # --- sound

    def wave(self, path: str) -> Wave:
        """Samples ``[n]`` of a mono file."""
        samples, rate = soundfile.read(self.root / path, dtype="float64")
        assert rate == RATE
        return np.asarray(samples, dtype=np.float64)

    def write_wave(
        self, path: str, samples: npt.NDArray[np.float64], rate: int = RATE, subtype: str = "PCM_16"
    ) -> None:
        target = self.root / path
        target.unlink(missing_ok=True)
        soundfile.write(target, np.clip(samples, -1.0, 32767 / 32768), rate, subtype=subtype, format="WAV")
        self.touched.add(path)

    def spare(self, name: str) -> Wave:
        """Speech made for this case, ``[n]``."""
        return self.wave(self.spares[name].as_posix())

    def heard(self, spot: Spot) -> Wave:
        """The utterance's samples."""
        return self.wave(spot.path)[spot.first : spot.last]

    def put(self, spot: Spot, samples: Wave) -> None:
        """Another sound in the utterance's place: a turn's file takes its length, a segment keeps its own."""
        if spot.is_turn:
            self.write_wave(spot.path, samples)
            return
        whole = self.wave(spot.path)
        length = spot.last - spot.first
        fitted = samples[:length]
        whole[spot.first : spot.last] = np.concatenate([fitted, np.zeros(length - len(fitted))])
        self.write_wave(spot.path, whole)

    # --- rows

    def rows(self, manifest: str) -> list[Row]:
        text = (self.root / manifest).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def write_rows(self, manifest: str, rows: Iterable[Row]) -> None:
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        self.write_bytes(manifest, lines.encode())

    def edit_row(self, found: FoundItem, change: Callable[[Row], object]) -> None:
        """Change an item's row, nothing else."""
        manifest, place = place_of(found)
        rows = self.rows(manifest)
        change(rows[place])
        self.write_rows(manifest, rows)

    def edit_labels(self, found: FoundItem, change: Callable[[Row], object]) -> None:
        """Change what a Track 2 item's ``sentence.json`` and row say alike; ``change`` sees one, then the other."""
        path = found.files["sentence"]
        labels = json.loads((self.root / path).read_text(encoding="utf-8"))
        change(labels)
        self.write_bytes(path, json.dumps(labels, ensure_ascii=False).encode())
        self.edit_row(found, change)

    def edit_text(self, found: FoundItem, spot: Spot, text: str) -> None:
        """Other words in row and labels."""
        if found.track is Track.EMOTION:
            self.edit_row(found, lambda row: row["turns"][spot.place].update(text=text))
        elif spot.name.startswith("user"):
            self.edit_labels(found, lambda row: row["speech_segments"][spot.place].update(text=text))
        else:
            self.edit_row(found, lambda row: row["assistant_segments"][spot.place].update(text=text, planned_text=text))

    def drop_row(self, found: FoundItem) -> None:
        """Take an item's row out; its files stay."""
        manifest, place = place_of(found)
        rows = self.rows(manifest)
        del rows[place]
        self.write_rows(manifest, rows)

    def twin(
        self, found: FoundItem, manifest: str, name: str, change: Callable[[Row], object] = lambda row: None
    ) -> str:
        """The Track 1 item once more, under another id and speaker, in that manifest; its files come along."""
        own, place = place_of(found)
        row = self.rows(own)[place]
        home, folder = PurePosixPath(manifest).parent, PurePosixPath(manifest).stem
        row["dialogue_id"] = name
        for turn in row["turns"]:
            turn["split_audio_file"] = f"{folder}/{name}_{turn['turn_id']}.wav"
            turn["speaker"] = f"S{name.split('_')[-2]}"
            self.bring(found.files[f"turn_{turn['turn_id']}"], f"{home}/{turn['split_audio_file']}")
        change(row)
        self.write_rows(manifest, [*self.rows(manifest), row])
        return name


Plant = Callable[[Copy, FoundItem, np.random.Generator], Planted]


def place_of(found: FoundItem) -> tuple[str, int]:
    """Manifest and index of an item's row."""
    if found.manifest is None or found.line is None:
        raise ValueError(f"{found.id} has no row")
    return found.manifest, found.line - 1


def at(*names: str | FoundItem, partners: Iterable[FoundItem] = ()) -> Planted:
    """Planted in these items, files or cells."""
    return Planted(
        frozenset(name.id if isinstance(name, FoundItem) else name for name in names),
        frozenset(partner.id for partner in partners),
    )
