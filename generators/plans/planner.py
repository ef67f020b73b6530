"""From cells and outlines to plans: numbers, splits and people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from data_schemas.foundation.randomness import named_generator
from data_schemas.item_code import MAX_INDEX, SESSION_ITEMS, SESSION_STEP, index_text
from data_schemas.plan import DialoguePlan, Outline, QuotaCell
from data_schemas.script import DUPLEX_TURNS
from data_schemas.speakers import AgeBand, Gender, Speaker
from data_schemas.tasks import TURNS_OF_TASK, Language, Role, Task, Track
from generators.plans.outlines import OutlineSource
from generators.plans.quotas import QuotaImpossible

THIRD_PARTY_TASKS = frozenset({Task.THIRD_PARTY_BEFORE, Task.THIRD_PARTY_AFTER})
#: Every (task, turns) there can be, in a fixed order.
_PLACES = tuple((task, turns) for task in Task for turns in TURNS_OF_TASK.get(task, (DUPLEX_TURNS,)))
FirstIndex = Mapping[tuple[Track, Language], int]


def plan_items(
    cells: Iterable[tuple[QuotaCell, int]],
    source: OutlineSource,
    speakers: Sequence[Speaker],
    seed: int,
    *,
    round: int,
    first_index: FirstIndex,
) -> tuple[DialoguePlan, ...]:
    """`each_plan`, all at once."""
    return tuple(each_plan(cells, source, speakers, seed, round=round, first_index=first_index))


def each_plan(
    cells: Iterable[tuple[QuotaCell, int]],
    source: OutlineSource,
    speakers: Sequence[Speaker],
    seed: int,
    *,
    round: int,
    first_index: FirstIndex,
) -> Iterator[DialoguePlan]:
    """Exactly ``count`` plans for every cell, one by one; no more than one cell's outlines are held.

    Items are numbered in the order of the cells, per track and language. A cell's own count, and those of the cells
    before it of the same track and language, thus decide its items' numbers and with them their ids.

    Args:
        first_index: next free item index per (track, language); 1 where it is missing.

    Raises:
        QuotaImpossible: outlines, speakers or item numbers run out.
    """
    next_index = dict(first_index)
    cast = Cast(speakers)
    for cell, count in cells:
        place = (cell.task.track, cell.language)
        first = next_index.get(place, 1)
        next_index[place] = first + count
        _check_numbers(cell, first + count - 1, speakers)
        outlines = source.take(cell, count)
        users = choose_users(cell, outlines, speakers, seed, round)
        for index, (outline, user) in enumerate(zip(outlines, users, strict=True), start=first):
            yield _plan(cell, index, round, outline, user, cast, seed)


def _check_numbers(cell: QuotaCell, last: int, speakers: Sequence[Speaker]) -> None:
    """That ids reach as far as the last item of a cell."""
    if last > MAX_INDEX:
        raise QuotaImpossible(
            f"quotas: more than {MAX_INDEX} items of {cell.task.track} in {cell.language}; item ids reach no further, "
            "split the quota over several releases"
        )
    highest = max((one.number for one in speakers if one.language is cell.language), default=0)
    if last >= SESSION_ITEMS and highest >= SESSION_STEP:
        raise QuotaImpossible(
            f"quotas: {last} items of {cell.task.track} in {cell.language} and speakers numbered up to {highest}; from "
            f"item {SESSION_ITEMS} on the ids leave room for speakers below {SESSION_STEP}: cast fewer voices "
            "(speech.casting) or split the quota over several releases"
        )


def choose_users(
    cell: QuotaCell, outlines: Sequence[Outline], speakers: Sequence[Speaker], seed: int, round: int
) -> tuple[Speaker, ...]:
    """A user per outline: of the gender the words ask for, of the persona's age as nearly as the pool has it, least
    used first.

    Users that the same outlines fit are used within one of each other. Where no age is known that is everybody, or
    everybody of a gender; otherwise an age that personas often have and few voices have is heard more often.

    Raises:
        QuotaImpossible: the split has no user, or none of a gender that is asked for.
    """
    pool = [s for s in speakers if _belongs(s, cell) and s.role is Role.USER]
    if not pool:
        raise QuotaImpossible(f"speech.casting: no user voice for {cell.language} in {cell.split}")
    pool = _rotation(pool, cell, seed, round)
    used: Counter[int] = Counter()
    chosen: dict[int, Speaker] = {}
    places = {speaker.number: place for place, speaker in enumerate(pool)}
    fits: dict[tuple[Gender | None, AgeBand | None], list[Speaker]] = {}
    fitting = []
    for outline in outlines:
        wish = (outline.user_gender, _age_band(outline))
        if wish not in fits:
            fits[wish] = _fitting(outline, pool, cell)
        fitting.append(fits[wish])
    # Outlines that fit few choose first; the free ones then even the use out.
    order = sorted(range(len(outlines)), key=lambda place: (outlines[place].user_gender is None, len(fitting[place])))
    for position in order:
        speaker = min(fitting[position], key=lambda one: (used[one.number], places[one.number]))
        used[speaker.number] += 1
        chosen[position] = speaker
    return tuple(chosen[position] for position in range(len(outlines)))


def _fitting(outline: Outline, pool: Sequence[Speaker], cell: QuotaCell) -> list[Speaker]:
    """Users of the right gender whose age is nearest to the persona's."""
    gender = outline.user_gender
    fitting = [speaker for speaker in pool if gender in (None, speaker.gender)]
    if not fitting:
        raise QuotaImpossible(
            f"speech.casting: script {outline.script_id} needs a {gender} user and "
            f"{cell.language} {cell.split} has none; add a voice or leave the script out"
        )
    distances = [_age_distance(outline, speaker) for speaker in fitting]
    return [one for one, distance in zip(fitting, distances, strict=True) if distance == min(distances)]


