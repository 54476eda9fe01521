"""Cameras for benchmarks: who is drawn moves before a room that keeps still, with a sensor's noise."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from tests.media.live import VP8, Sent, clusters, head, shifted
from tests.media.meeting import Segment
from tests.page import people
from tests.page.people import LOOKS, Look

CAMERA, RATE = (640, 360), 30
FACES, FILM_MS, DROPPED, NOISE = 4, 10_000, 0.15, 2.5


@dataclass(frozen=True)
class Filmed(Segment):
    """A camera's file with what a camera sees."""

    def chunks(self) -> Iterator[bytes]:
        """The file: ten seconds again and again."""
        yield head(replace(VP8, width=CAMERA[0], height=CAMERA[1]))
        film, lasts = filmed(LOOKS[self.number % FACES]), round(self.end - self.start)
        for at in range(0, lasts, FILM_MS):
            yield from clusters(shifted((one for one in film if one.at < lasts - at), at + self.first_ms))


@cache
def filmed(look: Look) -> list[Sent]:
    """Ten seconds of somebody, whose packets can be put one behind the other."""
    width, height = CAMERA
    chance = np.random.default_rng(look.seed)
    noise = [chance.normal(0, NOISE, (height, width)) for _ in range(7)]
    still = VideoFrame.from_ndarray(
        people.face(0.1, (width // 2, height // 2), look).astype(np.uint8), format="rgb24"
    )
    planes = still.reformat(width, height, "yuv420p").to_ndarray()
    encoder = av.CodecContext.create("libvpx", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.bit_rate = width, height, "yuv420p", 600_000
    encoder.time_base, encoder.gop_size, encoder.thread_count = Fraction(1, 1000), 3 * RATE, 1
    encoder.options = {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0"}
    found = []
    for number in range(FILM_MS * RATE // 1000):
        if number and chance.random() < DROPPED:
            continue
        frame = VideoFrame.from_ndarray(_moved(planes, number, noise[number % len(noise)]), format="yuv420p")
        frame.pts, frame.time_base = number * 1000 // RATE, Fraction(1, 1000)
        found += encoder.encode(frame)
    return [Sent(packet.pts or 0, packet.is_keyframe, bytes(packet)) for packet in found]


def _moved(
    planes: "np.ndarray[Any, Any]", number: int, noise: "np.ndarray[Any, Any]"
) -> "np.ndarray[Any, Any]":
    """The picture with its middle some pixels aside, which is where somebody sits."""
    width, height = CAMERA
    aside = 2 * round(6 * math.sin(2 * math.pi * number / (3 * RATE)))
    found = planes.copy()
    for top, bottom in ((0, height), (height, height * 3 // 2)):
        # Of chroma a row of U or V is half as long, and two are side by side.
        spans = [(0, width)] if top == 0 else [(0, width // 2), (width // 2, width)]
        for start, end in spans:
            long, by = end - start, aside * (end - start) // width
            first, last = start + long // 4, start + long * 3 // 4
            found[top:bottom, first:last] = planes[top:bottom, first - by : last - by]
    luma = found[:height]
    luma[:] = np.clip(luma + noise, 16, 235)
    return found
