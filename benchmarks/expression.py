"""Emotion that can be heard: what the prosody step makes recognisable, what it costs (``docs/expressive-speech.md``).

``python -m benchmarks.expression`` speaks six sentences per language in every voice of Kokoro (or of ``--engine
espeak``) once, puts seven emotions at intensities drawn from 1 to 3 into each, and lets the project's own judges
listen. Speech and measurements are kept under ``work/bench-expression``, so that a second run is short.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median

import numpy as np

from data_schemas.emotions import Emotion
from data_schemas.expression import Expression
from data_schemas.foundation.audio import SAMPLE_RATE_HZ
from data_schemas.foundation.randomness import named_generator
from data_schemas.speakers import Voice
from data_schemas.tasks import Language, Role, Split
from data_schemas.utterance import SpeechRequest
from generators.speech.engine import RawSpeech, SpeechEngine
from generators.speech.expression.draw import draw_expression
from generators.speech.expression.world import express, expression_version, put_together, taken_apart
from generators.speech.finish import finish
from generators.speech.registry import create_engine
from validators.core.clip_measures import ClipMeasures, measures_of
from validators.core.clips import Clip
from validators.core.codes import Judge
from validators.core.measure_store import MeasureStore, measured
from validators.core.probe import ClipProbe, Measurement
from validators.core.thresholds import Thresholds
from validators.emotion.directions import judge_prosody
from validators.emotion.directions import render_markdown as directions_markdown
from validators.emotion.recovery import EmotionRecovery, recover_emotions
from validators.emotion.recovery import render_markdown as recovery_markdown
from validators.sound.sound import judge_sound
from validators.voices.speakers import judge_item_speakers, judge_set_speakers
from validators.words.transcript import judge_transcript

FOLDER = Path("work/bench-expression")
LOUDNESS_LUFS = -23.0
EDGE_SILENCE_MS = 50
#: Statements and questions of everyday, which any of the seven may say.
SENTENCES: Mapping[Language, tuple[str, ...]] = {
    Language.ZH: (
        "我把那份报告放在你的桌子上了。",
        "明天早上他们要坐火车去北京。",
        "你怎么现在才告诉我这件事？",
        "这个周末我哪儿也不想去。",
        "她在电话里说晚饭已经做好了。",
        "医生说下个星期二再来一次。",
    ),
    Language.EN: (
        "I put the report on your desk this morning.",
        "They are taking the early train to London tomorrow.",
        "Why did you wait so long to tell me about it?",
        "I do not want to go anywhere this weekend.",
        "She said on the phone that dinner was ready.",
        "The doctor asked us to come back next Tuesday.",
    ),
}
ALL_SENTENCES = tuple(range(6))
SEED = 1
#: What went through no vocoder, as the engine spoke it.
RAW = "raw"


@dataclass(frozen=True)
class Spoken:
    """One sentence of one voice in one manner, finished."""

    clip: Clip
    manner: str  # an emotion, or RAW

    @property
    def sentence(self) -> int:
        return int(self.clip.name.removeprefix("turn_")) - 1


def request_of(engine: SpeechEngine, voice: Voice, sentence: int, energy_db: float = 0.0) -> SpeechRequest:
    return SpeechRequest(
        engine=engine.name,
        weights_sha256=engine.weights_sha256,
        voice=voice.id,
        language=voice.language,
        spoken_text=SENTENCES[voice.language][sentence],
        loudness_lufs=LOUDNESS_LUFS + energy_db,
        edge_silence_ms=EDGE_SILENCE_MS,
    )


def raw_speech(engine: SpeechEngine, voice: Voice, sentence: int) -> RawSpeech:
    """As the engine speaks it, kept on disk."""
    path = FOLDER / "raw" / engine.name / f"{voice.id}_{sentence}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = engine.synthesise(request_of(engine, voice, sentence))
        np.savez(path, samples=made.samples, rate=made.sample_rate)
    with np.load(path) as kept:
        return RawSpeech(samples=kept["samples"], sample_rate=int(kept["rate"]))


def intensity_of(record_id: str, emotion: Emotion) -> int:
    """Drawn evenly from 1 to 3; neutral has none."""
    return 0 if emotion.is_neutral else int(named_generator(SEED, f"{record_id}/{emotion}", "intensity").integers(1, 4))


def manners(engine: SpeechEngine, voice: Voice, sentence: int, intensity: int | None = None) -> Iterator[Spoken]:
    """The sentence raw, then in seven emotions at an intensity, or at drawn ones."""
    raw, name = raw_speech(engine, voice, sentence), f"{voice.id}/{sentence}"
    parts = taken_apart(raw)
    yield _spoken(engine, voice, sentence, raw, Emotion.NEUTRAL, 0, 0.0, RAW)
    for emotion in Emotion:
        record = f"{name}/{emotion}"
        strength = 0 if emotion.is_neutral else intensity or intensity_of(name, emotion)
        change = draw_expression(emotion, strength, voice.language, SEED, record)
        felt = put_together(raw, parts, change, record)
        yield _spoken(engine, voice, sentence, felt, emotion, strength, change.energy_db, emotion.value)


def _spoken(
    engine: SpeechEngine,
    voice: Voice,
    sentence: int,
    raw: RawSpeech,
    emotion: Emotion,
    intensity: int,
    energy_db: float,
    manner: str,
) -> Spoken:
    request = request_of(engine, voice, sentence, energy_db)
    samples = finish(raw, request).samples
    # a dialogue of six turns has every sentence once, each in another emotion
    item = f"{voice.id}-{RAW if manner == RAW else (list(Emotion).index(emotion) + sentence) % len(Emotion)}"
    clip = Clip(
        item=item,
        name=f"turn_{sentence + 1}",
        file=f"{item}/turn_{sentence + 1}.wav",
        span=(0.0, len(samples) / SAMPLE_RATE_HZ),
        rate=SAMPLE_RATE_HZ,
        samples=samples,
        layout="track1-seed",
        language=voice.language,
        split=Split.TRAIN,
        role=Role.USER,
        text=request.spoken_text,
        speaker=voice.id,
        emotion=emotion,
        intensity=intensity,
    )
    return Spoken(clip, manner)


def measure_all(spoken: Iterable[Spoken], probes: Sequence[ClipProbe], kept: MeasureStore) -> list[ClipMeasures]:
    """Every probe's numbers of every clip."""
    found = []
    for one in spoken:
        answers = [measured(probe, one.clip, kept) for probe in probes]
        found.append(
            measures_of(
                one.clip,
                {name: value for answer in answers for name, value in answer.values.items()},
                {name: text for answer in answers for name, text in answer.texts.items()},
                {name: vector for answer in answers for name, vector in answer.vectors.items()},
            )
        )
    return found


