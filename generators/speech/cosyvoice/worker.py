"""The process that CosyVoice runs in. Started as a script by the interpreter of CosyVoice's own environment.

It imports nothing of this project: besides the standard library only what CosyVoice itself needs (torch, numpy,
soundfile), and runs on Python 3.10 and later. ``worker.py --versions`` prints the versions of what decides the samples
as JSON, ``worker.py --classes`` what it finds when it imports CosyVoice; both take a checkout's folder besides.

Protocol: a question is one line of JSON on standard input, its answer one line of JSON on standard output, followed by
``bytes`` bytes of float32 samples. The first question is ``load``, all others are ``speak``; one is under way at a
time. The process ends when its input ends or its parent is gone.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import inspect
import json
import logging
import os
import queue
import random
import subprocess
import sys
import threading
import time
import traceback
import types
from pathlib import Path
from typing import Any, BinaryIO

END_OF_PROMPT = "<|endofprompt|>"
#: What v3 wants before the marker where there is no instruction (README of the official repository).
SYSTEM_PROMPT = "You are a helpful assistant."
#: Class and generation by the file that lies in the model directory.
CLASSES = {"cosyvoice2.yaml": ("CosyVoice2", "v2"), "cosyvoice3.yaml": ("CosyVoice3", "v3")}
PROMPT_RATE_HZ = 16_000
#: From this version on torchaudio.load needs TorchCodec, and the compiled part serves forced alignment alone.
TORCHAUDIO_WITHOUT_READER = (2, 9)
DECIDING_PACKAGES = ("torch", "torchaudio", "transformers", "onnxruntime", "numpy")
#: Clips kept prepared, the oldest goes first; about 1 MB each (CHOICE).
KEPT_CLIPS = 256
WATCH_SECONDS = 1.0
SEED_BITS = 32


class Refused(Exception):
    """A question that cannot be answered; the sentence says why."""


def versions(checkout: str | None) -> dict[str, str]:
    """Versions of CosyVoice and of what decides its samples; nothing heavy is imported."""
    found = {name: _version(name) for name in DECIDING_PACKAGES}
    if checkout:
        return {"cosyvoice": _checkout_version(Path(checkout)), **found}
    owners = importlib.metadata.packages_distributions().get("cosyvoice", [])
    named = "; ".join(sorted({f"{owner} {_version(owner)}" for owner in owners}))
    return {"cosyvoice": named or "absent", **found}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _checkout_version(checkout: Path) -> str:
    if not (checkout / "cosyvoice" / "cli" / "cosyvoice.py").is_file():
        return "absent"
    asked = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError:
        return "checkout without git"
    return f"checkout {done.stdout.strip()}" if done.returncode == 0 else "checkout without git"


class Speaker:
    """A loaded model and what has been prepared for it."""

    def __init__(self, options: dict[str, Any]) -> None:
        model_dir = Path(options["model_dir"])
        known = [name for name in CLASSES if (model_dir / name).is_file()]
        if len(known) != 1:
            raise Refused(
                f"{model_dir} must hold one of {', '.join(CLASSES)}, it holds {', '.join(known) or 'neither'}"
            )
        class_name, self.generation = CLASSES[known[0]]
        self._model = _build(class_name, model_dir, options)
        self.takes_path = _interface(self._model) == "path"
        self._speakers: dict[tuple[str, str], str] = {}
        self._prompts: dict[str, Any] = {}
        self._heard = _Tokenised(self._model.frontend)

    def description(self) -> dict[str, Any]:
        """What the answer to ``load`` says."""
        return {
            "sample_rate": int(self._model.sample_rate),
            "generation": self.generation,
            "interface": _interface(self._model),
        }

    def known(self, tags: list[str]) -> list[str]:
        """Those of ``tags`` that are one token each."""
        tokenizer = self._model.frontend.tokenizer
        return [tag for tag in tags if len(tokenizer.encode(tag, allowed_special="all")) == 1]

    def speak(self, question: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Samples ``[n]`` and what is known of them."""
        import numpy

        text, mode, speed = question["text"], question["mode"], question["speed"]
        prompt = self._prompt(question["clip"])
        if mode == "zero_shot":
            call = self._zero_shot(text, prompt, question)
        elif mode == "cross_lingual":
            text = SYSTEM_PROMPT + END_OF_PROMPT + text if self.generation == "v3" else text
            call = (self._model.inference_cross_lingual, (text, prompt))
        elif mode == "instruct":
            call = (self._model.inference_instruct2, (text, self._instruction(question["instruction"]), prompt))
        else:
            raise Refused(f"there is no mode {mode}")
        method, arguments = call
        self._heard.clear()
        _seed(question["seed"])
        # no streaming: v3 hangs with it. The text is normalised and cut already: no text_frontend
        segments = [
            segment["tts_speech"] for segment in method(*arguments, stream=False, speed=speed, text_frontend=False)
        ]
        self._heard.check(mode, self.generation)
        pieces = [segment.detach().to("cpu").float().numpy().reshape(-1) for segment in segments]
        samples = numpy.concatenate(pieces) if pieces else numpy.zeros(0, dtype=numpy.float32)
        tokens = len(self._model.frontend.tokenizer.encode(text, allowed_special="all"))
        return numpy.ascontiguousarray(samples, dtype="<f4"), {"segments": len(pieces), "text_tokens": tokens}

    def _zero_shot(self, text: str, prompt: Any, question: dict[str, Any]) -> tuple[Any, tuple[Any, ...]]:
        """With a speaker prepared once, where the runtime can.

        Only this mode: with a prepared speaker inference_instruct2 ignores its instruction, and both it and
        inference_cross_lingual take parts out of the prepared speaker for good.
        """
        transcript = question["transcript"]
        if self.generation == "v3" and END_OF_PROMPT not in transcript:
            transcript = SYSTEM_PROMPT + END_OF_PROMPT + transcript
        if not hasattr(self._model, "add_zero_shot_spk"):
            return self._model.inference_zero_shot, (text, transcript, prompt)
        key = (question["clip"], transcript)
        if key not in self._speakers:
            if len(self._speakers) >= KEPT_CLIPS:
                self._model.frontend.spk2info.pop(self._speakers.pop(next(iter(self._speakers))))
            name = hashlib.sha256("\0".join(key).encode()).hexdigest()
            self._model.add_zero_shot_spk(transcript, prompt, name)
            self._speakers[key] = name
        return self._model.inference_zero_shot, (text, "", "", self._speakers[key])

    def _instruction(self, instruction: str) -> str:
        """With exactly one marker by the time the tokeniser sees it."""
        bare = instruction.replace(END_OF_PROMPT, "")
        return bare + END_OF_PROMPT if self.takes_path else bare

    def _prompt(self, clip: str) -> Any:
        """The clip as the runtime wants it: its path, or samples ``[1, n]`` at 16 kHz."""
        if self.takes_path:
            return clip
        if clip not in self._prompts:
            from cosyvoice.utils.file_utils import load_wav

            if len(self._prompts) >= KEPT_CLIPS:
                self._prompts.pop(next(iter(self._prompts)))
            self._prompts[clip] = load_wav(clip, PROMPT_RATE_HZ)
        return self._prompts[clip]


