"""The world in memory: every port of `chalicelib.ports`, held to the contracts in tests/contracts.

Nothing here is a mock: a fake does what its port promises. What was done is on the world's `tape`, in
order; the tape can also break a door or end the process before any effect.
"""

import hashlib
import json
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from threading import RLock
from typing import Any
from urllib.parse import quote

from chalicelib.core import ids
from chalicelib.core.chunks import INIT, WHOLE, Chunk, File, Rendered, Whole
from chalicelib.core.errors import Invalid, NotFound, Unavailable, Untrusted
from chalicelib.core.events import CONCLUSIONS, Event, from_record, to_record
from chalicelib.core.heads import RecordingHead, SessionHead, recording_head
from chalicelib.core.playlist import CONTENT_TYPE, MASTER
from chalicelib.core.recording import Recording
from chalicelib.core.scan import BadSegment, NotRecording, Repaired, Scan
from chalicelib.core.step import Made, Output, Step
from chalicelib.core.trigger import Appeared
from chalicelib.core.work import (
    FACTS_AT_MOST,
    LEASE_MS,
    TRIES,
    Collected,
    Done,
    GivenUp,
    Lease,
    LeaseLost,
    busy,
    lost,
    spent,
)
from chalicelib.ports import (
    Accepted,
    Claim,
    Filter,
    Heard,
    Listed,
    Maker,
    Making,
    Object,
    Opening,
    Outcome,
    Page,
    Presence,
    Reading,
    Settings,
    Store,
    Taken,
    Writing,
    recording_subject,
)

NOON = 1_750_000_000_000  # 2025-06-15T15:06:40Z, when a world's clock begins
CLAIM_MS = 24 * 3_600_000


class Died(BaseException):
    """The process was killed: nobody may catch this."""


@dataclass
class Tape:
    """What was done, in order. `dies_before` counts effects down; `broken` names doors that raise."""

    done: list[str] = field(default_factory=list)
    dies_before: int | None = None
    broken: dict[str, Exception] = field(default_factory=dict)

    def dies_in(self, effects: int) -> None:
        """Be killed before the effect after so many more."""
        self.dies_before = len(self.done) + effects

    def asks(self, door: str) -> None:
        """Somebody reads."""
        if door in self.broken:
            raise self.broken[door]

    def does(self, door: str, what: str = "") -> None:
        """Somebody is about to have an effect."""
        self.asks(door)
        if self.dies_before is not None and len(self.done) >= self.dies_before:
            raise Died
        self.done.append(f"{door} {what}".strip())


@dataclass
class MemoryLedger:
    """Answers to the port `Ledger`. `stream` has the subjects of all news, as the table's stream would."""

    tape: Tape = field(default_factory=Tape)
    stream: deque[str] = field(default_factory=deque)
    lock: RLock = field(default_factory=RLock)
    _told: dict[str, dict[str, str]] = field(default_factory=dict)

    def append(self, subject: str, event: Event) -> bool:
        """Written as JSON, as the table has it: what does not survive that is found out here."""
        self.tape.does("ledger.append", type(event).__name__)
        return self.keep(subject, event)

    def keep(self, subject: str, event: Event) -> bool:
        """Write without a mark on the tape."""
        with self.lock:
            if event.identity in self._told.setdefault(subject, {}):
                return False
            self._told[subject][event.identity] = json.dumps(to_record(event))
            if not isinstance(event, CONCLUSIONS):
                self.stream.append(subject)
            return True

    def has(self, subject: str, identity: str) -> bool:
        """Whether a fact is there."""
        self.tape.asks("ledger.has")
        return identity in self._told.get(subject, {})

    def read(self, subject: str) -> tuple[Event, ...]:
        """By the time of hearing."""
        self.tape.asks("ledger.read")
        with self.lock:
            facts = [from_record(json.loads(told)) for told in self._told.get(subject, {}).values()]
        return tuple(sorted(facts, key=lambda fact: (fact.at, fact.identity)))

    def read_each(self, subjects: Sequence[str]) -> list[tuple[Event, ...]]:
        """One after the other."""
        return [self.read(subject) for subject in subjects]

    def subjects(self) -> list[str]:
        """Every subject of which a fact is known."""
        return sorted(self._told)


