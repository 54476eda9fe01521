"""The engine without AWS: delivered segments are repaired into a folder, and products made from there."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from chalicelib.core.errors import NotFound
from chalicelib.core.events import ArtifactMade, Event, SegmentStored
from chalicelib.core.ids import Place, artifact_key, index_key, stamp, unannounced_id
from chalicelib.core.plan import NAMES, REPAIRED, Wanted, pending, planned
from chalicelib.core.scan import Scan
from chalicelib.core.session import Session
from chalicelib.core.step import Made, Output, Step, step_of
from chalicelib.core.timeline import starts
from chalicelib.media.copies import copies
from chalicelib.media.poster import make_poster
from chalicelib.media.repair import repair
from chalicelib.media.sound.join import join
from chalicelib.media.sound.make import sound
from tests.media.meeting import Segment

SESSION = "s1"
_CHUNK = 1 << 20


@dataclass
class Shelf:
    """The output bucket as a folder. `bytes_read` and `bytes_written` count what went through it."""

    folder: Path
    bytes_read: int = 0
    bytes_written: int = 0

    def path(self, key: str) -> Path:
        """Where a file lies."""
        return self.folder / key

    def data(self, key: str) -> bytes:
        """A whole file, for the test itself: it does not count."""
        return self.path(key).read_bytes()

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """A part of a file."""
        if not self.path(key).is_file():
            raise NotFound("object_gone", f"the object {key!r} is not there any more")
        with self.path(key).open("rb") as file:
            left = (self.path(key).stat().st_size if end is None else end) - file.seek(start)
            while left > 0 and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                self.bytes_read += len(chunk)
                yield chunk

    def write(self, key: str) -> "Writing":
        """Begin a file."""
        return Writing(self, key)

    def put(self, key: str, body: bytes) -> None:
        """Store a small file."""
        self.write(key).front(body)


class Writing:
    """Answers to the port `Writing`: the body lies apart until the front is there."""

    def __init__(self, shelf: Shelf, key: str) -> None:
        self._shelf, self._path, self.size = shelf, shelf.path(key), 0
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._apart = self._path.with_name(self._path.name + ".body")
        self._body = self._apart.open("wb")

    def body(self, data: bytes) -> None:
        """The next bytes behind the front."""
        self.size += len(data)
        self._body.write(data)

    def front(self, data: bytes) -> None:
        """The front; now the file is there."""
        self.size += len(data)
        self._shelf.bytes_written += self.size
        self._body.close()
        with self._path.open("wb") as file, self._apart.open("rb") as body:
            file.write(data)
            while chunk := body.read(_CHUNK):
                file.write(chunk)
        self._apart.unlink()

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._body.close()
        self._apart.unlink(missing_ok=True)


@dataclass
class Store:
    """Answers to the port `Store` for one step."""

    shelf: Shelf
    target: str

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterable[bytes]:
        """A part of any file."""
        return self.shelf.read(key, start, end)

    def write(self, name: str, _content_type: str) -> Writing:
        """Begin a file of the step."""
        return self.shelf.write(f"{self.target}/{name}")


MAKERS: dict[str, Callable[[Step, Store], list[Made]]] = {
    "copies": copies,
    "join": join,
    "poster": make_poster,
    "sound": sound,
}


@dataclass(frozen=True, slots=True)
class Product:
    """A file that a step made."""

    output: Output
    path: str
    duration_ms: int
    notes: dict[str, str | int | float | None]


@dataclass
class Engine:
    """A session's way from delivered segments to products."""

    shelf: Shelf
    bytes_delivered: int = 0
    stored: list[SegmentStored] = field(default_factory=list)
    facts: list[Event] = field(default_factory=list)

    @property
    def session(self) -> Session:
        """What is known of the session by now."""
        recordings = defaultdict(list)
        for fact in self.stored:
            recordings[unannounced_id(SESSION, fact.participant_id, fact.kind)].append(fact)
        return Session.of(SESSION, self.facts, recordings)

    def ingested(self, segment: Segment) -> SegmentStored:
        """Repair a segment, and tell of it as the flow does; `NotRecording` when it is none."""
        where, key = _delivered(segment)
        etag = hashlib.sha256(key.encode()).hexdigest()[:16]
        target = artifact_key(where, REPAIRED.product, etag, REPAIRED.extension)
        writing = self.shelf.write(target)
        try:
            found = repair(segment.chunks(), writing)
        except BaseException:
            writing.abandon()
            raise
        self.shelf.put(index_key(target), found.index)
        self.bytes_delivered += found.scan.bytes_read
        fact = _stored(segment, where, found.scan, key=key, etag=etag, target=target, size=writing.size)
        self.stored.append(fact)
        return fact

    def planned(self, *products: str, lufs: float | None = None) -> list[Step]:
        """All steps for these products."""
        return planned(self.session, _wanted(products, lufs))

    def made(self, step: Step) -> list[Product]:
        """Run a step as it comes out of a queue."""
        step = step_of(json.loads(json.dumps(step.told())))
        found = MAKERS[step.maker](step, Store(self.shelf, step.target))
        self.facts += [_artifact(step, made) for made in found]
        return [
            Product(
                made.output,
                str(self.shelf.path(f"{step.target}/{made.name}")),
                made.end - made.start,
                dict(made.notes),
            )
            for made in found
        ]

    def produced(self, *products: str, lufs: float | None = None) -> list[Product]:
        """Make these products, and whatever becomes possible by what was made."""
        found: list[Product] = []
        while left := pending(self.session, _wanted(products, lufs)):
            for step in left:
                found += self.made(step)
        return found


