"""What should be against what is, on both sides; the missing facts are written down.

Runs on a schedule over the recordings of which something is still awaited. When all is well it writes
nothing. Each recording is looked at by itself, so a run that ends early has done whole pieces of work.
"""

from collections.abc import Callable, Iterator

from chalicelib.core import events as e
from chalicelib.core.ids import LEADS
from chalicelib.core.plan import steps
from chalicelib.core.recording import Recording
from chalicelib.flows.record import NEWS_TAKES_MS, NOTHING_RUNS, is_alone
from chalicelib.flows.settle import confirm, settle
from chalicelib.ports import Accepted, Declined, Outcome, World, recording_subject

PAGE = 25


def reconcile(world: World, more_time: Callable[[], bool]) -> int:
    """Look at unsettled recordings, oldest first, while there is time; how many were looked at.

    One that can not be looked at keeps no other waiting: what went wrong is raised at the end.
    """
    looked_at, faults = 0, []
    for recording_id in _unsettled(world):
        if not more_time():
            break
        try:
            look_at(world, recording_id)
        except Exception as fault:
            fault.add_note(f"while looking at {recording_id}")
            faults.append(fault)
        looked_at += 1
    if faults:
        raise ExceptionGroup(f"{len(faults)} of {looked_at} recordings could not be looked at", faults)
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
    for head in world.catalog.of_session(session_id):
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
    found = (thing for lead in LEADS for thing in world.inbox.under(lead + prefix))
    known = {
        (fact.key, fact.etag)
        for fact in recording.facts
        if isinstance(fact, e.SegmentStored | e.SegmentRejected)
    }
    world.work.ingest(thing.key for thing in found if (thing.key, thing.etag) not in known)


def _compensate(world: World, recording: Recording) -> None:
    """What may run although it must not is stopped: better none than one that nobody knows of."""
    asked, since = recording.requested, _doubtful_since(recording)
    if asked is None or since is None or world.now() - since < NEWS_TAKES_MS:
        return
    if not is_alone(world, asked, recording.recording_id):
        return
    outcome = world.recorder.stop(asked.room_id, asked.participant_id, asked.kind)
    fact = _after_compensation(outcome, recording, world.now())
    if fact is not None:
        world.ledger.append(recording_subject(recording.recording_id), fact)


def _after_compensation(outcome: Outcome, recording: Recording, at: int) -> e.Event | None:
    match outcome:
        case Accepted():
            return e.StopAccepted(at=at)
        case Declined(code, message) if code in NOTHING_RUNS and _unheard_of(recording):
            return e.StartRefused(at=at, code="never_started", message=f"nobody confirmed it: {message}")
        case Declined(code, message) if code in NOTHING_RUNS:
            return e.StopUnneeded(at=at, message=message)
        case _:
            return None


def _doubtful_since(recording: Recording) -> int | None:
    """Since when it may be running although it must not: its start was never confirmed, or its stop, or
    it came to life after its caller had been told that it did not start."""
    if _unheard_of(recording):
        return recording.requested.at if recording.requested else None
    if recording.ended or recording.knows(e.StopAccepted):
        return None
    if not recording.knows(e.StopRequested, e.StartRefused):
        return None
    alive = max(fact.at for fact in recording.facts if isinstance(fact, SAYS_ALIVE))
    answered = max((fact.at for fact in recording.told(e.StopUnneeded)), default=-1)
    return alive if alive > answered else None


def _unheard_of(recording: Recording) -> bool:
    """Whether nobody has confirmed its start, in any way."""
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
)
SAYS_ALIVE = (e.StopRequested, e.StartRefused, e.RecordingStarted, e.RecordingListed)
