import errno
import os
from pathlib import Path

import pytest

from data_schemas.finding import Finding, Severity
from data_schemas.plan import QuotaCell
from data_schemas.tasks import Language, Split, Task
from flows.release.books import Books, CellCount, summary_rows
from flows.release.quarantine import write_quarantine
from flows.shards.job import ItemOutcome, summarise
from flows.shards.kept import KeptScenes
from flows.shards.ledger import ShardLedger, ShardResult

ZH = QuotaCell(task=Task.TRAJECTORY, language=Language.ZH, turns=3, split=Split.TRAIN)
EN = QuotaCell(task=Task.PAUSE, language=Language.EN, turns=1, split=Split.DEV)


def outcome(name: str, cell: QuotaCell = ZH, accepted: bool = True) -> ItemOutcome:
    finding = Finding(code="AUDIO.CLIPPED", severity=Severity.ERROR, item=name, message="削波", validator="test/1")
    return ItemOutcome(
        plan_id=name, cell=cell, script_id=None, accepted=accepted, findings=() if accepted else (finding,)
    )


def ledger_at(folder: Path) -> ShardLedger:
    return ShardLedger(folder / "shards", KeptScenes(folder / "scenes"))


def finished(ledger: ShardLedger, key: str, *outcomes: ItemOutcome) -> ShardResult:
    with ledger.attempt(key) as attempt:
        return ledger.keep(attempt, summarise(key, outcomes), {"表.parquet": b"1234"}, ())


def test_an_attempt_that_fails_leaves_nothing(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path)
    with pytest.raises(OSError, match="坏了"), ledger.attempt("k1") as attempt:
        (attempt / "half.parquet").write_bytes(b"x")
        raise OSError("坏了")
    assert ledger.result("k1") is None
    assert list((tmp_path / "shards").iterdir()) == []


def test_a_finished_shard_reads_back_equal_and_survives_pruning(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path)
    for key in ("k1", "k2"):
        made = finished(ledger, key, outcome("甲"), outcome("乙", accepted=False))
    (tmp_path / "shards" / "k3.halfway").mkdir()
    assert ledger.prune(frozenset({"k2"})) == 2
    assert ledger.result("k1") is None
    again = ledger.result("k2")
    assert again == made
    assert again.summary.rejects == {"AUDIO.CLIPPED": 1}
    assert [(tally.released, tally.quarantined) for tally in again.summary.cells] == [(1, 1)]


def test_a_table_that_is_not_the_written_one_is_no_table(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path)
    finished(ledger, "k", outcome("甲"))
    for changed in (b"", b"4321"):  # a power cut; an edit in place
        (tmp_path / "shards" / "k" / "表.parquet").write_bytes(changed)
        assert ledger.result("k") is None


def test_files_that_are_not_the_judged_ones_are_named(tmp_path: Path) -> None:
    scenes = KeptScenes(tmp_path / "scenes")
    with scenes.making("aa11") as attempt:
        (attempt / "staged").mkdir()
        (attempt / "staged" / "user.wav").write_bytes(b"RIFF 1234")
        facts = scenes.keep("aa11", attempt, 1.0)
    assert scenes.get("aa11") == facts
    wav = scenes.folder("aa11") / "staged" / "user.wav"
    for changed in (b"", b"RIFF 4321"):  # a power cut; an edit in place through a released hard link
        wav.write_bytes(changed)
        assert scenes.first_changed(facts) == wav
        assert scenes.get("aa11") is None
    wav.unlink()
    assert scenes.first_changed(facts) == wav
    with scenes.making("aa11") as attempt:  # a damaged item is replaced
        (attempt / "item.json").write_text("{}", encoding="utf-8")
        again = scenes.keep("aa11", attempt, 1.0)
    assert scenes.get("aa11") == again
    assert [path.name for path in (tmp_path / "scenes" / "aa").iterdir()] == ["aa11"]


def test_shortage_counts_only_accepted() -> None:
    books = Books([(ZH, 2), (EN, 1)])
    books.plan((ZH, ZH, EN), 0)
    books.take_in(summarise("k", [outcome("a"), outcome("b", accepted=False), outcome("c", EN)]))
    assert books.shortage() == {ZH: 1}
    books.reject([EN])  # by the judges of the set
    assert books.shortage() == {ZH: 1, EN: 1}
    assert [(count.released, count.quarantined) for count in books.counts()] == [(1, 1), (0, 1)]


def test_a_plan_without_an_outcome_is_a_defect_of_ours() -> None:
    books = Books([(ZH, 1)])
    books.plan((ZH,), 0)
    with pytest.raises(RuntimeError, match="do not balance"):
        books.counts()


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
    (made / "item.json").write_text("{}", encoding="utf-8")
    rejected = [
        (name, folder, outcome(name, accepted=False).findings) for name, folder in (("有声", made), ("无声", None))
    ]
    assert write_quarantine(tmp_path / "quarantine", rejected) == 2
    assert (tmp_path / "quarantine" / "有声" / "staged" / "turn_1.wav").read_bytes() == b"RIFF"
    assert "削波" in (tmp_path / "quarantine" / "无声" / "findings.jsonl").read_text(encoding="utf-8")
