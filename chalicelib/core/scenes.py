"""What a composition shows, when and where: scenes of tiles, as data.

Frames count from 0 at the composition's start. Tiles are painted in their order, later over earlier ones.
"""

from dataclasses import dataclass
from typing import Any

from chalicelib.core.ids import Kind
from chalicelib.core.step import Piece


@dataclass(frozen=True, slots=True)
class Video:
    """A participant's camera or screen, as one segment has it.

    At the moment t of the session it shows the last frame at or before t, and none from `piece.end` on or
    later: a scene that lasts longer holds the last one before it, as short gaps are bridged. A scene may also
    begin before the piece's first frame is due; until then the tile is as empty as the canvas.
    """

    participant_id: str
    name: str
    kind: Kind
    codec: str
    piece: Piece


@dataclass(frozen=True, slots=True)
class Card:
    """A participant without a picture: the name, in words."""

    participant_id: str
    name: str


type Shown = Video | Card


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of the canvas, in pixels, all four even, and what it shows."""

    x: int
    y: int
    width: int
    height: int
    shows: Shown


@dataclass(frozen=True, slots=True)
class Scene:
    """The frames [first_frame, end_frame), in which no tile changes its place or what it shows."""

    first_frame: int
    end_frame: int
    tiles: tuple[Tile, ...]


def scene_of(told: dict[str, Any]) -> Scene:
    """The scene that `dataclasses.asdict` gave, after JSON."""
    tiles = tuple(Tile(**{**tile, "shows": _shown(tile["shows"])}) for tile in told["tiles"])
    return Scene(told["first_frame"], told["end_frame"], tiles)


def _shown(told: dict[str, Any]) -> Shown:
    if "piece" not in told:
        return Card(**told)
    return Video(**{**told, "kind": Kind(told["kind"]), "piece": Piece(**told["piece"])})


# --- how a picture lies in its tile -------------------------------------------------------------------

CUT_AT_MOST = 0.2  # of a camera's picture, that its tile be filled
TRIMMED = 0.05  # of a camera's picture, that it need not be scaled


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is taken of a picture, in its own pixels, and the rectangle of the canvas that this is scaled to.

    All but the crop's size is even, and that as well where something is cut.
    """

    crop_x: int
    crop_y: int
    crop_width: int
    crop_height: int
    x: int
    y: int
    width: int
    height: int


def fitted(tile: Tile, width: int, height: int) -> Fitted:
    """How a picture of this size lies in its tile, its aspect kept to the pixel pair.

    A camera fills its tile where that cuts no more than `CUT_AT_MOST` of it, and is not scaled where no more
    than `TRIMMED` has to be cut for that. Otherwise, and always for a screen, all of the picture is shown in
    the middle.
    """
    camera = isinstance(tile.shows, Video) and tile.shows.kind is Kind.VIDEO
    if camera and (crop := _crop(tile, width, height)) is not None:
        across, down = crop
        return Fitted(
            *(_even((width - across) / 2), _even((height - down) / 2), across, down),
            *(tile.x, tile.y, tile.width, tile.height),
        )
    scale = min(tile.width / width, tile.height / height)
    across = min(tile.width, max(2, _even(width * scale + 1)))
    down = min(tile.height, max(2, _even(height * scale + 1)))
    x, y = tile.x + _even((tile.width - across) / 2), tile.y + _even((tile.height - down) / 2)
    return Fitted(0, 0, width, height, x, y, across, down)


def _crop(tile: Tile, width: int, height: int) -> tuple[int, int] | None:
    """The size that is left of a picture that fills its tile; None where too much of it would be lost."""
    small = tile.width <= width and tile.height <= height
    if small and _left(tile.width, tile.height, width, height) >= 1 - TRIMMED:
        return tile.width, tile.height
    scale = max(tile.width / width, tile.height / height)
    across, down = min(width, round(tile.width / scale)), min(height, round(tile.height / scale))
    across, down = (
        side if side == whole else _even(side) for side, whole in ((across, width), (down, height))
    )
    enough = min(across, down) > 0 and _left(across, down, width, height) >= 1 - CUT_AT_MOST
    return (across, down) if enough else None


def _left(across: int, down: int, width: int, height: int) -> float:
    return across * down / (width * height)


def _even(length: float) -> int:
    """The even number at or below."""
    return int(length // 2) * 2
