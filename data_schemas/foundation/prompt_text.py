"""Prompt files: Markdown with ``## `` sections and ``$placeholders``. Text in, text out.

Data is put in line by line (`string.Template`) and is never read as a template; a line whose
placeholder has no value is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Template


class PromptError(ValueError):
    """A prompt file lacks a section or asks for data that nobody has. The text names the file."""


def read_sections(text: str) -> dict[str, str]:
    """The sections of a file by heading; what stands before the first heading is passed over.

    >>> read_sections("# title\\n## system\\nBe brief.\\n\\n## user\\nHello $name")
    {'system': 'Be brief.', 'user': 'Hello $name'}
    """
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if line.startswith("## "):
            current = sections.setdefault(line[3:].strip(), [])
        else:
            current.append(line)
    return {name: "\n".join(lines).strip() for name, lines in sections.items()}


def render_section(sections: Mapping[str, str], section: str, values: Mapping[str, str], where: str) -> str:
    """One section with its data.

    Args:
        where: names the file in errors.

    Raises:
        PromptError: no such section, or a placeholder that ``values`` does not know.
    """
    if section not in sections:
        raise PromptError(f"{where}: section '## {section}' is missing")
    lines = []
    for line in sections[section].splitlines():
        template = Template(line)
        names = template.get_identifiers()
        for unknown in (name for name in names if name not in values):
            raise PromptError(f"{where}: unknown placeholder ${unknown}; known: {', '.join(sorted(values))}")
        if all(values[name] for name in names):
            lines.append(template.substitute(values))
    return "\n".join(lines).strip()
