"""FLAC files that share one encoder are as valid as if each had its own."""

import numpy as np
import pytest

from chalicelib.media.sound.flac import Flac, Frames, numbered
from tests.media.sound.stage import MemoryStore, Samples, Sound, heard, noise, samples_of, silence


def sixteen(signal: Sound, channels: int) -> Samples:
    wide = np.repeat(signal[:, None], channels, axis=1) * np.linspace(0.5, 1, channels)
    return np.asarray(np.rint(wide * 32767), np.int16)


def checksum(data: bytes, polynomial: int, bits: int) -> int:
    """The remainder, bit by bit."""
    value = int.from_bytes(data) << bits
    for at in range(value.bit_length() - 1, bits - 1, -1):
        if value >> at & 1:
            value ^= polynomial << at - bits
    return value


@pytest.mark.parametrize("number", [0, 127, 128, 2_047, 2_048, 65_536, 3_000_000])
def test_a_frame_with_another_number_is_valid(number: int) -> None:
    (frame,) = Frames().encoded(sixteen(noise(1)[:4_608], 1))

    other = numbered(frame, number)

    spelled = chr(number).encode() if number < 0x110000 else bytes([0xF8 | number >> 24, *_low(number)])
    head = other[: 4 + len(spelled)]
    assert head == frame[:4] + spelled
    assert other[len(head)] == checksum(head, 0x107, 8)
    assert int.from_bytes(other[-2:]) == checksum(other[:-2], 0x18005, 16)
    assert numbered(other, 0) == frame


def _low(number: int) -> list[int]:
    return [0x80 | number >> shift & 0x3F for shift in (18, 12, 6, 0)]


def test_stems_that_take_turns_each_get_their_own_samples() -> None:
    store, frames = MemoryStore(), Frames()
    signals = [sixteen(noise(n, seed=n), 1 + n % 2) for n in (1, 2, 3)] + [sixteen(silence(14), 1)]
    files = [Flac(store.write(f"{n}.flac", ""), s.shape[1], frames) for n, s in enumerate(signals)]

    for at in range(0, 14 * 48_000, 100_000):
        for file, signal in zip(files, signals, strict=True):
            if len(part := signal[at : at + 100_000]):
                file.add(part)
    for file in files:
        file.finish()

    for n, signal in enumerate(signals):
        made = store.files[f"{n}.flac"]
        assert np.array_equal(samples_of(made), signal)
        played = heard(made, channels=signal.shape[1], before=("-err_detect", "crccheck+explode"))
        assert np.array_equal(np.rint(played * 32768), signal)
