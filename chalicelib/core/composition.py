"""What somebody asks for: one video of a session, so large, so long and laid out like this.

A composition is the same where the session, the request and what is known of the session are the same.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.core.errors import Invalid
from chalicelib.core.ids import Kind, safe_part
from chalicelib.core.layout import layout
from chalicelib.core.session import Session
from chalicelib.core.step import Piece

CUSTOM = "custom"
SHORTEST_MS = 1_000

# Another way to plan or to render makes other compositions.
VERSION = "1"


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a custom layout, in per cent of the canvas, with a grid of whom its patterns choose.

    Among its `kinds` cameras are people: who has none on is shown as a card. Where more come than `columns`
    and `rows` have room for, `reuse` says who has it: show_oldest or show_newest.
    """

    x: float
    y: float
    width: float
    height: float
    z: int
    participants: tuple[str, ...]
    exclude: tuple[str, ...]
    kinds: tuple[Kind, ...]
    columns: int
    rows: int
    reuse: str


@dataclass(frozen=True, slots=True)
class Request:
    """A valid request, all defaults filled in. `end` is None until it is known how long the session is."""

    layout: str
    width: int
    height: int
    frame_rate: int
    start: int
    end: int | None
    participants: tuple[str, ...]
    background: str
    names: bool
    formats: tuple[str, ...]
    quality: str
    regions: tuple[Region, ...] = ()

    def within(self, whole_ms: int) -> "Request":
        """The same of a session that is so long: a range ends with it at the latest."""
        end = whole_ms if self.end is None else min(self.end, whole_ms)
        if end - self.start < SHORTEST_MS:
            fault = f"range has less than {SHORTEST_MS} ms of the session, which ends at {whole_ms}"
            raise Invalid("invalid_range", fault, "range", f"at least {SHORTEST_MS} ms before {whole_ms}")
        return replace(self, end=end)

    @property
    def frames(self) -> int:
        """How many frames it has; `within` has to have been asked."""
        assert self.end is not None
        return -(-(self.end - self.start) * self.frame_rate // 1000)

    def told(self) -> dict[str, Any]:
        """As the API has it: `request_of` gives the same request for it."""
        return {
            "layout": {"regions": [_told(region) for region in self.regions]}
            if self.regions
            else self.layout,
            "width": self.width,
            "height": self.height,
            "frameRate": self.frame_rate,
            "range": {"start": self.start, **({} if self.end is None else {"end": self.end})},
            "participants": list(self.participants),
            "background": self.background,
            "names": self.names,
            "formats": list(self.formats),
            "quality": self.quality,
        }


def composition_id(session: Session, request: Request) -> str:
    """The id of the composition that a request `within` this session asks for, as it is known now."""
    tracks = [
        [track.participant_id, track.kind, track.codec, [_place(piece) for piece in track.pieces]]
        for laid in layout(session)
        for track in laid.tracks
    ]
    stays = [
        [stay.participant_id, stay.start_at, stay.end_at]
        for who in sorted(session.people)
        for stay in session.stays(who)
    ]
    known = [session.extent.start, session.extent.end, sorted(session.names.items()), stays, tracks]
    spelled = json.dumps([VERSION, session.session_id, request.told(), known], sort_keys=True)
    return f"comp-{hashlib.sha256(spelled.encode()).hexdigest()[:32]}"


def target(session_id: str, composition: str) -> str:
    """What all objects of a composition lie below."""
    return f"sessions/{safe_part(session_id)}/compositions/{composition}"


def _place(piece: Piece) -> list[str | int]:
    return [piece.source, piece.start, piece.end, piece.skip_ms, piece.ppm]


def _told(region: Region) -> dict[str, Any]:
    return {
        "x": region.x,
        "y": region.y,
        "width": region.width,
        "height": region.height,
        "z": region.z,
        "participants": list(region.participants),
        "exclude": list(region.exclude),
        "kinds": list(region.kinds),
        "columns": region.columns,
        "rows": region.rows,
        "reuse": region.reuse,
    }
