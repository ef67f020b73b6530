"""Who speaks: whether a speaker id is one voice, and different people are different voices.

Voices are compared by the cosine of their GE2E vectors (`speaker_encoder`). Clips behind a microphone are passed
over, and third parties, who speak in a room, at the level of the set: both move the vector further than a change of
speaker may. A clip too short to tell joins the other short ones of its speaker and item.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data_schemas.finding import Finding
from data_schemas.tasks import Language, Role, Split
from validators.core.clip_measures import ClipMeasures
from validators.core.codes import Judge
from validators.core.thresholds import Thresholds
from validators.voices.speaker_encoder import SECONDS, VECTOR

VALIDATOR = "speakers/1"

Voice = npt.NDArray[np.float64]  # sum of unit vectors weighted by seconds, [256]; or several, [n, 256]

_DIGITS = 9  # of a cosine; two samples are equally like each other
_BLOCK = 512  # speakers compared at once: memory does not grow with their number squared


class _Person(NamedTuple):
    """Whom labels take for one person within an item; data sets without speaker ids have their roles."""

    role: Role
    speaker: str | None

    def __str__(self) -> str:
        return self.role.value if self.speaker is None else f"{self.role.value} {self.speaker}"


@dataclass(frozen=True)
class _Sample:
    """Sound of one person in one item that is long enough to tell a voice: a clip, or short ones together."""

    clips: tuple[ClipMeasures, ...]
    voice: Voice
    seconds: float

    @property
    def names(self) -> str:
        return " with ".join(clip.name for clip in self.clips)


def judge_item_speakers(item: str, clips: Sequence[ClipMeasures], thresholds: Thresholds) -> tuple[Finding, ...]:
    """SPEAKER.CHANGED and SPEAKER.SAME on the clips of one item, measured by `SpeakerEncoder`."""
    judge = Judge(VALIDATOR, item)
    people = _people(clips, thresholds)
    findings = [
        one for person in sorted(people, key=str) for one in _changed(judge, person, people[person], thresholds)
    ]
    return (*findings, *_same(judge, people, thresholds))


def judge_set_speakers(clips: Sequence[ClipMeasures], thresholds: Thresholds) -> tuple[Finding, ...]:
    """SPEAKER.DRIFT and SPEAKER.SHARED on all clips of a data set.

    Memory: 4 kB per clip, and one vector per speaker; time grows with clips times speakers.
    """
    told = [clip for clip in clips if clip.speaker is not None and clip.role is not Role.THIRD_PARTY]
    speakers = _speakers(told, thresholds)
    findings: list[Finding] = []
    for language in Language:
        own = [speaker for speaker in speakers if speaker.language is language]
        findings += [*_drifting(own, thresholds), *_shared(own, thresholds)]
    return tuple(findings)


def _people(clips: Iterable[ClipMeasures], thresholds: Thresholds) -> Mapping[_Person, tuple[_Sample, ...]]:
    grouped: dict[_Person, list[ClipMeasures]] = {}
    for clip in sorted(clips, key=lambda clip: (clip.file, clip.span, clip.name)):
        if clip.is_dry and VECTOR in clip.vectors:
            grouped.setdefault(_Person(clip.role, clip.speaker), []).append(clip)
    samples = {person: _samples(own, thresholds.min_voice_s) for person, own in grouped.items()}
    return {person: own for person, own in samples.items() if own}


def _samples(clips: Sequence[ClipMeasures], least_s: float) -> tuple[_Sample, ...]:
    """Clips in order; the short ones together come last, or are left out where they are still too short."""
    long = [_sample((clip,)) for clip in clips if clip.values[SECONDS] >= least_s]
    short = _sample([clip for clip in clips if clip.values[SECONDS] < least_s])
    return (*long, short) if short.seconds >= least_s else tuple(long)


def _sample(clips: Sequence[ClipMeasures]) -> _Sample:
    voice = sum((clip.values[SECONDS] * clip.vectors[VECTOR].astype(np.float64) for clip in clips), start=np.zeros(1))
    return _Sample(tuple(clips), voice, sum(clip.values[SECONDS] for clip in clips))


def _cosine(one: Voice, other: Voice) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def _changed(judge: Judge, person: _Person, samples: Sequence[_Sample], thresholds: Thresholds) -> Iterator[Finding]:
    """The sample least like the others is named and taken away until the rest is one voice."""
    left = list(samples)
    while len(left) > 1:
        total = sum((sample.voice for sample in left), start=np.zeros(1))
        likeness = [round(_cosine(sample.voice, total - sample.voice), _DIGITS) for sample in left]
        worst = len(left) - 1 - int(np.argmin(likeness[::-1]))  # of two the later one
        if likeness[worst] >= thresholds.min_voice_similarity:
            return
        odd = left.pop(worst)
        yield judge.say(
            "SPEAKER.CHANGED",
            f"{odd.names} is another voice than {', '.join(sample.names for sample in left)} of the {person}",
            file=odd.clips[0].file,
            span=odd.clips[0].span,
            value=likeness[worst],
            threshold=thresholds.min_voice_similarity,
        )


def _same(judge: Judge, people: Mapping[_Person, tuple[_Sample, ...]], thresholds: Thresholds) -> Iterator[Finding]:
    voices = {person: sum((one.voice for one in own), start=np.zeros(1)) for person, own in people.items()}
    names = sorted(voices, key=str)
    for number, first in enumerate(names):
        for second in names[number + 1 :]:
            likeness = _cosine(voices[first], voices[second])
            if likeness > thresholds.max_voice_similarity:
                clip = people[second][0].clips[0]
                yield judge.say(
                    "SPEAKER.SAME",
                    f"the {second} has the voice of the {first}; two people of one item are two voices",
                    file=clip.file,
                    span=clip.span,
                    value=likeness,
                    threshold=thresholds.max_voice_similarity,
                )


@dataclass(frozen=True)
class _Speaker:
    """One id of one language with all its samples, and which of them are one voice."""

    name: str
    language: Language
    samples: tuple[_Sample, ...]
    splits: frozenset[Split]
    likeness: npt.NDArray[np.float64]  # of each sample to the kept ones of other items; NaN where these are too short
    voice: Voice  # direction of the kept samples
    seconds: float  # of the kept samples


def _speakers(clips: Sequence[ClipMeasures], thresholds: Thresholds) -> tuple[_Speaker, ...]:
    """By name. Speakers without a sample are left out."""
    items: dict[tuple[str, ...], list[ClipMeasures]] = {}
    for clip in clips:  # ids of items count per folder in Track 2
        items.setdefault((clip.layout, clip.split.value, clip.file.rpartition("/")[0], clip.item), []).append(clip)
    found: dict[tuple[Language, str], list[tuple[int, _Sample]]] = {}
    for number, key in enumerate(sorted(items)):
        for person, samples in _people(items[key], thresholds).items():
            name = (samples[0].clips[0].language, person.speaker or "")
            found.setdefault(name, []).extend((number, sample) for sample in samples)
    return tuple(_speaker(*name, found[name], thresholds) for name in sorted(found))


def _speaker(language: Language, name: str, samples: Sequence[tuple[int, _Sample]], thresholds: Thresholds) -> _Speaker:
    """Samples unlike the rest are left out of the voice one by one, so that one strange item blames no other."""
    voices = np.array([sample.voice for _, sample in samples])
    seconds = np.array([sample.seconds for _, sample in samples])
    items = np.unique([number for number, _ in samples], return_inverse=True)[1]
    kept = np.ones(len(samples), dtype=bool)
    while True:
        likeness = _likeness(voices, seconds, items, kept, thresholds.min_speaker_s)
        open_ones = np.where(kept & (likeness < thresholds.min_drift_similarity), likeness, np.inf)
        worst = int(np.argmin(open_ones))
        if not np.isfinite(open_ones[worst]):
            break
        kept[worst] = False
    total = voices[kept].sum(axis=0)
    return _Speaker(
        name=name,
        language=language,
        samples=tuple(sample for _, sample in samples),
        splits=frozenset(sample.clips[0].split for _, sample in samples),
        likeness=likeness,
        voice=total / np.linalg.norm(total),
        seconds=float(seconds[kept].sum()),
    )


def _likeness(
    voices: Voice,
    seconds: npt.NDArray[np.float64],
    items: npt.NDArray[np.int64],
    kept: npt.NDArray[np.bool_],
    least_s: float,
) -> npt.NDArray[np.float64]:
    """Cosine ``[n]`` of each sample with the kept ones of other items; NaN where they last less than ``least_s``."""
    here, heard = np.zeros((items.max() + 1, voices.shape[1])), np.zeros(items.max() + 1)
    np.add.at(here, items[kept], voices[kept])
    np.add.at(heard, items[kept], seconds[kept])
    rest, rest_s = here.sum(axis=0) - here[items], heard.sum() - heard[items]
    norms = np.linalg.norm(voices, axis=1) * np.linalg.norm(rest, axis=1)
    enough = (rest_s >= least_s) & (norms > 0.0)
    return np.where(enough, np.einsum("nd,nd->n", voices, rest) / np.where(enough, norms, 1.0), np.nan)


def _drifting(speakers: Sequence[_Speaker], thresholds: Thresholds) -> Iterator[Finding]:
    """Each sample against its speaker's voice in all other items, and against all other speakers."""
    known = [speaker for speaker in speakers if speaker.seconds >= thresholds.min_speaker_s]
    voices = np.array([speaker.voice for speaker in known])
    for speaker in speakers:
        others = [number for number, other in enumerate(known) if other is not speaker]
        for sample, likeness in zip(speaker.samples, speaker.likeness.tolist(), strict=True):
            if np.isnan(likeness):
                continue
            rows = voices[others] @ (sample.voice / np.linalg.norm(sample.voice)) if others else np.zeros(0)
            nearest = known[others[int(np.argmax(rows))]] if others else None
            yield from _drift(speaker, sample, likeness, nearest, float(rows.max(initial=-1.0)), thresholds)


