"""``--set``: one key changed on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.common.errors import ConfigError
from flows.config.build_config import BuildConfig, load_config
from flows.config.overrides import overridden
from tests.flows.config.test_config import MINIMAL

DATA = {"seed": 1, "speech": {"speed": 1.0}, "quotas": [{"count": 1}]}


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("nonsense", "--set nonsense: write key.path=value"),
        ("=3", "--set =3: write key.path=value"),
        ("speech.engine＝espeak", "with a plain =, not ＝"),
        ("quotas.99.count=1", "--set quotas.99.count=1: 99 is not a position in quotas, a list of 1; count from 0"),
        ("quotas.count=1", "'count' is not a position in quotas"),
        ("quotas.²=1", "'²' is not a position in quotas"),
        ("seed.deeper=1", "--set seed.deeper=1: seed is a value and holds no key deeper"),
        ("speech.speed.engin=espeak", "speech.speed is a value and holds no key engin; did you mean engine?"),
        ("a=[1", "--set a=[1: in the value: not valid YAML"),
        ("speech={speed: 1, speed: 2}", "in the value: speed stands there twice"),
    ],
)
def test_a_bad_override_is_quoted(override: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        overridden(DATA, (override,), BuildConfig)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("speech.engin=espeak", "speech.engin: unknown key; did you mean engine?"),
        ("spech.engine=espeak", "spech: unknown key; did you mean speech?"),
        ("speech.engine=espeek", "speech.engine: no speech engine is named 'espeek'; did you mean espeak?"),
        ("quotas.0.task=pauze", "quotas.0.task: 'pauze' is none of"),
        ("quotas.0.languages=[中文]", "quotas.0.languages.0: '中文' is none of zh, en"),
        ("name=2026", 'name: must be text, not 2026; put it in quotes: "2026"'),
        ("seed=", "seed: must be a whole number, not empty"),
        ("scripts.llm.models.甲.model=x", "scripts.llm.endpoints: is missing"),
    ],
)
def test_a_wrong_key_or_value_names_the_override_it_came_from(tmp_path: Path, override: str, told: str) -> None:
    path = tmp_path / "配置.yaml"
    path.write_text(MINIMAL, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path, (override,))
    assert f"--set {override}: {told}" in str(caught.value)
    assert f"{path}:" not in str(caught.value).replace(f"{path}: ", "", 1)


def test_the_last_override_of_a_key_wins(tmp_path: Path) -> None:
    path = tmp_path / "配置.yaml"
    path.write_text(MINIMAL, encoding="utf-8")
    assert load_config(path, ("seed=2", "speech.speed=2", "seed=3")).seed == 3


def test_a_wrong_value_is_blamed_on_the_override_that_holds() -> None:
    _, applied = overridden(DATA, ("seed=2", "seed=3"), BuildConfig)
    assert [each.value for each in applied] == [2, 3]


def test_overrides_change_one_place_and_not_their_source(tmp_path: Path) -> None:
    changed, _ = overridden(DATA, ("quotas.0.count=3", "speech.casting.zh.train.users=[甲]"), BuildConfig)
    assert changed["quotas"] == [{"count": 3}] and changed["speech"]["casting"]["zh"]["train"]["users"] == ["甲"]
    assert DATA == {"seed": 1, "speech": {"speed": 1.0}, "quotas": [{"count": 1}]}
    path = tmp_path / "配置.yaml"
    path.write_text(
        f"{MINIMAL}scenes: {{leading_silence: &x {{kind: uniform, low_s: 0.1, high_s: 0.5}}, stop_latency: *x}}\n",
        encoding="utf-8",
    )
    scenes = load_config(path, ("scenes.leading_silence.high_s=0.9",)).scenes
    assert (scenes.leading_silence.upper_s, scenes.stop_latency.upper_s) == (0.9, 0.5)


def test_an_empty_value_is_the_section_with_its_defaults(tmp_path: Path) -> None:
    path = tmp_path / "配置.yaml"
    path.write_text(f"{MINIMAL}speech: {{engine: espeak}}\n", encoding="utf-8")
    assert load_config(path, ("speech=",)).speech.engine == "kokoro"
