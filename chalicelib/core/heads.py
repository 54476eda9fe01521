"""What the lists show of a recording or session. Derived, rebuilt at will, never the source of truth.

Whoever knows more overwrites what knows less. A head that would say the same as before need not be written
until its recording may be settled: from then on all that is shown rests on everything that is known.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from chalicelib.core import events as e
from chalicelib.core.recording import Recording
from chalicelib.core.session import weight
from chalicelib.core.timeline import DAY_MS, Span, window


@dataclass(frozen=True, slots=True)
class RecordingHead:
    """A recording in a list. `known` counts the facts that this rests on: more is newer."""

    recording_id: str
    room_id: str | None
    session_id: str | None
    participant_id: str | None
    kind: str | None
    requested_at: int
    phase: str
    settled: bool
    complete: bool
    segments: int
    start_at: int | None
    end_at: int | None
    known: int


@dataclass(frozen=True, slots=True)
class SessionHead:
    """A session in a list. `manifest_key` is empty until there is one.

    `begun_at` is its place in lists: unlike zero, it does not move when the first file comes. `who` are the
    participants' ids, by which a session is found, and `people` the first of them by name, to be shown.
    """

    session_id: str
    room_id: str | None
    zero_at: int
    duration_ms: int
    participants: int
    recordings: int
    settled: bool
    complete: bool
    manifest_key: str
    known: int
    begun_at: int = 0
    who: tuple[str, ...] = ()
    people: tuple[str, ...] = ()


# What a head has room for: a kilobyte is a write unit, and an item ends at 400.
WHO_AT_MOST, PEOPLE_AT_MOST, NAME_AT_MOST = 1000, 12, 60


def recording_head(recording: Recording) -> RecordingHead:
    """The head of a recording."""
    whole = window(place.span for place in recording.placed)
    return RecordingHead(
        recording_id=recording.recording_id,
        room_id=recording.room_id,
        session_id=recording.session_id,
        participant_id=recording.participant_id,
        kind=recording.kind,
        requested_at=recording.requested.at if recording.requested else _first_sign_at(recording),
        phase=recording.phase,
        settled=recording.verdict.settled,
        complete=recording.verdict.complete,
        segments=len(recording.segments),
        start_at=whole.start if recording.segments else None,
        end_at=whole.end if recording.segments else None,
        known=weight(recording.facts),
    )


def _first_sign_at(recording: Recording) -> int:
    """When an unannounced recording first showed; whatever comes to be known, it never moves later."""
    signs = (getattr(fact, "modified_at", 0) or fact.at for fact in recording.facts)
    return min(signs, default=0)


def session_head(
    session_id: str, linked: Iterable[RecordingHead], own_facts: int, manifest_key: str
) -> SessionHead:
    """The head of a session, from the heads of its recordings; `own_facts` counts the session's own facts."""
    heads = list(linked)
    spans = [Span(h.start_at, h.end_at) for h in heads if h.start_at is not None and h.end_at is not None]
    whole = window(spans)
    zero_at = whole.start if spans else min((head.requested_at for head in heads), default=0)
    who = sorted({head.participant_id for head in heads if head.participant_id is not None})
    inside = all(span.start < zero_at + DAY_MS and span.start >= zero_at for span in spans)
    return SessionHead(
        session_id=session_id,
        room_id=min((head.room_id for head in heads if head.room_id), default=None),
        zero_at=zero_at,
        duration_ms=whole.end - whole.start,
        participants=len(who),
        recordings=len(heads),
        settled=bool(heads) and all(head.settled for head in heads),
        complete=bool(heads) and inside and all(head.complete for head in heads),
        manifest_key=manifest_key,
        known=own_facts + sum(head.known for head in heads),
        begun_at=min((head.requested_at for head in heads), default=0),
        who=tuple(who[:WHO_AT_MOST]),
    )


def named(head: SessionHead, names: Mapping[str, str]) -> SessionHead:
    """The same head with people's names, where they are known, else their ids."""
    people = (names.get(participant_id) or participant_id for participant_id in head.who[:PEOPLE_AT_MOST])
    return replace(head, people=tuple(name[:NAME_AT_MOST] for name in people))


def may_be_settled(recording: Recording) -> bool:
    """Whether some part of what is known of it may read as settled. While none can, nobody who knows less
    can have told more than that it is open."""
    return recording.requested is None or recording.knows(e.StartRefused, e.RecordingEnded, e.EndOverdue)


def in_session(head: RecordingHead) -> RecordingHead:
    """What of a recording's head its session is reckoned from."""
    return replace(head, phase="", known=0)