@dataclass
class MemoryCatalog:
    """Answers to the port `Catalog`."""

    ledger: MemoryLedger
    _slots: dict[tuple[str, str, str], str] = field(default_factory=dict)
    _claims: dict[tuple[str, str], Claim] = field(default_factory=dict)
    _recordings: dict[str, RecordingHead] = field(default_factory=dict)
    _links: dict[str, dict[str, RecordingHead]] = field(default_factory=dict)
    _sessions: dict[str, SessionHead] = field(default_factory=dict)
    _bookmarks: dict[str, str | None] = field(default_factory=dict)
    _making: dict[str, Making] = field(default_factory=dict)

    def open(self, openings: Sequence[Opening], claim: Claim | None) -> Taken | None:
        """All or nothing, one at a time."""
        with self.ledger.lock:
            self.ledger.tape.does("catalog.open", ",".join(o.requested.kind for o in openings))
            holders = {o.recording_id: held for o in openings if (held := self._held_against(o))}
            before = self._before(claim)
            if holders or before:
                return Taken(holders, before)
            for opening in openings:
                self._begin(opening)
            if claim is not None:
                self._claims[claim.owner, claim.key] = claim
            return None

    def _held_against(self, opening: Opening) -> str | None:
        holder = self._slots.get(_slot(opening))
        return None if holder in (None, opening.over, opening.recording_id) else holder

    def _before(self, claim: Claim | None) -> Claim | None:
        before = self._claims.get((claim.owner, claim.key)) if claim else None
        if before is None or claim is None or before.at + CLAIM_MS < claim.at:
            return None
        return None if before == claim else before

    def _begin(self, opening: Opening) -> None:
        self._slots[_slot(opening)] = opening.recording_id
        self.ledger.keep(recording_subject(opening.recording_id), opening.requested)
        head = recording_head(Recording.of(opening.recording_id, [opening.requested]))
        self._recordings.setdefault(opening.recording_id, head)

    def holder(self, room_id: str, participant_id: str, kind: str) -> str | None:
        """The slot's latest."""
        self.ledger.tape.asks("catalog.holder")
        return self._slots.get((room_id, participant_id, kind))

    def recording(self, recording_id: str) -> RecordingHead | None:
        """The head."""
        self.ledger.tape.asks("catalog.recording")
        return self._recordings.get(recording_id)

    def keep_recording(self, head: RecordingHead, *, relink: bool = True) -> bool:
        """The link, then the head."""
        self.ledger.tape.asks("catalog.keep_recording")
        news = False
        with self.ledger.lock:
            if head.session_id is not None and relink:
                links = self._links.setdefault(head.session_id, {})
                news = self._keep(links, head.recording_id, head)
            return self._keep(self._recordings, head.recording_id, head) or news

    def keep_session(self, head: SessionHead) -> bool:
        """Never back."""
        self.ledger.tape.asks("catalog.keep_session")
        return self._keep(self._sessions, head.session_id, head)

    def _keep[Head: (RecordingHead, SessionHead)](
        self, shelf: dict[str, Head], name: str, head: Head
    ) -> bool:
        if name in shelf and shelf[name].known >= head.known:
            return False
        self.ledger.tape.does("catalog.keep", f"{type(head).__name__} known={head.known}")
        shelf[name] = head
        return True

    def session(self, session_id: str) -> SessionHead | None:
        """The head."""
        self.ledger.tape.asks("catalog.session")
        return self._sessions.get(session_id)

    def of_session(self, session_id: str) -> list[RecordingHead]:
        """The linked heads."""
        self.ledger.tape.asks("catalog.of_session")
        return [head for _, head in sorted(self._links.get(session_id, {}).items())]

    def recordings(self, wanted: Filter, limit: int, cursor: str | None) -> Page[RecordingHead]:
        """Newest first."""
        linked = self._links.get(wanted.session_id or "", {})
        found = [h for rid, h in self._recordings.items() if wanted.session_id is None or rid in linked]
        told = {name: value for name, value in asdict(wanted).items() if value is not None}
        heads = [h for h in found if all(getattr(h, name) == value for name, value in told.items())]
        return _page(heads, _recording_sort, limit, cursor, newest_first=True)

    def unsettled(self, limit: int, cursor: str | None) -> Page[RecordingHead]:
        """Oldest first."""
        self.ledger.tape.asks("catalog.unsettled")
        heads = [head for head in self._recordings.values() if not head.settled]
        return _page(heads, _recording_sort, limit, cursor, newest_first=False)

    def beyond(self, head: RecordingHead) -> str:
        """Its place."""
        return _closed(_recording_sort(head))

    def making(self, session_id: str) -> Making | None:
        """As it was kept."""
        self.ledger.tape.asks("catalog.making")
        return self._making.get(session_id)

    def keep_making(self, making: Making) -> None:
        """Over the one before."""
        self.ledger.tape.does("catalog.keep_making", f"of {len(making.targets)}")
        self._making[making.session_id] = making

    def all_making(self, limit: int, cursor: str | None) -> Page[Making]:
        """Oldest first."""
        self.ledger.tape.asks("catalog.all_making")
        found = [making for making in self._making.values() if making.targets]
        return _page(found, lambda m: [m.queued_at, m.session_id], limit, cursor, newest_first=False)

    def bookmark(self, walk: str) -> str | None:
        """As it was kept."""
        self.ledger.tape.asks("catalog.bookmark")
        return self._bookmarks.get(walk)

    def keep_bookmark(self, walk: str, place: str | None) -> None:
        """Over the one before."""
        self.ledger.tape.does("catalog.keep_bookmark", walk)
        self._bookmarks[walk] = place

    def sessions(
        self, room_id: str | None, limit: int, cursor: str | None, *, participant_id: str | None = None
    ) -> Page[SessionHead]:
        """Newest first."""
        heads = [
            head
            for head in self._sessions.values()
            if room_id in (None, head.room_id) and participant_id in (None, *head.who)
        ]
        return _page(heads, _session_sort, limit, cursor, newest_first=True)


