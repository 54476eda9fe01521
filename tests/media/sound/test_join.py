"""A mix that was made in slices is the mix that was made at once."""

from array import array
from dataclasses import replace

import numpy as np
import pytest

from chalicelib.core.step import Made, Output
from chalicelib.media.sound.join import join
from chalicelib.media.sound.make import sound
from chalicelib.media.sound.part import Part, read_part
from tests.media.live import packets_of
from tests.media.sound.stage import Session, Sound, heard, measured, mix, noise, noted, speech, tone

END = 14_321
SLICES = ((0, 5_000), (5_000, 9_100), (9_100, END))


def meeting() -> Session:
    """Two who speak on and on, and loudly, over every seam."""
    session = Session()
    session.speaks("ann", 150, speech(14, 1.6) + noise(14, 0.01))
    session.speaks("bob", 700, speech(13, 1.2, seed=2) + tone(13, 150, 0.05))
    return session


def in_slices(session: Session, lufs: float | None = None, form: str = "webm") -> tuple[Made, bytes]:
    parts = []
    for n, span in enumerate(SLICES):
        parts.append(f"parts/{n}.part")
        sound(session.step(span, Output("mix_part", "part", parts[-1])), session.store)
    step = session.step((0, END), mix(form), lufs=lufs)
    (made,) = join(replace(step, maker="join", tracks=(), parts=tuple(parts)), session.store)
    return made, session.store.files[made.name]


def at_once(session: Session, lufs: float | None = None) -> tuple[Made, bytes]:
    (made,) = sound(session.step((0, END), mix(), lufs=lufs), session.store)
    return made, session.store.files[made.name]


def noise_db(played: Sound, right: Sound) -> float:
    """How far the difference lies below the sound."""
    return float(10 * np.log10(np.mean((played - right) ** 2) / np.mean(right**2)))


def test_slices_join_without_a_gap_or_a_step() -> None:
    session = meeting()

    (_, whole), (_, joined) = at_once(session), in_slices(session)

    assert [time for time, _, _ in packets_of(joined)] == [time for time, _, _ in packets_of(whole)]
    played, right = heard(joined), heard(whole)
    assert played.shape == right.shape == (END * 48, 2)
    for start, end in SLICES:
        assert noise_db(played[start * 48 : end * 48], right[start * 48 : end * 48]) < -15
    for _, seam in SLICES[:-1]:
        around = slice((seam - 150) * 48, (seam + 150) * 48)
        assert noise_db(played[around], right[around]) < -15
        assert (
            np.abs(np.diff(played[around], axis=0)).max() < 1.2 * np.abs(np.diff(right[around], axis=0)).max()
        )


def test_the_joined_loudness_is_that_of_one_piece() -> None:
    session = meeting()

    (whole, _), (joined, _) = at_once(session, -20.0), in_slices(session, -20.0)

    for name in ("lufs", "true_peak_db", "gain_db"):
        assert noted(joined)[name] == pytest.approx(noted(whole)[name], abs=0.05)
    assert (joined.start, joined.end, joined.name) == (0, END, "mix.webm")


def test_slices_join_as_aac_and_as_loud_as_wanted() -> None:
    session = meeting()

    (made, joined), (_, whole) = in_slices(session, -20.0, "mp4"), at_once(session, -20.0)

    played, right = heard(joined), heard(whole)
    assert played.shape == right.shape == (END * 48, 2)
    assert noise_db(played, right) < -15
    assert noted(made)["lufs"] == pytest.approx(-20.0, abs=0.05)
    assert measured(joined)[0] == pytest.approx(-20.0, abs=0.3)


def test_a_slice_makes_nothing_else() -> None:
    session = meeting()

    with pytest.raises(ValueError, match="slice"):
        sound(session.step((0, 1_000), Output("mix_part", "part", "0.part"), mix()), session.store)


def test_a_part_that_is_cut_off_is_not_joined() -> None:
    session = meeting()
    in_slices(session)
    files = session.store.files
    files["parts/1.part"] = files["parts/1.part"][:-5]
    step = replace(session.step((0, END), mix()), parts=("parts/0.part", "parts/1.part"))
    del files["mix.webm"]

    with pytest.raises(ValueError, match="cut off"):
        join(step, session.store)

    assert session.store.begun == 0
    assert "mix.webm" not in files


def test_a_part_is_read_as_it_was_written() -> None:
    part = Part(4_800, 0.1 + 0.2, array("f", [0.1, 0.0]))
    packets = [b"a", b"bc" * 200]

    told, read = read_part([part.front() + Part.packed(packets)])

    assert told == part
    assert list(read) == packets
