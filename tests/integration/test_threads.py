"""Every model asks for one thread itself: its numbers do not rest on the environment alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from flows.common.threads import THREAD_ENVIRONMENT

_LOADED = """
import faster_whisper, numpy, onnxruntime, torch
from generators.speech.kokoro.engine import KokoroEngine
from validators.scene.speech_activity import SegmentationModel
from validators.scene.voice_activity import VoiceActivityDetector
from validators.sound.quality import _session
from validators.voices import speaker_encoder
from validators.words.recogniser import Recogniser

sessions, models = [], []

class Session(onnxruntime.InferenceSession):
    def __init__(self, path, sess_options=None, *rest, **named):
        sess_options = named.get("sess_options", sess_options)
        sessions.append((sess_options.intra_op_num_threads, sess_options.inter_op_num_threads))
        super().__init__(path, sess_options, *rest, **{k: v for k, v in named.items() if k != "sess_options"})

class Model(faster_whisper.WhisperModel):
    def __init__(self, path, **named):
        models.append((named["cpu_threads"], named["num_workers"]))
        super().__init__(path, **named)

onnxruntime.InferenceSession, faster_whisper.WhisperModel = Session, Model
noise = numpy.random.default_rng(1).normal(0, 0.01, 32_000).astype(numpy.float32)

KokoroEngine()._model
_session("sig_bak_ovr.onnx")
VoiceActivityDetector().speech_spans(noise)
Recogniser()._loaded()
assert torch.get_num_threads() == 1, "silero"
encoder = speaker_encoder.SpeakerEncoder()._path
for load in (lambda: SegmentationModel().voice(noise), lambda: speaker_encoder._load(encoder)):
    torch.set_num_threads(2)
    load()
    assert torch.get_num_threads() == 1
assert sessions == [(1, 1)] * 3, sessions
assert models == [(1, 1)], models
print("one thread each")
"""


def test_every_model_asks_for_one_thread() -> None:
    environment = os.environ | dict.fromkeys(THREAD_ENVIRONMENT, "8") | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _LOADED], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["one thread each"], done.stderr
