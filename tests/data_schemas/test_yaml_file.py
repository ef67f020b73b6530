"""The one reader of YAML."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

from data_schemas.foundation.yaml_file import YamlError, load_yaml, parse_yaml

ROOT = Path(__file__).resolve().parents[2]
#: the "billion laughs": a few lines that stand for 2 * 9 ** 19 values
LAUGHS = "a0: &a0 [笑, 笑]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20))
ROOMS = ("data_schemas", "generators", "validators", "flows")
SHIPPED = sorted(path for room in (*ROOMS, "configs") for path in (ROOT / room).rglob("*.yaml"))


@pytest.mark.parametrize(
    ("word", "value"),
    [
        *((word, word) for word in ("off", "on", "yes", "No", "y", "N", "是", "2026-10-01", "12:30", "1_000", "0b1")),
        *((word, True) for word in ("true", "True", "TRUE")),
        *((word, None) for word in ("", "~", "null")),
        ("0123", 123),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e-3", 0.001),
        ("-.5", -0.5),
        (".inf", float("inf")),
        ("'true'", "true"),
    ],
)
def test_plain_words_are_those_of_yaml_1_2(word: str, value: object) -> None:
    assert load_yaml(f"词: {word}", "x") == {"词": value}
    assert type(load_yaml(word, "x")) is type(value)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_files_mean_what_they_meant_in_yaml_1_1(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert repr(load_yaml(text, path.name)) == repr(yaml.safe_load(text))


def test_nothing_else_reads_yaml() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "yaml"
        if "dump" not in node.attr
    }
    assert readers == {"data_schemas/foundation/yaml_file.py"}


def test_every_value_has_its_line() -> None:
    document = parse_yaml("甲: 1\n乙:\n  - 丙: 2\n    丁: &a\n      戊: 3\n  - <<: *a\n    己: 4\n7: x\n", "x")
    lines = {
        ("甲",): 1,
        ("乙",): 2,
        ("乙", 0): 3,
        ("乙", 0, "丁", "戊"): 5,
        ("乙", 1, "己"): 7,
        ("乙", 1, "戊"): 5,  # merged in from there
        (7,): 8,
        ("乙", 0, "没有", "没有"): 3,
        ("没有",): None,
        (): None,
    }
    assert {path: document.line(path) for path in lines} == lines
    assert document.holds(("乙", 1, "戊")) and not document.holds(("乙", 2))


def test_merging_may_override_and_is_no_repetition() -> None:
    assert load_yaml("a: &a {甲: 1, 乙: 2}\nb: {<<: *a, 甲: 3}\n", "x")["b"] == {"甲": 3, "乙": 2}


@pytest.mark.parametrize(
    "text",
    ["[" * 5000, "a: &a [*a]", LAUGHS, "!!int 词", "!!set {a}", "!!binary YQ==", "9" * 5000, "{[a]: b}: c", "\x07"],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(YamlError, match=r"^文件\.yaml"):
        parse_yaml(text, "文件.yaml")
