"""The timing of full-duplex scenes: every number a scene is made from, with its source.

``fit()`` of a later release replaces any of the distributions from a real corpus; until then
these are the defaults of DESIGN.md "Full duplex" and FORMATS.md B.6.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from data_schemas.foundation.base import Record
from generators.scenes.conversation.settings import ConversationSettings
from generators.scenes.hesitation import HesitationSettings
from generators.scenes.microphone.settings import MicrophoneSettings
from generators.scenes.timing.distributions import DecibelRange, Distribution, Fixed, LogNormal, Uniform

#: User pieces up to this far apart are merged by the challenge's get_timing.py (FORMATS.md B.6):
#: annotated segments must lie farther apart, and a pause must be longer.
USER_MERGE_GAP_S = 0.6
#: What is said to be above a bound is above it by a millisecond: less could round to the same sample.
LEAST_S = 0.001
#: The shortest tail after the last segment that FORMATS.md B.6 accepts.
MIN_TAIL_S = 5.0

#: Names of the distributions a recipe may draw from.
Timing = Literal["leading_silence", "floor_transfer", "query_to_event", "pause", "third_party_gap"]


class SceneSettings(Record):
    """The ``scenes`` section of a configuration. Durations are seconds, levels are decibels."""

    #: silence before the first word (CHOICE: the sample row of FORMATS.md B.2 begins at 0.52 s)
    leading_silence: Distribution = Uniform(low_s=0.3, high_s=0.8)
    #: from the end of one party's turn to the start of the other's: log-normal, median 250 ms,
    #: sigma 0.7 (DESIGN.md; Heldner & Edlund 2010). Truncated: an assistant answers within 2 s.
    floor_transfer: Distribution = LogNormal(median_s=0.25, sigma=0.7, low_s=0.05, high_s=2.0)
    #: from the end of the user's request to whatever happens during the reply: 4 to 8 s with the
    #: mode at 5 s (FORMATS.md B.6 and B.7); 5.2 * exp(-0.2 ** 2) = 5.0
    query_to_event: Distribution = LogNormal(median_s=5.2, sigma=0.2, low_s=4.0, high_s=8.0)
    #: from the start of an interruption to the assistant's silence, fade included (DESIGN.md)
    stop_latency: Distribution = Uniform(low_s=0.2, high_s=0.64)
    #: silence at a ``[break]`` (FORMATS.md B.6)
    pause: Distribution = Uniform(low_s=1.0, high_s=3.0)
    #: from the end of third-party speech to the user's request (FORMATS.md B.6)
    third_party_gap: Distribution = Uniform(low_s=1.0, high_s=3.0)
    #: user channel after the last segment (FORMATS.md B.6: at least 10 s, B.7: about 10 s)
    tail: Distribution = Fixed(value_s=10.0)
    #: the assistant's last word is followed by at least this much (CHOICE)
    closing_silence_s: float = Field(default=0.5, ge=0.0)

    #: raised-cosine fade at the end of a cut reply: long enough not to click (CHOICE)
    fade_out_ms: float = Field(default=40.0, ge=0.0)
    #: annotated segments lie at least this far apart; more than 0.6 s or the consumer fuses them
    min_segment_gap_s: float = Field(default=0.65, ge=USER_MERGE_GAP_S + LEAST_S)
    #: nothing happens during a reply before this much of it was heard. CHOICE, above the 700 ms
    #: of speech that precede a backchannel (Ward & Tsukahara 2000)
    min_reply_heard_s: float = Field(default=1.0, ge=LEAST_S)
    #: an interruption cuts at least this much of the reply, else it interrupts nothing (CHOICE)
    min_reply_unheard_s: float = Field(default=0.4, ge=LEAST_S)
    #: after a backchannel, an aside or a third party the same reply goes on this long (CHOICE)
    min_reply_rest_s: float = Field(default=0.5, gt=0.0)
    #: how far a backchannel may move to fall on the end of a phrase of the reply, where people put
    #: them (Ward & Tsukahara 2000); 0 leaves it where it was drawn (CHOICE)
    phrase_reach_s: float = Field(default=1.0, ge=0.0)
    #: level of third-party speech at the microphone against the user's: inverse distance law for a bystander at
    #: 1.4 to 2.8 m and a user at 0.7 m, 20 * log10(0.7 / 2.8) = -12 dB
    third_party_level: DecibelRange = DecibelRange(low_db=-12.0, high_db=-6.0)

    hesitation: HesitationSettings = HesitationSettings()
    conversation: ConversationSettings = ConversationSettings()
    microphone: MicrophoneSettings = MicrophoneSettings()

    @model_validator(mode="after")
    def _rules_of_the_format(self) -> Self:
        for name in ("query_to_event", "pause", "third_party_gap"):
            lower_s = getattr(self, name).lower_s
            if lower_s < USER_MERGE_GAP_S + LEAST_S:
                raise ValueError(
                    f"{name} may fall to {lower_s} s; the challenge's scripts merge speech that is up "
                    f"to {USER_MERGE_GAP_S} s apart, so start it above that"
                )
        if self.tail.lower_s < MIN_TAIL_S:
            raise ValueError(f"tail must be at least {MIN_TAIL_S} s: a system under test answers in it")
        if self.third_party_level.high_db > 0.0:
            raise ValueError("third_party_level must not be above 0 dB: the user is nearer to the microphone")
        if self.stop_latency.lower_s < LEAST_S:
            raise ValueError("stop_latency must be at least 0.001 s: nobody stops before being interrupted")
        if self.fade_out_ms / 1000.0 > self.stop_latency.lower_s:
            raise ValueError("fade_out_ms must not be longer than the shortest stop_latency")
        return self

    def timing(self, name: Timing) -> Distribution:
        """The distribution a recipe names."""
        distribution: Distribution = getattr(self, name)
        return distribution
