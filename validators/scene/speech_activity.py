"""Who is heard when: frame scores of the pinned pyannote segmentation model, run once per recording.

The model looks at 5 s at a time and says, every 17 ms, how likely each of up to three speakers of that window is
talking (Bredin & Laurent 2021, "End-to-end speaker segmentation for overlap-aware resegmentation"). The highest
score says whether anybody talks (voice activity), the second highest whether two people do
(`validators.scene.overlap`), all three who is who inside the window (`validators.scene.diarization`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.foundation.models import verified_path
from validators.core.measure import Span, runs

MODEL_NAME = "pyannote-segmentation"
MODEL_FILE = "pytorch_model.bin"

#: Windows every 0.5 s, the ten per cent that pyannote's Inference defaults to: for overlap and diarization.
DENSE_STEP_S = 0.5
#: Windows every 2.5 s, each frame seen twice: for voice activity, at a fifth of the cost. On 30 Kokoro segments the
#: smallest of the segments' highest scores was 0.94 (0.97 with dense windows), and no score outside exceeded 0.15.
SPARSE_STEP_S = 2.5
_BATCH = 8  # windows at once; memory stays under 100 MB more
_SECOND = -2  # index of the second-highest of sorted scores

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FrameScores:
    """A score in [0, 1] per frame, shape ``[frames]``; times in seconds."""

    values: Scores
    first_centre: float
    step: float

    @property
    def centres(self) -> npt.NDArray[np.float64]:
        """Time of each frame's centre, seconds."""
        return self.first_centre + self.step * np.arange(len(self.values), dtype=np.float64)

    def spans(self, onset: float) -> tuple[Span, ...]:
        """Seconds in which the score exceeds ``onset``."""
        half = self.step / 2
        centres = self.centres
        return tuple(
            (float(centres[start]) - half, float(centres[stop - 1]) + half) for start, stop in runs(self.values > onset)
        )

    def at(self, seconds: npt.NDArray[np.float64]) -> Scores:
        """The score of the frame nearest to each time, shape of ``seconds``; 0 where there are no frames."""
        if not len(self.values):
            return np.zeros(len(seconds), dtype=np.float32)
        nearest = np.rint((seconds - self.first_centre) / self.step).astype(int)
        found: Scores = self.values[np.clip(nearest, 0, len(self.values) - 1)]
        return found

    def inside(self, span: Span) -> Scores:
        """Scores of the frames whose centres lie in the span."""
        centres = self.centres
        return self.values[(centres >= span[0]) & (centres < span[1])]


@dataclass(frozen=True)
class WindowScores:
    """Scores of each window before they are joined, shape ``[windows, frames, speakers]``.

    Window ``k`` begins at ``k * step_s``. Which speaker is the first of a window says nothing about the next window.
    """

    values: Scores
    samples: int  # of the recording
    rate: int
    window_s: float
    step_s: float
    frame_step: float
    frame_duration: float

    def highest(self) -> FrameScores:
        """How surely anybody is talking."""
        return self.joined(highest)

    def second_highest(self) -> FrameScores:
        """How surely two people are talking at once."""
        return self.joined(second_highest)

    def every(self, stride: int) -> WindowScores:
        """Every ``stride``-th window; where the last one is not among them, its end stands in one more."""
        kept = self.values[::stride]
        behind = (len(self.values) - 1) % stride
        if behind:
            shift = min(round((stride - behind) * self.step_s / self.frame_step), self.values.shape[1])
            last = np.zeros_like(self.values[-1:])
            last[:, : last.shape[1] - shift] = self.values[-1:, shift:]
            kept = np.concatenate([kept, last])
        return replace(self, values=kept, step_s=self.step_s * stride)

    def joined(self, reduce: Callable[[Scores], Scores]) -> FrameScores:
        """``reduce`` takes ``[windows, frames, speakers]`` to ``[windows, frames, 1]``; windows are then averaged."""
        from pyannote.core import Segment, SlidingWindow, SlidingWindowFeature

        inference, _ = _pyannote()
        windows = SlidingWindow(start=0.0, duration=self.window_s, step=self.step_s)
        receptive = SlidingWindow(start=0.0, duration=self.frame_duration, step=self.frame_step)
        reduced = SlidingWindowFeature(reduce(self.values.copy()), windows)
        joined = inference.aggregate(reduced, receptive, hamming=True, missing=0.0)
        frames = round(self.samples / self.rate / self.frame_step)
        seconds = Segment(0.0, self.samples / self.rate)
        values = joined.crop(seconds, mode="loose")[:frames, 0]
        return FrameScores(
            values=np.asarray(values, dtype=np.float32),
            first_centre=joined.sliding_window.start + joined.sliding_window.duration / 2,
            step=joined.sliding_window.step,
        )