def _slot(opening: Opening) -> tuple[str, str, str]:
    return opening.requested.room_id, opening.requested.participant_id, opening.requested.kind


def _recording_sort(head: RecordingHead) -> list[Any]:
    return [head.requested_at, head.recording_id]


def _session_sort(head: SessionHead) -> list[Any]:
    return [head.begun_at, head.session_id]


def _page[Head](
    heads: list[Head],
    sort: Callable[[Head], list[Any]],
    limit: int,
    cursor: str | None,
    *,
    newest_first: bool,
) -> Page[Head]:
    after = _opened(cursor)
    ordered = sorted(heads, key=sort, reverse=newest_first)
    rest = [h for h in ordered if after is None or (sort(h) < after if newest_first else sort(h) > after)]
    more = len(rest) > limit
    return Page(rest[:limit], _closed(sort(rest[limit - 1])) if more else None)


def _closed(after: list[Any]) -> str:
    return b64encode(json.dumps(after).encode()).decode()


def _opened(cursor: str | None) -> list[Any] | None:
    if cursor is None:
        return None
    try:
        at, name = json.loads(b64decode(cursor, validate=True))
        return [int(at), str(name)]
    except (NoBase64, ValueError, TypeError):
        raise Invalid("invalid_cursor", "cursor is not one of ours", "cursor", "a page's cursor") from None


@dataclass
class _Work:
    """Who works on one target."""

    lease: Lease
    allowed: int = TRIES
    reason: str | None = None
    done: bool | None = None  # whether a committed fact was news
    collected: bool = False


