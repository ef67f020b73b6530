"""`humdial validate`: what it writes, what it says, when it fails, and what it does not do twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars
import pytest
from typer.testing import CliRunner

from flows.cli.app import app, known_sentence
from flows.common.errors import ConfigError, TargetError
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


def test_a_full_disk_is_said_plainly(root: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "measures.parquet").symlink_to("/dev/full")
    done = CliRunner().invoke(app, ["validate", str(root), *FORMAL, "--output", str(tmp_path / "out")])
    assert done.exception is not None
    assert "the disk is full" in str(known_sentence(done.exception))


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
