"""Keeps true peaks below a ceiling by turning down in time, without delaying anything.

The gain is set each millisecond: it falls towards a peak before the peak comes and rises slowly behind it,
by so many decibels each time, and runs straight in between. It depends on what is within a second or two
only, so that a slice that begins a little earlier ends up the same as the whole.
"""

from typing import Any

import numpy as np

from chalicelib.media.sound.level import PIECE, Array, as_wide, may_exceed, true_peaks

# dB in a millisecond; and how far ahead is looked: enough to fall by 48 dB.
_FALL, _RISE = 4.0, 0.03
_AHEAD = 12


class Limiter:
    """Takes windows of whole milliseconds, of float32; gives each when the next one came.

    They have one channel, and from some time on two; both are turned down alike.
    """

    def __init__(self, ceiling: float) -> None:
        self._ceiling = ceiling
        self._window: Array | None = None
        self._before = np.zeros((PIECE, 1), np.float32)
        # By how many dB the last millisecond was turned down, as a negative number.
        self._gain_db = 0.0

    def limited(self, following: Array | None) -> Array | None:
        """The window before this one, limited; None before the first. Ends with None."""
        window, self._window = self._window, following
        if window is None:
            return None
        if following is None:
            following = np.zeros_like(window[:0])
        elif following.shape != window.shape:
            window, following = as_wide(window, following), as_wide(following, window)
            self._window = following
        gain = self._gains(window, following)
        self._before = window[-PIECE:]
        return window if gain is None else window * gain[:, None]

    def _gains(self, window: Array, following: Array) -> Array | None:
        """A gain for each sample; None when all of them are 1."""
        wanted = (_AHEAD + 1) * PIECE
        after = as_wide(following[:wanted], window)
        silence = np.zeros((wanted - len(after), window.shape[1]), np.float32)
        parts = (as_wide(self._before, window), window, after, silence)
        held = np.ascontiguousarray(np.concatenate(parts).T)
        if self._gain_db == 0.0 and not may_exceed(held, self._ceiling):
            return None
        peaks = np.max([true_peaks(channel, self._ceiling) for channel in held], axis=0)
        if self._gain_db == 0.0 and peaks.max() <= self._ceiling:
            return None
        need = np.minimum(0.0, 20 * np.log10(self._ceiling / np.maximum(peaks, 1e-9)))
        slope = np.arange(len(need))
        falling = np.minimum.accumulate((need + slope * _FALL)[::-1])[::-1] - slope * _FALL
        rising = np.minimum.accumulate(falling - slope * _RISE) + slope * _RISE
        level = np.minimum(0.0, np.minimum(rising, self._gain_db + (slope + 1) * _RISE))
        edges = np.minimum(np.concatenate(([self._gain_db], level[:-1])), level)
        cells = len(window) // PIECE
        # So near to nothing it is nothing: what is quiet comes out bit for bit.
        self._gain_db = float(level[cells - 1]) if level[cells - 1] < -1e-6 else 0.0
        return _straight(10 ** (edges[: cells + 1] / 20))


def _straight(edges: "np.ndarray[Any, Any]") -> Array:
    """From edge to edge of each millisecond in a straight line."""
    part = np.arange(PIECE) / PIECE
    return (edges[:-1, None] * (1 - part) + edges[1:, None] * part).astype(np.float32).ravel()
