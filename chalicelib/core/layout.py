"""Each participant's tracks on the session's clock, and why there is nothing where there is nothing.

Of two segments of a track that overlap the later one is used from its start on; one that lies wholly inside
the time of another is not used, for else more would be lost than won.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from chalicelib.core import events as e
from chalicelib.core.ids import Kind, index_key, stamp
from chalicelib.core.recording import Recording
from chalicelib.core.session import Lying, Session
from chalicelib.core.step import Piece, Track
from chalicelib.core.timeline import Span, gaps

# Why a track has nothing for a while. `Gap.reason` is always one of these.
REASONS = {
    "lost": "a file of this time was announced and never came",
    "rejected": "the file of this time can not be used",
    "given_up": "the file of this time could not be processed",
    "away": "the participant was not in the session",
    "not_recorded": "no recording of this kind ran",
    "off": "muted, or the camera or screen was off",
    "unknown": "nobody said",
}


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """Where a track has nothing, since session zero."""

    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class Laid:
    """One participant's one kind: a track for each codec that it came in. `overlapped` is not used."""

    participant_id: str
    kind: Kind
    tracks: tuple[Track, ...]
    gaps: tuple[Gap, ...]
    overlapped: tuple[Lying, ...]


def layout(session: Session) -> list[Laid]:
    """All tracks of a session, by participant and kind."""
    return [
        _laid(session, participant_id, kind, recordings)
        for participant_id, kinds in sorted(session.people.items())
        for kind, recordings in sorted(kinds.items(), key=lambda told: tuple(Kind).index(told[0]))
    ]


def _laid(session: Session, participant_id: str, kind: Kind, recordings: list[Recording]) -> Laid:
    lying = (told for recording in recordings for told in session.lying_of[recording.recording_id])
    used, overlapped = _resolved([told for told in lying if told.usable])
    zero, ppm = session.extent.start, session.drifts[participant_id].applied
    pieces: dict[str, list[Piece]] = {}
    for told, until in used:
        pieces.setdefault(told.place.segment.codec, []).append(_piece(told, until, zero, ppm))
    length = session.extent.end - zero
    empty = gaps((Span(told.span.start - zero, until - zero) for told, until in used), Span(0, length))
    return Laid(
        participant_id=participant_id,
        kind=kind,
        tracks=tuple(
            Track(participant_id, kind, codec, tuple(found)) for codec, found in sorted(pieces.items())
        ),
        gaps=tuple(_explained(empty, _Heard.of(session, participant_id, recordings))),
        overlapped=tuple(overlapped),
    )


def _piece(told: Lying, until: int, zero: int, ppm: int) -> Piece:
    source = told.place.segment.repaired_key
    return Piece(source, index_key(source), told.span.start - zero, until - zero, ppm=ppm)


def _resolved(lying: list[Lying]) -> tuple[list[tuple[Lying, int]], list[Lying]]:
    """What is used, each until when, in order and without overlap; and what is not."""
    used: list[tuple[Lying, int]] = []
    unused: list[Lying] = []
    for told in sorted(lying, key=lambda told: (told.span.start, -told.span.end, told.place.segment.file)):
        begins, ends = told.span.start, told.span.end
        if begins == ends or (used and used[-1][1] >= ends):
            unused.append(told)
            continue
        if used:
            before, until = used[-1]
            used[-1] = before, min(until, begins)
        used.append((told, ends))
    return used, unused


# --- why nothing is there -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Run:
    """When a recording ran, since session zero. `sure` says which of both ends VideoSDK's list told.

    `witnessed`: somebody named its files, and every one has its place, so what is empty was meant to be.
    """

    span: Span
    sure: tuple[bool, bool]
    witnessed: bool

    def surely_not(self, when: Span) -> bool:
        """Whether it can not have run then."""
        before, after = self.sure
        return (before and when.end <= self.span.start) or (after and when.start >= self.span.end)

    def ran(self, when: Span) -> bool:
        """Whether it ran all of that time."""
        return self.span.start <= when.start and when.end <= self.span.end


