from pathlib import Path

import pytest

from flows.common import code_version as module

FILES = {
    "generators/制作.py": "一 = 1",
    "generators/表.yaml": "a: 1",
    "generators/scripts/llm/prompts/zh/提示.md": "## system\n你是作者。",
    "generators/scripts/llm/examples/zh/例子.json": '{"text": "好"}',
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "flows" / "common" / "code_version.py"))
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_a_change_of_what_decides_a_release_is_another_version(home: Path, name: str) -> None:
    before = module.code_version()
    (home / "generators" / "__pycache__").mkdir()
    (home / "generators" / "__pycache__" / "x.py").touch()
    (home / "generators" / "notes.txt").touch()
    assert module.code_version() == before
    (home / name).write_text(FILES[name] + "\n", encoding="utf-8")
    assert module.code_version() != before