@dataclass
class MemoryLeases:
    """Answers to the port `Leases`."""

    ledger: MemoryLedger
    _works: dict[str, _Work] = field(default_factory=dict)

    def take(self, target: str, now: int) -> Lease:
        """One after the other."""
        self.ledger.tape.asks("leases.take")
        with self.ledger.lock:
            work = self._works.get(target, _Work(Lease(target, 0, 0, 0)))
            self._refuse(work, now)
            self.ledger.tape.does("leases.take", target)
            self._works[target], before = work, work.lease
            work.lease = Lease(target, before.epoch + 1, now + LEASE_MS, before.tries + 1)
            work.reason = None
            return work.lease

    def _refuse(self, work: _Work, now: int) -> None:
        if work.done is not None:
            raise Done(work.lease.target)
        if work.collected:
            raise Collected(work.lease.target)
        if work.lease.until > now:
            raise busy(work.lease, now)
        if work.lease.tries >= work.allowed:
            raise spent(work.lease, work.reason)

    def keep(self, lease: Lease, now: int) -> Lease:
        """The same lease, longer."""
        self.ledger.tape.does("leases.keep", lease.target)
        with self.ledger.lock:
            work = self._held(lease)
            work.lease = replace(work.lease, until=now + LEASE_MS)
            return work.lease

    def fail(self, lease: Lease, reason: str) -> None:
        """Unless somebody else has it."""
        self.ledger.tape.does("leases.fail", lease.target)
        with self.ledger.lock, suppress(LeaseLost):
            work = self._held(lease)
            work.lease, work.reason = replace(work.lease, until=0), reason or "it gave no reason"

    def commit(self, lease: Lease, subject: str, facts: Sequence[Event]) -> bool:
        """All or nothing; the same answer to who asks again."""
        if len(facts) > FACTS_AT_MOST:
            raise ValueError(f"{len(facts)} facts in one commit")
        self.ledger.tape.does("leases.commit", ",".join(type(fact).__name__ for fact in facts))
        with self.ledger.lock:
            work = self._works[lease.target]
            if work.done is None or work.lease.epoch != lease.epoch:
                work = self._held(lease)
                work.done = sum(self.ledger.keep(subject, fact) for fact in facts) > 0
            return work.done

    def _held(self, lease: Lease) -> _Work:
        work = self._works[lease.target]
        if work.lease.epoch != lease.epoch or work.done is not None or work.collected:
            raise lost(lease)
        return work

    def unfinished(self, target: str) -> bool:
        """Begun and not committed."""
        self.ledger.tape.asks("leases.unfinished")
        return target in self._works and not self._works[target].done

    def collect(self, target: str, now: int) -> bool:
        """Unless it is done, or somebody is at it, or nobody ever was."""
        self.ledger.tape.does("leases.collect", target)
        with self.ledger.lock:
            work = self._works.get(target)
            if work is None or work.done is not None or work.lease.until > now:
                return False
            work.collected = True
            return True

    def redrive(self, target: str) -> bool:
        """As many tries again."""
        self.ledger.tape.does("leases.redrive", target)
        with self.ledger.lock:
            work = self._works.get(target)
            if work is None or work.done is not None:
                return False
            work.allowed = work.lease.tries + TRIES
            return True


@dataclass
class ScriptedRecorder:
    """Answers to the port `Recorder`: the outcome of the kind, or the script's next, else `Accepted`.

    `sent` has the commands as VideoSDK got them. An outcome may be a function, which is called when the
    command arrives: what happens meanwhile is told there.
    """

    tape: Tape
    script: deque[Outcome | Callable[[], Outcome]] = field(default_factory=deque)
    of_kind: dict[str, Outcome] = field(default_factory=dict)
    sent: list[tuple[str, ...]] = field(default_factory=list)
    webhook_urls: list[str] = field(default_factory=list)
    bucket_dir_paths: list[str] = field(default_factory=list)
    tracks: dict[str, list[Listed]] = field(default_factory=dict)
    present: dict[str, list[Presence]] = field(default_factory=dict)

    def start(
        self, room_id: str, participant_id: str, kind: str, *, webhook_url: str, bucket_dir_path: str
    ) -> Outcome:
        """The script's next."""
        self.tape.does("recorder.start", kind)
        self.webhook_urls.append(webhook_url)
        self.bucket_dir_paths.append(bucket_dir_path)
        return self._next("start", room_id, participant_id, kind)

    def stop(self, room_id: str, participant_id: str, kind: str) -> Outcome:
        """The script's next."""
        self.tape.does("recorder.stop", kind)
        return self._next("stop", room_id, participant_id, kind)

    def _next(self, *command: str) -> Outcome:
        self.sent.append(command)
        if command[-1] in self.of_kind:
            return self.of_kind[command[-1]]
        told = self.script.popleft() if self.script else Accepted()
        return told() if callable(told) else told

    def listed(
        self, room_id: str, *, session_id: str | None = None, participant_id: str | None = None
    ) -> Iterator[Listed]:
        """What `tracks` has for these."""
        self.tape.asks("recorder.listed")
        for item in self.tracks.get(room_id, []):
            if session_id in (None, item.session_id) and participant_id in (None, item.participant_id):
                yield item

    def presences(self, session_id: str) -> list[Presence]:
        """What `present` has."""
        self.tape.asks("recorder.presences")
        return self.present.get(session_id, [])


SIGNED = "signed by VideoSDK"