def recovery(spoken: Sequence[Spoken], kept: MeasureStore) -> tuple[EmotionRecovery, EmotionRecovery, list[str]]:
    """From eGeMAPS and from prosody alone; and the judge of directions."""
    from validators.emotion.acoustic_features import AcousticFeatures
    from validators.emotion.prosody import ProsodyProbe

    felt = [one for one in spoken if one.manner != RAW]
    measures = measure_all(felt, (ProsodyProbe(), AcousticFeatures()), kept)
    findings, report = judge_prosody(measures, Thresholds())
    lines = [directions_markdown(report), f"EMOTION.DIRECTION: {len(findings)} of {len(felt)} utterances", ""]
    lines += [f"- {finding.item}: {finding.message} ({finding.value:.2f})" for finding in findings[:5]]
    return recover_emotions(measures, features="egemaps"), recover_emotions(measures, features="prosody"), lines


def vocoded_or_not(engine: SpeechEngine, voices: Sequence[Voice], kept: MeasureStore) -> list[str]:
    """Whether raw neutral speech and neutral speech from the vocoder can be told apart, other speakers known (50 %)."""
    from validators.emotion.acoustic_features import AcousticFeatures
    from validators.emotion.prosody import ProsodyProbe

    probes = (ProsodyProbe(), AcousticFeatures())
    nothing = Expression()
    rows = ["| neutral speech as spoken, against | eGeMAPS | prosody alone |", "|---|---|---|"]
    both: dict[str, list[Spoken]] = {"the vocoder alone": [], "the vocoder with neutral's small draws": []}
    for voice in voices:
        for sentence in ALL_SENTENCES:
            raw, record = raw_speech(engine, voice, sentence), f"{voice.id}/{sentence}/{Emotion.NEUTRAL}"
            drawn = draw_expression(Emotion.NEUTRAL, 0, voice.language, SEED, record)
            parts = taken_apart(raw)
            for name, change in zip(both, (nothing, drawn), strict=True):
                through = put_together(raw, parts, change, record)
                plain = _spoken(engine, voice, sentence, raw, Emotion.NEUTRAL, 0, 0.0, RAW)
                vocoded = _spoken(engine, voice, sentence, through, Emotion.NEUTRAL, 0, change.energy_db, name)
                other = replace(vocoded.clip, emotion=Emotion.SAD, file=f"vocoded/{vocoded.clip.file}")  # any label
                both[name] += [plain, Spoken(other, name)]
    for name, spoken in both.items():
        measures = measure_all(spoken, probes, kept)
        figures = [recover_emotions(measures, features=f).figure().accuracy or 0.0 for f in ("egemaps", "prosody")]
        rows.append(f"| {name} | {figures[0]:.1%} | {figures[1]:.1%} |")
    return rows


