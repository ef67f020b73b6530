"""Choose the mixtures of Kokoro's voices: ``python -m benchmarks.voices`` prints the table and the registry.

``--only zf,zm`` looks at some groups (accent and gender, as Kokoro's names begin). What was spoken stays in
``work/bench-voices``: a second run is quick.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import yaml
from rich.console import Console

from data_schemas.speakers import MixPart, Voice
from data_schemas.tasks import Language
from flows.common.progress import Reporter, progress_display
from flows.config.build_config import BuildConfig
from flows.voices.audition import HEARD_BY, Hearing, VoiceKey, hear_voices, sentences
from generators.speech.kokoro.engine import KokoroEngine
from generators.speech.registry import create_engine
from validators.core.judges import Selection

FOLDER = Path("work/bench-voices")
_LIKENESS: Selection = frozenset({"speakers"})
GROUPS = ("zf", "zm", "af", "am", "bf", "bm")
#: Pairs heard per group, the least alike first: what lies between two voices is near both (the middle of two unit
#: vectors with cosine c has sqrt((1 + c) / 2) with either). Two voices and equal shares: three that can be mixed are
#: seldom in one pool, and the larger share of an unequal mixture is nearer to its voice.
CANDIDATES = 12
SHARE = 0.5
#: CHOICE: of voices over all sentences. Kokoro's own most alike, zm_yunxia and zf_xiaoyi, have 0.90; the judges take
#: two people of an item for one above 0.93 and speakers of two splits above 0.95, on less sound (`validators.limits`)
MAX_SIMILARITY = 0.90
#: CHOICE: how much worse than the worse of its parts a mixture may be read, and how much worse it may sound: one or two
#: units of the 67 (en) or 115 (zh) that a voice says, and a tenth of what issue 6 allows for emotion
MAX_MORE_ERRORS = 0.01
MAX_LESS_DNSMOS = 0.1
#: Read by the finalists besides the sentences of the audition, with which they were found.
MORE_SENTENCES = {
    Language.ZH: (
        "窗外下着小雨，楼下的早餐铺已经开门了，热气从蒸笼里冒出来。",
        "麻烦您帮我查一下，明天上午去上海的火车，还有没有靠窗的座位？",
    ),
    Language.EN: (
        "It was raining this morning, and the bakery downstairs had already opened its doors.",
        "Could you check whether there are any window seats left on the early train tomorrow, please?",
    ),
}


class Likeness(NamedTuple):
    """A voice and how alike a mixture is to it."""

    voice: str
    cosine: float


class Choice(NamedTuple):
    """A mixture with its measurements and why it is not taken; ``reason`` is empty where it is."""

    voice: Voice
    nearest: Likeness
    errors: float
    parents_errors: float
    dnsmos: float
    parents_dnsmos: float
    reason: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(GROUPS), help="groups, e.g. zf,zm")
    groups = parser.parse_args().only.split(",")
    console = Console()
    with progress_display(console) as reporter:
        choices = [choice for group in groups for choice in choose(group, reporter)]
    for line in (*table(choices), "", registry(choice.voice for choice in choices if not choice.reason)):
        console.print(line, markup=False, soft_wrap=True)


def choose(group: str, reporter: Reporter) -> list[Choice]:
    """All mixtures of a group that come near.

    Those taken are distinct from every base voice, and from each other unless they share a part: casting never takes
    two of these.
    """
    base = [voice for voice in KokoroEngine().voices() if voice.language is _language(group)]
    heard = _hear(base, sentences(), reporter, _LIKENESS)
    own = [voice for voice in base if voice.id.startswith(group)]
    mixtures = candidates(own, heard)
    reporter.note(f"{group}: {len(mixtures)} mixtures to hear")
    screened = _hear(mixtures, sentences(), reporter, _LIKENESS)
    finalists = [voice for voice in mixtures if _nearest(voice, screened, heard, base).cosine <= MAX_SIMILARITY]
    parents = [voice for voice in own if any(voice.id in _parts(one) for one in finalists)]
    more = {language: (*sentences()[language], *MORE_SENTENCES[language]) for language in Language}
    everything = _hear([*finalists, *parents], more, reporter, HEARD_BY)
    ordered = sorted(finalists, key=lambda one: _nearest(one, everything, heard, base).cosine)
    taken: list[Voice] = []
    choices = []
    for voice in ordered:
        choice = _judge(voice, everything, heard, base, taken)
        choices.append(choice)
        if not choice.reason:
            taken.append(voice)
    return choices


def candidates(voices: Sequence[Voice], heard: Hearing) -> list[Voice]:
    """Equal shares of two voices of a group, the least alike pairs."""
    directions = heard.directions()

    def likeness(pair: tuple[Voice, Voice]) -> float:
        return float(directions[_key(pair[0])] @ directions[_key(pair[1])])

    return [mixture(*pair) for pair in sorted(combinations(voices, 2), key=likeness)[:CANDIDATES]]


def mixture(first: Voice, second: Voice) -> Voice:
    """Equal shares of two voices of one language and gender."""
    return Voice(
        id=f"{first.id}+{second.id}",
        engine=first.engine,
        language=first.language,
        gender=first.gender,
        license=first.license,
        mix=tuple(MixPart(voice=part.id, weight=SHARE) for part in (first, second)),
    )


def _judge(voice: Voice, everything: Hearing, heard: Hearing, base: Sequence[Voice], taken: Sequence[Voice]) -> Choice:
    nearest = max(
        _nearest(voice, everything, heard, base),
        _nearest(voice, everything, everything, (one for one in taken if not set(_parts(one)) & set(_parts(voice)))),
        key=lambda one: one.cosine,
    )
    parents = [(voice.language, name) for name in _parts(voice)]
    errors = _value(everything, _key(voice), _error_rate(voice))
    parents_errors = max(_value(everything, key, _error_rate(voice)) for key in parents)
    dnsmos = _value(everything, _key(voice), "ovrl")
    parents_dnsmos = min(_value(everything, key, "ovrl") for key in parents)
    reasons = (
        (nearest.cosine > MAX_SIMILARITY, f"too like {nearest.voice}"),
        (errors > parents_errors + MAX_MORE_ERRORS, "misread"),
        (dnsmos < parents_dnsmos - MAX_LESS_DNSMOS, "sounds worse"),
    )
    reason = next((text for wrong, text in reasons if wrong), "")
    return Choice(voice, nearest, errors, parents_errors, dnsmos, parents_dnsmos, reason)


def _nearest(voice: Voice, hearing: Hearing, others: Hearing, among: Iterable[Voice]) -> Likeness:
    own, directions = hearing.directions()[_key(voice)], others.directions()
    return max(
        (Likeness(other.id, float(own @ directions[_key(other)])) for other in among),
        key=lambda one: one.cosine,
        default=Likeness("", -1.0),
    )


def _hear(
    voices: Sequence[Voice], texts: dict[Language, tuple[str, ...]], reporter: Reporter, heard_by: Selection
) -> Hearing:
    """Mixtures reach the worker processes as a registry, like those of everybody else."""
    mixed = [voice for voice in voices if voice.mix]
    path = FOLDER / "candidates.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    if mixed:
        path.write_text(registry(mixed), encoding="utf-8")
    config = _config(str(path) if mixed else None)
    hearing = hear_voices(config, create_engine("kokoro", config.speech), voices, texts, reporter, heard_by)
    for key, problem in hearing.problems.items():
        raise SystemExit(f"{key}: {problem}")
    return hearing


def _config(voices: str | None) -> BuildConfig:
    return BuildConfig.model_validate(
        {
            "name": "bench-voices",
            "seed": 1,
            "release": str(FOLDER / "release"),
            "work": str(FOLDER / "work"),
            "quotas": [{"task": "pause", "languages": ["zh"], "splits": ["dev"], "turns": [1], "count": 1}],
            "scripts": {"pack": ["quickstart"]},
            "speech": {"engine": "kokoro", "voices": voices},
        }
    )


def table(choices: Iterable[Choice]) -> Iterator[str]:
    """Markdown."""
    yield "| mixture | nearest voice | errors (worse part) | DNSMOS (worse part) | |"
    yield "|---|---|---|---|---|"
    for one in choices:
        yield (
            f"| {one.voice.id} | {one.nearest.cosine:.3f} {one.nearest.voice} "
            f"| {one.errors:.1%} ({one.parents_errors:.1%}) "
            f"| {one.dnsmos:.2f} ({one.parents_dnsmos:.2f}) | {one.reason or 'taken'} |"
        )


def registry(voices: Iterable[Voice]) -> str:
    """The file that `generators.speech.voices.registry` reads."""
    entries = [
        voice.model_dump(mode="json", include={"id", "engine", "language", "gender", "license", "mix"})
        for voice in voices
    ]
    return str(yaml.safe_dump({"voices": entries}, sort_keys=False, allow_unicode=True))


def _value(hearing: Hearing, key: VoiceKey, name: str) -> float:
    value = hearing.mean(key, name)
    if value is None:
        raise SystemExit(f"{key}: {name} could not be measured")
    return value


def _error_rate(voice: Voice) -> str:
    """Homophones are the recogniser's choice: syllables for zh."""
    return "wer" if voice.language is Language.EN else "syllable_error_rate"


def _parts(voice: Voice) -> tuple[str, ...]:
    return tuple(part.voice for part in voice.mix)


def _key(voice: Voice) -> VoiceKey:
    return voice.language, voice.id


def _language(group: str) -> Language:
    return Language.ZH if group.startswith("z") else Language.EN


if __name__ == "__main__":
    main()
