"""Room impulse responses by the image source method, computed once and kept in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version

import numpy as np
import numpy.typing as npt

from data_schemas.acoustics import Position, Room
from data_schemas.foundation.audio import SAMPLE_RATE_HZ, Samples
from data_schemas.foundation.base import Record
from data_schemas.utterance import Provenance
from generators.scenes.microphone.rooms import STEP_M, distance_m, response_length
from generators.store import AudioFacts, Store, StoreError, key_of

Response = npt.NDArray[np.float64]
#: What the mixer asks for: the response from a place to the microphone of a room.
Respond = Callable[[Room, Position], Response]

#: To be raised whenever the samples of a response change.
METHOD_VERSION = "1"
#: The images of a rectangular room add up to a rumble that no room has; Allen & Berkley 1979 remove it with a
#: high-pass at 0.01 of the sampling rate, 80 Hz at their 8 kHz.
_HIGH_PASS_HZ = 80.0
_HIGH_PASS_ORDER = 2
#: End of a response, faded out so that it does not end on a step (CHOICE)
_FADE_S = 0.01
#: Responses are stored as 16 bit, so near full scale
_STORED_PEAK = 0.99


class ResponseRecipe(Record):
    """All that determines the samples of a response; its hash is the store key."""

    size_m: Position
    rt60_s: float
    microphone_m: Position
    source_m: Position
    sample_rate: int = SAMPLE_RATE_HZ
    method: str = f"image source, inverse Sabine, {METHOD_VERSION}"
    pyroomacoustics: str


def room_responses(store: Store) -> Respond:
    """Responses from the store; one that is missing is computed and kept (0.1 to 1 s, see docs/microphone.md).

    Each is ``[response_length(room)]`` with the direct sound at sample 0 and energy 1: convolved with it, white noise
    keeps its power. What is returned always went through the store, so it is the same for everybody who asks.
    """

    def respond(room: Room, position: Position) -> Response:
        recipe = ResponseRecipe(
            size_m=room.size_m,
            rt60_s=room.rt60_s,
            microphone_m=room.microphone_m,
            source_m=position,
            pyroomacoustics=_library_version(),
        )
        key = key_of(recipe)
        try:
            stored = store.load(key).astype(np.float64)
        except StoreError:  # not there yet, or damaged
            samples = image_source_response(room, position)
            store.put(key, samples, _facts(recipe, samples), recipe)
            stored = store.load(key).astype(np.float64)
        response: Response = stored / np.sqrt(np.sum(stored**2))
        return response

    return respond


@cache
def _library_version() -> str:
    return version("pyroomacoustics")


def image_source_response(room: Room, position: Position) -> Samples:
    """Response ``[response_length(room)]`` from ``position`` to the microphone, largest value 0.99; costly.

    Image sources only, all walls alike, absorption by inverse Sabine, no air: the same samples on every call.
    """
    import pyroomacoustics
    from scipy.signal import butter, sosfilt

    absorption, order = pyroomacoustics.inverse_sabine(room.rt60_s, room.size_m)
    with _plain_images():
        shoe_box = pyroomacoustics.ShoeBox(
            room.size_m, fs=SAMPLE_RATE_HZ, materials=pyroomacoustics.Material(absorption), max_order=order
        )
        shoe_box.add_source(list(position))
        shoe_box.add_microphone(list(room.microphone_m))
        shoe_box.compute_rir()
        lead = pyroomacoustics.constants.get("frac_delay_length") // 2
    onset = lead + round(distance_m(room, position) / STEP_M)
    high_pass = butter(_HIGH_PASS_ORDER, _HIGH_PASS_HZ, "highpass", fs=SAMPLE_RATE_HZ, output="sos")
    response = sosfilt(high_pass, shoe_box.rir[0][0][onset:])[: response_length(room)]
    response = np.pad(response, (0, response_length(room) - len(response)))
    fade = round(_FADE_S * SAMPLE_RATE_HZ)
    response[-fade:] *= 0.5 * (1.0 + np.cos(np.linspace(0.0, np.pi, fade)))
    scaled: Samples = (_STORED_PEAK * response / np.abs(response).max()).astype(np.float32)
    return scaled


@contextmanager
def _plain_images() -> Iterator[None]:
    """Without the library's own zero-phase high-pass, which sounds before the direct path; on one thread, because
    the order of a sum must not depend on the machine and the other cores have work of their own."""
    import pyroomacoustics

    constants = pyroomacoustics.constants
    before = {name: constants.get(name) for name in ("rir_hpf_enable", "num_threads")}
    try:
        constants.set("rir_hpf_enable", False)
        constants.set("num_threads", 1)
        yield
    finally:
        for name, value in before.items():
            constants.set(name, value)


def _facts(recipe: ResponseRecipe, samples: Samples) -> AudioFacts:
    """Level and peak as stored; a response has no loudness in the sense of BS.1770, so it is the plain mean power."""
    power_db = 10.0 * float(np.log10(np.mean(np.square(samples, dtype=np.float64))))
    return AudioFacts(
        loudness_lufs=power_db,
        peak_dbfs=20.0 * float(np.log10(_STORED_PEAK)),
        provenance=Provenance(
            engine="pyroomacoustics",
            engine_version=recipe.pyroomacoustics,
            model=recipe.method,
            weights_sha256="",
            license="MIT",
            voice="",
            seed=0,
        ),
    )
