"""Diversity: known answers on small sets, and a planted collapse in both languages."""

from __future__ import annotations

import pytest

from data_schemas.emotions import Emotion
from data_schemas.tasks import Language, Task
from tests.support.scene_factory import make_script
from tests.support.script_factory import make_trajectory, with_turn
from validators.core.thresholds import Thresholds
from validators.text.distinct import DistinctCounter
from validators.text.diversity import DiversityMeter, DiversityReport, judge_collapse
from validators.text.openings import opening_of
from validators.text.self_bleu import self_bleu

ZH, EN = Language.ZH, Language.EN
FIRST = {
    EN: "One day number {} my boss put his name there!",
    ZH: "第{}天经理把报告署成了他的名字！",
}


def test_distinct_counter_is_exact_when_small_and_close_when_large() -> None:
    small, large, again = DistinctCounter(), DistinctCounter(1024), DistinctCounter(1024)
    small.update(["甲", "乙", "甲", "丙"])
    assert (small.distinct(), small.total, small.ratio()) == (3, 4, 0.75)
    large.update(str(n % 20_000) for n in range(40_000))
    again.update(str(n % 20_000) for n in reversed(range(40_000)))
    assert large.distinct() == again.distinct() == pytest.approx(20_000, rel=0.1)


@pytest.mark.parametrize("language", Language)
def test_figures_of_a_small_set(language: Language) -> None:
    meter = DiversityMeter()
    meter.add(make_trajectory("a", language))
    once = meter.report().languages[language]
    meter.add(make_trajectory("b", language))
    meter.add(make_script(Task.FOLLOW_UP, language))
    report = meter.report()
    figures = report.languages[language]
    assert DiversityReport.from_json_line(report.to_json_line()) == report
    assert (once.scripts, figures.scripts) == (1, 3)
    assert 1.0 >= once.distinct[2] >= once.distinct[1] >= once.distinct[0] > figures.distinct[0] > 0.0
    row = report.emotions.index(Emotion.ANGER)
    assert figures.transitions[row][report.emotions.index(Emotion.SURPRISE)] == 2
    assert sum(map(sum, figures.transitions)) == 4
    assert figures.domains == {"work": 2, "travel": 1}
    opening = {EN: "my manager", ZH: "经理把"}[language]
    assert figures.openings["trajectory"].top == ((opening, 2),)
    assert figures.openings["all"].lines == 3
    assert figures.openings["trajectory final question"].top[0][1] == 2
    assert figures.self_bleu_lines == 8
    assert figures.self_bleu is not None and once.self_bleu is not None and figures.self_bleu > once.self_bleu


def test_order_does_not_matter() -> None:
    scripts = [with_turn(make_trajectory(f"s{n}", ZH), 1, text=FIRST[ZH].format(n)) for n in range(90)]
    reports = []
    for order in (scripts, scripts[::-1]):
        meter = DiversityMeter(seed=3)
        for script in order:
            meter.add(script)
        reports.append(meter.report())
    assert reports[0] == reports[1]
    assert reports[0].languages[ZH].self_bleu_lines == 200


@pytest.mark.parametrize(
    ("language", "texts", "others"),
    [
        (
            EN,
            ["I missed the bus again today."] * 3,
            ["I missed the bus.", "Soup is ready", "Green hats everywhere"],
        ),
        (ZH, ["我今天又没赶上公交车。"] * 3, ["我没赶上车。", "汤炖好了快来", "满街都是绿帽子"]),
    ],
)
def test_self_bleu_tells_copies_from_variety(language: Language, texts: list[str], others: list[str]) -> None:
    copies, varied = self_bleu(texts, language), self_bleu(others, language)
    assert copies == pytest.approx(100.0) and varied is not None and varied < 40.0
    assert self_bleu(texts[:1], language) is None


@pytest.mark.parametrize("language", Language)
def test_a_planted_collapse_is_found(language: Language) -> None:
    collapsed, varied = DiversityMeter(), DiversityMeter()
    for number in range(24):
        script = make_trajectory(f"s{number}", language)
        word = chr(0x4E00 + number) if language is ZH else f"w{number}"
        question = {EN: f"{word} and so how did my mood change?", ZH: f"{word}那你说我心情咋变的？"}[language]
        start = word * 3 if language is ZH else f"{word} {word}"
        varied.add(with_turn(with_turn(script, 1, text=f"{start} {script.turns[0].text}"), 3, text=question))
        collapsed.add(with_turn(script, 1, text=FIRST[language].format(number if number < 8 else 7)))
    assert judge_collapse(varied.report(), Thresholds()) == ()
    found = judge_collapse(collapsed.report(), Thresholds())
    assert {finding.code for finding in found} == {"SCRIPT.COLLAPSE"}
    assert {finding.item for finding in found} == {f"{language}/all", f"{language}/trajectory"}
    opening = opening_of(with_turn(make_trajectory("x", language), 1, text=FIRST[language].format(7)))
    assert any(opening in finding.message for finding in found)
    few = DiversityMeter()
    for number in range(5):
        few.add(make_trajectory(f"s{number}", language))
    assert judge_collapse(few.report(), Thresholds()) == ()
