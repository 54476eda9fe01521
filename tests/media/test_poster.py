"""Posters: a picture, or a refusal; no more is read than that takes, nor decoded than was allowed."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from av.video.frame import VideoFrame

from chalicelib.core.ids import Kind
from chalicelib.core.scan import NotRecording
from chalicelib.core.step import Made, Output, Piece, Step, Track
from chalicelib.media.poster import make_poster
from tests.media.live import (
    OPUS,
    VP8,
    Sent,
    avcc,
    codec_of,
    indexed,
    lengths,
    live,
    opened,
    opus,
    pictures,
    video,
)
from tests.media.shelf import Shelf, Store

OUTPUT = Output("poster", "jpg", "poster.jpg", "p1", Kind.VIDEO, "k.webm")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Shelf(tmp_path), "t")


def made(store: Store, data: bytes, skip_ms: int = 0) -> list[Made]:
    """The poster of a delivered file, whose repaired one and index are on the shelf."""
    index, file = indexed(data)
    store.shelf.put("k.webm", file)
    store.shelf.put("k.json", index.encoded())
    store.shelf.bytes_read = 0
    piece = Piece("k.webm", "k.json", 7_000, 9_000, skip_ms)
    track = Track("p1", Kind.VIDEO, index.codec, (piece,))
    return make_poster(Step("poster", "s1", "t", 0, 7_000, 9_000, (track,), (OUTPUT,)), store)


def shown(store: Store) -> VideoFrame:
    """The picture in the JPEG that was made."""
    with opened(io.BytesIO(store.shelf.data("t/poster.jpg")), "jpeg_pipe") as read:
        return next(read.decode(video=0))


@pytest.mark.parametrize("name", ["vp8", "vp9", "h264", "av1"])
def test_a_poster_shows_the_first_key_frame(store: Store, name: str) -> None:
    codec, packets = codec_of(name)

    found = made(store, live(codec, packets))

    size = len(store.shelf.data("t/poster.jpg"))
    assert found == [Made(OUTPUT, "poster.jpg", "image/jpeg", size, 7_000, 9_000)]
    picture = shown(store)
    assert (picture.width, picture.height) == (320, 180)
    # The encoded brightness rises by 3 a column; a JPEG's range begins at 0, a video's at 16.
    row = bytes(picture.planes[0])[:80]
    assert all(abs(row[x] - (3 * x - 16) * 255 / 219) < 12 for x in range(8, 76))


def test_a_large_picture_is_made_to_fit(store: Store) -> None:
    packets, _ = pictures("libvpx", width=1080, height=1920, frames=1)

    made(store, live(VP8, packets))

    assert (shown(store).width, shown(store).height) == (404, 720)


def test_frames_before_the_first_key_frame_are_passed_over(store: Store) -> None:
    assert made(store, live(VP8, video(60)[5:]))


def test_what_comes_before_the_piece_begins_is_passed_over(store: Store) -> None:
    codec, packets = codec_of("vp8")
    later = [replace(packet, at=packet.at + 5_000) for packet in packets]

    with pytest.raises(NotRecording, match="undecodable"):
        made(store, live(codec, [*packets[:3], *later]), skip_ms=9_000)
    assert made(store, live(codec, [Sent(0, True, BROKEN), *later]), skip_ms=4_000)


def test_of_the_file_only_the_key_frame_itself_is_read(store: Store) -> None:
    data = live(VP8, video(60))
    index, _ = indexed(data)

    made(store, data)

    assert store.shelf.bytes_read == len(index.encoded()) + index.key_frames[0].size


def sized(width: int, height: int) -> list[Sent]:
    """A key frame that claims another size."""
    key = bytearray(video(1)[0].data)
    key[6:10] = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    return [Sent(0, True, bytes(key))]


BROKEN = b"\x10\0\0\x9d\x01\x2a\x40\x01\xb4\0" + b"\xff" * 3

REFUSED: list[tuple[str, bytes]] = [
    ("sound", live(OPUS, opus(400))),
    ("no key frame", live(VP8, video(60)[1:15])),
    ("a picture too large to decode", live(VP8, sized(16_383, 16_383))),
    ("key frames of garbage", live(VP8, [Sent(2000 * at, True, BROKEN) for at in range(9)])),
]  # fmt: skip


@pytest.mark.parametrize("data", [case[1] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_has_no_picture_is_refused(store: Store, data: bytes) -> None:
    with pytest.raises(NotRecording, match="undecodable"):
        made(store, data)


def test_of_garbage_no_more_than_a_few_key_frames_are_tried(store: Store) -> None:
    garbage = live(VP8, [Sent(2000 * at, True, BROKEN) for at in range(40)])
    with pytest.raises(NotRecording, match="undecodable"):
        made(store, garbage)

    assert store.shelf.bytes_read == len(indexed(garbage)[0].encoded()) + 5 * len(BROKEN)


def test_h264_too_large_to_decode_is_refused_by_its_decoder(store: Store) -> None:
    (key, *_), extra = pictures("libx264", width=4096, height=2304, frames=1)
    codec = replace(codec_of("h264")[0], private=avcc(extra))

    with pytest.raises(NotRecording, match="undecodable"):
        made(store, live(codec, [replace(key, data=lengths(key.data))]))
