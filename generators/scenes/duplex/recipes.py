"""The ten full-duplex folders, each as a short description that one composer reads.

A recipe lists the lines of its script (`data_schemas.tasks.LINES_OF_TASK`) in speaking order
and says when each starts: `Say` takes the floor after something has ended, `Intrude` speaks
into an assistant's reply. All durations are names of `SceneSettings` fields. To add a
sub-task, add its lines to ``LINES_OF_TASK`` and its recipe here.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

from data_schemas.foundation.base import Record
from data_schemas.scene import EventKind
from data_schemas.tasks import INTERRUPTION_TASKS, Channel, Part, Role, Task
from generators.scenes.settings import Timing

#: Which setting holds the levels of a role that is not at full level.
Level = Literal["third_party_level"]


class _Step(Record):
    """A line of the script."""

    role: Role
    part: Part
    level: Level | None = None  # None: as loud as it was spoken
    event: EventKind | None = None  # recorded over the whole line

    @property
    def channel(self) -> Channel:
        """Third-party speech reaches the user's microphone."""
        return Channel.ASSISTANT if self.role is Role.ASSISTANT else Channel.USER


class Say(_Step):
    """A line that starts ``gap`` after the end of the line ``after`` (None: of nothing)."""

    after: Part | None
    gap: Timing


class Intrude(_Step):
    """A line spoken while the reply ``into`` sounds, ``delay`` after the end of ``counted_from``.

    ``cuts`` silences the reply after the assistant's stop latency; otherwise the reply goes on
    over it. ``at_phrase_end`` moves the line to the nearest end of a phrase of the reply.
    """

    into: Part
    counted_from: Part
    delay: Timing = "query_to_event"
    cuts: bool = False
    at_phrase_end: bool = False


Step = Say | Intrude


#: The challenge's ``clean_<id>.wav`` (FORMATS.md B.4): segment 0 alone in silence; or the first
#: segment cut out and the third muted, so that the second request stands alone; or no such file.
CleanFile = Literal["first_segment", "second_segment"]


class Recipe(Record):
    """The lines of a sub-task in speaking order, and which clean file goes with it."""

    steps: tuple[Step, ...]
    clean: CleanFile | None = None


_QUERY = Say(role=Role.USER, part=Part.QUERY, after=None, gap="leading_silence")
_REPLY = Say(role=Role.ASSISTANT, part=Part.REPLY, after=Part.QUERY, gap="floor_transfer")

INTERRUPTION = Recipe(
    clean="first_segment",
    steps=(
        _QUERY,
        _REPLY,
        Intrude(
            role=Role.USER,
            part=Part.INTERRUPTION,
            into=Part.REPLY,
            counted_from=Part.QUERY,
            cuts=True,
            event=EventKind.BARGE_IN,
        ),
        Say(role=Role.ASSISTANT, part=Part.SECOND_REPLY, after=Part.INTERRUPTION, gap="floor_transfer"),
    ),
)

BACKCHANNEL = Recipe(
    clean="first_segment",
    steps=(
        _QUERY,
        _REPLY,
        Intrude(
            role=Role.USER,
            part=Part.BACKCHANNEL,
            into=Part.REPLY,
            counted_from=Part.QUERY,
            at_phrase_end=True,
            event=EventKind.BACKCHANNEL,
        ),
    ),
)

#: The pauses themselves stand in the query as ``[break]``.
PAUSE = Recipe(steps=(_QUERY, _REPLY))

THIRD_PARTY_BEFORE = Recipe(
    steps=(
        Say(
            role=Role.THIRD_PARTY,
            part=Part.ASIDE,
            after=None,
            gap="leading_silence",
            level="third_party_level",
            event=EventKind.THIRD_PARTY,
        ),
        Say(role=Role.USER, part=Part.QUERY, after=Part.ASIDE, gap="third_party_gap"),
        _REPLY,
    )
)

THIRD_PARTY_AFTER = Recipe(
    clean="first_segment",
    steps=(
        _QUERY,
        _REPLY,
        Intrude(
            role=Role.THIRD_PARTY,
            part=Part.ASIDE,
            into=Part.REPLY,
            counted_from=Part.QUERY,
            level="third_party_level",
            event=EventKind.THIRD_PARTY,
        ),
    ),
)

SPEECH_TO_OTHERS = Recipe(
    clean="second_segment",
    steps=(
        _QUERY,
        _REPLY,
        Say(role=Role.USER, part=Part.SECOND_QUERY, after=Part.REPLY, gap="floor_transfer"),
        Say(role=Role.ASSISTANT, part=Part.SECOND_REPLY, after=Part.SECOND_QUERY, gap="floor_transfer"),
        Intrude(
            role=Role.USER,
            part=Part.ASIDE,
            into=Part.SECOND_REPLY,
            counted_from=Part.SECOND_QUERY,
            event=EventKind.ASIDE,
        ),
    ),
)

RECIPES = MappingProxyType(
    {
        **dict.fromkeys(sorted(INTERRUPTION_TASKS), INTERRUPTION),
        Task.BACKCHANNEL: BACKCHANNEL,
        Task.PAUSE: PAUSE,
        Task.THIRD_PARTY_BEFORE: THIRD_PARTY_BEFORE,
        Task.THIRD_PARTY_AFTER: THIRD_PARTY_AFTER,
        Task.SPEECH_TO_OTHERS: SPEECH_TO_OTHERS,
    }
)
