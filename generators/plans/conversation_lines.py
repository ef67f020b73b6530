"""The line order of a conversation: who takes the floor how, and who lets hear that they listen.

Each share is met exactly in every `generators.plans.walks.BLOCK` outlines of a place, turn by turn.
"""

from __future__ import annotations

from data_schemas.conversation import PlannedLine
from data_schemas.tasks import TURNS_OF_TASK, Part, Role, Task
from generators.plans.settings import PlanningSettings
from generators.plans.walks import Walks

#: Share of the replies with a backchannel in which a second one follows (CHOICE); never in a reply that is cut.
SECOND_BACKCHANNEL_SHARE = 0.25

_QUERY = PlannedLine(role=Role.USER, part=Part.QUERY)
_INTERRUPTION = PlannedLine(role=Role.USER, part=Part.INTERRUPTION)
_REPLY = PlannedLine(role=Role.ASSISTANT, part=Part.REPLY)
_USER_BACKCHANNEL = PlannedLine(role=Role.USER, part=Part.BACKCHANNEL)
_ASSISTANT_BACKCHANNEL = PlannedLine(role=Role.ASSISTANT, part=Part.BACKCHANNEL)


def draw_lines(
    turns: int, planning: PlanningSettings, walks: Walks, walk: str, ordinal: int
) -> tuple[PlannedLine, ...]:
    """Lines that keep `data_schemas.conversation.check_conversation`, with ``turns`` turns of the user.

    The first turn is a query. The assistant backchannels into queries only: interruptions are too short for it.

    Args:
        walk: the name of the place, e.g. ``conversation/zh/3``; with ``ordinal`` it names every draw.

    Raises:
        ValueError: a conversation cannot have so many turns.
    """
    if turns not in TURNS_OF_TASK[Task.CONVERSATION]:
        raise ValueError(f"a conversation has {TURNS_OF_TASK[Task.CONVERSATION]} turns of the user, not {turns}")

    def falls(what: str, turn: int, share: float) -> bool:
        return walks.portion(share, f"{walk}/{what}-{turn}", ordinal).inside

    barges = [turn > 1 and falls("barge-in", turn, planning.barge_in_share) for turn in range(1, turns + 1)]
    lines: list[PlannedLine] = []
    for turn, barges_in in enumerate(barges, start=1):
        lines.append(_INTERRUPTION if barges_in else _QUERY)
        if not barges_in and falls("assistant-backchannel", turn, planning.assistant_backchannel_share):
            lines.append(_ASSISTANT_BACKCHANNEL)
        lines.append(_REPLY)
        if falls("user-backchannel", turn, planning.user_backchannel_share):
            is_cut = turn < turns and barges[turn]
            twice = not is_cut and falls("second-backchannel", turn, SECOND_BACKCHANNEL_SHARE)
            lines += [_USER_BACKCHANNEL] * (2 if twice else 1)
    return tuple(lines)
