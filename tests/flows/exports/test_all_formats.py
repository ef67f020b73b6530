"""Every registered format takes the same release, twice, with the same bytes, and says what it left out."""

import hashlib
from pathlib import Path

import pytest

from flows.exports.registry import EXPORTERS
from flows.exports.run import NOTE_FILE, ExportJob, run_export
from flows.progress import SilentReporter
from tests.support.spoken_release import make_release


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_release(tmp_path_factory.mktemp("release"))


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", [exporter.name for exporter in EXPORTERS])
def test_the_same_release_gives_the_same_bytes(name: str, release: Path, tmp_path: Path) -> None:
    exporter = next(one for one in EXPORTERS if one.name == name)
    first = run_export(ExportJob(release, exporter, tmp_path / "a"), SilentReporter())
    run_export(ExportJob(release, exporter, tmp_path / "b"), SilentReporter())
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert first.count.items > 0
    files = digests(tmp_path / "a")
    assert NOTE_FILE in files
    assert all(path.isascii() for path in files)
