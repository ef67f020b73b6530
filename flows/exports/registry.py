"""The formats by name."""

from __future__ import annotations

from flows.exports.base import Exporter
from flows.exports.labels import LabelsExporter
from flows.exports.lhotse import LhotseExporter
from flows.exports.nemo import NemoExporter

EXPORTERS: tuple[Exporter, ...] = (LabelsExporter(), NemoExporter(), LhotseExporter())


def exporter_named(name: str) -> Exporter:
    """The exporter ``--to`` names.

    Raises:
        ConfigError: no such format; the text lists them.
    """
    from flows.errors import ConfigError

    for exporter in EXPORTERS:
        if exporter.name == name:
            return exporter
    raise ConfigError(f"--to {name}: no such format; choose from {', '.join(one.name for one in EXPORTERS)}")
