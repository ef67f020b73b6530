"""Which writer makes the scripts of a build, and from what."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from data_schemas.chat import Sampling
from data_schemas.foundation.base import Record
from data_schemas.foundation.problems import did_you_mean
from generators.plans.settings import PlanningSettings
from generators.remote.settings import Budget, EndpointSettings, Price


class ModelSettings(Record):
    """One model of one endpoint."""

    #: key of ``endpoints``
    endpoint: str
    #: the name the server knows it by
    model: str = Field(min_length=1)
    sampling: Sampling = Sampling(temperature=0.9, top_p=0.95)
    price: Price = Price()


class WeightedModel(Record):
    """A model that writes whole scripts, and how often it is drawn."""

    model: str
    weight: float = Field(default=1.0, gt=0.0)


class WeightedPair(Record):
    """Two models that write one dialogue turn by turn, and how often the pair is drawn."""

    user: str
    assistant: str
    weight: float = Field(default=1.0, gt=0.0)


class JudgeSettings(Record):
    """A model that reads every script with the challenge's own dimensions."""

    model: str
    #: lowest score that passes, of 1, 3 and 5
    min_score: Literal[1, 3, 5] = 3


class ReadingSettings(Record):
    """How strictly scripts are read; the numbers the rules compare with are in ``validation``."""

    #: how often a script that fails goes back to its writer with the reasons
    rewrites: int = Field(default=2, ge=0, le=10)
    judge: JudgeSettings | None = None
    #: files and directories whose texts must not come back (published test sets); relative to the configuration
    exclude: tuple[str, ...] = ()


class LlmSettings(Record):
    """The ``scripts.llm`` section: who writes, who judges, at which servers, within which budget."""

    endpoints: dict[str, EndpointSettings] = Field(min_length=1)
    models: dict[str, ModelSettings] = Field(min_length=1)
    #: models that write a whole script at once
    writers: tuple[WeightedModel, ...] = Field(min_length=1)
    #: pairs for dialogues written turn by turn
    pairs: tuple[WeightedPair, ...] = ()
    #: share of the trajectory, reasoning and empathy dialogues that pairs write
    cross_share: float = Field(default=0.0, ge=0.0, le=1.0)
    #: scripts beyond the quotas, as a share of them: they replace items that are rejected after they were spoken
    spares: float = Field(default=0.05, ge=0.0, le=1.0)
    planning: PlanningSettings = PlanningSettings()
    reading: ReadingSettings = ReadingSettings()
    budget: Budget = Budget()

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for name, model in self.models.items():
            if model.endpoint not in self.endpoints:
                raise ValueError(
                    f"models.{name}.endpoint: {model.endpoint!r} is not in endpoints ({', '.join(self.endpoints)})"
                    f"{did_you_mean(model.endpoint, self.endpoints)}"
                )
        used = {f"writers.{n}.model": entry.model for n, entry in enumerate(self.writers)}
        for number, pair in enumerate(self.pairs):
            used |= {f"pairs.{number}.user": pair.user, f"pairs.{number}.assistant": pair.assistant}
        if self.reading.judge is not None:
            used["reading.judge.model"] = self.reading.judge.model
        for where, name in used.items():
            if name not in self.models:
                raise ValueError(
                    f"{where}: {name!r} is not in models ({', '.join(self.models)}){did_you_mean(name, self.models)}"
                )
        if self.cross_share > 0 and not self.pairs:
            raise ValueError("cross_share is above 0 and pairs is empty; name at least one pair of models")
        return self


class ScriptSettings(Record):
    """The ``scripts`` section of a configuration."""

    #: ``pack`` replays frozen script files: no model, no key, the same words every time; ``llm`` asks models;
    #: ``rehearsal`` fills frames by rule, as many as the quotas want: to try a build at full size, not to train on
    writer: Literal["pack", "llm", "rehearsal"] = "pack"
    #: shipped pack names, JSONL files or directories of them; paths are relative to the configuration
    pack: tuple[str, ...] = Field(default=("quickstart",), min_length=1)
    llm: LlmSettings | None = None

    @model_validator(mode="after")
    def _llm_is_set(self) -> Self:
        if self.writer == "llm" and self.llm is None:
            raise ValueError("writer is llm and the section llm is missing; configs/local-llm.yaml shows one")
        return self
