"""What is to be written for a configuration: how many scripts of which place, and outlines for voices that exist."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from data_schemas.plan import Place, QuotaCell
from data_schemas.speakers import Gender, Speaker
from data_schemas.tasks import Language, Role
from flows.config.build_config import BuildConfig
from flows.scripts.settings import llm_settings
from generators.plans.drawn import DrawnOutlines


def wanted_scripts(quota: Sequence[tuple[QuotaCell, int]], spares: float) -> dict[Place, int]:
    """Scripts per place: all splits together, and the spares."""
    counts: Counter[Place] = Counter()
    for cell, count in quota:
        counts[cell.place] += count
    return {place: count + math.ceil(count * spares) for place, count in counts.items()}


def draw_outlines(config: BuildConfig, speakers: Iterable[Speaker], base_dir: Path) -> DrawnOutlines:
    """Outlines for voices that exist: a language whose splits lack a gender gets no such personas."""
    return DrawnOutlines(config.seed, llm_settings(config).planning, user_genders(speakers), base_dir)


def user_genders(speakers: Iterable[Speaker]) -> dict[Language, frozenset[Gender]]:
    """The genders that the users of every split of a language have."""
    found: dict[tuple[Language, str], set[Gender]] = {}
    for speaker in speakers:
        if speaker.role is Role.USER:
            found.setdefault((speaker.language, speaker.split), set()).add(speaker.gender)
    shared: dict[Language, frozenset[Gender]] = {}
    for (language, _), genders in found.items():
        shared[language] = shared.get(language, frozenset(genders)) & frozenset(genders)
    return shared
