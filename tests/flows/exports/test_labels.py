"""``labels``: RTTM read by column, TextGrid read by Praat and by textgrid."""

import importlib
import itertools
import json
from pathlib import Path

import pytest

from data_schemas.foundation.base import RecordError
from data_schemas.layouts.base import FoundItem
from data_schemas.tasks import Track
from flows.exports.base import Exporter, ExportError, ReleaseSource
from flows.exports.formats.labels import LabelsExporter
from flows.exports.reading.timeline import EventMark, Line, Timeline
from flows.exports.writing.common import export_name
from flows.exports.writing.textgrid import textgrid
from tests.support.spoken_release import SCENES, make_release

ROLES = ["user", "assistant", "third_party"]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_release(tmp_path_factory.mktemp("labels") / "release")


def export(root: Path, target: Path) -> list[FoundItem]:
    exporter: Exporter = LabelsExporter()
    source = ReleaseSource(root, exporter.tracks)
    target.mkdir()
    seen: list[int] = []
    count = exporter.write(source, target, seen.append)
    items = list(source.items())
    assert (count.items, count.entries, seen) == (len(items), 2 * len(items), [1] * len(items))
    return items


def tiers(item: FoundItem) -> list[str]:
    """English scenes have the engine's word times, Mandarin ones have not; who says nothing has none to tell."""
    known = {role: item.language == "en" and bool(utterances(item, role)) for role in ROLES}
    words = [f"{role} words" if known[role] else f"{role} words (proportional)" for role in ROLES]
    return [*ROLES, "events", *words, *(["floor"] if item.row["floor"] else [])]


def utterances(item: FoundItem, role: str) -> list[tuple[float, float, str]]:
    """Straight from the row."""
    key, other = ("assistant_segments", "assistant") if role == "assistant" else ("speech_segments", "")
    return [
        (one["xmin"], one["xmax"], one["text"])
        for one in item.row[key]  # type: ignore[attr-defined]
        if one.get("role", other) == role
    ]


def test_only_labels_one_pair_per_scene(release: Path, tmp_path: Path) -> None:
    items = export(release, tmp_path / "out")
    names = sorted(export_name(item) for item in items)
    assert len(set(names)) == len(items) == SCENES
    files = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert files == [f"rttm/{name}.rttm" for name in names] + [f"textgrid/{name}.TextGrid" for name in names]


def test_rttm_has_ten_columns_and_the_rows_times(release: Path, tmp_path: Path) -> None:
    for item in export(release, tmp_path / "out"):
        name = export_name(item)
        raw = (tmp_path / "out" / "rttm" / f"{name}.rttm").read_bytes()
        assert raw.isascii()
        assert b"\r" not in raw
        lines = [line.split(" ") for line in raw.decode("ascii").splitlines()]
        assert {len(line) for line in lines} == {10}
        assert {(line[0], line[1], line[2]) for line in lines} == {("SPEAKER", name, "1")}
        assert {(line[5], line[6], line[8], line[9]) for line in lines} == {("<NA>",) * 4}
        starts = [float(line[3]) for line in lines]
        assert starts == sorted(starts)
        assert all(len(line[column].split(".")[1]) >= 3 for line in lines for column in (3, 4))
        pauses = [(one["start"], one["stop"]) for one in item.row["events"] if one["kind"] == "pause"]  # type: ignore[attr-defined]
        expected = []
        for role in ("user", "assistant", "third_party"):
            for start, stop, text in utterances(item, role):
                assert ("[break]" in text) == bool(pauses and role == "user")
                edges = [start, *(edge for pause in pauses if role == "user" for edge in pause), stop]
                expected += [(a, b, role) for a, b in zip(edges[::2], edges[1::2], strict=True)]
        found = [(float(line[3]), round(float(line[3]) + float(line[4]), 7), line[7]) for line in lines]
        assert found == sorted(expected)


