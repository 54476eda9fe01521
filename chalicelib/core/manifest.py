"""The versioned JSON index of a session: timeline, artifacts, verdict. Pure, and free of URLs.

Times are integer milliseconds; `zeroAt` is epoch, all other starts and ends count from session zero.
"""

import hashlib
import json
from collections import defaultdict
from typing import Any

from chalicelib.core import events as e
from chalicelib.core.ids import KINDS
from chalicelib.core.recording import Delivered, Recording
from chalicelib.core.session import Session
from chalicelib.core.timeline import Span, gaps, span_of

VERSION = 1


def manifest(session: Session) -> dict[str, Any]:
    """The manifest of what is known of the session."""
    whole = session.extent
    return {
        "manifestVersion": VERSION,
        "sessionId": session.session_id,
        "roomId": session.room_id,
        "zeroAt": whole.start,
        "durationMs": whole.end - whole.start,
        "participants": _participants(session),
        "artifacts": [*_repaired(session), *(_artifact(made, whole.start) for made in session.made)],
        "verdict": session.verdict.told(),
    }


def encoded(told: dict[str, Any]) -> bytes:
    """A manifest's bytes: the same manifest, the same bytes."""
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(body: bytes) -> str:
    """What a manifest's key is made of."""
    return hashlib.sha256(body).hexdigest()[:16]


def _participants(session: Session) -> list[dict[str, Any]]:
    people: dict[str, dict[str, list[Recording]]] = defaultdict(lambda: defaultdict(list))
    for recording in session.recordings:
        if recording.participant_id and recording.kind:
            people[recording.participant_id][recording.kind].append(recording)
    return [
        {
            "participantId": participant_id,
            "name": session.names.get(participant_id),
            "tracks": [_track(kind, kinds[kind], session.extent) for kind in KINDS if kind in kinds],
        }
        for participant_id, kinds in sorted(people.items())
    ]


def _track(kind: str, recordings: list[Recording], whole: Span) -> dict[str, Any]:
    told = [(r, fact) for r in recordings for fact in r.delivered.values()]
    told.sort(key=lambda pair: (getattr(pair[1], "start_at", whole.end), pair[1].file))
    spans = [span_of(segment) for r in recordings for segment in r.segments]
    return {
        "kind": kind,
        "recordings": [r.recording_id for r in recordings],
        "segments": [_segment(r, fact, whole.start) for r, fact in told],
        "gaps": [{"start": g.start - whole.start, "end": g.end - whole.start} for g in gaps(spans, whole)],
    }


def _segment(recording: Recording, fact: Delivered, zero: int) -> dict[str, Any]:
    told = {"recordingId": recording.recording_id, "key": fact.key, "file": fact.file, "bytes": fact.bytes}
    if isinstance(fact, e.SegmentRejected):
        unknown = dict.fromkeys(("start", "end", "codec", "width", "height", "clock", "repairedKey"))
        return {**told, **unknown, "state": "rejected", "reason": fact.reason, "holes": []}
    span = span_of(fact)
    return {
        **told,
        "state": "tail_lost" if fact.tail_lost else "ready",
        "start": span.start - zero,
        "end": span.end - zero,
        "codec": fact.codec,
        "width": fact.width,
        "height": fact.height,
        "holes": [
            {"start": start + span.start - zero, "end": end + span.start - zero} for start, end in fact.holes
        ],
        "clock": {"source": fact.clock, "uncertaintyMs": fact.uncertainty_ms},
        "repairedKey": fact.repaired_key,
    }


def _repaired(session: Session) -> list[dict[str, Any]]:
    zero = session.extent.start
    return [
        {
            "product": "repaired",
            "participantId": segment.participant_id,
            "kind": segment.kind,
            "key": segment.repaired_key,
            "contentType": content_type(segment.kind),
            "bytes": segment.repaired_bytes,
            "start": segment.start_at - zero,
            "end": segment.start_at + segment.duration_ms - zero,
            "source": segment.key,
        }
        for recording in session.recordings
        for segment in recording.segments
    ]


def _artifact(made: e.ArtifactMade, zero: int) -> dict[str, Any]:
    return {
        "product": made.product,
        "participantId": made.participant_id,
        "kind": made.kind,
        "key": made.key,
        "contentType": made.content_type,
        "bytes": made.bytes,
        "start": made.start - zero,
        "end": made.end - zero,
        "source": made.source,
    }


def content_type(kind: str) -> str:
    """What a WebM segment of this kind is served as."""
    return "audio/webm" if kind.endswith("audio") else "video/webm"