@dataclass
class MemoryPost:
    """Answers to the port `Post`: knows the letters that were written here, under the signature `SIGNED`."""

    tape: Tape
    letters: dict[bytes, Heard] = field(default_factory=dict)

    def write(
        self,
        fact: Event,
        about: tuple[str, str, str] = ("", "", ""),
        *,
        of_recording: bool = True,
        session_id: str | None = None,
        webhook_type: str = "participant-track-recording-started",
    ) -> bytes:
        """The body of a delivery that says this."""
        body = json.dumps([to_record(fact), about, of_recording, session_id, webhook_type]).encode()
        sha256 = hashlib.sha256(body).hexdigest()
        self.letters[body] = Heard(fact, about, of_recording, session_id, webhook_type, sha256, body.decode())
        return body

    def hear(self, body: bytes, signature: str | None, at: int) -> Heard:
        """As it was written, heard now."""
        self.tape.asks("post.hear")
        if signature != SIGNED:
            raise Untrusted("bad_signature", "VideoSDK did not sign this delivery")
        heard = self.letters[body]
        return replace(heard, fact=replace(heard.fact, at=at))


@dataclass
class _MemoryReading:
    object: Object
    _body: bytes
    _size: int = 1 << 16

    def __iter__(self) -> Iterator[bytes]:
        for at in range(0, len(self._body), self._size):
            yield self._body[at : at + self._size]