def test_praat_and_textgrid_read_the_same(release: Path, tmp_path: Path) -> None:
    parselmouth = importlib.import_module("parselmouth")
    textgrid_reader = importlib.import_module("textgrid")
    for item in export(release, tmp_path / "out"):
        path = tmp_path / "out" / "textgrid" / f"{export_name(item)}.TextGrid"
        praat = parselmouth.Data.read(str(path))
        call = parselmouth.praat.call
        names = tiers(item)
        assert [call(praat, "Get tier name", n + 1) for n in range(len(names))] == names
        assert praat.xmax == item.row["final_duration"]
        assert [n for n in names if not call(praat, "Is interval tier", names.index(n) + 1)] == ["events"]
        other = textgrid_reader.TextGrid.fromFile(str(path))
        assert other.getNames() == names
        for n, role in enumerate(ROLES, start=1):
            intervals = [
                (
                    call(praat, "Get start time of interval", n, k),
                    call(praat, "Get end time of interval", n, k),
                    call(praat, "Get label of interval", n, k),
                )
                for k in range(1, call(praat, "Get number of intervals", n) + 1)
            ]
            assert [a[1] for a in intervals[:-1]] == [b[0] for b in intervals[1:]]  # no holes
            assert (intervals[0][0], intervals[-1][1]) == (0, item.row["final_duration"])
            assert [one for one in intervals if one[2]] == utterances(item, role)
            assert [one.mark for one in other.getFirst(role) if one.mark] == [one[2] for one in utterances(item, role)]
        marks = [(point.time, point.mark) for point in other.getFirst("events")]
        events = item.row["events"]
        for event in events:  # type: ignore[attr-defined]
            assert any(
                abs(t - event["start"]) < 1e-5 and f"{event['kind']} {event['channel']} start" in m for t, m in marks
            )
            assert any(
                abs(t - event["stop"]) < 1e-5 and f"{event['kind']} {event['channel']} stop" in m for t, m in marks
            )
        assert call(praat, "Get number of points", 4) == len(marks)


def test_words_lie_inside_what_is_spoken(release: Path, tmp_path: Path) -> None:
    reader = importlib.import_module("textgrid")
    for item in export(release, tmp_path / "out"):
        grid = reader.TextGrid.fromFile(str(tmp_path / "out" / "textgrid" / f"{export_name(item)}.TextGrid"))
        pauses = [(one["start"], one["stop"]) for one in item.row["events"] if one["kind"] == "pause"]  # type: ignore[attr-defined]
        for role in ROLES:
            words = [one for one in grid.getFirst(tiers(item)[4 + ROLES.index(role)]) if one.mark]
            spoken = utterances(item, role)
            text = "".join("".join(text.replace("[break]", "").split()) for _, _, text in spoken)
            assert "".join(word.mark for word in words) == text
            for word in words:
                assert any(a - 1e-5 <= word.minTime < word.maxTime <= b + 1e-5 for a, b, _ in spoken)
                assert role != "user" or all(word.maxTime <= a + 1e-5 or word.minTime >= b - 1e-5 for a, b in pauses)


def test_the_floor_has_a_tier_and_overlapping_speech_stays_apart(release: Path, tmp_path: Path) -> None:
    reader = importlib.import_module("textgrid")
    items = [item for item in export(release, tmp_path / "out") if item.task == "conversation"]
    assert len(items) == 2
    for item in items:
        name = export_name(item)
        grid = reader.TextGrid.fromFile(str(tmp_path / "out" / "textgrid" / f"{name}.TextGrid"))
        held = [one for one in grid.getFirst("floor") if one.mark]
        for mark, one in zip(held, item.row["floor"], strict=True):  # type: ignore[call-overload]
            assert mark.mark == one["holder"]
            assert (mark.minTime, mark.maxTime) == pytest.approx((one["start"], one["stop"]), abs=1e-5)
        lines = (tmp_path / "out" / "rttm" / f"{name}.rttm").read_text(encoding="ascii").splitlines()
        spans = [(float(line.split()[3]), float(line.split()[4]), line.split()[7]) for line in lines]
        assert any(b[0] < a[0] + a[1] and b[2] != a[2] for a, b in itertools.pairwise(spans))


