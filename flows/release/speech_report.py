"""``validation/speech.json``: how often each voice had to be asked again, and with what success."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from data_schemas.item import Item
from flows.shards.blame import Retake

#: in a release
SPEECH_FILE = "validation/speech.json"
_DECIMALS = 4


def speech_report(released: Iterable[Item], retakes: Iterable[Retake], tries: int) -> dict[str, Any]:
    """Figures per engine and voice.

    ``utterances`` are the released ones (no babble). ``spoken_again`` counts what judges sent back, in rejected items
    too; of these ``mended`` passed at a later try and ``given_up`` did not within ``tries``.
    """
    counts: dict[tuple[str, str], Counter[str]] = {}
    engine = ""
    for item in released:
        for utterance in (*item.utterances, *item.responses):
            engine = utterance.request.engine
            row = counts.setdefault((engine, utterance.request.voice), Counter())
            row["utterances"] += 1
            row[f"try_{utterance.tries}"] += 1
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


def _share(part: int, whole: int) -> float:
    return round(part / whole, _DECIMALS) if whole else 0.0
