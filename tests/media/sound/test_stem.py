"""A stem has its voice where the clock has it, to the sample, and zeros everywhere else."""

import hashlib
import struct
from dataclasses import replace

import numpy as np
import pytest

from chalicelib.core.ids import Kind
from chalicelib.media.sound.make import sound
from chalicelib.media.sound.stem import wav_head
from tests.media.live import Sent, opened, without
from tests.media.sound.stage import (
    Samples,
    Session,
    Sound,
    encoded,
    heard,
    mix,
    noise,
    noted,
    of,
    onset,
    samples_of,
    sent,
    silence,
    speech,
    tone,
)


def stem(session: Session, span: tuple[int, int], form: str = "wav") -> bytes:
    sound(session.step(span, of("ann", "stem", form)), session.store)
    return session.store.files[f"ann/stem.{form}"]


def beeping(seconds: int, *at_ms: int) -> Sound:
    signal = silence(seconds)
    for at in at_ms:
        signal[at * 48 : at * 48 + 4_800] = tone(0.1)
    return signal


def found(samples: Samples, *expected: float) -> list[float]:
    """How far tones begin from where they should, in milliseconds."""
    offsets = []
    for at in expected:
        first = round((at - 90) * 48)
        offsets.append(
            first / 48
            + onset(samples[first : first + 9_000].astype(np.float32) / np.float32(32768), 0.08)
            - at
        )
    return offsets


def test_every_marker_is_exact_after_thirty_gaps() -> None:
    session, packets = Session(), sent(encoded(beeping(1, 300)))
    starts = [1_500 * n + 37 * n % 400 for n in range(31)]
    for start in starts:
        session.sends("ann", (start, start + 1_000), packets)

    samples = samples_of(stem(session, (0, 50_000)))

    assert len(samples) == 50_000 * 48
    assert max(map(abs, found(samples, *(start + 300 for start in starts)))) < 0.5


def test_holes_within_a_segment_are_zeros_and_move_nothing() -> None:
    session = Session()
    packets = sent(encoded(beeping(8, 500, 2_500, 4_500, 6_500)))
    for hole in ((1_000, 1_020), (1_500, 2_200), (3_000, 3_300), (5_000, 6_000)):
        packets = without(packets, *hole)
    session.sends("ann", (250, 8_250), packets)

    samples = samples_of(stem(session, (0, 9_000)))

    assert max(map(abs, found(samples, 750, 2_750, 4_750, 6_750))) < 0.5
    assert not samples[5_300 * 48 : 6_200 * 48].any()


@pytest.mark.parametrize(
    ("step", "case"), [(20.0, "even"), (20.002, "100 ppm slow"), (19.996, "200 ppm fast")]
)
def test_the_timestamps_decide_and_not_the_count(step: float, case: str) -> None:
    session, beeps = Session(), (1_000, 14_000, 27_000, 39_000)
    packets = sent(encoded(beeping(40, *beeps)), step)
    session.sends("ann", (0, 40_100), packets)

    samples = samples_of(stem(session, (0, 40_100)))

    assert max(map(abs, found(samples, *(at * step / 20 for at in beeps)))) < 1.0, case


def test_timestamps_that_jitter_tear_nothing() -> None:
    even, jittery = Session(), Session()
    packets = sent(encoded(tone(6, 440)))
    moved = [replace(p, at=max(0, p.at + (n * 7919) % 5 - 2)) for n, p in enumerate(packets)]
    even.sends("ann", (0, 6_000), packets)
    jittery.sends("ann", (0, 6_000), [packets[0], *moved[1:]])

    assert np.array_equal(
        samples_of(stem(jittery, (0, 6_000)))[:-9_600], samples_of(stem(even, (0, 6_000)))[:-9_600]
    )


@pytest.mark.parametrize("ppm", [300, -1_000])
def test_a_clock_that_runs_wrong_is_put_right(ppm: int) -> None:
    session, beeps = Session(), (500, 9_500, 19_500)
    session.sends("ann", (100, 20_100), sent(encoded(beeping(20, *beeps))), ppm=ppm)

    samples = samples_of(stem(session, (0, 21_000)))

    assert max(map(abs, found(samples, *(100 + at / (1 + ppm / 1e6) for at in beeps)))) < 0.5


