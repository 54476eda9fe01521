"""The sound of a composition: slices of the mix that are made at once, encoded at once when all of them tell
how loud it is, and the step that joins them.

All of it lies in the composition's own folder: whom it lets hear is for its request to say.
"""

from collections.abc import Sequence
from dataclasses import replace

from chalicelib.core.session import Session
from chalicelib.core.step import Output, Step, Track
from chalicelib.core.steps import MINUTE_MS, PART, near
from chalicelib.core.timeline import Span

SLICE_MS = 10 * MINUTE_MS
MIX = "mix.mp4"  # the name below the folder
_MIXED, _CODED = "mix", "aac"  # of what a slice's files are called
_WHOLE_MS = 100  # slices begin at whole ones of the session


def mixing(
    session: Session, tracks: Sequence[Track], span: Span, folder: str, lufs: float | None
) -> tuple[Step, ...]:
    """The slices of these tracks' mix over a span of the session, and last what joins them once each is
    encoded; nothing of nobody. It may begin up to 100 ms before the span does."""
    if not tracks:
        return ()
    begin = span.start - span.start % _WHOLE_MS
    spans = [Span(at, min(at + SLICE_MS, span.end)) for at in range(begin, span.end, SLICE_MS)]
    slices = [_slice(session, tracks, part, folder, number) for number, part in enumerate(spans, 1)]
    parts = tuple(_part(folder, _CODED, number) for number, _ in enumerate(slices, 1))
    join = replace(
        slices[0],
        maker="mux",
        end=span.end,
        tracks=(),
        outputs=(Output("mix", "mp4", MIX),),
        parts=parts,
        lufs=lufs,
    )
    return *slices, join


def encoding(part: Step, join: Step) -> Step:
    """What encodes a slice, when all are there: its file comes first, then those of all, which tell how loud
    the mix is."""
    folder, every = join.target, range(1, len(join.parts) + 1)
    own = f"{folder}/{part.outputs[0].name}"
    slices = tuple(_part(folder, _MIXED, number) for number in every)
    coded = join.parts[slices.index(own)].rpartition("/")[2]
    output = replace(part.outputs[0], name=coded)
    return replace(part, maker="encode", tracks=(), outputs=(output,), parts=(own, *slices), lufs=join.lufs)


def _part(folder: str, of: str, number: int) -> str:
    return f"{folder}/{of}-{number:04d}.part"


def _slice(session: Session, tracks: Sequence[Track], span: Span, folder: str, number: int) -> Step:
    return Step(
        maker="sound",
        session_id=session.session_id,
        target=folder,
        zero_at=session.extent.start,
        start=span.start,
        end=span.end,
        tracks=near(tracks, span),
        outputs=(Output(PART, "part", f"{_MIXED}-{number:04d}.part"),),
    )


def without(step: Step, source: str) -> Step:
    """The step without what one repaired file has."""
    tracks = (
        replace(track, pieces=tuple(piece for piece in track.pieces if piece.source != source))
        for track in step.tracks
    )
    return replace(step, tracks=tuple(track for track in tracks if track.pieces))
