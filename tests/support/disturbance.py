"""Faint noise on the samples that tests of models are about, to see that their assertions do not hang on last bits.

    HUMDIAL_TEST_NOISE=1 .venv/bin/python -m pytest tests/integration/test_judge_transcript.py

puts draw 1 of white noise 50 dB under every clip; any whole number is a draw, unset means none. Other processors and
other versions of libraries move what a model says about as much (docs/same-bytes.md).
"""

from __future__ import annotations

import os

from data_schemas.foundation.audio import Samples
from validators.words.hearings import NOISE_DB, with_noise

VARIABLE = "HUMDIAL_TEST_NOISE"
#: apart from the draws that the judge itself hears borderline clips with
_FIRST_DRAW = 1000


def disturbed(samples: Samples) -> Samples:
    """The samples as they are, or with the noise that `VARIABLE` names."""
    draw = os.environ.get(VARIABLE)
    return samples if draw is None else with_noise(samples, NOISE_DB, _FIRST_DRAW + int(draw))
