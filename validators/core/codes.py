"""The one table of finding codes; ``docs/findings.md`` is generated from it.

.venv/bin/python -m validators.core.codes > docs/findings.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from data_schemas.finding import Finding, Severity
from validators.core.calibration import CALIBRATION
from validators.core.code_table import CODE_ROWS
from validators.core.thresholds import ENGINE_DEFAULTS, FAMILIES, Thresholds

RESYNTHESISE = "resynthesise"
STOP = "stop"
_ACTION = {
    Severity.ERROR: "quarantine",
    Severity.WARNING: "accept, report",
    Severity.INFO: "accept, count",
}
#: Families and codes whose errors are mended by writing or speaking again, or that are about no item, so that
#: no other item would mend them. A code wins over its family.
_MENDED = {
    "CATALOG": STOP,
    "SET.EMPTY": STOP,
    "SET.BAD_ROW": STOP,
    "SET.UNREADABLE": STOP,
    "SET.OUTPUT_FILE": STOP,
    "SET.LOCK_MISMATCH": STOP,
    "SET.COUNTS": STOP,
    "SPEAKER.SHARED": STOP,
    "EMOTION.RECOVERY": STOP,
    "SCRIPT": "rewrite",
    "T1.TEXT_LANGUAGE": "rewrite",
    "T1.RESPONSE_LANGUAGE": "rewrite",
    "LANGUAGE.TEXT": "rewrite",
    "TRANSCRIPT": RESYNTHESISE,
    "LANGUAGE.AUDIO": RESYNTHESISE,
    "SOUND": RESYNTHESISE,
    "SPEAKER.CHANGED": RESYNTHESISE,
    "AUDIO.TEXT_DURATION": RESYNTHESISE,
}


class CodeInfo(NamedTuple):
    """What one code means and what follows from it."""

    code: str
    severity: Severity
    meaning: str
    thresholds: tuple[str, ...]  # fields of Thresholds it compares with
    source: str  # where the rule comes from

    @property
    def action(self) -> str:
        """What the pipeline does: accept, resynthesise, rewrite, quarantine or stop."""
        if self.severity is Severity.ERROR:
            return _MENDED.get(self.code) or _MENDED.get(self.code.split(".")[0]) or _ACTION[Severity.ERROR]
        return _ACTION[self.severity]


CODES: dict[str, CodeInfo] = {
    code: CodeInfo(code, Severity(severity), meaning, tuple(thresholds.split()), source)
    for code, severity, thresholds, source, meaning in CODE_ROWS
}


#: Families of codes that are said of one item by the judges of items and clips; two of ``SPEAKER`` are, too.
_ITEM_FAMILIES = frozenset({"T1", "T2", "AUDIO", "TIMELINE", "SCENE", "TRANSCRIPT", "LANGUAGE", "SOUND"})
_ITEM_CODES = frozenset({"SPEAKER.CHANGED", "SPEAKER.SAME"})


def is_about_item(code: str) -> bool:
    """Whether a judge of items or clips says this code, not one of the whole set.

    >>> is_about_item("AUDIO.CLIPPED"), is_about_item("SPEAKER.SHARED")
    (True, False)
    """
    return code in _ITEM_CODES or code.split(".", maxsplit=1)[0] in _ITEM_FAMILIES


def item_thresholds(thresholds: Thresholds) -> dict[str, object]:
    """The thresholds that decide the verdict on an item; those of sets and scripts are left out."""
    named = {name for code, info in CODES.items() if is_about_item(code) for name in info.thresholds}
    return {name: value for name, value in thresholds.model_dump(mode="json").items() if name in named}


def action_of(finding: Finding) -> str:
    """What the pipeline does about it.

    >>> action_of(Finding(code="TRANSCRIPT.EXTRA", severity="error", item="x", message="", validator="v/1"))
    'resynthesise'
    """
    return CODES[finding.code].action if finding.code in CODES else _ACTION[finding.severity]


@dataclass(frozen=True)
class Judge:
    """Makes findings about one item (or one file of the set) in the name of one validator.

    >>> Judge("structure_track1/1", "task1_1_zh_0001_0001").say("T1.TURN_ORDER", "turns run 2, 1").severity
    <Severity.ERROR: 'error'>
    """

    validator: str  # "<module>/<version>"
    item: str
    file: str | None = None

    def say(
        self,
        code: str,
        message: str,
        *,
        file: str | None = None,
        span: tuple[float, float] | None = None,
        value: float | None = None,
        threshold: float | None = None,
    ) -> Finding:
        """One finding; ``span`` is (start, stop) in seconds.

        Raises:
            KeyError: for a code the table does not have.
        """
        return Finding(
            code=code,
            severity=CODES[code].severity,
            item=self.item,
            message=message,
            file=file if file is not None else self.file,
            start=None if span is None else round(span[0], 4),
            stop=None if span is None else round(span[1], 4),
            value=None if value is None else round(float(value), 6),
            threshold=threshold,
            validator=self.validator,
        )

    def about(self, file: str) -> Judge:
        """The same judge looking at one file of the item."""
        return Judge(self.validator, self.item, file)


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether an item with these findings goes to quarantine."""
    return any(finding.severity is Severity.ERROR for finding in findings)


