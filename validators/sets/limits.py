"""Data sets: thresholds, codes, defaults per engine, and how the defaults were found."""

# One row per code (as in code_table); formatting would break each row over several lines.
# ruff: noqa: E501
# fmt: off
from __future__ import annotations

from pydantic import Field

from data_schemas.foundation.base import Record
from validators.core.engine_limits import EngineDefaults

E, W = "error", "warning"


class SetLimits(Record):
    """Near-duplicates, exclusions, balance, means."""

    min_balance_entropy: float = Field(
        default=0.7,
        ge=0.0,
        le=1.0,
        description="entropy of a distribution over that of equal shares (Pielou 1966, evenness); of two values one has "
        "81 % there; calibrated, see below",
    )
    min_balance_count: int = Field(
        default=30, ge=1, le=1_000_000, description="CHOICE: fewer observations say nothing about a distribution"
    )
    min_mean_count: int = Field(
        default=20, ge=1, le=1_000_000, description="CHOICE: means of fewer utterances are not judged"
    )
    max_mean_loudness_error_db: float = Field(
        default=1.0,
        gt=0.0,
        le=20.0,
        description="mean loudness of a language against `speech.loudness_lufs` of the build; calibrated, see below",
    )
    min_mean_duration_s: float = Field(
        default=1.5, ge=0.0, le=60.0, description="mean of a language's utterances; calibrated, see below"
    )
    max_mean_duration_s: float = Field(
        default=20.0, gt=0.0, le=240.0, description="mean of a language's utterances; calibrated, see below"
    )
    min_mean_seconds_per_zh_char: float = Field(
        default=0.14, gt=0.0, le=2.0, description="mean over utterances; calibrated, see below"
    )
    max_mean_seconds_per_zh_char: float = Field(
        default=0.32, gt=0.0, le=5.0, description="mean over utterances; calibrated, see below"
    )
    min_mean_seconds_per_en_word: float = Field(
        default=0.20, gt=0.0, le=2.0, description="mean over utterances; calibrated, see below"
    )
    max_mean_seconds_per_en_word: float = Field(
        default=0.37, gt=0.0, le=5.0, description="mean over utterances; calibrated, see below"
    )


#: (code, severity, names of thresholds, source, meaning), as in code_table
CODES: tuple[tuple[str, str, str, str, str], ...] = (
    ("SET.NEAR_DUPLICATE_TEXT", W, "max_script_similarity max_line_similarity", "Broder 1997 (MinHash); calibration below", "nearly the words of an earlier item of the same split, or one of its lines"),
    ("SET.NEAR_TEXT_LEAK", E, "max_script_similarity max_line_similarity", "Broder 1997 (MinHash); calibration below", "nearly the words of an item of the other split, or one of its lines"),
    ("SET.EXCLUDED_TEXT", E, "max_script_similarity max_line_similarity", "issue 5: near-duplicates against an exclusion directory", "nearly the words of an excluded item, or one of the excluded lines"),
    ("SET.CATALOG_AGREES", E, "", "DESIGN.md: catalog.parquet holds everything known of each utterance", "catalog.parquet, the rows and scripts.jsonl do not tell the same of an item, or one of them lacks it"),
    ("SET.COUNTS", E, "", "DESIGN.md: counts reconcile", "the rows of a quota cell are not as many as dataset.lock.json says"),
    ("SET.BALANCE", W, "min_balance_entropy min_balance_count", "CHOICE; calibration below", "emotions, speakers, genders, voices or domains are distributed very unevenly, or a quota of the lock is not met"),
    ("CATALOG.MEAN", E, "max_mean_loudness_error_db min_mean_duration_s max_mean_duration_s min_mean_seconds_per_zh_char max_mean_seconds_per_zh_char min_mean_seconds_per_en_word max_mean_seconds_per_en_word min_mean_count", "calibration below", "the mean of a column over one language lies outside its band"),
    ("CATALOG.ENGINE", E, "", "DESIGN.md: each engine declares name and weights hash", "an utterance of an engine, or of weights, that the release does not declare"),
    ("CATALOG.TURNS", E, "", "data_schemas/catalog.py", "a dialogue has not as many utterances as turns"),
)

#: pairs of thresholds that are the two ends of one band
BANDS: tuple[tuple[str, str], ...] = (
    ("min_mean_duration_s", "max_mean_duration_s"),
    ("min_mean_seconds_per_zh_char", "max_mean_seconds_per_zh_char"),
    ("min_mean_seconds_per_en_word", "max_mean_seconds_per_en_word"),
)

#: engine -> thresholds that differ from the default for its speech
ENGINES: EngineDefaults = {}

#: Markdown: what was measured, on what, and the share of clean utterances blamed
CALIBRATION = """\
## Sets

Measured on releases of the shipped pack: Kokoro seed 1 (54 items), espeak seeds 1 and 2 (80 items each). espeak
seed 2 was held out for texts; the bands of means were set with all three in view.

**Near-duplicate texts.** No item of the three sets was blamed (0 of 214). The likest two items of one set share
0.02 of their shingles, the likest two lines 0.19; the limits are 0.5 and 0.7, so nothing was moved by the
measurement: the limits are those of scripts. 25 items of espeak seed 2 replay a script of seed 1: all 25 were found as
excluded and no other item was. Copies of espeak seed 1 with words replaced at random (80 items):

| replaced | the user's words only | the user's words and the replies |
|---|---|---|
| 5 % | 80 of 80 | 80 of 80 |
| 10 % | 80 of 80 | 73 of 80 |
| 15 % | 80 of 80 | 19 of 80 |
| 20 % | 79 of 80 | 0 of 80 |
| 30 % | 72 of 80 | 0 of 80 |

So a copy with a few words changed is found; a paraphrase is not.

**Agreement.** 0 findings on the three sets. Planted in espeak seed 2, ten each, found in the right item alone:
emotion flipped 10, turns swapped 10, text edited 10, label moved by 300 ms 10, speaker changed 10, row missing 10.

**Balance.** `min_balance_entropy` 0.7: in 20,000 fair draws of 30 from 6 or 12 values none fell under it, of 30 from
two values 0.03 %. Emotions of the three sets measured 0.98 to 1.00. Their speakers, voices and domains have fewer
than `min_balance_count` observations each, so for these the limit is a CHOICE.

**Means.** Utterances of five units and more that are not cut:

| what | Kokoro 1 | espeak 1 | espeak 2 |
|---|---|---|---|
| seconds per Han character | 0.198 | 0.265 | 0.260 |
| seconds per English word | 0.279 | 0.290 | 0.287 |
| mean duration zh, en, s | 5.6, 5.8 | 7.1, 5.8 | 7.0, 5.6 |
| mean loudness zh, en, LUFS (target -23) | -23.14, -23.01 | -23.00, -23.00 | -23.00, -23.00 |

The bands of rates are about 0.7 of the fastest to 1.2 (zh) and 1.3 (en) of the slowest; one mean of 20 utterances has a
standard error of 0.009 s at most. The band of durations is wide (CHOICE): a set of short commands is a sound set.
"""
