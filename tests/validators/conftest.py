"""A small bilingual data set of both tracks, laid out by hand, that the judges find nothing wrong with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_schemas.finding import Finding
from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples, read_wav, write_wav
from data_schemas.layouts.base import FoundItem
from data_schemas.layouts.registry import detect_layouts
from data_schemas.tasks import Language
from validators.core.measure import spoken_units
from validators.core.thresholds import Thresholds
from validators.run.item import judge_item

RATE = SAMPLE_RATE_HZ
SECONDS_PER_UNIT = {Language.ZH: 0.22, Language.EN: 0.32}


def speech_like(seconds: float) -> Samples:
    """A voiced hum with syllables and faded edges, about -23 LUFS, ``[n]``."""
    time = np.arange(round(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * 140.0 * k * time) / k for k in range(1, 12))
    syllables = 0.4 + 0.6 * np.sin(2 * np.pi * 2.0 * time) ** 2
    fade = np.clip(np.minimum(time, time[::-1]) / 0.02, 0.0, 1.0)
    return (0.12 * tone * syllables * fade).astype(np.float32)


def said(text: str, language: str) -> Samples:
    """Speech-like samples as long as the text needs."""
    fewest, _ = spoken_units(text, Language(language))
    return speech_like(max(0.4, fewest * SECONDS_PER_UNIT[Language(language)]))


@dataclass(frozen=True)
class Bench:
    """A copy of the data set that a test may damage."""

    root: Path

    def rows(self, manifest: str) -> list[dict[str, Any]]:
        lines = (self.root / manifest).read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def write_rows(self, manifest: str, rows: list[dict[str, Any]]) -> None:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        path = self.root / manifest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")

    def edit_row(self, manifest: str, change: Callable[[dict[str, Any]], None]) -> None:
        rows = self.rows(manifest)
        change(rows[0])
        self.write_rows(manifest, rows)

    def edit_audio(self, path: str, change: Callable[[Samples], Samples]) -> None:
        samples, rate = read_wav(self.root / path)
        write_wav(self.root / path, change(samples.copy()).astype(np.float32), rate)

    def edit_labels(self, home: str, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change ``sentence.json`` and the same keys of the manifest row alike."""
        path = self.root / home / f"{name}_sentence.json"
        sentence = json.loads(path.read_text(encoding="utf-8"))
        change(sentence)
        path.write_text(json.dumps(sentence, ensure_ascii=False), encoding="utf-8")
        self.edit_row(f"{home}.jsonl", lambda row: row.update(sentence))

    def items(self) -> list[FoundItem]:
        return [item for layout in detect_layouts(self.root) for item in layout.read(self.root)]

    def judge(self, item_id: str, thresholds: Thresholds | None = None) -> list[Finding]:
        found = next(item for item in self.items() if item.id == item_id)
        return list(judge_item(found, self.root, thresholds or Thresholds()).findings)


def dialogue(identity: str, folder: str, language: str, turns: list[tuple[str, str, str]]) -> dict[str, Any]:
    speaker = f"S{identity.split('_')[3]}"
    return {
        "dialogue_id": identity,
        "turns": [
            {
                "turn_id": n,
                "text": text,
                "emotion": emotion,
                "split_audio_file": f"{folder}/{identity}_{n}.wav",
                "response_text": reply,
                "speaker": speaker,
            }
            for n, (text, emotion, reply) in enumerate(turns, start=1)
        ],
    }


ZH_TURNS = [
    ("组里又把错的数据发给客户了，[sigh] 这都第三次了！", "anger", "第三次了，换谁都得火。"),
    ("结果挨骂的是我，我在楼梯间坐了半个小时。", "sad", "替别人挨骂，心里肯定憋屈。"),
    ("你说说，我今天的心情是怎么变的？", "neutral", "您先是因为数据发错而生气，后来替人挨骂，变得难过。"),
]
EN_TURNS = [
    ("I got the job, they called me this morning!", "happy", "That is wonderful news."),
    ("But it starts Monday and I have to leave my dog with strangers.", "sad", "That is hard."),
    ("Anyway, what should I pack first?", "neutral", "Start with the papers you need on Monday."),
]
EN_REASONING = [
    ("The landlord let himself in while I was asleep.", "fear", "That must have scared you."),
    ("He said the lease allows it. It does not.", "anger", "You have every right to object."),
    ("Why do I feel like this?", "neutral", "You were afraid in your own home, then angry that he lied."),
]


