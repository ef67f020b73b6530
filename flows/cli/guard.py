"""Errors become sentences and exit statuses here, and nowhere else."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, NamedTuple

from rich.console import Console

from flows.common.errors import (
    EXIT_DEFECT,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    LOGGED,
    ConfigError,
    ErrorsFound,
    GateFailed,
    HumdialError,
    Interrupted,
    NotMadeYet,
    QuotaShort,
    ResourceError,
    TargetError,
)


class ExitStatus(NamedTuple):
    """One status of the process: what it means, and the errors that end with it, subclasses too."""

    status: int
    meaning: str
    errors: tuple[type[BaseException], ...] = ()


#: The one table. ``docs/build.md`` shows it; errors of ours that no row names count as `_OURS`.
EXIT_STATUSES = (
    ExitStatus(0, "done; or the identical release was already there"),
    ExitStatus(
        EXIT_FAILED,
        "the work was done and something is wrong with it: quota short, gate failed, errors found",
        (HumdialError, QuotaShort, GateFailed, ErrorsFound),
    ),
    ExitStatus(
        EXIT_USAGE,
        "refused before any work, or stopped by the machine: command line, configuration, models, target, disk, "
        "memory, a work directory in use, a server that is away, a stage whose input is not made yet",
        (ConfigError, TargetError, ResourceError, NotMadeYet, BrokenProcessPool, MemoryError, OSError),
    ),
    ExitStatus(EXIT_DEFECT, "a defect of humdial; the traceback is on the screen or in the log that is named"),
    ExitStatus(
        EXIT_INTERRUPTED, "stopped by Ctrl-C, a polite kill or a closed terminal", (Interrupted, KeyboardInterrupt)
    ),
)
#: An error class of our rooms carries a whole sentence, and is about something that the user can mend.
_OURS = EXIT_USAGE
_ROOMS = frozenset({"data_schemas", "generators", "validators", "flows"})

#: Where no command says more.
INTERRUPTED = "stopped. Run the same command again to go on where it was."

_BAD_PLACE = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}
)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def run_guarded(command: Callable[..., Any]) -> int:
    """Run the command line application; returns the exit status. Says one sentence where it is not 0."""
    try:
        command(standalone_mode=True)
    except SystemExit as stop:
        status = int(stop.code or 0) if isinstance(stop.code, int | None) else EXIT_FAILED
        if status == EXIT_INTERRUPTED:  # what typer makes of Ctrl-C outside `at_stake`
            _say(INTERRUPTED)
        return status
    except KeyboardInterrupt:
        _say(INTERRUPTED)
        return EXIT_INTERRUPTED
    except Exception as error:
        sentence = known_sentence(error)
        if sentence is None:
            _say_defect(error)
            return EXIT_DEFECT
        _say(sentence)
        return status_of(error)
    return 0


@contextmanager
def at_stake(state: Callable[[], str], writes: str | None = None) -> Iterator[None]:
    """A stretch of a command, and what is so when it is stopped there or the machine ends it.

    Args:
        state: asked at that moment: what was published, written or kept. A clause, without a full stop.
        writes: the option that says where the command writes, for advice.

    Raises:
        Interrupted: Ctrl-C, with that sentence.
        ResourceError: the disk is full, memory is short, a place cannot be used; with that sentence and advice.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        raise Interrupted(f"stopped; {state()}.") from stop
    except (OSError, MemoryError, BrokenProcessPool) as error:
        sentence = _machine_sentence(error, state(), writes)
        if sentence is None:
            raise
        raise ResourceError(sentence) from error


def status_of(error: BaseException) -> int:
    """The exit status of an error, by the nearest of its classes that the table names."""
    named = {kind: row.status for row in EXIT_STATUSES for kind in row.errors}
    kinds = type(error).__mro__
    ours = _is_ours(error) and not isinstance(error, HumdialError)
    return _OURS if ours else next((named[kind] for kind in kinds if kind in named), EXIT_DEFECT)


def known_sentence(error: BaseException) -> str | None:
    """The sentence of an error that is the user's to mend; None for a defect of ours."""
    if _is_ours(error):
        return str(error)
    return _machine_sentence(error, None, None)


def _is_ours(error: BaseException) -> bool:
    return type(error).__module__.split(".")[0] in _ROOMS


def _machine_sentence(error: BaseException, state: str | None, writes: str | None) -> str | None:
    """What of the machine ended the work; None where that is no machine's fault."""
    so = f"; {state}" if state else ""
    if isinstance(error, OSError) and error.errno in _FULL:
        elsewhere = f", or choose another disk with {writes}" if writes else ""
        return (
            f"the disk is full ({error.filename or 'while writing'}){so}. Free some space{elsewhere}, then run the "
            "same command again: what is finished is kept"
        )
    if isinstance(error, BrokenProcessPool):
        from flows.common.workers import WORKER_DIED

        return WORKER_DIED
    if isinstance(error, MemoryError):
        return f"memory is short{so}. Run the same command again with --workers 1: what is finished is kept"
    if isinstance(error, OSError) and error.errno and isinstance(error.filename, str | bytes | os.PathLike):
        what = f"{os.fsdecode(error.filename)}: {(error.strerror or 'cannot be used').lower()}"
        if error.errno not in _BAD_PLACE:
            return f"{what}; see to it, then run the same command again"
        return f"{what}; see to that path, or choose another place to write to" + (f" with {writes}" if writes else "")
    return None


def _say(sentence: str) -> None:
    Console(stderr=True, highlight=False).print(f"humdial: {sentence}", markup=False, soft_wrap=True)


def _say_defect(error: BaseException) -> None:
    """A sentence where the log has the traceback (`flows.build.status.recorded` notes where), else all of it."""
    where = next((note for note in getattr(error, "__notes__", ()) if note.startswith(LOGGED)), None)
    if where is None:
        traceback.print_exception(error, file=sys.stderr)
        where = "the traceback is above"
    _say(f"a defect of humdial, please report it: {type(error).__name__}: {error} ({where})")
