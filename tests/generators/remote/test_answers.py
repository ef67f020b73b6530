"""What was paid for is kept: first writer wins, damage is seen, processes share the file."""

import multiprocessing
import pickle
import sqlite3
import threading
from pathlib import Path

import pytest

from data_schemas.chat import ChatAnswer, ChatMessage, ChatRequest, Sampling, Usage
from generators.remote.answers import AnswerStore, request_key
from generators.remote.errors import AnswerStoreError

REQUEST = ChatRequest(
    alias="writer",
    model="qwen",
    messages=(ChatMessage(role="user", content="写一段对话。"),),
    schema_name="script",
    json_schema={"type": "object", "properties": {"b": {}, "a": {}}},
    sampling=Sampling(temperature=0.9),
    seed=7,
)
KEY = request_key(REQUEST)


def answer(text: str = "今天真高兴！") -> ChatAnswer:
    return ChatAnswer(text=text, finish_reason="stop", usage=Usage(prompt_tokens=5, completion_tokens=6), model="qwen")


def store_in(folder: Path) -> AnswerStore:
    return AnswerStore(folder / "deep" / "answers.sqlite")


def test_the_key_is_of_everything_but_the_alias() -> None:
    assert len(KEY) == 64
    assert request_key(REQUEST.model_copy(update={"alias": "judge"})) == KEY
    swapped = {"properties": {"a": {}, "b": {}}, "type": "object"}
    assert request_key(REQUEST.model_copy(update={"json_schema": swapped})) == KEY
    changes = {
        "model": "other",
        "messages": (ChatMessage(role="user", content="写两段。"),),
        "schema_name": "x",
        "json_schema": {},
        "sampling": Sampling(temperature=0.8),
        "seed": 8,
    }
    keys = {request_key(REQUEST.model_copy(update={name: value})) for name, value in changes.items()}
    assert len(keys | {KEY}) == len(changes) + 1


def test_what_is_put_is_read_back_by_anyone(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    assert store.get(KEY) is None
    assert store.put(KEY, REQUEST, answer()) == answer()
    assert store.get(KEY) == answer()
    assert AnswerStore(store.path).get(KEY) == answer()
    assert len(store) == 1
    row = sqlite3.connect(store.path).execute("SELECT request, answer FROM answers").fetchone()
    assert "写一段对话。" in row[0]
    assert "今天真高兴！" in row[1]


def test_the_first_writer_wins(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.put(KEY, REQUEST, answer())
    assert store.put(KEY, REQUEST, answer("later")) == answer()
    assert store.get(KEY) == answer()


@pytest.mark.parametrize("column", ["answer", "sha256"])
def test_a_damaged_row_is_absent_and_written_anew(tmp_path: Path, column: str) -> None:
    store = store_in(tmp_path)
    store.put(KEY, REQUEST, answer())
    with sqlite3.connect(store.path) as db:
        db.execute(f"UPDATE answers SET {column} = replace({column}, substr({column}, 12, 2), 'zz')")
    assert store.get(KEY) is None
    assert store.put(KEY, REQUEST, answer("new")).text == "new"
    assert store.get(KEY) == answer("new")


def test_an_answer_under_another_questions_key_is_absent(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.put(KEY, REQUEST, answer())
    other = "0" * 64
    with sqlite3.connect(store.path) as db:
        db.execute("UPDATE answers SET key = ?", (other,))
    assert store.get(other) is None


def test_failures_are_told_until_they_are_forgotten_or_answered(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    assert store.failure(KEY) is None
    store.put_failure(KEY, REQUEST, "拒绝了")
    assert store.failure(KEY) == "拒绝了"
    assert store.get(KEY) is None
    assert store.forget_failures(["0" * 64]) == 0
    assert store.forget_failures() == 1
    assert store.failure(KEY) is None
    store.put_failure(KEY, REQUEST, "again")
    store.put(KEY, REQUEST, answer())
    assert store.failure(KEY) is None


def test_modes_are_remembered_per_server_and_model(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    assert store.recall("http://a/v1", "m") is None
    store.remember("http://a/v1", "m", "json_schema")
    store.remember("http://a/v1", "m", "json_object")
    assert store.recall("http://a/v1", "m") == "json_object"
    assert store.recall("http://b/v1", "m") is None


def test_threads_share_one_store(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    told: list[ChatAnswer] = []

    def write(number: int) -> None:
        for key in range(20):
            told.append(store.put(f"{key:064d}", REQUEST, answer(f"{key} of {number}")))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 80
    for key in range(20):
        in_force = store.get(f"{key:064d}")
        assert in_force is not None
        assert all(one == in_force for one in told if one.text.startswith(f"{key} of"))


def _write(store: AnswerStore, number: int) -> list[str]:
    return [store.put(f"{key:064d}", REQUEST, answer(f"{key} of {number}")).text for key in range(30)]


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_processes_share_one_file_and_agree(tmp_path: Path, method: str) -> None:
    store = store_in(tmp_path)
    store.put(KEY, REQUEST, answer())  # open before the fork
    with multiprocessing.get_context(method).Pool(2) as pool:
        first, second = pool.starmap(_write, [(store, 1), (store, 2)])
    assert first == second
    assert len(store) == 31


def test_it_travels_as_its_path(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.put(KEY, REQUEST, answer())
    assert pickle.loads(pickle.dumps(store)).get(KEY) == answer()
    store.close()
    assert store.get(KEY) == answer()


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    path.write_bytes(b"this is no database at all, whatever its name says" * 100)
    with pytest.raises(AnswerStoreError, match=r"answers\.sqlite.*move it away"):
        AnswerStore(path).get(KEY)


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnswerStoreError, match="cannot be used"):
        AnswerStore(tmp_path).get(KEY)
