"""Engines against servers that fail often or die: two hundred requests through every fault, a killed process."""

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_schemas.foundation.audio import to_pcm16
from data_schemas.foundation.randomness import named_generator
from data_schemas.tasks import Language
from data_schemas.utterance import SpeechRequest
from flows.shards.remote_speech import RemoteSpeech
from generators.remote.errors import EndpointError
from generators.remote.settings import EndpointSettings
from generators.speech.engine import EngineError
from generators.speech.registry import create_engine
from generators.speech.servers.base import ServerEngine
from generators.speech.servers.settings import SpeechServerSettings
from generators.speech.settings import SpeechSettings
from tests.support.speech_registry import write_registry
from tests.support.speech_server import MODEL, RATE_HZ, Fault, Kind, SpeechServer, speak

ROOT = Path(__file__).parents[2]
ENGINES = ("openai-speech", "cosyvoice-http")
#: what sending again mends, on every wire format
MENDED: tuple[Kind, ...] = ("429", "500", "empty", "html", "json", "cut", "odd")
PATIENCE_S = 120.0
_DIGITS = "零一二三四五六七八九"


@pytest.fixture(scope="module")
def registries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: write_registry(tmp_path_factory.mktemp(name), name) for name in ENGINES}


def engine(name: str, url: str, registry: Path, **endpoint: Any) -> ServerEngine:
    tiny: dict[str, Any] = {"backoff_s": 0.001, "max_backoff_s": 0.02, "retries": 20}
    base_url = f"{url}/v1" if name == "openai-speech" else url
    own: dict[str, Any] = {} if name == "openai-speech" else {"generation": "v2"}
    described = SpeechServerSettings(
        endpoint=EndpointSettings.model_validate(tiny | {"base_url": base_url} | endpoint),
        model=MODEL,
        license="Apache-2.0",
        weights="rev-1",
        sample_rate_hz=RATE_HZ,
        **own,
    )
    made = create_engine(name, SpeechSettings(engine=name, voices=str(registry), server=described))
    assert isinstance(made, ServerEngine)
    return made


def request(name: str, number: int) -> SpeechRequest:
    words = "".join(_DIGITS[int(digit)] for digit in str(number))
    return SpeechRequest(
        engine=name,
        weights_sha256="rev-1",
        voice="cmn+m1" if number % 2 else "cmn+f1",
        language=Language.ZH,
        spoken_text=f"这是第{words}句话，请你听好。",
        loudness_lufs=-23.0,
        edge_silence_ms=50,
    )


@contextmanager
def process(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The test server as a process of its own: its address, and itself."""
    command = [sys.executable, "-m", "tests.support.speech_server", *arguments]
    started = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert started.stdout is not None
        yield started.stdout.readline().strip(), started
    finally:
        started.kill()
        started.wait()
        if started.stdout is not None:
            started.stdout.close()


@pytest.mark.parametrize("name", ENGINES)
def test_two_hundred_requests_through_every_fault(name: str, registries: dict[str, Path]) -> None:
    """Three in ten questions fail, in a way drawn by their number; every request gets its own words back."""
    told: Counter[str] = Counter()

    def fault_at(number: int) -> Fault | None:
        generator = named_generator(11, str(number), "fault")
        if generator.random() >= 0.3:
            return None
        kind = MENDED[int(generator.integers(len(MENDED)))]
        told[kind] += 1
        return Fault(kind, seconds=0.01)

    registry = write_voices(registries[name], name)
    with SpeechServer(fault_at) as server:
        with RemoteSpeech(engine(name, server.url, registry, max_in_flight=8)) as speech:
            asked = [speech.submit(request(name, number)) for number in range(200)]
            spoken = [future.result(PATIENCE_S) for future in asked]
        assert server.requests == 200 + told.total() and set(told) == set(MENDED)
        assert server.seen.most_in_flight <= 8
    for number in range(0, 200, 7):
        one = request(name, number)
        heard = to_pcm16(speak(one.spoken_text, one.voice))
        np.testing.assert_array_equal(to_pcm16(spoken[number].samples), heard)


def write_voices(registry: Path, name: str) -> Path:
    """The registry with one more voice of the server's own."""
    more = registry.with_name("more.yaml")
    entry = f"- {{id: cmn+m1, engine: {name}, language: zh, gender: male, license: CC0-1.0}}\n"
    more.write_text(registry.read_text(encoding="utf-8") + entry, encoding="utf-8")
    return more


@pytest.mark.parametrize("name", ENGINES)
def test_a_server_that_dies_in_the_middle_ends_the_build_and_the_next_run_goes_on(
    name: str, registries: dict[str, Path]
) -> None:
    registry = registries[name]
    with (
        process("--exit-at", "5") as (url, server),
        RemoteSpeech(engine(name, url, registry, max_in_flight=2, retries=3)) as speech,
    ):
        asked = [speech.submit(request(name, 2 * number)) for number in range(12)]
        errors = [future.exception(PATIENCE_S) for future in asked]
        assert server.wait(PATIENCE_S) == 1
    answered = [error is None for error in errors]
    assert 3 <= sum(answered) <= 5
    assert all(isinstance(error, EndpointError) for error in errors if error is not None)
    assert "cannot be reached" in str(errors[-1]) and "start the server" in str(errors[-1])
    with process() as (url, _), RemoteSpeech(engine(name, url, registry)) as speech:
        rest = [speech.submit(request(name, 2 * number)) for number, done in enumerate(answered) if not done]
        assert all(len(future.result(PATIENCE_S).samples) > RATE_HZ for future in rest)


def test_the_same_bytes_alone_and_among_others(registries: dict[str, Path]) -> None:
    """Order and company leave no trace: a private loop, and a crowd."""
    name = ENGINES[0]
    with process() as (url, _):
        made = engine(name, url, registries[name])
        alone = [made.synthesise(request(name, number)) for number in (4, 0, 2)]
        with RemoteSpeech(made) as speech:
            crowd = [speech.submit(request(name, number)) for number in (0, 2, 4)]
            together = [future.result(PATIENCE_S) for future in crowd]
    for one, other in zip((alone[1], alone[2], alone[0]), together, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)


@pytest.mark.parametrize("name", ENGINES)
def test_slow_answers_end_in_one_sentence(name: str, registries: dict[str, Path]) -> None:
    with SpeechServer(lambda number: Fault("hang", seconds=60.0)) as server:
        made = engine(name, server.url, registries[name], timeout_s=0.5, retries=1)
        with pytest.raises(EngineError, match="2 tries, the last time: no answer within the time limit"):
            asyncio.run(_opened(made, request(name, 0)))
        deadline = time.monotonic() + PATIENCE_S
        while server.requests < 2 and time.monotonic() < deadline:  # who asked may be gone before it was heard
            time.sleep(0.01)
        assert server.requests == 2


async def _opened(made: ServerEngine, one: SpeechRequest) -> None:
    await made.open()
    try:
        await made.synthesise_remotely(one)
    finally:
        await made.close()
