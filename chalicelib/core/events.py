"""The facts: frozen, in the past tense, written once.

A fact's identity is what it says, not when we heard it: its type and the fields named in `SAME_IF`.
So a repeated delivery, a retried function and two racing ones all meet the same conditional write.
Whatever of a fact may decide anything is in `SAME_IF` or follows from it: of two tellings of one fact only
the first is kept, and which came first is chance. `at` is epoch milliseconds on our clock, when we learned
of it: it orders the ledger's list and decides nothing. Of our own `ACTS` it is when we did it, and is shown.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any, ClassVar, get_args

from chalicelib.core.ids import Kind
from chalicelib.core.step import Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened. The subject it belongs to, a recording or a session, is the ledger's to keep."""

    SAME_IF: ClassVar[tuple[str, ...]] = ()

    at: int

    @property
    def identity(self) -> str:
        """Equal for two tellings of the same fact."""
        return _joined(type(self), [getattr(self, name) for name in self.SAME_IF])


def identity_of(kind: type[Event], **said: object) -> str:
    """The identity of a fact of this type that says this; `said` has all fields of its `SAME_IF`."""
    return _joined(kind, [said[name] for name in kind.SAME_IF])


def _joined(kind: type[Event], said: list[object]) -> str:
    return "#".join([kind.__name__, *[_spelled(str(value)) for value in said]])


# --- what we asked of VideoSDK, and how it answered ------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRequested(Event):
    """We are about to ask VideoSDK to start. Written before the call."""

    room_id: str
    participant_id: str
    kind: Kind
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAccepted(Event):
    """VideoSDK answered that it started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRefused(Event):
    """Nothing was started: VideoSDK said no, or was never reached."""

    SAME_IF = ("code", "message")

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartUnconfirmed(Event):
    """The start may or may not have been done: the answer was lost, late or unreadable."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested(Event):
    """We are about to ask VideoSDK to stop."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAccepted(Event):
    """VideoSDK answered that it stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopUnneeded(Event):
    """VideoSDK answered that nothing was running: it had ended by itself, or never began."""

    SAME_IF = ("message",)

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopUnconfirmed(Event):
    """The stop may or may not have been done."""

    reason: str


# --- what VideoSDK told us by webhook -------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told(Event):
    SAME_IF: ClassVar[tuple[str, ...]] = ("session_id",)

    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStarting(_Told):
    """`participant-track-recording-starting`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStarted(_Told):
    """`participant-track-recording-started`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStopping(_Told):
    """`participant-track-recording-stopping`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStopped(_Told):
    """`participant-track-recording-stopped`, with the paths of its files as they were told.

    Whether one comes per recording or per file is undocumented, so the files are part of what it says.
    """

    SAME_IF = ("session_id", "files")

    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFailed(_Told):
    """`participant-track-recording-failed`; it gives no reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OddHeard(Event):
    """A delivery that VideoSDK signed and we do not understand, or that disagrees with its recording."""

    SAME_IF = ("body_sha256",)

    webhook_type: str
    reason: str
    body_sha256: str
    body: str


# --- what VideoSDK's list said when we asked ------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingListed(Event):
    """VideoSDK's list has the recording, still running."""

    SAME_IF = ("listed_id", "session_id")

    listed_id: str
    session_id: str
    start_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEnded(Event):
    """VideoSDK's list has the recording, ended, with these files: the second witness of completeness.

    `early`: the list was read so soon after the end that files may still have been added to it.
    """

    SAME_IF = ("listed_id", "session_id", "files", "early")

    listed_id: str
    session_id: str
    start_at: int
    end_at: int
    files: tuple[str, ...]
    early: bool = False


