"""The shipped quickstart pack: enough of everything, and every script keeps the rules."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from data_schemas.conversation import conversation_turns
from data_schemas.plan import QUESTION_TASKS
from data_schemas.script import Script
from data_schemas.tags import strip_tags, tags_in
from data_schemas.tasks import SUB_TASKS, TRACK1_TASKS, TURNS_OF_TASK, Language, Part, Role, Task
from generators.scripts.packs import load_packs
from generators.scripts.settings import ScriptSettings
from validators.core.thresholds import Thresholds
from validators.text.near_duplicates import NearDuplicates
from validators.text.rules import judge_scripts

SINGLE_TURN = 8
DIALOGUES_PER_TURNS = 6
SCENES_PER_SUB_TASK = 4
#: third party before and after are one sub-task of the nine, split in two folders
SUB_TASKS = [(task,) for task in SUB_TASKS if not task.startswith("third_party")] + [
    (Task.THIRD_PARTY_BEFORE, Task.THIRD_PARTY_AFTER)
]
#: Share of common word or character runs above which two scripts tell a story in the same words.
SAME_WORDS = 0.15
#: A reply must still sound 4 s after the query and be cut then: spoken characters per second are
#: at most about 6 in Chinese and 17 in English.
LONGEST_EVENT_S = 8
CHARACTERS_PER_SECOND = {Language.ZH: 6, Language.EN: 17}


@pytest.fixture(scope="module")
def pack() -> tuple[Script, ...]:
    return load_packs(ScriptSettings(), Path.cwd())


def counts(pack: tuple[Script, ...], language: Language) -> Counter[tuple[Task, int]]:
    return Counter((script.task, script.outline().turns) for script in pack if script.language is language)


@pytest.mark.parametrize("language", Language)
def test_enough_dialogues_of_every_task_and_length(pack: tuple[Script, ...], language: Language) -> None:
    have = counts(pack, language)
    assert have[Task.RECOGNITION, 1] >= SINGLE_TURN
    for task in QUESTION_TASKS:
        for turns in TURNS_OF_TASK[task]:
            assert have[task, turns] >= DIALOGUES_PER_TURNS, (language, task, turns)
    for turns in TURNS_OF_TASK[Task.EMPATHY]:
        assert have[Task.EMPATHY, turns] >= 1, (language, turns)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("tasks", SUB_TASKS, ids="+".join)
def test_enough_scenes_of_every_sub_task(pack: tuple[Script, ...], language: Language, tasks: tuple[Task, ...]) -> None:
    assert sum(counts(pack, language)[task, 1] for task in tasks) >= SCENES_PER_SUB_TASK


def test_every_script_keeps_the_rules(pack: tuple[Script, ...]) -> None:
    assert judge_scripts(pack, Thresholds()) == ()


def test_no_script_is_nearly_another_one(pack: tuple[Script, ...]) -> None:
    known = NearDuplicates(Thresholds())
    for script in pack:
        assert known.judge(script) == ()
        known.add(script)


def test_ids_tell_language_task_and_place(pack: tuple[Script, ...]) -> None:
    for script in pack:
        turns = f"-{len(script.turns)}" if script.turns else ""
        assert script.script_id.startswith(f"{script.language}-{script.task}{turns}-"), script.script_id


def test_inline_tags_are_used_in_both_languages(pack: tuple[Script, ...]) -> None:
    for language in Language:
        texts = [
            turn.text
            for script in pack
            if script.language is language and script.task in TRACK1_TASKS
            for turn in script.turns
        ]
        used = {tag for text in texts for tag in tags_in(text)}
        assert {"[sigh]", "[laughter]", "[clears throat]"} <= used, language
        assert all(strip_tags(text) for text in texts)


def test_no_two_scripts_share_a_plot_in_the_same_words(pack: tuple[Script, ...]) -> None:
    for language in Language:
        grams = {script.script_id: shingles(script) for script in pack if script.language is language}
        for (first, a), (second, b) in combinations(grams.items(), 2):
            assert len(a & b) / min(len(a), len(b)) < SAME_WORDS, (first, second)


def shingles(script: Script) -> frozenset[tuple[str, ...]]:
    """Runs of three words (English) or four characters (Chinese)."""
    text = " ".join([turn.text for turn in script.turns] + [line.text for line in script.lines])
    size, units = (3, re.findall(r"[a-z0-9']+", text.casefold()))
    if script.language is Language.ZH:
        size, units = 4, re.findall(r"[\u4e00-\u9fff]", text)
    return frozenset(zip(*(units[start:] for start in range(size)), strict=False))


def test_replies_that_are_spoken_into_are_long_enough(pack: tuple[Script, ...]) -> None:
    hosts: dict[Task, Part] = {
        task: Part.REPLY for task in SUB_TASKS if task not in (Task.PAUSE, Task.THIRD_PARTY_BEFORE)
    }
    hosts[Task.SPEECH_TO_OTHERS] = Part.SECOND_REPLY
    for script in pack:
        for line in script.lines:
            if hosts.get(script.task) is line.part:
                least = LONGEST_EVENT_S * CHARACTERS_PER_SECOND[script.language]
                assert len(strip_tags(line.text)) >= least, (script.script_id, len(line.text), least)


@pytest.mark.parametrize("language", Language)
def test_conversations_cover_what_a_conversation_can_be(pack: tuple[Script, ...], language: Language) -> None:
    talks = [one for one in pack if one.task is Task.CONVERSATION and one.language is language]
    assert [one.script_id for one in talks] == [f"{language}-conversation-{number:02d}" for number in range(1, 9)]
    assert len({one.domain for one in talks}) == len(talks)
    lengths = Counter(conversation_turns(one.planned_lines) for one in talks)
    assert all(lengths[turns] >= 2 for turns in (2, 3, 4)), "a quota of two for each of 2, 3 and 4 turns fits"
    assert lengths[5] >= 1
    kinds = Counter((line.role, line.part) for one in talks for line in one.lines)
    assert kinds[Role.USER, Part.INTERRUPTION] >= 8
    assert kinds[Role.USER, Part.BACKCHANNEL] >= 6
    assert kinds[Role.ASSISTANT, Part.BACKCHANNEL] >= 2
    assert any(all(line.part is not Part.INTERRUPTION for line in one.lines) for one in talks), "plain turns too"
