"""What the participants are seen and heard doing, so that sync can be seen and heard, and measured.

On every full second of the session everybody beeps for 100 ms, each at an own pitch, and every picture
flashes white; on every fifth second the beep is an octave higher. A bar along the bottom fills in five
seconds. Between the beeps, participants hum for three seconds and are silent for two; silence is sent as
DTX does, one packet in 400 ms. Pictures begin small and grow at the next full second, as a simulcast
receiver's do, and their frame rate varies. Nobody has seen what the real recorder does with codecs and
sizes: VP8 and Opus are what publishers send by default [D docs, call-quality/video-codecs].

A loop of five seconds is encoded once for each voice and layer; segments are cut from its packets.
"""

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import av
from av.video.frame import PictureType

from local.videosdk.webm import Frame, Picture, Sound, muxed

LOOP_MS = 5_000
BEEP_MS = 100
PACKET_MS = 20
RATE = 48_000

# How many voices and colours there are; the thirteenth participant sounds like the first.
VOICES = 12

_COMFORT_MS = 400
_HUM_MS = 3_000
# libopus delays by this many samples; the loop is encoded so much earlier and needs no pre-skip.
_OPUS_DELAY = 312
_WARM_UP_MS = 200


@dataclass(frozen=True, slots=True)
class Layers:
    """What a camera or a screen sends: small, then large, at most so many frames a second."""

    small: Picture
    large: Picture
    fps: int


LAYERS = {
    "video": Layers(Picture(320, 180), Picture(640, 360), 15),
    "screen_video": Layers(Picture(480, 270), Picture(960, 540), 5),
}

_JITTER_MS = (4, -7, 9, -3, 0, 6, -9)
_FROZEN_MS = range(3_300, 3_700)


def segment(kind: str, voice: int, start: int, end: int) -> bytes:
    """The file of a segment from `start` to `end` of the session; empty when too short for a packet."""
    if kind in LAYERS:
        layers = LAYERS[kind]
        frames = list(_moved(_pictures(layers, voice, start, end), start))
        return muxed(layers.small, frames) if frames else b""
    frames = list(_moved(_sounds(kind, voice, start, end), start))
    return muxed(Sound(), frames) if frames else b""


def resolution(kind: str, start: int, end: int) -> Picture | None:
    """The size in which a segment ends; None for sound."""
    if kind not in LAYERS:
        return None
    return LAYERS[kind].large if end > _grows_at(start) else LAYERS[kind].small


def _grows_at(start: int) -> int:
    """The first full second after the small layer was seen for one."""
    return math.ceil(start / 1_000) * 1_000 + 1_000


def _moved(frames: Iterator[Frame], start: int) -> Iterator[Frame]:
    return (Frame(frame.at - start, frame.key, frame.coded) for frame in frames)


def _pictures(layers: Layers, voice: int, start: int, end: int) -> Iterator[Frame]:
    grows_at = _grows_at(start)
    small = _coded_pictures(layers.small, layers.fps, voice % VOICES, keys_only=True)
    yield from _between(small, start, min(end, grows_at))
    large = _coded_pictures(layers.large, layers.fps, voice % VOICES, keys_only=False)
    yield from _between(large, grows_at, end)


def _sounds(kind: str, voice: int, start: int, end: int) -> Iterator[Frame]:
    spoken = list(_between(_coded_sounds(_pitch(kind, voice % VOICES)), start, end - PACKET_MS + 1))
    ends = {0, len(spoken) - 1}
    return (frame for i, frame in enumerate(spoken) if i in ends or not _unsent(frame.at))


def _unsent(at: int) -> bool:
    """Whether DTX leaves this packet out. The coder's memory needs a few packets before each beep."""
    beeping = at % 1_000 < 2 * BEEP_MS or at % 1_000 >= 1_000 - 2 * BEEP_MS
    return at % LOOP_MS >= _HUM_MS and not beeping and at % _COMFORT_MS != 0


