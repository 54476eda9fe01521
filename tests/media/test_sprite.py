"""Sprites: thumbnails at their times and places, few enough, and cues for when the camera was on."""

import io
import re
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from chalicelib.core.ids import Kind
from chalicelib.core.step import Made, Output, Piece
from chalicelib.media.sprite import Sprite
from tests.media.live import opened, pictures
from tests.media.shelf import Shelf, Store

NAME = "sprite p1 #2.vtt"
OUTPUT = Output("sprite", "vtt", NAME, "p1", Kind.VIDEO)
MINUTE, HOUR = 60_000, 3_600_000

type Cue = tuple[str, str, str]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Shelf(tmp_path), "t")


def piece(start: int, end: int) -> Piece:
    return Piece("k", "i", start, end)


@cache
def key() -> bytes:
    """A key frame."""
    return pictures("libvpx", 64, 36, frames=1)[0][0].data


def made(
    store: Store, end: int, times: Sequence[int], pieces: Sequence[Piece] = (), start: int = 0
) -> list[Made]:
    """A sprite of the key frames of these times, of which it takes what it wants."""
    with Sprite(OUTPUT, store, start, end, pieces) as sprite:
        for time in times:
            if sprite.wants(time):
                sprite.add(time, "vp8", b"", key(), "k")
        return sprite.finish()


def cues(store: Store) -> list[Cue]:
    text = store.shelf.data(f"t/{NAME}").decode()
    assert text.startswith("WEBVTT\n")
    found: list[Cue] = re.findall(r"\n(\S+) --> (\S+)\n(.*)\n", text)
    return found


def sheet(store: Store, number: int) -> VideoFrame:
    with opened(io.BytesIO(store.shelf.data(f"t/sprite p1 #2-{number}.jpg")), "jpeg_pipe") as read:
        return next(read.decode(video=0))


def test_a_thumbnail_is_shown_until_the_next(store: Store) -> None:
    made(store, MINUTE, [0, 12_000, 40_500])

    assert cues(store) == [
        ("00:00:00.000", "00:00:12.000", "sprite%20p1%20%232-1.jpg#xywh=0,0,160,90"),
        ("00:00:12.000", "00:00:40.500", "sprite%20p1%20%232-1.jpg#xywh=160,0,160,90"),
        ("00:00:40.500", "00:01:00.000", "sprite%20p1%20%232-1.jpg#xywh=320,0,160,90"),
    ]


def test_there_is_no_cue_for_when_the_camera_was_off(store: Store) -> None:
    on = [piece(5_000, 20_000), piece(24_000, 28_000), piece(30_000, 33_000), piece(34_000, 60_000)]

    made(store, MINUTE, [6_000, 19_000, 24_000, 30_500, 34_100, 41_000], on)

    # While the second piece lasted, nothing was due.
    assert [(start[6:], end[6:]) for start, end, _ in cues(store)] == [
        ("05.000", "19.000"), ("19.000", "20.000"), ("30.000", "33.000"), ("34.000", "00.000"),
    ]  # fmt: skip


def test_cues_count_from_the_start_of_the_span(store: Store) -> None:
    made(store, 80_000, [49_000, 51_000, 80_000], start=50_000)

    assert [cue[:2] for cue in cues(store)] == [("00:00:00.000", "00:00:30.000")]


def test_thumbnails_are_ten_seconds_apart_at_least(store: Store) -> None:
    made(store, MINUTE, range(0, MINUTE, 500))

    assert [cue[0][-6:] for cue in cues(store)] == [f"{at}0.000" for at in range(6)]


def test_there_are_no_more_than_two_thousand_and_a_day_is_covered_by_them(store: Store) -> None:
    files = made(store, 24 * HOUR, range(0, 24 * HOUR, 21_600))

    assert len(cues(store)) == 2_000
    assert [file.name for file in files] == [f"sprite p1 #2-{number}.jpg" for number in range(1, 21)] + [NAME]
    assert cues(store)[-1] == (
        "23:59:16.800", "24:00:00.000", "sprite%20p1%20%232-20.jpg#xywh=1440,810,160,90"
    )  # fmt: skip


