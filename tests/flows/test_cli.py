import errno
from pathlib import Path

import pytest

from flows.cli import known_sentence, run_guarded
from flows.errors import EXIT_INTERRUPTED, EXIT_USAGE, ConfigError, ResourceError
from flows.places import release_place
from flows.publish import LOCK_FILE
from tests.support.builds import draft_config
from tests.support.cli import invoke


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


def test_a_directory_without_a_data_set_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "随便.txt").write_text("不是数据集", encoding="utf-8")
    _, _, error = invoke("validate", str(tmp_path))
    assert "track1-seed" in str(error)
    _, _, error = invoke("validate", str(tmp_path / "没有"))
    assert "no such directory" in str(error)
