"""Start and stop recordings. The intent is written down before VideoSDK is asked, the outcome after."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from chalicelib.core import events as e
from chalicelib.core import ids
from chalicelib.core.errors import (
    BadGateway,
    KeyReused,
    NotFound,
    NotNow,
    TracklaneError,
    Unavailable,
)
from chalicelib.core.recording import Recording
from chalicelib.core.views import recording_view
from chalicelib.flows.settle import confirm
from chalicelib.ports import Accepted, Claim, Declined, Opening, Outcome, Taken, Unconfirmed, World
from chalicelib.ports import recording_subject as subject_of

# What a declined start or stop is to the caller.
DECLINED: dict[str, type[TracklaneError]] = {
    "participant_not_joined": NotNow,
    "no_active_session": NotNow,
    "room_not_found": NotFound,
    "videosdk_refused": BadGateway,
    "videosdk_unauthorized": BadGateway,
    "videosdk_rate_limited": Unavailable,
    "videosdk_unreachable": Unavailable,
}
OUTCOMES = (e.StartAccepted, e.StartRefused, e.StartUnconfirmed)
# A stop that is declined for one of these has nothing left to stop.
NOTHING_RUNS = frozenset({"not_started", "no_active_session", "room_not_found", "participant_not_joined"})
# Whatever was asked has had time to be confirmed by webhook or list.
NEWS_TAKES_MS = 90_000
_OPEN_TRIES = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """Kinds of one participant of one room."""

    room_id: str
    participant_id: str
    kinds: tuple[ids.Kind, ...]


@dataclass(frozen=True, slots=True)
class Once:
    """An Idempotency-Key and the digest of the body that it came with."""

    key: str
    body_digest: str


def start(world: World, wanted: Wanted, by: str, public_url: str, once: Once | None = None) -> dict[str, Any]:
    """Have the wanted kinds recorded; a kind that is being recorded already stays as it is.

    Raises what VideoSDK's refusal means when it refused every kind.
    """
    opened = _open(world, wanted, by, once)
    if opened.before is not None:
        return _answered(world, opened.before)
    return _answer(list(_together(lambda item: _begun(world, item, public_url), opened.items)))


def stop(world: World, recording_ids: Iterable[str], by: str) -> dict[str, Any]:
    """Have these recordings end; one that has ended already stays as it is."""
    stopped = _together(lambda recording_id: _stop(world, recording_id, by), list(recording_ids))
    return {"recordings": [recording_view(recording) for recording in stopped]}


def holders(world: World, wanted: Wanted) -> list[str]:
    """The latest recordings of the wanted kinds; `NotFound` when one was never recorded."""
    found = [
        (kind, world.catalog.holder(wanted.room_id, wanted.participant_id, kind)) for kind in wanted.kinds
    ]
    never = [kind for kind, holder in found if holder is None]
    if never:
        raise NotFound(
            "recording_not_found",
            f"{', '.join(never)} of {wanted.participant_id} was never recorded in room {wanted.room_id}",
        )
    return [holder for _, holder in found if holder]


def read(world: World, recording_id: str) -> Recording:
    """A recording as the ledger has it; `NotFound` when nobody ever spoke of it."""
    facts = world.ledger.read(subject_of(recording_id))
    if not facts:
        raise NotFound("recording_not_found", f"there is no recording {recording_id}")
    return Recording.of(recording_id, facts)


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a start found: intents written down and recordings that run; or its own claim of `before`."""

    items: list[Opening | Recording]
    before: Claim | None = None


def _open(world: World, wanted: Wanted, by: str, once: Once | None) -> _Opened:
    items = [_opening(world, wanted, kind, by) for kind in wanted.kinds]
    for _ in range(_OPEN_TRIES):
        claim = _claim(world, items, by, once)
        begun = [item for item in items if isinstance(item, Opening)]
        taken = world.catalog.open(begun, claim) if begun or claim else None
        if taken is None:
            return _Opened(items)
        if taken.claim is not None:
            return _Opened([], before=_checked(taken.claim, once))
        items = [_around(world, item, taken) for item in items]
    raise Unavailable("slot_busy", "somebody else starts and stops the same recording; try again")


def _opening(world: World, wanted: Wanted, kind: ids.Kind, by: str) -> Opening | Recording:
    asked = e.RecordingRequested(
        at=world.now(), room_id=wanted.room_id, participant_id=wanted.participant_id, kind=kind, by=by
    )
    return Opening(ids.recording_id(world.random()), asked)


def _claim(world: World, items: list[Opening | Recording], by: str, once: Once | None) -> Claim | None:
    if once is None:
        return None
    return Claim(world.now(), by, once.key, once.body_digest, tuple(item.recording_id for item in items))


def _around(world: World, item: Opening | Recording, taken: Taken) -> Opening | Recording:
    """The recording that holds the slot, while it runs; else the opening, over the ended one."""
    if isinstance(item, Recording) or item.recording_id not in taken.holders:
        return item
    holder = taken.holders[item.recording_id]
    before = Recording.of(holder, world.ledger.read(subject_of(holder)))
    if _is_over(before):
        return Opening(item.recording_id, item.requested, over=holder)
    # Who leaves and comes back at once is quicker than the webhook: only VideoSDK knows by now.
    before = confirm(world, before)
    return Opening(item.recording_id, item.requested, over=holder) if _is_over(before) else before


