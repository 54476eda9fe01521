"""A composition's scenes cut into chunks.

Chunks lie in slots of 30 s that count from the composition's start: what changes in one slot moves nothing in
another. A slot is cut in two or three where it would be rendered for too long; the first one always is, so
that there is something to play soon.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, takewhile

from chalicelib.core.chunks import Chunk, Picture
from chalicelib.core.composition import Request
from chalicelib.core.price import Sizes, work_s
from chalicelib.core.scenes import Scene

SLOT_S = 30
PARTS = (1, 2, 3)  # that a slot may have: 10 s cost a fifth more than 30 s, for each begins with a key frame
SOON_S = 20.0  # of one core, which a chunk takes at most if a third of a slot does
# What x264 does for a quality: its preset, and the crf that it aims at.
ENCODERS = {"low": ("ultrafast", 28), "medium": ("veryfast", 26), "high": ("veryfast", 21)}


def picture(request: Request) -> Picture:
    """How all chunks of a request look."""
    preset, crf = ENCODERS[request.quality]
    return Picture(
        width=request.width,
        height=request.height,
        frame_rate=request.frame_rate,
        background=request.background,
        names=request.names,
        preset=preset,
        crf=crf,
    )


def chunks(target: str, request: Request, scenes: Sequence[Scene], sizes: Sizes) -> tuple[Chunk, ...]:
    """All chunks below `target` of a request `within` its session, whose `scenes` cover its frames."""
    look = picture(request)
    return tuple(
        Chunk(target, following(first, request.frame_rate), request.start, look, cut(scenes, first, end))
        for slot in _slots(request)
        for first, end in _parts(slot, scenes, look, sizes)
    )


def following(frame: int, frame_rate: int) -> int:
    """The number of the chunk that begins with this frame."""
    return frame // (SLOT_S * frame_rate // PARTS[-1]) + 1


def cut(scenes: Sequence[Scene], first: int, end: int) -> tuple[Scene, ...]:
    """What of the scenes lies in the frames [first, end)."""
    place = bisect_right(scenes, first, key=lambda scene: scene.end_frame)
    within = takewhile(lambda scene: scene.first_frame < end, islice(scenes, place, None))
    return tuple(
        replace(scene, first_frame=max(first, scene.first_frame), end_frame=min(end, scene.end_frame))
        for scene in within
    )


def _slots(request: Request) -> Iterator[tuple[int, int]]:
    length = SLOT_S * request.frame_rate
    for first in range(0, request.frames, length):
        yield first, min(first + length, request.frames)


def _parts(
    slot: tuple[int, int], scenes: Sequence[Scene], look: Picture, sizes: Sizes
) -> list[tuple[int, int]]:
    """The slot in as few parts as are soon rendered."""
    for parts in PARTS if slot[0] else PARTS[-1:]:
        length = SLOT_S * look.frame_rate // parts
        found = [(first, min(first + length, slot[1])) for first in range(*slot, length)]
        if all(work_s(cut(scenes, *span), look, sizes) <= SOON_S for span in found):
            break
    return found
