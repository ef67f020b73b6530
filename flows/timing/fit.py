"""``humdial timing fit``: timing learned from a corpus, printed and written as YAML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from flows.common.atomic import write_text_atomic
from flows.common.errors import ConfigError, HumdialError
from generators.scenes.settings import SceneSettings
from generators.scenes.timing.corpus import CorpusError, read_conversations
from generators.scenes.timing.distributions import Distribution
from generators.scenes.timing.fit import MEASURED, FittedTiming, TimingFit, fit_timing


def timing_fit_command(
    files: Sequence[Path],
    output: Path | None,
    console: Console,
    speakers: tuple[str, ...] = (),
    settings: SceneSettings | None = None,
) -> None:
    """``humdial timing fit FILES``: print what a corpus says and write the settings it teaches.

    Args:
        output: the YAML file to write (None: only print); its ``scenes`` section goes into a configuration.
        speakers: the two speakers or tiers to measure, where files have more.
        settings: whose bounds the learned settings keep (None: the defaults).

    Raises:
        ConfigError: no files, a file that cannot be read or measured, or an output that cannot be written.
        HumdialError: the corpus is too small for any fit; nothing is written.
    """
    if not files:
        raise ConfigError("timing fit: name at least one .rttm or .TextGrid file")
    if output is not None and output.is_dir():
        raise ConfigError(f"{output} is a directory; name a file with -o, e.g. -o {output / 'timing.yaml'}")
    try:
        found = fit_timing(read_conversations(files, speakers), settings)
    except CorpusError as error:
        raise ConfigError(str(error)) from error
    print_timing_fit(found, console)
    if not found.replacements():
        raise HumdialError(
            "the files hold too little to learn from: "
            + "; ".join(f"{each.name}: {each.note}" for each in found.timings if each.replaces)
        )
    text = fit_yaml(found, files)
    if output is None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)
        return
    try:
        write_text_atomic(output, text)
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written: {error.strerror}") from error
    console.print(f"{output}: put its scenes section into your configuration", markup=False, soft_wrap=True)


def print_timing_fit(found: TimingFit, console: Console) -> None:
    """One row per measured duration."""
    table = Table(title=f"{_heard(found)} (seconds)")
    for heading in ("duration", "n", "fitted", "mean", "median", "5-95 %", "fit", "KS", "replaces"):
        table.add_column(heading, justify="left" if heading in {"duration", "fit", "replaces"} else "right")
    for name in MEASURED:
        each = found.timing(name)
        spread = each.quantiles
        table.add_row(
            each.name,
            str(each.n),
            str(each.used) if each.distribution else "-",
            "-" if each.mean is None else f"{each.mean:.3f}",
            "-" if spread is None else f"{spread.q50:.3f}",
            "-" if spread is None else f"{spread.q05:.2f} to {spread.q95:.2f}",
            describe(each.distribution) if each.distribution else (each.note or "-"),
            "-" if each.ks is None else f"{each.ks:.3f}",
            f"scenes.{each.replaces}" if each.replaces and each.distribution else "-",
        )
    console.print(table)
    if found.unclear:
        console.print(
            f"{found.unclear} silences or overlaps lie at a simultaneous start or stop and were left out", markup=False
        )


def describe(distribution: Distribution) -> str:
    """The distribution in a few words."""
    values = distribution.model_dump(exclude={"kind"})
    return f"{distribution.kind} " + " ".join(f"{name}={value:g}" for name, value in values.items())


def fit_yaml(found: TimingFit, files: Sequence[Path]) -> str:
    """The ``scenes`` section as YAML, with where each number comes from as comments."""
    names = ", ".join(path.name for path in files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")  # noqa: PLR2004
    lines = [
        f"# Timing learned by `humdial timing fit` from {_one_line(names)}:",
        f"# {_heard(found)}.",
        "# Bounds are those of the settings that are replaced; durations outside them were left out.",
        "scenes:",
    ]
    for each in found.timings:
        if each.replaces and each.distribution:
            lines.append(f"  {_source(each)}")
            value = each.distribution.model_dump(mode="json")
            shown = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000).strip()
            lines.append(f"  {each.replaces}: {shown}")
    return "\n".join(lines) + "\n"


def _heard(found: TimingFit) -> str:
    plural = "" if found.conversations == 1 else "s"
    return f"{found.conversations} conversation{plural}, {found.speech_s / 60:.1f} minutes of speech"


def _source(each: FittedTiming) -> str:
    return f"# {each.used} of {each.n} {each.name}s, Kolmogorov-Smirnov {each.ks:.3f}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
