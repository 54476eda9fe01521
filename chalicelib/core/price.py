"""What a composition takes and costs: reckoned before anything runs, and added up when it is over.

Dollars are list prices of us-east-1 (arm64, November 2026) of Lambda, Step Functions and S3's requests; what
an account gets for nothing is not taken off. What an attempt that failed has cost is not known, and left out.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chalicelib.core import events as e
from chalicelib.core.chunks import Chunk, Picture
from chalicelib.core.ids import Kind
from chalicelib.core.scenes import Scene, Video

# The size of each repaired file's pictures, as (width, height).
type Sizes = Mapping[str, tuple[int, int]]

GB_SECOND = 0.0000133334
INVOCATION = 0.20 / 1e6
TRANSITION = 25 / 1e6
PUT, GET = 0.005 / 1e3, 0.0004 / 1e3
TRANSITIONS = 21  # of an hour's execution without its chunks
CHUNK_TRANSITIONS = 3  # a chunk's child execution starts, renders and ends
CHUNK_PUTS, VIDEO_GETS = 3, 2  # the chunk, its stream segment, its result; an index and some bytes

# Nanoseconds of one core per pixel, and those that each decoded picture takes whatever its size; measured by
# `bench/fleet.py` on the machine that the README tells of.
DECODED = {"vp8": 1.6, "vp9": 2.1, "av1": 2.1, "h264": 1.6}
DECODED_EACH = 0.45e6
SCALED = 1.6


class _Encoded(NamedTuple):
    """Of a picture that moves, and of what lies still around it."""

    moving: float
    still: float


ENCODED = {"ultrafast": _Encoded(1.9, 1.5), "veryfast": _Encoded(5.3, 2.8)}
RATES = {Kind.VIDEO: 30, Kind.SCREEN_VIDEO: 5}  # pictures per second that a camera and a screen send
USUAL_SIZE = (1280, 720)  # of a source whose size nobody knows

VCPU_MB = 1_769  # memory with which Lambda gives one whole processor
SLOWER = 1.25  # that, than the machine of the measurements
START_S = 1.6  # a function that was not there before, and its imports
FETCH_S = 0.1  # what a chunk shows of one segment, from S3
RAMP = 100  # functions that may start in a second: Lambda gives 1,000 each 10 s
PLAN_S, FINISH_S, FINISH_S_PER_HOUR = 2.5, 1.0, 11.0
# The mix of an hour, its AAC, and each participant's hour in it; and what one function joins.
MIX_S_PER_HOUR, AAC_S_PER_HOUR, VOICE_S_PER_HOUR, JOIN_S_PER_HOUR = 9.0, 36.0, 2.65, 2.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """What may run: so many renderers at once, so many mixers that share the sound; memory of each."""

    at_once: int = 1_000
    mixers: int = 1
    render_mb: int = VCPU_MB
    sound_mb: int = VCPU_MB
    other_mb: int = VCPU_MB


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds to the end, and to the first segment that can be played; dollars of it all."""

    seconds: float
    first_s: float
    dollars: float


def work_s(scenes: Iterable[Scene], picture: Picture, sizes: Sizes) -> float:
    """Seconds of one core of the measurements' machine to render these scenes."""
    return sum(_scene_ns(scene, picture, sizes) for scene in scenes) / 1e9


def estimate(chunks: Sequence[Chunk], voices: int, sizes: Sizes, fleet: Fleet) -> Estimate:
    """What these chunks, and the mix of so many voices, will take and cost."""
    hours = sum(chunk.frames / chunk.picture.frame_rate for chunk in chunks) / 3600
    shown = [len(_videos(chunk)) for chunk in chunks]
    rendering = [
        START_S + videos * FETCH_S + _lambda_s(work_s(chunk.scenes, chunk.picture, sizes), fleet.render_mb)
        for chunk, videos in zip(chunks, shown, strict=True)
    ]
    heard = hours if voices else 0.0
    sound_s = heard * (MIX_S_PER_HOUR + AAC_S_PER_HOUR) + hours * voices * VOICE_S_PER_HOUR
    mixing = START_S + _lambda_s(sound_s, fleet.sound_mb) / fleet.mixers
    joining = _lambda_s(heard * JOIN_S_PER_HOUR, fleet.sound_mb)
    finishing = FINISH_S + hours * FINISH_S_PER_HOUR
    ends = _ends(rendering, fleet.at_once)
    return Estimate(
        seconds=PLAN_S + max(*ends, mixing + joining) + finishing,
        first_s=PLAN_S + ends[0],
        dollars=(
            _billed(sum(rendering), fleet.render_mb, len(chunks))
            + _billed(mixing * fleet.mixers + joining, fleet.sound_mb, fleet.mixers + 1)
            + _billed(PLAN_S + finishing, fleet.other_mb, 2)
            + _managed(len(chunks))
            + sum(shown) * VIDEO_GETS * GET
        ),
    )


def cost(facts: Iterable[e.Event]) -> float:
    """Dollars of what was done, whichever run it was for. Whatever was told twice counts once."""
    told = e.distinct(facts)
    worked = [fact for fact in told if isinstance(fact, e.ChunkRendered | e.CompositionBilled)]
    chunks = sum(isinstance(fact, e.ChunkRendered) for fact in worked)
    functions = sum(_billed(fact.billed_ms / 1000, fact.memory_mb) for fact in sorted(worked, key=_identity))
    return functions + (_managed(chunks) if worked else 0.0)


def _identity(fact: e.Event) -> str:
    """Floats add up to the same in the same order only."""
    return fact.identity


def _scene_ns(scene: Scene, picture: Picture, sizes: Sizes) -> float:
    frames = scene.end_frame - scene.first_frame
    whole = picture.width * picture.height
    total = moving = 0.0
    for tile in scene.tiles:
        if isinstance(tile.shows, Video):
            width, height = sizes.get(tile.shows.piece.source, USUAL_SIZE)
            each = DECODED_EACH + width * height * DECODED.get(tile.shows.codec, max(DECODED.values()))
            sent = RATES[tile.shows.kind] / picture.frame_rate
            total += frames * sent * each
            drawn = min(1.0, sent) * tile.width * tile.height  # of it, in each frame
            total += frames * drawn * SCALED
            moving += drawn
    encoded = ENCODED[picture.preset]
    moving = min(moving, float(whole))
    return total + frames * (moving * encoded.moving + (whole - moving) * encoded.still)


def _lambda_s(core_s: float, memory_mb: int) -> float:
    return core_s * SLOWER / min(1.0, memory_mb / VCPU_MB)


def _ends(seconds: Sequence[float], at_once: int) -> list[float]:
    """When each is over, if they begin in their order as soon as there is room."""
    running: list[float] = []
    found = []
    for place, length in enumerate(seconds):
        begins = place / RAMP
        if len(running) == at_once:
            begins = max(begins, heapq.heappop(running))
        heapq.heappush(running, begins + length)
        found.append(begins + length)
    return found


def _billed(seconds: float, memory_mb: int, times: int = 1) -> float:
    return seconds * memory_mb / 1024 * GB_SECOND + times * INVOCATION


def _managed(chunks: int) -> float:
    """What others than functions are paid for."""
    return (TRANSITIONS + chunks * CHUNK_TRANSITIONS) * TRANSITION + chunks * CHUNK_PUTS * PUT


def _videos(chunk: Chunk) -> set[str]:
    return {
        tile.shows.piece.source
        for scene in chunk.scenes
        for tile in scene.tiles
        if isinstance(tile.shows, Video)
    }
