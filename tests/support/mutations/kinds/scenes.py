"""Who speaks when: labels, events and channels against the sound."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import numpy as np

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import INTERRUPTION_TASKS, Role, Task
from tests.support.mutations.kinds.common import (
    BOOKS,
    BOUNDS,
    CLEAN_FILE,
    OTHER_VOICE,
    OTHER_WORDS,
    faded,
    is_scene,
    level,
    one,
)
from tests.support.mutations.planting import Applies, Copy, Kind, Plant, Planted, Row, at
from tests.support.mutations.spots import Spot, sentences, spots

GROUP = "scenes"
SHIFT_S = 0.3

#: more, or less, speech at once than the labels say
_TOGETHER = frozenset({"SCENE.OVERLAP_MISSED", "SCENE.OVERLAP_UNPLANNED"})
#: what no longer fits a label that was moved
_MOVED = (
    OTHER_WORDS
    | _TOGETHER
    | BOUNDS
    | BOOKS
    | CLEAN_FILE
    | {
        "T2.EVENT_PLACE",
        "T2.EVENT_LATENCY",
        "T2.EVENT_MISSING",
        "T2.FLOOR",
        "TIMELINE.USER_OUTSIDE",
        "TIMELINE.ASSISTANT_OUTSIDE",
        "SCENE.SEGMENT_INVENTED",
        "SCENE.NOT_STOPPED",
        "TIMELINE.ASSISTANT_NOT_CUT",
    }
)
_UNHEARD = OTHER_WORDS | _TOGETHER | BOUNDS | CLEAN_FILE | OTHER_VOICE | {
    "TIMELINE.USER_ABSENT",
    "TIMELINE.ASSISTANT_ABSENT",
    "SCENE.EVENT_SILENT",
    "SCENE.SEGMENT_MISSED",
    "AUDIO.SILENT",
    "TIMELINE.FLOOR",
}  # fmt: skip
_SOUNDS_ELSEWHERE = _UNHEARD | {
    "TIMELINE.USER_OUTSIDE",
    "TIMELINE.ASSISTANT_OUTSIDE",
    "SCENE.SEGMENT_INVENTED",
    "SCENE.NOT_STOPPED",
    "TIMELINE.ASSISTANT_NOT_CUT",
    "LANGUAGE.AUDIO",
}


def _user(found: FoundItem) -> tuple[Spot, ...]:
    return tuple(spot for spot in spots(found) if spot.name.startswith("user")) if is_scene(found) else ()


def _assistant(found: FoundItem) -> tuple[Spot, ...]:
    return tuple(spot for spot in spots(found) if spot.name.startswith("assistant")) if is_scene(found) else ()


def _clear(found: FoundItem) -> tuple[Spot, ...]:
    """Dry segments of the user's, at least a second long."""
    return tuple(spot for spot in _user(found) if spot.dry and spot.seconds > 1.0 and found.task is not Task.PAUSE)


def _seconds(spot: Spot, by: float) -> Row:
    """The utterance's bounds, moved."""
    return {"xmin": round(spot.first / RATE + by, 7), "xmax": round(spot.last / RATE + by, 7)}


