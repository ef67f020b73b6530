"""From YAML to a checked record: what people write for a section or a word, and every problem with its line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from data_schemas.foundation.fields import is_optional, kinds_at, records_among, words_of
from data_schemas.foundation.problems import Problem, located
from data_schemas.foundation.yaml_file import KeyPath, YamlDocument, YamlError, full_width_hint, read_yaml
from flows.common.errors import ConfigError
from flows.config.overrides import Override

#: words of settings that YAML 1.1 and JSON writers may have turned into booleans
_WORDS = {True: "on", False: "off"}
_MORE = "docs/configuration.md explains every key"


def read_document(path: Path) -> YamlDocument:
    """The YAML mapping in a file.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    try:
        document = read_yaml(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such configuration; the shipped ones lie in configs/") from None
    except IsADirectoryError:
        inside = sorted(each.name for each in path.glob("*.y*ml"))
        named = f", for example {path / inside[0]}" if inside else ""
        raise ConfigError(f"{path}: is a directory; name a YAML file in it{named}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except YamlError as error:
        raise ConfigError(str(error)) from error
    if document.data is None:
        raise ConfigError(f"{path}: is empty; begin with a copy of configs/quickstart.yaml")
    if not isinstance(document.data, dict):
        found = "a list" if isinstance(document.data, list) else "a single value"
        marks = full_width_hint(document.data) if isinstance(document.data, str) else None
        advice = marks or "write key: value on each line, with a space after the colon, as in configs/quickstart.yaml"
        raise ConfigError(f"{path}:1: must be a mapping of keys to values, not {found}; {advice}")
    return document


def filled(data: Any, kind: Any, path: KeyPath = ()) -> Any:
    """The data with what is meant by it: an empty section is the section with its defaults, ``true`` and ``false``
    are on and off where these are the words of a setting."""
    kinds = kinds_at(kind, path)
    if _is_empty_section(data, kinds):
        return {}
    if isinstance(data, bool) and bool not in kinds and _WORDS[data] in words_of(kinds):
        return _WORDS[data]
    if isinstance(data, dict):
        defaulted = {key for each in records_among(kinds) for key in each.model_fields if not _required(each, key)}
        return {
            key: filled(value, kind, (*path, key))
            for key, value in data.items()
            if key not in defaulted or not _is_empty_section(value, kinds_at(kind, (*path, key)))
        }
    if isinstance(data, list):
        return [filled(value, kind, (*path, number)) for number, value in enumerate(data)]
    return data


def _is_empty_section(data: Any, kinds: Sequence[Any]) -> bool:
    return data is None and bool(records_among(kinds)) and not is_optional(kinds)


def _required(record: type[BaseModel], key: str) -> bool:
    return record.model_fields[key].is_required()


def told(problems: Sequence[Problem], document: YamlDocument, overrides: Sequence[Override]) -> str:
    """Every problem on a line of its own, each with the line of the file or the ``--set`` it comes from."""
    ordered = sorted(problems, key=lambda problem: document.line(problem.place) or 0)
    lines = [_line(problem, document, overrides) for problem in ordered]
    if len(lines) == 1:
        return f"{lines[0]} ({_MORE})"
    return "\n  ".join([f"{document.source}: {len(lines)} problems ({_MORE})", *lines])


def _line(problem: Problem, document: YamlDocument, overrides: Sequence[Override]) -> str:
    for override in reversed(overrides):
        reaches = problem.place[: len(override.path)] == override.path
        makes = override.path[: len(problem.place)] == problem.place and not document.holds(problem.place)
        if reaches or makes:
            return f"--set {override.text}: {problem}"
    return located(problem, document)
