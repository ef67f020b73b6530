"""The clean release that defects are planted in: a real build, small, of both tracks, languages and splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.builds import draft_config, run_humdial


def _items(task: str, languages: tuple[str, ...], split: str, turns: int = 1, count: int = 1) -> dict[str, Any]:
    return {"task": task, "languages": [*languages], "splits": [split], "turns": [turns], "count": count}


_BOTH = ("zh", "en")
#: About six minutes of speech: every task, every sub-task in one language at least, three and five turns.
QUOTAS: list[dict[str, Any]] = [
    _items("recognition", _BOTH, "train"),
    _items("trajectory", _BOTH, "train", 3),
    _items("trajectory", _BOTH, "dev", 3),
    _items("trajectory", ("zh",), "train", 5),
    _items("reasoning", _BOTH, "train", 3),
    _items("reasoning", ("en",), "dev", 5),
    _items("reasoning", ("zh",), "dev", 3),
    _items("empathy", _BOTH, "dev", 3),
    _items("follow_up", ("zh",), "train"),
    _items("follow_up", ("en",), "dev"),
    _items("negation", ("zh",), "dev"),
    _items("repetition", ("en",), "train"),
    _items("topic_switch", ("en",), "train"),
    _items("silence", ("zh",), "train"),
    _items("backchannel", ("en",), "train"),
    _items("backchannel", ("zh",), "dev"),
    _items("pause", ("zh",), "train"),
    _items("pause", ("en",), "dev"),
    _items("third_party_before", ("zh",), "train"),
    _items("third_party_after", ("en",), "train"),
    _items("third_party_after", ("zh",), "dev"),
    _items("speech_to_others", ("en",), "dev"),
    _items("conversation", _BOTH, "train", 2),
]
NAME = "mutations"
SEED = 505


def make_release(folder: Path, engine: str = "kokoro", workers: int = 2) -> Path:
    """Build it below ``folder``, or take the one that lies there; the build asks the quick judges only.

    Raises:
        RuntimeError: the build failed; with everything it printed.
    """
    config = draft_config(
        folder,
        name=NAME,
        seed=SEED,
        quotas=QUOTAS,
        speech={"engine": engine},
        execution={"workers": workers, "shard_items": 4},
    )
    status, output = run_humdial("build", str(config), folder=folder)
    if status:
        raise RuntimeError(f"the clean release was not built: {output}")
    return folder / "release"
