"""Inline tags inside script text: vocal sounds the text shows and the pause mark."""

from __future__ import annotations

import re

#: Vocal tags seen in the challenge's samples (FORMATS.md A.4). Shown in ``text``, never read aloud.
VOCAL_TAGS: tuple[str, ...] = ("[sigh]", "[laughter]", "[clears throat]")

#: The hesitation mark of Pause_Handling (FORMATS.md B.3).
BREAK_TAG = "[break]"

TAG_PATTERN = re.compile(r"\[[^\[\]]*\]")


def tags_in(text: str) -> tuple[str, ...]:
    """All square-bracket tags in order.

    >>> tags_in("唉 [sigh] 算了")
    ('[sigh]',)
    """
    return tuple(TAG_PATTERN.findall(text))


def strip_tags(text: str) -> str:
    """Text without tags, the white space around a removed tag folded to one blank.

    >>> strip_tags("Well [sigh] fine.")
    'Well fine.'
    """
    return re.sub(r"\s{2,}", " ", TAG_PATTERN.sub(" ", text)).strip()
