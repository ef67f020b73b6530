"""What was sent and used, per model."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import Field

from data_schemas.chat import Usage
from data_schemas.foundation.base import Record
from generators.remote.settings import Price

_MILLION = 1_000_000


class ModelUsage(Record):
    """One model in one run."""

    #: the name of the configuration
    alias: str
    #: the name the server knows
    model: str
    #: HTTP requests that were sent, retries and probes included
    requests: int = Field(default=0, ge=0)
    #: those of them that repeat a question
    retries: int = Field(default=0, ge=0)
    #: answers that needed no request
    from_store: int = Field(default=0, ge=0)
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)
    #: in the currency of the prices
    cost: float = Field(default=0.0, ge=0.0)


def cost_of(usage: Usage, price: Price) -> float:
    """Money for these tokens."""
    return (
        usage.prompt_tokens * price.input_per_million + usage.completion_tokens * price.output_per_million
    ) / _MILLION


@dataclass
class Line:
    """Counters of one model."""

    requests: int = 0
    retries: int = 0
    from_store: int = 0
    usage: Usage = field(default_factory=Usage)
    cost: float = 0.0


class Ledger:
    """Counters by (alias, model)."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], Line] = {}

    def line(self, alias: str, model: str) -> Line:
        return self._lines.setdefault((alias, model), Line())

    @property
    def requests(self) -> int:
        return sum(line.requests for line in self._lines.values())

    @property
    def from_store(self) -> int:
        return sum(line.from_store for line in self._lines.values())

    def rows(self) -> tuple[ModelUsage, ...]:
        """Sorted by alias and model."""
        return tuple(
            ModelUsage(
                alias=alias,
                model=model,
                requests=line.requests,
                retries=line.retries,
                from_store=line.from_store,
                prompt_tokens=line.usage.prompt_tokens,
                completion_tokens=line.usage.completion_tokens,
                cost=line.cost,
            )
            for (alias, model), line in sorted(self._lines.items())
        )
