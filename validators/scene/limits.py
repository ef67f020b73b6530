"""Who speaks when: thresholds, codes, defaults per engine, and how the defaults were found."""

# ruff: noqa: E501
from __future__ import annotations

from pydantic import Field

from data_schemas.foundation.base import Record
from validators.core.engine_limits import EngineDefaults


class ConversationLimits(Record):
    """Voice activity and diarization against the labels."""

    voice_onset: float = Field(
        default=0.5,
        gt=0.0,
        lt=1.0,
        description="highest speaker score from which a frame is voice; calibrated, see below",
    )
    voice_margin_s: float = Field(
        default=0.25,
        ge=0.0,
        le=2.0,
        description="voice this near to a label or a stop is the label's; NIST RT evaluation collar",
    )
    min_voice_share: float = Field(
        default=0.7,
        ge=0.0,
        le=1.0,
        description="share of a label's sounding time that pyannote hears as speech; calibrated, see below; 0 switches it off",
    )
    min_speech_share: float = Field(
        default=0.4,
        ge=0.0,
        le=1.0,
        description="the same by Silero VAD, which music does not deceive; calibrated, see below; 0 switches it off",
    )
    max_invented_s: float = Field(
        default=0.3, gt=0.0, le=60.0, description="longest voice beside all labels; calibrated, see below"
    )
    max_sound_before_label_s: float = Field(
        default=0.1, ge=0.0, le=5.0, description="sound may begin so much before its label; calibrated, see below"
    )
    max_silence_before_sound_s: float = Field(
        default=0.2, ge=0.0, le=5.0, description="a label may begin so much before its sound; calibrated, see below"
    )
    max_silence_after_sound_s: float = Field(
        default=0.3, ge=0.0, le=5.0, description="a label may end so much after its sound; calibrated, see below"
    )
    max_sound_after_label_s: float = Field(
        default=0.1,
        ge=0.0,
        le=5.0,
        description="sound may outlast its label by so much, beside the room's tail; calibrated, see below",
    )
    max_onset_error_in_noise_s: float = Field(
        default=0.2,
        ge=0.0,
        le=5.0,
        description="instead of the four above behind noise, echo or telephone: onset by pyannote; calibrated, see below",
    )
    max_speech_after_stop_s: float = Field(
        default=0.3,
        gt=0.0,
        le=10.0,
        description="voice of the assistant after it should have stopped; calibrated, see below",
    )
    max_diarization_error: float = Field(
        default=0.5,
        gt=0.0,
        le=2.0,
        description="diarization error rate of one item; calibrated, see below; 2 switches it off",
    )


_VOICE = "Bredin & Laurent 2021 (pyannote segmentation); calibration below"
_BOUNDS = "voice_onset max_sound_before_label_s max_silence_before_sound_s max_silence_after_sound_s max_sound_after_label_s max_onset_error_in_noise_s min_segment_gap_s"

#: (code, severity, names of thresholds, source, meaning), as in code_table
CODES: tuple[tuple[str, str, str, str, str], ...] = (
    (
        "SCENE.SEGMENT_MISSED",
        "error",
        "voice_onset min_voice_share min_speech_share",
        _VOICE,
        "what sounds in a labelled segment is no speech, or nothing sounds",
    ),
    (
        "SCENE.SEGMENT_INVENTED",
        "error",
        "voice_onset voice_margin_s max_invented_s",
        _VOICE,
        "speech where no label says so",
    ),
    ("SCENE.SEGMENT_SHIFTED", "error", _BOUNDS, "calibration below", "a label begins or ends elsewhere than its sound"),
    (
        "SCENE.NOT_STOPPED",
        "error",
        "voice_onset voice_margin_s max_speech_after_stop_s max_stop_latency_s",
        "DESIGN.md: who is interrupted stops; calibration below",
        "the assistant goes on speaking after its label was cut, or after the user interrupted it",
    ),
    (
        "SCENE.EVENT_SILENT",
        "error",
        "voice_onset",
        _VOICE,
        "nobody is heard where and when an event says that somebody speaks",
    ),
    (
        "SCENE.DIARIZATION",
        "warning",
        "max_diarization_error",
        "pyannote.metrics, NIST RT collar of 0.25 s; calibration below",
        "who is heard when in the mix is not what the labels say",
    ),
)

#: pairs of thresholds that are the two ends of one band
BANDS: tuple[tuple[str, str], ...] = ()

#: engine -> thresholds that differ from the default for its speech
ENGINES: EngineDefaults = {}

