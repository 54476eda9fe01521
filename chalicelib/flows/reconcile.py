"""What should be against what is, on both sides; the missing facts are written down.

Runs on a schedule over the recordings of which something is still awaited. When all is well it writes
nothing. Each recording is looked at by itself, so a run that ends early has done whole pieces of work; the
next goes on behind the last of them, and then turns to the oldest again.

A hurried round comes every minute, between two others. It asks the ledger alone who may be running although
nobody should, and VideoSDK and the bucket only about those: lists cost money there and patience here.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile

from chalicelib.core import events as e
from chalicelib.core.heads import RecordingHead
from chalicelib.core.ids import LEADS
from chalicelib.core.recording import Delivered, Recording
from chalicelib.flows.record import NEWS_TAKES_MS, NOTHING_RUNS, is_alone
from chalicelib.flows.settle import listed, settle, settle_session
from chalicelib.flows.witness import Witness
from chalicelib.ports import Accepted, Declined, Making, Object, Outcome, World, recording_subject

PAGE = 25
STEP_MS = 30 * 60_000  # a step that was queued so long ago is made, or its message is lost or far behind
LONGEST_MS = 24 * 3_600_000  # who has not been heard of for so long, and is not in the list, is not running


@dataclass
class Round:
    """One run. `stops` is False once VideoSDK could not take a stop: the others wait for the next run."""

    world: World
    witness: Witness
    hurried: bool
    stops: bool = True

    @property
    def walk(self) -> str:
        """The name of its bookmark."""
        return "hurry" if self.hurried else "reconcile"


def reconcile(world: World, more_time: Callable[[], bool], *, hurried: bool = False) -> int:
    """Look at unsettled recordings, oldest first, while there is time; how many were looked at.

    One that can not be looked at keeps no other waiting: what went wrong is raised at the end.
    """
    turn, looked_at, faults = Round(world, Witness(world), hurried), 0, list(_queued_again(world, more_time))
    began = upto = world.catalog.bookmark(turn.walk)
    for head in _unsettled(world, began):
        if not more_time():
            break
        try:
            look_at(turn, head.recording_id)
        except Exception as fault:
            fault.add_note(f"while looking at {head.recording_id}")
            faults.append(fault)
        looked_at, upto = looked_at + 1, world.catalog.beyond(head)
    else:
        upto = None
    if upto != began:
        world.catalog.keep_bookmark(turn.walk, upto)
    if faults:
        raise ExceptionGroup(f"{len(faults)} things could not be looked at, beside {looked_at}", faults)
    return looked_at


def _queued_again(world: World, more_time: Callable[[], bool]) -> Iterator[Exception]:
    """Queue anew what was queued long ago and is not made; what went wrong on the way."""
    late = world.now() - STEP_MS
    for making in list(takewhile(lambda making: making.queued_at <= late, _all_making(world))):
        if not more_time():
            return
        try:
            settle_session(world, making.session_id, again=True)
        except Exception as fault:
            fault.add_note(f"while looking at session {making.session_id}")
            yield fault


def _all_making(world: World) -> Iterator[Making]:
    """What is being made of all sessions, what was queued longest ago first."""
    cursor: str | None = None
    while True:
        page = world.catalog.all_making(PAGE, cursor)
        yield from page.items
        if page.cursor is None:
            return
        cursor = page.cursor


def look_at(turn: Round, recording_id: str) -> None:
    """Ask VideoSDK and the bucket about one recording, and write down what nobody told us."""
    world, subject = turn.world, recording_subject(recording_id)
    recording = Recording.of(recording_id, world.ledger.read(subject))
    if turn.hurried and _doubtful_since(recording) is None:
        return
    heard = listed(world, recording, turn.witness)
    recording = _with(recording, heard or ())
    _fetch(world, recording)
    given_up = list(overdue(recording, world.now(), world.settings.grace_ms, asked=heard is not None))
    for fact in given_up:
        world.ledger.append(subject, fact)
    _compensate(turn, _with(recording, given_up), heard)
    settle(world, [subject], turn.witness)


def overdue(recording: Recording, now: int, grace_ms: int, *, asked: bool = True) -> Iterator[e.Event]:
    """What is given up: files and confirmations that did not come within the grace period.

    A list that could not be asked has denied nothing: while it is silent, it is waited for a day. Of what was
    never seen to run no end is awaited: another stop tells.
    """
    since = _seems_over_since(recording)
    if since is None or now - since < grace_ms or _unheard_of(recording):
        return
    for file in sorted(recording.awaited):
        yield e.SegmentOverdue(at=now, file=file)
    if not recording.confirmed and (asked or now - since >= LONGEST_MS):
        yield e.EndOverdue(at=now, reason=NOT_LISTED if asked else SILENT)


NOT_LISTED = "VideoSDK's list does not have its end"
SILENT = "VideoSDK's list could not be asked for a day"
OVERTAKEN = "nobody has spoken of it for a day, and a later recording has its place"
UNSTOPPABLE = "nobody has spoken of it for two days, and VideoSDK does not stop it"


def undelivered(recording: Recording, things: Iterable[Object]) -> Iterator[str]:
    """The keys of those objects of which nothing is known; what was given up waits for a redrive."""
    redriven = {fact.target: fact.at for fact in recording.told(e.WorkRedriven)}
    given_up = [fact for fact in recording.told(e.WorkGivenUp) if redriven.get(fact.target, -1) < fact.at]
    processed: list[Delivered] = [*recording.told(e.SegmentStored), *recording.told(e.SegmentRejected)]
    known = {(fact.key, fact.etag) for fact in processed} | {(fact.key, fact.etag) for fact in given_up}
    return (thing.key for thing in things if (thing.key, thing.etag) not in known)


def _unsettled(world: World, began: str | None) -> Iterator[RecordingHead]:
    """Those from there on, then the others; each once, though a list may move under our feet."""
    seen: set[str] = set()
    for cursor in (began, None) if began else (None,):
        for head in _pages(world, cursor):
            if head.recording_id in seen:
                break
            seen.add(head.recording_id)
            yield head


def _pages(world: World, cursor: str | None) -> Iterator[RecordingHead]:
    while True:
        page = world.catalog.unsettled(PAGE, cursor)
        yield from page.items
        if page.cursor is None:
            return
        cursor = page.cursor


def _with(recording: Recording, facts: Iterable[e.Event]) -> Recording:
    return Recording.of(recording.recording_id, (*recording.facts, *facts))


def _fetch(world: World, recording: Recording) -> None:
    """Objects in the bucket whose events never came go through the same queue as all others."""
    prefix = f"{world.settings.bucket_dir_path}/{recording.recording_id}/"
    found = (thing for lead in LEADS for thing in world.inbox.under(lead + prefix))
    world.work.ingest(undelivered(recording, found))


def _compensate(turn: Round, recording: Recording, heard: list[e.Event] | None) -> None:
    """What may run although it must not is stopped: better none than one that nobody knows of."""
    world, asked = turn.world, recording.requested
    silent_ms = _silent_ms(recording, heard, world.now())
    if asked is None or not (_is_doubtful(recording, world.now()) or silent_ms >= LONGEST_MS):
        return
    fact: e.Event | None = None
    if not is_alone(world, asked, recording.recording_id):
        fact = e.EndOverdue(at=world.now(), reason=OVERTAKEN) if silent_ms >= LONGEST_MS else None
    elif turn.stops:
        outcome = world.recorder.stop(asked.room_id, asked.participant_id, asked.kind)
        turn.stops = not (isinstance(outcome, Declined) and outcome.code in TOO_MUCH)
        fact = _after_compensation(outcome, recording, world.now(), asked=heard is not None)
        if fact is None and silent_ms >= 2 * LONGEST_MS:
            fact = e.EndOverdue(at=world.now(), reason=UNSTOPPABLE)
    if fact is not None:
        world.ledger.append(recording_subject(recording.recording_id), fact)


TOO_MUCH = frozenset({"videosdk_rate_limited", "videosdk_unreachable"})


def _silent_ms(recording: Recording, heard: list[e.Event] | None, now: int) -> int:
    """For how long nobody has spoken of it, though VideoSDK's list could; 0 where it has ended or runs."""
    runs = heard is None or any(isinstance(fact, e.RecordingListed) for fact in heard)
    if runs or recording.ended:
        return 0
    return now - max((fact.at for fact in recording.facts), default=now)


