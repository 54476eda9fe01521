"""Names as pixels, in any script: one line of text, as large as a box is high, cut where the box ends.

Text is never markup, nor an argument of anything: its characters choose glyphs of the fonts below, HarfBuzz
joins, stacks and places them, and draws their outlines. What none of the fonts has is drawn as what it is
compatible with (a fancy letter as a letter), or left out: no boxes. The same text gives the same pixels.
"""

import math
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import manimgx_fonts
import manimgx_fonts_cjk
import numpy as np
import uharfbuzz as hb
from numpy.typing import NDArray

from chalicelib.media.compose.bidi import levels, visual

# One channel, rows from the top: 0 where nothing is drawn, 255 where all of the pixel is covered.
type Coverage = NDArray[np.uint8]

_SANS, _CJK = Path(manimgx_fonts.__file__).parent, Path(manimgx_fonts_cjk.__file__).parent
_SCRIPTS = (
    *("Arabic", "Hebrew", "Devanagari", "Thai", "Bengali", "Tamil"),
    *("Telugu", "Gujarati", "Gurmukhi", "Kannada", "Malayalam", "Oriya"),
    *("Sinhala", "Khmer", "Lao", "Myanmar", "Ethiopic", "Georgian", "Armenian"),
)
_EMOJI = _SANS / "NotoEmoji[wght].ttf"
# The first that has a character draws it. Han characters have the shapes that they have in Japan.
FONTS = (
    _SANS / "NotoSans[wght].ttf",
    *(_SANS / f"NotoSans{script}[wght].ttf" for script in _SCRIPTS),
    _CJK / "NotoSansCJK-VF.otf.ttc",
    _SANS / "NotoSansSymbols[wght].ttf",
    _EMOJI,
)
WEIGHT = 500  # of 100 to 900; light letters on moving pictures are lost

# In parts of the letters' size: a line's height, how far below its top they stand, and the room at its ends.
LINE = 1.5
_BASELINE = 1.1
_MARGIN = 0.06
# Letters that are stacked higher than a line are drawn smaller, but not by more: then they are cut.
_SMALLEST = 0.75

# More of a name than any box has room for.
_CHARACTERS = 400

# Positions are in these parts of the letters' size.
_EM = 4096

_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"
_EMOJI_STYLE = "\N{VARIATION SELECTOR-16}"
# Letters, by their category, that nobody sees: people without a name call themselves so.
_BLANK = (
    "\N{HANGUL CHOSEONG FILLER}\N{HANGUL JUNGSEONG FILLER}\N{HANGUL FILLER}\N{HALFWIDTH HANGUL FILLER}"
    "\N{BRAILLE PATTERN BLANK}\N{KHMER VOWEL INHERENT AQ}\N{KHMER VOWEL INHERENT AA}"
)


@dataclass(frozen=True, slots=True)
class _Run:
    """Characters of a line, [start, end), that one font draws in one direction."""

    start: int
    end: int
    level: int
    font: Path


@dataclass(frozen=True, slots=True)
class _Glyph:
    """A font's glyph, its place on the line, and which character of the text it begins with."""

    font: Path
    number: int
    x: int
    y: int
    character: int


@dataclass(frozen=True, slots=True)
class _Line:
    """A text and what is drawn of it."""

    text: str
    glyphs: tuple[_Glyph, ...]
    width: int


def caption(name: str, width: int, height: int) -> Coverage:
    """A name as a line of this height and at most this width; as wide as its letters are.

    Where it is longer, it is cut between characters as people see them, and ends in an ellipsis. It is 0 wide
    where there is nothing to draw, or no room for it. No text is refused.
    """
    size = height / LINE
    if size <= 0 or width <= 0:
        return np.zeros((max(height, 0), 0), np.uint8)
    return _drawn(_fitted(drawable(name), (width / size - 2 * _MARGIN) * _EM), size, width, height)


def drawable(name: str) -> str:
    """As much of a name as will be drawn, in one line: nothing that moves, turns or hides text is left."""
    if len(name) > _CHARACTERS:
        name = name[:_CHARACTERS] + _ELLIPSIS
    shown = "".join(_shown(character) for character in unicodedata.normalize("NFC", name))
    return " ".join("".join(part for part, _ in _parts(shown)).split())


def _shown(character: str) -> str:
    """Controls are spaces; formats, surrogates and private ones are nothing, but for what joins letters."""
    category = unicodedata.category(character)
    if category == "Cc" or character in _BLANK:
        return " "
    return "" if category in ("Cf", "Cs", "Co") and not _goes_along(character) else character


def _goes_along(character: str) -> bool:
    """Whether it belongs to the character before it: marks, joiners, skin tones, the letters of a region."""
    return (
        unicodedata.category(character) in ("Mn", "Mc", "Me")
        or character in _JOINERS
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or _is_tag(character)
    )


def _is_tag(character: str) -> bool:
    """Letters that nobody sees, which say whose flag it is."""
    return "\U000e0020" <= character <= "\U000e007f"


# --- which font draws what ----------------------------------------------------------------------------


def _parts(text: str) -> Iterator[tuple[str, Path]]:
    """What is drawn of a text, and with which fonts."""
    last = FONTS[0]
    for cluster in clusters(text):
        for part in (cluster, unicodedata.normalize("NFKC", cluster), cluster[0]):
            font = _font_of(part, last)
            if font is not None:
                yield part, font
                last = font
                break


