"""What happens in the simulated meetings. Each act changes the state and yields the effects to carry out.

Pure but for the state itself: the clock is given, nothing is sent or stored here.
"""

import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.videosdk import media
from local.videosdk.faults import Faults
from local.videosdk.switches import Switches

KINDS = ("audio", "video", "screen_audio", "screen_video")

# The documented answers, word for word. [D API/start-track-recording, DEV/stop-track-recording]
STARTED = "track recording started successfully."
STOPPED = "track recording ended successfully."

# The documented refusals. [C PYA:warm_transfer/_runner.py, PYA:room/_recording_manager.py]
NOT_JOINED = "participant is not yet joined the meeting"
NOT_STARTED = "track recording is not started yet"
NO_SESSION = "No active session found"

# Undocumented wordings [U]; made up, so nobody should read them.
DELETED = "Track recording deleted successfully"
NO_ROOM = "Room not found"
NO_SUCH_SESSION = "Session not found"
NO_RECORDING = "Recording not found"
NO_PARTICIPANT = "Participant not found"
ALREADY_STARTED = "track recording is already started"


@dataclass
class Refusal(Exception):
    """An answer other than 200."""

    status: int
    message: str


@dataclass
class Segment:
    """One file: an unmuted stretch of a recording. [D GUIDE/record-track: each start makes a new file]"""

    segment_id: str
    start_at: int
    end_at: int | None = None
    key: str = ""
    size: int = 0


@dataclass
class Recording:
    """One start-to-stop of one kind of one participant."""

    recording_id: str
    room_id: str
    session_id: str
    participant_id: str
    participant_name: str
    voice: int
    kind: str
    webhook_url: str | None
    dir_path: str
    session_start_at: int
    start_at: int
    end_at: int | None = None
    segments: list[Segment] = field(default_factory=list)
    notices: list[tuple[str, bool]] = field(default_factory=list)
    held_files: list["Deliver"] = field(default_factory=list)

    @property
    def open(self) -> Segment | None:
        """The file being written."""
        return next((s for s in self.segments if s.end_at is None), None)

    @property
    def finished(self) -> list[Segment]:
        """The files that are written, and hold at least one packet."""
        return [s for s in self.segments if s.end_at is not None]


@dataclass
class Participant:
    """One person of a session; `voice` numbers them by when they first came to the room."""

    participant_id: str
    name: str
    voice: int
    document_id: str
    stays: list[list[int | None]] = field(default_factory=list)
    unmuted: set[str] = field(default_factory=set)

    @property
    def present(self) -> bool:
        """Whether they are in the meeting now."""
        return bool(self.stays) and self.stays[-1][1] is None


@dataclass
class Session:
    """One sitting. It begins with the first to join and ends when it is ended."""

    session_id: str
    room_id: str
    start_at: int
    end_at: int | None = None
    participants: dict[str, Participant] = field(default_factory=dict)
    recordings: list[Recording] = field(default_factory=list)

    def running(self, participant_id: str, kind: str) -> Recording | None:
        """The recording of this track that has not ended."""
        wanted = (participant_id, kind, None)
        return next((r for r in self.recordings if (r.participant_id, r.kind, r.end_at) == wanted), None)


@dataclass
class Room:
    """The lasting place. `ahead_ms` is how far its clock has been advanced before the real one, or before
    the moment that it was held at."""

    room_id: str
    ahead_ms: int = 0
    held_at: int | None = None
    webhook_url: str | None = None
    voices: dict[str, int] = field(default_factory=dict)
    sessions: list[Session] = field(default_factory=list)

    @property
    def session(self) -> Session | None:
        """The session that is going on."""
        return next((s for s in self.sessions if s.end_at is None), None)


@dataclass(frozen=True)
class Tell:
    """A webhook to be sent, in the order of its lane."""

    lane: str
    url: str
    webhook_type: str
    told: dict[str, Any]
    recording: Recording | None = None


@dataclass(frozen=True)
class Deliver:
    """A file to be put into the customer's bucket, in the order of its lane."""

    lane: str
    key: str
    body: bytes
    facts: dict[str, Any]


type Effect = Tell | Deliver


