"""A picture as planes, and as a JPEG."""

from dataclasses import dataclass
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

FORMAT = "yuvj420p"


@dataclass(frozen=True, slots=True)
class Picture:
    """Planes of luma and of both chromas at half the sides, rows without padding, values from 0 to 255.

    Both sides are even.
    """

    width: int
    height: int
    planes: bytes | bytearray

    def jpeg(self, quality: int) -> bytes:
        """The same bytes for the same picture. Quality 2 is the best, 31 the smallest."""
        encoder = av.CodecContext.create("mjpeg", "w")
        assert isinstance(encoder, VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = self.width, self.height, FORMAT
        encoder.time_base, encoder.thread_count = Fraction(1, 1), 1
        encoder.options = {"qmin": str(quality), "qmax": str(quality)}
        return b"".join(bytes(packet) for packet in (*encoder.encode(self._frame()), *encoder.encode(None)))

    def _frame(self) -> VideoFrame:
        frame, at = VideoFrame(self.width, self.height, FORMAT), 0
        for plane, size in zip(frame.planes, plane_sizes(self.width, self.height), strict=True):
            width, height = size
            rows = memoryview(self.planes)[at : at + width * height]
            plane.update(_padded(rows, width, plane.line_size))
            at += width * height
        frame.pts, frame.time_base = 0, Fraction(1, 1)
        return frame


def plane_sizes(width: int, height: int) -> tuple[tuple[int, int], ...]:
    """Width and height of each plane."""
    return (width, height), (width // 2, height // 2), (width // 2, height // 2)


def _padded(rows: memoryview, width: int, line_size: int) -> bytes:
    """Rows as long as FFmpeg has them."""
    if line_size == width:
        return bytes(rows)
    padding = bytes(line_size - width)
    return b"".join(bytes(rows[at : at + width]) + padding for at in range(0, len(rows), width))
