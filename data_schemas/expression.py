"""`Expression`: what the prosody step does to an utterance of an engine that cannot speak with emotion."""

from __future__ import annotations

from pydantic import Field

from data_schemas.foundation.base import Record


class Expression(Record):
    """Changes relative to the utterance as the engine spoke it; the defaults change nothing.

    All of them are drawn before anything is spoken, so they are in the request, the store key and the catalog.
    """

    #: mean pitch, semitones up
    pitch_semitones: float = Field(default=0.0, ge=-12.0, le=12.0)
    #: pitch excursions around the mean, in semitones, times this
    pitch_range: float = Field(default=1.0, ge=0.0, le=3.0)
    #: change of pitch over the utterance from its first to its last voiced sound, semitones
    pitch_slope_semitones: float = Field(default=0.0, ge=-12.0, le=12.0)
    #: speaking rate times this
    tempo: float = Field(default=1.0, ge=0.5, le=2.0)
    #: loudness, dB up; added to the utterance's loudness target
    energy_db: float = Field(default=0.0, ge=-12.0, le=12.0)
    #: weight of the upper spectrum (vocal effort), dB per octave above 1 kHz
    tilt_db_per_octave: float = Field(default=0.0, ge=-6.0, le=6.0)
    #: noise beside the voiced sound: the aperiodicity times this
    breathiness: float = Field(default=1.0, ge=0.25, le=4.0)
    #: vocal tract as long as the voice's own times this (a smile shortens it)
    tract_length: float = Field(default=1.0, ge=0.85, le=1.15)
    #: unsteadiness of the pitch, standard deviation in semitones (tremble)
    jitter_semitones: float = Field(default=0.0, ge=0.0, le=2.0)
    #: pauses inside the utterance times this
    pauses: float = Field(default=1.0, ge=0.25, le=4.0)
    #: how far sounds are louder or softer than the middle one, in dB, times this
    level_range: float = Field(default=1.0, ge=0.5, le=2.0)

    @property
    def is_plain(self) -> bool:
        """It changes no sample before the loudness is set."""
        return self.model_copy(update={"energy_db": 0.0}) == Expression()
