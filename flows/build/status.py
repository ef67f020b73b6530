"""A build says how far it is in files of its work directory: ``progress.json`` for whoever asks, ``build.log`` to read.

Nothing is locked to read them, and nobody who reads them is waited for.
"""

from __future__ import annotations

import socket
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import psutil
from pydantic import ValidationError

from data_schemas.foundation.base import Record
from flows.build.report import REPORT_FILE, BuildReport
from flows.common.atomic import write_text_atomic
from flows.common.code_version import code_version
from flows.common.errors import LOGGED, HumdialError, TargetError
from flows.common.pace import StageProgress, Tally
from flows.common.progress import Reporter
from flows.common.workers import WORKER_DIED
from flows.config.build_config import BuildConfig
from validators.files.lock import LOCK_FILE

R = TypeVar("R", bound=Record)

#: in the work directory
PROGRESS_FILE = "progress.json"
LOG_FILE = "build.log"
#: logs of the last runs: ``build.log``, ``build.log.1``, ...
RUNS_KEPT = 5
_WRITE_EVERY_S = 2.0
_NOTES_KEPT = 20
#: Two clocks tell the start of one process.
_SAME_START_S = 1.0


class Ending(StrEnum):
    """How a run ended."""

    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


class BuildProgress(Record):
    """``progress.json``: one run over a work directory, as of ``updated_at``. Times are ISO 8601 with offset."""

    command: str
    name: str
    config: str
    config_sha256: str
    code_version: str
    release: str
    host: str
    pid: int
    #: start of that process in seconds since 1970: another one may have its id later
    pid_started: float
    started_at: str
    updated_at: str
    #: None: it runs, or was killed
    ending: Ending | None = None
    #: what it ended with, where that was an error
    sentence: str = ""
    stages: tuple[StageProgress, ...] = ()
    #: the last ones
    notes: tuple[str, ...] = ()


class State(StrEnum):
    """What can be said of a build from its files."""

    NEVER = "never started"
    RUNNING = "running"
    #: killed, or its machine was: there is no such process any more
    GONE = "gone"
    #: on another machine, where its process cannot be seen
    ELSEWHERE = "elsewhere"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


class BuildStatus(Record):
    """What is known of a build."""

    state: State
    progress: BuildProgress | None = None
    #: of the stage that decides, at its pace of the last ten minutes; None: not known, or not running
    seconds_left: float | None = None
    deciding: str | None = None
    released: bool = False
    report: BuildReport | None = None