def test_what_is_put_right_sounds_as_it_did() -> None:
    session, signal = Session(), tone(10, 3_000, 0.5)
    session.sends("ann", (0, 10_000), sent(encoded(signal, 128_000)), ppm=200)

    samples = samples_of(stem(session, (0, 9_000)))[48_000:, 0] / 32768

    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    peak = int(spectrum.argmax())
    assert peak * 48_000 / len(samples) == pytest.approx(3_000 * 1.0002, abs=0.2)
    assert spectrum[peak - 400 : peak + 400].sum() / spectrum.sum() > 0.9999


def test_a_segments_media_may_begin_anywhere_in_its_file() -> None:
    session = Session()
    session.sends("ann", (1_000, 3_000), sent(encoded(beeping(20, 15_500))), skip_ms=15_000)

    samples = samples_of(stem(session, (0, 4_000)))

    assert abs(found(samples, 1_500)[0]) < 0.5
    assert not samples[: 1_000 * 48].any()
    assert not samples[3_000 * 48 :].any()


def test_a_stem_is_what_the_decoder_says_and_nothing_else() -> None:
    session, signal = Session(), noise(3)
    session.speaks("ann", 400, signal)
    with opened(session.store.files["repaired/0.webm"]) as file:
        decoded = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])

    samples = samples_of(stem(session, (0, 3_400)))[400 * 48 :, 0]

    inner = slice(480, 3_000 * 48 - 480)
    assert np.abs(samples[inner] - decoded[inner] * 32768).max() <= 1


def test_sound_is_cut_off_softly() -> None:
    session, packets = Session(), sent(encoded(tone(4, 200, 0.8)))
    session.sends("ann", (500, 1_503), packets)
    session.sends("ann", (2_007, 3_000), without(packets, 300, 500), skip_ms=13)

    samples = samples_of(stem(session, (0, 4_000)))[:, 0].astype(int)

    steepest = 0.8 * 32768 * 2 * np.pi * 200 / 48_000
    assert np.abs(np.diff(samples)).max() < 2.0 * steepest


def test_what_is_sent_twice_is_heard_once() -> None:
    once, twice = Session(), Session()
    packets = sent(encoded(speech(3)))
    once.sends("ann", (0, 3_000), packets)
    twice.sends("ann", (0, 3_000), [packet for packet in packets for _ in range(2)])

    assert stem(twice, (0, 3_000)) == stem(once, (0, 3_000))


def test_where_a_segment_overlaps_the_next_the_clock_cuts() -> None:
    session = Session()
    session.speaks("ann", 0, tone(2, 1_000), end=1_000)
    session.speaks("ann", 1_000, silence(1))

    samples = samples_of(stem(session, (0, 2_000)))

    assert np.abs(samples[900 * 48 : 990 * 48]).max() > 10_000
    assert not samples[1_000 * 48 :].any()


@pytest.mark.parametrize(("channels", "form"), [(1, "flac"), (2, "flac"), (1, "wav"), (2, "wav")])
def test_a_stem_has_the_channels_that_the_source_has(channels: int, form: str) -> None:
    session, signal = Session(), speech(1)
    session.speaks("ann", 2_000, np.stack([signal, -signal], axis=1) if channels == 2 else signal)

    samples = samples_of(stem(session, (0, 3_000), form))

    assert samples.shape == (3_000 * 48, channels)
    assert samples[-48_000:].any()


def test_a_second_segment_with_other_channels_fits_in() -> None:
    session, signal = Session(), tone(1)
    session.speaks("ann", 0, signal)
    session.speaks("ann", 1_000, np.stack([signal, signal], axis=1))

    samples = samples_of(stem(session, (0, 2_000)))

    assert samples.shape == (96_000, 1)
    assert samples[60_000:90_000].std() == pytest.approx(samples[12_000:42_000].std(), rel=0.02)


