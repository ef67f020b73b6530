"""Frozen scripts as a build uses them: outlines to plan from and the writer of the plans, a pack's or a model's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from data_schemas.plan import DialoguePlan, Outline, Place, QuotaCell
from data_schemas.script import Script
from flows.scripts.phase import ScriptPhase
from flows.scripts.report import ScriptReport
from flows.scripts.spool import QUARANTINE_FILE
from generators.plans.outlines import ScriptOutlines
from generators.scripts.frozen import FrozenScripts
from generators.scripts.pack import PackWriter


class ScriptSource:
    """An `OutlineStock` and a `ScriptWriter` over frozen scripts. Held are ids and offsets, no script."""

    def __init__(self, frozen: FrozenScripts, seed: int) -> None:
        self._frozen = frozen
        self._outlines = ScriptOutlines.over(lambda script_id: self._frozen[script_id], frozen.places, seed)

    @property
    def frozen(self) -> FrozenScripts:
        """All scripts so far."""
        return self._frozen

    def have_ready(self, cell: QuotaCell, count: int, round: int) -> str | None:
        """See `OutlineStock.have_ready`."""
        return self._outlines.have_ready(cell, count, round)

    def waiting(self, place: Place) -> int:
        """How many outlines nobody has taken yet."""
        return self._outlines.waiting(place)

    def take(self, cell: QuotaCell, count: int) -> tuple[Outline, ...]:
        """``count`` outlines of scripts that nobody has yet, or none at all.

        Raises:
            QuotaImpossible: fewer are waiting; see `have_ready`.
        """
        return self._outlines.take(cell, count)

    def give_back(self, outlines: Sequence[Outline]) -> None:
        """See `OutlineStock.give_back`."""
        self._outlines.give_back(outlines)

    def available(self, quota: Sequence[tuple[QuotaCell, int]]) -> tuple[tuple[QuotaCell, int], ...]:
        """The part of a quota that can be planned with the scripts there are."""
        left = {cell.place: self.waiting(cell.place) for cell, _ in quota}
        possible = []
        for cell, count in quota:
            granted = min(count, left[cell.place])
            left[cell.place] -= granted
            possible.append((cell, granted))
        return tuple(possible)

    def write(self, plan: DialoguePlan) -> Script:
        """The script that a plan names; see `PackWriter.write`."""
        return PackWriter.over(self._frozen).write(plan)


class WrittenScripts(ScriptSource):
    """The scripts of a writing phase; has more written when they run out.

    What was made first is handed out exactly as from a pack that is the same frozen file.
    """

    def __init__(self, phase: ScriptPhase, seed: int) -> None:
        super().__init__(FrozenScripts({}), seed)
        self._phase = phase
        self._exhausted: set[Place] = set()
        #: the top-up round in which the writer was stopped, and why
        self._stopped: tuple[int, str] | None = None

    def fill(self, wanted: Mapping[Place, int]) -> ScriptReport:
        """Have scripts written, and take them in.

        Raises:
            EndpointError: see `ScriptPhase.write`.
        """
        written = self._phase.write(wanted)
        places = written.scripts.places
        self._outlines.add({name: place for name, place in places.items() if name not in self._frozen})
        self._frozen = written.scripts
        if not written.report.stopped:
            self._exhausted |= {place for place in wanted if self._phase.still_owed(place)}
        return written.report

    def have_ready(self, cell: QuotaCell, count: int, round: int) -> str | None:
        """Outlines for a cell, of scripts that are there or are written now; see `OutlineStock.have_ready`.

        A server that is away, or a spent budget, is a sentence and no exception: nobody is asked again in this round.
        """
        place = cell.place
        missing = count - self.waiting(place)
        if missing > 0 and place not in self._exhausted and not self._stopped_in(round):
            report = self.fill({place: max(0, missing - self._phase.still_owed(place))})
            self._stopped = (round, report.stopped) if report.stopped else None
        made = self.waiting(place)
        if made >= count:
            return None
        too_few = f"quotas: {cell.key} needs {count} more scripts and"
        if self._stopped is not None and self._stopped_in(round):
            return f"{too_few} has {made}: {self._stopped[1]}"
        return (
            f"{too_few} the writer made {made}; what was rejected and why is in {self._phase.folder / QUARANTINE_FILE}"
        )

    def _stopped_in(self, round: int) -> bool:
        return self._stopped is not None and self._stopped[0] == round
