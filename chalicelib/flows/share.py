"""Shares: a link that opens one session to whoever has it, until it is over or taken back.

A token proves itself by its keyed hash, before anything is asked; whether it still opens its session is a
question to that session's ledger. Why it does not, nobody is told.
"""

from typing import Any

from chalicelib.core import events as e
from chalicelib.core import ids
from chalicelib.core.errors import NotFound
from chalicelib.core.pieces import piece
from chalicelib.core.share import Share, pared, shares
from chalicelib.core.views import share_view
from chalicelib.flows.review import addressed, file_names, refuse, told_of
from chalicelib.flows.settle import read_session
from chalicelib.ports import World, session_subject


def share(world: World, session_id: str, seconds: int, by: str) -> dict[str, Any]:
    """Make a link. Its token is told this once, and kept nowhere."""
    if not world.catalog.of_session(session_id):
        raise NotFound("session_not_found", f"no recording of a session {session_id} is known")
    share_id, at = ids.share_id(world.random()), world.now()
    fact = e.SessionShared(at=at, share_id=share_id, expires_at=at + seconds * 1000, by=by)
    world.ledger.append(session_subject(session_id), fact)
    token = ids.share_token(world.tag_key, session_id, share_id)
    return {"shareId": share_id, "token": token, "expiresAt": fact.expires_at}


def all_shares(world: World, session_id: str) -> dict[str, Any]:
    """Every share that the session ever had, without its token."""
    return {"shares": [share_view(told) for told in shares(world.ledger.read(session_subject(session_id)))]}


def revoke(world: World, session_id: str, share_id: str, by: str) -> dict[str, Any]:
    """Have a link open nothing any more; again is fine, and changes nothing."""
    subject = session_subject(session_id)
    before = _found(world.ledger.read(subject), share_id)
    if before is None:
        raise NotFound("share_not_found", f"session {session_id} has no such share")
    if before.revoked_at is None:
        world.ledger.append(subject, e.ShareRevoked(at=world.now(), share_id=share_id, by=by))
    after = _found(world.ledger.read(subject), share_id)
    return share_view(after or before)


def shared(world: World, token: str, first: int) -> dict[str, Any]:
    """A piece of the pared manifest of the session that the token opens, from its item of this number on."""
    session_id, facts, opened = _opened(world, token)
    session = read_session(world, session_id, facts)
    told = piece(pared(told_of(world, session)), first, lambda artifact: artifact)
    return {**told, "expiresAt": opened.expires_at}


def shared_addresses(world: World, token: str, keys: list[str], *, download: bool = False) -> dict[str, Any]:
    """Addresses of artifacts that the token's holder was shown, and of nothing else."""
    session_id, facts, _ = _opened(world, token)
    shown = file_names(world, session_id, keys, lambda: read_session(world, session_id, facts))
    refuse(key for key in keys if key not in shown)
    return addressed(world, {key: shown[key] if download else None for key in keys})


def _opened(world: World, token: str) -> tuple[str, tuple[e.Event, ...], Share]:
    claimed = ids.share_of_token(world.tag_key, token)
    if claimed is None:
        raise _nothing()
    session_id, share_id = claimed
    facts = world.ledger.read(session_subject(session_id))
    found = _found(facts, share_id)
    if found is None or not found.opens(world.now()):
        raise _nothing()
    return session_id, facts, found


def _found(facts: tuple[e.Event, ...], share_id: str) -> Share | None:
    return next((told for told in shares(facts) if told.share_id == share_id), None)


def _nothing() -> NotFound:
    return NotFound("share_not_found", "this link opens nothing: it is wrong, over or taken back")
