"""The whole test: judge a clean release, plant every kind, judge every case."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_schemas.layouts.base import FoundItem
from data_schemas.release import DatasetLock
from flows.common.workers import WorkerPool
from tests.support.mutations.bench import Bench, Clean, Outcome, RememberingInstruments, cases, conclude_clean, read
from tests.support.mutations.kinds.every import KINDS
from tests.support.mutations.planting import Kind
from tests.support.mutations.spares import Booth, Spare
from tests.support.mutations.table import render_document
from validators.core.judges import ALL, Selection
from validators.core.settings import ValidationSettings
from validators.files.lock import LOCK_FILE
from validators.run.directory import JudgeOrder
from validators.run.item import ItemVerdict, judge_item

#: Judges that are asked only for the kinds that name them (`Kind.asks`, `Kind.with_lock`): `quality` takes more time
#: than all others together and has no errors to say, every change breaks the lock.
ASKED_FOR = frozenset({"quality", "lock"})
#: The judge `emotion` needs a package that is for research only.
SELECTED = ALL - ASKED_FOR - {"emotion"}


@dataclass(frozen=True)
class Report:
    """A clean release and what came of every case."""

    clean: Clean
    engine: str
    kinds: tuple[Kind, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def document(self) -> str:
        clips = sum(len(verdict.clips) for verdict in self.clean.verdicts)
        errors = len(self.clean.errors)
        return render_document(self.kinds, self.outcomes, len(self.clean.items), clips, errors, self.engine)


def run(
    root: Path,
    folder: Path,
    kinds: Sequence[Kind] = KINDS,
    workers: int = 2,
    selected: Selection = SELECTED,
    most: int | None = None,
) -> Report:
    """Plant each of ``kinds`` in the clean release ``root``; copies, spares and measurements go to ``folder``.

    At most ``most`` cases of each kind. Copies are made of hard links, so ``folder`` must be on the same file system.
    """
    folder.mkdir(parents=True, exist_ok=True)
    engine = DatasetLock.model_validate_json((root / LOCK_FILE).read_text(encoding="utf-8")).engines[0].name
    order = JudgeOrder(settings=ValidationSettings(), selected=selected, engine=engine, kept=folder / "measured.sqlite")
    items = read(root)
    work = [(kind, number) for kind in kinds for number in _numbers(kind, items, most)]
    with WorkerPool(workers, _start, (order,)) as pool:
        verdicts = tuple(pool.map(_judge, ((root, item) for item in items)))
        clean = conclude_clean(root, order, items, verdicts)
        spares = Booth(root, folder / "spares").speak(_needed(work, items))
        bench = folder / "bench.pickle"
        bench.write_bytes(pickle.dumps((clean, folder / "cases", spares)))
        # item by item, so that a process remembers what its models said of the rest of the item
        asked = sorted((number, kind.name) for kind, number in work)
        told = dict(zip(asked, pool.map(_case, ((bench, *case) for case in asked), chunksize=_CHUNK), strict=True))
    outcomes = tuple(told[number, kind.name] for kind, number in work)
    return Report(clean, engine, tuple(kinds), outcomes)


_CHUNK = 8


def _numbers(kind: Kind, items: tuple[FoundItem, ...], most: int | None) -> list[int]:
    """Places of the items the kind is planted in."""
    chosen = {id(found) for found in cases(kind, items, most)}
    return [number for number, item in enumerate(items) if id(item) in chosen]


def _needed(work: Sequence[tuple[Kind, int]], items: tuple[FoundItem, ...]) -> list[Spare]:
    wanted = (kind.needs(items[number], items) for kind, number in work if kind.needs is not None)
    return sorted({spare for spares in wanted for spare in spares})


@dataclass
class _Worker:
    """What one process keeps from case to case."""

    order: JudgeOrder
    tools: RememberingInstruments
    bench: Bench | None = None


_worker: list[_Worker] = []


def _start(order: JudgeOrder) -> None:
    _worker.append(_Worker(order, RememberingInstruments(order.selected, order.kept)))


def _judge(work: tuple[Path, FoundItem]) -> ItemVerdict:
    root, item = work
    own = _worker[0]
    return judge_item(item, root, own.order.thresholds(item.layout), own.tools)


def _case(work: tuple[Path, int, str]) -> Outcome:
    path, number, name = work
    own = _worker[0]
    if own.bench is None:
        clean, scratch, spares = pickle.loads(path.read_bytes())
        own.bench = Bench(clean, scratch, spares, own.tools)
    kind = next(kind for kind in KINDS if kind.name == name)
    return own.bench.run(kind, own.bench.clean.items[number])
