"""docs/configuration.md has every key, none that does not exist, and says the defaults that hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel, TypeAdapter

from data_schemas.foundation.fields import ANY, key_paths, kinds_at, records_among
from data_schemas.foundation.yaml_file import load_yaml
from flows.config.build_config import BuildConfig, load_config

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "configuration.md").read_text(encoding="utf-8")
#: what a cell says of a section's default: its keys have their own
SECTION_WORDS = {"below", "above", "here", "automatic", "no limit"}
_CODE = re.compile(r"`([^`]+)`")
_NAMES = {"NAME": ANY, "N": ANY}

REQUIRED = object()
Path_ = tuple[str, ...]


class Row(NamedTuple):
    """One key of a table: every section of the heading above it may hold it."""

    sections: tuple[Path_, ...]
    key: Path_
    default: str

    def places(self) -> Iterator[Path_]:
        return ((*section, *self.key) for section in self.sections if kinds_at(BuildConfig, (*section, *self.key)))


def rows() -> list[Row]:
    found, sections, keyed = [], ((),), False
    for line in PAGE.splitlines():
        if line.startswith("#"):
            paths = tuple(split(each) for each in _CODE.findall(line))
            sections = paths or ((),)
        elif line.startswith("| key |"):
            keyed = True
        elif not line.startswith("|"):
            keyed = False
        elif keyed and not line.startswith("|---"):
            names, default = (cell.strip() for cell in line.split(" | ")[:2])
            found += [Row(sections, split(name), default) for name in _CODE.findall(names)]
    return found


def split(path: str) -> Path_:
    return tuple(_NAMES.get(part, part) for part in path.split("."))


def elsewhere() -> dict[Path_, str]:
    """Sections whose keys are on pages of their own."""
    table = re.search(r"\| section \| page \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE)
    assert table is not None
    found = {}
    for line in table[1].splitlines():
        section, page = line.strip("| ").split(" | ", 1)
        names = re.findall(r"\]\(([\w-]+\.md)", page)
        found[split(section.strip("`"))] = "\n".join((DOCS / name).read_text(encoding="utf-8") for name in names)
    return found


def field_of(path: Path_) -> Iterator[tuple[type[BaseModel], str]]:
    for record in records_among(kinds_at(BuildConfig, path[:-1])):
        if path[-1] in record.model_fields:
            yield record, path[-1]


def documented() -> set[tuple[type[BaseModel], str]]:
    """Fields of records that the page explains, wherever these records stand."""
    return {field for row in rows() for place in row.places() for field in field_of(place)}


ALL_KEYS = sorted(set(key_paths(BuildConfig)))


def test_every_key_of_a_configuration_is_explained() -> None:
    known = documented()
    pages = elsewhere()
    missing = [
        ".".join(path)
        for path in ALL_KEYS
        if not set(field_of(path)) <= known
        and not any(path[:-1] == section and f"`{path[-1]}`" in page for section, page in pages.items())
    ]
    assert missing == []


def test_every_key_that_is_explained_exists() -> None:
    unknown = [".".join(row.key) for row in rows() if not any(row.places())]
    assert unknown == []
    assert all(records_among(kinds_at(BuildConfig, section)) for row in rows() for section in row.sections)
    assert all(records_among(kinds_at(BuildConfig, section)) for section in elsewhere())


@pytest.mark.parametrize("row", rows(), ids=lambda row: ".".join(row.key))
def test_the_defaults_are_those_that_hold(row: Row) -> None:
    said = row.default.strip("`")
    for place in row.places():
        default = default_at(place)
        if said == "required":  # of a value that is written whole, whether or not the setting has a default
            assert all(record.model_fields[key].is_required() or key == "kind" for record, key in field_of(place))
        elif said == "none":
            assert default is None
        elif said in SECTION_WORDS:
            assert isinstance(default, BaseModel)
        else:
            for record, key in field_of(place):
                kind = TypeAdapter(record.model_fields[key].annotation)
                assert kind.validate_python(load_yaml(said, "cell")) == default


def default_at(place: Path_) -> Any:
    """What stands there in a configuration that leaves it out; a section may set a key otherwise than its record."""
    value: Any = REQUIRED
    for number, part in enumerate(place):
        if isinstance(value, BaseModel):
            value = getattr(value, part, REQUIRED)
            continue
        value = REQUIRED
        for record in records_among(kinds_at(BuildConfig, place[:number])):
            field = record.model_fields.get(part)
            if field is not None and not field.is_required():
                value = field.get_default(call_default_factory=True)
    return value


def test_the_smallest_configuration_of_the_page_is_one(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(name: .*?)```", PAGE, re.DOTALL)
    assert example is not None
    path = tmp_path / "最小.yaml"
    path.write_text(example[1], encoding="utf-8")
    assert load_config(path).speech.engine == "kokoro"


@pytest.mark.parametrize("example", re.findall(r"```yaml\n((?:speech|scenes):.*?)```", PAGE, re.DOTALL))
def test_the_examples_of_the_page_are_taken(tmp_path: Path, example: str) -> None:
    path = tmp_path / "例.yaml"
    path.write_text(
        "name: a\nseed: 1\nrelease: r\nwork: w\n"
        "quotas: [{task: pause, languages: [zh], splits: [dev], count: 1}]\n" + example,
        encoding="utf-8",
    )
    assert set(load_yaml(example, path.name)) <= load_config(path).model_fields_set