def test_a_sheet_has_ten_rows_of_ten_and_the_last_one_what_is_left(store: Store) -> None:
    files = made(store, 113 * 10_000, range(0, 113 * 10_000, 10_000))

    assert [(sheet(store, number).width, sheet(store, number).height) for number in (1, 2)] == [
        (1600, 900), (1600, 180),
    ]  # fmt: skip
    assert [(file.name, file.content_type, file.start, file.end) for file in files] == [
        ("sprite p1 #2-1.jpg", "image/jpeg", 0, 1_130_000),
        ("sprite p1 #2-2.jpg", "image/jpeg", 0, 1_130_000),
        (NAME, "text/vtt", 0, 1_130_000),
    ]
    assert [file.bytes for file in files] == [len(store.shelf.data(f"t/{file.name}")) for file in files]


def test_three_thumbnails_need_no_more_than_their_own_sheet(store: Store) -> None:
    made(store, 30_000, [0, 10_000, 20_000])

    assert (sheet(store, 1).width, sheet(store, 1).height) == (480, 90)


SHAPES = [((320, 180), (160, 90)), ((180, 320), (50, 90)), ((640, 120), (160, 30)), ((64, 36), (64, 36))]


@pytest.mark.parametrize(("size", "inner"), SHAPES)
def test_a_picture_keeps_its_shape_in_the_middle_of_its_cell(
    store: Store, size: tuple[int, int], inner: tuple[int, int]
) -> None:
    with Sprite(OUTPUT, store, 0, MINUTE) as sprite:
        sprite.add(0, "vp8", b"", white(*size), "k")
        sprite.finish()

    luma = sheet(store, 1).to_ndarray(format="gray")
    rows, columns = (np.flatnonzero((luma > 128).any(axis=axis)) for axis in (1, 0))
    assert luma.shape == (90, 160)
    assert (len(columns), len(rows)) == inner
    assert abs(columns[0] - (159 - columns[-1])) <= 2
    assert abs(rows[0] - (89 - rows[-1])) <= 2


def white(width: int, height: int) -> bytes:
    """A key frame without anything dark in it."""
    encoder = av.CodecContext.create("libvpx", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.options = Fraction(1, 25), {"b": "2M", "deadline": "realtime"}
    shade = np.full((height * 3 // 2, width), 128, np.uint8)
    shade[:height] = 235
    return b"".join(
        bytes(packet)
        for packet in (*encoder.encode(VideoFrame.from_ndarray(shade, "yuv420p")), *encoder.encode(None))
    )


def test_what_does_not_decode_is_passed_over_and_the_next_one_taken(store: Store) -> None:
    with Sprite(OUTPUT, store, 0, MINUTE) as sprite:
        sprite.add(0, "vp8", b"", b"\x10\0\0\x9d\x01\x2a\x40\x01\xb4\0" + b"\xff" * 3, "k")
        assert sprite.wants(40)
        sprite.add(40, "vp8", b"", key(), "k")
        sprite.finish()

    assert [cue[:2] for cue in cues(store)] == [("00:00:00.000", "00:01:00.000")]


def test_without_a_thumbnail_there_is_an_index_without_cues(store: Store) -> None:
    (index,) = made(store, MINUTE, [])

    assert (index.name, store.shelf.data(f"t/{NAME}")) == (NAME, b"WEBVTT\n")


def test_the_same_key_frames_make_the_same_bytes(store: Store, tmp_path: Path) -> None:
    again = Store(Shelf(tmp_path / "again"), "t")
    files = [file.name for file in made(store, MINUTE, range(0, MINUTE, 10_000))]
    made(again, MINUTE, range(0, MINUTE, 10_000))

    assert [store.shelf.data(f"t/{name}") for name in files] == [
        again.shelf.data(f"t/{name}") for name in files
    ]
