"""Prompt files: sections, placeholders, and data that looks like a template."""

import pytest

from data_schemas.foundation.prompt_text import PromptError, read_sections, render_section

FILE = "题头\n## system\n你是编剧。\n## user\n人物：$name\n场合：$setting\n价钱：$$5\n"


def test_lines_without_a_value_are_left_out_and_data_is_no_template() -> None:
    sections = read_sections(FILE)
    assert list(sections) == ["system", "user"]
    shown = render_section(sections, "user", {"name": "$setting {x} %s", "setting": ""}, "f.md")
    assert shown == "人物：$setting {x} %s\n价钱：$5"


def test_a_file_that_asks_for_the_unknown_is_named() -> None:
    with pytest.raises(PromptError, match=r"f\.md: unknown placeholder \$setting; known: name"):
        render_section(read_sections(FILE), "user", {"name": "林岚"}, "f.md")
    with pytest.raises(PromptError, match=r"f\.md: section '## last' is missing"):
        render_section(read_sections(FILE), "last", {}, "f.md")
