"""The mix: everybody on the clock, none turned down for another, and never too loud."""

import numpy as np
import pytest

from chalicelib.core.step import Made
from chalicelib.media.sound.make import sound
from chalicelib.media.sound.mix import HEADROOM_DB, gain_of
from chalicelib.media.sound.mp4 import Mp4
from tests.media.live import packets_of
from tests.media.sound.stage import (
    MemoryStore,
    Session,
    Sound,
    heard,
    measured,
    mix,
    noise,
    noted,
    onset,
    silence,
    speech,
    tone,
)

FORMS = ("webm", "mp4")


def mixed(session: Session, end: int, *forms: str, lufs: float | None = None) -> list[tuple[Made, bytes]]:
    step = session.step((0, end), *map(mix, forms), lufs=lufs)
    return [(made, session.store.files[made.name]) for made in sound(step, session.store)]


def level_at(signal: Sound, hz: int) -> float:
    """How loud a tone is in a stretch of whole periods, as its amplitude."""
    at = np.arange(len(signal)) / 48_000
    return float(2 * abs(np.mean(signal * np.exp(-2j * np.pi * hz * at))))


@pytest.mark.parametrize("form", FORMS)
def test_markers_are_where_they_were_made(form: str) -> None:
    session, marks = Session(), (333, 2_718, 5_151, 7_990)
    for n, at in enumerate(marks):
        session.speaks(f"p{n}", at - 200, np.concatenate([silence(0.2), tone(0.3)]))

    ((_, file),) = mixed(session, 9_000, form)

    played = heard(file)
    assert len(played) == 9_000 * 48
    for at in marks:
        first = (at - 150) * 48
        assert first / 48 + onset(played[first : first + 20_000], 0.1) == pytest.approx(at, abs=2)


def test_twenty_five_voices_at_once_stay_below_the_ceiling() -> None:
    session = Session()
    for n in range(25):
        session.speaks(f"p{n:02}", 40 * n, speech(3, 0.9, seed=n % 5))

    for made, file in mixed(session, 4_000, *FORMS):
        _, true_peak_db = measured(file)
        assert true_peak_db <= -1.0
        assert noted(made)["true_peak_db"] <= -1.0
        assert true_peak_db > -4.0


def test_who_leaves_changes_nobody_elses_level() -> None:
    session = Session()
    session.speaks("ann", 0, tone(6, 440, 0.2))
    session.speaks("bob", 1_000, tone(2, 2_000, 0.3))

    ((_, file),) = mixed(session, 6_000, "webm")

    played = heard(file)[:, 0]
    together, alone = played[72_000:120_000], played[192_000:240_000]
    assert 20 * np.log10(level_at(together, 440) / level_at(alone, 440)) == pytest.approx(0, abs=0.1)
    assert 20 * np.log10(level_at(alone, 440) / 0.2) == pytest.approx(HEADROOM_DB, abs=0.1)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_told_of_its_loudness_is_what_ffmpeg_measures(form: str) -> None:
    session = Session()
    session.speaks("ann", 0, speech(5, 0.4))
    session.speaks("bob", 2_000, tone(3, 400, 0.2))

    ((made, file),) = mixed(session, 6_000, form)

    lufs, true_peak_db = measured(file)
    assert noted(made)["lufs"] == pytest.approx(lufs, abs=0.2)
    assert noted(made)["true_peak_db"] == pytest.approx(true_peak_db, abs=0.6)


@pytest.mark.parametrize(("level", "wanted"), [(0.04, -16.0), (0.3, -23.0)])
def test_it_is_brought_to_the_wanted_loudness(level: float, wanted: float) -> None:
    session = Session()
    session.speaks("ann", 0, tone(5, 1_000, level))

    ((made, file),) = mixed(session, 5_000, "webm", lufs=wanted)

    assert measured(file)[0] == pytest.approx(wanted, abs=0.2)
    assert noted(made)["lufs"] == pytest.approx(wanted, abs=0.05)
    assert noted(made)["gain_db"] != 0


def test_no_peak_is_brought_over_the_ceiling() -> None:
    session = Session()
    session.speaks("ann", 0, np.concatenate([tone(5, 1_000, 0.1), tone(0.01, 1_000, 0.9)]))

    ((made, file),) = mixed(session, 6_000, "webm", lufs=-10.0)

    assert noted(made)["true_peak_db"] == pytest.approx(-2.0, abs=0.02)
    assert measured(file)[1] <= -1.0
    assert noted(made)["lufs"] < -15


@pytest.mark.parametrize(
    ("lufs", "peak", "wanted", "gain"),
    [
        (-20.0, 0.1, -16.0, 4 * 256),
        (-20.0, 0.1, -23.0, -3 * 256),
        (-20.0, 10 ** (-3 / 20), -16.0, 1 * 256),
        (-20.0, 0.1, None, 0),
        (None, 0.0, -16.0, 0),
    ],
)
def test_the_gain_is_what_is_missing_and_the_peak_allows(
    lufs: float | None, peak: float, wanted: float | None, gain: int
) -> None:
    assert gain_of(lufs, peak, wanted) == pytest.approx(gain, abs=1)


def test_a_long_mp4_is_whole() -> None:
    """Its index is larger than FFmpeg's buffer."""
    store = MemoryStore()
    writing = store.write("long.mp4", "audio/mp4")
    file, minute = Mp4(writing), noise(60)[:, None]

    for _ in range(3):
        file.write(minute)
    file.finish()

    assert len(store.files["long.mp4"]) == writing.size
    assert len(heard(store.files["long.mp4"], channels=1)) == 3 * len(minute)


def test_a_silent_session_has_a_silent_mix() -> None:
    session = Session()
    session.speaks("ann", 500, silence(1))

    for made, file in mixed(session, 3_333, *FORMS, lufs=-16.0):
        played = heard(file)
        assert len(played) == 3_333 * 48
        assert np.abs(played).max() < 1e-4
        assert noted(made)["lufs"] is None


def test_silence_costs_three_bytes_a_packet() -> None:
    session = Session()
    session.speaks("ann", 500, tone(1))

    ((_, file),) = mixed(session, 10_000, "webm")

    sizes = [len(data) for _, _, data in packets_of(file)]
    assert len(sizes) == 501
    assert sum(size == 3 for size in sizes) > 430


def test_a_stereo_voice_is_heard_where_it_sits() -> None:
    session, left = Session(), tone(2, 700, 0.3)
    session.speaks("ann", 0, tone(12, 300, 0.1))
    session.speaks("bob", 6_000, np.stack([left, np.zeros_like(left)], axis=1))

    for _, file in mixed(session, 12_000, *FORMS):
        played = heard(file)
        assert len(played) == 12_000 * 48
        sides = [level_at(played[300_000:372_000, side], 700) for side in (0, 1)]
        assert sides[0] > 0.15 > 20 * sides[1]
        for start in range(48_000, 11 * 48_000, 24_000):
            part = played[start : start + 24_000]
            assert [level_at(part[:, side], 300) for side in (0, 1)] == pytest.approx([0.0708] * 2, rel=0.03)


def test_the_same_step_makes_the_same_mix() -> None:
    session = Session()
    session.speaks("ann", 0, speech(3))
    session.speaks("bob", 500, speech(3, seed=2))

    assert mixed(session, 4_000, *FORMS) == mixed(session, 4_000, *FORMS)
