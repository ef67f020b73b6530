"""What a model is given by the worker, seen from inside CosyVoice's environment; prints JSON.

``python look_inside.py WORKER MODEL_DIR CLIP TRANSCRIPT``: the worker's own code around the real runtime, with its
calls counted and its tokeniser listened to.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from typing import Any

TEXT = "你好，我们走吧。"


def main(worker_path: str, model_dir: str, clip: str, transcript: str) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("cosyvoice_worker", worker_path)
    assert spec and spec.loader
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    speaker = worker.Speaker({"model_dir": model_dir})
    frontend = speaker._model.frontend
    tokenised: list[str] = []
    prepared: list[str] = []
    encode, add = frontend.tokenizer.encode, speaker._model.add_zero_shot_spk

    def listening_encode(text: str, **options: Any) -> Any:
        tokenised.append(text)
        return encode(text, **options)

    def counting_add(text: str, prompt: Any, name: str) -> Any:
        prepared.append(name)
        return add(text, prompt, name)

    frontend.tokenizer.encode = listening_encode
    speaker._model.add_zero_shot_spk = counting_add
    base = {"text": TEXT, "clip": clip, "transcript": transcript, "seed": 5, "speed": 1.0}

    def speak(mode: str, **more: Any) -> dict[str, Any]:
        tokenised.clear()
        samples, facts = speaker.speak(base | {"mode": mode} | more)
        return {"sha256": hashlib.sha256(samples.tobytes()).hexdigest(), "texts": list(tokenised), **facts}

    found: dict[str, Any] = {"description": speaker.description()}
    found["instruct"] = speak("instruct", instruction="用开心的语气说这句话")
    found["instruct with a marker"] = speak("instruct", instruction="用开心的语气说这句话<|endofprompt|>")
    found["cached"] = [speak("zero_shot") for _ in range(2)]
    found["prepared"] = len(prepared)
    found["after instruct and cross-lingual"] = [
        speak("cross_lingual"),
        speak("instruct", instruction="用开心的语气说这句话"),
        speak("zero_shot"),
    ]
    found["direct"] = _direct(worker, speaker, base)
    speaker.takes_path = True  # as if the caller had to add the marker, which this runtime adds itself
    samples_of = speaker._prompts[clip]
    speaker._prompt = lambda _: samples_of
    try:
        speak("instruct", instruction="用开心的语气说这句话")
    except worker.Refused as refused:
        found["doubled"] = str(refused)
    return found


def _direct(worker: Any, speaker: Any, base: dict[str, Any]) -> str:
    """The same zero-shot utterance by hand, without a prepared speaker."""
    import torch

    prompt = speaker._prompts[base["clip"]]
    worker._seed(base["seed"])
    segments = list(speaker._model.inference_zero_shot(base["text"], base["transcript"], prompt, text_frontend=False))
    samples = torch.cat([segment["tts_speech"] for segment in segments], dim=1).numpy().reshape(-1)
    return hashlib.sha256(samples.tobytes()).hexdigest()


if __name__ == "__main__":
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the runtime prints
    json.dump(main(*sys.argv[1:]), answer, ensure_ascii=False)
    answer.close()
