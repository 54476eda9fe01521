"""The chunks of a composition, as data: a function of its own renders each, as a segment of the stream.

A chunk lies as JSON below its composition's target, and what is rendered of it beside.
"""

import hashlib
import json
from collections.abc import Container
from dataclasses import asdict, dataclass, replace
from typing import Any

from chalicelib.core.scenes import Card, Scene, Tile, Video, scene_of


@dataclass(frozen=True, slots=True)
class Picture:
    """How all chunks of a composition look and are encoded: equal pictures, equal initialisation segments.

    `frame_rate` in frames per second; it divides 90,000. `background` is RGB as `#rrggbb`. `names`: whether
    names are drawn over videos; cards bear theirs always. `preset` and `crf` are x264's.
    """

    width: int
    height: int
    frame_rate: int
    background: str
    names: bool
    preset: str
    crf: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of the timeline: its scenes, which touch. Numbers begin at 1 and rise, but not each is there.

    `zero` is the composition's start in milliseconds since session zero: frame n is what is to be seen at
    zero + 1000 * n / frame_rate, and n / frame_rate is its time in the stream.
    """

    target: str
    number: int
    zero: int
    picture: Picture
    scenes: tuple[Scene, ...]

    @property
    def first_frame(self) -> int:
        """The first frame that it has."""
        return self.scenes[0].first_frame

    @property
    def end_frame(self) -> int:
        """The first frame that it has no more."""
        return self.scenes[-1].end_frame

    @property
    def frames(self) -> int:
        """How many it has."""
        return self.end_frame - self.first_frame

    @property
    def name(self) -> str:
        """Its stream segment's name below the target: other content, other name."""
        told = asdict(self)
        del told["target"]
        spelled = json.dumps([RECIPE, told], sort_keys=True, separators=(",", ":")).encode()
        return f"chunk-{self.number:05d}-{hashlib.sha256(spelled).hexdigest()[:16]}.m4s"

    def told(self) -> dict[str, Any]:
        """As it travels."""
        return asdict(self)

    @property
    def sources(self) -> list[str]:
        """The repaired files that it shows."""
        videos = (
            tile.shows for scene in self.scenes for tile in scene.tiles if isinstance(tile.shows, Video)
        )
        return sorted({video.piece.source for video in videos})

    def without(self, sources: Container[str]) -> "Chunk":
        """The same with cards for what these repaired files would show."""
        tiles = [tuple(_without(tile, sources) for tile in scene.tiles) for scene in self.scenes]
        scenes = (replace(scene, tiles=left) for scene, left in zip(self.scenes, tiles, strict=True))
        return replace(self, scenes=tuple(scenes))


def _without(tile: Tile, sources: Container[str]) -> Tile:
    shows = tile.shows
    if isinstance(shows, Video) and shows.piece.source in sources:
        return replace(tile, shows=Card(shows.participant_id, shows.name))
    return tile


# Names below the target: what all chunks' fragments begin with, the sound of the stream, and all in one file.
INIT, SOUND_FILE, WHOLE = "init.mp4", "sound.mp4", "composition.mp4"
# Another way to render gives other names: files are never written over.
RECIPE = "1"


def chunk_of(told: dict[str, Any]) -> Chunk:
    """The chunk that `Chunk.told` gave, after JSON."""
    scenes = tuple(scene_of(scene) for scene in told["scenes"])
    return Chunk(**{**told, "picture": Picture(**told["picture"]), "scenes": scenes})


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a chunk became: the file `name` below its target.

    `slates` are the repaired files that could not be decoded, each with why; their tiles show cards.
    """

    name: str
    bytes: int
    frames: int
    slates: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Whole:
    """All of a composition: what was rendered of it, in order, below `target`.

    `mix` is the key of its sound as MP4, None where nobody is heard. The composition has [start, end) of it,
    in milliseconds since it begins.
    """

    target: str
    picture: Picture
    chunks: tuple[Rendered, ...]
    mix: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class File:
    """A file that was made: `name` below the target."""

    name: str
    content_type: str
    bytes: int
