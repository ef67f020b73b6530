"""Conversations of many turns: every rule of their timing, over seeds, orders of lines and lengths."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from data_schemas.conversation import hosts
from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.scene import EventKind, Placement, Scene, SceneEvent
from data_schemas.script import Script
from data_schemas.tags import BREAK_TAG
from data_schemas.tasks import Channel, Language, Part, Role
from data_schemas.utterance import Utterance, WordTiming
from generators.scenes.conversation.settings import ConversationSettings
from generators.scenes.duplex.composer import SceneImpossible, compose
from generators.scenes.heard import phrase_ends
from generators.scenes.hesitation import HesitationSettings
from generators.scenes.mixer import render
from generators.scenes.settings import SceneSettings
from generators.scenes.timing.distributions import Fixed, LogNormal, Uniform
from tests.support.conversation_factory import make_conversation
from tests.support.scene_factory import make_plan, make_utterance, make_utterances, noise_loader

RATE = SAMPLE_RATE_HZ
DEFAULTS = SceneSettings()
RULES = DEFAULTS.conversation
#: Usual lengths in seconds, by part.
USUAL_S = {Part.QUERY: 4.0, Part.INTERRUPTION: 3.0, Part.REPLY: 9.0, Part.BACKCHANNEL: 0.4}

seeds = st.integers(0, 2**31 - 1)
languages = st.sampled_from(list(Language))


@st.composite
def orders(draw: st.DrawFn) -> str:
    """The letters of a valid conversation of two to six turns: `data_schemas.conversation`'s grammar, spelled out."""
    few = st.sampled_from([0, 0, 0, 1, 1, 2, 3])
    lines = ""
    for turn in range(draw(st.integers(2, 6))):
        taker = draw(st.sampled_from("qi")) if turn else "q"
        lines += taker + "l" * draw(few) + "r" + "b" * draw(few)
    return lines


#: Seconds of each line by its part: from a syllable to a lecture, and mostly what people say.
_lengths = {
    Part.QUERY: st.one_of(st.floats(0.2, 2.0), st.floats(2.0, 8.0), st.floats(8.0, 40.0)),
    Part.INTERRUPTION: st.one_of(st.floats(0.2, 2.0), st.floats(2.0, 8.0)),
    Part.REPLY: st.one_of(st.floats(0.2, 3.0), st.floats(3.0, 15.0), st.floats(3.0, 15.0), st.floats(15.0, 60.0)),
    Part.BACKCHANNEL: st.floats(0.2, 1.0),
}


def wordy(**changes: Any) -> SceneSettings:
    """Settings with other rules of conversations."""
    return SceneSettings(conversation=ConversationSettings(**changes))


def spoken(script: Script, samples: list[int]) -> tuple[Utterance, ...]:
    """Line ``n`` lasts ``samples[n - 1]``."""
    return tuple(
        make_utterance(f"p1/{number}", line.role, line.text, length, script.language, part=line.part)
        for number, (line, length) in enumerate(zip(script.lines, samples, strict=True), start=1)
    )


def usual(script: Script, **lengths_s: float) -> list[int]:
    wanted = USUAL_S | {Part(name): length for name, length in lengths_s.items()}
    return [round(wanted[line.part] * RATE) for line in script.lines]


def build(
    lines: str,
    seed: int = 7,
    language: Language = Language.EN,
    scenes: SceneSettings = DEFAULTS,
    samples: Callable[[Script], list[int]] = usual,
) -> tuple[Scene, Script, tuple[Utterance, ...]]:
    script = make_conversation(language, lines)
    utterances = spoken(script, samples(script))
    return compose(make_plan(script), script, utterances, scenes, seed), script, utterances


def line(scene: Scene, number: int) -> Placement:
    (found,) = [each for each in scene.placements if each.line == number]
    return found


def events(scene: Scene, *kinds: EventKind) -> list[SceneEvent]:
    return [each for each in scene.events if each.kind in kinds]


