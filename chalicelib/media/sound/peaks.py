"""Waveforms as BBC audiowaveform has them: its data format version 2, of 8 bits, 100 pairs to the second.

https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md. As that program does by default, channels
are made one by their mean, and samples are divided by 256 towards zero.
"""

from struct import Struct

import numpy as np

from chalicelib.media.sound.level import Array
from chalicelib.media.sound.voice import Samples

SAMPLES_PER_PIXEL = 480
_RATE, _VERSION, _CHANNELS, _BITS_8 = 48_000, 2, 1, 1
_header = Struct("<iIiiIi").pack  # version, flags, sample rate, samples per pixel, length, channels
_PAIRS_AT_ONCE = 8_192


class Peaks:
    """Lowest and highest sample of each 10 ms, of windows of whole 10 ms; the last one may be shorter."""

    def __init__(self) -> None:
        self._pairs = bytearray()

    def add(self, samples: Samples) -> None:
        """What is heard next."""
        mono = samples[:, 0] if samples.shape[1] == 1 else _mean(samples)
        short = -len(mono) % SAMPLES_PER_PIXEL
        if short:
            mono = np.pad(mono, (0, short), "edge")
        rows = mono.reshape(-1, SAMPLES_PER_PIXEL)
        pairs = np.stack((rows.min(axis=1), rows.max(axis=1)), axis=1)
        self._pairs += _towards_zero(pairs, 8).astype(np.int8).tobytes()

    def silence(self, samples: int) -> None:
        """So many samples of it."""
        self._pairs += bytes(2 * -(-samples // SAMPLES_PER_PIXEL))

    @property
    def length(self) -> int:
        """How many pairs there are."""
        return len(self._pairs) // 2

    def dat(self) -> bytes:
        """The binary file."""
        return _header(_VERSION, _BITS_8, _RATE, SAMPLES_PER_PIXEL, self.length, _CHANNELS) + self._pairs

    def json(self) -> bytes:
        """The JSON file."""
        values = np.frombuffer(self._pairs, np.int8)
        parts = (values[at : at + _PAIRS_AT_ONCE].tolist() for at in range(0, len(values), _PAIRS_AT_ONCE))
        data = ",".join(",".join(map(str, part)) for part in parts)
        told = f'"version":{_VERSION},"channels":{_CHANNELS},"sample_rate":{_RATE},'
        told += f'"samples_per_pixel":{SAMPLES_PER_PIXEL},"bits":8,"length":{self.length}'
        return f'{{{told},"data":[{data}]}}\n'.encode()


def _mean(samples: Samples) -> Array:
    return _towards_zero(samples[:, 0].astype(np.int32) + samples[:, 1], 1)


def _towards_zero(values: Array, bits: int) -> Array:
    """Divided by a power of two as C divides."""
    wide = values.astype(np.int32)
    return np.where(wide < 0, -(-wide >> bits), wide >> bits)
