"""News in the ledger becomes heads, verdicts and manifests. Runs behind the table's stream.

All of it is computed from the ledger as it is now, so running it twice, late or out of order is harmless.
"""

import logging
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from chalicelib.core import events as e
from chalicelib.core import ids
from chalicelib.core.errors import Unavailable
from chalicelib.core.heads import (
    SessionHead,
    in_session,
    may_be_settled,
    named,
    recording_head,
    session_head,
)
from chalicelib.core.manifest import digest, encoded, manifest
from chalicelib.core.order import SMALL, Order, spelled
from chalicelib.core.plan import Wanted, pending, wanted
from chalicelib.core.recording import Recording
from chalicelib.core.session import Session, names, weight
from chalicelib.core.step import Step
from chalicelib.flows.witness import Witness
from chalicelib.ports import Listed, Making, World, recording_subject, session_subject

log = logging.getLogger("tracklane")

JSON_TYPE = "application/json"


def settle(world: World, subjects: Iterable[str], witness: Witness | None = None) -> None:
    """Bring everything that is derived from these subjects up to date."""
    witness = witness or Witness(world)
    told = [subject.partition("#") for subject in dict.fromkeys(subjects)]
    sessions = dict.fromkeys(name for what, _, name in told if what == "session")
    for recording_id in (name for what, _, name in told if what == "recording"):
        session_id = settle_recording(world, recording_id, witness).session_id
        if session_id is not None:
            sessions[session_id] = None
    for session_id in sessions:
        settle_session(world, session_id)


def settle_recording(world: World, recording_id: str, witness: Witness | None = None) -> Recording:
    """A recording's head and, where nothing more will come by itself, its verdict."""
    recording = Recording.of(recording_id, world.ledger.read(recording_subject(recording_id)))
    if recording.awaits_confirmation:
        recording = confirm(world, recording, witness)
    _keep_head(world, recording)
    if recording.verdict.settled:
        _conclude(world, recording)
    return recording


def _keep_head(world: World, recording: Recording) -> None:
    """Its head and its link, where they are behind. A head that is there tells that its link is too."""
    before, head = world.catalog.recording(recording.recording_id), recording_head(recording)
    if before is not None and before.known >= head.known:
        return
    changed = before is None or may_be_settled(recording) or replace(before, known=head.known) != head
    if changed:
        relink = before is None or may_be_settled(recording) or in_session(before) != in_session(head)
        world.catalog.keep_recording(head, relink=relink)


def _conclude(world: World, recording: Recording) -> None:
    """Write a verdict down, once, and call for somebody where there is something to mend."""
    verdict = recording.verdict
    reached = e.VerdictReached(at=world.now(), complete=verdict.complete, digest=verdict.digest)
    if any(fact.identity == reached.identity for fact in recording.facts):
        return
    if world.ledger.append(recording_subject(recording.recording_id), reached):
        reasons = sorted({finding.reason for finding in verdict.missing} & TO_BE_MENDED)
        if reasons:
            log.error("%s: %s: %s", MISSING, recording.recording_id, ", ".join(reasons))


# What the template's alarm looks for in the logs, and the findings for which it shall be raised.
MISSING = "MISSING of a recording"
TO_BE_MENDED = frozenset({"failed", "not_delivered", "given_up", "rejected", "unproven"})


def confirm(world: World, recording: Recording, witness: Witness | None = None) -> Recording:
    """Ask VideoSDK's list, the second witness. Its silence is no news: the reconciler asks again."""
    return Recording.of(
        recording.recording_id, recording.facts | set(listed(world, recording, witness) or ())
    )


def listed(world: World, recording: Recording, witness: Witness | None = None) -> list[e.Event] | None:
    """What VideoSDK's list says of a recording, with its news written down; None when it can not be asked."""
    asked = recording.requested
    if asked is None:
        return []
    try:
        told = (witness or Witness(world)).listed(asked.room_id, recording.session_id, asked.participant_id)
    except Unavailable as silence:
        log.warning("VideoSDK's list can not be asked about %s: %s", recording.recording_id, silence)
        return None
    said = [_fact(item, told.at) for item in _ours(told.items, recording, asked)]
    heard = [fact for fact in said if not _says_the_same(fact, recording)]
    known = {fact.identity for fact in recording.facts}
    for fact in heard:
        if fact.identity not in known:
            world.ledger.append(recording_subject(recording.recording_id), fact)
    return heard


