"""What the judges send back: which utterances of an item are spoken again, and how often that helped."""

from __future__ import annotations

from collections.abc import Iterable

from data_schemas.finding import Finding, Severity
from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.foundation.base import Record
from data_schemas.item import ASSISTANT_WAV, USER_WAV, Item, response_wav, turn_wav
from data_schemas.layouts.base import Layout
from data_schemas.scene import Scene
from data_schemas.tasks import Channel
from data_schemas.utterance import Utterance
from validators.core.codes import RESYNTHESISE, action_of

#: A finding belongs to the utterance that covers at least this much of its span (CHOICE: bounds of labels are rounded).
_COVERS = 0.5
_CHANNEL_OF = {USER_WAV: Channel.USER, ASSISTANT_WAV: Channel.ASSISTANT}


class Retake(Record):
    """One utterance that was spoken more than once."""

    utterance: str
    voice: str
    #: of the first try
    codes: tuple[str, ...]
    tries: int
    #: whether the last try passed
    mended: bool


def misspoken(item: Item, layout: Layout, findings: Iterable[Finding]) -> dict[str, tuple[str, ...]]:
    """Utterances to be spoken again, each with the codes of the errors that say so.

    Empty where nothing is wrong, and where an error is of a kind that speaking again does not mend or belongs to no
    utterance: such an item is rejected whatever its speech.
    """
    found: dict[str, set[str]] = {}
    for finding in findings:
        if finding.severity is not Severity.ERROR:
            continue
        blamed = _blamed(item, layout, finding) if action_of(finding) == RESYNTHESISE else None
        if blamed is None:
            return {}
        found.setdefault(blamed.id, set()).add(finding.code)
    return {utterance: tuple(sorted(codes)) for utterance, codes in sorted(found.items())}


def _blamed(item: Item, layout: Layout, finding: Finding) -> Utterance | None:
    staged = next((name for name, path in layout.audio_files(item).items() if path == finding.file), None)
    if staged is None:
        return None
    if item.scene is None:
        spoken = {turn_wav(turn): utterance for turn, utterance in enumerate(item.utterances, start=1)}
        replies = {response_wav(turn): utterance for turn, utterance in enumerate(item.responses, start=1)}
        return {**spoken, **replies}.get(staged)
    channel = _CHANNEL_OF.get(staged)
    if channel is None or finding.start is None or finding.stop is None:
        return None
    return _placed(item, item.scene, channel, (finding.start, finding.stop))


def _placed(item: Item, scene: Scene, channel: Channel, span: tuple[float, float]) -> Utterance | None:
    """The utterance heard on ``channel`` in most of a span in seconds."""
    start, stop = (round(edge * SAMPLE_RATE_HZ) for edge in span)
    covered = {
        placement.utterance_id: min(stop, placement.stop) - max(start, placement.start)
        for placement in scene.placements
        if placement.channel is channel
    }
    best = max(covered, key=lambda utterance: covered[utterance], default=None)
    if best is None or covered[best] < _COVERS * (stop - start):
        return None
    return next((utterance for utterance in item.utterances if utterance.id == best), None)
