"""`humdial export`: staged, renamed, refused with a sentence."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from data_schemas.foundation.audio import write_wav
from data_schemas.item import Item, turn_wav
from data_schemas.layouts.registry import layout
from data_schemas.layouts.writer import write_items
from data_schemas.script import REHEARSAL_WRITER
from data_schemas.tasks import Language, Role, Split, Track
from flows.common.errors import ConfigError, TargetError
from flows.common.progress import SilentReporter
from flows.common.staging import PARTIAL_MARK
from flows.exports.base import ExportCount, Exporter, ExportError, Progress, ReleaseSource
from flows.exports.registry import EXPORTERS, exporter_named
from flows.exports.run import NOTE_FILE, ExportJob, is_rehearsal, run_export
from generators.scripts.script_file import write_script_file
from tests.support.cli import invoke
from tests.support.scene_factory import make_plan, make_utterance, noise_burst
from tests.support.script_factory import make_trajectory
from validators.files.lock import LOCK_FILE


@dataclass(frozen=True)
class Ids:
    """Writes the ids it sees, and stops at one of them."""

    stop_at: str = ""
    name: str = "ids"
    summary: str = "for tests"
    tracks: frozenset[Track] = frozenset({Track.EMOTION})

    def write(self, source: ReleaseSource, target: Path, advance: Progress) -> ExportCount:
        ids = []
        for item in source.items():
            if item.id == self.stop_at:
                raise ExportError(f"{item.id}: cannot be brought into the format")
            assert len(source.samples(item, "turn_1")) > 0
            ids.append(item.id)
            advance(1)
        (target / "ids.txt").write_text("\n".join(ids), encoding="utf-8")
        return ExportCount(items=len(ids), entries=len(ids), left_out={"没有声音": 1})


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Two dialogues, one in Chinese and one in English, in the seed numbering."""
    root = tmp_path / "release"
    staged = []
    for number, language in enumerate(Language, start=1):
        script = make_trajectory(f"{language}-trajectory-3-{number:02d}", language)
        plan = make_plan(script, plan_id=f"p{number}", index=number)
        spoken = tuple(
            make_utterance(f"p{number}/{turn}", Role.USER, script.turns[turn - 1].text, 1600, language)
            for turn in (1, 2, 3)
        )
        folder = tmp_path / "staged" / f"p{number}"
        for turn, utterance in enumerate(spoken, start=1):
            write_wav(folder / turn_wav(turn), noise_burst(utterance))
        staged.append((Item(plan=plan, script=script, utterances=spoken), folder))
    write_items(root, layout("track1-seed"), staged)
    return root


def test_an_export_appears_whole_and_says_what_it_was_made_from(release: Path, tmp_path: Path) -> None:
    target = tmp_path / "出口"
    note = run_export(ExportJob(release, Ids(), target), SilentReporter())
    assert len((target / "ids.txt").read_text(encoding="utf-8").splitlines()) == 2
    kept = json.loads((target / NOTE_FILE).read_text(encoding="utf-8"))
    assert kept == note.model_dump(mode="json")
    assert (kept["format"], kept["count"]["items"], kept["release"]) == ("ids", 2, None)
    assert kept["count"]["left_out"] == {"没有声音": 1}
    assert not list(tmp_path.glob(".*partial"))


def test_a_lock_of_another_version_is_refused_before_any_work(release: Path, tmp_path: Path) -> None:
    (release / LOCK_FILE).write_text('{"format_version": 2, "版本": "新"}', encoding="utf-8")
    stopped = Ids(stop_at=next(ReleaseSource(release, frozenset({Track.EMOTION})).items()).id)
    with pytest.raises(TargetError, match="no lock that this version can read"):
        run_export(ExportJob(release, stopped, tmp_path / "出口"), SilentReporter())
    assert not (tmp_path / "出口").exists()


def test_only_the_chosen_languages_and_splits_are_read(release: Path, tmp_path: Path) -> None:
    job = ExportJob(release, Ids(), tmp_path / "zh", languages=frozenset({Language.ZH}))
    run_export(job, SilentReporter())
    assert "_zh_" in (tmp_path / "zh" / "ids.txt").read_text(encoding="utf-8")
    assert run_export(ExportJob(release, Ids(), tmp_path / "both"), SilentReporter()).count.items == 2
    source = ReleaseSource(release, frozenset({Track.EMOTION}), splits=frozenset({Split.TRAIN, Split.DEV}))
    assert len(list(source.items())) == 2
    with pytest.raises(ExportError, match="holds no item for ids"):
        run_export(ExportJob(release, Ids(tracks=frozenset({Track.DUPLEX})), tmp_path / "none"), SilentReporter())


def test_a_failed_export_leaves_nothing(release: Path, tmp_path: Path) -> None:
    first = next(iter(ReleaseSource(release, frozenset({Track.EMOTION})).items())).id
    with pytest.raises(ExportError, match=first):
        run_export(ExportJob(release, Ids(stop_at=first), tmp_path / "x"), SilentReporter())
    assert not (tmp_path / "x").exists()
    assert not list(tmp_path.glob(".*partial"))


