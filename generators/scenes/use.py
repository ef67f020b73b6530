"""``off``, ``on`` or ``drawn``: whether something is part of a scene."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator


def _yaml_boolean(value: Any) -> Any:
    """YAML 1.1 reads bare ``off`` and ``on`` as booleans."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return value


Use = Annotated[Literal["off", "on", "drawn"], BeforeValidator(_yaml_boolean)]
