from pathlib import Path

import pytest
import yaml

from flows.common.errors import ConfigError
from flows.config.build_config import BuildConfig, load_config
from generators.scripts.settings import ScriptSettings
from generators.speech.settings import SpeechSettings
from tests.support.builds import draft_config
from tests.support.script_orders import llm_config

MINIMAL = (
    "name: small\nseed: 1\nrelease: out/small\nwork: work/small\n"
    "quotas:\n  - {task: recognition, languages: [zh, en], splits: [train], count: 1}\n"
)
SHIPPED = Path(__file__).resolve().parents[3] / "configs" / "quickstart.yaml"


def test_the_shipped_quickstart_is_valid() -> None:
    config = load_config(SHIPPED)
    assert config.name == "quickstart"
    assert config.speech.engine == "kokoro"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sped": 3}, "sped: unknown key"),
        ({"speech": {"engine": "espeak", "loudnes": -20}}, "speech.loudnes: unknown key"),
        ({"seed": -1}, "seed"),
        ({"quotas": []}, "quotas"),
        ({"release": "../elsewhere"}, "release: ../elsewhere leaves"),
        ({"track1_layout": "mine"}, "track1_layout"),
        ({"top_up": {"rounds": 1, "on_short": "cry"}}, "top_up.on_short"),
        ({"execution": {"workers": "many"}}, "execution.workers"),
        ({"execution": {"orchestrator": "airflow"}}, "execution.orchestrator: 'airflow' is none of prefect, none"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, change: dict[str, object], field: str) -> None:
    path = draft_config(tmp_path, **change)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert field in str(caught.value)
    assert str(path) in str(caught.value)


def test_five_keys_are_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "最小.yaml"
    path.write_text(MINIMAL, encoding="utf-8")
    config = load_config(path)
    assert (config.scripts, config.speech) == (ScriptSettings(), SpeechSettings())


@pytest.mark.parametrize(
    "text",
    [
        "speech:\n",
        "scripts:\nspeech:\nscenes:\nvalidation:\ntop_up:\nexecution:\n",
        "scenes:\n  microphone:\n    room:\n  hesitation:\n    zh:\n",
        "speech:\n  casting:\n    zh:\n      train:\n",
        "speech: ~\nscripts: null\n",
    ],
)
def test_an_empty_section_is_the_section_with_its_defaults(tmp_path: Path, text: str) -> None:
    path = tmp_path / "空.yaml"
    path.write_text(MINIMAL + text, encoding="utf-8")
    plain = tmp_path / "最小.yaml"
    plain.write_text(MINIMAL, encoding="utf-8")
    assert load_config(path) == load_config(plain)


def test_release_inside_work_is_refused(tmp_path: Path) -> None:
    path = draft_config(tmp_path, release=str(tmp_path / "work" / "release"))
    with pytest.raises(ConfigError, match="separate directories"):
        load_config(path)


@pytest.mark.parametrize("text", ["- just\n- a list\n", "a: [1,\n", "a: !!python/object:os.system {}\n"])
def test_not_a_mapping_or_not_safe_yaml(tmp_path: Path, text: str) -> None:
    path = tmp_path / "坏配置.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="坏配置"):
        load_config(path)


def test_a_missing_file_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="configs/"):
        load_config(tmp_path / "none.yaml")


def test_overrides_reach_nested_keys_and_lists(tmp_path: Path) -> None:
    path = draft_config(tmp_path)
    config = load_config(path, ("execution.workers=2", "quotas.0.count=3", "name=trial"))
    assert (config.execution.workers, config.quotas[0].count, config.name) == (2, 3, "trial")


def test_only_the_recipe_decides_the_hash(tmp_path: Path) -> None:
    config = load_config(draft_config(tmp_path))
    moved = load_config(draft_config(tmp_path / "b", execution={"workers": 2}))
    other = load_config(draft_config(tmp_path / "c", seed=8))
    assert config.recipe_sha256() == moved.recipe_sha256()
    assert config.recipe_sha256() != other.recipe_sha256()
    assert "release" not in BuildConfig.recipe(config)


def test_yaml_round_trip_keeps_chinese(tmp_path: Path) -> None:
    path = draft_config(tmp_path)
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    raw["scripts"]["pack"] = ["脚本/自己写的.jsonl"]
    path.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    assert load_config(path).scripts.pack == ("脚本/自己写的.jsonl",)


def test_servers_and_budgets_are_no_part_of_the_recipe(tmp_path: Path) -> None:
    here = llm_config(tmp_path, "http://127.0.0.1:8000/v1")
    there = llm_config(tmp_path, "http://10.1.2.3:9000/v1", budget={"tokens": 5})
    other = llm_config(tmp_path, "http://127.0.0.1:8000/v1", reading={"rewrites": 1})
    assert here.recipe_sha256() == there.recipe_sha256() != other.recipe_sha256()
    assert "10.1.2.3" not in str(there.recipe())
