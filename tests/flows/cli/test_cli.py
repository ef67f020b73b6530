import errno
import os
from pathlib import Path

import pytest

from flows.cli.app import known_sentence, option_of, run_guarded
from flows.common.errors import EXIT_INTERRUPTED, EXIT_USAGE, ConfigError, ResourceError, TargetError
from flows.config.work_dir import work_lock
from flows.release.stage import release_place
from tests.support.builds import draft_config
from tests.support.cli import invoke
from validators.files.lock import LOCK_FILE


@pytest.mark.parametrize("command", [(), ("build",), ("validate",), ("models",), ("doctor",)])
def test_help_teaches(command: tuple[str, ...]) -> None:
    status, output, _ = invoke(*command, "--help")
    assert status == 0
    assert "Usage" in output


def test_dry_run_says_what_would_be_made_and_makes_nothing(tmp_path: Path) -> None:
    path = draft_config(tmp_path)
    status, output, error = invoke("build", str(path), "--dry-run")
    assert (status, error) == (0, None)
    assert "9 dialogues and scenes" in output
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["draft.yaml"]


def test_a_foreign_target_is_not_touched(tmp_path: Path) -> None:
    path = draft_config(tmp_path)
    mine = tmp_path / "release" / "我的论文.txt"
    mine.parent.mkdir()
    mine.write_text("重要", encoding="utf-8")
    _, _, error = invoke("build", str(path))
    assert "nothing was touched" in str(error)
    assert mine.read_text(encoding="utf-8") == "重要"
    assert not (tmp_path / "release" / LOCK_FILE).exists()


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
    sentence = known_sentence(error) or str(error)
    assert words in sentence
    assert "\n" not in sentence
    assert not (tmp_path / "release").exists()


def test_known_errors_become_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(**_: object) -> None:
        raise ConfigError("配置有误：请修改 seed")

    def stop(**_: object) -> None:
        raise KeyboardInterrupt

    assert run_guarded(refuse) == EXIT_USAGE
    assert "配置有误" in capsys.readouterr().err
    assert run_guarded(stop) == EXIT_INTERRUPTED
    assert "nothing was published" in capsys.readouterr().err


def test_disk_full_is_said_plainly() -> None:
    sentence = known_sentence(OSError(errno.ENOSPC, "No space left on device", "/data/x.wav"))
    assert sentence is not None
    assert "disk is full" in sentence
    assert known_sentence(RuntimeError("a defect of ours")) is None


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "permission denied; see to that path, or choose another place to write to"),
        (errno.EROFS, "read-only file system; see to that path"),
        (errno.EEXIST, "file exists; see to that path"),
        (errno.ENOTDIR, "not a directory; see to that path"),
        (errno.EIO, "input/output error; see to it, then run the same command again"),
    ],
)
def test_a_place_that_cannot_be_used_is_named(number: int, words: str) -> None:
    sentence = known_sentence(OSError(number, os.strerror(number), "/数据/x"))
    assert sentence is not None
    assert sentence.startswith(f"/数据/x: {words}")
    assert known_sentence(OSError(number, os.strerror(number))) is None


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("build", "--set work=DIR or --set release=DIR"),
        ("scripts", "-o or --set work=DIR"),
        ("export", "-o DIR"),
        ("validate", "--output DIR"),
    ],
)
def test_the_advice_names_an_option_that_the_command_has(
    command: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/数据/x")

    assert run_guarded(refuse, option_of([command, "数据"])) == EXIT_USAGE
    assert capsys.readouterr().err.endswith(f"choose another place to write to with {option}\n")
    for name in option.split(" or "):
        assert name.split()[0] in invoke(*([command, "write"] if command == "scripts" else [command]), "--help")[1]


def test_a_work_folder_in_use_is_refused_like_a_full_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def second(**_: object) -> None:
        with work_lock(tmp_path):
            pass

    with work_lock(tmp_path):
        assert run_guarded(second) == EXIT_USAGE == ResourceError.exit_code
    assert "another build is using" in capsys.readouterr().err


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


def test_a_directory_without_a_data_set_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "随便.txt").write_text("不是数据集", encoding="utf-8")
    _, _, error = invoke("validate", str(tmp_path))
    assert "track1-seed" in str(error)
    _, _, error = invoke("validate", str(tmp_path / "没有"))
    assert "no such directory" in str(error)
