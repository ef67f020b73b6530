"""An index of MinHash signatures by bands (locality-sensitive hashing) that takes few bytes per entry.

``datasketch.MinHashLSH`` keeps a Python set per band and entry: some 400 bytes for each band. Here a band is
eight bytes in a flat hash table with open addressing, so that a release of 100,000 scripts stays in memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

#: Share of the table that may be filled before it grows, and by how much.
_MAX_LOAD, _GROWTH = 0.8, 1.5
_FIRST_SIZE = 1021
#: Entries kept under one key. Texts that agree so often are found through these as well.
_MAX_CHAIN = 16
#: Odd 64-bit multipliers (Steele & Vigna 2021, "Computationally easy, spectrally good multipliers").
_MIX, _STEP = 0xD1342543DE82EF95, 0x9E3779B97F4A7C15

Signature = NDArray[np.uint16]


class BandIndex:
    """Entries are numbered from 0 in the order they are added; ``bands * rows`` values make a signature.

    An entry has a signature, an exact hash (63 bits), or both.
    """

    def __init__(self, bands: int, rows: int) -> None:
        self.bands = bands
        self.rows = rows
        self._size = _FIRST_SIZE
        self._keys = array("I", bytes(4 * self._size))
        self._entries = array("I", bytes(4 * self._size))  # entry number + 1; 0 is a free place
        self._used = 0
        self._signatures = array("H")
        self._exact = array("Q")

    def __len__(self) -> int:
        return len(self._exact)

    def add(self, signature: Signature | None, exact: int = 0) -> int:
        """Add an entry; returns its number. ``exact`` 0 means none."""
        number = len(self)
        self._exact.append(exact)
        width = self.bands * self.rows
        self._signatures.frombytes(bytes(2 * width) if signature is None else signature.tobytes())
        for key in self._keys_of(signature, exact):
            self._insert(key, number + 1)
        return number

    def matches(self, signature: Signature | None, exact: int = 0) -> dict[int, float]:
        """Entry number -> estimated Jaccard similarity of all candidates; 1.0 for an equal exact hash."""
        found: dict[int, float] = {}
        for key in self._keys_of(signature, exact):
            for entry in self._under(key):
                number = entry - 1
                if number in found:
                    continue
                if exact and self._exact[number] == exact:
                    found[number] = 1.0
                elif signature is not None:
                    found[number] = float(np.mean(self._signature(number) == signature))
        return found

    def _signature(self, number: int) -> Signature:
        width = self.bands * self.rows
        return np.frombuffer(self._signatures[number * width : (number + 1) * width], dtype=np.uint16)

    def _keys_of(self, signature: Signature | None, exact: int) -> list[int]:
        keys: list[int] = []
        if signature is not None:
            rows = signature.reshape(self.bands, self.rows).astype(np.uint64)
            mixed = np.arange(1, self.bands + 1, dtype=np.uint64) * np.uint64(_STEP)
            for column in range(self.rows):
                mixed = (mixed ^ rows[:, column]) * np.uint64(_MIX)
                mixed ^= mixed >> np.uint64(29)
            keys = (mixed >> np.uint64(32)).tolist()
        if exact:
            keys.append((exact * _MIX >> 32) & 0xFFFFFFFF)
        return keys

    def _under(self, key: int) -> Iterator[int]:
        place = key % self._size
        while entry := self._entries[place]:
            if self._keys[place] == key:
                yield entry
            place = place + 1 if place + 1 < self._size else 0

    def _insert(self, key: int, entry: int) -> None:
        if self._used >= _MAX_LOAD * self._size:
            self._grow()
        place = key % self._size
        chain = 0
        while self._entries[place]:
            if self._keys[place] == key:
                chain += 1
                if chain == _MAX_CHAIN:
                    return
            place = place + 1 if place + 1 < self._size else 0
        self._keys[place] = key
        self._entries[place] = entry
        self._used += 1

    def _grow(self) -> None:
        keys, entries = self._keys, self._entries
        self._size = int(self._size * _GROWTH) | 1
        self._keys = array("I", bytes(4 * self._size))
        self._entries = array("I", bytes(4 * self._size))
        self._used = 0
        for key, entry in zip(keys, entries, strict=True):
            if entry:
                self._insert(key, entry)