class _Tokenised:
    """Listens to what the tokeniser is given, so that a missing or doubled marker is found."""

    def __init__(self, frontend: Any) -> None:
        self._texts: list[str] = []
        inner = getattr(frontend, "_extract_text_token", None)
        self._listens = inner is not None
        if inner is None:
            return

        def listening(text: Any, *arguments: Any, **options: Any) -> Any:
            if isinstance(text, str):
                self._texts.append(text)
            return inner(text, *arguments, **options)

        frontend._extract_text_token = listening

    def clear(self) -> None:
        self._texts.clear()

    def check(self, mode: str, generation: str) -> None:
        """One marker where the model wants one, and nowhere two."""
        counts = [text.count(END_OF_PROMPT) for text in self._texts]
        wanted = mode == "instruct" or (generation == "v3" and mode == "cross_lingual")
        if self._listens and (max(counts, default=0) > 1 or (wanted and 1 not in counts)):
            raise Refused(
                f"this runtime was given {sum(counts)} end-of-prompt markers in mode {mode}: its interface is neither "
                "of the two that are known, see docs/cosyvoice.md"
            )


def _build(class_name: str, model_dir: Path, options: dict[str, Any]) -> Any:
    """The model of one of both interfaces, through its own loading path."""
    runtime = _runtime(options.get("checkout"))
    model_class = getattr(runtime, class_name, None)
    if model_class is None:
        raise Refused(f"this CosyVoice ({runtime.__file__}) has no {class_name}; install one that has")
    takes = inspect.signature(model_class.__init__).parameters
    chosen = {name: True for name in ("fp16", "load_trt", "load_vllm") if options.get(name)}
    foreign = sorted(set(chosen) - set(takes))
    if foreign:
        raise Refused(f"this CosyVoice does not know {', '.join(foreign)}; take it out of speech.cosyvoice")
    if "final" in takes:
        chosen["final"] = True  # cosyvoice2-eu: the files are called llm.pt, flow.pt and hift.pt
    import torch

    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    return model_class(str(model_dir), **chosen)


def _runtime(checkout: str | None) -> Any:
    """The module with the model's classes."""
    if checkout:
        sys.path[:0] = [checkout, str(Path(checkout) / "third_party" / "Matcha-TTS")]
    mend_environment()
    from cosyvoice.cli import cosyvoice as runtime

    logging.getLogger().setLevel(logging.WARNING)  # the runtime sets it to DEBUG and writes every text
    return runtime


def classes(checkout: str | None) -> dict[str, str]:
    """The model's classes in the installed CosyVoice, and how each takes its reference clip."""
    runtime = _runtime(checkout)
    found = {name: getattr(runtime, name, None) for name, _ in CLASSES.values()}
    return {name: _interface(model_class) for name, model_class in found.items() if model_class is not None}


