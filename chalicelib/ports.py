"""What the flows ask of the world. Each protocol has one adapter and one fake, held to the same contract."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from chalicelib.core.events import Event, RecordingRequested
from chalicelib.core.heads import RecordingHead, SessionHead
from chalicelib.core.scan import Repaired
from chalicelib.core.step import Made, Step
from chalicelib.core.work import Lease

if TYPE_CHECKING:  # what only compositions need, and most cold starts do not
    from chalicelib.core.chunks import Chunk, File, Rendered, Whole


def recording_subject(recording_id: str) -> str:
    """The ledger's name of a recording's facts."""
    return f"recording#{recording_id}"


def session_subject(session_id: str) -> str:
    """The ledger's name of a session's own facts."""
    return f"session#{session_id}"


def composition_subject(composition_id: str) -> str:
    """The ledger's name of a composition's facts."""
    return f"composition#{composition_id}"


class Ledger(Protocol):
    """The memory: a set of facts for each subject."""

    def append(self, subject: str, event: Event) -> bool:
        """Write a fact down, durably; False when the ledger has it already."""
        ...

    def has(self, subject: str, identity: str) -> bool:
        """Whether a fact is there, read consistently."""
        ...

    def read(self, subject: str) -> tuple[Event, ...]:
        """All facts of a subject, read consistently, in the order in which they were heard."""
        ...

    def read_each(self, subjects: Sequence[str]) -> list[tuple[Event, ...]]:
        """What `read` tells of each of these subjects, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Opening:
    """A recording about to begin. `over` is the ended recording that held its slot before, if any."""

    recording_id: str
    requested: RecordingRequested
    over: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """An Idempotency-Key's first use: by whom, for which body, and the recordings it began."""

    at: int
    owner: str
    key: str
    body_digest: str
    recording_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """Nothing was written, for these reasons: slots held by other recordings, or a claim made before."""

    holders: dict[str, str]
    claim: Claim | None


@dataclass(frozen=True, slots=True)
class Filter:
    """What a listed recording has to match; None matches all."""

    room_id: str | None = None
    session_id: str | None = None
    participant_id: str | None = None
    kind: str | None = None
    phase: str | None = None


@dataclass(frozen=True, slots=True)
class Page[Item]:
    """One page of a list, and where the next begins."""

    items: list[Item]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Making:
    """What is being made of a session: the steps by their targets, queued at last `queued_at`.

    `known` is how many facts the session's last manifest rests on, products aside; `asked` is how many
    requests to finish it were heard.
    """

    session_id: str
    queued_at: int
    targets: tuple[str, ...]
    known: int
    asked: int


class Catalog(Protocol):
    """What is derived from the ledger for finding things, and the slots that keep recordings apart.

    A slot is one kind of one participant of one room; it holds its latest recording.
    """

    def open(self, openings: Sequence[Opening], claim: Claim | None) -> Taken | None:
        """Write all intents, heads, slots and the claim at once, or nothing and say why."""
        ...

    def holder(self, room_id: str, participant_id: str, kind: str) -> str | None:
        """The latest recording in a slot, read consistently."""
        ...

    def recording(self, recording_id: str) -> RecordingHead | None:
        """A recording's head, read consistently."""
        ...

    def keep_recording(self, head: RecordingHead, *, relink: bool = True) -> bool:
        """Link a recording to its session, then keep its head: whoever finds the head finds the link too.
        `relink` is False when the link that is there says the same. False when newer ones are there."""
        ...

    def keep_session(self, head: SessionHead) -> bool:
        """Keep a session's head; False when one that knows as much or more is there already."""
        ...

    def session(self, session_id: str) -> SessionHead | None:
        """A session's head, read consistently."""
        ...

    def of_session(self, session_id: str) -> list[RecordingHead]:
        """The heads of all recordings linked to a session, read consistently."""
        ...

    def recordings(self, wanted: Filter, limit: int, cursor: str | None) -> Page[RecordingHead]:
        """Recordings, newest first. `Invalid` on a cursor that is not ours."""
        ...

    def unsettled(self, limit: int, cursor: str | None) -> Page[RecordingHead]:
        """Recordings of which something is still awaited, oldest first."""
        ...

    def beyond(self, head: RecordingHead) -> str:
        """The cursor of what comes after this one in a list of recordings."""
        ...

    def sessions(
        self, room_id: str | None, limit: int, cursor: str | None, *, participant_id: str | None = None
    ) -> Page[SessionHead]:
        """Sessions, newest first."""
        ...

    def making(self, session_id: str) -> Making | None:
        """What is being made of a session, read consistently; None where nothing ever was."""
        ...

    def keep_making(self, making: Making) -> None:
        """From now on this is being made."""
        ...

    def all_making(self, limit: int, cursor: str | None) -> Page[Making]:
        """What is being made of all sessions, what was queued longest ago first."""
        ...

    def bookmark(self, walk: str) -> str | None:
        """Where a walk that is done in parts is to go on; None at its beginning."""
        ...

    def keep_bookmark(self, walk: str, place: str | None) -> None:
        """Go on there next time."""
        ...


