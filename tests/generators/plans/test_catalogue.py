"""The catalogue: its schema, the refusals people read, and that the shipped files are rich and native."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from data_schemas.emotions import DEEPDIALOGUE, Emotion
from data_schemas.foundation.base import Record, RecordError
from data_schemas.tasks import TRACK2_TASKS, Language
from generators.plans.catalogue import Catalogue, load_catalogue
from generators.plans.trajectories import EventKind, load_transitions
from tests.support.catalogue_factory import raw_catalogue, write_catalogue

HAN = re.compile(r"[\u3400-\u9fff]")
THEMES = {"friendship", "family", "workplace", "doctor_patient"}
DOMAINS = {
    "concrete": "cars travel cooking shopping housing pets health fitness sports food delivery weather gardening "
    "fashion gaming movies music photography phones internet money school exams job_hunting weddings parenting "
    "festivals neighbours public_transport books volunteering handicraft",
    "abstract": "philosophy history art science psychology values language law environment technology time dreams "
    "culture",
}


def lists(value: object, where: str = "") -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Every list of the catalogue with its path."""
    if isinstance(value, Record):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from lists(inner, f"{where}.{name}".lstrip("."))
    if isinstance(value, tuple):
        yield where, value
        for place, inner in enumerate(value):
            yield from lists(inner, f"{where}.{place}")


def strings(catalogue: Catalogue) -> Iterator[str]:
    for domain in catalogue.domains.values():
        yield from (domain.name, domain.about)
    for theme in catalogue.themes.values():
        yield theme.name
    for _, entries in lists(catalogue):
        for entry in entries:
            if isinstance(entry, str):
                yield entry
    for job in catalogue.personas.jobs:
        yield job.name
    for style in catalogue.personas.styles:
        yield style.text
    for conflict in catalogue.conflicts:
        yield conflict.situation


@pytest.mark.parametrize("language", Language)
def test_the_shipped_catalogue_is_large_enough(language: Language) -> None:
    catalogue = load_catalogue(language)
    assert {
        group: {name for name, domain in catalogue.domains.items() if domain.group == group} for group in DOMAINS
    } == {group: set(names.split()) for group, names in DOMAINS.items()}
    assert len(catalogue.domains) >= 41
    assert set(catalogue.themes) == THEMES
    personas = catalogue.personas
    least: dict[str, tuple[object, int]] = {
        "personas.names.female": (personas.names["female"], 30),
        "personas.names.male": (personas.names["male"], 30),
        "personas.jobs": (personas.jobs, 45),
        "personas.regions": (personas.regions, 18),
        "personas.styles": (personas.styles, 14),
        "root_causes": (catalogue.root_causes, 14),
        "openings": (catalogue.openings, 12),
        "questions.trajectory": (catalogue.questions.trajectory, 10),
        "questions.reasoning": (catalogue.questions.reasoning, 10),
        "conflicts": (catalogue.conflicts, 16),
    }
    least |= {f"domains.{name}.settings": (domain.settings, 4) for name, domain in catalogue.domains.items()}
    least |= {f"events.{kind}": (catalogue.events[kind], 6) for kind in EventKind}
    least |= {f"cues.{task}": (catalogue.cues[task], 8) for task in TRACK2_TASKS}
    for name, theme in catalogue.themes.items():
        least |= {
            f"themes.{name}.counterparts": (theme.counterparts, 8),
            f"themes.{name}.settings": (theme.settings, 6),
            f"themes.{name}.root_causes": (theme.root_causes, 12),
        }
    too_small = {name: len(entries) for name, (entries, size) in least.items() if len(entries) < size}  # type: ignore[arg-type]
    assert too_small == {}


@pytest.mark.parametrize("language", Language)
def test_the_shipped_catalogue_repeats_nothing(language: Language) -> None:
    catalogue = load_catalogue(language)
    for where, entries in lists(catalogue):
        if not where.endswith("ages"):
            assert sorted({str(one) for one in entries if list(entries).count(one) > 1}) == [], where
    for group in (
        [text for texts in catalogue.events.values() for text in texts],
        [text for texts in catalogue.cues.values() for text in texts],
        [text for texts in catalogue.personas.names.values() for text in texts],
        [job.name for job in catalogue.personas.jobs],
        [style.text for style in catalogue.personas.styles],
        [domain.name for domain in catalogue.domains.values()],
        [conflict.situation for conflict in catalogue.conflicts],
        [text for domain in catalogue.domains.values() for text in domain.settings],
        [text for theme in catalogue.themes.values() for text in theme.root_causes] + list(catalogue.root_causes),
    ):
        assert sorted({text for text in group if group.count(text) > 1}) == []


@pytest.mark.parametrize("language", Language)
def test_the_shipped_catalogue_is_written_in_its_language(language: Language) -> None:
    for text in strings(load_catalogue(language)):
        assert bool(HAN.search(text)) == (language is Language.ZH), text


