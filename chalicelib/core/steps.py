"""The steps that make a session's products, as though nothing were made yet.

All that decides what an output holds goes into its `source`, a digest; all that is in a step into its target.
So the same input and recipe give the same keys, and other input gives other keys to what depends on it alone.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.core import events as e
from chalicelib.core.ids import Kind, index_key, safe_part
from chalicelib.core.layout import Laid, layout
from chalicelib.core.recording import SOUND
from chalicelib.core.session import Lying, Session
from chalicelib.core.step import Output, Piece, Step, Track
from chalicelib.core.timeline import Span

# The keys of what is made already, by product and source.
type Made = Mapping[tuple[str, str], list[str]]

# Another version of a maker's recipe gives other keys: files are never written over.
RECIPES = {"poster": "2", "copies": "1", "sound": "1", "join": "1"}

# Whose picture goes with whose sound, and what the file of both is called.
PAIRS = ((Kind.VIDEO, Kind.AUDIO, "av"), (Kind.SCREEN_VIDEO, Kind.SCREEN_AUDIO, "screen-av"))
SOUND_OF = {picture: sound for picture, sound, _ in PAIRS}
SOUNDS = (Kind.AUDIO, Kind.SCREEN_AUDIO)
FILES = {"opus": "webm", "aac": "mp4"}  # a form that is called after its codec lies in such a file

PART = "mix_part"  # the product of a slice, of which only the step that joins them knows
MINUTE_MS = 60_000
MARGIN_MS = 5_000  # more than an encoder needs to hear before its slice, or after
SOUND_BUDGET = 1_500  # minutes of tracks that one step can decode within a function's time
STEMS_AT_ONCE = 40  # each holds back up to 10 MiB of /tmp, which has 512 MB


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be made of a session, as products with their forms. `lufs` is the mix's loudness, None for
    whatever it has."""

    products: frozenset[tuple[str, str]] = frozenset()
    lufs: float | None = None


def posters(segments: Iterable[e.SegmentStored]) -> list[Step]:
    """A poster of each segment of pictures; needs nothing but the segment, and so no session."""
    return [_poster(s) for s in segments if s.kind in SOUND_OF and s.codec not in SOUND]


# --- the steps ----------------------------------------------------------------------------------------


def all_steps(session: Session, wanted: Wanted, made: Made, every: list[Laid] | None = None) -> list[Step]:
    """All steps; `made` are the keys of what is made already, by product and source. A step that joins has no
    parts as long as one of them is not made. `every` is the session's layout, where it is known."""
    products = wanted.products
    laid = [track for track in (layout(session) if every is None else every) if track.tracks]
    found: list[Step] = []
    if ("poster", "jpg") in products:
        shown = (told.place.segment for told in session.lying if not _blind(told))
        found += posters(shown)
    found += _copies(session, laid, {product for product, _ in products})
    heard = [track for one in laid if one.kind in SOUNDS for track in one.tracks]
    found += _sound(session, heard, wanted, made)
    return sorted(found, key=lambda step: step.target)


def _blind(told: Lying) -> bool:
    return told.place.segment.file in told.recording.undecodable


def _poster(segment: e.SegmentStored) -> Step:
    source = segment.repaired_key
    piece = Piece(source, index_key(source), 0, segment.duration_ms)
    output = Output("poster", "jpg", "poster.jpg", segment.participant_id, segment.kind, source)
    return targeted(
        Step(
            maker="poster",
            session_id=segment.session_id,
            target="",
            zero_at=segment.start_at,
            start=0,
            end=segment.duration_ms,
            tracks=(Track(segment.participant_id, segment.kind, segment.codec, (piece,)),),
            outputs=(output,),
        )
    )


def _copies(session: Session, laid: list[Laid], products: set[str]) -> Iterator[Step]:
    """One step for each participant's camera and microphone, and one for their screen and its sound."""
    tracks: dict[tuple[str, Kind], tuple[Track, ...]] = {(t.participant_id, t.kind): t.tracks for t in laid}
    for participant_id in sorted({track.participant_id for track in laid}):
        for picture, sound, both in PAIRS:
            seen, heard = tracks.get((participant_id, picture), ()), tracks.get((participant_id, sound), ())
            outputs = [output for output in _copied(seen, heard, both) if output.product in products]
            if outputs:
                yield _step(session, "copies", (*seen, *heard), outputs)


def _copied(seen: tuple[Track, ...], heard: tuple[Track, ...], both: str) -> Iterator[Output]:
    for track in (*seen, *heard):
        yield _output("track", "webm", f"track-{track.kind}-{track.codec}.webm", track)
    for track in seen:
        yield _output("sprite", "vtt", f"sprite-{track.kind}-{track.codec}.vtt", track)
        if heard:
            yield _output("av", "webm", f"{both}-{track.codec}.webm", track)


def _sound(session: Session, tracks: list[Track], wanted: Wanted, made: Made) -> list[Step]:
    """All in one step, which decodes everything once; where that would be too much, a step for each track and
    one for each slice of the mix, and what joins them."""
    alone = [output for track in tracks for output in _heard(track, wanted)]
    mixed = [
        Output("mix", file_of(form), f"mix.{file_of(form)}")
        for product, form in sorted(wanted.products)
        if product == "mix" and tracks
    ]
    whole_ms = session.extent.end - session.extent.start
    stems = sum(output.product == "stem" for output in alone)
    if stems <= STEMS_AT_ONCE and len(tracks) * whole_ms <= SOUND_BUDGET * MINUTE_MS:
        outputs = [*alone, *mixed]
        return [_step(session, "sound", tuple(tracks), outputs, lufs=wanted.lufs)] if outputs else []
    own = [(track, [output for output in alone if _of(output, track)]) for track in tracks]
    each = [_step(session, "sound", (track,), outputs) for track, outputs in own if outputs]
    return [*each, *_sliced(session, tracks, mixed, wanted.lufs, made)]