class Meetings:
    """All rooms. Not thread-safe: its owner keeps acts apart."""

    def __init__(self, now: Callable[[], int], faults: Faults, switches: Switches) -> None:
        self.rooms: dict[str, Room] = {}
        self.switches = switches
        self._now = now
        self._faults = faults
        self._process = random.getrandbits(40)
        self._count = itertools.count(random.getrandbits(16))

    # --- people -----------------------------------------------------------------------------------

    def room(self, room_id: str) -> Room:
        """A room, made when it is first named."""
        return self.rooms.setdefault(room_id, Room(room_id))

    def now(self, room: Room) -> int:
        """The room's clock, epoch milliseconds."""
        return (self._now() if room.held_at is None else room.held_at) + room.ahead_ms

    def hold(self, room: Room, ago_ms: int = 0) -> None:
        """From here on only `advance` moves the room's clock, however slow the machine is."""
        if room.held_at is None:
            room.held_at = self._now() - ago_ms

    def join(self, room_id: str, participant_id: str, name: str) -> Iterator[Effect]:
        """Somebody comes in, or comes back. The first one begins a session."""
        room = self.room(room_id)
        now = self.now(room)
        if room.session is None:
            room.sessions.append(Session(self._object_id(now), room_id, now))
            yield from self._tell_room(room, "session-started", _session_told(room.sessions[-1]))
        session = _live(room)
        someone = session.participants.get(participant_id) or self._newcomer(
            room, session, participant_id, name
        )
        if not someone.present:
            someone.stays.append([now, None])
            yield from self._tell_room(room, "participant-joined", _presence_told(session, someone))

    def _newcomer(self, room: Room, session: Session, participant_id: str, name: str) -> Participant:
        voice = room.voices.setdefault(participant_id, len(room.voices))
        someone = Participant(participant_id, name, voice, self._object_id(self.now(room)))
        session.participants[participant_id] = someone
        return someone

    def leave(self, room_id: str, participant_id: str) -> Iterator[Effect]:
        """Somebody goes; what was recorded of them ends. [C PYA:room/room.py: recordings run until then]"""
        session, someone = self._present(room_id, participant_id)
        room = self.room(room_id)
        for recording in [
            r for r in session.recordings if r.participant_id == participant_id and r.end_at is None
        ]:
            yield from self._end(recording, told=self.switches.stop_on_leave_webhook)
        someone.stays[-1][1] = self.now(room)
        someone.unmuted.clear()
        yield from self._tell_room(room, "participant-left", _presence_told(session, someone))

    def end_session(self, room_id: str) -> Iterator[Effect]:
        """Everybody goes and the session is over. [D API/end-session]"""
        session = self._session(room_id)
        for someone in [p for p in session.participants.values() if p.present]:
            yield from self.leave(room_id, someone.participant_id)
        session.end_at = self.now(self.room(room_id))
        yield from self._tell_room(self.room(room_id), "session-ended", _session_told(session))

    def unmute(self, room_id: str, participant_id: str, kind: str) -> Iterator[Effect]:
        """A microphone, camera or share goes on: a new file begins. [D GUIDE/record-track]"""
        session, someone = self._present(room_id, participant_id)
        someone.unmuted.add(kind)
        recording = session.running(participant_id, kind)
        if recording and recording.open is None:
            self._begin_segment(recording)
        yield from ()

    def mute(self, room_id: str, participant_id: str, kind: str) -> Iterator[Effect]:
        """It goes off: the file ends."""
        session, someone = self._present(room_id, participant_id)
        someone.unmuted.discard(kind)
        recording = session.running(participant_id, kind)
        yield from self._end_segment(recording) if recording else ()

    # --- recordings -------------------------------------------------------------------------------

    def start(self, asked: dict[str, Any]) -> Iterator[Effect]:
        """Begin a track recording. [D API/start-track-recording; refusals C PYA]"""
        session, someone = self._recordable(asked)
        kind = asked["kind"]
        if session.running(someone.participant_id, kind):
            if self.switches.second_start == "conflict":
                raise Refusal(409, ALREADY_STARTED)
            return
        recording = self._recording(session, someone, asked)
        yield from self._tell(recording, "starting")
        if self._faults.strikes("fail_start", **_facts(recording)):
            yield from self._tell(recording, "failed")
            return
        session.recordings.append(recording)
        yield from self._tell(recording, "started")
        if kind in someone.unmuted:
            self._begin_segment(recording)

    def _recordable(self, asked: dict[str, Any]) -> tuple[Session, Participant]:
        session = self._session(asked["roomId"])
        someone = session.participants.get(asked["participantId"])
        if someone is None or not someone.present:
            raise Refusal(400, NOT_JOINED)
        return session, someone

    def _recording(self, session: Session, someone: Participant, asked: dict[str, Any]) -> Recording:
        now = self.now(self.room(session.room_id))
        return Recording(
            recording_id=self._object_id(now),
            room_id=session.room_id,
            session_id=session.session_id,
            participant_id=someone.participant_id,
            participant_name=someone.name,
            voice=someone.voice,
            kind=asked["kind"],
            webhook_url=asked.get("webhookUrl"),
            dir_path=asked.get("bucketDirPath") or "",
            session_start_at=session.start_at,
            start_at=now,
        )

    def stop(self, asked: dict[str, Any]) -> Iterator[Effect]:
        """End a track recording. [D DEV/stop-track-recording; refusals C PYA]"""
        session = self._session(asked["roomId"])
        recording = session.running(asked["participantId"], asked["kind"])
        if recording is None:
            raise Refusal(400, NOT_STARTED)
        yield from self._end(recording, told=True)

    def fail(self, room_id: str, participant_id: str, kind: str) -> Iterator[Effect]:
        """A running recording breaks down; the files that it has are kept. [D GUIDE/record-track, -failed]"""
        recording = self._session(room_id).running(participant_id, kind)
        if recording is None:
            raise Refusal(400, NOT_STARTED)
        yield from self._close(recording)
        yield from self._tell(recording, "failed")
        yield from self._release(recording)

    def _end(self, recording: Recording, *, told: bool) -> Iterator[Effect]:
        if told:
            yield from self._tell(recording, "stopping")
        yield from self._close(recording)
        if told:
            yield from self._last_word(recording)
        yield from self._release(recording)

    def _close(self, recording: Recording) -> Iterator[Effect]:
        yield from self._end_segment(recording)
        recording.end_at = self.now(self.room(recording.room_id))

    def _last_word(self, recording: Recording) -> Iterator[Effect]:
        if self._faults.strikes("fail_stop", **_facts(recording)):
            yield from self._tell(recording, "failed")
            return
        files = [self._file_told(segment) for segment in recording.finished]
        for told in [[file] for file in files] or [[]] if self.switches.stopped_per == "file" else [files]:
            yield from self._tell(recording, "stopped", fileDetails=told)

    def _file_told(self, segment: Segment) -> dict[str, Any]:
        slash = "/" if self.switches.leading_slash and not segment.key.startswith("/") else ""
        return {"filePath": slash + segment.key, "fileUrl": self.file_url(segment)}

    def file_url(self, segment: Segment) -> str | None:
        """What `fileUrl` holds. [S NOTE: null with the customer's own bucket]"""
        return f"https://cdn.videosdk.live/{segment.key}" if self.switches.file_url == "url" else None

    # --- files ------------------------------------------------------------------------------------

    def _begin_segment(self, recording: Recording) -> None:
        now = self.now(self.room(recording.room_id))
        recording.segments.append(Segment(self._object_id(now), now, key=self._key(recording, now)))

    def _key(self, recording: Recording, now: int) -> str:
        """The usual path, under `bucketDirPath`. [D GUIDE/record-track, API/fetch-all-track-recording]

        That the stamp is the file's start is inferred from the docs' example [I, fact sheet section 4].
        """
        name = f"track_recording_{recording.participant_id}_{recording.kind}_{now}.webm"
        usual = f"{recording.session_id}/{recording.participant_id}/{recording.kind}/{name}"
        kept = "individual-recordings/" if self.switches.keep_individual_recordings else ""
        front = recording.dir_path.strip("/") if self.switches.trim_slashes else recording.dir_path
        return f"{front}/{kept}{usual}" if front else f"{kept}{usual}"

    def _end_segment(self, recording: Recording) -> Iterator[Effect]:
        """Close the open file; it is uploaded now, or with `upload=after` held until after `stopped`."""
        segment = recording.open
        if segment is None:
            return
        segment.end_at = self.now(self.room(recording.room_id))
        zero = recording.session_start_at
        body = media.segment(recording.kind, recording.voice, segment.start_at - zero, segment.end_at - zero)
        if not body:
            recording.segments.remove(segment)
            return
        segment.size = len(body)
        facts = _facts(recording) | {"index": recording.segments.index(segment)}
        upload = Deliver(recording.recording_id, segment.key, body, facts)
        if self.switches.upload == "before":
            yield upload
        else:
            recording.held_files.append(upload)

    def _release(self, recording: Recording) -> Iterator[Effect]:
        held, recording.held_files = recording.held_files, []
        yield from held

    # --- words ------------------------------------------------------------------------------------

    def _tell(self, recording: Recording, what: str, **more: Any) -> Iterator[Effect]:
        """A recording's event, to its `webhookUrl`. [D API/user-webhooks]"""
        told = {
            "meetingId": recording.room_id,
            "sessionId": recording.session_id,
            "participantId": recording.participant_id,
            "kind": recording.kind,
        }
        if recording.webhook_url:
            event = f"participant-track-recording-{what}"
            yield Tell(recording.recording_id, recording.webhook_url, event, told | more, recording)

    def _tell_room(self, room: Room, webhook_type: str, told: dict[str, Any]) -> Iterator[Effect]:
        """A room's event, to the room's webhook. [D API/create-room; only there I, fact sheet 3.1]"""
        if room.webhook_url:
            yield Tell(room.room_id, room.webhook_url, webhook_type, told)

    # --- finding ----------------------------------------------------------------------------------

    @property
    def sessions(self) -> list[Session]:
        """Every session of every room, newest first."""
        found = [session for room in self.rooms.values() for session in room.sessions]
        return sorted(found, key=lambda s: (s.start_at, s.session_id), reverse=True)

    @property
    def recordings(self) -> list[Recording]:
        """Every recording, newest first."""
        found = [recording for session in self.sessions for recording in session.recordings]
        return sorted(found, key=lambda r: (r.start_at, r.recording_id), reverse=True)

    def forget(self, recording_id: str) -> None:
        """Delete a recording. Whether its objects go too is unknown [U]; here they stay."""
        for session in self.sessions:
            kept = [r for r in session.recordings if r.recording_id != recording_id]
            if len(kept) < len(session.recordings):
                session.recordings = kept
                return
        raise Refusal(self.switches.not_found_status, NO_RECORDING)

    def _session(self, room_id: str) -> Session:
        if room_id not in self.rooms:
            raise Refusal(self.switches.not_found_status, NO_ROOM)
        return _live(self.rooms[room_id])

    def _present(self, room_id: str, participant_id: str) -> tuple[Session, Participant]:
        session = self._session(room_id)
        someone = session.participants.get(participant_id)
        if someone is None or not someone.present:
            raise Refusal(400, NOT_JOINED)
        return session, someone

    def _object_id(self, now: int) -> str:
        """A Mongo ObjectId: seconds, a random number of the process, a count. [I from the docs' examples]"""
        return f"{now // 1_000:08x}{self._process:010x}{next(self._count) & 0xFFFFFF:06x}"


def _live(room: Room) -> Session:
    if room.session is None:
        raise Refusal(403, NO_SESSION)
    return room.session


def _facts(recording: Recording) -> dict[str, Any]:
    return {"participantId": recording.participant_id, "kind": recording.kind}


def _presence_told(session: Session, someone: Participant) -> dict[str, Any]:
    return {
        "meetingId": session.room_id,
        "sessionId": session.session_id,
        "participantId": someone.participant_id,
        "participantName": someone.name,
    }


def _session_told(session: Session) -> dict[str, Any]:
    times = {"start": session.start_at, "end": session.end_at}
    told = {name: iso(at).replace("Z", "+00:00") for name, at in times.items() if at is not None}
    return {"sessionId": session.session_id, "meetingId": session.room_id} | told


def iso(at: int) -> str:
    """ISO 8601 with milliseconds and Z, as REST has it; webhooks have `+00:00`. [D API/user-webhooks]"""
    said = datetime.fromtimestamp(at // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{said}.{at % 1_000:03d}Z"


def file_seconds(segment: Segment) -> int:
    """`meta.duration`: whole seconds, probably of the wall clock. [I API/fetch-a-track-recording]"""
    return math.ceil(((segment.end_at or segment.start_at) - segment.start_at) / 1_000)