def _is_over(recording: Recording) -> bool:
    """Whether a new start would begin something new; its last words may still be on their way."""
    return recording.ended or recording.knows(e.StopAccepted, e.StopUnneeded, e.RecordingStopping)


def _checked(claim: Claim, once: Once | None) -> Claim:
    if once is None or claim.body_digest != once.body_digest:
        raise KeyReused(
            "idempotency_key_reused", "this Idempotency-Key came before with another body; use a new key"
        )
    return claim


def _answered(world: World, claim: Claim) -> dict[str, Any]:
    """The first request's answer again, from what was known then; without VideoSDK's answer to the start
    where that request died before it wrote one down."""
    known = [(rid, world.ledger.read(subject_of(rid))) for rid in claim.recording_ids]
    return _answer([Recording.of(rid, _known_then(facts, claim.at)) for rid, facts in known])


def _known_then(facts: Sequence[e.Event], at: int) -> list[e.Event]:
    """What was known when the claim was made, and how the start that it began was answered."""
    outcomes = [fact for fact in facts if isinstance(fact, OUTCOMES)]
    return [fact for fact in facts if fact.at <= at] + outcomes[:1]


def _answer(recordings: list[Recording]) -> dict[str, Any]:
    refusals = [refusal for recording in recordings if (refusal := _refusal(recording))]
    if len(refusals) == len(recordings):
        raise refusals[0]
    return {"recordings": [recording_view(recording) for recording in recordings]}


def _together[Item, Done](do: Callable[[Item], Done], items: Sequence[Item]) -> Iterable[Done]:
    """One after the other, several calls to a slow VideoSDK would take longer than API Gateway waits."""
    if len(items) < 2:
        return map(do, items)
    with ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(do, items))


def _begun(world: World, item: Opening | Recording, public_url: str) -> Recording:
    return _ask_start(world, item, public_url) if isinstance(item, Opening) else item


def _ask_start(world: World, opening: Opening, public_url: str) -> Recording:
    asked = opening.requested
    about = (asked.room_id, asked.participant_id, asked.kind.value)
    token = ids.webhook_token(world.tag_key, opening.recording_id, about)
    outcome = world.recorder.start(
        *about,
        webhook_url=f"{public_url}/webhooks/videosdk/{token}",
        bucket_dir_path=f"{world.settings.bucket_dir_path}/{opening.recording_id}",
    )
    fact = _start_fact(outcome, world.now())
    world.ledger.append(subject_of(opening.recording_id), fact)
    return Recording.of(opening.recording_id, [asked, fact])


def _start_fact(outcome: Outcome, at: int) -> e.Event:
    match outcome:
        case Accepted():
            return e.StartAccepted(at=at)
        case Declined(code, message):
            return e.StartRefused(at=at, code=code, message=message)
        case Unconfirmed(reason):
            return e.StartUnconfirmed(at=at, reason=reason)


def _refusal(recording: Recording) -> TracklaneError | None:
    """What VideoSDK's refusal of a start means to the caller."""
    refused = next(iter(recording.told(e.StartRefused)), None)
    return DECLINED.get(refused.code, BadGateway)(refused.code, refused.message) if refused else None


def _stop(world: World, recording_id: str, by: str) -> Recording:
    recording = read(world, recording_id)
    asked = recording.requested
    if asked is None:
        raise NotNow("not_ours", f"{recording_id} was not started by us, so it can not be stopped by us")
    # A stop that was not needed is no reason: a late start may have begun after it.
    if recording.ended or recording.knows(e.StopAccepted) or not is_alone(world, asked, recording_id):
        return recording
    subject, intent = subject_of(recording_id), e.StopRequested(at=world.now(), by=by)
    world.ledger.append(subject, intent)
    outcome = world.recorder.stop(asked.room_id, asked.participant_id, asked.kind)
    fact = _stop_fact(outcome, world.now())
    world.ledger.append(subject, fact)
    return Recording.of(recording_id, recording.facts | {intent, fact})


def is_alone(world: World, asked: e.RecordingRequested, recording_id: str) -> bool:
    """Whether no later recording runs in its slot: VideoSDK's stop ends whatever runs there now."""
    holder = world.catalog.holder(asked.room_id, asked.participant_id, asked.kind)
    return holder in (None, recording_id) or read(world, holder).ended


def _stop_fact(outcome: Outcome, at: int) -> e.Event:
    match outcome:
        case Accepted():
            return e.StopAccepted(at=at)
        case Declined(code, message) if code in NOTHING_RUNS:
            return e.StopUnneeded(at=at, message=message)
        case Declined(code, message):
            raise DECLINED.get(code, BadGateway)(code, message)
        case Unconfirmed(reason):
            return e.StopUnconfirmed(at=at, reason=reason)
