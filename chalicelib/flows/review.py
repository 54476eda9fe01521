"""What people and their programs may see: recordings, their facts, sessions with addresses to play from."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from chalicelib.core import ids
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.events import FinishRequested, SegmentCorrected
from chalicelib.core.heads import SessionHead
from chalicelib.core.manifest import manifest
from chalicelib.core.naming import with_file_names
from chalicelib.core.pieces import piece
from chalicelib.core.plan import pending
from chalicelib.core.recording import ENDED, Recording
from chalicelib.core.session import Session
from chalicelib.core.step import Output
from chalicelib.core.views import event_view, recording_line, recording_view, session_line
from chalicelib.flows.record import read
from chalicelib.flows.settle import read_session, wanted_of
from chalicelib.ports import Filter, World, recording_subject, session_subject


def recordings(world: World, wanted: Filter, limit: int, cursor: str | None) -> dict[str, Any]:
    """A page of recordings, newest first."""
    page = world.catalog.recordings(wanted, limit, cursor)
    return {"recordings": [recording_line(head) for head in page.items], "cursor": page.cursor}


def recording(world: World, recording_id: str) -> dict[str, Any]:
    """One recording; `NotFound` when nobody ever spoke of it."""
    return recording_view(read(world, recording_id))


def events(world: World, recording_id: str, limit: int, cursor: int) -> dict[str, Any]:
    """A recording's facts in the order in which they were heard; the cursor counts them."""
    facts = sorted(read(world, recording_id).facts, key=lambda fact: (fact.at, fact.identity))
    upto = cursor + limit
    return {
        "events": [event_view(fact) for fact in facts[cursor:upto]],
        "cursor": str(upto) if upto < len(facts) else None,
    }


def sessions(
    world: World, room_id: str | None, participant_id: str | None, limit: int, cursor: str | None
) -> dict[str, Any]:
    """A page of sessions, newest first."""
    page = world.catalog.sessions(room_id, limit, cursor, participant_id=participant_id)
    lines = [{**session_line(head), "live": _is_live(world, head)} for head in page.items]
    return {"sessions": lines, "cursor": page.cursor}


def _is_live(world: World, head: SessionHead) -> bool:
    """Whether something is still being recorded. Only of the few sessions that are not settled the recordings
    have to be asked: a session's head is not written at each change of a phase."""
    cursor: str | None = None
    while not head.settled:
        page = world.catalog.recordings(Filter(session_id=head.session_id), _AT_ONCE, cursor)
        if any(recording.phase not in ENDED for recording in page.items):
            return True
        if (cursor := page.cursor) is None:
            break
    return False


_AT_ONCE = 100


def session(world: World, session_id: str, first: int, *, with_addresses: bool) -> dict[str, Any]:
    """A session's manifest as of now, or a piece of it, from its item of this number on."""
    known = _known_session(world, session_id)
    address = _addressing(world) if with_addresses else _as_it_is
    return piece(told_of(world, known), first, address)


def told_of(world: World, session: Session) -> dict[str, Any]:
    """A session's manifest, with the names under which its artifacts are saved."""
    return with_file_names(manifest(session, wanted_of(world, session)))


def _addressing(world: World) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda artifact: {**artifact, "url": world.shelf.url(artifact["key"])}


def _as_it_is(artifact: dict[str, Any]) -> dict[str, Any]:
    return artifact


def addresses(world: World, session_id: str, keys: list[str], *, download: bool = False) -> dict[str, Any]:
    """Addresses of files below a session. To play them nothing is read: a page asks as often as it plays."""
    refuse(key for key in keys if not ids.is_output_of(key, session_id))
    if not download:
        return addressed(world, dict.fromkeys(keys))
    names = file_names(world, session_id, keys, lambda: _known_session(world, session_id))
    return addressed(world, {key: names.get(key) or ids.file_name(key) for key in keys})


def refuse(keys: Iterable[str]) -> None:
    """`Invalid` names the first of the keys that may not be had."""
    for key in keys:
        expected = "keys of the session's artifacts, as its manifest tells them"
        raise Invalid("invalid_keys", f"no artifact of this session: {key[:256]!r}", "keys", expected)


def addressed(world: World, keys: Mapping[str, str | None]) -> dict[str, Any]:
    """Addresses of these keys, each to be shown or saved under a name; and when they are over."""
    expires_at = world.now() + world.settings.url_ms
    given = {key: world.shelf.url(key, save_as) for key, save_as in keys.items()}
    return {"addresses": given, "expiresAt": expires_at}


def file_names(
    world: World, session_id: str, keys: Iterable[str], read: Callable[[], Session]
) -> dict[str, str]:
    """The names of a session's artifacts, by key. The manifest that was written last tells them where it has
    all of these: that is one file, and the manifest of now is the ledger of the whole session."""
    names = _names(_written(world, session_id))
    return names if names.keys() >= set(keys) else _names(told_of(world, read()))


def _names(told: dict[str, Any] | None) -> dict[str, str]:
    return {artifact["key"]: artifact["fileName"] for artifact in told["artifacts"]} if told else {}


def _written(world: World, session_id: str) -> dict[str, Any] | None:
    head = world.catalog.session(session_id)
    if head is None or not head.manifest_key:
        return None
    return with_file_names(json.loads(b"".join(world.shelf.read(head.manifest_key))))


def _known_session(world: World, session_id: str) -> Session:
    known = read_session(world, session_id)
    if not known.recordings:
        raise NotFound("session_not_found", f"no recording of a session {session_id} is known")
    return known


def finish_session(world: World, session_id: str, products: tuple[str, ...], by: str) -> dict[str, Any]:
    """Build these products of the session now, or the usual ones where none is named; and tell what is to be
    made. It is queued, and the manifest follows, through the ledger's stream."""
    session = _known_session(world, session_id)
    asked = FinishRequested(at=world.now(), by=by, products=products)
    world.ledger.append(session_subject(session_id), asked)
    session = replace(session, facts=session.facts | {asked})
    outputs = [output for step in pending(session, wanted_of(world, session)) for output in step.outputs]
    return {"sessionId": session_id, "finishing": True, "toMake": [_output(o) for o in outputs]}


def _output(output: Output) -> dict[str, Any]:
    told = {"product": output.product, "form": output.form}
    return {**told, "participantId": output.participant_id, "kind": output.kind}


def correct(world: World, session_id: str, file: str, shift_ms: int, by: str) -> dict[str, Any]:
    """Move a segment on the clock, by hand; what was made with it is made anew."""
    known = _known_session(world, session_id)
    meant = [r for r in known.recordings if any(segment.file == file for segment in r.segments)]
    if not meant:
        raise NotFound("segment_not_found", f"session {session_id} has no segment {file}")
    for recording in meant:
        fact = SegmentCorrected(
            at=world.now(), file=file, shift_ms=shift_ms, number=_corrections(recording, file) + 1, by=by
        )
        world.ledger.append(recording_subject(recording.recording_id), fact)
    return {"sessionId": session_id, "file": file, "shiftMs": shift_ms}


def _corrections(recording: Recording, file: str) -> int:
    told = recording.told(SegmentCorrected)
    return max((fact.number for fact in told if fact.file == file), default=0)
