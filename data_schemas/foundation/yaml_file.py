"""The only reader of YAML: YAML 1.2's words, no key twice, and every value's line for messages.

PyYAML reads YAML 1.1, in which a bare ``off``, ``on``, ``yes``, ``no`` or ``y`` is a boolean, ``2026-10-01`` a date and
``12:30`` a number. Here plain words are what the core schema of YAML 1.2.2 (section 10.3.2) makes of them: only
``true`` and ``false`` are booleans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from data_schemas.foundation.base import RecordError

#: where a value stands: keys of mappings and positions in lists, from the outside in
KeyPath = tuple[str | int, ...]

#: aliases of aliases of a few lines stand for more values than a machine holds ("billion laughs"); the largest shipped
#: file has 3,000 (CHOICE)
_MOST_VALUES = 1_000_000
_MERGE_TAG = "tag:yaml.org,2002:merge"
_FULL_WIDTH = {
    "：": ": ",
    "，": ", ",
    "；": ";",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "｛": "{",
    "｝": "}",
    "［": "[",
    "］": "]",
}
_FULL_WIDTH_KEY = re.compile(r"^\s*(?:- *)?[^\s#'\"：:]+：")


class YamlError(RecordError):
    """A text is not the YAML that is read here. The text names file, line and way out, a line per problem."""


@dataclass(frozen=True)
class YamlDocument:
    """What a YAML text holds, and where."""

    source: str
    data: Any
    root: yaml.Node | None

    def line(self, path: Sequence[str | int]) -> int | None:
        """Line, from 1, of the key or list entry at ``path``, or of the deepest part of it that the text has.

        None where the text has not even its first part.
        """
        lines = self._lines(path)
        return lines[-1] if lines else None

    def holds(self, path: Sequence[str | int]) -> bool:
        """Whether something stands at ``path``."""
        return len(self._lines(path)) == len(path)

    def _lines(self, path: Sequence[str | int]) -> list[int]:
        """Of the parts of the path, from the outside in, that the text has."""
        node, lines = self.root, []
        for part in path:
            step = None if node is None else _step(node, part)
            if step is None:
                break
            line, node = step
            lines.append(line)
        return lines


def read_yaml(path: Path) -> YamlDocument:
    """Read a YAML file in UTF-8, with or without byte-order mark, with any line ends.

    Raises:
        OSError: it cannot be read.
        YamlError: it is no UTF-8, no YAML, more than plain values, or has a key twice.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise YamlError(f"{path}:{line}: is not UTF-8 text; save the file as UTF-8") from None
    return parse_yaml(text, str(path))


def load_yaml(text: str, source: str) -> Any:
    """The data of a YAML text; ``source`` names it in errors.

    Raises:
        YamlError: as `read_yaml`.
    """
    return parse_yaml(text, source).data


def parse_yaml(text: str, source: str) -> YamlDocument:
    """Read a YAML text; ``source`` names it in errors.

    Raises:
        YamlError: as `read_yaml`.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        repeated = list(_repeated(root, (), set()))
        if repeated:
            raise YamlError(
                "\n".join(
                    f"{source}:{line}: {shown_path(path)} stands there twice, first in line {first}; keep one of them"
                    for path, first, line in repeated
                )
            )
        if root is not None and _values(root, {}) > _MOST_VALUES:
            raise YamlError(
                f"{source}: its aliases (*name) repeat more than {_MOST_VALUES} values; write fewer of them"
            )
        return YamlDocument(source, None if root is None else _constructed(loader, root), root)
    except yaml.YAMLError as error:
        raise YamlError(_sentence(error, text, source)) from None
    except RecursionError:
        raise YamlError(f"{source}: is nested too deeply to be read; write it flatter") from None


def shown_path(path: Sequence[str | int]) -> str:
    """``a.b.0.c``."""
    return ".".join(str(part) for part in path)


def full_width_hint(text: str) -> str | None:
    """How to write the marks of a Chinese or Japanese keyboard that YAML does not know; None where there are none."""
    found = [mark for mark in _FULL_WIDTH if mark in text]
    if not found:
        return None
    return f"it holds the full-width {found[0]}, which is a letter to YAML; write {_FULL_WIDTH[found[0]]!r}"


def _core_words() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """What plain words are, by their first letter, as PyYAML wants it: YAML 1.2.2, section 10.3.2, and ``<<``."""
    words = (
        ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
        ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
        ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
        ("float", r"^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$", "-+."),
        ("null", r"^(?:~|null|Null|NULL|)$", ("~", "n", "N", "")),
        ("merge", r"^<<$", "<"),
    )
    table: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for name, pattern, first in words:
        for letter in first:
            table.setdefault(letter, []).append((f"tag:yaml.org,2002:{name}", re.compile(pattern)))
    return table


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    """In one step: PyYAML's two are for data that holds itself, which nothing here could use."""
    loader.flatten_mapping(node)
    made: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return made


