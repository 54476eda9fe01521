"""How compositions look: names that are legible and hide no face, and what cameras leave of their tiles."""

from dataclasses import replace

import numpy as np
import pytest

from chalicelib.core.chunks import Chunk
from chalicelib.core.ids import Kind
from chalicelib.core.scenes import Scene, Tile, Video
from chalicelib.core.step import Piece
from chalicelib.media.compose.canvas import Canvas
from chalicelib.media.compose.label import label_of
from tests.media.compose.stage import TARGET, Room, room, shots, stream

CAMERA = Video("anna", "Anna Karenina", Kind.VIDEO, "vp8", Piece("a.webm", "a.idx", 0, 1000))
GREY = 126, 128, 128


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """One camera."""
    return room(tmp_path_factory.mktemp("room"), 1, 0.1, mutes=False, ramp=False)


def named(
    width: int, height: int, name: str = CAMERA.name
) -> "np.ndarray[tuple[int, int], np.dtype[np.bool]]":
    """Where a name changes a grey picture that fills a tile of this size."""
    canvas = Canvas(width, height, GREY)
    canvas.clear()
    label_of(Tile(0, 0, width, height, replace(CAMERA, name=name))).draw(canvas)
    return np.asarray(canvas.planes[0] != GREY[0])


# The largest part of a tile's height that its name's ground may have.
SIZES = [((142, 80), 0.21), ((238, 134), 0.13), ((416, 234), 0.1), ((1280, 720), 0.05), ((720, 1280), 0.03)]


@pytest.mark.parametrize(("size", "most"), SIZES)
def test_a_name_lies_in_the_lower_left_corner_and_takes_little_of_the_picture(
    size: tuple[int, int], most: float
) -> None:
    rows, columns = (np.flatnonzero(named(*size).any(axis=axis)) for axis in (1, 0))

    assert 16 <= len(rows) <= most * size[1]
    assert size[1] - rows[-1] < 16
    assert 0 < columns[0] < 16


def test_the_ground_of_a_name_has_round_corners() -> None:
    changed = named(640, 360)
    rows, columns = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
    ground = changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]

    assert not ground[0, 0]
    assert not ground[-1, -1]
    assert ground[0, 8:-8].all()


@pytest.mark.parametrize(("size", "name"), [((96, 54), "Anna"), ((640, 360), ""), ((640, 360), "\u2800")])
def test_where_there_is_no_room_or_no_name_nothing_is_written(size: tuple[int, int], name: str) -> None:
    assert not named(*size, name).any()


BACKGROUND, PLATE = 34, 48


@pytest.mark.parametrize(
    ("kind", "width", "beside"),
    [(Kind.VIDEO, 300, PLATE), (Kind.SCREEN_VIDEO, 300, BACKGROUND), (Kind.VIDEO, 320, BACKGROUND)],
    ids=["a camera", "a screen", "a camera on the whole canvas"],
)
def test_a_camera_that_does_not_fill_its_tile_has_a_plate_behind_it(
    usual: Room, kind: Kind, width: int, beside: int
) -> None:
    picture = replace(usual.picture, width=320, height=96, background="#141414")
    tile = Tile(0, 0, width, 96, replace(usual.videos(0)[0], kind=kind))

    found = shots(stream(usual.engine.shelf, [Chunk(TARGET, 1, 0, picture, (Scene(0, 40, (tile,)),))]))

    middle = found[-1].luma[20:80]
    assert middle[:, 10:60].mean() == pytest.approx(beside, abs=2)
    assert middle[:, width // 2].mean() > PLATE + 10


def test_what_lies_below_a_camera_does_not_shine_through_its_plate(usual: Room) -> None:
    video = usual.videos(0)[0]
    picture = replace(usual.picture, width=320, height=96)
    tiles = Tile(80, 0, 160, 96, video), Tile(0, 0, 300, 96, replace(video, name="above"))

    found = shots(stream(usual.engine.shelf, [Chunk(TARGET, 1, 0, picture, (Scene(0, 60, tiles),))]))

    assert max(abs(float(shot.luma[20:80, 4:66].mean()) - PLATE) for shot in found[30:]) < 3
