"""Which utterances the judges send back, and how that is counted."""

from __future__ import annotations

import pytest

from data_schemas.finding import Finding, Severity
from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.item import ASSISTANT_WAV, USER_WAV, Item, turn_wav
from data_schemas.layouts.registry import layout
from data_schemas.tasks import Channel, Language, Track
from flows.release.speech_report import count_speech
from flows.shards.blame import Retake, misspoken
from tests.support.spoken_release import make_conversation_item, make_dialogue_item

LAYOUTS = {Track.EMOTION: layout("track1-seed"), Track.DUPLEX: layout("track2")}


def said(
    item: Item,
    staged: str,
    code: str = "TRANSCRIPT.ERRORS",
    span: tuple[float, float] | None = None,
    severity: Severity = Severity.ERROR,
) -> Finding:
    start, stop = span or (None, None)
    home = LAYOUTS[item.plan.task.track]
    return Finding(
        code=code,
        severity=severity,
        item=home.item_id(item),
        file=home.audio_files(item)[staged],
        start=start,
        stop=stop,
        message="听到别的话",
        validator="test/1",
    )


def blamed(item: Item, *findings: Finding) -> dict[str, tuple[str, ...]]:
    return misspoken(item, LAYOUTS[item.plan.task.track], findings)


@pytest.mark.parametrize("language", list(Language))
def test_a_misread_turn_is_the_utterance_of_its_file(language: Language) -> None:
    item = make_dialogue_item(language, 3, 1)
    findings = [said(item, turn_wav(2)), said(item, turn_wav(2), "LANGUAGE.AUDIO"), said(item, turn_wav(3))]
    second, third = item.utterances[1].id, item.utterances[2].id
    assert blamed(item, *findings) == {second: ("LANGUAGE.AUDIO", "TRANSCRIPT.ERRORS"), third: ("TRANSCRIPT.ERRORS",)}


@pytest.mark.parametrize("channel", list(Channel))
def test_in_a_scene_it_is_the_utterance_that_sounds_there(channel: Channel) -> None:
    item = make_conversation_item(Language.ZH, 1)
    assert item.scene is not None
    staged = {Channel.USER: USER_WAV, Channel.ASSISTANT: ASSISTANT_WAV}[channel]
    for placement in (one for one in item.scene.placements if one.channel is channel):
        edges = (placement.start / SAMPLE_RATE_HZ, placement.stop / SAMPLE_RATE_HZ)
        span = (edges[0] + 0.01, edges[1] - 0.01)
        assert list(blamed(item, said(item, staged, span=span))) == [placement.utterance_id]


def test_nothing_is_spoken_again_where_that_would_not_help() -> None:
    item = make_dialogue_item(Language.EN, 3, 1)
    misread = said(item, turn_wav(1))
    assert blamed(item, misread, said(item, turn_wav(2), "AUDIO.DURATION")) == {}
    assert blamed(item, misread, misread.model_copy(update={"file": None})) == {}
    assert blamed(item, misread, misread.model_copy(update={"file": "track1/elsewhere.wav"})) == {}
    assert blamed(item, said(item, turn_wav(2), "TRANSCRIPT.END", severity=Severity.WARNING)) == {}
    assert blamed(item) == {}


def test_in_a_scene_nobody_is_blamed_without_a_place() -> None:
    item = make_conversation_item(Language.EN, 1)
    assert item.scene is not None
    end = item.scene.num_samples / SAMPLE_RATE_HZ
    assert blamed(item, said(item, USER_WAV)) == {}
    assert blamed(item, said(item, USER_WAV, span=(0.0, end))) == {}


def test_the_report_counts_per_voice() -> None:
    voice = "zf_xiaoxiao"
    retakes = [
        Retake(utterance="小明/1", voice=voice, codes=("TRANSCRIPT.GAP",), tries=2, mended=True),
        Retake(utterance="elsewhere/1", voice="zm_yunxi", codes=("TRANSCRIPT.GAP",), tries=3, mended=False),
    ]
    report = count_speech([("kokoro", voice, 1, 1), ("kokoro", voice, 2, 1), ("kokoro", voice, 1, 1)], retakes, tries=3)
    rows = {row["voice"]: row for row in report["voices"]}
    assert report["because_of"] == {"TRANSCRIPT.GAP": 2}
    assert rows[voice]["utterances"] == 3
    assert (rows[voice]["spoken_again"], rows[voice]["mended"], rows[voice]["given_up"]) == (1, 1, 0)
    assert rows[voice]["released_by_try"] == [2, 1, 0]
    assert rows[voice]["share_spoken_again"] == pytest.approx(1 / 3, abs=1e-4)
    assert (rows["zm_yunxi"]["utterances"], rows["zm_yunxi"]["given_up"]) == (0, 1)
    assert rows["zm_yunxi"]["share_spoken_again"] == 1.0