def heard(spoken: Sequence[Spoken], kept: MeasureStore) -> list[str]:
    """Errors of the recogniser and DNSMOS per manner, and what the judge of transcripts says."""
    from validators.sound.quality import QualityProbe
    from validators.words.recogniser import Recogniser

    measures = measure_all(spoken, (Recogniser(), QualityProbe()), kept)
    thresholds, blamed = Thresholds(), dict[str, list[str]]()
    errors: dict[tuple[str, str], list[float]] = {}
    for one, found in zip(spoken, measures, strict=True):
        answer = Measurement(found.values, found.texts)
        verdict = judge_transcript(Judge("transcript", one.clip.item), one.clip, answer, thresholds)
        for finding in verdict.findings:
            blamed.setdefault(one.manner, []).append(f"{finding.code} {one.clip.item}: {finding.message}")
        for name in ("cer", "syllable_error_rate", "wer"):
            if name in verdict.values:
                errors.setdefault((one.manner, name), []).append(verdict.values[name])
        for name in ("ovrl", "bak", "p808"):
            errors.setdefault((one.manner, f"{name}_{one.clip.language}"), []).append(found.values[name])
    names = ("cer", "syllable_error_rate", "wer", "ovrl_zh", "ovrl_en", "bak_zh", "bak_en", "p808_zh", "p808_en")
    rows = ["| manner | " + " | ".join(names) + " | blamed |", "|---" * (len(names) + 2) + "|"]
    for manner in (RAW, *(emotion.value for emotion in Emotion)):
        cells = [errors.get((manner, name)) for name in names]
        shown = [
            "–" if not cell else f"{fmean(cell):.2f}" if "_" in name and name[0] != "s" else f"{fmean(cell):.1%}"
            for name, cell in zip(names, cells, strict=True)
        ]
        rows.append(f"| {manner} | " + " | ".join(shown) + f" | {len(blamed.get(manner, ()))} |")
    rows += ["", *(f"- {manner}: {line}" for manner, lines in blamed.items() for line in lines[:3])]
    return rows


def voices_and_sound(spoken: Sequence[Spoken], kept: MeasureStore) -> list[str]:
    """What the judges of speakers and of sound say of dialogues whose turns have different emotions."""
    from validators.voices.speaker_encoder import SpeakerEncoder

    rows = []
    thresholds = Thresholds()
    for title, group in (
        ("raw", [one for one in spoken if one.manner == RAW]),
        ("expressive", [one for one in spoken if one.manner != RAW]),
    ):
        measures = measure_all(group, (SpeakerEncoder(),), kept)
        items: dict[str, list[ClipMeasures]] = {}
        for found in measures:
            items.setdefault(found.item, []).append(found)
        findings = [finding for item in sorted(items) for finding in judge_item_speakers(item, items[item], thresholds)]
        findings += judge_set_speakers(measures, thresholds)
        for one in group:
            findings += judge_sound(Judge("sound", one.clip.item, one.clip.file), one.clip, thresholds).findings
        counts: dict[str, int] = {}
        for finding in findings:
            counts[finding.code] = counts.get(finding.code, 0) + 1
        rows.append(f"- {title}, {len(group)} utterances: {counts or 'nothing blamed'}")
        rows += _similarities(items)
    return rows


