import errno
import os
from pathlib import Path

import pytest

from data_schemas.finding import Finding, Severity
from data_schemas.plan import QuotaCell
from data_schemas.tasks import Language, Split, Task
from flows.cli.summary import summary_rows
from flows.release.books import CellCount, shortage
from flows.release.quarantine import write_quarantine
from flows.shards.ledger import RESULT_FILE, ItemOutcome, ShardLedger, split_shards

ZH = QuotaCell(task=Task.TRAJECTORY, language=Language.ZH, turns=3, split=Split.TRAIN)
EN = QuotaCell(task=Task.PAUSE, language=Language.EN, turns=1, split=Split.DEV)


def outcome(name: str, cell: QuotaCell = ZH, accepted: bool = True) -> ItemOutcome:
    finding = Finding(code="AUDIO.CLIPPED", severity=Severity.ERROR, item=name, message="削波", validator="test/1")
    return ItemOutcome(
        plan_id=name, cell=cell, script_id=None, accepted=accepted, findings=() if accepted else (finding,)
    )


def test_shards_hold_every_plan_once_in_order() -> None:
    plans = list(range(10))
    shards = split_shards(plans, 4)  # type: ignore[arg-type]
    assert [len(shard) for shard in shards] == [4, 4, 2]
    assert [plan for shard in shards for plan in shard] == plans


def test_a_shard_without_a_result_is_started_afresh(tmp_path: Path) -> None:
    ledger = ShardLedger(tmp_path)
    directory = ledger.start("k1")
    (directory / "half.wav").write_bytes(b"x")
    assert ledger.result("k1") is None
    assert list(ledger.start("k1").iterdir()) == []


def test_a_finished_shard_reads_back_equal_and_survives_pruning(tmp_path: Path) -> None:
    ledger = ShardLedger(tmp_path)
    for key in ("k1", "k2"):
        ledger.start(key)
        ledger.finish(key, (outcome("甲"), outcome("乙", accepted=False)))
    assert ledger.prune(frozenset({"k2"})) == 1
    assert ledger.result("k1") is None
    again = ledger.result("k2")
    assert again is not None
    assert [one.plan_id for one in again.outcomes] == ["甲", "乙"]


def finished_shard(ledger: ShardLedger) -> Path:
    """A shard with one item; returns its staged channel."""
    ledger.start("k")
    wav = ledger.item_dir("k", "甲") / "staged" / "user.wav"
    wav.parent.mkdir(parents=True)
    wav.write_bytes(b"RIFF 1234")
    ledger.finish("k", (outcome("甲"),))
    return wav


def test_files_that_are_not_the_judged_ones_are_named(tmp_path: Path) -> None:
    ledger = ShardLedger(tmp_path)
    wav = finished_shard(ledger)
    result = ledger.result("k")
    assert result is not None and [entry.bytes for entry in result.files] == [9]
    assert ledger.first_changed(result) is None
    for changed in (b"", b"RIFF 4321"):  # a power cut; an edit in place through a released hard link
        wav.write_bytes(changed)
        assert ledger.first_changed(result) == wav
    wav.unlink()
    assert ledger.first_changed(result) == wav


def test_a_result_without_hashes_is_no_result(tmp_path: Path) -> None:
    ledger = ShardLedger(tmp_path)
    finished_shard(ledger)
    (tmp_path / "k" / RESULT_FILE).write_text('{"key":"k","outcomes":[]}\n', encoding="utf-8")
    assert ledger.result("k") is None


def test_shortage_counts_only_accepted() -> None:
    outcomes = [outcome("a"), outcome("b", accepted=False), outcome("c", EN)]
    assert shortage([(ZH, 2), (EN, 1)], outcomes) == {ZH: 1}


def test_books_balance_or_not() -> None:
    good = CellCount(cell=ZH, quota=2, planned=2, topped_up=1, released=2, quarantined=1)
    assert good.balances
    assert not good.model_copy(update={"released": 1}).balances
    assert summary_rows((good,)) == [(ZH.task.track, "trajectory", "zh", "train", 2, 1, 2, 1)]


@pytest.fixture(params=["hard links", "none"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system with hard links, and one without."""

    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted", str(target))

    if request.param == "none":
        monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("links")
def test_quarantine_keeps_findings_and_audio(tmp_path: Path) -> None:
    made = tmp_path / "made"
    (made / "staged").mkdir(parents=True)
    (made / "staged" / "turn_1.wav").write_bytes(b"RIFF")
    rejected = [(outcome("有声", accepted=False), made), (outcome("无声", accepted=False), tmp_path / "none")]
    assert write_quarantine(tmp_path / "quarantine", rejected) == 2
    assert (tmp_path / "quarantine" / "有声" / "staged" / "turn_1.wav").read_bytes() == b"RIFF"
    assert "削波" in (tmp_path / "quarantine" / "无声" / "findings.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize("size", [1, 3, 100])
def test_any_shard_size_keeps_the_plans(size: int) -> None:
    assert sum(len(shard) for shard in split_shards(list(range(7)), size)) == 7  # type: ignore[arg-type]
