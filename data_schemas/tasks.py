"""Tracks, tasks, languages, splits and roles: names that never carry a layout's numbering."""

from __future__ import annotations

from enum import StrEnum


class Track(StrEnum):
    EMOTION = "track1"
    DUPLEX = "track2"


class Language(StrEnum):
    ZH = "zh"
    EN = "en"


class Split(StrEnum):
    TRAIN = "train"
    DEV = "dev"


class Role(StrEnum):
    USER = "user"
    ASSISTANT = "assistant"
    THIRD_PARTY = "third_party"


class Channel(StrEnum):
    """The two channels every scene has; third-party speech reaches the user's microphone."""

    USER = "user"
    ASSISTANT = "assistant"


class Task(StrEnum):
    # Track 1
    RECOGNITION = "recognition"
    TRAJECTORY = "trajectory"
    REASONING = "reasoning"
    EMPATHY = "empathy"
    # Track 2
    FOLLOW_UP = "follow_up"
    NEGATION = "negation"
    REPETITION = "repetition"
    TOPIC_SWITCH = "topic_switch"
    SILENCE = "silence"
    BACKCHANNEL = "backchannel"
    PAUSE = "pause"
    THIRD_PARTY_BEFORE = "third_party_before"
    THIRD_PARTY_AFTER = "third_party_after"
    SPEECH_TO_OTHERS = "speech_to_others"
    # full duplex beyond the test format: for training
    CONVERSATION = "conversation"

    @property
    def track(self) -> Track:
        return Track.EMOTION if self in TRACK1_TASKS else Track.DUPLEX


TRACK1_TASKS: frozenset[Task] = frozenset({Task.RECOGNITION, Task.TRAJECTORY, Task.REASONING, Task.EMPATHY})
TRACK2_TASKS: tuple[Task, ...] = tuple(task for task in Task if task not in TRACK1_TASKS)
#: The challenge's full-duplex folders, each with a fixed list of lines.
SUB_TASKS: tuple[Task, ...] = tuple(task for task in TRACK2_TASKS if task is not Task.CONVERSATION)
INTERRUPTION_TASKS: frozenset[Task] = frozenset(
    {Task.FOLLOW_UP, Task.NEGATION, Task.REPETITION, Task.TOPIC_SWITCH, Task.SILENCE}
)


class Part(StrEnum):
    """What a line of a full-duplex script is for."""

    QUERY = "query"
    REPLY = "reply"
    INTERRUPTION = "interruption"
    BACKCHANNEL = "backchannel"
    SECOND_QUERY = "second_query"
    SECOND_REPLY = "second_reply"
    ASIDE = "aside"


#: Which (role, part) lines a script of each of the challenge's sub-tasks must have, in speaking order. Those of a
#: conversation follow the rules of `data_schemas.conversation`.
LINES_OF_TASK: dict[Task, tuple[tuple[Role, Part], ...]] = {
    **dict.fromkeys(
        sorted(INTERRUPTION_TASKS),
        (
            (Role.USER, Part.QUERY),
            (Role.ASSISTANT, Part.REPLY),
            (Role.USER, Part.INTERRUPTION),
            (Role.ASSISTANT, Part.SECOND_REPLY),
        ),
    ),
    Task.BACKCHANNEL: (
        (Role.USER, Part.QUERY),
        (Role.ASSISTANT, Part.REPLY),
        (Role.USER, Part.BACKCHANNEL),
    ),
    Task.PAUSE: ((Role.USER, Part.QUERY), (Role.ASSISTANT, Part.REPLY)),
    Task.THIRD_PARTY_BEFORE: (
        (Role.THIRD_PARTY, Part.ASIDE),
        (Role.USER, Part.QUERY),
        (Role.ASSISTANT, Part.REPLY),
    ),
    Task.THIRD_PARTY_AFTER: (
        (Role.USER, Part.QUERY),
        (Role.ASSISTANT, Part.REPLY),
        (Role.THIRD_PARTY, Part.ASIDE),
    ),
    Task.SPEECH_TO_OTHERS: (
        (Role.USER, Part.QUERY),
        (Role.ASSISTANT, Part.REPLY),
        (Role.USER, Part.SECOND_QUERY),
        (Role.ASSISTANT, Part.SECOND_REPLY),
        (Role.USER, Part.ASIDE),
    ),
}

#: How many turns an item may have: of the user in Track 1 (FORMATS.md A.2), and of the user in a conversation
#: (CHOICE). The challenge's full-duplex items count as one.
TURNS_OF_TASK: dict[Task, tuple[int, ...]] = {
    Task.RECOGNITION: (1,),
    Task.TRAJECTORY: (3, 4, 5),
    Task.REASONING: (3, 4, 5),
    Task.EMPATHY: (3, 4, 5),
    Task.CONVERSATION: (2, 3, 4, 5, 6),
}
