"""The build that the storm hits: many small items, some that judges of items reject, some that judges of the set do."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_schemas.emotions import Emotion
from data_schemas.foundation.base import write_jsonl
from data_schemas.foundation.randomness import named_generator
from data_schemas.script import Script, ScriptProvenance, ScriptTurn
from data_schemas.tasks import Language, Task
from generators.scripts.packs import load_packs
from generators.scripts.settings import ScriptSettings
from tests.support.builds import draft_config

PACK = "剧本.jsonl"
#: One sound to espeak, in other words each time: the set's judges send all but the first of a voice back.
TWINS = (
    "The knight rode right past the pear, and the flower by the sea was dear to his son.",
    "The night road write past the pair, and the flour by the see was deer to his sun.",
    "The knight rowed rite past the pare, and the flower by the sea was deer to his sun.",
    "The night rode wright past the pair, and the flour by the see was dear to his son.",
    "The knight road right past the pare, and the flour by the sea was deer to his son.",
)
_SEED = 5
_SENTENCE = re.compile(r"[^，。！？；,.!?;:：—…]+")
_UNITS = {Language.ZH: (5, 14), Language.EN: (4, 10)}
_FEW = 160
_BOTH = ["zh", "en"]
_SPLITS = ["train", "dev"]
_DUPLEX = (
    "follow_up",
    "backchannel",
    "pause",
    "negation",
    "repetition",
    "silence",
    "topic_switch",
    "third_party_before",
    "third_party_after",
    "speech_to_others",
)


def storm_config(folder: Path, items: int) -> Path:
    """Write configuration and pack of a build of ``items`` items into ``folder``; returns the configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    quotas = _quotas(items)
    spoken = int(quotas[0]["count"])
    write_jsonl(folder / PACK, [*_shipped(), *_mixed(spoken + spoken // 8), *_twins()])
    few = {"train": {"users": ["en-us+f1", "en-gb+m1"]}}
    return draft_config(
        folder,
        quotas=quotas,
        scripts={"writer": "pack", "pack": [PACK]},
        speech={"engine": "espeak", "expression": "off", "casting": {"en": few}},
        validation={"skip": ["slow"], "max_seconds_per_zh_char": 0.29, "max_seconds_per_en_word": 0.255},
        top_up={"rounds": 6},
        execution={"workers": 2, "shard_items": 4},
    )


def _quotas(items: int) -> list[dict[str, Any]]:
    duplex: list[dict[str, Any]]
    if items < _FEW:
        others = [{"task": "trajectory", "languages": _BOTH, "splits": _SPLITS, "turns": [3], "count": 1}]
        duplex = [{"task": task, "languages": _BOTH, "splits": ["train"], "count": 1} for task in _DUPLEX[:3]]
    else:
        others = [
            {"task": "trajectory", "languages": _BOTH, "splits": _SPLITS, "turns": [3, 4, 5], "count": 2},
            {"task": "reasoning", "languages": _BOTH, "splits": _SPLITS, "turns": [3, 4, 5], "count": 2},
            {"task": "empathy", "languages": _BOTH, "splits": ["dev"], "turns": [3, 4, 5], "count": 2},
        ]
        duplex = [{"task": task, "languages": _BOTH, "splits": _SPLITS, "count": 1} for task in _DUPLEX]
    rest = sum(_items_of(quota) for quota in (*others, *duplex))
    spoken = {"task": "recognition", "languages": _BOTH, "splits": ["train"], "turns": [1]}
    return [{**spoken, "count": max(2, (items - rest + 1) // 2)}, *others, *duplex]


def _items_of(quota: dict[str, Any]) -> int:
    return int(len(quota["languages"]) * len(quota["splits"]) * len(quota.get("turns", [1])) * quota["count"])


def _shipped() -> Iterator[Script]:
    return (script for script in load_packs(ScriptSettings(), Path()) if script.task is not Task.RECOGNITION)


def _mixed(count: int) -> Iterator[Script]:
    """Short Track 1 dialogues, each of clauses from different shipped scripts: no two are near-duplicates."""
    clauses: dict[Language, list[str]] = defaultdict(list)
    for script in load_packs(ScriptSettings(), Path()):
        least, most = _UNITS[script.language]
        for turn in script.turns:
            for clause in (found.strip() for found in _SENTENCE.findall(turn.text + "." + turn.response_text)):
                units = len(clause) if script.language is Language.ZH else len(clause.split())
                if "[" not in clause and least <= units <= most:
                    clauses[script.language].append(clause)
    for language, own in sorted(clauses.items()):
        comma, stop = ("，", "。") if language is Language.ZH else (", ", ".")
        for number in range(1, count + 1):
            draw = named_generator(_SEED, f"{language}/{number}", "clauses")
            said = [own[int(place)] for place in draw.choice(len(own), size=5, replace=False)]
            yield _recognition(
                f"{language}-mixed-{number:03d}", language, comma.join(said[:3]) + stop, comma.join(said[3:]) + stop
            )


def _twins() -> Iterator[Script]:
    replies = (
        "What a picture that makes.",
        "Tell me how it ended, please.",
        "He must have been proud of it.",
        "I would have liked to be there.",
        "Was anybody with you that day?",
    )
    for number, (text, reply) in enumerate(zip(TWINS, replies, strict=True), start=1):
        yield _recognition(f"en-twin-{number}", Language.EN, text, reply)


def _recognition(script_id: str, language: Language, text: str, reply: str) -> Script:
    turn = ScriptTurn(text=text, emotion=Emotion.HAPPY, intensity=2, cause="storm", response_text=reply)
    return Script(
        script_id=script_id,
        task=Task.RECOGNITION,
        language=language,
        domain="work",
        turns=(turn,),
        provenance=ScriptProvenance(writer="pack", author="tests", version="1"),
    )
