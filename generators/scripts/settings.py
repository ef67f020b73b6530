"""Which writer makes the scripts of a build, and from what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data_schemas.base import Record


class ScriptSettings(Record):
    """The ``scripts`` section of a configuration."""

    #: ``pack`` replays frozen script files: no model, no key, the same words every time
    writer: Literal["pack"] = "pack"
    #: shipped pack names, JSONL files or directories of them; paths are relative to the configuration
    pack: tuple[str, ...] = Field(default=("quickstart",), min_length=1)
