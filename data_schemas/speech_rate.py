"""How long a text takes to say, before anyone has spoken it."""

from __future__ import annotations

from data_schemas.tags import strip_tags
from data_schemas.tasks import Language

#: Speech rates, calibrated on the 164 utterances of the quickstart in Kokoro speech (characters with
#: punctuation; edge silences included).
HAN_CHARACTERS_PER_SECOND = 5.8
ENGLISH_WORDS_PER_SECOND = 3.4


def spoken_seconds(text: str, language: Language) -> float:
    """Expected length of ``text`` in seconds; tags count nothing.

    >>> round(spoken_seconds("唉 [sigh] 算了吧", Language.ZH), 1)
    0.9
    """
    plain = strip_tags(text)
    if language is Language.ZH:
        return len(plain) / HAN_CHARACTERS_PER_SECOND
    return len(plain.split()) / ENGLISH_WORDS_PER_SECOND
