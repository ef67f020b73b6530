"""``hf``: ``README.md``, the YAML that names configs and splits, and what the columns mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import yaml

from data_schemas.tasks import TRACK1_TASKS, TRACK2_TASKS, Language, Split, Task, Track

_INTRO = """\
# Spoken dialogues for `datasets`

Dialogues in the tasks of the HumDial Challenge. Audio is 16 kHz mono PCM16 WAV inside the parquet
files. Times are seconds from the start of a recording. What the release does not know is null. `EXPORT.json` says
which release this was made from; `RESOURCES.md`, where there is one, what its speech and texts were made with.

```python
from datasets import load_dataset

data = load_dataset(DIRECTORY, "CONFIG")  # with streaming=True nothing is copied
row = data["SPLIT"][0]
```

Rows stand in the order of the release, task after task, so shuffle before training. Audio is decoded with
`torchcodec`; without it, read WAV bytes from `data["SPLIT"].with_format("arrow")`.
"""

_ONE_ROW_PER_TURN = """
One row per turn instead of one per dialogue:
```python
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Features

def turns(table):
    lists = table["turns"].combine_chunks()
    ids = table["id"].combine_chunks().take(pc.list_parent_indices(lists))
    return pa.Table.from_struct_array(pc.list_flatten(lists)).add_column(0, "id", ids)

part = data["SPLIT"]
features = Features({"id": part.features["id"], **part.features["turns"].feature})
flat = part.with_format("arrow").map(
    turns, batched=True, batch_size=16, remove_columns=part.column_names, features=features
).with_format(None)
```
"""


def _names(tasks: tuple[Task, ...]) -> str:
    return ", ".join(tasks)


_LANGUAGES = ", ".join(Language)
_COLUMNS: Mapping[Track, Mapping[str, str]] = {
    Track.EMOTION: {
        "id": "dialogue id: task digit, turns, language, group, index",
        "task": _names(tuple(task for task in Task if task in TRACK1_TASKS)),
        "language": _LANGUAGES,
        "turns": "list of objects, in order",
        "turns[].turn_id": "from 1",
        "turns[].audio": "what the user says",
        "turns[].text": "its text; `[sigh]`, `[laughter]` and `[clears throat]` are sounds",
        "turns[].emotion": "anger, disgust, fear, happy, neutral, sad, surprise",
        "turns[].intensity": "0 (neutral) to 3",
        "turns[].cause": "why the user feels so, in a few words",
        "turns[].response_text": "the assistant's reply",
        "turns[].speaker": "the user's voice",
        "turns[].duration": "of the audio",
    },
    Track.DUPLEX: {
        "id": "scene id, unique within task, language and split",
        "task": _names(TRACK2_TASKS),
        "language": _LANGUAGES,
        "user_audio": "the user's microphone, third-party speech included",
        "assistant_audio": "the assistant's channel, in time with the user's; null where the release has none",
        "clean_audio": "the user's channel for the challenge's clean run; null for pause and third_party_before",
        "final_duration": "of the audio",
        "speech_segments": "speech at the microphone: xmin, xmax, text (`[break]`: a pause), speaker, role, part, line",
        "assistant_segments": "its lines: xmin, xmax, text (heard), planned_text, cut (was it stopped), part, line",
        "speech_segments[].words, assistant_segments[].words": "text, start, stop, as spoken; null where nobody knows",
        "events": "kind, channel, start, stop, latency (null where the kind has none), line, target",
        "floor": "who had it: holder, start, stop",
        "microphone": "JSON: room, levels, echo, noise, telephone of user_audio; null where it is dry",
        "speakers": "voices of user, assistant and third_party",
    },
}
_TITLES: Mapping[Track, str] = {
    Track.EMOTION: "track1: emotional dialogues, one a row",
    Track.DUPLEX: "track2: full-duplex scenes, one a row",
}


def card(counts: Counter[tuple[Track, Split, Language]], synthetic: bool) -> str:
    """The card for rows counted by track, split and language; it names only what is there.

    ``synthetic``: the release was made by this pipeline, so its speech is nobody's and the Hub's tag says so.
    """
    present = [key for key in sorted(counts) if counts[key]]
    splits = {track: [split for split in Split if any(key[:2] == (track, split) for key in present)] for track in Track}
    tracks = [track for track in Track if splits[track]]
    text = f"---\n{yaml.safe_dump(_head(present, splits, synthetic), sort_keys=False)}---\n"
    if not tracks:
        return text
    text += _INTRO.replace("CONFIG", tracks[0]).replace("SPLIT", splits[tracks[0]][0])
    text += "\n| config | split | language | rows |\n|---|---|---|---|\n"
    text += "".join(
        f"| {track} | {split} | {tongue} | {counts[track, split, tongue]} |\n" for track, split, tongue in present
    )
    for track in tracks:
        text += f"\n## {_TITLES[track]}\n| column | |\n|---|---|\n"
        text += "".join(f"| {name} | {meaning} |\n" for name, meaning in _COLUMNS[track].items())
        if track is Track.EMOTION:
            text += _ONE_ROW_PER_TURN.replace("SPLIT", splits[track][0])
    return text


def _head(
    present: list[tuple[Track, Split, Language]], splits: Mapping[Track, list[Split]], synthetic: bool
) -> dict[str, object]:
    """The YAML block the Hub and `load_dataset` read."""
    return {
        "language": [str(tongue) for tongue in Language if any(key[2] is tongue for key in present)],
        "tags": ["audio", "spoken-dialogue", *(["synthetic"] if synthetic else [])],
        "configs": [
            {
                "config_name": str(track),
                "data_files": [{"split": str(split), "path": f"data/{track}/{split}-*.parquet"} for split in chosen],
            }
            for track, chosen in splits.items()
            if chosen
        ],
    }
