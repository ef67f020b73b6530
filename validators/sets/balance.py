"""How evenly a set is spread: emotions, speakers, genders, voices and domains, and the lock's quotas.

A distribution is judged by its evenness (Pielou 1966): entropy over that of equal shares, with the correction of
Miller (1955) for small numbers. Of emotions the six that are not neutral count, whether they occur or not: neutral
turns are set by the tasks. Of everything else the values that occur count; what only one value has is not even.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import polars

from data_schemas.catalog import UTTERANCE
from data_schemas.emotions import Emotion
from data_schemas.finding import Finding
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Track
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.files.lock import LOCK_FILE
from validators.sets.agreement import locked_cell, locked_counts
from validators.sets.catalog import CATALOG_FILE

VALIDATOR = "balance/1"

_EMOTIONS = tuple(emotion.value for emotion in Emotion if not emotion.is_neutral)
_GENDERS = ("female", "male")
#: Values that count although they may not occur.
_ALL_OF = {"emotion": _EMOTIONS, "gender": _GENDERS}
_CATALOG_COLUMNS = ("kind", "item_id", "track", "task", "language", "split", "role", "voice", "domain")


class Distribution(NamedTuple):
    """How often each value of ``what`` occurs in one group of items or turns."""

    what: str  # "emotion", "speaker", "gender", "voice", "domain"
    group: str  # "track1/zh", "track1/zh/train" or "reasoning/zh"
    counts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def evenness(self) -> float:
        """0 (one value has all) to 1 (equal shares).

        >>> Distribution("gender", "zh", {"female": 50, "male": 50}).evenness
        1.0
        """
        values = len(self.counts)
        if values <= 1 or not self.total:
            return 0.0
        shares = [count / self.total for count in self.counts.values() if count]
        entropy = -sum(share * math.log(share) for share in shares)
        correction = (len(shares) - 1) / (2 * self.total)
        return min(1.0, (entropy + correction) / math.log(values))


def judge_balance(root: Path, items: Iterable[FoundItem], thresholds: Thresholds) -> tuple[Finding, ...]:
    """One ``SET.BALANCE`` finding per uneven distribution and per quota of the lock that is not met."""
    told = (*distributions(items), *catalog_distributions(root))
    return (*_uneven(told, thresholds), *_quotas(root))


def distributions(items: Iterable[FoundItem]) -> tuple[Distribution, ...]:
    """From the rows: emotions per language, users' speakers per track, language and split, genders per language."""
    counts: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for found in items:
        place = f"{found.track}/{found.language}"
        turns = _dicts(found.row.get("turns"))
        for turn in turns:
            if turn.get("emotion") in _EMOTIONS:
                counts["emotion", place][str(turn["emotion"])] += 1
        people = turns if found.track is Track.EMOTION else _dicts(found.row.get("speech_segments"))
        for speaker in sorted({str(one["speaker"]) for one in people if isinstance(one.get("speaker"), str)}):
            counts["speaker", f"{place}/{found.split}"][speaker] += 1
        for gender in sorted({str(one["gender"]).lower() for one in (found.row, *people) if "gender" in one}):
            counts["gender", place][gender] += 1
    return _with_absent(counts)


def catalog_distributions(root: Path) -> tuple[Distribution, ...]:
    """From the catalog, where there is one: users' voices and domains, one count per item."""
    path = root / CATALOG_FILE
    try:
        frame = polars.read_parquet(path, columns=list(_CATALOG_COLUMNS), use_pyarrow=False)
        users = frame.filter((polars.col("kind") == UTTERANCE) & (polars.col("role") == "user"))
        items = users.group_by("item_id", "track", "task", "language", "split").agg(
            polars.col("voice").min(), polars.col("domain").min()
        )
    except (polars.exceptions.PolarsError, OSError):
        return ()  # none there, or SET.CATALOG_AGREES says so
    counts: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in items.iter_rows(named=True):
        if row["voice"] is not None:
            counts["voice", f"{row['track']}/{row['language']}/{row['split']}"][row["voice"]] += 1
        if row["domain"] is not None:
            counts["domain", f"{row['task']}/{row['language']}"][row["domain"]] += 1
    return _with_absent(counts)


def _with_absent(counts: dict[tuple[str, str], Counter[str]]) -> tuple[Distribution, ...]:
    return tuple(
        Distribution(what, group, dict.fromkeys(_ALL_OF.get(what, ()), 0) | dict(sorted(found.items())))
        for (what, group), found in sorted(counts.items())
    )


def _dicts(value: object) -> tuple[dict[str, object], ...]:
    return tuple(one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()


def _uneven(found: Iterable[Distribution], thresholds: Thresholds) -> Iterator[Finding]:
    for one in found:
        if one.total >= thresholds.min_balance_count and one.evenness < thresholds.min_balance_entropy:
            largest = max(one.counts, key=lambda value: (one.counts[value], value))
            yield Judge(VALIDATOR, f"{one.what} of {one.group}").say(
                "SET.BALANCE",
                f"{one.what} of {one.group}: {one.counts[largest]} of {one.total} are {largest!r} "
                f"({len(one.counts)} values)",
                value=one.evenness,
                threshold=thresholds.min_balance_entropy,
            )


def _quotas(root: Path) -> Iterator[Finding]:
    for numbers in locked_counts(root) or ():
        if numbers.released < numbers.quota:
            cell = locked_cell(numbers).key
            yield Judge(VALIDATOR, cell, LOCK_FILE).say(
                "SET.BALANCE",
                f"{cell}: {numbers.released} released, the build's quota is {numbers.quota}",
                value=numbers.released,
                threshold=numbers.quota,
            )
