"""``humdial scripts`` as a person types it: what it prints, where it ends, what it never tells."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.cli.app import app
from flows.cli.guard import run_guarded
from flows.common.errors import EXIT_FAILED, EXIT_USAGE
from flows.config.build_config import BuildConfig
from generators.scripts.packs import packs_dir
from generators.scripts.script_file import read_script_file
from tests.support.builds import draft_config
from tests.support.llm_answers import PlannedAnswers
from tests.support.llm_server import Fault, LlmServer, is_probe
from tests.support.script_orders import llm_config, orders_of

CONFIGS = Path(__file__).parents[3] / "configs"
KEY_VARIABLE = "HUMDIAL_TEST_KEY"
KEY = "sk-test-7f3a9c1e5b2d8046-secret"
QUOTAS: tuple[dict[str, Any], ...] = (
    {"task": "recognition", "languages": ["zh", "en"], "splits": ["train"], "turns": [1], "count": 2},
    {"task": "follow_up", "languages": ["zh"], "splits": ["dev"], "count": 1},
)


class Shell:
    """Runs the command as `main` does: exit status, standard output, standard error."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str | Path) -> tuple[int, str, str]:
        self._capture.readouterr()
        status = run_guarded(partial(app, [str(argument) for argument in arguments]))
        out, err = self._capture.readouterr()
        return status, out, err


