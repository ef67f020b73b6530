"""`humdial validate`: what it writes, what it says, when it fails, and what it does not do twice."""

from __future__ import annotations

import errno
import importlib
import json
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import polars
import psutil
import pytest
from typer.testing import CliRunner

import validators
from flows.cli.app import app
from flows.cli.guard import known_sentence
from flows.common.errors import ConfigError, ResourceError, TargetError
from flows.common.staging import alone
from flows.validation.earlier import OWNERS
from flows.validation.folder import LOCK
from flows.validation.run import ValidateOptions, judge_order
from tests.validators.conftest import build
from validators.core.judges import ALL, FAST
from validators.run.tables import NEW_FINDINGS_TABLE, read_findings

FORMAL = ("--only", "structure", "--only", "set", "--workers", "1")


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("validate") / "数据").root


@pytest.fixture
def root(spoken: Path, tmp_path: Path) -> Path:
    shutil.copytree(spoken, tmp_path / "数据")
    return tmp_path / "数据"


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["validate", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def plant(root: Path) -> None:
    """A flipped label, a stray file."""
    manifest = next(iter(sorted(root.rglob("task2_3.jsonl"))))
    text = manifest.read_text(encoding="utf-8")
    row = json.loads(text.splitlines()[0])
    row["turns"][0]["emotion"] = "joy"
    manifest.write_text(
        "\n".join([json.dumps(row, ensure_ascii=False), *text.splitlines()[1:]]) + "\n", encoding="utf-8"
    )
    (manifest.with_suffix("") / "陌生.wav").write_bytes(b"")


def test_findings_measures_and_summary_lie_beside_the_root(root: Path) -> None:
    before = sorted(root.rglob("*"))
    plant(root)
    status, said = run(str(root), *FORMAL)
    assert status == 1 and "T1.EMOTION_LABEL" in said
    folder = root.parent / "数据.findings"
    frame = polars.read_parquet(folder / "findings.parquet")
    assert set(frame["code"]) >= {"T1.EMOTION_LABEL", "SET.STRAY_FILE"}
    assert tuple(read_findings(folder)) == tuple(read_findings(folder / "findings.jsonl"))
    summary = (folder / "summary.md").read_text(encoding="utf-8")
    assert "emotion is not one of the seven" in summary and "陌生.wav" in summary
    assert sorted(path for path in root.rglob("*") if "陌生" not in path.name) == before


def test_a_clean_set_ends_well(root: Path, tmp_path: Path) -> None:
    status, said = run(str(root), *FORMAL, "--output", str(tmp_path / "out"))
    findings = read_findings(tmp_path / "out")
    assert (status, [one.code for one in findings if one.severity == "error"]) == (0, []), said


def test_a_baseline_hides_what_was_known(root: Path, tmp_path: Path) -> None:
    plant(root)
    monday, tuesday = tmp_path / "monday", tmp_path / "tuesday"
    run(str(root), *FORMAL, "--output", str(monday))
    status, said = run(str(root), *FORMAL, "--output", str(tuesday), "--baseline", str(monday))
    assert status == 0 and "known from the baseline" in said
    assert read_findings(tuesday) == read_findings(monday)
    assert read_findings(tuesday / NEW_FINDINGS_TABLE) == ()
    next(iter(sorted((root / "track2").rglob("*_sentence.json")))).unlink()
    status, said = run(str(root), *FORMAL, "--output", str(tuesday), "--baseline", str(monday / "findings.parquet"))
    assert status == 1 and "T2.SENTENCE_MISSING" in said and "T1.EMOTION_LABEL" not in said
    new = read_findings(tuesday / NEW_FINDINGS_TABLE)
    assert {one.code for one in new} == {"T2.SENTENCE_MISSING"} and set(new) < set(read_findings(tuesday))
    assert read_findings(tuesday / "new_findings.jsonl") == new
    summary = (tuesday / "summary.md").read_text(encoding="utf-8")
    assert "new since the baseline: 1 errors" in summary
    assert "| `T1.EMOTION_LABEL` | error | 1 | 0 | 1 |" in summary and "- new: " in summary


@pytest.mark.parametrize("baseline", ["", "findings.parquet", "findings.jsonl"])
def test_a_baseline_in_the_folder_that_is_written_stays_one(root: Path, baseline: str) -> None:
    plant(root)
    folder = root.parent / "数据.findings"
    run(str(root), *FORMAL)
    again = (str(root), *FORMAL, "--baseline", str(folder / baseline))
    assert run(*again) == run(*again)
    assert run(*again)[0] == 0
    next(iter(sorted((root / "track2").rglob("*_sentence.json")))).unlink()
    status, said = run(*again)
    assert status == 1 and "T2.SENTENCE_MISSING" in said
    assert run(*again) == (status, said)
    assert {"T1.EMOTION_LABEL", "T2.SENTENCE_MISSING"} <= {one.code for one in read_findings(folder)}
    run(str(root), *FORMAL)
    assert not list(folder.glob("new_findings*"))
    assert run(*again)[0] == 0


def test_a_full_disk_is_said_plainly_and_leaves_what_was_there(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(str(root), *FORMAL)
    before = contents(folder_of(root))
    plant(root)
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.name == "measures.parquet":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    done = CliRunner().invoke(app, ["validate", str(root), *FORMAL])
    assert done.exception is not None
    assert "the disk is full" in str(known_sentence(done.exception))
    monkeypatch.undo()
    assert contents(folder_of(root)) == before
    run(str(root), *FORMAL)
    assert set(contents(folder_of(root))) == set(before)


def folder_of(root: Path) -> Path:
    return root.parent / f"{root.name}.findings"


def contents(folder: Path) -> dict[str, bytes]:
    """The outcome, without what else lies there."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".lock"}


def codes(root: Path) -> set[str]:
    return {finding.code for finding in read_findings(folder_of(root))}


def test_a_narrower_run_keeps_what_others_found_and_says_so(root: Path) -> None:
    plant(root)
    run(str(root), "--fast", "--workers", "1")
    fuller, measured = read_findings(folder_of(root)), polars.read_parquet(folder_of(root) / "measures.parquet")
    assert {"SET.STRAY_FILE", "T1.EMOTION_LABEL"} <= codes(root) and measured.height and "f0" not in measured.columns
    status, said = run(str(root), "--only", "language", "--workers", "1")
    assert status == 0, said  # of what was asked now
    kept = sorted(FAST - {"language"})
    assert f"findings of {', '.join(kept)}" in " ".join(said.split()) and "T1.EMOTION_LABEL" not in said
    assert read_findings(folder_of(root)) == fuller
    assert polars.read_parquet(folder_of(root) / "measures.parquet").equals(measured)
    summary = (folder_of(root) / "summary.md").read_text(encoding="utf-8")
    assert f"Of earlier runs, on the same data: {', '.join(kept)}" in summary and "## T1.EMOTION_LABEL" in summary
    assert f"{measured.height} utterances judged" in summary
    assert len([line for line in summary.splitlines() if line.endswith("| as now |")]) == len(FAST)
    assert run(str(root), "--only", "structure", "--workers", "1")[0] == 1
    assert read_findings(folder_of(root)) == fuller


def test_judges_of_different_runs_stand_side_by_side(root: Path) -> None:
    plant(root)
    run(str(root), "--only", "structure", "--workers", "1")
    run(str(root), "--only", "set", "--only", "balance", "--workers", "1")
    apart = read_findings(folder_of(root))
    run(str(root), "--only", "sound", "--workers", "1")
    sound = polars.read_parquet(folder_of(root) / "measures.parquet")
    run(str(root), "--only", "prosody", "--workers", "1")
    both = polars.read_parquet(folder_of(root) / "measures.parquet")
    assert set(sound.columns) < set(both.columns) and both.select(sound.columns).equals(sound)
    assert (folder_of(root) / "prosody.json").is_file()
    run(str(root), *(word for name in ("structure", "set", "balance", "sound", "prosody") for word in ("--only", name)))
    assert polars.read_parquet(folder_of(root) / "measures.parquet").equals(both)
    assert set(apart) <= set(read_findings(folder_of(root)))
    assert "Of earlier runs" not in (folder_of(root) / "summary.md").read_text(encoding="utf-8")


def test_what_changed_data_made_untrue_is_taken_out(root: Path) -> None:
    plant(root)
    run(str(root), "--only", "structure", "--only", "set", "--only", "prosody", "--workers", "1")
    assert "T1.EMOTION_LABEL" in codes(root) and (folder_of(root) / "prosody.json").exists()
    next(iter(sorted(root.rglob("陌生.wav")))).write_bytes(b"+")
    said = run(str(root), "--only", "set", "--workers", "1")[1]
    assert "the data set has changed since prosody, structure were asked" in " ".join(said.split())
    assert "SET.STRAY_FILE" in codes(root) and "T1.EMOTION_LABEL" not in codes(root)
    assert not (folder_of(root) / "prosody.json").exists()
    summary = (folder_of(root) / "summary.md").read_text(encoding="utf-8")
    assert "taken out: prosody, structure" in summary
    assert "taken out" not in run(str(root), "--only", "structure", "--workers", "1")[1]
    assert {"SET.STRAY_FILE", "T1.EMOTION_LABEL"} <= codes(root)


def test_other_thresholds_are_told_apart(root: Path, tmp_path: Path) -> None:
    config = tmp_path / "own.yaml"
    text = Path("configs/quickstart.yaml").read_text(encoding="utf-8")
    config.write_text(text + "\nvalidation: {min_tail_s: 9.0}\n", encoding="utf-8")
    run(str(root), "--only", "structure", "--workers", "1")
    run(str(root), "--only", "set", "--config", str(config), "--workers", "1")
    lines = (folder_of(root) / "summary.md").read_text(encoding="utf-8").splitlines()
    assert [line.split("|")[1].strip() for line in lines if "others than now" in line] == ["structure"]


@pytest.mark.parametrize("damage", ["judged.json", "findings.parquet", "measures.parquet"])
def test_tables_that_are_not_those_of_the_judges_are_not_kept(root: Path, damage: str) -> None:
    plant(root)
    run(str(root), *FORMAL)
    (folder_of(root) / damage).write_bytes(b"{")
    status, said = run(str(root), "--only", "language", "--workers", "1")
    assert (status, codes(root)) == (0, set()), said


def test_a_baseline_loses_no_judges_part_to_a_narrower_run(root: Path) -> None:
    plant(root)
    run(str(root), *FORMAL)
    narrow = (str(root), "--only", "set", "--workers", "1", "--baseline", str(folder_of(root)))
    assert run(*narrow)[0] == 0
    assert "T1.EMOTION_LABEL" in codes(root)
    next(iter(root.rglob("陌生.wav"))).with_name("陌生2.wav").write_bytes(b"")
    before = contents(folder_of(root))
    done = CliRunner().invoke(app, ["validate", *narrow])
    assert isinstance(done.exception, TargetError) and "the findings of structure out of" in str(done.exception)
    assert contents(folder_of(root)) == before
    run(str(root), *FORMAL, "--baseline", str(folder_of(root)))
    assert {one.file for one in read_findings(folder_of(root) / NEW_FINDINGS_TABLE)} and "T1.EMOTION_LABEL" not in {
        one.code for one in read_findings(folder_of(root) / NEW_FINDINGS_TABLE)
    }


def test_files_of_somebody_else_are_not_written_over(root: Path, tmp_path: Path) -> None:
    mine = tmp_path / "论文" / "summary.md"
    mine.parent.mkdir()
    mine.write_text("重要", encoding="utf-8")
    done = CliRunner().invoke(app, ["validate", str(root), *FORMAL, "--output", str(mine.parent)])
    assert isinstance(done.exception, TargetError) and "did not write; name another folder" in str(done.exception)
    assert mine.read_text(encoding="utf-8") == "重要"


def test_two_at_a_time_are_told_apart(root: Path) -> None:
    run(str(root), *FORMAL)
    with alone(folder_of(root) / LOCK, "-"):
        done = CliRunner().invoke(app, ["validate", str(root), *FORMAL])
    assert isinstance(done.exception, ResourceError) and "--output DIR" in str(done.exception)


def test_every_validator_has_its_judges() -> None:
    """Or a narrower run would drop what it found."""
    names = set()
    for found in pkgutil.walk_packages(validators.__path__, "validators."):
        if not found.name.endswith("__main__"):
            names.add(getattr(importlib.import_module(found.name), "VALIDATOR", "").partition("/")[0])
    written = {name for name in names if name.startswith("scripts.")} | {""}  # judges of scripts, not of data sets
    assert names - written <= set(OWNERS)
    assert {owner for owners in OWNERS.values() for owner in owners} == ALL


_PAUSED = """
import sys, time
from pathlib import Path

from flows.common.progress import SilentReporter
from flows.validation.run import ValidateOptions, validate


class Paused(SilentReporter):
    def advance(self, stage, done=1):
        print("judging", flush=True)
        time.sleep(600)


if __name__ == "__main__":
    validate(ValidateOptions(root=Path(sys.argv[1]), only=("structure", "audio"), workers=2), Paused())
"""


def test_no_worker_outlives_a_validate_that_was_killed(root: Path, tmp_path: Path) -> None:
    script = tmp_path / "paused.py"
    script.write_text(_PAUSED, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, str(script), str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == b"judging\n"
        left = psutil.Process(parent.pid).children(recursive=True)
        assert len(left) >= 2
        parent.kill()
    assert psutil.wait_procs(left, timeout=120)[1] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--only", "nobody"), "no judge is named 'nobody'"),
        (("--skip", "all"), "no judge is left"),
        (("--baseline", "nowhere.parquet"), "nowhere.parquet cannot be read"),
        (("--exclude", "nowhere"), "--exclude nowhere: no such file"),
        (("--config", "nowhere.yaml"), "no such configuration"),
        (("--fast", "--data-docs", "docs"), "no dataset.lock.json"),
    ],
)
def test_what_cannot_be_meant_is_said_in_a_sentence(
    root: Path, tmp_path: Path, arguments: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["validate", str(root), "--workers", "1", *arguments])
    assert done.exit_code != 0
    assert words in (done.output + str(done.exception))


def test_the_judges_are_listed() -> None:
    status, said = run("--list")
    assert status == 0 and all(name in said for name in ("transcript", "diarization", "fast:", "slow:"))


def test_the_root_is_asked_for() -> None:
    status, said = run()
    assert status == 2 and "ROOT" in said


def test_judges_and_thresholds_come_from_options_configuration_or_lock(root: Path, tmp_path: Path) -> None:
    plain = judge_order(ValidateOptions(root=root, output=tmp_path / "o"))
    assert plain.selected == ALL - {"emotion"} and plain.engine is None
    fast = judge_order(ValidateOptions(root=root, only=("fast",), output=tmp_path / "o", engine="espeak"))
    assert fast.selected == FAST and fast.engine == "espeak"
    config = tmp_path / "own.yaml"
    text = Path("configs/quickstart.yaml").read_text(encoding="utf-8")
    config.write_text(text + "\nvalidation: {min_tail_s: 9.0, skip: [slow]}\n", encoding="utf-8")
    own = judge_order(ValidateOptions(root=root, config=config, output=tmp_path / "o"))
    assert own.selected == FAST and own.thresholds("track2").min_tail_s == 9.0
    with pytest.raises(ConfigError, match="no judge is named"):
        judge_order(ValidateOptions(root=root, skip=("x",), output=tmp_path / "o"))
    (tmp_path / "file").write_text("")
    with pytest.raises(TargetError, match="--output DIR"):
        judge_order(ValidateOptions(root=root, output=tmp_path / "file" / "o"))
