"""Every registered format takes the same release, twice, with the same bytes, and says what it left out."""

import hashlib
from pathlib import Path

import pytest

from flows.common.progress import SilentReporter
from flows.exports.registry import EXPORTERS
from flows.exports.run import NOTE_FILE, ExportJob, run_export
from tests.support.duplex_release import write_duplex_release
from tests.support.spoken_release import make_release

#: Formats that read the clean files, which only composed scenes have right.
COMPOSED = frozenset({"full-duplex-bench", "fdbench"})


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """By whether its scenes are composed: without, both tracks; with, Track 2 only."""
    folder = tmp_path_factory.mktemp("releases")
    write_duplex_release(folder / "composed" / "release")
    return {False: make_release(folder / "plain"), True: folder / "composed" / "release"}


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", [exporter.name for exporter in EXPORTERS])
def test_the_same_release_gives_the_same_bytes(name: str, releases: dict[bool, Path], tmp_path: Path) -> None:
    release = releases[name in COMPOSED]
    exporter = next(one for one in EXPORTERS if one.name == name)
    first = run_export(ExportJob(release, exporter, tmp_path / "a"), SilentReporter())
    run_export(ExportJob(release, exporter, tmp_path / "b"), SilentReporter())
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert first.count.items > 0
    files = digests(tmp_path / "a")
    assert NOTE_FILE in files
    assert all(path.isascii() for path in files)
