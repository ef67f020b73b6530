"""The shape of thresholds that hold for one engine's speech only."""

from __future__ import annotations

from collections.abc import Mapping

#: engine name -> threshold -> value
EngineDefaults = Mapping[str, Mapping[str, float]]