def clusters(text: str) -> Iterator[str]:
    """Its characters, each with what goes along with it."""
    start = 0
    for place in range(1, len(text) + 1):
        if place == len(text) or not (_goes_along(text[place]) or text[place - 1] == _JOINERS[0]):
            yield text[start:place]
            start = place


def _font_of(cluster: str, last: Path) -> Path | None:
    """The first font that has all of it; punctuation and spaces stay with the letters before them."""
    visible = [ord(character) for character in cluster if not _invisible(character)]
    first: tuple[Path, ...] = ()
    if _EMOJI_STYLE in cluster:
        first = (_EMOJI,)
    elif unicodedata.category(cluster[0])[0] in "ZP" and last != _EMOJI:
        first = (last,)
    has_all = (font for font in (*first, *FONTS) if all(map(_opened(font).get_nominal_glyph, visible)))
    return next(has_all, None) if visible else None


def _invisible(character: str) -> bool:
    """Whether fonts need not have it, for it only changes others."""
    return character in _JOINERS or "\ufe00" <= character <= "\ufe0f" or _is_tag(character)


@lru_cache
def _opened(path: Path) -> hb.Font:
    """A font; the file is mapped, and only what is used of it is read."""
    font = hb.Font(hb.Face(hb.Blob.from_file_path(str(path))))
    font.scale = (_EM, _EM)
    font.set_variations({"wght": WEIGHT})
    return font


# --- a line -------------------------------------------------------------------------------------------


def _fitted(text: str, room: float) -> _Line:
    """The text as a line that is no wider, with an ellipsis if it had to be cut; an empty one at worst."""
    whole = _laid(text)
    if whole.width <= room:
        return whole
    # HarfBuzz says where characters begin as people see them.
    ends = sorted({glyph.character for glyph in whole.glyphs} - {0})
    cut = [whole.text[:end].rstrip(" " + _JOINERS) + _ELLIPSIS for end in ends]
    fitting = bisect_left(cut, True, key=lambda shorter: _laid(shorter).width > room)
    return _laid(cut[fitting - 1]) if fitting else _Line("", (), 0)


def _laid(text: str) -> _Line:
    parts = list(_parts(text))
    text, fonts = "".join(part for part, _ in parts), [font for part, font in parts for _ in part]
    glyphs: list[_Glyph] = []
    x = 0
    for run in visual(list(_runs(fonts, levels(text))), lambda run: run.level):
        x = _shape(text, run, x, glyphs)
    return _Line(text, tuple(glyphs), x)


def _runs(fonts: list[Path], depths: list[int]) -> Iterator[_Run]:
    start = 0
    for place in range(1, len(fonts) + 1):
        if place == len(fonts) or (fonts[place], depths[place]) != (fonts[start], depths[start]):
            yield _Run(start, place, depths[start], fonts[start])
            start = place


def _shape(text: str, run: _Run, x: int, glyphs: list[_Glyph]) -> int:
    """Add a run's glyphs, from left to right, from x on; where they end."""
    buffer = hb.Buffer()
    buffer.add_codepoints([ord(character) for character in text], run.start, run.end - run.start)
    buffer.direction = "rtl" if run.level % 2 else "ltr"
    buffer.language = "und"  # or else it is that of the environment
    buffer.guess_segment_properties()
    buffer.cluster_level = hb.BufferClusterLevel.MONOTONE_GRAPHEMES
    buffer.flags = hb.BufferFlags.REMOVE_DEFAULT_IGNORABLES | hb.BufferFlags.DO_NOT_INSERT_DOTTED_CIRCLE
    hb.shape(_opened(run.font), buffer)
    for told, place in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
        glyphs.append(_Glyph(run.font, told.codepoint, x + place.x_offset, place.y_offset, told.cluster))
        x += place.x_advance
    return x


def _drawn(line: _Line, size: float, width: int, height: int) -> Coverage:
    """A line's pixels. What stands out above or below is cut."""
    if not line.glyphs:
        return np.zeros((height, 0), np.uint8)
    scale, base = _placed(line, size, height)
    margin = _MARGIN * size
    wide = min(width, math.ceil(line.width * scale + 2 * margin))
    raster = hb.RasterDraw()
    for glyph in line.glyphs:
        raster.transform = (scale, 0, 0, scale, margin + glyph.x * scale, base + glyph.y * scale)
        raster.draw_glyph(_opened(glyph.font), glyph.number)
    raster.extents = hb.RasterExtents(0, 0, wide, height, 0)
    image = raster.render()
    rows = np.frombuffer(image.buffer, np.uint8).reshape(height, image.extents.stride)
    return np.ascontiguousarray(rows[::-1, :wide])


def _placed(line: _Line, size: float, height: int) -> tuple[float, float]:
    """Pixels a unit, and how far above the bottom letters stand.

    That is the same for all names; only what is stacked too high for a line moves, and is drawn smaller.
    """
    top = bottom = 0
    for glyph in line.glyphs:
        extents = _opened(glyph.font).get_glyph_extents(glyph.number)
        if extents is not None:
            top = max(top, glyph.y + extents.y_bearing)
            bottom = min(bottom, glyph.y + extents.y_bearing + extents.height)
    scale, base = size / _EM, height - _BASELINE * size
    fits = LINE * _EM / max(top - bottom, 1)
    if fits < _SMALLEST:
        return scale, base
    scale *= min(fits, 1)
    return scale, min(max(base, -bottom * scale), height - top * scale)