@pytest.fixture
def humdial(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def saved(config: BuildConfig, path: Path) -> Path:
    path.write_text(yaml.safe_dump(config.model_dump(mode="json"), allow_unicode=True), encoding="utf-8")
    return path


def sentence_in(err: str) -> str:
    """The one sentence on standard error."""
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("humdial: ")
    return lines[0]


def test_a_configuration_becomes_a_frozen_file(humdial: Shell, tmp_path: Path) -> None:
    with LlmServer() as server:
        config = llm_config(tmp_path, server.base_url, QUOTAS)
        server.answer = PlannedAnswers(config.seed, orders_of(config))
        path = saved(config, tmp_path / "配置.yaml")
        target = tmp_path / "新的" / "脚本.jsonl"
        status, out, err = humdial("scripts", path, "-o", target)
        assert (status, err) == (0, "")
        assert "5 of 5 scripts accepted" in out
        assert f"--set scripts.writer=pack --set scripts.pack=[{target}]" in out
        sent = server.requests
        before = target.read_bytes()
        status, out, _ = humdial("scripts", "write", path, "-o", target)
        assert status == 0
        assert server.requests == sent
        assert "0 questions sent in this run" in out
        assert target.read_bytes() == before
        status, out, _ = humdial("scripts", path)
        assert status == 0
        assert (config.work_dir / "scripts" / "scripts.jsonl").read_bytes() == before
    scripts = read_script_file(target)
    assert len(scripts) == 5
    assert "\\u" not in target.read_text(encoding="utf-8")
    report = json.loads((config.work_dir / "scripts" / "report.json").read_text(encoding="utf-8"))
    assert report["requests_sent"] == 0
    status, out, _ = humdial("scripts", "check", target)
    assert status == 0, out


def test_scripts_that_cannot_be_had_are_a_failure_with_a_way_out(humdial: Shell, tmp_path: Path) -> None:
    with LlmServer(answer=lambda body: "对不起，我做不到。") as server:
        config = llm_config(tmp_path, server.base_url, QUOTAS, rounds=1, reading={"rewrites": 0})
        status, out, _ = humdial("scripts", saved(config, tmp_path / "c.yaml"), "-o", tmp_path / "s.jsonl")
    assert status == EXIT_FAILED
    assert "0 of 5 scripts accepted, 10 orders rejected" in out
    assert "too few scripts passed after 1 top-up rounds" in out
    assert "SCRIPT.UNREADABLE x10" in out
    assert "quarantine.jsonl" in out
    assert (tmp_path / "s.jsonl").read_bytes() == b""


def test_a_spent_budget_ends_with_what_there_is(humdial: Shell, tmp_path: Path) -> None:
    quotas = ({**QUOTAS[0], "languages": ["en"], "count": 10},)
    models = {"writer": {"endpoint": "here", "model": "w", "sampling": {"max_tokens": 256}}}
    endpoint = {"max_in_flight": 2}
    with LlmServer() as server:
        config = llm_config(tmp_path, server.base_url, quotas, endpoint=endpoint, models=models)
        server.answer = PlannedAnswers(config.seed, orders_of(config))
        path = saved(config, tmp_path / "c.yaml")
        target = tmp_path / "s.jsonl"
        limit = ("--set", "scripts.llm.budget={tokens: 6000}")
        status, out, err = humdial("scripts", path, "-o", target, *limit)
        assert (status, err) == (EXIT_FAILED, "")
        assert "the budget of 6000 tokens is used up" in out
        assert "budget.tokens" in out
        some = read_script_file(target)
        assert 0 < len(some) < 10
        assert f"{len(some)} scripts: {target}" in out
        status, out, _ = humdial("scripts", path, "-o", target)
        assert status == 0
        asked = [json.dumps(body) for body in server.seen.bodies if not is_probe(body)]
        assert len(asked) == len(set(asked)) == 10
    assert set(some) < set(read_script_file(target))


# -- servers that do not work ------------------------------------------------------------------------


def test_a_wrong_key_is_told_nowhere(humdial: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    echo = "Incorrect API key provided: {authorization}"
    with LlmServer(fault_at=lambda number, body: Fault("status", status=401, message=echo)) as server:
        config = llm_config(tmp_path, server.base_url, QUOTAS, endpoint={"api_key_env": KEY_VARIABLE})
        status, out, err = humdial("scripts", saved(config, tmp_path / "c.yaml"), "-o", tmp_path / "s.jsonl")
        assert server.requests < 10
    assert status != 0
    assert KEY_VARIABLE in sentence_in(err)
    assert not (tmp_path / "s.jsonl").exists()
    _holds_no_key(tmp_path, out, err)
    status, out, err = humdial(
        "scripts", tmp_path / "c.yaml", "--set", "scripts.llm.endpoints.here.api_key_env=NO_SUCH"
    )
    assert status != 0
    assert "NO_SUCH" in sentence_in(err)


def test_a_server_that_talks_about_keys(humdial: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with LlmServer() as server:
        config = llm_config(tmp_path, server.base_url, QUOTAS, endpoint={"api_key_env": KEY_VARIABLE}, rounds=1)
        good = PlannedAnswers(config.seed, orders_of(config))

        def echo(number: int, body: dict[str, Any]) -> Fault | None:
            if is_probe(body) or number % 2:
                return None
            return Fault("status", status=400, message="rejected for {authorization} of you")

        server.answer = lambda body: good(body) if is_probe(body) or body["seed"] % 2 else f'{{"turn_1": "{KEY}"}}'
        server.fault_at = echo
        _, out, err = humdial("scripts", saved(config, tmp_path / "c.yaml"), "-o", tmp_path / "s.jsonl")
    quarantine = (config.work_dir / "scripts" / "quarantine.jsonl").read_text(encoding="utf-8")
    assert "rejected for" in quarantine, "the server's words are kept"
    assert "[key]" in quarantine, "the key in them is not"
    _holds_no_key(tmp_path, out, err)


def _holds_no_key(folder: Path, *texts: str) -> None:
    secret = KEY.removeprefix("sk-test-")
    assert not [text for text in texts if secret in text]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".sqlite3" for path in files)
    for path in files:
        content = path.read_bytes()
        assert secret.encode() not in content, path
        assert KEY[:16].encode() not in content, path


def test_nobody_listens(humdial: Shell, tmp_path: Path) -> None:
    with LlmServer() as server:
        url = server.base_url  # nobody listens there once the block is left
    config = llm_config(tmp_path, url, QUOTAS, endpoint={"retries": 1})
    status, _, err = humdial("scripts", saved(config, tmp_path / "c.yaml"), "-o", tmp_path / "s.jsonl")
    assert status != 0
    sentence = sentence_in(err)
    assert url in sentence
    assert "start the server or correct base_url" in sentence
    assert not (tmp_path / "s.jsonl").exists()


# -- nothing is started ------------------------------------------------------------------------------


def test_a_pack_has_nothing_to_write(humdial: Shell, tmp_path: Path) -> None:
    for command in (("scripts",), ("scripts", "export-batch", "-o", tmp_path / "b")):
        status, _, err = humdial(*command, draft_config(tmp_path))
        assert status == EXIT_USAGE
        assert "scripts.writer is 'pack'" in sentence_in(err)
        assert "configs/local-llm.yaml" in err


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("scripts.llm.temperature=0.5", "scripts.llm.temperature"),
        ("scripts.llm.models.writer.sampling.top_k=5", "top_k"),
        ("scripts.llm.endpoints.here.api_key=sk-1", "scripts.llm.endpoints.here.api_key"),
        ("scripts.llm.writers=[{model: nobody}]", "nobody"),
        ("scripts.llm.reading.judge={model: writer, min_score: 2}", "min_score"),
        ("scripts.llm.cross_share=0.5", "pairs"),
    ],
)
def test_what_nobody_knows_is_refused(humdial: Shell, tmp_path: Path, override: str, words: str) -> None:
    path = saved(llm_config(tmp_path, "http://127.0.0.1:9/v1", QUOTAS), tmp_path / "c.yaml")
    status, _, err = humdial("scripts", path, "--set", override)
    assert status == EXIT_USAGE
    assert words in sentence_in(err)
    assert not (tmp_path / "work").exists()


