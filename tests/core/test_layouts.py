"""Tiles lie on even pixels inside their area, never over one another; pictures in them keep their shape."""

from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.ids import Kind
from chalicelib.core.layouts import BESIDE, SEATS, Rect, grid, inset, part, staged
from chalicelib.core.scenes import CUT_AT_MOST, Card, Tile, Video, fitted
from chalicelib.core.step import Piece

CANVAS = Rect(0, 0, 1280, 720)
EVEN = st.integers(16, 960).map(lambda half: 2 * half)
AREAS = st.builds(Rect, EVEN, EVEN, EVEN, EVEN)
CANVASES = st.builds(
    Rect, st.just(0), st.just(0), EVEN.map(lambda s: max(s, 160)), EVEN.map(lambda s: max(s, 160))
)


def edges(rect: Rect) -> tuple[int, int, int, int]:
    """Left, top, right, bottom."""
    return rect.x, rect.y, rect.x + rect.width, rect.y + rect.height


def apart(one: Rect, other: Rect) -> bool:
    """Whether they do not overlap."""
    a, b = edges(one), edges(other)
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def inside(area: Rect, tile: Rect) -> bool:
    """Whether a tile is all in an area."""
    (left, top, right, bottom), tile_edges = edges(area), edges(tile)
    return left <= tile_edges[0] < tile_edges[2] <= right and top <= tile_edges[1] < tile_edges[3] <= bottom


def sound(area: Rect, tiles: Sequence[Rect]) -> bool:
    """Whether tiles may be drawn."""
    even = all(value % 2 == 0 for tile in tiles for value in (tile.x, tile.y, tile.width, tile.height))
    return (
        even
        and all(inside(area, tile) for tile in tiles)
        and all(apart(*two) for two in combinations(tiles, 2))
    )