_INTRODUCTION = """\
# Findings

Generated from `validators/core/code_table.py` and `validators/core/thresholds.py`; do not edit by hand:

    .venv/bin/python -m validators.core.codes > docs/findings.md

A finding has a stable code. What follows from it depends on its severity alone:

| severity | what the pipeline does |
|---|---|
| error | the item goes to `quarantine/` and a top-up plan replaces it; an error about no item stops the release |
| warning | the item is released and the report shows the finding |
| info | the item is released and the finding is counted |

The column "pipeline" says what mends an error. `quarantine`: another item takes the place. Of a pair (the same sound,
nearly the same words, an id or text that stands twice) the item with the later id is the one named. `stop`: the finding
is about a file, a speaker, a count or a mean and about no item, so no other item would mend it and the release is not
published (`validators.sets.blame` tells both apart). `SCRIPT.COLLAPSE` of a whole set names a language and task and
stops the release too. `rewrite`: the writer is
asked again with the finding (`SCRIPT.*`, while scripts are written); a finished script goes to quarantine.
`resynthesise`: the utterance has to be spoken again with another seed; Kokoro and espeak say the same bytes whatever
the seed, so today the item goes to quarantine and a top-up plan with another script replaces it.

Numbers are fields of `validation:` in the build configuration. `validation.layouts` and `validation.engines` hold
values for the items of one layout and the speech of one engine, e.g. `engines: {espeak: {min_dnsmos_overall: 1.2}}`.
"""


def render_codes_markdown() -> str:
    """The text of ``docs/findings.md``: all codes by family, then all thresholds, then the calibration."""
    parts = [_INTRODUCTION]
    for family in dict.fromkeys(code.split(".")[0] for code in CODES):
        parts.append(_family_table(family))
    parts.append(_threshold_table())
    parts.append(CALIBRATION)
    parts += [family.CALIBRATION for family in FAMILIES if family.CALIBRATION]
    return "\n".join(parts)


def _family_table(family: str) -> str:
    lines = [
        f"## {family}.*",
        "",
        "| code | meaning | severity | pipeline | thresholds (default) | source |",
        "|---|---|---|---|---|---|",
    ]
    defaults = Thresholds()
    for info in CODES.values():
        if info.code.split(".")[0] == family:
            used = ", ".join(f"`{name}` ({_show(getattr(defaults, name))})" for name in info.thresholds)
            lines.append(
                f"| `{info.code}` | {info.meaning} | {info.severity.value} | {info.action} "
                f"| {used or '–'} | {info.source} |"
            )
    return "\n".join(lines) + "\n"


def _threshold_table() -> str:
    lines = [
        "## Thresholds",
        "",
        "| field | default | allowed | where the default comes from |",
        "|---|---|---|---|",
    ]
    defaults = Thresholds()
    schema = Thresholds.model_json_schema()["properties"]
    for name, field in Thresholds.model_fields.items():
        lines.append(f"| `{name}` | {_show(getattr(defaults, name))} | {_range(schema[name])} | {field.description} |")
    lines += ["", "Shipped values for one engine's speech:", "", "| engine | field | value |", "|---|---|---|"]
    lines += [
        f"| `{engine}` | `{name}` | {_show(value)} |"
        for engine, values in ENGINE_DEFAULTS.items()
        for name, value in values.items()
    ]
    return "\n".join(lines) + "\n"


def _range(schema: dict[str, object]) -> str:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None or high is None:
        return "non-empty list"
    opening = "[" if "minimum" in schema else "("
    closing = "]" if "maximum" in schema else ")"
    return f"{opening}{low}, {high}{closing}"


def _show(value: object) -> str:
    return ", ".join(str(part) for part in value) if isinstance(value, tuple) else str(value)


if __name__ == "__main__":
    sys.stdout.write(render_codes_markdown())
