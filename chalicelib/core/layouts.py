"""Where tiles lie: rectangles of even pixels inside an area, none over another.

Tiles have the shape of 16:9, which is what cameras send: so nothing of a picture is cut and a picture of the
tile's size need not be scaled. In an upright area they may be as narrow as 3:2, for much of it would be empty
otherwise. Where there is one tile, it is the whole area.
"""

from dataclasses import dataclass

SEATS = 25  # of a grid
BESIDE = 8  # a large tile, at most
# Tiles that the column beside a large tile has room for, at least: it is not wider then; and the row below.
_SMALL, _SMALL_BELOW = 5, 3
_WIDE, _NARROW = 16 / 9, 3 / 2


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle in pixels, all of them even."""

    x: int
    y: int
    width: int
    height: int


def grid(area: Rect, count: int, columns: int = SEATS, rows: int = SEATS) -> tuple[Rect, ...]:
    """So many tiles, as large as they can be in at most so many columns and rows; the last row is centred."""
    if count <= 1:
        return (area,) * count
    gap = _gap(area)
    shapes = [
        (*_tile(area, gap, across, down), across)
        for across in range(1, min(count, columns) + 1)
        if (down := -(-count // across)) <= rows
    ]
    width, height, across = max(shapes, key=lambda shape: (shape[0] * shape[1], -(-count % shape[2])))
    lines = [min(across, count - at) for at in range(0, count, across)]
    top = area.y + _even((area.height - _length(height, len(lines), gap)) / 2)
    return tuple(
        Rect(left + place * (width + gap), top + line * (height + gap), width, height)
        for line, tiles in enumerate(lines)
        for left in [area.x + _even((area.width - _length(width, tiles, gap)) / 2)]
        for place in range(tiles)
    )


def staged(area: Rect, beside: int) -> tuple[Rect, ...]:
    """A large tile, and so many small ones in a column at its right; where the area is upright, in a row
    below it. A margin as wide as the gaps is around all."""
    if not beside:
        return (area,)
    if area.height > area.width:
        lying = _staged(_turned(area), beside, _SMALL_BELOW, 1 / _WIDE)
        return tuple(map(_turned, lying))
    return _staged(area, beside, _SMALL, _WIDE)


def inset(area: Rect) -> Rect:
    """The area without a margin as wide as the gaps in it."""
    gap = _gap(area)
    return Rect(area.x + gap, area.y + gap, area.width - 2 * gap, area.height - 2 * gap)


def part(area: Rect, x: float, y: float, width: float, height: float) -> Rect:
    """A part of an area, in per cent of it. Parts that touch in per cent touch in pixels."""
    left, right = (_even(area.width * edge / 100) for edge in (x, x + width))
    top, bottom = (_even(area.height * edge / 100) for edge in (y, y + height))
    return Rect(area.x + left, area.y + top, right - left, bottom - top)


def _staged(area: Rect, beside: int, least: int, shape: float) -> tuple[Rect, ...]:
    gap = _gap(area)
    height = _even((area.height - gap) / max(beside, least) - gap)
    width = _even(height * shape)
    column = area.x + area.width - gap - width
    top = area.y + _even((area.height - _length(height, beside, gap)) / 2)
    large = Rect(area.x + gap, area.y + gap, column - area.x - 2 * gap, area.height - 2 * gap)
    small = (Rect(column, top + place * (height + gap), width, height) for place in range(beside))
    return large, *small


def _turned(area: Rect) -> Rect:
    return Rect(area.y, area.x, area.height, area.width)


def _tile(area: Rect, gap: int, across: int, down: int) -> tuple[int, int]:
    """The size of the largest tile that so many columns and rows leave room for."""
    width = (area.width - (across - 1) * gap) / across
    height = (area.height - (down - 1) * gap) / down
    narrow = _WIDE if area.width >= area.height else _NARROW
    return _even(min(width, height * _WIDE)), _even(min(height, width / narrow))


def _length(tile: int, count: int, gap: int) -> int:
    return tile * count + gap * (count - 1)


def _gap(area: Rect) -> int:
    return _even(min(area.width, area.height) / 90 + 1)  # the nearest even number


def _even(length: float) -> int:
    return int(length // 2) * 2
