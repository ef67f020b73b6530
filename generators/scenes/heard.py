"""Which words of an utterance were spoken by a moment, and where its phrases end.

With word timings both follow from them. Without, speech is taken to advance evenly over the
written characters between the silences at the utterance's edges: an estimate, snapped down so
that no word is claimed that was not finished.
"""

from __future__ import annotations

import re

from data_schemas.tags import TAG_PATTERN
from data_schemas.tasks import Language
from data_schemas.utterance import Utterance, WordTiming

#: A tag, then a run of Latin letters or digits, then any other single character.
_ZH_TOKEN = re.compile(r"\[[^\[\]]*\]\s*|[A-Za-z0-9]+(?:[.'’:%-][A-Za-z0-9]+)*\s*|\S\s*|\s+")
_EN_TOKEN = re.compile(r"\S+\s*|\s+")
_PHRASE_MARKS = re.compile(r"[,.;:!?，。；：！？、…—](?!\d)")
_MS_PER_S = 1000


def heard_text(utterance: Utterance, stop: int) -> str:
    """The beginning of ``utterance.text`` that was fully spoken by sample ``stop`` of the utterance.

    Whole words in English, whole characters in Chinese (where a run of letters or digits
    counts as one). Empty when not even the first was finished.
    """
    if stop >= utterance.num_samples:
        return utterance.text
    if utterance.words:
        aligned = _heard_by_alignment(utterance.text, utterance.words, stop)
        if aligned is not None:
            return aligned
        return _whole_tokens(utterance, _spoken_share(utterance.words, stop))
    return _whole_tokens(utterance, _elapsed_share(utterance, stop))


def phrase_ends(utterance: Utterance) -> tuple[int, ...]:
    """Samples of the utterance at which a phrase ends, ascending: where punctuation stands inside it."""
    marks = [match.start() for match in _PHRASE_MARKS.finditer(utterance.text)]
    inner = [mark for mark in marks if utterance.text[mark + 1 :].strip()]
    if utterance.words:
        ends = [_word_stop_before(utterance, mark) for mark in inner]
    else:
        ends = [_sample_at_share(utterance, mark / len(utterance.text)) for mark in inner]
    return tuple(sorted({end for end in ends if end is not None}))


def _heard_by_alignment(text: str, words: tuple[WordTiming, ...], stop: int) -> str | None:
    """The text up to the last finished word; None when the timed words are not those of the text."""
    cursor = 0
    heard = 0
    folded = text.casefold()
    for word in words:
        found = folded.find(word.text.casefold(), cursor)
        if found < 0 or len(folded) != len(text):
            return None
        cursor = found + len(word.text)
        if word.stop <= stop:
            heard = cursor
    return text[:heard]


def _spoken_share(words: tuple[WordTiming, ...], stop: int) -> float:
    letters = sum(len(word.text) for word in words)
    return sum(len(word.text) for word in words if word.stop <= stop) / letters if letters else 0.0


def _edge_samples(utterance: Utterance) -> int:
    return min(
        utterance.request.edge_silence_ms * utterance.sample_rate // _MS_PER_S,
        (utterance.num_samples - 1) // 2,
    )


def _elapsed_share(utterance: Utterance, stop: int) -> float:
    edge = _edge_samples(utterance)
    return min(max((stop - edge) / (utterance.num_samples - 2 * edge), 0.0), 1.0)


def _sample_at_share(utterance: Utterance, share: float) -> int:
    edge = _edge_samples(utterance)
    return edge + round(share * (utterance.num_samples - 2 * edge))


def _whole_tokens(utterance: Utterance, share: float) -> str:
    """The longest run of whole tokens that is at most ``share`` of the text's spoken characters."""
    pattern = _ZH_TOKEN if utterance.request.language is Language.ZH else _EN_TOKEN
    tokens = pattern.findall(utterance.text)
    budget = share * sum(_weight(token) for token in tokens)
    heard = ""
    spent = 0
    for token in tokens:
        spent += _weight(token)
        if spent > budget:
            break
        heard += token
    return heard.rstrip()


def _weight(token: str) -> int:
    """Characters of a token; tags are shown, not spoken."""
    return len(TAG_PATTERN.sub("", token).rstrip())


def _word_stop_before(utterance: Utterance, mark: int) -> int | None:
    """End of the last timed word before character ``mark`` of the text."""
    cursor = 0
    last: int | None = None
    folded = utterance.text.casefold()
    for word in utterance.words:
        found = folded.find(word.text.casefold(), cursor)
        if found < 0 or found >= mark:
            break
        cursor = found + len(word.text)
        last = word.stop
    return last