def _similarities(items: Mapping[str, Sequence[ClipMeasures]]) -> list[str]:
    """Cosine of each clip with the others of its item, as SPEAKER.CHANGED counts it, by emotion."""
    from validators.voices.speaker_encoder import VECTOR

    found: dict[str, list[float]] = {}
    for clips in items.values():
        vectors = np.stack([clip.vectors[VECTOR] for clip in clips]).astype(np.float64)
        total = vectors.sum(axis=0)
        for clip, vector in zip(clips, vectors, strict=True):
            rest = total - vector
            cosine = float(vector @ rest / np.linalg.norm(vector) / np.linalg.norm(rest))
            found.setdefault(str(clip.emotion), []).append(cosine)
    return [
        f"  - {emotion}: cosine with the other turns, least {min(values):.3f}, 1 % {np.quantile(values, 0.01):.3f}, "
        f"median {median(values):.3f}"
        for emotion, values in sorted(found.items())
    ]


def speed(engine: SpeechEngine, voices: Sequence[Voice]) -> str:
    """Processor time of `express` per second of speech, one thread."""
    raws = [raw_speech(engine, voice, 0) for voice in voices[:5]]
    started = time.process_time()
    for number, raw in enumerate(raws):
        express(raw, draw_expression(Emotion.SAD, 3, Language.ZH, SEED, str(number)), str(number))
    seconds = sum(len(raw.samples) / raw.sample_rate for raw in raws)
    return f"express: real-time factor {(time.process_time() - started) / seconds:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--engine", default="kokoro")
    parser.add_argument("--language", choices=[language.value for language in Language], help="one alone")
    parser.add_argument("--sentences", type=int, nargs="+", default=ALL_SENTENCES)
    parser.add_argument("--every", type=int, default=1, help="every n-th voice")
    parser.add_argument("--from-voice", type=int, default=0)
    parser.add_argument("--intensity", type=int, choices=(1, 2, 3), help="the same for all; default: drawn")
    parser.add_argument("--heard", type=int, nargs="*", default=(3, 5), help="sentences for Whisper and DNSMOS")
    parser.add_argument("--parts", nargs="+", default=("recovery", "vocoded", "voices", "heard", "speed"))
    chosen = parser.parse_args()
    engine = create_engine(chosen.engine)
    known = [voice for voice in engine.voices() if chosen.language in (None, voice.language)]
    voices = known[chosen.from_voice :: chosen.every]
    kept = MeasureStore(FOLDER / "measured.sqlite")
    print(
        f"{expression_version()}; {engine.name}, {len(voices)} voices, sentences {list(chosen.sentences)}", flush=True
    )
    spoken = [
        one
        for voice in voices
        for sentence in chosen.sentences
        for one in manners(engine, voice, sentence, chosen.intensity)
    ]
    if "recovery" in chosen.parts:
        egemaps, prosody, directions = recovery(spoken, kept)
        print(recovery_markdown(egemaps), recovery_markdown(prosody), *directions, sep="\n", flush=True)
        for strength in (1, 2, 3):
            print(_recall_at(spoken, strength, kept), flush=True)
    if "vocoded" in chosen.parts:
        print(*vocoded_or_not(engine, voices, kept), sep="\n", flush=True)
    if "voices" in chosen.parts:
        print(*voices_and_sound(spoken, kept), sep="\n", flush=True)
    if "heard" in chosen.parts:
        print(*heard([one for one in spoken if one.sentence in chosen.heard], kept), sep="\n", flush=True)
    if "speed" in chosen.parts:
        print(speed(engine, voices), flush=True)


def _recall_at(spoken: Sequence[Spoken], intensity: int, kept: MeasureStore) -> str:
    """The figure of the utterances of one intensity, with neutral."""
    some = [one for one in spoken if one.manner == Emotion.NEUTRAL.value or one.clip.intensity == intensity]
    egemaps, prosody, _ = recovery([one for one in some if one.manner != RAW], kept)
    recalls = [found.figure().unweighted_average_recall or 0.0 for found in (egemaps, prosody)]
    return f"intensity {intensity} and neutral alone: average recall {recalls[0]:.1%} eGeMAPS, {recalls[1]:.1%} prosody"


if __name__ == "__main__":
    main()
