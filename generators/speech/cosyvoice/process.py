"""A worker process: started when it is needed, timed out, and replaced when it hangs or dies."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from pathlib import Path
from typing import IO, Any

from generators.speech.cosyvoice.settings import CosyVoiceSettings
from generators.speech.engine import EngineError, EngineUnusable

WORKER = Path(__file__).with_name("worker.py")
#: How often a question is asked, and the model loaded: once more after the process hung or died.
ATTEMPTS = 2
#: Time a process has to end by itself when its input ends, then it is killed (CHOICE).
_ENDING_S = 2.0
_VERSIONS_TIMEOUT_S = 60.0
_KEPT_LINES = 40
_SHOWN_CHARACTERS = 300
_READ_BYTES = 1 << 16


class WorkerLost(Exception):
    """The process hung or died during a call; says which, and its last words."""


class CosyVoiceProcess:
    """Speaks to one worker at a time, one question at a time.

    The worker starts with the first call and ends with this object, with this process, or when this process is killed.
    A process forked from this one starts a worker of its own.
    """

    def __init__(self, settings: CosyVoiceSettings, tags: frozenset[str]) -> None:
        self._settings = settings
        self._tags = tags
        self._lock = threading.Lock()
        self._worker: _Worker | None = None
        #: why the model cannot be loaded, once that is known
        self._unusable: str | None = None
        #: how many workers were replaced
        self.recycled = 0

    @property
    def pid(self) -> int | None:
        """Of the worker, None while there is none."""
        return self._worker.pid if self._worker else None

    def ask(self, question: dict[str, Any], subject: str) -> tuple[dict[str, Any], bytes]:
        """The answer's facts and bytes.

        Raises:
            EngineUnusable: the model cannot be loaded. It is tried once: later calls fail at once.
            EngineError: it refuses the question, or the process hung or died `ATTEMPTS` times; begins with
                ``subject``.
        """
        with self._lock:
            losses = []
            for _ in range(ATTEMPTS):
                worker = self._running()
                try:
                    facts, payload = worker.ask(question, self._settings.timeout_s)
                except WorkerLost as lost:
                    losses.append(str(lost))
                    self._drop()
                    self.recycled += 1
                    continue
                if facts["ok"]:
                    return facts, payload
                if facts["broken"]:
                    self._drop()
                raise EngineError(f"{subject}: CosyVoice failed ({facts['error']}){worker.last_words()}")
        raise EngineError(
            f"{subject}: {'; started anew, '.join(losses)}; raise speech.cosyvoice.timeout_s if the machine is slow, "
            "or see docs/cosyvoice.md"
        )

    def close(self) -> None:
        """End the worker; the next call starts another."""
        with self._lock:
            self._drop()
            self._unusable = None

    def _running(self) -> _Worker:
        if self._worker is not None and self._worker.owner == os.getpid() and self._worker.alive():
            return self._worker
        self._drop()
        if self._unusable is not None:
            raise EngineUnusable(self._unusable)
        try:
            self._worker = self._loaded()
        except EngineUnusable as error:
            self._unusable = str(error)
            raise
        return self._worker

    def _loaded(self) -> _Worker:
        """A worker with the model: at the first try, or after what need not happen again (a death, no memory)."""
        model_dir, losses = self._settings.model_dir, []
        for _ in range(ATTEMPTS):
            worker = _Worker(self._settings)
            try:
                facts, _ = worker.ask(self._load_question(), self._settings.start_timeout_s)
            except WorkerLost as lost:
                worker.end()
                losses.append(str(lost))
                continue
            unknown = sorted(self._tags - set(facts["tags"])) if facts["ok"] else []
            if facts["ok"] and not unknown:
                return worker
            words = worker.last_words()
            worker.end()
            if unknown:
                raise EngineUnusable(
                    f"the tokeniser of {model_dir} does not know {', '.join(unknown)}; put the released files into "
                    "CosyVoice-BlankEN"
                )
            if not facts["broken"]:
                raise EngineUnusable(
                    f"CosyVoice cannot be loaded from {model_dir} ({facts['error']}){words}; humdial doctor tells what "
                    "is missing"
                )
            losses.append(f"{facts['error']}{words}")
        raise EngineUnusable(
            f"while CosyVoice was loaded from {model_dir}, {'; started anew, '.join(losses)}; humdial doctor tells "
            "what is missing, and speech.cosyvoice.start_timeout_s is the time it has"
        )

    def _load_question(self) -> dict[str, Any]:
        return {"do": "load", "tags": sorted(self._tags)} | self._settings.model_dump(
            include={"model_dir", "checkout", "fp16", "load_trt", "load_vllm"}
        )

    def _drop(self) -> None:
        if self._worker is not None and self._worker.owner == os.getpid():
            self._worker.end()
        self._worker = None


class _Worker:
    """One process and its three pipes."""

    def __init__(self, settings: CosyVoiceSettings) -> None:
        self.owner = os.getpid()
        try:
            self._process = subprocess.Popen(
                worker_command(settings),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=worker_environment(settings),
                start_new_session=True,
            )
        except OSError as error:
            raise EngineUnusable(
                f"speech.cosyvoice.python: {interpreter(settings)} cannot be started ({error.strerror}); "
                "set it to the interpreter of CosyVoice's environment"
            ) from error
        self.pid = self._process.pid
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._questions, self._answers = self._process.stdin, self._process.stdout
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._listener = threading.Thread(target=_keep_lines, args=(self._process.stderr, self._lines), daemon=True)
        self._listener.start()
        self._ending = weakref.finalize(self, _end, self._process, self.owner)

    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, question: dict[str, Any], timeout_s: float) -> tuple[dict[str, Any], bytes]:
        """
        Raises:
            WorkerLost: no answer in time, or the process is gone.
        """
        deadline = time.monotonic() + timeout_s
        try:
            self._questions.write(json.dumps(question).encode() + b"\n")
            self._questions.flush()
        except OSError:
            raise WorkerLost(self._death()) from None
        answer = b""
        with selectors.DefaultSelector() as ready:
            ready.register(self._answers, selectors.EVENT_READ)
            while True:
                facts, missing = _parsed(answer)
                if facts is not None and missing == 0:
                    return facts, answer[len(answer) - facts.get("bytes", 0) :]
                if not ready.select(max(0.0, deadline - time.monotonic())):
                    raise WorkerLost(f"no answer came within {timeout_s:g} s{self.last_words()}")
                piece = os.read(self._answers.fileno(), _READ_BYTES)
                if not piece:
                    raise WorkerLost(self._death())
                answer += piece

    def last_words(self) -> str:
        """The end of what the process wrote to standard error, as a clause."""
        said = " | ".join(list(self._lines)[-3:])[-_SHOWN_CHARACTERS:]
        return f" [its last words: {said}]" if said else ""

    def end(self) -> None:
        """Kill it with all it started."""
        self._ending()

    def _death(self) -> str:
        try:
            status = self._process.wait(_ENDING_S)
        except subprocess.TimeoutExpired:
            return f"the process closed its output{self.last_words()}"
        self._listener.join(_ENDING_S)
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        return f"the process ended {how}{self.last_words()}"


def interpreter(settings: CosyVoiceSettings) -> str:
    """Of the environment that CosyVoice is installed in."""
    return settings.python or sys.executable


def worker_command(settings: CosyVoiceSettings) -> tuple[str, ...]:
    """Isolated: neither this folder's modules nor a user's packages come before those of the environment."""
    return interpreter(settings), "-I", "-X", "utf8", "-W", "ignore", str(WORKER)


def worker_environment(settings: CosyVoiceSettings) -> dict[str, str]:
    """Of the worker: a fixed number of threads, no look-ups on hubs."""
    threads = str(settings.threads)
    return os.environ | {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "NUMBA_NUM_THREADS": threads,
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def runtime_versions(settings: CosyVoiceSettings) -> dict[str, str]:
    """Versions of CosyVoice and of what decides its samples, as its environment has them; takes a second.

    Raises:
        EngineUnusable: the interpreter cannot be started or fails.
    """
    return _reported(settings, "--versions", _VERSIONS_TIMEOUT_S)


def runtime_classes(settings: CosyVoiceSettings) -> dict[str, str]:
    """The model classes of the CosyVoice that is installed, and whether they take a ``path`` or ``samples``.

    CosyVoice is really imported, which takes half a minute.

    Raises:
        EngineUnusable: it cannot be imported; says what is missing.
    """
    return _reported(settings, "--classes", settings.start_timeout_s)


def _reported(settings: CosyVoiceSettings, option: str, timeout_s: float) -> dict[str, str]:
    command = [*worker_command(settings), option, *([settings.checkout] if settings.checkout else [])]
    where = f"speech.cosyvoice.python: {command[0]}"
    try:
        done = subprocess.run(
            command,
            env=worker_environment(settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except OSError as error:
        raise EngineUnusable(
            f"{where} cannot be started ({error.strerror}); set it to the interpreter of CosyVoice's environment"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise EngineUnusable(f"{where} does not answer within {timeout_s:g} s; repair the environment") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1][-_SHOWN_CHARACTERS:]
        raise EngineUnusable(f"{where} fails ({last}); docs/cosyvoice.md says what its environment needs")
    report: dict[str, str] = json.loads(done.stdout)
    return report


def _parsed(answer: bytes) -> tuple[dict[str, Any] | None, int]:
    """The header of an answer, once it is complete, and how many bytes are still missing."""
    header, newline, payload = answer.partition(b"\n")
    if not newline:
        return None, 1
    try:
        facts: dict[str, Any] = json.loads(header)
    except ValueError:
        said = header[:_SHOWN_CHARACTERS].decode("utf-8", "replace")
        raise WorkerLost(f"the process wrote {said!r} instead of an answer") from None
    return facts, facts.get("bytes", 0) - len(payload)


def _keep_lines(source: IO[bytes], lines: deque[str]) -> None:
    """Read all there is, so that the process never waits for us; progress bars end their lines with a return."""
    for raw in source:
        lines.extend(line for line in raw.decode("utf-8", "replace").replace("\r", "\n").splitlines() if line.strip())


def _end(process: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() != owner:  # forked: the worker is our parent's
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
