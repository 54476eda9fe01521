"""A still of a video segment: its first key frame as a JPEG.

Our own reader finds the frame, so FFmpeg's demuxers, which follow other files' names, never see the bytes.
Its decoder gets one frame, on one thread, of a size that was checked before.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from chalicelib.core.scan import NotRecording
from chalicelib.media.codecs import KEY_SIZE
from chalicelib.media.matroska import Recording, Track

# The first key frame comes early or, in a segment that is worth a still, not at all.
MAX_BYTES = 64 << 20

# The largest picture that is decoded, and the box that the still is made to fit.
MAX_PIXELS = 3840 * 2160
_BOX = (1280, 720)

_DECODERS = {"vp8": "vp8", "vp9": "vp9", "h264": "h264", "av1": "libdav1d"}
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Poster:
    """A JPEG and its size."""

    jpeg: bytes
    width: int
    height: int


def poster(chunks: Iterable[bytes], max_bytes: int = MAX_BYTES) -> Poster:
    """A still of the first key frame that decodes; `NotRecording` when none of the first `max_bytes` does.

    No more chunks are drawn than are needed for that.
    """
    recording = Recording(_first(chunks, max_bytes))
    track = recording.open()
    if track.kind != "video":
        raise NotRecording("undecodable", "sound has no picture")
    for frame in islice(_keys(recording, track), _TRIES):
        picture = _decoded(track, frame)
        if picture is not None:
            return _still(picture)
    raise NotRecording("undecodable", f"no key frame in the first {max_bytes} bytes can be decoded")


def _first(chunks: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    left = max_bytes
    for chunk in chunks:
        yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            return


def _keys(recording: Recording, track: Track) -> Iterator[bytes]:
    """The key frames, by their own word where they have one, that are not too large."""
    read_size = KEY_SIZE.get(track.codec)
    for _, marked, frame, _ in recording.packets():
        if read_size is None:
            if marked:
                yield frame
        elif (size := read_size(frame)) and 0 < size[0] * size[1] <= MAX_PIXELS:
            yield frame


def _decoded(track: Track, frame: bytes) -> VideoFrame | None:
    decoder = av.CodecContext.create(_DECODERS[track.codec], "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.thread_count = 1
    # H.264 and AV1 tell their size inside: there the decoder itself has to refuse.
    decoder.options = {"max_pixels": str(MAX_PIXELS)}
    if track.private and track.codec in ("h264", "av1"):
        decoder.extradata = track.private
    try:
        pictures = [*decoder.decode(av.Packet(frame)), *decoder.decode(None)]
    except (FFmpegError, ValueError, MemoryError):
        return None
    return pictures[0] if pictures else None


def _still(picture: VideoFrame) -> Poster:
    width, height = _fitting(picture.width, picture.height)
    scaled = picture.reformat(width, height, "yuvj420p")
    # The encoder takes no frame that comes with a decoder's clock.
    scaled.pts, scaled.time_base = 0, Fraction(1, 1)
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base, encoder.thread_count = Fraction(1, 1), 1
    encoder.options = {"qmin": "3", "qmax": "3"}
    jpeg = b"".join(bytes(packet) for packet in (*encoder.encode(scaled), *encoder.encode(None)))
    return Poster(jpeg, width, height)


def _fitting(width: int, height: int) -> tuple[int, int]:
    """The size in the box, never larger than it is, of even sides."""
    part = min(Fraction(_BOX[0], width), Fraction(_BOX[1], height), Fraction(1))
    return max(2, int(width * part) // 2 * 2), max(2, int(height * part) // 2 * 2)