def _wanted(products: Iterable[str], lufs: float | None) -> Wanted:
    return Wanted(frozenset(NAMES[name] for name in products), lufs)


def _delivered(segment: Segment) -> tuple[Place, str]:
    """Where a segment belongs, and the key it came under."""
    recording_id = unannounced_id(SESSION, segment.participant_id, segment.kind)
    stamp_at = stamp(segment.file)
    where = Place(recording_id, False, SESSION, segment.participant_id, segment.kind, segment.file, stamp_at)
    return where, f"raw/{SESSION}/{segment.participant_id}/{segment.kind}/{segment.file}"


def _stored(
    segment: Segment, where: Place, scan: Scan, *, key: str, etag: str, target: str, size: int
) -> SegmentStored:
    start_at, clock, uncertainty_ms = starts(
        where.stamp_at, scan.first_ms, segment.modified_at, scan.duration_ms
    )
    return SegmentStored(
        at=segment.modified_at,
        key=key,
        etag=etag,
        bytes=scan.bytes_read,
        session_id=SESSION,
        participant_id=where.participant_id,
        kind=where.kind,
        file=where.file,
        start_at=start_at,
        duration_ms=scan.duration_ms,
        clock=clock,
        uncertainty_ms=uncertainty_ms,
        codec=scan.codec,
        width=scan.width,
        height=scan.height,
        resolutions=scan.resolutions,
        holes=scan.holes,
        tail_lost=scan.tail_lost,
        repaired_key=target,
        repaired_bytes=size,
        lost_bytes=scan.lost_bytes,
        clock_breaks=scan.clock_breaks,
        modified_at=segment.modified_at,
        first_ms=scan.first_ms,
        sounded_us=scan.sounded_us,
        spanned_us=scan.spanned_us,
    )


def _artifact(step: Step, made: Made) -> ArtifactMade:
    return ArtifactMade(
        at=0,
        product=made.output.product,
        key=f"{step.target}/{made.name}",
        content_type=made.content_type,
        bytes=made.bytes,
        participant_id=made.output.participant_id,
        kind=made.output.kind,
        source=made.output.source,
        start=step.zero_at + made.start,
        end=step.zero_at + made.end,
        step=step.target,
        notes=made.notes,
    )
