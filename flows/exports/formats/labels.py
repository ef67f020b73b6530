"""``labels``: RTTM and TextGrid of every scene, no audio."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data_schemas.tasks import Track
from flows.exports.base import ExportCount, Progress, ReleaseSource
from flows.exports.reading.timeline import timeline_of
from flows.exports.writing.common import export_name, write_text
from flows.exports.writing.rttm import rttm
from flows.exports.writing.textgrid import textgrid


@dataclass(frozen=True)
class LabelsExporter:
    """``rttm/<name>.rttm`` and ``textgrid/<name>.TextGrid``; names are those of the ``nemo`` export.

    ``<name>`` is ``<split>_<language>_<task>_<id>``; times count from the start of the scene's wav files.
    """

    name: str = "labels"
    summary: str = "RTTM and Praat TextGrid of every Track 2 scene, without audio"
    tracks: frozenset[Track] = frozenset({Track.DUPLEX})

    def write(self, source: ReleaseSource, target: Path, advance: Progress) -> ExportCount:
        """See `Exporter.write`; an entry is a file.

        Raises:
            ExportError: a row has no usable timeline, or two items have one name.
            RecordError: a row lacks a field.
        """
        items = 0
        for item in source.items():
            name, timeline = export_name(item), timeline_of(item)
            write_text(target / "rttm" / f"{name}.rttm", rttm(timeline, name))
            write_text(target / "textgrid" / f"{name}.TextGrid", textgrid(timeline))
            items += 1
            advance(1)
        return ExportCount(items=items, entries=2 * items)
