"""The ``scripts.llm.planning`` section: what dialogues are about."""

from __future__ import annotations

from pydantic import Field

from data_schemas.foundation.base import Record


class PlanningSettings(Record):
    """Which part of the catalogue is used, and in which shares."""

    #: ids of the catalogue's domains; empty = all
    domains: tuple[str, ...] = ()
    #: share of the emotional dialogues that are about people (friendship, family, workplace, doctor and patient)
    theme_share: float = Field(default=0.6, ge=0.0, le=1.0)
    #: share of recognition items whose words say another emotion than the voice
    conflict_share: float = Field(default=0.2, ge=0.0, le=1.0)
    #: share of a conversation's later turns in which the user barges into the reply instead of waiting for its end.
    #: CHOICE: people seldom cut each other off; this is for training on what is hard
    barge_in_share: float = Field(default=0.35, ge=0.0, le=1.0)
    #: share of a conversation's replies that the user backchannels into, and of the user's queries that the assistant
    #: does. CHOICE: free talk has about 1000 backchannels per hour of speech (CANDOR 2023), nearly three in a reply
    #: of ten seconds; talk about a task has far fewer, and an assistant that hums along soon tires
    user_backchannel_share: float = Field(default=0.4, ge=0.0, le=1.0)
    assistant_backchannel_share: float = Field(default=0.2, ge=0.0, le=1.0)
    #: a catalogue directory of your own with zh.yaml and en.yaml, instead of the shipped one; relative to the
    #: configuration
    catalogue: str | None = None
