"""The real `openai` client against llama.cpp in this process, with the small model of the table."""

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from data_schemas.chat import ChatAnswer, ChatMessage, ChatRequest, Sampling
from data_schemas.foundation.models import verified_files
from generators.remote.answers import AnswerStore
from generators.remote.chat import ChatClient, ModelRoute
from generators.remote.errors import ConfigProblem
from generators.remote.extract import extract_json
from generators.remote.local_server import LocalLlama
from generators.remote.settings import Budget, EndpointSettings, LocalServer

MODEL = "smollm2-135m-q4"
SCHEMA = {
    "type": "object",
    "properties": {
        "mood": {"type": "string", "enum": ["happy", "sad", "angry"]},
        "reply": {"type": "string", "maxLength": 60},
    },
    "required": ["mood", "reply"],
    "additionalProperties": False,
}


def request(seed: int = 1) -> ChatRequest:
    return ChatRequest(
        alias="small",
        model=MODEL,
        messages=(
            ChatMessage(role="system", content="You name the speaker's mood and answer in one short sentence."),
            ChatMessage(role="user", content="I passed my driving test today, at last!"),
        ),
        schema_name="mood",
        json_schema=SCHEMA,
        sampling=Sampling(temperature=0.7, max_tokens=512),
        seed=seed,
    )


def is_listening(base_url: str) -> bool:
    address = urlsplit(base_url)
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((address.hostname, address.port)) == 0


def test_structured_answers_are_asked_once_and_the_server_ends(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path / "answers.sqlite")
    # one thread: on a busy machine two wait for each other far longer than they work
    endpoints = {
        "local": EndpointSettings(local=LocalServer(model=MODEL, context_tokens=1024, threads=1), timeout_s=300)
    }
    routes = {"small": ModelRoute(endpoint="local")}

    async def ask(*requests: ChatRequest) -> tuple[list[ChatAnswer], int, str]:
        async with ChatClient(endpoints, routes, store, Budget(), 7, tmp_path) as client:
            answers = await asyncio.gather(*(client.ask(one) for one in requests))
            servers = list(client._servers.values())
            base_url = str(servers[0].client.base_url) if servers else ""
            assert not base_url or is_listening(base_url)
            return list(answers), client.sent, base_url

    first, sent, base_url = asyncio.run(ask(request(1), request(2)))
    assert sent == 3  # a probe and two questions
    assert store.recall(f"local:{MODEL}", MODEL) == "json_schema"
    for answer in first:
        assert answer.finish_reason == "stop"
        assert answer.model == MODEL  # and no path of this machine
        assert answer.usage.total_tokens > 0
        found = extract_json(answer.text)
        assert found is not None
        assert list(found) == ["mood", "reply"]
        assert found["mood"] in ("happy", "sad", "angry")
        assert json.loads(answer.text) == found
    assert not is_listening(base_url)

    again, sent, base_url = asyncio.run(ask(request(1), request(2)))
    assert (again, sent, base_url) == (first, 0, "")

    _, sent, base_url = asyncio.run(ask(request(3)))
    assert sent == 1  # the mode is remembered
    assert not is_listening(base_url)


def test_a_file_of_ones_own_is_looked_up_from_the_configuration(tmp_path: Path) -> None:
    (path,) = verified_files(MODEL).values()
    (tmp_path / "own.gguf").symlink_to(path)
    settings = LocalServer(model=None, file="own.gguf", context_tokens=512, parallel=1, threads=1)
    with LocalLlama("local", settings, tmp_path) as server:
        base_url = server.base_url
        assert server.title == "own.gguf"
        assert is_listening(base_url)
    assert not is_listening(base_url)


def test_a_file_that_is_missing_or_no_model_is_named(tmp_path: Path) -> None:
    settings = LocalServer(model=None, file="own.gguf")
    with pytest.raises(ConfigProblem, match=r"own\.gguf is not there"), LocalLlama("local", settings, tmp_path):
        pass
    (tmp_path / "own.gguf").write_bytes(b"GGUF" + bytes(400))
    with pytest.raises(ConfigProblem, match=r"cannot load .*own\.gguf"), LocalLlama("local", settings, tmp_path):
        pass


STOPPED_AT_ONCE = """
from pathlib import Path
from generators.remote.local_server import LocalLlama
from generators.remote.settings import LocalServer
for _ in range(3):
    with LocalLlama("local", LocalServer(context_tokens=512, parallel=1, threads=1), Path()):
        pass
"""


def test_a_server_that_is_stopped_at_once_stops() -> None:
    """llama.cpp waits for ever where it is stopped before its loop runs, mostly on a busy machine."""
    done = subprocess.run([sys.executable, "-c", STOPPED_AT_ONCE], check=False, timeout=600)
    assert done.returncode == 0