def _after_compensation(outcome: Outcome, recording: Recording, at: int, *, asked: bool) -> e.Event | None:
    """What the answer tells. That nothing runs now is no proof that nothing ran: that takes the list."""
    match outcome:
        case Accepted():
            return e.StopAccepted(at=at)
        case Declined(code, message) if code in NOTHING_RUNS and _unheard_of(recording):
            never = e.StartRefused(at=at, code="never_started", message=f"nobody confirmed it: {message}")
            return never if asked else None
        case Declined(code, message) if code in NOTHING_RUNS:
            return e.StopUnneeded(at=at, message=message)
        case _:
            return None


def _is_doubtful(recording: Recording, now: int) -> bool:
    since = _doubtful_since(recording)
    return since is not None and now - since >= NEWS_TAKES_MS


def _doubtful_since(recording: Recording) -> int | None:
    """Since when it may be running although it must not: its start was never confirmed, or its stop; or
    always, when it came to life after its caller had been told that nothing runs."""
    if _unheard_of(recording):
        return recording.requested.at if recording.requested else None
    if recording.ended or recording.knows(e.StopAccepted):
        return None
    if not recording.knows(e.StopRequested, e.StartRefused):
        return None
    alive = max(fact.at for fact in recording.facts if isinstance(fact, SAYS_ALIVE))
    answered = max((fact.at for fact in recording.told(e.StopUnneeded)), default=-1)
    if alive <= answered:
        return None
    return max((fact.at for fact in recording.told(e.StopRequested) if fact.at > answered), default=0)


def _unheard_of(recording: Recording) -> bool:
    """Whether nobody has seen it run, in any way. That a stop was not needed says nothing of a start that may
    still be on its way, though it was accepted."""
    signs = {type(fact) for fact in recording.facts} - NO_SIGN
    if signs != {e.StartAccepted}:
        return not signs
    asked_at = recording.requested.at if recording.requested else 0
    return any(fact.at - asked_at < NEWS_TAKES_MS for fact in recording.told(e.StopUnneeded))


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
NO_SIGN = {e.RecordingRequested, e.StartUnconfirmed, e.StopRequested, e.StopUnneeded, e.StopUnconfirmed}
SAYS_ALIVE = (e.StopRequested, e.StartRefused, e.RecordingStarted, e.RecordingListed)
