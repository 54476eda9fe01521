"""Recordings and facts as the API tells them. Names in camelCase, times in integer milliseconds."""

import re
from dataclasses import asdict
from typing import Any

from chalicelib.core import events as e
from chalicelib.core.clock import Placed
from chalicelib.core.heads import RecordingHead, SessionHead
from chalicelib.core.recording import Recording
from chalicelib.core.share import Share


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
        "segments": _segments(recording),
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
        "people": list(head.people),
        "recordings": head.recordings,
        "complete": head.complete,
        "settled": head.settled,
        "manifestKey": head.manifest_key or None,
    }


def share_view(share: Share) -> dict[str, Any]:
    """A share; its token is nobody's to tell again."""
    return {camel(name): value for name, value in asdict(share).items()}


def event_view(event: e.Event) -> dict[str, Any]:
    """A fact of the ledger."""
    return {camel(name): value for name, value in e.to_record(event).items()}


def _segments(recording: Recording) -> list[dict[str, Any]]:
    """Every delivered file; those that can not be read first, for they have no time."""
    rejected = [fact for fact in recording.delivered.values() if isinstance(fact, e.SegmentRejected)]
    return [
        *(_rejected(fact) for fact in sorted(rejected, key=lambda fact: fact.file)),
        *(_segment(recording, place) for place in recording.placed),
    ]


def _rejected(fact: e.SegmentRejected) -> dict[str, Any]:
    told = {"key": fact.key, "file": fact.file, "bytes": fact.bytes}
    return {**told, "state": "rejected", "code": fact.code, "reason": fact.reason}


def _segment(recording: Recording, place: Placed) -> dict[str, Any]:
    fact = place.segment
    return {
        "key": fact.key,
        "file": fact.file,
        "bytes": fact.bytes,
        "state": recording.state_of(fact),
        "startAt": place.start_at,
        "durationMs": fact.duration_ms,
        "codec": fact.codec,
        "width": fact.width,
        "height": fact.height,
        "repairedKey": fact.repaired_key,
    }


def camel(name: str) -> str:
    """A name as JSON has it."""
    return re.sub(r"_([a-z])", lambda found: found.group(1).upper(), name)
