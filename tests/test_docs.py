"""Pages that name code name code that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
#: ``flows/shards/make.py`` or ``flows/shards/make.py: make_shard``
_NAMED = re.compile(r"`((?:flows|generators|validators|data_schemas|tests|benchmarks)/[\w/.-]+\.\w+)(?:: (\w+))?`")


def named_in(page: Path) -> list[tuple[str, str]]:
    return _NAMED.findall(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_function_that_a_page_names_exists(page: Path) -> None:
    missing = [f"{file}: {name}" for file, name in named_in(page) if not exists(ROOT / file, name)]
    assert not missing


def exists(file: Path, name: str) -> bool:
    if not file.is_file():
        return False
    if not name:
        return True
    top = ast.parse(file.read_text(encoding="utf-8")).body
    defined = {node.name for node in top if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)}
    assigned = {
        target.id
        for node in top
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    return name in defined | assigned


def test_the_life_of_an_item_names_every_step() -> None:
    assert len(named_in(ROOT / "docs" / "life-of-an-item.md")) > 15
    assert not exists(ROOT / "flows" / "shards" / "make.py", "make_nothing")
