"""What the lists show of a recording or session. Derived, rebuilt at will, never the source of truth."""

from dataclasses import dataclass

from chalicelib.core.recording import Recording
from chalicelib.core.session import Session, weight


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
    known: int


@dataclass(frozen=True, slots=True)
class SessionHead:
    """A session in a list. `manifest_key` is empty until there is one."""

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


def recording_head(recording: Recording) -> RecordingHead:
    """The head of a recording."""
    first_heard = min((fact.at for fact in recording.facts), default=0)
    return RecordingHead(
        recording_id=recording.recording_id,
        room_id=recording.room_id,
        session_id=recording.session_id,
        participant_id=recording.participant_id,
        kind=recording.kind,
        requested_at=recording.requested.at if recording.requested else first_heard,
        phase=recording.phase,
        settled=recording.verdict.settled,
        complete=recording.verdict.complete,
        segments=len(recording.segments),
        known=weight(recording.facts),
    )


def session_head(session: Session, manifest_key: str) -> SessionHead:
    """The head of a session."""
    whole = session.extent
    return SessionHead(
        session_id=session.session_id,
        room_id=session.room_id,
        zero_at=whole.start,
        duration_ms=whole.end - whole.start,
        participants=len({r.participant_id for r in session.recordings} - {None}),
        recordings=len(session.recordings),
        settled=session.verdict.settled,
        complete=session.verdict.complete,
        manifest_key=manifest_key,
        known=session.known,
    )
