"""FORMATS.md part B, written down a second time: what a published full-duplex sample must be.

Independent on purpose: nothing here comes from our generators, validators or records. The input is what a stranger
finds on disk (file names, a manifest row, ``sentence.json``, 16-bit samples); the output is a list of sentences, one
per broken rule, empty for a sound sample.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Pcm = npt.NDArray[np.int16]

#: B.1: what eval.py and get_timing.py take as an id.
ID = re.compile(r"[0-9]{4}_[0-9]{4}(_add)?")
#: B.1: where the folders lie.
HOME = re.compile(r"track2/(zh|en)/(train|dev)")
#: B.3: how a pause stands in the text.
BREAK = " [break] "
#: B.6: get_timing.py merges user pieces up to this far apart.
MERGE_S = 0.6
#: B.6: the shortest tail after the last segment "at the very least".
LEAST_TAIL_S = 5.0
_MS_PER_S = 1000


@dataclass(frozen=True)
class Folder:
    """A line of the table in B.3, and its clean file in B.4. Numbers are indices of segments."""

    segments: int  # exactly so many where ``exact``, else at least
    exact: bool
    roles: tuple[str, ...]
    measured: int  # from the end of this one the first response is measured
    event: int | None = None  # happens during a reply ...
    counted_from: int = 0  # ... this long after the end of that one
    resumes: bool = False  # the assistant talks on
    clean: Literal["first", "cut"] | None = None


_INTERRUPTION = Folder(2, False, ("user", "user"), measured=0, event=1, clean="first")

FOLDERS: Mapping[str, Folder] = {
    "Follow-up_Questions": _INTERRUPTION,
    "Negation_Dissatisfaction": _INTERRUPTION,
    "Repetition_Requests": _INTERRUPTION,
    "Topic_Switching": _INTERRUPTION,
    "Silence_Termination": _INTERRUPTION,
    "User_Real-time_Backchannels": Folder(2, False, ("user", "user"), 0, event=1, resumes=True, clean="first"),
    "Pause_Handling": Folder(1, True, ("user",), measured=0),
    "Third-party_Speech_after": Folder(2, False, ("user", "third_party"), 0, event=1, resumes=True, clean="first"),
    "Third-party_Speech_before": Folder(2, False, ("third_party", "user"), measured=1),
    "Speech_Directe_at_Others": Folder(
        3, True, ("user", "user", "user"), 0, event=2, counted_from=1, resumes=True, clean="cut"
    ),
}


@dataclass(frozen=True)
class Published:
    """One sample as it lies in a release; paths count from the release's root."""

    home: str  # track2/zh/dev
    folder: str
    paths: frozenset[str]
    row: Mapping[str, Any]
    sentence: Mapping[str, Any]
    user: Pcm
    assistant: npt.NDArray[Any]  # only its length is looked at
    clean: Pcm | None
    rate: int


@dataclass(frozen=True)
class Choices:
    """What FORMATS.md B.6 calls CHOICE, with its numbers; a configuration may have others. Seconds.

    ``replies`` has the whole length of each assistant line by its number, uncut: without it nobody can tell whether
    an event came early because the reply was too short for it.
    """

    event_after: tuple[float, float] = (4.0, 8.0)
    third_party_gap: tuple[float, float] = (1.0, 3.0)
    pause: tuple[float, float] = (1.0, 3.0)
    tail: float = 10.0
    #: documented bounds of our composer, which may move an event out of ``event_after``
    least_heard: float = 1.0
    least_unheard: float = 0.4
    least_rest: float = 0.5
    least_gap: float = 0.65
    replies: Mapping[int, float] | None = None
    #: nothing but speech is on the user's channel
    dry: bool = True


def broken_rules(sample: Published, choices: Choices | None = None) -> list[str]:
    """Every rule of FORMATS.md B that the sample breaks, as sentences."""
    return list(_broken(sample, choices or Choices()))