#: Markdown: what was measured, on what, and the share of clean utterances blamed
CALIBRATION = """\
## Calibration: conversation

**Corpora.** Clean two-channel scenes, zh and en, all ten sub-tasks and conversations: calibrated on Kokoro seed 1 (16
scenes, 56 labels) and espeak seed 1 (42 scenes, 159 labels); held out are Kokoro seed 2 (42 scenes, 158 labels) and
espeak seed 2 (42 scenes, 158 labels). Behind a microphone: 8 espeak conversations (49 labels; one dry, the others
rooms, echo, noise at 23 and 35 dB, babble at 16 dB, two telephones), which also set the one limit that holds there.

| smallest or largest on clean speech | calibration | Kokoro, held out | espeak, held out | limit |
|---|---|---|---|---|
| share of a label's sounding time, pyannote | 0.939 | 0.960 | 0.894 | 0.7 |
| the same, Silero | 0.727 | 0.962 | 0.727 | 0.4 |
| voice beside all labels, s | 0 | 0 | 0 | 0.3 |
| sound begins after its label, s | 0.042 to 0.119 | 0.046 to 0.140 | 0.042 to 0.130 | -0.1 to 0.2 |
| sound ends after its label, s | -0.203 to 0.003 | -0.296 to 0.005 | -0.181 to 0.027 | -0.3 to 0.1 |
| behind a microphone: voice begins after its label, s | -0.03 to 0.08 | – | – | -0.2 to 0.2 |

Limits lie well outside the extremes on the calibration scenes, and less than 0.3 s from them, so that a label moved by
0.3 s is seen. The one -0.296 s is a reply whose cut fell into a pause: found on the held-out scenes, it made the rule
that a cut label may end up to ``min_segment_gap_s`` after its sound; without that reply Kokoro's least is -0.18 s.
Without a label, scores stay under 0.3: the onset of 0.5 is pyannote's own.

**False alarms.** None of any code: 0 of 58 calibration scenes, 0 of 42 held-out scenes of each engine (0 of 158 labels
each; both together 0 of 316, by the rule of three at most 0.95 % of utterances and 3.6 % of scenes with 95 %
confidence), 0 of 8 behind a microphone, where nothing is held out. No engine needs a value of its own. In babble nothing is called invented or shifted; other voices
may be heard where the assistant's echo is.

**Planted defects**, in the scenes of Kokoro 1, espeak 1 and Kokoro 2:

| defect | its code | found |
|---|---|---|
| one label moved by 0.3 s, either way | `SCENE.SEGMENT_SHIFTED` | 150 of 150 |
| all labels of the user moved by 0.3 s | `SCENE.SEGMENT_SHIFTED` | 100 of 100 |
| labels of two segments swapped in time | `SCENE.SEGMENT_SHIFTED` | 77 of 88; the others differ by 0.16 s or less in length |
| channels swapped | `SCENE.SEGMENT_MISSED` | 100 of 100 |
| third party on the assistant's channel | `SCENE.SEGMENT_MISSED` | 18 of 18 |
| a segment silenced | `SCENE.SEGMENT_MISSED` | 36 of 36 |
| a segment replaced by noise (white, pink) of its level | `SCENE.SEGMENT_MISSED` | 36 of 36 |
| a segment replaced by music (plucked harmonic tones) of its level | `SCENE.SEGMENT_MISSED` | 36 of 36 |
| an unlabelled utterance of 0.5 to 1.5 s in a gap | `SCENE.SEGMENT_INVENTED` | 36 of 36 |
| a reply goes on after its labelled cut | `SCENE.NOT_STOPPED` | 30 of 30 |
| the same, labelled as not cut | `SCENE.NOT_STOPPED` | 30 of 30 |
| a labelled backchannel removed | `SCENE.EVENT_SILENT` | 18 of 18 |

Behind a microphone: one label moved 29 of 32, all moved 7 of 8, channels swapped 7 of 8 (8 of 8 by some code), labels
swapped 1 of 8 (7 of 8 by `SCENE.SEGMENT_INVENTED`): ends are not judged there, nor bounds in babble, nor a beginning
less than ``min_segment_gap_s`` after another label. pyannote heard 4 to 63 % of music as speech, Silero none: hence both.

**Diarization.** Error rate with the NIST collar of 0.25 s, overlap scored, number of speakers known: pooled 10.1 %
(Kokoro 1), 11.0 % (Kokoro 2, held out), 4.9 % (espeak 1), 5.0 % (espeak 2, held out), 24 % behind a microphone. One scene
reaches 0.25 (Kokoro 1), 0.42 (Kokoro 2), 0.41 (espeak), 0.49 (microphone): GE2E vectors of 1 to 5 s of similar synthetic voices are mixed
up. At the limit of 0.5 no clean scene is blamed; labels of the assistant's channel that are somewhere else are found in
88 to 100 % of scenes, labels 2 s off in 31 to 62 %, one reply given to another speaker in 0 to 8 %, labels 0.3 s off never. So the
code is a warning of gross errors only, the error rate is published per scene, and the pooled one (`pooled_error_rate`)
is the figure of a data set.

**Cost.** Voice activity of both channels takes windows every 2.5 s, a fifth of the overlap judge's; the mix is read once
for overlap and diarization.
Processor seconds per second of scene, one thread, on a busy machine: pyannote 0.011 and Silero 0.012 for each channel,
so 0.046 for `segments`; 0.045 for the mix (overlap and diarization share it); 0.02 for vectors, clusters and error rate.
"""
