"""What is wrong with data that a person wrote, a sentence per problem: which key, what it is, what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from data_schemas.foundation.base import dump_json
from data_schemas.foundation.fields import ANY, key_paths, keys_at, kinds_at, words_of
from data_schemas.foundation.yaml_file import KeyPath, YamlDocument, full_width_hint, shown_path

#: CHOICE: so like a word must be to be meant; difflib's own default
_LIKENESS = 0.6
#: more keys than these are not listed (CHOICE: a line of text)
_LISTED = 12
_SHOWN_LETTERS = 60
_QUOTED = re.compile(r"'([^']*)'")
_EMPTY = "must hold at least one entry"
#: how our own checks begin what they say: a key or path of the section they check
_NAMES_A_KEY = re.compile(r"^([A-Za-z_][\w-]*(?:\.[\w-]+)*)(: | )(?=\S)")
_LEFT_OPEN = re.compile(r"[\w-]+:\S")


class Problem(NamedTuple):
    """One thing that is wrong."""

    #: the key, or the section it belongs to
    path: KeyPath
    #: what it is and the way out, without the path
    text: str
    #: what to look at: the key itself where there is one
    place: KeyPath

    def __str__(self) -> str:
        return f"{shown_path(self.path)}: {self.text}" if self.path else self.text


def problems_of(error: ValidationError, kind: Any) -> tuple[Problem, ...]:
    """What pydantic found in data that should be a ``kind``, in the order of the data's keys."""
    found = [_problem(details, kind) for details in error.errors(include_url=False)]
    # pydantic calls a list too short whose entries it has just refused
    emptied = [each for each in found if each.text == _EMPTY and any(_is_below(other, each) for other in found)]
    return tuple(each for each in found if each not in emptied)


def located(problem: Problem, document: YamlDocument, above: KeyPath = (), whose: str = "") -> str:
    """``file:line: key: what it is`` of a problem with what stands at ``above`` in a document.

    Args:
        whose: stands before the key, where its path alone says too little.
    """
    line = document.line((*above, *problem.place))
    return f"{document.source}{'' if line is None else f':{line}'}: {whose}{problem}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean ...?`` with the nearest of the known words, or nothing.

    >>> did_you_mean("Engin", ("engine", "speed"))
    '; did you mean engine?'
    >>> did_you_mean("普通话", ("zh", "en"))
    ''
    """
    near = nearest(word, known)
    return f"; did you mean {near}?" if near else ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like this one; capitals, dashes and spaces count for nothing."""
    plain = {_plain(each): each for each in known}
    found = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=_LIKENESS)
    return plain[found[0]] if found else None


def _is_below(problem: Problem, other: Problem) -> bool:
    return len(problem.path) > len(other.path) and problem.path[: len(other.path)] == other.path


def _plain(word: str) -> str:
    return re.sub(r"[-\s]", "_", word).casefold()


def _problem(details: ErrorDetails, kind: Any) -> Problem:
    path = _path(details, kind)
    what, value = details["type"], details["input"]
    if what == "extra_forbidden":
        return Problem(path, _unknown_key(path, kind), path)
    if what == "missing":
        return Problem(path, f"is missing; write {path[-1]}: and its value", path[:-1])
    if what == "value_error":
        return _our_own(path, details["msg"].removeprefix("Value error, "), kind)
    if what == "too_short" and details["ctx"].get("actual_length") == 0:
        return Problem(path, _EMPTY, path)
    if what.startswith("union_tag") and isinstance(value, Mapping):
        return _wrong_kind(path, details["ctx"], kind)
    return Problem(path, _text(details) + _hint(value, what), path)


def _path(details: ErrorDetails, kind: Any) -> KeyPath:
    """The keys of the location without what pydantic adds: branches of unions, ``[key]``."""
    path: KeyPath = ()
    last = len(details["loc"]) - 1
    for number, part in enumerate(details["loc"]):
        new_key = number == last and details["type"] == "extra_forbidden"
        if new_key or _may_hold(kind, path, part):
            path = (*path, part)
    return path


def _may_hold(kind: Any, path: KeyPath, part: str | int) -> bool:
    return part != "[key]" and bool(kinds_at(kind, (*path, part)))


