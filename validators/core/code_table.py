"""Rows of the code table: (code, severity, names of thresholds, source, meaning)."""

# ruff: noqa: E501
# fmt: off
from __future__ import annotations

from validators.emotion import limits as emotion
from validators.scene import limits as conversation
from validators.sets import limits as sets
from validators.sound import limits as sound
from validators.voices import limits as speakers
from validators.words import limits as transcript

E, W, INFO = "error", "warning", "info"

_TRACK1 = (
    ("T1.ROW_FIELDS", E, "", "FORMATS.md A.4", "a field that consumers read is missing or has another type"),
    ("T1.ID_FORMAT", E, "", "FORMATS.md A.4", "dialogue_id is neither the long form `task2_4_en_0002_0014` nor the short `zh_0001_0001`"),
    ("T1.ID_SHORT", W, "", "FORMATS.md A.4", "dialogue_id has the short form; task and turns cannot be told from it"),
    ("T1.ID_DIGITS", E, "", "FORMATS.md A.4", "task, turn or language part of dialogue_id disagrees with the folder or the turns"),
    ("T1.TURN_COUNT", E, "", "FORMATS.md A.2, A.5", "number of turns is not one the task or the folder allows"),
    ("T1.TURN_ORDER", E, "", "FORMATS.md A.4: eval scripts use list order", "turn_id does not run 1, 2, .. n in list order"),
    ("T1.TEXT_EMPTY", E, "", "FORMATS.md A.4", "a turn's text is empty"),
    ("T1.TEXT_TAG", E, "", "FORMATS.md A.4", "text holds a square-bracket tag that is not a known vocal tag"),
    ("T1.TEXT_LANGUAGE", E, "", "FORMATS.md A.5", "text is not in the item's language (zh has Han characters, en has none)"),
    ("T1.EMOTION_LABEL", E, "", "FORMATS.md A.4: other labels drop the turn silently", "emotion is not one of the seven lower-case labels"),
    ("T1.EMOTION_FINAL", E, "", "FORMATS.md A.5", "the final question of a trajectory or reasoning item is not neutral"),
    ("T1.EMOTION_CHANGE", E, "", "FORMATS.md A.5", "no emotion changes before the final question"),
    ("T1.EMPATHY_TURNS", E, "", "FORMATS.md A.5", "an empathy item does not have exactly two non-neutral turns"),
    ("T1.AUDIO_NAME", E, "", "FORMATS.md A.4", "split_audio_file is not `<folder>/<dialogue_id>_<turn_id>.wav`, or leaves the root; or response_audio does not end in `_<turn_id>_response.wav`"),
    ("T1.AUDIO_MISSING", E, "", "FORMATS.md A.4", "an audio file that the row names does not exist, or only some of the turns have a voiced reply"),
    ("T1.RESPONSE_EMPTY", E, "", "FORMATS.md A.4: eval reads it for every turn", "response_text is empty"),
    ("T1.RESPONSE_PROMPT_LEAK", E, "", "FORMATS.md A.4: everything before it is cut", "response_text holds `assistant` followed by a line break"),
    ("T1.RESPONSE_TAG", E, "", "FORMATS.md A.4", "response_text holds a square-bracket tag"),
    ("T1.RESPONSE_LANGUAGE", E, "", "FORMATS.md A.5: the sample scores 1", "response_text is not in the dialogue's language"),
    ("T1.REPLY_NAMES_EMOTIONS", E, "", "FORMATS.md A.5, A.7; data_schemas.emotions.NAMES", "the final reply does not name every emotion of the turns before it, in order"),
    ("T1.REPLY_ADDS_EMOTION", W, "", "FORMATS.md A.7: nothing added", "the final reply names an emotion that no turn has"),
)

