"""Scenes against three other programs: Silero VAD, pyannote's overlap detection, Lhotse's meeting simulator.

Run it alone with ``python -m benchmarks.run --only scenes``. Speech is kept in ``work/bench-scenes/store``, so only
the first run speaks; ``HUMDIAL_BENCH_STORE`` names another place.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks import meetings, overlap, voice_activity
from benchmarks.scene_pool import MixedScene, composed, dry_settings, in_workers, spoken_items
from generators.scenes.settings import SceneSettings
from validators.core.thresholds import Thresholds
from validators.scene.voice_activity import BOUNDARY_TOLERANCE_S, USER_MERGE_GAP_S

STORE_VARIABLE = "HUMDIAL_BENCH_STORE"
FOLDER = Path("work/bench-scenes")
ENGINE = "kokoro"
#: 40 casts of scripts, each at so many timings: 240 dry scenes for voice activity, fewer where judging costs more
SEEDS = tuple(range(6))
OVERLAP_SEEDS = SEEDS[:2]
DEFAULT_SEEDS = SEEDS[:2]
_COLLAR_S = Thresholds().overlap_collar_s
_ONSET = Thresholds().overlap_onset
READING = f"""\
Scripts of the quickstart pack, one per sub-task, language and split, in Kokoro's voices; the splits share none. Each is
composed with several seeds, so words and voices repeat and timing does not. Dry: every microphone stage off.

Voice activity is Silero VAD 6.2.3 with its default parameters on the user's channel, pieces up to {USER_MERGE_GAP_S} s
apart merged, as get_timing.py does. A pause of the pause sub-task stands inside one annotated segment; there the pieces
between the pauses are what must be found. A scene counts when as many pieces are found as annotated and every start and
end lies within {BOUNDARY_TOLERANCE_S} s (the NIST collar). A label includes 50 ms of silence at either edge, and the
detector works in frames of 32 ms and adds 30 ms.

Overlap is pyannote's segmentation model on the balanced mix, as the validator runs it, frame by frame, pooled over
scenes in seconds. Frames within {_COLLAR_S} s of a boundary count neither way: that leaves next to nothing of an
interruption, which overlaps for 0.2 to 0.64 s, so this figure is about backchannels, asides and bystanders. "No
collar" scores every frame. "Placed" is the plan; "sounding" is the part of it in which both channels carry sound. Onset
{_ONSET} was calibrated on other scenes of the same engine (docs/findings.md); "cross-fitted" takes, for each split, the
onset that is best for the other one, whose voices are all different.

Composing: the same utterances on the same disk, one core, in turns, after a round that does not count. Ours reads each
utterance through the store (its hash is checked), writes two channels of equal length and one JSON line of labels per
scene; a scene ends with 10 s for an answer. Lhotse's draws two speakers per meeting from the pool with the timing that
it comes with, mixes to one channel and writes the cuts. Asked for num_meetings it fills a shuffle buffer of 20,000 cuts
per speaker first, a cost that does not grow with the hours; asked for num_repeats it does not, and that is the fair
comparison. Per hour of dialogue ours writes twice the audio. Cpu time is the steadier figure where the machine does
other work.
"""


def measure(engine: str = ENGINE) -> list[str]:
    """Speak, compose, and let the three others judge; rows of the table."""
    store = Path(os.environ.get(STORE_VARIABLE, FOLDER / "store")).resolve()
    dry = dry_settings()
    items = spoken_items(FOLDER, store, engine, dry, SEEDS)
    scenes, refused = composed(items, dry, store)
    voices = {utterance.request.voice for item in items for utterance in item.utterances}
    scripts = {item.script.script_id for item in items}
    table = [
        f"| pool | {len(scenes)} dry scenes, {_hours(scenes):.2f} h, {len(scripts)} scripts, {len(voices)} voices of "
        f"{engine}; {len(refused)} refused by the composer |"
    ]
    table += voice_activity_rows("dry", scenes)
    default = SceneSettings()
    as_built, _ = composed(spoken_items(FOLDER, store, engine, default, DEFAULT_SEEDS), default, store)
    table += voice_activity_rows("default settings", as_built)
    table += overlap_rows([mixed for mixed in scenes if mixed.spoken.seed in OVERLAP_SEEDS])
    return table + meetings.rows(meetings.measure(items, dry, store))


def voice_activity_rows(name: str, scenes: Sequence[MixedScene]) -> list[str]:
    found = in_workers(voice_activity.found, scenes)
    table = voice_activity.rows(f"voice activity, {name}", found)
    return table + [f"| worst | {line} |" for line in voice_activity.worst(found)]


def overlap_rows(scenes: Sequence[MixedScene]) -> list[str]:
    heard = in_workers(overlap.heard, scenes)
    return overlap.rows(heard, _ONSET, _COLLAR_S)


def _hours(scenes: Sequence[MixedScene]) -> float:
    return sum(mixed.scene.seconds(mixed.scene.num_samples) for mixed in scenes) / 3600
