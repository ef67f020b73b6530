"""Noise, echo, rooms and telephone: sound scenes pass, defects are found behind them, their record is held true."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_schemas.acoustics import (
    Coding,
    Echo,
    Microphone,
    Noise,
    NoiseKind,
    NoiseSpectrum,
    Room,
    Talker,
    Telephone,
)
from data_schemas.foundation.audio import SAMPLE_RATE_HZ as RATE
from data_schemas.foundation.audio import Samples, read_wav
from data_schemas.layouts.registry import detect_layouts, layout
from data_schemas.layouts.track2 import FOLDER_OF_TASK
from data_schemas.layouts.writer import write_items
from data_schemas.tasks import Language, Role, Task
from tests.support.conversation_factory import make_conversation
from tests.support.scene_factory import make_script
from tests.validators.composed import hum, make_item, stage
from tests.validators.conftest import Bench
from validators.core.thresholds import Thresholds
from validators.files.audio import click_after_silence
from validators.files.clean_file import correlation
from validators.run.item import judge_item
from validators.scene.microphone import muddles_overlap

ROOM = Room(index=0, size_m=(5.0, 4.0, 2.8), rt60_s=0.5, microphone_m=(2.0, 2.0, 1.0))
TAIL = round(0.5 * RATE)
BYSTANDER = Talker(role=Role.THIRD_PARTY, position_m=(3.0, 3.5, 1.5), distance_m=1.9, level_db=-8.0, tail=TAIL)
FAN = Noise(kind=NoiseKind.STATIONARY, snr_db=18.0, spectrum=NoiseSpectrum.PINK, seed=5)
BABBLE = Noise(kind=NoiseKind.BABBLE, snr_db=16.0, talkers=("b/1", "b/2", "b/3"), seed=7)
ECHO = Echo(level_db=-28.0, delay=800)
LINE = Telephone(low_hz=300.0, high_hz=3400.0, coding=Coding.A_LAW)
CONDITIONS = {
    "noise": Microphone(noises=(FAN,)),
    "babble": Microphone(noises=(BABBLE,)),
    "echo": Microphone(echo=ECHO),
    "room": Microphone(room=ROOM, talkers=(BYSTANDER,)),
    "telephone": Microphone(telephone=LINE),
    "everything": Microphone(room=ROOM, talkers=(BYSTANDER,), echo=ECHO, noises=(FAN, BABBLE), telephone=LINE),
}
TASKS = (Task.FOLLOW_UP, Task.PAUSE, Task.THIRD_PARTY_BEFORE, Task.THIRD_PARTY_AFTER, Task.SPEECH_TO_OTHERS)


def response(room: Room, position: tuple[float, float, float]) -> Any:
    """A decay by 60 dB, direct sound first, energy 1."""
    decay = 10.0 ** (-3.0 * np.arange(TAIL + 1) / TAIL)
    samples = decay * np.random.default_rng(1).standard_normal(TAIL + 1) * 0.1
    samples[0] = 1.0
    return samples / np.sqrt(np.sum(samples**2))


def people(utterance_id: str) -> Samples:
    """Talkers of the babble: hums of different pitch and length, sped up."""
    number = int(utterance_id.split("/")[1])
    return hum(4 * RATE)[:: number + 1].copy()


def write(root: Path, task: Task, microphone: Microphone | None, language: Language = Language.ZH) -> Bench:
    script = make_conversation(language) if task is Task.CONVERSATION else make_script(task, language)
    item = make_item(script, 3)
    write_items(root, layout("track2"), [stage(root.parent / "staged", item, microphone, response, people)])
    return Bench(root)


def codes(bench: Bench, thresholds: Thresholds | None = None) -> set[str]:
    (found,) = (item for each in detect_layouts(bench.root) for item in each.read(bench.root))
    findings = judge_item(found, bench.root, thresholds or Thresholds()).findings
    return {finding.code for finding in findings} - {"T2.EVENT_GAP"}  # replies of these scripts are short


def home(task: Task) -> str:
    return f"track2/zh/dev/{FOLDER_OF_TASK[task]}"


def row_of(bench: Bench, task: Task) -> dict[str, Any]:
    return bench.rows(f"{home(task)}.jsonl")[0]


def user_file(bench: Bench, task: Task, prefix: str = "") -> str:
    return f"{home(task)}/{prefix}{row_of(bench, task)['id']}.wav"


@pytest.mark.parametrize("name", sorted(CONDITIONS))
@pytest.mark.parametrize("task", [*TASKS, Task.CONVERSATION])
def test_sound_scenes_pass(tmp_path: Path, name: str, task: Task) -> None:
    bench = write(tmp_path / "set", task, CONDITIONS[name])
    bystander = task in (Task.THIRD_PARTY_BEFORE, Task.THIRD_PARTY_AFTER)
    assert codes(bench) <= ({"TIMELINE.DROWNED"} if bystander and CONDITIONS[name].noises else set())


def test_a_third_party_lost_in_the_noise_is_said_to_be(tmp_path: Path) -> None:
    far = BYSTANDER.model_copy(update={"level_db": -20.0})
    microphone = Microphone(room=ROOM, talkers=(far,), noises=(BABBLE,))
    assert codes(write(tmp_path / "set", Task.THIRD_PARTY_AFTER, microphone)) == {"TIMELINE.DROWNED"}
    assert codes(write(tmp_path / "near", Task.THIRD_PARTY_AFTER, CONDITIONS["room"])) == set()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[Task, Path]:
    roots = {}
    for task in (Task.FOLLOW_UP, Task.SPEECH_TO_OTHERS, Task.PAUSE):
        roots[task] = tmp_path_factory.mktemp(task) / "set"
        write(roots[task], task, CONDITIONS["noise"])
    return roots


@pytest.fixture
def bench(recorded: dict[Task, Path], tmp_path: Path) -> Bench:
    shutil.copytree(recorded[Task.FOLLOW_UP], tmp_path / "set")
    return Bench(tmp_path / "set")


def says(change: Callable[[dict[str, Any]], object]) -> Callable[[Bench], None]:
    return lambda bench: bench.edit_row(f"{home(Task.FOLLOW_UP)}.jsonl", lambda row: change(row["microphone"]))


def sounds(change: Callable[[Any, dict[str, Any]], Any], prefix: str = "") -> Callable[[Bench], None]:
    def damage(bench: Bench) -> None:
        row = row_of(bench, Task.FOLLOW_UP)
        bench.edit_audio(user_file(bench, Task.FOLLOW_UP, prefix), lambda samples: change(samples, row))

    return damage


def bleep(samples: Any, row: dict[str, Any]) -> Any:
    """A tone in the tail, well above the noise."""
    samples[-2 * RATE : -RATE] += 0.1 * np.sin(np.arange(RATE) * 0.2)
    return samples


def span(row: dict[str, Any], number: int) -> slice:
    segment = row["speech_segments"][number]
    return slice(round(segment["xmin"] * RATE), round(segment["xmax"] * RATE))


def noise_alone(samples: Any, row: dict[str, Any]) -> Any:
    """The second segment becomes what is heard after all speech."""
    where = span(row, 1)
    samples[where] = samples[-(where.stop - where.start) :]
    return samples


def hole(samples: Any, row: dict[str, Any]) -> Any:
    """The noise stops in the middle of the first segment, and comes back on a step."""
    first = span(row, 0)
    middle = (first.start + first.stop) // 2
    loud = middle + int(np.argmax(np.abs(samples[middle : middle + 800])))
    samples[loud - 400 : loud] = 0.0
    return samples


def noise_of(change: dict[str, Any]) -> Callable[[dict[str, Any]], object]:
    return lambda microphone: microphone["noises"][0].update(change)


DEFECTS: list[tuple[str, Callable[[Bench], None]]] = [
    ("T2.MICROPHONE", says(lambda microphone: microphone.update(floor_dbfs="quiet"))),
    ("T2.MICROPHONE", says(lambda microphone: microphone.update(floor_dbfs=None))),
    ("T2.MICROPHONE", says(noise_of({"gain_db": None}))),
    ("T2.MICROPHONE", says(noise_of({"kind": "rain"}))),
    ("TIMELINE.FLOOR", says(lambda microphone: microphone.update(floor_dbfs=-20.0))),
    ("TIMELINE.FLOOR", says(lambda microphone: microphone.update(floor_dbfs=microphone["floor_dbfs"] + 4.5))),
    ("TIMELINE.SNR", says(noise_of({"snr_db": 21.0}))),
    ("TIMELINE.SNR", says(noise_of({"snr_db": 15.0}))),
    ("TIMELINE.USER_OUTSIDE", says(lambda microphone: microphone.update(floor_dbfs=microphone["floor_dbfs"] - 5.0))),
    ("TIMELINE.USER_OUTSIDE", sounds(bleep)),
    ("TIMELINE.USER_ABSENT", sounds(noise_alone)),
    ("AUDIO.CLICK", sounds(hole)),
    ("T2.CLEAN_FILE", sounds(lambda samples, row: np.roll(samples, 800), "clean_")),
    ("T2.CLEAN_FILE", sounds(lambda samples, row: samples * 0.0 + (np.arange(len(samples)) == 9000) * 0.1, "clean_")),
    ("T2.CLEAN_FILE", sounds(lambda samples, row: samples[:-1], "clean_")),
]


@pytest.mark.parametrize(("code", "damage"), DEFECTS)
def test_planted_defect(bench: Bench, code: str, damage: Callable[[Bench], None]) -> None:
    assert codes(bench) == set()
    damage(bench)
    found = codes(bench)
    assert code in found
    assert found <= {code} | _follows(code)


def _follows(code: str) -> set[str]:
    """Without a record that can be read the noise is a fault; sound that is not noise spoils the ratio."""
    return {
        "T2.MICROPHONE": {"TIMELINE.USER_OUTSIDE", "T2.CLEAN_FILE"},
        "TIMELINE.USER_OUTSIDE": {"TIMELINE.SNR"},
        "TIMELINE.USER_ABSENT": {"TIMELINE.SNR"},
        "TIMELINE.FLOOR": {"TIMELINE.USER_ABSENT", "TIMELINE.INNER_SILENCE", "AUDIO.TEXT_DURATION"},
    }.get(code, set())


def test_a_clean_file_of_the_second_request(recorded: dict[Task, Path], tmp_path: Path) -> None:
    shutil.copytree(recorded[Task.SPEECH_TO_OTHERS], tmp_path / "set")
    bench = Bench(tmp_path / "set")
    assert codes(bench) == set()
    bench.edit_audio(user_file(bench, Task.SPEECH_TO_OTHERS, "clean_"), lambda samples: samples[::-1])
    assert codes(bench) == {"T2.CLEAN_FILE"}


def test_a_pause_filled_with_speech_is_found_in_noise(recorded: dict[Task, Path], tmp_path: Path) -> None:
    shutil.copytree(recorded[Task.PAUSE], tmp_path / "set")
    bench = Bench(tmp_path / "set")
    pause = next(each for each in row_of(bench, Task.PAUSE)["events"] if each["kind"] == "pause")
    start, stop = round(pause["start"] * RATE), round(pause["stop"] * RATE)

    def fill(samples: Any) -> Any:
        samples[start:stop] += hum(stop - start)
        return samples

    bench.edit_audio(user_file(bench, Task.PAUSE), fill)
    assert "T2.PAUSE_LENGTH" in codes(bench)


def test_reverberation_after_a_label_is_no_stray_sound(tmp_path: Path) -> None:
    bench = write(tmp_path / "set", Task.THIRD_PARTY_BEFORE, CONDITIONS["room"])
    manifest = f"{home(Task.THIRD_PARTY_BEFORE)}.jsonl"
    bench.edit_row(manifest, lambda row: row["microphone"].update(floor_dbfs=None))
    assert codes(bench) == set()  # the talker's tail alone explains it
    forget = {"talkers": []}
    bench.edit_row(f"{home(Task.THIRD_PARTY_BEFORE)}.jsonl", lambda row: row["microphone"].update(forget))
    assert codes(bench) == {"TIMELINE.USER_OUTSIDE"}


def test_the_users_own_words_stay_comparable_in_a_room_of_others(tmp_path: Path) -> None:
    bench = write(tmp_path / "set", Task.THIRD_PARTY_AFTER, CONDITIONS["room"])
    assert codes(bench) == set()
    bench.edit_audio(user_file(bench, Task.THIRD_PARTY_AFTER, "clean_"), lambda samples: np.roll(samples, 1))
    assert codes(bench) == {"T2.CLEAN_FILE"}


def test_dry_scenes_keep_the_old_rules(tmp_path: Path) -> None:
    bench = write(tmp_path / "set", Task.FOLLOW_UP, None)
    assert json.dumps(row_of(bench, Task.FOLLOW_UP)["microphone"]) == "null"
    assert codes(bench) == set()
    claim = {"noises": [], "floor_dbfs": -30.0, "room": None, "talkers": [], "echo": None, "telephone": None}
    bench.edit_row(f"{home(Task.FOLLOW_UP)}.jsonl", lambda row: row.update(microphone=claim))
    bench.edit_audio(
        user_file(bench, Task.FOLLOW_UP), lambda samples: samples + 0.01 * np.sin(np.arange(len(samples)) * 0.2)
    )
    assert {"TIMELINE.USER_OUTSIDE", "T2.CLEAN_FILE"} <= codes(bench)


def test_a_file_may_begin_in_noise_but_not_in_silence() -> None:
    noise = np.full(1000, 0.2, np.float32)
    assert click_after_silence(noise, 0.05) == (0, pytest.approx(0.2))
    assert click_after_silence(noise, 0.05, in_noise=True) is None
    noise[400:500] = 0.0
    assert click_after_silence(noise, 0.05, in_noise=True) is not None


def test_correlation() -> None:
    tone = np.sin(np.arange(8000) * 0.05).astype(np.float32)
    assert correlation(tone, 0.3 * tone) == pytest.approx(1.0)
    assert correlation(tone, -tone) == pytest.approx(-1.0)
    assert correlation(tone, 0.0 * tone) == 0.0


@pytest.mark.parametrize(
    ("name", "muddled"), [("noise", False), ("echo", False), ("babble", True), ("telephone", True)]
)
def test_where_overlap_is_not_judged(name: str, muddled: bool) -> None:
    assert muddles_overlap(CONDITIONS[name]) is muddled


def test_the_recording_itself_is_noisy(bench: Bench) -> None:
    samples, _ = read_wav(bench.root / user_file(bench, Task.FOLLOW_UP))
    floor = row_of(bench, Task.FOLLOW_UP)["microphone"]["floor_dbfs"]
    assert floor > Thresholds().max_outside_dbfs
    assert np.abs(samples[-RATE:]).max() > 0.001
