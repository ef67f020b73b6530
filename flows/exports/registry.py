"""The formats by name."""

from __future__ import annotations

from flows.exports.base import Exporter
from flows.exports.formats.easy_turn import EasyTurn
from flows.exports.formats.fdbench import FdBench
from flows.exports.formats.full_duplex_bench import FullDuplexBench
from flows.exports.formats.hf import HuggingFaceExporter
from flows.exports.formats.labels import LabelsExporter
from flows.exports.formats.lhotse import LhotseExporter
from flows.exports.formats.moshi import MoshiExporter
from flows.exports.formats.nemo import NemoExporter
from flows.exports.formats.opens2s import OpenS2SExporter
from flows.exports.formats.osum_echat import OsumEchat
from flows.exports.formats.webdataset import WebDatasetShards

EXPORTERS: tuple[Exporter, ...] = (
    LabelsExporter(),
    EasyTurn(),
    OsumEchat(),
    OpenS2SExporter(),
    MoshiExporter(),
    FullDuplexBench(),
    FdBench(),
    NemoExporter(),
    LhotseExporter(),
    HuggingFaceExporter(),
    WebDatasetShards(),
)


def exporter_named(name: str) -> Exporter:
    """The exporter ``--to`` names.

    Raises:
        ConfigError: no such format; the text lists them.
    """
    from flows.common.errors import ConfigError

    for exporter in EXPORTERS:
        if exporter.name == name:
            return exporter
    raise ConfigError(f"--to {name}: no such format; choose from {', '.join(one.name for one in EXPORTERS)}")
