"""`Instruments`: the models of the selected judges, loaded on first use, once per process, and what they measured."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from data_schemas.finding import Finding
from data_schemas.foundation.models import model_entry, verified_files
from validators.core.clip_measures import ClipMeasures, measures_of
from validators.core.clips import Clip
from validators.core.codes import Judge
from validators.core.judges import FORMAL, Selection, models_of
from validators.core.measure_store import MeasureStore, measured
from validators.core.probe import ClipProbe, ClipVerdict, JudgeClip, Measurement, Vector
from validators.core.thresholds import Thresholds
from validators.scene.speech_activity import SegmentationModel
from validators.scene.voice_activity import VoiceActivityDetector
from validators.voices.speaker_encoder import SpeakerEncoder

#: (probe; clip; what it measured; thresholds; a probe's measurement of the clip, kept) -> the measurement that counts
Settle = Callable[[ClipProbe, Clip, Measurement, Thresholds, Callable[[ClipProbe], Measurement]], Measurement]


class ClipJudge(NamedTuple):
    """A judge of clips: what measures (None: nothing but the samples), what says something at once, and what settles
    a measurement that a verdict would hang on by a hair (None: it counts as it is).
    """

    name: str
    probe: ClipProbe | None
    judge: JudgeClip | None
    settle: Settle | None = None


class Instruments:
    """What one process needs to judge items. Models are loaded when the first clip asks for them."""

    def __init__(self, selected: Selection = FORMAL, kept: Path | None = None) -> None:
        """``kept`` is the file measurements are kept in."""
        self.selected = selected
        self._kept = None if kept is None else MeasureStore(kept)

    def require_models(self) -> None:
        """Check that every model of the selected judges is installed.

        Raises:
            data_schemas.foundation.models.ModelMissing, ModelCorrupt: says what to run.
        """
        for name in models_of(self.selected):
            verified_files(name)

    @cached_property
    def segmentation(self) -> SegmentationModel:
        return SegmentationModel()

    @cached_property
    def activity(self) -> VoiceActivityDetector:
        return VoiceActivityDetector()

    @cached_property
    def voices(self) -> SpeakerEncoder:
        return SpeakerEncoder()

    @cached_property
    def model_hashes(self) -> tuple[str, ...]:
        """Hashes of the selected judges' model files, in table order."""
        return tuple(file.sha256 for name in models_of(self.selected) for file in model_entry(name).files)

    def recall(self, key: str) -> Measurement | None:
        """What was kept under a key."""
        return None if self._kept is None else self._kept.get(key)

    def keep(self, key: str, measurement: Measurement) -> None:
        """Keep something under a key, where there is a place to keep it."""
        if self._kept is not None:
            self._kept.put(key, measurement)

    @cached_property
    def clip_judges(self) -> tuple[ClipJudge, ...]:
        """The selected judges of clips, in the order of their table."""
        return tuple(make() for name, make in _CLIP_JUDGES.items() if name in self.selected)

    def examine(self, clip: Clip, thresholds: Thresholds) -> tuple[tuple[Finding, ...], ClipMeasures]:
        """Everything the selected judges find and measure of one clip."""
        findings: list[Finding] = []
        values: dict[str, float] = {}
        texts: dict[str, str] = {}
        vectors: dict[str, Vector] = {}
        for own in self.clip_judges:
            measurement = self._measurement(own, clip, thresholds)
            values.update(measurement.values)
            texts.update(measurement.texts)
            vectors.update(measurement.vectors)
            if own.judge is not None:
                verdict = own.judge(Judge(f"{own.name}/1", clip.item, clip.file), clip, measurement, thresholds)
                findings += verdict.findings
                values.update(verdict.values)
        return tuple(findings), measures_of(clip, values, texts, vectors)

    def _measurement(self, own: ClipJudge, clip: Clip, thresholds: Thresholds) -> Measurement:
        if own.probe is None:
            return Measurement()

        def measure(probe: ClipProbe) -> Measurement:
            return measured(probe, clip, self._kept)

        first = measure(own.probe)
        return first if own.settle is None else own.settle(own.probe, clip, first, thresholds, measure)


def _sound() -> ClipJudge:
    from validators.sound.sound import judge_sound

    def judge(judge: Judge, clip: Clip, measurement: Measurement, thresholds: Thresholds) -> ClipVerdict:
        return judge_sound(judge, clip, thresholds)

    return ClipJudge("sound", None, judge)


def _quality() -> ClipJudge:
    from validators.sound.quality import QualityProbe, judge_quality

    return ClipJudge("quality", QualityProbe(), judge_quality)


def _transcript() -> ClipJudge:
    from validators.words.hearings import settled
    from validators.words.recogniser import Recogniser
    from validators.words.transcript import judge_transcript

    return ClipJudge("transcript", Recogniser(), judge_transcript, settled)


def _speakers() -> ClipJudge:
    return ClipJudge("speakers", SpeakerEncoder(), None)


def _prosody() -> ClipJudge:
    from validators.emotion.prosody import ProsodyProbe

    return ClipJudge("prosody", ProsodyProbe(), None)


def _emotion() -> ClipJudge:
    from validators.emotion.acoustic_features import AcousticFeatures

    return ClipJudge("emotion", AcousticFeatures(), None)


def _fingerprint() -> ClipJudge:
    from validators.sets.fingerprint import FingerprintProbe

    return ClipJudge("fingerprint", FingerprintProbe(), None)


_CLIP_JUDGES: dict[str, Callable[[], ClipJudge]] = {
    "sound": _sound,
    "quality": _quality,
    "transcript": _transcript,
    "speakers": _speakers,
    "prosody": _prosody,
    "emotion": _emotion,
    "fingerprint": _fingerprint,
}
