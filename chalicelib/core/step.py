"""One piece of media work as data: what is to be made of which segments, and where it is put.

A step is made by `core/plan.py`, travels through the render queue and is run by `flows/render.py`. Its files
lie below its target: `{target}/{name}`. Times are milliseconds since session zero unless they say otherwise.
"""

from dataclasses import asdict, dataclass
from typing import Any

from chalicelib.core.ids import Kind

# What is measured of a file: a name and what was found.
type Note = tuple[str, str | int | float | None]


@dataclass(frozen=True, slots=True)
class Piece:
    """What one segment gives to a track: [start, end) on the session's clock.

    `source` is the repaired file's key and `index` its sidecar's. The media time `skip_ms` of the file lies
    at `start`. `ppm`: by how many millionths the file's clock runs faster than the session's; media time m
    lies at start + (m - skip_ms) / (1 + ppm / 1,000,000). 0 where nothing is corrected.
    """

    source: str
    index: str
    start: int
    end: int
    skip_ms: int = 0
    ppm: int = 0


@dataclass(frozen=True, slots=True)
class Track:
    """One participant's one kind, its pieces in order and without overlap, all of one codec."""

    participant_id: str
    kind: Kind
    codec: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """A file to be made. `form` is what it is written as: webm, flac, wav, mp4, json, dat, jpg, vtt.

    `participant_id` and `kind` say whose it is; both are None for what is of the whole session. Sprites are
    several files: `name` is that of their index. `source` says what it is made of, for `ArtifactMade.source`:
    of a poster the repaired file's key, else a digest of all that decides the output's bytes.
    """

    product: str
    form: str
    name: str
    participant_id: str | None = None
    kind: Kind | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Make `outputs` of `tracks` over [start, end) of the session. `zero_at` is session zero's epoch.

    `parts` are keys of what earlier steps made, for the step that joins them. `lufs` is the loudness that the
    mix is brought to; None leaves it as it is.
    """

    maker: str
    session_id: str
    target: str
    zero_at: int
    start: int
    end: int
    tracks: tuple[Track, ...]
    outputs: tuple[Output, ...]
    parts: tuple[str, ...] = ()
    lufs: float | None = None

    def told(self) -> dict[str, Any]:
        """As it travels."""
        return asdict(self)


def step_of(told: dict[str, Any]) -> Step:
    """The step that `Step.told` gave, after JSON."""
    tracks = tuple(
        Track(
            participant_id=track["participant_id"],
            kind=Kind(track["kind"]),
            codec=track["codec"],
            pieces=tuple(Piece(**piece) for piece in track["pieces"]),
        )
        for track in told["tracks"]
    )
    outputs = tuple(
        Output(**{**output, "kind": Kind(output["kind"]) if output["kind"] else None})
        for output in told["outputs"]
    )
    return Step(**{**told, "tracks": tracks, "outputs": outputs, "parts": tuple(told["parts"])})


@dataclass(frozen=True, slots=True)
class Made:
    """A file that a step made: `name` below its target. `notes` say more of it, as its loudness."""

    output: Output
    name: str
    content_type: str
    bytes: int
    start: int
    end: int
    notes: tuple[Note, ...] = ()
