"""Which files a pack means: the packs shipped with the project, or files of the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from data_schemas.foundation.base import RecordError
from data_schemas.foundation.problems import did_you_mean
from data_schemas.script import Script
from generators.scripts.frozen import FrozenScripts
from generators.scripts.script_file import read_script_files
from generators.scripts.settings import ScriptSettings

SCRIPT_SUFFIX = ".jsonl"


def packs_dir() -> Path:
    """Where the shipped packs lie: one directory per pack, one JSONL file per language."""
    return Path(__file__).parent / "packs"


def shipped_packs() -> tuple[str, ...]:
    """Names of the packs that come with the project."""
    return tuple(sorted(entry.name for entry in packs_dir().iterdir() if _script_files(entry)))


def resolve_pack(name_or_path: str, base_dir: Path) -> tuple[Path, ...]:
    """The script files of a pack, sorted by name.

    ``name_or_path`` is a shipped pack's name, a JSONL file or a directory of JSONL files;
    a relative path is looked up from ``base_dir`` (the directory of the configuration).
    A shipped name wins over a file of the same name: write ``./name`` to mean the file.

    Raises:
        RecordError: no such pack; the text lists the shipped ones.
    """
    if name_or_path in shipped_packs():
        return _script_files(packs_dir() / name_or_path)
    place = base_dir / name_or_path
    files = (place,) if place.is_file() else _script_files(place)
    if not files:
        found = f"the directory {place} holds no {SCRIPT_SUFFIX} file" if place.is_dir() else f"{place} is no file"
        raise RecordError(
            f"scripts.pack: unknown pack {name_or_path!r}: {found}{did_you_mean(name_or_path, shipped_packs()) or ';'} "
            f"name a shipped pack ({', '.join(shipped_packs())}) or a path to script files"
        )
    return files


def load_packs(settings: ScriptSettings, base_dir: Path) -> tuple[Script, ...]:
    """All scripts of all configured packs, in configuration order.

    Raises:
        RecordError: an unknown pack, a broken line, or a script_id used twice.
    """
    return read_script_files(_files(settings, base_dir))


def open_packs(settings: ScriptSettings, base_dir: Path) -> FrozenScripts:
    """The same scripts in the same order, checked once and left on disk.

    Raises:
        RecordError: as `load_packs`.
    """
    return FrozenScripts.read(_files(settings, base_dir))


def _files(settings: ScriptSettings, base_dir: Path) -> Iterator[Path]:
    return (path for pack in settings.pack for path in resolve_pack(pack, base_dir))


def _script_files(directory: Path) -> tuple[Path, ...]:
    return tuple(sorted(directory.glob(f"*{SCRIPT_SUFFIX}"))) if directory.is_dir() else ()
