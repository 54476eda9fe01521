"""Names: in the corner of a video, and on the card of who has no picture, beside a disc with the initials."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chalicelib.core.scenes import Card, Tile
from chalicelib.media.compose.canvas import Canvas, Colour, Planes, colour_of
from chalicelib.media.compose.text import Coverage, caption, clusters, drawable

type _Weights = np.ndarray[tuple[int, int], np.dtype[np.uint16]]

# Parts of a tile's height, and what they are at least and at most, in pixels.
_CAPTION, _CAPTION_LEAST, _CAPTION_MOST = 1 / 11, 16, 40
_DISC = 0.42  # of the tile's shorter side
_INITIALS = 0.62  # of the disc's diameter
_SMOOTH = 4  # the disc's edge is reckoned in so many steps

_WHITE, _BLACK = colour_of("#f5f6f7"), colour_of("#101214")
_CARD = colour_of("#2a2e35")
_SHADE = 0.55  # how much a name's ground hides
_DISCS = tuple(map(colour_of, ("#3f6fb0", "#7a5ba6", "#2f8577", "#a8583f", "#8a7a2e", "#a34a70", "#4a7d3c")))


@dataclass(frozen=True, slots=True)
class _Patch:
    """What is blended into a rectangle of the canvas: of each plane how much stays, and what is added, both
    in 256ths."""

    x: int
    y: int
    keep: tuple[_Weights, ...]
    add: tuple[_Weights, ...]

    def draw(self, planes: Planes) -> None:
        """Blend it in."""
        for plane, share, keep, add in zip(planes, (1, 2, 2), self.keep, self.add, strict=True):
            x, y = self.x // share, self.y // share
            into = plane[y : y + keep.shape[0], x : x + keep.shape[1]]
            into[:] = (into * keep + add) >> 8


class Label:
    """What is drawn of a tile in words; all of the tile where there is no picture."""

    def __init__(self, tile: Tile, ground: Colour | None, patches: Iterable[_Patch]) -> None:
        self._tile, self._ground, self._patches = tile, ground, tuple(patches)

    def draw(self, canvas: Canvas) -> None:
        """Draw it where its tile is."""
        tile = self._tile
        if self._ground is not None:
            canvas.fill(tile.x, tile.y, tile.width, tile.height, self._ground)
        for patch in self._patches:
            patch.draw(canvas.planes)


def label_of(tile: Tile) -> Label:
    """What is written on a tile: a video's name, or all that a card has."""
    shows = tile.shows
    if isinstance(shows, Card):
        return Label(tile, _CARD, [*_disc(tile, shows), *_named(tile, shows.name)])
    return Label(tile, None, _named(tile, shows.name))


def _named(tile: Tile, name: str) -> list[_Patch]:
    """The name in the lower left corner, on a ground that lets the picture through."""
    height = _even(min(_CAPTION_MOST, max(_CAPTION_LEAST, tile.height * _CAPTION)))
    inset = _even(height / 3)
    room, letters = tile.width - 2 * inset, caption(name, tile.width - 3 * inset, height)
    if letters.shape[1] == 0 or tile.height < height + 2 * inset:
        return []
    width = min(_even(room), _even(letters.shape[1] + inset + 1))
    ground = np.full((height, width), round(255 * _SHADE), np.uint8)
    y = tile.y + tile.height - inset - height
    over = np.zeros_like(ground)
    left = (width - letters.shape[1]) // 2
    over[:, left : left + letters.shape[1]] = letters
    return [_patch(tile.x + inset, y, ground, _BLACK), _patch(tile.x + inset, y, over, _WHITE)]


def _disc(tile: Tile, card: Card) -> list[_Patch]:
    """A disc of the participant's colour in the middle, with the initials."""
    side = _even(min(tile.width, tile.height) * _DISC)
    letters = caption(_initials(card.name), side, _even(side * _INITIALS))
    if side < _CAPTION_LEAST or letters.shape[1] == 0:
        return []
    x, y = tile.x + _even((tile.width - side) / 2), tile.y + _even((tile.height - side) / 2)
    over = np.zeros((side, side), np.uint8)
    top, left = (side - letters.shape[0]) // 2, (side - letters.shape[1]) // 2
    over[top : top + letters.shape[0], left : left + letters.shape[1]] = letters
    number = hashlib.sha256(card.participant_id.encode()).digest()[0] % len(_DISCS)
    return [_patch(x, y, _round(side), _DISCS[number]), _patch(x, y, over, _WHITE)]


def _initials(name: str) -> str:
    words = drawable(name).split()
    return "".join(next(iter(clusters(word)), "") for word in (words[0], *words[1:][-1:])) if words else ""


def _round(side: int) -> Coverage:
    """A disc."""
    middle = side * _SMOOTH / 2
    squares = (np.arange(side * _SMOOTH) + 0.5 - middle) ** 2
    inside = squares[:, None] + squares[None, :] <= middle**2
    return (_mean(inside, _SMOOTH) * 255).astype(np.uint8)


def _patch(x: int, y: int, coverage: Coverage, colour: Colour) -> _Patch:
    """A colour as far as it covers; the sides and the place are even."""
    over = [coverage / 255, _mean(coverage, 2) / 255, _mean(coverage, 2) / 255]
    return _Patch(
        x,
        y,
        tuple(_weights(256 * (1 - part)) for part in over),
        tuple(_weights(256 * part * value) for part, value in zip(over, colour, strict=True)),
    )


def _mean(values: Any, by: int) -> Any:
    height, width = values.shape
    return values.reshape(height // by, by, width // by, by).mean(axis=(1, 3))


def _weights(values: Any) -> _Weights:
    return np.rint(values).astype(np.uint16)


def _even(length: float) -> int:
    return int(length // 2) * 2