def test_both_languages_have_the_same_domains() -> None:
    assert set(load_catalogue(Language.ZH).domains) == set(load_catalogue(Language.EN).domains)


def test_a_catalogue_of_ones_own_may_be_small(tmp_path: Path) -> None:
    def one_each(value: Any, ages: bool = False) -> Any:
        if isinstance(value, dict):
            return {name: one_each(inner, name == "ages") for name, inner in value.items()}
        return [one_each(value[0])] if isinstance(value, list) and not ages else value

    raw = one_each(raw_catalogue(Language.ZH))
    (tmp_path / "zh.yaml").write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    assert load_catalogue(Language.ZH, tmp_path).personas.jobs[0].name == "学生"


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda raw: raw.update({"情绪": []}), "情绪: unknown key"),
        (lambda raw: raw["domains"]["cars"].update(colour="red"), r"domains\.cars\.colour: unknown key"),
        (lambda raw: raw.pop("openings"), "openings"),
        (lambda raw: raw.update(domains={}), "domains"),
        (lambda raw: raw["themes"]["family"].update(counterparts=[]), r"themes\.family\.counterparts"),
        (lambda raw: raw["events"].pop("quarrel"), r"events\.quarrel"),
        (lambda raw: raw["events"].update(war=["x"]), r"events\.war"),
        (lambda raw: raw["cues"].pop("pause"), r"cues\.pause"),
        (lambda raw: raw["cues"].update(empathy=["x"]), r"cues\.empathy"),
        (lambda raw: raw["personas"]["names"].pop("male"), r"names\.male"),
        (lambda raw: raw["personas"]["jobs"].append({"name": "小学生", "ages": [8, 12]}), r"jobs\.2 \(小学生\).*age 8"),
        (lambda raw: raw["personas"]["jobs"].append({"name": "x", "ages": [30, 20]}), r"jobs\.2\.ages"),
        (lambda raw: raw["conflicts"].append(raw["conflicts"][0] | {"text_emotion": "sad"}), r"conflicts\.3"),
        (lambda raw: raw["openings"].append(" a"), r"openings\.6"),
        (lambda raw: raw["openings"].append(True), r"openings\.6"),
    ],
)
def test_a_wrong_file_names_file_field_and_way_out(tmp_path: Path, change: Change, field: str) -> None:
    raw = raw_catalogue(Language.ZH)
    change(raw)
    path = tmp_path / "zh.yaml"
    path.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    with pytest.raises(RecordError, match=rf"{re.escape(str(path))}(:\d+)?: .*{field}.*; compare with the shipped"):
        load_catalogue(Language.ZH, tmp_path)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"en\.yaml: no such file; .*planning\.catalogue"):
        load_catalogue(Language.EN, tmp_path)
    (tmp_path / "zh.yaml").write_text("openings:\n  - 开头: 一: 二\n", encoding="utf-8")
    with pytest.raises(RecordError, match=r"zh\.yaml:2: not valid YAML"):
        load_catalogue(Language.ZH, tmp_path)
    (tmp_path / "zh.yaml").write_text("openings: [开头]\nopenings: [又]\n", encoding="utf-8")
    with pytest.raises(RecordError, match=r"zh\.yaml:2: openings stands there twice, first in line 1"):
        load_catalogue(Language.ZH, tmp_path)
    (tmp_path / "zh.yaml").write_bytes("开头".encode("gb18030"))
    with pytest.raises(RecordError, match="UTF-8"):
        load_catalogue(Language.ZH, tmp_path)


def test_a_file_is_read_anew_each_time(tmp_path: Path) -> None:
    write_catalogue(tmp_path)
    before = load_catalogue(Language.EN, tmp_path)
    raw = raw_catalogue(Language.EN) | {"openings": ["with a laugh"]}
    (tmp_path / "en.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    assert load_catalogue(Language.EN, tmp_path).openings == ("with a laugh",) != before.openings


def test_the_transition_model_is_whole() -> None:
    transitions = load_transitions()
    rows = (transitions.opening, *transitions.after.values())
    assert len(rows) == len(Emotion) + 1
    for row in rows:
        assert set(row) == set(Emotion)
        assert sum(change.weight > 0 for change in row.values()) >= 2
        assert all(change.kinds for change in row.values())
    assert {kind for row in rows for change in row.values() for kind in change.kinds} == set(EventKind)


def test_every_fine_emotion_can_be_brought_about() -> None:
    transitions = load_transitions()
    assert set(transitions.shades) == set(DEEPDIALOGUE)
    for fine, kinds in transitions.shades.items():
        label = DEEPDIALOGUE[fine]
        possible = {kind for row in (transitions.opening, *transitions.after.values()) for kind in row[label].kinds}
        assert set(kinds) <= possible, fine
