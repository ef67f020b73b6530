"""Small Track 1 scripts for tests of script files, writers and checks."""

from __future__ import annotations

from data_schemas.emotions import Emotion
from data_schemas.script import Script, ScriptLine, ScriptProvenance, ScriptTurn
from data_schemas.tasks import Language, Part, Role, Task

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


#: Role, part and text of a short conversation in which all four kinds of line stand.
CONVERSATION_LINES = {
    Language.EN: (
        (Role.USER, Part.QUERY, "I want to take my dad up a hill on Sunday, he's seventy and fit, but slow downhill."),
        (Role.ASSISTANT, Part.BACKCHANNEL, "Mm-hm."),
        (
            Role.ASSISTANT,
            Part.REPLY,
            "Pick one with a path round the back, so the way down is gentle, and start early.",
        ),
        (Role.USER, Part.BACKCHANNEL, "Right."),
        (Role.USER, Part.INTERRUPTION, "How early is early?"),
        (Role.ASSISTANT, Part.REPLY, "Half past eight."),
    ),
    Language.ZH: (
        (Role.USER, Part.QUERY, "我想周日带我爸去爬山，他七十了，身子骨硬朗，就是下坡慢。"),
        (Role.ASSISTANT, Part.BACKCHANNEL, "嗯。"),
        (Role.ASSISTANT, Part.REPLY, "那挑后山有缓路的，下来不伤膝盖，早点出门，赶在太阳毒起来之前下山。"),
        (Role.USER, Part.BACKCHANNEL, "对对。"),
        (Role.USER, Part.INTERRUPTION, "多早算早啊？"),
        (Role.ASSISTANT, Part.REPLY, "八点半。"),
    ),
}


def make_conversation(language: Language = Language.EN, **texts: str) -> Script:
    """A conversation that keeps every rule; ``line_3="..."`` replaces the text of a line."""
    return Script(
        script_id=f"{language}-conversation-test",
        task=Task.CONVERSATION,
        language=language,
        domain="travel",
        lines=tuple(
            ScriptLine(role=role, part=part, text=texts.get(f"line_{number}", text))
            for number, (role, part, text) in enumerate(CONVERSATION_LINES[language], start=1)
        ),
        provenance=ScriptProvenance(writer="pack", author="tests", version="1"),
    )
