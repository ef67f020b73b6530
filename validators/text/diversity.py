"""How varied a set of scripts is, measured while it is written."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter, defaultdict
from itertools import pairwise

from data_schemas.emotions import Emotion
from data_schemas.finding import Finding
from data_schemas.foundation.base import Record
from data_schemas.plan import QUESTION_TASKS
from data_schemas.script import Script
from data_schemas.tags import strip_tags
from data_schemas.tasks import Language, Role
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.text.distinct import DistinctCounter
from validators.text.openings import opening_of
from validators.text.self_bleu import self_bleu
from validators.text.set_rules import MIN_QUESTIONS, QUESTION_OPENING
from validators.text.texts import fields, joined, units

VALIDATOR = "scripts.diversity/1"
TOP_OPENINGS = 20
#: From this many first lines on, a share says something.
MIN_SCRIPTS = 20
SELF_BLEU_TEXTS = 200
ALL = "all"
QUESTIONS = "final question"


class Openings(Record):
    """How the lines of one group begin."""

    lines: int
    #: (opening, count), most frequent first, the top 20
    top: tuple[tuple[str, int], ...]

    @property
    def top_share(self) -> float:
        return self.top[0][1] / self.lines if self.lines else 0.0


class LanguageDiversity(Record):
    """Figures of one language."""

    scripts: int
    #: different n-grams per n-gram of all texts, n = 1, 2, 3: words (en) or characters (zh); they fall as a set grows
    distinct: tuple[float, float, float]
    #: mean BLEU-4 (0 to 100) of a sample of the users' lines, each against the others; None under two lines
    self_bleu: float | None
    #: lines in that sample
    self_bleu_lines: int
    #: counts of each change between neighbouring turns, ``[from][to]``, in the order of ``emotions``
    transitions: tuple[tuple[int, ...], ...]
    domains: dict[str, int]
    #: by "all", task, and "<task> final question"
    openings: dict[str, Openings]


class DiversityReport(Record):
    """Diversity of a set of scripts, by language."""

    emotions: tuple[Emotion, ...] = tuple(Emotion)
    languages: dict[Language, LanguageDiversity]


class DiversityMeter:
    """Takes scripts one by one; the order does not matter.

    Memory is flat but for the counts of openings (one entry per different opening) and of domains.
    distinct-n: Li et al., "A diversity-promoting objective function for neural conversation models", 2016.
    Self-BLEU: Zhu et al., "Texygen", 2018, with ``sacrebleu``.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._languages: dict[Language, _Tally] = {}

    def add(self, script: Script) -> None:
        """Count one script."""
        self._languages.setdefault(script.language, _Tally(script.language, self._seed)).add(script)

    def report(self) -> DiversityReport:
        """The figures so far."""
        return DiversityReport(
            languages={language: self._languages[language].report() for language in sorted(self._languages)}
        )


def judge_collapse(report: DiversityReport, thresholds: Thresholds) -> tuple[Finding, ...]:
    """A finding for each group of lines in which one opening has too large a share."""
    found = []
    for language, figures in report.languages.items():
        for group, openings in figures.openings.items():
            is_question = group.endswith(QUESTIONS)
            enough = MIN_QUESTIONS if is_question else MIN_SCRIPTS
            if openings.lines < enough or openings.top_share <= thresholds.max_opening_share:
                continue
            opening, count = openings.top[0]
            lines = "final questions" if is_question else "first lines"
            which = group.removesuffix(QUESTIONS).strip()
            found.append(
                Judge(VALIDATOR, f"{language}/{which}").say(
                    "SCRIPT.COLLAPSE",
                    f"{count} of the {openings.lines} {lines} of {language} {which} begin with {opening!r}; "
                    "vary the plans or raise the temperature of the writers",
                    value=openings.top_share,
                    threshold=thresholds.max_opening_share,
                )
            )
    return tuple(found)


class _Tally:
    """What is counted for one language."""

    def __init__(self, language: Language, seed: int) -> None:
        self._language = language
        self._seed = seed
        self._scripts = 0
        self._distinct = tuple(DistinctCounter() for _ in range(3))
        self._sample: list[tuple[int, str]] = []  # heap: the lines with the smallest hashes
        self._transitions: Counter[tuple[Emotion, Emotion]] = Counter()
        self._domains: Counter[str] = Counter()
        self._openings: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, script: Script) -> None:
        self._scripts += 1
        self._domains[script.domain] += 1
        self._transitions.update(pairwise(turn.emotion for turn in script.turns))
        opening = opening_of(script)
        for group in (ALL, script.task.value):
            self._openings[group][opening] += 1
        for number, field in enumerate(fields(script)):
            said = units(field.text, self._language)
            for size, counter in enumerate(self._distinct, start=1):
                counter.update(" ".join(run) for run in zip(*(said[k:] for k in range(size)), strict=False))
            if field.role is Role.USER:
                self._draw(f"{script.script_id}\x1f{number}", strip_tags(field.text))
        if script.task in QUESTION_TASKS:
            asked = units(script.turns[-1].text, self._language)[: QUESTION_OPENING[self._language]]
            self._openings[f"{script.task} {QUESTIONS}"][joined(asked, self._language)] += 1

    def report(self) -> LanguageDiversity:
        return LanguageDiversity(
            scripts=self._scripts,
            distinct=tuple(counter.ratio() for counter in self._distinct),
            self_bleu=self_bleu(sorted(text for _, text in self._sample), self._language),
            self_bleu_lines=len(self._sample),
            transitions=tuple(tuple(self._transitions[a, b] for b in Emotion) for a in Emotion),
            domains=dict(sorted(self._domains.items(), key=lambda pair: (-pair[1], pair[0]))),
            openings={group: _openings(self._openings[group]) for group in sorted(self._openings)},
        )

    def _draw(self, name: str, text: str) -> None:
        """Bottom-k sampling: a line is in the sample when its seeded hash is among the smallest."""
        digest = hashlib.blake2b(f"{self._seed}\x1f{name}".encode(), digest_size=8).digest()
        entry = (-int.from_bytes(digest, "big"), text)
        if len(self._sample) < SELF_BLEU_TEXTS:
            heapq.heappush(self._sample, entry)
        else:
            heapq.heappushpop(self._sample, entry)


def _openings(counts: Counter[str]) -> Openings:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return Openings(lines=counts.total(), top=tuple(ordered[:TOP_OPENINGS]))
