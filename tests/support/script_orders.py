"""A small configuration whose scripts a loopback server writes, and the orders it will make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data_schemas.plan import Place
from flows.common.progress import Reporter, SilentReporter
from flows.config.build_config import BuildConfig
from flows.prepare.resolve import resolve
from flows.scripts.factory import ScriptFactory
from flows.scripts.phase import open_factory
from flows.scripts.wanted import draw_outlines, wanted_scripts
from generators.scripts.llm.llm_writer import Order

SMALL_QUOTAS: tuple[dict[str, Any], ...] = (
    {"task": "recognition", "languages": ["zh", "en"], "splits": ["train"], "turns": [1], "count": 6},
    {"task": "trajectory", "languages": ["zh", "en"], "splits": ["train"], "turns": [3, 5], "count": 3},
    {"task": "empathy", "languages": ["zh"], "splits": ["dev"], "turns": [4], "count": 3},
    {"task": "follow_up", "languages": ["zh", "en"], "splits": ["train", "dev"], "count": 2},
    {"task": "pause", "languages": ["zh", "en"], "splits": ["dev"], "count": 2},
    {"task": "conversation", "languages": ["zh", "en"], "splits": ["train"], "turns": [2, 4], "count": 2},
)


def llm_config(
    folder: Path,
    base_url: str,
    quotas: tuple[dict[str, Any], ...] = SMALL_QUOTAS,
    endpoint: dict[str, Any] | None = None,
    judge: bool = False,
    rounds: int = 2,
    **llm: Any,
) -> BuildConfig:
    """A configuration that asks ``base_url``, impatient enough for tests."""
    reading = {"rewrites": 2, **llm.pop("reading", {})}
    if judge:
        reading["judge"] = {"model": "judge", "min_score": 3}
    quick = {"backoff_s": 0.005, "max_backoff_s": 0.05, "timeout_s": 5.0, "max_in_flight": 8, "start_in_flight": 4}
    return BuildConfig.model_validate(
        {
            "name": "loopback",
            "seed": 11,
            "release": str(folder / "release"),
            "work": str(folder / "work"),
            "quotas": list(quotas),
            "validation": {"skip": ["slow"]},
            "scripts": {
                "writer": "llm",
                "llm": {
                    "endpoints": {"here": {"base_url": base_url, **quick, **(endpoint or {})}},
                    "models": {
                        "writer": {"endpoint": "here", "model": "writer-model"},
                        "other": {"endpoint": "here", "model": "other-model"},
                        "judge": {"endpoint": "here", "model": "judge-model"},
                    },
                    "writers": [{"model": "writer"}],
                    "spares": 0.0,
                    "reading": reading,
                    **llm,
                },
            },
            "speech": {"engine": "espeak"},
            "top_up": {"rounds": rounds, "on_short": "fail"},
        }
    )


def wanted(config: BuildConfig) -> dict[Place, int]:
    """Scripts per place that the configuration needs."""
    assert config.scripts.llm is not None
    return wanted_scripts(resolve(config, need_models=False).quota, config.scripts.llm.spares)


def factory_of(config: BuildConfig, retry_failed: bool = False, reporter: Reporter | None = None) -> ScriptFactory:
    """The factory of a configuration, told to be quiet where no reporter listens."""
    speakers = resolve(config, need_models=False).speakers
    return open_factory(config, speakers, Path(), reporter or SilentReporter(), retry_failed)


def orders_of(config: BuildConfig, times: int = 4) -> tuple[Order, ...]:
    """The orders a factory will make, with ``times`` as many as are wanted, for top-ups."""
    outlines = draw_outlines(config, resolve(config, need_models=False).speakers, Path())
    return tuple(
        Order(
            id=f"{place.language}-{place.task}-{place.turns}-{ordinal:05d}-s{config.seed}",
            outline=outlines.draw(place.task, place.language, place.turns, ordinal),
        )
        for place, count in wanted(config).items()
        for ordinal in range(times * count)
    )
