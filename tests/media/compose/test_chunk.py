"""Chunks of compositions: every frame once, every picture in its time, whatever people send."""

from collections.abc import Iterable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.container import InputContainer

from chalicelib.core.chunks import INIT, Chunk
from chalicelib.core.ids import Kind
from chalicelib.core.scenes import Card, Scene, Tile, Video
from chalicelib.media.compose.chunk import beginning, render_chunk
from chalicelib.media.index import index_of
from tests.media.compose.stage import TARGET, Room, cut, flashes, rendered, room, shots, stream
from tests.media.markers import compare
from tests.media.shelf import Shelf, Store

FRAME_MS = 1000 / 30


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """Two cameras of odd times that begin small and 80 ms late, freeze, and are off for some seconds."""
    return room(tmp_path_factory.mktemp("room"), 2, 0.5, first_frame_late_ms=80, loss=True)


FRAMES = 720
EDGES = (157, 400, 401, 611)


def faults(of: Room, frames: int, *edges: int) -> list[str]:
    """Which tile's flashes are not where they should be, in a composition cut at these frames."""
    found = shots(stream(of.engine.shelf, cut(of.chunk(frames), *edges)))
    assert [round(shot.at * of.rate / 1000, 3) for shot in found] == list(range(frames))
    wrong = []
    for number in range(of.meeting.people):
        width, height = of.tile
        expected = [at for at in of.expected(number) if at < frames * 1000 / of.rate - 200]
        at = flashes(found, number * width, 0, width, height)
        report = compare(expected, at, 1000 / of.rate + 1)
        if not report.right:
            wrong.append(f"{number}: {report}")
    return wrong


def test_every_flash_is_within_one_frame_in_its_tile_however_the_timeline_is_cut(usual: Room) -> None:
    assert faults(usual, FRAMES, *EDGES) == []


TRAPS: dict[str, dict[str, Any]] = {
    "the composition is slower than the cameras": {"rate": 15},
    "the cameras are slower than the composition": {"fps": 12},
    "h264": {"codec": "h264", "minutes": 0.2},
    "vp9": {"codec": "vp9", "minutes": 0.2},
    "av1": {"codec": "av1", "minutes": 0.2},
    "clocks that drift": {"drift_ppm": 400},
    "recordings that overlap": {"spans": {(0, Kind.VIDEO): ((0, 12_000), (9_000, 24_000))}},
    "who leaves and comes back": {"spans": {(0, Kind.VIDEO): ((0, 6_000), (13_000, 18_000))}},
    "a clock that runs on": {"clock": "running", "first_frame_late_ms": 0},
}


