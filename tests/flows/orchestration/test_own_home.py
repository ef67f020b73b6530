"""The database of a build's own server: made from a copy, of bounded size, and never a reason to stop."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flows.orchestration.server import own_home
from flows.orchestration.server.own_home import DATABASE, keep_template, prepare_home, set_database_aside


@pytest.fixture(autouse=True)
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cache" / "3.8.8.db"
    monkeypatch.setattr(own_home, "template_path", lambda: path)
    return path


def test_a_new_database_is_a_copy_of_the_one_kept(tmp_path: Path, template: Path) -> None:
    first, second = tmp_path / "一", tmp_path / "二"
    assert prepare_home(first) is False
    assert not (first / DATABASE).exists()  # the server makes it
    writer = _write(first / DATABASE, "空库")  # open all the while, with a log beside it
    keep_template(first)
    assert prepare_home(second) is False
    assert _read(second / DATABASE) == "空库"
    assert prepare_home(second) is True
    writer.close()


def test_the_first_template_stays(tmp_path: Path, template: Path) -> None:
    for text in ("empty", "with runs"):
        home = tmp_path / text
        home.mkdir()
        _write(home / DATABASE, text).close()
        keep_template(home)
    assert _read(template) == "empty"


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\x00" + b"\x00" * 4096])
def test_a_damaged_template_is_not_taken(tmp_path: Path, template: Path, content: bytes) -> None:
    template.parent.mkdir()
    template.write_bytes(content)
    assert prepare_home(tmp_path / "work") is False
    assert not (tmp_path / "work" / DATABASE).exists()
    assert not template.exists()


def test_a_database_that_grew_large_makes_room_for_a_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("oldest", "older"):
        _write(tmp_path / DATABASE, text).close()
        monkeypatch.setattr(own_home, "_LARGEST_BYTES", 1 << 30)
        assert prepare_home(tmp_path) is True
        monkeypatch.setattr(own_home, "_LARGEST_BYTES", 100)
        assert prepare_home(tmp_path) is False
    assert _read(tmp_path / "prefect.before.db") == "older"
    assert [path.name for path in tmp_path.glob("*.db")] == ["prefect.before.db"]


def test_a_database_set_aside_takes_the_template_with_it(tmp_path: Path, template: Path) -> None:
    home = tmp_path / "work"
    home.mkdir()
    _write(home / DATABASE, "坏").close()
    keep_template(home)
    assert _read(set_database_aside(home)) == "坏"
    assert not template.exists()
    assert prepare_home(home) is False
    assert not (home / DATABASE).exists()


def _write(path: Path, text: str) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE runs (name TEXT)")
    database.execute("INSERT INTO runs VALUES (?)", (text,))
    database.commit()
    return database


def _read(path: Path) -> str:
    with closing(sqlite3.connect(path)) as database:
        (text,) = database.execute("SELECT name FROM runs").fetchone()
    return str(text)
