"""The release's data card and its resource declaration, written from what was really used."""

from __future__ import annotations

from importlib.metadata import version

from data_schemas.speakers import Voice
from data_schemas.tasks import Track
from flows.config.build_config import BuildConfig
from flows.prepare.identity import cast_voices
from flows.prepare.resolve import Prepared
from flows.release.books import CellCount, summary_rows
from flows.release.texts import ReleaseTexts
from generators.speech.engine import Control, SpeechEngine
from generators.speech.voices.registry import voice_digest

_CARD = """\
# {name}

{notice}Human-like spoken dialogue made by the humdial pipeline {version}, spoken by
`{engine}` {engine_version} ({engine_license}), 16 kHz mono PCM16.
Track 1 (emotional multi-turn): {minutes1:.1f} minutes. Track 2 (full duplex, user channel): {minutes2:.1f} minutes.

## What is in it
{table}

planned + topped up = released + rejected in every row; rejected items are not part of the release.

## The texts
{sources}

{diversity}
The histograms of domains, openings and emotion transitions are in `validation/diversity.json`.

## Where things are
- Track 1 folders and the `.jsonl` beside each: run the challenge's scripts from the directory that holds the `.jsonl`.
- `track2/<language>/<split>/<Sub-task>/`: `<id>.wav` (the user's channel), `<id>_sentence.json`, `clean_<id>.wav`;
  `<Sub-task>_model/` beside it holds the assistant's channel, `<Sub-task>.jsonl` one row per scene.
- `scripts.jsonl`: the frozen scripts; a build with this file as `scripts.pack` needs no language model.
- `catalog.parquet`: one row per utterance and per scene event.
- `validation/`: what the judges found, what they measured of every utterance (`measures.parquet`: transcript, error
  rate, quality, pitch ...), how far emotion labels can be told from sound (`emotion.json`), the catalog suite's
  results, and how far the realised timing of the scenes is from its target distributions (`timing.json`).
- `RESOURCES.md`: models and licences. `dataset.lock.json`: configuration, seeds and the hash of every file.

## Known limits
- Emotion labels are those of the script. {emotion}
- The voices are synthetic; no recording of a person is part of the set.
- All positions in time come from the timeline that was rendered, not from an estimate of the audio.
"""

_RESOURCES = """\
# Resource declaration

{notice}Open-source resources only. Nothing here was made by a commercial speech service.

| resource | used for | licence | sha256 |
|---|---|---|---|
{rows}

Text was written by:
{sources}

Voices: {voices}.
"""


_REHEARSAL = """\
> **A rehearsal, not for training and not to be released.** {count} of the {scripts} scripts were filled in by rule
> (`scripts.writer: rehearsal`): they exercise the pipeline and teach a model nothing.

"""


def dataset_card(
    config: BuildConfig,
    prepared: Prepared,
    counts: tuple[CellCount, ...],
    seconds: dict[Track, float],
    texts: ReleaseTexts,
) -> str:
    """Markdown card; deterministic for a given release."""
    header = "| track | task | language | split | planned | topped up | released | rejected |\n" + "|---" * 8 + "|\n"
    table = header + "\n".join("| " + " | ".join(str(value) for value in row) + " |" for row in summary_rows(counts))
    return _CARD.format(
        name=config.name,
        notice=_notice(texts),
        version=prepared.code,
        engine=prepared.engine.name,
        engine_version=prepared.engine.version,
        engine_license=prepared.engine.license,
        minutes1=seconds[Track.EMOTION] / 60,
        minutes2=seconds[Track.DUPLEX] / 60,
        table=table,
        sources=_sources(texts),
        diversity=_diversity(texts),
        emotion=_emotion(config, prepared.engine),
    )


def _notice(texts: ReleaseTexts) -> str:
    """What stands above all else where a release holds rehearsal scripts; nothing elsewhere."""
    if not texts.rehearsed:
        return ""
    return _REHEARSAL.format(count=texts.rehearsed, scripts=sum(texts.sources.values()))


def _emotion(config: BuildConfig, engine: SpeechEngine) -> str:
    """How an emotion came into the sound."""
    if Control.EMOTION in engine.controls:
        return f"Engine `{engine.name}` was told each turn's emotion; whether people hear it was not tested."
    if config.speech.expression == "prosody":
        return (
            f"Engine `{engine.name}` knows none: pitch, tempo, energy and timbre of every Track 1 turn, neutral ones\n"
            "  too, were changed afterwards by rule (WORLD). A classifier recovers such labels; people were not asked."
        )
    return f"Engine `{engine.name}` knows none: an emotion is carried by the words alone."


def _sources(texts: ReleaseTexts) -> str:
    return "\n".join(f"- {count} scripts: {source}" for source, count in texts.sources.items())


def _diversity(texts: ReleaseTexts) -> str:
    """One line per language."""
    lines = []
    for language, figures in texts.diversity.languages.items():
        bleu = "-" if figures.self_bleu is None else f"{figures.self_bleu:.1f}"
        distinct = " / ".join(f"{value:.2f}" for value in figures.distinct)
        lines.append(
            f"- {language}: {figures.scripts} scripts from {len(figures.domains)} domains, distinct-1/2/3 {distinct}, "
            f"self-BLEU {bleu}"
        )
    return "\n".join(lines)


def _is_declared(voice: Voice, engine: SpeechEngine) -> bool:
    """Whether the engine's own row does not say it all: recordings or a mixture, an origin, another licence."""
    return voice_digest(voice) is not None or bool(voice.origin.strip()) or voice.license != engine.license


def _voice_row(voice: Voice) -> str:
    """Whose a voice is, and what it is made of besides the engine's weights."""
    shares = " + ".join(f"{part.weight:.0%} {part.voice}" for part in voice.mix)
    if shares:
        made = f"mixed: {shares}"
    else:
        made = f"{len(voice.clips)} reference clips" if voice.clips else "the engine's own"
    digest = voice_digest(voice)
    sha256 = "as the engine" if digest is None else f"`{digest}`"
    origin = " ".join(voice.origin.split()).replace("|", "/")
    what = f"voice {voice.id} ({made}){': ' if origin else ''}{origin}"
    return f"| {what} | speech | {voice.license} | {sha256} |"


def resource_declaration(config: BuildConfig, prepared: Prepared, texts: ReleaseTexts) -> str:
    """Markdown table of engine, models and the maker of rooms, with licences and hashes."""
    rows = [
        f"| {prepared.engine.name} {prepared.engine.version} | speech | {prepared.engine.license} "
        f"| `{prepared.engine.weights_sha256}` |"
    ]
    cast = cast_voices(prepared.engine, prepared.speakers)
    rows += [_voice_row(voice) for voice in cast if _is_declared(voice, prepared.engine)]
    for entry in prepared.models:
        for file in entry.files:
            rows.append(
                f"| {entry.title} `{file.path}` | {', '.join(entry.used_by)} | {entry.license} | `{file.sha256}` |"
            )
    if config.scenes.microphone.room.use != "off" and any(
        cell.task.track is Track.DUPLEX for cell, _ in prepared.quota
    ):
        rows.append(f"| pyroomacoustics {version('pyroomacoustics')} | room impulse responses | MIT | computed here |")
    if config.speech.expression == "prosody" and Control.EMOTION not in prepared.engine.controls:
        rows.append(f"| WORLD (pyworld {version('pyworld-prebuilt')}) | prosody of Track 1 | MIT | computed here |")
    voices = ", ".join(voice.id for voice in cast)
    return _RESOURCES.format(notice=_notice(texts), rows="\n".join(rows), voices=voices, sources=_sources(texts))
