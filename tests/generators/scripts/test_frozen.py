"""Frozen scripts by random access: the same scripts as held in memory, and next to nothing held."""

import pickle
import tracemalloc
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from data_schemas.foundation.base import RecordError
from data_schemas.script import Script
from data_schemas.tasks import Language
from generators.plans.outlines import ScriptOutlines
from generators.scripts.frozen import FrozenScripts, place_of
from generators.scripts.pack import PackWriter
from generators.scripts.packs import load_packs, open_packs, packs_dir
from generators.scripts.script_file import read_script_files, write_script_file
from generators.scripts.settings import ScriptSettings
from tests.support.scene_factory import make_plan
from tests.support.script_factory import make_conversation, make_trajectory

FILES = tuple(sorted((packs_dir() / "quickstart").glob("*.jsonl")))


def test_the_scripts_are_those_of_the_files_in_their_order(tmp_path: Path) -> None:
    held, frozen = read_script_files(FILES), FrozenScripts.read(FILES)
    assert tuple(frozen.values()) == held
    assert list(frozen) == [script.script_id for script in held]
    assert len(frozen) == len(held)
    assert frozen.counts() == Counter(map(place_of, held))
    assert tuple(open_packs(ScriptSettings(), tmp_path).values()) == load_packs(ScriptSettings(), tmp_path)
    with pytest.raises(KeyError):
        frozen["无"]


def test_a_hand_edited_file_without_a_last_line_end_and_with_its_own_spelling(tmp_path: Path) -> None:
    path = tmp_path / "手写.jsonl"
    write_script_file(path, [make_conversation(Language.ZH), make_trajectory("zh-1", Language.ZH)])
    path.write_bytes(path.read_bytes().replace(b'":', b'" : ').replace(b"\n", b" \r\n").rstrip())
    assert tuple(FrozenScripts.read([path]).values()) == read_script_files([path])


def test_from_threads_and_after_pickling() -> None:
    frozen = pickle.loads(pickle.dumps(FrozenScripts.read(FILES)))
    with ThreadPoolExecutor(8) as pool:
        assert tuple(pool.map(frozen.__getitem__, frozen)) == read_script_files(FILES)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes().replace("经理".encode(), "老板".encode(), 1)), "do not edit"),
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "do not edit"),
        (lambda path: path.unlink(), "cannot be read back"),
    ],
)
def test_an_edit_in_the_midst_of_a_build_is_noticed(
    tmp_path: Path, change: Callable[[Path], object], words: str
) -> None:
    path = tmp_path / "s.jsonl"
    write_script_file(path, [make_trajectory("zh-1", Language.ZH)])
    frozen = FrozenScripts.read([path])
    change(path)
    with pytest.raises(RecordError, match=words) as caught:
        frozen["zh-1"]
    assert str(path) in str(caught.value) and "zh-1" in str(caught.value)


@pytest.mark.parametrize("seed", [1, 2])
def test_outlines_and_writer_are_those_of_scripts_in_memory(seed: int) -> None:
    held, frozen = read_script_files(FILES), FrozenScripts.read(FILES)
    in_memory = ScriptOutlines(held, seed)
    on_disk = ScriptOutlines.over(frozen.__getitem__, frozen.places, seed)
    cells = {make_plan(script).cell for script in held}
    for cell in cells:
        count = in_memory.waiting(cell.place)
        assert on_disk.waiting(cell.place) == count
        assert on_disk.take(cell, count) == in_memory.take(cell, count)
    for script in held[:20]:
        assert PackWriter.over(frozen).write(make_plan(script)) == script


def test_memory_does_not_hold_texts(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"

    def write(count: int, words: int) -> None:
        script = make_trajectory("x", Language.ZH)
        long = script.turns[0].model_copy(update={"text": "山" * words})
        turns = (long, *script.turns[1:])
        write_script_file(
            path, (script.model_copy(update={"script_id": f"zh-{n}", "turns": turns}) for n in range(count))
        )

    def held_bytes(read: Callable[[], object]) -> int:
        tracemalloc.start()
        try:
            kept = read()
            size, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        del kept
        return size

    def outlines() -> tuple[FrozenScripts, ScriptOutlines]:
        frozen = FrozenScripts.read([path])
        return frozen, ScriptOutlines.over(frozen.__getitem__, frozen.places, 1)

    write(400, 50)
    outlines()  # what is cached once is not counted
    short = held_bytes(outlines)
    in_memory: tuple[Script, ...] = ()
    assert held_bytes(lambda: (*in_memory, *read_script_files([path]))) > 5 * short
    write(400, 5000)
    assert held_bytes(outlines) < 1.2 * short
    assert short < 400 * 1000
