"""Media that looks and sounds like people: loops of faces, slides and speech, peaks and pictures of them.

A loop is encoded once, and its packets are written again and again, so an hour costs as little as a minute.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from chalicelib.media.jpeg import Picture, plane_sizes
from chalicelib.media.sound.peaks import SAMPLES_PER_PIXEL, Peaks

RATE = 48_000
PACKET_MS = 20
PAIR_MS = 1000 * SAMPLES_PER_PIXEL // RATE
SPEECH_MS = 61_000
MOOD = 700  # so long, in hundredths of a second, somebody speaks as loudly
SCENE_MS = 7_000
FPS = 10
CELL = (160, 90)
APART_MS = 10_000

type Array = NDArray[np.float32]
type Span = tuple[int, int]
type Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Look:
    """How somebody appears before a camera: the room's two colours, shirt, skin and hair."""

    near: Colour
    far: Colour
    shirt: Colour
    skin: Colour
    hair: Colour
    seed: int = 0


LOOKS = (
    Look((66, 88, 120), (186, 202, 214), (235, 232, 224), (196, 142, 108), (48, 34, 28), 1),
    Look((60, 84, 70), (206, 200, 176), (44, 66, 92), (236, 196, 168), (168, 122, 72), 2),
    Look((112, 72, 62), (226, 190, 160), (150, 60, 54), (126, 84, 62), (28, 22, 22), 3),
    Look((74, 66, 104), (190, 182, 214), (84, 92, 70), (222, 176, 146), (92, 54, 38), 4),
    Look((40, 74, 84), (166, 206, 204), (214, 168, 84), (172, 122, 92), (34, 28, 30), 5),
    Look((92, 86, 78), (222, 216, 204), (104, 112, 148), (240, 206, 184), (196, 194, 190), 6),
)


# --- sound --------------------------------------------------------------------------------------------