def _says_the_same(fact: e.Event, recording: Recording) -> bool:
    """Whether the list only repeats, later, an end that is confirmed: no news, and no reason to wait anew."""
    if not isinstance(fact, e.RecordingEnded) or not recording.confirmed:
        return False
    before = {(end.listed_id, end.files) for end in recording.told(e.RecordingEnded)}
    return (fact.listed_id, fact.files) in before


def settle_session(world: World, session_id: str, *, again: bool = False) -> None:
    """A session's head; and its products and manifest, once every recording is settled or somebody asked to
    finish. `again`: also queue what was queued before and is still not made.

    The head is reckoned from what was read before the manifest was: it may not claim to know of news that
    came while the manifest was written, or nobody would write the next.
    """
    linked = world.catalog.of_session(session_id)
    facts = world.ledger.read(session_subject(session_id))
    before = world.catalog.session(session_id)
    head = session_head(session_id, linked, weight(facts), before.manifest_key if before else "")
    head = named(head, names(facts))
    if not linked or (before is not None and before.known >= head.known and not again):
        return
    if head.settled or any(isinstance(fact, e.FinishRequested) for fact in facts):
        head = _finished(world, head, facts, again=again)
    elif before is not None and replace(before, known=head.known) == head:
        return
    world.catalog.keep_session(head)


def _finished(world: World, head: SessionHead, facts: Iterable[e.Event], *, again: bool) -> SessionHead:
    """Have made what is to be made. The manifest is written when something is known that is no product, and
    when nothing is left to be made; not after each product."""
    session = read_session(world, head.session_id, facts)
    before = world.catalog.making(head.session_id) or Making(head.session_id, 0, (), 0, 0)
    left = _left(world, session, before)
    making = _queued(world, session, before, left, again=again)
    known = head.known - _products(session)
    if not left or not head.manifest_key or known > making.known:
        stays = _presences(world, head.session_id)
        session = replace(session, facts=session.facts | set(stays))
        key = _write_manifest(world, session, len(left))
        head = replace(head, manifest_key=key, known=head.known + weight(stays))
        head = named(head, session.names)
        making = replace(making, known=known + weight(stays))
    if making != before and (making.targets or before.targets):
        world.catalog.keep_making(making)
    return head


def _products(session: Session) -> int:
    """How many facts only tell what a step has left behind: they alone are no reason for another manifest."""
    facts = [*session.facts, *(fact for recording in session.recordings for fact in recording.facts)]
    return sum(isinstance(fact, e.ArtifactMade | e.ProductFailed) for fact in facts)


def _left(world: World, session: Session, before: Making) -> list[Step]:
    """The steps that are to be made now. While the session goes on, each request to finish it is answered by
    what there is: or all of it would be made anew with every segment."""
    steps = pending(session, wanted_of(world, session))
    if session.verdict.settled or _asked(session) > before.asked:
        return steps
    return [step for step in steps if step.target in before.targets]


def _asked(session: Session) -> int:
    return sum(isinstance(fact, e.FinishRequested) for fact in session.facts)


def _queued(world: World, session: Session, before: Making, left: list[Step], *, again: bool) -> Making:
    """Queue what was not queued before, then note it: a crash between queues twice, never not at all."""
    new = [step for step in left if again or step.target not in before.targets]
    segments = [(r.recording_id, segment) for r in session.recordings for segment in r.segments]
    world.work.make(_message(world, Order.of(step, segments)) for step in new)
    targets = before.targets if left and not new else tuple(step.target for step in left)
    queued_at = world.now() if new else before.queued_at
    return replace(before, queued_at=queued_at, targets=targets, asked=_asked(session))


def _message(world: World, order: Order) -> dict[str, Any]:
    whole = spelled(order)
    if len(whole) <= SMALL:
        return order.told()
    world.shelf.put(order.plan_key, whole, JSON_TYPE)
    return {"plan": order.plan_key}


