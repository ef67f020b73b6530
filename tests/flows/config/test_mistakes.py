"""What people get wrong in a configuration, and what they are told: file, line, key, way out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows.common.errors import ConfigError
from flows.config.build_config import load_config
from tests.flows.config.test_config import MINIMAL

LINE_AFTER = MINIMAL.count("\n") + 1  # of what is written behind it


def refusal(path: Path, text: str | bytes, *overrides: str) -> str:
    """What is said of a configuration, with the file called ``FILE``."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    return str(caught.value).replace(str(path), "FILE")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("speech:\n  engin: kokoro\n", "FILE:8: speech.engin: unknown key; did you mean engine?"),
        ("speech:\n  Engine: kokoro\n", "FILE:8: speech.Engine: unknown key; did you mean engine?"),
        ("speech:\n  loudness-lufs: -20\n", "FILE:8: speech.loudness-lufs: unknown key; did you mean loudness_lufs?"),
        ("scenes: {hesitation: {zh: {before: [那个]}}}\n", "zh.before: unknown key; did you mean before_pause?"),
        # the wrong section, mostly by indentation
        ("speech:\nengine: kokoro\n", "FILE:8: engine: unknown key; did you mean speech.engine? Indent it"),
        ("speech:\n  top_up: {rounds: 1}\n", "FILE:8: speech.top_up: unknown key; did you mean top_up? Indent it"),
        ("speech: {语速: 1}\n", "FILE:7: speech.语速: unknown key"),
        (
            "speech: {engine: kokorro}\n",
            "FILE:7: speech.engine: no speech engine is named 'kokorro'; did you mean kokoro",
        ),
        ("speech: {sounds: of}\n", "FILE:7: speech.sounds: 'of' is none of auto, off; did you mean off?"),
        ("validation:\n  skip: [slo]\n", "FILE:8: validation.skip: no judge is named 'slo'; did you mean slow?"),
        (
            "validation: {layouts: {track3: {}}}\n",
            "validation.layouts.track3: no layout has this name; did you mean track",
        ),
        (
            "validation:\n  layouts:\n    track2:\n      min_tail: 6\n",
            "FILE:10: validation.layouts.track2.min_tail: unkno",
        ),
        (
            "scenes:\n  tail: {kind: unifrom, low_s: 9, high_s: 9}\n",
            "FILE:8: scenes.tail.kind: 'unifrom' is none of fixed",
        ),
        ("scenes:\n  tail: {value_s: 9}\n", "FILE:8: scenes.tail.kind: is missing; write kind: and one of fixed, unif"),
        ("scenes:\n  tail: {kind: fixed, low_s: 9}\n", "FILE:8: scenes.tail.value_s: is missing"),
        (
            "scenes:\n  microphone:\n    room: {use: maybe}\n",
            "FILE:9: scenes.microphone.room.use: 'maybe' is none of off",
        ),
        # a key that a rule of ours names
        (
            "scenes:\n  conversation:\n    talk_over: {kind: fixed, value_s: 0.1}\n",
            "FILE:9: scenes.conversation: talk_over",
        ),
        ("scripts:\n  writer: llm\n", "FILE:8: scripts: writer is llm and the section llm is missing"),
        # kinds
        ("speech: espeak\n", "FILE:7: speech: must be a section of keys and values, not 'espeak'"),
        ("speech:\n  - engine: espeak\n", "FILE:7: speech: must be a section of keys and values, not a list"),
        ("speech: {speed: fast}\n", "FILE:7: speech.speed: must be a number, not 'fast'"),
        ("speech: {voices: 3}\n", 'FILE:7: speech.voices: must be text, not 3; put it in quotes: "3"'),
        ("speech: {engine: }\n", "FILE:7: speech.engine: must be text, not empty; give it a value or remove the key"),
        ("speech: {kokoro_mixes: maybe}\n", "FILE:7: speech.kokoro_mixes: must be true or false, not 'maybe'"),
        ("scripts: {pack: quickstart}\n", "FILE:7: scripts.pack: must be a list"),
        ("scripts: {pack: []}\n", "FILE:7: scripts.pack: must hold at least one entry"),
        ("execution: {workers: -1}\n", "FILE:7: execution.workers: must be greater than or equal to 0, not -1"),
        # marks of a Chinese keyboard
        (
            "speech:\n  engine：espeak\n",
            "FILE:7: speech: must be a section of keys and values, not 'engine：espeak'; it ho",
        ),
        ("speech：\n  engine: espeak\n", "FILE:7: not valid YAML: it holds the full-width ："),
        (
            "scripts: {writer: “pack”}\n",
            "FILE:7: scripts.writer: '“pack”' is none of pack, llm, rehearsal; did you mean pack?; it",
        ),
        # layout
        ("speech:\n  engine:espeak\n", "a colon needs a space after it"),
        (
            "speech:\n\tengine: espeak\n",
            "FILE:8: not valid YAML: found character '\\t' that cannot start any token; indent w",
        ),
        (
            "speech:\n engine: espeak\n  speed: 1\n",
            "FILE:9: not valid YAML: mapping values are not allowed here; see to",
        ),
        ("speech: {engine: espeak\n", "FILE:7: not valid YAML: "),
        ("speech: {engine: 'espeak}\n", "FILE:7: not valid YAML: a quotation mark is opened and not closed"),
        ("speech: {engine: !!python/name:os.system }\n", "FILE:7: not valid YAML: could not determine a constructor"),
        ("--- \nspeech: {}\n", "FILE:7: not valid YAML: but found another document; keep one document"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_way_out(tmp_path: Path, more: str, told: str) -> None:
    assert LINE_AFTER == 7
    assert told in refusal(tmp_path / "配置.yaml", MINIMAL + more)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("recognition", "recogntion", "FILE:6: quotas.0.task: 'recogntion' is none of recognition,"),
        ("[zh, en]", "[zn]", "FILE:6: quotas.0.languages.0: 'zn' is none of zh, en"),
        ("[zh, en]", "[zh，en]", "it holds the full-width ，, which is a letter to YAML; write ', '"),
        ("[zh, en]", "zh", "FILE:6: quotas.0.languages: must be a list"),
        ("[train]", "[trian]", "FILE:6: quotas.0.splits.0: 'trian' is none of train, dev; did you mean train?"),
        ("  - {", "  {", "FILE:5: quotas: must be a list, [a, b] or a line with - for each entry, not a section"),
        ("name: small", "name: Small Set", "FILE:1: name: 'Small Set' must begin with a lower-case letter or digit"),
        ("name: small", "name: Small Set", "write small-set"),
        ("name: small", "name: 数据", "FILE:1: name: '数据' must begin with"),
        ("name: small", "name: 2026", 'FILE:1: name: must be text, not 2026; put it in quotes: "2026"'),
        ("seed: 1", "seed: ", "FILE:2: seed: must be a whole number, not empty; give it a value"),
        ("seed: 1\n", "", "FILE: seed: is missing; write seed: and its value"),
        ("work/small", "out/small/work", "FILE:3: release and work must be separate directories"),
        (
            "quotas:\n",
            "quotas:\n  - {task: recognition, languages: [zh], splits: [train], count: 2}\n",
            "FILE:7: quotas.1: r",
        ),
    ],
)
def test_a_mistake_in_the_required_keys(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert told in refusal(tmp_path / "配置.yaml", MINIMAL.replace(old, new))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "FILE: is empty; begin with a copy of configs/quickstart.yaml"),
        ("# 只有注释\n", "FILE: is empty"),
        ("- 一\n- 二\n", "FILE:1: must be a mapping of keys to values, not a list"),
        ("name：小\n", "FILE:1: must be a mapping of keys to values, not a single value; it holds the full-width ："),
        (MINIMAL.encode("utf-16"), "FILE:1: is not UTF-8 text; save the file as UTF-8"),
        (MINIMAL.encode() + "# 中文\n".encode("gb18030"), "FILE:7: is not UTF-8 text; save the file as UTF-8"),
        (MINIMAL.encode() + b"speech: {voices: a\x00b}\n", "FILE:7: holds the control character U+0000; remove it"),
    ],
)
def test_a_file_that_is_no_configuration_at_all(tmp_path: Path, text: str | bytes, told: str) -> None:
    assert told in refusal(tmp_path / "配置.yaml", text)


