"""Facts of one recording, as short as a story can tell them. Each has its own time of hearing."""

from typing import Any

from chalicelib.core import events as e
from chalicelib.core.ids import Kind
from chalicelib.ports import Listed

ROOM, WHO, SESSION = "abcd-efgh-ijkl", "anna", "session-1"
RID = "rec-" + "0" * 32
ZERO = 1_750_000_000_000  # epoch milliseconds of the stories' meeting
LISTED = "track-1"

ASKED = e.RecordingRequested(at=1, room_id=ROOM, participant_id=WHO, kind=Kind.AUDIO, by="app")
ACCEPTED = e.StartAccepted(at=2)
REFUSED = e.StartRefused(at=2, code="participant_not_joined", message="not joined")
UNCONFIRMED = e.StartUnconfirmed(at=2, reason="no answer")
STARTING = e.RecordingStarting(at=3, session_id=SESSION)
STARTED = e.RecordingStarted(at=4, session_id=SESSION)
STOP_ASKED = e.StopRequested(at=10, by="app")
STOP_ACCEPTED = e.StopAccepted(at=11)
STOP_UNNEEDED = e.StopUnneeded(at=11, message="not started")
STOP_UNCONFIRMED = e.StopUnconfirmed(at=11, reason="no answer")
STOPPING = e.RecordingStopping(at=12, session_id=SESSION)
FAILED = e.RecordingFailed(at=13, session_id=SESSION)
RUNS = e.RecordingListed(at=5, listed_id=LISTED, session_id=SESSION, start_at=ZERO)
END_OVERDUE = e.EndOverdue(at=30, reason="the list does not have its end")
ODD = e.OddHeard(at=6, webhook_type="track-recording-odd", reason="not known", body_sha256="0f", body="{}")


def name(stamp_at: int, participant_id: str = WHO, kind: str = "audio") -> str:
    """A delivered file's name."""
    return f"track_recording_{participant_id}_{kind}_{stamp_at}.webm"


A, B, C = name(ZERO), name(ZERO + 10_000), name(ZERO + 20_000)


def stopped(*files: str, at: int = 14) -> e.RecordingStopped:
    """The webhook, naming files by their paths."""
    return e.RecordingStopped(at=at, session_id=SESSION, files=tuple(f"/a/path/{file}" for file in files))


def ended(*files: str, at: int = 15, early: bool = False) -> e.RecordingEnded:
    """VideoSDK's list, naming files by other paths."""
    return e.RecordingEnded(
        at=at,
        listed_id=LISTED,
        session_id=SESSION,
        start_at=ZERO,
        end_at=ZERO + 30_000,
        files=tuple(f"individual-recordings/{file}" for file in files),
        early=early,
    )


def stored(file: str, *, start_at: int = ZERO, duration_ms: int = 1000, **said: Any) -> e.SegmentStored:
    """A file that was read."""
    told: dict[str, Any] = {
        "at": 20,
        "key": f"recordings/{RID}/{SESSION}/{WHO}/audio/{file}",
        "etag": "e1",
        "bytes": 1234,
        "session_id": SESSION,
        "participant_id": WHO,
        "kind": Kind.AUDIO,
        "file": file,
        "start_at": start_at,
        "duration_ms": duration_ms,
        "clock": "stamp",
        "uncertainty_ms": 100,
        "codec": "opus",
        "width": None,
        "height": None,
        "resolutions": (),
        "holes": (),
        "tail_lost": False,
        "repaired_key": f"sessions/{SESSION}/{WHO}/audio/repaired-{start_at}-0123456789abcdef.webm",
        "repaired_bytes": 1300,
        "modified_at": ZERO,
    }
    if not said.get("kind", Kind.AUDIO).endswith("audio"):
        told["codec"] = "vp8"
    return e.SegmentStored(**{**told, **said})


def rejected(
    file: str, *, code: str = "not_webm", etag: str = "e1", modified_at: int = ZERO
) -> e.SegmentRejected:
    """A file that could not be read."""
    return e.SegmentRejected(
        at=20,
        modified_at=modified_at,
        key=f"recordings/{RID}/{SESSION}/{WHO}/audio/{file}",
        etag=etag,
        bytes=12,
        session_id=SESSION,
        participant_id=WHO,
        kind=Kind.AUDIO,
        file=file,
        code=code,
        reason="it is something else",
    )


def given_up(file: str, *, tries: int = 3, product: str = "repaired") -> e.WorkGivenUp:
    """A file that came and could not be processed."""
    return e.WorkGivenUp(
        at=25,
        product=product,
        target=f"sessions/{SESSION}/{WHO}/audio/{product}-{file}",
        key=f"recordings/{RID}/{SESSION}/{WHO}/audio/{file}",
        etag="e1",
        session_id=SESSION,
        participant_id=WHO,
        kind=Kind.AUDIO,
        file=file,
        tries=tries,
        reason=f"the process was killed {tries} times",
    )


def overdue(file: str) -> e.SegmentOverdue:
    """A file that was given up."""
    return e.SegmentOverdue(at=31, file=file)


def listed(*files: str, end_at: int | None = ZERO + 30_000, **said: Any) -> Listed:
    """An item of VideoSDK's list."""
    told: dict[str, Any] = {
        "listed_id": LISTED,
        "session_id": SESSION,
        "participant_id": WHO,
        "kind": "audio",
        "start_at": ZERO,
        "end_at": end_at,
        "files": files,
    }
    return Listed(**{**told, **said})
