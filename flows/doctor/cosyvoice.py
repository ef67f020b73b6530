"""What ``humdial doctor`` says of a configuration whose engine is CosyVoice in process."""

from __future__ import annotations

from pathlib import Path

from flows.doctor.checks import Check
from generators.speech.cosyvoice.model_files import generation_of, missing_files
from generators.speech.cosyvoice.process import interpreter, runtime_classes, runtime_versions
from generators.speech.cosyvoice.settings import CosyVoiceSettings
from generators.speech.engine import EngineError
from generators.speech.expression.instructions import Generation
from generators.speech.settings import SpeechSettings
from generators.speech.voices.registry import clip_notes, load_voices

DOCUMENT = "docs/cosyvoice.md"
_TITLES: dict[Generation, str] = {"v2": "CosyVoice 2", "v3": "CosyVoice 3"}
_CLASSES: dict[Generation, str] = {"v2": "CosyVoice2", "v3": "CosyVoice3"}
#: How a runtime takes the clip tells which of both generations of the API it has (COSYVOICE.md "Ways to run it").
_INTERFACES = {
    "path": "takes clips as files, as the repository's head",
    "samples": "takes clips as samples, as in 2025",
}


def cosyvoice_checks(speech: SpeechSettings) -> tuple[Check, ...]:
    """Model directory, runtime and clips; nothing without its section. Half a minute: CosyVoice is really imported."""
    if speech.cosyvoice is None:
        return ()
    return check_model(speech.cosyvoice), check_runtime(speech.cosyvoice), check_clips(speech)


def check_model(settings: CosyVoiceSettings) -> Check:
    """The directory is there, says which generation it is, and has the weights."""
    name, fix = "cosyvoice model", f"download the weights as in {DOCUMENT}, section Weights"
    folder = Path(settings.model_dir)
    try:
        generation = generation_of(folder)
    except EngineError as error:
        return Check(name=name, ok=False, detail=str(error), fix=fix)
    missing = missing_files(folder)
    if missing:
        return Check(name=name, ok=False, detail=f"{folder} lacks {', '.join(missing)}", fix=fix)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9
    return Check(name=name, ok=True, detail=f"{_TITLES[generation]}, {size:.1f} GB in {folder}")


def check_runtime(settings: CosyVoiceSettings) -> Check:
    """The interpreter imports CosyVoice and has the class that the model needs."""
    name, fix = "cosyvoice runtime", f"install it as in {DOCUMENT}, section Runtime"
    try:
        versions = runtime_versions(settings)
        classes = runtime_classes(settings)
    except EngineError as error:
        return Check(name=name, ok=False, detail=str(error), fix=fix)
    where = f"{versions['cosyvoice']} with torch {versions['torch']} for {interpreter(settings)}"
    try:
        wanted = _CLASSES[generation_of(Path(settings.model_dir))]
    except EngineError:  # the model's own check says so
        return Check(name=name, ok=True, detail=where)
    if wanted not in classes:
        return Check(name=name, ok=False, detail=f"{where} has no {wanted}, which the model needs", fix=fix)
    return Check(name=name, ok=True, detail=f"{where}; {_INTERFACES[classes[wanted]]}")


def check_clips(speech: SpeechSettings) -> Check:
    """The registry's clips can be used; what could be better about them is said, and no fault."""
    name, fix = "cosyvoice clips", "mend the registry or its recordings, see docs/voices.md"
    if speech.voices is None:
        return Check(name=name, ok=False, detail="speech.voices names no registry, and CosyVoice clones", fix=fix)
    registry = Path(speech.voices)
    try:
        voices = load_voices(registry, "cosyvoice")
        notes = clip_notes(registry, voices)
    except EngineError as error:
        return Check(name=name, ok=False, detail=str(error), fix=fix)
    without = [voice.id for voice in voices if not voice.clips]
    if without:
        return Check(name=name, ok=False, detail=f"{registry}: no clip for {', '.join(without)}", fix=fix)
    emotional = sum(not clip.emotion.is_neutral for voice in voices for clip in voice.clips)
    counted = f"{len(voices)} voices, {emotional} clips with an emotion, in {registry}"
    return Check(name=name, ok=True, detail="; ".join((counted, *notes)))
