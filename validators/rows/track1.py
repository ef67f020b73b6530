"""Structure and cross-field rules of Track 1 rows (FORMATS.md A.4, A.5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from data_schemas.emotions import NAMES, Emotion
from data_schemas.finding import Finding
from data_schemas.foundation.base import RecordError
from data_schemas.layouts.base import FoundItem, inside
from data_schemas.plan import EMPATHY_NON_NEUTRAL_TURNS, QUESTION_TASKS
from data_schemas.tags import VOCAL_TAGS, strip_tags, tags_in
from data_schemas.tasks import TURNS_OF_TASK, Language, Task
from validators.core.codes import Judge
from validators.core.measure import is_in_language
from validators.rows.rows import DialogueRow, TurnRow, beside_manifest, view

VALIDATOR = "structure_track1/2"

LONG_ID = re.compile(r"^task(\d)_(\d)_(zh|en)_(\d{4})_(\d{4})$")
SHORT_ID = re.compile(r"^(zh|en)_(\d{4})_(\d{4})$")
#: Folder and manifest names that carry numbers: task, then turns where turn counts are not mixed.
_FOLDER = re.compile(r"^task(\d)(?:_(\d))?$")
_PROMPT_LEAK = "assistant\n"


def judge_dialogue(found: FoundItem, root: Path) -> tuple[Finding, ...]:
    """All rules that need only the row and the names of its files."""
    judge = Judge(VALIDATOR, found.id, found.manifest)
    row = view(DialogueRow, found.row)
    if isinstance(row, str):
        return (judge.say("T1.ROW_FIELDS", f"line {found.line}: {row}"),)
    return (
        *_id(judge, found, row),
        *_turns(judge, found, row),
        *_texts(judge, found.language, row),
        *_emotions(judge, found, row),
        *_audio(judge, found, row, root),
        *_replies(judge, row),
    )


def _id(judge: Judge, found: FoundItem, row: DialogueRow) -> Iterator[Finding]:
    folder = _FOLDER.match(_folder_name(found))
    long, short = LONG_ID.match(row.dialogue_id), SHORT_ID.match(row.dialogue_id)
    if short:
        yield judge.say("T1.ID_SHORT", f"{row.dialogue_id} has the short form")
        if short[1] != found.language:
            yield judge.say("T1.ID_DIGITS", f"{row.dialogue_id} lies in a folder of language {found.language}")
        return
    if not long:
        yield judge.say("T1.ID_FORMAT", f"{row.dialogue_id!r} does not match {LONG_ID.pattern}")
        return
    problems = []
    if folder and long[1] != folder[1]:
        problems.append(f"task {long[1]} but folder {_folder_name(found)}")
    if int(long[2]) != len(row.turns):
        problems.append(f"{long[2]} turns in the id but {len(row.turns)} in the row")
    if long[3] != found.language:
        problems.append(f"language {long[3]} but folder {found.language}")
    if problems:
        yield judge.say("T1.ID_DIGITS", f"{row.dialogue_id}: {'; '.join(problems)}")


def _folder_name(found: FoundItem) -> str:
    return PurePosixPath(found.manifest).stem if found.manifest else ""


def _turns(judge: Judge, found: FoundItem, row: DialogueRow) -> Iterator[Finding]:
    folder = _FOLDER.match(_folder_name(found))
    allowed = (int(folder[2]),) if folder and folder[2] else TURNS_OF_TASK[found.task]
    count = len(row.turns)
    if count not in allowed:
        wanted = " or ".join(str(turns) for turns in allowed)
        yield judge.say("T1.TURN_COUNT", f"has {count} turns; {found.task} here has {wanted}", value=count)
    numbers = [turn.turn_id for turn in row.turns]
    if numbers != list(range(1, count + 1)):
        yield judge.say("T1.TURN_ORDER", f"turn_id runs {numbers}; it must run 1 to {count} in list order")


def _texts(judge: Judge, language: Language, row: DialogueRow) -> Iterator[Finding]:
    for turn in row.turns:
        where = f"turn {turn.turn_id}"
        spoken = strip_tags(turn.text)
        if not spoken:
            yield judge.say("T1.TEXT_EMPTY", f"{where}: text {turn.text!r} has no words")
        elif not is_in_language(spoken, language):
            yield judge.say("T1.TEXT_LANGUAGE", f"{where}: {turn.text[:40]!r} is not {language}")
        unknown = [tag for tag in tags_in(turn.text) if tag not in VOCAL_TAGS]
        if unknown:
            yield judge.say("T1.TEXT_TAG", f"{where}: {unknown[0]} is not one of {', '.join(VOCAL_TAGS)}")
        yield from _response(judge, language, turn, where)


def _response(judge: Judge, language: Language, turn: TurnRow, where: str) -> Iterator[Finding]:
    if not turn.response_text.strip():
        yield judge.say("T1.RESPONSE_EMPTY", f"{where}: response_text is empty")
        return
    if _PROMPT_LEAK in turn.response_text:
        yield judge.say("T1.RESPONSE_PROMPT_LEAK", f"{where}: holds 'assistant' and a line break")
    if tags_in(turn.response_text):
        yield judge.say("T1.RESPONSE_TAG", f"{where}: holds {tags_in(turn.response_text)[0]}")
    if not is_in_language(turn.response_text, language):
        yield judge.say("T1.RESPONSE_LANGUAGE", f"{where}: {turn.response_text[:40]!r} is not {language}")


def _emotions(judge: Judge, found: FoundItem, row: DialogueRow) -> Iterator[Finding]:
    labels = {emotion.value for emotion in Emotion}
    wrong = [turn for turn in row.turns if turn.emotion not in labels]
    for turn in wrong:
        yield judge.say("T1.EMOTION_LABEL", f"turn {turn.turn_id}: {turn.emotion!r} is not one of the seven labels")
    if wrong or not row.turns:
        return
    emotions = [Emotion(turn.emotion) for turn in row.turns]
    if found.task in QUESTION_TASKS:
        yield from _question(judge, found.language, emotions, row.turns[-1].response_text)
    if found.task is Task.EMPATHY:
        count = sum(not emotion.is_neutral for emotion in emotions)
        if count != EMPATHY_NON_NEUTRAL_TURNS:
            yield judge.say("T1.EMPATHY_TURNS", f"has {count} non-neutral turns instead of two", value=count)


def _question(judge: Judge, language: Language, emotions: list[Emotion], reply: str) -> Iterator[Finding]:
    if not emotions[-1].is_neutral:
        yield judge.say("T1.EMOTION_FINAL", f"the final question is labelled {emotions[-1]}")
    told = _without_repeats(emotions[:-1])
    if len(told) < 2:  # noqa: PLR2004 - one run of one emotion has no change
        yield judge.say("T1.EMOTION_CHANGE", f"every turn before the question is {', '.join(told) or 'absent'}")
    named = _without_repeats(named_emotions(reply, language))
    if not _in_order(told, named):
        yield judge.say(
            "T1.REPLY_NAMES_EMOTIONS",
            f"the turns go {', '.join(told)}; the reply names {', '.join(named) or 'none'}",
        )
    added = [emotion for emotion in dict.fromkeys(named) if emotion not in emotions]
    if added:
        yield judge.say("T1.REPLY_ADDS_EMOTION", f"the reply also names {', '.join(added)}")


def named_emotions(text: str, language: Language) -> list[Emotion]:
    """The emotions a text names, in order of mention, by the words of ``data_schemas.emotions.NAMES``.

    >>> named_emotions("You were angry, then surprised and finally calm.", Language.EN)
    [<Emotion.ANGER: 'anger'>, <Emotion.SURPRISE: 'surprise'>, <Emotion.NEUTRAL: 'neutral'>]
    """
    mentions: list[tuple[int, Emotion]] = []
    for emotion, words in NAMES[language.value].items():
        alternatives = "|".join(re.escape(word) for word in words)
        pattern = alternatives if language is Language.ZH else rf"\b(?:{alternatives})\b"
        mentions += [(match.start(), emotion) for match in re.finditer(pattern, text.lower())]
    return [emotion for _, emotion in sorted(mentions, key=lambda mention: mention[0])]


def _without_repeats(emotions: list[Emotion]) -> list[Emotion]:
    return [emotion for i, emotion in enumerate(emotions) if i == 0 or emotions[i - 1] != emotion]


def _in_order(wanted: list[Emotion], named: list[Emotion]) -> bool:
    rest = iter(named)
    return all(emotion in rest for emotion in wanted)


def _audio(judge: Judge, found: FoundItem, row: DialogueRow, root: Path) -> Iterator[Finding]:
    folder = _folder_name(found)
    for position, turn in enumerate(row.turns, start=1):
        expected = f"{folder}/{row.dialogue_id}_{position}.wav"
        if turn.split_audio_file != expected:
            yield judge.say("T1.AUDIO_NAME", f"turn {position}: {turn.split_audio_file!r} instead of {expected!r}")
        named = [turn.split_audio_file] + ([turn.response_audio] if turn.response_audio else [])
        for name in named:
            relative = beside_manifest(found, name)
            try:
                path = inside(root, relative)
            except RecordError as error:
                yield judge.say("T1.AUDIO_NAME", f"turn {position}: {error}")
                continue
            if not path.is_file():
                yield judge.say("T1.AUDIO_MISSING", f"turn {position}: {relative} does not exist", file=relative)


def _replies(judge: Judge, row: DialogueRow) -> Iterator[Finding]:
    """Voiced replies: of every turn or of none, each in a file named after its turn (FORMATS.md A.4).

    The folder is free: the challenge's README and our releases call it differently.
    """
    if not any(turn.response_audio for turn in row.turns):
        return
    for position, turn in enumerate(row.turns, start=1):
        if not turn.response_audio:
            yield judge.say(
                "T1.AUDIO_MISSING",
                f"turn {position}: no response_audio, which other turns have; voice every reply or none",
            )
        elif not turn.response_audio.endswith(f"_{position}_response.wav"):
            yield judge.say(
                "T1.AUDIO_NAME",
                f"turn {position}: response_audio {turn.response_audio!r} does not end in _{position}_response.wav",
            )
