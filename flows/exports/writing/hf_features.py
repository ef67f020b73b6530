"""``hf``: columns of the Hugging Face export: one description, from which the Arrow schema and the checks follow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.tasks import Track
from flows.exports.base import ExportError

if TYPE_CHECKING:
    import pyarrow as pa

#: A feature as `datasets` writes it into a parquet file's metadata; ``[feature]`` is a list, which every version reads.
Feature = Any
Features = Mapping[str, Feature]

_INT32 = 1 << 31
_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "int32": (int,),
    "float64": (int, float),
    "bool": (bool,),
    "binary": (bytes,),
}


def _value(dtype: str) -> Feature:
    return {"dtype": dtype, "_type": "Value"}


def _audio() -> Feature:
    return {"sampling_rate": SAMPLE_RATE_HZ, "_type": "Audio"}


def features_of(track: Track) -> Features:
    """The columns of a config; each holds null where a release does not know."""
    string, seconds, number = _value("string"), _value("float64"), _value("int32")
    common = {"id": string, "task": string, "language": string}
    if track is Track.EMOTION:
        turn = {
            "turn_id": number,
            "audio": _audio(),
            "text": string,
            "emotion": string,
            "intensity": number,
            "cause": string,
            "response_text": string,
            "speaker": string,
            "duration": seconds,
        }
        return {**common, "turns": [turn]}
    words = [{"text": string, "start": seconds, "stop": seconds}]
    span = {"xmin": seconds, "xmax": seconds, "text": string, "line": number, "words": words}
    return {
        **common,
        "user_audio": _audio(),
        "assistant_audio": _audio(),
        "clean_audio": _audio(),
        "final_duration": seconds,
        "speech_segments": [{**span, "speaker": string, "role": string, "part": string}],
        "assistant_segments": [{**span, "planned_text": string, "cut": _value("bool"), "part": string}],
        "events": [
            {
                "kind": string,
                "channel": string,
                "start": seconds,
                "stop": seconds,
                "latency": seconds,
                "line": number,
                "target": number,
            }
        ],
        "floor": [{"holder": string, "start": seconds, "stop": seconds}],
        "microphone": string,
        "speakers": {"user": string, "assistant": string, "third_party": string},
    }


def arrow_schema(features: Features) -> pa.Schema:
    """The schema, with the metadata by which `datasets` knows audio from plain bytes."""
    import pyarrow as pa

    schema = pa.schema([pa.field(name, _arrow_type(feature)) for name, feature in features.items()])
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def _arrow_type(feature: Feature) -> pa.DataType:
    import pyarrow as pa

    if isinstance(feature, list):
        return pa.list_(_arrow_type(feature[0]))
    kind = feature.get("_type")
    if kind == "Audio":
        return pa.struct({"bytes": pa.binary(), "path": pa.string()})
    if kind == "Value":
        return getattr(pa, "bool_" if feature["dtype"] == "bool" else feature["dtype"])()
    return pa.struct({name: _arrow_type(inner) for name, inner in feature.items()})


def fitted(value: object, feature: Feature, where: str) -> object:
    """The value with only the fields the feature has; missing ones become None.

    Raises:
        ExportError: a field holds something of another kind; the text says where.
    """
    if value is None:
        return None
    if isinstance(feature, list):
        if not isinstance(value, list | tuple):
            raise ExportError(f"{where} must be a list, not {type(value).__name__}; correct the row")
        return [fitted(one, feature[0], f"{where}[{position}]") for position, one in enumerate(value)]
    kind = feature.get("_type")
    if kind == "Value":
        right = isinstance(value, _KINDS[feature["dtype"]]) and (feature["dtype"] == "bool") == isinstance(value, bool)
        if not right:
            raise ExportError(f"{where} must be {feature['dtype']}, not {type(value).__name__}; correct the row")
        if feature["dtype"] == "int32" and isinstance(value, int) and not -_INT32 <= value < _INT32:
            raise ExportError(f"{where} is {value}, which no int32 holds; correct the row")
        return value
    if not isinstance(value, Mapping):
        raise ExportError(f"{where} must be an object, not {type(value).__name__}; correct the row")
    inner = {"bytes": _value("binary"), "path": _value("string")} if kind == "Audio" else feature
    return {name: fitted(value.get(name), one, f"{where}.{name}") for name, one in inner.items()}