@given(AREAS, st.integers(0, SEATS), st.integers(1, SEATS), st.integers(1, SEATS))
def test_a_grid_has_a_sound_tile_for_everybody(area: Rect, count: int, columns: int, rows: int) -> None:
    count = min(count, columns * rows)
    tiles = grid(area, count, columns, rows)

    assert len(tiles) == count
    assert sound(area, tiles)
    assert len({tile.x for tile in tiles[: -(-count // rows)]}) <= columns
    assert len({tile.y for tile in tiles}) <= rows
    assert len({(tile.width, tile.height) for tile in tiles}) <= 1


@given(CANVASES, st.integers(0, BESIDE))
def test_beside_a_large_tile_lie_sound_smaller_ones(canvas: Rect, beside: int) -> None:
    large, *small = tiles = staged(canvas, beside)

    assert len(small) == beside
    assert sound(canvas, tiles)
    assert all(tile.width * tile.height < large.width * large.height for tile in small)


SHAPES = [
    (1, (1280, 720)), (2, (628, 352)), (3, (618, 348)), (4, (618, 348)), (6, (416, 234)), (9, (406, 228)),
    (12, (310, 174)), (16, (302, 170)), (25, (238, 134)),
]  # fmt: skip


@pytest.mark.parametrize(("count", "size"), SHAPES)
def test_tiles_have_the_shape_that_cameras_have(count: int, size: tuple[int, int]) -> None:
    tile = grid(inset(CANVAS) if count > 1 else CANVAS, count)[0]

    assert (tile.width, tile.height) == size
    assert tile.width / tile.height == pytest.approx(16 / 9, rel=0.015)


def test_the_last_row_of_a_grid_is_in_the_middle() -> None:
    tiles = grid(CANVAS, 5)
    left, right = tiles[3].x, CANVAS.width - tiles[4].x - tiles[4].width

    assert [len({tile.y for tile in tiles[:3]}), len({tile.y for tile in tiles[3:]})] == [1, 1]
    assert abs(left - right) <= 2


@pytest.mark.parametrize(("count", "size"), [(2, (704, 468)), (6, (348, 232)), (9, (348, 232))])
def test_in_an_upright_canvas_tiles_are_less_wide_but_cameras_still_fill_them(
    count: int, size: tuple[int, int]
) -> None:
    tile = grid(inset(Rect(0, 0, 720, 1280)), count)[0]
    found = fitted(Tile(tile.x, tile.y, tile.width, tile.height, CAMERA), 640, 360)

    assert (tile.width, tile.height) == (found.width, found.height) == size


def test_where_the_canvas_is_upright_the_small_tiles_lie_below() -> None:
    large, *small = staged(Rect(0, 0, 720, 1280), 4)

    assert large.width > 700
    assert {tile.y for tile in small} == {small[0].y}
    assert small[0].y > large.y + large.height
    assert small[0].width > small[0].height > 90


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), EVEN)
def test_regions_that_touch_in_per_cent_touch_in_pixels(shares: list[int], width: int) -> None:
    whole, at, edge = sum(shares), 0.0, 0
    for share in shares:
        found = part(Rect(0, 0, width, 720), at, 0, share / whole * 100, 100)
        assert abs(found.x - edge) <= 2
        at, edge = at + share / whole * 100, found.x + found.width
    halves = [part(CANVAS, x, 0, 12.5, 50) for x in (0, 12.5, 25)]
    assert [(half.x, half.width, half.height) for half in halves] == [
        (0, 160, 360),
        (160, 160, 360),
        (320, 160, 360),
    ]


# --- pictures in tiles ----------------------------------------------------------------------------------

CAMERA = Video("anna", "Anna", Kind.VIDEO, "vp8", Piece("a.webm", "a.json", 0, 1000))
SCREEN = Video("anna", "Anna", Kind.SCREEN_VIDEO, "vp8", Piece("a.webm", "a.json", 0, 1000))
SIDE = st.integers(32, 4096)


@given(st.sampled_from([CAMERA, SCREEN]), AREAS, SIDE, SIDE)
def test_a_picture_keeps_its_aspect_and_lies_in_its_tile(
    shows: Video, area: Rect, width: int, height: int
) -> None:
    tile = Tile(area.x, area.y, area.width, area.height, shows)
    found = fitted(tile, width, height)

    assert inside(area, Rect(found.x, found.y, found.width, found.height))
    assert not any(
        value % 2 for value in (found.x, found.y, found.width, found.height, found.crop_x, found.crop_y)
    )
    assert inside(
        Rect(0, 0, width, height), Rect(found.crop_x, found.crop_y, found.crop_width, found.crop_height)
    )
    left = found.crop_width * found.crop_height / (width * height)
    assert left == 1 or (shows is CAMERA and left >= 1 - CUT_AT_MOST)
    # Two pixels at either end are what even sides cost.
    across, down = found.width / found.crop_width, found.height / found.crop_height
    slack = across * 2 / min(found.width, found.crop_width * across) + down * 2 / min(
        found.height, found.crop_height * down
    )
    assert across == pytest.approx(
        down, abs=slack + 2 / found.crop_width * across + 2 / found.crop_height * down
    )


FITS = [
    ("a camera fills a tile of its shape", CAMERA, (640, 360), (1280, 720), (640, 360)),
    ("one of 4:3 stands in the middle", CAMERA, (640, 360), (640, 480), (480, 360)),
    ("one of 16:10 is cut a little", CAMERA, (640, 360), (1280, 800), (640, 360)),
    ("an upright one is not cut", CAMERA, (640, 360), (720, 1280), (202, 360)),
    ("a screen is never cut", SCREEN, (640, 360), (1280, 800), (576, 360)),
]


@pytest.mark.parametrize(("shows", "tile", "size", "drawn"), [f[1:] for f in FITS], ids=[f[0] for f in FITS])
def test_how_a_picture_lies_in_its_tile(
    shows: Video, tile: tuple[int, int], size: tuple[int, int], drawn: tuple[int, int]
) -> None:
    found = fitted(Tile(0, 0, *tile, shows), *size)

    assert (found.width, found.height) == drawn


def test_a_camera_that_is_hardly_larger_than_its_tile_is_not_scaled() -> None:
    found = fitted(Tile(8, 8, 628, 352, CAMERA), 640, 360)

    assert (found.crop_width, found.crop_height) == (found.width, found.height) == (628, 352)
    assert (found.crop_x, found.crop_y) == (6, 4)


def test_a_card_has_no_picture_to_cut() -> None:
    assert fitted(Tile(0, 0, 640, 360, Card("anna", "Anna")), 640, 480).width == 480
