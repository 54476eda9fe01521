"""Stems: one voice from the span's start to its end, as FLAC, WAV or Opus, written as it is heard."""

import struct
from typing import Protocol

import numpy as np

from chalicelib.media.sound.encoding import RATE
from chalicelib.media.sound.flac import Flac, Frames
from chalicelib.media.sound.opus import Encoder, OpusWebm
from chalicelib.media.sound.voice import Samples
from chalicelib.media.store import Writing


class Stem(Protocol):
    """A file of one voice."""

    def add(self, samples: Samples) -> None:
        """What is heard next."""
        ...

    def finish(self) -> None:
        """End the file."""
        ...


class Wav:
    """PCM of 16 bits; beyond 4 GB as RF64 (EBU Tech 3306)."""

    _MOST = (1 << 32) - 1 - 128
    _UNKNOWN = (1 << 32) - 1

    def __init__(self, writing: Writing, channels: int) -> None:
        self._writing, self._channels = writing, channels

    def add(self, samples: Samples) -> None:
        """What is heard next."""
        self._writing.body(np.ascontiguousarray(samples, "<i2").tobytes())

    def finish(self) -> None:
        """End the file."""
        self._writing.front(wav_head(self._channels, self._writing.size))


def wav_head(channels: int, size: int) -> bytes:
    """All that stands before so many bytes of samples."""
    whole, frame = 1, 2 * channels
    form = b"fmt " + struct.pack("<IHHIIHH", 16, whole, channels, RATE, RATE * frame, frame, 16)
    if size <= Wav._MOST:
        return b"RIFF" + struct.pack("<I", 36 + size) + b"WAVE" + form + b"data" + struct.pack("<I", size)
    unknown = struct.pack("<I", Wav._UNKNOWN)
    large = b"ds64" + struct.pack("<IQQQI", 28, 72 + size, size, size // frame, 0)
    return b"RF64" + unknown + b"WAVE" + large + form + b"data" + unknown


class OpusStem:
    """Opus in WebM, encoded anew and without a hole."""

    def __init__(self, writing: Writing, channels: int) -> None:
        self._encoder, self._file = Encoder(), OpusWebm(writing, channels)

    def add(self, samples: Samples) -> None:
        """What is heard next."""
        for packet in self._encoder.encode(samples):
            self._file.add(packet)

    def finish(self) -> None:
        """End the file."""
        for packet in self._encoder.finish():
            self._file.add(packet)
        self._file.finish(self._encoder.samples)


def begun(form: str, writing: Writing, channels: int, frames: Frames) -> Stem:
    """A stem of this form."""
    if form == "flac":
        return Flac(writing, channels, frames)
    return Wav(writing, channels) if form == "wav" else OpusStem(writing, channels)
