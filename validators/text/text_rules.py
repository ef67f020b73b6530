"""Rules for one text: spoken style, length, tags, privacy, leaked words of the plan or of the machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from data_schemas.script import Script
from data_schemas.speech_rate import spoken_seconds
from data_schemas.tags import BREAK_TAG, TAG_PATTERN, strip_tags, tags_in
from data_schemas.tasks import Language, Role
from validators.core.thresholds import Thresholds
from validators.text.language_rules import language_problems
from validators.text.problem import Problem
from validators.text.texts import Field, units

_STYLE = {
    "a line break": re.compile(r"[\r\n\t]"),
    "markdown": re.compile(r"[*`#|~]|__|\]\("),
    "a list mark": re.compile(
        r"(?:^|\s)[-•·–—]\s|(?:^|[.;:!?。；：！？]\s?)\d{1,2}(?:[)、）]|[.．]\s)|[（(][一二三四五六七八九十\d][)）]|[①-⑳]"
    ),
    "an emoji or pictogram": re.compile(r"[\u2190-\u21ff\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]"),
    "a web address": re.compile(r"https?:|www\.|\b[\w-]+\.(?:com|cn|net|org|io)\b", re.IGNORECASE),
    "brackets, which nobody speaks": re.compile(r"[()（）【】]"),
    "an essay's counting (firstly, secondly)": re.compile(
        r"\bfirstly\b.*\bsecondly\b|首先.*其次|第一[，,：:].*第二[，,：:]", re.I | re.S
    ),
}
_LOOP = re.compile(r"(.{3,40}?)\1{3,}", re.DOTALL)
_PLACEHOLDER = re.compile(r"[{}<>]|\b(?:TODO|TBD|XXX+)\b|(?:某某|XX)|___")
_MACHINE = re.compile(
    r"as an ai\b|\b(?:i'm|i am) an ai\b|\bai (?:assistant|language model)|language model|chatgpt|assistant\s*\n"
    r"|作为一?[个名]?(?:AI|人工智能|语言模型|智能助手)|语言模型|提示词",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\bi(?:'m| am)? (?:can(?:no|')t|cannot|am unable to|unable to|won't be able to|am not able to|not able to) "
    r"(?:help|assist|write|create|generate|comply|fulfil|provide|produce|continue|engage)\w*\b"
    r"(?= with (?:that|this|your)| (?:that|this|your) request| a (?:script|dialogue)| (?:such|content)|[.,!]|$)"
    r"|\bi (?:must|have to) decline\b|against my (?:guidelines|programming|policy)|content policy"
    r"|(?:抱歉|对不起|不好意思)[，,、 ]?(?:但)?我(?:无法|不能|没有办法|没法)(?:为您|为你|给您|给你)?"
    r"(?:提供|协助|帮助|生成|创作|编写|回答|继续|满足|完成|处理|讨论|执行|$|[。！，,])"
    r"|我(?:无法|不能)(?:为您|为你)?(?:提供|协助|生成|创作|编写)(?:这|此|该|相关|有关)|违反.{0,6}(?:政策|准则|规定).{0,4}内容",
    re.IGNORECASE,
)

_STREETS = "street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd|crescent|close|terrace|way|place|court"
_PRIVATE = {
    "an e-mail address": re.compile(
        r"[\w.+-]+@[\w-]+|\bat (?:gmail|hotmail|outlook|yahoo) dot com"
        r"|(?:艾特|圈[aA]|at)\s?(?:qq|QQ|163|126)\s?(?:点|\.)",
        re.I,
    ),
    "a phone, card or identity number": re.compile(
        r"\d(?:(?:[ ()-]{0,2}|\.)\d){8,}|(?<![\d,.])(?!\d0{5,})\d{8}|(?<!\d)\d{3}-\d{4}(?!\d)"
    ),
    "an address with a house number": re.compile(
        rf"\b\d{{1,5}}[a-z]? (?:[A-Z][a-z']+ ){{1,3}}(?i:{_STREETS})\b(?! and\b)"
        r"|[\u4e00-\u9fff](?:路|大街|街|大道|巷|弄|胡同)\s?(?:[\d０-９]{1,5}|[一二三四五六七八九十百]{1,5})\s?(?:号|弄)(?!线)"
        r"|(?:\d{1,3}|[一二三四五六七八九十]{1,3})(?:号楼|栋|幢|座)(?:\d{1,2}|[一二三四五六七八九十]{1,2})单元"
    ),
}
_SPOKEN_DIGITS = {
    Language.ZH: re.compile(r"[零〇一二三四五六七八九幺]{8,}"),
    Language.EN: re.compile(r"\b(?:(?:oh|zero|one|two|three|four|five|six|seven|eight|nine)[ ,-]+){6,}\w+", re.I),
}
_EN_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_DIGIT_VALUES = {
    **{word: n for n, word in enumerate(_EN_DIGITS)},
    **{character: n for n, character in enumerate("零一二三四五六七八九")},
    "oh": 0,
    "〇": 0,
    "幺": 1,
}

_LABELS = "anger|disgust|fear|happy|neutral|sad|surprise"
_LEAK = re.compile(
    rf"\bemotions?\s*[:=：]|\b(?:{_LABELS})\s*[(（\[]\s*\d|\bintensity\s*(?:[:=：]|level\b|(?:of\s+)?[0-3]\b)"
    r"|\bturn[ _#]?(?:[1-5]\b|(?:one|two|three|four|five)\s*[:：])|\broot[ _]cause"
    r"|[\"'“](?:text|reply|cause|query|aside|emotion|turn_?\d|line_?\d+|interruption|backchannel|second_\w+)[\"'”]\s*[:：]"
    r"|\bline_\d|\b(?:response_text|second_reply|second_query|third_party|fine_emotion|text_emotion|text_model|script_id)\b"
    r"|^\s*(?:user|assistant|system|text|reply|query|cause|aside|interruption|backchannel)\s*[:：]"
    r"|^\s*(?:用户|助手|助理|系统|回复|原因|打断|旁白|附和|第[一二三四五]轮)\s*[:：]"
    r"|(?:情绪|情感|强度|根因|根本原因)\s*[:：=]|(?:情绪)?强度\s*(?:为|是)?\s*[0-3](?!\d)|根因"
    r"|第\s*[1-5]\s*轮(?!面|比|考|化|选|复|谈|笔|投|融|淘|决|裁|的?(?:面试|比赛))|第[一二三四五]轮(?:对话|发言|情绪|回复)"
    r"|\btakes about [\d.]+ s to say|\bcut at \d+ tokens|\bmax_tokens\b",  # the reasons it was sent back with
    re.IGNORECASE | re.MULTILINE,
)
_LABEL_IN_CHINESE = re.compile(r"(?<![A-Za-z])(?:anger|disgust|neutral|surprise|fear)(?![A-Za-z])")


def text_problems(text: str, language: Language) -> Iterator[Problem]:
    """Language purity, form, privacy and leaks of one text, tags aside."""
    bare = TAG_PATTERN.sub(" ", text)
    yield from language_problems(bare, language)
    for what, pattern in _STYLE.items():
        if pattern.search(bare):
            yield Problem("SCRIPT.STYLE", f"holds {what}: {text!r}")
    loop = _LOOP.search(bare)
    if loop and len(set(loop[1].replace(" ", ""))) > 1:
        yield Problem("SCRIPT.STYLE", f"says the same words over and over: {text!r}")
    if text != text.strip() or "  " in text:
        yield Problem("SCRIPT.STYLE", f"holds blanks at an edge or twice in a row: {text!r}")
    if _PLACEHOLDER.search(bare):
        yield Problem("SCRIPT.PLACEHOLDER", f"holds a placeholder: {text!r}")
    if _MACHINE.search(bare):
        yield Problem("SCRIPT.MACHINE", f"holds a word that gives the machine away: {text!r}")
    if _REFUSAL.search(bare):
        yield Problem("SCRIPT.REFUSAL", f"refuses to write or to help: {text!r}")
    for what, pattern in _PRIVATE.items():
        if pattern.search(bare):
            yield Problem("SCRIPT.PRIVATE", f"holds {what}: {text!r}")
    if any(not _counts_up(found[0]) for found in _SPOKEN_DIGITS[language].finditer(bare)):
        yield Problem("SCRIPT.PRIVATE", f"spells out a phone, card or identity number: {text!r}")
    if _LEAK.search(bare) or (language is Language.ZH and _LABEL_IN_CHINESE.search(bare)):
        yield Problem("SCRIPT.PLAN_LEAK", f"holds words of the plan or of the answer's form: {text!r}")


def field_problems(field: Field, language: Language, thresholds: Thresholds) -> Iterator[Problem]:
    """What depends on who speaks the text and where: length, tags."""
    seconds = spoken_seconds(field.text, language)
    limit = thresholds.max_line_s if field.spoken else thresholds.max_reply_s
    if seconds > limit:
        yield Problem(
            "SCRIPT.LINE_LENGTH", f"takes about {seconds:.0f} s to say, {limit:g} s at most", round(seconds, 1), limit
        )
    if not strip_tags(field.text):
        yield Problem("SCRIPT.TAG", f"holds no words: {field.text!r}")
    vocal = [tag for tag in tags_in(field.text) if tag != BREAK_TAG]
    if vocal and field.role is Role.ASSISTANT:
        yield Problem("SCRIPT.TAG", f"the assistant's words hold no tags, and here is {vocal[0]}")
    elif len(vocal) > thresholds.max_tags_per_line:
        yield Problem(
            "SCRIPT.TAG",
            f"holds {len(vocal)} vocal tags, {thresholds.max_tags_per_line} at most",
            len(vocal),
            thresholds.max_tags_per_line,
        )


def brief_problems(script: Script, field: Field) -> Iterator[Problem]:
    """Stretches of the brief that stand in the text word for word: they tell the writer what to do, not what to say."""
    if script.brief is None:
        return
    said = units(field.text, script.language)
    size = COPIED_UNITS[script.language]
    runs = {said[start : start + size] for start in range(len(said) - size + 1)}
    told = (*script.brief.events, script.brief.opening, script.brief.question or "", script.brief.cue or "")
    for part in told:
        words = units(part, script.language)
        if any(words[start : start + size] in runs for start in range(len(words) - size + 1)):
            yield Problem("SCRIPT.PLAN_LEAK", f"repeats the plan word for word ({part!r})")
            return


#: So many characters or words in a row are copied, not found again by chance.
COPIED_UNITS = {Language.ZH: 10, Language.EN: 7}


def _counts_up(text: str) -> bool:
    """One, two, three: dancing and exercise, not a phone number."""
    words = re.findall(r"[a-z]+|[零〇一二三四五六七八九幺]", text.casefold())
    values = [_DIGIT_VALUES[word] for word in words if word in _DIGIT_VALUES]
    return all(abs(after - before) == 1 for before, after in pairwise(values))
