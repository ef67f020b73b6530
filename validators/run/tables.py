"""Findings and measures as tables (polars, parquet) and lines, and back."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars

from data_schemas.emotions import Emotion
from data_schemas.finding import Finding, Severity
from data_schemas.foundation.base import RecordError, dump_json, read_jsonl
from data_schemas.tasks import Language, Role, Split
from validators.core.clip_measures import ClipMeasures
from validators.core.measure_store import decode_measurement, encode_measurement
from validators.core.probe import Measurement

FINDINGS_TABLE = "findings.parquet"
#: beside it, of a run with a baseline: those that the baseline does not have
NEW_FINDINGS_TABLE = "new_findings.parquet"
#: columns of `findings_frame`
FINDING_SCHEMA: dict[str, type[polars.DataType]] = {
    "code": polars.String,
    "severity": polars.String,
    "item": polars.String,
    "file": polars.String,
    "start": polars.Float64,
    "stop": polars.Float64,
    "value": polars.Float64,
    "threshold": polars.Float64,
    "message": polars.String,
    "validator": polars.String,
}
_LABELS: dict[str, type[polars.DataType]] = {
    "item": polars.String,
    "clip": polars.String,
    "file": polars.String,
    "start_s": polars.Float64,
    "stop_s": polars.Float64,
    "layout": polars.String,
    "language": polars.String,
    "split": polars.String,
    "role": polars.String,
    "speaker": polars.String,
    "emotion": polars.String,
    "intensity": polars.Int64,
    "text": polars.String,
}
_DECIMALS = 4


def parquet_bytes(frame: polars.DataFrame) -> bytes:
    """The whole file of a table. Written with ``Path.write_bytes``, a full disk is an OSError that says so."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", statistics=True)
    return buffer.getvalue()


def findings_frame(findings: Sequence[Finding]) -> polars.DataFrame:
    """One row per finding, in the given order."""
    columns = {name: [getattr(finding, name) for finding in findings] for name in FINDING_SCHEMA}
    columns["severity"] = [finding.severity.value for finding in findings]
    return polars.DataFrame(columns, schema=FINDING_SCHEMA)


def read_findings(path: Path) -> tuple[Finding, ...]:
    """Findings of an earlier run: its folder, its ``findings.parquet``, or a ``.jsonl`` of findings.

    Raises:
        RecordError: there is no such file, or it holds something else.
    """
    table = path / FINDINGS_TABLE if path.is_dir() else path
    try:
        if table.suffix == ".jsonl":
            return tuple(read_jsonl(table, Finding))
        frame = polars.read_parquet(table)
    except (OSError, UnicodeDecodeError, polars.exceptions.PolarsError) as error:
        raise RecordError(f"{table} cannot be read as findings of an earlier run: {error}") from error
    if set(frame.columns) != set(FINDING_SCHEMA):
        raise RecordError(f"{table} does not hold findings: its columns are {', '.join(frame.columns)}")
    return tuple(
        Finding.model_validate({**row, "severity": Severity(row["severity"])}) for row in frame.iter_rows(named=True)
    )


def measures_frame(clips: Sequence[ClipMeasures]) -> polars.DataFrame:
    """One row per utterance: its labels, every number measured (rounded to 4 decimals) and every text; no vectors.

    A column's values are null where a clip was not measured so.
    """
    ordered = sorted(clips, key=lambda clip: (clip.file, clip.span, clip.name))
    columns: dict[str, list[object]] = {
        "item": [clip.item for clip in ordered],
        "clip": [clip.name for clip in ordered],
        "file": [clip.file for clip in ordered],
        "start_s": [round(clip.span[0], _DECIMALS) for clip in ordered],
        "stop_s": [round(clip.span[1], _DECIMALS) for clip in ordered],
        "layout": [clip.layout for clip in ordered],
        "language": [clip.language.value for clip in ordered],
        "split": [clip.split.value for clip in ordered],
        "role": [clip.role.value for clip in ordered],
        "speaker": [clip.speaker for clip in ordered],
        "emotion": [None if clip.emotion is None else clip.emotion.value for clip in ordered],
        "intensity": [clip.intensity for clip in ordered],
        "text": [clip.text for clip in ordered],
    }
    schema = dict(_LABELS)
    for name in sorted({name for clip in ordered for name in clip.texts}):
        columns[name] = [clip.texts.get(name) for clip in ordered]
        schema[name] = polars.String
    for name in sorted({name for clip in ordered for name in clip.values}):
        columns[name] = [round(clip.values[name], _DECIMALS) if name in clip.values else None for clip in ordered]
        schema[name] = polars.Float64
    return polars.DataFrame(columns, schema=schema)


def encode_measures(clip: ClipMeasures) -> str:
    """One clip as a JSON line, vectors included, to be read by `decode_measures`."""
    return dump_json(_encode(clip))


def decode_measures(line: str) -> ClipMeasures:
    """Inverse of `encode_measures`."""
    return _decode(json.loads(line))


def _encode(clip: ClipMeasures) -> dict[str, object]:
    return {
        "clip": clip.clip,
        "item": clip.item,
        "name": clip.name,
        "file": clip.file,
        "span": clip.span,
        "layout": clip.layout,
        "language": clip.language.value,
        "split": clip.split.value,
        "role": clip.role.value,
        "text": clip.text,
        "speaker": clip.speaker,
        "emotion": None if clip.emotion is None else clip.emotion.value,
        "intensity": clip.intensity,
        "is_dry": clip.is_dry,
        **encode_measurement(Measurement(clip.values, clip.texts, clip.vectors)),
    }


def _decode(body: dict[str, Any]) -> ClipMeasures:
    measured = decode_measurement({name: body.pop(name) for name in ("values", "texts", "vectors")})
    labels: dict[str, Any] = {
        **body,
        "span": tuple(body["span"]),
        "language": Language(body["language"]),
        "split": Split(body["split"]),
        "role": Role(body["role"]),
        "emotion": None if body["emotion"] is None else Emotion(body["emotion"]),
    }
    return ClipMeasures(**labels, values=measured.values, texts=measured.texts, vectors=measured.vectors)
