"""Recordings and facts as the API tells them. Names in camelCase, times in integer milliseconds."""

import re
from typing import Any

from chalicelib.core import events as e
from chalicelib.core.heads import RecordingHead, SessionHead
from chalicelib.core.recording import Delivered, Recording


def recording_view(recording: Recording) -> dict[str, Any]:
    """A recording with its segments and verdict."""
    refused = next(iter(recording.told(e.StartRefused)), None)
    return {
        "recordingId": recording.recording_id,
        "roomId": recording.room_id,
        "participantId": recording.participant_id,
        "kind": recording.kind,
        "sessionId": recording.session_id,
        "phase": recording.phase,
        "requestedAt": recording.requested.at if recording.requested else None,
        "segments": [_segment(fact) for fact in _by_start(recording)],
        "failure": {"code": refused.code, "message": refused.message}
        if isinstance(refused, e.StartRefused)
        else None,
        "verdict": recording.verdict.told(),
    }


def recording_line(head: RecordingHead) -> dict[str, Any]:
    """A recording as a line of a list."""
    return {
        "recordingId": head.recording_id,
        "roomId": head.room_id,
        "participantId": head.participant_id,
        "kind": head.kind,
        "sessionId": head.session_id,
        "phase": head.phase,
        "requestedAt": head.requested_at,
        "segments": head.segments,
        "complete": head.complete,
        "settled": head.settled,
    }


def session_line(head: SessionHead) -> dict[str, Any]:
    """A session as a line of a list."""
    return {
        "sessionId": head.session_id,
        "roomId": head.room_id,
        "zeroAt": head.zero_at,
        "durationMs": head.duration_ms,
        "participants": head.participants,
        "recordings": head.recordings,
        "complete": head.complete,
        "settled": head.settled,
        "manifestKey": head.manifest_key or None,
    }


def event_view(event: e.Event) -> dict[str, Any]:
    """A fact of the ledger."""
    return {_camel(name): value for name, value in e.to_record(event).items()}


def _by_start(recording: Recording) -> list[Delivered]:
    return sorted(recording.delivered.values(), key=lambda fact: (getattr(fact, "start_at", 0), fact.file))


def _segment(fact: Delivered) -> dict[str, Any]:
    told = {"key": fact.key, "file": fact.file, "bytes": fact.bytes}
    if isinstance(fact, e.SegmentRejected):
        return {**told, "state": "rejected", "code": fact.code, "reason": fact.reason}
    return {
        **told,
        "state": "tail_lost" if fact.tail_lost else "ready",
        "startAt": fact.start_at,
        "durationMs": fact.duration_ms,
        "codec": fact.codec,
        "width": fact.width,
        "height": fact.height,
        "repairedKey": fact.repaired_key,
    }


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found.group(1).upper(), name)
