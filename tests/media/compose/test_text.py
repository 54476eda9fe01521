"""Names of any script become pixels within their box, whole or cut between characters; nothing is refused."""

import hashlib
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.media.compose.text import FONTS, Coverage, caption, drawable

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
NAMES = (
    *(
        "Łukasz Żółć",
        "Nguyễn Thị Ánh",
        "Анна Каренина",
        "Ελένη",
        "Հայկ",
        "ნინო",
        "ዓለም",
        f"{FAMILY} Family 🎉",
    ),
    *(
        "李小龍",
        "田中さくら",
        "김민수",
        "محمد عبد الله",
        "יוסי כהן",
        "สมชาย ใจดี",
        "ສົມຊາຍ",
        "ដារា",
        "မောင်မောင်",
    ),
    *("प्रिया शर्मा", "প্রিয়া", "தமிழ்", "తెలుగు", "ગુજરાતી", "ਗੁਰਮੁਖੀ", "ಕನ್ನಡ", "മലയാളം", "ଓଡ଼ିଆ", "සිංහල"),
    *("Zoë 🇩🇪", "♫ ①", "<script>alert(1)</script>", "\u202egnp.exe", "a" + 4 * "\u0301", "W" * 200),
)
ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
WIDE = 10_000
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def same(one: Coverage, other: Coverage) -> bool:
    return np.array_equal(one, other)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("width", "height"), [(600, 48), (120, 20), (WIDE, 15)])
def test_a_name_is_drawn_within_its_box(name: str, width: int, height: int) -> None:
    drawn = caption(name, width, height)

    assert drawn.shape[0] == height
    assert 0 < drawn.shape[1] <= width
    assert drawn.max() > 127


@pytest.mark.parametrize("name", NAMES)
def test_every_character_of_these_names_has_a_font(name: str) -> None:
    assert drawable(name) == unicodedata.normalize("NFC", name).removeprefix("\u202e")


@given(
    st.text(st.characters(exclude_categories=()), max_size=60),
    st.integers(-2, 300),
    st.integers(-2, 60),
)
def test_no_text_and_no_box_is_refused(name: str, width: int, height: int) -> None:
    drawn = caption(name, width, height)

    assert drawn.shape[0] == max(height, 0)
    assert drawn.shape[1] <= max(width, 0)


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_what_is_drawn_is_drawn_whole(name: str) -> None:
    assert drawable(drawable(name)) == drawable(name)


@pytest.mark.parametrize(
    "unit",
    ["W", FAMILY, "🇩🇪", "👍🏽", "n\u0331\u0308", "क्षि", "ที่", "\u1112\u1161\u11ab", "李", "שׁ", ENGLAND],
)  # fmt: skip
@pytest.mark.parametrize("width", [90, 133, 300])
def test_a_name_that_is_too_long_is_cut_between_characters(unit: str, width: int) -> None:
    cut = caption(unit * 60, width, 48)

    assert any(same(cut, caption(unit * count + ELLIPSIS, WIDE, 48)) for count in range(1, 60))


@pytest.mark.parametrize("name", ["Anna K", "محمد", "प्रिया"])
def test_a_name_is_cut_no_more_than_needed(name: str) -> None:
    whole = caption(name, WIDE, 48)

    assert same(caption(name, whole.shape[1], 48), whole)
    assert not same(caption(name, whole.shape[1] - 3, 48), whole)


def test_a_name_longer_than_any_box_says_so() -> None:
    assert same(caption("." * 5_000, WIDE, 6), caption("." * 400 + ELLIPSIS, WIDE, 6))