class Recorder:
    """A reporter that passes on what it is told, and keeps it in the files of a work directory."""

    def __init__(
        self,
        reporter: Reporter,
        work_dir: Path,
        begun: BuildProgress,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reporter = reporter
        self._file = work_dir / PROGRESS_FILE
        self.log = BuildLog(work_dir / LOG_FILE)
        self._begun = begun
        self._clock = clock
        self._tally = Tally(clock)
        self._notes: deque[str] = deque(maxlen=_NOTES_KEPT)
        self._lock = threading.Lock()
        self._written_at = float("-inf")
        self.log.line(f"{begun.command} {begun.config} begins: humdial {begun.code_version}, process {begun.pid}")
        self.log.line(f"configuration {begun.config_sha256}, release {begun.release}")
        self._write()

    def expect(self, stage: str, more: int) -> None:
        if not more:
            return
        with self._lock:
            now = self._tally.expect(stage, more)
            self.log.line(
                f"{stage}: {now.total} items" if now.total == more else f"{stage}: {more:+} items, {now.total}"
            )
            self._write()
        self._reporter.expect(stage, more)

    def advance(self, stage: str, done: int = 1) -> None:
        self._count(stage, done, found=False)
        self._reporter.advance(stage, done)

    def found(self, stage: str, done: int) -> None:
        self._count(stage, done, found=True)
        self._reporter.found(stage, done)

    def note(self, text: str) -> None:
        with self._lock:
            self._notes.append(text)
            self.log.line(text)
            self._write()
        self._reporter.note(text)

    def end(self, ending: Ending, error: BaseException | None = None) -> None:
        """The last word on this run."""
        sentence = "" if error is None else str(error) or type(error).__name__
        if isinstance(error, BrokenProcessPool):
            sentence = WORKER_DIED
        with self._lock:
            self.log.line(f"{ending.value}: {sentence}" if sentence else ending.value)
            if error is not None and ending is Ending.FAILED:
                self.log.text("".join(traceback.format_exception(error)))
            self._begun = self._begun.model_copy(update={"ending": ending, "sentence": sentence})
            self._write()

    def _count(self, stage: str, done: int, found: bool) -> None:
        with self._lock:
            now = self._tally.advance(stage, done, found)
            if now.is_complete:
                self.log.line(f"{stage}: {now.done} done" + (f", {now.found} of them found" if now.found else ""))
            if now.is_complete or self._clock() - self._written_at >= _WRITE_EVERY_S:
                self._write()

    def _write(self) -> None:
        self._written_at = self._clock()
        stages = tuple(self._tally.stages().values())
        update = {"updated_at": _now(), "stages": stages, "notes": tuple(self._notes)}
        with suppress(OSError):  # a build does not end because nobody can be told how far it is
            write_text_atomic(self._file, self._begun.model_copy(update=update).to_json_line() + "\n")


class BuildLog:
    """The log of one run; those of the runs before are kept beside it. What cannot be written is left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            names = [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, RUNS_KEPT))]
            for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
                if newer.exists():
                    newer.replace(older)

    def line(self, text: str) -> None:
        self.text(f"{_now()} {text}\n")

    def text(self, text: str) -> None:
        with suppress(OSError), self.path.open("a", encoding="utf-8") as log:
            log.write(text)


@contextmanager
def recorded(command: str, config: BuildConfig, path: Path, reporter: Reporter) -> Iterator[Reporter]:
    """A reporter to be told of one run; the caller is alone in the work directory."""
    recorder = Recorder(reporter, config.work_dir, _begun(command, config, path))
    try:
        yield recorder
    except Exception as error:
        recorder.end(Ending.FAILED, error)
        if not isinstance(error, HumdialError):
            error.add_note(f"{LOGGED} {recorder.log.path}")
        raise
    except BaseException as stop:  # Ctrl-C, and in a flow what Prefect makes of a polite kill
        recorder.end(Ending.STOPPED, stop)
        raise
    recorder.end(Ending.FINISHED)


def read_status(config: BuildConfig) -> BuildStatus:
    """What the files of a work directory say, and whether the process that wrote them is alive.

    Raises:
        TargetError: a file is there and cannot be read, or is of another version.
    """
    released = (config.release_dir / LOCK_FILE).is_file()
    progress = _read(config.work_dir / PROGRESS_FILE, BuildProgress)
    if progress is None:
        return BuildStatus(state=State.NEVER, released=released)
    state = _state_of(progress)
    left = _left(progress.stages) if state in {State.RUNNING, State.ELSEWHERE} else (None, None)
    report = None
    if state is State.FINISHED and progress.command != "items":
        report = _read(config.work_dir / REPORT_FILE, BuildReport)
    return BuildStatus(
        state=state, progress=progress, seconds_left=left[0], deciding=left[1], released=released, report=report
    )


def _read(file: Path, kind: type[R]) -> R | None:
    try:
        return kind.from_json_line(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValidationError, UnicodeDecodeError) as error:
        raise TargetError(
            f"{file} was not written by this version of humdial; run the build again, or name its own place with "
            "--set work=DIR"
        ) from error


def _state_of(progress: BuildProgress) -> State:
    if progress.ending is not None:
        return State(progress.ending.value)
    if progress.host != socket.gethostname():
        return State.ELSEWHERE
    try:
        started = psutil.Process(progress.pid).create_time()
    except psutil.NoSuchProcess:
        return State.GONE
    return State.RUNNING if abs(started - progress.pid_started) <= _SAME_START_S else State.GONE


def _left(stages: tuple[StageProgress, ...]) -> tuple[float | None, str | None]:
    """Seconds that the slowest of the open stages still takes, and its name; None where one has no pace yet."""
    waiting = {one.stage: one.seconds_left for one in stages if not one.is_complete}
    known = {stage: seconds for stage, seconds in waiting.items() if seconds is not None}
    if not known or len(known) < len(waiting):
        return None, None
    deciding = max(known, key=lambda stage: known[stage])
    return known[deciding], deciding


def _begun(command: str, config: BuildConfig, path: Path) -> BuildProgress:
    own = psutil.Process()
    return BuildProgress(
        command=command,
        name=config.name,
        config=str(path),
        config_sha256=config.recipe_sha256(),
        code_version=code_version(),
        release=str(config.release_dir),
        host=socket.gethostname(),
        pid=own.pid,
        pid_started=own.create_time(),
        started_at=_now(),
        updated_at=_now(),
    )


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