def check_lines(scene: Scene, script: Script, utterances: tuple[Utterance, ...]) -> None:
    """Every line is placed once; a party's own lines lie apart; what is cut says a beginning of what was planned."""
    assert [each.line for each in sorted(scene.placements, key=lambda each: each.line)] == [
        *range(1, len(script.lines) + 1)
    ]
    assert list(scene.placements) == sorted(scene.placements, key=lambda each: each.start)
    gap = round(RULES.own_channel_gap_s * RATE)
    for channel in Channel:
        own = [each for each in scene.placements if each.channel is channel]
        assert all(after.start - before.stop >= gap for before, after in pairwise(own))
    for each in scene.placements:
        utterance, written = utterances[each.line - 1], script.lines[each.line - 1]
        assert (each.role, each.part) == (written.role, written.part)
        assert each.channel is (Channel.USER if each.role is Role.USER else Channel.ASSISTANT)
        assert each.planned_text == written.text and each.planned_text.startswith(each.heard_text)
        if each.cut:
            assert each.stop - each.start < utterance.num_samples and each.heard_text != each.planned_text
        else:
            assert each.stop - each.start == utterance.num_samples
            assert each.heard_text == each.planned_text and each.fade_out == 0
    tail = (scene.num_samples - max(each.stop for each in scene.placements)) / RATE
    assert RULES.tail.lower_s <= tail <= RULES.tail.upper_s + 0.001 and scene.num_samples % (RATE // 1000) == 0


def check_segments(scene: Scene) -> None:
    """The user's lines as they are heard, in order, and nothing of the assistant's."""
    user = [each for each in scene.placements if each.role is Role.USER]
    assert [(each.line, each.start, each.stop, each.text, each.part) for each in scene.segments] == [
        (each.line, each.start, each.stop, each.heard_text, each.part) for each in user
    ]


def check_floor(scene: Scene) -> None:
    """Disjoint, only by who speaks a turn at that time, and never empty while a turn sounds."""
    turns = [each for each in scene.placements if each.part is not Part.BACKCHANNEL]
    previous = 0
    for hold in scene.floor:
        assert previous <= hold.start < hold.stop
        previous = hold.stop
        own = [each for each in turns if each.channel is hold.holder]
        assert any(each.start <= hold.start and hold.stop <= each.stop for each in own)
    held = sum(hold.stop - hold.start for hold in scene.floor)
    sounding = np.zeros(scene.num_samples, dtype=bool)
    for each in turns:
        sounding[each.start : each.stop] = True
    assert held == int(sounding.sum())


def check_backchannels(scene: Scene, script: Script, utterances: tuple[Utterance, ...]) -> None:
    """Inside the other party's heard speech, after enough of it, not too soon after the last, at a phrase end."""
    into = hosts(script.planned_lines)
    listed = events(scene, EventKind.BACKCHANNEL)
    assert sorted(each.line or 0 for each in listed) == [
        each.line for each in sorted(scene.placements, key=lambda p: p.line) if each.part is Part.BACKCHANNEL
    ]
    for event in listed:
        assert event.line is not None and event.target == into[event.line - 1]
        own, host = line(scene, event.line), line(scene, event.target)
        assert (event.start, event.stop, event.channel) == (own.start, own.stop, own.channel)
        assert own.channel is not host.channel
        assert own.start - host.start >= round(RULES.backchannel_after_speech_s * RATE)
        assert own.stop < host.stop and (host.cut or host.stop - own.stop >= round(RULES.backchannel_rest_s * RATE))
        if event.latency is not None:
            cue = own.start - event.latency - host.start
            assert cue in phrase_ends(utterances[host.line - 1])
            assert cue >= round(RULES.backchannel_after_speech_s * RATE)
            assert 0.0499 <= event.latency / RATE <= 0.7001
    for one in listed:
        for other in listed:
            if one.channel is other.channel and one.start < other.start:
                assert other.start - one.stop >= round(RULES.backchannel_refractory_s * RATE)


def check_turns(scene: Scene, script: Script) -> None:
    """Each turn follows, overlaps, talks over or barges into the one before, and the events say which."""
    turns = [each for each in scene.placements if each.part is not Part.BACKCHANNEL]
    turns.sort(key=lambda each: each.line)
    said = {each.line: each for each in events(scene, EventKind.OVERLAP, EventKind.TALK_OVER, EventKind.BARGE_IN)}
    stops = {each.target: each for each in events(scene, EventKind.ASSISTANT_STOP, EventKind.USER_STOP)}
    must_stop = {each.line for each in turns if each.part is Part.INTERRUPTION}
    for before, after in pairwise(turns):
        assert before.start < after.start
        event, stop = said.get(after.line), stops.get(after.line)
        assert (stop is not None) == before.cut
        if stop is not None:
            check_stop(stop, before, after)
        if after.line in must_stop:
            assert event is not None and event.kind is EventKind.BARGE_IN and event.target == before.line
            assert (event.start, event.stop, event.channel) == (after.start, after.stop, Channel.USER)
            assert after.start - before.start >= DEFAULTS.min_reply_heard_s * RATE
            assert before.cut and stop is not None and stop.kind is EventKind.ASSISTANT_STOP
        elif after.start < before.stop:
            assert event is not None and event.kind in (EventKind.OVERLAP, EventKind.TALK_OVER)
            check_overlap(event, before, after)
        else:
            assert event is None and not before.cut
            assert (after.start - before.stop) / RATE >= 0.0499
    assert set(said) <= {each.line for each in turns} and set(stops) <= {each.line for each in turns}


def check_overlap(event: SceneEvent, before: Placement, after: Placement) -> None:
    assert (event.start, event.stop, event.target) == (after.start, before.stop, before.line)
    assert event.channel is after.channel and after.stop > before.stop
    depth = -event.latency if event.latency is not None else before.stop - after.start
    assert depth <= RULES.max_overlap_part * (after.stop - after.start) or after.cut
    if event.kind is EventKind.OVERLAP:
        assert 0.0499 <= depth / RATE <= 1.0001 and not before.cut
        assert 2 * depth <= before.stop - before.start
        assert after.start - before.start >= RULES.min_alone_s * RATE
    else:
        assert after.role is Role.ASSISTANT and 1.1999 <= depth / RATE <= 2.5001
        assert before.cut == (before.stop - after.start < depth)


def check_stop(stop: SceneEvent, host: Placement, by: Placement) -> None:
    """Who is cut goes on for the latency, fades and is silent."""
    assert (stop.line, stop.target, stop.channel) == (host.line, by.line, host.channel)
    assert stop.kind is (EventKind.USER_STOP if host.role is Role.USER else EventKind.ASSISTANT_STOP)
    assert stop.latency == host.stop - by.start and 0.1999 <= stop.latency / RATE <= 0.6401
    assert stop.stop == host.stop and host.fade_out == stop.stop - stop.start == round(0.04 * RATE)
    assert host.role is Role.ASSISTANT or host.heard_text


def check(scene: Scene, script: Script, utterances: tuple[Utterance, ...]) -> None:
    check_lines(scene, script, utterances)
    check_segments(scene)
    check_floor(scene)
    check_backchannels(scene, script, utterances)
    check_turns(scene, script)


@pytest.mark.statistics
@given(data=st.data(), lines=orders(), language=languages, seed=seeds, often=st.booleans())
@settings(max_examples=400, deadline=None)
def test_every_conversation_keeps_the_rules_or_is_refused_with_a_sentence(
    data: st.DataObject, lines: str, language: Language, seed: int, often: bool
) -> None:
    scenes = wordy(overlap_share=0.6, talk_over_share=0.6, user_yields_share=0.6) if often else DEFAULTS

    def samples(script: Script) -> list[int]:
        return [round(data.draw(_lengths[each.part]) * RATE) for each in script.lines]

    script = make_conversation(language, lines)
    plan, utterances = make_plan(script), spoken(script, samples(script))
    try:
        scene = compose(plan, script, utterances, scenes, seed)
    except SceneImpossible as refusal:
        assert "p1: the " in str(refusal) and "write a longer" in str(refusal)
        assert set(lines) & set("ilb")  # turns alone always fit
        return
    check(scene, script, utterances)
    assert compose(plan, script, utterances, scenes, seed) == scene
    assert Scene.from_json_line(scene.to_json_line()) == scene


@given(lines=orders(), language=languages, seed=seeds)
@settings(max_examples=150, deadline=None)
def test_lines_of_generous_length_are_never_refused(lines: str, language: Language, seed: int) -> None:
    scene, script, utterances = build(
        lines, seed, language, samples=lambda s: usual(s, query=8.0, interruption=8.0, reply=15.0)
    )
    check(scene, script, utterances)


@given(turns=st.integers(2, 6), length=st.floats(0.2, 1.0), seed=seeds)
@settings(max_examples=60, deadline=None)
def test_very_short_turns_alone_always_fit(turns: int, length: float, seed: int) -> None:
    brief = wordy(overlap_share=1.0, talk_over_share=1.0)
    scene, script, utterances = build(
        "qr" * turns, seed, scenes=brief, samples=lambda s: usual(s, query=length, reply=length)
    )
    check(scene, script, utterances)
    assert not events(scene, EventKind.TALK_OVER)


@pytest.mark.parametrize("language", list(Language))
def test_everything_happens_and_renders(language: Language) -> None:
    kinds: set[EventKind] = set()
    for seed in range(30):
        scene, script, utterances = build("qlrbirqr", seed, language)
        check(scene, script, utterances)
        kinds |= {each.kind for each in scene.events}
        if seed % 10 == 0:
            check_sound(scene, utterances)
    assert kinds == {
        EventKind.BACKCHANNEL,
        EventKind.BARGE_IN,
        EventKind.ASSISTANT_STOP,
        EventKind.OVERLAP,
        EventKind.TALK_OVER,
        EventKind.USER_STOP,
    }


def check_sound(scene: Scene, utterances: tuple[Utterance, ...]) -> None:
    """At nearly full scale nothing clips, for nobody speaks over themselves; and who is cut is silent."""
    load = noise_loader(utterances, peak=0.99)
    channels = render(scene, load)
    for channel, heard in channels.items():
        sounding = np.zeros(scene.num_samples, dtype=bool)
        for each in scene.placements:
            if each.channel is channel:
                sounding[each.start : each.stop] = True
                whole = each.stop - each.start - each.fade_out
                assert np.array_equal(heard[each.start :][:whole], load(each.utterance_id)[:whole])
        assert not heard[~sounding].any()


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_other_seeds_and_other_items_give_other_times(seed: int) -> None:
    script = make_conversation()
    starts = []
    for plan_id, its_seed in (("p1", seed), ("p2", seed), ("p1", seed + 1)):
        plan = make_plan(script, plan_id)
        utterances = make_utterances(plan, script, lambda part, piece: round(USUAL_S[part] * RATE))
        scene = compose(plan, script, utterances, DEFAULTS, its_seed)
        starts.append(tuple(each.start for each in scene.placements))
    assert len(set(starts)) == 3


@given(seed=seeds, longer=st.floats(0.5, 10.0))
@settings(max_examples=60, deadline=None)
def test_a_line_changes_nothing_before_it_and_no_draw_after_it(seed: int, longer: float) -> None:
    def stretched(script: Script) -> list[int]:
        samples = usual(script)
        samples[4] += round(longer * RATE)
        return samples

    lines = "qrqrqrqrqr"
    before, _, _ = build(lines, seed)
    after, _, _ = build(lines, seed, samples=stretched)
    moved = line(after, 5).stop - line(before, 5).stop
    assert moved == round(longer * RATE)
    assert [line(before, n).start for n in range(1, 6)] == [line(after, n).start for n in range(1, 6)]
    talked_over = {each.line for scene in (before, after) for each in events(scene, EventKind.TALK_OVER)}
    if 6 not in talked_over:  # how deep it goes, and whether the user yields, depends on the length talked over
        assert {line(after, n).start - line(before, n).start for n in range(6, 11)} == {moved}


def test_every_gap_and_every_stop_is_drawn_by_its_own_name() -> None:
    never = wordy(overlap_share=0.0, talk_over_share=0.0)
    scene, _, _ = build("qrirqrir", scenes=never)
    gaps = {line(scene, n).start - line(scene, n - 1).stop for n in (2, 4, 5, 6, 8)}
    latencies = {each.latency for each in events(scene, EventKind.ASSISTANT_STOP)}
    delays = {line(scene, n).start - line(scene, n - 1).start for n in (3, 7)}
    assert (len(gaps), len(latencies), len(delays)) == (5, 2, 2)


def test_shares_of_one_and_of_zero_are_kept() -> None:
    always, _, _ = build("qrqrqr", scenes=wordy(overlap_share=1.0, talk_over_share=0.0))
    assert [each.line for each in events(always, EventKind.OVERLAP)] == [2, 3, 4, 5, 6]
    over, _, _ = build("qrqrqr", scenes=wordy(overlap_share=0.0, talk_over_share=1.0, user_yields_share=0.0))
    assert [(each.kind, each.line) for each in over.events] == [(EventKind.TALK_OVER, n) for n in (2, 4, 6)]
    assert not any(each.cut for each in over.placements)
    yields, _, _ = build("qrqrqr", scenes=wordy(overlap_share=0.0, talk_over_share=1.0, user_yields_share=1.0))
    assert [each.target for each in events(yields, EventKind.USER_STOP)] == [2, 4, 6]
    assert [each.line for each in yields.placements if each.cut] == [1, 3, 5]
    assert all(each.text != line(yields, each.line).planned_text for each in yields.segments)


def test_who_would_not_have_been_heard_does_not_yield() -> None:
    script = make_conversation(Language.EN, "qr")
    (query, reply) = spoken(script, usual(script))
    # the aligner has the first word end late
    mumbled = query.model_copy(update={"words": (WordTiming(text="Hi", start=0, stop=round(3.95 * RATE)),)})
    over = wordy(talk_over_share=1.0, user_yields_share=1.0)
    scene = compose(make_plan(script), script, (mumbled, reply), over, 7)
    assert [each.kind for each in scene.events] == [EventKind.TALK_OVER]
    assert scene.segments[0].text == script.lines[0].text


def test_a_backchannel_without_a_phrase_end_in_reach_has_no_latency_and_keeps_the_other_rules() -> None:
    script = make_conversation(Language.ZH, "qlr", {1: "我妹妹周五要过来你说带她去哪儿玩好"})
    utterances = spoken(script, usual(script))
    scene = compose(make_plan(script), script, utterances, DEFAULTS, 3)
    check_backchannels(scene, script, utterances)
    (event,) = events(scene, EventKind.BACKCHANNEL)
    assert event.latency is None


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_backchannels_leave_a_phrase_end_to_each_that_follows(seed: int) -> None:
    phrase = "一二三四五六七八九十"
    script = make_conversation(Language.ZH, "qrbbb", {2: "，".join([phrase] * 4)})
    utterances = spoken(script, usual(script, reply=12.0))
    scene = compose(make_plan(script), script, utterances, DEFAULTS, seed)
    check_backchannels(scene, script, utterances)
    assert all(each.latency is not None for each in events(scene, EventKind.BACKCHANNEL))


@given(seed=seeds)
@settings(max_examples=60, deadline=None)
def test_an_overlap_leaves_room_for_the_barge_in_to_come(seed: int) -> None:
    deep = wordy(overlap_share=1.0, talk_over_share=0.0, overlap=Uniform(low_s=0.84, high_s=1.0))
    scene, script, utterances = build("qrir", seed, scenes=deep, samples=lambda s: usual(s, query=8.0, reply=2.1))
    check(scene, script, utterances)
    # half of the reply would be 1.05 s; 0.2 s to speak again, 0.64 s to stop and 0.4 s unheard leave 0.86 s
    assert 0.8399 <= (line(scene, 1).stop - line(scene, 2).start) / RATE <= 0.8601


def test_what_has_no_room_is_refused_with_the_way_out() -> None:
    with pytest.raises(SceneImpossible, match=r"p1: the query of line 1 has room .* line 2 needs .* write a longer"):
        build("qlr", samples=lambda script: usual(script, query=1.0))
    with pytest.raises(SceneImpossible, match=r"reply of line 2 .* line 3, 4, 5 needs .* fewer and shorter"):
        build("qrbbbqr", samples=lambda script: usual(script, reply=3.0))
    with pytest.raises(SceneImpossible, match=r"reply of line 2 lasts 1\.00 s; the interruption of line 3 may start"):
        build("qrir", samples=lambda script: usual(script, reply=1.0))
    with pytest.raises(SceneImpossible, match=r"reply of line 2 has room for backchannels .* line 3 needs"):
        build("qrbir", samples=lambda script: usual(script, reply=2.2, backchannel=1.0))


@given(seed=seeds, language=languages)
@settings(max_examples=60, deadline=None)
def test_pauses_inside_a_users_line_are_kept_and_stay_one_segment(seed: int, language: Language) -> None:
    plain = make_conversation(language, "qlrqr")
    halves = {
        Language.EN: ("Well, I would like", "to see the wall,", "please."),
        Language.ZH: ("我想", "去城墙，", "行吗？"),
    }
    text = f" {BREAK_TAG} ".join(halves[language])
    # scripts of conversations have no [break] yet, scenes can place it
    script = plain.model_copy(update={"lines": (plain.lines[0].model_copy(update={"text": text}), *plain.lines[1:])})
    plan = make_plan(plain)
    utterances = make_utterances(plan, script, lambda part, piece: round(USUAL_S[part] * RATE))
    over = SceneSettings(
        hesitation=HesitationSettings(fillers="off"),
        conversation=ConversationSettings(talk_over_share=0.5, user_yields_share=0.5),
    )
    scene = compose(plan, script, utterances, over, seed)
    pieces = [each for each in scene.placements if each.line == 1]
    pauses = events(scene, EventKind.PAUSE)
    assert [(each.start, each.stop) for each in pauses] == [(a.stop, b.start) for a, b in pairwise(pieces)]
    assert {each.line for each in pauses} == {1} and len({each.stop - each.start for each in pauses}) == 2
    assert all(1.0 <= (each.stop - each.start) / RATE <= 3.0 for each in pauses)
    segment = scene.segments[0]
    assert (segment.start, segment.stop) == (pieces[0].start, pieces[-1].stop)
    assert segment.text.count(f" {BREAK_TAG} ") == 2 and text.startswith(segment.text)
    (backchannel,) = events(scene, EventKind.BACKCHANNEL)
    assert pieces[0].start < backchannel.start and backchannel.stop < pieces[-1].stop


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"talk_over": Uniform(low_s=0.5, high_s=2.0)}, "keep talk_over above overlap"),
        ({"overlap": Uniform(low_s=0.0, high_s=0.5)}, "overlap must be above 0 s"),
        ({"overlap": LogNormal(median_s=0.2, sigma=0.5, low_s=0.1, high_s=1.2)}, "keep talk_over above overlap"),
        ({"backchannel_refractory_s": 0.19}, "at least own_channel_gap_s"),
        ({"own_channel_gap_s": 0.18}, "own_channel_gap_s"),
        ({"overlap_share": 1.1}, "overlap_share"),
        ({"barge_inn": Fixed(value_s=1.0)}, "barge_inn"),
    ],
)
def test_rules_that_contradict_each_other_are_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        ConversationSettings(**changes)


def test_every_rule_can_be_set_in_yaml() -> None:
    section = {"conversation": RULES.model_dump(mode="json") | {"talk_over": {"kind": "fixed", "value_s": 1.5}}}
    assert SceneSettings.model_validate(section).conversation.talk_over == Fixed(value_s=1.5)
