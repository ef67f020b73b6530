"""Findings about answers that never became a script: what the flow reports in the judges' vocabulary."""

from __future__ import annotations

from data_schemas.finding import Finding
from validators.core.codes import Judge

VALIDATOR = "scripts.answers/1"


def no_answer(script_id: str, reason: str) -> Finding:
    """The endpoint gave no answer for this plan."""
    return Judge(VALIDATOR, script_id).say("SCRIPT.NO_ANSWER", reason)


def unreadable(script_id: str, reason: str) -> Finding:
    """The answer is no JSON of the wanted shape, or the records refuse it."""
    return Judge(VALIDATOR, script_id).say("SCRIPT.UNREADABLE", reason)


def truncated(script_id: str, max_tokens: int) -> Finding:
    """The answer ended at the token limit."""
    return Judge(VALIDATOR, script_id).say(
        "SCRIPT.TRUNCATED",
        f"the answer was cut at {max_tokens} tokens: write shorter lines (or raise sampling.max_tokens of the model)",
        threshold=max_tokens,
    )