# --- what came into the bucket --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentStored(Event):
    """A delivered file was read whole and its repaired copy written.

    `start_at` is the first packet's place on the epoch clock, `clock` where that was taken from and
    `uncertainty_ms` how far it may be off, as the file alone tells. `first_ms` is the first packet's own
    timestamp. `sounded_us` is how long its sound lasts by its samples, `spanned_us` by its timestamps, over
    the stretches in which nothing is missing. `holes` are stretches inside the file without media, as
    [start_ms, end_ms] from `start_at`. `tail_lost` says that the file ends in the middle of
    something; `lost_bytes` and `clock_breaks` are those of the scan. `modified_at` is when the bucket got
    the object: of two deliveries of one file it tells the newer.
    """

    SAME_IF = ("key", "etag")

    key: str
    etag: str
    bytes: int
    session_id: str
    participant_id: str
    kind: Kind
    file: str
    start_at: int
    duration_ms: int
    clock: str
    uncertainty_ms: int
    codec: str
    width: int | None
    height: int | None
    resolutions: tuple[tuple[int, int, int], ...]
    holes: tuple[tuple[int, int], ...]
    tail_lost: bool
    repaired_key: str
    repaired_bytes: int
    lost_bytes: int = 0
    clock_breaks: int = 0
    modified_at: int = 0
    first_ms: int = 0
    sounded_us: int = 0
    spanned_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRejected(Event):
    """A delivered file is kept where it lies and not processed: it is not what it claims to be."""

    SAME_IF = ("key", "etag")

    key: str
    etag: str
    bytes: int
    session_id: str
    participant_id: str
    kind: Kind
    file: str
    code: str
    reason: str
    modified_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentUndecodable(Event):
    """A file was read well and its packets can not be decoded. `source` is its repaired copy's key."""

    SAME_IF = ("source", "file", "code", "reason")

    source: str
    file: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentCorrected(Event):
    """Somebody moved a file on the clock by `shift_ms`, counted from where its own stamp puts it.

    `number` counts a file's corrections: the highest holds, and none adds to another.
    """

    SAME_IF = ("file", "number", "shift_ms")

    file: str
    shift_ms: int
    number: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectMisplaced(Event):
    """An object appeared under the watched prefix whose key names no segment."""

    SAME_IF = ("key",)

    key: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkGivenUp(Event):
    """A delivered file, or a step of a session's plan, was tried `tries` times and is tried no more.

    `target` is the key of what was to be made. For the product `repaired`, `key` and `etag` are those of
    the delivered object; of a step both are empty, and so is `file`.
    """

    SAME_IF = ("target", "tries")

    product: str
    target: str
    key: str
    etag: str
    session_id: str
    participant_id: str | None
    kind: Kind | None
    file: str
    tries: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRedriven(Event):
    """An operator had given-up work tried again: each time is a fact of its own."""

    SAME_IF = ("target", "at")

    target: str
    by: str


# --- what did not come ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentOverdue(Event):
    """An announced file was not in the bucket when the grace period was over."""

    SAME_IF = ("file",)

    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOverdue(Event):
    """VideoSDK's list did not confirm the end when the grace period was over."""

    reason: str


# --- sessions -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarted(Event):
    """`session-started`."""

    SAME_IF = ("room_id",)

    room_id: str
    start_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(Event):
    """`session-ended`. `end_at` is None where the told time is no time (the documents show minute 60)."""

    SAME_IF = ("room_id",)

    room_id: str
    end_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantJoined(Event):
    """`participant-joined`. It carries no time: a second joining of the same name says the same."""

    SAME_IF = ("room_id", "participant_id", "name")

    room_id: str
    participant_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantLeft(Event):
    """`participant-left`."""

    SAME_IF = ("room_id", "participant_id")

    room_id: str
    participant_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantListed(Event):
    """VideoSDK's session has this presence of a participant. `end_at` is None while it is not known."""

    SAME_IF = ("participant_id", "name", "start_at", "end_at")

    participant_id: str
    name: str
    start_at: int
    end_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishRequested(Event):
    """Somebody wants the session's products now: those named, or the usual ones where none is."""

    SAME_IF = ("at", "products")

    by: str
    products: tuple[str, ...] = ()


# --- who may look, which is no news of the session ------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionShared(Event):
    """A link was made that opens the session to whoever has it, until `expires_at`."""

    SAME_IF = ("share_id",)

    share_id: str
    expires_at: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRevoked(Event):
    """The link opens nothing any more."""

    SAME_IF = ("share_id",)

    share_id: str
    by: str


# --- what was asked for of the whole session, which is no news of it either -----------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionComposed(Event):
    """A composition of the session was asked for; its own facts tell the rest."""

    SAME_IF = ("composition_id",)

    composition_id: str


# --- what we made and concluded; conclusions never count as news ----------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictReached(Event):
    """A recording's verdict, as it was when this much was known."""

    SAME_IF = ("complete", "digest")

    complete: bool
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactMade(Event):
    """A file that we made. `start` and `end` are epoch milliseconds of what it shows.

    `step` is the target of the plan's step that made it, `source` what that step says of the file's input.
    """

    SAME_IF = ("key",)

    product: str
    key: str
    content_type: str
    bytes: int
    participant_id: str | None
    kind: Kind | None
    source: str
    start: int
    end: int
    step: str = ""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFailed(Event):
    """A file, or all of a step's, could not be made, and trying again would not help."""

    SAME_IF = ("key",)

    product: str
    key: str
    source: str
    reason: str
    step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestMade(Event):
    """A session's manifest was written; the `ready` event carries its key."""

    SAME_IF = ("key",)

    key: str
    bytes: int
    complete: bool


