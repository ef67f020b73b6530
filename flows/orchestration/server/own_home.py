"""The folder and the database of a build's own Prefect server: apart from the user's, and of bounded size."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import platformdirs

DATABASE = "prefect.db"
_BEFORE = "prefect.before.db"
_BROKEN = "prefect.broken.db"
#: A shard takes some 28 kB of it: the full data set (2,400 shards) four times over.
_LARGEST_BYTES = 256 << 20
_SQLITE_BESIDE = ("-wal", "-shm")


def prepare_home(home: Path) -> bool:
    """Make the folder and its database, and return whether the database holds runs of builds before.

    A database over 256 MB becomes ``prefect.before.db``, in place of the one before it. A new one is a copy of the
    empty database that ``keep_template`` kept: making one takes Prefect as long as all its imports.
    """
    home.mkdir(parents=True, exist_ok=True)
    database = home / DATABASE
    if database.exists() and database.stat().st_size > _LARGEST_BYTES:
        _move(database, home / _BEFORE)
    if database.exists():
        return True
    _drop_log(database)
    template = template_path()
    if template.is_file():
        try:
            _copy(template, database)
        except sqlite3.Error:  # damaged: Prefect makes the database itself, and the next copy is of that
            template.unlink(missing_ok=True)
    return False


def keep_template(home: Path) -> None:
    """Keep a copy of the database of a server that has just made it, for new work directories of this user.

    One per version of Prefect. What fails here costs the next build some seconds, and nothing else.
    """
    template = template_path()
    if not template.exists():
        with suppress(sqlite3.Error, OSError):
            template.parent.mkdir(parents=True, exist_ok=True)
            _copy(home / DATABASE, template)


def set_database_aside(home: Path) -> Path:
    """Move a database that Prefect cannot start with out of its way, and the copy it may come from; where it is now."""
    with suppress(OSError):
        template_path().unlink(missing_ok=True)
    broken = home / _BROKEN
    _move(home / DATABASE, broken)
    return broken


def template_path() -> Path:
    """Where the empty database of the installed version of Prefect is kept."""
    import prefect

    return Path(platformdirs.user_cache_dir("humdial")) / "prefect" / f"{prefect.__version__}.db"


def _copy(source: Path, target: Path) -> None:
    """One consistent copy, also of a database in use; whole or absent."""
    temporary = target.parent / f".{target.name}.{secrets.token_hex(8)}"
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(temporary)) as new,
        ):
            old.backup(new)
            if new.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise sqlite3.DatabaseError(f"{source} is damaged")
            if new.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
                raise sqlite3.DatabaseError(f"{source} is empty")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _move(database: Path, target: Path) -> None:
    _drop_log(target)
    for end in ("", *_SQLITE_BESIDE):
        with suppress(FileNotFoundError):
            os.replace(f"{database}{end}", f"{target}{end}")


def _drop_log(database: Path) -> None:
    """The log of a database that is gone would be taken for the next one's."""
    for end in _SQLITE_BESIDE:
        Path(f"{database}{end}").unlink(missing_ok=True)