def _interface(model: Any) -> str:
    """``path``: the repository's head, where the caller adds the marker; ``samples``: the packages of 2025."""
    parameters = inspect.signature(model.inference_zero_shot).parameters
    return "path" if "prompt_wav" in parameters else "samples"


def mend_environment() -> None:
    """Stand in for what recent versions of torchaudio cannot do on their own, and for normalisers nobody uses here."""
    major, minor = (int(part) for part in importlib.metadata.version("torchaudio").split(".")[:2])
    recent = (major, minor) >= TORCHAUDIO_WITHOUT_READER
    if recent:
        extension = _stand_in("torchaudio._extension")
        extension._IS_TORCHAUDIO_EXT_AVAILABLE = False
        extension._IS_ALIGN_AVAILABLE = False
        extension.fail_if_no_align = lambda function: function
    import torchaudio

    if recent:
        torchaudio.load = _load_audio
    if not any(importlib.util.find_spec(name) for name in ("tn", "ttsfrd")):
        for name in ("tn", "tn.chinese", "tn.english"):
            _stand_in(name)
        for name in ("tn.chinese.normalizer", "tn.english.normalizer"):
            _stand_in(name).Normalizer = _NoNormalizer


def _stand_in(name: str) -> Any:
    return sys.modules.setdefault(name, types.ModuleType(name))


class _NoNormalizer:
    """Instead of WeTextProcessing, which PyPI's copies import and this worker never uses: text comes normalised."""

    def __init__(self, **_: Any) -> None: ...

    def normalize(self, text: str) -> str:
        raise Refused(f"{text!r} was to be normalised without WeTextProcessing")


def _load_audio(path: Any, *_: Any, **__: Any) -> tuple[Any, int]:
    """As torchaudio.load: ``[channels, n]`` float32 and the rate."""
    import soundfile
    import torch

    samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    return torch.from_numpy(samples.T.copy()), int(rate)


def _seed(seed: int) -> None:
    """The generators are global, and building the model has seeded them too."""
    import numpy
    import torch

    random.seed(seed)
    numpy.random.seed(seed % 2**SEED_BITS)  # noqa: NPY002 - CosyVoice draws from the global generator
    torch.manual_seed(seed)


class Conversation:
    """Answers questions until there are no more."""

    def __init__(self, answers: BinaryIO) -> None:
        self._answers = answers
        self._speaker: Speaker | None = None
        #: CosyVoice's language model runs in a thread; when it dies, the caller sees an unrelated error
        self._thread_errors: list[str] = []
        threading.excepthook = self._note_thread_error

    def answer(self, line: bytes) -> None:
        try:
            samples, facts = self._carried_out(json.loads(line))
        except Exception as error:
            traceback.print_exc()
            said = "; ".join(self._thread_errors) or _sentence(error)
            broken = isinstance(error, MemoryError) or "CUDA" in said
            self._say({"ok": False, "error": said, "broken": broken})
            return
        payload = b"" if samples is None else samples.tobytes()
        self._say({"ok": True, "bytes": len(payload), **facts}, payload)

    def _carried_out(self, question: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        self._thread_errors.clear()
        if question["do"] == "load":
            self._speaker = Speaker(question)
            return None, {**self._speaker.description(), "tags": self._speaker.known(question["tags"])}
        if self._speaker is None:
            raise Refused("nothing is loaded")
        samples, facts = self._speaker.speak(question)
        if self._thread_errors:
            raise Refused("; ".join(self._thread_errors))
        return samples, {"sample_rate": self._speaker.description()["sample_rate"], **facts}

    def _say(self, header: dict[str, Any], payload: bytes = b"") -> None:
        self._answers.write(json.dumps(header).encode() + b"\n" + payload)
        self._answers.flush()

    def _note_thread_error(self, args: threading.ExceptHookArgs) -> None:
        self._thread_errors.append(_sentence(args.exc_value))
        traceback.print_exception(args.exc_type, args.exc_value, args.exc_traceback)


def _sentence(error: BaseException | None) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, Refused) else f"{type(error).__name__}: {text}"


def _read_questions(source: BinaryIO, questions: queue.Queue[bytes]) -> None:
    for line in source:
        questions.put(line)
    os._exit(0)  # the parent is done with us, or dead


def _watch_parent() -> None:
    """A process that was forked from the parent may hold our input open after the parent's death."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(0)


def main() -> None:
    """Keep the two pipes for the protocol, and let libraries print to standard error."""
    source, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    questions: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_watch_parent, daemon=True).start()
    threading.Thread(target=_read_questions, args=(source, questions), daemon=True).start()
    conversation = Conversation(answers)
    while True:
        conversation.answer(questions.get())


if __name__ == "__main__":
    reports = {"--versions": versions, "--classes": classes}
    if len(sys.argv) > 1:
        told, given = reports[sys.argv[1]], (*sys.argv[2:], None)[0]
        with os.fdopen(os.dup(1), "w") as answer:
            os.dup2(2, 1)  # libraries print
            answer.write(json.dumps(told(given)))
    else:
        main()
