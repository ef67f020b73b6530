"""A plan as a writer reads it: the values that prompts take, in the dialogue's own language."""

from __future__ import annotations

from collections.abc import Sequence
from string import Template

from data_schemas.conversation import hosts
from data_schemas.emotions import Emotion
from data_schemas.plan import QUESTION_TASKS, EmotionStep, Outline, Persona
from data_schemas.tasks import Part
from generators.plans.catalogue import Catalogue
from generators.scripts.llm.prompts import FIRST_QUERY, Words


def plan_values(outline: Outline, words: Words, catalogue: Catalogue) -> dict[str, str]:
    """What every placeholder stands for; "" where this plan has no such thing.

    Raises:
        ValueError: the outline has no brief, so there is nothing to write from.
    """
    brief = outline.brief
    if brief is None:
        raise ValueError(f"{outline.task} outline has no brief; only drawn outlines can be written by a model")
    domain = catalogue.domains.get(outline.domain)
    theme = catalogue.themes.get(brief.theme) if brief.theme else None
    first = outline.emotions[0] if outline.emotions else None
    conflict = first if outline.is_conflict else None
    topic = None if conflict else domain  # the situation of a conflict item says all, and may lie elsewhere
    return {
        "persona": persona_text(brief.persona, words),
        "domain": topic.name if topic else "" if conflict else outline.domain,
        "about": topic.about if topic else "",
        "theme": theme.name if theme else (brief.theme or ""),
        "counterpart": brief.counterpart or "",
        "setting": brief.setting,
        "opening": brief.opening,
        "plan": "\n".join(line_lines(outline, words) or turn_lines(outline, words)),
        "turns": str(outline.turns),
        "told": str(outline.turns - 1),
        "names": words.name_joiner.join(words.emotions[emotion] for emotion in emotions_to_name(outline)),
        "root_cause": outline.root_cause or "",
        "question": brief.question or "",
        "cue": brief.cue or "",
        "voice_emotion": words.emotions[conflict.emotion] if conflict else "",
        "words_emotion": words.emotions[conflict.text_emotion] if conflict and conflict.text_emotion else "",
        "situation": brief.events[0] if conflict and brief.events else "",
    }


def persona_text(persona: Persona, words: Words) -> str:
    """One line about the user."""
    return Template(words.persona).substitute(
        name=persona.name,
        age=persona.age,
        gender=words.genders[persona.gender],
        job=persona.job,
        region=persona.region,
        style=persona.style,
    )


def turn_lines(outline: Outline, words: Words) -> list[str]:
    """One line per turn: emotion, shade and the kind of event behind it; the final question is marked as such."""
    events: Sequence[str] = outline.brief.events if outline.brief else ()
    lines = []
    for number, step in enumerate(outline.emotions, start=1):
        if outline.task in QUESTION_TASKS and number == outline.turns:
            lines.append(Template(words.question_turn).substitute(number=number))
            continue
        event = events[number - 1] if number <= len(events) else ""
        template = Template(words.turn if event else words.turn_without_event)
        lines.append(
            template.substitute(
                number=number, emotion=words.emotions[step.emotion], shade=_shade(step, words), event=event
            )
        )
    return lines


def line_lines(outline: Outline, words: Words) -> list[str]:
    """One line per line of a conversation: who speaks, into what, and what speaks into it."""
    into = hosts(outline.lines)
    told = []
    for number, line in enumerate(outline.lines, start=1):
        kind = FIRST_QUERY if number == 1 else f"{line.role}_{line.part}"
        text = Template(words.lines[kind]).substitute(number=number, host=into[number - 1] or "")
        guests = {n: outline.lines[n - 1].part for n, host in enumerate(into, start=1) if host == number}
        for form, cuts in ((words.backchannel_by, False), (words.cut_by, True)):
            names = [f"line_{guest}" for guest, part in guests.items() if (part is Part.INTERRUPTION) is cuts]
            text += Template(form).substitute(lines=words.name_joiner.join(names)) if names else ""
        told.append(text)
    return told


def emotions_to_name(outline: Outline) -> tuple[Emotion, ...]:
    """What the final reply has to name, in order; the same emotion twice in a row is named once."""
    if outline.task not in QUESTION_TASKS:
        return ()
    told = [step.emotion for step in outline.emotions[:-1]]
    return tuple(emotion for place, emotion in enumerate(told) if place == 0 or told[place - 1] is not emotion)


def _shade(step: EmotionStep, words: Words) -> str:
    """How strong and which kind; "" for neutral without a shade."""
    intensity = words.intensities.get(step.intensity, "")
    if step.fine_emotion is None:
        return Template(words.shade).substitute(intensity=intensity) if intensity else ""
    return Template(words.shade_fine).substitute(intensity=intensity, fine=words.fine_emotions[step.fine_emotion])
