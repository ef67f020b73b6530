"""Where vocal tags stand in the text as it is spoken, and which of them will be heard."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from operator import itemgetter

from data_schemas.tags import TAG_PATTERN, VOCAL_TAGS
from data_schemas.tasks import Language
from data_schemas.utterance import SpeechRequest, VocalSound

#: Tags the project has a sound for. A sigh is noise in the speaker's own vocal tract, which can be made from the voice
#: (`generators.speech.sounds.sigh`). A laugh is a train of voiced bursts whose pitch, lengths and breath change from
#: burst to burst (Bachorowski et al. 2001), and clearing the throat is irregular vibration of false folds: by rule both
#: sound like a machine, so they are left out, and ``heard`` says so.
REALISED: frozenset[str] = frozenset({"[sigh]"})

#: A sound goes before these: they open what comes next.
_OPENING = "([{（［“‘「『《¿¡"


def spoken_with_sounds(
    text: str, language: Language, engine_tags: frozenset[str], normalise: Callable[[str], str], realise: bool
) -> tuple[str, tuple[VocalSound, ...], tuple[str, ...]]:
    """The text to speak, the project's own sounds in it, and all tags that will be heard, in the order of the text.

    The words are those of ``normalise(text)``, to the letter: a number on one side of a tag is read with what stands
    on the other. ``normalise`` takes tags out (`generators.speech.text.normalise.normalise` with its language). Tags of
    ``engine_tags`` stay in the text, after the punctuation of what is said before them. Nothing to say, no sounds.

    >>> from functools import partial
    >>> from generators.speech.text.normalise import normalise
    >>> zh = partial(normalise, language=Language.ZH)
    >>> spoken_with_sounds("没抢到，[sigh] 等了2个小时。[laughter]", Language.ZH, frozenset({"[laughter]"}), zh, True)
    ('没抢到，等了两个小时。[laughter]', (VocalSound(tag='[sigh]', after=4),), ('[sigh]', '[laughter]'))
    """
    whole = normalise(text)
    spoken, last = "", 0
    sounds: list[VocalSound] = []
    heard: list[str] = []
    if not whole:
        return "", (), ()
    for tag in TAG_PATTERN.finditer(text):
        own = realise and tag[0] in REALISED
        if tag[0] not in VOCAL_TAGS or not (own or tag[0] in engine_tags):
            continue
        position = max(last, _position(whole, normalise(text[: tag.start()]), normalise(text[tag.end() :])))
        spoken, last = spoken + whole[last:position], position
        heard.append(tag[0])
        if tag[0] in engine_tags:
            blank = " " if language is Language.EN else ""
            spoken = f"{spoken.rstrip()}{blank if spoken else ''}{tag[0]}{blank}"
        else:
            sounds.append(VocalSound(tag=tag[0], after=len(spoken)))
    spoken = (spoken + whole[last:]).rstrip()
    within = tuple(sound.model_copy(update={"after": min(sound.after, len(spoken))}) for sound in sounds)
    return spoken, within, tuple(heard)


def heard_tags(request: SpeechRequest) -> tuple[str, ...]:
    """The vocal tags that sound in an utterance, in the order of its text: the engine's and the project's own."""
    own = [(sound.after, sound.tag) for sound in request.sounds]
    voiced = [(tag.start(), tag[0]) for tag in TAG_PATTERN.finditer(request.spoken_text)]
    return tuple(tag for _, tag in sorted([*own, *voiced], key=itemgetter(0)))


def _position(whole: str, before: str, after: str) -> int:
    """Where the words of ``before`` end in ``whole``, past the punctuation that closes them; never inside a word.

    Either side alone may be read in another way than as a part of the whole; then the other side decides, and
    where both are, the place up to which they agree.
    """
    letters, left, right = _letters(whole), _letters(before), _letters(after)
    if letters.endswith(right) and not letters.startswith(left):
        count = len(letters) - len(right)
    else:
        count = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(letters, left, strict=False)))
    return _after_letters(whole, count)


def _letters(text: str) -> str:
    return "".join(char for char in text if char.isalnum())


def _after_letters(whole: str, count: int) -> int:
    """Position in ``whole`` past its first ``count`` letters, the rest of a Latin word and closing punctuation."""
    if not count:
        return 0
    places = [place for place, char in enumerate(whole) if char.isalnum()]
    position = places[count - 1] + 1
    while position < len(whole) and _goes_on(whole, position):
        position += 1
    while position < len(whole) and not whole[position].isalnum() and whole[position] not in _OPENING:
        position += 1
    return position


def _goes_on(whole: str, position: int) -> bool:
    """Whether a word of letters that are written together stands on both sides."""
    here, next_one = whole[position - 1], whole[position]
    if next_one in "'’":
        return here.isalnum() and here.isascii() and whole[position + 1 : position + 2].isalpha()
    return next_one.isalnum() and next_one.isascii() and (here in "'’" or (here.isalnum() and here.isascii()))