def _presences(world: World, session_id: str) -> list[e.Event]:
    """Who was there, and when: what VideoSDK's session has of it and we did not know."""
    try:
        stays = world.recorder.presences(session_id)
    except Unavailable as silence:
        log.warning("VideoSDK can not be asked who was in session %s: %s", session_id, silence)
        return []
    told = [e.ParticipantListed(at=world.now(), **asdict(stay)) for stay in stays]
    return [fact for fact in told if world.ledger.append(session_subject(session_id), fact)]


def wanted_of(world: World, session: Session) -> Wanted:
    """What is wanted of a session by now."""
    return wanted(session, world.settings.products, world.settings.mix_lufs)


def read_session(world: World, session_id: str, facts: Iterable[e.Event] | None = None) -> Session:
    """A session with all its recordings, as the ledger has them now."""
    own = world.ledger.read(session_subject(session_id)) if facts is None else facts
    linked = [head.recording_id for head in world.catalog.of_session(session_id)]
    told = world.ledger.read_each([recording_subject(recording_id) for recording_id in linked])
    return Session.of(session_id, own, dict(zip(linked, told, strict=True)))


def _write_manifest(world: World, session: Session, left: int) -> str:
    """Write, ring, then note: a crash between rings twice, never not at all. `left` counts steps to come."""
    body = encoded(manifest(session, wanted_of(world, session)))
    key = ids.manifest_key(session.session_id, digest(body))
    world.shelf.put(key, body, JSON_TYPE)
    made = e.ManifestMade(at=world.now(), key=key, bytes=len(body), complete=session.verdict.complete)
    if not any(fact.identity == made.identity for fact in session.facts):
        world.bell.ready(_ready(session, key, left))
        world.ledger.append(session_subject(session.session_id), made)
    return key


def _ready(session: Session, key: str, left: int) -> dict[str, object]:
    """Rings may overtake each other; the one that knows more is the newer."""
    return {
        "sessionId": session.session_id,
        "roomId": session.room_id,
        "manifestKey": key,
        "complete": session.verdict.complete,
        "missing": len(session.verdict.missing),
        "known": session.known,
        "productsPending": left,
    }


def _ours(items: list[Listed], recording: Recording, asked: e.RecordingRequested) -> list[Listed]:
    """What VideoSDK's list has of this recording.

    Where a path names a recording, that decides; else the one that began nearest to our request.
    """
    same = [item for item in items if (item.participant_id, item.kind) == (asked.participant_id, asked.kind)]
    named = [item for item in same if any(recording.recording_id in path for path in item.files)]
    return named or _nearest([item for item in same if not _names_a_recording(item)], recording, asked.at)


def _names_a_recording(item: Listed) -> bool:
    return any(ids.is_recording_id(part) for path in item.files for part in path.split("/"))


def _nearest(items: list[Listed], recording: Recording, at: int) -> list[Listed]:
    """What began around our request, and before our recording was said to be over: then its slot may have
    gone to another."""
    over = min((fact.at for fact in recording.facts if isinstance(fact, FREES_SLOT)), default=None)
    first, last = at - CLOCKS_APART_MS, at + START_TAKES_MS
    if over is not None:
        last = min(last, over)
    close = [item for item in items if first <= item.start_at <= last]
    return sorted(close, key=lambda item: abs(item.start_at - at))[:1]


FREES_SLOT = (
    e.StartRefused,
    e.StopAccepted,
    e.StopUnneeded,
    e.RecordingStopping,
    e.RecordingStopped,
    e.RecordingFailed,
    e.EndOverdue,
)
START_TAKES_MS = 60_000  # from our request to the start that the list tells
EARLY_MS = 60_000  # so long after an end, its list may still be filled
CLOCKS_APART_MS = 5_000  # what began earlier than this is the recording before ours


def _fact(item: Listed, at: int) -> e.Event:
    if item.end_at is None:
        return e.RecordingListed(
            at=at, listed_id=item.listed_id, session_id=item.session_id, start_at=item.start_at
        )
    return e.RecordingEnded(
        at=at,
        listed_id=item.listed_id,
        session_id=item.session_id,
        start_at=item.start_at,
        end_at=item.end_at,
        files=item.files,
        early=at - item.end_at < EARLY_MS,
    )
