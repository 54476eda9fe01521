"""Meetings of many people and files, as short as a story can tell them. Times are since `ZERO`."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from chalicelib.core import events as e
from chalicelib.core.ids import Kind
from chalicelib.core.session import Session
from tests.builders import SESSION, ZERO, name, stored

MINUTE = 60_000
HOUR = 60 * MINUTE


def segment(participant_id: str, kind: Kind, start: int, end: int, **said: Any) -> e.SegmentStored:
    """A file that came whole."""
    file = name(ZERO + start, participant_id, kind)
    told: dict[str, Any] = {
        "key": f"recordings/{SESSION}/{participant_id}/{kind}/{file}",
        "participant_id": participant_id,
        "kind": kind,
        "start_at": ZERO + start,
        "duration_ms": end - start,
        "modified_at": ZERO + end,
        "repaired_key": f"sessions/{SESSION}/{participant_id}/{kind}/repaired-{ZERO + start}-{end:016x}.webm",
    }
    return stored(file, **{**told, **said})


def asked(participant_id: str, kind: Kind) -> e.RecordingRequested:
    """Our request."""
    return e.RecordingRequested(at=1, room_id="room", participant_id=participant_id, kind=kind, by="app")


def listed(start: int, end: int, files: Iterable[str]) -> e.RecordingEnded:
    """VideoSDK's list."""
    return e.RecordingEnded(
        at=9,
        listed_id="track",
        session_id=SESSION,
        start_at=ZERO + start,
        end_at=ZERO + end,
        files=tuple(files),
    )


def recorded(
    participant_id: str, kind: Kind, *spans: tuple[int, int], ran: tuple[int, int] | None = None
) -> list[e.Event]:
    """A recording, all its files delivered; the list says that it `ran` so long, if not as long as they."""
    files: list[e.Event] = [segment(participant_id, kind, start, end) for start, end in spans]
    begins, ends = ran or (spans[0][0], spans[-1][1])
    names = [name(ZERO + start, participant_id, kind) for start, _ in spans]
    return [asked(participant_id, kind), listed(begins, ends, names), *files]


def stay(participant_id: str, start: int, end: int | None) -> e.ParticipantListed:
    """A presence in VideoSDK's session."""
    return e.ParticipantListed(
        at=5,
        participant_id=participant_id,
        name=participant_id.title(),
        start_at=ZERO + start,
        end_at=None if end is None else ZERO + end,
    )


def heard_at(fact: e.Event, at: int) -> e.Event:
    """The same fact, heard then; where the time is part of what it says, or of what we did, it stays."""
    return fact if "at" in fact.SAME_IF or isinstance(fact, e.ACTS) else replace(fact, at=at)


def meeting(*recordings: list[e.Event], own: Iterable[e.Event] = ()) -> Session:
    """A session of recordings."""
    return Session.of(SESSION, own, {f"rec-{number:032x}": told for number, told in enumerate(recordings)})
