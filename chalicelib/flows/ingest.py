"""A delivered object becomes a segment: one pass over the bytes, the repaired copy, one fact."""

from typing import Any

from chalicelib.core import events as e
from chalicelib.core import ids
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.manifest import content_type
from chalicelib.core.order import Order
from chalicelib.core.plan import REPAIRED, posters
from chalicelib.core.recording import GONE
from chalicelib.core.scan import NotRecording, Scan
from chalicelib.core.timeline import scanned
from chalicelib.core.trigger import Appeared
from chalicelib.flows.work import Hold, Job, once
from chalicelib.ports import Object, Reading, World, recording_subject

MISPLACED = "misplaced"  # the subject of objects whose keys name no segment


def ingest(world: World, appeared: Appeared) -> None:
    """Process one object once. Only what may yet succeed, or was given up, raises; all else is a fact."""
    if appeared.bucket != world.settings.recordings_bucket:
        return _misplaced(world, appeared.key, f"it lies in another bucket, {appeared.bucket}")
    try:
        where = ids.place(appeared.key, world.settings.bucket_dir_path)
    except Invalid as misplaced:
        return _misplaced(world, appeared.key, f"{misplaced.message}; expected {misplaced.expected}")
    subject = recording_subject(where.recording_id)
    try:
        reading = world.inbox.read(appeared.key)
    except NotFound as gone:
        missing = Object(appeared.key, "", 0, world.now())
        world.ledger.append(subject, _rejected(where, missing, GONE, gone.message, world.now()))
        return None
    about = {"product": REPAIRED.product, **_named(where, reading.object)}
    job = Job(subject, _target(world, where, reading.object), about)
    return once(world, job, lambda hold: _segment(world, where, reading, hold))


def _target(world: World, where: ids.Place, delivered: Object) -> str:
    """By the etag of the very object that was opened: it may be overwritten while it is read."""
    digest = ids.input_digest(
        world.settings.recordings_bucket, delivered.key, delivered.etag, REPAIRED.version
    )
    return ids.artifact_key(where, REPAIRED.product, digest, REPAIRED.extension)


def _segment(world: World, where: ids.Place, reading: Reading, hold: Hold) -> e.Event:
    delivered = reading.object
    writing = world.shelf.write(hold.target, content_type(where.kind))
    try:
        repaired = world.media.repair(hold.kept(reading), writing)
    except NotRecording as unreadable:
        writing.abandon()
        return _rejected(where, delivered, unreadable.code, unreadable.reason, world.now())
    except BaseException:
        writing.abandon()
        raise
    world.shelf.put(ids.index_key(hold.target), repaired.index, "application/json")
    fact = _stored(where, delivered, repaired.scan, hold.target, writing.size, world.now())
    if "poster" in world.settings.products:
        # Before the fact: once that is written, a retry finds nothing left to do.
        world.work.make(Order.of(step, [(where.recording_id, fact)]).told() for step in posters([fact]))
    return fact


def _named(where: ids.Place, delivered: Object) -> dict[str, Any]:
    """Which object it was, and of which file."""
    return {
        "key": delivered.key,
        "etag": delivered.etag,
        "session_id": where.session_id,
        "participant_id": where.participant_id,
        "kind": where.kind,
        "file": where.file,
    }


def _delivery(where: ids.Place, delivered: Object, now: int) -> dict[str, Any]:
    """What is told of a delivered object, whatever became of it."""
    told = {"at": now, "bytes": delivered.bytes, "modified_at": delivered.modified_at}
    return {**told, **_named(where, delivered)}


def _stored(
    where: ids.Place, delivered: Object, scan: Scan, target: str, size: int, now: int
) -> e.SegmentStored:
    return e.SegmentStored(
        **_delivery(where, delivered, now),
        **scanned(scan, where.stamp_at, delivered.modified_at),
        repaired_key=target,
        repaired_bytes=size,
    )


def _rejected(where: ids.Place, delivered: Object, code: str, reason: str, now: int) -> e.SegmentRejected:
    return e.SegmentRejected(**_delivery(where, delivered, now), code=code, reason=reason)


def _misplaced(world: World, key: str, reason: str) -> None:
    world.ledger.append(MISPLACED, e.ObjectMisplaced(at=world.now(), key=key, reason=reason))
