"""What should be against what is, on both sides; the missing facts are written down.

Runs on a schedule over the recordings of which something is still awaited. When all is well it writes
nothing. Each recording is looked at by itself, so a run that ends early has done whole pieces of work.
"""

from collections.abc import Callable, Iterator

from chalicelib.core import events as e
from chalicelib.core.plan import steps
from chalicelib.core.recording import Recording
from chalicelib.flows.record import NOTHING_RUNS
from chalicelib.flows.settle import confirm, settle
from chalicelib.ports import Accepted, Declined, Filter, Outcome, World, recording_subject

PAGE = 25
# A start whose outcome nobody knows has had time to be confirmed by webhook or list.
UNCONFIRMED_MS = 90_000


def reconcile(world: World, more_time: Callable[[], bool]) -> int:
    """Look at unsettled recordings, oldest first, while there is time; how many were looked at."""
    looked_at = 0
    for recording_id in _unsettled(world):
        if not more_time():
            break
        look_at(world, recording_id)
        looked_at += 1
    return looked_at


def look_at(world: World, recording_id: str) -> None:
    """Ask VideoSDK and the bucket about one recording, and write down what nobody told us."""
    recording = Recording.of(recording_id, world.ledger.read(recording_subject(recording_id)))
    recording = confirm(world, recording)
    _fetch(world, recording)
    for fact in overdue(recording, world.now(), world.settings.grace_ms):
        world.ledger.append(recording_subject(recording_id), fact)
    _compensate(world, recording)
    settle(world, [recording_subject(recording_id)])


def finish(world: World, session_id: str) -> None:
    """Have everything that is still to be made of a session's recordings made."""
    linked = world.catalog.recordings(Filter(session_id=session_id), limit=1000, cursor=None)
    for head in linked.items:
        facts = world.ledger.read(recording_subject(head.recording_id))
        world.work.make(step.told() for step in steps(head.recording_id, facts))


def overdue(recording: Recording, now: int, grace_ms: int) -> Iterator[e.Event]:
    """What is given up: files and confirmations that did not come within the grace period."""
    since = _seems_over_since(recording)
    if since is None or now - since < grace_ms:
        return
    for file in sorted(recording.awaited):
        yield e.SegmentOverdue(at=now, file=file)
    if not recording.confirmed:
        yield e.EndOverdue(at=now, reason="VideoSDK's list does not have its end")


def _unsettled(world: World) -> Iterator[str]:
    cursor = None
    while True:
        page = world.catalog.unsettled(PAGE, cursor)
        yield from (head.recording_id for head in page.items)
        if page.cursor is None:
            return
        cursor = page.cursor


def _fetch(world: World, recording: Recording) -> None:
    """Objects in the bucket whose events never came go through the same queue as all others."""
    prefix = f"{world.settings.bucket_dir_path}/{recording.recording_id}/"
    known = {
        (fact.key, fact.etag)
        for fact in recording.facts
        if isinstance(fact, e.SegmentStored | e.SegmentRejected)
    }
    world.work.ingest(
        found.key for found in world.inbox.under(prefix) if (found.key, found.etag) not in known
    )


def _compensate(world: World, recording: Recording) -> None:
    """A start that nobody confirmed in time is stopped: better none than one that nobody knows of."""
    asked = recording.requested
    if asked is None or not _unconfirmed(recording) or world.now() - asked.at < UNCONFIRMED_MS:
        return
    outcome = world.recorder.stop(asked.room_id, asked.participant_id, asked.kind)
    fact = _after_compensation(outcome, world.now())
    if fact is not None:
        world.ledger.append(recording_subject(recording.recording_id), fact)


def _after_compensation(outcome: Outcome, at: int) -> e.Event | None:
    match outcome:
        case Accepted():
            return e.StopAccepted(at=at)
        case Declined(code, message) if code in NOTHING_RUNS:
            return e.StartRefused(at=at, code="never_started", message=f"nobody confirmed it: {message}")
        case _:
            return None


def _unconfirmed(recording: Recording) -> bool:
    heard = {type(fact) for fact in recording.facts}
    return heard <= {e.RecordingRequested, e.StartUnconfirmed}


def _seems_over_since(recording: Recording) -> int | None:
    """When somebody last said that it is over."""
    return max((fact.at for fact in recording.facts if isinstance(fact, SAYS_OVER)), default=None)


SAYS_OVER = (
    e.RecordingStopped,
    e.RecordingEnded,
    e.RecordingFailed,
    e.StopAccepted,
    e.StopUnneeded,
    e.StopUnconfirmed,
)
