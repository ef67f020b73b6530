"""A small catalogue, just large enough to draw from, as it stands in a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from data_schemas.emotions import Emotion
from data_schemas.tasks import TRACK2_TASKS, Language
from generators.plans.trajectories import EventKind

_LETTERS = {Language.ZH: "甲乙丙丁戊己庚辛", Language.EN: "abcdefgh"}


def raw_catalogue(language: Language) -> dict[str, Any]:
    letters = _LETTERS[language]

    def texts(name: str, count: int = 6) -> list[str]:
        return [f"{name} {letter}" for letter in letters[:count]]

    return {
        "domains": {
            name: {"group": group, "name": name, "about": f"{name} …", "settings": texts(f"at {name}", 4)}
            for group, names in {
                "concrete": ("cars", "travel", "cooking", "pets", "food"),
                "abstract": ("law", "art"),
            }.items()
            for name in names
        },
        "themes": {
            name: {
                "name": name,
                "counterparts": texts(f"{name} other"),
                "settings": texts(f"{name} place"),
                "root_causes": texts(f"{name} cause"),
            }
            for name in ("friendship", "family", "workplace", "doctor_patient")
        },
        "personas": {
            "names": {"female": texts("林"), "male": texts("王")},
            "jobs": [{"name": "学生", "ages": [16, 24]}, {"name": "护士", "ages": [22, 58]}],
            "regions": texts("region"),
            "styles": [
                {"text": "年轻", "ages": [16, 30]},
                {"text": "any", "ages": [16, 99]},
                {"text": "年长", "ages": [50, 99]},
            ],
        },
        "root_causes": texts("cause"),
        "events": {kind.value: texts(kind.value) for kind in EventKind},
        "openings": texts("opening"),
        "questions": {"trajectory": texts("how changed"), "reasoning": texts("why")},
        "conflicts": [
            {"emotion": voice, "text_emotion": words, "situation": f"{voice} not {words}"}
            for voice, words in (
                (Emotion.SAD.value, Emotion.HAPPY.value),
                (Emotion.ANGER.value, Emotion.NEUTRAL.value),
                (Emotion.NEUTRAL.value, Emotion.SURPRISE.value),
            )
        ],
        "cues": {task.value: texts(f"{task} cue") for task in TRACK2_TASKS},
    }


def write_catalogue(directory: Path) -> Path:
    """``zh.yaml`` and ``en.yaml`` in ``directory``, which is returned."""
    for language in Language:
        text = yaml.safe_dump(raw_catalogue(language), allow_unicode=True, sort_keys=False)
        (directory / f"{language}.yaml").write_text(text, encoding="utf-8")
    return directory
