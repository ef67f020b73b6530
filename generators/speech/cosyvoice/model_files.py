"""A CosyVoice model directory: which generation it is, and the hash of its weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from generators.speech.engine import EngineError
from generators.speech.expression.instructions import Generation

#: The file that says what a directory holds (official repository, ``AutoModel``).
GENERATIONS: Mapping[str, Generation] = {"cosyvoice2.yaml": "v2", "cosyvoice3.yaml": "v3"}
_FIRST_VERSION = "cosyvoice.yaml"
_NEEDED = ("llm.pt", "flow.pt", "hift.pt", "campplus.onnx")
#: Of files that decide samples: weights, sizes, vocabularies.
_DECIDING = frozenset({".pt", ".onnx", ".safetensors", ".bin", ".yaml", ".json", ".txt", ".zip"})
#: Derived from the others by the runtime when it first runs: speakers it was told to keep, weights repacked for vLLM.
_DERIVED_FILES = frozenset({"spk2info.pt"})
_DERIVED_FOLDERS = frozenset({"vllm", ".git", ".cache"})


def generation_of(model_dir: Path) -> Generation:
    """
    Raises:
        EngineError: not a directory, or not one of CosyVoice 2 or 3; says what to download.
    """
    where = f"speech.cosyvoice.model_dir: {model_dir}"
    if not model_dir.is_dir():
        raise EngineError(f"{where} is not a directory; download the weights there, see docs/cosyvoice.md")
    found = [name for name in GENERATIONS if (model_dir / name).is_file()]
    if len(found) == 1:
        return GENERATIONS[found[0]]
    if found:
        raise EngineError(f"{where} holds {' and '.join(found)}; keep each model in a directory of its own")
    held = f"is CosyVoice 1 ({_FIRST_VERSION})" if (model_dir / _FIRST_VERSION).is_file() else "holds neither of them"
    raise EngineError(
        f"{where} {held}; the engine needs {' or '.join(GENERATIONS)} and the weights of CosyVoice 2 or 3 beside it"
    )


def missing_files(model_dir: Path) -> tuple[str, ...]:
    """Files that every model needs and this directory lacks."""
    needed = (*_NEEDED, "CosyVoice-BlankEN/config.json")
    return tuple(name for name in needed if not (model_dir / name).is_file())


def check_files(model_dir: Path) -> None:
    """
    Raises:
        EngineError: not a model directory, or one that lacks files every model needs.
    """
    generation_of(model_dir)
    missing = missing_files(model_dir)
    if missing:
        raise EngineError(
            f"speech.cosyvoice.model_dir: {model_dir} lacks {', '.join(missing)}; download the weights again, see "
            "docs/cosyvoice.md"
        )


def weights_sha256(model_dir: Path) -> str:
    """Hash over names and contents of all files that decide samples.

    A file is read once in a process, which takes seconds for the 5 GB of a released model, and again when its size or
    time has changed.

    Raises:
        EngineError: not a model directory, or a file cannot be read.
    """
    generation_of(model_dir)
    total = hashlib.sha256()
    for path in sorted(path for path in model_dir.rglob("*") if _decides(path, model_dir)):
        try:
            status = path.stat()
            digest = _digest(path, status.st_size, status.st_mtime_ns)
        except OSError as error:
            raise EngineError(
                f"{path}: cannot be read ({error.strerror}); repair speech.cosyvoice.model_dir"
            ) from error
        total.update(f"{path.relative_to(model_dir).as_posix()}\0{digest}\n".encode())
    return total.hexdigest()


def _decides(path: Path, model_dir: Path) -> bool:
    inside = path.relative_to(model_dir)
    if inside.name in _DERIVED_FILES or _DERIVED_FOLDERS.intersection(inside.parts[:-1]):
        return False
    return path.suffix in _DECIDING and path.is_file()


@cache
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    del size, mtime_ns  # only tell the versions of a file apart
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
