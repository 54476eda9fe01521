"""The engine without AWS: delivered segments are repaired into a folder, and products made from there."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from chalicelib.core.events import Event, SegmentStored
from chalicelib.core.ids import Place, artifact_key, index_key, stamp, unannounced_id
from chalicelib.core.order import artifact
from chalicelib.core.plan import NAMES, REPAIRED, Wanted, pending, planned
from chalicelib.core.scan import Scan
from chalicelib.core.session import Session
from chalicelib.core.step import Made, Output, Step, step_of
from chalicelib.core.timeline import scanned
from chalicelib.media.copies import copies
from chalicelib.media.poster import make_poster
from chalicelib.media.repair import repair
from chalicelib.media.sound.aac import encode, mux
from chalicelib.media.sound.join import join
from chalicelib.media.sound.make import sound
from tests.media.meeting import Segment
from tests.media.shelf import Shelf, Store

SESSION = "s1"


MAKERS: dict[str, Callable[[Step, Store], list[Made]]] = {
    "copies": copies,
    "join": join,
    "encode": encode,
    "mux": mux,
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
        self.facts += [artifact(step, step.target, made, 0) for made in found]
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
        while left := self.left(*products, lufs=lufs):
            for step in left:
                found += self.made(step)
        return found

    def left(self, *products: str, lufs: float | None = None) -> list[Step]:
        """The steps that can be made now and are not."""
        return pending(self.session, _wanted(products, lufs))


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
    return SegmentStored(
        **scanned(scan, where.stamp_at, segment.modified_at),
        at=segment.modified_at,
        key=key,
        etag=etag,
        bytes=scan.bytes_read,
        session_id=SESSION,
        participant_id=where.participant_id,
        kind=where.kind,
        file=where.file,
        repaired_key=target,
        repaired_bytes=size,
        modified_at=segment.modified_at,
    )
