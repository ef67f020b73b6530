"""Small plans, scripts, utterances and noise bursts for tests of full-duplex scenes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.foundation.randomness import named_generator
from data_schemas.plan import DialoguePlan, QuotaCell
from data_schemas.script import Script, ScriptLine, ScriptProvenance
from data_schemas.speakers import Gender, Speaker
from data_schemas.tags import BREAK_TAG
from data_schemas.tasks import LINES_OF_TASK, Language, Part, Role, Split, Task
from data_schemas.utterance import Provenance, SpeechRequest, Utterance, WordTiming

WEIGHTS = "0" * 64
ENGINE = "noise"

TEXTS: Mapping[Language, Mapping[Part, str]] = {
    Language.EN: {
        Part.QUERY: "What can I see in Xi'an?",
        Part.REPLY: "Start at the bell tower, walk the city wall, then take the bus out to the warriors.",
        Part.INTERRUPTION: "Wait, which of those is free?",
        Part.BACKCHANNEL: "Uh-huh.",
        Part.SECOND_QUERY: "And where should I eat?",
        Part.SECOND_REPLY: "The Muslim quarter is the place to go, best of all in the evening.",
        Part.ASIDE: "Ben, put the scissors down right now.",
    },
    Language.ZH: {
        Part.QUERY: "西安有什么好玩的？",
        Part.REPLY: "先去钟楼看看，再上城墙骑车，下午坐306路去兵马俑，晚上逛逛大唐不夜城。",
        Part.INTERRUPTION: "等一下，哪个不要门票？",
        Part.BACKCHANNEL: "嗯嗯。",
        Part.SECOND_QUERY: "那我去哪儿吃饭？",
        Part.SECOND_REPLY: "去回民街吧，天黑以后最热闹，羊肉泡馍一定要尝。",
        Part.ASIDE: "小宝，把剪刀放下。",
    },
}


def make_speaker(number: int, role: Role, language: Language, gender: Gender = "female") -> Speaker:
    return Speaker(number=number, language=language, gender=gender, split=Split.DEV, role=role, voice=f"voice-{number}")


def make_script(task: Task, language: Language = Language.EN, query: str | None = None, **texts: str) -> Script:
    """A full-duplex script with the texts above; ``query`` and other parts can be replaced by name."""
    words = dict(TEXTS[language])
    if task is Task.PAUSE:
        words[Part.QUERY] = f"{words[Part.QUERY]} {BREAK_TAG} {words[Part.SECOND_QUERY]}"
    if query is not None:
        words[Part.QUERY] = query
    words.update({Part(name): text for name, text in texts.items()})
    return Script(
        script_id=f"{language}-{task}-test",
        task=task,
        language=language,
        domain="travel",
        lines=tuple(ScriptLine(role=role, part=part, text=words[part]) for role, part in LINES_OF_TASK[task]),
        provenance=ScriptProvenance(writer="pack", author="tests", version="1"),
    )


def make_plan(script: Script, plan_id: str = "p1", index: int = 1) -> DialoguePlan:
    """A dev plan of any script, of either track, with three different voices."""
    language = script.language
    return DialoguePlan(
        id=plan_id,
        cell=QuotaCell(task=script.task, language=language, turns=script.outline().turns, split=Split.DEV),
        index=index,
        round=0,
        outline=script.outline(),
        user=make_speaker(1, Role.USER, language, script.user_gender or "female"),
        assistant=make_speaker(2, Role.ASSISTANT, language, "male"),
        third_party=make_speaker(3, Role.THIRD_PARTY, language),
    )


def make_utterance(
    utterance_id: str,
    role: Role,
    text: str,
    num_samples: int,
    language: Language = Language.EN,
    part: Part | None = None,
    words: tuple[WordTiming, ...] = (),
    edge_silence_ms: int = 0,
) -> Utterance:
    return Utterance(
        id=utterance_id,
        role=role,
        speaker=f"S-{role}",
        part=part,
        text=text,
        request=SpeechRequest(
            engine=ENGINE,
            weights_sha256=WEIGHTS,
            voice=f"voice-{role}",
            language=language,
            spoken_text=text,
            loudness_lufs=-23.0,
            edge_silence_ms=edge_silence_ms,
        ),
        audio_key=f"key-{utterance_id}",
        sample_rate=SAMPLE_RATE_HZ,
        num_samples=num_samples,
        loudness_lufs=-23.0,
        peak_dbfs=-6.0,
        words=words,
        provenance=Provenance(
            engine=ENGINE,
            engine_version="1",
            model="noise",
            weights_sha256=WEIGHTS,
            license="Apache-2.0",
            voice=f"voice-{role}",
            seed=0,
        ),
    )


def make_utterances(
    plan: DialoguePlan, script: Script, samples_of: Callable[[Part, int], int]
) -> tuple[Utterance, ...]:
    """One utterance per line (per piece around ``[break]``); ``samples_of(part, piece)`` says how long."""
    made: list[Utterance] = []
    for number, line in enumerate(script.lines, start=1):
        pieces = [piece.strip() for piece in line.text.split(BREAK_TAG)]
        for k, piece in enumerate(pieces, start=1):
            name = f"{plan.id}/{number}" if len(pieces) == 1 else f"{plan.id}/{number}.{k}"
            made.append(
                make_utterance(name, line.role, piece, samples_of(line.part, k), script.language, part=line.part)
            )
    return tuple(made)


def noise_burst(utterance: Utterance, peak: float = 0.5) -> Samples:
    """Noise ``[num_samples]`` without a single zero sample, the same for the same utterance."""
    generator = named_generator(0, utterance.id, "noise")
    signs = generator.choice(np.array([-1.0, 1.0]), utterance.num_samples)
    return (signs * generator.uniform(0.1 * peak, peak, utterance.num_samples)).astype(np.float32)


def noise_loader(utterances: tuple[Utterance, ...], peak: float = 0.5) -> Callable[[str], Samples]:
    """What `render` calls for the samples of an utterance id."""
    by_id = {utterance.id: utterance for utterance in utterances}
    return lambda utterance_id: noise_burst(by_id[utterance_id], peak)
