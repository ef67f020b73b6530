"""How far the timing of a thousand scenes may lie from what was asked for, and what lies farther."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

from data_schemas.foundation.base import Record
from flows.timing.report import TimingReport

_DIGITS = 4
#: Asymptotic critical value of the one-sample Kolmogorov-Smirnov statistic times the square root of n, at
#: alpha = 0.001: sqrt(-ln(alpha / 2) / 2) = 1.95 (Smirnov 1948).
KS_CRITICAL = 1.95
#: Two-sided normal quantile at alpha = 0.001: how many standard errors a share may be off by chance.
SHARE_CRITICAL = 3.29


class StatedDistance(Record):
    """How far 1,000 scenes of default settings may lie from a target.

    ``chance``: the Kolmogorov-Smirnov statistic stays under ``KS_CRITICAL / sqrt(n)``, what one correct sample in
    a thousand exceeds. ``wasserstein_s``: for draws that the rules of a scene shift; ``why`` says what it rests on.
    """

    chance: bool = False
    wasserstein_s: float | None = None
    why: str


#: The stated distance per name of `BINS`. A duration of which no draw was moved must in any case be chance.
#: Measured over two seeds, 1,000 scenes each: conversations of 6 to 8 lines with replies of 5 to 14 s and of 3 to
#: 6 s, queries of 2 to 7 s and of 1.5 to 4 s; the ten sub-tasks in equal parts with replies of 11 to 18 s.
STATED = MappingProxyType(
    {
        "leading_silence": StatedDistance(chance=True, why="never moved"),
        "floor_transfer": StatedDistance(wasserstein_s=0.02, why="seldom moved; measured at most 0.009"),
        "query_to_event": StatedDistance(
            wasserstein_s=0.3,
            why="measured 0.035, where a twelfth moved; a backchannel moves by up to phrase_reach_s (1 s) and one "
            "scene in ten has one, replies that are short take the rest",
        ),
        "stop_latency": StatedDistance(chance=True, why="never moved"),
        "pause": StatedDistance(chance=True, why="never moved"),
        "third_party_gap": StatedDistance(chance=True, why="its shortest is above min_segment_gap_s: never moved"),
        "tail": StatedDistance(
            wasserstein_s=6.0,
            why="a minimum: replies go on after the user's last segment; measured 3.9, it grows with their length",
        ),
        "overlap": StatedDistance(wasserstein_s=0.03, why="measured 0.007, where a sixteenth was cut by short turns"),
        "barge_in": StatedDistance(
            wasserstein_s=0.6,
            why="measured 0.36, where two in five moved: short replies bring it forward, backchannels put it off",
        ),
        "backchannel_delay": StatedDistance(chance=True, why="never moved: without a phrase end there is none"),
        "talk_over": StatedDistance(
            wasserstein_s=0.6, why="measured 0.36, where two in three were cut to half of a short query"
        ),
        "conversation_tail": StatedDistance(chance=True, why="moved by less than a millisecond"),
    }
)

#: How much the share of overlaps may differ beside chance: turns of under 0.1 s, and turns right after one of the
#: same party, cannot overlap (measured: 0.008 below the target).
SHARE_ALLOWANCE = 0.02


#: The stated distances are for that many scenes: a handful is off by chance.
ENOUGH_SCENES = 1000


class Excess(Record):
    """A distance that is larger than stated. ``measure`` is ``ks``, ``wasserstein_s`` or ``share``."""

    name: str
    measure: str
    value: float
    bound: float


def exceeded(report: TimingReport) -> tuple[Excess, ...]:
    """What of a report lies farther from its target than `STATED`, in its order; names without durations never do.

    ``ks`` is also held to chance where the report says that no draw was moved.
    """
    found: list[Excess] = []
    for each in report.durations:
        stated = STATED[each.name]
        if each.ks is not None and (stated.chance or each.moved == 0):
            found.append(Excess(name=each.name, measure="ks", value=each.ks, bound=KS_CRITICAL / math.sqrt(each.n)))
        if each.wasserstein_s is not None and stated.wasserstein_s is not None:
            found.append(
                Excess(name=each.name, measure="wasserstein_s", value=each.wasserstein_s, bound=stated.wasserstein_s)
            )
    overlaps = report.overlaps
    if overlaps.share is not None:
        deviation = math.sqrt(overlaps.target * (1.0 - overlaps.target) / overlaps.n)
        found.append(
            Excess(
                name="overlap_share",
                measure="share",
                value=round(abs(overlaps.share - overlaps.target), _DIGITS),
                bound=SHARE_CRITICAL * deviation + SHARE_ALLOWANCE,
            )
        )
    return tuple(each for each in found if each.value > each.bound)


def timing_json(report: TimingReport) -> dict[str, Any]:
    """``validation/timing.json``: the report, and from `ENOUGH_SCENES` on what lies farther than stated (else null)."""
    beyond = exceeded(report) if report.scenes >= ENOUGH_SCENES else None
    return report.model_dump(mode="json") | {
        "farther_than_stated": None if beyond is None else [excess.model_dump(mode="json") for excess in beyond]
    }
