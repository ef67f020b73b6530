"""Small Track 1 scripts for tests of script files, writers and checks."""

from __future__ import annotations

from data_schemas.emotions import Emotion
from data_schemas.script import Script, ScriptProvenance, ScriptTurn
from data_schemas.tasks import Language, Task

_STORIES = {
    Language.EN: (
        ("My manager put his own name on my report!", Emotion.ANGER, 3, "That is unfair."),
        ("Oh! The director just thanked me in front of everyone.", Emotion.SURPRISE, 2, "What a turn."),
        (
            "So how did my mood move just now?",
            Emotion.NEUTRAL,
            0,
            "You were angry about the report, then surprised when the director thanked you.",
        ),
    ),
    Language.ZH: (
        ("经理把我的报告署成了他的名字！", Emotion.ANGER, 3, "这也太不公平了。"),
        ("哎，总监刚才当着大家的面谢我了。", Emotion.SURPRISE, 2, "真没想到。"),
        (
            "你说我这心情是怎么变的？",
            Emotion.NEUTRAL,
            0,
            "你先是因为署名的事很生气，后来总监当众谢你，你又很惊讶。",
        ),
    ),
}


def make_trajectory(script_id: str = "en-trajectory-3-01", language: Language = Language.EN) -> Script:
    """A three-turn trajectory that keeps every rule."""
    return Script(
        script_id=script_id,
        task=Task.TRAJECTORY,
        language=language,
        domain="work",
        turns=tuple(
            ScriptTurn(text=text, emotion=emotion, intensity=intensity, cause="the report", response_text=reply)
            for text, emotion, intensity, reply in _STORIES[language]
        ),
        provenance=ScriptProvenance(writer="pack", author="tests", version="1"),
    )


def with_turn(script: Script, number: int, **changes: object) -> Script:
    """The script with fields of one turn (from 1) replaced."""
    turns = [turn.model_dump() for turn in script.turns]
    turns[number - 1].update(changes)
    return Script.model_validate({**script.model_dump(), "turns": turns})
