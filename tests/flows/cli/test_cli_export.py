"""`humdial export` and `humdial timing fit` as they are typed."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from flows.exports.registry import EXPORTERS
from tests.support.cli import invoke
from tests.support.spoken_release import make_release


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_release(tmp_path_factory.mktemp("发布"))


def test_the_formats_are_listed(release: Path) -> None:
    status, output, error = invoke("export", str(release), "--to", "list")
    assert (status, error) == (0, None)
    assert all(exporter.name in output for exporter in EXPORTERS)


def test_an_export_lies_beside_the_release_unless_told_otherwise(release: Path, tmp_path: Path) -> None:
    status, output, error = invoke("export", str(release), "--to", "labels")
    assert (status, error) == (0, None)
    beside = release.parent / f"{release.name}-labels"
    assert list(beside.glob("rttm/*.rttm"))
    assert "labels format" in output
    status, _, error = invoke("export", str(release), "--to", "opens2s", "-o", str(tmp_path / "o"), "--language", "zh")
    assert (status, error) == (0, None)
    assert {path.stem.rpartition("_")[2] for path in (tmp_path / "o").glob("*.jsonl")} == {"zh"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--to", "excel"), "no such format; choose from"),
        (("--to", "labels", "--language", "法语"), "--language 法语: choose from"),
        (("--to", "labels", "--split", "test"), "--split test: choose from train, dev"),
    ],
)
def test_what_cannot_be_is_a_sentence(release: Path, arguments: tuple[str, ...], words: str) -> None:
    _, _, error = invoke("export", str(release), *arguments)
    assert words in str(error)


def test_timing_is_learned_from_rttm(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    lines, clock = [], 0.0
    for turn in range(240):
        length = float(rng.uniform(1.5, 4.0))
        lines.append(f"SPEAKER c1 1 {clock:.3f} {length:.3f} <NA> <NA> {'AB'[turn % 2]} <NA> <NA>")
        clock += length + float(rng.lognormal(np.log(0.3), 0.4))
    rttm = tmp_path / "对话.rttm"
    rttm.write_text("\n".join(lines) + "\n", encoding="utf-8")
    target = tmp_path / "timing.yaml"
    status, output, error = invoke("timing", "fit", str(rttm), "-o", str(target))
    assert (status, error) == (0, None), output
    learned = yaml.safe_load(target.read_text(encoding="utf-8"))["scenes"]["floor_transfer"]
    assert learned["kind"] == "lognormal"
    assert learned["median_s"] == pytest.approx(0.3, rel=0.15)
