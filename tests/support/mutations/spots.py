"""`Spot`: where one utterance stands in a clean release, read from its row; audio is not opened."""

from __future__ import annotations

from typing import NamedTuple

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.layouts.base import FoundItem
from data_schemas.tags import strip_tags
from data_schemas.tasks import Language, Role, Track


class Spot(NamedTuple):
    """One utterance: samples ``[first, last)`` of a file below the root."""

    path: str
    name: str  # as in validators.core.clips: "turn_2", "user_1", "assistant_3"
    first: int
    last: int
    text: str
    speaker: str
    role: Role
    language: Language
    part: str = ""
    line: int = 0
    cut: bool = False
    dry: bool = True

    @property
    def seconds(self) -> float:
        return (self.last - self.first) / RATE

    @property
    def is_turn(self) -> bool:
        """A file of its own, whose length may change."""
        return self.name.startswith("turn")

    @property
    def place(self) -> int:
        """Place in its list of the row, from 0."""
        return int(self.name.rpartition("_")[2]) - 1

    @property
    def words(self) -> int:
        """Han characters, or words."""
        bare = strip_tags(self.text)
        return sum(map(str.isalnum, bare)) if self.language is Language.ZH else len(bare.split())


def spots(found: FoundItem) -> tuple[Spot, ...]:
    """All utterances of a clean item of ours."""
    if found.track is Track.EMOTION:
        return _turns(found)
    return (*_segments(found, "user"), *_segments(found, "assistant"))


def sentences(found: FoundItem) -> tuple[Spot, ...]:
    """Dry, whole utterances long enough to judge their words and voice."""
    return tuple(spot for spot in spots(found) if spot.dry and not spot.cut and spot.seconds >= 2.0 and spot.words >= 8)


def _turns(found: FoundItem) -> tuple[Spot, ...]:
    turns: list[dict[str, object]] = found.row["turns"]  # type: ignore[assignment]
    return tuple(
        Spot(
            path=found.files[f"turn_{number}"],
            name=f"turn_{number}",
            first=0,
            last=round(float(str(turn["duration"])) * RATE),
            text=str(turn["text"]),
            speaker=str(turn["speaker"]),
            role=Role.USER,
            language=found.language,
        )
        for number, turn in enumerate(turns, start=1)
    )


def _segments(found: FoundItem, channel: str) -> tuple[Spot, ...]:
    labels: list[dict[str, object]] = found.row[  # type: ignore[assignment]
        "speech_segments" if channel == "user" else "assistant_segments"
    ]
    speakers: dict[str, str] = found.row["speakers"]  # type: ignore[assignment]
    return tuple(
        Spot(
            path=found.files[channel],
            name=f"{channel}_{number}",
            first=round(float(str(label["xmin"])) * RATE),
            last=round(float(str(label["xmax"])) * RATE),
            text=str(label["text"]),
            speaker=str(label.get("speaker", speakers["assistant"])),
            role=Role(str(label.get("role", "assistant"))),
            language=found.language,
            part=str(label["part"]),
            line=int(str(label["line"])),
            cut=bool(label.get("cut", False)),
            dry=channel == "assistant" or found.row["microphone"] is None,
        )
        for number, label in enumerate(labels, start=1)
    )
