"""What placing a line takes, whoever composes: its pieces and their utterances, pauses between them, a cut."""

from __future__ import annotations

from dataclasses import dataclass

from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.plan import DialoguePlan
from data_schemas.scene import EventKind, Placement, SceneEvent
from data_schemas.script import Script
from data_schemas.tasks import Channel, Part, Role
from data_schemas.utterance import Utterance
from generators.scenes.heard import heard_text
from generators.scenes.hesitation import Piece, pieces_of, utterance_ids
from generators.scenes.settings import SceneSettings
from generators.scenes.timeline import Clock, Draft


@dataclass(frozen=True)
class SpokenLine:
    """A line of the script and the utterances that say it, one per piece. ``number`` counts from 1."""

    number: int
    role: Role
    part: Part
    pieces: tuple[Piece, ...]
    utterances: tuple[Utterance, ...]


def spoken_lines(
    plan: DialoguePlan, script: Script, utterances: tuple[Utterance, ...], settings: SceneSettings, seed: int
) -> tuple[SpokenLine, ...]:
    """The script's lines with their utterances, checked by id, number and sample rate.

    Raises:
        ValueError: an utterance is missing, superfluous, out of order or not 16 kHz.
    """
    lines: list[SpokenLine] = []
    wanted: list[str] = []
    for number, line in enumerate(script.lines, start=1):
        pieces = pieces_of(plan.id, number, line, script.language, settings.hesitation, seed)
        own = utterances[len(wanted) : len(wanted) + len(pieces)]
        wanted += utterance_ids(plan.id, number, pieces)
        lines.append(SpokenLine(number=number, role=line.role, part=line.part, pieces=pieces, utterances=own))
    if [utterance.id for utterance in utterances] != wanted:
        raise ValueError(
            f"{plan.id}: script {script.script_id} needs the utterances {', '.join(wanted)}, "
            f"not {', '.join(utterance.id for utterance in utterances)}"
        )
    for utterance in utterances:
        if utterance.sample_rate != SAMPLE_RATE_HZ:
            raise ValueError(f"{utterance.id}: has {utterance.sample_rate} Hz and scenes have {SAMPLE_RATE_HZ} Hz")
    return tuple(lines)


def channel_of(role: Role) -> Channel:
    """Third-party speech reaches the user's microphone."""
    return Channel.ASSISTANT if role is Role.ASSISTANT else Channel.USER


def line_samples(line: SpokenLine, name: str, clock: Clock) -> int:
    """How long a line is with its pauses, wherever it is placed."""
    return place_pieces(Draft(), line, channel_of(line.role), 0, 0.0, clock, name).line_stop(line.number)


def place_pieces(
    draft: Draft, line: SpokenLine, channel: Channel, start: int, level_db: float, clock: Clock, name: str
) -> Draft:
    """A line's pieces one after the other from ``start``; an event per pause and per filler.

    ``name`` is what the line's draws are named by; its pauses and seams count from 1.
    """
    placements: list[Placement] = []
    events: list[SceneEvent] = []
    position, pauses, seams = start, 0, 0
    for piece, utterance in zip(line.pieces, line.utterances, strict=True):
        if piece.after == "break":
            pauses += 1
            resume = position + clock.draw("pause", name, pauses)
            events.append(
                SceneEvent(kind=EventKind.PAUSE, channel=channel, start=position, stop=resume, line=line.number)
            )
            position = resume
        elif piece.after == "seam":
            seams += 1
            position += clock.draw_from(clock.settings.hesitation.seam, f"seam/{name}/{seams}")
        stop = position + utterance.num_samples
        placements.append(
            Placement(
                utterance_id=utterance.id,
                line=line.number,
                channel=channel,
                role=line.role,
                part=line.part,
                start=position,
                stop=stop,
                gain_db=level_db,
                planned_text=utterance.text,
                heard_text=utterance.text,
            )
        )
        if piece.kind == "filler":
            events.append(
                SceneEvent(kind=EventKind.FILLER, channel=channel, start=position, stop=stop, line=line.number)
            )
        position = stop
    return draft.adding(tuple(placements), events=tuple(events))


def cut_short(
    draft: Draft,
    host: Placement,
    utterance: Utterance,
    by_line: int,
    start: int,
    latency: int,
    clock: Clock,
    kind: EventKind = EventKind.ASSISTANT_STOP,
) -> Draft:
    """``host`` goes on for ``latency`` samples after ``start``, fades at the end of them, and is silent.

    Args:
        utterance: what ``host`` says, for the words that were still heard.
        by_line: number of the line that makes it stop.
    """
    fade = clock.samples(clock.settings.fade_out_ms / 1000.0)
    silent = start + latency
    cut = Placement.model_validate(
        {
            **host.model_dump(),
            "stop": silent,
            "fade_out": fade,
            "cut": True,
            "heard_text": heard_text(utterance, silent - fade - host.start),
        }
    )
    stop = SceneEvent(
        kind=kind,
        channel=host.channel,
        start=silent - fade,
        stop=silent,
        line=host.line,
        target=by_line,
        latency=latency,
    )
    return draft.replacing(host, cut).adding(events=(stop,))