@dataclass(frozen=True, slots=True)
class _Heard:
    """All that was heard of a track's time. `missing` are files that can not be used, by their stamps."""

    stays: list[Span]
    runs: list[_Run]
    missing: list[tuple[int, str]]

    @classmethod
    def of(cls, session: Session, participant_id: str, recordings: list[Recording]) -> "_Heard":
        missing = [found for recording in recordings for found in _missing(session, recording)]
        return cls(
            stays=list(_stays(session, participant_id)),
            runs=[_run(session, recording) for recording in recordings if not recording.refused],
            missing=sorted((at, reason) for at, reason in missing if at is not None),
        )

    @property
    def edges(self) -> set[int]:
        """Where a reason may begin or end."""
        spans = [*self.stays, *(run.span for run in self.runs)]
        return {edge for span in spans for edge in (span.start, span.end)} | {at for at, _ in self.missing}

    def reason(self, gap: Span, when: Span) -> str:
        """Why nothing is there in a part of a gap in which nothing changes."""
        present = not self.stays or any(s.start <= when.start and when.end <= s.end for s in self.stays)
        elsewhere = all(run.surely_not(when) for run in self.runs)
        file = max(((at, why) for at, why in self.missing if gap.start <= at <= when.start), default=None)
        if file is not None and (file[0] == when.start or (present and not elsewhere)):
            return file[1]
        if not present:
            return "away"
        if elsewhere:
            return "not_recorded"
        possible = [run for run in self.runs if not run.surely_not(when)]
        proven = all(run.witnessed for run in possible) and any(run.ran(when) for run in possible)
        return "off" if proven else "unknown"


def _explained(empty: Iterable[Span], heard: _Heard) -> Iterator[Gap]:
    for gap in empty:
        edges = sorted({edge for edge in heard.edges if gap.start < edge < gap.end} | {gap.start, gap.end})
        told = [Gap(a, b, heard.reason(gap, Span(a, b))) for a, b in pairwise(edges)]
        begun = told[0]
        for part in told[1:]:
            if part.reason != begun.reason:
                yield begun
                begun = part
            begun = Gap(begun.start, part.end, begun.reason)
        yield begun


def _stays(session: Session, participant_id: str) -> Iterator[Span]:
    """When the participant was there."""
    zero, end = session.extent.start, session.extent.end
    for stay in session.stays(participant_id):
        until = end if stay.end_at is None else stay.end_at
        yield Span(stay.start_at - zero, max(stay.start_at, until) - zero)


def _run(session: Session, recording: Recording) -> _Run:
    zero = session.extent.start
    spans = [told.span for told in session.lying_of[recording.recording_id] if told.inside]
    listed, ended = recording.told(e.RecordingListed), recording.told(e.RecordingEnded)
    begins = [*(fact.start_at for fact in listed), *(fact.start_at for fact in ended)]
    ends = [fact.end_at for fact in ended]
    known = [*begins, *ends, *(edge for span in spans for edge in (span.start, span.end))]
    named = recording.knows(e.RecordingStopped, e.RecordingEnded)
    unplaced = any(at is None for at, _ in _missing(session, recording))
    return _Run(
        span=Span(min(known, default=zero) - zero, max(known, default=zero) - zero),
        sure=(bool(begins), bool(ends)),
        witnessed=named and not unplaced,
    )


def _missing(session: Session, recording: Recording) -> Iterator[tuple[int | None, str]]:
    """The recording's files that are not in the track: where they would begin, if anybody knows, and why."""
    zero = session.extent.start
    lying = session.lying_of[recording.recording_id]
    useless = {told.place.segment.file: told for told in lying if not told.usable}
    for file in sorted(recording.expected | recording.delivered.keys() | recording.given_up.keys()):
        at = stamp(file)
        if file in useless:
            yield (useless[file].span.start - zero if useless[file].inside else None), "rejected"
        elif file in recording.given_up:
            yield (None if at is None else at - zero), "given_up"
        elif file not in recording.delivered:
            yield (None if at is None else at - zero), "lost"
        elif isinstance(recording.delivered[file], e.SegmentRejected):
            yield (None if at is None else at - zero), "rejected"