def highest(scores: Scores) -> Scores:
    """``[windows, frames, speakers]`` to ``[windows, frames, 1]``: the highest speaker score."""
    top: Scores = scores.max(axis=-1, keepdims=True)
    return top


def second_highest(scores: Scores) -> Scores:
    """``[windows, frames, speakers]`` to ``[windows, frames, 1]``: the second-highest speaker score."""
    second: Scores = np.partition(scores, _SECOND, axis=-1)[..., _SECOND : _SECOND + 1]
    return second


class SegmentationModel:
    """The segmentation model, loaded on first use, once per instance; one torch thread, deterministic."""

    def __init__(self, model_file: Path | None = None) -> None:
        """``model_file`` is a checkpoint whose hash the caller has checked; None takes the pinned one.

        Raises:
            data_schemas.foundation.models.ModelMissing: the pinned model is not installed; says what to run.
        """
        self._path = verified_path(MODEL_NAME, MODEL_FILE) if model_file is None else model_file
        self._inference: Any = None

    def windows(self, samples: Samples, rate: int = SAMPLE_RATE_HZ, step_s: float = DENSE_STEP_S) -> WindowScores:
        """Scores of a mono recording ``[n]``, windows of 5 s every ``step_s``; the last ones reach past the end."""
        import torch

        if self._inference is None:
            self._inference = _load(self._path)
        self._inference.step = step_s
        waveform = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))[None]
        with torch.inference_mode():
            answer = self._inference({"waveform": waveform, "sample_rate": rate})
        frames = self._inference.model.receptive_field
        return WindowScores(
            values=answer.data.astype(np.float32),
            samples=len(samples),
            rate=rate,
            window_s=answer.sliding_window.duration,
            step_s=step_s,
            frame_step=frames.step,
            frame_duration=frames.duration,
        )

    def voice(self, samples: Samples, rate: int = SAMPLE_RATE_HZ) -> FrameScores:
        """Voice activity of one channel ``[n]``: the highest speaker score, from sparse windows."""
        return self.windows(samples, rate, SPARSE_STEP_S).highest()


def _load(path: Path) -> Any:
    import logging
    import warnings

    import torch

    torch.set_num_threads(1)
    inference, model_class = _pyannote()
    logging.getLogger("lightning.pytorch.utilities.migration.utils").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checkpoint is of an older pyannote
        model = model_class.from_pretrained(path)
        model.eval()
        return inference(model, step=DENSE_STEP_S, skip_aggregation=True, batch_size=_BATCH)


def _pyannote() -> tuple[Any, Any]:
    """pyannote.audio's ``Inference`` and ``Model``, imported quietly."""
    import os
    import warnings

    os.environ["PYANNOTE_METRICS_ENABLED"] = "false"  # else every use is reported to a server
    _seed_torchaudio()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchcodec is absent on purpose: samples come from memory
        from pyannote.audio import Inference, Model
    return Inference, Model


def _seed_torchaudio() -> None:
    """Stand in for torchaudio's compiled part, which the CPU build of torch cannot load.

    pyannote.audio only imports torchaudio; the compiled part serves forced alignment alone.
    """
    import sys
    import types

    name = "torchaudio._extension"
    if name in sys.modules:
        return
    module: Any = types.ModuleType(name)
    module._IS_TORCHAUDIO_EXT_AVAILABLE = False
    module._IS_ALIGN_AVAILABLE = False
    module.fail_if_no_align = lambda function: function
    sys.modules[name] = module