_TRACK2 = (
    ("T2.ID_FORMAT", E, "", "FORMATS.md B.1: eval.py, get_timing.py", r"id does not match `^\d{4}_\d{4}(_add)?$`"),
    ("T2.AUDIO_MISSING", E, "", "FORMATS.md B.1", "the wav of the user's channel, or of a channel the row names, does not exist"),
    ("T2.ROW_MISSING", E, "", "CHOICE: one truth per item", "the folder's manifest has no row for the sample"),
    ("T2.SENTENCE_MISSING", E, "", "FORMATS.md B.1", "`<id>_sentence.json` does not exist"),
    ("T2.SENTENCE_FIELDS", E, "", "FORMATS.md B.2", "`<id>_sentence.json` is not JSON, or a field is missing or has another type"),
    ("T2.ROW_AGREES", E, "", "CHOICE: one truth per item", "the manifest's row disagrees with `<id>_sentence.json`"),
    ("T2.SEGMENT_COUNT", E, "", "FORMATS.md B.3", "number of segments is not what the sub-task's scripts index"),
    ("T2.SEGMENT_ORDER", E, "", "FORMATS.md B.2", "segments are not ascending, disjoint and inside the file"),
    ("T2.SEGMENT_GAP", E, "min_segment_gap_s", "FORMATS.md B.6: pieces closer than that fuse", "two segments are too close"),
    ("T2.SEGMENT_TEXT", E, "", "FORMATS.md B.2, A.5", "a segment's text is empty, in the wrong language or holds an unknown tag"),
    ("T2.SEGMENT_ROLES", E, "", "FORMATS.md B.3", "the roles the segments carry are not in the sub-task's order"),
    ("T2.FINAL_DURATION", E, "duration_tolerance_samples", "FORMATS.md B.2: clean_wav.py allocates from it", "final_duration is not the length of the wav"),
    ("T2.TAIL", E, "min_tail_s", "FORMATS.md B.6", "too little silence after the last segment"),
    ("T2.PAUSE_BREAK", E, "", "FORMATS.md B.3", "`[break]` is missing in a pause item, or stands in an item of another sub-task"),
    ("T2.PAUSE_LENGTH", E, "min_pause_s max_pause_s", "FORMATS.md B.6", "a pause item holds fewer silences of pause length than `[break]` marks, or a longer silence"),
    ("T2.EVENT_GAP", W, "min_event_gap_s max_event_gap_s min_before_gap_s max_before_gap_s", "FORMATS.md B.6 (CHOICE)", "the distance from the query to the event after it is outside the usual band"),
    ("T2.CLEAN_MISSING", E, "", "FORMATS.md B.4: eval.py skips the group", "`clean_<id>.wav` is missing where the sub-task has one"),
    ("T2.CLEAN_UNEXPECTED", E, "", "FORMATS.md B.4", "`clean_<id>.wav` exists where the sub-task has none"),
    ("T2.CLEAN_FILE", E, "min_clean_correlation", "FORMATS.md B.4; calibration below", "`clean_<id>.wav` is not sample for sample what the sub-task's rule gives; behind a microphone: it has another length, sounds outside its segment, or is not what sounds there"),
    ("T2.ASSISTANT_LABELS", E, "", "DESIGN.md: training formats take both channels", "a conversation without the assistant's file, or whose row does not label it"),
    ("T2.LINES", E, "", "data_schemas/tasks.py LINES_OF_TASK, data_schemas/conversation.py", "the lines of both channels, by number, are not those of the sub-task; or a conversation's cannot follow each other"),
    ("T2.TURN_COUNT", E, "", "data_schemas/tasks.py TURNS_OF_TASK", "the user takes the floor in a conversation less or more often than one allows"),
    ("T2.EVENT_FIELDS", E, "", "data_schemas/layouts/track2_rows.py", "lines, events or floor of the row cannot be read"),
    ("T2.EVENT_LINES", E, "", "data_schemas/scene.py", "an event names a line that does not exist or cannot be part of such an event"),
    ("T2.EVENT_PLACE", E, "", "data_schemas/scene.py", "an event is not where its lines put it, to the sample"),
    ("T2.EVENT_LATENCY", E, "max_stop_latency_s", "DESIGN.md: assistant stop latency", "the interrupted line ends before or long after the interruption begins, or the stated latency is not the real one"),
    ("T2.EVENT_MISSING", E, "", "data_schemas/scene.py", "a line or an overlap that makes an event, and no such event"),
    ("T2.FLOOR", E, "", "data_schemas/scene.py, FloorHold", "the floor is not ascending and disjoint, or not what the segments give"),
    ("T2.MICROPHONE", E, "", "data_schemas/acoustics.py", "the row's microphone cannot be read, or says nothing of what only the mixed audio tells"),
)