def test_flac_tells_its_length_and_the_digest_of_its_samples() -> None:
    session = Session()
    session.speaks("ann", 777, speech(2))

    file = stem(session, (0, 5_001), "flac")

    assert file[:8] == b"fLaC\x80\0\0\x22"
    told = int.from_bytes(file[18:26])
    assert (told >> 44, 1 + (told >> 41 & 7), 1 + (told >> 36 & 31)) == (48_000, 1, 16)
    assert told & (1 << 36) - 1 == 5_001 * 48
    assert file[26:42] == hashlib.md5(samples_of(file).tobytes(), usedforsecurity=False).digest()


def test_wav_has_the_same_samples_as_flac() -> None:
    session = Session()
    session.speaks("ann", 100, speech(2))

    assert np.array_equal(
        samples_of(stem(session, (0, 3_000), "wav")), samples_of(stem(session, (0, 3_000), "flac"))
    )


def test_wav_beyond_four_gigabytes_is_rf64() -> None:
    size = 5 << 30

    front = wav_head(2, size)

    assert (front[:4], front[8:16], front[-8:]) == (b"RF64", b"WAVEds64", b"data\xff\xff\xff\xff")
    assert struct.unpack("<IQQQ", front[16:44]) == (28, size + len(front) - 8, size, size // 4)


def test_an_opus_stem_is_as_long_and_as_exact() -> None:
    session = Session()
    session.speaks("ann", 1_234, beeping(2, 500))

    file = stem(session, (0, 4_321), "webm")

    played = heard(file, channels=1)
    assert len(played) == 4_321 * 48
    assert onset(played, 0.08) == pytest.approx(1_734, abs=1)


def test_who_never_spoke_has_a_silent_stem() -> None:
    session = Session()
    session.sends("ann", (0, 1_000), [Sent(0, True, b"\xf8\xff\xfe")])

    samples = samples_of(stem(session, (0, 2_500)))

    assert samples.shape == (2_500 * 48, 1)
    assert not samples.any()


def test_each_file_is_read_once_and_not_before_its_time() -> None:
    session = Session()
    for start in (0, 5_000, 10_000):
        session.speaks("ann", start, speech(1))
        session.speaks("bob", start + 2_000, speech(1), Kind.SCREEN_AUDIO)

    sound(
        session.step((0, 14_000), of("ann", "stem", "flac"), of("ann", "peaks", "json"), mix()), session.store
    )

    assert session.store.opened == [f"repaired/{n}.webm" for n in (0, 2, 4, 6, 8, 10)]


def test_a_step_that_fails_leaves_nothing() -> None:
    session = Session()
    session.speaks("ann", 0, speech(1))
    session.speaks("ann", 6_000, speech(1))
    del session.store.files["repaired/2.webm"]
    outputs = of("ann", "stem", "flac"), of("ann", "stem", "webm"), of("ann", "peaks", "dat")

    with pytest.raises(KeyError):
        sound(session.step((0, 8_000), *outputs), session.store)

    assert session.store.begun == 0
    assert not [name for name in session.store.files if name.startswith("ann")]


def test_the_same_step_makes_the_same_bytes() -> None:
    outputs = [of("ann", "stem", form) for form in ("flac", "wav", "webm")]
    files = []
    for _ in range(2):
        session = Session()
        session.speaks("ann", 300, speech(2))
        sound(session.step((0, 3_000), *outputs), session.store)
        files.append({name: body for name, body in session.store.files.items() if name.startswith("ann")})

    assert files[0] == files[1]


def test_what_was_made_is_told() -> None:
    session = Session()
    session.speaks("ann", 0, tone(3))
    step = session.step((0, 3_000), of("ann", "stem", "flac"), of("ann", "peaks", "json"))

    stem_made, peaks_made = sound(step, session.store)

    assert (stem_made.name, stem_made.content_type) == ("ann/stem.flac", "audio/flac")
    assert (peaks_made.name, peaks_made.content_type) == ("ann/peaks.json", "application/json")
    assert [(m.start, m.end) for m in (stem_made, peaks_made)] == [(0, 3_000)] * 2
    assert [m.bytes for m in (stem_made, peaks_made)] == [
        len(session.store.files[m.name]) for m in (stem_made, peaks_made)
    ]
    assert noted(stem_made) == {
        "lufs": pytest.approx(-9.0, abs=0.3),
        "true_peak_db": pytest.approx(-6, abs=0.3),
    }
    assert noted(peaks_made) == {}