def test_a_directory_is_told_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "配置.yaml").write_text(MINIMAL, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"is a directory; name a YAML file in it, for example .*配置\.yaml"):
        load_config(tmp_path)


@pytest.mark.parametrize("text", [b"\xef\xbb\xbf" + MINIMAL.encode(), MINIMAL.replace("\n", "\r\n").encode()])
def test_files_as_windows_saves_them_are_read(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "配置.yaml"
    path.write_bytes(text)
    assert load_config(path).name == "small"


def test_lines_are_right_in_files_as_windows_saves_them(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + (MINIMAL + "speech:\n  engin: espeak\n").replace("\n", "\r\n").encode()
    assert "FILE:8: speech.engin" in refusal(tmp_path / "配置.yaml", text)


def test_all_problems_are_told_at_once_by_line(tmp_path: Path) -> None:
    text = MINIMAL.replace("seed: 1", "seed: 一") + "speech: {engin: kokoro, engine: kokorro}\nscenez: {}\n"
    told = refusal(tmp_path / "配置.yaml", text, "execution.workers=many").splitlines()
    assert told[0] == "FILE: 5 problems (docs/configuration.md explains every key)"
    assert [line.split(": ")[:2] for line in told[1:]] == [
        ["  --set execution.workers=many", "execution.workers"],
        ["  FILE:2", "seed"],
        ["  FILE:7", "speech.engin"],
        ["  FILE:7", "speech.engine"],
        ["  FILE:8", "scenez"],
    ]


def test_a_list_whose_entries_are_wrong_is_not_called_empty(tmp_path: Path) -> None:
    told = refusal(tmp_path / "配置.yaml", MINIMAL.replace("recognition", "认知"))
    assert "at least one entry" not in told and len(told.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (MINIMAL + "seed: 2\n", "FILE:7: seed stands there twice, first in line 2; keep one of them"),
        (MINIMAL + "speech:\n  speed: 1\n  speed: 2\n", "FILE:9: speech.speed stands there twice, first in line 8"),
        (
            MINIMAL + "speech: {casting: {zh: {train: {users: [一], users: [二]}}}}\n",
            "FILE:7: speech.casting.zh.train.users",
        ),
        (MINIMAL.replace("count: 1", "count: 1, count: 2"), "FILE:6: quotas.0.count stands there twice"),
        (MINIMAL + "speech: {options: {甲: [{乙: 1, 乙: 2}]}}\n", "FILE:7: speech.options.甲.0.乙 stands there twice"),
        (MINIMAL + "speech: {options: {a: 1, 'a': 2}}\n", "FILE:7: speech.options.a stands there twice"),
    ],
)
def test_a_key_that_stands_there_twice_is_refused(tmp_path: Path, text: str, told: str) -> None:
    assert told in refusal(tmp_path / "配置.yaml", text)


def test_every_repeated_key_is_told(tmp_path: Path) -> None:
    told = refusal(tmp_path / "配置.yaml", MINIMAL + "name: 甲\nname: 乙\nspeech: {speed: 1, speed: 2}\n")
    assert [line.split(" stands")[0] for line in told.splitlines()] == [
        "FILE:7: name",
        "FILE:8: name",
        "FILE:9: speech.speed",
    ]


WORDS = ["off", "'off'", '"off"', "false"]


@pytest.mark.parametrize("word", WORDS)
def test_off_is_a_word_in_files_and_on_the_command_line(tmp_path: Path, word: str) -> None:
    settings = [
        "speech.expression",
        "speech.sounds",
        "scenes.hesitation.fillers",
        *(f"scenes.microphone.{stage}.use" for stage in ("room", "echo", "stationary", "babble", "telephone")),
    ]
    path = tmp_path / "配置.yaml"
    path.write_text(MINIMAL, encoding="utf-8")
    by_command = load_config(path, tuple(f"{setting}={word}" for setting in settings))
    stages = ", ".join(f"{stage}: {{use: {word}}}" for stage in ("room", "echo", "stationary", "babble", "telephone"))
    path.write_text(
        f"{MINIMAL}speech: {{expression: {word}, sounds: {word}}}\n"
        f"scenes: {{hesitation: {{fillers: {word}}}, microphone: {{{stages}}}}}\n",
        encoding="utf-8",
    )
    by_file = load_config(path)
    assert by_file == by_command
    assert (by_file.speech.expression, by_file.speech.sounds, by_file.scenes.hesitation.fillers) == ("off",) * 3
    assert by_file.scenes.microphone.room.use == by_file.scenes.microphone.telephone.use == "off"


@pytest.mark.parametrize(("word", "meant"), [("on", "on"), ("'on'", "on"), ("true", "on"), ("drawn", "drawn")])
def test_on_and_drawn_are_words(tmp_path: Path, word: str, meant: str) -> None:
    path = tmp_path / "配置.yaml"
    path.write_text(f"{MINIMAL}scenes: {{microphone: {{echo: {{use: {word}}}}}}}\n", encoding="utf-8")
    assert load_config(path).scenes.microphone.echo.use == meant


@pytest.mark.parametrize(
    ("word", "meant"),
    [("true", True), ("yes", True), ("on", True), ("Yes", True), ("false", False), ("no", False), ("off", False)],
)
def test_what_is_really_yes_or_no_may_be_written_as_people_write_it(tmp_path: Path, word: str, meant: bool) -> None:
    path = tmp_path / "配置.yaml"
    path.write_text(
        f"{MINIMAL}speech: {{kokoro_mixes: {word}}}\nscenes: {{microphone: {{keep_stems: {word}}}}}\n", encoding="utf-8"
    )
    config = load_config(path, (f"scenes.microphone.room.user={word}",))
    assert config.speech.kokoro_mixes is config.scenes.microphone.keep_stems is meant
    assert config.scenes.microphone.room.user is meant


def test_voices_may_be_called_no_and_on(tmp_path: Path) -> None:
    path = tmp_path / "配置.yaml"
    path.write_text(f"{MINIMAL}speech: {{casting: {{en: {{train: {{users: [no, on, y]}}}}}}}}\n", encoding="utf-8")
    assert load_config(path).speech.casting.en.train.users == ("no", "on", "y")


def test_an_engine_that_is_not_installed_stops_what_speaks_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "配置.yaml"
    path.write_text(f"{MINIMAL}speech: {{engine: 别处的引擎}}\n", encoding="utf-8")
    with pytest.raises(
        ConfigError, match=re.escape(f"{path}:7: speech.engine: no speech engine is named '别处的引擎'")
    ):
        load_config(path)
    assert load_config(path, need_engine=False).speech.engine == "别处的引擎"
