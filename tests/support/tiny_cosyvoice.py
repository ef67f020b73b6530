"""The real CosyVoice runtime on a tiny model: its environment, its model directory, and voices to clone.

Made once and kept in ``.venv-cosyvoice`` (ignored by git), under a lock, since test processes share it. The environment
has packages of its own where CosyVoice's versions differ from ours, and finds the rest (torch, torchaudio, scipy,
librosa, onnxruntime ...) in the environment of the tests: that saves a gigabyte and minutes, and tests the same code.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import soundfile
import yaml
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".venv-cosyvoice"
CONSTRAINTS = ROOT / "configs" / "cosyvoice-constraints.txt"
MAKE_MODEL = Path(__file__).parent / "cosyvoice" / "make_model.py"
WORKER = ROOT / "generators" / "speech" / "cosyvoice" / "worker.py"
#: Installed without their dependencies: those that differ from ours or are not there (pins: CONSTRAINTS).
PACKAGES = (
    "antlr4-python3-runtime",
    "beautifulsoup4",
    "conformer",
    "cosyvoice2-eu",
    "diffusers",
    "gdown",
    "huggingface-hub",
    "hydra-core",
    "hyperpyyaml",
    "inflect",
    "jaraco.functools",
    "modelscope",
    "modelscope-hub",
    "more-itertools",
    "numpy",
    "onnx",  # makes the tiny model; a user does not need it
    "openai-whisper",
    "ruamel.yaml",
    "soupsieve",
    "tiktoken",
    "tokenizers",
    "transformers",
    "typeguard",
    "wget",
    "x-transformers",
)
CLIP_RATE = 24_000
CLIP_SECONDS = 5.5


def environment() -> Path:
    """The interpreter of CosyVoice's environment, made where it is not there yet (a minute)."""
    wanted = hashlib.sha256(CONSTRAINTS.read_bytes() + "\n".join((*PACKAGES, sys.prefix)).encode()).hexdigest()
    target, stamp = HOME / "env", HOME / "env" / "made-from"
    with _locked():
        if not stamp.is_file() or stamp.read_text() != wanted:
            shutil.rmtree(target, ignore_errors=True)
            venv.create(target, symlinks=True)
            _install(target)
            _share_packages(target)
            stamp.write_text(wanted)
    return target / "bin" / "python"


def model_dir() -> Path:
    """The tiny model, made where it is not there yet (seconds)."""
    python = environment()
    wanted = hashlib.sha256(MAKE_MODEL.read_bytes()).hexdigest()
    target, stamp = HOME / "model", HOME / "model.made-from"
    with _locked():
        if not stamp.is_file() or stamp.read_text() != wanted:
            shutil.rmtree(target, ignore_errors=True)
            _run([str(python), "-I", str(MAKE_MODEL), str(target), str(WORKER)])
            stamp.write_text(wanted)
    return target


def write_registry(folder: Path) -> Path:
    """Two voices, a Mandarin one with a clip of anger besides, an English one; a registry file in ``folder``."""
    voices = [
        _voice(
            folder, "zh_a", "zh", 130.0, {"neutral": "今天的天气真不错啊。", "anger": "你怎么又迟到了，我等了很久。"}
        ),
        _voice(folder, "en_b", "en", 210.0, {"neutral": "The weather is really nice today."}),
    ]
    path = folder / "voices.yaml"
    path.write_text(yaml.safe_dump({"voices": voices}, allow_unicode=True), encoding="utf-8")
    return path


def write_pool(folder: Path, engine: str, emotions: tuple[str, ...]) -> Path:
    """Six Mandarin voices, three of each gender: a cast of both splits. All clips are one recording."""
    soundfile.write(folder / "clip.wav", harmonics(140.0), CLIP_RATE, subtype="PCM_16")
    clips = [{"file": "clip.wav", "text": "今天的天气真不错啊。", "emotion": emotion} for emotion in emotions]
    voices = [
        {"id": f"zh_{gender[0]}{number}", "engine": engine, "language": "zh", "gender": gender, "license": "CC0-1.0"}
        | {"origin": "made by the tests", "clips": clips}
        for gender in ("female", "male")
        for number in range(3)
    ]
    path = folder / "声音.yaml"
    path.write_text(yaml.safe_dump({"voices": voices}, allow_unicode=True), encoding="utf-8")
    return path


def _voice(folder: Path, name: str, language: str, pitch_hz: float, clips: dict[str, str]) -> dict[str, object]:
    listed = []
    for number, (emotion, text) in enumerate(clips.items()):
        file = f"{name}-{emotion}.wav"
        soundfile.write(folder / file, harmonics(pitch_hz * (1 + number / 4)), CLIP_RATE, subtype="PCM_16")
        listed.append({"file": file, "text": text, "emotion": emotion})
    return {
        "id": name,
        "engine": "cosyvoice",
        "language": language,
        "gender": "female",
        "license": "Apache-2.0",
        "origin": "made by the tests",
        "clips": listed,
    }


def harmonics(pitch_hz: float) -> np.ndarray:
    """Five harmonics that come and go like syllables: something that the frontend can take for a voice."""
    time = np.arange(int(CLIP_SECONDS * CLIP_RATE)) / CLIP_RATE
    tone = sum(np.sin(2 * np.pi * pitch_hz * number * time) / number for number in range(1, 6))
    return np.asarray(0.2 * tone * (0.55 + 0.45 * np.sin(2 * np.pi * 3.0 * time)), dtype=np.float32)


def _install(target: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--python", str(target / "bin" / "python"), "--disable-pip-version-check"]
    _run([*pip, "install", "--quiet", "--no-input", "--no-deps", "-c", str(CONSTRAINTS), *PACKAGES])


def _share_packages(target: Path) -> None:
    """What is not installed there is looked for in the environment of the tests."""
    own = next((target / "lib").glob("python3.*/site-packages"))
    (own / "zz-shared.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")


def _locked() -> FileLock:
    HOME.mkdir(exist_ok=True)
    return FileLock(HOME / "lock")


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
