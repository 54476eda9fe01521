"""A VideoSDK that truly records and tells the truth: late, twice, or never. Whoever asks what happened can
ask it, and compare."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from chalicelib.core import events as e
from chalicelib.core.errors import Unavailable
from chalicelib.core.recording import Recording
from chalicelib.ports import Accepted, Declined, Listed, Outcome, Presence, Unconfirmed, recording_subject
from tests.builders import ROOM
from tests.fakes import MemoryWorld, film
from tests.flows.stage import webhook

# What may befall a command: it is done, done without an answer, done later, or not done at all.
FATES = ("fine", "lost before", "lost after", "late", "unreachable", "rate limited")
_NOT_DONE: dict[str, Outcome] = {
    "unreachable": Declined("videosdk_unreachable", "no route"),
    "rate limited": Declined("videosdk_rate_limited", "slow down"),
    "lost before": Unconfirmed("no answer"),
    "late": Unconfirmed("no answer"),
}
LATEST_MS = 3_600_000  # what was not begun for so long never is
# What becomes of a file: the bucket's event tells of it, does not, the file is broken, or never comes.
FILES = ("told", "told", "silently", "damaged", "never")


@dataclass(eq=False)
class Track:
    """What VideoSDK truly did for one start. `files` says of each file whether it is intact, damaged or
    absent; `listed_at` when the list begins to name it."""

    recording_id: str
    session_id: str
    participant_id: str
    kind: str
    start_at: int
    late: bool = False
    end_at: int | None = None
    files: dict[str, str] = field(default_factory=dict)
    listed_at: dict[str, int] = field(default_factory=dict)

    @property
    def about(self) -> tuple[str, str, str]:
        """Room, participant and kind."""
        return ROOM, self.participant_id, self.kind

    @property
    def runs(self) -> bool:
        """Whether it is being recorded."""
        return self.end_at is None

    def key(self, file: str) -> str:
        """Where a file of it is delivered."""
        return "/".join(
            ("recordings", self.recording_id, self.session_id, self.participant_id, self.kind, file)
        )


@dataclass
class Vendor:
    """Answers to the port `Recorder`, and truly records.

    `fates` say what befalls the next commands, `endings` what becomes of the last file of what ends.
    `off_ms` is how far our clock is ahead of its own; until `silent_until` its list gives no answer, and
    files stand in the list `lag_ms` after they were closed.
    """

    world: MemoryWorld
    fates: list[str] = field(default_factory=list)
    endings: list[str] = field(default_factory=list)
    tracks: list[Track] = field(default_factory=list)
    late: list[Track] = field(default_factory=list)
    outbox: list[tuple[Track, e.Event]] = field(default_factory=list)
    must_tell: list[tuple[Track, e.Event]] = field(default_factory=list)
    acknowledged: list[tuple[str, e.Event]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    doubles: list[str] = field(default_factory=list)
    present: dict[str, str] = field(default_factory=dict)
    stays: list[tuple[str, str, int]] = field(default_factory=list)
    off_ms: int = 0
    silent_until: int = 0
    lag_ms: int = 0
    _sessions: int = 0
    _bodies: int = 0

    @property
    def now(self) -> int:
        """Its own clock."""
        return self.world.clock - self.off_ms

    # --- people -----------------------------------------------------------------------------------

    def joins(self, participant_id: str) -> None:
        """Somebody comes in; the first begins a new session of the room."""
        if not self.present:
            self._sessions += 1
        if participant_id not in self.present:
            self.present[participant_id] = f"session-{self._sessions}"
            self.stays.append((self.present[participant_id], participant_id, self.now))

    def leaves(self, participant_id: str) -> None:
        """All that is recorded of who leaves ends by itself."""
        for track in self.running(participant_id):
            self.end(track)
        self.present.pop(participant_id, None)

    def running(self, participant_id: str | None = None, kind: str | None = None) -> list[Track]:
        """The tracks that run."""
        return [
            track
            for track in self.tracks
            if track.runs and participant_id in (None, track.participant_id) and kind in (None, track.kind)
        ]

    # --- commands ---------------------------------------------------------------------------------

    def start(
        self, room_id: str, participant_id: str, kind: str, *, webhook_url: str, bucket_dir_path: str
    ) -> Outcome:
        """Begins a track, or seems to."""
        self.world.tape.does("recorder.start", kind)
        recording_id = bucket_dir_path.rpartition("/")[2]
        assert room_id == ROOM
        assert recording_id in webhook_url
        self.asked.append(recording_id)
        # Of a start done after the next was asked for, without a file, nobody could say whose it was.
        self.late = [t for t in self.late if t.about != (ROOM, participant_id, kind)]
        fate = self._fate()
        if participant_id not in self.present and fate in ("fine", "lost after", "late"):
            code = "participant_not_joined" if self.present else "no_active_session"
            return Declined(code, "participant is not yet joined")
        session_id = self.present.get(participant_id, "")
        track = Track(recording_id, session_id, participant_id, kind, self.now, late=fate == "late")
        if fate == "late":
            self.late.append(track)
        if fate in _NOT_DONE:
            return _NOT_DONE[fate]
        if busy := self.running(participant_id, kind):
            self.doubles += [] if busy[0].late else [recording_id]
            return Declined("videosdk_refused", "it is being recorded already")
        self._begin(track)
        return Accepted() if fate == "fine" else Unconfirmed("no answer")

    def _begin(self, track: Track) -> None:
        track.start_at = self.now
        self.tracks.append(track)
        self.outbox.append((track, e.RecordingStarting(at=1, session_id=track.session_id)))
        self.outbox.append((track, e.RecordingStarted(at=1, session_id=track.session_id)))

    def late_start(self) -> None:
        """A start that we believe lost is done after all, unless its place is taken."""
        track = self.late.pop(0) if self.late else None
        if track is None or self.now - track.start_at > LATEST_MS:
            return
        if track.participant_id not in self.present or self.running(*track.about[1:]):
            return
        track.session_id = self.present[track.participant_id]
        self._begin(track)
        if _is_over(self.world, track.recording_id):
            # What begins when we have given it up, and neither list nor webhook nor file tells of, nobody
            # can know.
            self.must_tell.append(self.outbox[-1])

    def stop(self, room_id: str, participant_id: str, kind: str) -> Outcome:
        """Ends what runs."""
        self.world.tape.does("recorder.stop", kind)
        assert room_id == ROOM
        fate, running = self._fate(), self.running(participant_id, kind)
        if fate in _NOT_DONE:
            return _NOT_DONE[fate]
        if not running:
            return Declined("not_started", "nothing runs")
        # Whose start it was that a stop ended, nobody can say; what was on its way there is ended with it.
        self.late = [t for t in self.late if t.about != (ROOM, participant_id, kind)]
        self.end(running[0])
        return Accepted() if fate == "fine" else Unconfirmed("no answer")

    def _fate(self) -> str:
        return self.fates.pop(0) if self.fates else "fine"

    # --- what is recorded -------------------------------------------------------------------------

    def cut(self, track: Track, how: str) -> None:
        """A file is closed, as at a mute."""
        name = f"track_recording_{track.participant_id}_{track.kind}_{self.now + len(track.files)}.webm"
        track.listed_at[name] = self.now + self.lag_ms
        track.files[name] = "absent"
        if how != "never":
            self.deliver(track, name, intact=how != "damaged", silently=how == "silently")

    def deliver(self, track: Track, file: str, *, intact: bool = True, silently: bool = False) -> None:
        """A file comes into the bucket, or comes again with other bytes."""
        self._bodies += 1
        kind = "audio" if track.kind.endswith("audio") else "video"
        body = film(1000 + self._bodies, kind=kind) if intact else f"no film {self._bodies}".encode()
        track.files[file] = "intact" if intact else "damaged"
        self.world.inbox.put(track.key(file), body)
        if not silently:
            self.world.work.ingest([track.key(file)])

    def end(self, track: Track, how: str = "stopped") -> None:
        """It ended, by whomever; its last file is closed, unless it was muted."""
        ending = self.endings.pop(0) if self.endings else "muted"
        if ending != "muted":
            self.cut(track, ending)
        track.end_at, told = self.now, tuple(track.key(file) for file in track.files)
        last: e.Event = e.RecordingStopped(at=1, session_id=track.session_id, files=told)
        if how == "failed":
            last = e.RecordingFailed(at=1, session_id=track.session_id)
        self.outbox += [(track, e.RecordingStopping(at=1, session_id=track.session_id)), (track, last)]

    # --- what is told -----------------------------------------------------------------------------

    def tell(self, track: Track, fact: e.Event) -> None:
        """A webhook is sent; it may come again."""
        webhook(self.world, track.recording_id, fact, track.about)
        self.acknowledged.append((recording_subject(track.recording_id), fact))

    def listed(
        self, room_id: str, *, session_id: str | None = None, participant_id: str | None = None
    ) -> Iterator[Listed]:
        """The truth, when it answers."""
        assert room_id == ROOM
        if self.now < self.silent_until:
            raise Unavailable("videosdk_unavailable", "the list does not answer")
        for number, t in enumerate(self.tracks):
            if session_id in (None, t.session_id) and participant_id in (None, t.participant_id):
                files = tuple(f"x/{t.key(file)}" for file in t.files if t.listed_at[file] <= self.now)
                yield Listed(
                    f"listed-{number}", t.session_id, t.participant_id, t.kind, t.start_at, t.end_at, files
                )

    def presences(self, session_id: str) -> list[Presence]:
        """All who were there."""
        return [Presence(who, who.title(), at, None) for sits, who, at in self.stays if sits == session_id]


def _is_over(world: MemoryWorld, recording_id: str) -> bool:
    recording = Recording.of(recording_id, world.ledger.read(recording_subject(recording_id)))
    return recording.ended or recording.knows(e.StopAccepted, e.StopUnneeded)