@dataclass(frozen=True, slots=True)
class Accepted:
    """VideoSDK did what we asked."""


@dataclass(frozen=True, slots=True)
class Declined:
    """VideoSDK did nothing: it said no, or was never reached. `code` is one of ours."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """Bytes were sent and no answer can be read: it may or may not have been done."""

    reason: str


type Outcome = Accepted | Declined | Unconfirmed


@dataclass(frozen=True, slots=True)
class Listed:
    """A track recording as VideoSDK's list has it. `files` are paths as they were told."""

    listed_id: str
    session_id: str
    participant_id: str
    kind: str
    start_at: int
    end_at: int | None
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Presence:
    """One stay of a participant in a session, as VideoSDK has it."""

    participant_id: str
    name: str
    start_at: int
    end_at: int | None


class Recorder(Protocol):
    """VideoSDK's track recording. Questions raise `Unavailable`; commands return their outcome.

    Declined codes: `participant_not_joined`, `no_active_session`, `room_not_found`, `not_started`,
    `videosdk_refused`, `videosdk_unauthorized`, `videosdk_rate_limited`, `videosdk_unreachable`.
    """

    def start(
        self, room_id: str, participant_id: str, kind: str, *, webhook_url: str, bucket_dir_path: str
    ) -> Outcome:
        """Ask for a track recording; never sent twice once bytes have left."""
        ...

    def stop(self, room_id: str, participant_id: str, kind: str) -> Outcome:
        """Ask for its end."""
        ...

    def listed(
        self, room_id: str, *, session_id: str | None = None, participant_id: str | None = None
    ) -> Iterator[Listed]:
        """Every track recording that VideoSDK has for these, over all pages."""
        ...

    def presences(self, session_id: str) -> list[Presence]:
        """Who was in a session, and when."""
        ...


@dataclass(frozen=True, slots=True)
class Heard:
    """A delivery that VideoSDK signed. `about` is the room, participant and kind that it speaks of."""

    fact: Event
    about: tuple[str, str, str]
    of_recording: bool
    session_id: str | None
    webhook_type: str
    body_sha256: str
    text: str


class Post(Protocol):
    """VideoSDK's deliveries: knows its public key and its spelling."""

    def hear(self, body: bytes, signature: str | None, at: int) -> Heard:
        """Verify exactly these bytes, then read them: `Untrusted` when VideoSDK did not sign them,
        `Unavailable` when its key can not be had. What can not be understood is heard as `OddHeard`."""
        ...


@dataclass(frozen=True, slots=True)
class Object:
    """A stored object as it lies in a bucket."""

    key: str
    etag: str
    bytes: int
    modified_at: int


class Reading(Protocol):
    """An object being read once, from its beginning."""

    object: Object

    def __iter__(self) -> Iterator[bytes]: ...


class Writing(Protocol):
    """A file being written whose front is known last. Nothing is visible before `front`.

    `size` is what was given so far, in bytes.
    """

    @property
    def size(self) -> int: ...

    def body(self, data: bytes) -> None:
        """The next bytes of what follows the front."""
        ...

    def front(self, data: bytes) -> None:
        """The bytes before the body; ends the file. What lies under the key already stays."""
        ...

    def abandon(self) -> None:
        """Leave nothing behind."""
        ...


class Inbox(Protocol):
    """The recordings bucket: only ever read."""

    def read(self, key: str, etag: str | None = None) -> Reading:
        """Open an object; `NotFound` when it is gone or is no longer the one with this etag."""
        ...

    def under(self, prefix: str, after: str | None = None) -> Iterator[Object]:
        """Every object below a prefix whose key comes after this one, in the order of their UTF-8."""
        ...


class Shelf(Protocol):
    """The output bucket: keys are computed from inputs, objects never rewritten, orphans deleted."""

    def write(self, key: str, content_type: str) -> Writing:
        """Begin a file."""
        ...

    def put(self, key: str, body: bytes, content_type: str) -> None:
        """Store a small file whole, unless the key is there."""
        ...

    def read(self, key: str, start: int = 0, end: int | None = None) -> Reading:
        """Open a file, from `start` to before `end`; `NotFound` when there are no such bytes."""
        ...

    def under(self, prefix: str, after: str | None = None) -> Iterator[Object]:
        """Every file below a prefix whose key comes after this one, in the order of their UTF-8."""
        ...

    def delete(self, key: str) -> None:
        """Take a file away, if it is there."""
        ...

    def url(self, key: str, save_as: str | None = None) -> str:
        """A short-lived address at which anybody who has it can GET the file, to see or to save it."""
        ...


