"""Speech recognition with Whisper base (Radford et al. 2022) in CTranslate2: what is heard, and in which language.

Decoding is fixed: beam search, temperature 0, no timestamps, no text before it, the clip's language given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.foundation.models import model_entry, verified_files
from data_schemas.tasks import Language
from validators.core.clips import Clip
from validators.core.measure import FRAME_S, frame_levels, runs
from validators.core.probe import Measurement

VERSION = "recogniser/1"
MODEL_NAME = "whisper-base-ct2"
MODEL_FILE = "model.bin"

_BEAM = 2
_LEAD_S, _TAIL_S = 0.2, 1.0  # silence around the clip: words at the very edge of a window are lost
_WINDOW_S = 15.0  # least window; see limits/transcript.py, CALIBRATION, for what other windows cost and lose
_LONGEST_S = 28.0  # of speech in one window; Whisper was trained on windows of 30 s
_SEARCH_S = 6.0  # a longer clip is divided at the quietest place among the last seconds of a window
_QUIET_DBFS = -50.0  # frames below it are silence, as Thresholds.silence_dbfs
_LONGEST_SILENCE_FRAMES = 15  # longer ones inside a clip are shortened to this: after a pause Whisper stops
_TOKENS_PER_S, _MORE_TOKENS = 20, 20  # speech has less (Chinese 13 a second at most); bounds Whisper's loops
_HOP = 160  # samples per column of the spectrogram; two columns make one encoder frame


class _Heard(NamedTuple):
    text: str
    log_probability: float  # sum over the tokens
    tokens: int
    no_speech: float
    languages: dict[str, float]


class Recogniser:
    """A `ClipProbe`: the pinned Whisper base, loaded on first use, once per instance; one thread, deterministic."""

    def __init__(self, model_folder: Path | None = None) -> None:
        """``model_folder`` holds files whose hashes the caller has checked; None takes the pinned ones.

        Raises:
            data_schemas.foundation.models.ModelMissing: the pinned model is not installed; says what to run.
        """
        self._folder = verified_files(MODEL_NAME)[MODEL_FILE].parent if model_folder is None else model_folder
        self._model: Any = None
        self._tokenizers: dict[Language, Any] = {}

    @property
    def identity(self) -> str:
        """Version, weights and every setting of the decoding."""
        settings = (
            _BEAM,
            _LEAD_S,
            _TAIL_S,
            _WINDOW_S,
            _LONGEST_S,
            _SEARCH_S,
            _QUIET_DBFS,
            _LONGEST_SILENCE_FRAMES,
            _TOKENS_PER_S,
            _MORE_TOKENS,
        )
        return f"{VERSION} {model_entry(MODEL_NAME).weights_sha256} int8 {settings}"

    def measure(self, clip: Clip) -> Measurement:
        """Texts ``heard`` and ``heard_language`` (ISO 639-1); values ``avg_logprob``, ``no_speech``,
        ``p_language`` (of the clip's own language) and ``p_heard_language``, each in [0, 1] but the first.

        Raises:
            ValueError: the clip is not at 16 kHz.
        """
        if clip.rate != SAMPLE_RATE_HZ:
            raise ValueError(f"clip {clip.id}: {clip.rate} Hz; Whisper needs {SAMPLE_RATE_HZ} Hz, resample it first")
        pieces = pieces_of(shorten_silences(clip.samples))
        heard = [self._listen(piece, clip.language) for piece in pieces]
        weights = np.array([len(piece) for piece in pieces], dtype=np.float64)
        share = weights / weights.sum()
        languages: dict[str, float] = {}
        for part, each in zip(share, heard, strict=True):
            for language, probability in each.languages.items():
                languages[language] = languages.get(language, 0.0) + float(part) * probability
        likeliest = max(languages, key=lambda language: languages[language])
        joint = " " if clip.language is Language.EN else ""
        return Measurement(
            texts={"heard": joint.join(each.text for each in heard), "heard_language": likeliest},
            values={
                "avg_logprob": sum(each.log_probability for each in heard) / max(1, sum(each.tokens for each in heard)),
                "no_speech": float(share @ np.array([each.no_speech for each in heard])),
                "p_language": languages.get(clip.language.value, 0.0),
                "p_heard_language": languages[likeliest],
            },
        )

    def _listen(self, samples: Samples, language: Language) -> _Heard:
        model = self._loaded()
        tokenizer = self._tokenizer(language)
        encoded = model.encode(self._features(samples))
        prompt = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        most = len(prompt) + _MORE_TOKENS + round(_TOKENS_PER_S * len(samples) / SAMPLE_RATE_HZ)
        answer = model.model.generate(
            encoded,
            [prompt],
            beam_size=_BEAM,
            max_length=min(model.max_length, most),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=[-1],
        )[0]
        tokens = answer.sequences_ids[0]
        return _Heard(
            text=tokenizer.decode(tokens).strip(),
            log_probability=answer.scores[0] * len(tokens),
            tokens=len(tokens) + 1,
            no_speech=answer.no_speech_prob,
            languages={name[2:-2]: score for name, score in model.model.detect_language(encoded)[0]},
        )

    def _features(self, samples: Samples) -> Any:
        """Log-mel spectrogram ``[80, columns]`` of the samples in a window no longer than they need."""
        lead, tail = round(_LEAD_S * SAMPLE_RATE_HZ), round(_TAIL_S * SAMPLE_RATE_HZ)
        length = max(round(_WINDOW_S * SAMPLE_RATE_HZ), lead + len(samples) + tail)
        window = np.zeros(-(-length // (2 * _HOP)) * 2 * _HOP, dtype=np.float32)
        window[lead : lead + len(samples)] = samples
        return self._loaded().feature_extractor(window, padding=0)[:, : len(window) // _HOP]

    def _loaded(self) -> Any:
        if self._model is None:
            from faster_whisper import WhisperModel

            self._model = WhisperModel(
                str(self._folder),
                device="cpu",
                compute_type="int8",
                cpu_threads=1,
                num_workers=1,
                local_files_only=True,
            )
        return self._model

    def _tokenizer(self, language: Language) -> Any:
        if language not in self._tokenizers:
            from faster_whisper.tokenizer import Tokenizer

            self._tokenizers[language] = Tokenizer(
                self._loaded().hf_tokenizer, True, task="transcribe", language=language.value
            )
        return self._tokenizers[language]


def shorten_silences(samples: Samples) -> Samples:
    """Samples ``[m]``, ``m <= n``: silences inside that are longer than 0.3 s shortened to 0.3 s, at their middle."""
    size = round(FRAME_S * SAMPLE_RATE_HZ)
    levels = frame_levels(samples, SAMPLE_RATE_HZ)
    kept, place = [], 0
    for first, last in runs(levels < _QUIET_DBFS):
        surplus = last - first - _LONGEST_SILENCE_FRAMES
        if surplus > 0 and first > 0 and last < len(levels):
            stop = (first + _LONGEST_SILENCE_FRAMES // 2) * size
            kept.append(samples[place:stop])
            place = stop + surplus * size
    return np.concatenate([*kept, samples[place:]])


def pieces_of(samples: Samples) -> tuple[Samples, ...]:
    """Pieces of 28 s at most, divided at the quietest frame among the last 6 s; together the samples."""
    pieces = []
    longest, search = round(_LONGEST_S * SAMPLE_RATE_HZ), round(_SEARCH_S * SAMPLE_RATE_HZ)
    while len(samples) > longest:
        levels = frame_levels(samples[longest - search : longest], SAMPLE_RATE_HZ)
        cut = longest - search + int(np.argmin(levels)) * round(FRAME_S * SAMPLE_RATE_HZ)
        pieces.append(samples[:cut])
        samples = samples[cut:]
    return (*pieces, samples)