_AUDIO = (
    ("AUDIO.UNREADABLE", E, "", "FORMATS.md 0", "the file is not readable audio"),
    ("AUDIO.FORMAT", E, "", "FORMATS.md 0", "the file is not RIFF WAV with 16-bit PCM samples"),
    ("AUDIO.RATE", E, "sample_rate_hz", "FORMATS.md 0", "another sample rate"),
    ("AUDIO.CHANNELS", E, "", "FORMATS.md 0, B.6: stereo breaks get_timing.py", "the file is not mono"),
    ("AUDIO.DURATION", E, "min_duration_s max_duration_s", "CHOICE", "the file is empty, too short or too long"),
    ("AUDIO.SILENT", E, "", "CHOICE", "every sample is zero"),
    ("AUDIO.CLIPPED", E, "max_clipped_run", "Audacity, Find Clipping", "a run of full-scale samples"),
    ("AUDIO.PEAK", W, "max_peak_dbfs", "CHOICE", "the highest peak is closer to full scale than the headroom"),
    ("AUDIO.DC_OFFSET", E, "max_dc_offset", "CHOICE", "the mean of the samples is not near zero"),
    ("AUDIO.LOUDNESS", E, "min_loudness_lufs max_loudness_lufs", "ITU-R BS.1770-4", "integrated loudness outside the band"),
    ("AUDIO.CLICK", W, "max_step_from_silence", "CHOICE", "a jump between digital silence and a loud sample"),
    ("AUDIO.EDGE_SILENCE", W, "max_edge_silence_s silence_dbfs", "CHOICE", "a turn's file begins or ends with a long silence"),
    ("AUDIO.INNER_SILENCE", W, "max_turn_inner_silence_s silence_dbfs", "CHOICE", "a long silence inside a turn's file"),
    ("AUDIO.TEXT_DURATION", E, "min_seconds_per_zh_char max_seconds_per_zh_char min_seconds_per_en_word max_seconds_per_en_word duration_allowance_s", "calibration below", "too short or too long for the words it should say"),
)

_TIMELINE = (
    ("TIMELINE.LENGTHS", E, "", "DESIGN.md: two channels, one timeline", "the channels of an item have different lengths"),
    ("TIMELINE.USER_OUTSIDE", E, "max_outside_dbfs label_margin_s floor_margin_db", "FORMATS.md B.6: VAD-silent outside segments", "sound on the user's channel outside every segment, and above the microphone's floor"),
    ("TIMELINE.USER_ABSENT", E, "min_active_share silence_dbfs min_active_share_in_noise floor_margin_db", "FORMATS.md B.2", "too little sound inside a segment of the user's channel"),
    ("TIMELINE.INNER_SILENCE", E, "min_segment_gap_s silence_dbfs max_inner_silence_in_noise_s", "FORMATS.md B.6: longer ones split the segment", "a silence inside a segment that detectors take for its end"),
    ("TIMELINE.ASSISTANT_FIELDS", E, "", "DESIGN.md: full duplex", "the row's assistant segments cannot be read, or are not ascending, disjoint and inside the file"),
    ("TIMELINE.ASSISTANT_OUTSIDE", E, "max_outside_dbfs label_margin_s", "DESIGN.md: full duplex", "sound on the assistant's channel outside every assistant segment"),
    ("TIMELINE.ASSISTANT_ABSENT", E, "min_active_share silence_dbfs", "DESIGN.md: full duplex", "too little sound inside a segment of the assistant's channel"),
    ("TIMELINE.FLOOR", E, "min_speech_over_floor_db max_floor_excess_db", "calibration below", "the microphone's stated floor is too near to the speech, or far above what is heard between it"),
    ("TIMELINE.SNR", E, "max_snr_error_db", "calibration below", "the stated signal-to-noise ratio is not the one in the file"),
    ("TIMELINE.DROWNED", W, "min_speech_over_floor_db floor_margin_db", "calibration below", "labelled speech so near to the noise that nobody may hear it; make it louder or the noise softer"),
    ("TIMELINE.ASSISTANT_NOT_CUT", E, "max_outside_dbfs label_margin_s", "DESIGN.md: the assistant is really cut", "the interrupted assistant goes on after its cut"),
)

