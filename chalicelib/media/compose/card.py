"""The card of a participant whose camera is off: initials on a disc of that person's colour, and the name.

All colours are equally bright and equally strong, so nobody's card shouts; white letters are legible on each.
"""

import math
from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.media.compose.text import Coverage, caption, clusters, drawable

type Shape = NDArray[np.float32]

# Luma, and how far chroma is from grey; both in video's range. White is 4.5 times as light as any disc.
_GROUND, _DISC, _INITIALS, _NAME = (48, 4.0), (100, 36.0), (235, 0.0), (209, 0.0)

# In parts of the card's shorter side: the disc's diameter, and the gap below it. The name's line grows less.
_DIAMETER, _GAP = 0.44, 0.05
_LINE, _LINE_LEAST = 0.07, 10
# In parts of the card's width, and of the disc's diameter.
_NAME_WIDTH, _INITIALS_LINE = 0.88, 0.62
# Smaller tiles bear no name: it would not be legible, or hide the face.
NAMED_FROM = 72

# Vowels of Thai and Lao that are written before the consonant which they follow.
_BEFORE_CONSONANT = "เแโใไເແໂໃໄ"


class Card(NamedTuple):
    """A picture as YUV 4:2:0 in video's range (BT.601): rows of luma, and of chromas at half the sides."""

    y: Coverage
    u: Coverage
    v: Coverage


def card(name: str, width: int, height: int, hue: int) -> Card:
    """A card of even sides. `hue` in degrees around the plane of both chromas.

    Without a name that can be drawn it shows the shape of a person.
    """
    shorter = min(width, height)
    shown = drawable(name) if shorter >= NAMED_FROM else ""
    diameter, line = _DIAMETER * shorter, round(_LINE_LEAST + _LINE * shorter) if shown else 0
    gap = _GAP * shorter if shown else 0
    middle = width / 2, (height - gap - line) / 2
    label = caption(shown, int(_NAME_WIDTH * width), line)
    painted = _Painted(width, height, hue)
    painted.paint(_round(width, height, middle, diameter), _DISC)
    painted.paint(_sign(initials(name), width, height, middle, diameter), _INITIALS)
    painted.paint(_at(label, width, height, (width / 2, middle[1] + diameter / 2 + gap + line / 2)), _NAME)
    return painted.done()


def hue_of(participant_id: str) -> int:
    """The participant's hue: the same wherever the participant is seen."""
    return int.from_bytes(blake2b(participant_id.encode("utf-8", "replace"), digest_size=4).digest()) % 360


def initials(name: str) -> str:
    """What stands for a name: first letters of its first and last words if those have cases, else one.

    Without letters and digits it is the first character; nothing where nothing is drawn.
    """
    shown = drawable(name)
    letters = [letter for word in shown.split() for letter in _letters(word)]
    if not letters:
        return next(clusters(shown), "")
    cased = [letter for letter in letters if letter.isupper() or letter.islower()]
    chosen = [letters[0], *cased[1:][-1:]] if letters[0] in cased else letters[:1]
    return "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in chosen)


def _letters(word: str) -> Iterator[str]:
    """A word's first letter or digit, if it has one."""
    yield from [one for one in word if one.isalnum() and one not in _BEFORE_CONSONANT][:1]


# --- shapes: how much of each pixel they cover, from 0 to 1 -----------------------------------------------


def _round(width: int, height: int, middle: tuple[float, float], diameter: float) -> Shape:
    x = np.arange(width, dtype=np.float32) + 0.5 - middle[0]
    y = np.arange(height, dtype=np.float32)[:, None] + 0.5 - middle[1]
    shape: Shape = np.clip(diameter / 2 - np.hypot(x, y) + 0.5, 0, 1).astype(np.float32)
    return shape


def _sign(text: str, width: int, height: int, middle: tuple[float, float], diameter: float) -> Shape:
    """Letters, or head and shoulders, within the disc."""
    letters = caption(text, int(diameter), round(_INITIALS_LINE * diameter))
    if letters.any():
        return _at(_trimmed(letters), width, height, middle)
    x, y = middle
    head = _round(width, height, (x, y - 0.13 * diameter), 0.34 * diameter)
    shoulders = _round(width, height, (x, y + 0.43 * diameter), 0.66 * diameter)
    return np.maximum(head, np.minimum(shoulders, _round(width, height, middle, 0.92 * diameter)))


def _trimmed(letters: Coverage) -> Coverage:
    """Without what is empty around: some letters stand high, or hang."""
    rows, columns = np.flatnonzero(letters.any(axis=1)), np.flatnonzero(letters.any(axis=0))
    return letters[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _at(letters: Coverage, width: int, height: int, middle: tuple[float, float]) -> Shape:
    """Letters whose middle is there, on all of the card."""
    shape = np.zeros((height, width), np.float32)
    x, y = (math.floor(at - side / 2) for at, side in zip(middle, letters.shape[::-1], strict=True))
    within = letters[max(-y, 0) : height - y, max(-x, 0) : width - x]
    shape[max(y, 0) :, max(x, 0) :][: within.shape[0], : within.shape[1]] = within / np.float32(255)
    return shape


class _Painted:
    """Planes, and how shapes get onto them."""

    def __init__(self, width: int, height: int, hue: int) -> None:
        self._turn = math.cos(math.radians(hue)), math.sin(math.radians(hue))
        luma, *chromas = self._values(_GROUND)
        halves = (height // 2, width // 2)
        self._luma = np.full((height, width), luma, np.float32)
        self._chromas = [np.full(halves, value, np.float32) for value in chromas]

    def _values(self, colour: tuple[int, float]) -> tuple[float, float, float]:
        luma, strength = colour
        return luma, 128 + strength * self._turn[0], 128 + strength * self._turn[1]

    def paint(self, shape: Shape, colour: tuple[int, float]) -> None:
        """Cover what is there with a colour, as far as the shape does."""
        quarters = shape.reshape(shape.shape[0] // 2, 2, shape.shape[1] // 2, 2).mean(axis=(1, 3))
        shapes = (shape, quarters, quarters)
        for plane, part, value in zip(
            (self._luma, *self._chromas), shapes, self._values(colour), strict=True
        ):
            plane += (np.float32(value) - plane) * part

    def done(self) -> Card:
        """What was painted."""
        return Card(*(np.rint(plane).astype(np.uint8) for plane in (self._luma, *self._chromas)))
