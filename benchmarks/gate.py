"""The gate's judges at full size: false pairs, recall of planted duplicates, seconds and memory.

    python -m benchmarks.gate --clips 13000

espeak speaks ``--clips`` different sentences of a few frames (`gate_sentences`); a share of them comes from one voice
of each language, so that thousands of clips share voice and most words: the worst case. Copies of some clips are
planted under other words. Each size is then judged in a process of its own that reads the measures from a file.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np
import soundfile
import soxr

from benchmarks.gate_sentences import Sentence, sentences
from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples, from_pcm16, to_pcm16
from data_schemas.tasks import Language, Role, Split
from data_schemas.utterance import SpeechRequest
from flows.config.build_config import load_config
from generators.plans.quotas import expand
from generators.scripts.rehearsal.source import RehearsalSource
from generators.speech.engine import SpeechEngine
from generators.speech.finish import finish
from generators.speech.registry import create_engine
from generators.speech.text.normalise import normalise
from validators.core.clip_measures import ClipMeasures, measures_of
from validators.core.clips import Clip
from validators.core.thresholds import Thresholds
from validators.run.tables import decode_measures, encode_measures
from validators.sets.fingerprint import FingerprintProbe, judge_duplicate_audio, likeness
from validators.text.texts import fields

REHEARSAL = Path(__file__).parents[1] / "configs" / "rehearsal.yaml"
PLANTED = "z"  # items of this initial are copies
SIZES = (1_000, 10_000)
_LOOKED_AT = 400
_LOUDNESS_LUFS, _EDGE_SILENCE_MS, _INNER_SILENCE_MS = -23.0, 100, 400


def later(samples: Samples, seconds: float) -> Samples:
    return np.concatenate([np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32), samples])


def noisy(samples: Samples, level_db: float) -> Samples:
    noise = np.random.default_rng(len(samples)).standard_normal(len(samples))
    gain = np.sqrt(np.mean(samples.astype(np.float64) ** 2)) * 10.0 ** (level_db / 20.0)
    mixed: Samples = (samples + gain * noise).astype(np.float32)
    return mixed


def resampled(samples: Samples, rate: int) -> Samples:
    there = soxr.resample(samples, SAMPLE_RATE_HZ, rate)
    back: Samples = soxr.resample(there, rate, SAMPLE_RATE_HZ).astype(np.float32)
    return back


def coded(samples: Samples) -> Samples:
    """MP3 as libsndfile writes it."""
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE_HZ, format="MP3")
    file.seek(0)
    read: Samples = soundfile.read(file, dtype="float32")[0]
    return read


COPIES: dict[str, Callable[[Samples], Samples]] = {
    "exact": lambda samples: samples,
    "gain -10 dB": lambda samples: from_pcm16(to_pcm16(samples * np.float32(0.316))),
    "50 ms later": lambda samples: later(samples, 0.05),
    "36 ms later": lambda samples: later(samples, 0.036),
    "first 110 ms cut off": lambda samples: samples[round(0.11 * SAMPLE_RATE_HZ) :],
    "last 300 ms cut off": lambda samples: samples[: -round(0.3 * SAMPLE_RATE_HZ)],
    "noise at -40 dB": lambda samples: noisy(samples, -40.0),
    "noise at -20 dB": lambda samples: noisy(samples, -20.0),
    "8 kHz and back": lambda samples: resampled(samples, 8_000),
    "22.05 kHz and back": lambda samples: resampled(samples, 22_050),
    "MP3": coded,
    "all of these": lambda samples: coded(noisy(resampled(later(samples, 0.05), 11_025), -40.0) * np.float32(0.5)),
}


class _Speaker:
    def __init__(self, engine: SpeechEngine) -> None:
        self._engine = engine
        self._probe = FingerprintProbe()

    def say(self, sentence: Sentence) -> Samples:
        request = SpeechRequest(
            engine=self._engine.name,
            weights_sha256=self._engine.weights_sha256,
            voice=sentence.voice,
            language=sentence.language,
            spoken_text=sentence.text,
            loudness_lufs=_LOUDNESS_LUFS,
            edge_silence_ms=_EDGE_SILENCE_MS,
            max_inner_silence_ms=_INNER_SILENCE_MS,
        )
        return from_pcm16(to_pcm16(finish(self._engine.synthesise(request), request).samples))

    def measure(self, item: str, samples: Samples, sentence: Sentence) -> ClipMeasures:
        clip = Clip(
            item=item,
            name="turn_1",
            file=f"track1/train/{sentence.language}/{item}_1.wav",
            span=(0.0, len(samples) / SAMPLE_RATE_HZ),
            rate=SAMPLE_RATE_HZ,
            samples=samples,
            layout="track1-seed",
            language=sentence.language,
            split=Split.TRAIN,
            role=Role.USER,
            text=sentence.text,
            speaker=sentence.voice,
        )
        measured = self._probe.measure(clip)
        return measures_of(clip, measured.values, measured.texts, measured.vectors)


def rehearsal_sentences(voices: Mapping[Language, Sequence[str]], count: int, seed: int) -> Iterator[Sentence]:
    """What is said in the scripts of `configs/rehearsal.yaml`, cell after cell, each script by one voice a role."""
    source = RehearsalSource(seed)
    quota = expand(load_config(REHEARSAL).quotas)
    texts = (
        (cell.language, number + position % 2, text.text)
        for number in range(1, max(most for _, most in quota) + 1)
        for cell, most in quota
        if number <= most
        for position, text in enumerate(fields(source.script(cell, number)))
    )
    for language, person, text in islice(texts, count):
        pool = voices[language]
        yield Sentence(language, pool[person % len(pool)], normalise(text, language))


def make(path: Path, said: list[Sentence], engine_name: str, copies: int, seed: int) -> float:
    """Speak, measure and write all clips, then the planted ones; returns the seconds of sound."""
    speaker = _Speaker(create_engine(engine_name))
    seconds = 0.0

    def clips() -> Iterator[ClipMeasures]:
        nonlocal seconds
        for number, sentence in enumerate(said):
            samples = speaker.say(sentence)
            seconds += len(samples) / SAMPLE_RATE_HZ
            yield speaker.measure(f"a{number:06d}", samples, sentence)

    with path.open("w", encoding="utf-8") as file:
        file.writelines(encode_measures(clip) + "\n" for clip in chain(clips(), _planted(speaker, said, copies, seed)))
    return seconds


def _voices(engine_name: str, language: Language) -> list[str]:
    return [voice.id for voice in create_engine(engine_name).voices() if voice.language is language]


def _planted(speaker: _Speaker, said: list[Sentence], copies: int, seed: int) -> Iterator[ClipMeasures]:
    """Of every kind ``copies``: the sound of one clip under the words of another one of its language.

    Every other one gets the most alike of `_LOOKED_AT` texts.
    """
    draw = np.random.default_rng(seed + 1)
    for kind_number, (_, change) in enumerate(COPIES.items()):
        for number in range(copies):
            source, *others = (said[int(place)] for place in draw.integers(len(said), size=_LOOKED_AT))
            fitting = [one for one in others if one.language is source.language and one.text != source.text]
            other = max(fitting, key=lambda one: likeness(one.text, source.text)) if _is_alike(number) else fitting[0]
            item = f"{PLANTED}{kind_number:02d}_{number:04d}"
            yield speaker.measure(item, change(speaker.say(source)), source._replace(text=other.text))


def _is_alike(number: int) -> bool:
    return number % 2 == 1


def judge(path: Path, count: int) -> tuple[Counter[str], Counter[tuple[str, bool]], list[str], float, float]:
    """Findings about clips by code, about copies by kind and whether their words are alike; messages; seconds; MiB."""
    before = _peak_mib()
    clips = _first(path, count)
    started = time.process_time()
    findings = judge_duplicate_audio(clips, Thresholds())
    spent = time.process_time() - started
    kinds = list(COPIES)
    blamed = {one.item for one in findings if one.item.startswith(PLANTED)}
    copies = Counter((kinds[int(item[1:3])], _is_alike(int(item[-1]))) for item in blamed)
    others = [one for one in findings if not one.item.startswith(PLANTED)]
    grown = _peak_mib() - before
    shown = [f"{one.code} {one.item}: {one.message}" for one in others]
    return Counter(one.code for one in others), copies, shown, spent, grown


def _peak_mib() -> float:
    """Of this process since it began; ``ru_maxrss`` would be the parent's where that had more."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _first(path: Path, count: int) -> Iterator[ClipMeasures]:
    """The first ``count`` clips; all of them with the planted ones for 0."""
    clips = map(decode_measures, path.open(encoding="utf-8"))
    return clips if count == 0 else islice((clip for clip in clips if not clip.item.startswith(PLANTED)), count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=13_000)
    parser.add_argument("--engine", default="espeak")
    parser.add_argument("--sentences", choices=["frames", "rehearsal"], default="frames", help="worst case, or scripts")
    parser.add_argument("--copies", type=int, default=25, help="planted copies of every kind")
    parser.add_argument("--share", type=float, default=0.4, help="of the clips that one voice of a language says")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--measures", type=Path, help="file of measures: made where it is missing, kept")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        path = options.measures or Path(folder) / "measures.jsonl"
        if not path.exists():
            started = time.process_time()
            voices = {language: _voices(options.engine, language) for language in Language}
            if options.sentences == "rehearsal":
                said = list(rehearsal_sentences(voices, options.clips, options.seed))
            else:
                said = list(sentences(voices, options.clips, options.seed, options.share))
            seconds = make(path, said, options.engine, options.copies, options.seed)
            spent = time.process_time() - started
            size = path.stat().st_size / 2**20
            print(f"{options.clips} clips, {seconds / 3600:.2f} hours, {size:.0f} MiB of measures: {spent:.0f} s")
        sizes = [size for size in SIZES if size < options.clips]
        for size in (*sizes, options.clips, 0):
            with multiprocessing.get_context("spawn").Pool(1) as pool:  # a process of its own: its peak is its own
                codes, copies, shown, spent, grown = pool.apply(judge, (path, size))
            name = f"{size} clips" if size else f"{options.clips} clips and the copies"
            print(f"{name}: {dict(codes) or 'no pair'}; {spent:.1f} s, {grown:.0f} MiB more than before", flush=True)
            for line in shown[:10]:
                print("   ", line)
            if not size:
                for kind in COPIES:
                    alike = options.copies // 2
                    print(
                        f"    {kind}: {copies[kind, False]} of {options.copies - alike} found under other words, "
                        f"{copies[kind, True]} of {alike} under alike ones"
                    )


if __name__ == "__main__":
    main()