class Store(Protocol):
    """What a step's maker reads from and writes to: the output bucket, below the step's target."""

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterable[bytes]:
        """A file's bytes from `start` to before `end`; `NotFound` when it is not there."""
        ...

    def write(self, name: str, content_type: str) -> Writing:
        """Begin a file of the step."""
        ...


# Makes a step's outputs and tells of each file. `BadSegment` when one segment can not be decoded,
# `NotRecording` when the step can not be done at all.
type Maker = Callable[[Step, Store], list[Made]]


class Media(Protocol):
    """What is done to bytes. `NotRecording` is raised for what is not what it claims to be."""

    def repair(self, chunks: Iterable[bytes], sink: Writing) -> Repaired:
        """Rewrite a live-muxed file as a seekable one without holes in a single pass, and tell of both."""
        ...

    @property
    def makers(self) -> Mapping[str, Maker]:
        """Who makes a plan's steps, by the name that `Step.maker` has."""
        ...

    def render_chunk(self, chunk: "Chunk", store: Store) -> "Rendered":
        """Write a chunk of a composition. What can not be decoded is a slate."""
        ...

    def finish(self, whole: "Whole", formats: Iterable[str], store: Store) -> "list[File]":
        """Join a composition's chunks and its sound, in each of the formats."""
        ...


class Bell(Protocol):
    """Tells other systems, at least once."""

    def ready(self, told: dict[str, Any]) -> None:
        """A session's manifest is there."""
        ...


class Work(Protocol):
    """The queues behind the media functions."""

    def ingest(self, keys: Iterable[str]) -> None:
        """Have delivered objects processed whose events never came."""
        ...

    def make(self, messages: Iterable[dict[str, Any]]) -> None:
        """Have steps made; see `core/order.py` for what a message says."""
        ...


class Queue(Protocol):
    """Where a message came from that a function was given."""

    def hide(self, receipt: str, seconds: int) -> None:
        """Have a message that was received come back after so long from now, whatever the queue would do."""
        ...

    def bury(self, body: str, said: dict[str, str]) -> None:
        """Put a message among the dead letters, with what is said of it."""
        ...


class Composer(Protocol):
    """The machine that renders compositions; one run at a time has a name.

    Both methods raise `Unavailable` when it can not be told whether it was done.
    """

    def start(self, name: str, told: dict[str, Any]) -> None:
        """Begin a run and tell it this; nothing happens where one of this name ever began."""
        ...

    def stop(self, name: str) -> None:
        """Begin no more of its tasks; nothing happens where it is over, or never was."""
        ...


class Leases(Protocol):
    """Who works on what. A target is the output's key, which is computed from the input.

    Every method raises `Unavailable` when it can not be told whether it was done.
    """

    def take(self, target: str, now: int) -> Lease:
        """Begin a try; raises `Done`, `Collected`, `Busy` or `Spent` when there is none to begin."""
        ...

    def keep(self, lease: Lease, now: int) -> Lease:
        """Have it for a whole `LEASE_MS` from now; `LeaseLost` when somebody else has it."""
        ...

    def fail(self, lease: Lease, reason: str) -> None:
        """Give it back at once and say why; nothing happens when it is ours no more."""
        ...

    def commit(self, lease: Lease, subject: str, facts: Sequence[Event]) -> bool:
        """Write the facts down and the work off, all or nothing; whether any of them was news.

        At most `FACTS_AT_MOST` facts. Those that are there already stay as they are and hinder no other.
        `LeaseLost` when somebody else took the work, or its output was collected.
        """
        ...

    def unfinished(self, target: str) -> bool:
        """Whether somebody began this work and nobody committed it; only read."""
        ...

    def collect(self, target: str, now: int) -> bool:
        """Have nobody commit this target from now on; whether what lies there may be deleted.

        Not when it is committed or being worked on, and not when it was never leased: then it is not ours.
        """
        ...

    def redrive(self, target: str) -> bool:
        """Allow as many tries again; whether there is such work and it is not done."""
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    """What the deployment decides and the flows need."""

    recordings_bucket: str
    bucket_dir_path: str
    grace_ms: int
    products: tuple[str, ...]
    mix_lufs: float | None
    url_ms: int
    chunks_at_once: int


class World(Protocol):
    """All ports together, each made on first use."""

    @property
    def settings(self) -> Settings: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def catalog(self) -> Catalog: ...
    @property
    def recorder(self) -> Recorder: ...
    @property
    def post(self) -> Post: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def shelf(self) -> Shelf: ...
    @property
    def media(self) -> Media: ...
    @property
    def bell(self) -> Bell: ...
    @property
    def work(self) -> Work: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def composer(self) -> Composer: ...
    @property
    def tag_key(self) -> bytes:
        """What webhook addresses are hashed with."""
        ...

    def now(self) -> int:
        """Epoch milliseconds."""
        ...

    def random(self) -> bytes:
        """16 bytes that nobody can guess."""
        ...