def _broken(sample: Published, choices: Choices) -> Iterator[str]:
    folder = FOLDERS.get(sample.folder)
    if folder is None:
        yield f"B.3: no folder is called {sample.folder}"
        return
    yield from _names(sample, folder)
    fields = list(_fields(sample))
    yield from fields
    if fields:
        return  # the rest would stumble over them
    counts = list(_meanings(sample, folder))
    yield from counts
    if counts:
        return
    yield from _clean(sample, folder)
    yield from _distances(sample, choices)
    yield from _silences(sample, choices)
    yield from _replies(sample, folder, choices)


def _names(sample: Published, folder: Folder) -> Iterator[str]:
    """B.1 and B.5: ids, and which files there are."""
    name = str(sample.row.get("id", ""))
    if not HOME.fullmatch(sample.home):
        yield f"B.1: {sample.home} is no track2/<language>/<split>"
    if not ID.fullmatch(name):
        yield f"B.1: the scripts do not take the id {name!r}"
    inside = f"{sample.home}/{sample.folder}/"
    wanted = {f"{inside}{name}.wav", f"{inside}{name}_sentence.json"}
    if folder.clean:
        wanted.add(f"{inside}clean_{name}.wav")
    have = {path for path in sample.paths if path.startswith(inside)}
    for path in sorted(wanted - have):
        yield f"B.1: {path} is missing"
    for path in sorted(have - wanted):
        yield f"B.1: {path} does not belong into the folder the scripts list"
    for path in sorted(sample.paths - have):
        if not path.startswith(f"{sample.home}/{sample.folder}_"):
            yield f"B.1: {path} lies outside the sub-task's folders"
    for key, path in (("wav", f"{name}.wav"), ("sentence", f"{name}_sentence.json")):
        if sample.row.get(key) != f"{sample.folder}/{path}":
            yield f"B.1: the row calls its {key} {sample.row.get(key)!r}"
    if bool(sample.row.get("clean")) != bool(folder.clean):
        yield f"B.4: the row says clean={sample.row.get('clean')!r}"
    if sample.row.get("language") != sample.home.split("/")[1]:
        yield "B.1: the row's language is not that of its directory"


def _fields(sample: Published) -> Iterator[str]:
    """B.2: the two keys of sentence.json."""
    duration, segments = sample.sentence.get("final_duration"), sample.sentence.get("speech_segments")
    if not isinstance(duration, float) or not math.isfinite(duration):
        yield f"B.2: final_duration is {duration!r}"
        return
    if not isinstance(segments, list) or not segments:
        yield "B.2: speech_segments is no list of segments"
        return
    for channel, samples in (("user", sample.user), ("assistant", sample.assistant)):
        if samples.ndim != 1:
            yield f"B.6: the {channel}'s wav is not mono"
            return
        if len(samples) != _at(duration, sample.rate) or abs(duration * sample.rate - len(samples)) > 1e-3:
            yield f"B.2: final_duration {duration} s is not the {channel}'s {len(samples)} samples"
    previous = 0.0
    for place, segment in enumerate(segments):
        low, high, text = segment.get("xmin"), segment.get("xmax"), segment.get("text")
        if not isinstance(low, float) or not isinstance(high, float):
            yield f"B.2: segment {place} has xmin {low!r} and xmax {high!r}"
            return
        if not previous <= low < high <= duration:
            yield f"B.2: segment {place} is [{low}, {high}] after {previous} in {duration} s"
        if not isinstance(text, str) or not text.strip():
            yield f"B.2: segment {place} has no text"
        previous = high
    if sample.row.get("speech_segments") != segments or sample.row.get("final_duration") != duration:
        yield "B.2: the manifest row and sentence.json disagree"


def _meanings(sample: Published, folder: Folder) -> Iterator[str]:
    """B.3: how many segments there are and who speaks them."""
    segments = sample.sentence["speech_segments"]
    if len(segments) < folder.segments or (folder.exact and len(segments) > folder.segments):
        bound = "exactly" if folder.exact else "at least"
        yield f"B.3: {sample.folder} has {len(segments)} segments instead of {bound} {folder.segments}"
        return
    for place, role in enumerate(folder.roles):
        if segments[place].get("role") != role:
            yield f"B.3: segment {place} is the {role}'s, not the {segments[place].get('role')}'s"
    people = {segment.get("role"): segment.get("speaker") for segment in segments}
    if len(set(people.values())) != len(people):
        yield "B.3: the third party is the user"
    breaks = [segment["text"].count("[break]") for segment in segments]
    if sample.folder == "Pause_Handling":
        if not breaks[0] or segments[0]["text"].count(BREAK) != breaks[0]:
            yield f"B.3: a pause is shown as ' [break] ' and the text is {segments[0]['text']!r}"
    elif any(breaks):
        yield "B.3: only Pause_Handling shows pauses"


