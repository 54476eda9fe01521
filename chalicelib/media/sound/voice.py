"""One track's sound, decoded and laid on the session's clock to the sample.

Within a stretch that was sent without a break samples follow each other by count, for the timestamps are
rounded to milliseconds and going by each would tear the sound. The clock still decides: once the mean of what
the timestamps say over some seconds is off the count by more than a quarter of a millisecond, those seconds
are stretched by just that. A packet that is late by more than `_BREAK` begins a new stretch at its own time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from chalicelib.core.step import Piece, Track
from chalicelib.media.sound.packets import RATE_KHZ, samples_in
from chalicelib.media.sound.reading import read
from chalicelib.media.store import Store

type Samples = np.ndarray[tuple[int, int], np.dtype[np.int16]]

# How far a packet may be from where the count has it. Less than any frame of 10 ms or more that was lost, and
# more than recorders jitter.
_BREAK = 8 * RATE_KHZ
# How far the count may be from the clock before it is corrected.
_OFF = RATE_KHZ // 4
_NEVER = 1 << 62
# So much is decoded at a time.
_BATCH = 4_000 * RATE_KHZ
# What a decoder needs to hear before it sounds right (RFC 7845, 4.6).
_PRE_ROLL = 80 * RATE_KHZ
_FADE = 120
_RISING = (np.arange(_FADE, dtype=np.float32) / _FADE)[:, None]
_NOTHING: Samples = np.zeros((0, 1), np.int16)


class Decoder(Protocol):
    """What decodes Opus: `media.decoding.Decoding`."""

    def sound(
        self, voice: int, source: str, private: bytes, channels: int, packets: list[bytes], fresh: bool
    ) -> Samples:
        """Samples at 48 kHz, as many as the packets say."""
        ...


@dataclass(slots=True)
class _Stretch:
    """Packets that follow each other. `media`: where their first sample lies in the file, by count; `at`: in
    the session. `off`: how far their timestamps are from the count, all together."""

    media: int
    at: int
    new: bool = True
    samples: int = 0
    off: int = 0
    packets: list[bytes] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.media + self.samples


class Voice:
    """A track's sound over [start, end), in samples since session zero. Windows are drawn in order.

    `number` tells its decoder from other voices'. `channels` is None until something was heard, and then that
    of the first piece for good.
    """

    def __init__(
        self, number: int, track: Track, span: tuple[int, int], decoder: Decoder, store: Store
    ) -> None:
        self.channels: int | None = None
        self._number, self._decoder, self._store = number, decoder, store
        self._start, self._end = span
        self._blocks = self._all(track)
        # What was decoded and not yet drawn: where it begins in the session, and its samples.
        self._held: tuple[int, Samples] | None = next(self._blocks, None)

    def window(self, start: int, end: int) -> Samples | None:
        """What sounds from `start` to before `end`; None when nothing does."""
        drawn: Samples | None = None
        while self._held is not None and self._held[0] < end:
            at, samples = self._held
            if drawn is None and len(samples):
                drawn = np.zeros((end - start, samples.shape[1]), np.int16)
            fitting = samples[: end - at]
            if drawn is not None:
                drawn[at - start : at - start + len(fitting)] = fitting
            rest = samples[end - at :]
            self._held = (end, rest) if len(rest) else next(self._blocks, None)
        return drawn

    def _all(self, track: Track) -> Iterator[tuple[int, Samples]]:
        """Blocks of samples in their order, none over another; an empty one before each piece is opened."""
        done = self._start
        for piece in track.pieces:
            yield max(done, piece.start * RATE_KHZ), _NOTHING
            for at, samples in self._piece(piece):
                late = max(0, done - at)
                if late < len(samples):
                    yield at + late, self._as_first(samples[late:])
                    done = at + len(samples)

    def _as_first(self, samples: Samples) -> Samples:
        """In as many channels as what came first."""
        self.channels = self.channels or samples.shape[1]
        if samples.shape[1] == self.channels:
            return samples
        if self.channels == 2:
            return np.repeat(samples, 2, axis=1)
        return samples.mean(axis=1, keepdims=True).astype(np.int16)

    def _piece(self, piece: Piece) -> Iterator[tuple[int, Samples]]:
        start = max(piece.start * RATE_KHZ, self._start)
        end = min(piece.end * RATE_KHZ, self._end)
        if start >= end:
            return
        clock = _Clock(piece)
        before = clock.media(start) - _PRE_ROLL
        reading = read(self._store, piece, before, clock.media(end))
        fresh = True
        for stretch, last in _stretches(reading.packets, clock):
            decoded = self._decoder.sound(
                self._number, piece.source, reading.private, reading.channels, stretch.packets, fresh
            )
            fresh = False
            fitted = _fitted(decoded, _length(stretch, clock))
            cut = _cut(fitted, stretch.at, start, end, stretch.new, last)
            if cut is not None:
                yield cut


class _Clock:
    """Where a piece's media lies in the session, both counted in samples."""

    def __init__(self, piece: Piece) -> None:
        self._start, self._skip = piece.start * RATE_KHZ, piece.skip_ms * RATE_KHZ
        self._speed = 1_000_000 + piece.ppm

    def session(self, media: int) -> int:
        passed = (media - self._skip) * 1_000_000
        return self._start + (2 * passed + self._speed) // (2 * self._speed)

    def media(self, session: int) -> int:
        return self._skip + (session - self._start) * self._speed // 1_000_000


