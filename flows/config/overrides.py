"""``--set a.b.0.c=value``: one key of a configuration, changed on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from data_schemas.foundation.fields import keys_at
from data_schemas.foundation.problems import did_you_mean
from data_schemas.foundation.yaml_file import KeyPath, YamlError, load_yaml, shown_path
from flows.common.errors import ConfigError


class Override(NamedTuple):
    """What one ``--set`` asks for."""

    text: str
    path: KeyPath
    value: Any


def overridden(data: Any, overrides: Sequence[str], kind: Any) -> tuple[Any, tuple[Override, ...]]:
    """The data with each ``--set`` in its place, the last one of a key winning; and what each asked for.

    Args:
        data: a mapping as YAML gives it; it stays as it is.
        kind: the record that the data is for, which knows its keys.

    Raises:
        ConfigError: no ``=``, a value that is no YAML, or a path into something that has no such place.
    """
    applied = []
    for text in overrides:
        override = _read(text, data)
        data = _placed(data, override, 0, kind)
        applied.append(override)
    return data, tuple(applied)


def _read(text: str, data: Any) -> Override:
    dotted, equals, written = text.partition("=")
    dotted = dotted.strip()
    if not equals or not dotted:
        meant = " with a plain =, not ＝" if "＝" in text else ""
        raise ConfigError(f"--set {text}: write key.path=value{meant}, for example --set speech.engine=espeak")
    try:
        value = load_yaml(written, "")
    except YamlError as error:
        whole = "; a whole mapping goes in quotes, --set 'a.b={c: 1, d: 2}'" if written.startswith("{") else ""
        raise ConfigError(f"--set {text}: in the value: {str(error).partition(': ')[2]}{whole}") from error
    path: KeyPath = ()
    node = data
    for part in dotted.split("."):
        step = int(part) if isinstance(node, list) and part.isdecimal() else part
        node = _child(node, step)
        path = (*path, step)
    return Override(text, path, value)


def _placed(node: Any, override: Override, depth: int, kind: Any) -> Any:
    """A copy of ``node`` in which the override's value stands at the rest of its path."""
    if depth == len(override.path):
        return override.value
    part = override.path[depth]
    below = _placed(_child(node, part), override, depth + 1, kind)
    if isinstance(node, list):
        if not isinstance(part, int) or part >= len(node):
            raise ConfigError(
                f"--set {override.text}: {part!r} is not a position in {shown_path(override.path[:depth])}, a list of "
                f"{len(node)}; count from 0"
            )
        return [*node[:part], below, *node[part + 1 :]]
    if node is None or isinstance(node, dict):
        return {**(node or {}), str(part): below}
    above, near = override.path[:depth], did_you_mean(str(part), keys_at(kind, override.path[: depth - 1]))
    raise ConfigError(f"--set {override.text}: {shown_path(above)} is a value and holds no key {part}{near}")


def _child(node: Any, part: str | int) -> Any:
    if isinstance(node, list):
        return node[part] if isinstance(part, int) and part < len(node) else None
    return node.get(part) if isinstance(node, dict) else None