def _heard(track: Track, wanted: Wanted) -> Iterator[Output]:
    folder = safe_part(track.participant_id)
    for product, form in sorted(wanted.products):
        if product == "stem":
            yield _output("stem", file_of(form), f"{folder}/stem-{track.kind}.{file_of(form)}", track)
        elif product == "peaks":
            yield _output("peaks", "json", f"{folder}/peaks-{track.kind}.json", track)
            yield _output("peaks", "dat", f"{folder}/peaks-{track.kind}.dat", track)


def _sliced(
    session: Session, tracks: list[Track], mixed: list[Output], lufs: float | None, made: Made
) -> Iterator[Step]:
    """The slices of a mix and, for each form of it, the step that joins them."""
    if not mixed:
        return
    whole_ms = session.extent.end - session.extent.start
    slice_ms = max(1, SOUND_BUDGET // len(tracks)) * MINUTE_MS
    spans = [Span(at, min(at + slice_ms, whole_ms)) for at in range(0, whole_ms, slice_ms)]
    slices = [
        _step(session, "sound", near(tracks, span), [Output(PART, "part", "mix.part")], span)
        for span in spans
    ]
    yield from slices
    inputs = [output.source for step in slices for output in step.outputs]
    keys = [min(made.get((PART, source), [""])) for source in inputs]
    parts = tuple(keys) if all(keys) else ()
    for output in mixed:
        joined = _step(session, "join", (), [output], inputs=inputs, lufs=lufs)
        yield targeted(replace(joined, parts=parts))


def near(tracks: Iterable[Track], span: Span) -> tuple[Track, ...]:
    """What is heard in a slice, or shortly before and after: an encoder has to get going."""
    first, last = span.start - MARGIN_MS, span.end + MARGIN_MS
    near = (
        replace(track, pieces=tuple(p for p in track.pieces if p.end > first and p.start < last))
        for track in tracks
    )
    return tuple(track for track in near if track.pieces)


# --- what things are called ---------------------------------------------------------------------------


def _output(product: str, form: str, name: str, track: Track) -> Output:
    return Output(product, form, name, track.participant_id, track.kind)


def _of(output: Output, track: Track) -> bool:
    return (output.participant_id, output.kind) == (track.participant_id, track.kind)


def file_of(form: str) -> str:
    """The form of the file that a product's form lies in."""
    return FILES.get(form, form)


def _step(
    session: Session,
    maker: str,
    tracks: tuple[Track, ...],
    outputs: list[Output],
    over: Span | None = None,
    *,
    inputs: Iterable[str] = (),
    lufs: float | None = None,
) -> Step:
    """A step of the session, over all of it unless told otherwise; its outputs' sources are reckoned here.
    `inputs` are the sources of what it joins, whose keys are not known before it is made."""
    zero = session.extent.start
    span = over or Span(0, session.extent.end - zero)
    step = Step(
        maker=maker,
        session_id=session.session_id,
        target="",
        zero_at=zero,
        start=span.start,
        end=span.end,
        tracks=tracks,
        outputs=(),
        lufs=lufs if any(output.product == "mix" for output in outputs) else None,
    )
    known = tuple(replace(output, source=_source(step, output, inputs)) for output in outputs)
    return targeted(replace(step, outputs=known, tracks=needed(tracks, known)))


def _source(step: Step, output: Output, inputs: Iterable[str]) -> str:
    lufs = step.lufs if output.product == "mix" else None
    return _digest(_spelled(replace(step, outputs=(output,), parts=(), lufs=lufs)), list(inputs))


def targeted(step: Step) -> Step:
    """The step with the target that is its own."""
    of = f"/{safe_part(step.tracks[0].participant_id)}" if step.maker == "copies" else ""
    digest = _digest(_spelled(step))
    return replace(step, target=f"sessions/{safe_part(step.session_id)}/{step.maker}{of}/{digest}")


def needed(tracks: tuple[Track, ...], outputs: Iterable[Output]) -> tuple[Track, ...]:
    """The tracks that these outputs are made of: those of the whole session of all."""
    whose: set[tuple[str | None, Kind | None]] = set()
    for output in outputs:
        if output.participant_id is None:
            return tracks
        whose.add((output.participant_id, output.kind))
        if output.product == "av" and output.kind is not None:
            whose.add((output.participant_id, SOUND_OF[output.kind]))
    return tuple(track for track in tracks if (track.participant_id, track.kind) in whose)


def _spelled(step: Step) -> list[Any]:
    """All that decides what a step makes."""
    return [
        step.maker,
        RECIPES[step.maker],
        step.session_id,
        step.zero_at,
        step.start,
        step.end,
        [
            [track.participant_id, track.kind, track.codec, [_place(piece) for piece in track.pieces]]
            for track in needed(step.tracks, step.outputs)
        ],
        [[output.product, output.form, output.name] for output in step.outputs],
        step.parts,
        step.lufs,
    ]


def _place(piece: Piece) -> list[str | int]:
    return [piece.source, piece.start, piece.end, piece.skip_ms, piece.ppm]


def _digest(*told: object) -> str:
    return hashlib.sha256(json.dumps(told, separators=(",", ":")).encode()).hexdigest()[:16]
