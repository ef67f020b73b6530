"""Who speaks: thresholds, codes, defaults per engine, and how the defaults were found."""

# ruff: noqa: E501
from __future__ import annotations

from pydantic import Field

from data_schemas.foundation.base import Record
from validators.core.engine_limits import EngineDefaults


class SpeakerLimits(Record):
    """Speaker similarity and acoustic fingerprints."""

    # --- voices
    min_voice_s: float = Field(
        default=2.0,
        ge=0.4,
        le=60.0,
        description="sound of one person in one item that tells the voice; calibrated, see below",
    )
    min_voice_similarity: float = Field(
        default=0.77,
        ge=-1.0,
        le=1.0,
        description="GE2E cosine of a clip and its speaker's others in the item; calibrated, see below; -1 switches it off",
    )
    max_voice_similarity: float = Field(
        default=0.93,
        ge=-1.0,
        le=1.0,
        description="GE2E cosine of two people in one item; calibrated, see below; 1 switches it off",
    )
    min_speaker_s: float = Field(
        default=5.0,
        ge=0.4,
        le=600.0,
        description="sound of a speaker in other items that tells the voice; calibrated, see below",
    )
    min_drift_similarity: float = Field(
        default=0.8,
        ge=-1.0,
        le=1.0,
        description="GE2E cosine of a clip and its speaker in other items; calibrated, see below; -1 switches it off",
    )
    max_nearer_voice: float = Field(
        default=0.05,
        ge=0.0,
        le=2.0,
        description="by how much a clip's cosine with another speaker may be higher than with its own; calibrated, see below; 2 switches it off",
    )
    max_shared_similarity: float = Field(
        default=0.95,
        ge=-1.0,
        le=1.0,
        description="GE2E cosine of a speaker of train and one of dev; calibrated, see below; 1 switches it off",
    )

    # --- acoustic fingerprints
    min_fingerprint_s: float = Field(
        default=1.5,
        ge=0.5,
        le=60.0,
        description="sound of a clip that may not stand twice; CHOICE: shorter ones are backchannels, which one voice says alike twice",
    )
    max_fingerprint_error: float = Field(
        default=0.2, gt=0.0, lt=0.5, description="share of fingerprint bits that differ; calibrated, see below"
    )
    min_fingerprint_share: float = Field(
        default=0.6, gt=0.0, le=1.0, description="CHOICE: more than half of the shorter clip must be in the other"
    )
    max_spectral_difference_db: float = Field(
        default=2.0,
        gt=0.0,
        le=20.0,
        description="of two clips that the fingerprints take for one, where they differ most; calibrated, see below",
    )
    max_alike_difference_db: float = Field(
        default=0.75, gt=0.0, le=20.0, description="the same where the texts are alike; calibrated, see below"
    )
    min_alike_texts: float = Field(
        default=0.8,
        gt=0.0,
        le=1.0,
        description="share of letters in common, in order, from which on texts are alike; calibrated, see below",
    )


_VOICE = "min_voice_s min_voice_similarity"
_FINGERPRINT = (
    "min_fingerprint_s max_fingerprint_error min_fingerprint_share max_spectral_difference_db "
    "max_alike_difference_db min_alike_texts"
)
_GE2E = "Wan et al. 2018 (GE2E); calibration below"
_HAITSMA = "Haitsma & Kalker 2002; calibration below"

#: (code, severity, names of thresholds, source, meaning), as in code_table
CODES: tuple[tuple[str, str, str, str, str], ...] = (
    ("SPEAKER.CHANGED", "error", _VOICE, _GE2E, "the clips of one speaker in an item are not one voice"),
    (
        "SPEAKER.SAME",
        "error",
        "min_voice_s max_voice_similarity",
        _GE2E,
        "two people of an item (user, assistant, third party) have one voice",
    ),
    (
        "SPEAKER.DRIFT",
        "warning",
        "min_voice_s min_speaker_s min_drift_similarity max_nearer_voice",
        _GE2E,
        "a clip is another voice than its speaker has in other items, or nearer to another speaker",
    ),
    (
        "SPEAKER.SHARED",
        "error",
        "min_speaker_s max_shared_similarity",
        _GE2E,
        "one voice has one id in train and another in dev",
    ),
    (
        "SET.DUPLICATE_AUDIO",
        "error",
        _FINGERPRINT,
        _HAITSMA,
        "a clip is the sound of another one of the split that says other words",
    ),
    (
        "SET.REPEATED_AUDIO",
        "warning",
        _FINGERPRINT,
        _HAITSMA,
        "a clip is the sound of another one of the split that says the same words",
    ),
    ("SET.AUDIO_LEAK", "error", _FINGERPRINT, _HAITSMA, "the same sound is in two splits"),
    (
        "SET.EXCLUDED_AUDIO",
        "error",
        _FINGERPRINT,
        _HAITSMA,
        "a clip's sound stands in a data set that must not come back",
    ),
)

