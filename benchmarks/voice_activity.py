"""Silero VAD, run as the challenge's get_timing.py runs it, against the annotated segments of scenes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from benchmarks.scene_pool import MixedScene
from data_schemas.foundation.base import Record
from data_schemas.tasks import Channel, Task
from validators.core.measure import Span
from validators.scene.voice_activity import Agreement, VoiceActivityDetector, agreement, annotated_spans, merged

_TOLERANCES_S = (0.1, 0.15, 0.2, 0.25)
_QUANTILES = (0.0, 0.01, 0.05, 0.5, 0.95, 0.99, 1.0)


class FoundScene(Record):
    """One scene's comparison. ``pieces``: what the detector found before pieces were merged."""

    name: str
    task: Task
    pieces: tuple[Span, ...]
    comparison: Agreement


@cache
def _detector() -> VoiceActivityDetector:
    return VoiceActivityDetector()


def found(mixed: MixedScene) -> FoundScene:
    pieces = _detector().speech_spans(mixed.channels()[Channel.USER])
    return FoundScene(
        name=mixed.name,
        task=mixed.scene.task,
        pieces=pieces,
        comparison=agreement(annotated_spans(mixed.scene), merged(pieces)),
    )


def rows(name: str, scenes: Sequence[FoundScene]) -> list[str]:
    """Lines of the table: shares, where the rest fails, and the errors of the bounds."""
    compared = [scene.comparison for scene in scenes]
    counted = [one for one in compared if one.outcome != "count"]
    exact = sum(one.is_exact for one in compared)
    share = len(counted) / len(compared)
    table = [
        f"| {name}: as many pieces as annotated | {len(counted)} of {len(compared)} scenes, {share:.1%} |",
        f"| {name}: as many, and every bound within {compared[0].tolerance_s} s | {exact} of {len(compared)} scenes, "
        f"{exact / len(compared):.1%}; within "
        + ", ".join(f"{limit} s {_share_within(compared, limit):.1%}" for limit in _TOLERANCES_S[:-1])
        + " |",
    ]
    for word, errors in (
        ("starts", [error for one in counted for error in one.onset_errors_s]),
        ("ends", [error for one in counted for error in one.offset_errors_s]),
    ):
        quantiles = ", ".join(f"{value:+.3f}" for value in np.quantile(errors, _QUANTILES))
        table.append(
            f"| {name}: {len(errors)} {word}, found minus annotated: least, 1, 5, 50, 95, 99 %, most | {quantiles} s |"
        )
    for task in dict.fromkeys(scene.task for scene in scenes):
        own = [scene.comparison for scene in scenes if scene.task is task]
        table.append(f"| {name}: {task} | {sum(one.is_exact for one in own)} of {len(own)} |")
    return table


def worst(scenes: Sequence[FoundScene], count: int = 5) -> list[str]:
    """The scenes that fail by most, in words."""
    failing = sorted((scene for scene in scenes if not scene.comparison.is_exact), key=_badness, reverse=True)
    return [f"{scene.name}: {_why(scene.comparison)}" for scene in failing[:count]]


def _share_within(compared: Sequence[Agreement], limit: float) -> float:
    return sum(agreement(one.annotated, one.found, limit).is_exact for one in compared) / len(compared)


def _badness(scene: FoundScene) -> float:
    one = scene.comparison
    if one.outcome == "count":
        return float("inf")
    return max(abs(error) for error in (*one.onset_errors_s, *one.offset_errors_s))


def _why(one: Agreement) -> str:
    if one.outcome == "count":
        return f"{len(one.annotated)} annotated, {len(one.found)} found"
    ends = [("start", *pair) for pair in enumerate(one.onset_errors_s)]
    ends += [("end", *pair) for pair in enumerate(one.offset_errors_s)]
    word, index, error = max(ends, key=lambda each: abs(each[2]))
    return f"{word} of piece {index} is {error:+.2f} s off"
