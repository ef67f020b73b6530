"""The catalog's columns: one row per utterance and per scene event of a release (`catalog.parquet`)."""

from __future__ import annotations

import polars

CatalogDtype = type[polars.DataType]

#: Values of the column ``kind``.
UTTERANCE = "utterance"
EVENT = "event"

#: Column -> polars type, in file order. Seconds are seconds from the start of ``file``.
CATALOG_SCHEMA: dict[str, CatalogDtype] = {
    # which item
    "item_id": polars.String,
    "plan_id": polars.String,
    "track": polars.String,
    "task": polars.String,
    "language": polars.String,
    "split": polars.String,
    "turns": polars.Int64,
    "cell": polars.String,  # QuotaCell.key
    "domain": polars.String,
    "script_id": polars.String,
    # which row of it
    "kind": polars.String,  # "utterance" or "event"
    "file": polars.String,  # path of the audio, relative to the release root
    "channel": polars.String,  # Track 2 only
    "role": polars.String,
    "part": polars.String,  # Track 2 only
    "turn_id": polars.Int64,  # Track 1 only, from 1; a voiced reply has that of its turn and the role assistant
    "line": polars.Int64,  # Track 2 only, of the script, from 1
    # who speaks, and what made the sound
    "utterance_id": polars.String,
    "speaker": polars.String,
    "voice": polars.String,
    "voice_sha256": polars.String,  # of reference clips or shares of a mix; null: the engine's weights are all
    "engine": polars.String,
    "engine_version": polars.String,
    "weights_sha256": polars.String,
    "license": polars.String,  # SPDX identifier
    "seed": polars.Int64,
    "tries": polars.Int64,  # how often it was spoken until the judges heard its text
    "told_emotion": polars.String,  # what the engine was told; null: neutral, or it has no emotion of its own
    "told_intensity": polars.Int64,
    "speed": polars.Float64,  # what the engine was told, times its own rate
    "expression": polars.String,  # the prosody step as JSON; null: it was left out
    "audio_key": polars.String,
    # what is said
    "text": polars.String,
    "spoken_text": polars.String,
    "heard_text": polars.String,
    "heard_tags": polars.String,  # those of the text's vocal tags that sound, separated by blanks; null: none does
    "emotion": polars.String,
    "intensity": polars.Int64,
    "fine_emotion": polars.String,  # shade of the label, where the plan names one
    "text_emotion": polars.String,  # what the words alone say, where it differs from the voice
    "response_text": polars.String,
    "text_model": polars.String,  # which language model wrote the text, and the reply; null: a person
    "response_model": polars.String,
    # where in time, how loud
    "start_s": polars.Float64,
    "stop_s": polars.Float64,
    "duration_s": polars.Float64,
    "loudness_lufs": polars.Float64,
    "target_lufs": polars.Float64,  # the loudness asked for: that of the configuration, more or less by emotion
    "peak_dbfs": polars.Float64,
    "gain_db": polars.Float64,
    "cut": polars.Boolean,
    # the microphone; null where nothing stands between speaker and file
    "distance_m": polars.Float64,
    "rt60_s": polars.Float64,
    "echo_db": polars.Float64,
    "stationary_snr_db": polars.Float64,
    "babble_snr_db": polars.Float64,
    "telephone": polars.String,  # coding
    # events
    "event_kind": polars.String,
    "target_line": polars.Int64,  # the line an event is about
    "latency_s": polars.Float64,
}
