"""Rules that a script must keep, as pure functions that return sentences.

Used on the shipped packs by a test, and by any writer that must judge what a model wrote.
What the records already refuse (shape, tags, trajectories) is not repeated here.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from data_schemas.emotions import NAMES, Emotion
from data_schemas.plan import QUESTION_TASKS
from data_schemas.script import Script
from data_schemas.tags import BREAK_TAG, TAG_PATTERN, strip_tags
from data_schemas.tasks import Language, Part, Task

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_CJK = re.compile(r"[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
_LATIN_SENTENCE = re.compile(r"(?:[A-Za-z']{2,}[ ,]+){3}[A-Za-z']{2,}")
_FORBIDDEN = {
    "a line break": re.compile(r"[\r\n\t]"),
    "markdown": re.compile(r"[*`#|~]|__|\]\("),
    "a list mark": re.compile(
        r"(?:^|\s)[-•·–—]\s|(?:^|[.;:!?。；：！？]\s?)\d{1,2}(?:[)、）]|[.．]\s)|[（(][一二三四五六七八九十\d][)）]|[①-⑳]"
    ),
    "an emoji or pictogram": re.compile(r"[\u2190-\u21ff\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]"),
    "a web address": re.compile(r"https?:|www\.|\b[\w-]+\.(?:com|cn|net|org|io)\b", re.IGNORECASE),
    "an e-mail address": re.compile(r"[\w.+-]+@[\w-]+"),
    "a phone, card or identity number": re.compile(r"\d(?:(?:[ ()-]{0,2}|\.)\d){8,}"),
    "a placeholder": re.compile(r"[{}<>]|\b(?:TODO|TBD|XXX+)\b|(?:某某|XX)"),
    "a word that gives the machine away": re.compile(
        r"as an ai\b|\b(?:i'm|i am) an ai\b|language model|chatgpt|assistant\s*\n"
        r"|作为一?[个名]?(?:AI|人工智能|语言模型|智能助手)|语言模型|提示词",
        re.IGNORECASE,
    ),
}
_WORD = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|[a-z0-9]+(?:['’][a-z]+)*")

#: Lines that people really repeat word for word.
REPEATABLE_PARTS = frozenset({Part.BACKCHANNEL})
#: How many opening words (English) or characters (Chinese) make two questions begin alike.
OPENING_LENGTH = {Language.EN: 3, Language.ZH: 4}
#: Largest share of one opening among the final questions of a task, from this many questions on.
MAX_OPENING_SHARE = 0.25
MIN_QUESTIONS = 8


def check_script(script: Script) -> tuple[str, ...]:
    """Everything wrong with one script; empty when it keeps the rules."""
    problems = [
        f"{script.script_id} {field}: {problem}"
        for field, text in _texts(script)
        for problem in check_text(text, script.language)
    ]
    problems += [f"{script.script_id} {problem}" for problem in _break_problems(script)]
    problems += [f"{script.script_id} {problem}" for problem in _emotion_problems(script)]
    return tuple(problems)


def check_scripts(scripts: Iterable[Script]) -> tuple[str, ...]:
    """The problems of every script and those of the set: repeated texts, questions alike."""
    known = tuple(scripts)
    problems = [problem for script in known for problem in check_script(script)]
    return (*problems, *_repeated_texts(known), *_questions_alike(known))


def check_text(text: str, language: Language) -> tuple[str, ...]:
    """Language purity, form and privacy of one text, tags aside."""
    bare = TAG_PATTERN.sub(" ", text)
    problems = [f"holds {what}: {text!r}" for what, pattern in _FORBIDDEN.items() if pattern.search(bare)]
    if text != text.strip() or "  " in text:
        problems.append(f"holds blanks at an edge or twice in a row: {text!r}")
    if language is Language.ZH:
        if not _HAN.search(bare):
            problems.append(f"is Chinese and holds no Han character: {text!r}")
        if _LATIN_SENTENCE.search(bare):
            problems.append(f"is Chinese and holds a stretch of English: {text!r}")
    elif _CJK.search(bare):
        problems.append(f"is English and holds CJK characters: {text!r}")
    return tuple(problems)


def missing_in_order(reply: str, emotions: Iterable[Emotion], language: Language) -> tuple[Emotion, ...]:
    """The emotions that ``reply`` does not name in the given order (FORMATS.md A.5).

    The same emotion twice in a row needs one naming.

    >>> missing_in_order("You went from anger to being sad.", [Emotion.ANGER, Emotion.SAD], Language.EN)
    ()
    """
    missing: list[Emotion] = []
    cursor = 0
    previous: Emotion | None = None
    for emotion in emotions:
        if emotion is not previous:
            found = _naming(emotion, language).search(reply, cursor)
            if found is None:
                missing.append(emotion)
            else:
                cursor = found.end()
        previous = emotion
    return tuple(missing)


def named_emotions(text: str, language: Language) -> frozenset[Emotion]:
    """Every emotion that a text names with one of the words of `data_schemas.emotions.NAMES`."""
    return frozenset(emotion for emotion in Emotion if _naming(emotion, language).search(text))


def _naming(emotion: Emotion, language: Language) -> re.Pattern[str]:
    words = "|".join(NAMES[language][emotion])
    return re.compile(words if language is Language.ZH else rf"\b(?:{words})\b", re.IGNORECASE)


def _texts(script: Script) -> Iterator[tuple[str, str]]:
    """Each text that people hear or read as speech, with the field it stands in."""
    for number, turn in enumerate(script.turns, start=1):
        yield f"turn {number} text", turn.text
        yield f"turn {number} response_text", turn.response_text
    for number, line in enumerate(script.lines, start=1):
        yield f"line {number} ({line.part})", line.text


def _break_problems(script: Script) -> Iterator[str]:
    for number, line in enumerate(script.lines, start=1):
        pieces = line.text.split(BREAK_TAG)
        if any(not strip_tags(piece) for piece in pieces):
            yield f"line {number} ({line.part}): {BREAK_TAG} must stand between words"
        if len(pieces) > 1 and line.part is not Part.QUERY:
            yield f"line {number} ({line.part}): {BREAK_TAG} belongs in the query"


def _emotion_problems(script: Script) -> Iterator[str]:
    if script.task not in QUESTION_TASKS:
        return
    told = [turn.emotion for turn in script.turns[:-1]]
    question = script.turns[-1]
    for emotion in missing_in_order(question.response_text, told, script.language):
        words = " or ".join(NAMES[script.language][emotion])
        yield f"turn {len(script.turns)} response_text: does not name {emotion} ({words}) in its place"
    if script.task is Task.TRAJECTORY:
        for emotion in sorted(named_emotions(question.response_text, script.language) - {*told}):
            yield f"turn {len(script.turns)} response_text: names {emotion}, which no turn has"
    for emotion in sorted(named_emotions(question.text, script.language) & {*told}):
        yield f"turn {len(script.turns)} text: the question gives {emotion} away"


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(strip_tags(text).casefold()))


def _repeated_texts(scripts: tuple[Script, ...]) -> Iterator[str]:
    places: dict[tuple[Language, tuple[str, ...]], list[str]] = defaultdict(list)
    for script in scripts:
        for number, line in enumerate(script.lines, start=1):
            if line.part not in REPEATABLE_PARTS:
                places[script.language, _words(line.text)].append(f"{script.script_id} line {number}")
        for number, turn in enumerate(script.turns, start=1):
            places[script.language, _words(turn.text)].append(f"{script.script_id} turn {number} text")
            places[script.language, _words(turn.response_text)].append(
                f"{script.script_id} turn {number} response_text"
            )
    for where in places.values():
        if len(where) > 1:
            yield f"the same words stand in {', '.join(where)}"


def _questions_alike(scripts: tuple[Script, ...]) -> Iterator[str]:
    openings: dict[tuple[Task, Language], list[tuple[str, ...]]] = defaultdict(list)
    for script in scripts:
        if script.task in QUESTION_TASKS:
            opening = _words(script.turns[-1].text)[: OPENING_LENGTH[script.language]]
            openings[script.task, script.language].append(opening)
    for (task, language), found in openings.items():
        opening, count = Counter(found).most_common(1)[0]
        if len(found) >= MIN_QUESTIONS and count / len(found) > MAX_OPENING_SHARE:
            yield (
                f"{count} of the {len(found)} final questions of {language} {task} begin with "
                f"{' '.join(opening)!r}; vary their wording"
            )