def test_a_directory_is_no_target(humdial: Shell, tmp_path: Path) -> None:
    with LlmServer() as server:
        path = saved(llm_config(tmp_path, server.base_url, QUOTAS), tmp_path / "c.yaml")
        status, _, err = humdial("scripts", path, "-o", tmp_path)
        assert server.requests == 0
    assert status == EXIT_USAGE
    assert "is a directory" in sentence_in(err)


def test_an_exclusion_file_that_is_not_there(humdial: Shell, tmp_path: Path) -> None:
    config = llm_config(tmp_path, "http://127.0.0.1:9/v1", QUOTAS, reading={"exclude": ["测试集.jsonl"]})
    status, _, err = humdial("scripts", saved(config, tmp_path / "c.yaml"))
    assert status != 0
    assert str(tmp_path / "测试集.jsonl") in sentence_in(err), "relative to the configuration"


# -- dry run -----------------------------------------------------------------------------------------


def number_before(words: str, out: str) -> float:
    """The figure in front of ``words``."""
    found = re.search(rf"([\d,.]+) {words}", out)
    assert found, f"no figure before {words!r} in: {out}"
    return float(found.group(1).replace(",", ""))


@pytest.mark.parametrize("command", ["scripts", "build"])
def test_the_full_configuration_says_what_it_would_take(
    humdial: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = humdial(command, CONFIGS / "humdial2026.yaml", "--dry-run")
    assert (status, err) == (0, "")
    assert number_before("dialogues and scenes", out) > 15_000
    assert number_before("turns", out) > number_before("dialogues and scenes", out)
    assert number_before("hours of speech", out) > 50
    assert number_before("scripts to be written", out) >= number_before("dialogues and scenes", out)
    rows = [line.split("│") for line in out.splitlines() if re.search(r"│ (qwen|mistral|omni) ", line)]
    assert [row[1].strip() for row in rows] == ["mistral", "omni", "qwen"]
    for row in rows:
        requests, prompt, answer, cost = (float(cell.replace(",", "")) for cell in row[3:7])
        assert requests > 1000
        assert prompt > answer > 100_000
        assert cost > 0
    total = sum(float(cell.replace(",", "")) for row in rows for cell in row[4:6])
    assert number_before("LLM tokens in all", out) == pytest.approx(total, rel=1e-6)
    assert "Nothing was made" in out
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_asks_nothing_and_needs_no_key(humdial: Shell, tmp_path: Path) -> None:
    with LlmServer() as server:
        config = llm_config(tmp_path, server.base_url, QUOTAS, judge=True, endpoint={"api_key_env": "NO_SUCH_KEY"})
        status, out, _ = humdial("scripts", saved(config, tmp_path / "c.yaml"), "--dry-run")
        assert server.requests == 0
    assert status == 0
    assert number_before("scripts to be written", out) == 5
    assert "writer-model" in out
    assert "judge-model" in out
    assert not (tmp_path / "work").exists()


# -- check -------------------------------------------------------------------------------------------


def test_the_shipped_pack_has_no_errors(humdial: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("validators.text.diversity.SELF_BLEU_TEXTS", 20)  # one figure, seconds of work
    status, out, _ = humdial("scripts", "check", packs_dir() / "quickstart", "-o", tmp_path / "findings.jsonl")
    assert status == 0, out
    assert re.search(r"\d{3} scripts read: 0 errors", out)
    assert "zh: " in out
    assert "en: " in out
    assert '"severity":"error"' not in (tmp_path / "findings.jsonl").read_text(encoding="utf-8")


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """The first lines of the Chinese pack, to be edited by hand."""
    lines = (packs_dir() / "quickstart" / "zh.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    path = tmp_path / "手改.jsonl"
    path.write_text("".join(lines[:5]), encoding="utf-8")
    return path


def change_line(path: Path, number: int, change: dict[str, Any], turn: bool = False) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    record = json.loads(lines[number - 1])
    (record["turns"][0] if turn else record).update(change)
    lines[number - 1] = json.dumps(record, ensure_ascii=False)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "turn", "field"),
    [
        ({"emotion": "joy"}, True, "turns.0.emotion"),
        ({"intensity": 9}, True, "turns.0.intensity"),
        ({"情绪": "高兴"}, True, "turns.0.情绪: unknown key"),
        ({"text": ""}, True, "turns.0.text"),
        ({"language": "jp"}, False, "language"),
        ({"script_id": "有 空格"}, False, "script_id"),
    ],
)
def test_a_field_broken_by_hand_is_named(
    humdial: Shell, edited: Path, change: dict[str, Any], turn: bool, field: str
) -> None:
    change_line(edited, 3, change, turn)
    status, _, err = humdial("scripts", "check", edited)
    assert status != 0
    sentence = sentence_in(err)
    assert f"{edited}:3" in sentence
    assert field in sentence


def test_a_line_that_breaks_the_rules_is_named(humdial: Shell, edited: Path, tmp_path: Path) -> None:
    change_line(edited, 2, {"text": "加我微信，电话 13812345678，网址 https://example.com"}, turn=True)
    status, out, _ = humdial("scripts", "check", edited, "--output", tmp_path / "f.jsonl")
    assert status == EXIT_FAILED
    name = json.loads(edited.read_text(encoding="utf-8").splitlines()[1])["script_id"]
    found = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {"SCRIPT.PRIVATE", "SCRIPT.STYLE"} <= {one["code"] for one in found if one["item"] == name}
    assert name in out
    assert "SCRIPT.PRIVATE" in out


def test_a_published_test_set_is_recognised(humdial: Shell, edited: Path, tmp_path: Path) -> None:
    script = json.loads(edited.read_text(encoding="utf-8").splitlines()[0])
    text = next(turn["text"] for turn in script["turns"] if len(turn["text"]) > 15)
    (tmp_path / "公开测试集.txt").write_text(f"不相干的一行字在这里放着\n{text}\n", encoding="utf-8")
    status, out, _ = humdial("scripts", "check", edited, "--exclude", tmp_path / "公开测试集.txt")
    assert status == EXIT_FAILED
    assert "SCRIPT.EXCLUDED" in out
    assert "公开测试集.txt:2" in out


def test_a_place_without_scripts_is_said_to_be_one(humdial: Shell, tmp_path: Path) -> None:
    for place in (tmp_path / "没有.jsonl", tmp_path):
        status, _, err = humdial("scripts", "check", place)
        assert status != 0
        assert sentence_in(err).startswith(f"humdial: {place}: ")
        assert "scripts.pack" not in err


@pytest.mark.parametrize("command", [(), ("write",), ("check",), ("export-batch",), ("import-batch",)])
def test_help_teaches(humdial: Shell, command: tuple[str, ...]) -> None:
    status, out, _ = humdial("scripts", *command, "--help")
    assert status == 0
    assert "Usage" in out