def _drift(
    speaker: _Speaker, sample: _Sample, likeness: float, other: _Speaker | None, nearness: float, thresholds: Thresholds
) -> Iterator[Finding]:
    clip = sample.clips[0]
    judge = Judge(VALIDATOR, clip.item, clip.file)
    if other is not None and nearness - likeness > thresholds.max_nearer_voice:
        yield judge.say(
            "SPEAKER.DRIFT",
            f"{sample.names} is nearer to speaker {other.name} ({nearness:.2f}) than to the other items of its own "
            f"speaker {speaker.name} ({likeness:.2f})",
            span=clip.span,
            value=nearness - likeness,
            threshold=thresholds.max_nearer_voice,
        )
    elif likeness < thresholds.min_drift_similarity:
        yield judge.say(
            "SPEAKER.DRIFT",
            f"{sample.names} is another voice than speaker {speaker.name} has in other items",
            span=clip.span,
            value=likeness,
            threshold=thresholds.min_drift_similarity,
        )


def _shared(speakers: Sequence[_Speaker], thresholds: Thresholds) -> Iterator[Finding]:
    """Every speaker of dev against every one of train; an id that is in both is SET.SPEAKER_LEAK."""
    known = [speaker for speaker in speakers if speaker.seconds >= thresholds.min_speaker_s]
    train = [speaker for speaker in known if speaker.splits == {Split.TRAIN}]
    dev = [speaker for speaker in known if speaker.splits == {Split.DEV}]
    if not train:
        return
    heard = np.array([speaker.voice for speaker in train])
    for first in range(0, len(dev), _BLOCK):
        block = dev[first : first + _BLOCK]
        for speaker, row in zip(block, np.array([one.voice for one in block]) @ heard.T, strict=True):
            nearest = int(np.argmax(row))
            if row[nearest] > thresholds.max_shared_similarity:
                clip = speaker.samples[0].clips[0]  # an example: the cast is at fault, another item would not mend it
                yield Judge(VALIDATOR, speaker.name, clip.file).say(
                    "SPEAKER.SHARED",
                    f"speaker {speaker.name} of dev has the voice of speaker {train[nearest].name} of train "
                    f"({clip.language})",
                    span=clip.span,
                    value=float(row[nearest]),
                    threshold=thresholds.max_shared_similarity,
                )
