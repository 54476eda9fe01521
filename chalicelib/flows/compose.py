"""One video of a session: asked for, looked at, played while it is made, and called off.

What renders it is `flows/composing.py`. The intent is written down before anything runs, and a run has a name
of its own: a request that died between the two is made good by the next.
"""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from chalicelib.core import events as e
from chalicelib.core import ids
from chalicelib.core.asking import request_of
from chalicelib.core.cast import cast, sizes, voices
from chalicelib.core.chunks import INIT, SOUND_FILE, Rendered
from chalicelib.core.composition import Request, composition_id
from chalicelib.core.composition_view import composition_view
from chalicelib.core.cutting import chunks, picture
from chalicelib.core.errors import NotFound
from chalicelib.core.mixing import SLICE_MS
from chalicelib.core.playlist import MASTER, SOUND, VIDEO, video_playlist
from chalicelib.core.price import Estimate, Fleet, estimate
from chalicelib.core.progress import Composition
from chalicelib.core.session import Session
from chalicelib.core.staging import scenes
from chalicelib.core.timeline import DAY_MS
from chalicelib.flows.settle import read_session
from chalicelib.ports import World, composition_subject, session_subject

OVER = ("failed", "cancelled")
STREAM_MS = DAY_MS  # how long the address of a stream opens it: longer than anybody plays it
_AT_ONCE = 16  # files that are deleted at the same time


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a composition, whose objects lie below `folder`."""

    session_id: str
    composition_id: str
    number: int
    folder: str

    @classmethod
    def of(cls, session_id: str, composition: Composition) -> "Run":
        """The last that was asked for."""
        folder = composition.folder(session_id)
        return cls(session_id, composition.composition_id, composition.run, folder)

    @property
    def subject(self) -> str:
        """Whose facts tell of it."""
        return composition_subject(self.composition_id)

    @property
    def name(self) -> str:
        """What the composer calls it."""
        return f"{self.composition_id}-{self.number}"

    def told(self) -> dict[str, Any]:
        """As its tasks are told."""
        return {
            "sessionId": self.session_id,
            "compositionId": self.composition_id,
            "run": self.number,
            "folder": self.folder,
        }


def run_of(told: Mapping[str, Any]) -> Run:
    """The run that `Run.told` gave."""
    return Run(told["sessionId"], told["compositionId"], told["run"], told["folder"])


# --- asking -------------------------------------------------------------------------------------------


def compose(world: World, session_id: str, told: Mapping[str, Any], by: str) -> dict[str, Any]:
    """Have it rendered. The same request of the same session is the same composition: one that is made, or
    being made, is only told of."""
    request = request_of(told)
    session = read_session(world, session_id)
    if not session.recordings:
        raise NotFound("session_not_found", f"no recording of a session {session_id} is known")
    request = request.within(session.extent.end - session.extent.start)
    composition = _read(world, composition_id(session, request))
    if composition.run == 0 or composition.phase in OVER:
        composition = _asked(world, session, request, composition, by)
    if composition.phase == "requested":
        run = Run.of(session_id, composition)
        world.composer.start(run.name, run.told())
    assert composition.requested is not None
    reckoned = {"seconds": composition.requested.seconds, "dollars": composition.requested.dollars}
    return {"compositionId": composition.composition_id, "estimate": reckoned}


def _asked(world: World, session: Session, request: Request, before: Composition, by: str) -> Composition:
    reckoned = _estimate(world, session, request)
    fact = e.CompositionRequested(
        at=world.now(),
        run=before.run + 1,
        session_id=session.session_id,
        request=json.dumps(request.told(), sort_keys=True),
        seconds=round(reckoned.seconds, 1),
        dollars=round(reckoned.dollars, 6),
        by=by,
    )
    # Found from its session before it is there: who looks for it passes over what nobody asked for.
    named = e.SessionComposed(at=fact.at, composition_id=before.composition_id)
    world.ledger.append(session_subject(session.session_id), named)
    if not world.ledger.append(composition_subject(before.composition_id), fact):
        return _read(world, before.composition_id)  # somebody else asked at the same time
    return Composition.of(before.composition_id, before.facts | {fact})


def _estimate(world: World, session: Session, request: Request) -> Estimate:
    people, known = cast(session, request.participants), sizes(session)
    cut = chunks("", request, scenes(people, request), known)
    assert request.end is not None
    slices = -(-(request.end - request.start) // SLICE_MS)
    fleet = Fleet(at_once=world.settings.chunks_at_once, mixers=slices)
    return estimate(cut, len(voices(session, request.participants)), known, fleet)


# --- looking ------------------------------------------------------------------------------------------


def composition(world: World, session_id: str, wanted: str, public_url: str) -> dict[str, Any]:
    """How far it is, and where it can be had; `NotFound` where nobody asked for it."""
    return _told(world, _known(world, session_id, wanted), public_url)


def compositions(world: World, session_id: str, public_url: str) -> dict[str, Any]:
    """All of a session that anybody asked for, the last request first."""
    facts = world.ledger.read(session_subject(session_id))
    named = [fact.composition_id for fact in facts if isinstance(fact, e.SessionComposed)]
    read = world.ledger.read_each([composition_subject(wanted) for wanted in named])
    every = [Composition.of(wanted, facts) for wanted, facts in zip(named, read, strict=True)]
    told = [_told(world, found, public_url) for found in every if found.requested]
    return {"compositions": sorted(told, key=lambda one: (-one["requestedAt"], one["compositionId"]))}


def _told(world: World, found: Composition, public_url: str) -> dict[str, Any]:
    assert found.requested is not None
    session_id = found.requested.session_id
    base = f"{public_url}/sessions/{quote(session_id, safe='')}/compositions/{found.composition_id}"
    return {**composition_view(found, world.now()), "urls": _urls(world, session_id, found, base)}


def _urls(world: World, session_id: str, found: Composition, base: str) -> dict[str, str]:
    """Addresses of what is ready, and of the stream as soon as it can be played: that one is of a door."""
    assert found.request is not None
    made = dict(found.finished.files) if found.phase == "ready" and found.finished else {}
    save_as = f"{found.composition_id}.mp4"
    urls = {form: world.shelf.url(key, save_as) for form, key in made.items() if form == "mp4"}
    if "hls" in found.request.formats and found.phase not in OVER and (made or found.playable):
        until = world.now() + STREAM_MS
        token = ids.stream_token(world.tag_key, session_id, found.composition_id, until)
        urls["hls"] = f"{base}/{token}/{MASTER if made else VIDEO}"
    return urls


@dataclass(frozen=True, slots=True)
class Streamed:
    """A playlist's text, or the address of any other file of a stream."""

    text: str | None = None
    address: str = ""


