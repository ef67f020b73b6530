"""The ``scenes.conversation`` section: how multi-turn conversations overlap."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from data_schemas.foundation.base import Record
from generators.scenes.timing.distributions import Distribution, LogNormal, Uniform
from generators.scenes.timing.floor import MERGE_GAP_S


class ConversationSettings(Record):
    """Timing of conversations beyond the test format. Durations are seconds, between the ends of utterances.

    Gaps are ``scenes.floor_transfer`` and stop latencies ``scenes.stop_latency``; the rules are the same
    for both parties. Joint speech that is heard is shorter than an overlap by the two utterances'
    silent edges (``speech.edge_silence_ms``), as gaps are longer by them.
    """

    #: of the turns that neither barge in nor talk over, this share begins before the one before them has
    #: ended (DESIGN.md "Full duplex")
    overlap_share: float = Field(default=0.35, ge=0.0, le=1.0)
    #: how long before: log-normal, median 205 ms, sigma 0.77 (DESIGN.md; Levinson & Torreira 2015). Truncated
    #: to 0.05 to 1 s, which keeps 95 % of it: what is longer counts as talking over (CHOICE)
    overlap: Distribution = LogNormal(median_s=0.205, sigma=0.77, low_s=0.05, high_s=1.0)
    #: no turn is overlapped, and none overlaps, for more than this part of its own length (CHOICE)
    max_overlap_part: float = Field(default=0.5, gt=0.0, lt=1.0)
    #: a turn is heard for at least this long before the next may begin (CHOICE: a syllable)
    min_alone_s: float = Field(default=0.2, ge=0.0)

    #: from the start of a reply to the user's interruption. CHOICE: late enough that the reply says something,
    #: early enough that most of it is cut; the test format has 4 to 8 s after the request instead
    barge_in: Distribution = LogNormal(median_s=2.5, sigma=0.5, low_s=1.0, high_s=8.0)

    #: speech of the other party that a backchannel's cue comes after (Ward & Tsukahara 2000)
    backchannel_after_speech_s: float = Field(default=0.7, ge=0.0)
    #: silence of the listener since the last backchannel (Ward & Tsukahara 2000)
    backchannel_refractory_s: float = Field(default=0.8, ge=0.0)
    #: from the end of a phrase of the other's to the backchannel. CHOICE, at most the 0.7 s that Ward & Tsukahara
    #: (2000) wait after their cue, which lies inside the phrase
    backchannel_delay: Distribution = LogNormal(median_s=0.2, sigma=0.5, low_s=0.05, high_s=0.7)
    #: after a backchannel the other party goes on for at least this long, else it would be a turn (CHOICE)
    backchannel_rest_s: float = Field(default=0.2, gt=0.0)

    #: share of the user's turns that the assistant talks over (CHOICE: rare, and enough to learn from)
    talk_over_share: float = Field(default=0.1, ge=0.0, le=1.0)
    #: how long before the user's end the assistant then begins (CHOICE: beyond any ordinary overlap)
    talk_over: Distribution = Uniform(low_s=1.2, high_s=2.5)
    #: share of the talked-over users who give way, after a stop latency; the others go on to their end (CHOICE)
    user_yields_share: float = Field(default=0.3, ge=0.0, le=1.0)

    #: silence between two lines of the same party: more than the 0.18 s up to which they would be one
    #: utterance (`generators.scenes.timing.floor.MERGE_GAP_S`)
    own_channel_gap_s: float = Field(default=0.2, gt=MERGE_GAP_S)
    #: after the last word (CHOICE: nobody is tested in it, so it is short)
    tail: Distribution = Uniform(low_s=0.5, high_s=1.5)

    @model_validator(mode="after")
    def _rules(self) -> Self:
        if self.overlap.lower_s <= 0.0:
            raise ValueError("overlap must be above 0 s: what begins at the end of a turn does not overlap it")
        if self.talk_over.lower_s <= self.overlap.upper_s:
            raise ValueError(
                f"talk_over may fall to {self.talk_over.lower_s} s and overlap rise to {self.overlap.upper_s} s; "
                f"keep talk_over above overlap, or the two cannot be told apart"
            )
        if self.backchannel_refractory_s < self.own_channel_gap_s:
            raise ValueError(
                f"backchannel_refractory_s {self.backchannel_refractory_s} must be at least own_channel_gap_s "
                f"{self.own_channel_gap_s}: backchannels are lines of the same party too"
            )
        return self
