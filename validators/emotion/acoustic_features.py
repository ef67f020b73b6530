"""The 88 eGeMAPSv02 functionals of one utterance (Eyben et al. 2016), through openSMILE.

The Python package ``opensmile`` is MIT; the openSMILE core inside it is under audEERING's own licence (free for
research and personal use), so it is the optional extra ``emotion``. Without it `emotion_recovery` uses `prosody`.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from validators.core.clips import Clip
from validators.core.probe import Measurement

PACKAGE = "opensmile"
#: name of the vector in a `Measurement`, and its length
VECTOR = "egemaps"
SIZE = 88
#: The longest analysis window of the set is 60 ms; shorter audio has no functionals.
_MIN_S = 0.1


class FeaturesMissing(RuntimeError):
    """openSMILE is not installed; the text says what to run."""


class AcousticFeatures:
    """eGeMAPSv02 functionals as the vector ``egemaps`` ``[88]``. A `ClipProbe`; one thread.

    A clip of less than 0.1 s, and one whose functionals are not all finite, has no vector.
    """

    def __init__(self) -> None:
        """Raises:
        FeaturesMissing: the package is not installed.
        """
        try:
            self._version = version(PACKAGE)
        except PackageNotFoundError:
            raise FeaturesMissing(
                "openSMILE is not installed, so emotion is told from prosody alone; for the eGeMAPS features run: "
                'pip install "humdial[emotion]"'
            ) from None
        self._smile: Any = None

    @property
    def identity(self) -> str:
        return f"eGeMAPSv02 opensmile {self._version}"

    def measure(self, clip: Clip) -> Measurement:
        if clip.seconds < _MIN_S:
            return Measurement()
        if self._smile is None:
            import opensmile

            self._smile = opensmile.Smile(
                feature_set=opensmile.FeatureSet.eGeMAPSv02,
                feature_level=opensmile.FeatureLevel.Functionals,
                num_workers=1,
            )
        table = self._smile(np.ascontiguousarray(clip.samples, dtype=np.float32), clip.rate)
        features = np.asarray(table, dtype=np.float32).reshape(-1)
        if features.shape != (SIZE,) or not np.isfinite(features).all():
            return Measurement()
        return Measurement(vectors={VECTOR: features})