def _clean(sample: Published, folder: Folder) -> Iterator[str]:
    """B.4: the clean file, byte for byte."""
    match folder.clean:
        case None:
            if sample.clean is not None:
                yield f"B.4: {sample.folder} has no clean file"
            return
        case "first":
            wanted = clean_first_segment(sample)
        case "cut":
            wanted = clean_second_request(sample)
    if sample.clean is None:
        yield f"B.4: {sample.folder} has a clean file"
    elif sample.clean.shape != wanted.shape:
        yield f"B.4: the clean file has {len(sample.clean)} samples instead of {len(wanted)}"
    elif not np.array_equal(sample.clean, wanted):
        at = np.flatnonzero(sample.clean != wanted)
        yield f"B.4: the clean file differs in {len(at)} samples, the first at {at[0]}"


def clean_first_segment(sample: Published) -> Pcm:
    """interruption/preparation/clean_wav.py: zeros of ``final_duration``, segment 0 copied, its end clipped."""
    clean = np.zeros(round(sample.sentence["final_duration"] * sample.rate), dtype=np.int16)
    first = sample.sentence["speech_segments"][0]
    start = round(first["xmin"] * sample.rate)
    stop = min(round(first["xmax"] * sample.rate), len(clean) - 1)
    clean[start:stop] = sample.user[start:stop]
    return clean


def clean_second_request(sample: Published) -> Pcm:
    """Speech_Directe_at_Others as pydub does it: ``audio[:a] + audio[b:]``, then silence over segment 2."""
    first, second, aside = ((segment["xmin"], segment["xmax"]) for segment in sample.sentence["speech_segments"])
    frames_per_ms = sample.rate / _MS_PER_S

    def frame(ms: int) -> int:
        return min(int(ms * frames_per_ms), len(sample.user))

    cut_from, cut_to = round(first[0] * _MS_PER_S), round(second[0] * _MS_PER_S)
    kept = np.concatenate((sample.user[: frame(cut_from)], sample.user[frame(cut_to) :]))
    mute_from, mute_to = (round(edge * _MS_PER_S) - (cut_to - cut_from) for edge in aside)
    kept[frame(mute_from) : frame(mute_to)] = 0
    return kept


def _distances(sample: Published, choices: Choices) -> Iterator[str]:
    """B.6: gaps between segments, and the tail."""
    rate, segments = sample.rate, sample.sentence["speech_segments"]
    for place, (before, after) in enumerate(pairwise(segments)):
        apart = _at(after["xmin"], rate) - _at(before["xmax"], rate)
        if apart <= MERGE_S * rate:
            yield f"B.6: segments {place} and {place + 1} are {apart / rate} s apart and fuse"
    if sample.folder == "Third-party_Speech_before":
        apart = _at(segments[1]["xmin"], rate) - _at(segments[0]["xmax"], rate)
        if not _within(apart, choices.third_party_gap, rate) and apart != _at(choices.least_gap, rate):
            yield f"B.6: the request comes {apart / rate} s after the third party"
    tail = len(sample.user) - _at(segments[-1]["xmax"], rate)
    if tail < max(_at(choices.tail, rate), LEAST_TAIL_S * rate):
        yield f"B.6: the tail after the last segment lasts {tail / rate} s"


