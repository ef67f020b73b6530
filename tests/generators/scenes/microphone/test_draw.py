"""What is drawn for a scene: shares, names, the record, and who babbles."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from data_schemas.acoustics import Coding, Microphone, NoiseKind, NoiseSpectrum
from data_schemas.foundation.yaml_file import load_yaml
from data_schemas.plan import DialoguePlan
from data_schemas.scene import Placement
from data_schemas.speakers import ReferenceClip, Speaker, Voice
from data_schemas.tasks import Channel, Language, Part, Role, Split, Task
from generators.scenes.errors import SceneImpossible
from generators.scenes.microphone.babble import babble_requests, passages
from generators.scenes.microphone.draw import draw_microphone
from generators.scenes.microphone.rooms import bank_room, distance_m
from generators.scenes.microphone.settings import MicrophoneSettings
from generators.speech.espeak.engine import EspeakEngine
from generators.speech.settings import SpeechSettings
from generators.speech.voices.registry import voice_digest
from tests.support.scene_factory import make_plan, make_script

STAGES = ("echo", "stationary", "babble", "telephone")


def placed(role: Role = Role.USER, gain_db: float = 0.0) -> Placement:
    return Placement(
        utterance_id="p1/1",
        line=1,
        channel=Channel.USER,
        role=role,
        part=Part.QUERY,
        start=0,
        stop=10,
        gain_db=gain_db,
        planned_text="好",
        heard_text="好",
    )


ALONE = (placed(),)
WITH_THIRD_PARTY = (placed(), placed(Role.THIRD_PARTY, -8.25))


def settings_of(**stages: object) -> MicrophoneSettings:
    return MicrophoneSettings.model_validate(stages)


def everything(use: str = "on") -> MicrophoneSettings:
    return settings_of(room={"use": use, "user": True}, **{stage: {"use": use} for stage in STAGES})


def drawn_for(plan_id: str, own: MicrophoneSettings, seed: int = 7) -> Microphone | None:
    """As a build does: babble first, because it has to be spoken."""
    script = make_script(Task.FOLLOW_UP, Language.ZH)
    plan = make_plan(script, plan_id)
    spoken = babble_requests(plan, CAST, own, SpeechSettings(engine="espeak"), EspeakEngine(), seed)
    return draw_microphone(plan_id, WITH_THIRD_PARTY, own, seed, tuple(each.id for each in spoken))


def speaker(number: int, language: Language, split: Split, voice: str) -> Speaker:
    return Speaker(number=number, language=language, gender="male", split=split, role=Role.USER, voice=voice)


CAST = tuple(
    speaker(10 * place + number, language, split, f"{language}-{split}-{number}")
    for place, (language, split) in enumerate(
        [(Language.ZH, Split.DEV), (Language.ZH, Split.TRAIN), (Language.EN, Split.DEV), (Language.EN, Split.TRAIN)]
    )
    for number in range(1, 5)
)


def test_by_default_only_a_third_party_has_a_room() -> None:
    assert draw_microphone("p1", ALONE, MicrophoneSettings(), 7) is None
    microphone = draw_microphone("p1", WITH_THIRD_PARTY, MicrophoneSettings(), 7)
    assert microphone is not None and microphone.room is not None
    assert (microphone.echo, microphone.noises, microphone.telephone) == (None, (), None)
    (talker,) = microphone.talkers
    bank = bank_room(MicrophoneSettings().room, microphone.room.index)
    assert microphone.room == bank.room and talker.position_m in bank.bystanders
    assert (talker.role, talker.level_db) == (Role.THIRD_PARTY, -8.25)
    assert talker.distance_m == distance_m(bank.room, talker.position_m)
    assert talker.tail + 1 == pytest.approx(bank.room.rt60_s * 16_000, abs=1.0)


def test_all_off_is_dry() -> None:
    assert draw_microphone("p1", WITH_THIRD_PARTY, everything("off"), 7) is None


def test_the_record_has_every_position_gain_and_reverberation_time() -> None:
    microphone = drawn_for("p1", everything())
    assert microphone is not None and microphone.room is not None and microphone.echo is not None
    bank = bank_room(everything().room, microphone.room.index)
    assert [talker.role for talker in microphone.talkers] == [Role.USER, Role.THIRD_PARTY]
    assert microphone.talkers[0].position_m == bank.user and microphone.talkers[0].level_db == 0.0
    assert microphone.echo.position_m == bank.loudspeaker and microphone.echo.tail == microphone.talkers[0].tail
    assert -40.0 <= microphone.echo.level_db <= -25.0 and 320 <= microphone.echo.delay <= 3200
    first, second = microphone.noises
    assert (first.kind, first.spectrum) == (NoiseKind.STATIONARY, NoiseSpectrum.PINK) and 15.0 <= first.snr_db <= 35.0
    assert second.kind is NoiseKind.BABBLE and 13.0 <= second.snr_db <= 20.0 and 3 <= len(second.talkers) <= 7
    assert first.seed != second.seed and (first.gain_db, second.gain_db) == (None, None)
    assert microphone.telephone is not None and microphone.telephone.coding is Coding.A_LAW
    assert Microphone.from_json_line(microphone.to_json_line()) == microphone


def test_an_echo_alone_needs_the_room_and_without_a_room_has_no_place() -> None:
    own = settings_of(echo={"use": "on"})
    indoors = draw_microphone("p1", ALONE, own, 7)
    assert indoors is not None and indoors.room is not None and indoors.talkers == ()
    outdoors = draw_microphone("p1", ALONE, settings_of(echo={"use": "on"}, room={"use": "off"}), 7)
    assert outdoors is not None and outdoors.room is None and outdoors.echo is not None and indoors.echo is not None
    assert (outdoors.echo.position_m, outdoors.echo.tail) == (None, 0)
    assert outdoors.echo.delay == indoors.echo.delay and outdoors.echo.level_db == indoors.echo.level_db


@pytest.mark.statistics
@pytest.mark.parametrize("stage", ["room", *STAGES])
@pytest.mark.parametrize(("use", "low", "high"), [("off", 0, 0), ("on", 1000, 1000), ("drawn", 255, 345)])
def test_shares_over_a_thousand_scenes(stage: str, use: str, low: int, high: int) -> None:
    """255 to 345 of 1000 at a share of 0.3 is three standard deviations; the draws are fixed, so it cannot flicker."""
    others = {name: {"use": "off"} for name in ("room", *STAGES) if name != stage}
    own = settings_of(**{stage: {"use": use, "share": 0.3}}, **others)
    assert low <= sum(drawn_for(f"p{number}", own) is not None for number in range(1000)) <= high


@given(number=st.integers(0, 10_000), seed=st.integers(0, 2**31 - 1), off=st.sampled_from(STAGES))
@settings(max_examples=30, deadline=None)
def test_a_stage_that_is_switched_off_moves_no_other(number: int, seed: int, off: str) -> None:
    whole = drawn_for(f"p{number}", everything(), seed)
    without = drawn_for(f"p{number}", everything().model_copy(update={off: settings_of().telephone}), seed)
    assert whole is not None and without is not None and drawn_for(f"p{number}", everything(), seed) == whole
    gone = {"echo": {"echo": None}, "telephone": {"telephone": None}}.get(
        off, {"noises": tuple(noise for noise in whole.noises if noise.kind != off)}
    )
    assert without == whole.model_copy(update=gone)


@pytest.mark.parametrize("word", ["off", "on", "drawn", "'off'", "'on'"])
def test_yaml_says_off_on_and_drawn(word: str) -> None:
    own = settings_of(**load_yaml(f"echo: {{use: {word}}}", ""))
    assert own.echo.use == word.strip("'")
    assert MicrophoneSettings.model_validate(load_yaml(yaml.safe_dump(own.model_dump(mode="json")), "")) == own


@pytest.mark.parametrize(
    ("stage", "change", "complaint"),
    [
        ("echo", {"use": "maybe"}, "'off', 'on' or 'drawn'"),
        ("echo", {"share": 1.5}, "less than or equal to 1"),
        ("babble", {"talkers": {"low": 5, "high": 3}}, "low 5 is above high 3"),
        ("telephone", {"low_hz": 900.0, "high_hz": 800.0}, "low_hz 900.0 must be below"),
        ("telephone", {"high_hz": 4000.0}, "less than or equal to 3400"),
        ("stationary", {"spectrum": "brown"}, "'speech' or 'pink'"),
    ],
)
def test_wrong_settings_are_refused_by_name(stage: str, change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(complaint)):
        settings_of(**{stage: change})


# babble


def plan_of(language: Language, plan_id: str = "p1") -> DialoguePlan:
    return make_plan(make_script(Task.THIRD_PARTY_AFTER, language), plan_id)


BABBLE = settings_of(babble={"use": "on"})
SPEECH = SpeechSettings(engine="espeak")


@pytest.mark.parametrize("language", list(Language))
def test_other_people_of_the_split_talk_in_the_background(language: Language) -> None:
    cast = (*CAST, *(person for person in (plan_of(language).user, plan_of(language).assistant)))
    for number in range(20):
        plan = plan_of(language, f"p{number}")
        planned = babble_requests(plan, cast, BABBLE, SPEECH, EspeakEngine(), 7)
        assert 3 <= len(planned) <= 7
        assert [each.id for each in planned] == [f"p{number}/babble.{k}" for k in range(1, len(planned) + 1)]
        assert {each.request.voice for each in planned} <= {f"{language}-dev-{number}" for number in range(1, 5)}
        assert len({each.request.voice for each in planned}) == min(4, len(planned))
        assert len({each.text for each in planned}) == len(planned)
        assert all(each.text in passages().of(language) and each.request.language is language for each in planned)
        assert planned == babble_requests(plan, cast[::-1], BABBLE, SPEECH, EspeakEngine(), 7)


def test_what_is_spoken_for_babble_is_shared_by_items() -> None:
    planned = [
        each
        for number in range(40)
        for each in babble_requests(plan_of(Language.ZH, f"p{number}"), CAST, BABBLE, SPEECH, EspeakEngine(), number)
    ]
    assert len(planned) > 150 and len({each.request for each in planned}) <= 4 * len(passages().zh)
    assert len({(each.request.voice, each.text) for each in planned}) == len({each.request for each in planned})


def test_the_items_own_voices_never_babble() -> None:
    plan = plan_of(Language.EN)
    people = (plan.user, plan.assistant, plan.third_party)
    with pytest.raises(SceneImpossible, match=r"p1: nobody is left for babble, all en voices of split dev"):
        babble_requests(plan, [person for person in people if person], BABBLE, SPEECH, EspeakEngine(), 7)


class ClonedVoices(EspeakEngine):
    """Voices made of recordings, which can be exchanged under the same name."""

    def voices(self) -> tuple[Voice, ...]:
        return tuple(
            Voice(
                id=f"zh-dev-{number}",
                engine=self.name,
                language=Language.ZH,
                gender="female",
                license="CC0-1.0",
                clips=(ReferenceClip(file="a.wav", text="你好。", sha256=f"{number:064x}"),),
            )
            for number in range(1, 5)
        )


def test_babble_by_another_recording_is_another_request() -> None:
    planned = babble_requests(plan_of(Language.ZH), CAST, BABBLE, SPEECH, ClonedVoices(), 7)
    digests = {voice.id: voice_digest(voice) for voice in ClonedVoices().voices()}
    assert planned and all(one.request.voice_sha256 == digests[one.request.voice] for one in planned)


def test_more_talkers_than_passages_are_refused() -> None:
    crowd = settings_of(babble={"use": "on", "talkers": {"low": 40, "high": 40}})
    with pytest.raises(SceneImpossible, match="babble of 40 talkers needs 40 passages and zh has 16"):
        babble_requests(plan_of(Language.ZH), CAST, crowd, SPEECH, EspeakEngine(), 7)


def test_babble_without_utterances_is_the_callers_fault() -> None:
    with pytest.raises(ValueError, match=r"given 0 utterances of babble with scenes\.microphone\.babble on"):
        draw_microphone("p1", ALONE, BABBLE, 7)
    with pytest.raises(ValueError, match=r"given 1 utterances of babble with scenes\.microphone\.babble off"):
        draw_microphone("p1", ALONE, MicrophoneSettings(), 7, ("p1/babble.1",))


def test_passages_are_native_and_can_be_spoken() -> None:
    han = re.compile(r"[\u4e00-\u9fff]")
    for language in Language:
        texts = passages().of(language)
        assert len(texts) == len(set(texts)) == 16
        assert not any(re.search(r"\d", text) for text in texts)
    assert all(20 <= len(han.findall(text)) <= 60 and not re.search("[a-zA-Z]", text) for text in passages().zh)
    assert all(12 <= len(text.split()) <= 30 and not han.search(text) for text in passages().en)
