"""The overlap detector's frames against the planned overlap: precision, recall and F1 in seconds.

Two references: the plan as it is placed, and the part of it in which both channels really sound (a label includes
the silence at the edges of its utterance, and speech has pauses). Frames within the collar of a boundary of the
reference count neither way, as in the NIST Rich Transcription evaluations and pyannote.metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from benchmarks.scene_pool import MixedScene
from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.foundation.base import Record
from data_schemas.tasks import Channel, Split, Task
from validators.core.measure import FRAME_S, Span, frame_levels, runs
from validators.core.thresholds import Thresholds
from validators.scene.overlap import OverlapDetector, OverlapScores, balanced_mix

#: Silences up to this long inside speech are speech (DESIGN.md: pauses begin at 180 ms).
_BRIDGED_S = 0.18
#: Onsets tried when one is chosen on the scenes of other voices.
_ONSETS = tuple(round(0.05 * step, 2) for step in range(1, 17))
_WORST = 5

Reference = Literal["placed", "sounding"]


class HeardScene(Record):
    """What the detector said about one scene, and both references."""

    name: str
    task: Task
    split: Split
    seconds: float
    scores: tuple[float, ...]
    first_centre: float
    step: float
    placed: tuple[Span, ...]
    sounding: tuple[Span, ...]

    @property
    def values(self) -> OverlapScores:
        return OverlapScores(np.asarray(self.scores, dtype=np.float32), self.first_centre, self.step)


class Seconds(Record):
    """Overlap heard and meant, heard only, meant only."""

    hit: float = 0.0
    false: float = 0.0
    missed: float = 0.0

    def plus(self, other: Seconds) -> Seconds:
        return Seconds(hit=self.hit + other.hit, false=self.false + other.false, missed=self.missed + other.missed)

    @property
    def precision(self) -> float:
        return self.hit / (self.hit + self.false) if self.hit + self.false else float("nan")

    @property
    def recall(self) -> float:
        return self.hit / (self.hit + self.missed) if self.hit + self.missed else float("nan")

    @property
    def f1(self) -> float:
        total = 2 * self.hit + self.false + self.missed
        return 2 * self.hit / total if total else float("nan")

    @property
    def seconds_in_words(self) -> str:
        return f"{self.hit:.2f} s heard as meant, {self.false:.2f} s heard only, {self.missed:.2f} s meant only"

    def __str__(self) -> str:
        return f"precision {self.precision:.3f}, recall {self.recall:.3f}, F1 {self.f1:.3f}"


@cache
def _detector() -> OverlapDetector:
    return OverlapDetector()


def heard(mixed: MixedScene) -> HeardScene:
    """Run the detector on the balanced mix of both channels, as the validator does."""
    scene, channels = mixed.scene, mixed.channels()
    user, assistant = channels[Channel.USER], channels[Channel.ASSISTANT]
    segments = [(scene.seconds(segment.start), scene.seconds(segment.stop)) for segment in scene.segments]
    scores = _detector().scores(balanced_mix(user, assistant, segments, SAMPLE_RATE_HZ))
    placed = tuple((scene.seconds(start), scene.seconds(stop)) for start, stop in scene.overlap_spans())
    return HeardScene(
        name=mixed.name,
        task=scene.task,
        split=mixed.split,
        seconds=scene.seconds(scene.num_samples),
        scores=tuple(scores.values.tolist()),
        first_centre=scores.first_centre,
        step=scores.step,
        placed=placed,
        sounding=sounding_spans(placed, user, assistant),
    )


def sounding_spans(placed: Iterable[Span], user: Samples, assistant: Samples) -> tuple[Span, ...]:
    """The parts of planned overlap in which both channels ``[n]`` carry sound, to 20 ms."""
    both = _sounds(user) & _sounds(assistant)
    found = []
    for start, stop in placed:
        inside = np.zeros_like(both)
        inside[round(start / FRAME_S) : round(stop / FRAME_S)] = True
        found += [(first * FRAME_S, last * FRAME_S) for first, last in runs(both & inside)]
    return tuple(sorted(found))


def _sounds(samples: Samples) -> npt.NDArray[np.bool_]:
    """Frames above the level that the validators call silent, short silences bridged."""
    active = frame_levels(samples, SAMPLE_RATE_HZ) >= Thresholds().silence_dbfs
    for start, stop in runs(~active):
        if (stop - start) * FRAME_S <= _BRIDGED_S and start > 0 and stop < len(active):
            active[start:stop] = True
    return active


def seconds_of(scene: HeardScene, onset: float, collar_s: float, reference: Reference) -> Seconds:
    """Agreement on one scene."""
    scores = scene.values
    centres = scores.centres
    meant, near = np.zeros(len(centres), dtype=bool), np.zeros(len(centres), dtype=bool)
    for start, stop in scene.placed if reference == "placed" else scene.sounding:
        meant |= (centres >= start) & (centres < stop)
        for bound in (start, stop):
            near |= np.abs(centres - bound) < collar_s
    found = scores.values > onset
    return Seconds(
        hit=float((found & meant & ~near).sum() * scene.step),
        false=float((found & ~meant & ~near).sum() * scene.step),
        missed=float((~found & meant & ~near).sum() * scene.step),
    )


def pooled(scenes: Sequence[HeardScene], onset: float, collar_s: float, reference: Reference) -> Seconds:
    total = Seconds()
    for scene in scenes:
        total = total.plus(seconds_of(scene, onset, collar_s, reference))
    return total


def cross_fitted(
    scenes: Sequence[HeardScene], collar_s: float, reference: Reference
) -> tuple[Seconds, dict[Split, float]]:
    """Each split scored with the onset that has the best F1 on the other, whose voices are all different."""
    total, onsets = Seconds(), {}
    for split in Split:
        others = [scene for scene in scenes if scene.split is not split]
        onsets[split] = max(_ONSETS, key=lambda onset: pooled(others, onset, collar_s, reference).f1)
        total = total.plus(
            pooled([scene for scene in scenes if scene.split is split], onsets[split], collar_s, reference)
        )
    return total, onsets


def rows(scenes: Sequence[HeardScene], onset: float, collar_s: float) -> list[str]:
    """Lines of the table: all scenes with planned overlap, each sub-task, the scenes without, the worst."""
    planned = [scene for scene in scenes if scene.placed]
    table = []
    references: tuple[Reference, ...] = ("placed", "sounding")
    for reference in references:
        for collar in (collar_s, 0.0):
            total = pooled(planned, onset, collar, reference)
            fitted, onsets = cross_fitted(planned, collar, reference)
            table.append(
                f"| overlap, {len(planned)} scenes, {reference}, {f'collar {collar} s' if collar else 'no collar'} | "
                f"{total} at onset {onset} ({total.hit + total.missed:.1f} s scored); cross-fitted {fitted} at "
                f"{', '.join(str(each) for each in onsets.values())} |"
            )
    for task in dict.fromkeys(scene.task for scene in planned):
        own = [scene for scene in planned if scene.task is task]
        scored = pooled(own, onset, collar_s, "placed")
        every = pooled(own, onset, 0.0, "placed")
        table.append(
            f"| overlap, placed: {task} | {scored} ({scored.hit + scored.missed:.1f} s scored); no collar {every} "
            f"({every.hit + every.missed:.1f} s) |"
        )
    rest = [scene for scene in scenes if not scene.placed]
    if rest:
        false = pooled(rest, onset, 0.0, "placed").false
        table.append(
            f"| overlap heard where none is planned | {false:.2f} s in {len(rest)} scenes, "
            f"{sum(scene.seconds for scene in rest):.0f} s |"
        )
    badness = {scene.name: seconds_of(scene, onset, collar_s, "placed") for scene in planned}
    worst = sorted(badness, key=lambda name: badness[name].false + badness[name].missed, reverse=True)[:_WORST]
    return table + [f"| worst | {name}: {badness[name].seconds_in_words} |" for name in worst]
