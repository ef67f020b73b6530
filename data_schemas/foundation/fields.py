"""The keys that a record may hold, at every depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

#: stands for any name of a mapping and any position of a list
ANY = "*"


def kinds_at(annotation: Any, path: Sequence[str | int]) -> tuple[Any, ...]:
    """What may stand at ``path`` below a value of this kind: records, containers and plain types, unions spread out.

    ``*`` in the path stands for any name of a mapping or position of a list.

    >>> kinds_at(dict[str, tuple[int | None, ...]], ("任意", 0)) == (int, NoneType)
    True
    >>> kinds_at(dict[str, int], ("*", "没有"))
    ()
    """
    kinds = tuple(_spread(annotation))
    for part in path:
        kinds = tuple(below for kind in kinds for inner in _inner(kind, part) for below in _spread(inner))
    return kinds


def keys_at(annotation: Any, path: Sequence[str | int]) -> tuple[str, ...]:
    """The keys of the records that may stand at ``path``."""
    keys = (key for kind in records_among(kinds_at(annotation, path)) for key in kind.model_fields)
    return tuple(dict.fromkeys(keys))


def key_paths(annotation: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of every record below a value of this kind, from the outside in."""
    for kind in _spread(annotation):
        if _is_record(kind):
            for key, field in kind.model_fields.items():
                yield (*above, key)
                yield from key_paths(field.annotation, (*above, key))
        else:
            for inner in _inner(kind, ANY):
                yield from key_paths(inner, (*above, ANY))


def records_among(kinds: Sequence[Any]) -> tuple[type[BaseModel], ...]:
    return tuple(kind for kind in kinds if _is_record(kind))


def words_of(kinds: Sequence[Any]) -> tuple[Any, ...]:
    """The values of the ``Literal`` kinds among these."""
    return tuple(word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind))


def is_optional(kinds: Sequence[Any]) -> bool:
    """Whether nothing, ``null`` in YAML, may stand there."""
    return NoneType in kinds or Any in kinds


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _spread(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _spread(get_args(annotation)[0])
    elif origin in {Union, UnionType}:
        for each in get_args(annotation):
            yield from _spread(each)
    else:
        yield annotation


def _inner(kind: Any, part: str | int) -> Iterator[Any]:
    """What stands at one key or position of a value of this kind."""
    if _is_record(kind):
        field = kind.model_fields.get(part)
        if field is not None:
            yield field.annotation
        return
    origin, arguments = get_origin(kind), get_args(kind)
    if not isinstance(origin, type) or not arguments:
        return
    if issubclass(origin, Mapping):
        yield arguments[1]
    elif issubclass(origin, Sequence) and (isinstance(part, int) or part == ANY):
        yield from (each for each in arguments if each is not Ellipsis)