# --- compositions: the subject is the composition -------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionRequested(Event):
    """Somebody wants one video of the session. Written before anything runs.

    `run` counts from 1: what failed or was cancelled can be asked for again. `request` is the normalized
    request as JSON. `seconds` and `dollars` are what was estimated.
    """

    SAME_IF = ("run",)

    run: int
    session_id: str
    request: str
    seconds: float
    dollars: float
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionPlanned(Event):
    """Its chunks are known, and all of them lie in the bucket."""

    SAME_IF = ("run", "chunks", "frames")

    run: int
    chunks: int
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRendered(Event):
    """A chunk was rendered. A second rendering of it is another fact, for it costs as well.

    `slates` are the repaired files in it that could not be decoded, each with why.
    """

    SAME_IF = ("run", "number", "key", "bytes", "billed_ms")

    run: int
    number: int
    key: str
    bytes: int
    frames: int
    billed_ms: int
    memory_mb: int
    slates: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionBilled(Event):
    """A function that rendered no chunk worked so long: `task` is plan, finish, or a file of the sound."""

    SAME_IF = ("run", "task", "billed_ms", "memory_mb")

    run: int
    task: str
    billed_ms: int
    memory_mb: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionFinished(Event):
    """All its files were made. `files` has each one's form and key; `dollars` is what it cost."""

    SAME_IF = ("run", "files")

    run: int
    files: tuple[tuple[str, str], ...]
    dollars: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionFailed(Event):
    """It was given up."""

    SAME_IF = ("run", "code", "reason")

    run: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionCancelled(Event):
    """Somebody wants it no more: whatever was made of it goes."""

    SAME_IF = ("run",)

    run: int
    by: str


ACTS = (RecordingRequested, StopRequested)
OF_COMPOSITIONS = (
    CompositionRequested, CompositionPlanned, ChunkRendered, CompositionBilled,
    CompositionFinished, CompositionFailed, CompositionCancelled,
)  # fmt: skip
CONCLUSIONS = (  # nothing follows from these
    VerdictReached, ManifestMade, SessionShared, ShareRevoked, SessionComposed,
)  # fmt: skip
_TYPES = {
    told.__name__: told
    for told in (
        RecordingRequested, StartAccepted, StartRefused, StartUnconfirmed,
        StopRequested, StopAccepted, StopUnneeded, StopUnconfirmed,
        RecordingStarting, RecordingStarted, RecordingStopping, RecordingStopped, RecordingFailed, OddHeard,
        RecordingListed, RecordingEnded,
        SegmentStored, SegmentRejected, SegmentUndecodable, SegmentCorrected, ObjectMisplaced,
        WorkGivenUp, WorkRedriven,
        SegmentOverdue, EndOverdue,
        SessionStarted, SessionEnded, ParticipantJoined, ParticipantLeft, ParticipantListed, FinishRequested,
        SessionShared, ShareRevoked, SessionComposed,
        VerdictReached, ArtifactMade, ProductFailed, ManifestMade,
        *OF_COMPOSITIONS,
    )
}  # fmt: skip


def distinct(tellings: Iterable[Event]) -> frozenset[Event]:
    """The facts that these tellings tell: of two tellings of one fact, the first that was heard."""
    latest_first = sorted(tellings, key=lambda fact: fact.at, reverse=True)
    return frozenset({fact.identity: fact for fact in latest_first}.values())


def to_record(event: Event) -> dict[str, Any]:
    """A fact as plain JSON values, its type under `type`."""
    return {"type": type(event).__name__, **asdict(event)}


def from_record(record: dict[str, Any]) -> Event:
    """The fact that `to_record` gave this record for; fields that are not the type's are passed over,
    and those that a younger version has and an older did not write take their defaults."""
    told = _TYPES[record["type"]]
    return told(**{f.name: _restored(f.type, record[f.name]) for f in fields(told) if f.name in record})


_PLAIN = re.compile(r"[ !-\"$-}]{0,64}")  # printable ASCII, but for the `#` between parts and our own `~`


@lru_cache(4096)
def _spelled(text: str) -> str:
    """A value as an identity's part: itself where it is plain, else a hash behind `~`."""
    if _PLAIN.fullmatch(text):
        return text
    return f"~{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _restored(annotation: Any, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_restored(None, item) for item in value)
    if value is not None and (annotation is Kind or Kind in get_args(annotation)):
        return Kind(value)
    return value
