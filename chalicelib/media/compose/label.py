"""What is written on a tile: a name in the corner of a video, or the card of who has no picture."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chalicelib.core import scenes
from chalicelib.core.scenes import Tile
from chalicelib.media.compose.canvas import SHARES, Canvas, Colour, colour_of
from chalicelib.media.compose.card import NAMED_FROM, card, hue_of
from chalicelib.media.compose.text import Coverage, caption

type _Weights = NDArray[np.uint16]

# A name's line in pixels: a part of the tile's shorter side, and never less than is legible; large tiles have
# less of it.
_LINE, _SLOWER, _LEAST = 1 / 11, 1 / 36, 16
_CORNER = 1 / 5  # the radius of its ground's corners, as a part of its height
_WHITE, _BLACK = colour_of("#f5f6f7"), colour_of("#101214")
_SHADE = 0.55  # how much a name's ground hides


@dataclass(frozen=True, slots=True)
class _Patch:
    """What is blended into a rectangle of the canvas: of each plane how much stays, and what is added, both
    in 256ths."""

    x: int
    y: int
    keep: tuple[_Weights, ...]
    add: tuple[_Weights, ...]

    def draw(self, canvas: Canvas) -> None:
        """Blend it in."""
        for plane, share, keep, add in zip(canvas.planes, SHARES, self.keep, self.add, strict=True):
            x, y = self.x // share, self.y // share
            into = plane[y : y + keep.shape[0], x : x + keep.shape[1]]
            into[:] = (into * keep + add) >> 8


class _Caption:
    """A name on a ground that lets the picture through."""

    def __init__(self, patches: Iterable[_Patch]) -> None:
        self._patches = tuple(patches)

    def draw(self, canvas: Canvas) -> None:
        """Draw it over what is there."""
        for patch in self._patches:
            patch.draw(canvas)


class _Card:
    """All of a tile."""

    def __init__(self, tile: Tile, shows: scenes.Card) -> None:
        self._x, self._y = tile.x, tile.y
        self._planes = card(shows.name, tile.width, tile.height, hue_of(shows.participant_id))

    def draw(self, canvas: Canvas) -> None:
        """Draw it where its tile is."""
        for plane, share, found in zip(canvas.planes, SHARES, self._planes, strict=True):
            x, y = self._x // share, self._y // share
            plane[y : y + found.shape[0], x : x + found.shape[1]] = found


def label_of(tile: Tile) -> _Caption | _Card:
    """A video's name, or all that a card has."""
    shows = tile.shows
    return _Card(tile, shows) if isinstance(shows, scenes.Card) else _Caption(_named(tile, shows.name))


def _named(tile: Tile, name: str) -> list[_Patch]:
    """The name in the lower left corner, and its ground; nothing where there is no room."""
    side = min(tile.width, tile.height)
    height = _even(max(_LEAST, min(side * _LINE, _LEAST + side * _SLOWER)))
    inset = _even(height / 3)
    letters = caption(name, tile.width - 3 * inset, height)
    if letters.shape[1] == 0 or side < NAMED_FROM:
        return []
    width = min(_even(tile.width - 2 * inset), _even(letters.shape[1] + inset + 1))
    ground = np.rint(255 * _SHADE * _rounded(width, height, _CORNER * height)).astype(np.uint8)
    left = (width - letters.shape[1]) // 2
    over = np.zeros_like(ground)
    over[:, left : left + letters.shape[1]] = letters
    x, y = tile.x + inset, tile.y + tile.height - inset - height
    return [_patch(x, y, ground, _BLACK), _patch(x, y, over, _WHITE)]


def _rounded(width: int, height: int, radius: float) -> NDArray[Any]:
    """How much of each pixel a rectangle with round corners covers, from 0 to 1."""
    x, y = (np.abs(np.arange(side) + 0.5 - side / 2) - side / 2 + radius for side in (width, height))
    return np.clip(radius + 0.5 - np.hypot(np.maximum(x, 0), np.maximum(y, 0)[:, None]), 0, 1)


def _patch(x: int, y: int, coverage: Coverage, colour: Colour) -> _Patch:
    """A colour as far as it covers; the sides and the place are even."""
    height, width = coverage.shape
    quarters = coverage.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    over = [coverage / 255, quarters / 255, quarters / 255]
    return _Patch(
        x,
        y,
        tuple(_weights(256 * (1 - part)) for part in over),
        tuple(_weights(256 * part * value) for part, value in zip(over, colour, strict=True)),
    )


def _weights(values: Any) -> _Weights:
    return np.asarray(np.rint(values), np.uint16)


def _even(length: float) -> int:
    return int(length // 2) * 2
