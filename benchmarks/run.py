"""``make bench``: speed and memory in one run on one machine, written to ``docs/benchmarks.md``.

``python -m benchmarks.run --only writer`` (or ``build``, ``pace``, ``rehearsal``, ``speech``, ``scenes``, ``judges``)
prints one part and writes no file.
"""

from __future__ import annotations

import argparse
import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks import build, judges, pace, rehearsal, scenes, speech, writer

DOCUMENT = Path("docs/benchmarks.md")
PARTS = ("writer", "build", "pace", "rehearsal", "speech", "scenes", "judges")
PACKAGES = (
    "openai",
    "datasketch",
    "pydantic",
    "prefect",
    "torch",
    "onnxruntime",
    "kokoro-onnx",
    "pyannote-audio",
    "silero-vad",
    "faster-whisper",
    "opensmile",
    "lhotse",
    "polars",
    "great-expectations",
)


def machine() -> str:
    """The line about machine and versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"Machine: {platform.machine()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB; "
        f"Python {platform.python_version()}; {versions}."
    )


def section(title: str, rows: list[str], reading: str) -> str:
    """A heading, the table, and how to read it."""
    return f"## {title}\n\n| what | measured |\n|---|---|\n" + "\n".join(rows) + f"\n\n{reading}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="measure this part alone, and write no file")
    parser.add_argument("--engines", nargs="+", default=["espeak", "kokoro"])
    parser.add_argument("--count", type=int, default=1, help="items per quota cell of the part build")
    parser.add_argument("--speech-count", type=int, default=8, help="the same of the part speech; 8: 50 minutes")
    arguments = parser.parse_args()
    sections = []
    parts = PARTS if arguments.only is None else (arguments.only,)
    if "writer" in parts:
        sections.append(section("Writing scripts", writer.measure(), writer.READING))
    if "build" in parts:
        sections.append(section("Building", build.measure(arguments.engines, arguments.count), build.READING))
    if "pace" in parts:
        sections.append("## Beside engines and models\n\n" + "\n".join(pace.rows()))
    if "rehearsal" in parts:
        sections.append("## At size\n\n" + "\n".join(rehearsal.rows()))
    if "speech" in parts:
        sections.append(section("Speech", speech.measure(arguments.speech_count), speech.READING))
    if "scenes" in parts:
        sections.append(section("Scenes", scenes.measure(), scenes.READING))
    if "judges" in parts:
        sections.append(section("Judges", judges.measure(), judges.READING))
    text = f"# Benchmarks\n\nMade by `make bench`; all figures come from one run on one machine.\n\n{machine()}\n\n"
    text += "\n".join(sections)
    if arguments.only is None:
        DOCUMENT.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
