"""`BuildConfig`: the one YAML file a build is made from, validated, unknown keys refused."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from data_schemas.foundation.base import Record, dump_json
from data_schemas.foundation.problems import Problem, problems_of
from data_schemas.layouts.base import Layout
from data_schemas.layouts.registry import layout as layout_named
from data_schemas.script import REHEARSAL_WRITER
from data_schemas.tasks import Track
from flows.common.errors import ConfigError
from flows.config.overrides import overridden
from flows.config.reading import filled, read_document, told
from generators.plans.quotas import QuotaSpec, expand
from generators.scenes.settings import USER_MERGE_GAP_S, SceneSettings
from generators.scripts.settings import ScriptSettings
from generators.speech.registry import engine_names, unknown_engine
from generators.speech.settings import SpeechSettings
from validators.core.settings import ValidationSettings

#: Sections that say how and where to work, not what comes out; two builds that differ only
#: here publish the same bytes.
EXECUTION_KEYS = frozenset({"release", "work", "execution"})
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class ExecutionSettings(Record):
    """How the work is done; never changes what is released."""

    #: worker processes for speech, composing and judging; 0 = one per CPU core
    workers: int = Field(default=0, ge=0, le=256)
    #: items per shard: one shard is one Prefect task and the unit that is redone after a kill
    shard_items: int = Field(default=8, ge=1, le=10_000)
    #: Prefect retries of a shard whose worker died or whose disk hiccuped
    shard_retries: int = Field(default=1, ge=0, le=5)
    #: ``none`` runs the same functions without a Prefect server
    orchestrator: Literal["prefect", "none"] = "prefect"


class TopUpSettings(Record):
    """What happens when judges reject items."""

    #: how many times rejected items are replaced by new plans before the build gives up
    rounds: int = Field(default=3, ge=0, le=100)
    #: ``fail`` publishes nothing when a quota is short; ``publish`` releases what passed and says so
    on_short: Literal["fail", "publish"] = "fail"


class BuildConfig(Record):
    """Everything a build is made from. ``docs/configuration.md`` explains every key."""

    name: str
    seed: int = Field(ge=0, lt=2**31)
    release: str
    work: str
    track1_layout: Literal["track1-seed", "track1-later"] = "track1-seed"
    quotas: tuple[QuotaSpec, ...] = Field(min_length=1)
    scripts: ScriptSettings = ScriptSettings()
    speech: SpeechSettings = SpeechSettings()
    scenes: SceneSettings = SceneSettings()
    validation: ValidationSettings = ValidationSettings()
    top_up: TopUpSettings = TopUpSettings()
    execution: ExecutionSettings = ExecutionSettings()

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            plain = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")
            raise ValueError(
                f"{name!r} must begin with a lower-case letter or digit and hold only these, - and _"
                + (f"; write {plain}" if plain else "")
            )
        return name

    @field_validator("quotas")
    @classmethod
    def _each_cell_once(cls, quotas: tuple[QuotaSpec, ...]) -> tuple[QuotaSpec, ...]:
        expand(quotas)
        return quotas

    @model_validator(mode="after")
    def _places(self) -> Self:
        for key in ("release", "work"):
            value = Path(getattr(self, key))
            if not value.is_absolute() and ".." in value.parts:
                raise ValueError(
                    f"{key}: {value} leaves the current directory; write an absolute path if that place is really meant"
                )
        release, work = Path(self.release).resolve(), Path(self.work).resolve()
        if release == work or release.is_relative_to(work) or work.is_relative_to(release):
            raise ValueError("release and work must be separate directories, neither inside the other")
        return self

    @model_validator(mode="after")
    def _rehearsal_is_named(self) -> Self:
        """The name goes into the lock and into every export's note."""
        if self.scripts.writer == REHEARSAL_WRITER and REHEARSAL_WRITER not in self.name:
            raise ValueError(
                f"name: {self.name!r} must hold {REHEARSAL_WRITER!r}, because scripts.writer is {REHEARSAL_WRITER} and "
                f"nobody may take the release for training data; write {self.name}-{REHEARSAL_WRITER}"
            )
        return self

    @model_validator(mode="after")
    def _silences(self) -> Self:
        """A filler and its neighbour are one stretch of speech to the challenge's scripts."""
        silence_s = self.scenes.hesitation.seam.upper_s + 2 * self.speech.edge_silence_ms / 1000
        if self.scenes.hesitation.fillers != "off" and silence_s > USER_MERGE_GAP_S:
            raise ValueError(
                f"scenes.hesitation.seam and speech.edge_silence_ms may put {silence_s:.2f} s beside a filler; what "
                f"is over {USER_MERGE_GAP_S} s counts as a pause; lower one of them"
            )
        return self

    @property
    def release_dir(self) -> Path:
        return Path(self.release).resolve()

    @property
    def work_dir(self) -> Path:
        return Path(self.work).resolve()

    def layout_of(self, track: Track) -> Layout:
        return layout_named(self.track1_layout if track is Track.EMOTION else "track2")

    def recipe(self) -> dict[str, Any]:
        """The part of the configuration that decides the released bytes.

        Which server answered and what it may cost is no part of it: answers are known by model and question.
        """
        exclude: dict[str, Any] = dict.fromkeys(EXECUTION_KEYS, True)
        exclude["scripts"] = {"llm": {"endpoints", "budget"}}
        exclude["speech"] = {
            "server": {"endpoint", "budget", "price_per_million_characters"},
            "cosyvoice": {"model_dir", "python", "checkout", "timeout_s", "start_timeout_s"},
        }
        return self.model_dump(mode="json", exclude=exclude)

    def recipe_sha256(self) -> str:
        return hashlib.sha256(dump_json(self.recipe()).encode()).hexdigest()


def load_config(path: Path, overrides: tuple[str, ...] = (), need_engine: bool = True) -> BuildConfig:
    """Read a YAML configuration and apply ``a.b=c`` overrides.

    Args:
        need_engine: refuse a ``speech.engine`` that is not installed; only speech needs it.

    Raises:
        ConfigError: what is wrong with it, a line per problem: file and line, the key, and the way out.
    """
    document = read_document(path)
    raw, applied = overridden(document.data, overrides, BuildConfig)
    raw = filled(raw, BuildConfig)
    problems = list(_engine_unknown(raw)) if need_engine else []
    try:
        config = BuildConfig.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(told([*problems_of(error, BuildConfig), *problems], document, applied)) from error
    if problems:
        raise ConfigError(told(problems, document, applied))
    return config


def _engine_unknown(raw: Any) -> Iterator[Problem]:
    """No field check: a configuration stays one where the package of its engine is not installed."""
    speech = raw.get("speech")
    name = speech.get("engine") if isinstance(speech, dict) else None
    if isinstance(name, str) and name not in engine_names():
        yield Problem(("speech", "engine"), unknown_engine(name), ("speech", "engine"))