def _shift_one(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """Later for the last segment, earlier for others: the order stays."""
    spot = one(_clear(found), rng)
    by = SHIFT_S if spot.place == len(_user(found)) - 1 else -SHIFT_S
    copy.edit_labels(found, lambda row: row["speech_segments"][spot.place].update(_seconds(spot, by)))
    return at(found)


def _shift_all(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    by = one((-SHIFT_S, SHIFT_S), rng)

    def move(row: Row) -> None:
        for label, spot in zip(row["speech_segments"], _user(found), strict=True):
            label.update(_seconds(spot, by))

    copy.edit_labels(found, move)
    return at(found)


def _shift_reply(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    spot = _assistant(found)[-1]
    copy.edit_row(found, lambda row: row["assistant_segments"][spot.place].update(_seconds(spot, SHIFT_S)))
    return at(found)


def _silenced(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    spot = one((*_user(found), *_assistant(found)), rng)
    copy.put(spot, np.zeros(spot.last - spot.first))
    return at(found)


def _noise_instead(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """Noise as loud as the speech was, in its rhythm."""
    spot = one(tuple(spot for spot in spots(found) if spot.dry and spot.seconds > 1.0), rng)
    wave = copy.heard(spot)
    copy.put(spot, faded(rng.normal(0.0, level(wave), len(wave))))
    return at(found)


def _unlabelled(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """Another clip's sentence in the tail of the user's channel, where nobody is to speak."""
    free = _user(found)[-1].last + round(1.0 * RATE)
    whole = copy.wave(found.files["user"])
    room = len(whole) - free - round(0.3 * RATE)
    others = [
        spot
        for item in copy.items
        if item.language is found.language and item.split is found.split and item.id != found.id
        for spot in sentences(item)
    ]
    clip = faded(copy.heard(one(others, rng))[:room])
    whole[free : free + len(clip)] += clip
    copy.write_wave(found.files["user"], whole)
    return at(found)


def _exchange_channels(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    user, assistant = copy.wave(found.files["user"]), copy.wave(found.files["assistant"])
    copy.write_wave(found.files["user"], assistant)
    copy.write_wave(found.files["assistant"], user)
    return at(found)


def _third_party(found: FoundItem) -> list[Spot]:
    return [spot for spot in _user(found) if spot.role is Role.THIRD_PARTY]


def _other_side(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """The labels of third party and user say the other order than the sub-task has: before for after."""

    def turn_round(row: Row) -> None:
        first, second = row["speech_segments"][:2]
        first["role"], second["role"] = second["role"], first["role"]
        first["speaker"], second["speaker"] = second["speaker"], first["speaker"]

    copy.edit_labels(found, turn_round)
    return at(found)


def _sound_on_other_side(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """The third party is heard where the user's request is labelled, and the other way round."""
    (aside,) = _third_party(found)
    query = next(spot for spot in _user(found) if spot.role is Role.USER)
    waves = copy.heard(aside), copy.heard(query)
    copy.put(aside, waves[1])
    copy.put(query, waves[0])
    return at(found)


def _third_party_on_assistant(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    (aside,) = _third_party(found)
    wave = copy.heard(aside)
    copy.put(aside, np.zeros(len(wave)))
    other = copy.wave(found.files["assistant"])
    other[aside.first : aside.last] += wave
    copy.write_wave(found.files["assistant"], other)
    return at(found)


def _cut_replies(found: FoundItem) -> list[Spot]:
    return [spot for spot in _assistant(found) if spot.cut]


def _interrupted(found: FoundItem) -> bool:
    return bool(_cut_replies(found))


def _goes_on(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """The assistant speaks on after its cut, in its own voice: the reply's beginning again, until the next label."""
    spot = _cut_replies(found)[0]
    whole = copy.wave(spot.path)
    following = [other.first for other in _assistant(found) if other.first > spot.last]
    stop = min([spot.last + 2 * RATE, *(first - RATE // 10 for first in following)])
    more = copy.heard(spot)[: stop - spot.last]
    whole[spot.last : spot.last + len(more)] = faded(more)
    copy.write_wave(spot.path, whole)
    return at(found)


def _cut_not_labelled(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """The reply goes on over the interruption, and its label with it."""
    spot = _cut_replies(found)[0]
    whole = copy.wave(spot.path)
    following = [other.first for other in _assistant(found) if other.first > spot.last]
    stop = min([spot.last + 2 * RATE, *(first - RATE // 10 for first in following)])
    more = copy.heard(spot)[: stop - spot.last]
    whole[spot.last : spot.last + len(more)] = faded(more)
    copy.write_wave(spot.path, whole)
    end = round((spot.last + len(more)) / RATE, 7)
    copy.edit_row(found, lambda row: row["assistant_segments"][spot.place].update(cut=False, xmax=end))
    return at(found)


def _backchannels(found: FoundItem) -> list[Spot]:
    return [spot for spot in spots(found) if spot.part == "backchannel"] if is_scene(found) else []


def _no_backchannel(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    spot = one(_backchannels(found), rng)
    copy.put(spot, np.zeros(spot.last - spot.first))
    return at(found)


def _no_pause(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """Speech where the pause is: the words before it again."""
    pauses = [event for event in found.row["events"] if event["kind"] == "pause"]  # type: ignore[attr-defined]
    first, last = (round(float(pauses[0][end]) * RATE) for end in ("start", "stop"))
    whole = copy.wave(found.files["user"])
    before = whole[max(0, first - (last - first)) : first]
    spoken = before[np.flatnonzero(np.abs(before) > 0.02)[0] :]
    filled = np.resize(faded(spoken), last - first)
    whole[first:last] = faded(filled)
    copy.write_wave(found.files["user"], whole)
    return at(found)


def _no_break(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    (spot,) = _user(found)
    copy.edit_text(found, spot, spot.text.replace(" [break] ", " ").replace("[break]", ""))
    return at(found)


def _other_clean(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """The clean file of this item holds another item's audio."""
    others = [item for item in copy.items if item.id != found.id and "clean" in item.files and is_scene(item)]
    copy.bring(one(others, rng).files["clean"], found.files["clean"])
    return at(found)


def _has_clean(found: FoundItem) -> bool:
    return is_scene(found) and found.row["clean"] is not None


def _third(found: FoundItem) -> bool:
    return bool(_third_party(found))


def _scene_kind(
    name: str, code: str, plant: Plant, applies: Applies, follows: AbstractSet[str] = frozenset(), cases: int = 3
) -> Kind:
    return Kind(name, GROUP, code, plant, applies, frozenset(follows), cases)


KINDS: tuple[Kind, ...] = (
    _scene_kind("one label 300 ms off", "SCENE.SEGMENT_SHIFTED", _shift_one, lambda f: bool(_clear(f)), _MOVED, 4),
    _scene_kind("all labels of a channel 300 ms off", "SCENE.SEGMENT_SHIFTED", _shift_all,
                lambda f: bool(_clear(f)) and len(_clear(f)) == len(_user(f)), _MOVED, 4),
    _scene_kind("a reply's label 300 ms late", "SCENE.SEGMENT_SHIFTED", _shift_reply, is_scene, _MOVED, 4),
    _scene_kind("labelled segment silent", "SCENE.SEGMENT_MISSED", _silenced, is_scene, _UNHEARD, 4),
    _scene_kind("noise in place of a segment", "SCENE.SEGMENT_MISSED", _noise_instead, is_scene,
                _UNHEARD | {"LANGUAGE.AUDIO", "SOUND.STUCK", "SOUND.CLIPPED"}, 4),
    _scene_kind("speech without a label", "SCENE.SEGMENT_INVENTED", _unlabelled, is_scene,
                CLEAN_FILE | _TOGETHER | {"TIMELINE.USER_OUTSIDE", "TIMELINE.FLOOR"}, 4),
    _scene_kind("channels exchanged", "SCENE.SEGMENT_INVENTED", _exchange_channels, is_scene,
                _SOUNDS_ELSEWHERE | {"T2.PAUSE_LENGTH", "TIMELINE.FLOOR"}, 4),
    _scene_kind("third party labelled on the other side", "T2.SEGMENT_ROLES", _other_side, _third,
                OTHER_VOICE | BOOKS | {"TIMELINE.FLOOR", "T2.LINES", "T2.MICROPHONE"}),
    _scene_kind("third party heard on the other side", "TRANSCRIPT.ERRORS", _sound_on_other_side, _third,
                OTHER_WORDS | OTHER_VOICE | BOUNDS | CLEAN_FILE | _TOGETHER),
    _scene_kind("third party on the assistant's channel", "SCENE.SEGMENT_MISSED", _third_party_on_assistant, _third,
                _SOUNDS_ELSEWHERE | {"TIMELINE.FLOOR"}),
    _scene_kind("interrupted assistant speaks on", "SCENE.NOT_STOPPED", _goes_on, _interrupted,
                _TOGETHER | {"TIMELINE.ASSISTANT_NOT_CUT", "TIMELINE.ASSISTANT_OUTSIDE", "SCENE.SEGMENT_INVENTED",
                 "SCENE.SEGMENT_SHIFTED"}, 4),
    _scene_kind("interruption that does not stop the assistant", "SCENE.NOT_STOPPED", _cut_not_labelled,
                lambda f: _interrupted(f) and f.task in INTERRUPTION_TASKS,
                BOOKS | OTHER_WORDS | _TOGETHER | {"T2.EVENT_LINES", "T2.EVENT_PLACE", "T2.EVENT_MISSING",
                                                   "T2.EVENT_LATENCY", "T2.FLOOR", "T2.LINES"}, 4),
    _scene_kind("backchannel labelled and not there", "SCENE.EVENT_SILENT", _no_backchannel,
                lambda f: bool(_backchannels(f)), _UNHEARD),
    _scene_kind("pause without silence", "T2.PAUSE_LENGTH", _no_pause, lambda f: f.task is Task.PAUSE,
                OTHER_WORDS | {"SOUND.STUCK"}),
    _scene_kind("[break] removed", "T2.PAUSE_BREAK", _no_break, lambda f: f.task is Task.PAUSE,
                BOOKS | OTHER_WORDS | {"TIMELINE.INNER_SILENCE", "T2.EVENT_MISSING"}),
    _scene_kind("clean file with another item's audio", "T2.CLEAN_FILE", _other_clean, _has_clean),
)  # fmt: skip
