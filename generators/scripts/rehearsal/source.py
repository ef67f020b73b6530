"""`RehearsalSource`: outlines to plan from and a writer of their scripts, as many as anybody asks for.

Nothing is kept but how many scripts of each cell are out: a script is made anew from its id each time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache

from data_schemas.emotions import NAMES
from data_schemas.plan import DialoguePlan, Outline, Place, QuotaCell
from data_schemas.script import REHEARSAL_WRITER, Script, ScriptProvenance
from data_schemas.speakers import Gender
from data_schemas.tasks import Language, Split, Task, Track
from generators.plans.catalogue import Catalogue, load_catalogue
from generators.plans.drawn import DrawnOutlines
from generators.plans.quotas import QuotaImpossible
from generators.plans.settings import PlanningSettings
from generators.scripts.pack import PackWriter
from generators.scripts.rehearsal.duplex import write_lines
from generators.scripts.rehearsal.emotional import write_turns
from generators.scripts.rehearsal.frames import Spread
from generators.scripts.rehearsal.teller import Teller
from generators.scripts.rehearsal.wording import wording
from generators.scripts.writer import ScriptError

#: Raised by hand when a script of the same id and seed comes out in other words.
VERSION = "1"
#: Scripts of one cell: six digits in their ids.
MAX_SCRIPTS = 999_999

_ID = re.compile(r"rehearsal-(zh|en)-([a-z_]+)-(\d)-(train|dev)-(\d{6})")
_PROVENANCE = ScriptProvenance(writer=REHEARSAL_WRITER, author="humdial project", version=VERSION)
#: Causes that speak of "the speaker" do not fit into what the speaker is told.
_OF_A_SPEAKER = re.compile(r"\b(?:speaker|they|them|themselves|their)\b")
_TOPICS = re.compile(r"[、，]|, ")


class RehearsalSource:
    """An `OutlineStock` that does not run out, and a `ScriptWriter`.

    A script is a function of (seed, task, language, turns, split, number): a larger quota adds scripts and changes
    none, in its own cell or in another. Train counts its ordinals up from 0 and dev down from -1, so that the two
    never meet.

    Args:
        genders: the genders that user voices have, per language; a language that is missing has both.
    """

    def __init__(self, seed: int, genders: Mapping[Language, frozenset[Gender]] | None = None) -> None:
        self._outlines = DrawnOutlines(seed, PlanningSettings(), genders)
        self._spread = Spread(seed)
        self._taken: Counter[QuotaCell] = Counter()
        self._returned: dict[QuotaCell, list[Outline]] = {}

    def have_ready(self, cell: QuotaCell, count: int, round: int) -> str | None:
        """There are always more; see `OutlineStock.have_ready`."""
        del cell, count, round
        return None

    def waiting(self, place: Place) -> int:
        """How many may still be asked for."""
        return MAX_SCRIPTS - max((taken for cell, taken in self._taken.items() if cell.place == place), default=0)

    def give_back(self, outlines: Sequence[Outline]) -> None:
        """See `OutlineStock.give_back`."""
        cells = [_cell_and_number(outline.script_id or "")[0] for outline in outlines]
        for cell in dict.fromkeys(cells):
            own = [outline for outline, other in zip(outlines, cells, strict=True) if other == cell]
            self._returned[cell] = [*own, *self._returned.get(cell, ())]

    def take(self, cell: QuotaCell, count: int) -> tuple[Outline, ...]:
        """``count`` outlines: those that were given back, then new ones.

        Raises:
            QuotaImpossible: numbers run out.
        """
        returned = self._returned.pop(cell, [])
        again, self._returned[cell] = returned[:count], returned[count:]
        return (*again, *self._new(cell, count - len(again)))

    def _new(self, cell: QuotaCell, count: int) -> tuple[Outline, ...]:
        first = self._taken[cell] + 1
        if first + count - 1 > MAX_SCRIPTS:
            raise QuotaImpossible(
                f"quotas: {cell.key} needs more than {MAX_SCRIPTS} rehearsal scripts; their ids have six digits, "
                "lower the count"
            )
        self._taken[cell] += count
        return tuple(self.outline(cell, number) for number in range(first, first + count))

    def outline(self, cell: QuotaCell, number: int) -> Outline:
        """The outline of script ``number`` (from 1) of a cell."""
        drawn = self._outlines.draw(cell.task, cell.language, cell.turns, _ordinal(cell, number))
        update: dict[str, object] = {"script_id": script_id(cell, number)}
        causes = _told_causes(cell.language)
        if drawn.root_cause is not None and drawn.root_cause not in causes:
            name = f"{cell.place.key}/root-cause"
            update["root_cause"] = self._spread.one(name, causes, _ordinal(cell, number))
        return drawn.model_copy(update=update)

    def write(self, plan: DialoguePlan) -> Script:
        """The script that a plan names, in the same words every time.

        Raises:
            ScriptError: the plan names no rehearsal script, or was made from an outline that differs.
        """
        try:
            cell, number = _cell_and_number(plan.outline.script_id or "")
        except ValueError as error:
            raise ScriptError(f"plan {plan.id}: {error}; plan from the outlines of the rehearsal source") from None
        return PackWriter((self.script(cell, number),)).write(plan)

    def script(self, cell: QuotaCell, number: int) -> Script:
        """Script ``number`` (from 1) of a cell."""
        outline, ordinal = self.outline(cell, number), _ordinal(cell, number)
        teller = Teller(wording(cell.language), self._spread, cell.place.key, ordinal)
        catalogue = self._outlines.catalogue(cell.language)
        emotional = cell.task.track is Track.EMOTION
        return Script(
            script_id=script_id(cell, number),
            task=cell.task,
            language=cell.language,
            domain=outline.domain,
            user_gender=outline.user_gender,
            root_cause=outline.root_cause,
            brief=outline.brief,
            turns=write_turns(teller, outline, _setting(teller, outline, catalogue)) if emotional else (),
            lines=() if emotional else write_lines(teller, outline, _topics(cell.language, outline.domain)),
            provenance=_PROVENANCE,
        )


def script_id(cell: QuotaCell, number: int) -> str:
    """``rehearsal-<language>-<task>-<turns>-<split>-<number>``."""
    return f"{REHEARSAL_WRITER}-{cell.language}-{cell.task}-{cell.turns}-{cell.split}-{number:06d}"


def _cell_and_number(name: str) -> tuple[QuotaCell, int]:
    """Inverse of `script_id`."""
    found = _ID.fullmatch(name)
    if found is None:
        raise ValueError(f"script {name!r} is no rehearsal script")
    cell = QuotaCell(task=Task(found[2]), language=Language(found[1]), turns=int(found[3]), split=Split(found[4]))
    return cell, int(found[5])


def _ordinal(cell: QuotaCell, number: int) -> int:
    return number - 1 if cell.split is Split.TRAIN else -number


def _setting(teller: Teller, outline: Outline, catalogue: Catalogue) -> str:
    told = outline.brief.setting if outline.brief is not None else ""
    return told or teller.one("setting", catalogue.domains[outline.domain].settings)


@cache
def _topics(language: Language, domain: str) -> tuple[str, ...]:
    """What people talk about in a domain, one by one."""
    return tuple(_TOPICS.split(load_catalogue(language).domains[domain].about))


@cache
def _told_causes(language: Language) -> tuple[str, ...]:
    """Root causes that can be told to the speaker, and that name no feeling: the reply names those that were told."""
    catalogue = load_catalogue(language)
    causes = (*catalogue.root_causes, *(cause for theme in catalogue.themes.values() for cause in theme.root_causes))
    names = re.compile("|".join(name for words in NAMES[language].values() for name in words), re.IGNORECASE)
    return tuple(cause for cause in causes if not (_OF_A_SPEAKER.search(cause) or names.search(cause)))