def _age_distance(outline: Outline, speaker: Speaker) -> int:
    """Age bands between persona and voice; 0 where either is not known."""
    wanted = _age_band(outline)
    if wanted is None or speaker.age is None:
        return 0
    bands = list(AgeBand)
    return abs(bands.index(wanted) - bands.index(speaker.age))


def _age_band(outline: Outline) -> AgeBand | None:
    return None if outline.brief is None else AgeBand.of(outline.brief.persona.age)


def _rotation(pool: Sequence[Speaker], cell: QuotaCell, seed: int, round: int) -> list[Speaker]:
    """Users in the order a cell takes them: genders alternate, and every cell starts one person further.

    One seeded order per language and split, started by the cell's place among all cells: small
    cells share the work evenly, and changing one quota changes no user of another cell's scripts.
    """
    order: list[tuple[float, str, Speaker]] = []
    for gender in sorted({speaker.gender for speaker in pool}):
        group = sorted((one for one in pool if one.gender == gender), key=lambda one: one.number)
        named_generator(seed, f"{cell.language}/{cell.split}/{gender}", "user-order").shuffle(group)
        order += [((place + 0.5) / len(group), gender, one) for place, one in enumerate(group)]
    ordered = [one for _, _, one in sorted(order, key=lambda entry: entry[:2])]
    start = (_PLACES.index((cell.task, cell.turns)) + round) % len(ordered)
    return ordered[start:] + ordered[:start]


def _plan(
    cell: QuotaCell,
    index: int,
    round: int,
    outline: Outline,
    user: Speaker,
    cast: Cast,
    seed: int,
) -> DialoguePlan:
    plan_id = f"{cell.language}-{cell.task}-{cell.turns}-{cell.split}-{index_text(index)}"
    assistant = cast.other(Role.ASSISTANT, cell, (user,), seed, plan_id)
    third = None
    if cell.task in THIRD_PARTY_TASKS:
        third = cast.other(Role.THIRD_PARTY, cell, (user, assistant), seed, plan_id)
    return DialoguePlan(
        id=plan_id,
        cell=cell,
        index=index,
        round=round,
        outline=outline,
        user=user,
        assistant=assistant,
        third_party=third,
    )


class Cast:
    """Who can stand beside a user; asked once for each set of people."""

    def __init__(self, speakers: Sequence[Speaker]) -> None:
        self._speakers = tuple(speakers)
        self._pools: dict[tuple[object, ...], tuple[Speaker, ...]] = {}

    def other(self, role: Role, cell: QuotaCell, taken: Sequence[Speaker], seed: int, plan_id: str) -> Speaker:
        """Somebody of a role who sounds like none of those who are taken, drawn for the plan.

        Raises:
            QuotaImpossible: there is nobody.
        """
        pool = self._pool(role, cell, taken)
        if not pool:
            raise QuotaImpossible(
                f"speech.casting: {cell.language} {cell.split} has no {role} voice besides the other speakers'; "
                "give the engine more voices or change the casting"
            )
        return pool[int(named_generator(seed, plan_id, f"cast-{role}").integers(len(pool)))]

    def _pool(self, role: Role, cell: QuotaCell, taken: Sequence[Speaker]) -> tuple[Speaker, ...]:
        key = (role, cell.language, cell.split, *(one.number for one in taken))
        if key not in self._pools:
            free = (s for s in self._speakers if _belongs(s, cell) and s.role is role)
            free = (s for s in free if not any(map(s.sounds_like, taken)))
            self._pools[key] = tuple(sorted(free, key=lambda speaker: speaker.number))
        return self._pools[key]


def _belongs(speaker: Speaker, cell: QuotaCell) -> bool:
    return speaker.language is cell.language and speaker.split is cell.split