def _stretches(packets: Iterator[tuple[int, bytes]], clock: _Clock) -> Iterator[tuple[_Stretch, bool]]:
    """Some seconds of packets at a time, and whether they are the last before a break.

    What lies over what was heard already is left out: no file makes us decode more than it lasts.
    """
    held: _Stretch | None = None
    end = -_NEVER
    for media, packet in packets:
        if media < end - _BREAK:
            continue
        if held is not None and media > end + _BREAK:
            yield held, True
            held = None
        if held is None:
            held, end = _Stretch(media, clock.session(media)), media
        elif held.samples >= _BATCH:
            yield held, False
            end += _correction(held)
            held = _Stretch(end, held.at + _length(held, clock), new=False)
        # In line, for there are many.
        held.off += media - end
        held.packets.append(packet)
        samples = samples_in(packet)
        held.samples += samples
        end += samples
    if held is not None:
        yield held, True


def _correction(stretch: _Stretch) -> int:
    """By how many samples the count is put right at the end of a stretch."""
    off = stretch.off // len(stretch.packets)
    return off if abs(off) > _OFF and stretch.samples >= _BATCH else 0


def _length(stretch: _Stretch, clock: _Clock) -> int:
    """How many samples it takes in the session."""
    return clock.session(stretch.end + _correction(stretch)) - stretch.at


def _fitted(samples: Samples, length: int) -> Samples:
    """As many samples as asked, between the same two ends; by cubic interpolation (Catmull and Rom)."""
    count = len(samples)
    if count == length or not count:
        return samples
    at = np.arange(length) * (count / length)
    index = at.astype(np.intp)
    t = (at - index).astype(np.float32)[:, None]
    wide = np.pad(samples, ((1, 2), (0, 0)), "edge").astype(np.float32)
    a, b, c, d = (wide[index + step] for step in range(4))
    bent = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return np.clip(np.rint(bent), -32768, 32767).astype(np.int16)


def _cut(
    samples: Samples, at: int, start: int, end: int, opens: bool, closes: bool
) -> tuple[int, Samples] | None:
    """What of it lies within [start, end), with soft edges where it begins and ends."""
    opens, closes = opens or at < start, closes or at + len(samples) > end
    samples = samples[max(0, start - at) : max(0, end - at)]
    if not len(samples):
        return None
    if opens or closes:
        samples = samples.copy()
    fade = min(_FADE, len(samples))
    if opens:
        samples[:fade] = samples[:fade] * _RISING[:fade]
    if closes:
        samples[-fade:] = samples[-fade:] * _RISING[:fade][::-1]
    return max(at, start), samples
