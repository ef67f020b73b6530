"""How the calibrated defaults were found; the last chapter of ``docs/findings.md``."""

from __future__ import annotations

CALIBRATION = """\
## Calibration

**Duration for the words.** 104 utterances: 13 texts per language, one word to about 40 units long, each
spoken by two of 6 Kokoro-82M and two of 6 espeak-ng voices of its language
(170 words per minute). Silences of 0.3 s or more are taken out before counting.
Texts of five units and more measured 0.174 to 0.220 s (Kokoro) and 0.226 to 0.288 s
(espeak) per Han character, 0.236 to 0.362 s and 0.258 to 0.331 s per English word; single words up to 0.72
s. The lower bounds are about 0.55 of the fastest (emotion may speed speech up by a third, and half the
audio missing must still be seen), the upper bounds 1.5 to 1.7 times the slowest plus a fixed allowance that
covers one-word texts.

**Levels, silences.** The same utterances at -23 LUFS: mean under 0.0034, longest inner silence 0.52 s,
longest edge silence of untrimmed engine output 0.70 s, at least 56 % of 20 ms frames above -50 dBFS.

**Overlapped speech.** 144 two-channel scenes (2524 s) from the same speech, zh and en, Kokoro and espeak,
user and assistant voices of both genders: no overlap (16), interruptions with a stop latency of 0.2, 0.4
and 0.64 s (48), backchannels (48), 2 to 9 s of talking over the reply (16), a bystander 8 dB below the
assistant (16). Scores are of the pinned pyannote segmentation model, windows of 5 s every 0.5 s,
second-highest speaker score per frame. The bystander is raised to the assistant's level before detection;
without that 11 of 16 were not heard at all at onset 0.5.

| what | Kokoro | espeak |
|---|---|---|
| recall (seconds), talking over the reply | mean 0.97, least 0.90 | mean 1.00, least 1.00 |
| recall, bystander | mean 0.94, least 0.51 | mean 1.00, least 1.00 |
| recall, backchannels over 0.75 s | mean 0.57, least 0 | mean 0.97, least 0.68 |
| precision, every kind | mean 0.99, least 0.95 | mean 0.98, least 0.89 |
| findings on scenes without overlap | 0 of 8 | 0 of 8 |
| error findings on all sound scenes | 0 of 72 | 0 of 72 |
| warnings on all sound scenes | 3 (backchannels) | 0 |
| assistant's channel silenced, 16 scenes with over 1 s planned | 16 errors | 14 errors, 2 warnings |

- `overlap_onset` 0.2: at 0.5 36 % of Kokoro's overlaps of 0.64 s and nothing of those of 0.2 s was heard;
  at 0.1 up to 1.15 s per scene were heard outside plan and collar, at 0.2 0.10 s at most.
- Bounds at `overlap_onset`, ten overlaps of 4 and 5 s in espeak's voices: off by 0.20 s in the median, 0.46 s
  at worst.
- `overlap_onset_low` 0.1: of 116 single overlaps of 1 s and more none stayed wholly below it (least share
  of frames above it 0.42), of 32 scenes without the second speaker 30 did.
- `overlap_certain` 0.5: no frame outside plan and collar reached it in any of the 144 scenes.
- `overlap_collar_s` 0.25 s, as in the NIST Rich Transcription evaluations. Frames that close to a planned
  boundary count neither way, so an interruption that overlaps for less than 0.75 s gets no verdict on
  recall: a short word in Kokoro's voices is often not heard as a second speaker. That is the detector's
  limit, not the scene's fault.
- `min_overlap_recall` 0.3 and `min_overlap_precision` 0.5: where the user or a bystander talks over the
  reply the smallest recall of a sound scene was 0.51, the smallest precision of any sound scene 0.89.

**Behind a microphone.** 84 scenes per condition: six sub-tasks and conversations, zh and en, Kokoro and espeak
speech, composed and mixed with the default ranges (pink or speech-shaped noise 15 to 35 dB under the user, babble of
3 to 7 talkers 13 to 20 dB under, echo at -40 to -25 dB, rooms of 0.2 to 0.5 s, G.711 telephone; "all" is everything
at once).

| what | noise | babble | echo | room | all |
|---|---|---|---|---|---|
| level of the user's speech over the floor, least, dB | 17.1 | 9.3 | 19.9 | 14.8 | 9.8 |
| stated floor over the loudest frame outside labels, most, dB | 1.0 | 1.1 | 1.4 | 0.0 | 1.4 |
| stated less measured SNR, most, dB | 0.05 | 0.29 | – | – | – |
| share of a user segment's frames 3 dB over the floor, least | 0.53 | 0.33 | 0.52 | 0.55 | 0.25 |
| the same with the speech taken out, most | 0.00 | 0.00 | 0.00 | – | 0.01 |
| longest part of a label under the floor plus 3 dB, s | 0.66 | 0.98 | 0.66 | 0.64 | 0.92 |
| correlation of the clean file with the channel, least | 0.98 | 0.98 | 1.00 | 0.37 | 0.37 |

- The clean file moved by 10 ms correlates with the channel by 0.19 at most, by 50 ms and more by 0.06; the
  telephone alone leaves 0.63.
- A third party less than 9 dB over the floor (6 dB over what counts as silent) gets a warning and no verdict on its
  sound: in babble as few as 1 % of its frames were louder than the floor.
- Scenes with a `[break]` get no verdict on SNR and on a floor that is too high: part of their labels is no speech.
- Overlapped speech is not judged behind babble, which is overlapped speech (2 errors on 16 sound scenes), nor behind
  a telephone, whose band the detector was not made for (2 errors on 16). Noise and echo changed nothing (0 of 32).
"""
