"""``GGGG_IIII``, the digits of every released id, and how they reach beyond 9999 items of a track and language.

The challenge's scripts want two groups of four digits (FORMATS.md A.4, B.1), and the first is the recording session
or the speaker. So a speaker has up to twenty sessions of 10,000 numbers each: the first is numbered as the speaker,
each later one `SESSION_STEP` higher.
"""

from __future__ import annotations

#: Item numbers of one session.
SESSION_ITEMS = 10_000
#: How far apart the sessions of a speaker are numbered; from item 10,000 on, speakers have lower numbers than this.
SESSION_STEP = 500
_GROUPS = 10_000
#: The highest item number of a (track, language): 20 sessions.
MAX_INDEX = _GROUPS // SESSION_STEP * SESSION_ITEMS - 1


def item_code(speaker: int, index: int) -> str:
    """The digits of an id.

    >>> item_code(7, 42), item_code(7, 9999), item_code(7, 10_000), item_code(7, 25_001)
    ('0007_0042', '0007_9999', '0507_0000', '1007_5001')

    Args:
        speaker: the user's number, 1 to 9999.
        index: 1 to `MAX_INDEX`, each once in a track and language.

    Raises:
        ValueError: the item belongs to a later session, and so high a speaker's number is another one's session.
    """
    session, number = divmod(index, SESSION_ITEMS)
    if session and speaker >= SESSION_STEP:
        raise ValueError(
            f"item {index} of speaker {speaker}: from item {SESSION_ITEMS} on, speakers are below {SESSION_STEP}"
        )
    return f"{speaker + session * SESSION_STEP:04d}_{number:04d}"


def parse_item_code(code: str) -> tuple[int, int]:
    """Speaker and index again, where all speakers are numbered below `SESSION_STEP`.

    >>> parse_item_code("1007_5001")
    (7, 25001)
    """
    session, speaker = divmod(int(code[:4]), SESSION_STEP)
    return speaker, session * SESSION_ITEMS + int(code[5:])


def index_text(index: int) -> str:
    """An index within a plan's id: sorted as text, plans come in the order of their indices.

    >>> index_text(42), index_text(9999), index_text(10_000), index_text(123_456)
    ('0042', '9999', 'x010000', 'x123456')
    """
    return f"{index:04d}" if index < SESSION_ITEMS else f"x{index:06d}"
