"""What the judging model is shown of a script: prompt files, and the script as fenced data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Template

from data_schemas.conversation import hosts
from data_schemas.emotions import Emotion
from data_schemas.foundation.base import Record
from data_schemas.foundation.prompt_text import read_sections, render_section
from data_schemas.foundation.yaml_file import load_yaml
from data_schemas.script import Script
from data_schemas.tasks import Language, Part, Role, Task, Track

#: Marks with which the prompt files fence the script; a text cannot hold them and so cannot end the fence.
_FENCE_MARKS = str.maketrans({"<": "‹", ">": "›", "【": "［", "】": "］"})


class JudgeWords(Record):
    """The words of one language (``judge_words.yaml``)."""

    emotions: dict[Emotion, str]
    intensities: dict[int, str]
    roles: dict[Role, str]
    turn: str
    line: str
    #: a line of a conversation: waits for its turn, barges in, or is said while another line goes on
    own_turn: str
    barges_in: str
    meanwhile: str
    emotion: str
    shade: str
    emotion_joiner: str
    event: str
    cue: str
    conflict: str
    persona: str


def prompt_name(script: Script) -> str:
    """The file that judges a script: its task for Track 1 and conversations, ``duplex`` for the other tasks."""
    own = script.task.track is Track.EMOTION or script.task is Task.CONVERSATION
    return script.task.value if own else "duplex"


def render_prompt(script: Script) -> tuple[str, str]:
    """System and user message about a script.

    Raises:
        PromptError: a prompt file lacks a section or asks for data that scripts do not have.
    """
    name = prompt_name(script)
    sections = prompt_sections(name, script.language)
    values = _values(script, judge_words(script.language))
    where = f"judge prompt {script.language}/{name}.md"
    return render_section(sections, "system", values, where), render_section(sections, "user", values, where)


@cache
def prompt_sections(name: str, language: Language) -> Mapping[str, str]:
    """The sections of one prompt file, by heading."""
    path = files("validators.text").joinpath("prompts", language.value, f"{name}.md")
    return read_sections(path.read_text(encoding="utf-8"))


@cache
def judge_words(language: Language) -> JudgeWords:
    """Read the words of a language."""
    table = load_yaml(
        files("validators.text").joinpath("judge_words.yaml").read_text(encoding="utf-8"), "judge_words.yaml"
    )
    return JudgeWords.model_validate(table[language.value])


def _values(script: Script, words: JudgeWords) -> dict[str, str]:
    return {
        "dialogue": "\n".join(_dialogue(script, words)),
        "emotions": words.emotion_joiner.join(_emotions(script, words)),
        "root_cause": _plain(script.root_cause or ""),
        "task_note": " ".join(_notes(script, words)),
    }


def _dialogue(script: Script, words: JudgeWords) -> list[str]:
    turn = Template(words.turn)
    said = [
        turn.substitute(number=number, role=words.roles[role], text=_quoted(text))
        for number, each in enumerate(script.turns, start=1)
        for role, text in ((Role.USER, each.text), (Role.ASSISTANT, each.response_text))
    ]
    if script.task is Task.CONVERSATION:
        return _conversation(script, words)
    line = Template(words.line)
    return said + [
        line.substitute(role=words.roles[each.role], part=each.part.value, text=_quoted(each.text))
        for each in script.lines
    ]


def _conversation(script: Script, words: JudgeWords) -> list[str]:
    """Numbered lines, each with the line that it is spoken into."""
    shown = []
    into = hosts(script.planned_lines)
    for number, (line, host) in enumerate(zip(script.lines, into, strict=True), start=1):
        form = words.own_turn
        if host is not None:
            form = words.barges_in if line.part is Part.INTERRUPTION else words.meanwhile
        values = {"number": number, "role": words.roles[line.role], "host": host, "text": _quoted(line.text)}
        shown.append(Template(form).substitute(values))
    return shown


def _emotions(script: Script, words: JudgeWords) -> list[str]:
    shown = []
    for number, turn in enumerate(script.turns, start=1):
        emotion = words.emotions[turn.emotion]
        if turn.intensity:
            emotion = Template(words.shade).substitute(emotion=emotion, shade=words.intensities[turn.intensity])
        shown.append(Template(words.emotion).substitute(number=number, emotion=emotion))
    return shown


def _notes(script: Script, words: JudgeWords) -> list[str]:
    notes = []
    if script.task.track is Track.DUPLEX:
        notes.append(Template(words.event).substitute(task=script.task.value))
    for turn in script.turns:
        if turn.text_emotion is not None:
            voice, said = words.emotions[turn.emotion], words.emotions[turn.text_emotion]
            notes.append(Template(words.conflict).substitute(voice=voice, words=said))
    if script.brief is not None:
        persona = script.brief.persona
        shown = {"age": persona.age, "job": _plain(persona.job), "region": _plain(persona.region)}
        notes.append(Template(words.persona).substitute(shown))
        if script.brief.cue:
            notes.append(Template(words.cue).substitute(cue=_plain(script.brief.cue).rstrip("。.")))
    return notes


def _quoted(text: str) -> str:
    return json.dumps(_plain(text), ensure_ascii=False)


def _plain(text: str) -> str:
    """One line, without the marks of the fence."""
    return " ".join(text.split()).translate(_FENCE_MARKS)
