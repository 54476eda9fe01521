"""One voice's strip on the desk: all that is made of it alone."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from chalicelib.core.step import Note
from chalicelib.media.sound.level import Level
from chalicelib.media.sound.peaks import Peaks
from chalicelib.media.sound.stem import Stem
from chalicelib.media.sound.voice import Samples, Voice

_SILENCE_AT_ONCE = 48_000


class Begin(Protocol):
    """Begins a stem of so many channels."""

    def __call__(self, channels: int) -> Stem: ...


class Strip:
    """Stems begin with the first sound, for before it nobody knows how many channels they have."""

    def __init__(self, voice: Voice, stems: Sequence[Begin], peaks: Peaks | None, measured: bool) -> None:
        self._voice, self._begin, self._peaks, self._measured = voice, stems, peaks, measured
        self._stems: list[Stem] = []
        self._level: Level | None = None
        # How long it was silent before it was heard for the first time.
        self._quiet: int | None = 0

    def window(self, start: int, end: int) -> Samples | None:
        """What is heard in a window, and written."""
        samples = self._voice.window(start, end)
        if samples is None:
            self._silence(end - start)
            return None
        self._open(samples.shape[1])
        if self._peaks is not None:
            self._peaks.add(samples)
        for stem in self._stems:
            stem.add(samples)
        if self._level is not None:
            self._level.add(samples.astype(np.float32) / np.float32(32768))
        return samples

    def finish(self) -> tuple[Note, ...]:
        """End the stems; how loud it was."""
        self._open(1)
        for stem in self._stems:
            stem.finish()
        if self._level is None:
            return ()
        self._level.rest()
        return ("lufs", self._level.loudness.lufs()), ("true_peak_db", self._level.peak.db())

    def _open(self, channels: int) -> None:
        if self._quiet is None:
            return
        quiet, self._quiet = self._quiet, None
        self._stems = [begin(channels) for begin in self._begin]
        self._level = Level(channels, channels) if self._measured else None
        self._write_silence(quiet, channels)

    def _silence(self, samples: int) -> None:
        if self._peaks is not None:
            self._peaks.silence(samples)
        if self._quiet is None:
            self._write_silence(samples, self._voice.channels or 1)
        else:
            self._quiet += samples

    def _write_silence(self, samples: int, channels: int) -> None:
        if self._level is not None:
            self._level.silence(samples)
        for at in range(0, samples if self._stems else 0, _SILENCE_AT_ONCE):
            nothing = np.zeros((min(_SILENCE_AT_ONCE, samples - at), channels), np.int16)
            for stem in self._stems:
                stem.add(nothing)
