"""Media that can be measured: a beep and a flash at every whole second of the session clock."""

import math
from array import array
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

RATE = 48_000
FRAME_MS = 20
BEEP_MS = 60
FLASH_MS = 120
FPS = 15

_SILENCE = array("h", [0] * (RATE * FRAME_MS // 1000)).tobytes()
_TONE = array(
    "h", [int(16_000 * math.sin(2 * math.pi * 1000 * n / RATE)) for n in range(RATE * FRAME_MS // 1000)]
).tobytes()


def voice(path: Path, start: int, end: int) -> None:
    """An Opus WebM of a stretch of the session clock; `start` is a multiple of 20 ms."""
    with av.open(str(path), "w", format="webm") as file:
        stream = file.add_stream("libopus", rate=RATE)
        stream.layout = "mono"
        for index, at in enumerate(range(start, end, FRAME_MS)):
            frame = av.AudioFrame("s16", "mono", RATE * FRAME_MS // 1000)
            frame.planes[0].update(_TONE if at % 1000 < BEEP_MS else _SILENCE)
            frame.rate, frame.time_base = RATE, Fraction(1, RATE)
            frame.pts = index * RATE * FRAME_MS // 1000
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def picture(path: Path, start: int, end: int, size: tuple[int, int], colour: tuple[int, int]) -> None:
    """A VP8 WebM of a stretch of the session clock, in one colour, that flashes white."""
    width, height = size
    with av.open(str(path), "w", format="webm") as file:
        stream = file.add_stream("libvpx", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.bit_rate, stream.gop_size = 200_000, FPS
        stream.options = {"deadline": "realtime", "cpu-used": "16", "lag-in-frames": "0"}
        stream.codec_context.time_base = Fraction(1, 1000)
        for at, luma in _scene(start, end, width, height):
            frame = av.VideoFrame(width, height, "yuv420p")
            for plane, content in zip(frame.planes, _planes(luma, colour, width, height), strict=True):
                plane.update(_padded(content, plane.width, plane.line_size))
            frame.pts, frame.time_base = at - start, Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def _scene(start: int, end: int, width: int, height: int) -> Iterator[tuple[int, bytes]]:
    """Each frame's time and brightness: a light falls from above, and a bar crosses in two seconds."""
    rows = [90 - 50 * y // height for y in range(height)]
    for index in range((end - start) * FPS // 1000):
        at = start + index * 1000 // FPS
        if at % 1000 < FLASH_MS:
            yield at, bytes([235]) * (width * height)
            continue
        x = (at % 2000) * (width - 4) // 2000
        yield at, b"".join(bytes([y]) * x + bytes([y + 30]) * 4 + bytes([y]) * (width - x - 4) for y in rows)


def _planes(luma: bytes, colour: tuple[int, int], width: int, height: int) -> list[bytes]:
    return [luma, *(bytes([tint]) * (width * height // 4) for tint in colour)]


def _padded(content: bytes, width: int, line: int) -> bytes:
    if width == line:
        return content
    rows = (content[at : at + width] for at in range(0, len(content), width))
    return b"".join(row + bytes(line - width) for row in rows)
