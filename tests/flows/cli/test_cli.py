"""The command line as a person meets it: help, dry runs, refusals, and what a wrong word leads to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from flows.cli.guard import known_sentence, status_of
from flows.cli.items import chosen_steps
from flows.cli.summary import print_next_commands
from flows.common.errors import EXIT_FAILED, EXIT_USAGE, ConfigError, ResourceError, TargetError
from flows.config.build_config import load_config
from flows.config.work_dir import work_lock
from flows.doctor.checks import Check
from flows.release.stage import release_place
from flows.shards.steps import ALL_STAGES, Stage
from tests.support.builds import draft_config
from tests.support.cli import invoke
from validators.files.lock import LOCK_FILE

ROOT = Path(__file__).resolve().parents[3]
CLI = ROOT / "flows" / "cli"
COMMANDS = (
    "build",
    "preview",
    "status",
    "items",
    "publish",
    "scripts",
    "validate",
    "export",
    "voices",
    "timing",
    "doctor",
    "models",
)
#: What takes longest to import of all that a command may need.
HEAVY = frozenset({"numpy", "scipy", "polars", "pyarrow", "pydantic", "prefect", "soundfile", "torch", "onnxruntime"})


def everything_in(folder: Path) -> dict[str, int]:
    """Every path below a folder and when it was changed last."""
    return {str(path.relative_to(folder)): path.lstat().st_mtime_ns for path in (folder, *folder.rglob("*"))}


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_teaches(command: tuple[str, ...]) -> None:
    status, output, _ = invoke(*command, "--help")
    assert status == 0
    assert "Usage" in output


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from flows.cli.guard import run_guarded\n"
        "from flows.cli.app import app\n"
        "status = run_guarded(lambda **options: app(['--help'], **options))\n"
        f"print(status, sorted(set(sys.modules) & set({sorted(HEAVY)!r})), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "0 []"
    assert all(f" {command} " in done.stdout for command in COMMANDS), done.stdout


def test_the_examples_of_the_help_can_be_typed() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in CLI.glob("*.py"))
    typed = re.findall(r"^ +humdial (.* --set .*)$", sources, flags=re.MULTILINE)
    assert len(typed) >= 3
    for line in typed:
        words = line.split()
        changed = tuple(words[place + 1] for place, word in enumerate(words) if word == "--set")
        load_config(ROOT / words[1], changed)


def test_steps_are_named_in_one_word_or_several() -> None:
    assert chosen_steps(()) == ALL_STAGES == chosen_steps(("speak,compose", "judge"))
    assert chosen_steps(("judge",)) == {Stage.JUDGE}
    with pytest.raises(ConfigError, match="--steps listen: choose from speak, compose, judge"):
        chosen_steps(("speak, listen",))


def test_what_a_machine_reads_is_nothing_but_json(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = (Check(name="磁盘", ok=False, detail="满了", fix="清理"),)
    monkeypatch.setattr("flows.doctor.checks.run_checks", lambda: checks)
    status, output, _ = invoke("doctor", "--json")
    assert status == EXIT_FAILED
    assert json.loads(output) == {"ok": False, "checks": [checks[0].model_dump(mode="json")]}
    monkeypatch.setattr("flows.models.fetch.entry_state", lambda _: "present")
    status, output, _ = invoke("models", "list", "--json")
    assert status == 0 and {model["state"] for model in json.loads(output)} == {"present"}


def test_dry_run_says_what_would_be_made_and_makes_nothing(tmp_path: Path) -> None:
    path = draft_config(tmp_path)
    before = everything_in(tmp_path).keys()
    status, output, error = invoke("build", str(path), "--dry-run")
    assert (status, error) == (0, None)
    assert "9 dialogues and scenes" in output
    assert everything_in(tmp_path).keys() == before


def test_dry_run_as_json_is_nothing_but_json(tmp_path: Path) -> None:
    status, output, _ = invoke("build", str(draft_config(tmp_path)), "--dry-run", "--json")
    said = json.loads(output)
    assert status == 0
    assert (said["dialogues"], sum(quota["items"] for quota in said["quotas"])) == (9, 9)


def test_a_foreign_target_is_not_touched(tmp_path: Path) -> None:
    path = draft_config(tmp_path)
    mine = tmp_path / "release" / "我的论文.txt"
    mine.parent.mkdir()
    mine.write_text("重要", encoding="utf-8")
    _, _, error = invoke("build", str(path))
    assert "nothing was touched" in str(error)
    assert mine.read_text(encoding="utf-8") == "重要"
    assert not (tmp_path / "release" / LOCK_FILE).exists()


def _a_file_at(place: Path) -> None:
    place.write_text("不是目录", encoding="utf-8")


def _files_in(place: Path) -> None:
    place.mkdir()
    (place / "论文.txt").touch()


def _beside(place: Path) -> None:
    (place.parent / f".{place.name}.partial").mkdir()
    (place.parent / f".{place.name}.partial" / "论文.txt").touch()


def _a_file_above(place: Path) -> None:
    place.parent.rmdir()
    place.parent.write_text("不是目录", encoding="utf-8")


def _a_lock_of_nobody(place: Path) -> None:
    place.mkdir()
    (place / LOCK_FILE).write_text("{", encoding="utf-8")


@pytest.mark.parametrize("obstacle", [_a_file_at, _files_in, _beside, _a_file_above, _a_lock_of_nobody])
def test_a_dry_run_refuses_the_places_that_the_build_refuses(tmp_path: Path, obstacle: object) -> None:
    assert callable(obstacle)
    path = draft_config(tmp_path / "配置", work=str(tmp_path / "work"), release=str(tmp_path / "出" / "发布"))
    (tmp_path / "出").mkdir()
    obstacle(tmp_path / "出" / "发布")
    before = everything_in(tmp_path)
    _, _, dry = invoke("build", str(path), "--dry-run")
    assert everything_in(tmp_path) == before or obstacle is _beside
    _, _, wet = invoke("build", str(path), "--set", "execution.orchestrator=none")
    assert isinstance(dry, TargetError) and str(dry) == str(wet)
    assert status_of(dry) == EXIT_USAGE


def test_a_dry_run_refuses_a_mount_point_and_a_folder_nobody_may_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = draft_config(tmp_path)
    (tmp_path / "release").mkdir()
    with monkeypatch.context() as mounted:
        mounted.setattr(os.path, "ismount", lambda place: Path(place) == tmp_path / "release")
        _, _, error = invoke("build", str(path), "--dry-run")
    assert isinstance(error, TargetError) and "no mount point" in str(error)
    monkeypatch.setattr(os, "access", lambda place, mode: not str(place).endswith("无权"))  # root may write anywhere
    (tmp_path / "无权").mkdir()
    _, _, error = invoke("build", str(path), "--dry-run", "--set", f"release={tmp_path / '无权' / 'r'}")
    assert isinstance(error, TargetError) and "may not be written to" in str(error)


def test_two_builds_never_make_the_same_release(tmp_path: Path) -> None:
    path = draft_config(tmp_path)
    with release_place(tmp_path / "release"):
        _, _, error = invoke("build", str(path), "--set", f"work={tmp_path / '另一处'}")
    assert isinstance(error, ResourceError)
    assert "--set release=DIR" in str(error)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("speech.engine=festival", "espeak"),
        ("scripts.pack=[nowhere]", "quickstart"),
        ("quotas.0.count=999", "pack"),
        ("quotas.0.splits=[dev]", "recognition"),
        ("validation.allowed_licenses=[MIT]", "licence"),
    ],
)
def test_impossible_wishes_are_one_sentence(tmp_path: Path, override: str, words: str) -> None:
    path = draft_config(tmp_path)
    _, _, error = invoke("build", str(path), "--set", override)
    assert error is not None
    sentence = known_sentence(error)
    assert sentence is not None
    assert words in sentence
    assert "\n" not in sentence
    assert not (tmp_path / "release").exists()


def test_a_pool_that_cannot_be_cast_is_listed_and_refused(tmp_path: Path) -> None:
    path = draft_config(tmp_path)
    cannot = "speech.casting.assistants=20"
    status, output, error = invoke("voices", str(path), "--set", cannot)
    assert error is not None and status_of(error) == EXIT_USAGE
    assert "cmn+f1" in output and str(error) not in output
    _, _, of_build = invoke("build", str(path), "--set", cannot)
    assert str(of_build) == str(error)
    status, output, _ = invoke("voices", str(path), "--json")
    assert status == 0
    assert {voice["language"] for voice in json.loads(output)["voices"]} == {"zh", "en"}


@pytest.mark.parametrize("key", ["work", "release"])
@pytest.mark.parametrize("below", ["", "下面/再下面"])
def test_a_file_in_the_way_is_refused_before_any_work(tmp_path: Path, key: str, below: str) -> None:
    path = draft_config(tmp_path)
    (tmp_path / "文件").write_text("不是目录", encoding="utf-8")
    _, _, error = invoke("build", str(path), "--set", f"{key}={tmp_path / '文件' / below}")
    assert isinstance(error, TargetError)
    assert f"--set {key}=DIR" in str(error) and "is a file" in str(error)
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("written", [b'{"format_version": 2, "\xe7\x89\x88\xe6\x9c\xac": 2}', b"{", b"\xff"])
def test_a_lock_that_cannot_be_read_is_not_touched(tmp_path: Path, written: bytes) -> None:
    path = draft_config(tmp_path)
    lock = tmp_path / "release" / LOCK_FILE
    lock.parent.mkdir()
    lock.write_bytes(written)
    _, _, error = invoke("build", str(path))
    assert isinstance(error, TargetError)
    assert f"{lock} is no lock that this version can read" in str(error) and "--set release=DIR" in str(error)
    assert lock.read_bytes() == written


def test_a_work_folder_in_use_is_refused(tmp_path: Path) -> None:
    path = draft_config(tmp_path, execution={"orchestrator": "none"})
    with work_lock(tmp_path / "work"):
        for command in ("build", "items", "publish", "preview"):
            _, _, error = invoke(command, str(path))
            assert isinstance(error, ResourceError) and "another build is using" in str(error)


def test_publishing_what_nobody_made_is_refused(tmp_path: Path) -> None:
    path = draft_config(tmp_path, execution={"orchestrator": "none", "workers": 1})
    _, _, error = invoke("publish", str(path))
    assert error is not None and status_of(error) == EXIT_USAGE
    assert "humdial items" in str(error)


def test_a_directory_without_a_data_set_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "随便.txt").write_text("不是数据集", encoding="utf-8")
    _, _, error = invoke("validate", str(tmp_path))
    assert "track1-seed" in str(error)
    _, _, error = invoke("validate", str(tmp_path / "没有"))
    assert "no such directory" in str(error)


@pytest.mark.parametrize(
    ("started", "said"),
    [("/usr/lib/flows/__main__.py", " -m flows validate 发布"), (".venv/bin/humdial", ".venv/bin/humdial validate")],
)
def test_the_next_commands_can_be_typed(monkeypatch: pytest.MonkeyPatch, started: str, said: str) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("sys.argv", [started])
    console = Console(record=True, width=200)
    print_next_commands("发布", Path("c.yaml"), console)
    assert said in console.export_text()
