"""`Parameters`: how far each emotion moves each field of `Expression`, read from ``parameters.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Self

from pydantic import Field, ValidationError, model_validator

from data_schemas.emotions import Emotion
from data_schemas.expression import Expression
from data_schemas.foundation.base import Record, RecordError, describe_validation_error
from data_schemas.foundation.yaml_file import load_yaml
from data_schemas.tasks import Language

FILE = "parameters.yaml"
FIELDS: tuple[str, ...] = tuple(Expression.model_fields)
#: Fields that say "times": 1 changes nothing, intensities are powers and spreads count in octaves.
FACTORS = frozenset(name for name, field in Expression.model_fields.items() if field.default == 1.0)
INTENSITIES = (1, 2, 3)


class Manner(Record):
    """What one emotion does at the highest intensity."""

    #: keys of `Parameters.sources`
    sources: tuple[str, ...] = Field(min_length=1)
    why: str = Field(min_length=1)
    #: field of `Expression` -> mean; fields that are not named change nothing
    means: Mapping[str, float]

    @model_validator(mode="after")
    def _fields_exist(self) -> Self:
        _known(self.means, "means")
        return self


class Parameters(Record):
    """The whole table. Every emotion has a line; a language's own means replace single fields of it."""

    sources: Mapping[str, str]
    #: intensity -> share of the means
    intensity: Mapping[int, float]
    #: field -> how far a draw may lie from its mean; octaves for factors
    spread: Mapping[str, float]
    emotions: Mapping[Emotion, Manner]
    languages: Mapping[Language, Mapping[Emotion, Manner]]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _known(self.spread, "spread")
        missing = [emotion.value for emotion in Emotion if emotion not in self.emotions]
        if missing:
            raise ValueError(f"emotions: no line for {', '.join(missing)}; add one")
        if tuple(sorted(self.intensity)) != INTENSITIES:
            raise ValueError("intensity: give the shares of 1, 2 and 3, and of nothing else")
        shares = [self.intensity[intensity] for intensity in INTENSITIES]
        if not 0.0 < shares[0] < shares[1] < shares[2] == 1.0:
            raise ValueError("intensity: the shares rise from above 0 to 1 at intensity 3")
        manners = [*self.emotions.values(), *(m for own in self.languages.values() for m in own.values())]
        cited = {source for manner in manners for source in manner.sources}
        if cited - set(self.sources):
            raise ValueError(f"sources: {', '.join(sorted(cited - set(self.sources)))} is cited and not described")
        return self

    @model_validator(mode="after")
    def _draws_are_expressions(self) -> Self:
        """Whatever is drawn is an `Expression`: the ends of all ranges are."""
        for emotion, language in product(Emotion, Language):
            for name in FIELDS:
                for value in self.bounds(name, emotion, max(INTENSITIES), language):
                    try:
                        Expression.model_validate({name: value})
                    except ValidationError as error:
                        where = f"{emotion}, {language}: mean and spread"
                        raise ValueError(f"{where}: {describe_validation_error(error)}") from error
        return self

    def mean(self, name: str, emotion: Emotion, intensity: int, language: Language) -> float:
        """Middle of the draws of a field. Intensity 0 and neutral have the field's default, or neutral's own mean."""
        own = self.languages.get(language, {}).get(emotion)
        manner = self.emotions[emotion]
        plain = float(Expression.model_fields[name].default)
        full = own.means[name] if own is not None and name in own.means else manner.means.get(name, plain)
        share = 1.0 if emotion.is_neutral else self.intensity[intensity]
        return float(full**share if name in FACTORS else full * share)

    def bounds(self, name: str, emotion: Emotion, intensity: int, language: Language) -> tuple[float, float]:
        """Least and most that is drawn. A field that cannot be negative ends at 0."""
        middle, spread = self.mean(name, emotion, intensity, language), self.spread.get(name, 0.0)
        if name in FACTORS:
            return middle * 2.0**-spread, middle * 2.0**spread
        low = 0.0 if name == "jitter_semitones" else float("-inf")
        return max(low, middle - spread), middle + spread

    def to_markdown(self) -> str:
        """The means at the highest intensity, one row per emotion and per language that differs; – for no change."""
        rows = [f"| | {' | '.join(FIELDS)} |", "|---" * (len(FIELDS) + 1) + "|"]
        for emotion in Emotion:
            rows.append(self._row(emotion.value, self.emotions[emotion].means))
            rows += [
                self._row(f"{emotion}, {language}", {**self.emotions[emotion].means, **own[emotion].means})
                for language, own in self.languages.items()
                if emotion in own
            ]
        return "\n".join(rows) + "\n"

    def _row(self, title: str, means: Mapping[str, float]) -> str:
        return f"| {title} | {' | '.join(f'{means[name]:g}' if name in means else '–' for name in FIELDS)} |"


def _known(named: Mapping[str, float], where: str) -> None:
    unknown = sorted(set(named) - set(FIELDS))
    if unknown:
        raise ValueError(f"{where}: {', '.join(unknown)} is no field of Expression; it has {', '.join(FIELDS)}")


def parse_parameters(text: str, where: str) -> Parameters:
    """Read a table.

    Raises:
        RecordError: in one sentence, for text that is no YAML or a table that does not hold together.
    """
    try:
        return Parameters.model_validate(load_yaml(text, where))
    except ValidationError as error:
        raise RecordError(f"{where}: {describe_validation_error(error)}") from error


@cache
def load_parameters() -> Parameters:
    """The shipped table."""
    text = files("generators.speech.expression").joinpath(FILE).read_text(encoding="utf-8")
    return parse_parameters(text, FILE)
