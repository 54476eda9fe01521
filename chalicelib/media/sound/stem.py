"""Stems: one voice from the span's start to its end, as FLAC, WAV or Opus, written as it is heard."""

import struct
from fractions import Fraction
from typing import Protocol

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from chalicelib.media.sound.opus import RATE, Encoder, OpusWebm
from chalicelib.media.sound.voice import Samples
from chalicelib.media.store import Writing

_LAYOUTS = {1: "mono", 2: "stereo"}


class Stem(Protocol):
    """A file of one voice."""

    def add(self, samples: Samples) -> None:
        """What is heard next."""
        ...

    def finish(self) -> None:
        """End the file."""
        ...


class Flac:
    """FLAC of 16 bits. What its front tells of all samples is known last (RFC 9639, 8.2)."""

    _FRAME = 4_608
    _LAST_BLOCK, _BYTES = 0x80, 34

    def __init__(self, writing: Writing, channels: int) -> None:
        codec = av.CodecContext.create("flac", "w")
        assert isinstance(codec, AudioCodecContext)
        codec.sample_rate, codec.layout, codec.format = RATE, _LAYOUTS[channels], "s16"
        codec.time_base, codec.thread_count = Fraction(1, RATE), 1
        codec.options = {"compression_level": "5"}
        self._writing, self._codec, self._layout = writing, codec, _LAYOUTS[channels]
        self._samples = 0

    def add(self, samples: Samples) -> None:
        """What is heard next."""
        step = 10 * self._FRAME
        for at in range(0, len(samples), step):
            part = np.ascontiguousarray(samples[at : at + step])
            frame = AudioFrame.from_ndarray(part.reshape(1, -1), format="s16", layout=self._layout)
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), self._samples
            for packet in self._codec.encode(frame):
                self._writing.body(bytes(packet))
            self._samples += len(part)

    def finish(self) -> None:
        """End the file."""
        told = b""
        for packet in self._codec.encode(None):
            if packet.size:
                self._writing.body(bytes(packet))
            told = bytes(packet.get_sidedata("new_extradata")) or told
        told = told or bytes(self._codec.extradata or b"")
        self._writing.front(b"fLaC" + bytes([self._LAST_BLOCK]) + self._BYTES.to_bytes(3) + told)


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


STEMS: dict[str, type[Flac | Wav | OpusStem]] = {"flac": Flac, "wav": Wav, "webm": OpusStem}