def _between(loop: tuple[Frame, ...], start: int, end: int) -> Iterator[Frame]:
    """The endless loop's packets with start <= at < end, on the session's clock."""
    for turn in range(start // LOOP_MS, end // LOOP_MS + 1):
        for frame in loop:
            at = turn * LOOP_MS + frame.at
            if start <= at < end:
                yield Frame(at, frame.key, frame.coded)


# --- sound ----------------------------------------------------------------------------------------


def _pitch(kind: str, voice: int) -> float:
    """Two semitones between neighbours; what a screen plays is a fifth above its owner."""
    return 330 * 2 ** (voice / 6) * (1.5 if kind == "screen_audio" else 1)


@cache
def _coded_sounds(pitch: float) -> tuple[Frame, ...]:
    coder = av.AudioCodecContext.create("libopus", "w")
    coder.sample_rate, coder.layout, coder.format = RATE, "mono", "s16"
    coder.bit_rate = 32_000
    coder.options = {"application": "audio", "frame_duration": str(PACKET_MS)}
    wave = _wave(pitch)
    size = RATE * PACKET_MS // 1_000
    coded: list[bytes] = []
    for first in range(0, len(wave), size):
        frame = av.AudioFrame("s16", "mono", size)
        frame.sample_rate, frame.pts, frame.time_base = RATE, first, Fraction(1, RATE)
        frame.planes[0].update(wave[first : first + size].tobytes())
        coded += map(bytes, coder.encode(frame))
    wanted = coded[_WARM_UP_MS // PACKET_MS :][: LOOP_MS // PACKET_MS]
    return tuple(Frame(i * PACKET_MS, True, packet) for i, packet in enumerate(wanted))


def _wave(pitch: float) -> "array[int]":
    """The loop with some of its end before it, and a little of its beginning behind, to flush the coder."""
    first = -_WARM_UP_MS * RATE // 1_000 + _OPUS_DELAY
    last = LOOP_MS * RATE // 1_000 + RATE // 10
    last += -(last - first) % (RATE * PACKET_MS // 1_000)
    return array("h", (_sample(pitch, i % (LOOP_MS * RATE // 1_000)) for i in range(first, last)))


def _sample(pitch: float, i: int) -> int:
    in_second = i % RATE
    if in_second < RATE * BEEP_MS // 1_000:
        pitch *= 2 if i < RATE else 1
        return int(16_000 * math.sin(math.tau * pitch * i / RATE))
    humming = i < RATE * _HUM_MS // 1_000
    return int(1_600 * math.sin(math.tau * pitch / 2 * i / RATE)) if humming else 0


# --- pictures -------------------------------------------------------------------------------------


@cache
def _coded_pictures(size: Picture, fps: int, voice: int, *, keys_only: bool) -> tuple[Frame, ...]:
    coder = av.VideoCodecContext.create("libvpx", "w")
    coder.width, coder.height, coder.pix_fmt = size.width, size.height, "yuv420p"
    coder.time_base, coder.bit_rate = Fraction(1, 1_000), 600_000
    # Several threads wait for each other by spinning: on a busy machine that costs seconds.
    coder.thread_count = 1
    coder.options = {"deadline": "realtime", "cpu-used": "-16", "lag-in-frames": "0", "auto-alt-ref": "0"}
    coded: list[Frame] = []
    for at in _times(fps):
        frame = _painted(size, voice, at)
        frame.pts, frame.time_base = at, Fraction(1, 1_000)
        frame.pict_type = PictureType.I if keys_only or at % 1_000 == 0 else PictureType.NONE
        coded += (Frame(at, packet.is_keyframe, bytes(packet)) for packet in coder.encode(frame))
    return tuple(coded)


def _times(fps: int) -> Iterator[int]:
    """When the loop's frames are: exact on the full seconds, jittered between, some dropped, once frozen."""
    for i in range(fps * LOOP_MS // 1_000):
        at = i * 1_000 // fps
        if i % fps == 0:
            yield at
        elif i % 11 != 7 and at not in _FROZEN_MS:
            yield at + _JITTER_MS[i % len(_JITTER_MS)]


def _painted(size: Picture, voice: int, at: int) -> av.VideoFrame:
    frame = av.VideoFrame(size.width, size.height, "yuv420p")
    flash = at % 1_000 < BEEP_MS
    hue = math.tau * voice / VOICES
    _fill(frame, 0, 235 if flash else 60 + 8 * (voice % 5), bar=at)
    _fill(frame, 1, 128 if flash else int(128 + 70 * math.cos(hue)))
    _fill(frame, 2, 128 if flash else int(128 + 70 * math.sin(hue)))
    return frame


def _fill(frame: av.VideoFrame, plane_number: int, value: int, bar: int | None = None) -> None:
    """Fill a plane with a value, and the lowest sixth of it with the bar that tells the time in the loop."""
    plane = frame.planes[plane_number]
    row = bytes([value]) * plane.line_size
    if bar is None:
        plane.update(row * plane.height)
        return
    low = plane.height // 6
    filled = plane.width * bar // LOOP_MS
    ruler = (bytes([180]) * filled + bytes([16]) * plane.line_size)[: plane.line_size]
    plane.update(row * (plane.height - low) + ruler * low)
