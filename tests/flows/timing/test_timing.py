"""The timing report of composed scenes, and the command that learns timing from a corpus."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from rich.console import Console

from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.foundation.randomness import named_generator
from data_schemas.scene import Scene
from data_schemas.tasks import SUB_TASKS, Language, Part, Task
from flows.common.errors import ConfigError, HumdialError
from flows.config.build_config import load_config
from flows.timing.distance import STATED, Excess, exceeded, timing_json
from flows.timing.fit import timing_fit_command
from flows.timing.report import BINS, OF_CONVERSATION, SHIFTS, timing_report
from generators.scenes.conversation.settings import ConversationSettings
from generators.scenes.duplex.composer import compose
from generators.scenes.settings import SceneSettings
from generators.scenes.timing.distributions import Fixed, LogNormal, Uniform
from tests.support.builds import draft_config
from tests.support.conversation_factory import make_conversation
from tests.support.scene_factory import make_plan, make_script, make_utterances

SEED = 11
SCENES = 300


def composed(
    count: int = SCENES, settings: SceneSettings | None = None, tasks: tuple[Task, ...] = SUB_TASKS
) -> Iterator[Scene]:
    for number in range(count):
        script = make_script(tasks[number % len(tasks)], list(Language)[number // len(tasks) % 2])
        plan = make_plan(script, plan_id=f"p{number}", index=number + 1)

        def samples_of(part: Part, piece: int, number: int = number) -> int:
            low, high = {Part.REPLY: (11.0, 18.0), Part.SECOND_REPLY: (11.0, 18.0), Part.BACKCHANNEL: (0.3, 0.7)}.get(
                part, (1.0, 3.0)
            )
            return round(named_generator(1, f"p{number}", f"{part}/{piece}").uniform(low, high) * SAMPLE_RATE_HZ)

        utterances = make_utterances(plan, script, samples_of)
        yield compose(plan, script, utterances, settings or SceneSettings(), SEED)


def test_300_scenes_are_as_far_from_their_targets_as_chance_and_the_rules_allow() -> None:
    report = timing_report(composed(), seed=SEED)
    assert report == timing_report(composed(), seed=SEED)
    assert report.scenes == SCENES
    assert [each.name for each in report.durations] == list(BINS) == list(SHIFTS) == list(STATED)
    assert exceeded(report) == ()
    assert report.overlaps.n == 0 and report.overlaps.share is None
    for each in report.durations:
        if each.name in OF_CONVERSATION:
            assert each.n == 0
            continue
        assert each.n > 0 and sum(each.histogram) + each.above == each.n
        assert sum(each.expected) == pytest.approx(each.n, abs=0.2)
    for name in ("leading_silence", "floor_transfer", "stop_latency", "pause", "third_party_gap"):
        each = report.duration(name)
        assert each.ks is not None and each.ks < 1.95 / each.n**0.5, name  # 1 in 1000 by chance
        assert each.wasserstein_s is not None and each.wasserstein_s < 0.25 * each.target.upper_s
        assert each.outside == 0
    for name in ("leading_silence", "stop_latency", "pause"):
        assert report.duration(name).moved == 0
    # backchannels move to the ends of phrases
    events = report.duration("query_to_event")
    assert events.n == 8 * SCENES // 10 and events.moved is not None and 0 < events.moved <= events.n // 4
    assert events.wasserstein_s is not None and events.wasserstein_s < 0.2


def test_what_the_composer_shifts_is_reported_as_it_came_out() -> None:
    # the assistant speaks on for longer than the tail after a pause, so the tail is far from 10 s
    report = timing_report(composed(20, tasks=(Task.PAUSE,)), seed=SEED)
    tail = report.duration("tail")
    assert tail.ks is None and tail.moved is not None and tail.outside > 0
    assert tail.wasserstein_s is not None and tail.wasserstein_s > 1.0
    assert report.duration("stop_latency").n == 0 and report.duration("stop_latency").mean is None
    # asked for much later events than the replies have room for
    late = SceneSettings(query_to_event=Uniform(low_s=15.0, high_s=30.0))
    events = timing_report(composed(20, late, (Task.FOLLOW_UP,)), late).duration("query_to_event")
    assert events.moved is None and events.outside > 0
    assert events.ks is not None and events.ks > 0.5


def test_without_scenes_the_report_is_empty() -> None:
    report = timing_report(())
    assert report.scenes == 0 and all(each.n == 0 for each in report.durations)


#: Lines of conversations by their letters, see `tests.support.conversation_factory`.
ORDERS = ("qlrbirqr", "qrqrqr", "qrqlrbir", "qrirqr", "qrbbqlr", "qlrbqrb")


def conversations(count: int, settings: SceneSettings | None = None) -> Iterator[Scene]:
    """Half Chinese and half English, queries of 2 to 7 s and replies of 5 to 14 s."""
    seconds = {
        Part.QUERY: (2.0, 7.0),
        Part.REPLY: (5.0, 14.0),
        Part.INTERRUPTION: (1.0, 4.0),
        Part.BACKCHANNEL: (0.3, 0.7),
    }
    for number in range(count):
        script = make_conversation(list(Language)[number // len(ORDERS) % 2], ORDERS[number % len(ORDERS)])
        plan = make_plan(script, plan_id=f"c{number}", index=number + 1)
        generator = named_generator(1, f"c{number}", "lengths")

        def samples_of(part: Part, piece: int, generator: np.random.Generator = generator) -> int:
            return round(generator.uniform(*seconds[part]) * SAMPLE_RATE_HZ)

        yield compose(plan, script, make_utterances(plan, script, samples_of), settings or SceneSettings(), SEED)


@pytest.mark.statistics
def test_1000_conversations_keep_the_stated_distances() -> None:
    report = timing_report(conversations(1000), seed=SEED)
    assert exceeded(report) == ()
    for each in report.durations:
        of_sub_tasks = each.name in ("query_to_event", "pause", "third_party_gap", "tail")
        assert (each.n == 0) == of_sub_tasks, each.name
        assert each.outside == 0, each.name
        if STATED[each.name].chance and each.n and each.name != "conversation_tail":
            assert each.moved == 0, each.name
    for name, most in (("overlap", 0.05), ("barge_in", 0.5), ("talk_over", 0.6), ("floor_transfer", 0.05)):
        each = report.duration(name)
        assert each.moved is not None and each.moved <= most * each.n, name
    assert report.overlaps.n > 3000 and report.overlaps.target == 0.35
    assert report.overlaps.share == pytest.approx(0.35, abs=0.03)
    assert timing_json(report)["farther_than_stated"] == []
    assert timing_json(report.model_copy(update={"scenes": 999}))["farther_than_stated"] is None


def test_distances_beyond_the_stated_ones_are_named() -> None:
    # composed with other settings than it is compared with
    late = SceneSettings(
        floor_transfer=Uniform(low_s=0.5, high_s=2.0),
        stop_latency=Uniform(low_s=0.6, high_s=0.64),
        conversation=ConversationSettings(
            overlap_share=0.5,
            overlap=Uniform(low_s=0.5, high_s=1.0),
            barge_in=Uniform(low_s=4.0, high_s=4.5),
            backchannel_delay=Uniform(low_s=0.4, high_s=0.7),
            talk_over=Uniform(low_s=1.2, high_s=1.21),
            tail=Fixed(value_s=0.5),
        ),
    )
    found = exceeded(timing_report(conversations(150, late)))
    assert {(each.name, each.measure) for each in found} == {
        ("floor_transfer", "wasserstein_s"),
        ("stop_latency", "ks"),
        ("overlap", "wasserstein_s"),
        ("barge_in", "wasserstein_s"),
        ("backchannel_delay", "ks"),
        ("talk_over", "wasserstein_s"),
        ("conversation_tail", "ks"),
        ("overlap_share", "share"),
    }
    assert all(isinstance(each, Excess) and each.value > each.bound for each in found)


def test_the_draws_of_a_conversation_are_repeated_by_line_and_with_the_right_seed_only() -> None:
    scenes = list(conversations(60))
    right, wrong = timing_report(scenes, seed=SEED), timing_report(scenes, seed=SEED + 1)
    for name in ("leading_silence", "floor_transfer", "stop_latency", "backchannel_delay"):
        assert right.duration(name).moved == 0 and wrong.duration(name).moved == right.duration(name).n > 0
    assert timing_report(scenes).duration("overlap").moved is None


def corpus(path: Path, turns: int = 400) -> Path:
    gap, pause = LogNormal(median_s=0.3, sigma=0.6, low_s=0.05, high_s=2.0), Uniform(low_s=1.0, high_s=2.0)
    generator = named_generator(3, "corpus", "test")
    rows, now = [], 0.0
    for turn in range(turns):
        for silence in (pause.sample(generator), gap.sample(generator)):
            rows.append(f"SPEAKER call 1 {now:.3f} 1.300 <NA> <NA> {'甲乙'[turn % 2]} <NA> <NA>\n")
            now += 1.3 + silence
    path.write_text("".join(rows), encoding="utf-8")
    return path


def test_the_command_writes_a_section_that_a_configuration_takes(tmp_path: Path) -> None:
    output, out = tmp_path / "timing.yaml", io.StringIO()
    timing_fit_command([corpus(tmp_path / "通话.rttm")], output, Console(file=out, width=200))
    section = yaml.safe_load(output.read_text(encoding="utf-8"))
    assert list(section) == ["scenes"] and set(section["scenes"]) == {"floor_transfer", "pause"}
    assert "通话.rttm" in output.read_text(encoding="utf-8")
    assert "scenes.floor_transfer" in out.getvalue() and "KS" in out.getvalue()
    config = load_config(draft_config(tmp_path, **section))
    assert isinstance(config.scenes.floor_transfer, LogNormal)
    assert config.scenes.floor_transfer.median_s == pytest.approx(0.3, rel=0.1)
    before = output.read_bytes()
    timing_fit_command([corpus(tmp_path / "通话.rttm")], output, Console(file=io.StringIO()))
    assert output.read_bytes() == before


def test_without_an_output_the_section_is_printed(tmp_path: Path) -> None:
    out = io.StringIO()
    timing_fit_command([corpus(tmp_path / "a.rttm")], None, Console(file=out, width=200))
    assert "\nscenes:\n" in out.getvalue()


def test_errors_are_one_sentence(tmp_path: Path) -> None:
    console, output = Console(file=io.StringIO()), tmp_path / "timing.yaml"
    three = tmp_path / "three.rttm"
    three.write_text(
        "".join(f"SPEAKER call 1 {k}.0 0.5 <NA> <NA> {'ABC'[k]} <NA> <NA>\n" for k in range(3)), encoding="utf-8"
    )
    for files, problem in (
        ([], "name at least one"),
        ([tmp_path / "none.rttm"], "no such file"),
        ([three], "call: has 3 speakers (A, B, C)"),
    ):
        with pytest.raises(ConfigError) as caught:
            timing_fit_command(files, output, console)
        assert problem in str(caught.value)
    with pytest.raises(ConfigError, match="is a directory"):
        timing_fit_command([three], tmp_path, console)
    with pytest.raises(HumdialError, match="too little to learn from"):
        timing_fit_command([three], output, console, speakers=("A", "B"))
    assert not output.exists()
