"""What can go wrong with a server; ``str()`` of each is a whole sentence with the way out, and never holds a key."""

from __future__ import annotations


class RemoteError(Exception):
    """Base of this room's errors."""


class EndpointError(RemoteError):
    """The endpoint as a whole does not work: nobody's question is to blame, so nothing is recorded as failed."""


class ConfigProblem(EndpointError):
    """The endpoint cannot work as it is configured (a key, a package or a model file is missing)."""


class NoAnswer(RemoteError):
    """This one question got no answer; ``reason`` says why. The endpoint works."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BudgetSpent(RemoteError):
    """The next question would pass a limit of the budget; what was answered until then is kept."""


class AnswerStoreError(RemoteError):
    """The file of kept answers cannot be used."""
