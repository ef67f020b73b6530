"""``humdial doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AsJson, Overrides, overrides_of, print_json, screen
from flows.common.errors import EXIT_FAILED


def doctor(
    config: Annotated[
        Path | None,
        typer.Argument(help="Also look at this configuration's speech engine: weights, server, voices."),
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Say what is installed, verified and missing, and the command that fixes it."""
    from flows.common.errors import ConfigError
    from flows.config.build_config import load_config
    from flows.doctor.checks import run_checks
    from flows.doctor.speech import speech_checks

    if config is None and overrides:
        raise ConfigError("--set changes a key of a configuration: name its file too, humdial doctor CONFIG --set ...")
    speech = None if config is None else load_config(config, overrides_of(overrides), need_engine=False).speech
    checks = (*run_checks(), *(() if speech is None else speech_checks(speech)))
    ok = all(check.ok for check in checks)
    if as_json:
        print_json({"ok": ok, "checks": [check.model_dump(mode="json") for check in checks]})
    else:
        console = screen()
        for check in checks:
            state = "ok     " if check.ok else "MISSING"
            console.print(f"{state} {check.name}: {check.detail}", markup=False, soft_wrap=True)
            if not check.ok and check.fix:
                console.print(f"        fix: {check.fix}", markup=False, soft_wrap=True)
    if not ok:
        raise typer.Exit(EXIT_FAILED)