#: an export that says when it has begun and goes on when it is told to
_SLOW = """
import sys
from functools import partial
from pathlib import Path

from flows.cli.guard import run_guarded
from flows.common.progress import SilentReporter
from flows.exports.run import ExportJob, run_export
from tests.flows.exports.test_run import Ids


class Slow(Ids):
    def write(self, source, target, advance):
        (target / "begun.txt").write_text("开始", encoding="utf-8")
        print("begun", flush=True)
        sys.stdin.readline()
        return super().write(source, target, advance)


def command(standalone_mode):
    run_export(ExportJob(Path(sys.argv[1]), Slow(), Path(sys.argv[2])), SilentReporter())


sys.exit(run_guarded(command))
"""


def slow_export(release: Path, target: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONUTF8": "1"}
    command = [sys.executable, "-c", _SLOW, str(release), str(target)]
    piped = subprocess.PIPE
    return subprocess.Popen(command, stdin=piped, stdout=piped, stderr=piped, text=True, env=environment)


def test_of_two_exports_into_one_target_one_is_refused_and_one_is_whole(release: Path, tmp_path: Path) -> None:
    target = tmp_path / "出口"
    with slow_export(release, target) as first, slow_export(release, target) as second:
        assert first.stdout is not None
        begun = [one for one in (first, second) if one.stdout is not None and one.stdout.readline() == "begun\n"]
        assert len(begun) == 1
        winner, loser = begun[0], second if begun[0] is first else first
        _, said = loser.communicate(timeout=60)
        assert loser.returncode == 2 and "another process is writing" in said and "-o DIR" in said, said
        _, said = winner.communicate("go on\n", timeout=60)
        assert winner.returncode == 0, said
    assert {path.name for path in target.iterdir()} == {"begun.txt", "ids.txt", NOTE_FILE}
    with slow_export(release, target) as late:
        _, said = late.communicate(timeout=60)
        assert late.returncode == 2 and "is not empty" in said


def test_what_a_killed_export_left_is_taken_over(release: Path, tmp_path: Path) -> None:
    target = tmp_path / "出口"
    with slow_export(release, target) as killed:
        assert killed.stdout is not None and killed.stdout.readline() == "begun\n"
        killed.kill()
    staging = tmp_path / ".出口.partial"
    assert {path.name for path in staging.iterdir()} == {"begun.txt", PARTIAL_MARK} and not target.exists()
    run_export(ExportJob(release, Ids(), target), SilentReporter())
    assert {path.name for path in target.iterdir()} == {"ids.txt", NOTE_FILE} and not staging.exists()


def test_a_folder_of_the_users_is_not_touched(release: Path, tmp_path: Path) -> None:
    mine = tmp_path / ".出口.partial" / "论文.txt"
    mine.parent.mkdir()
    mine.write_text("重要", encoding="utf-8")
    with pytest.raises(TargetError, match=r"出口\.partial is in the way"):
        run_export(ExportJob(release, Ids(), tmp_path / "出口"), SilentReporter())
    assert mine.read_text(encoding="utf-8") == "重要"


def test_targets_that_are_taken_or_inside_the_release_are_refused(release: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "论文.txt").write_text("重要", encoding="utf-8")
    with pytest.raises(TargetError, match="is not empty"):
        run_export(ExportJob(release, Ids(), taken), SilentReporter())
    with pytest.raises(TargetError, match="inside the release"):
        run_export(ExportJob(release, Ids(), release / "export"), SilentReporter())
    with pytest.raises(TargetError, match="holds no data set"):
        run_export(ExportJob(taken, Ids(), tmp_path / "y"), SilentReporter())
    assert (taken / "论文.txt").read_text(encoding="utf-8") == "重要"


def test_audio_that_is_missing_is_named(release: Path) -> None:
    source = ReleaseSource(release, frozenset({Track.EMOTION}))
    item = next(iter(source.items()))
    (release / item.files["turn_1"]).unlink()
    with pytest.raises(ExportError, match=r"is missing; run humdial validate"):
        source.samples(item, "turn_1")
    with pytest.raises(ExportError, match="no clean audio"):
        source.path(item, "clean")


def test_formats_have_names_and_unknown_ones_are_listed() -> None:
    names = [exporter.name for exporter in EXPORTERS]
    assert len(set(names)) == len(names)
    exporters: tuple[Exporter, ...] = EXPORTERS
    assert all(exporter.summary and exporter.tracks for exporter in exporters)
    with pytest.raises(ConfigError, match=r"--to 表格: no such format"):
        exporter_named("表格")


def test_a_rehearsal_is_known_by_its_scripts(release: Path, tmp_path: Path) -> None:
    script = make_trajectory("zh-trajectory-3-01", Language.ZH)
    made = script.model_copy(update={"provenance": script.provenance.model_copy(update={"writer": REHEARSAL_WRITER})})
    assert not is_rehearsal(release), "no scripts at all: somebody else's data set"
    write_script_file(release / "scripts.jsonl", (script,))
    target = tmp_path / "出口"
    status, out, _ = invoke("export", str(release), "--to", "webdataset", "-o", str(target))
    assert status == 0 and "not for training" not in out
    write_script_file(release / "scripts.jsonl", (script, made))
    status, out, _ = invoke("export", str(release), "--to", "webdataset", "-o", str(tmp_path / "排练"))
    assert status == 0 and "is a rehearsal" in out and "not for training" in out
