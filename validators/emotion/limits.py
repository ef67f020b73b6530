"""Emotion: thresholds, codes, defaults per engine, and how the defaults were found."""

from __future__ import annotations

from pydantic import Field

from data_schemas.foundation.base import Record
from validators.core.engine_limits import EngineDefaults


class EmotionLimits(Record):
    """Prosody against labels, and how far labels can be told from sound."""

    min_neutral_clips: int = Field(
        default=2, ge=1, le=50, description="CHOICE: neutral utterances that make a speaker's reference"
    )
    max_direction_opposition: float = Field(
        default=1.25,
        gt=0.0,
        le=3.0,
        description="mean of the signed measures against the label, in sd, times intensity / 3; calibrated, see below",
    )
    min_direction_agreement: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="off at 0 (CHOICE: a gate where a configuration sets one): share of the measures that moved and "
        "moved as the label says",
    )
    min_emotion_recovery: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="off at 0 (CHOICE: a gate where a configuration sets one): unweighted average recall of the labels "
        "from sound, other speakers' speech known; chance is 1 / number of labels",
    )


#: (code, severity, names of thresholds, source, meaning), as in code_table
CODES: tuple[tuple[str, str, str, str, str], ...] = (
    (
        "EMOTION.DIRECTION",
        "info",
        "max_direction_opposition min_neutral_clips",
        "validators/emotion/emotion_directions.yaml; calibration below",
        "the voice moves clearly the other way from the speaker's neutral than the label says",
    ),
    (
        "EMOTION.OPPOSED",
        "error",
        "min_direction_agreement min_neutral_clips",
        "validators/emotion/emotion_directions.yaml; off by default",
        "fewer of the measures that moved agree with the label than the configuration demands",
    ),
    (
        "EMOTION.RECOVERY",
        "error",
        "min_emotion_recovery",
        "issue 5; off by default",
        "the labels cannot be told from sound as well as the configuration demands, or there is no figure",
    ),
)

#: pairs of thresholds that are the two ends of one band
BANDS: tuple[tuple[str, str], ...] = ()

#: engine -> thresholds that differ from the default for its speech
ENGINES: EngineDefaults = {}

#: Markdown: what was measured, on what, and the share of clean utterances blamed
CALIBRATION = """\
**Emotion.** The engines of this version speak every label alike, so their releases show what words alone do. Emotion
was then put into the same speech by rule (`tests/support/emotional_speech.py`: WORLD moves F0 level and range, tempo,
level and spectral tilt by label and intensity; crude, and the sizes are made up). Calibration: Kokoro (quickstart) and
espeak (seed 1), 124 emotional utterances with a neutral reference; held out: espeak (seed 2), 55. Kokoro was not
measured on held-out speech.

| EMOTION.DIRECTION at `max_direction_opposition` 1.25 | Kokoro | espeak | espeak, held out |
|---|---|---|---|
| labels as released, blamed | 0 of 78 | 0 of 46 | 0 of 55 |
| labels drawn at random, 40 times, blamed | 0.2 % of 3120 | 1.0 % of 1840 | 0 % of 2200 |
| emotion by rule, right labels, blamed | 0 of 78 | 0 of 46 | – |
| emotion by rule, raised labels swapped for lowered ones and back, found | 46 % of 390 | 55 % of 230 | – |
| ... of these at intensity 3, found | 64 % of 230 | 69 % of 175 | – |
| ... at intensity 1, found | 0 of 20 | 0 of 10 | – |
| swapped for another label of the same side, found | 0 % | 0 % | – |

The default is the first quarter above the 1 % quantile of espeak with random labels (-1.21). At 1.0, 0.6 % (Kokoro)
and 2.5 % (espeak) of random labels were blamed and 59 % and 72 % of swapped ones found. The judge finds the wrong side
of a strong emotion and nothing finer, hence `info`.

Recovery of the labels (average recall; 95 % interval over speakers; chance 14 %), speakers left out one at a time:

| speech, both languages | clips, speakers | eGeMAPS | prosody alone |
|---|---|---|---|
| Kokoro as released (quickstart) | 127, 15 | 18.5 % (11 to 29) | 13.6 % (9 to 18) |
| espeak as released, seed 1 | 125, 20 | 25.3 % (20 to 32) | 20.6 % (14 to 27) |
| espeak as released, seed 2 | 125, 22 | 26.2 % (18 to 36) | 29.9 % (23 to 37) |
| Kokoro, emotion by rule | 127, 15 | 81.7 % (76 to 88) | 77.7 % (70 to 85) |
| espeak, emotion by rule | 125, 20 | 76.3 % (69 to 83) | 77.8 % (72 to 84) |

With the prosody step (docs/expressive-speech.md; 32 Kokoro voices, three sentences, each in seven manners at
intensities 1 to 3) EMOTION.DIRECTION blames 0 of 576 emotional utterances, and average recall is 96.1 % (eGeMAPS) and
76.8 % (prosody alone).

espeak as released lies above chance although no voice carries emotion: most neutral turns are questions, and espeak
raises its voice at question and exclamation marks. A figure means something against that of plain speech of the same
words, not against 14 % alone.

F0 against Praat (parselmouth, autocorrelation, 60 to 650 Hz), every fourth dry clip: the clip's median is off by 0.16
semitones in the middle and 0.91 at most (46 clips of Kokoro), 0.04 and 0.38 (72 of espeak); no octave errors.
"""
