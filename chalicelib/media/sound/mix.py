"""The mix: voices summed, limited, measured and encoded, window by window."""

from collections.abc import Iterable, Sequence
from math import floor, log10
from typing import Protocol

import numpy as np

from chalicelib.core.step import Note
from chalicelib.media.sound.level import Array, Level
from chalicelib.media.sound.limiter import Limiter
from chalicelib.media.sound.mp4 import Mp4
from chalicelib.media.sound.opus import FRAME, Encoder, OpusWebm
from chalicelib.media.sound.part import Part
from chalicelib.media.sound.voice import Samples
from chalicelib.media.store import Writing

# Every voice gets this, however many there are and whoever leaves.
HEADROOM_DB = -3.0
# No true peak that is encoded is higher, so that none that is decoded is over -1 dBTP: encoding raises those
# of loud speech by up to 0.5 dB (only white noise and square waves by more).
CEILING_DB = -2.0
_SCALE = np.float32(10 ** (HEADROOM_DB / 20) / 32768)


def summed(voices: Iterable[Samples | None], samples: int) -> Array:
    """All voices of a window together, of -1 to 1 and beyond; in one channel where both would be the same."""
    mono, stereo = np.zeros((samples, 1), np.float32), np.zeros((0, 2), np.float32)
    for voice in voices:
        if voice is None:
            continue
        if voice.shape[1] == 1 or np.array_equal(voice[:, 0], voice[:, 1]):
            mono += voice[:, :1]
        else:
            stereo = stereo if len(stereo) else np.zeros((samples, 2), np.float32)
            stereo += voice
    both = mono + stereo if len(stereo) else mono
    both *= _SCALE
    return both


def in_16_bits(samples: Array) -> Samples:
    """Samples of -1 to 1 as integers."""
    return np.clip(np.rint(samples * np.float32(32768)), -32768, 32767).astype(np.int16)


class File(Protocol):
    """A file of the mix."""

    def write(self, samples: Array) -> None:
        """What is heard next: as (samples, 1), and from some time on as (samples, 2)."""
        ...


class Mix:
    """Windows in, files out. `lead` samples come first that are heard by filters and encoders only.

    As long as both channels are the same, which is nearly always, one is measured and encoded for both.
    """

    def __init__(self, files: Sequence[File], lead: int) -> None:
        self._files, self._lead = files, lead
        self._limiter, self.level = Limiter(10 ** (CEILING_DB / 20)), Level(1, heard=2)
        self._passed = 0

    def add(self, window: Array) -> None:
        """The next window; the lead is one by itself."""
        self._write(self._limiter.limited(window))

    def finish(self, beyond: Array | None) -> None:
        """What comes after the end decides how it is limited before."""
        self._write(self._limiter.limited(beyond))
        self.level.rest()

    def _write(self, window: Array | None) -> None:
        if window is None:
            return
        self.level.add(window)
        for file in self._files:
            file.write(window)
        self._passed += len(window)
        if self._passed == self._lead:
            self.level.forget()


class MixWebm:
    """The mix as Opus."""

    def __init__(self, writing: Writing) -> None:
        self._encoder, self._file = Encoder(), OpusWebm(writing, 2)

    def write(self, samples: Array) -> None:
        """What is heard next."""
        for packet in self._encoder.encode(in_16_bits(samples)):
            self._file.add(packet)

    def finish(self, _: Level, gain: int) -> None:
        """End the file, which players turn up by so many 256ths of a decibel."""
        for packet in self._encoder.finish():
            self._file.add(packet)
        self._file.finish(self._encoder.samples, gain)


class MixMp4:
    """The mix as AAC, which has no place for a gain that is known last."""

    def __init__(self, writing: Writing) -> None:
        self._file = Mp4(writing)
        self.write = self._file.write

    def finish(self, _level: Level, _gain: int) -> None:
        """End the file."""
        self._file.finish()


class MixPart:
    """A slice's packets, without those of the lead."""

    def __init__(self, writing: Writing, lead: int) -> None:
        self._writing, self._encoder, self._lead = writing, Encoder(), lead
        self._drop = lead // FRAME

    def write(self, samples: Array) -> None:
        """What is heard next."""
        self._keep(self._encoder.encode(in_16_bits(samples)))

    def finish(self, level: Level, _: int) -> None:
        """End the file."""
        self._keep(self._encoder.finish())
        samples = self._encoder.samples - self._lead
        self._writing.front(Part(samples, level.peak.value, level.loudness.energies).front())

    def _keep(self, packets: list[bytes]) -> None:
        kept = packets[self._drop :]
        self._drop -= len(packets) - len(kept)
        if kept:
            self._writing.body(Part.packed(kept))


def gain_of(lufs: float | None, peak: float, wanted: float | None) -> int:
    """By how many 256ths of a decibel a mix of this loudness and true peak is turned up to the wanted one,
    without a true peak over the ceiling."""
    if lufs is None or wanted is None or peak <= 0:
        return 0
    return floor(256 * min(wanted - lufs, CEILING_DB - 20 * log10(peak)))


def notes_of(lufs: float | None, peak_db: float | None, gain: int) -> tuple[Note, ...]:
    """How loud a mix is as it is heard, and what was done for it."""
    gain_db = round(gain / 256, 2)
    heard = (None if value is None else round(value + gain_db, 2) for value in (lufs, peak_db))
    levels = zip(("lufs", "true_peak_db"), heard, strict=True)
    return *levels, ("gain_db", gain_db), ("headroom_db", HEADROOM_DB)