_SCENE = (
    ("SCENE.OVERLAP_MISSED", E, "gross_overlap_s overlap_onset_low", "calibration below", "a long planned overlap and the detector hears none of it"),
    ("SCENE.OVERLAP_UNPLANNED", E, "gross_overlap_s overlap_certain overlap_collar_s", "calibration below", "the detector hears a long overlap where none is planned"),
    ("SCENE.OVERLAP_RECALL", W, "min_overlap_recall overlap_onset overlap_collar_s", "calibration below", "little of the planned overlap is heard"),
    ("SCENE.OVERLAP_PRECISION", W, "min_overlap_precision overlap_onset overlap_collar_s", "calibration below", "much of the overlap heard is not planned"),
)

_SET = (
    ("SET.EMPTY", E, "", "CHOICE", "no item of a known layout under the root"),
    ("SET.BAD_ROW", E, "", "FORMATS.md 0: a blank line aborts eval_task1/2", "a manifest has a byte-order mark, a blank line, a carriage return, bytes that are not UTF-8, or a line that is not a JSON object"),
    ("SET.UNREADABLE", E, "", "FORMATS.md A, B", "a layout's reader stopped; items after that place were not judged"),
    ("SET.DUPLICATE_ID", E, "", "FORMATS.md A.4: unique per root", "two items that a consumer cannot tell apart have the same id"),
    ("SET.SPEAKER_LEAK", E, "", "issue 2: speakers disjoint between train and dev", "one speaker in train and in dev"),
    ("SET.TEXT_LEAK", E, "", "CHOICE", "the same words in train and in dev"),
    ("SET.DUPLICATE_TEXT", W, "", "CHOICE", "the same words twice in one split"),
    ("SET.STRAY_FILE", W, "", "CHOICE", "a file in a data folder that no row names"),
    ("SET.OUTPUT_FILE", E, "", "FORMATS.md 0, B.5", "an `_output.*` file, which belongs to the system under test"),
    ("SET.LOCK_MISMATCH", E, "", "DESIGN.md: the lock is written last", "a file differs from dataset.lock.json, is missing, or is not listed there"),
)

_CATALOG = (
    ("CATALOG.COLUMNS", E, "", "data_schemas/catalog.py", "the catalog's columns are not those of the schema, in order"),
    ("CATALOG.NULL", E, "", "data_schemas/catalog.py", "a null in a column that is never null"),
    ("CATALOG.VALUE", E, "", "data_schemas", "a value outside the set or the pattern its column allows"),
    ("CATALOG.RANGE", E, "min_duration_s max_duration_s min_loudness_lufs max_loudness_lufs", "ITU-R BS.1770-4", "a number outside the band its column allows"),
    ("CATALOG.DUPLICATE", E, "", "DESIGN.md: nothing twice", "an utterance is listed twice"),
    ("CATALOG.QUOTA", E, "", "DESIGN.md: counts reconcile", "the items of a quota cell are not as many as planned"),
    ("CATALOG.LICENSE", E, "allowed_licenses", "DESIGN.md: open source only, enforced", "audio of an engine whose licence is not on the allow-list"),
    ("CATALOG.SPLIT_LEAK", E, "", "issue 2: speakers disjoint between train and dev", "a user's speaker id in more than one split"),
)

_BUILD = (
    ("BUILD.SCRIPT_FAILED", E, "", "flows/shards/make.py", "the writer has no script for the plan"),
    ("BUILD.SPEECH_FAILED", E, "", "flows/shards/make.py", "the engine cannot speak one of the item's texts"),
    ("BUILD.SCENE_IMPOSSIBLE", E, "", "generators/scenes/errors.py", "the utterances cannot be placed by the sub-task's rules, or their sum would clip"),
)

