"""Errors a person sees: one sentence each, with the way out, and an exit status."""

from __future__ import annotations

EXIT_FAILED = 1  # the work was done and something is wrong with it
EXIT_USAGE = 2  # refused before any work, or stopped by the machine: configuration, models, target, disk
EXIT_INTERRUPTED = 130  # Ctrl-C, by shell convention


class HumdialError(Exception):
    """Base: ``str()`` is the sentence; ``exit_code`` the status of the process."""

    exit_code = EXIT_FAILED


class ConfigError(HumdialError):
    exit_code = EXIT_USAGE


class TargetError(HumdialError):
    """The place to publish to is not free."""

    exit_code = EXIT_USAGE


class ResourceError(HumdialError):
    """Disk, memory or a server the build needs."""

    exit_code = EXIT_USAGE


class NotMadeYet(HumdialError):
    """A stage was asked for whose input nobody made yet."""

    exit_code = EXIT_USAGE


class QuotaShort(HumdialError):
    """Judges rejected more than top-up could replace."""


class GateFailed(HumdialError):
    """The assembled set did not pass its checks; nothing was published."""
