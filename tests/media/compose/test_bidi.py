"""The order in which characters are seen is Unicode's, by the word of another implementation."""

import pytest
from bidi import get_display
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.media.compose.bidi import levels, visual

LATIN, HEBREW, ARABIC = "abé", "אבג", "جدم"
DIGITS, SIGNS, BRACKETS, MARKS = "12٣٤", " +-,.:/%$!_", "()[]", "\u0301\u05b0\u064e"


def seen(text: str) -> str:
    depths = levels(text)
    return "".join(text[place] for place in visual(range(len(text)), lambda place: depths[place]))


# A space at the end stays at the line's end, whatever is before it (L1); names have none there.
@given(st.text(LATIN + HEBREW + ARABIC + DIGITS + SIGNS + BRACKETS + MARKS, max_size=16).map(str.rstrip))
def test_characters_are_seen_in_the_order_that_unicode_says(text: str) -> None:
    assert seen(text) == get_display(text)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("", ""),
        ("Ada", "Ada"),
        ("אבג", "גבא"),
        ("אבג (Ada) 12", "12 )Ada( גבא"),
        ("Ada (אבג) 12", "Ada (גבא) 12"),
    ],
)
def test_brackets_go_with_the_line_and_not_with_what_is_before_them(text: str, order: str) -> None:
    assert seen(text) == order


@given(st.text(st.characters(), max_size=20))
def test_every_character_is_seen_once(text: str) -> None:
    depths = levels(text)

    assert sorted(visual(range(len(text)), lambda place: depths[place])) == list(range(len(text)))
