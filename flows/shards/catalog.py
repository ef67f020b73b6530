"""`catalog.parquet`: one row per utterance and per scene event, built column by column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import polars

from data_schemas.acoustics import Microphone, NoiseKind
from data_schemas.catalog import CATALOG_SCHEMA
from data_schemas.item import ASSISTANT_WAV, USER_WAV, Item, response_wav, turn_wav
from data_schemas.layouts.base import Layout
from data_schemas.scene import Placement, Scene, SceneEvent
from data_schemas.tasks import Channel, Track
from data_schemas.utterance import Utterance
from generators.speech.expression.responses import reply_step
from generators.speech.sounds.placing import heard_tags


def catalog_frame(items: Iterable[tuple[Item, Layout]]) -> polars.DataFrame:
    """All rows of all items, in the order given."""
    columns: dict[str, list[Any]] = {name: [] for name in CATALOG_SCHEMA}
    for item, layout in items:
        for row in catalog_rows(item, layout):
            for name, values in columns.items():
                values.append(row.get(name))
    return polars.DataFrame(columns, schema=CATALOG_SCHEMA)


def catalog_rows(item: Item, layout: Layout) -> Iterator[dict[str, Any]]:
    """Rows of one item: its utterances in speaking order (the reply after its turn), then its events in time order."""
    common = {
        "item_id": layout.item_id(item),
        "plan_id": item.plan.id,
        "track": item.plan.task.track.value,
        "task": item.plan.task.value,
        "language": item.plan.language.value,
        "split": item.plan.cell.split.value,
        "turns": item.plan.cell.turns,
        "cell": item.plan.cell.key,
        "domain": item.script.domain,
        "script_id": item.script.script_id,
    }
    audio = layout.audio_files(item)
    if item.plan.task.track is Track.EMOTION:
        yield from (common | row for row in _turn_rows(item, audio))
    elif item.scene is not None:
        yield from (common | row for row in _scene_rows(item, item.scene, audio))


def _turn_rows(item: Item, audio: Any) -> Iterator[dict[str, Any]]:
    for turn_id, (utterance, turn) in enumerate(zip(item.utterances, item.script.turns, strict=True), 1):
        yield (
            _utterance_columns(utterance)
            | {
                "file": audio[turn_wav(turn_id)],
                "turn_id": turn_id,
                "emotion": turn.emotion.value,
                "intensity": turn.intensity,
                "fine_emotion": turn.fine_emotion,
                "text_emotion": None if turn.text_emotion is None else turn.text_emotion.value,
                "response_text": turn.response_text,
                "text_model": turn.text_model,
                "response_model": turn.response_model,
            }
            | _whole_file(utterance)
        )
        if item.responses:
            tone = reply_step(item.plan.task, turn.step, item.plan.language)
            response = item.responses[turn_id - 1]
            yield (
                _utterance_columns(response)
                | {
                    "file": audio[response_wav(turn_id)],
                    "turn_id": turn_id,
                    "emotion": tone.emotion.value,
                    "intensity": tone.intensity,
                    "text_model": turn.response_model,
                }
                | _whole_file(response)
            )


def _whole_file(utterance: Utterance) -> dict[str, Any]:
    return {"start_s": 0.0, "stop_s": utterance.duration, "duration_s": utterance.duration, "cut": False}


def _scene_rows(item: Item, scene: Scene, audio: Any) -> Iterator[dict[str, Any]]:
    files = {Channel.USER: audio[USER_WAV], Channel.ASSISTANT: audio[ASSISTANT_WAV]}
    by_id = {utterance.id: utterance for utterance in item.utterances}
    model_of = {(line.role, line.part): line.model for line in item.script.lines}
    for placement in sorted(scene.placements, key=lambda placement: placement.start):
        utterance = by_id[placement.utterance_id]
        written = {"text_model": None if utterance.part is None else model_of.get((utterance.role, utterance.part))}
        heard = _microphone_columns(placement, scene.microphone) if scene.microphone else {}
        yield _utterance_columns(utterance) | written | _placement_columns(placement, scene, files) | heard
    for event in sorted(scene.events, key=lambda event: (event.start, event.kind)):
        yield _event_columns(event, scene, files)


def _utterance_columns(utterance: Utterance) -> dict[str, Any]:
    request = utterance.request
    return {
        "kind": "utterance",
        "utterance_id": utterance.id,
        "role": utterance.role.value,
        "part": None if utterance.part is None else utterance.part.value,
        "speaker": utterance.speaker,
        "voice": utterance.provenance.voice,
        "voice_sha256": request.voice_sha256,
        "engine": utterance.provenance.engine,
        "engine_version": utterance.provenance.engine_version,
        "weights_sha256": utterance.provenance.weights_sha256,
        "license": utterance.provenance.license,
        "seed": utterance.provenance.seed,
        "tries": utterance.tries,
        "told_emotion": None if request.intensity == 0 else request.emotion.value,
        "told_intensity": None if request.intensity == 0 else request.intensity,
        "speed": request.speed,
        "expression": None if request.expression is None else request.expression.to_json_line(),
        "text": utterance.text,
        "spoken_text": request.spoken_text,
        "heard_tags": " ".join(heard_tags(request)) or None,
        "audio_key": utterance.audio_key,
        "loudness_lufs": utterance.loudness_lufs,
        "target_lufs": utterance.request.loudness_lufs,
        "peak_dbfs": utterance.peak_dbfs,
    }


def _placement_columns(placement: Placement, scene: Scene, files: dict[Channel, str]) -> dict[str, Any]:
    return {
        "file": files[placement.channel],
        "channel": placement.channel.value,
        "line": placement.line,
        "start_s": scene.seconds(placement.start),
        "stop_s": scene.seconds(placement.stop),
        "duration_s": scene.seconds(placement.stop - placement.start),
        "gain_db": placement.gain_db,
        "heard_text": placement.heard_text,
        "cut": placement.cut,
    }


def _microphone_columns(placement: Placement, microphone: Microphone) -> dict[str, Any]:
    """What the microphone added to an utterance of the user's channel."""
    if placement.channel is not Channel.USER:
        return {}
    snr_of = {noise.kind: noise.snr_db for noise in microphone.noises}
    talker = next((talker for talker in microphone.talkers if talker.role is placement.role), None)
    return {
        "distance_m": talker and talker.distance_m,
        "rt60_s": microphone.room.rt60_s if talker and microphone.room else None,
        "echo_db": microphone.echo and microphone.echo.level_db,
        "stationary_snr_db": snr_of.get(NoiseKind.STATIONARY),
        "babble_snr_db": snr_of.get(NoiseKind.BABBLE),
        "telephone": microphone.telephone and microphone.telephone.coding,
    }


def _event_columns(event: SceneEvent, scene: Scene, files: dict[Channel, str]) -> dict[str, Any]:
    return {
        "kind": "event",
        "file": files[event.channel],
        "channel": event.channel.value,
        "event_kind": event.kind.value,
        "line": event.line,
        "target_line": event.target,
        "start_s": scene.seconds(event.start),
        "stop_s": scene.seconds(event.stop),
        "duration_s": scene.seconds(event.stop - event.start),
        "latency_s": None if event.latency is None else scene.seconds(event.latency),
    }
