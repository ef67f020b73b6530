"""What stands where so far: the growing timeline of one scene, in samples."""

from __future__ import annotations

from dataclasses import dataclass, replace

from data_schemas.foundation.randomness import named_generator
from data_schemas.scene import FloorHold, Placement, SceneEvent, Segment
from data_schemas.tasks import Channel, Part, Role
from generators.scenes.settings import SceneSettings, Timing
from generators.scenes.timing.distributions import DecibelRange, Distribution

_MS_PER_S = 1000
#: Parts that are spoken without taking the floor.
_FLOORLESS = frozenset({Part.BACKCHANNEL, Part.ASIDE})


def to_samples(seconds: float, sample_rate: int) -> int:
    """Seconds to the nearest sample."""
    return round(seconds * sample_rate)


def whole_milliseconds(samples: int, sample_rate: int) -> int:
    """The next sample count that is a whole number of milliseconds.

    Scenes end on one: pydub, with which the challenge cuts files, counts in milliseconds.
    """
    per_ms = sample_rate // _MS_PER_S
    return -(-samples // per_ms) * per_ms


def line_name(number: int) -> str:
    """What the draws for a line of a conversation are named by."""
    return f"line-{number}"


@dataclass(frozen=True)
class Draft:
    """Placements, segments and events so far. Every method returns a new draft or a fact."""

    placements: tuple[Placement, ...] = ()
    segments: tuple[Segment, ...] = ()
    events: tuple[SceneEvent, ...] = ()

    def stop_of(self, part: Part) -> int:
        """Where a line that was already placed ends (as heard)."""
        return max(placement.stop for placement in self.placements if placement.part is part)

    def of_line(self, number: int) -> tuple[Placement, ...]:
        """The placements of a line of the script, in order; none where nothing of it was placed yet."""
        return tuple(placement for placement in self.placements if placement.line == number)

    def line_start(self, number: int) -> int:
        """Where a line that was already placed begins."""
        return self.of_line(number)[0].start

    def line_stop(self, number: int) -> int:
        """Where a line that was already placed ends (as heard)."""
        return self.of_line(number)[-1].stop

    def channel_stop(self, channel: Channel) -> int:
        """Where the last sound of a channel ends; 0 for a channel without any."""
        return max((placement.stop for placement in self.placements if placement.channel is channel), default=0)

    def host(self, part: Part) -> Placement:
        """The placement of a reply that is spoken into: its last one."""
        return [placement for placement in self.placements if placement.part is part][-1]

    def adding(
        self,
        placements: tuple[Placement, ...] = (),
        segments: tuple[Segment, ...] = (),
        events: tuple[SceneEvent, ...] = (),
    ) -> Draft:
        return Draft(self.placements + placements, self.segments + segments, self.events + events)

    def replacing(self, old: Placement, new: Placement) -> Draft:
        return replace(self, placements=tuple(new if each is old else each for each in self.placements))


@dataclass(frozen=True)
class Clock:
    """Draws durations for one scene, each from a generator of its own name."""

    settings: SceneSettings
    seed: int
    plan_id: str
    sample_rate: int

    def samples(self, seconds: float) -> int:
        return to_samples(seconds, self.sample_rate)

    def draw(self, timing: Timing, line: str, repeat: int = 0) -> int:
        """Samples of a duration that a recipe names, drawn for a line (``repeat`` counts its pauses).

        ``line`` names the line: by its part in a sub-task, by `line_name` in a conversation, where parts repeat.
        """
        return self.draw_from(self.settings.timing(timing), f"{timing}/{line}/{repeat}")

    def chance(self, name: str) -> float:
        """Any number of ``[0, 1)`` alike."""
        return float(named_generator(self.seed, self.plan_id, f"scene/{name}").uniform())

    def level_db(self, levels: DecibelRange, name: str) -> float:
        """A level, to the hundredth of a decibel."""
        return round(levels.sample(named_generator(self.seed, self.plan_id, f"scene/{name}")), 2)

    def draw_from(self, distribution: Distribution, name: str) -> int:
        generator = named_generator(self.seed, self.plan_id, f"scene/{name}")
        return self.samples(distribution.sample(generator))


def floor_holds(placements: tuple[Placement, ...]) -> tuple[FloorHold, ...]:
    """Who had the floor when, line by line; see `FloorHold`."""
    turns: dict[int, tuple[int, int, Channel]] = {}
    for each in placements:
        if each.part in _FLOORLESS or each.role is Role.THIRD_PARTY:
            continue
        start, stop, _ = turns.get(each.line, (each.start, each.stop, each.channel))
        turns[each.line] = (min(start, each.start), max(stop, each.stop), each.channel)
    holds: list[FloorHold] = []
    silent_from = 0
    for start, stop, channel in sorted(turns.values()):
        begins = max(start, silent_from)
        if stop > begins:
            holds.append(FloorHold(holder=channel, start=begins, stop=stop))
            silent_from = stop
    return tuple(holds)
