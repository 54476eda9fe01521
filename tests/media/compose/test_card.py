"""Cards: whose camera is off is known by initials, name and colour; every size and name has one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.media.compose.card import Card, card, hue_of, initials

# Luma of video's range.
BLACK, WHITE = 16, 235
HUES = range(0, 360, 15)


def rgb(picture: Card) -> np.ndarray[tuple[int, int, int], np.dtype[np.float64]]:
    """Red, green and blue of each pair of rows and columns, of which 0 to 1 can be shown."""
    y = (picture.y[::2, ::2].astype(float) - BLACK) / (WHITE - BLACK)
    blue = y + (picture.u.astype(float) - 128) / 224 * 1.772
    red = y + (picture.v.astype(float) - 128) / 224 * 1.402
    return np.stack([red, (y - 0.299 * red - 0.114 * blue) / 0.587, blue], axis=-1)


@given(
    st.text(st.characters(exclude_categories=()), max_size=40),
    st.integers(1, 80),
    st.integers(1, 80),
    st.integers(0, 359),
)
def test_every_name_and_size_has_a_card_within_the_range_of_video(
    name: str, width: int, height: int, hue: int
) -> None:
    made = card(name, 2 * width, 2 * height, hue)

    assert made.y.shape == (2 * height, 2 * width)
    assert made.u.shape == made.v.shape == (height, width)
    assert BLACK <= made.y.min() <= made.y.max() <= WHITE
    assert all(plane.dtype == np.uint8 for plane in made)


def test_the_same_participant_has_the_same_card() -> None:
    one, again = (card("Ada", 320, 180, hue_of("p1")) for _ in range(2))

    assert all(np.array_equal(*planes) for planes in zip(one, again, strict=True))


def test_participants_have_colours_from_all_around() -> None:
    hues = [hue_of(f"p{number}") for number in range(400)]

    assert all(0 <= hue < 360 for hue in hues)
    assert np.histogram(hues, 12, (0, 360))[0].min() > 10


def test_a_participant_id_that_is_no_utf_8_has_a_colour() -> None:
    assert 0 <= hue_of("\ud800") < 360


@pytest.mark.parametrize("hue", HUES)
def test_each_colour_can_be_shown_and_bears_white_letters(hue: int) -> None:
    made = card("", 320, 180, hue)
    middle, corner = rgb(made)[45, 60:100].min(axis=0), rgb(made)[0, 0]

    assert (corner >= 0).all()
    assert (middle >= 0).all()
    disc = rgb(made)[30, 72]
    light = 0.2126 * disc[0] ** 2.2 + 0.7152 * disc[1] ** 2.2 + 0.0722 * disc[2] ** 2.2
    assert 1.05 / (light + 0.05) >= 4.5


@pytest.mark.parametrize("hue", HUES)
def test_all_colours_are_equally_bright(hue: int) -> None:
    assert np.array_equal(card("Ada", 160, 90, hue).y, card("Ada", 160, 90, 0).y)


def test_what_is_on_the_disc_is_white() -> None:
    made = card("", 320, 180, 0)

    assert (made.y[80, 160], made.u[40, 80], made.v[40, 80]) == (WHITE, 128, 128)
    assert made.u[28, 70] > 150


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("Анна Каренина", "АК"),
        ("Ada", "A"),
        ("jean-luc van der berg 3", "JB"),
        ("łukasz żółć", "ŁŻ"),
        ("李小龍", "李"),
        ("김민수", "김"),
        ("محمد عبد الله", "م"),
        ("יוסי כהן", "י"),
        ("प्रिया शर्मा", "प"),
        ("เอก ดี", "อ"),
        ("42 people", "4"),
        ("🎉 Family \U0001f469\u200d\U0001f467", "F"),
        ("\U0001f469\u200d\U0001f467 🎉", "\U0001f469\u200d\U0001f467"),
        ("<script>alert(1)</script>", "S"),
        ("ßen", "ß"),
        ("\U0001d4d9\U0001d4f8\U0001d4f1\U0001d4f7", "J"),
        ("ᚠᚢᚦ", ""),
        ("", ""),
    ],
)
def test_initials(name: str, sign: str) -> None:
    assert initials(name) == sign


def test_the_name_is_below_the_disc_and_in_the_middle() -> None:
    below = card("Ada Byron", 320, 180, 0).y[125:160] > 150
    columns = np.flatnonzero(below.any(axis=0))

    assert below.any()
    assert abs((columns[0] + columns[-1]) / 2 - 160) <= 3


def test_a_small_card_is_its_disc_alone() -> None:
    assert np.array_equal(card("Ada Byron", 96, 54, 0).y, card("Axx Bxx", 96, 54, 0).y)
    assert not np.array_equal(card("Ada Byron", 256, 144, 0).y, card("Axx Bxx", 256, 144, 0).y)


def test_nobody_is_a_person_s_shape_and_not_the_sign_of_anybody() -> None:
    assert np.array_equal(card("ᚠᚢᚦ", 160, 90, 0).y, card("", 160, 90, 0).y)
    assert not np.array_equal(card("A", 160, 90, 0).y, card("", 160, 90, 0).y)