#: pairs of thresholds that are the two ends of one band
BANDS: tuple[tuple[str, str], ...] = (("max_alike_difference_db", "max_spectral_difference_db"),)

#: engine -> thresholds that differ from the default for its speech
ENGINES: EngineDefaults = {
    "espeak": {"max_voice_similarity": 1.0, "max_nearer_voice": 0.1, "max_shared_similarity": 1.0},
}

#: Markdown: what was measured, on what, and the share of clean utterances blamed
CALIBRATION = """\
**Voices.** GE2E vectors (Resemblyzer 0.1.4; the cosine with its own implementation on the same 30 inputs, 0.4 s to 20 s
at three levels, is over 0.99999) of releases of both tracks: Kokoro seed 1 (184 clips) and espeak seed 1 (287 clips)
for calibration, espeak seed 2 (286 clips) held out. The network's spectrogram is not logarithmic: before clips were
brought to one level, a clip and its 26 dB softer copy had a cosine under 0.95.

Equal error rate of two pieces of speech, any other voice / another voice of the same gender:

| sound in each | Kokoro zh | Kokoro en | espeak zh | espeak en |
|---|---|---|---|---|
| 0.5 s | 18 / 17 % | 15 / 20 % | 17 / 25 % | 13 / 20 % |
| 0.8 s | 13 / 10 % | 7 / 10 % | 14 / 21 % | 10 / 16 % |
| 1.6 s | 6 / 3 % | 2 / 3 % | 10 / 16 % | 6 / 11 % |
| 2.4 s | 5 / 2 % | 0.3 / 0.5 % | 9 / 14 % | 4 / 7 % |
| 3.2 s | 0.2 / 2 % | 0.3 / 0.9 % | 7 / 11 % | 2 / 6 % |
| whole clips from 1.6 s | 2 / 0.1 % | 0.3 / 0.4 % | 5 / 7 % | 5 / 8 % |

Findings on clean releases: none of any code on all three. Planted in them (100 cases each, 25 for DRIFT):

| planted | code | Kokoro 1 | espeak 1 | espeak 2 |
|---|---|---|---|---|
| one turn in another voice of the same gender | SPEAKER.CHANGED | 95 % | 53 % | 66 % |
| one turn in a voice of the other gender | SPEAKER.CHANGED | 84 % | 96 % | 98 % |
| the same two, at the level of the set | SPEAKER.DRIFT | 92, 100 % | 48, 80 % | 52, 88 % |
| user and assistant in one voice | SPEAKER.SAME | 55 of 83 | off | off |
| the users of two items swapped (both items counted) | SPEAKER.DRIFT | 73 % | 53 % | 46 % |
| a voice of train under another id in dev | SPEAKER.SHARED | 16 of 16 | off | off |

- `min_voice_s` 2.0: from there the error rate is under 5 % in Kokoro's voices; shorter clips count together.
- `min_voice_similarity` 0.77, `min_drift_similarity` 0.80: the least of a clip with its speaker's others in the item was 0.885
  (Kokoro), 0.827 and 0.815 (espeak 1 and 2); in other items 0.889, 0.865 and 0.859. Where an item has two clips, either may be the one named.
- `min_voice_similarity` was 0.80 for plain speech. The prosody step (docs/expressive-speech.md) moves a voice: in dialogues of
  six turns in six manners (6 Kokoro voices, 42 dialogues, 252 utterances of 1.7 to 3.4 s) a turn's cosine with the
  others was 0.747 at the least, and 0.873 in raw speech. Blamed of the 252 at 0.80, 0.77, 0.75: 4 (1.6 %), 1 (0.4 %), 0. One turn
  in another voice of the same gender, with the same words and emotion, found: 292, 287, 277 of 292; of the other gender 422,
  422, 421 of 422. The table above was made at 0.80. Chosen on these utterances; of the 128 expressive turns of the quickstart
  release, in Kokoro's voices and other words, it blames none. SPEAKER.DRIFT blames none at 0.80 and stays there.
- `max_voice_similarity` 0.93: Kokoro's zm_yunxia, a boy, and zf_xiaoyi are the most alike (0.917); all other pairs
  stay under 0.85. One voice as two people has 0.90 at least, 0.94 in the median. espeak's variants of one language have up to
  0.97 between two people of a sound item: switched off there.
- `max_nearer_voice` 0.05: at most -0.057 in Kokoro's clean clips; up to 0.040 and 0.078 in espeak's, 0.10 there.
- `max_shared_similarity` 0.95: halves of one Kokoro speaker have 0.972 at least, train and dev 0.917 at most. espeak
  casts a variant under two accents (en-gb+belinda in dev, en-us+belinda in train: 0.974): switched off there.
- A swap goes unseen where a speaker has no other item, and where it has one other the wrong one of the two may be
  named (32 clean clips in 50 planted swaps): SPEAKER.DRIFT is a warning for that reason.
- Behind a microphone nothing is judged: against the dry voice noise at 15 dB left 0.74, a telephone band 0.66, and
  different voices behind one telephone had up to 0.91.

**Fingerprints.** The same releases. Share of bits that differ, most of all clips of 1.5 s and more:

| copy | Kokoro 1 | espeak 1 |
|---|---|---|
| gain by -12 dB, 8 kHz and back | 0.001 | 0.002 |
| 100 ms, 112 ms, 388 ms of silence before it | 0.048 | 0.049 |
| first 110 ms cut off | 0.071 | 0.073 |
| white noise 30 dB under | 0.054 | 0.085 |
| white noise 20 dB under | 0.098 | 0.150 (2 of 279 clips not found) |
| 112 ms later, 8 kHz, half the gain and noise 30 dB under | 0.080 | 0.104 |
| its first half | 0.059 | 0.066 |

Every copy but those two was found. `max_fingerprint_error` 0.2: in these small releases the least of two different
clips that the index points at was 0.262. Large sets are another matter: sentences of one frame in one voice differ in
few bits, and their pairs grow with the square of a set. So what agrees here is compared again where it differs most.

**Duplicates at full size.** `python -m benchmarks.gate`: 30,000 different sentences of 28 frames by 48 espeak voices,
41 hours, 40 % of them in one voice of each language: a worst case, every clip has hundreds of frame-mates that differ
in a word. Fingerprints alone (`max_fingerprint_error` 0.2) took 103 pairs for copies among the first 1,000 clips,
5,592 among 10,000 and 31,299 among 30,000. Of these, the levels (20 bands, frames of 96 ms) over the 0.12 s in which a
pair differs most:

| pairs that differ by less than | 1 dB | 1.5 dB | 2 dB | 2.5 dB | 3 dB | 3.5 dB | 4 dB | 5 dB |
|---|---|---|---|---|---|---|---|---|
| among 30,000 clips | 0 | 1 | 6 | 21 | 61 | 154 | 368 | 1193 |
| among 10,000 clips | 0 | 0 | 0 | 1 | 5 | 18 | 43 | 172 |
| among 30,000, under 0.8 of their letters in common | 0 | 0 | 0 | 0 | 0 | 7 | 34 | 170 |

and the same of copies (espeak, 60 clips; in brackets the two of Kokoro), most of all:

| copy | dB |
|---|---|
| another level, 22.05 kHz and back, noise at -40 dB | 0.1 (0.04) |
| noise at -30 dB, MP3, 8 kHz and back | 0.3, 0.4, 0.5 (MP3 0.2, 8 kHz 0.1) |
| 50 ms later; by half of the hop of 24 ms | 0.7; 1.3 (0.4; 0.6) |
| beginning or end cut off | 1.7 (0.6) |
| noise at -20 dB | 2.3 (0.5) |
| shifted by half a hop, 11 kHz and back, noise at -40 dB, half the gain | 1.6 (0.7) |

`max_spectral_difference_db` 2.0: of pairs with unlike texts none is under 3.1. `max_alike_difference_db` 0.75 where at
least `min_alike_texts` 0.8 of the letters agree: the counts fall by a factor of 2.4, 2.5, 2.9, 3.5 and 6 per half
decibel, which leaves 0.05 pairs under 0.75 dB among 30,000 clips and 0.6 among 100,000 of this worst case (pairs times
11). Scripts of people and models have far fewer frame-mates: where this corpus has 8,544 pairs of fingerprints among
13,000 clips, a release of generated scripts had 196 among 13,288, so that 0.02 are to be expected among 100,000.
One phoneme in a sentence of espeak's is 1.8 dB and more (free, three; 买, 卖), in Kokoro's 3.2 dB (90 pairs that differ in
one word; no other of them under 3.8). Words that are said alike (他, 她) are the same words.

No clip of the 30,000 is blamed. Planted among them, 25 copies of each kind under other words and 25 under the most
alike of 400 texts:

| copy | under other words | under alike ones |
|---|---|---|
| exact; another level; 50 ms later; last 300 ms cut off; noise at -40 dB; 8 and 22.05 kHz and back; MP3 | 25 of 25 each | 25 of 25 each |
| 50 ms later, 11 kHz and back, noise at -40 dB, MP3, half the gain | 25 of 25 | 19 of 25 |
| 36 ms later | 24 of 25 | 13 of 25 |
| first 110 ms cut off | 23 of 25 | 14 of 25 |
| noise at -20 dB | 23 of 25 | 9 of 25 |

An alike text hides a copy that was also shifted by some 12 ms or is noisy (0.75 to 2 dB). English words that are said
alike (Ann, Anne) count as other words. Played 3 % faster, a copy is not found: that is the method's limit.
"""
