"""Whether a voice activity detector finds the annotated segments, as the challenge's get_timing.py looks for them.

That script runs Silero VAD with its default parameters on the user's channel at 16 kHz and merges pieces that are
at most 0.6 s apart (FORMATS.md B.6). A segment that splits, fuses or vanishes there gives wrong latencies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.foundation.base import Record
from data_schemas.foundation.models import ModelCorrupt, ModelMissing, file_sha256
from data_schemas.scene import EventKind, Scene, Segment
from data_schemas.tasks import Channel
from validators.core.measure import Span

#: In the wheel of PyPI ``silero-vad`` 6.2.3 (MIT). The challenge loads the TorchScript form; both gave the
#: same samples on all of 298 utterances of Kokoro and espeak, and this one is no pickle.
PACKAGE = "silero_vad"
MODEL_FILE = "data/silero_vad.onnx"
MODEL_SHA256 = "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3"

#: get_timing.py, ``USER_MERGE_GAP``
USER_MERGE_GAP_S = 0.6
#: How far a boundary that was found may lie from the annotated one. The NIST Rich Transcription collar, as for
#: overlapped speech. Of it 0.05 s are the silence that a label includes, 0.062 s the detector's frame and padding.
BOUNDARY_TOLERANCE_S = 0.25


class VoiceActivityDetector:
    """Silero VAD, loaded on first use, once per instance; one thread, deterministic."""

    def __init__(self, model_file: Path | None = None) -> None:
        """``model_file`` is another copy of the pinned file; None takes the package's own.

        Raises:
            data_schemas.foundation.models.ModelMissing: the package or the file is not installed.
            data_schemas.foundation.models.ModelCorrupt: the file is not the pinned one; nothing was loaded.
        """
        self._path = _verified(_packaged_file() if model_file is None else model_file)
        self._model: Any = None

    def speech_spans(self, samples: Samples) -> tuple[Span, ...]:
        """Seconds with speech, ascending, in a mono channel ``[n]`` at 16 kHz; the package's default parameters."""
        import torch
        from silero_vad import get_speech_timestamps
        from silero_vad.utils_vad import OnnxWrapper

        if samples.ndim != 1:
            raise ValueError(f"voice activity needs mono samples [n], not {samples.shape}; give it one channel")
        if self._model is None:
            self._model = OnnxWrapper(str(self._path), force_onnx_cpu=True)
        waveform = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))
        found = get_speech_timestamps(waveform, self._model, sampling_rate=SAMPLE_RATE_HZ)
        return tuple((span["start"] / SAMPLE_RATE_HZ, span["end"] / SAMPLE_RATE_HZ) for span in found)


def merged(spans: Iterable[Span], gap_s: float = USER_MERGE_GAP_S) -> tuple[Span, ...]:
    """Spans with those at most ``gap_s`` apart joined, ascending.

    >>> merged([(3.0, 4.0), (0.0, 1.0), (1.5, 2.0)])
    ((0.0, 2.0), (3.0, 4.0))
    """
    joined: list[Span] = []
    for start, stop in sorted(spans):
        if joined and start - joined[-1][1] <= gap_s:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        else:
            joined.append((start, stop))
    return tuple(joined)


def annotated_spans(scene: Scene) -> tuple[Span, ...]:
    """Seconds in which a detector should find one piece each: the segments, without the pauses that split them.

    A pause of the user of more than `USER_MERGE_GAP_S` stands inside a segment (FORMATS.md B.3); shorter ones are
    bridged and split nothing.
    """
    return tuple(
        (scene.seconds(start), scene.seconds(stop))
        for segment in scene.segments
        for start, stop in _between_pauses(scene, segment)
    )


def _between_pauses(scene: Scene, segment: Segment) -> tuple[tuple[int, int], ...]:
    """Sample spans of a segment between its long pauses."""
    pauses = sorted(
        (event.start, event.stop)
        for event in scene.events
        if event.kind is EventKind.PAUSE
        and event.channel is Channel.USER
        and segment.start <= event.start
        and event.stop <= segment.stop
        and scene.seconds(event.stop - event.start) > USER_MERGE_GAP_S
    )
    starts = [segment.start, *(stop for _, stop in pauses)]
    stops = [*(start for start, _ in pauses), segment.stop]
    return tuple(zip(starts, stops, strict=True))


#: What became of the annotated pieces: all there; some found late, early, short or long; or another number of them.
Outcome = Literal["exact", "boundary", "count"]


class Agreement(Record):
    """Annotated pieces against those found. Seconds; ``*_errors_s`` are found minus annotated, in order."""

    annotated: tuple[Span, ...]
    found: tuple[Span, ...]
    tolerance_s: float
    #: empty where the numbers of pieces differ
    onset_errors_s: tuple[float, ...] = ()
    offset_errors_s: tuple[float, ...] = ()

    @property
    def outcome(self) -> Outcome:
        if len(self.annotated) != len(self.found):
            return "count"
        worst = max((abs(error) for error in (*self.onset_errors_s, *self.offset_errors_s)), default=0.0)
        return "exact" if worst <= self.tolerance_s else "boundary"

    @property
    def is_exact(self) -> bool:
        """As many pieces as annotated, each one's bounds within the tolerance of its own."""
        return self.outcome == "exact"


def agreement(annotated: Sequence[Span], found: Sequence[Span], tolerance_s: float = BOUNDARY_TOLERANCE_S) -> Agreement:
    """Compare ascending, disjoint spans one to one, in order."""
    pairs = list(zip(annotated, found, strict=True)) if len(annotated) == len(found) else []
    return Agreement(
        annotated=tuple(annotated),
        found=tuple(found),
        tolerance_s=tolerance_s,
        onset_errors_s=tuple(theirs[0] - ours[0] for ours, theirs in pairs),
        offset_errors_s=tuple(theirs[1] - ours[1] for ours, theirs in pairs),
    )


def _packaged_file() -> Path:
    """The model file beside the installed package, found without importing the package."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelMissing("silero-vad is not installed; run: make setup")
    return Path(spec.origin).parent / MODEL_FILE


def _verified(path: Path) -> Path:
    try:
        state = path.stat()
        digest = file_sha256(str(path), state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise ModelMissing(f"{path} cannot be read ({error.strerror}); install silero-vad 6.2.3 again") from None
    if digest != MODEL_SHA256:
        raise ModelCorrupt(
            f"{path} has sha256 {digest}, expected {MODEL_SHA256}; it was not loaded; install silero-vad 6.2.3"
        )
    return path