def _sequence(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> list[Any]:
    made: list[Any] = loader.construct_sequence(node, deep=True)
    return made


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    for prefix, base in (("0o", 8), ("0x", 16)):
        if text.startswith(prefix):
            return int(text[2:], base)
    return int(text)


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """`yaml.SafeLoader` with the plain words of YAML 1.2."""

    yaml_implicit_resolvers = _core_words()
    yaml_constructors: ClassVar = {
        None: yaml.SafeLoader.construct_undefined,
        "tag:yaml.org,2002:null": yaml.SafeLoader.construct_yaml_null,
        "tag:yaml.org,2002:bool": yaml.SafeLoader.construct_yaml_bool,
        "tag:yaml.org,2002:int": _integer,
        "tag:yaml.org,2002:float": yaml.SafeLoader.construct_yaml_float,
        "tag:yaml.org,2002:str": yaml.SafeLoader.construct_yaml_str,
        "tag:yaml.org,2002:map": _mapping,
        "tag:yaml.org,2002:seq": _sequence,
    }


def _constructed(loader: _Loader, root: yaml.Node) -> Any:
    try:
        return loader.construct_document(root)
    except (ValueError, KeyError) as error:  # a number of more digits than Python reads, or ``!!int word``
        raise yaml.constructor.ConstructorError(problem=f"a value does not fit its tag ({error})") from None


def _step(node: yaml.Node, part: str | int) -> tuple[int, yaml.Node] | None:
    """Line and value of a key or position of this node."""
    if isinstance(node, yaml.SequenceNode):
        if isinstance(part, int) and 0 <= part < len(node.value):
            entry = node.value[part]
            return entry.start_mark.line + 1, entry
        return None
    if not isinstance(node, yaml.MappingNode):
        return None
    merged: list[yaml.Node] = []
    for key, value in node.value:
        if key.tag == _MERGE_TAG:
            merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
        elif isinstance(key, yaml.ScalarNode) and key.value == str(part):
            return key.start_mark.line + 1, value
    return next((step for step in (_step(each, part) for each in merged) if step is not None), None)


def _repeated(node: yaml.Node | None, path: KeyPath, seen: set[int]) -> Iterator[tuple[KeyPath, int, int]]:
    """Every key that a mapping has already: its path, the first line and this one."""
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for number, entry in enumerate(node.value):
            yield from _repeated(entry, (*path, number), seen)
    elif isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            line = key.start_mark.line + 1
            if name in first:
                yield (*path, name), first[name], line
            first.setdefault(name, line)
            yield from _repeated(value, (*path, name), seen)


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for, with what its aliases repeat; ``known``: of the nodes met so far."""
    if id(node) not in known:
        known[id(node)] = 1  # for a node inside itself, which is refused later
        below = node.value if isinstance(node, yaml.CollectionNode) else ()
        parts = (part for entry in below for part in (entry if isinstance(entry, tuple) else (entry,)))
        known[id(node)] = 1 + sum(_values(part, known) for part in parts)
    return known[id(node)]


def _sentence(error: yaml.YAMLError, text: str, source: str) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        line = text[: error.position].count("\n") + 1
        return f"{source}:{line}: holds the control character U+{int(error.character):04X}; remove it"
    mark, opened = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    problem, context = str(getattr(error, "problem", error)), str(getattr(error, "context", ""))
    written = text.splitlines() or [""]
    last = len(written) - 1
    at = 0 if mark is None else min(mark.line, last)
    begun = at if opened is None else min(opened.line, at)
    for number in range(max(min(begun, at - 1), 0), at + 1):
        if _FULL_WIDTH_KEY.match(written[number]):
            return f"{source}:{number + 1}: not valid YAML: {full_width_hint('：')}"
    if "quoted scalar" in context:
        return f"{source}:{begun + 1}: not valid YAML: a quotation mark is opened and not closed; close it"
    return f"{source}:{at + 1}: not valid YAML: {' '.join(problem.split())}; {_way_out(problem)}"


def _way_out(problem: str) -> str:
    if "\\t" in problem:
        return "indent with spaces, not with tabs"
    if "tag" in problem:
        return "only plain values are read: remove what begins with !"
    if "another document" in problem:
        return "keep one document, without --- in between"
    if "alias" in problem:
        return "put a text that begins with * in quotes"
    if "cannot start any token" in problem:
        return "put the text in quotes"
    if "recursive" in problem:
        return "a value cannot hold itself"
    if "unhashable" in problem:
        return "a key is a plain word; put a text that begins with { or [ in quotes"
    return (
        "see to this line and the one before it: keys of one section are indented alike, every colon has a space after "
        "it, every bracket is closed, a text with ': ' in it is quoted"
    )
