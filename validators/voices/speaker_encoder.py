"""`SpeakerEncoder`: the voice of a clip as a point on a sphere, GE2E (Wan et al. 2018, arXiv 1710.10467).

The network, its weights and the windows are those of Resemblyzer 0.1.4 (resemble-ai, Apache-2.0), written again here
from its ``voice_encoder.py``, ``audio.py`` and ``hparams.py``. Two steps before it differ: Resemblyzer shortens
silences with webrtcvad, here frames far below the clip's loud ones are left out, which needs no further package; and
every clip is brought to one level, because the spectrogram is not logarithmic and a softer clip is another voice to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.foundation.models import model_entry, verified_path
from validators.core.clips import Clip
from validators.core.measure import frame_levels
from validators.core.probe import Measurement, Vector

MODEL_NAME = "ge2e-encoder"
MODEL_FILE = "pretrained.pt"
#: `Measurement.vectors`: unit norm ``[256]``; absent for a clip without sound
VECTOR = "speaker"
#: `Measurement.values`: seconds of sound the vector was made of
SECONDS = "speaker_seconds"

_VERSION = "speaker_encoder/1"

# resemblyzer/hparams.py
_WINDOW = 400  # mel_window_length, 25 ms
_HOP = 160  # mel_window_step, 10 ms
_MELS = 40
_PARTIAL_FRAMES = 160  # 1.6 s
_TARGET_DBFS = -30.0  # audio_norm_target_dBFS; only ever raised
_HIDDEN = 256
_LAYERS = 3
# resemblyzer/voice_encoder.py, embed_utterance
_PARTIALS_PER_SECOND = 1.3
_MIN_COVERAGE = 0.75

#: CHOICE: what a clip is brought to before `embed`; near the sound in clips of -23 LUFS (median -22.7 in kokoro's,
#: -23.0 in espeak's voices)
_LEVEL_DBFS = -24.0
_FRAME_S = 0.03  # vad_window_length
_KEPT_AROUND = 3  # frames; vad_max_silence_length 6 is three on either side
_QUIET_DB = 40.0  # CHOICE: below the loud frames by more is a pause; the weakest consonants lie some 30 dB below vowels
_LOUD_PERCENTILE = 95.0  # what the loud frames are
_BATCH = 32  # partials at once: memory does not grow with the clip

Mels = npt.NDArray[np.float32]


class SpeakerEncoder:
    """A `ClipProbe`: the GE2E network, loaded on first use, once per instance; one torch thread, deterministic."""

    def __init__(self, model_file: Path | None = None) -> None:
        """``model_file`` is a checkpoint whose hash the caller has checked; None takes the pinned one.

        Raises:
            data_schemas.foundation.models.ModelMissing, ModelCorrupt: the pinned model is not there; says what to run.
        """
        self._path = verified_path(MODEL_NAME, MODEL_FILE) if model_file is None else model_file
        self._identity = f"{_VERSION}; {model_entry(MODEL_NAME).weights_sha256 if model_file is None else model_file}"
        self._network: Any = None

    @property
    def identity(self) -> str:
        return self._identity

    def measure(self, clip: Clip) -> Measurement:
        """The voice of a clip at 16 kHz: `VECTOR` and `SECONDS`; of silence `SECONDS` 0.0 alone."""
        voiced = without_pauses(clip.samples, clip.rate)
        vector = self.embed(levelled(voiced))
        if vector is None:
            return Measurement(values={SECONDS: 0.0})
        return Measurement(values={SECONDS: len(voiced) / clip.rate}, vectors={VECTOR: vector})

    def embed(self, samples: Samples) -> Vector | None:
        """Unit vector ``[256]`` of mono samples ``[n]`` at 16 kHz, as they are; None when they are silent."""
        if not np.any(samples):
            return None
        starts = partial_starts(len(samples))
        length = (starts[-1] + _PARTIAL_FRAMES) * _HOP
        raised = _raised(np.asarray(samples, dtype=np.float32))
        mels = _mels(np.pad(raised, (0, max(0, length - len(raised)))))
        partials = self._forward(np.stack([mels[start : start + _PARTIAL_FRAMES] for start in starts]))
        mean = np.mean(partials, axis=0, dtype=np.float64)
        norm = float(np.linalg.norm(mean))
        if not np.isfinite(norm) or norm == 0.0:
            return None
        return np.asarray(mean / norm, dtype=np.float32)

    def _forward(self, mels: Mels) -> Mels:
        """``[partials, frames, mels]`` to unit vectors ``[partials, 256]``."""
        import torch

        if self._network is None:
            self._network = _load(self._path)
        lstm, linear = self._network
        rows = []
        with torch.inference_mode():
            for first in range(0, len(mels), _BATCH):
                _, (hidden, _) = lstm(torch.from_numpy(mels[first : first + _BATCH]))
                raw = torch.relu(linear(hidden[-1]))
                rows.append((raw / torch.linalg.vector_norm(raw, dim=1, keepdim=True)).numpy())
        joined: Mels = np.concatenate(rows)
        return joined


def _load(path: Path) -> tuple[Any, Any]:
    """LSTM and linear layer with the checkpoint's weights; the rest of it served training."""
    import torch

    torch.set_num_threads(1)
    state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    lstm = torch.nn.LSTM(_MELS, _HIDDEN, _LAYERS, batch_first=True)
    linear = torch.nn.Linear(_HIDDEN, _HIDDEN)
    for name, module in (("lstm.", lstm), ("linear.", linear)):
        module.load_state_dict({key[len(name) :]: state[key] for key in state if key.startswith(name)})
        module.eval()
    return lstm, linear