@pytest.mark.parametrize("trap", TRAPS)
def test_no_trap_moves_a_flash(trap: str, tmp_path: Path) -> None:
    manner = {"minutes": 0.3, **TRAPS[trap]}
    made = room(tmp_path, 2, manner.pop("minutes"), mutes=False, **manner)
    whole = int(made.meeting.duration_ms * made.rate / 1000)

    assert faults(made, whole, whole // 3, whole // 2) == []


def test_a_composition_may_begin_in_the_middle(usual: Room) -> None:
    scene = usual.scenes(FRAMES)[-1]
    zero = max(tile.shows.piece.start for tile in scene.tiles if isinstance(tile.shows, Video)) + 1_001
    chunk = Chunk(TARGET, 1, zero, usual.picture, (Scene(0, 200, scene.tiles),))

    found = shots(stream(usual.engine.shelf, cut(chunk, 77)))

    for number in (0, 1):
        expected = [at - zero for at in usual.expected(number) if 0 <= at - zero < 6_400]
        assert compare(expected, flashes(found, 160 * number, 0, 160, 96), FRAME_MS + 1).right


def test_chunks_show_what_one_piece_shows_frame_by_frame(usual: Room) -> None:
    chunk = usual.chunk(FRAMES)
    whole = shots(stream(usual.engine.shelf, [replace(chunk, target="whole")]))
    parts = shots(stream(usual.engine.shelf, cut(chunk, *EDGES)))

    assert [shot.at for shot in parts] == [shot.at for shot in whole]
    apart = [np.abs(a.luma.astype(int) - b.luma).mean() for a, b in zip(parts, whole, strict=True)]
    assert max(apart) < 2


def test_the_same_chunk_gives_the_same_bytes(usual: Room) -> None:
    (first, *_) = cut(usual.chunk(FRAMES), 90)

    assert stream(usual.engine.shelf, [first]) == stream(usual.engine.shelf, [first])


def test_each_chunk_is_a_segment_that_plays_by_itself_at_its_time(usual: Room) -> None:
    chunks = cut(usual.chunk(240), 100)
    made = rendered(usual.engine.shelf, chunks)

    assert usual.engine.shelf.data(f"{TARGET}/{INIT}") == beginning(usual.picture)
    for chunk, one in zip(chunks, made, strict=True):
        data = usual.engine.shelf.data(f"{TARGET}/{one.name}")
        assert (one.bytes, one.frames, one.slates) == (len(data), chunk.frames, ())
        found = shots(beginning(usual.picture) + data)
        assert len(found) == chunk.frames
        assert found[0].at == pytest.approx(chunk.first_frame * FRAME_MS, abs=0.1)


def test_no_more_is_read_than_what_is_shown_takes(tmp_path: Path) -> None:
    made = room(tmp_path, 2, 1, mutes=False, ramp=False)
    (_, middle, _) = cut(made.chunk(1_700), 610, 1_210)
    shelf = made.engine.shelf
    needed = sum(_needed(shelf, video, 610, 1_210) for number in (0, 1) for video in made.videos(number))
    before = shelf.bytes_read

    rendered(shelf, [middle])

    assert needed <= shelf.bytes_read - before <= 1.3 * needed


def _needed(shelf: Shelf, video: Video, first: int, end: int) -> int:
    """Bytes of the packets from the key frame before one frame to another."""
    with av.open(BytesIO(shelf.data(video.piece.source))) as file:
        assert isinstance(file, InputContainer)
        packets = [
            (p.pts + video.piece.start, p.is_keyframe, p.size)
            for p in file.demux(video=0)
            if p.pts is not None
        ]
    since = max(at for at, key, _ in packets if key and at <= first * FRAME_MS)
    return sum(size for at, _, size in packets if since <= at < end * FRAME_MS)


class Watched(Store):
    """Tells which files were read."""

    def __init__(self, shelf: Shelf, target: str) -> None:
        super().__init__(shelf, target)
        self.keys: set[str] = set()

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterable[bytes]:
        self.keys.add(key)
        return super().read(key, start, end)


def test_of_who_is_not_shown_nothing_is_read(usual: Room) -> None:
    tile = usual.scenes(30)[0].tiles[0]
    store = Watched(usual.engine.shelf, TARGET)

    render_chunk(Chunk(TARGET, 2, 0, usual.picture, (Scene(0, 30, (tile,)),)), store)

    assert isinstance(tile.shows, Video)
    assert store.keys == {tile.shows.piece.source, tile.shows.piece.index}


@pytest.mark.parametrize(("gone", "back"), [(20, 140), (40, 80)], ids=["with a key frame", "without one"])
def test_who_is_not_shown_for_a_while_comes_back_in_time(usual: Room, gone: int, back: int) -> None:
    video = usual.videos(0)[0]
    tile = Tile(0, 0, *usual.tile, video)
    scenes = (Scene(0, gone, (tile,)), Scene(gone, back, ()), Scene(back, 200, (tile,)))

    found = shots(stream(usual.engine.shelf, [Chunk(TARGET, 1, 0, usual.picture, scenes)]))

    always = shots(
        stream(usual.engine.shelf, [Chunk(TARGET, 1, 0, usual.picture, (Scene(0, 200, (tile,)),))])
    )
    assert max(int(shot.luma.max()) for shot in found[gone + 1 : back - 1]) < 40
    apart = [
        np.abs(a.luma.astype(int) - b.luma).mean() for a, b in zip(found[back:], always[back:], strict=True)
    ]
    assert max(apart) < 2


def test_later_tiles_lie_over_earlier_ones_in_every_frame(usual: Room) -> None:
    below, above = usual.videos(0)[0], usual.videos(1)[0]
    tiles = Tile(0, 0, 320, 96, below), Tile(40, 20, 80, 48, above)

    found = shots(stream(usual.engine.shelf, [Chunk(TARGET, 1, 0, usual.picture, (Scene(0, 300, tiles),))]))

    for number, part in ((0, (180, 0, 50, 90)), (1, (50, 30, 60, 28))):
        expected = [at for at in usual.expected(number) if at < 9_500]
        assert compare(expected, flashes(found, *part), FRAME_MS + 1).right


def test_the_background_has_its_colour(usual: Room) -> None:
    picture = replace(usual.picture, background="#ff0000")

    found = shots(stream(usual.engine.shelf, [Chunk(TARGET, 1, 0, picture, (Scene(0, 3, ()),))]))

    red = (81, 90, 240)  # BT.601, limited range
    assert np.allclose((found[0].luma[40, 40], *found[0].chroma), red, atol=2)


def test_a_picture_keeps_its_aspect(usual: Room) -> None:
    tile = Tile(0, 0, 320, 96, replace(usual.videos(0)[0], kind=Kind.SCREEN_VIDEO))

    found = shots(stream(usual.engine.shelf, [Chunk(TARGET, 1, 0, usual.picture, (Scene(0, 60, (tile,)),))]))

    assert found[50].luma[:, :76].max() < 36 < found[50].luma[:, 82:238].min()
    assert found[50].luma[:, 244:].max() < 36


# --- what can not be decoded ----------------------------------------------------------------------


def _poisoned(of: Room, kind: str) -> Video:
    """A participant's video of which nothing can be made."""
    video, shelf = of.videos(0)[0], of.engine.shelf
    key = f"poison/{kind}"
    data = bytearray(shelf.data(video.piece.source))
    index = index_of(shelf.data(video.piece.index))
    if kind == "cut":
        data = data[: len(data) // 9]
    for frame in index.key_frames if kind == "garbage" else ():
        data[frame.place : frame.place + frame.size] = b"\xff" * frame.size
    shelf.put(key, bytes(data))
    codec = "none" if kind == "deadly" else video.codec
    return replace(video, codec=codec, piece=replace(video.piece, source=key))


@pytest.mark.parametrize(
    ("kind", "reason"), [("deadly", "crashed"), ("garbage", "undecodable"), ("cut", "index_mismatch")]
)
def test_what_can_not_be_decoded_is_a_card_and_named_and_nobody_else_misses_a_frame(
    usual: Room, kind: str, reason: str
) -> None:
    bad, (good, *_) = _poisoned(usual, kind), usual.videos(1)
    width, height = usual.tile
    tiles = Tile(0, 0, width, height, bad), Tile(width, 0, width, height, good)
    chunk = Chunk(TARGET, 1, 0, usual.picture, (Scene(0, 210, tiles),))

    ((name, told),) = rendered(usual.engine.shelf, [chunk])[0].slates

    found = shots(stream(usual.engine.shelf, [chunk]))
    card = replace(tiles[0], shows=Card(bad.participant_id, bad.name))
    instead = shots(stream(usual.engine.shelf, [replace(chunk, scenes=(Scene(0, 210, (card, tiles[1])),))]))
    assert (name, told.partition(":")[0]) == (bad.piece.source, reason)
    expected = [at for at in usual.expected(1) if at < 6_800]
    assert compare(expected, flashes(found, width, 0, width, height), FRAME_MS + 1).right
    assert all(np.array_equal(a.luma, b.luma) for a, b in zip(found, instead, strict=True))
