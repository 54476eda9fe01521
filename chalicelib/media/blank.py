"""Black pictures as packets, for the holes of a video track: of its codec and size, never decoded here.

A key frame, and frames after it that change nothing. They are made by the codec's own encoder, on one thread,
so that the same size gives the same bytes.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, wraps

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

# Larger pictures are not worth the memory.
_MAX_PIXELS = 3840 * 2160

# Y, U and V of black, in the range that video has.
_BLACK = (16, 128, 128)


@dataclass(frozen=True, slots=True)
class Blank:
    """A black key frame, and what may follow it, in order; the last of them as often as one likes."""

    frames: tuple[bytes, ...]

    def __getitem__(self, place: int) -> bytes:
        """The frame at this place behind the key frame, which is at 0."""
        return self.frames[min(place, len(self.frames) - 1)]


@dataclass(frozen=True, slots=True)
class _Encoder:
    """Which encoder, how it is told to be quick, and how many frames have to be made."""

    name: str
    options: dict[str, str]
    frames: int = 2


_ENCODERS = {
    # Error resilience: a frame builds on no more than the picture before it, so one can be repeated.
    "vp8": _Encoder(
        "libvpx",
        {
            "deadline": "realtime",
            "cpu-used": "-16",
            "lag-in-frames": "0",
            "qmax": "4",
            "b": "100k",
            "error-resilient": "1",
            "auto-alt-ref": "0",
        },
    ),
    "vp9": _Encoder(
        "libvpx-vp9",
        {
            "deadline": "realtime",
            "cpu-used": "8",
            "lag-in-frames": "0",
            "qmax": "20",
            "b": "100k",
            "error-resilient": "1",
        },
    ),
    "av1": _Encoder("libsvtav1", {"preset": "12", "crf": "30", "svtav1-params": "lp=1:pred-struct=1"}),
    # H.264 numbers its frames. Its parameter sets travel in the key frame, under a number that nobody's
    # camera uses: the stream's own, which stand in the file's front, stay as they are.
    "h264": _Encoder(
        "libx264",
        {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "profile": "baseline",
            "x264-params": "sps-id=31:repeat-headers=1:crf=20",
        },
        frames=10,
    ),
}

# Frames a second, as H.264 says it of itself; FFmpeg goes by that.
RATE = 60


@lru_cache(maxsize=32)
def blank(codec: str, width: int, height: int) -> Blank | None:
    """Black of this size, H.264 with lengths of four bytes; None where the codec or its encoder has none."""
    encoder = _ENCODERS.get(codec)
    if encoder is None or not 0 < width * height <= _MAX_PIXELS:
        return None
    try:
        packets = _encoded(encoder, width, height)
    except (FFmpegError, ValueError):  # as of a size that is odd
        return None
    return Blank(tuple(_SPELLED[codec](packet) if codec in _SPELLED else packet for packet in packets))


def apart[**P, T](work: Callable[P, T]) -> Callable[P, T]:
    """Work on a thread that ends with it.

    Where SVT-AV1 runs as root, the thread that opens it gets the highest real-time priority and keeps it, and
    so does whatever that thread starts: such a process takes the whole machine.
    """

    @wraps(work)
    def on_a_thread(*args: P.args, **named: P.kwargs) -> T:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(work, *args, **named).result()

    return on_a_thread


@apart
def _encoded(encoder: _Encoder, width: int, height: int) -> list[bytes]:
    context = av.CodecContext.create(encoder.name, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, RATE), Fraction(RATE)
    context.thread_count, context.gop_size, context.options = 1, 10_000, encoder.options
    picture = _black(width, height)
    packets = []
    for place in range(encoder.frames):
        picture.pts, picture.time_base = place, Fraction(1, RATE)
        packets += context.encode(picture)
    return [bytes(packet) for packet in [*packets, *context.encode(None)]]


def _black(width: int, height: int) -> VideoFrame:
    picture = VideoFrame(width, height, "yuv420p")
    for plane, value in zip(picture.planes, _BLACK, strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return picture


def _without_delimiter(packet: bytes) -> bytes:
    """AV1 in Matroska has no temporal delimiters."""
    return packet.removeprefix(b"\x12\x00")


_START = b"\x00\x00\x01"
_SEI, _DELIMITER = 6, 9


def _with_lengths(packet: bytes) -> bytes:
    """H.264 in Matroska has lengths instead of start codes; what is said to nobody is left out."""
    units = [unit.rstrip(b"\0") for unit in packet.split(_START) if unit.rstrip(b"\0")]
    kept = [unit for unit in units if unit[0] & 31 not in (_SEI, _DELIMITER)]
    return b"".join(len(unit).to_bytes(4) + unit for unit in kept)


_SPELLED = {"av1": _without_delimiter, "h264": _with_lengths}