def test_quotes_line_breaks_and_events_of_one_moment_survive_praat(tmp_path: Path) -> None:
    parselmouth = importlib.import_module("parselmouth")
    scene = Timeline(
        duration=3.0,
        lines=(Line(xmin=0.0, xmax=3.0, text='他说\n"好" \\', role="user"),),  # type: ignore[arg-type]
        events=(
            EventMark(kind="barge_in", channel="user", start=1.0, stop=2.0),  # type: ignore[arg-type]
            EventMark(kind="assistant_stop", channel="assistant", start=2.0, stop=2.0, latency=0.5),  # type: ignore[arg-type]
        ),
    )
    (tmp_path / "a.TextGrid").write_text(textgrid(scene), encoding="utf-8")
    praat = parselmouth.Data.read(str(tmp_path / "a.TextGrid"))
    assert parselmouth.praat.call(praat, "Get label of interval", 1, 1) == '他说 "好" \\'
    assert parselmouth.praat.call(praat, "Get label of point", 4, 1) == "barge_in user start"
    assert (
        parselmouth.praat.call(praat, "Get label of point", 4, 2)
        == "barge_in user stop; assistant_stop assistant latency=0.5"
    )


def test_our_own_reader_of_corpora_takes_them(release: Path, tmp_path: Path) -> None:
    corpus = importlib.import_module("generators.scenes.timing.corpus")
    item = export(release, tmp_path / "out")[0]
    name = export_name(item)
    paths = [tmp_path / "out" / "rttm" / f"{name}.rttm", tmp_path / "out" / "textgrid" / f"{name}.TextGrid"]
    assert len(list(corpus.read_conversations(paths, ("user", "assistant")))) == 2


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda row: row.pop("assistant_segments"), "has no field 'assistant_segments'"),
        (lambda row: row.pop("final_duration"), "has no field 'final_duration'"),
        (lambda row: row["speech_segments"][0].pop("role"), "role: Field required"),
        (lambda row: row["speech_segments"][0].update(xmax=999), "is not inside 0..11"),
        (lambda row: row.update(speech_segments="嗯"), "speech_segments must be a list of objects"),
        (lambda row: row["speech_segments"].append(row["speech_segments"][0]), "begins before the one"),
    ],
)
def test_a_row_of_somebody_else_gets_one_sentence(tmp_path: Path, spoil, words: str) -> None:  # type: ignore[no-untyped-def]
    root = make_release(tmp_path / "release")
    manifest = root / "track2" / "zh" / "dev" / "Follow-up_Questions.jsonl"
    row = json.loads(manifest.read_text(encoding="utf-8"))
    spoil(row)
    manifest.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    with pytest.raises((ExportError, RecordError), match=words) as caught:
        export(root, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert "Follow-up_Questions.jsonl:1" in str(caught.value)


def test_fields_nobody_needs_may_be_missing_or_new(tmp_path: Path) -> None:
    root = make_release(tmp_path / "release")
    for manifest in (root / "track2").rglob("*.jsonl"):
        row = json.loads(manifest.read_text(encoding="utf-8"))
        del row["events"], row["speakers"]
        for one in row["speech_segments"]:
            del one["speaker"], one["part"]
            one["note"] = "新"
        for one in row["assistant_segments"]:
            del one["cut"], one["planned_text"], one["part"]
        manifest.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    assert len(export(root, tmp_path / "out")) == SCENES


def test_recordings_without_a_row_are_named(tmp_path: Path) -> None:
    root = make_release(tmp_path / "release")
    (root / "track2" / "en" / "dev" / "Pause_Handling.jsonl").unlink()
    with pytest.raises(ExportError, match=r"\(pause, en, dev\) has no row in a manifest"):
        export(root, tmp_path / "out")


def test_it_takes_track_2_only() -> None:
    assert LabelsExporter().tracks == frozenset({Track.DUPLEX})