@dataclass
class MemoryInbox:
    """Answers to the port `Inbox`."""

    tape: Tape
    now: Callable[[], int]
    _objects: dict[str, tuple[Object, bytes]] = field(default_factory=dict)

    def put(self, key: str, body: bytes) -> None:
        """VideoSDK delivers."""
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        self._objects[key] = (Object(key, etag, len(body), self.now() // 1000 * 1000), body)

    def delete(self, key: str) -> None:
        """Somebody tidies up."""
        del self._objects[key]

    def read(self, key: str, etag: str | None = None) -> Reading:
        """The object of this etag."""
        self.tape.asks("inbox.read")
        told, body = self._objects.get(key, (None, b""))
        if told is None or etag not in (None, told.etag):
            raise NotFound("object_gone", f"the object {key!r} is not there any more")
        return _MemoryReading(told, body)

    def under(self, prefix: str, after: str | None = None) -> Iterator[Object]:
        """In the order of the keys, as S3 lists."""
        self.tape.asks("inbox.under")
        yield from (self._objects[key][0] for key in _below(self._objects, prefix, after))


def _below(keys: Iterable[str], prefix: str, after: str | None) -> list[str]:
    beyond = (after or "").encode()
    return sorted((key for key in keys if key.startswith(prefix) and key.encode() > beyond), key=str.encode)


@dataclass
class MemoryShelf:
    """Answers to the port `Shelf`. `files` are visible; `begun` counts files that are still being written."""

    tape: Tape
    now: Callable[[], int]
    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    written_at: dict[str, int] = field(default_factory=dict)
    begun: int = 0

    def write(self, key: str, content_type: str) -> Writing:
        """Nothing is seen before the front."""
        self.begun += 1
        return _MemoryWriting(self, key, content_type)

    def put(self, key: str, body: bytes, content_type: str) -> None:
        """Unless it is there."""
        self.write(key, content_type).front(body)

    def read(self, key: str, start: int = 0, end: int | None = None) -> Reading:
        """A visible file, or a part of it."""
        self.tape.asks("shelf.read")
        if end is not None and end <= start:
            raise ValueError(f"no bytes are asked for: [{start}, {end})")
        body, _ = self.files.get(key, (b"", ""))
        if key not in self.files or (start and start >= len(body)):
            raise NotFound("object_gone", f"the object {key!r} is not there any more")
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return _MemoryReading(Object(key, etag, len(body), self.now()), body[start:end])

    def under(self, prefix: str, after: str | None = None) -> Iterator[Object]:
        """In the order of the keys, as S3 lists."""
        self.tape.asks("shelf.under")
        for key in _below(self.files, prefix, after):
            body, _ = self.files[key]
            etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
            yield Object(key, etag, len(body), self.written_at[key])

    def delete(self, key: str) -> None:
        """Whether or not it is there."""
        self.tape.does("shelf.delete", key)
        self.files.pop(key, None)

    def url(self, key: str, save_as: str | None = None) -> str:
        """An address that nobody answers at."""
        saved = "" if save_as is None else f"&as={quote(save_as)}"
        return f"https://shelf.invalid/{quote(key)}?signed{saved}"


@dataclass
class _MemoryWriting:
    shelf: MemoryShelf
    key: str
    content_type: str
    size: int = 0
    _body: bytearray = field(default_factory=bytearray)
    _open: bool = True

    def body(self, data: bytes) -> None:
        self.size += len(data)
        self._body += data

    def front(self, data: bytes) -> None:
        self.shelf.tape.does("shelf.front", self.key)
        self.size += len(data)
        if self.key not in self.shelf.files:
            self.shelf.files[self.key] = data + bytes(self._body), self.content_type
            self.shelf.written_at[self.key] = self.shelf.now() // 1000 * 1000
        self._close()

    def abandon(self) -> None:
        self._close()

    def _close(self) -> None:
        self.shelf.begun -= self._open
        self._open = False


FILM = b"film:"


def film(duration_ms: int = 1000, **said: Any) -> bytes:
    """A delivered file that `ScriptedMedia` understands; `said` overrides what it finds in it."""
    return FILM + json.dumps({"duration_ms": duration_ms, **said}).encode()


@dataclass
class ScriptedMedia:
    """Answers to the port `Media`: reads what `film` wrote, and nothing else."""

    def repair(self, chunks: Iterable[bytes], sink: Writing) -> Repaired:
        """The film behind a short front."""
        body = b"".join(chunks)
        if not body.startswith(FILM):
            raise NotRecording("not_webm", "the file does not begin as WebM does")
        sink.body(body)
        told = json.loads(body.removeprefix(FILM))
        told.pop("blind", None)  # what only a decoder would find
        if "breaks_off" in told:
            raise NotRecording("no_packets", told["breaks_off"])
        sink.front(b"front:")
        codec = "opus" if told.get("kind", "audio").endswith("audio") else "vp8"
        scan = Scan(**{**_SCAN, "codec": codec, "bytes_read": len(body), **told})
        return Repaired(scan, b'{"index":"of a film"}')

    @property
    def makers(self) -> dict[str, Maker]:
        """All make a digest of what they read."""
        return dict.fromkeys(("poster", "copies", "sound", "join", "encode", "mux"), self.make)

    def make(self, step: Step, store: Store) -> list[Made]:
        """Reads all that the step names, then writes each output."""
        told = hashlib.sha256()
        for source in (piece.source for track in step.tracks for piece in track.pieces):
            body = b"".join(store.read(source)).removeprefix(b"front:")
            if not body.startswith(FILM) or b'"blind"' in body:
                raise BadSegment(source, "undecodable", "no picture can be decoded")
            told.update(body)
        for part in step.parts:
            told.update(b"".join(store.read(part)))
        return [_digested(step, output, told.hexdigest(), store) for output in step.outputs]

    def render_chunk(self, chunk: Chunk, store: Store) -> Rendered:
        """A line of what it shows. The first one writes the beginning as well."""
        if chunk.number == 1:
            store.write(INIT, "video/mp4").front(b"init")
        slates = tuple((source, "it is blind") for source in chunk.sources if self._is_blind(source, store))
        told = json.dumps([chunk.first_frame, chunk.end_frame, chunk.without(dict(slates)).sources])
        store.write(chunk.name, "video/mp4").front(told.encode())
        return Rendered(chunk.name, len(told), chunk.frames, slates)

    def _is_blind(self, source: str, store: Store) -> bool:
        return b'"blind"' in b"".join(store.read(source))

    def finish(self, whole: Whole, formats: Iterable[str], store: Store) -> list[File]:
        """All chunks behind each other, and a playlist of their names."""
        made = []
        for form in formats:
            name, content_type = _FINISHED[form]
            keys = [f"{whole.target}/{chunk.name}" for chunk in whole.chunks]
            sound = b"".join(store.read(whole.mix)) if whole.mix else b""
            body = b"\n".join([*(b"".join(store.read(key)) for key in keys), sound])
            writing = store.write(name, content_type)
            writing.front(body if form == "mp4" else "\n".join(keys).encode())
            made.append(File(name, content_type, writing.size))
        return made


_FINISHED = {"mp4": (WHOLE, "video/mp4"), "hls": (MASTER, CONTENT_TYPE)}


def _digested(step: Step, output: Output, told: str, store: Store) -> Made:
    content_type = "image/jpeg" if output.form == "jpg" else f"application/{output.form}"
    writing = store.write(output.name, content_type)
    writing.body(told.encode())
    writing.front(f"{output.product} of ".encode())
    return Made(output, output.name, content_type, writing.size, step.start, step.end)


_SCAN: dict[str, Any] = {
    "kind": "audio",
    "first_ms": 0,
    "width": None,
    "height": None,
    "resolutions": (),
    "holes": (),
    "tail_lost": False,
    "packets": 50,
    "key_frames": 50,
}


@dataclass
class MemoryBell:
    """Answers to the port `Bell`."""

    tape: Tape
    rung: list[dict[str, Any]] = field(default_factory=list)

    def ready(self, told: dict[str, Any]) -> None:
        """Remembered."""
        self.tape.does("bell.ready")
        self.rung.append(json.loads(json.dumps(told)))


@dataclass
class MemoryWork:
    """Answers to the port `Work`. `buried` has what was given up, and how it comes back."""

    tape: Tape
    bucket: str
    objects: deque[Appeared] = field(default_factory=deque)
    steps: deque[dict[str, Any]] = field(default_factory=deque)
    buried: list[tuple[GivenUp, Callable[[], None]]] = field(default_factory=list)

    def ingest(self, keys: Iterable[str]) -> None:
        """As the queue would bring them."""
        for key in keys:
            self.tape.does("work.ingest", key)
            self.objects.append(Appeared(self.bucket, key))

    def make(self, messages: Iterable[dict[str, Any]]) -> None:
        """As the queue would bring them."""
        for message in messages:
            self.tape.does("work.make", message["step"]["maker"] if "step" in message else "plan")
            self.steps.append(json.loads(json.dumps(message)))


@dataclass
class MemoryComposer:
    """Answers to the port `Composer`: `begun` are all runs by name; those in `running` are not over."""

    tape: Tape
    begun: dict[str, dict[str, Any]] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)

    def start(self, name: str, told: dict[str, Any]) -> None:
        """Once for each name."""
        self.tape.does("composer.start", name)
        if name not in self.begun:
            self.begun[name] = json.loads(json.dumps(told))
            self.running.add(name)

    def stop(self, name: str) -> None:
        """If it runs."""
        self.tape.does("composer.stop", name)
        self.running.discard(name)


class MemoryWorld:
    """Answers to the port `World`. The clock stands until `pass_time`; randomness counts up. `products` are
    made of every session."""

    def __init__(self, now: int = NOON, products: tuple[str, ...] = ("poster",)) -> None:
        self.clock = now
        self.tape = Tape()
        self.settings = Settings(
            url_ms=900_000,
            recordings_bucket="deliveries",
            bucket_dir_path="recordings",
            grace_ms=900_000,
            products=products,
            mix_lufs=-16.0,
            chunks_at_once=100,
        )
        self.ledger = MemoryLedger(self.tape)
        self.catalog = MemoryCatalog(self.ledger)
        self.leases = MemoryLeases(self.ledger)
        self.recorder = ScriptedRecorder(self.tape)
        self.post = MemoryPost(self.tape)
        self.inbox = MemoryInbox(self.tape, self.now)
        self.shelf = MemoryShelf(self.tape, self.now)
        self.media = ScriptedMedia()
        self.bell = MemoryBell(self.tape)
        self.work = MemoryWork(self.tape, self.settings.recordings_bucket)
        self.composer = MemoryComposer(self.tape)
        self.tag_key = b"a key that only this world has"
        self._drawn = 0

    def now(self) -> int:
        """Where `pass_time` has put it."""
        return self.clock

    def pass_time(self, ms: int) -> None:
        """Let the clock run."""
        self.clock += ms

    def random(self) -> bytes:
        """Never the same twice, always the same in the same test."""
        self._drawn += 1
        return hashlib.sha256(f"random {self._drawn}".encode()).digest()[:16]

    def broken(self, *doors: str) -> None:
        """From now on these doors raise `Unavailable`; without names all are whole again."""
        self.tape.broken = {door: Unavailable("down", f"{door} is down") for door in doors}

    def token(self, recording_id: str, about: tuple[str, str, str]) -> str:
        """The last part of this recording's webhook address."""
        return ids.webhook_token(self.tag_key, recording_id, about)
