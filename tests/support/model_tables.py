"""Small model tables and archives, made on the spot."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import yaml

PACKAGE = "humdial-test-part"
VERSION = "1.0.0"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write_wheel(folder: Path, member: str, data: bytes, package: str = PACKAGE) -> Path:
    """A wheel pip accepts, holding ``data`` as ``member``."""
    name = package.replace("-", "_")
    info = f"{name}-{VERSION}.dist-info"
    wheel = folder / f"{name}-{VERSION}-py3-none-any.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as bundle:
        bundle.writestr(member, data)
        bundle.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {VERSION}\n")
        bundle.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        bundle.writestr(f"{info}/RECORD", "")
    return wheel


def write_tarball(path: Path, member: str, data: bytes) -> Path:
    """A gzipped tar with one member, whose name is taken as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as bundle:
        info = tarfile.TarInfo(member)
        info.size = len(data)
        bundle.addfile(info, io.BytesIO(data))
    return path


def entry(
    name: str = "tiny",
    sources: list[dict[str, Any]] | None = None,
    files: list[dict[str, Any]] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """One entry as it stands in the YAML."""
    return {
        "name": name,
        "title": "小模型, for tests",
        "license": "Apache-2.0",
        "upstream": "nobody/tiny",
        "group": "default",
        "used_by": ["engine:tiny"],
        "sources": sources or [{"kind": "url", "name": "a", "url": "file:///nowhere"}],
        "files": files or [file_row("a.bin", b"a", [{"source": "a"}])],
    } | changes


def file_row(path: str, data: bytes, parts: list[dict[str, str]]) -> dict[str, Any]:
    """One file of an entry, pinned to ``data``."""
    return {"path": path, "bytes": len(data), "sha256": digest(data), "parts": parts}


def url_source(name: str, path: Path) -> dict[str, Any]:
    """A source that reads a local file, its hash pinned."""
    return {"kind": "url", "name": name, "url": path.as_uri(), "sha256": digest(path.read_bytes())}


def write_table(path: Path, *entries: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump({"models": list(entries)}, allow_unicode=True), encoding="utf-8")
    return path