def _wrong_kind(path: KeyPath, context: Mapping[str, Any], kind: Any) -> Problem:
    """A value of which one key says what the others are."""
    name = _QUOTED.sub(r"\1", context["discriminator"])
    known = [str(word) for word in words_of(kinds_at(kind, (*path, name)))]
    if "tag" in context:
        text = f"{context['tag']!r} is none of {', '.join(known)}{did_you_mean(str(context['tag']), known)}"
        return Problem((*path, name), text, (*path, name))
    return Problem((*path, name), f"is missing; write {name}: and one of {', '.join(known)}", path)


def _unknown_key(path: KeyPath, kind: Any) -> str:
    key, here = str(path[-1]), keys_at(kind, path[:-1])
    if key in here:
        return "is no key of what stands there; remove it, or correct kind"
    near = nearest(key, here)
    if near:
        return f"unknown key; did you mean {near}?"
    section = shown_path(path[:-1])
    others = [known for known in key_paths(kind) if known[-1] == _plain(key) and ANY not in known]
    if others:
        place = min(others, key=len)
        where = f"it belongs to the section {shown_path(place[:-1])}" if place[:-1] else "it belongs to no section"
        return f"unknown key; did you mean {shown_path(place)}? Indent it so that {where}"
    listed = ", ".join(here) if len(here) <= _LISTED else f"{', '.join(here[:_LISTED])}, ..."
    return f"unknown key; {section or 'here'} may hold {listed}" if here else "unknown key"


def _our_own(path: KeyPath, message: str, kind: Any) -> Problem:
    """A sentence of a validator of ours, which may begin with the key it means."""
    named = _NAMES_A_KEY.match(message)
    if named is not None:
        parts = tuple(int(part) if part.isdecimal() else part for part in named[1].split("."))
        if path and parts[: len(path)] == path:  # said from the outside
            parts = parts[len(path) :]
        if parts and _may_hold(kind, path, parts[0]):
            if named[2] == ": ":
                return Problem((*path, *parts), message[named.end() :], (*path, *parts))
            return Problem(path, message, (*path, *parts))
    return Problem(path, message, path)


def _text(details: ErrorDetails) -> str:
    what, context, shown = details["type"], details.get("ctx", {}), _shown(details["input"])
    if what in {"literal_error", "enum"}:
        words = _QUOTED.findall(str(context["expected"])) or str(context["expected"]).replace(" or ", ", ").split(", ")
        return f"{shown} is none of {', '.join(words)}{did_you_mean(str(details['input']), words)}"
    for begin, wanted in _KINDS.items():
        if what.startswith(begin):
            return f"must be {wanted}, not {shown}"
    text = details["msg"].replace("Input should", "should").replace("should be", "must be")
    return f"{text[:1].lower()}{text[1:]}, not {shown}"


#: by the beginning of pydantic's name of a problem: what should stand there
_KINDS: Mapping[str, str] = {
    "model_": "a section of keys and values",
    "union_": "a section of keys and values",
    "dict_": "a section of keys and values",
    "mapping_": "a section of keys and values",
    "tuple_type": "a list, [a, b] or a line with - for each entry",
    "list_type": "a list, [a, b] or a line with - for each entry",
    "string_type": "text",
    "int_": "a whole number",
    "float_": "a number",
    "bool_": "true or false",
}


def _hint(value: Any, what: str) -> str:
    if value is None:
        return "; give it a value or remove the key"
    if what == "string_type" and isinstance(value, bool | int | float):
        return f'; put it in quotes: "{_shown(value)}"'
    if not isinstance(value, str):
        return ""
    marks = full_width_hint(value)
    if marks is not None:
        return f"; {marks}"
    if what.startswith(("model_", "dict_", "mapping_")) and _LEFT_OPEN.match(value):
        return "; a colon needs a space after it"
    return ""


def _shown(value: Any) -> str:
    """The value in a few letters, as YAML would have it."""
    if value is None:
        return "empty"
    if isinstance(value, str):
        return repr(value if len(value) <= _SHOWN_LETTERS else f"{value[:_SHOWN_LETTERS]}...")
    if isinstance(value, Mapping):
        return "a section"
    if isinstance(value, Sequence):
        return "a list"
    return dump_json(value) if isinstance(value, bool | int) else str(value)
