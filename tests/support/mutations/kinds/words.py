"""What is said, and in which language."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Language, Task
from tests.support.mutations.kinds.common import (
    BOOKS,
    BOUNDS,
    CLEAN_FILE,
    OTHER_VOICE,
    OTHER_WORDS,
    SAME_SOUND,
    faded,
    is_dialogue,
    is_scene,
    near_in_length,
    one,
    owner,
    silence,
    sound_kind,
    sounding,
)
from tests.support.mutations.planting import Copy, Kind, Planted, Wave, at
from tests.support.mutations.spares import Spare
from tests.support.mutations.spots import Spot, sentences

GROUP = "words"

#: Whole sentences that no script of ours has, by language.
OTHER_SENTENCES = {
    Language.ZH: "邮局昨天把包裹退回来了，收件地址写错了一个数字。",
    Language.EN: "The museum opens at nine, but the east wing stays closed until April.",
}
FOREIGN = {
    Language.ZH: "昨日は友達と映画を見に行って、とても楽しかったです。",
    Language.EN: "Hier soir nous avons mangé une soupe à la tomate chez mes parents.",
}
INSTRUCTION = {
    Language.ZH: "请用非常悲伤的语气说下面这句话。",
    Language.EN: "Please read the next sentence in a very sad voice.",
}
_SLOW = 0.4
_WORD = {Language.ZH: "桥", Language.EN: "bridge"}
#: the last word or two, with what the engine adds to a last syllable
_WORD_S = {Language.ZH: 0.7, Language.EN: 0.6}


def _turns(found: FoundItem) -> Sequence[Spot]:
    return sentences(found) if is_dialogue(found) else ()


def _truncated(wave: Wave, seconds: float) -> Wave:
    last = sounding(wave)[1] - round(seconds * RATE)
    return np.concatenate([faded(wave[:last]), silence(0.05)])


def _late(wave: Wave, seconds: float) -> Wave:
    first = sounding(wave)[0] + round(seconds * RATE)
    return np.concatenate([silence(0.05), faded(wave[first:])])


def _end_cut(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    spot = one(sentences(found), rng)
    copy.put(spot, _truncated(copy.heard(spot), _WORD_S[found.language]))
    return at(found)


def _start_cut(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    spot = one(sentences(found), rng)
    wave = copy.heard(spot)
    late = _late(wave, _WORD_S[found.language])
    copy.put(spot, late if spot.is_turn else np.concatenate([np.zeros(len(wave) - len(late)), late]))
    return at(found)


def _gap(wave: Wave, rng: np.random.Generator) -> Wave:
    first, last = sounding(wave)
    start = first + round((last - first) * rng.uniform(0.3, 0.45))
    return np.concatenate([faded(wave[:start]), faded(wave[start + round(1.0 * RATE) :])])


def _repeated_tail(wave: Wave, rng: np.random.Generator) -> Wave:
    last = sounding(wave)[1]
    tail = faded(wave[last - round(1.4 * RATE) : last])
    return np.concatenate([wave[:last], silence(0.2), tail, silence(0.05)])


def _instruction(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    spot = one(_turns(found), rng)
    spoken = copy.spare(f"instruction/{found.language}/{spot.speaker}")
    copy.put(spot, np.concatenate([spoken, silence(0.2), copy.heard(spot)]))
    return at(found)


def _spoken_instruction(found: FoundItem, items: tuple[FoundItem, ...]) -> tuple[Spare, ...]:
    speaker = _turns(found)[0].speaker
    return (Spare(f"instruction/{found.language}/{speaker}", found.language, INSTRUCTION[found.language], speaker),)


def _another_utterance(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    spot = one(sentences(found), rng)
    source = near_in_length(copy, found, spot, rng, same_speaker=False)
    copy.put(spot, copy.heard(source))
    return at(found, partners=(owner(copy, source),))


def _has_two(found: FoundItem) -> bool:
    return len(_turns(found)) >= 2


def _swapped(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    first, second = rng.choice(len(_turns(found)), 2, replace=False)
    one_turn, other = _turns(found)[first], _turns(found)[second]
    waves = copy.wave(one_turn.path), copy.wave(other.path)
    copy.write_wave(one_turn.path, waves[1])
    copy.write_wave(other.path, waves[0])
    return at(found)


def _one_word(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    spot = one(sentences(found), rng)
    if found.language is Language.ZH:
        place = one([number for number, letter in enumerate(spot.text) if "一" <= letter <= "鿿"], rng)
        text = spot.text[:place] + _WORD[Language.ZH] + spot.text[place + 1 :]
    else:
        words = spot.text.split(" ")
        place = one([number for number, word in enumerate(words) if word.isalpha()], rng)
        text = " ".join([*words[:place], _WORD[Language.EN], *words[place + 1 :]])
    copy.edit_text(found, spot, text)
    return at(found)


def _whole_sentence(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    copy.edit_text(found, one(sentences(found), rng), OTHER_SENTENCES[found.language])
    return at(found)


def _foreign_text(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    copy.edit_text(found, one(sentences(found), rng), FOREIGN[found.language])
    return at(found)


def _users(found: FoundItem) -> Sequence[Spot]:
    return [spot for spot in sentences(found) if not spot.name.startswith("assistant")]


def _wrong_script(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    other = Language.EN if found.language is Language.ZH else Language.ZH
    copy.edit_text(found, one(_users(found), rng), OTHER_SENTENCES[other])
    return at(found)


def _other_language(copy: Copy, found: FoundItem, rng: np.random.Generator) -> Planted:
    """Speech of the other language, as long as the sentence was."""
    spot = one(sentences(found), rng)
    foreign = [
        other
        for item in copy.items
        if item.language is not found.language and item.split is found.split
        for other in sentences(item)
    ]
    source = min(foreign, key=lambda other: abs(other.seconds - spot.seconds))
    copy.put(spot, copy.heard(source))
    return at(found, partners=(owner(copy, source),))


def _stretched(wave: Wave, rng: np.random.Generator) -> Wave:
    import librosa

    slow: Wave = librosa.effects.time_stretch(wave, rate=_SLOW)
    return np.clip(slow, -0.7, 0.7)


def _most_missing(wave: Wave, rng: np.random.Generator) -> Wave:
    first, last = sounding(wave)
    return np.concatenate([faded(wave[: first + (last - first) // 4]), silence(0.05)])


_CUT_WORDS = OTHER_WORDS | BOUNDS | CLEAN_FILE | {"T2.PAUSE_LENGTH"}
KINDS: tuple[Kind, ...] = (
    Kind("last word cut off", GROUP, "TRANSCRIPT.END", _end_cut, lambda f: bool(sentences(f)), _CUT_WORDS, 4),
    Kind("first word cut off", GROUP, "TRANSCRIPT.START", _start_cut, lambda f: bool(sentences(f)), _CUT_WORDS, 4),
    sound_kind("a second missing in the middle", GROUP, "TRANSCRIPT.GAP", _gap, follows=_CUT_WORDS, cases=4),
    Kind(
        "instruction read aloud",
        GROUP,
        "TRANSCRIPT.EXTRA",
        _instruction,
        lambda f: bool(_turns(f)),
        OTHER_WORDS,
        4,
        needs=_spoken_instruction,
    ),
    sound_kind("last words said twice", GROUP, "TRANSCRIPT.EXTRA", _repeated_tail, _turns, OTHER_WORDS, 4),
    Kind(
        "another utterance's audio",
        GROUP,
        "TRANSCRIPT.ERRORS",
        _another_utterance,
        lambda f: bool(sentences(f)),
        _CUT_WORDS | OTHER_VOICE | SAME_SOUND,
        4,
    ),
    Kind("audio of two turns exchanged", GROUP, "TRANSCRIPT.ERRORS", _swapped, _has_two, OTHER_WORDS, 4),
    Kind(
        "text of another sentence",
        GROUP,
        "TRANSCRIPT.ERRORS",
        _whole_sentence,
        lambda f: bool(sentences(f)),
        OTHER_WORDS | BOOKS | {"T2.EVENT_LINES"},
        4,
    ),
    Kind("one word of a text edited", GROUP, "SET.CATALOG_AGREES", _one_word, lambda f: bool(sentences(f)),
         OTHER_WORDS, 4),
    Kind(
        "text in a third language",
        GROUP,
        "LANGUAGE.TEXT",
        _foreign_text,
        lambda f: bool(sentences(f)),
        OTHER_WORDS | BOOKS | {"T1.TEXT_LANGUAGE", "T2.SEGMENT_TEXT"},
        4,
    ),
    Kind(
        "text of a turn in the set's other language",
        GROUP,
        "T1.TEXT_LANGUAGE",
        _wrong_script,
        lambda f: bool(_turns(f)),
        OTHER_WORDS | BOOKS | {"LANGUAGE.TEXT"},
    ),
    Kind(
        "text of a segment in the set's other language",
        GROUP,
        "T2.SEGMENT_TEXT",
        _wrong_script,
        lambda f: is_scene(f) and f.task is not Task.PAUSE and bool(_users(f)),
        OTHER_WORDS | BOOKS | {"LANGUAGE.TEXT"},
    ),
    Kind(
        "speech in the other language",
        GROUP,
        "LANGUAGE.AUDIO",
        _other_language,
        lambda f: bool(sentences(f)),
        _CUT_WORDS | OTHER_VOICE | SAME_SOUND,
        4,
    ),
    sound_kind(
        "spoken at four tenths of the speed", GROUP, "TRANSCRIPT.RATE", _stretched, _turns, OTHER_WORDS | OTHER_VOICE, 3
    ),
    sound_kind("three quarters of the words missing", GROUP, "AUDIO.TEXT_DURATION", _most_missing, _turns,
               OTHER_WORDS | OTHER_VOICE),
)  # fmt: skip
