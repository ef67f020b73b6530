"""Offline batches: the open questions as files, their answers back, and the same scripts as asked online."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from data_schemas.chat import ChatMessage, ChatRequest
from data_schemas.foundation.base import RecordError
from flows.cli.app import app
from flows.cli.guard import known_sentence
from flows.config.build_config import BuildConfig
from flows.scripts import batches
from flows.scripts.batches import BATCH_URL, Imported, import_answers, write_batches
from flows.scripts.phase import ANSWERS_FILE
from generators.remote.answers import AnswerStore, request_key
from tests.support.llm_answers import PlannedAnswers
from tests.support.llm_server import LlmServer, is_probe
from tests.support.script_orders import factory_of, llm_config, orders_of, wanted

Body = dict[str, Any]
QUOTAS: tuple[dict[str, Any], ...] = (
    {"task": "recognition", "languages": ["zh", "en"], "splits": ["train"], "turns": [1], "count": 2},
    {"task": "empathy", "languages": ["zh"], "splits": ["dev"], "turns": [3], "count": 1},
    {"task": "pause", "languages": ["en"], "splits": ["dev"], "count": 2},
    {"task": "conversation", "languages": ["zh", "en"], "splits": ["train"], "turns": [3], "count": 2},
)
PAIRS: dict[str, Any] = {"pairs": [{"user": "writer", "assistant": "other"}], "cross_share": 1.0}
NOWHERE = "http://127.0.0.1:9/v1"


def config_of(folder: Path, base_url: str) -> BuildConfig:
    return llm_config(folder, base_url, QUOTAS, judge=True, **PAIRS)


def saved(config: BuildConfig, path: Path) -> Path:
    path.write_text(yaml.safe_dump(config.model_dump(mode="json"), allow_unicode=True), encoding="utf-8")
    return path


def humdial(*arguments: str | Path) -> tuple[int, str]:
    """Exit status and output; a known error's sentence is the output."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is None or isinstance(result.exception, SystemExit):
        return result.exit_code, result.output
    sentence = known_sentence(result.exception)
    if sentence is None:
        raise result.exception
    return 2, sentence


