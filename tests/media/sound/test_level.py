"""Loudness and true peak are those of FFmpeg's own meter."""

from collections.abc import Callable

import numpy as np
import pytest

from chalicelib.media.sound.level import Level
from chalicelib.media.sound.limiter import Limiter
from chalicelib.media.sound.stem import wav_head
from tests.media.sound.stage import RATE, Sound, measured, noise, silence, speech, tone


def two(left: Sound, right: Sound) -> Sound:
    return np.stack([left, right], axis=1)


def soft(signal: Sound) -> Sound:
    """Without hard edges, where meters differ by their filters."""
    signal[:4_800] *= np.linspace(0, 1, 4_800, dtype=np.float32)
    signal[-4_800:] *= np.linspace(1, 0, 4_800, dtype=np.float32)
    return signal


def between_the_samples() -> Sound:
    """A quarter of the rate, its peaks as far from the samples as can be."""
    at = np.arange(3 * RATE)
    return soft(np.asarray(0.5 * np.sin(np.pi / 2 * at + np.pi / 4), np.float32))


SIGNALS: dict[str, Callable[[], Sound]] = {
    "a tone": lambda: tone(3, 997, 0.1),
    "a low tone": lambda: tone(3, 55, 0.4),
    "a high tone": lambda: soft(tone(3, 9_000, 0.2)),
    "two noises": lambda: two(noise(3, 0.1), noise(3, 0.03, seed=2)),
    "speech": lambda: speech(12, 0.5),
    "speech and silence": lambda: np.concatenate([silence(2.35), speech(5), silence(3), noise(2, 0.002)]),
    "loud and quiet": lambda: np.concatenate([tone(3, 500, 0.5), tone(5, 500, 0.01)]),
    "direct current": lambda: tone(3, 500, 0.05) + np.float32(0.3),
    "peaks between samples": between_the_samples,
    "an odd end": lambda: noise(1.2345, 0.2),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_both_are_as_ffmpeg_measures_them(name: str) -> None:
    exact = SIGNALS[name]()
    samples = np.rint(exact.reshape(len(exact), -1) * 32767).astype("<i2")
    level = Level(samples.shape[1], samples.shape[1])
    for at in range(0, len(samples), 96_000):
        level.add(samples[at : at + 96_000].astype(np.float32) / np.float32(32768))
    level.rest()

    lufs, peak_db = measured(wav_head(samples.shape[1], samples.nbytes) + samples.tobytes())

    assert level.loudness.lufs() == pytest.approx(lufs, abs=0.1)
    assert level.peak.db() == pytest.approx(peak_db, abs=0.2)


def test_what_is_below_the_gate_has_no_loudness() -> None:
    level = Level(1, 1)
    level.add(noise(2, 0.00005)[:, None])

    assert level.loudness.lufs() is None


def test_one_channel_that_is_heard_in_both_counts_twice() -> None:
    one, both = Level(1, heard=2), Level(2, heard=2)
    one.add(tone(2)[:, None])
    both.add(two(tone(2), tone(2)))

    assert one.loudness.lufs() == both.loudness.lufs()


def limited(signal: Sound, window: int = 96_000, ceiling: float = 0.5) -> Sound:
    limiter = Limiter(ceiling)
    windows = [signal[at : at + window] for at in range(0, len(signal), window)]
    out = [limiter.limited(part) for part in [*windows, None]]
    return np.concatenate([part for part in out if part is not None])


def true_peak(signal: Sound) -> float:
    level = Level(signal.shape[1], signal.shape[1])
    level.add(signal)
    level.rest()
    return level.peak.value


@pytest.mark.parametrize("signal", [noise(4, 0.5), speech(4, 2.0), tone(4, 11_999, 0.9)], ids=range(3))
def test_the_limiter_lets_no_peak_through_and_delays_nothing(signal: Sound) -> None:
    out = limited(signal[:, None])

    assert true_peak(out) <= 0.5 * 10 ** (0.1 / 20)
    assert out.shape == (len(signal), 1)
    assert np.correlate(out[96_000:96_960, 0], signal[96_000:96_960]).argmax() == 0
    assert float(np.dot(out[:, 0], signal)) > 0


def test_the_limiter_leaves_alone_what_is_quiet() -> None:
    signal = np.concatenate([tone(2, 300, 0.2), tone(0.01, 300, 0.9), tone(4, 300, 0.2)])[:, None]

    out = limited(signal)

    assert np.array_equal(out[: 1_980 * 48], signal[: 1_980 * 48])
    assert np.array_equal(out[3_000 * 48 :], signal[3_000 * 48 :])


def test_windows_do_not_matter_to_the_limiter() -> None:
    signal = np.stack([speech(6, 1.5), speech(6, 1.5, seed=2)], axis=1)

    assert np.abs(limited(signal, 48_000) - limited(signal, 192_000)).max() < 1e-6


def test_a_slice_that_begins_earlier_is_limited_like_the_whole() -> None:
    signal = speech(8, 2.5)[:, None]

    whole, slice_ = limited(signal), limited(signal[96_000:])

    assert np.abs(whole[192_000:] - slice_[96_000:]).max() < 1e-5
