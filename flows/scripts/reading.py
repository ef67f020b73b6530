"""Reading before accepting: rules and a model as a judge for each script, then what only a set can show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from data_schemas.finding import Finding, Severity
from data_schemas.foundation.randomness import named_seed
from data_schemas.plan import Place
from data_schemas.script import Script
from data_schemas.tasks import Language
from generators.remote.errors import NoAnswer
from generators.scripts.llm.llm_writer import Ask
from generators.scripts.llm.prompts import WHOLE_SCRIPT_PROMPTS, load_example
from generators.scripts.settings import LlmSettings
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.text.diversity import DiversityMeter, DiversityReport
from validators.text.exclusions import read_exclusions
from validators.text.llm_judge import judge_findings, judge_request
from validators.text.near_duplicates import NearDuplicates
from validators.text.openings import OpeningCap
from validators.text.rules import judge_script

_VALIDATOR = "flows.script_reading/1"
#: A judgement that cannot be read is asked for again, with another seed.
JUDGE_TRIES = 2
JUDGE_UNREADABLE = "SCRIPT.JUDGE_UNREADABLE"


class Reader:
    """Holds what is known of the accepted scripts (signatures and counts, no texts)."""

    def __init__(self, settings: LlmSettings, thresholds: Thresholds, seed: int, base_dir: Path) -> None:
        self._settings = settings
        self._thresholds = thresholds
        self._seed = seed
        self._near = NearDuplicates(thresholds)
        self._meter = DiversityMeter()
        self._openings = OpeningCap(thresholds)
        for place, text in read_exclusions([base_dir / path for path in settings.reading.exclude]):
            self._near.exclude(place, text)
        for place, text in _example_texts():
            self._near.exclude(place, text)

    async def read(self, script: Script, ask: Ask) -> tuple[Finding, ...]:
        """What one script shows on its own; a model is asked only about scripts that keep the rules."""
        found = judge_script(script, self._thresholds)
        if self._settings.reading.judge is None or any(f.severity is Severity.ERROR for f in found):
            return found
        return (*found, *await self._judgement(script, ask))

    async def _judgement(self, script: Script, ask: Ask) -> tuple[Finding, ...]:
        judge = self._settings.reading.judge
        assert judge is not None
        model = self._settings.models[judge.model]
        found: tuple[Finding, ...] = ()
        for number in range(1, JUDGE_TRIES + 1):
            attempts = script.provenance.attempts
            seed = named_seed(self._seed, script.script_id, f"judge-{attempts}-{number}")
            request = judge_request(script, judge.model, model.model, seed, model.sampling)
            try:
                found = judge_findings(script, await ask(request), judge.min_score)
            except NoAnswer as error:
                found = (Judge(_VALIDATOR, script.script_id).say(JUDGE_UNREADABLE, str(error)),)
            if not any(finding.code == JUDGE_UNREADABLE for finding in found):
                return found
        return found

    def read_in_set(self, script: Script, targets: Mapping[Place, int]) -> tuple[Finding, ...]:
        """What a script shows beside those accepted before it: near-duplicates, excluded texts, worn openings."""
        outline = script.outline()
        wanted = sum(
            count
            for place, count in targets.items()
            if (place.task, place.language) == (outline.task, outline.language)
        )
        return (*self._near.judge(script), *self._openings.judge(script, wanted))

    def accept(self, script: Script) -> None:
        """Take the script into the set that later ones are compared with."""
        self._near.add(script)
        self._openings.add(script)
        self._meter.add(script)

    def diversity(self) -> DiversityReport:
        return self._meter.report()


def _example_texts() -> list[tuple[str, str]]:
    """The lines of the worked examples: a writer that copies them is sent back."""
    texts = []
    for language in Language:
        for name in WHOLE_SCRIPT_PROMPTS:
            answer = load_example(name, language).answer
            for value in answer.values():
                inner = value.values() if isinstance(value, dict) else (value,)
                texts += [(f"the prompt's example {language}/{name}", text) for text in inner]
    return texts
