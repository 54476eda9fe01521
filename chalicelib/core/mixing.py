"""The sound of a composition: slices of the mix that are made at once, and the step that joins them.

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
_WHOLE_MS = 100  # slices begin at whole ones of the session


def mixing(
    session: Session, tracks: Sequence[Track], span: Span, folder: str, lufs: float | None
) -> tuple[Step, ...]:
    """The slices of these tracks' mix over a span of the session, and last what joins them; nothing of
    nobody. It may begin up to 100 ms before the span does."""
    if not tracks:
        return ()
    begin = span.start - span.start % _WHOLE_MS
    spans = [Span(at, min(at + SLICE_MS, span.end)) for at in range(begin, span.end, SLICE_MS)]
    slices = [_slice(session, tracks, part, folder, number) for number, part in enumerate(spans, 1)]
    parts = tuple(f"{folder}/{step.outputs[0].name}" for step in slices)
    join = replace(
        slices[0],
        maker="join",
        end=span.end,
        tracks=(),
        outputs=(Output("mix", "mp4", MIX),),
        parts=parts,
        lufs=lufs,
    )
    return *slices, join


def _slice(session: Session, tracks: Sequence[Track], span: Span, folder: str, number: int) -> Step:
    return Step(
        maker="sound",
        session_id=session.session_id,
        target=folder,
        zero_at=session.extent.start,
        start=span.start,
        end=span.end,
        tracks=near(tracks, span),
        outputs=(Output(PART, "part", f"mix-{number:04d}.part"),),
    )


def without(step: Step, source: str) -> Step:
    """The step without what one repaired file has."""
    tracks = (
        replace(track, pieces=tuple(piece for piece in track.pieces if piece.source != source))
        for track in step.tracks
    )
    return replace(step, tracks=tuple(track for track in tracks if track.pieces))
