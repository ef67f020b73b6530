"""CosyVoice without CosyVoice: instructions, the choice of clip and mode, model directories, samples, bad workers."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import psutil
import pytest

from data_schemas.emotions import Emotion
from data_schemas.speakers import ReferenceClip, Voice
from data_schemas.tasks import Language
from data_schemas.utterance import SpeechRequest
from generators.speech.cosyvoice.engine import CosyVoiceEngine, choose_manner
from generators.speech.cosyvoice.model_files import generation_of, missing_files, weights_sha256
from generators.speech.cosyvoice.process import WORKER, CosyVoiceProcess, worker_environment
from generators.speech.cosyvoice.settings import CosyVoiceSettings, Mode
from generators.speech.engine import EngineError, EngineUnusable
from generators.speech.expression.instructions import END_OF_PROMPT, Generation, instruction
from generators.speech.returned import Misspoken, check_returned, expected_seconds
from generators.speech.settings import SpeechSettings
from generators.speech.voices.registry import voice_digest
from tests.support.tiny_cosyvoice import write_registry

ZH, EN = Language.ZH, Language.EN
GENERATIONS: tuple[Generation, ...] = ("v2", "v3")
RATE = 24_000
TEXT = "你好，今天我们去公园吧。"


# instructions


def test_the_published_instructions_come_out_word_for_word() -> None:
    assert instruction(Emotion.HAPPY, 2, ZH, "v2") == "用开心的语气说这句话"
    for emotion, word in ((Emotion.HAPPY, "开心"), (Emotion.SAD, "伤心"), (Emotion.ANGER, "生气")):
        assert instruction(emotion, 3, ZH, "v3") == f"You are a helpful assistant. 请非常{word}地说一句话。"


@pytest.mark.parametrize(("generation", "language"), list(product(GENERATIONS, Language)))
def test_every_emotion_and_degree_has_an_instruction_of_its_own(generation: Generation, language: Language) -> None:
    told = {
        instruction(emotion, intensity, language, generation)
        for emotion, intensity in product(Emotion, (1, 2, 3))
        if not emotion.is_neutral
    } | {instruction(Emotion.NEUTRAL, 0, language, generation)}
    assert len(told) == 6 * 3 + 1
    assert not any(END_OF_PROMPT in text or "{" in text or "  " in text for text in told)
    assert all(text.startswith("You are a helpful assistant.") == (generation == "v3") for text in told)


def test_english_is_told_in_english_where_the_model_was_trained_so() -> None:
    assert instruction(Emotion.SAD, 1, EN, "v2") == "Say this sentence in a slightly sad tone"


def test_an_emotion_without_degree_is_refused() -> None:
    with pytest.raises(EngineError, match="intensity 0"):
        instruction(Emotion.FEAR, 0, ZH, "v2")


# clip and mode


def voice(*emotions: str, language: Language = ZH, words: str = "你好。") -> Voice:
    clips = tuple(
        ReferenceClip(file=f"{name}.wav", text=words, sha256="0" * 64, emotion=Emotion(name)) for name in emotions
    )
    return Voice(id="a", engine="cosyvoice", language=language, gender="female", license="Apache-2.0", clips=clips)


def request(emotion: str = "neutral", language: Language = ZH, text: str = TEXT, **changed: object) -> SpeechRequest:
    fields = {
        "engine": "cosyvoice",
        "weights_sha256": "0" * 64,
        "voice": "zh_a",
        "language": language,
        "spoken_text": text,
        "emotion": emotion,
        "intensity": 0 if emotion == "neutral" else 2,
        "seed": 7,
        "loudness_lufs": -23.0,
        "edge_silence_ms": 50,
    }
    return SpeechRequest.model_validate(fields | changed)


@pytest.mark.parametrize(
    ("mode", "clips", "emotion", "language", "chosen"),
    [
        ("auto", ("neutral", "anger"), "anger", ZH, ("zero_shot", "anger")),
        ("auto", ("neutral", "anger"), "neutral", ZH, ("zero_shot", "neutral")),
        ("auto", ("anger", "neutral"), "sad", ZH, ("instruct", "neutral")),
        ("auto", ("anger",), "sad", ZH, ("instruct", "anger")),
        ("auto", ("neutral", "anger"), "anger", EN, ("cross_lingual", "anger")),
        ("auto", ("neutral",), "sad", EN, ("instruct", "neutral")),
        ("instruct", ("neutral", "anger"), "anger", ZH, ("instruct", "neutral")),
        ("zero_shot", ("neutral", "anger"), "anger", ZH, ("zero_shot", "anger")),
        ("cross_lingual", ("neutral",), "neutral", ZH, ("cross_lingual", "neutral")),
    ],
)
def test_mode_and_clip(
    mode: Mode, clips: tuple[str, ...], emotion: str, language: Language, chosen: tuple[str, str]
) -> None:
    manner = choose_manner(voice(*clips), Emotion(emotion), language, CosyVoiceSettings(model_dir="m", mode=mode))
    assert (manner.mode, manner.clip.emotion.value) == chosen


@pytest.mark.parametrize(
    ("language", "words", "mode"),
    [
        (EN, "今天下班路上，我买了一束花。", "cross_lingual"),
        (EN, "I bought flowers today.", "zero_shot"),
        (ZH, "I bought flowers today.", "cross_lingual"),
        (ZH, "我爱 KTV。", "zero_shot"),
    ],
)
def test_the_language_that_counts_is_that_of_the_clips_words(language: Language, words: str, mode: str) -> None:
    speaker = voice("neutral", language=language, words=words)
    manner = choose_manner(speaker, Emotion.NEUTRAL, language, CosyVoiceSettings(model_dir="m"))
    assert manner.mode == mode


def test_the_order_of_clips_changes_nothing() -> None:
    one, other = voice("surprise", "anger"), voice("anger", "surprise")
    assert voice_digest(one) == voice_digest(other)
    chosen = [choose_manner(each, Emotion.SAD, ZH, CosyVoiceSettings(model_dir="m")) for each in (one, other)]
    assert chosen[0] == chosen[1] and chosen[0].clip.emotion is Emotion.ANGER


@pytest.mark.parametrize("mode", ["zero_shot", "cross_lingual"])
def test_a_forced_mode_never_drops_an_emotion_silently(mode: Mode) -> None:
    with pytest.raises(EngineError, match="no clip with emotion sad"):
        choose_manner(voice("neutral"), Emotion.SAD, ZH, CosyVoiceSettings(model_dir="m", mode=mode))


# model directories


def model(folder: Path, *configs: str) -> Path:
    (folder / "CosyVoice-BlankEN").mkdir(parents=True)
    for name in ("llm.pt", "flow.pt", "hift.pt", "campplus.onnx", "CosyVoice-BlankEN/config.json", *configs):
        (folder / name).write_text(name)
    return folder


def test_the_generation_is_told_by_the_file_that_lies_there(tmp_path: Path) -> None:
    assert generation_of(model(tmp_path / "a", "cosyvoice2.yaml")) == "v2"
    assert generation_of(model(tmp_path / "b", "cosyvoice3.yaml")) == "v3"
    for configs, said in (
        ((), "neither"),
        (("cosyvoice.yaml",), "CosyVoice 1"),
        (("cosyvoice2.yaml", "cosyvoice3.yaml"), "directory of its own"),
    ):
        with pytest.raises(EngineError, match=said):
            generation_of(model(tmp_path / said, *configs))
    with pytest.raises(EngineError, match="not a directory"):
        generation_of(tmp_path / "nowhere")


def test_missing_weights_are_named(tmp_path: Path) -> None:
    folder = model(tmp_path / "a", "cosyvoice2.yaml")
    assert missing_files(folder) == ()
    (folder / "hift.pt").unlink()
    assert missing_files(folder) == ("hift.pt",)


def test_an_engine_without_its_weights_says_so_before_it_speaks(tmp_path: Path) -> None:
    folder = model(tmp_path / "a", "cosyvoice2.yaml")
    engine = CosyVoiceEngine(settings(write_registry(tmp_path), model_dir=str(folder)))
    (folder / "flow.pt").unlink()
    with pytest.raises(EngineError, match=r"model_dir: .*/a lacks flow\.pt; download the weights again"):
        engine.check_installed()


def test_a_voice_that_a_forced_mode_cannot_use_is_named(tmp_path: Path) -> None:
    engine = CosyVoiceEngine(settings(write_registry(tmp_path), mode="zero_shot"))
    known = {voice.id: voice for voice in engine.voices()}
    engine.check_voice(known["zh_a"], (Emotion.NEUTRAL, Emotion.ANGER))
    with pytest.raises(EngineError, match=r"voices\.yaml: voice en_b has no clip with emotion anger.*mode to auto"):
        engine.check_voice(known["en_b"], (Emotion.NEUTRAL, Emotion.ANGER))


def test_the_hash_follows_what_decides_the_samples_and_nothing_else(tmp_path: Path) -> None:
    folder = model(tmp_path / "a", "cosyvoice2.yaml")
    first = weights_sha256(folder)
    (folder / "spk2info.pt").write_text("speakers that a runtime kept")
    (folder / "vllm").mkdir()
    (folder / "vllm" / "model.safetensors").write_text("repacked")
    (folder / "README.md").write_text("words")
    assert weights_sha256(folder) == first
    assert weights_sha256(model(tmp_path / "b", "cosyvoice2.yaml")) == first, "the place does not matter"
    (folder / "CosyVoice-BlankEN" / "config.json").write_text("other")
    second = weights_sha256(folder)
    assert second != first
    (folder / "flow.pt").rename(folder / "flow2.pt")
    assert weights_sha256(folder) != second


# the engine before anything is spoken


def settings(registry: Path | None, **cosyvoice: object) -> SpeechSettings:
    fields = {"model_dir": "nowhere"} | cosyvoice
    return SpeechSettings(
        engine="cosyvoice",
        voices=str(registry) if registry else None,
        cosyvoice=CosyVoiceSettings.model_validate(fields),
    )


def test_the_engine_needs_its_section_and_a_registry(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"speech\.cosyvoice"):
        CosyVoiceEngine(SpeechSettings(engine="cosyvoice"))
    with pytest.raises(EngineError, match=r"speech\.voices"):
        CosyVoiceEngine(settings(None))
    with pytest.raises(EngineError, match="not a directory"):
        _ = CosyVoiceEngine(settings(write_registry(tmp_path))).weights_sha256


def test_voices_come_from_the_registry(tmp_path: Path) -> None:
    engine = CosyVoiceEngine(settings(write_registry(tmp_path)))
    assert [voice.id for voice in engine.voices()] == ["zh_a", "en_b"]
    with pytest.raises(EngineError, match="no voice 'nobody'"):
        engine.synthesise(request(voice="nobody"))


def test_a_voice_without_a_clip_cannot_be_cloned(tmp_path: Path) -> None:
    registry = tmp_path / "voices.yaml"
    registry.write_text("voices: [{id: a, engine: cosyvoice, language: zh, gender: male, license: MIT}]")
    with pytest.raises(EngineError, match="voice a has no clip"):
        CosyVoiceEngine(settings(registry)).voices()


def test_a_clip_that_changed_under_the_build_is_not_used(tmp_path: Path) -> None:
    engine = CosyVoiceEngine(settings(write_registry(tmp_path)))
    with pytest.raises(EngineError, match="planned with; put them back"):
        engine.synthesise(request(voice_sha256="1" * 64))
    clip = tmp_path / "zh_a-neutral.wav"
    clip.write_bytes(clip.read_bytes()[:-2] + b"\1\1")
    with pytest.raises(EngineError, match="has changed since"):
        engine.synthesise(request())


def test_speeds_outside_the_range_and_commands_in_the_text_are_refused(tmp_path: Path) -> None:
    engine = CosyVoiceEngine(settings(write_registry(tmp_path)))
    with pytest.raises(EngineError, match=r"speeds from 0\.5 to 2\.0"):
        engine.synthesise(request(speed=2.5))
    with pytest.raises(EngineError, match=re.escape(END_OF_PROMPT)):
        engine.synthesise(request(text=f"你好{END_OF_PROMPT}"))


# what comes back


def noise(seconds: float, level: float = 0.1) -> np.ndarray:
    return (level * np.random.default_rng(1).standard_normal(int(seconds * RATE))).astype(np.float32)


def check(samples: np.ndarray, text: str = TEXT, language: Language = ZH, rate: int = RATE, **known: object) -> None:
    check_returned(samples, rate, text, language, "cosyvoice, voice a", **known)  # type: ignore[arg-type]


def test_usual_speech_passes() -> None:
    check(noise(2.0))
    check(noise(1.2), speed=2.0)
    check(noise(1.5), "Hello there, how are you?", EN, expected_rate=RATE, text_tokens=7)
    check(noise(0.9), "嗯。")
    check(noise(4.0), "嗯[sigh]。")


@pytest.mark.parametrize(
    ("samples", "known", "said"),
    [
        (noise(0), {}, "samples of shape"),
        (noise(2.0).reshape(1, -1), {}, "samples of shape"),
        (np.where(np.arange(48_000) == 7, np.nan, noise(2.0)), {}, "not numbers"),
        (np.where(np.arange(48_000) == 7, np.inf, noise(2.0)), {}, "not numbers"),
        (noise(2.0, level=1e-5), {}, "only silence"),
        (noise(0.5), {}, "words are missing"),
        (noise(20.0), {}, "repeated or babbled"),
        (noise(1.2), {"speed": 0.5}, "words are missing"),
        (noise(2.0), {"rate": 1000}, "1000 Hz"),
        (noise(2.0), {"rate": 22_050, "expected_rate": RATE}, "22050 Hz"),
        (noise(2.0), {"text_tokens": 2}, "did not find the end"),
    ],
)
def test_what_cannot_be_the_text_is_refused(samples: np.ndarray, known: dict[str, object], said: str) -> None:
    with pytest.raises(EngineError, match=said) as refused:
        check(samples, **known)  # type: ignore[arg-type]
    assert str(refused.value).startswith("cosyvoice, voice a: ")
    assert isinstance(refused.value, Misspoken) == ("Hz" not in said), "another seed mends all but the rate"


def test_expected_lengths_count_characters_words_and_sounds() -> None:
    assert expected_seconds("我爱KTV", ZH)[0] == pytest.approx(2 * 0.07 + 0.12)
    assert expected_seconds("<strong>I'm</strong> here", EN)[0] == pytest.approx(2 * 0.12)
    assert expected_seconds("唉[sigh]", ZH)[1] == pytest.approx(expected_seconds("唉", ZH)[1] + 2.0)


# workers that misbehave: stand-ins for an interpreter

ANSWERS_LOAD = 'question = sys.stdin.readline(); say({"ok": True, "bytes": 0, "tags": ["[sigh]"]})\n'
FAKE = """#!{python}
import json, os, sys, time
def say(header, payload=b""):
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\\n" + payload); sys.stdout.buffer.flush()
count = int(open("{count}").read() or 0) + 1
open("{count}", "w").write(str(count))
{behaviour}
"""


class Fake:
    """A process around an interpreter that behaves as told."""

    def __init__(self, folder: Path, behaviour: str, timeout_s: float = 30.0) -> None:
        self._count = folder / "starts"
        self._count.write_text("")
        program = folder / "python"
        program.write_text(FAKE.format(python=sys.executable, count=self._count, behaviour=behaviour))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.process = CosyVoiceProcess(
            CosyVoiceSettings(model_dir="m", python=str(program), timeout_s=timeout_s, start_timeout_s=60.0),
            frozenset({"[sigh]"}),
        )

    @property
    def starts(self) -> int:
        return int(self._count.read_text())

    def ask(self) -> tuple[dict[str, object], bytes]:
        try:
            return self.process.ask({"do": "speak"}, "item 1")
        finally:
            self.process.close()


def test_a_hanging_call_is_asked_once_more_and_then_given_up(tmp_path: Path) -> None:
    fake = Fake(
        tmp_path,
        ANSWERS_LOAD + "sys.stdin.readline(); print('stuck at step 3', file=sys.stderr, flush=True); time.sleep(60)",
        timeout_s=1.5,
    )
    with pytest.raises(EngineError) as given_up:
        fake.ask()
    said = str(given_up.value)
    assert said.startswith("item 1: no answer came within 1.5 s") and "stuck at step 3" in said
    assert said.count("no answer came") == 2 and "started anew" in said
    assert fake.starts == 2 and fake.process.recycled == 2


def test_a_process_that_dies_once_is_replaced(tmp_path: Path) -> None:
    behaviour = (
        ANSWERS_LOAD
        + "sys.stdin.readline()\nif count == 1: os.kill(os.getpid(), 9)\nsay({'ok': True, 'bytes': 8}, b'01234567')"
    )
    fake = Fake(tmp_path, behaviour)
    facts, payload = fake.ask()
    assert (facts["bytes"], payload, fake.starts, fake.process.recycled) == (8, b"01234567", 2, 1)


def test_an_answer_that_breaks_off_or_is_none_is_no_answer(tmp_path: Path) -> None:
    for behaviour, said in (
        ("sys.stdin.readline(); say({'ok': True, 'bytes': 8}, b'0123'); sys.exit(3)", "ended with status 3"),
        ("sys.stdin.readline(); print('Loading ...', flush=True); time.sleep(60)", "wrote 'Loading ...'"),
    ):
        with pytest.raises(EngineError, match=said):
            Fake(tmp_path, ANSWERS_LOAD + behaviour).ask()


def test_a_model_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    for behaviour, said in (
        ("print('ModuleNotFoundError: torch', file=sys.stderr); sys.exit(1)", "status 1.*ModuleNotFoundError: torch"),
        (
            "sys.stdin.readline(); say({'ok': False, 'error': 'no llm.pt', 'broken': False}); time.sleep(60)",
            "no llm.pt",
        ),
        ("sys.stdin.readline(); say({'ok': True, 'bytes': 0, 'tags': []}); time.sleep(60)", r"does not know \[sigh\]"),
    ):
        with pytest.raises(EngineUnusable, match=said):
            Fake(tmp_path, behaviour).ask()


LOADS_IN_VAIN = "while sys.stdin.readline(): say({'ok': False, 'error': 'no llm.pt', 'broken': False})"


@pytest.mark.parametrize(
    ("behaviour", "starts"),
    [(LOADS_IN_VAIN, 1), ("sys.exit(1)", 2), (LOADS_IN_VAIN.replace("'broken': False", "'broken': True"), 2)],
    ids=["refused", "died twice", "no memory twice"],
)
def test_a_model_that_cannot_be_loaded_is_not_loaded_for_every_utterance(
    tmp_path: Path, behaviour: str, starts: int
) -> None:
    fake = Fake(tmp_path, behaviour)
    said = set()
    for number in range(3):
        with pytest.raises(EngineUnusable) as unusable:
            fake.process.ask({"do": "speak"}, f"item {number}")
        said.add(str(unusable.value))
    assert fake.starts == starts
    assert len(said) == 1 and "item" not in said.pop(), "no item is at fault"
    fake.process.close()


def test_a_load_that_died_once_is_tried_again(tmp_path: Path) -> None:
    fake = Fake(
        tmp_path,
        "if count == 1: sys.exit(1)\n" + ANSWERS_LOAD + "sys.stdin.readline(); say({'ok': True, 'bytes': 0})",
    )
    facts, _ = fake.ask()
    assert facts["ok"] and fake.starts == 2


def test_a_refusal_is_no_reason_to_start_anew_but_a_broken_device_is(tmp_path: Path) -> None:
    for broken, starts in ((False, 1), (True, 2)):
        answer = f"while sys.stdin.readline(): say({{'ok': False, 'error': 'too long', 'broken': {broken}}})"
        fake = Fake(tmp_path, ANSWERS_LOAD + answer)
        for _ in range(2):
            with pytest.raises(EngineError, match=r"item 1: CosyVoice failed \(too long\)"):
                fake.process.ask({"do": "speak"}, "item 1")
        assert fake.starts == starts
        fake.process.close()


def test_an_interpreter_that_is_not_there_is_named() -> None:
    process = CosyVoiceProcess(CosyVoiceSettings(model_dir="m", python="/no/such/python"), frozenset())
    with pytest.raises(EngineError, match="/no/such/python cannot be started"):
        process.ask({"do": "speak"}, "item 1")


def test_threads_are_fixed_for_the_worker() -> None:
    environment = worker_environment(CosyVoiceSettings(model_dir="m", threads=3))
    assert environment["OMP_NUM_THREADS"] == environment["MKL_NUM_THREADS"] == "3"


# the worker script itself, before it has a model


def start_worker(**options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", str(WORKER)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return]


def test_the_worker_ends_with_its_input() -> None:
    worker = start_worker()
    assert worker.stdin
    worker.stdin.close()
    assert worker.wait(30) == 0


def test_the_worker_refuses_to_speak_without_a_model() -> None:
    worker = start_worker(stderr=subprocess.DEVNULL)
    assert worker.stdin and worker.stdout
    worker.stdin.write(b'{"do": "speak"}\nnonsense\n')
    worker.stdin.flush()
    first, second = (json.loads(worker.stdout.readline()) for _ in range(2))
    assert first == {"ok": False, "error": "nothing is loaded", "broken": False}
    assert second["error"].startswith("JSONDecodeError")
    worker.stdin.close()
    assert worker.wait(30) == 0


def test_the_worker_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    """A sibling holds the worker's input open, as a forked process would: the end of input alone is not enough."""
    parent = (
        "import subprocess, sys, time\n"
        f"worker = subprocess.Popen([sys.executable, '-I', {str(WORKER)!r}], stdin=-1, stdout=-1, stderr=-3)\n"
        "held = subprocess.Popen(['sleep', '60'], pass_fds=[worker.stdin.fileno()], stdout=-3)\n"
        "worker.stdin.write(b'{}\\n')\n"
        "worker.stdin.flush()\n"
        "worker.stdout.readline()\n"  # it answers: its parent was noted before
        "print(worker.pid, held.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout
        worker, held = (psutil.Process(int(pid)) for pid in process.stdout.readline().split())
        assert worker.is_running()
        process.kill()
    try:
        psutil.wait_procs([worker], timeout=30)
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    finally:
        os.kill(held.pid, signal.SIGKILL)
