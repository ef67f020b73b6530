"""The voice registry: voices of one's own, one YAML file with their clips beside it (docs/voices.md)."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import Field, ValidationError

from data_schemas.emotions import Emotion
from data_schemas.foundation.base import Record, describe_validation_error
from data_schemas.foundation.problems import located, problems_of
from data_schemas.foundation.yaml_file import YamlDocument, YamlError, read_yaml
from data_schemas.speakers import AgeBand, Gender, MixPart, ReferenceClip, Voice
from data_schemas.tasks import Language
from generators.speech.engine import EngineError

#: What every engine that clones can use (COSYVOICE.md, "What goes wrong at scale": never over 30 s, at least 16 kHz)
MIN_CLIP_RATE_HZ = 16_000
MAX_CLIP_S = 30.0
MAX_CLIP_CHANNELS = 2
#: What it uses best, one clean sentence of this length (same source)
WANTED_CLIP_S = (5.0, 13.0)
#: CHOICE: below this peak a clip is taken for silence, and from this one on for clipped
_SILENT_PEAK = 0.001
_CLIPPED_PEAK = 0.9999
#: what libsndfile says of a WAV file that is shorter than its header has it; writers to a pipe leave the largest size
_WAV_CUT = re.compile(r"data : (\d+) \(should be \d+\)")
_SIZE_UNKNOWN = 0x7FFFF000
_ID = r"^\w[\w.+-]{0,63}$"  # letters of any script: a voice of a CosyVoice server is called 中文女


class _ClipEntry(Record):
    """A clip as the file lists it."""

    file: str = Field(min_length=1)
    text: str = Field(min_length=1, pattern=r"\S")
    emotion: Emotion = Emotion.NEUTRAL
    #: worked out where it is left out, checked where it stands
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class _Entry(Record):
    """A voice as the file lists it; see `data_schemas.speakers.Voice`."""

    id: str = Field(pattern=_ID)
    engine: str = Field(min_length=1)
    language: Language
    gender: Gender
    license: str = Field(min_length=1)
    age: AgeBand | None = None
    origin: str = ""
    clips: tuple[_ClipEntry, ...] = ()
    mix: tuple[MixPart, ...] = ()


class _Sound(NamedTuple):
    """What a clip's file holds."""

    sha256: str
    seconds: float
    peak: float


def load_voices(path: Path, engine: str) -> tuple[Voice, ...]:
    """Voices of ``engine`` in a registry, in its order; every clip of theirs is read and checked.

    Raises:
        EngineError: the file cannot be read, a key is unknown or a value wrong, a clip is missing, outside the
            registry's folder or unusable, or no voice is for that engine; names file, voice, field and way out.
    """
    entries = [entry for entry in _entries(path) if entry.engine == engine]
    if not entries:
        raise EngineError(f"{path}: no voice has engine: {engine}; add one, or remove speech.voices")
    return tuple(_voice(path, entry) for entry in entries)


def clip_path(registry: Path, clip: ReferenceClip) -> Path:
    """Where a clip of a registry lies.

    Raises:
        EngineError: outside the registry's folder.
    """
    folder = registry.resolve().parent
    path = (folder / clip.file).resolve()
    if Path(clip.file).is_absolute() or not path.is_relative_to(folder):
        raise EngineError(
            f"{registry}: clip {clip.file} lies outside the registry's folder; "
            "put the recording beside the registry and give its path from there"
        )
    return path


