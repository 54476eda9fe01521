"""A delivered object becomes a segment: one pass over the bytes, the repaired copy, one fact."""

from typing import Any

from chalicelib.core import events as e
from chalicelib.core import ids
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.manifest import content_type
from chalicelib.core.plan import REPAIRED, steps
from chalicelib.core.recording import GONE
from chalicelib.core.scan import NotRecording, Scan
from chalicelib.core.timeline import starts
from chalicelib.core.trigger import Appeared
from chalicelib.ports import Object, Reading, World, recording_subject

MISPLACED = "misplaced"  # the subject of objects whose keys name no segment


def ingest(world: World, appeared: Appeared) -> None:
    """Process one object once. Only a neighbour's failure raises; all else ends as a named fact."""
    if appeared.bucket != world.settings.recordings_bucket:
        return _misplaced(world, appeared.key, f"it lies in another bucket, {appeared.bucket}")
    try:
        where = ids.place(appeared.key, world.settings.bucket_dir_path)
    except Invalid as misplaced:
        return _misplaced(world, appeared.key, f"{misplaced.message}; expected {misplaced.expected}")
    try:
        reading = world.inbox.read(appeared.key)
    except NotFound as gone:
        return _reject(world, where, Object(appeared.key, "", 0, world.now()), GONE, gone.message)
    if not _known(world, where, reading.object):
        _process(world, where, reading)
    return None


def _process(world: World, where: ids.Place, reading: Reading) -> None:
    delivered = reading.object
    digest = ids.input_digest(
        world.settings.recordings_bucket, delivered.key, delivered.etag, REPAIRED.version
    )
    target = ids.artifact_key(where, REPAIRED.product, digest, REPAIRED.extension)
    writing = world.shelf.write(target, content_type(where.kind))
    try:
        scan = world.media.repair(reading, writing)
    except NotRecording as unreadable:
        writing.abandon()
        return _reject(world, where, delivered, unreadable.code, unreadable.reason)
    except BaseException:
        writing.abandon()
        raise
    fact = _stored(where, delivered, scan, target, writing.size, world.now())
    # The products first: once the fact is written, a retry finds nothing left to do.
    world.work.make(step.told() for step in steps(where.recording_id, [fact]))
    world.ledger.append(recording_subject(where.recording_id), fact)
    return None


def _known(world: World, where: ids.Place, delivered: Object) -> bool:
    subject = recording_subject(where.recording_id)
    identities = (_identity(type_, delivered) for type_ in (e.SegmentStored, e.SegmentRejected))
    return any(world.ledger.has(subject, identity) for identity in identities)


def _identity(type_: type[e.Event], delivered: Object) -> str:
    return e.identity_of(type_, key=delivered.key, etag=delivered.etag)


def _delivery(where: ids.Place, delivered: Object, now: int) -> dict[str, Any]:
    """What is told of a delivered object, whatever became of it."""
    return {
        "at": now,
        "key": delivered.key,
        "etag": delivered.etag,
        "bytes": delivered.bytes,
        "modified_at": delivered.modified_at,
        "session_id": where.session_id,
        "participant_id": where.participant_id,
        "kind": where.kind,
        "file": where.file,
    }


def _stored(
    where: ids.Place, delivered: Object, scan: Scan, target: str, size: int, now: int
) -> e.SegmentStored:
    start_at, clock, uncertainty_ms = starts(
        where.stamp_at, scan.first_ms, delivered.modified_at, scan.duration_ms
    )
    return e.SegmentStored(
        **_delivery(where, delivered, now),
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
    )


def _reject(world: World, where: ids.Place, delivered: Object, code: str, reason: str) -> None:
    fact = e.SegmentRejected(
        **_delivery(where, delivered, world.now()),
        code=code,
        reason=reason,
    )
    world.ledger.append(recording_subject(where.recording_id), fact)


def _misplaced(world: World, key: str, reason: str) -> None:
    world.ledger.append(MISPLACED, e.ObjectMisplaced(at=world.now(), key=key, reason=reason))