_SCRIPT = (
    ("SCRIPT.NO_ANSWER", E, "", "issue 3: every plan accepted or quarantined exactly once", "the endpoint gave no answer for this plan"),
    ("SCRIPT.UNREADABLE", E, "", "issue 3: structured output", "the writer's answer is no JSON of the wanted shape, or the records refuse it"),
    ("SCRIPT.TRUNCATED", E, "", "issue 3: truncated output", "the writer's answer was cut at the token limit"),
    ("SCRIPT.LANGUAGE", E, "", "FORMATS.md A.5: another language scores 1", "a text is not in the script's language: zh mainly simplified Han characters, en without CJK and readable as English"),
    ("SCRIPT.STYLE", E, "", "issue 3: spoken style", "a text is written, not spoken: lists, markdown, emoji, web addresses, brackets, line breaks, words over and over"),
    ("SCRIPT.LINE_LENGTH", E, "max_line_s max_reply_s", "data_schemas/speech_rate.py", "a line takes too long to say"),
    ("SCRIPT.TAG", E, "max_tags_per_line", "FORMATS.md A.4, B.3", "a tag in the assistant's words, too many tags, only tags, or `[break]` not between words of the query"),
    ("SCRIPT.PLACEHOLDER", E, "", "CHOICE", "a placeholder that nobody filled in"),
    ("SCRIPT.PRIVATE", E, "", "issue 3: no personal data", "a phone, card or identity number, an e-mail address, or an address with house number"),
    ("SCRIPT.MACHINE", E, "", "CHOICE", "words that give the machine away"),
    ("SCRIPT.REFUSAL", E, "", "issue 3: no refusals", "the writer refused, and the refusal stands in the script"),
    ("SCRIPT.PLAN_LEAK", E, "", "issue 3: no leaked plan text", "words of the plan or keys of the answer's form stand in a text"),
    ("SCRIPT.REPEATED", E, "", "CHOICE", "the same words stand twice, in one script or in the set"),
    ("SCRIPT.REPLY_NAMES", E, "", "FORMATS.md A.5, A.7; data_schemas.emotions.NAMES", "the final reply does not name every emotion of the turns before it, in order"),
    ("SCRIPT.REPLY_ADDS", E, "", "FORMATS.md A.7: nothing added", "the final reply of a trajectory names an emotion that no turn has"),
    ("SCRIPT.QUESTION_TYPE", E, "", "FORMATS.md A.5; validators/text/questions.yaml", "the final question does not ask what its task asks (trajectory: how feelings changed; reasoning: why)"),
    ("SCRIPT.QUESTION_TELLS", E, "", "FORMATS.md A.5", "the final question names an emotion that the reply has to find"),
    ("SCRIPT.CAUSE_STATED", E, "", "FORMATS.md A.7: the unspoken motive", "the final question of a reasoning dialogue states the root cause"),
    ("SCRIPT.REPLY_SHORT", E, "min_interrupted_reply_s min_conversation_host_s", "FORMATS.md B.6: the event comes 4 to 8 s after the query", "a reply is over before anyone could speak into it"),
    ("SCRIPT.EVENT_LONG", E, "max_interruption_s max_backchannel_s", "CHOICE", "an interruption, an aside or a backchannel is too long for one"),
    ("SCRIPT.DUPLICATE", E, "max_script_similarity max_line_similarity", "Broder 1997 (MinHash); calibration in validators/text/near_duplicates.py", "a script is nearly another one, or a user's line is copied from another one"),
    ("SCRIPT.EXCLUDED", E, "max_line_similarity", "issue 3: a published test set must never leak into training data", "a line stands in a file that must not come back"),
    ("SCRIPT.JUDGE_SCORE", E, "", "FORMATS.md A.7", "the language model that judges gave a dimension less than the configured score"),
    ("SCRIPT.JUDGE_UNREADABLE", E, "", "CHOICE: what the judge has not read is not accepted", "asked twice, the language model that judges gave no judgement that can be read"),
    ("SCRIPT.COLLAPSE", E, "max_opening_share", "issue 3: a batch that collapses is rejected", "too many scripts of a language or task begin alike"),
)

CODE_ROWS: tuple[tuple[str, str, str, str, str], ...] = (
    *_TRACK1,
    *_TRACK2,
    *_AUDIO,
    *_TIMELINE,
    *_SCENE,
    *conversation.CODES,
    *transcript.CODES,
    *sound.CODES,
    *speakers.CODES,
    *emotion.CODES,
    *_SET,
    *sets.CODES,
    *_CATALOG,
    *_BUILD,
    *_SCRIPT,
)