def _silences(sample: Published, choices: Choices) -> Iterator[str]:
    """B.6: no long silence inside a segment but for pauses, and nothing outside segments."""
    rate, outside = sample.rate, 0
    pauses: list[int] = []
    for place, segment in enumerate(sample.sentence["speech_segments"]):
        start, stop = _at(segment["xmin"], rate), _at(segment["xmax"], rate)
        if choices.dry and sample.user[outside:start].any():
            yield f"B.6: the user's channel is not silent before segment {place}"
        outside = stop
        long = [silence for silence in _silent_runs(sample.user[start:stop]) if silence > MERGE_S * rate]
        if sample.folder == "Pause_Handling":
            pauses += long
        elif long:
            yield f"B.6: segment {place} holds a silence of {max(long) / rate} s and splits"
    if choices.dry and sample.user[outside:].any():
        yield "B.6: the user's channel is not silent after the last segment"
    if sample.folder != "Pause_Handling":
        return
    shown = sample.sentence["speech_segments"][0]["text"].count(BREAK)
    if len(pauses) != shown:
        yield f"B.3: {shown} pauses are shown and {len(pauses)} are heard"
    for pause in pauses:
        if not _within(pause, choices.pause, rate):
            yield f"B.6: a pause lasts {pause / rate} s"


def _silent_runs(samples: Pcm) -> list[int]:
    """Lengths of the runs of zeros, those at the edges too."""
    heard = np.flatnonzero(samples)
    edges = np.concatenate(([-1], heard, [len(samples)]))
    runs = np.diff(edges) - 1
    return [int(run) for run in runs[runs > 0]]


def _replies(sample: Published, folder: Folder, choices: Choices) -> Iterator[str]:
    """B.3 and B.6: the assistant answers after what it is measured from, and the event comes into a reply."""
    rate, segments = sample.rate, sample.sentence["speech_segments"]
    spoken = [(_at(each["xmin"], rate), _at(each["xmax"], rate), each) for each in sample.row["assistant_segments"]]
    if not spoken:
        yield "B.3: the assistant never answers"
        return
    if spoken[0][0] < _at(segments[folder.measured]["xmax"], rate):
        yield f"B.3: the assistant answers before segment {folder.measured} ends"
    if folder.event is None:
        return
    start, stop = (_at(segments[folder.event][edge], rate) for edge in ("xmin", "xmax"))
    hosts = [each for each in spoken if each[0] < start < each[1]]
    if not hosts:
        yield f"B.3: segment {folder.event} is not spoken into a reply"
        return
    low, high, host = hosts[0]
    if host is not spoken[folder.counted_from][2]:
        yield f"B.3: segment {folder.event} is spoken into another reply than {folder.counted_from}"
    if folder.counted_from and not spoken[0][1] <= _at(segments[1]["xmin"], rate):
        yield "B.3: the second request is not the one after the first reply"
    if folder.resumes and (host["cut"] or high <= stop):
        yield "B.3: the assistant does not talk on"
    if not folder.resumes and not host["cut"]:
        yield "B.3: the interrupted assistant talks on"
    after = start - _at(segments[folder.counted_from]["xmax"], rate)
    if _within(after, choices.event_after, rate):
        return
    forced = _forced(
        sample, choices, early=after < choices.event_after[0] * rate, host=(low, high, host), event=(start, stop)
    )
    if not forced:
        yield f"B.6: segment {folder.event} comes {after / rate} s after segment {folder.counted_from}"


def _forced(
    sample: Published,
    choices: Choices,
    early: bool,
    host: tuple[int, int, Mapping[str, Any]],
    event: tuple[int, int],
) -> bool:
    """Whether the reply leaves no other place: at its latest moment when early, at its earliest when late."""
    rate, (low, high, reply), (start, stop) = sample.rate, host, event
    if not early:
        before = max(
            _at(each["xmax"], rate) for each in sample.sentence["speech_segments"] if each["xmax"] * rate < start
        )
        return start in (low + _at(choices.least_heard, rate), before + _at(choices.least_gap, rate))
    if not reply["cut"]:
        return high - stop == _at(choices.least_rest, rate)
    if choices.replies is None:
        return True
    return low + _at(choices.replies[reply["line"]], rate) - high == _at(choices.least_unheard, rate)


def _at(seconds: float, rate: int) -> int:
    return round(seconds * rate)


def _within(samples: int, bounds: tuple[float, float], rate: int) -> bool:
    """Inside the bounds, which are rounded to samples as what is drawn from them."""
    return _at(bounds[0], rate) <= samples <= _at(bounds[1], rate)
