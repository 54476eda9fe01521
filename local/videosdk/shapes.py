"""Recordings and sessions as REST shows them.

[D API/fetch-all-track-recording, GHD data/fetch-sessions.json, API/fetch-participants]
"""

from collections.abc import Sequence
from typing import Any

from local.videosdk import media
from local.videosdk.meetings import Meetings, Participant, Recording, Segment, Session, file_seconds, iso

type Shape = dict[str, Any]


def page_of(items: Sequence[Any], page: int, per_page: int) -> tuple[Shape, Sequence[Any]]:
    """`pageInfo`, and the items of this page, which counts from 1."""
    last = max(1, -(-len(items) // per_page))
    info = {"currentPage": page, "perPage": per_page, "lastPage": last, "total": len(items)}
    return info, items[(page - 1) * per_page : page * per_page]


def recording_shape(recording: Recording, meetings: Meetings) -> Shape:
    """One track recording; `participantName` is in the SDK's docs, not in REST's. [D SRV/reference]"""
    return {
        "sessionId": recording.session_id,
        "participantId": recording.participant_id,
        "participantName": recording.participant_name,
        "kind": recording.kind,
        "fileFormat": "webm",
        "start": iso(recording.start_at),
        "end": _iso_or_null(recording.end_at),
        "mode": "track",
        "region": "region",
        "files": [_file_shape(recording, segment, meetings) for segment in recording.finished],
        "roomId": recording.room_id,
        "webhook": _webhook_shape(recording),
        "id": recording.recording_id,
    }


def _file_shape(recording: Recording, segment: Segment, meetings: Meetings) -> Shape:
    seconds = file_seconds(segment)
    shown = _resolution(recording, segment)
    measured = str(shown["height"]) if shown else "audio"
    return {
        "meta": ({"resolution": shown} if shown else {}) | {"format": "webm", "duration": seconds},
        "_id": segment.segment_id,
        "userId": segment.segment_id,
        "filePath": segment.key.lstrip("/"),
        "fileUrl": meetings.file_url(segment),
        "type": "video" if shown else "audio",
        "size": segment.size,
        "ratio": {measured: segment.size / seconds},
        "__v": 0,
    }


def _resolution(recording: Recording, segment: Segment) -> Shape | None:
    zero = recording.session_start_at
    seen = media.resolution(recording.kind, segment.start_at - zero, (segment.end_at or 0) - zero)
    return {"width": seen.width, "height": seen.height} if seen else None


def _webhook_shape(recording: Recording) -> Shape:
    """The delivery summary. [C NPM:index.d.ts WebhookDeliverySummary]"""
    heard = [{"type": webhook_type, "success": success} for webhook_type, success in recording.notices]
    return {"totalCount": len(heard), "successCount": sum(bool(h["success"]) for h in heard), "data": heard}


def session_shape(session: Session) -> Shape:
    """A session as the list of sessions has it."""
    return {
        "id": session.session_id,
        "roomId": session.room_id,
        "start": iso(session.start_at),
        "end": _iso_or_null(session.end_at),
        "participants": [participant_shape(someone) for someone in session.participants.values()],
        "status": "ended" if session.end_at else "ongoing",
        "links": _links(session),
    }


def session_whole(session: Session) -> Shape:
    """A session asked for by its id: more fields. [D GHD data/fetch-session-using-sessionid.json]"""
    ends = session.end_at or session.start_at
    more = {
        "userId": "5ea56a9a05f3e0bf0b4dd1f5",
        "customRoomId": None,
        "activeDuration": (ends - session.start_at) / 1_000,
        "chatLink": "",
        "participants": [
            {"_id": someone.document_id} | participant_shape(someone)
            for someone in session.participants.values()
        ],
    }
    return session_shape(session) | more


def participants_shape(session: Session, shown: Sequence[Participant]) -> Shape:
    """The `data` of a session's participants: an object, not an array. [D API/fetch-participants]"""
    return {
        "id": session.session_id,
        "roomId": session.room_id,
        "customRoomId": None,
        "participants": [participant_shape(someone) for someone in shown],
        "links": _links(session),
    }


def participant_shape(someone: Participant) -> Shape:
    """`timelog` has a stay for each time they came; `end` is null while they are there."""
    stays = [{"start": _iso_or_null(start), "end": _iso_or_null(end)} for start, end in someone.stays]
    return {"participantId": someone.participant_id, "name": someone.name, "timelog": stays}


def _links(session: Session) -> Shape:
    base = "https://api.videosdk.live/v2"
    return {
        "get_room": f"{base}/rooms/{session.room_id}",
        "get_session": f"{base}/sessions/{session.session_id}",
    }


def _iso_or_null(at: int | None) -> str | None:
    return None if at is None else iso(at)