def streamed(world: World, session_id: str, wanted: str, token: str, name: str) -> Streamed:
    """A file of a stream, to whoever has its token. Its playlist grows as long as it is made."""
    if not ids.stream_opens(world.tag_key, token, session_id, wanted, world.now()):
        raise _nothing()
    found = _known(world, session_id, wanted)
    folder, made = found.folder(session_id), found.phase == "ready"
    if name == VIDEO and not made:
        return Streamed(text=_growing(found))
    if name in (MASTER, VIDEO, SOUND) and made:
        return Streamed(text=b"".join(world.shelf.read(f"{folder}/{name}")).decode())
    key = f"{folder}/{name}"
    if found.phase in OVER or not (name in (INIT, SOUND_FILE) or key in found.kept):
        raise _nothing()
    return Streamed(address=world.shelf.url(key))


def _growing(found: Composition) -> str:
    assert found.request is not None
    if found.phase in OVER or not found.playable:
        raise _nothing()
    made = [Rendered(fact.key.rpartition("/")[2], fact.bytes, fact.frames) for fact in found.playable]
    return video_playlist(picture(found.request), made, ended=False)


def _nothing() -> NotFound:
    return NotFound(
        "stream_not_found", "nothing can be played here: the address is wrong or over, or too early"
    )


# --- calling off --------------------------------------------------------------------------------------


def cancel(world: World, session_id: str, wanted: str, by: str) -> None:
    """Have nobody go on with it, and nothing of it left. Again is fine, and deletes what was left."""
    run = Run.of(session_id, _known(world, session_id, wanted))
    world.ledger.append(run.subject, e.CompositionCancelled(at=world.now(), run=run.number, by=by))
    world.composer.stop(run.name)
    clear(world, run.folder)


def clear(world: World, folder: str) -> None:
    """Delete all that lies in the folder."""
    keys = [thing.key for thing in world.shelf.under(f"{folder}/")]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(world.shelf.delete, keys))


def _known(world: World, session_id: str, wanted: str) -> Composition:
    found = _read(world, wanted)
    if found.requested is None or found.requested.session_id != session_id:
        raise NotFound("composition_not_found", f"session {session_id} has no composition {wanted}")
    return found


def _read(world: World, wanted: str) -> Composition:
    return Composition.of(wanted, world.ledger.read(composition_subject(wanted)))
