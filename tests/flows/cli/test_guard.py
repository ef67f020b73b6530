"""Where errors become sentences and exit statuses."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from flows.cli.guard import EXIT_STATUSES, INTERRUPTED, at_stake, known_sentence, run_guarded
from flows.common import errors
from flows.common.errors import (
    EXIT_DEFECT,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    LOGGED,
    ConfigError,
    HumdialError,
    Interrupted,
    QuotaShort,
    ResourceError,
)
from generators.plans.quotas import QuotaImpossible
from generators.speech.engine import EngineError
from tests.support.builds import draft_config
from tests.support.cli import invoke
from validators.files.lock import LOCK_FILE

BUILD_PAGE = Path(__file__).resolve().parents[3] / "docs" / "build.md"


def test_the_page_says_what_the_table_says() -> None:
    section = BUILD_PAGE.read_text(encoding="utf-8").partition("## Exit status")[2]
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", section, flags=re.MULTILINE)
    assert rows == [(str(row.status), row.meaning) for row in EXIT_STATUSES]


def test_every_error_of_the_common_room_has_a_row_of_its_own() -> None:
    named = {kind for row in EXIT_STATUSES for kind in row.errors}
    defined = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HumdialError)}
    assert defined <= named
    assert len({row.status for row in EXIT_STATUSES}) == len(EXIT_STATUSES)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError("配置有误：请修改 seed"), EXIT_USAGE),
        (QuotaShort("名额不足"), EXIT_FAILED),
        (HumdialError("语料太少"), EXIT_FAILED),
        (Interrupted("停了"), EXIT_INTERRUPTED),
        (EngineError("引擎不可用"), EXIT_USAGE),
        (QuotaImpossible("名额做不到"), EXIT_USAGE),
        (BrokenProcessPool("gone"), EXIT_USAGE),
        (MemoryError(), EXIT_USAGE),
        (PermissionError(errno.EACCES, "Permission denied", "/数据/x"), EXIT_USAGE),
        (RuntimeError("我们的错"), EXIT_DEFECT),
        (OSError("no number, no file"), EXIT_DEFECT),
    ],
)
def test_each_kind_of_error_has_its_status(error: Exception, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_guarded(_raising(error)) == status
    said = capsys.readouterr().err
    assert said.splitlines()[-1].startswith("humdial: ")
    assert ("Traceback" in said) == (status == EXIT_DEFECT)


def test_a_defect_whose_traceback_is_in_the_log_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    error = RuntimeError("我们的错")
    error.add_note(f"{LOGGED} /数据/build.log")
    assert run_guarded(_raising(error)) == EXIT_DEFECT
    said = capsys.readouterr().err
    assert "Traceback" not in said and said.count("\n") == 1
    assert "RuntimeError: 我们的错" in said and "/数据/build.log" in said


def test_ctrl_c_outside_a_command_promises_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_guarded(_raising(KeyboardInterrupt())) == EXIT_INTERRUPTED
    said = capsys.readouterr().err
    assert INTERRUPTED in said and "published" not in said


def test_what_is_so_is_asked_for_when_it_is_stopped() -> None:
    so = ["nothing was published"]
    with pytest.raises(Interrupted, match=r"^stopped; 发布好了\.$"), at_stake(lambda: so[0]):
        so[0] = "发布好了"
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (
            errno.ENOSPC,
            r"the disk is full \(/数据/x\); 都留着. Free some space, or choose another disk with -o DIR,",
        ),
        (errno.EACCES, "permission denied; see to that path, or choose another place to write to with -o DIR"),
        (errno.EROFS, "read-only file system; see to that path"),
        (errno.EEXIST, "file exists; see to that path"),
        (errno.ENOTDIR, "not a directory; see to that path"),
        (errno.EIO, "input/output error; see to it, then run the same command again"),
    ],
)
def test_what_the_machine_refuses_is_named_with_the_option_of_the_command(number: int, words: str) -> None:
    with pytest.raises(ResourceError, match=words), at_stake(lambda: "都留着", "-o DIR"):
        raise OSError(number, os.strerror(number), "/数据/x")
    assert known_sentence(OSError(number, os.strerror(number), "/数据/x")) is not None
    assert known_sentence(RuntimeError("a defect of ours")) is None


GROUPS = frozenset({"models", "timing", "scripts"})
#: command line -> (what it is in the midst of, what it says when it is stopped there)
STOPPED: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("build", "CONFIG"), "flows.build.phases.build_release", "nothing was published, and what was made is kept in"),
    (("build", "CONFIG"), "flows.build.phases.published_already", "nothing was published"),
    (("publish", "CONFIG"), "flows.build.phases.publish_items", "nothing was published"),
    (("items", "CONFIG"), "flows.build.phases.make_items", "what was made is kept in"),
    (("preview", "CONFIG"), "flows.build.preview.make_preview", "what was spoken is kept in"),
    (("validate", "DIR"), "flows.validation.run.validate", "what models measured is kept in"),
    (("export", "DIR", "--to", "lhotse"), "flows.exports.run.run_export", "nothing was written"),
    (("voices", "CONFIG", "--audition", "DIR/a"), "flows.voices.audition.audition", "no page was written"),
    (("models", "fetch"), "flows.models.fetch.fetch_models", "models that were verified stay"),
    (("timing", "fit", "DIR/a.rttm"), "flows.timing.fit.timing_fit_command", "nothing was written"),
    (("scripts", "check", "DIR/a.jsonl"), "flows.scripts.check.check_files", "nothing was written"),
)


@pytest.mark.parametrize(("line", "midst", "words"), STOPPED)
def test_a_stopped_command_says_what_is_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: tuple[str, ...], midst: str, words: str
) -> None:
    config = draft_config(tmp_path, execution={"orchestrator": "none"})
    monkeypatch.setattr(midst, _raising(KeyboardInterrupt()))
    typed = [word.replace("CONFIG", str(config)).replace("DIR", str(tmp_path)) for word in line]
    _, _, error = invoke(*typed)
    assert isinstance(error, Interrupted), error
    assert words in str(error)
    assert ("published" in str(error)) == (line[0] in {"build", "publish"})


def test_a_build_that_is_stopped_after_the_rename_says_that_the_release_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def renamed(*_: object, **__: object) -> None:
        (tmp_path / "release").mkdir()
        (tmp_path / "release" / LOCK_FILE).touch()
        raise KeyboardInterrupt

    config = draft_config(tmp_path, execution={"orchestrator": "none"})
    monkeypatch.setattr("flows.build.phases.build_release", renamed)
    _, _, error = invoke("build", str(config))
    assert isinstance(error, Interrupted)
    assert "the release is published" in str(error) and "nothing was published" not in str(error)


@pytest.mark.parametrize(("line", "midst"), [(line, midst) for line, midst, _ in STOPPED])
def test_the_advice_names_options_that_the_command_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: tuple[str, ...], midst: str
) -> None:
    config = draft_config(tmp_path, execution={"orchestrator": "none"})
    monkeypatch.setattr(midst, _raising(PermissionError(errno.EACCES, "Permission denied", "/数据/x")))
    typed = [word.replace("CONFIG", str(config)).replace("DIR", str(tmp_path)) for word in line]
    _, _, error = invoke(*typed)
    assert isinstance(error, ResourceError), error
    advice = str(error).partition(" to write to with ")[2]
    help_of = [word for word in line if word.isalpha() and word.islower()][: 2 if line[0] in GROUPS else 1]
    told = invoke(*help_of, "--help")[1]
    assert all(f"{option.split()[0]} " in told for option in advice.split(" or ") if option)
    assert advice or line[0] == "models"  # which has no such option


def _raising(error: BaseException) -> Callable[..., None]:
    def command(*_: object, **__: object) -> None:
        raise error

    return command