def answers_of(config: BuildConfig) -> Callable[[Body], str]:
    """Good answers, but some judgements are a 1 and some drafts no JSON."""
    good = PlannedAnswers(config.seed, orders_of(config))

    def answer(body: Body) -> str:
        text = good(body)
        if is_probe(body):
            return text
        if body["model"] == "judge-model" and body["seed"] % 5 == 0:
            low = {key: 1 if isinstance(value, int) else "太像书面语" for key, value in json.loads(text).items()}
            return json.dumps(low, ensure_ascii=False)
        return text[: len(text) // 2] if body["seed"] % 4 == 0 and "cross" not in schema_of(body) else text

    return answer


def schema_of(body: Body) -> str:
    return str(body["response_format"]["json_schema"]["name"])


def completion(body: Body, text: str) -> Body:
    """What vLLM and OpenAI put into ``response.body``."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", "logprobs": None}
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }


def vllm_line(line: Body, text: str) -> Body:
    """One line of ``vllm run-batch -o``."""
    return {
        "id": f"vllm-{line['custom_id'][:8]}",
        "custom_id": line["custom_id"],
        "response": {"status_code": 200, "request_id": "vllm-batch-1", "body": completion(line["body"], text)},
        "error": None,
    }


def written(path: Path, lines: list[Body]) -> Path:
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def read(path: Path) -> list[Body]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_round_after_round_until_nothing_is_asked(tmp_path: Path) -> None:
    offline = config_of(tmp_path / "offline", NOWHERE)
    path = saved(offline, tmp_path / "offline.yaml")
    answer = answers_of(offline)
    asked: set[str] = set()
    rounds = 0
    while True:
        folder = tmp_path / f"round-{rounds}"
        status, output = humdial("scripts", "export-batch", path, "-o", folder)
        assert status == 0, output
        if "nothing to ask" in output:
            assert not folder.exists() or not any(folder.iterdir())
            break
        rounds += 1
        outputs = []
        for file in sorted(folder.glob("*.jsonl")):
            lines = read(file)
            assert len({line["body"]["model"] for line in lines}) == 1, "a batch serves one model"
            assert not asked & {line["custom_id"] for line in lines}, "asked twice"
            asked |= {line["custom_id"] for line in lines}
            found = [vllm_line(line, answer(line["body"])) for line in reversed(lines)]
            outputs.append(written(tmp_path / f"out-{rounds}-{file.name}", found))
        status, output = humdial("scripts", "import-batch", path, *outputs)
        assert status == 0, output
        assert ", 0 failed, 0 belong to no open question" in output
        assert rounds < 40
    assert rounds > 3, "judgements and rewrites come in later rounds"

    status, output = humdial("scripts", path, "-o", tmp_path / "offline.jsonl")
    assert status == 0, output
    assert "0 questions sent" in output

    with LlmServer(answer) as server:
        online = config_of(tmp_path / "online", server.base_url)
        factory = factory_of(online)
        report = factory.fill(wanted(online))
        factory.freeze(tmp_path / "online.jsonl")
        factory.close()
        assert len([body for body in server.seen.bodies if not is_probe(body)]) == len(asked)
    assert report.is_full
    assert (tmp_path / "offline.jsonl").read_bytes() == (tmp_path / "online.jsonl").read_bytes()
    quarantines = [config.work_dir / "scripts" / "quarantine.jsonl" for config in (offline, online)]
    assert quarantines[0].read_bytes() == quarantines[1].read_bytes()


def test_a_line_is_what_the_openai_batch_api_reads(tmp_path: Path) -> None:
    path = saved(config_of(tmp_path, NOWHERE), tmp_path / "c.yaml")
    assert humdial("scripts", "export-batch", path, "-o", tmp_path / "b")[0] == 0
    lines = [line for file in (tmp_path / "b").glob("*.jsonl") for line in read(file)]
    assert lines
    for line in lines:
        assert list(line) == ["custom_id", "method", "url", "body"]
        assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions") == ("POST", BATCH_URL)
        assert len(line["custom_id"]) == 64, "the API takes 64 characters at most"
        body = line["body"]
        assert set(body) == {"model", "messages", "seed", "max_tokens", "temperature", "top_p", "response_format"}
        assert body["response_format"]["type"] == "json_schema"
        assert body["response_format"]["json_schema"]["strict"] is True
        assert all(set(message) == {"role", "content"} for message in body["messages"])
    assert "\\u" not in next((tmp_path / "b").glob("*.jsonl")).read_text(encoding="utf-8")


def test_an_export_does_not_overwrite_a_batch_that_is_out(tmp_path: Path) -> None:
    path = saved(config_of(tmp_path, NOWHERE), tmp_path / "c.yaml")
    assert humdial("scripts", "export-batch", path, "-o", tmp_path / "b")[0] == 0
    before = {file.name: file.read_bytes() for file in (tmp_path / "b").iterdir()}
    status, output = humdial("scripts", "export-batch", path, "-o", tmp_path / "b")
    assert status == 2
    assert "already holds batch files" in output
    assert {file.name: file.read_bytes() for file in (tmp_path / "b").iterdir()} == before


# -- without a configuration -------------------------------------------------------------------------


def request(number: int, alias: str = "writer", content: str = "写一句话。") -> ChatRequest:
    return ChatRequest(
        alias=alias,
        model="m",
        messages=(ChatMessage(role="user", content=content),),
        schema_name="x",
        json_schema={"type": "object"},
        seed=number,
    )


def test_files_over_the_limits_are_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [request(number) for number in range(10)]
    monkeypatch.setattr(batches, "MAX_REQUESTS_PER_FILE", 4)
    files = write_batches(requests, tmp_path / "n", {"writer": "text"})
    assert [file.name for file in files] == ["writer-0001.jsonl", "writer-0002.jsonl", "writer-0003.jsonl"]
    assert [len(read(file)) for file in files] == [4, 4, 2]
    assert [line["custom_id"] for file in files for line in read(file)] == [request_key(one) for one in requests]
    size = len(files[2].read_bytes()) // 2  # one line, in bytes: Chinese takes three each
    monkeypatch.setattr(batches, "MAX_BYTES_PER_FILE", 3 * size)
    files = write_batches(requests, tmp_path / "bytes", {"writer": "text"})
    assert [len(read(file)) for file in files] == [3, 3, 3, 1]
    assert max(len(file.read_bytes()) for file in files) <= 3 * size
    monkeypatch.setattr(batches, "MAX_BYTES_PER_FILE", 1)
    assert len(write_batches(requests, tmp_path / "one", {"writer": "text"})) == 10


@pytest.mark.parametrize("aliases", [("写手", "评委"), ("a/b", "a-b", "a:b"), ("Qwen/大", "Qwen/小")])
def test_models_never_share_a_file(tmp_path: Path, aliases: tuple[str, ...]) -> None:
    requests = [request(number, alias) for number, alias in enumerate(aliases)]
    files = write_batches(requests, tmp_path, dict.fromkeys(aliases, "text"))
    assert len({file.name for file in files}) == len(aliases)
    assert {line["custom_id"] for file in files for line in read(file)} == {request_key(one) for one in requests}
    assert all(file.parent == tmp_path for file in files)


def imported(tmp_path: Path, *lines: Body, asked: tuple[ChatRequest, ...] = ()) -> tuple[Imported, AnswerStore]:
    store = AnswerStore(tmp_path / ANSWERS_FILE)
    known = {request_key(one): one for one in asked}
    return import_answers([written(tmp_path / "out.jsonl", list(lines))], known, store), store


def line_for(one: ChatRequest, **response: Any) -> Body:
    return {"id": "batch_req_1", "custom_id": request_key(one), "response": response or None, "error": None}


def test_answers_are_kept_with_their_usage(tmp_path: Path) -> None:
    one = request(1)
    body = completion({"model": "m-2026"}, "好的")
    found, store = imported(tmp_path, line_for(one, status_code=200, request_id="r", body=body), asked=(one,))
    assert found == Imported(stored=1, failed=0, unknown=0)
    answer = store.get(request_key(one))
    store.close()
    assert answer is not None
    assert (answer.text, answer.finish_reason, answer.model) == ("好的", "stop", "m-2026")
    assert answer.usage.total_tokens == 120


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"response": None, "error": {"code": "batch_expired", "message": "此请求已过期"}}, "此请求已过期"),
        ({"response": {"status_code": 429, "body": {"error": {"message": "slow down"}}}}, "status 429"),
        ({"response": {"status_code": 200, "body": {"error": "busy"}}}, "no answer in it"),
        ({"response": {"status_code": 200, "body": "not JSON"}}, "no answer in it"),
        ({"response": {"status_code": 200, "body": {"choices": [], "logprob": float("nan")}}}, "no answer in it"),
        ({"response": None, "error": None}, "missing"),
    ],
)
def test_a_line_that_failed_is_counted_and_asked_again(tmp_path: Path, change: Body, words: str) -> None:
    one, other = request(1), request(2)
    good = vllm_line({"custom_id": request_key(other), "body": {"model": "m"}}, "好")
    found, store = imported(tmp_path, line_for(one) | change, good, asked=(one, other))
    assert (found.stored, found.failed, found.unknown) == (1, 1, 0)
    assert words in found.first_problem
    assert "out.jsonl:1" in found.first_problem
    assert store.get(request_key(one)) is None
    assert store.failure(request_key(one)) is None, "it is exported again"
    assert store.get(request_key(other)) is not None
    store.close()


def test_lines_of_other_questions_are_passed_over(tmp_path: Path) -> None:
    one = request(1)
    stranger = {"id": "x", "custom_id": "别人的-1", "response": {"status_code": 200, "body": {}}, "error": None}
    good = vllm_line({"custom_id": request_key(one), "body": {"model": "m"}}, "好")
    found, store = imported(tmp_path, stranger, good, asked=(one,))
    assert (found.stored, found.failed, found.unknown) == (1, 0, 1)
    assert "别人的-1" in found.first_problem
    assert len(store) == 1
    store.close()


@pytest.mark.parametrize(
    "content",
    [
        '{"script_id": "zh-1", "text": "你好"}\n',
        "这不是 JSON\n",
        '[{"custom_id": "a"}]\n',
        '{"custom_id": "a", "response": "文字"}\n',
    ],
)
def test_other_peoples_files_are_one_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "别的.jsonl"
    path.write_text("\n" + content, encoding="utf-8")
    with pytest.raises(RecordError) as caught:
        import_answers([path], {}, AnswerStore(tmp_path / ANSWERS_FILE))
    assert "别的.jsonl:2" in str(caught.value)
    assert "vLLM run-batch" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_or_binary_file_is_one_sentence(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path / ANSWERS_FILE)
    (tmp_path / "latin.jsonl").write_bytes(b'{"custom_id": "caf\xe9"}\n')
    for name in ("latin.jsonl", "没有.jsonl"):
        with pytest.raises(RecordError, match="cannot be read"):
            import_answers([tmp_path / name], {}, store)


def test_a_batch_input_is_not_an_output(tmp_path: Path) -> None:
    config = config_of(tmp_path, NOWHERE)
    path = saved(config, tmp_path / "c.yaml")
    assert humdial("scripts", "export-batch", path, "-o", tmp_path / "b")[0] == 0
    status, output = humdial("scripts", "import-batch", path, *sorted((tmp_path / "b").glob("*.jsonl")))
    assert status != 0
    assert "0 answers stored" in output
