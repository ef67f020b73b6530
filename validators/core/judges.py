"""The judges by name: what each looks at, what it needs, and how people choose among them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from data_schemas.foundation.problems import did_you_mean


class Level(StrEnum):
    ITEM = "item"  # one item's rows and files
    CLIP = "clip"  # one utterance as it is heard
    SET = "set"  # all items together


class JudgeInfo(NamedTuple):
    """One judge as people choose it."""

    name: str
    level: Level
    models: tuple[str, ...]  # entries of the model table it cannot work without
    summary: str


JUDGES: tuple[JudgeInfo, ...] = (
    JudgeInfo("structure", Level.ITEM, (), "rows, ids, labels and files as the challenge's scripts read them"),
    JudgeInfo("language", Level.ITEM, (), "the language that texts are written in"),
    JudgeInfo("audio", Level.ITEM, (), "container, level, clipping, silences, length for the words"),
    JudgeInfo("timeline", Level.ITEM, (), "sound on each channel where labels say, and nowhere else"),
    JudgeInfo("overlap", Level.ITEM, ("pyannote-segmentation",), "overlapped speech against the plan (pyannote)"),
    JudgeInfo("segments", Level.ITEM, ("pyannote-segmentation",), "missed, invented and shifted segments (pyannote)"),
    JudgeInfo(
        "diarization",
        Level.ITEM,
        ("pyannote-segmentation", "ge2e-encoder"),
        "diarization error rate on the mix (pyannote, GE2E)",
    ),
    JudgeInfo("sound", Level.CLIP, (), "true peak, noise, bandwidth, clicks, stuck frames"),
    JudgeInfo("quality", Level.CLIP, ("dnsmos-p835",), "perceived quality (DNSMOS P.835)"),
    JudgeInfo("transcript", Level.CLIP, ("whisper-base-ct2",), "what is said and in which language (Whisper)"),
    JudgeInfo("speakers", Level.CLIP, ("ge2e-encoder",), "one id is one voice, two ids are two (GE2E)"),
    JudgeInfo("prosody", Level.CLIP, (), "pitch, energy, rate and pauses in the direction of the emotion label"),
    JudgeInfo("emotion", Level.CLIP, (), "how far emotion labels can be told from sound alone (openSMILE eGeMAPS)"),
    JudgeInfo("fingerprint", Level.CLIP, (), "the same sound twice, across splits, or in an excluded set"),
    JudgeInfo("set", Level.SET, (), "manifests, ids, stray files, speakers and words shared by splits"),
    JudgeInfo("texts", Level.SET, (), "near-duplicate texts inside and across splits and against an excluded set"),
    JudgeInfo("balance", Level.SET, (), "shares of emotions, speakers and domains"),
    JudgeInfo("catalog", Level.SET, (), "catalog.parquet: its suite of expectations, and that it says what rows say"),
    JudgeInfo("lock", Level.SET, (), "files against dataset.lock.json"),
)

BY_NAME = {info.name: info for info in JUDGES}
ALL = frozenset(BY_NAME)
#: judges that load no model and no heavy library: seconds per hour of audio instead of minutes
FAST = frozenset(info.name for info in JUDGES if not info.models and info.name not in {"prosody", "emotion"})
#: judges of form alone, for rows and files of any sound
FORMAL = frozenset({"structure", "audio", "timeline", "set", "lock"})
#: names that stand for several judges
GROUPS = {"all": ALL, "fast": FAST, "slow": ALL - FAST}

Selection = frozenset[str]


def select(only: Iterable[str] = (), skip: Iterable[str] = ()) -> Selection:
    """Judges named in ``only`` (all where none is) less those in ``skip``; names of judges or groups.

    >>> sorted(select(only=("fast",), skip=("set", "texts", "balance", "catalog", "lock", "fingerprint", "sound")))
    ['audio', 'language', 'structure', 'timeline']

    Raises:
        ValueError: a name that is neither, or nothing is left.
    """
    wanted, unwanted = _named(only), _named(skip)
    chosen = (wanted or ALL) - unwanted
    if not chosen:
        raise ValueError("no judge is left; name fewer to skip")
    return chosen


def models_of(selected: Selection) -> tuple[str, ...]:
    """Entries of the model table that these judges need, in table order."""
    needed = (model for info in JUDGES if info.name in selected for model in info.models)
    return tuple(dict.fromkeys(needed))


def _named(names: Iterable[str]) -> Selection:
    chosen: set[str] = set()
    for name in names:
        if name in GROUPS:
            chosen |= GROUPS[name]
        elif name in ALL:
            chosen.add(name)
        else:
            raise ValueError(
                f"no judge is named {name!r}{did_you_mean(name, (*BY_NAME, *GROUPS)) or ';'} judges: "
                f"{', '.join(BY_NAME)}; groups: {', '.join(GROUPS)}"
            )
    return frozenset(chosen)
