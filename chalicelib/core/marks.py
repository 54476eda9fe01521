"""What happened around a participant's tracks: when they came and went, and what was started and stopped.

Shown are moments that somebody tells of himself: VideoSDK of its session and its recordings, and we of what
we asked for. When a webhook was heard is none of them: it would make manifests depend on chance.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.core import events as e
from chalicelib.core.ids import Kind
from chalicelib.core.recording import Recording
from chalicelib.core.session import Session


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on the epoch clock. Who joins or leaves does so with no kind, and with no recording."""

    at: int
    what: str
    clock: str
    kind: Kind | None = None
    recording_id: str | None = None


def marks(session: Session, participant_id: str) -> list[Mark]:
    """All that is known of one participant, in the order of time."""
    recordings = [told for kinds in session.people[participant_id].values() for told in kinds]
    found = {mark for recording in recordings for mark in _of_recording(recording)}
    found |= set(_of_stays(session, participant_id))
    return sorted(found, key=lambda mark: (mark.at, mark.what, mark.kind or "", mark.recording_id or ""))


def _of_stays(session: Session, participant_id: str) -> Iterator[Mark]:
    for stay in session.stays(participant_id):
        yield Mark(stay.start_at, "joined", "videosdk")
        if stay.end_at is not None:
            yield Mark(stay.end_at, "left", "videosdk")


def _of_recording(recording: Recording) -> Iterator[Mark]:
    said = [(fact.at, "start_requested", "ours") for fact in recording.told(e.RecordingRequested)]
    said += [(fact.at, "stop_requested", "ours") for fact in recording.told(e.StopRequested)]
    said += [(fact.start_at, "started", "videosdk") for fact in recording.told(e.RecordingListed)]
    for fact in recording.told(e.RecordingEnded):
        said += [(fact.start_at, "started", "videosdk"), (fact.end_at, "stopped", "videosdk")]
    return (Mark(*told, recording.kind, recording.recording_id) for told in said)
