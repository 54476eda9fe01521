"""The engine without AWS: delivered segments are repaired into a folder, and steps made from there."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from chalicelib.core.errors import NotFound
from chalicelib.core.events import SegmentStored
from chalicelib.core.ids import Place, artifact_key, index_key, unannounced_id
from chalicelib.core.plan import REPAIRED
from chalicelib.core.timeline import starts
from chalicelib.media.repair import repair
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


@dataclass
class Engine:
    """A session's way from delivered segments to products."""

    shelf: Shelf
    bytes_delivered: int = 0
    stored: list[SegmentStored] = field(default_factory=list)

    def ingested(self, segment: Segment) -> SegmentStored:
        """Repair a segment, and tell of it as the flow does."""
        key = f"raw/{SESSION}/{segment.participant_id}/{segment.kind}/{segment.file}"
        stamp_at = int(segment.file.rpartition("_")[2].partition(".")[0])
        recording_id = unannounced_id(SESSION, segment.participant_id, segment.kind)
        where = Place(
            recording_id, False, SESSION, segment.participant_id, segment.kind, segment.file, stamp_at
        )
        digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        target = artifact_key(where, REPAIRED.product, digest, REPAIRED.extension)
        writing = self.shelf.write(target)
        found = repair(segment.chunks(), writing)
        self.shelf.put(index_key(target), found.index)
        scan = found.scan
        self.bytes_delivered += scan.bytes_read
        start_at, clock, uncertainty_ms = starts(
            stamp_at, scan.first_ms, segment.modified_at, scan.duration_ms
        )
        fact = SegmentStored(
            at=segment.modified_at,
            key=key,
            etag=digest,
            bytes=scan.bytes_read,
            session_id=SESSION,
            participant_id=segment.participant_id,
            kind=segment.kind,
            file=segment.file,
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
            repaired_bytes=writing.size,
            lost_bytes=scan.lost_bytes,
            clock_breaks=scan.clock_breaks,
            modified_at=segment.modified_at,
            first_ms=scan.first_ms,
        )
        self.stored.append(fact)
        return fact
