"""Posters: a picture, or a refusal; never more decoded than was allowed."""

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
from av.video.frame import VideoFrame

from chalicelib.core.scan import NotRecording
from chalicelib.media.poster import Poster, poster
from tests.media.live import (
    OPUS,
    VP8,
    Sent,
    avcc,
    codec_of,
    lengths,
    live,
    opened,
    opus,
    pictures,
    repaired,
    video,
)


def shown(found: Poster) -> VideoFrame:
    """The picture in a JPEG."""
    with opened(io.BytesIO(found.jpeg), "jpeg_pipe") as read:
        return next(read.decode(video=0))


@pytest.mark.parametrize("name", ["vp8", "vp9", "h264", "av1"])
def test_a_poster_shows_the_first_key_frame(name: str) -> None:
    codec, packets = codec_of(name)
    _, file = repaired(live(codec, packets))

    found = poster([file])

    picture = shown(found)
    assert (found.width, found.height) == (picture.width, picture.height) == (320, 180)
    # The encoded brightness rises by 3 a column; a JPEG's range begins at 0, a video's at 16.
    row = bytes(picture.planes[0])[:80]
    assert all(abs(row[x] - (3 * x - 16) * 255 / 219) < 12 for x in range(8, 76))


def test_a_large_picture_is_made_to_fit() -> None:
    packets, _ = pictures("libvpx", width=1080, height=1920, frames=1)

    found = poster([live(VP8, packets)])

    assert (found.width, found.height) == (404, 720)


def test_frames_before_the_first_key_frame_are_passed_over() -> None:
    assert poster([live(VP8, video(60)[5:])]).width == 320


def test_no_more_is_read_than_is_needed() -> None:
    drawn = []

    def chunks() -> Iterator[bytes]:
        data = live(VP8, video(60))
        for at in range(0, len(data), 1000):
            drawn.append(at)
            yield data[at : at + 1000].ljust(100_000, b"\0") if at > 40_000 else data[at : at + 1000]

    assert poster(chunks()).width == 320
    assert drawn[-1] < 66_000


def sized(width: int, height: int) -> list[Sent]:
    """A key frame that claims another size."""
    key = bytearray(video(1)[0].data)
    key[6:10] = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    return [Sent(0, True, bytes(key))]


BROKEN = b"\x10\0\0\x9d\x01\x2a\x40\x01\xb4\0" + b"\xff" * 3

REFUSED: list[tuple[str, bytes, str]] = [
    ("sound", live(OPUS, opus(400)), "undecodable"),
    ("no key frame", live(VP8, video(60)[1:15]), "undecodable"),
    ("a picture too large to decode", live(VP8, sized(16_383, 16_383)), "undecodable"),
    ("key frames of garbage", live(VP8, [Sent(0, True, BROKEN)] * 9), "undecodable"),
    ("a list of other files", b"ffconcat version 1.0\nfile /etc/hostname\n", "not_webm"),
    ("nothing", b"", "empty"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "code"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_has_no_picture_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(NotRecording) as refusal:
        poster([data])

    assert refusal.value.code == code


def test_h264_too_large_to_decode_is_refused_by_its_decoder() -> None:
    (key, *_), extra = pictures("libx264", width=4096, height=2304, frames=1)
    codec = replace(codec_of("h264")[0], private=avcc(extra))

    with pytest.raises(NotRecording, match="undecodable"):
        poster([live(codec, [replace(key, data=lengths(key.data))])])


def test_nothing_behind_the_last_allowed_byte_is_looked_at() -> None:
    with pytest.raises(NotRecording, match="undecodable"):
        poster([live(VP8, video(60))], max_bytes=500)