@cache
def speech(seed: int) -> NDArray[np.int16]:
    """A loop of somebody talking, as samples: phrases of syllables, and breaths between them."""
    chance = np.random.default_rng(seed)
    loudness = np.repeat(_phrases(chance), RATE // 100)
    clock = np.arange(len(loudness), dtype=np.float32) / RATE
    pitch = 2 * math.pi * np.cumsum((110 + 25 * (seed % 4)) * (1 + 0.06 * np.sin(2.1 * clock))) / RATE
    tone = sum(np.sin(part * pitch) / part**1.3 for part in range(1, 9))
    return np.asarray(loudness * tone * 9_000, np.int16)


def _phrases(chance: np.random.Generator) -> Array:
    """How loud each 10 ms of the loop is."""
    told = np.zeros(SPEECH_MS // 10, np.float32)
    moods = chance.uniform(0.12, 1, len(told) // MOOD + 1)
    at = int(chance.integers(0, 60))
    while at < len(told):
        lasts = int(chance.integers(70, 380))
        beat = np.arange(lasts) * chance.uniform(0.035, 0.055) + chance.uniform(0, 1)
        syllables = np.abs(np.sin(math.pi * beat)) ** 1.5 * chance.uniform(0.5, 1, lasts)
        swell = np.sin(math.pi * np.linspace(0.08, 0.98, lasts)) ** 0.5 * moods[at // MOOD]
        told[at : at + lasts] = (syllables * swell)[: len(told) - at]
        at += lasts + int(chance.integers(15, 320))
    return told


def voice(path: Path, lasts: int, seed: int, begin: int = 0) -> None:
    """An Opus WebM of that speech, beginning so many milliseconds into the loop."""
    samples = np.roll(speech(seed), -begin * RATE // 1000).tobytes()
    size = 2 * RATE * PACKET_MS // 1000
    with av.open(str(path), "w", format="webm") as file:
        stream = file.add_stream("libopus", rate=RATE)
        stream.layout, stream.bit_rate = "mono", 24_000
        frames = (samples[at : at + size] for at in range(0, len(samples), size))
        _loop(file, stream, [_heard(body, index) for index, body in enumerate(frames)], lasts, PACKET_MS)


def _heard(body: bytes, index: int) -> av.AudioFrame:
    frame = av.AudioFrame("s16", "mono", RATE * PACKET_MS // 1000)
    frame.planes[0].update(body)
    frame.rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), index * frame.samples
    return frame


def peaks(path: Path, lasts: int, said: Iterable[tuple[Span, int]], seed: int) -> None:
    """The waveform of a track of that speech; each span says where in the loop it begins."""
    loop = _pairs(seed)
    pairs = np.zeros((-(-lasts // PAIR_MS), 2), np.int8)
    for (start, end), begin in said:
        first, last = start // PAIR_MS, min(end // PAIR_MS, len(pairs))
        pairs[first:last] = loop[(np.arange(last - first) + begin // PAIR_MS) % len(loop)]
    head = np.array([2, 1, RATE, SAMPLES_PER_PIXEL, len(pairs), 1], "<i4").tobytes()
    path.write_bytes(head + pairs.tobytes())


@cache
def _pairs(seed: int) -> NDArray[np.int8]:
    """The loop's peaks, by what makes them for real."""
    told = Peaks()
    told.add(speech(seed).reshape(-1, 1))
    return np.frombuffer(told.dat()[24:], np.int8).reshape(-1, 2)


# --- pictures -----------------------------------------------------------------------------------------


@cache
def scene(look: Look | None, size: tuple[int, int]) -> list[av.VideoFrame]:
    """A loop of somebody before a camera; without a look, of slides."""
    count, half = SCENE_MS * FPS // 1000, (size[0] // 2, size[1] // 2)  # soft shapes bear to be doubled
    found = []
    for index in range(count):
        turn = index / count
        rgb = (face(turn, half, look) if look else slide(turn, half)).astype(np.uint8)
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(*size, format="yuv420p")
        frame.pts, frame.time_base = index * 1000 // FPS, Fraction(1, 1000)
        found.append(frame)
    return found


def picture(path: Path, lasts: int, look: Look | None, size: tuple[int, int]) -> None:
    """A VP8 WebM of that scene."""
    with av.open(str(path), "w", format="webm") as file:
        stream = file.add_stream("libvpx", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.bit_rate, stream.gop_size = 400 * size[0], 2 * FPS
        stream.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
        stream.codec_context.time_base = Fraction(1, 1000)
        _loop(file, stream, scene(look, size), lasts, 1000 // FPS)


def _loop(file: Any, stream: Any, frames: Iterable[Any], lasts: int, step: int) -> None:
    """Encode these frames once and write them until it lasts so long."""
    packets = [packet for frame in (*frames, None) for packet in stream.encode(frame)]
    bodies = [(bytes(packet), packet.is_keyframe) for packet in packets]
    for index, at in enumerate(range(0, lasts, step)):
        body, key = bodies[index % len(bodies)]
        packet = av.Packet(body)
        packet.stream, packet.time_base = stream, Fraction(1, 1000)
        packet.pts = packet.dts = at
        packet.is_keyframe = key
        file.mux(packet)


def face(turn: float, size: tuple[int, int], look: Look) -> Array:
    """Head and shoulders, softly lit, moving a little."""
    x, y = _grid(size)
    way = 2 * math.pi * (turn + look.seed / 7)
    sway, nod = 0.025 * math.sin(way), 0.012 * math.sin(3 * way)
    canvas = _between(look.near, look.far, np.clip(0.75 - y * 0.8 + x * 0.35, 0, 1))
    _blend(canvas, (0.55, 0.5, 0.45), _oval(x, y, (-0.85, 0.2), (0.34, 0.5), 0.3) * 0.25, light=True)
    _blend(canvas, look.shirt, _oval(x, y, (sway * 0.5, 1.08), (0.6, 0.42), 0.03))
    _blend(canvas, _darker(look.skin), _oval(x, y, (sway * 0.8, 0.66), (0.12, 0.16), 0.04))
    _blend(canvas, look.hair, _oval(x, y, (sway, 0.37 + nod), (0.245, 0.28), 0.03))
    _blend(canvas, look.skin, _oval(x, y, (sway * 1.15, 0.45 + nod), (0.19, 0.235), 0.03))
    shade = np.clip(1.04 - 0.22 * (x - sway + 0.2), 0.7, 1.1) * (1 - 0.1 * (x**2 + (y - 0.5) ** 2))
    canvas *= shade[..., None]
    return canvas.clip(0, 255)


def slide(turn: float, size: tuple[int, int]) -> Array:
    """A slide with bars that grow and a pointer that wanders."""
    x, y = _grid(size)
    x *= size[1] / size[0]
    x += 0.5
    canvas = _between((250, 250, 248), (240, 241, 244), y)
    for left, top, width, colour in _WORDS:
        _blend(canvas, colour, _box(x, y, (left, top), (left + width, top + 0.035)))
    for index, height in enumerate((0.2, 0.32, 0.28, 0.44, 0.52, 0.6)):
        grown = height * (0.85 + 0.15 * math.sin(2 * math.pi * turn + index))
        left = 0.5 + index * 0.073
        colour = (70, 116, 220) if index == 4 else (176, 196, 238)
        _blend(canvas, colour, _box(x, y, (left, 0.86 - grown), (left + 0.05, 0.86)))
    _blend(canvas, (120, 124, 132), _box(x, y, (0.48, 0.86), (0.95, 0.866)))
    spot = (0.7 + 0.1 * math.cos(2 * math.pi * turn), 0.5 + 0.12 * math.sin(2 * math.pi * turn))
    _blend(canvas, (228, 88, 70), _oval(x, y, spot, (0.012, 0.021), 0.2))
    return canvas.clip(0, 255)


_DARK, _PALE = (52, 56, 66), (186, 190, 198)
_WORDS = (
    (0.06, 0.1, 0.34, _DARK),
    (0.06, 0.16, 0.22, _DARK),
    *((0.06, 0.34 + 0.075 * row, width, _PALE) for row, width in enumerate((0.32, 0.36, 0.28, 0.34, 0.2))),
)


def _grid(size: tuple[int, int]) -> tuple[Array, Array]:
    """Each pixel's place: y from 0 to 1, x in the same unit with 0 in the middle."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    return x - width / height / 2, y


def _oval(x: Array, y: Array, middle: Sequence[float], radius: Sequence[float], soft: float) -> Array:
    far = np.sqrt(((x - middle[0]) / radius[0]) ** 2 + ((y - middle[1]) / radius[1]) ** 2)
    return np.clip((1 + soft - far) / (2 * soft), 0, 1)


def _box(x: Array, y: Array, first: Sequence[float], last: Sequence[float]) -> Array:
    return ((first[0] <= x) & (x < last[0]) & (first[1] <= y) & (y < last[1])).astype(np.float32)


def _between(one: Sequence[float], other: Sequence[float], share: Array) -> Array:
    part = share[..., None]
    return np.asarray(one, np.float32) * (1 - part) + np.asarray(other, np.float32) * part


def _darker(colour: Colour) -> tuple[float, ...]:
    return tuple(part * 0.82 for part in colour)


def _blend(canvas: Array, colour: Sequence[float], mask: Array, *, light: bool = False) -> None:
    part = mask[..., None]
    target = canvas + 255 * np.asarray(colour, np.float32) if light else np.asarray(colour, np.float32)
    canvas[...] = canvas * (1 - part) + target * part


# --- pictures of pictures -----------------------------------------------------------------------------


def poster(path: Path, look: Look | None, size: tuple[int, int]) -> None:
    """The scene's first frame, as a JPEG."""
    frame = scene(look, size)[0]
    path.write_bytes(Picture(*size, b"".join(_planes(frame))).jpeg(5))


def _planes(frame: av.VideoFrame) -> list[bytes]:
    """As a JPEG has them."""
    planes = frame.reformat(format="yuvj420p").planes
    rows = [np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size) for plane in planes]
    return [found[:, : plane.width].tobytes() for found, plane in zip(rows, planes, strict=True)]


def sprite(index: Path, sheets: Path, shown: Sequence[Span], look: Look | None) -> None:
    """Thumbnails every ten seconds on one sheet, as `media/sprite.py` lays them: all show the loop."""
    cells, cues = scene(look, CELL)[::FPS], ["WEBVTT\n"]
    for start, end in shown:
        for number, at in enumerate(range(start, end, APART_MS)):
            x = number % len(cells) * CELL[0]
            until = min(at + APART_MS, end)
            cues.append(f"{_clock(at)} --> {_clock(until)}\n{sheets.name}#xywh={x},0,{CELL[0]},{CELL[1]}\n")
    index.write_text("\n".join(cues))
    planes = []
    for (width, height), *each in zip(plane_sizes(*CELL), *map(_planes, cells), strict=True):
        rows = [np.frombuffer(plane, np.uint8).reshape(height, width) for plane in each]
        planes.append(np.hstack(rows).tobytes())
    sheets.write_bytes(Picture(CELL[0] * len(cells), CELL[1], b"".join(planes)).jpeg(5))


def _clock(ms: int) -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"
