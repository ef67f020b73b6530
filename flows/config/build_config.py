"""`BuildConfig`: the one YAML file a build is made from, validated, unknown keys refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from data_schemas.foundation.base import Record, describe_validation_error, dump_json
from data_schemas.layouts.base import Layout
from data_schemas.layouts.registry import layout as layout_named
from data_schemas.script import REHEARSAL_WRITER
from data_schemas.tasks import Track
from flows.common.errors import ConfigError
from generators.plans.quotas import QuotaSpec
from generators.scenes.settings import USER_MERGE_GAP_S, SceneSettings
from generators.scripts.settings import ScriptSettings
from generators.speech.settings import SpeechSettings
from validators.core.settings import ValidationSettings

#: Sections that say how and where to work, not what comes out; two builds that differ only
#: here publish the same bytes.
EXECUTION_KEYS = frozenset({"release", "work", "execution"})


class ExecutionSettings(Record):
    """How the work is done; never changes what is released."""

    #: worker processes for speech, composing and judging; 0 = one per CPU core
    workers: int = Field(default=0, ge=0, le=256)
    #: items per shard: one shard is one Prefect task and the unit that is redone after a kill
    shard_items: int = Field(default=8, ge=1, le=10_000)
    #: Prefect retries of a shard whose worker died or whose disk hiccuped
    shard_retries: int = Field(default=1, ge=0, le=5)


class TopUpSettings(Record):
    """What happens when judges reject items."""

    #: how many times rejected items are replaced by new plans before the build gives up
    rounds: int = Field(default=3, ge=0, le=100)
    #: ``fail`` publishes nothing when a quota is short; ``publish`` releases what passed and says so
    on_short: Literal["fail", "publish"] = "fail"


class BuildConfig(Record):
    """Everything a build is made from. ``docs/configuration.md`` explains every key."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    seed: int = Field(ge=0, lt=2**31)
    release: str
    work: str
    track1_layout: Literal["track1-seed", "track1-later"] = "track1-seed"
    quotas: tuple[QuotaSpec, ...] = Field(min_length=1)
    scripts: ScriptSettings
    speech: SpeechSettings
    scenes: SceneSettings = SceneSettings()
    validation: ValidationSettings = ValidationSettings()
    top_up: TopUpSettings = TopUpSettings()
    execution: ExecutionSettings = ExecutionSettings()

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


def load_config(path: Path, overrides: tuple[str, ...] = ()) -> BuildConfig:
    """Read a YAML configuration and apply ``a.b=c`` overrides.

    Raises:
        ConfigError: one sentence with the file, the field and the way out.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such configuration; the shipped ones lie in configs/") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: must be a mapping of keys to values")
    for override in overrides:
        apply_override(raw, override)
    try:
        return BuildConfig.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(
            f"{path}: {describe_validation_error(error)}. See docs/configuration.md for every key."
        ) from error


def apply_override(raw: dict[str, Any], override: str) -> None:
    """Set ``a.b.0.c=value`` in a nested mapping; the value is read as YAML.

    Raises:
        ConfigError: no ``=``, or a path that does not exist in a list.
    """
    dotted, equals, text = override.partition("=")
    if not equals or not dotted:
        raise ConfigError(f"--set {override}: write key.path=value, for example --set speech.engine=espeak")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override}: the value is not valid YAML") from error
    keys = dotted.split(".")
    node: Any = raw
    for key in keys[:-1]:
        node = _child(node, key, override)
    if isinstance(node, list):
        node[_list_index(node, keys[-1], override)] = value
    elif isinstance(node, dict):
        node[keys[-1]] = value
    else:
        raise ConfigError(f"--set {override}: {keys[-1]} has nothing to live in")


def _child(node: Any, key: str, override: str) -> Any:
    if isinstance(node, list):
        return node[_list_index(node, key, override)]
    if isinstance(node, dict):
        if node.get(key) is None:
            node[key] = {}
        return node[key]
    raise ConfigError(f"--set {override}: {key} is inside a value that holds no keys")


def _list_index(node: list[Any], key: str, override: str) -> int:
    if not key.isdigit() or int(key) >= len(node):
        raise ConfigError(f"--set {override}: {key!r} is not a position in a list of {len(node)}")
    return int(key)
