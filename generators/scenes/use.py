"""``off``, ``on`` or ``drawn``: whether something is part of a scene."""

from __future__ import annotations

from typing import Literal

Use = Literal["off", "on", "drawn"]
