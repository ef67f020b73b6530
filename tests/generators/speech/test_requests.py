"""From plan and script to utterances in the store, spoken by espeak-ng."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from data_schemas.emotions import Emotion
from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.foundation.randomness import named_seed
from data_schemas.script import Script, ScriptProvenance, ScriptTurn
from data_schemas.tasks import Language, Part, Role, Task
from data_schemas.utterance import Provenance, SpeechRequest
from generators.scenes.hesitation import HesitationSettings
from generators.speech.engine import Control, EngineError, RawSpeech
from generators.speech.espeak.engine import EspeakEngine
from generators.speech.expression.draw import draw_expression
from generators.speech.finish import FINISH_VERSION
from generators.speech.requests import PlannedUtterance, another_try, is_reply, utterance_requests
from generators.speech.settings import SpeechSettings
from generators.speech.speak import audio_recipe, keep, load_samples, speak
from generators.store import Store, key_of
from tests.support.scene_factory import make_plan, make_script

SETTINGS = SpeechSettings(engine="espeak")
SEED = 7
OFF = HesitationSettings(fillers="off")


class CountingEngine(EspeakEngine):
    """espeak that counts its work."""

    def __init__(self) -> None:
        self.spoken = 0

    def synthesise(self, request: SpeechRequest) -> RawSpeech:
        self.spoken += 1
        return super().synthesise(request)


class EmotionalEngine(EspeakEngine):
    controls = frozenset({Control.EMOTION, Control.SEED})


def emotion_script() -> Script:
    turns = [
        ("我等了他2个小时，气死我了！[sigh]", Emotion.ANGER, 3),
        ("他居然说8月15号才到！", Emotion.SURPRISE, 2),
        ("你说我的心情是怎么变的？", Emotion.NEUTRAL, 0),
    ]
    return Script(
        script_id="zh-trajectory-test",
        task=Task.TRAJECTORY,
        language=Language.ZH,
        domain="delivery",
        turns=tuple(
            ScriptTurn(text=text, emotion=emotion, intensity=intensity, cause="等人", response_text="先生气，后惊讶。")
            for text, emotion, intensity in turns
        ),
        provenance=ScriptProvenance(writer="pack", author="tests", version="1"),
    )


def planned(
    script: Script,
    engine: EspeakEngine | None = None,
    hesitation: HesitationSettings | None = None,
    **changes: object,
) -> tuple[PlannedUtterance, ...]:
    settings = SETTINGS.model_copy(update=changes)
    chosen = hesitation or HesitationSettings()
    return utterance_requests(make_plan(script), script, settings, chosen, engine or EspeakEngine(), SEED)


def speakable(one: PlannedUtterance, voice: str) -> PlannedUtterance:
    return one.model_copy(update={"request": one.request.model_copy(update={"voice": voice})})


def test_track1_speaks_the_users_turns() -> None:
    utterances = planned(emotion_script())
    assert [one.id for one in utterances] == ["p1/1", "p1/2", "p1/3"]
    assert {one.role for one in utterances} == {Role.USER} and {one.part for one in utterances} == {None}
    assert utterances[0].text.endswith("[sigh]")
    assert utterances[0].request.spoken_text == "我等了他两个小时，气死我了！"
    assert utterances[1].request.spoken_text == "他居然说八月十五号才到！"
    assert {one.request.max_inner_silence_ms for one in utterances} == {None}


def test_an_engine_without_emotion_and_seed_gets_neither() -> None:
    for one in planned(emotion_script()):
        assert (one.request.emotion, one.request.intensity, one.request.seed) == (Emotion.NEUTRAL, 0, 0)


def test_an_engine_with_emotion_and_seed_gets_both() -> None:
    utterances = planned(emotion_script(), EmotionalEngine())
    assert (utterances[0].request.emotion, utterances[0].request.intensity) == (Emotion.ANGER, 3)
    assert utterances[1].request.seed == named_seed(SEED, "p1/2", "speech")


def test_an_engine_without_emotion_gets_the_prosody_step_and_its_loudness() -> None:
    utterances = planned(emotion_script())
    angry, surprised, calm = (one.request.expression for one in utterances)
    assert angry == draw_expression(Emotion.ANGER, 3, Language.ZH, SEED, "p1/1")
    assert surprised == draw_expression(Emotion.SURPRISE, 2, Language.ZH, SEED, "p1/2")
    assert calm == draw_expression(Emotion.NEUTRAL, 0, Language.ZH, SEED, "p1/3")
    for one in utterances:
        assert one.request.expression is not None
        wanted = SETTINGS.loudness_lufs + one.request.expression.energy_db
        assert one.request.loudness_lufs == pytest.approx(wanted, abs=0.01)
    assert utterances[0].request.loudness_lufs > SETTINGS.loudness_lufs + 1.0
    for others in (planned(emotion_script(), EmotionalEngine()), planned(emotion_script(), expression="off")):
        assert [one.request.expression for one in others] == [None] * 3
        assert {one.request.loudness_lufs for one in others} == {SETTINGS.loudness_lufs}


def test_full_duplex_lines_are_spoken_as_the_engine_speaks() -> None:
    for language in Language:
        for one in planned(make_script(Task.FOLLOW_UP, language)):
            assert one.request.expression is None and one.request.loudness_lufs == SETTINGS.loudness_lufs


def test_vocal_tags_become_sounds_or_are_left_out() -> None:
    (sound,) = planned(emotion_script())[0].request.sounds
    assert (sound.tag, sound.after) == ("[sigh]", len("我等了他两个小时，气死我了！"))
    assert planned(emotion_script(), sounds="off")[0].request.sounds == ()


def test_replies_are_voiced_by_the_assistant_where_asked() -> None:
    script = emotion_script()
    plan = make_plan(script)
    utterances = planned(script, responses="voiced")
    turns, replies = utterances[:3], utterances[3:]
    assert turns == planned(script)
    assert [one.id for one in replies] == ["p1/1.reply", "p1/2.reply", "p1/3.reply"]
    assert [is_reply(one.id) for one in utterances] == [False] * 3 + [True] * 3
    assert {(one.role, one.speaker, one.request.voice) for one in replies} == {
        (Role.ASSISTANT, plan.assistant.id, plan.assistant.voice)
    }
    assert {one.text for one in replies} == {"先生气，后惊讶。"}


class SeededEngine(EspeakEngine):
    controls = frozenset({Control.SEED})


class FixedEngine(EspeakEngine):
    controls: frozenset[Control] = frozenset()


def test_another_try_has_another_seed_where_the_engine_has_one() -> None:
    engine = SeededEngine()
    first = planned(emotion_script(), engine)[0]
    tries = [another_try(first, number, engine, SEED) for number in (2, 3, 4)]
    seeds = {first.request.seed, *(one.request.seed for one in tries if one)}
    assert len(seeds) == 4 and {one.request.speed for one in tries if one} == {1.0}
    assert [one.tries for one in tries if one] == [2, 3, 4]
    assert another_try(first, 2, engine, SEED) == tries[0]


def test_another_try_has_another_tempo_where_the_engine_has_no_seed() -> None:
    engine = EspeakEngine()
    first = planned(emotion_script(), engine)[0]
    tries = [another_try(first, number, engine, SEED) for number in (2, 3, 4, 5)]
    speeds = [one.request.speed for one in tries if one]
    assert len({1.0, *speeds}) == 5 and all(0.85 < speed < 1.15 for speed in speeds)
    assert another_try(first, 6, engine, SEED) is None
    slow = planned(emotion_script(), engine, speed=0.5)[0]
    assert another_try(slow, 2, engine, SEED) is None  # slower than the slowest would say the same


def test_an_engine_without_either_says_nothing_else_the_next_time() -> None:
    engine = FixedEngine()
    assert another_try(planned(emotion_script(), engine)[0], 2, engine, SEED) is None


def test_track2_speaks_every_line_and_splits_at_breaks() -> None:
    script = make_script(Task.PAUSE, Language.ZH, query="我想 [break] 呃，去西安 [break] 三天")
    utterances = planned(script, hesitation=OFF)
    assert [one.id for one in utterances] == ["p1/1.1", "p1/1.2", "p1/1.3", "p1/2"]
    assert [one.text for one in utterances[:3]] == ["我想", "呃，去西安", "三天"]
    assert [one.part for one in utterances] == [Part.QUERY] * 3 + [Part.REPLY]
    assert {one.request.max_inner_silence_ms for one in utterances} == {SETTINGS.max_inner_silence_ms}


class KokorosName(EspeakEngine):
    name = "kokoro"


@pytest.mark.parametrize(
    ("language", "query", "engine", "said"),
    [
        (Language.ZH, "我2点想去 [break] 成都。", EspeakEngine(), ["我两点想去，", "成都。"]),
        (Language.ZH, "我想去， [break] 成都。", KokorosName(), ["我想去，", "成都。"]),
        (Language.EN, "I want to go to [break] the opera.", EspeakEngine(), ["I want to go to,", "the opera."]),
        (Language.EN, "I want, [break] well [break] it.", KokorosName(), ["I want", "well", "it."]),
        (Language.ZH, "西安好玩吗？ [break] 我想去。", EspeakEngine(), ["西安好玩吗？", "我想去。"]),
    ],
)
def test_what_stands_before_a_pause_is_spoken_as_unfinished(
    language: Language, query: str, engine: EspeakEngine, said: list[str]
) -> None:
    script = make_script(Task.PAUSE, language, query=query)
    spoken = planned(script, engine, hesitation=OFF)[:-1]
    assert [one.request.spoken_text for one in spoken] == said
    assert [one.text for one in spoken] == [text.strip() for text in query.split("[break]")]


def test_a_filler_is_an_utterance_of_its_own() -> None:
    script = make_script(Task.PAUSE, Language.EN, query="I want to go to [break] the opera.")
    before, filler, after = planned(script, hesitation=HesitationSettings(fillers="on", before_pause_share=1.0))[:-1]
    assert [before.id, filler.id, after.id] == ["p1/1.1", "p1/1.2", "p1/1.3"]
    assert filler.text in {"um", "uh"}
    assert filler.request.spoken_text == f"{filler.text},"
    assert after.request.spoken_text == "the opera."


def test_before_a_pause_speech_may_slow_down_where_the_engine_can() -> None:
    script = make_script(Task.PAUSE, Language.EN, query="I want to go to [break] the opera.")
    slow = planned(script, hesitation=OFF, speed=0.8, hesitation_speed=0.9)
    assert [one.request.speed for one in slow] == [pytest.approx(0.72), 0.8, 0.8]
    assert {one.request.speed for one in planned(script, EmotionalEngine(), hesitation=OFF, hesitation_speed=0.9)} == {
        1
    }
    assert {one.request.speed for one in planned(script, hesitation=OFF, speed=0.5, hesitation_speed=0.5)} == {0.5}


@pytest.mark.parametrize("ending", ["", ","])
def test_espeak_sounds_unfinished_where_it_is(ending: str) -> None:
    """The measurement behind `unfinished`, on one sentence: a comma holds the pitch up, nothing lets it fall."""
    import parselmouth

    one = speakable(planned(make_script(Task.PAUSE, Language.EN))[-1], "en-us+m1")
    request = one.request.model_copy(update={"spoken_text": f"I need to move my dentist appointment to{ending}"})
    raw = EspeakEngine().synthesise(request)
    sound = parselmouth.Sound(raw.samples.astype(np.float64), raw.sample_rate)
    pitch = sound.to_pitch_ac(time_step=0.01).selected_array["frequency"]
    voiced = pitch[pitch > 0]
    final = 12 * np.log2(np.mean(voiced[-10:]) / np.median(voiced))
    assert (final > -2.0) == bool(ending)


def test_third_parties_speak_with_their_own_voice() -> None:
    utterances = planned(make_script(Task.THIRD_PARTY_BEFORE, Language.EN))
    assert [one.role for one in utterances] == [Role.THIRD_PARTY, Role.USER, Role.ASSISTANT]
    assert len({one.request.voice for one in utterances}) == 3


def test_a_line_with_nothing_to_say_is_refused_by_name() -> None:
    script = make_script(Task.BACKCHANNEL, Language.ZH, backchannel="[laughter]")
    with pytest.raises(EngineError, match=r"p1/3 \(script zh-backchannel-test\).*\[laughter\]"):
        planned(script)


def test_speed_needs_an_engine_that_has_it() -> None:
    with pytest.raises(EngineError, match=r"speech\.speed"):
        planned(emotion_script(), EmotionalEngine(), speed=1.2)


def test_what_was_spoken_once_is_not_spoken_again(tmp_path: Path) -> None:
    engine, store = CountingEngine(), Store(tmp_path)
    one = speakable(planned(emotion_script())[0], "cmn+f1")
    first = speak(one, engine, store)
    second = speak(one.model_copy(update={"id": "p2/1"}), engine, store)
    assert engine.spoken == 1
    assert second == first.model_copy(update={"id": "p2/1"})
    assert first.text == one.text and first.provenance.engine == "espeak"
    samples = load_samples(store, first.audio_key)
    assert len(samples) == first.num_samples and first.sample_rate == SAMPLE_RATE_HZ
    assert 20 * np.log10(np.max(np.abs(samples))) == pytest.approx(first.peak_dbfs, abs=0.05)
    store.wav_path(first.audio_key).write_bytes(b"RIFF")
    assert speak(one, engine, store) == first
    assert engine.spoken == 2


@pytest.mark.parametrize("kept", [True, False])
def test_the_licence_is_todays_and_not_that_of_the_first_run(tmp_path: Path, kept: bool) -> None:
    class Relicensed(CountingEngine):
        def provenance(self, request: SpeechRequest) -> Provenance:
            return super().provenance(request).model_copy(update={"license": "CC-BY-4.0"})

    before, after, store = CountingEngine(), Relicensed(), Store(tmp_path)
    one = speakable(planned(emotion_script())[0], "cmn+f1")
    first = speak(one, before, store)
    # not kept: two processes spoke the same words, and the entry of the first one stays
    again = speak(one, after, store) if kept else keep(one, [after.synthesise(one.request)], after, store)
    assert again.provenance.license == "CC-BY-4.0"
    assert again == first.model_copy(update={"provenance": again.provenance})
    assert after.spoken == (0 if kept else 1)


def test_everything_that_changes_the_samples_changes_the_key() -> None:
    engine = EspeakEngine()
    request = planned(emotion_script())[0].request
    recipe = audio_recipe(request, engine)
    changed = [
        recipe.model_copy(update={"engine_version": "2"}),
        recipe.model_copy(update={"finish_version": FINISH_VERSION + "x"}),
        *(
            audio_recipe(request.model_copy(update={field: value}), engine)
            for field, value in {"voice": "cmn+m1", "speed": 1.1, "edge_silence_ms": 60, "spoken_text": "不"}.items()
        ),
    ]
    assert len({key_of(one) for one in (recipe, *changed)}) == len(changed) + 1


def test_an_error_of_the_engine_names_the_utterance(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"^p1/1: espeak has no zh voice 'voice-1'"):
        speak(planned(emotion_script())[0], EspeakEngine(), Store(tmp_path))


def test_another_engines_request_is_refused(tmp_path: Path) -> None:
    one = planned(emotion_script())[0]
    foreign = one.model_copy(update={"request": one.request.model_copy(update={"engine": "kokoro"})})
    with pytest.raises(EngineError, match="planned for engine kokoro"):
        speak(foreign, EspeakEngine(), Store(tmp_path))


@pytest.mark.parametrize(
    "wrong", [{"loudness_lufs": 0}, {"edge_silence_ms": -1}, {"max_inner_silence_ms": 900}, {"speed": 9}, {"volume": 1}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        SpeechSettings.model_validate(wrong)
