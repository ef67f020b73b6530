"""Errors a person sees: one sentence each, with the way out. `flows.cli.guard` says which exit status each has."""

from __future__ import annotations

EXIT_FAILED = 1  # the work was done and something is wrong with it
EXIT_USAGE = 2  # refused before any work, or stopped by the machine: configuration, models, target, disk
EXIT_DEFECT = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED = 130  # Ctrl-C, by shell convention
#: begins the note on an error whose traceback a log has
LOGGED = "the traceback is in"


class HumdialError(Exception):
    """Base: ``str()`` is the sentence."""


class ConfigError(HumdialError):
    """What was asked for on the command line or in a configuration cannot be."""


class TargetError(HumdialError):
    """The place to publish to is not free."""


class ResourceError(HumdialError):
    """Disk, memory or a server the build needs."""


class NotMadeYet(HumdialError):
    """A stage was asked for whose input nobody made yet."""


class QuotaShort(HumdialError):
    """Judges rejected more than top-up could replace."""


class GateFailed(HumdialError):
    """The assembled set did not pass its checks; nothing was published."""


class ErrorsFound(HumdialError):
    """A data set was judged and has errors."""


class Interrupted(HumdialError):
    """Ctrl-C, a polite kill or a closed terminal; the sentence says what is kept."""
