"""From cells and outlines to plans: numbers, splits and people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from data_schemas.foundation.randomness import named_generator
from data_schemas.plan import DialoguePlan, Outline, QuotaCell
from data_schemas.script import DUPLEX_TURNS
from data_schemas.speakers import AgeBand, Speaker
from data_schemas.tasks import TURNS_OF_TASK, Language, Role, Task, Track
from generators.plans.outlines import OutlineSource
from generators.plans.quotas import QuotaImpossible

THIRD_PARTY_TASKS = frozenset({Task.THIRD_PARTY_BEFORE, Task.THIRD_PARTY_AFTER})
MAX_INDEX = 9999  # four digits in every item id
#: Every (task, turns) there can be, in a fixed order.
_PLACES = tuple((task, turns) for task in Task for turns in TURNS_OF_TASK.get(task, (DUPLEX_TURNS,)))
FirstIndex = Mapping[tuple[Track, Language], int]


def plan_items(
    cells: Sequence[tuple[QuotaCell, int]],
    source: OutlineSource,
    speakers: Sequence[Speaker],
    seed: int,
    *,
    round: int,
    first_index: FirstIndex,
) -> tuple[DialoguePlan, ...]:
    """Exactly ``count`` plans for every cell.

    Args:
        first_index: next free item index per (track, language); 1 where it is missing.

    Raises:
        QuotaImpossible: outlines, speakers or item numbers run out.
    """
    next_index = dict(first_index)
    plans: list[DialoguePlan] = []
    for cell, count in cells:
        outlines = source.take(cell, count)
        users = choose_users(cell, outlines, speakers, seed, round)
        for outline, user in zip(outlines, users, strict=True):
            place = (cell.task.track, cell.language)
            index = next_index.get(place, 1)
            if index > MAX_INDEX:
                raise QuotaImpossible(
                    f"quotas: more than {MAX_INDEX} items of {cell.task.track} in {cell.language}; "
                    "item ids have four digits, split the quota over several releases"
                )
            next_index[place] = index + 1
            plans.append(_plan(cell, index, round, outline, user, speakers, seed))
    return tuple(plans)


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
    fitting = [_fitting(outline, pool, cell) for outline in outlines]
    # Outlines that fit few choose first; the free ones then even the use out.
    order = sorted(range(len(outlines)), key=lambda place: (outlines[place].user_gender is None, len(fitting[place])))
    for position in order:
        speaker = min(fitting[position], key=lambda one: (used[one.number], pool.index(one)))
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
    if outline.brief is None or speaker.age is None:
        return 0
    bands = list(AgeBand)
    return abs(bands.index(AgeBand.of(outline.brief.persona.age)) - bands.index(speaker.age))


def _rotation(pool: Sequence[Speaker], cell: QuotaCell, seed: int, round: int) -> list[Speaker]:
    """Users in the order a cell takes them: genders alternate, and every cell starts one person further.

    One seeded order per language and split, started by the cell's place among all cells: small
    cells share the work evenly, and changing one quota moves nobody in another cell.
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
    speakers: Sequence[Speaker],
    seed: int,
) -> DialoguePlan:
    plan_id = f"{cell.language}-{cell.task}-{cell.turns}-{cell.split}-{index:04d}"
    assistant = _other(Role.ASSISTANT, cell, speakers, (user,), seed, plan_id)
    third = None
    if cell.task in THIRD_PARTY_TASKS:
        third = _other(Role.THIRD_PARTY, cell, speakers, (user, assistant), seed, plan_id)
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


def _other(
    role: Role,
    cell: QuotaCell,
    speakers: Sequence[Speaker],
    taken: Sequence[Speaker],
    seed: int,
    plan_id: str,
) -> Speaker:
    pool = sorted(
        (s for s in speakers if _belongs(s, cell) and s.role is role and not any(map(s.sounds_like, taken))),
        key=lambda speaker: speaker.number,
    )
    if not pool:
        raise QuotaImpossible(
            f"speech.casting: {cell.language} {cell.split} has no {role} voice besides the other speakers'; "
            "give the engine more voices or change the casting"
        )
    return pool[int(named_generator(seed, plan_id, f"cast-{role}").integers(len(pool)))]


def _belongs(speaker: Speaker, cell: QuotaCell) -> bool:
    return speaker.language is cell.language and speaker.split is cell.split
