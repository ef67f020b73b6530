"""``validation/speech.json``: how often each voice had to be asked again, and with what success."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import polars

from data_schemas.catalog import UTTERANCE
from flows.release.shelf import CATALOG_TABLE, ITEMS_TABLE, Shelf
from flows.shards.blame import Retake

#: in a release
SPEECH_FILE = "validation/speech.json"
_DECIMALS = 4


#: engine, voice, try, and how many utterances
Spoken = tuple[str, str, int, int]


def speech_report(shelf: Shelf, tries: int) -> dict[str, Any]:
    """Figures per engine and voice, see `count_speech`."""
    return count_speech(_spoken(shelf), _retakes(shelf), tries)


def _spoken(shelf: Shelf) -> Iterator[Spoken]:
    for frame in shelf.by_shard(CATALOG_TABLE, ("kind", "engine", "voice", "tries")):
        counted = frame.filter(polars.col("kind") == UTTERANCE).group_by("engine", "voice", "tries").len()
        yield from counted.sort("engine", "voice", "tries").iter_rows()


def _retakes(shelf: Shelf) -> Iterator[Retake]:
    for frame in shelf.all_by_shard(ITEMS_TABLE, ("retakes",)):
        for text in frame["retakes"]:
            yield from (Retake.model_validate(one) for one in json.loads(text))


def count_speech(spoken: Iterable[Spoken], retakes: Iterable[Retake], tries: int) -> dict[str, Any]:
    """Figures per engine and voice.

    ``utterances`` are the released ones (no babble). ``spoken_again`` counts what judges sent back, in rejected items
    too; of these ``mended`` passed at a later try and ``given_up`` did not within ``tries``.
    """
    counts: dict[tuple[str, str], Counter[str]] = {}
    engine = ""
    for engine, voice, tried, count in spoken:
        row = counts.setdefault((engine, voice), Counter())
        row["utterances"] += count
        row[f"try_{tried}"] += count
    codes: Counter[str] = Counter()
    for retake in retakes:
        row = counts.setdefault((engine, retake.voice), Counter())
        row["spoken_again"] += 1
        row["mended" if retake.mended else "given_up"] += 1
        codes.update(retake.codes)
    return {
        "tries": tries,
        "because_of": dict(sorted(codes.items())),
        "voices": [
            {
                "engine": engine,
                "voice": voice,
                "utterances": row["utterances"],
                "spoken_again": row["spoken_again"],
                "mended": row["mended"],
                "given_up": row["given_up"],
                "share_spoken_again": round(
                    row["spoken_again"] / max(1, row["utterances"] + row["given_up"]), _DECIMALS
                ),
                "released_by_try": [row[f"try_{number}"] for number in range(1, tries + 1)],
            }
            for (engine, voice), row in sorted(counts.items())
        ],
    }
