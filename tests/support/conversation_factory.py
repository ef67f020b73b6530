"""Small conversations of many turns, with native words, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from data_schemas.script import Script, ScriptLine, ScriptProvenance
from data_schemas.tasks import Language, Part, Role, Task

#: One line of a conversation in one letter: the user's query, interruption and backchannel, the
#: assistant's reply, and its backchannel.
SIGNS: Mapping[str, tuple[Role, Part]] = {
    "q": (Role.USER, Part.QUERY),
    "i": (Role.USER, Part.INTERRUPTION),
    "b": (Role.USER, Part.BACKCHANNEL),
    "r": (Role.ASSISTANT, Part.REPLY),
    "l": (Role.ASSISTANT, Part.BACKCHANNEL),
}

#: Everything a conversation may have: both parties' backchannels, a barge-in after one, and plain turns.
USUAL = "qlrbirqr"

WORDS: Mapping[Language, Mapping[str, Sequence[str]]] = {
    Language.EN: {
        "q": (
            "Hi, my sister is coming on Friday, she has never been here, and I have no idea what to show her.",
            "All right, and if it rains all day, which of those would you still do?",
            "That sounds good, but she walks slowly, so how far is it from the station?",
        ),
        "i": (
            "Wait, not the museum, we did that last year and she was bored.",
            "Sorry, hold on, which bus was that again?",
        ),
        "b": ("Uh-huh.", "Right.", "Oh, nice."),
        "l": ("Mm-hm.", "Yeah.", "I see."),
        "r": (
            "Start at the bell tower, because it is right in the middle, walk along the city wall until noon, have "
            "some noodles on the way, and take the bus out to the warriors after lunch.",
            "Then go to the old market instead, it has a roof, the tea is good, and nobody there will hurry you, "
            "so you can stay as long as you like.",
            "About ten minutes on foot, but there is a tram at the corner, it leaves every six minutes, and it "
            "stops right at the gate.",
        ),
    },
    Language.ZH: {
        "q": (
            "你好，我妹妹周五要过来，她从来没来过，我也不知道该带她去哪儿玩。",
            "行，那要是一整天都下雨，你觉得哪个还能去？",
            "听着不错，不过她走得慢，从车站过去远不远？",
        ),
        "i": ("等一下，博物馆就算了，去年去过，她嫌没意思。", "不好意思，先停一下，你刚说坐几路车？"),
        "b": ("嗯嗯。", "对。", "哦，这样啊。"),
        "l": ("嗯。", "是的。", "明白。"),
        "r": (
            "先去钟楼，就在市中心，再沿着城墙骑车，骑到中午吃碗面，下午坐306路去看兵马俑，晚上回来逛逛大唐不夜城。",
            "那就改去回民街，上面有棚子，淋不着雨，羊肉泡馍很地道，也没人催你们，想坐多久就坐多久。",
            "走路十来分钟，不过路口就有电车，六分钟一趟，正好停在门口，下车就到了。",
        ),
    },
}


def make_conversation(
    language: Language = Language.EN, lines: str = USUAL, texts: Mapping[int, str] | None = None
) -> Script:
    """A conversation; ``lines`` has a letter of `SIGNS` per line, ``texts`` replaces lines by number (from 1)."""
    counts = dict.fromkeys(SIGNS, 0)
    made: list[ScriptLine] = []
    for number, sign in enumerate(lines, start=1):
        words = WORDS[language][sign]
        text = (texts or {}).get(number, words[counts[sign] % len(words)])
        counts[sign] += 1
        role, part = SIGNS[sign]
        made.append(ScriptLine(role=role, part=part, text=text))
    return Script(
        script_id=f"{language}-conversation-test",
        task=Task.CONVERSATION,
        language=language,
        domain="travel",
        lines=tuple(made),
        provenance=ScriptProvenance(writer="pack", author="tests", version="1"),
    )