def scene(
    bench: Bench, home: str, name: str, people: list[tuple[str, float, str, str, bool]], end: float, clean: bool
) -> None:
    """Lay out one full-duplex item; ``people`` are (channel, start, text, heard until or '', cut)."""
    language = home.split("/")[1]
    user, assistant = np.zeros(round(end * RATE), np.float32), np.zeros(round(end * RATE), np.float32)
    segments: list[dict[str, Any]] = []
    replies: list[dict[str, Any]] = []
    for channel, start, text, seconds, cut in people:
        samples = np.concatenate(
            [
                piece
                for n, words in enumerate(text.split("[break]"))
                for piece in ([np.zeros(round(1.5 * RATE), np.float32)] if n else []) + [said(words, language)]
            ]
        )
        if seconds:
            samples = samples[: round(float(seconds) * RATE)]
            samples[-480:] *= np.linspace(1, 0, 480, dtype=np.float32)
        first = round(start * RATE)
        span = {"xmin": first / RATE, "xmax": (first + len(samples)) / RATE, "text": text}
        if channel == "assistant":
            assistant[first : first + len(samples)] += samples
            replies.append({**span, "planned_text": text, "cut": cut})
        else:
            user[first : first + len(samples)] += samples
            segments.append({**span, "speaker": f"S{name[:4]}", "role": channel})
    sentence = {"final_duration": len(user) / RATE, "speech_segments": segments}
    write_wav(bench.root / home / f"{name}.wav", user)
    write_wav(bench.root / f"{home}_model" / f"{name}.wav", assistant)
    if clean:
        alone = np.zeros_like(user)
        first, last = round(segments[0]["xmin"] * RATE), round(segments[0]["xmax"] * RATE)
        alone[first:last] = user[first:last]
        write_wav(bench.root / home / f"clean_{name}.wav", alone)
    text = json.dumps(sentence, ensure_ascii=False)
    (bench.root / home / f"{name}_sentence.json").write_text(text, encoding="utf-8")
    folder = Path(home).name
    row = {"id": name, "assistant_wav": f"{folder}_model/{name}.wav", **sentence, "assistant_segments": replies}
    bench.write_rows(f"{home}.jsonl", [row | {"speakers": {"user": f"S{name[:4]}"}}])


def build(root: Path) -> Bench:
    bench = Bench(root)
    for home, folder, row in (
        ("track1/train/zh", "task2_3", dialogue("task2_3_zh_0001_0001", "task2_3", "zh", ZH_TURNS)),
        ("track1/train/en", "task3_3", dialogue("task3_3_en_0006_0001", "task3_3", "en", EN_REASONING)),
        ("track1/dev/en", "task4", dialogue("task4_3_en_0002_0002", "task4", "en", EN_TURNS)),
    ):
        bench.write_rows(f"{home}/{folder}.jsonl", [row])
        for turn in row["turns"]:
            write_wav(root / home / turn["split_audio_file"], said(turn["text"], home[-2:]))
    reply = "第一天您可以先去西湖，沿着苏堤慢慢走，中午在湖边吃饭，下午去灵隐寺，晚上再逛逛河坊街。"
    scene(
        bench,
        "track2/zh/train/Follow-up_Questions",
        "0003_0001",
        [
            ("user", 0.5, "我想周末去杭州玩两天，怎么安排好？", "", False),
            ("assistant", 4.2, reply, "5.2", True),
            ("user", 9.0, "等一下，灵隐寺要门票吗？", "", False),
            ("assistant", 12.0, "要的，得先买飞来峰的票。", "", False),
        ],
        22.0,
        clean=True,
    )
    scene(
        bench,
        "track2/en/dev/User_Real-time_Backchannels",
        "0004_0002",
        [
            ("user", 0.5, "How do I get red wine out of a white shirt?", "", False),
            (
                "assistant",
                4.0,
                "Blot it first, then cover it with salt for a while, rinse it with cold water from the back, and "
                "wash it as soon as you possibly can after that.",
                "",
                False,
            ),
            ("user", 8.5, "Uh huh, okay.", "", False),
        ],
        20.0,
        clean=True,
    )
    scene(
        bench,
        "track2/zh/dev/Pause_Handling",
        "0005_0003",
        [
            ("user", 0.5, "我想订一张去 [break] 成都的高铁票，明天上午的。", "", False),
            ("assistant", 8.0, "明天上午去成都有三班。", "", False),
        ],
        18.0,
        clean=False,
    )
    return bench


@pytest.fixture(scope="session")
def sound_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("data") / "set").root


@pytest.fixture
def bench(sound_root: Path, tmp_path: Path) -> Bench:
    shutil.copytree(sound_root, tmp_path / "set")
    return Bench(tmp_path / "set")
