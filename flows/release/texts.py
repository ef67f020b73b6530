"""What a release says about its texts: who wrote them, how varied they are, whether any stands twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from data_schemas.finding import Finding
from data_schemas.script import Script
from validators.core.thresholds import Thresholds
from validators.text.diversity import DiversityMeter, DiversityReport, judge_collapse
from validators.text.near_duplicates import NearDuplicates


@dataclass(frozen=True)
class ReleaseTexts:
    """The texts of all released items together."""

    diversity: DiversityReport
    #: near-duplicates over all splits, and groups of lines that begin alike
    findings: tuple[Finding, ...]
    #: writer -> how many of the scripts are its
    sources: dict[str, int]
    #: how many of them were made by rule, for a rehearsal
    rehearsed: int = 0


def read_texts(scripts: Iterable[Script], thresholds: Thresholds) -> ReleaseTexts:
    """Judge and count the scripts, in the order given."""
    near = NearDuplicates(thresholds)
    meter = DiversityMeter()
    sources: Counter[str] = Counter()
    findings: list[Finding] = []
    rehearsed = 0
    for script in scripts:
        findings += near.judge(script)
        near.add(script)
        meter.add(script)
        sources[source_of(script)] += 1
        rehearsed += script.provenance.is_rehearsal
    diversity = meter.report()
    return ReleaseTexts(
        diversity=diversity,
        findings=(*findings, *judge_collapse(diversity, thresholds)),
        sources=dict(sorted(sources.items())),
        rehearsed=rehearsed,
    )


def source_of(script: Script) -> str:
    """Who wrote a script: a model, or the author of a pack."""
    wrote = script.provenance
    if wrote.model is not None:
        return f"{wrote.model}, by the prompts of version {wrote.version} ({script.language})"
    return f"{wrote.author}, {wrote.writer} version {wrote.version}"
