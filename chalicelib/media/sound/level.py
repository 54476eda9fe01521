"""How loud sound is: integrated loudness by EBU R 128 (ITU-R BS.1770-4), and its true peak.

The K-weighting is its exact recursive filter, worked out for 60 samples at a time as matrices: NumPy has no
recursive filters, and this costs a second for an hour.
"""

from array import array
from copy import deepcopy
from math import log10
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

type Array = np.ndarray[Any, np.dtype[Any]]

# Energies are kept of 100 ms; gating looks at four of them together.
BLOCK = 4_800
_GATED, _ABSOLUTE_LUFS, _RELATIVE_LU, _OFFSET = 4, -70.0, 10.0, -0.691


def as_wide(samples: Array, other: Array) -> Array:
    """One channel in two, where the other has two."""
    return np.repeat(samples, max(1, other.shape[1] // samples.shape[1]), axis=1)


# --- K-weighting: BS.1770-4, tables 1 and 2, for 48 kHz ---

_SHELF = (1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585)
_HIGH_PASS = (1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621)
_ROW, _STATES = 60, 4
_ROWS = BLOCK // _ROW


def _run(inputs: list[float], state: list[float]) -> tuple[list[float], list[float]]:
    """Both filters, one behind the other, in transposed direct form II, whose states stay small."""
    s, heard = list(state), []
    for x in inputs:
        for at, (b0, b1, b2, a1, a2) in ((0, _SHELF), (2, _HIGH_PASS)):
            y = b0 * x + s[at]
            s[at], s[at + 1] = b1 * x - a1 * y + s[at + 1], b2 * x - a2 * y
            x = y
        heard.append(x)
    return heard, s


def _matrices() -> tuple[Array, Array, Array, Array]:
    """From a row's samples to its output and the state that it adds; from a state to output; and from what
    each row adds to the state before every row, and behind the last."""
    answers = [_run(list(unit), [0.0] * _STATES) for unit in np.eye(_ROW)]
    of_samples = np.array([heard + state for heard, state in answers])
    answers = [_run([0.0] * _ROW, list(unit)) for unit in np.eye(_STATES)]
    of_state = np.array([heard for heard, _ in answers])
    step = np.array([state for _, state in answers])
    powers = [np.eye(_STATES)]
    for _ in range(_ROWS):
        powers.append(powers[-1] @ step)
    spread = np.zeros((_ROWS * _STATES, (_ROWS + 1) * _STATES))
    for row in range(_ROWS):
        for later in range(row + 1, _ROWS + 1):
            place = slice(row * _STATES, (row + 1) * _STATES), slice(later * _STATES, (later + 1) * _STATES)
            spread[place] = powers[later - row - 1]
    fades = np.hstack(powers[:_ROWS])
    parts = (of_samples, of_state, spread, fades)
    # What is as good as nothing is nothing: numbers too small for 32 bits are slow.
    return tuple(np.where(abs(part) < 1e-12, 0, part).astype(np.float32) for part in parts)  # type: ignore[return-value]


_OF_SAMPLES, _OF_STATE, _SPREAD, _FADES = _matrices()


class _Weighting:
    """One channel's filter; it remembers where it was."""

    def __init__(self) -> None:
        self._state = np.zeros(_STATES, np.float32)

    def energies(self, blocks: Array) -> Array:
        """Mean squares of weighted blocks that follow each other, as rows of 100 ms."""
        sounding = np.flatnonzero(blocks.any(axis=1))
        both = blocks[sounding].reshape(-1, _ROW) @ _OF_SAMPLES
        spread = both[:, _ROW:].reshape(-1, _ROWS * _STATES) @ _SPREAD
        # After 100 ms nothing is left of an older state than the last block's.
        ends = np.zeros((len(blocks) + 1, _STATES), np.float32)
        ends[0], ends[sounding + 1] = self._state, spread[:, -_STATES:]
        self._state = ends[-1]
        states = spread[:, :-_STATES] + ends[sounding] @ _FADES
        rows = (both[:, :_ROW] + states.reshape(-1, _STATES) @ _OF_STATE).reshape(-1, BLOCK)
        found = np.zeros(len(blocks), np.float32)
        found[sounding] = np.einsum("ij,ij->i", rows, rows) / BLOCK
        return found

    def rest(self) -> None:
        """There was silence."""
        self._state = np.zeros(_STATES, np.float32)


class Loudness:
    """Measures what is given to it in whole blocks; the last of all may be shorter and does not count.

    `heard` is in how many channels players play it: one may stand for two, until two come.
    """

    def __init__(self, channels: int, heard: int) -> None:
        self.energies = array("f")
        self._heard = heard
        self._channels = [_Weighting() for _ in range(channels)]

    def add(self, samples: Array) -> None:
        """Samples of -1 to 1, as (samples, channels)."""
        count = len(samples) // BLOCK
        if samples.shape[1] > len(self._channels):
            self._channels.append(deepcopy(self._channels[0]))
        if count:
            blocks = samples[: count * BLOCK].T.reshape(len(self._channels), count, BLOCK)
            ways = zip(self._channels, blocks, strict=True)
            mean = np.mean([way.energies(np.ascontiguousarray(block)) for way, block in ways], axis=0)
            self.energies.frombytes((mean * np.float32(self._heard)).astype(np.float32).tobytes())

    def silence(self, samples: int) -> None:
        """So many samples of it."""
        for way in self._channels:
            way.rest()
        self.energies.extend(array("f", bytes(4 * (samples // BLOCK))))

    def lufs(self) -> float | None:
        """The integrated loudness; None where all is below the gate."""
        return integrated(self.energies)


def integrated(energies: "array[float]") -> float | None:
    """The loudness of these 100 ms; None where all is below the absolute gate (BS.1770-4, annex 1)."""
    each = np.frombuffer(energies, np.float32).astype(np.float64)
    if len(each) < _GATED:
        return None
    totals = np.concatenate(([0.0], np.cumsum(each)))
    gated = np.maximum(0.0, totals[_GATED:] - totals[:-_GATED]) / _GATED
    gated = gated[gated > _power(_ABSOLUTE_LUFS)]
    if not len(gated):
        return None
    gated = gated[gated > gated.mean() * 10 ** (-_RELATIVE_LU / 10)]
    return round(_OFFSET + 10 * log10(float(gated.mean())), 2)


def _power(lufs: float) -> float:
    return float(10 ** ((lufs - _OFFSET) / 10))


# --- true peak: what lies between the samples, at four times the rate (BS.1770-4, annex 2) ---

# Sound is looked at in pieces of so many samples; each needs as many neighbours as the filter is long.
PIECE = 48
_TAPS, _TIMES = 24, 4
_AROUND = _TAPS // 2


def _between() -> tuple[Array, float]:
    """The filter for the three places between two samples, a sinc under a Kaiser window, and its reach.

    What it says is no farther from a straight line between two samples than its reach times the largest
    second difference around: the rest of the filter, summed twice, is a filter of those.
    """
    place = np.arange(_TAPS)[:, None] - (_AROUND - 1) - np.arange(1, _TIMES) / _TIMES
    window = np.i0(7.0 * np.sqrt(np.maximum(0, 1 - (place / _AROUND) ** 2))) / np.i0(7.0)
    taps = np.sinc(place) * window
    taps /= taps.sum(axis=0)
    # A straight line stays one.
    off = (taps * place).sum(axis=0)
    taps[_AROUND - 1 : _AROUND + 1] += np.array([off, -off])
    straight = np.zeros_like(taps)
    straight[_AROUND - 1], straight[_AROUND] = (
        1 - np.arange(1, _TIMES) / _TIMES,
        np.arange(1, _TIMES) / _TIMES,
    )
    bends = np.cumsum(np.cumsum(taps - straight, axis=0), axis=0)
    return taps.astype(np.float32), float(np.abs(bends).sum(axis=0).max())


_BETWEEN, _REACH = _between()
# No true peak is higher than the samples around by more than this.
_MOST = float(np.abs(_BETWEEN).sum(axis=0).max())
# The same for all places of 48 samples with their neighbours at once.
_WIDE = PIECE + _TAPS - 1
_ALL_BETWEEN = np.hstack(
    [np.pad(_BETWEEN, ((at, PIECE - 1 - at), (0, 0))) for at in range(PIECE)], dtype=np.float32
)
_AT_ONCE = 512


def may_exceed(samples: Array, floor: float) -> bool:
    """Whether a true peak of it, as (channels, samples), can be over `floor`."""
    bends = np.abs(np.diff(samples, 2)).max(initial=0.0)
    return float(np.abs(samples).max() + _REACH * bends) > floor


def true_peaks(samples: Array, floor: float) -> Array:
    """The peak of each 48 samples but the first and the last 48, of one channel of 48 times so many samples.

    What lies between the samples is looked at only where it may be over `floor`.
    """
    sampled = np.abs(samples).reshape(-1, PIECE).max(axis=1)
    peaks = sampled[1:-1].copy()
    hot = np.flatnonzero(_around(sampled) * _MOST > floor)
    rows = sliding_window_view(samples, _WIDE)[PIECE - _AROUND + 1 :: PIECE]
    for at in range(0, len(hot), _AT_ONCE):
        chosen = hot[at : at + _AT_ONCE]
        peaks[chosen] = np.maximum(peaks[chosen], np.abs(rows[chosen] @ _ALL_BETWEEN).max(axis=1))
    return peaks


def _around(found: Array) -> Array:
    """Of each but the first and the last the largest of it and its neighbours."""
    return np.maximum(np.maximum(found[:-2], found[2:]), found[1:-1])


class TruePeak:
    """The highest true peak of what is given to it; `value` is 1 at full scale.

    Where it can not be is not looked at: sound is sorted by its samples, first by 10 ms, then by 1 ms.
    """

    _COARSE, _CHOSEN = 480, 16

    def __init__(self, channels: int) -> None:
        self.value = 0.0
        self._before = np.zeros((2 * self._COARSE, channels), np.float32)

    def add(self, samples: Array) -> None:
        """Samples of -1 to 1, as (samples, channels). What is no whole 10 ms is followed by silence."""
        after = np.zeros((-len(samples) % self._COARSE, samples.shape[1]), np.float32)
        held = np.concatenate((as_wide(self._before, samples), samples, after))
        self._before = held[-2 * self._COARSE :]
        for channel in np.ascontiguousarray(held.T):
            self._look(channel)

    def _look(self, samples: Array) -> None:
        """At all but the first and the last 10 ms."""
        sampled = np.abs(samples).reshape(-1, self._COARSE).max(axis=1)
        self.value = max(self.value, float(sampled.max()))
        around = _around(sampled)
        hot = np.flatnonzero(around * _MOST > self.value)
        blocks = sliding_window_view(samples, self._COARSE + _TAPS - 1)
        near = blocks[self._COARSE - _AROUND + 1 :: self._COARSE][hot]
        reach = _REACH * np.abs(np.diff(near, 2)).max(axis=1, initial=0.0)
        most = around[hot] + reach
        order = np.argsort(-most, kind="stable")
        for at in range(0, len(order), self._CHOSEN):
            chosen = order[at : at + self._CHOSEN]
            if most[chosen[0]] <= self.value:
                return
            rows = sliding_window_view(near[chosen], _WIDE, axis=1)[:, ::PIECE]
            rows = rows[np.abs(rows).max(axis=2) + reach[chosen, None] > self.value]
            self.value = max(self.value, float(np.abs(rows @ _ALL_BETWEEN).max(initial=0.0)))

    def finish(self) -> None:
        """Nothing follows."""
        self.add(np.zeros_like(self._before))

    def db(self) -> float | None:
        """In dBTP; None for silence."""
        return decibels(self.value)


def decibels(value: float) -> float | None:
    """A level in decibels below full scale; None for silence."""
    return round(20 * log10(value), 2) if value > 0 else None


class Level:
    """Both measures of one sound, which comes in windows of whole 100 ms; the last one may be shorter."""

    def __init__(self, channels: int, heard: int) -> None:
        self.loudness, self.peak = Loudness(channels, heard), TruePeak(channels)
        self._resting = True

    def add(self, samples: Array) -> None:
        """Samples of -1 to 1, as (samples, channels)."""
        self.loudness.add(samples)
        self.peak.add(samples)
        self._resting = False

    def silence(self, samples: int) -> None:
        """So many samples of it."""
        self.loudness.silence(samples)
        self.rest()

    def rest(self) -> None:
        """Nothing is heard behind what was."""
        if not self._resting:
            self.peak.finish()
            self._resting = True

    def forget(self) -> None:
        """Begin to count here."""
        del self.loudness.energies[:]
        self.peak.value = 0.0
