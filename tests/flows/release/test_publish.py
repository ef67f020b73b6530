"""The last steps of a build: stopped in the midst of them, disturbed, and read by others."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from data_schemas.release import DatasetLock, read_lock
from flows.common.errors import TargetError
from flows.common.progress import SilentReporter
from flows.config.build_config import BuildConfig, load_config
from flows.prepare.resolve import Prepared, prepare, resolve
from flows.release import publish as publishing
from flows.release import tree
from flows.release.gate import GateVerdict
from flows.release.publish import finish
from flows.release.publish import stage as stage_release
from flows.release.shelf import Shelf
from flows.release.stage import PARTIAL_MARK
from flows.release.texts import read_texts
from flows.shards.kept import KeptScenes
from flows.shards.ledger import ShardLedger
from tests.support.builds import draft_config
from validators.core.settings import ValidationSettings
from validators.files.lock import LOCK_FILE

Build = Callable[[], DatasetLock]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[BuildConfig, Prepared]:
    folder = tmp_path_factory.mktemp("parts")
    config = load_config(draft_config(folder))
    return config, prepare(config, folder, resolve(config), SilentReporter())


def opened_gate(*_: object) -> GateVerdict:
    """A gate that lets everything pass."""
    return GateVerdict({}, (), read_texts((), ValidationSettings()))


@pytest.fixture
def build(parts: tuple[BuildConfig, Prepared], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Publishes a release without items to ``tmp_path / "发布"``."""
    config, prepared = parts
    config = config.model_copy(update={"release": str(tmp_path / "发布")})
    monkeypatch.setattr(publishing, "judge_release", opened_gate)
    shelf = Shelf(ShardLedger(tmp_path / "shards", KeptScenes(tmp_path / "scenes")), ())

    def publish() -> DatasetLock:
        staged = stage_release(config, prepared, shelf, (), SilentReporter())
        return finish(config, prepared, staged, shelf, (), SilentReporter())

    return publish


def files_of(release: Path) -> list[Path]:
    return [path for path in release.rglob("*") if path.is_file()]


def test_stopped_while_the_lock_is_computed_it_goes_on(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as stopped:
        stopped.setattr(tree, "sha256_of", _stop)
        with pytest.raises(KeyboardInterrupt):
            build()
    assert (tmp_path / ".发布.partial" / PARTIAL_MARK).is_file()
    build()
    lock = read_lock(tmp_path / "发布" / LOCK_FILE)
    published = {path.relative_to(tmp_path / "发布").as_posix() for path in files_of(tmp_path / "发布")}
    assert published == {entry.path for entry in lock.files} | {LOCK_FILE}
    assert [entry.name for entry in tmp_path.iterdir()] == ["发布"]


def _stop(path: Path) -> str:
    raise KeyboardInterrupt


def test_what_came_to_the_target_meanwhile_is_not_touched(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "发布" / "论文.txt"

    def meanwhile(*_: object) -> GateVerdict:
        mine.parent.mkdir()
        mine.write_text("重要", encoding="utf-8")
        return opened_gate()

    with monkeypatch.context() as disturbed:
        disturbed.setattr(publishing, "judge_release", meanwhile)
        with pytest.raises(TargetError, match="nothing was touched"):
            build()
    assert mine.read_text(encoding="utf-8") == "重要"
    mine.unlink()
    assert build().tree_sha256


def test_the_same_release_meanwhile_is_the_release(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build()
    made = (tmp_path / "发布" / LOCK_FILE).stat().st_ino
    assert build() == first
    assert (tmp_path / "发布" / LOCK_FILE).stat().st_ino == made
    assert [entry.name for entry in tmp_path.iterdir()] == ["发布"]


def test_every_published_file_has_the_mode_of_any_new_file(build: Build, tmp_path: Path) -> None:
    build()
    plain = tmp_path / "plain"
    plain.touch()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in files_of(tmp_path / "发布")}
    assert modes == {stat.S_IMODE(plain.stat().st_mode)}
