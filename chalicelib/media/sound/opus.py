"""Opus as we encode it ourselves, and its WebM: what decoders drop in front and behind is written down."""

from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from chalicelib.media.matroska import Extras, Track
from chalicelib.media.mux import Muxer
from chalicelib.media.sound.level import Array
from chalicelib.media.store import Writing

FRAME, FRAME_MS = 960, 20
# How much later libopus gives what it is given; decoders are told to drop it.
LOOK_AHEAD = 312
RATE = 48_000
_BIT_RATES = {1: 64_000, 2: 96_000}
_LAYOUTS = {1: "mono", 2: "stereo"}
_AT_ONCE = 10 * FRAME
_KEY = 0x80
_SAMPLE_NS = Fraction(1_000_000_000, RATE)
_PRE_ROLL_NS = 80_000_000  # RFC 7845, 4.6


class Encoder:
    """Samples of -1 to 1 in, as (samples, channels); packets of 20 ms out."""

    def __init__(self, channels: int) -> None:
        codec = av.CodecContext.create("libopus", "w")
        assert isinstance(codec, AudioCodecContext)
        codec.sample_rate, codec.layout, codec.format = RATE, _LAYOUTS[channels], "flt"
        codec.bit_rate, codec.time_base, codec.thread_count = _BIT_RATES[channels], Fraction(1, RATE), 1
        codec.options = {"application": "audio", "compression_level": "5"}
        self._codec, self._layout = codec, _LAYOUTS[channels]
        self.samples = 0

    def encode(self, samples: Array) -> list[bytes]:
        """The packets that are ready."""
        packets: list[bytes] = []
        for at in range(0, len(samples), _AT_ONCE):
            part = np.ascontiguousarray(samples[at : at + _AT_ONCE], np.float32)
            frame = AudioFrame.from_ndarray(part.reshape(1, -1), format="flt", layout=self._layout)
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), self.samples
            packets += map(bytes, self._codec.encode(frame))
            self.samples += len(part)
        return packets

    def finish(self) -> list[bytes]:
        """The last packets; all together sound at least as long as what was put in, after the look-ahead."""
        return [bytes(packet) for packet in self._codec.encode(None)]


class OpusWebm:
    """Writes packets of 20 ms, from 0 on. The last one is held back: it tells how much of it is too much."""

    def __init__(self, writing: Writing, channels: int) -> None:
        self._muxer, self._channels = Muxer(writing, "audio"), channels
        self._last: bytes | None = None
        self._count = 0

    def add(self, packet: bytes) -> None:
        """The next packet."""
        if self._last is not None:
            self._muxer.add(self._count * FRAME_MS, _KEY, self._last, None)
            self._count += 1
        self._last = packet

    def finish(self, samples: int, gain: int = 0) -> None:
        """End the file, which sounds so many samples. `gain` is in 256ths of a decibel (RFC 7845, 5.1)."""
        if self._last is not None:
            beyond = (self._count + 1) * FRAME - LOOK_AHEAD - samples
            extras = Extras(None, int(beyond * _SAMPLE_NS), None) if beyond > 0 else None
            self._muxer.add(self._count * FRAME_MS, _KEY, self._last, extras)
        self._muxer.finish([_track(self._channels, gain)], -(-samples * 1000 // RATE))


def _track(channels: int, gain: int) -> Track:
    told = bytes([1, channels]) + LOOK_AHEAD.to_bytes(2, "little") + RATE.to_bytes(4, "little")
    return Track(
        number=2,
        kind="audio",
        codec="opus",
        codec_id=b"A_OPUS",
        private=b"OpusHead" + told + gain.to_bytes(2, "little", signed=True) + b"\0",
        channels=channels,
        delay_ns=int(LOOK_AHEAD * _SAMPLE_NS),
        pre_roll_ns=_PRE_ROLL_NS,
    )
