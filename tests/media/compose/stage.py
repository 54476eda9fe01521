"""Compositions of whole meetings: people beside each other, rendered chunk by chunk, and looked at."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer

from chalicelib.core.chunks import INIT, Chunk, Picture, Rendered, chunk_of
from chalicelib.core.ids import Kind
from chalicelib.core.layout import layout
from chalicelib.core.scenes import Scene, Tile, Video
from chalicelib.core.step import Piece
from chalicelib.media.compose.chunk import render_chunk
from tests.media.engine import Engine
from tests.media.meeting import ZERO_AT, Meeting, meeting
from tests.media.shelf import Shelf, Store

TARGET = "composition"
SIZE = (160, 96)
_BRIGHT = 170


@dataclass
class Room:
    """A meeting that was ingested, and a tile of its own for everybody, one beside the other.

    Nobody's tile is ever without a video: it keeps the last one until the next begins, and shows the first
    from the start.
    """

    meeting: Meeting
    engine: Engine
    rate: int
    tile: tuple[int, int]

    @property
    def picture(self) -> Picture:
        """As large as all tiles."""
        width, height = self.tile
        return Picture(width * self.meeting.people, height, self.rate, "#101418", False, "veryfast", 23)

    @property
    def zero(self) -> int:
        """Session zero in the meeting's milliseconds."""
        return self.engine.session.extent.start - ZERO_AT

    def videos(self, number: int) -> list[Video]:
        """A participant's cameras in order, whatever their codec."""
        who = self.meeting.manner.name.format(number)
        found = [
            Video(who, who, track.kind, track.codec, piece)
            for laid in layout(self.engine.session)
            if (laid.participant_id, laid.kind) == (who, Kind.VIDEO)
            for track in laid.tracks
            for piece in track.pieces
        ]
        return sorted(found, key=lambda video: video.piece.start)

    def scenes(self, frames: int) -> tuple[Scene, ...]:
        """What is shown up to a frame."""
        videos = [self.videos(number) for number in range(self.meeting.people)]
        begin = {self._frame(video.piece.start) for each in videos for video in each}
        edges = sorted({0, frames, *(frame for frame in begin if 0 < frame < frames)})
        return tuple(
            Scene(first, end, tuple(self._tile(place, each, first) for place, each in enumerate(videos)))
            for first, end in pairwise(edges)
        )

    def chunk(self, frames: int, target: str = TARGET) -> Chunk:
        """All of it in one piece."""
        return Chunk(target, 1, 0, self.picture, self.scenes(frames))

    def expected(self, number: int) -> list[float]:
        """When a participant's flashes are there, in the composition's milliseconds."""
        who = self.meeting.manner.name.format(number)
        found = [marker for marker in self.meeting.markers if marker.kind is Kind.VIDEO]
        return sorted(marker.shown_ms - self.zero for marker in found if marker.participant_id == who)

    def _frame(self, at: int) -> int:
        return -(-at * self.rate // 1000)

    def _tile(self, place: int, videos: Sequence[Video], first: int) -> Tile:
        width, height = self.tile
        begun = [video for video in videos if self._frame(video.piece.start) <= first]
        return Tile(place * width, 0, width, height, begun[-1] if begun else videos[0])


def room(folder: Path, people: int, minutes: float, *, rate: int = 30, **manner: Any) -> Room:
    """Ingest a meeting."""
    told: dict[str, Any] = {"size": SIZE, **manner}
    engine = Engine(Shelf(folder))
    made = meeting(people, minutes, **told)
    for segment in made.segments:
        engine.ingested(segment)
    return Room(made, engine, rate, told["size"])


def cut(chunk: Chunk, *edges: int) -> list[Chunk]:
    """The chunk in several that follow each other."""
    bounds = [chunk.first_frame, *edges, chunk.end_frame]
    return [_part(chunk, number, first, end) for number, (first, end) in enumerate(pairwise(bounds), 1)]


def _part(chunk: Chunk, number: int, first: int, end: int) -> Chunk:
    scenes = tuple(
        replace(scene, first_frame=max(first, scene.first_frame), end_frame=min(end, scene.end_frame))
        for scene in chunk.scenes
        if scene.first_frame < end and scene.end_frame > first
    )
    return replace(chunk, number=number, scenes=scenes)


def rendered(shelf: Shelf, chunks: Iterable[Chunk]) -> list[Rendered]:
    """Render chunks as they come from where they lie."""
    travelled = [chunk_of(json.loads(json.dumps(chunk.told()))) for chunk in chunks]
    return [render_chunk(chunk, Store(shelf, chunk.target)) for chunk in travelled]


def stream(shelf: Shelf, chunks: Iterable[Chunk]) -> bytes:
    """Render chunks, and put one behind the other."""
    chunks = list(chunks)
    rendered(shelf, chunks)
    target = chunks[0].target
    return b"".join(shelf.data(f"{target}/{name}") for name in (INIT, *(chunk.name for chunk in chunks)))


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame: its time in milliseconds, its luma, and its U and V in the middle."""

    at: float
    luma: "np.ndarray[Any, np.dtype[np.uint8]]"
    chroma: tuple[int, int]


def shots(source: bytes | str) -> list[Shot]:
    """All frames of a file, as they are shown."""
    found = []
    with av.open(BytesIO(source) if isinstance(source, bytes) else source) as file:
        assert isinstance(file, InputContainer)
        for frame in file.decode(video=0):
            assert frame.pts is not None
            assert frame.time_base is not None
            planes = [
                np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
                for plane in frame.planes
            ]
            luma, blue, red = planes
            middle = blue.shape[0] // 2, blue.shape[1] // 2
            chroma = int(blue[middle]), int(red[middle])
            found.append(Shot(float(frame.pts * frame.time_base * 1000), luma.copy(), chroma))
    return found


def flashes(found: Sequence[Shot], x: int, y: int, width: int, height: int) -> list[float]:
    """When a rectangle becomes bright."""
    bright = [float(shot.luma[y : y + height, x : x + width].mean()) > _BRIGHT for shot in found]
    return [
        shot.at
        for shot, now, before in zip(found, bright, [False, *bright], strict=False)
        if now and not before
    ]


def spoiled(video: Video, **changes: Any) -> Video:
    """The video with another piece."""
    return replace(video, piece=Piece(**{**_told(video.piece), **changes}))


def _told(piece: Piece) -> dict[str, Any]:
    return {name: getattr(piece, name) for name in ("source", "index", "start", "end", "skip_ms", "ppm")}
