"""Black pictures: real decoders show them, as often as one likes."""

import os

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext

from chalicelib.media.blank import Blank, blank

DECODERS = {"vp8": ("vp8", "libvpx"), "vp9": ("vp9", "libvpx-vp9"), "av1": ("libdav1d",), "h264": ("h264",)}
# What H.264 calls its configuration: lengths of four bytes, and no parameter sets.
WITH_LENGTHS = b"\x01\x42\xc0\x1e\xff\xe0\x00"


def decoded(decoder: str, frames: list[bytes]) -> list[tuple[int, int, set[int]]]:
    """Width, height and all the brightness that there is, of each picture."""
    context = av.CodecContext.create(decoder, "r")
    assert isinstance(context, VideoCodecContext)
    context.thread_count = 1
    if decoder == "h264":
        context.extradata = WITH_LENGTHS
    pictures = [picture for frame in frames for picture in context.decode(av.Packet(frame))]
    return [
        (picture.width, picture.height, {int(y) for y in np.unique(picture.to_ndarray()[: picture.height])})
        for picture in [*pictures, *context.decode(None)]
    ]


def made(codec: str, width: int, height: int) -> Blank:
    found = blank(codec, width, height)
    assert found is not None
    return found


@pytest.mark.parametrize(("width", "height"), [(320, 180), (64, 48), (16, 16), (322, 242)])
@pytest.mark.parametrize(
    ("codec", "decoder"), [(codec, decoder) for codec, found in DECODERS.items() for decoder in found]
)
def test_a_key_frame_and_any_number_of_repeats_are_black(
    codec: str, decoder: str, width: int, height: int
) -> None:
    black = made(codec, width, height)

    pictures = decoded(decoder, [black[place] for _ in range(2) for place in range(35)])

    assert len(pictures) == 70
    # VP9 is a step of 219 off in places.
    assert all(shown[:2] == (width, height) and shown[2] <= {16, 17} for shown in pictures)


@pytest.mark.parametrize("codec", DECODERS)
def test_a_size_has_the_same_bytes_each_time(codec: str) -> None:
    first = made(codec, 320, 180)
    blank.cache_clear()

    assert made(codec, 320, 180) == first


@pytest.mark.parametrize("codec", DECODERS)
def test_no_encoder_leaves_its_priority_behind(codec: str) -> None:
    blank.cache_clear()

    made(codec, 320, 180)

    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.mark.parametrize("codec", DECODERS)
def test_black_takes_next_to_no_room(codec: str) -> None:
    black = made(codec, 640, 360)

    assert len(black[0]) < 1_500
    assert len(black[1]) < 150


NONE = [("h264", 321, 241), ("vp8", 16_383, 16_383), ("vp8", 0, 0), ("opus", 320, 180)]


@pytest.mark.parametrize(("codec", "width", "height"), NONE)
def test_where_there_is_no_black_nothing_is_made_up(codec: str, width: int, height: int) -> None:
    assert blank(codec, width, height) is None
