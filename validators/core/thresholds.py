"""`Thresholds`: every number a judge compares with, its default, its range and where it comes from.

The section ``validation:`` of a build configuration. Where a number was measured, the
measurement is described in ``docs/findings.md``, which is generated from here and from ``codes``.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from validators.emotion import limits as emotion
from validators.emotion.limits import EmotionLimits
from validators.scene import limits as conversation
from validators.scene.limits import ConversationLimits
from validators.sets import limits as sets
from validators.sets.limits import SetLimits
from validators.sound import limits as sound
from validators.sound.limits import SoundLimits
from validators.voices import limits as speakers
from validators.voices.limits import SpeakerLimits
from validators.words import limits as transcript
from validators.words.limits import TranscriptLimits

FAMILIES = (transcript, sound, speakers, conversation, emotion, sets)

#: SPDX identifiers under which an engine's audio may be published: the project's engines
#: (Kokoro Apache-2.0, CosyVoice Apache-2.0, espeak-ng GPL-3.0-or-later) and the usual free licences.
ALLOWED_LICENSES: tuple[str, ...] = (
    "Apache-2.0",
    "MIT",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "GPL-3.0-or-later",
    "GPL-3.0-only",
    "CC0-1.0",
    "CC-BY-4.0",
)


class Thresholds(TranscriptLimits, SoundLimits, SpeakerLimits, ConversationLimits, EmotionLimits, SetLimits):
    """Limits of the validators. Units are in the names; ``description`` says where a default comes from."""

    # --- scripts
    max_line_s: float = Field(
        default=20.0, gt=0.0, le=120.0, description="CHOICE: what one person says in one breath of a conversation"
    )
    max_reply_s: float = Field(
        default=30.0,
        gt=0.0,
        le=240.0,
        description="CHOICE: replies of Track 1, which are read; the longest shipped one takes 24 s",
    )
    max_tags_per_line: int = Field(
        default=2, ge=0, le=10, description="CHOICE: vocal tags are rare; shipped lines have one at most"
    )
    min_interrupted_reply_s: float = Field(
        default=7.0,
        ge=0.0,
        le=60.0,
        description="FORMATS.md B.6: the event comes 5 s after the query, and the reply goes on",
    )
    min_conversation_host_s: float = Field(
        default=2.5,
        ge=0.0,
        le=30.0,
        description="CHOICE: a reply that is barged into was heard for a second and still had something to say",
    )
    max_interruption_s: float = Field(
        default=6.0, gt=0.0, le=30.0, description="CHOICE: the longest shipped interruption takes 3.3 s"
    )
    max_backchannel_s: float = Field(
        default=2.0, gt=0.0, le=10.0, description="CHOICE: the longest shipped backchannel takes 1.0 s"
    )
    max_script_similarity: float = Field(
        default=0.5,
        gt=0.0,
        le=1.0,
        description="Jaccard of shingles from which two scripts are near-duplicates (CHOICE)",
    )
    max_line_similarity: float = Field(
        default=0.7,
        gt=0.0,
        le=1.0,
        description="Jaccard of shingles from which one line is copied from another (CHOICE)",
    )
    max_opening_share: float = Field(
        default=0.25,
        gt=0.0,
        le=1.0,
        description="largest share of one opening among the lines of one task and language (CHOICE)",
    )

    # --- audio files
    sample_rate_hz: int = Field(
        default=SAMPLE_RATE_HZ, ge=8_000, le=48_000, description="FORMATS.md 0: 16 kHz everywhere"
    )
    min_duration_s: float = Field(
        default=0.2, ge=0.0, le=5.0, description="shortest backchannel measured: espeak 嗯嗯 0.34 s"
    )
    max_duration_s: float = Field(
        default=300.0,
        gt=0.0,
        le=3600.0,
        description="a conversation of six turns with lines of max_line_s and replies of max_reply_s",
    )
    min_loudness_lufs: float = Field(
        default=-38.0, ge=-70.0, le=0.0, description="ITU-R BS.1770-4; EBU R 128 target -23 LUFS less 15 LU"
    )
    max_loudness_lufs: float = Field(
        default=-12.0, ge=-70.0, le=0.0, description="ITU-R BS.1770-4; EBU R 128 target -23 LUFS plus 11 LU"
    )
    max_peak_dbfs: float = Field(
        default=-0.1, ge=-20.0, le=0.0, description="headroom of one quantisation ripple below full scale"
    )
    max_clipped_run: int = Field(
        default=2,
        ge=0,
        le=100,
        description="Audacity's Find Clipping calls 3 full-scale samples in a row clipped",
    )
    max_dc_offset: float = Field(
        default=0.01, gt=0.0, le=0.5, description="-40 dBFS; Kokoro and espeak speech measured below 0.0034"
    )
    max_step_from_silence: float = Field(
        default=0.05,
        gt=0.0,
        le=1.0,
        description="-26 dBFS; a jump out of digital silence above it is heard as a click",
    )
    silence_dbfs: float = Field(
        default=-50.0,
        ge=-90.0,
        le=-20.0,
        description="20 ms frame level under which a frame counts as silent",
    )
    max_edge_silence_s: float = Field(
        default=0.8,
        ge=0.0,
        le=10.0,
        description="CHOICE: above the 0.6 s that detectors bridge (FORMATS.md B.6)",
    )
    max_turn_inner_silence_s: float = Field(
        default=1.5,
        gt=0.0,
        le=10.0,
        description="CHOICE: longer than a sentence break of the engines (measured 0.52 s)",
    )
    min_seconds_per_zh_char: float = Field(
        default=0.10, gt=0.0, le=2.0, description="calibrated on Kokoro and espeak speech, see below"
    )
    max_seconds_per_zh_char: float = Field(
        default=0.45, gt=0.0, le=5.0, description="calibrated on Kokoro and espeak speech, see below"
    )
    min_seconds_per_en_word: float = Field(
        default=0.13, gt=0.0, le=2.0, description="calibrated on Kokoro and espeak speech, see below"
    )
    max_seconds_per_en_word: float = Field(
        default=0.60, gt=0.0, le=5.0, description="calibrated on Kokoro and espeak speech, see below"
    )
    duration_allowance_s: float = Field(
        default=0.8,
        ge=0.0,
        le=5.0,
        description="edge silences and final lengthening, added to the upper bound",
    )

    # --- full-duplex structure
    min_segment_gap_s: float = Field(
        default=0.6, gt=0.0, le=5.0, description="FORMATS.md B.6: user pieces up to 0.6 s apart are merged"
    )
    min_tail_s: float = Field(default=5.0, ge=0.0, le=60.0, description="FORMATS.md B.6: at the very least 5 s")
    duration_tolerance_samples: int = Field(default=1, ge=0, le=1600, description="FORMATS.md 0: to within one sample")
    min_pause_s: float = Field(default=0.6, gt=0.0, le=5.0, description="FORMATS.md B.6: a pause is over 0.6 s")
    max_pause_s: float = Field(
        default=3.6, gt=0.0, le=20.0, description="FORMATS.md B.6: 1.0 to 3.0 s, and the edges of the pieces"
    )
    min_event_gap_s: float = Field(
        default=4.0, ge=0.0, le=60.0, description="FORMATS.md B.6: query end to event 4 to 8 s"
    )
    max_event_gap_s: float = Field(
        default=8.0, ge=0.0, le=60.0, description="FORMATS.md B.6: query end to event 4 to 8 s"
    )
    min_before_gap_s: float = Field(
        default=1.0, ge=0.0, le=60.0, description="FORMATS.md B.6: third party to user query 1 to 3 s"
    )
    max_before_gap_s: float = Field(
        default=3.0, ge=0.0, le=60.0, description="FORMATS.md B.6: third party to user query 1 to 3 s"
    )

    max_stop_latency_s: float = Field(
        default=1.0,
        gt=0.0,
        le=5.0,
        description="DESIGN.md: who is interrupted stops after 0.2 to 0.64 s; CHOICE: half as much again",
    )

    # --- labels against files
    max_outside_dbfs: float = Field(
        default=-50.0, ge=-90.0, le=-20.0, description="50 ms frame level allowed outside labelled speech"
    )
    label_margin_s: float = Field(
        default=0.05, ge=0.0, le=1.0, description="room tail and frame length ignored around a label's edge"
    )
    min_active_share: float = Field(
        default=0.35,
        ge=0.0,
        le=1.0,
        description="share of a label's frames that carry sound; measured lowest 0.56",
    )

    # --- behind a microphone
    floor_margin_db: float = Field(
        default=3.0,
        ge=0.0,
        le=20.0,
        description="sound up to this much over the stated floor is background; calibrated, see below",
    )
    min_speech_over_floor_db: float = Field(
        default=6.0,
        ge=0.0,
        le=60.0,
        description="level of the user's speech (95 % of its 50 ms frames lie below) over the stated floor; "
        "calibrated, see below",
    )
    max_floor_excess_db: float = Field(
        default=3.0,
        ge=0.0,
        le=40.0,
        description="the stated floor over the loudest 50 ms that carry no label; calibrated, see below",
    )
    max_snr_error_db: float = Field(
        default=1.0, ge=0.0, le=40.0, description="stated against measured signal-to-noise ratio; calibrated, see below"
    )
    min_active_share_in_noise: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="instead of min_active_share where the floor lies above silence_dbfs; calibrated, see below",
    )
    max_inner_silence_in_noise_s: float = Field(
        default=1.2,
        gt=0.0,
        le=10.0,
        description="instead of min_segment_gap_s where the floor lies above silence_dbfs: soft speech drowns there; "
        "calibrated, see below",
    )
    min_clean_correlation: float = Field(
        default=0.2,
        ge=0.0,
        le=1.0,
        description="normalised cross-correlation at lag 0 of a clean file with the channel; calibrated, see below",
    )

    # --- overlapped speech detection
    overlap_onset: float = Field(
        default=0.2, gt=0.0, lt=1.0, description="second-highest speaker score; calibrated, see below"
    )
    overlap_onset_low: float = Field(
        default=0.1,
        gt=0.0,
        lt=1.0,
        description="a frame under it is surely one speaker; calibrated, see below",
    )
    overlap_certain: float = Field(
        default=0.5,
        gt=0.0,
        lt=1.0,
        description="a frame over it is surely two speakers; calibrated, see below",
    )
    overlap_collar_s: float = Field(
        default=0.25,
        ge=0.0,
        le=1.0,
        description="NIST RT evaluation collar, ignored around planned boundaries",
    )
    gross_overlap_s: float = Field(
        default=1.0,
        gt=0.0,
        le=60.0,
        description="planned (or found) overlap from which total disagreement is an error",
    )
    min_overlap_recall: float = Field(default=0.3, ge=0.0, le=1.0, description="calibrated, see below")
    min_overlap_precision: float = Field(default=0.5, ge=0.0, le=1.0, description="calibrated, see below")

    # --- release gate
    allowed_licenses: tuple[str, ...] = Field(
        default=ALLOWED_LICENSES, min_length=1, description="the challenge forbids commercial TTS (DESIGN.md)"
    )

    def at(self, layout: str | None = None, engine: str | None = None) -> Thresholds:
        """What holds for items of this layout spoken by this engine: everywhere the same."""
        del layout, engine
        return self

    @model_validator(mode="after")
    def _bands(self) -> Self:
        for low, high in BANDS:
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} ({getattr(self, low)}) is above {high} ({getattr(self, high)})")
        return self


#: Pairs of fields that are the two ends of one band.
BANDS: tuple[tuple[str, str], ...] = (
    ("min_duration_s", "max_duration_s"),
    ("min_loudness_lufs", "max_loudness_lufs"),
    ("min_seconds_per_zh_char", "max_seconds_per_zh_char"),
    ("min_seconds_per_en_word", "max_seconds_per_en_word"),
    ("min_pause_s", "max_pause_s"),
    ("overlap_onset_low", "overlap_onset"),
    ("overlap_onset", "overlap_certain"),
    ("min_event_gap_s", "max_event_gap_s"),
    ("min_before_gap_s", "max_before_gap_s"),
    *(band for family in FAMILIES for band in family.BANDS),
)

#: Engine -> thresholds that differ for its speech, from all families.
ENGINE_DEFAULTS: dict[str, dict[str, float]] = {
    engine: {name: value for family in FAMILIES for name, value in family.ENGINES.get(engine, {}).items()}
    for engine in sorted({name for family in FAMILIES for name in family.ENGINES})
}
