"""One event loop for a whole build: futures from many threads, taken back, and failed together."""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pytest

from data_schemas.tasks import Language
from data_schemas.utterance import SpeechRequest
from flows.shards.remote_speech import RemoteSpeech
from generators.remote.errors import EndpointError
from generators.remote.settings import EndpointSettings
from generators.speech.engine import EngineError, RawSpeech
from generators.speech.registry import create_engine
from generators.speech.servers.base import ServerEngine
from generators.speech.servers.settings import SpeechServerSettings
from generators.speech.settings import SpeechSettings
from tests.support.speech_registry import write_registry
from tests.support.speech_server import MODEL, Fault, SpeechServer, speak

NAME = "openai-speech"
#: longer than any of these tests may take: whoever waits that long has hung
PATIENCE_S = 60.0
Make = Callable[..., ServerEngine]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_registry(tmp_path_factory.mktemp("voices"), NAME)


@pytest.fixture
def make(registry: Path) -> Make:
    def engine(server: SpeechServer, **endpoint: object) -> ServerEngine:
        tiny: dict[str, object] = {"backoff_s": 0.001, "max_backoff_s": 0.01, "retries": 1}
        at = EndpointSettings.model_validate(tiny | {"base_url": server.openai_url} | endpoint)
        described = SpeechServerSettings(endpoint=at, model=MODEL, license="Apache-2.0", weights="rev-1")
        made = create_engine(NAME, SpeechSettings(engine=NAME, voices=str(registry), server=described))
        assert isinstance(made, ServerEngine)
        return made

    return engine


def request(number: int = 0) -> SpeechRequest:
    word = "一二三四五六七八九十"[number % 10]
    return SpeechRequest(
        engine=NAME,
        weights_sha256="rev-1",
        voice="cmn+f1",
        language=Language.ZH,
        spoken_text=f"第{word}次了，我还在等你。",
        loudness_lufs=-23.0,
        edge_silence_ms=50,
    )


def threads_of_ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "remote-speech"]


def test_many_threads_share_one_connection_and_its_limit(make: Make) -> None:
    with SpeechServer(latency_s=0.02) as server:
        with RemoteSpeech(make(server, max_in_flight=4)) as speech, ThreadPoolExecutor(4) as shards:
            asked = list(shards.map(lambda number: speech.submit(request(number)), range(20)))
            spoken = [future.result(PATIENCE_S) for future in asked]
        assert server.requests == 20
        assert 1 < server.seen.most_in_flight <= 4
    for number, raw in enumerate(spoken):
        heard = speak(request(number).spoken_text, "cmn+f1")
        np.testing.assert_allclose(raw.samples, heard, atol=1e-4)
    assert not threads_of_ours()


def test_one_refused_request_leaves_the_others_alone(make: Make) -> None:
    fault = Fault("status", status=422, message="too long")
    with SpeechServer(lambda number: fault if number == 1 else None) as server, RemoteSpeech(make(server)) as speech:
        asked = [speech.submit(request(number)) for number in range(4)]
        wait(asked, PATIENCE_S)
        errors = [future.exception() for future in asked if future.exception() is not None]
    assert len(errors) == 1 and isinstance(errors[0], EngineError) and "too long" in str(errors[0])


def test_an_endpoint_that_is_gone_fails_all_that_wait_at_once(make: Make) -> None:
    """Some hang in answers that take half an hour, some wait for their turn: nobody waits for either."""
    faults = {3: Fault("status", status=401)}
    with (
        SpeechServer(lambda number: faults.get(number, Fault("hang", seconds=1800.0))) as server,
        RemoteSpeech(make(server, max_in_flight=4, start_in_flight=4, timeout_s=3600.0)) as speech,
    ):
        asked = [speech.submit(request(number)) for number in range(12)]
        done, waiting = wait(asked, PATIENCE_S)
        assert not waiting
        assert all(isinstance(future.exception(), EndpointError) for future in done)
        assert len({str(future.exception()) for future in done}) == 1
        later = speech.submit(request())
        assert isinstance(later.exception(PATIENCE_S), EndpointError)
        assert server.requests == 4


def test_a_question_can_be_taken_back(make: Make) -> None:
    with SpeechServer(lambda number: Fault("hang", seconds=1800.0) if number == 0 else None) as server:
        with RemoteSpeech(make(server, max_in_flight=1, timeout_s=3600.0)) as speech:
            first = speech.submit(request(0))
            while server.requests == 0:
                threading.Event().wait(0.01)
            second = speech.submit(request(1))
            assert first.cancel()
            assert isinstance(second.result(PATIENCE_S), RawSpeech)  # it got the only place
        assert first.cancelled() and server.requests == 2


def test_closing_takes_back_what_waits(make: Make) -> None:
    with SpeechServer(lambda number: Fault("hang", seconds=1800.0)) as server:
        speech = RemoteSpeech(make(server, timeout_s=3600.0))
        asked: list[Future[RawSpeech]] = [speech.submit(request(number)) for number in range(6)]
        speech.close()
        speech.close()
        for future in asked:
            with pytest.raises(CancelledError):
                future.result(PATIENCE_S)
        with pytest.raises(RuntimeError, match="was closed"):
            speech.submit(request())
    assert not threads_of_ours()


def test_a_server_that_is_away_is_told_before_anything_is_asked(make: Make) -> None:
    with SpeechServer() as server:
        gone = make(server)
    with pytest.raises(EngineError, match="cannot be reached"):
        RemoteSpeech(gone)
    assert not threads_of_ours()
