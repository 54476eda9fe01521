"""A mix that was made in slices is the mix that was made at once."""

from array import array
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from chalicelib.core.step import Made, Output
from chalicelib.media.sound.join import join
from chalicelib.media.sound.make import sound
from chalicelib.media.sound.part import Part, read_part
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
    speech,
    tone,
)

END = 14_321
WANTED = -20.0
SLICES = ((0, 5_000), (5_000, 9_100), (9_100, END))


def meeting() -> Session:
    """Two who speak on and on, and loudly, over every seam."""
    session = Session()
    session.speaks("ann", 150, speech(14, 1.6) + noise(14, 0.01))
    session.speaks("bob", 700, speech(13, 1.2, seed=2) + tone(13, 150, 0.05))
    return session


@cache
def sliced() -> tuple[Session, tuple[str, ...]]:
    """The meeting with the parts of its mix, and their keys."""
    session, parts = meeting(), tuple(f"parts/{n}.part" for n in range(len(SLICES)))
    for span, part in zip(SLICES, parts, strict=True):
        sound(session.step(span, Output("mix_part", "part", part)), session.store)
    return session, parts


def in_slices(form: str = "webm") -> tuple[Made, bytes]:
    session, parts = sliced()
    step = session.step((0, END), mix(form), lufs=WANTED)
    (made,) = join(replace(step, maker="join", tracks=(), parts=parts), session.store)
    return made, session.store.files[made.name]


@cache
def at_once() -> tuple[Made, bytes]:
    session = meeting()
    (made,) = sound(session.step((0, END), mix(), lufs=WANTED), session.store)
    return made, session.store.files[made.name]


def noise_db(played: Sound, right: Sound) -> float:
    """How far the difference lies below the sound."""
    return float(10 * np.log10(np.mean((played - right) ** 2) / np.mean(right**2)))


def test_slices_join_without_a_gap_or_a_step() -> None:
    (_, whole), (_, joined) = at_once(), in_slices()

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
    (whole, _), (joined, _) = at_once(), in_slices()

    for name in ("lufs", "true_peak_db", "gain_db"):
        assert noted(joined)[name] == pytest.approx(noted(whole)[name], abs=0.05)
    assert (joined.start, joined.end, joined.name) == (0, END, "mix.webm")


def test_slices_join_as_aac_and_as_loud_as_wanted() -> None:
    (made, joined), (_, whole) = in_slices("mp4"), at_once()

    played, right = heard(joined), heard(whole)
    assert played.shape == right.shape == (END * 48, 2)
    assert noise_db(played, right) < -15
    assert noted(made)["lufs"] == pytest.approx(WANTED, abs=0.05)
    assert measured(joined)[0] == pytest.approx(WANTED, abs=0.3)


def test_a_slice_makes_nothing_else() -> None:
    session = Session()

    with pytest.raises(ValueError, match="slice"):
        sound(session.step((0, 1_000), Output("mix_part", "part", "0.part"), mix()), session.store)


def test_a_part_that_is_cut_off_is_not_joined() -> None:
    session, parts = sliced()
    files = {key: session.store.files[key] for key in parts}
    store = MemoryStore({**files, parts[1]: files[parts[1]][:-5]})

    with pytest.raises(ValueError, match="cut off"):
        join(replace(session.step((0, END), mix()), parts=parts[:2]), store)

    assert store.begun == 0
    assert "mix.webm" not in store.files


def test_a_part_is_read_as_it_was_written() -> None:
    part = Part(4_800, 0.1 + 0.2, array("f", [0.1, 0.0]))
    packets = [b"a", b"bc" * 200]

    told, read = read_part([part.front() + Part.packed(packets)])

    assert told == part
    assert list(read) == packets
