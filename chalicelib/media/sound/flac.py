"""FLAC of 16 bits, many files at a time (RFC 9639).

FFmpeg's encoder takes 7 MB, which 25 stems do not have each. But its frames know nothing of each other except
their number, so all stems share one encoder, and each frame is given its stem's number and new checksums.
"""

import hashlib
from functools import cache

import numpy as np
from av.audio.codeccontext import AudioCodecContext

from chalicelib.media.sound.encoding import RATE, encoded, encoder
from chalicelib.media.sound.voice import Samples
from chalicelib.media.store import Writing

_FRAME = 4_608
_STREAM_INFO_LAST, _STREAM_INFO_BYTES = 0x80, 34
_BITS = 16


class Frames:
    """The encoders that the stems of a step share, one for each number of channels."""

    def __init__(self) -> None:
        self._codecs: dict[int, AudioCodecContext] = {}

    def encoded(self, samples: Samples) -> list[bytes]:
        """Frames of 4608 samples, of which there are so many times as many."""
        channels = samples.shape[1]
        if channels not in self._codecs:
            self._codecs[channels] = _codec(channels)
        return encoded(self._codecs[channels], samples)

    @staticmethod
    def last(samples: Samples) -> list[bytes]:
        """A frame of fewer samples; after one an encoder takes no more."""
        codec = _codec(samples.shape[1])
        frames = [*encoded(codec, samples), *map(bytes, codec.encode(None))]
        return [frame for frame in frames if frame]


def _codec(channels: int) -> AudioCodecContext:
    return encoder("flac", channels, {"compression_level": "5"})


class Flac:
    """One file. What its front tells of all samples is known last."""

    _AT_ONCE = 10 * _FRAME

    def __init__(self, writing: Writing, channels: int, frames: Frames) -> None:
        self._writing, self._frames = writing, frames
        self._rest: Samples = np.zeros((0, channels), np.int16)
        self._digest = hashlib.md5(usedforsecurity=False)
        self._count = self._samples = 0
        self._sizes: tuple[int, int] = ((1 << 24) - 1, 0)

    def add(self, samples: Samples) -> None:
        """What is heard next."""
        self._digest.update(np.ascontiguousarray(samples, "<i2"))
        self._samples += len(samples)
        held = np.concatenate((self._rest, samples))
        whole = len(held) // _FRAME * _FRAME
        for at in range(0, whole, self._AT_ONCE):
            self._write(self._frames.encoded(held[at : min(at + self._AT_ONCE, whole)]))
        self._rest = held[whole:]

    def finish(self) -> None:
        """End the file."""
        if len(self._rest):
            self._write(self._frames.last(self._rest))
        block = _FRAME.to_bytes(2)
        least, most = (size.to_bytes(3) for size in self._sizes)
        channels = self._rest.shape[1]
        told = RATE << 44 | (channels - 1) << 41 | (_BITS - 1) << 36 | self._samples
        info = block + block + least + most + told.to_bytes(8) + self._digest.digest()
        self._writing.front(b"fLaC" + bytes([_STREAM_INFO_LAST]) + _STREAM_INFO_BYTES.to_bytes(3) + info)

    def _write(self, frames: list[bytes]) -> None:
        for frame in frames:
            numbered_frame = numbered(frame, self._count)
            self._count += 1
            size = len(numbered_frame)
            self._sizes = min(self._sizes[0], size), max(self._sizes[1], size)
            self._writing.body(numbered_frame)


# --- a frame's number, and the checksums that cover it (RFC 9639, 9.1 and 9.3) ---

_POLYNOMIAL_8, _POLYNOMIAL_16 = 0x107, 0x18005
_BEFORE_NUMBER = 4
# By the block size's code in a header: how many bytes of it stand behind the number.
_SIZE_BYTES = {6: 1, 7: 2}


def numbered(frame: bytes, number: int) -> bytes:
    """The same frame with another number."""
    size = _SIZE_BYTES.get(frame[2] >> 4, 0)
    behind = _BEFORE_NUMBER + _spelled_bytes(frame[_BEFORE_NUMBER])
    head = frame[:_BEFORE_NUMBER] + _spelled(number) + frame[behind : behind + size]
    head += bytes([_remainder(head, _table(_POLYNOMIAL_8, 8), 8)])
    old, rest = frame[: behind + size + 1], frame[behind + size + 1 : -2]
    # The checksum of all is that of the head, moved on past the rest, and that of the rest.
    table = _table(_POLYNOMIAL_16, 16)
    change = _remainder(head, table, 16) ^ _remainder(old, table, 16)
    check = int.from_bytes(frame[-2:]) ^ _times(change, _powers()[len(rest)])
    return b"".join((head, rest, check.to_bytes(2)))


def _spelled(number: int) -> bytes:
    """A number as UTF-8 spells it, and beyond."""
    if number < 0x80:
        return bytes([number])
    more: list[int] = []
    while number >= 1 << (6 - len(more)):
        more.append(0x80 | number & 0x3F)
        number >>= 6
    first = (0xFF00 >> len(more) + 1) & 0xFF | number
    return bytes([first, *reversed(more)])


def _spelled_bytes(first: int) -> int:
    return 1 if first < 0x80 else 8 - (first ^ 0xFF).bit_length()


@cache
def _table(polynomial: int, bits: int) -> list[int]:
    """What each first byte leaves."""
    found = []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value <<= 1
            if value >> bits:
                value ^= polynomial
        found.append(value)
    return found


def _remainder(data: bytes, table: list[int], bits: int) -> int:
    value, mask = 0, (1 << bits) - 1
    for byte in data:
        value = (value << 8 & mask) ^ table[value >> bits - 8 ^ byte]
    return value


@cache
def _powers() -> list[int]:
    """What moving on by so many bytes multiplies a checksum with; no frame is longer."""
    table, found = _table(_POLYNOMIAL_16, 16), [1]
    for _ in range(_FRAME * 2 * 2 + 64):
        found.append((found[-1] << 8 & 0xFFFF) ^ table[found[-1] >> 8])
    return found


def _times(a: int, b: int) -> int:
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a >> 16:
            a ^= _POLYNOMIAL_16
        b >>= 1
    return product
