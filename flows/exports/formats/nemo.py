"""``nemo``: manifests, wav and RTTM for NeMo's diarization (FORMATS.md C.5)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.tasks import Role, Track
from flows.exports.base import ExportCount, Progress, ReleaseSource
from flows.exports.reading.timeline import Timeline, timeline_of, two_channels
from flows.exports.writing.common import LineFiles, export_name, write_audio, write_text
from flows.exports.writing.rttm import rttm

_FULL_SCALE = 32_767 / 32_768  # the largest positive 16-bit sample
_AT_MICROPHONE = (Role.USER, Role.THIRD_PARTY)


@dataclass(frozen=True)
class NemoExporter:
    """Two sets of the same scenes, each with one manifest per split at the top of the export.

    ``<split>_mix.json``: both channels summed to mono, RTTM of user, assistant and third party (for
    diarization). ``<split>_user.json``: the user's microphone alone, as the challenge plays it to a
    system, RTTM of user and third party. Audio is ``wav/<name>.wav`` and ``wav/<name>_user.wav``, labels
    ``rttm/`` with the same base names, unique over the whole export. NeMo opens paths as they stand in a
    manifest, so run it from the directory of the export.
    ``mixes.jsonl`` says where a name comes from, who speaks, and the gain of the mix (1.0 unless the sum
    would have clipped).
    """

    name: str = "nemo"
    summary: str = "NeMo diarization: manifests, wav and RTTM of Track 2 (mono mix, and the user's channel alone)"
    tracks: frozenset[Track] = frozenset({Track.DUPLEX})

    def write(self, source: ReleaseSource, target: Path, advance: Progress) -> ExportCount:
        """See `Exporter.write`; an entry is a row of a manifest.

        Raises:
            ExportError: a row has no usable timeline, audio is missing or does not fit it.
            RecordError: a row lacks a field.
        """
        items = 0
        with LineFiles(target) as manifests:
            for item in source.items():
                name, timeline = export_name(item), timeline_of(item)
                user, assistant = two_channels(source, item, timeline)
                mix, gain = mixed(user, assistant)
                for kind, stem, samples, roles in (
                    ("mix", name, mix, tuple(Role)),
                    ("user", f"{name}_user", user, _AT_MICROPHONE),
                ):
                    write_audio(target / "wav" / f"{stem}.wav", samples)
                    write_text(target / "rttm" / f"{stem}.rttm", rttm(timeline, stem, roles))
                    manifests.write(f"{item.split}_{kind}.json", _row(stem, samples, timeline, roles))
                manifests.write(
                    "mixes.jsonl",
                    {
                        "name": name,
                        "split": item.split,
                        "language": item.language,
                        "task": item.task,
                        "id": item.id,
                        "speakers": timeline.speakers,
                        "mix_gain": gain,
                    },
                )
                items += 1
                advance(1)
        return ExportCount(items=items, entries=2 * items)


def mixed(user: Samples, assistant: Samples) -> tuple[Samples, float]:
    """The sum ``[n]`` of two channels ``[n]`` and the gain it was scaled by: 1.0 unless it would clip."""
    total = user.astype(np.float64) + assistant
    peak = float(np.max(np.abs(total), initial=0.0))
    gain = 1.0 if peak <= _FULL_SCALE else _FULL_SCALE / peak
    return (total * gain).astype(np.float32), gain


def _row(stem: str, samples: Samples, timeline: Timeline, roles: tuple[Role, ...]) -> dict[str, object]:
    return {
        "audio_filepath": f"wav/{stem}.wav",
        "offset": 0,
        "duration": len(samples) / SAMPLE_RATE_HZ,
        "text": "-",
        "label": "infer",
        "num_speakers": len({line.role for line in timeline.lines if line.role in roles}),
        "rttm_filepath": f"rttm/{stem}.rttm",
        "uem_filepath": None,
    }
