"""``summary.md``: the outcome of a folder of findings in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from data_schemas.finding import Finding, Severity
from flows.validation.earlier import JudgeRun, Whole
from validators.core.codes import CODES
from validators.run.directory import count_findings

EXAMPLES = 3
_OLD_CODE = "a code of an earlier version"


def summary(whole: Whole, new: Sequence[Finding] | None, items: int, run: JudgeRun) -> str:
    """Markdown for people: counts by code with their meaning, the first examples of each, new ones before known, and
    which judge was asked when."""
    findings = whole.findings
    counts, new_counts = count_findings(findings), count_findings(new or ())
    fresh = frozenset(new or ())
    with_baseline = new is not None
    lines = [
        f"# {items} items, {whole.measures.height} utterances judged: {_errors_and_warnings(counts)}"
        + (f"; new since the baseline: {_errors_and_warnings(new_counts)}" if with_baseline else ""),
        "",
        *_partly(whole),
        f"| code | severity | times |{' new |' if with_baseline else ''} items | meaning |",
        f"|---|---|---|{'---|' if with_baseline else ''}---|---|",
    ]
    for severity in Severity:
        for code, number in counts[severity].items():
            judged = len({finding.item for finding in findings if finding.code == code})
            new_number = f" {new_counts[severity].get(code, 0)} |" if with_baseline else ""
            meaning = CODES[code].meaning if code in CODES else _OLD_CODE
            lines.append(f"| `{code}` | {severity.value} | {number} |{new_number} {judged} | {meaning} |")
    for severity in Severity:
        for code in counts[severity]:
            own = sorted((one for one in findings if one.code == code), key=lambda one: one not in fresh)
            lines += ["", f"## {code}", ""]
            lines += [
                f"- {'new: ' if finding in fresh else ''}{finding.item}: {finding.message}"
                for finding in own[:EXAMPLES]
            ]
            lines += [f"- and {len(own) - EXAMPLES} more"] if len(own) > EXAMPLES else []
    reports = ", ".join(f"`{name}.json`" for name in sorted((*whole.reports, *whole.kept_reports)))
    lines += ["", f"Figures about the whole set: {reports or 'none'}.", "", *_asked(whole, run)]
    return "\n".join(lines) + "\n"


def _partly(whole: Whole) -> list[str]:
    """What is not of this run, first of all."""
    lines = []
    if whole.kept:
        lines += [f"Of earlier runs, on the same data: {', '.join(whole.kept)} (the table at the end says when).", ""]
    if whole.outdated:
        lines += [
            f"The data set has changed since these were asked, and what they found was taken out: "
            f"{', '.join(whole.outdated)}.",
            "",
        ]
    return lines


def _asked(whole: Whole, run: JudgeRun) -> list[str]:
    return [
        "| judge | asked at (UTC) | version | thresholds |",
        "|---|---|---|---|",
        *(
            f"| {name} | {own.at} | {own.code_version} | "
            f"{'as now' if own.settings == run.settings else 'others than now'} |"
            for name, own in whole.runs.items()
        ),
    ]


def _errors_and_warnings(counts: Mapping[Severity, Mapping[str, int]]) -> str:
    errors, warnings = (sum(counts[severity].values()) for severity in (Severity.ERROR, Severity.WARNING))
    return f"{errors} errors, {warnings} warnings"