def partial_starts(samples: int) -> tuple[int, ...]:
    """First mel frame of each window of 1.6 s; the last one may reach past the end by a quarter of itself.

    >>> partial_starts(16_000), partial_starts(48_000)
    ((0,), (0, 77, 154))
    """
    step = round(SAMPLE_RATE_HZ / _PARTIALS_PER_SECOND / _HOP)
    frames = -(-(samples + 1) // _HOP)
    starts = list(range(0, max(1, frames - _PARTIAL_FRAMES + step + 1), step))
    coverage = (samples - starts[-1] * _HOP) / (_PARTIAL_FRAMES * _HOP)
    if coverage < _MIN_COVERAGE and len(starts) > 1:
        starts.pop()
    return tuple(starts)


def without_pauses(samples: Samples, rate: int) -> Samples:
    """The samples without stretches far below the loud ones; 90 ms on either side of sound stay."""
    levels = frame_levels(samples, rate, _FRAME_S)
    if not len(levels):
        return samples
    loud = levels >= np.percentile(levels, _LOUD_PERCENTILE) - _QUIET_DB
    kept = np.convolve(loud, np.ones(2 * _KEPT_AROUND + 1), mode="full")[_KEPT_AROUND:-_KEPT_AROUND] > 0
    size = round(_FRAME_S * rate)
    return samples[: len(levels) * size][np.repeat(kept, size)]


def levelled(samples: Samples) -> Samples:
    """Samples ``[n]`` whose root mean square is -24 dBFS; silence as it is."""
    return samples * np.float32(_gain(samples, _LEVEL_DBFS)) if np.any(samples) else samples


def _raised(samples: Samples) -> Samples:
    """Raised to -30 dBFS where it is below that."""
    gain = _gain(samples, _TARGET_DBFS)
    return samples if gain <= 1.0 else samples * np.float32(gain)


def _gain(samples: Samples, dbfs: float) -> float:
    """What brings the root mean square there."""
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    return float(10.0 ** (dbfs / 20.0) / rms)


def _mels(samples: Samples) -> Mels:
    """Power mel spectrogram ``[frames, 40]``, not logarithmic: what the network was trained on."""
    import librosa

    mels = librosa.feature.melspectrogram(y=samples, sr=SAMPLE_RATE_HZ, n_fft=_WINDOW, hop_length=_HOP, n_mels=_MELS)
    return np.ascontiguousarray(mels.T, dtype=np.float32)
