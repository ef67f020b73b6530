"""`ValidationSettings`: the section ``validation:`` of a build: thresholds, which judges, and what differs where."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from data_schemas.foundation.problems import did_you_mean, problems_of
from data_schemas.layouts.registry import LAYOUTS
from validators.core.judges import Selection, select
from validators.core.thresholds import ENGINE_DEFAULTS, Thresholds

Overrides = Annotated[dict[str, float], Field(description="threshold -> value")]


class ValidationSettings(Thresholds):
    """Thresholds, and the values that hold for the items of one layout or the speech of one engine only.

    The last of these wins: the default, the shipped value for the engine (`ENGINE_DEFAULTS`), a threshold that this
    section sets to something else than the default, ``layouts``, ``engines``.

    >>> ValidationSettings(min_tail_s=7.0, layouts={"track2": {"min_tail_s": 8.0}}).at("track2").min_tail_s
    8.0
    """

    #: judges to leave out, by name or group (``humdial validate --list``); openSMILE's licence is for research only,
    #: so that the judge that uses it is asked for, not imposed
    skip: tuple[str, ...] = ("emotion",)
    #: layout name -> threshold -> value
    layouts: dict[str, Overrides] = Field(default_factory=dict)
    #: engine name -> threshold -> value
    engines: dict[str, Overrides] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        for title, table in (("layouts", self.layouts), ("engines", self.engines)):
            for name, values in table.items():
                try:
                    Thresholds.model_validate({**self._flat(), **values})
                except ValidationError as error:
                    problems = problems_of(error, Thresholds)
                    raise ValueError("; ".join(f"{title}.{name}.{problem}" for problem in problems)) from error
        return self

    @field_validator("skip")
    @classmethod
    def _judges(cls, skip: tuple[str, ...]) -> tuple[str, ...]:
        select(skip=skip)
        return skip

    @field_validator("layouts")
    @classmethod
    def _layouts(cls, layouts: dict[str, Overrides]) -> dict[str, Overrides]:
        known = [layout.name for layout in LAYOUTS]
        for name in layouts:
            if name not in known:
                near = did_you_mean(name, known) or ";"
                raise ValueError(f"{name}: no layout has this name{near} choose from {', '.join(known)}")
        return layouts

    @property
    def selected(self) -> Selection:
        """The judges that are asked."""
        return select(skip=self.skip)

    def at(self, layout: str | None = None, engine: str | None = None) -> Thresholds:
        """What holds for items of this layout spoken by this engine; None where that is not known."""
        defaults = Thresholds().model_dump()
        own = {name: value for name, value in self._flat().items() if value != defaults[name]}
        shipped = ENGINE_DEFAULTS.get(engine or "", {})
        by_layout, by_engine = self.layouts.get(layout or "", {}), self.engines.get(engine or "", {})
        return Thresholds.model_validate({**defaults, **shipped, **own, **by_layout, **by_engine})

    def _flat(self) -> dict[str, object]:
        return {name: value for name, value in self.model_dump().items() if name in Thresholds.model_fields}
