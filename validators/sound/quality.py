"""DNSMOS: how people would rate the sound of one clip, estimated by Microsoft's models P.835 and P.808.

Reddy, Gopal, Cutler 2022, "DNSMOS P.835: A non-intrusive perceptual objective speech quality metric to evaluate noise
suppressors". Ratings run from 1 to 5: of the speech (``sig``), of the background (``bak``), overall (``ovrl``), and
overall as ITU-T P.808 asks for it (``p808``). The numbers are those of ``speechmos`` 0.0.1.1, to 1e-3.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from data_schemas.finding import Finding
from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.foundation.models import verified_path
from validators.core.clips import Clip
from validators.core.codes import Judge
from validators.core.probe import ClipVerdict, Measurement
from validators.core.thresholds import Thresholds

VALIDATOR = "quality/1"
MODEL_NAME = "dnsmos-p835"
P835_FILE = "sig_bak_ovr.onnx"
P808_FILE = "model_v8.onnx"

#: What the models hear at once, 9.01 s, and how far apart these windows begin (speechmos 0.0.1.1, ``INPUT_LENGTH``)
WINDOW_SAMPLES = 144_160
WINDOW_S = 9.01
HOP_S = 1
#: 120 mel bands of 20 ms every 10 ms, the last 10 ms of the window left out (speechmos 0.0.1.1, ``audio_melspec``)
_MELS = 120
_FFT = 321
_HOP = 160
_LOWEST_DB = -80.0  # librosa.power_to_db, ``top_db``
_MEL_OFFSET_DB = 40.0
_LEAST_POWER = 1e-10  # librosa.power_to_db, ``amin``
#: From the P.835 model's raw outputs to ratings, highest power first (speechmos 0.0.1.1, ``get_polyfit_val``)
_RATINGS: tuple[tuple[str, tuple[float, float, float]], ...] = (
    ("sig", (-0.08397278, 1.22083953, 0.0052439)),
    ("bak", (-0.13166888, 1.60915514, -0.39604546)),
    ("ovrl", (-0.06766283, 1.11546468, 0.04602535)),
)
#: Digests of exact arithmetic vary with the processor's vector units; four digits do not matter to a rating.
_DIGITS = 4

Floats = npt.NDArray[np.float32]


class QualityProbe:
    """Both models of the pinned table, loaded on first use, once per instance; one thread, deterministic.

    Values ``sig``, ``bak``, ``ovrl``, ``p808``. A clip shorter than 9.01 s is repeated (doubled until long enough) and
    heard once; a longer one is heard every second, as upstream does, and the ratings are averaged.
    """

    @cached_property
    def identity(self) -> str:
        from data_schemas.foundation.models import model_entry

        return f"{VALIDATOR} {MODEL_NAME} {model_entry(MODEL_NAME).weights_sha256} window {WINDOW_S} s hop {HOP_S} s"

    def measure(self, clip: Clip) -> Measurement:
        """Rate samples ``[n]`` at 16 kHz.

        Raises:
            ValueError: another rate, or no samples.
            ModelMissing, ModelCorrupt: naming the command that helps.
        """
        if clip.rate != SAMPLE_RATE_HZ or not len(clip.samples):
            raise ValueError(
                f"{clip.id}: DNSMOS hears 16 kHz; this clip has {len(clip.samples)} samples at {clip.rate}"
            )
        ratings = [self._rate(window) for window in windows(clip.samples)]
        names = ratings[0].keys()
        return Measurement({name: round(float(np.mean([one[name] for one in ratings])), _DIGITS) for name in names})

    def _rate(self, window: Samples) -> dict[str, float]:
        raw = self._p835.run(None, {"input_1": window[np.newaxis, :]})[0][0]
        ratings = {name: float(np.polyval(curve, value)) for (name, curve), value in zip(_RATINGS, raw, strict=True)}
        features = self._mel(window[:-_HOP])[np.newaxis]
        return ratings | {"p808": float(self._p808.run(None, {"input_1": features})[0][0][0])}

    @cached_property
    def _p835(self) -> Any:
        return _session(P835_FILE)

    @cached_property
    def _p808(self) -> Any:
        return _session(P808_FILE)

    @cached_property
    def _filters(self) -> Floats:
        import librosa

        bank: Floats = librosa.filters.mel(sr=SAMPLE_RATE_HZ, n_fft=_FFT, n_mels=_MELS)
        return bank

    def _mel(self, samples: Samples) -> Floats:
        """Log-mel power relative to the loudest, ``[frames, 120]``."""
        import librosa

        spectrum = np.abs(librosa.stft(samples, n_fft=_FFT, hop_length=_HOP)) ** 2
        power = np.maximum(self._filters @ spectrum, _LEAST_POWER)
        decibels = 10.0 * np.log10(power / np.max(power))
        features: Floats = ((np.maximum(decibels, _LOWEST_DB) + _MEL_OFFSET_DB) / _MEL_OFFSET_DB).T.astype(np.float32)
        return features


def windows(samples: Samples) -> Iterator[Samples]:
    """The pieces of 9.01 s that upstream rates; a short clip gives pieces of itself, doubled until it is long enough.

    Upstream's second arithmetic in floats loses a sample of the pieces that begin at 7 to 23 s and leaves them out;
    so does this, or long clips would be rated otherwise than in everybody else's tables.
    """
    samples = np.ascontiguousarray(samples, dtype=np.float32)
    while len(samples) < WINDOW_SAMPLES:
        samples = np.concatenate([samples, samples])
    hops = int(len(samples) // SAMPLE_RATE_HZ - WINDOW_S) + 1
    for start_s in range(0, hops * HOP_S, HOP_S):
        window = samples[start_s * SAMPLE_RATE_HZ : int((start_s + WINDOW_S) * SAMPLE_RATE_HZ)]
        if len(window) == WINDOW_SAMPLES:
            yield window


def _session(file: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        str(verified_path(MODEL_NAME, file)), options, providers=["CPUExecutionProvider"]
    )


def judge_quality(judge: Judge, clip: Clip, measurement: Measurement, thresholds: Thresholds) -> ClipVerdict:
    """Ratings under the limits; of the background on dry clips only. All four ratings are worth publishing."""
    return ClipVerdict(tuple(_ratings(judge, clip, measurement, thresholds)), measurement.values)


def _ratings(judge: Judge, clip: Clip, measurement: Measurement, thresholds: Thresholds) -> Iterator[Finding]:
    if not clip.is_dry:
        return
    overall, background = measurement.values["ovrl"], measurement.values["bak"]
    if overall < thresholds.min_dnsmos_overall:
        yield judge.say(
            "SOUND.DNSMOS",
            f"DNSMOS rates the sound {overall:.2f} of 5; synthesise it again",
            span=clip.span,
            value=overall,
            threshold=thresholds.min_dnsmos_overall,
        )
    if background < thresholds.min_dnsmos_background:
        yield judge.say(
            "SOUND.DNSMOS_BACKGROUND",
            f"DNSMOS rates the background {background:.2f} of 5; look for noise or hum",
            span=clip.span,
            value=background,
            threshold=thresholds.min_dnsmos_background,
        )
