"""Waveforms are what BBC audiowaveform would make of the stem."""

import struct

import numpy as np
import pytest

from chalicelib.media.sound.make import sound
from tests.media.sound.stage import Session, noted, of, samples_of, silence, speech, tone, waveform


def made(session: Session, end: int) -> tuple[dict[str, object], bytes, list[int]]:
    """The JSON, the binary, and what a plain loop makes of the stem."""
    outputs = [of("ann", "peaks", "json"), of("ann", "peaks", "dat"), of("ann", "stem", "wav")]
    sound(session.step((0, end), *outputs), session.store)
    files = session.store.files
    return waveform(files["ann/peaks.json"]), files["ann/peaks.dat"], plain(samples_of(files["ann/stem.wav"]))


def plain(samples: np.ndarray) -> list[int]:
    pairs = []
    for at in range(0, len(samples), 480):
        mono = [int(sum(map(int, frame)) / len(frame)) for frame in samples[at : at + 480]]
        pairs += [int(min(mono) / 256), int(max(mono) / 256)]
    return pairs


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("end", [1_500, 1_504, 5_001])
def test_peaks_are_the_extremes_of_each_ten_milliseconds(channels: int, end: int) -> None:
    session, signal = Session(), np.concatenate([speech(0.7, 0.9), silence(0.2), tone(0.2, 300, 0.9)])
    session.speaks("ann", 203, np.stack([signal, 0.3 * signal], axis=1) if channels == 2 else signal)

    told, binary, expected = made(session, end)

    assert told["data"] == expected
    assert told["length"] == len(expected) // 2 == -(-end * 48 // 480)
    assert np.frombuffer(binary[24:], np.int8).tolist() == expected


def test_both_forms_have_the_header_of_version_2() -> None:
    session = Session()
    session.speaks("ann", 0, tone(1))

    told, binary, _ = made(session, 1_000)

    assert {name: told[name] for name in told if name != "data"} == {
        "version": 2, "channels": 1, "sample_rate": 48_000, "samples_per_pixel": 480, "bits": 8,
        "length": 100,
    }  # fmt: skip
    assert struct.unpack("<iIiiIi", binary[:24]) == (2, 1, 48_000, 480, 100, 1)
    assert len(binary) == 24 + 2 * 100


def test_loudness_stands_with_the_peaks_where_no_stem_is_asked() -> None:
    session = Session()
    session.speaks("ann", 0, tone(3))

    (peaks,) = sound(session.step((0, 4_000), of("ann", "peaks", "dat")), session.store)

    assert noted(peaks) == {"lufs": pytest.approx(-9.0, abs=0.3), "true_peak_db": pytest.approx(-6, abs=0.3)}


def test_silence_has_no_loudness() -> None:
    session = Session()
    session.speaks("ann", 1_000, silence(1))

    (peaks,) = sound(session.step((0, 4_000), of("ann", "peaks", "dat")), session.store)

    assert noted(peaks)["lufs"] is None
