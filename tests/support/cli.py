"""The command line tool inside the test's process."""

from __future__ import annotations

from typer.testing import CliRunner

from flows.cli.app import app


def invoke(*arguments: str) -> tuple[int, str, BaseException | None]:
    """Exit status, what was printed, and the error a person would be told in a sentence."""
    result = CliRunner().invoke(app, list(arguments))
    error = None if isinstance(result.exception, SystemExit) else result.exception
    return result.exit_code, result.output, error
