"""Opus as we encode it ourselves, and its WebM: what decoders drop in front and behind is written down."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import numpy as np
from av.audio.codeccontext import AudioCodecContext

from chalicelib.media.matroska import Extras, Track
from chalicelib.media.mux import Muxer
from chalicelib.media.sound.encoding import RATE, encoded, encoder
from chalicelib.media.sound.voice import Samples
from chalicelib.media.store import Writing

FRAME, FRAME_MS = 960, 20
# How much later libopus gives what it is given; decoders are told to drop it.
LOOK_AHEAD = 312
_BIT_RATES = {1: 64_000, 2: 96_000}
_AT_ONCE, _WARM = 10 * FRAME, 24 * FRAME
_SILENCE_BYTES = 3
_KEY = 0x80
_SAMPLE_NS = Fraction(1_000_000_000, RATE)
_PRE_ROLL_NS = 80_000_000  # RFC 7845, 4.6


class Encoder:
    """16-bit samples in, as (samples, channels); packets of 20 ms out.

    Begins with one channel. When two come, what was heard last is encoded once more in two, so that there is
    no seam; a decoder plays both kinds of packets one after the other (RFC 6716, 4.5).
    """

    def __init__(self) -> None:
        self._codec: AudioCodecContext | None = None
        self._recent: Samples = np.zeros((0, 1), np.int16)
        # What the encoder said of silence, as long as that is all it was given.
        self._silence: bytes | None = None
        self.samples = 0

    def encode(self, samples: Samples) -> list[bytes]:
        """The packets that are ready; all but the last call give whole packets."""
        codec, packets = self._for(samples.shape[1]), list[bytes]()
        for start, end, sounds in _runs(samples):
            at = start
            while at < end and (sounds or self._silence is None):
                step = _AT_ONCE if sounds else FRAME
                packets += encoded(codec, samples[at : min(at + step, end)])
                self._silence = packets[-1] if packets and len(packets[-1]) <= _SILENCE_BYTES else None
                at += step
            packets += [self._silence or b""] * max(0, (end - at) // FRAME)
        self._recent = samples[-_WARM:]
        self.samples += len(samples)
        return packets

    def finish(self) -> list[bytes]:
        """The last packets; all together sound at least as long as what was put in, after the look-ahead."""
        return [bytes(packet) for packet in self._for(1).encode(None)]

    def _for(self, channels: int) -> AudioCodecContext:
        if self._codec is None or channels > self._codec.channels:
            self._codec, self._silence = _codec(channels), None
            if len(self._recent):
                encoded(self._codec, np.repeat(self._recent, channels, axis=1))
        return self._codec


def _runs(samples: Samples) -> Iterator[tuple[int, int, bool]]:
    """Stretches of whole packets that sound, or that do not; and what is left, as if it sounded.

    libopus takes twice as long for silence as for speech, so it is not asked more often than needed.
    """
    whole = len(samples) // FRAME
    sounds = samples[: whole * FRAME].reshape(whole, FRAME * samples.shape[1]).any(axis=1)
    edges = [0, *(np.flatnonzero(np.diff(sounds)) + 1).tolist(), whole]
    for start, end in pairwise(edges):
        if start < end:
            yield start * FRAME, end * FRAME, bool(sounds[start])
    if whole * FRAME < len(samples):
        yield whole * FRAME, len(samples), True


def _codec(channels: int) -> AudioCodecContext:
    # Of 16 bits what is below the last of them is silence, which takes three bytes.
    options = {"application": "audio", "compression_level": "5"}
    return encoder("libopus", channels, options, _BIT_RATES[channels])


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
