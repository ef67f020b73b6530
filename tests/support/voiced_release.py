"""Track 1 dialogues whose replies are voiced, laid out with noise for speech."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from data_schemas.foundation.audio import write_wav
from data_schemas.item import Item, response_wav, turn_wav
from data_schemas.layouts.registry import layout
from data_schemas.layouts.writer import write_items
from data_schemas.tasks import Language, Role
from tests.support.scene_factory import make_utterance, noise_burst
from tests.support.spoken_release import make_dialogue_item


def voiced(item: Item) -> Item:
    """The item with a reply to every turn, each of another length, by the plan's people."""
    own = tuple(one.model_copy(update={"speaker": item.plan.user.id}) for one in item.utterances)
    replies = tuple(
        make_utterance(f"{one.id}.reply", Role.ASSISTANT, turn.response_text, 9_000 + number, item.plan.language)
        for number, (one, turn) in enumerate(zip(own, item.script.turns, strict=True))
    )
    spoken = tuple(one.model_copy(update={"speaker": item.plan.assistant.id}) for one in replies)
    return Item.model_validate({**dict(item), "utterances": own, "responses": spoken})


def staged_voiced(items: Iterable[Item], folder: Path) -> Iterator[tuple[Item, Path]]:
    """Items with the audio of their turns and replies written below ``folder``."""
    for item in items:
        for number, utterance in enumerate(item.utterances, start=1):
            write_wav(folder / item.plan.id / turn_wav(number), noise_burst(utterance))
        for number, utterance in enumerate(item.responses, start=1):
            write_wav(folder / item.plan.id / response_wav(number), noise_burst(utterance))
        yield item, folder / item.plan.id


def make_voiced_release(root: Path, name: str = "track1-seed") -> tuple[Item, ...]:
    """A dialogue of three turns in each language with voiced replies, and one of five without; returns the items."""
    items = tuple(voiced(make_dialogue_item(language, 3, 1)) for language in Language)
    items = (*items, make_dialogue_item(Language.ZH, 5, 2))
    write_items(root, layout(name), staged_voiced(items, root.parent / "staged"))
    return items