def voice_digest(voice: Voice) -> str | None:
    """SHA-256 of what makes the voice besides the engine's weights: clips with their texts, shares of a mix.

    None where nothing does. The names of files and the order of the lists do not matter.
    """
    if not voice.clips and not voice.mix:
        return None
    made_of = {
        "clips": sorted([clip.emotion.value, clip.sha256, clip.text] for clip in voice.clips),
        "mix": sorted([part.voice, part.weight] for part in voice.mix),
    }
    return hashlib.sha256(json.dumps(made_of, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def clip_notes(registry: Path, voices: Iterable[Voice]) -> tuple[str, ...]:
    """What could be better about usable clips, a sentence each: length, clipping, no neutral clip."""
    return tuple(note for voice in voices for note in _notes(registry, voice))


def _notes(registry: Path, voice: Voice) -> Iterator[str]:
    shortest, longest = WANTED_CLIP_S
    for clip in voice.clips:
        where = f"{registry}: voice {voice.id}, clip {clip.file}"
        sound = _sound(clip_path(registry, clip), where)
        if not shortest <= sound.seconds <= longest:
            yield f"{where}: lasts {sound.seconds:.1f} s; one sentence of {shortest:g} to {longest:g} s clones best"
        if sound.peak >= _CLIPPED_PEAK:
            yield f"{where}: is clipped; record it again with less gain"
    if voice.clips and all(clip.emotion is not Emotion.NEUTRAL for clip in voice.clips):
        yield f"{registry}: voice {voice.id}: has no neutral clip; add one for everything that is said without emotion"


def _entries(path: Path) -> Iterator[_Entry]:
    """The file's voices, their fields checked, ids distinct within an engine."""
    seen: set[tuple[str, str]] = set()
    document = _document(path)
    for number, raw in enumerate(document.data["voices"]):
        name = raw.get("id", f"number {number + 1}") if isinstance(raw, Mapping) else f"number {number + 1}"
        try:
            entry = _Entry.model_validate(raw)
        except ValidationError as error:
            told = "\n".join(
                located(problem, document, ("voices", number), f"voice {name}: ")
                for problem in problems_of(error, _Entry)
            )
            raise EngineError(f"{told}; docs/voices.md lists the fields") from error
        if (entry.engine, entry.id) in seen:
            line = document.line(("voices", number))
            raise EngineError(f"{path}:{line}: voice {name}: stands there twice; rename or remove one")
        seen.add((entry.engine, entry.id))
        yield entry


def _document(path: Path) -> YamlDocument:
    """A file whose only key is ``voices``, with a list."""
    try:
        document = read_yaml(path)
    except OSError as error:
        raise EngineError(f"{path}: cannot be read ({error.strerror}); correct speech.voices") from error
    except YamlError as error:
        raise EngineError(str(error)) from error
    raw = document.data
    if not isinstance(raw, dict) or set(raw) != {"voices"} or not isinstance(raw["voices"], list):
        raise EngineError(f"{path}: must hold one key, voices, with a list; docs/voices.md shows one")
    return document


def _voice(path: Path, entry: _Entry) -> Voice:
    where = f"{path}: voice {entry.id}"
    if entry.clips and not entry.origin.strip():
        raise EngineError(f"{where}: origin is missing; say where its recordings come from and who agreed to their use")
    if entry.clips and entry.mix:
        raise EngineError(f"{where}: has clips and mix; a voice is imitated or mixed, remove one of them")
    try:
        return Voice(
            id=entry.id,
            engine=entry.engine,
            language=entry.language,
            gender=entry.gender,
            license=entry.license,
            age=entry.age,
            origin=entry.origin.strip(),
            clips=tuple(_clip(path, entry.id, clip) for clip in entry.clips),
            mix=entry.mix,
        )
    except ValidationError as error:
        raise EngineError(f"{where}: {describe_validation_error(error)}") from error


def _clip(registry: Path, voice: str, entry: _ClipEntry) -> ReferenceClip:
    """With the hash of its bytes."""
    where = f"{registry}: voice {voice}, clip {entry.file}"
    unchecked = ReferenceClip(file=entry.file, text=entry.text.strip(), sha256="0" * 64, emotion=entry.emotion)
    sound = _sound(clip_path(registry, unchecked), where)
    if entry.sha256 not in (None, sound.sha256):
        raise EngineError(
            f"{where}: sha256 is {sound.sha256}, not {entry.sha256}; put the right recording back or correct sha256"
        )
    return unchecked.model_copy(update={"sha256": sound.sha256})


def _sound(path: Path, where: str) -> _Sound:
    """A usable recording, decoded to its end: a damaged one must not be found by the engine, hours later."""
    import soundfile

    try:
        data = path.read_bytes()
    except OSError as error:
        raise EngineError(f"{where}: cannot be read ({error.strerror}); correct file") from error
    try:
        with soundfile.SoundFile(path) as file:
            rate, channels, claimed, told = file.samplerate, file.channels, file.frames, file.extra_info
            samples = file.read(dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: a headerless kind, by its ending
        raise EngineError(f"{where}: is no readable recording ({error}); save it as WAV or FLAC") from error
    seconds = len(samples) / rate
    peak = float(abs(samples).max(initial=0.0))
    problems = (
        (len(samples) != claimed or _is_cut(told), f"breaks off after {seconds:.1f} s; save it again"),
        (channels > MAX_CLIP_CHANNELS, f"has {channels} channels; save it in mono"),
        (rate < MIN_CLIP_RATE_HZ, f"is sampled at {rate} Hz; record it again at {MIN_CLIP_RATE_HZ} Hz or more"),
        (seconds > MAX_CLIP_S, f"lasts {seconds:.1f} s; cut it to one sentence, {MAX_CLIP_S:g} s at most"),
        (not math.isfinite(peak), "holds values that are not numbers; save it again"),
        (peak < _SILENT_PEAK, "is silent; record it again"),
    )
    for wrong, problem in problems:
        if wrong:
            raise EngineError(f"{where}: {problem}")
    return _Sound(sha256=hashlib.sha256(data).hexdigest(), seconds=seconds, peak=peak)


def _is_cut(told: str) -> bool:
    cut = _WAV_CUT.search(told)
    return cut is not None and int(cut.group(1)) < _SIZE_UNKNOWN