def test_where_no_character_fits_nothing_is_drawn() -> None:
    assert caption("Ada", 4, 48).shape == (48, 0)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", ""),
        (" \t\n", ""),
        (" Ada \u00a0\u3000 Byron\r\n", "Ada Byron"),
        ("Ada\0\x1b[31mByron", "Ada [31mByron"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\u2066Ada\u2069 \u200fB\u200b\ufeff", "Ada B"),
        ("\ud800Ada\udfff\ue000", "Ada"),
        ("e\u0301", "é"),
        ("\U0001d4d9\U0001d4f8\U0001d4f1\U0001d4f7", "John"),
        ("ᚠᚢᚦ Ada", "Ada"),
        ("ᚠᚢᚦ", ""),
        ("\u3164", ""),
        ("\u200d", ""),
        ("<b>&amp;%{pts}$(id)`'\\", "<b>&amp;%{pts}$(id)`'\\"),
    ],
)
def test_what_is_drawn_of_a_name(name: str, shown: str) -> None:
    assert drawable(name) == shown


def test_an_override_turns_nothing() -> None:
    assert same(caption("\u202egnp.exe", 300, 30), caption("gnp.exe", 300, 30))


def test_letters_that_run_to_the_left_do_so() -> None:
    assert same(caption("אw", 300, 30), caption("wא", 300, 30))
    assert not same(caption("אב", 300, 30), caption("בא", 300, 30))


def test_the_ellipsis_stands_where_reading_ends() -> None:
    hebrew, latin = caption("א" * 99, 90, 48), caption("I" * 99, 90, 48)
    dots = caption(ELLIPSIS, WIDE, 48)[24:36].any(axis=0).sum()

    assert not hebrew[:24, :dots].any()
    assert not latin[:24, -dots:].any()


@pytest.mark.parametrize("pair", ["سم", "क्ष", "\u1112\u1161", "\U0001f1e9\U0001f1ea"])
def test_letters_that_belong_together_are_joined(pair: str) -> None:
    apart = sum(caption(one, WIDE, 48).shape[1] for one in pair)

    assert caption(pair, WIDE, 48).shape[1] < 0.9 * apart


def test_names_stand_on_one_line() -> None:
    assert all(lowest(caption(name, 300, 48)) == lowest(caption("x", 300, 48)) for name in ("H", "Ẋ", "Й"))


def test_what_is_stacked_too_high_is_seen_to_its_top() -> None:
    drawn = caption("x" + "\u0301" * 4, 300, 48)
    rows = drawn.any(axis=1)

    assert (np.diff(rows.astype(int)) == 1).sum() >= 3
    assert lowest(drawn) < 48


def test_what_is_stacked_without_end_leaves_its_letter_in_place() -> None:
    assert lowest(caption("x" + "\u0301" * 90, 300, 48)) == lowest(caption("x", 300, 48))


def lowest(drawn: Coverage) -> int:
    """The last row that is more than touched."""
    return int(np.flatnonzero((drawn > 60).any(axis=1))[-1])


@pytest.mark.slow
def test_the_same_name_gives_the_same_pixels_in_any_process_and_language() -> None:
    told = [sys.executable, "-c", DIGEST]
    runs = (
        subprocess.run(
            told, env={"LC_ALL": language, "PYTHONUTF8": "1"}, capture_output=True, check=True
        ).stdout
        for language in ("C", "ja_JP.UTF-8")
    )
    drawn = b"".join(caption(name, 300, 30).tobytes() for name in ("Анна", "李小龍", "محمد عبد الله", "🎉"))

    assert {digest.decode().strip() for digest in runs} == {hashlib.sha256(drawn).hexdigest()}


DIGEST = """
import hashlib, locale
from chalicelib.media.compose.text import caption
drawn = b"".join(caption(name, 300, 30).tobytes() for name in ("Анна", "李小龍", "محمد عبد الله", "🎉"))
print(hashlib.sha256(drawn).hexdigest())
"""


def test_the_fonts_are_those_that_were_looked_at() -> None:
    """Others may be as good; look at them, then write their digest here."""
    digest = hashlib.sha256()
    for font in FONTS:
        digest.update(hashlib.sha256(font.read_bytes()).digest())

    assert digest.hexdigest() == "1d34f5dbfd198a284c361934cd4d8e13adb0ac4be72d28999af4b21b6bf16b4a"
