"""The versioned JSON index of a session: timeline, artifacts, verdict. Pure, and free of URLs.

Times are integer milliseconds; `zeroAt` is epoch, all other starts and ends count from session zero.
"""

import hashlib
import json
from typing import Any

from chalicelib.core import events as e
from chalicelib.core.drift import Drift, lasts_ms
from chalicelib.core.layout import Laid, layout
from chalicelib.core.marks import Mark, marks
from chalicelib.core.plan import State, sources, states
from chalicelib.core.recording import Recording
from chalicelib.core.session import Lying, Session
from chalicelib.core.steps import PART, Wanted
from chalicelib.core.sync import Offset, av_offset
from chalicelib.core.verdict import Finding, Verdict, joined
from chalicelib.core.views import camel

VERSION = 2  # its schema is `routes/manifest-2.json`
NOTHING = Wanted()


def manifest(session: Session, wanted: Wanted = NOTHING) -> dict[str, Any]:
    """The manifest of what is known of the session, of which these products are wanted."""
    whole, laid = session.extent, layout(session)
    told = states(session, wanted, laid)
    return {
        "manifestVersion": VERSION,
        "sessionId": session.session_id,
        "roomId": session.room_id,
        "zeroAt": whole.start,
        "durationMs": whole.end - whole.start,
        "participants": _participants(session, laid),
        "artifacts": [*_repaired(session), *_made(session, wanted, laid)],
        "products": [_product(state) for state in told],
        "verdict": joined([session.verdict, _remarks(session, laid, told)]).told(),
    }


def encoded(told: dict[str, Any]) -> bytes:
    """A manifest's bytes: the same manifest, the same bytes."""
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(body: bytes) -> str:
    """What a manifest's key is made of."""
    return hashlib.sha256(body).hexdigest()[:16]


def _remarks(session: Session, laid: list[Laid], told: list[State]) -> Verdict:
    """What only the plan of the session shows."""
    unused = tuple(lying.finding("overlapped") for track in laid for lying in track.overlapped)
    failed = tuple(
        Finding("product_failed", None, None, None, None, f"{state.name}: {state.reason}")
        for state in told
        if state.state == "failed"
    )
    return Verdict(session.verdict.settled, (), (*unused, *failed))


def _product(state: State) -> dict[str, Any]:
    return {"product": state.name, "state": state.state, "reason": state.reason}


# --- who was there ------------------------------------------------------------------------------------


def _participants(session: Session, laid: list[Laid]) -> list[dict[str, Any]]:
    return [
        {
            "participantId": participant_id,
            "name": session.names.get(participant_id),
            "drift": _drift(session.drifts[participant_id]),
            "avOffset": _offset(av_offset(session, participant_id)),
            "presence": _presence(session, participant_id),
            "marks": [_mark(mark, session.extent.start) for mark in marks(session, participant_id)],
            "tracks": [_track(session, track) for track in laid if track.participant_id == participant_id],
        }
        for participant_id in sorted(session.people)
    ]


def _drift(drift: Drift) -> dict[str, Any]:
    return {
        "ppm": drift.ppm,
        "uncertaintyPpm": drift.uncertainty_ppm,
        "evidence": [{"source": source, "count": count} for source, count in drift.evidence],
        "corrected": drift.corrected,
        "soundPpm": drift.sound_ppm,
    }


def _offset(offset: Offset | None) -> dict[str, Any] | None:
    return None if offset is None else {"ms": offset.ms, "count": offset.count}


def _presence(session: Session, participant_id: str) -> list[dict[str, Any]]:
    """When they were there; one that came before the first recording did so before session zero."""
    zero, stays = session.extent.start, session.stays(participant_id)
    return [
        {"start": stay.start_at - zero, "end": None if stay.end_at is None else stay.end_at - zero}
        for stay in sorted(stays, key=lambda stay: (stay.start_at, stay.end_at or 0))
    ]


def _mark(mark: Mark, zero: int) -> dict[str, Any]:
    told = {"at": mark.at - zero, "what": mark.what, "clock": mark.clock}
    return {**told, "kind": mark.kind, "recordingId": mark.recording_id}


def _track(session: Session, track: Laid) -> dict[str, Any]:
    recordings = session.people[track.participant_id][track.kind]
    told = [segment for recording in recordings for segment in _segments(session, recording)]
    last = session.extent.end - session.extent.start
    told.sort(key=lambda segment: (last if segment["start"] is None else segment["start"], segment["file"]))
    return {
        "kind": track.kind,
        "recordings": [recording.recording_id for recording in recordings],
        "segments": told,
        "gaps": [{"start": gap.start, "end": gap.end, "reason": gap.reason} for gap in track.gaps],
    }


def _segments(session: Session, recording: Recording) -> list[dict[str, Any]]:
    """Every delivered file of a recording."""
    rejected = [fact for fact in recording.delivered.values() if isinstance(fact, e.SegmentRejected)]
    lying = session.lying_of[recording.recording_id]
    return [
        *(_segment(session, told) for told in lying),
        *(_rejected(recording, fact) for fact in rejected),
    ]


def _rejected(recording: Recording, fact: e.SegmentRejected) -> dict[str, Any]:
    told = {"recordingId": recording.recording_id, "key": fact.key, "file": fact.file, "bytes": fact.bytes}
    unknown = dict.fromkeys(("start", "end", "codec", "width", "height", "clock", "repairedKey"))
    return {**told, **unknown, "state": "rejected", "reason": fact.reason, "holes": []}


def _segment(session: Session, told: Lying) -> dict[str, Any]:
    fact, place = told.place.segment, told.place
    ppm = session.drifts[told.recording.participant_id or ""].applied
    start, end = _since_zero(session, told)
    return {
        "recordingId": told.recording.recording_id,
        "key": fact.key,
        "file": fact.file,
        "bytes": fact.bytes,
        "state": told.recording.state_of(fact) if told.inside else "outside_session",
        "start": start,
        "end": end,
        "codec": fact.codec,
        "width": fact.width,
        "height": fact.height,
        "holes": [
            {"start": start + lasts_ms(hole[0], ppm), "end": start + lasts_ms(hole[1], ppm)}
            for hole in fact.holes
            if start is not None
        ],
        "clock": {
            "source": place.clock,
            "uncertaintyMs": place.uncertainty_ms,
            "shiftMs": place.shift_ms,
        },
        "repairedKey": fact.repaired_key,
    }


def _since_zero(session: Session, told: Lying) -> tuple[int, int] | tuple[None, None]:
    """A segment's time; that of one outside of the session is none of it."""
    zero = session.extent.start
    return (told.span.start - zero, told.span.end - zero) if told.inside else (None, None)


# --- what was made ------------------------------------------------------------------------------------


def _repaired(session: Session) -> list[dict[str, Any]]:
    return [
        _artifact(
            {
                "product": "repaired",
                "participantId": told.place.segment.participant_id,
                "kind": told.place.segment.kind,
                "key": told.place.segment.repaired_key,
                "contentType": content_type(told.place.segment.kind),
                "bytes": told.place.segment.repaired_bytes,
                "source": told.place.segment.key,
                "details": {},
            },
            _since_zero(session, told),
        )
        for told in session.lying
    ]


def _made(session: Session, wanted: Wanted, laid: list[Laid]) -> list[dict[str, Any]]:
    """What is made of the session as it is known now, and not of what was known once."""
    current, zero = sources(session, wanted.lufs, laid), session.extent.start
    lying = {told.place.segment.repaired_key: told for told in session.lying}
    return [
        _artifact(
            {
                "product": made.product,
                "participantId": made.participant_id,
                "kind": made.kind,
                "key": made.key,
                "contentType": made.content_type,
                "bytes": made.bytes,
                "source": made.source,
                "details": {camel(name): value for name, value in made.notes},
            },
            # A poster may have been made before anybody knew where its segment lies.
            _since_zero(session, lying[made.source])
            if made.source in lying
            else (made.start - zero, made.end - zero),
        )
        for made in session.made
        if (made.product, made.source) in current and made.product != PART
    ]


def _artifact(told: dict[str, Any], span: tuple[int, int] | tuple[None, None]) -> dict[str, Any]:
    return {**told, "start": span[0], "end": span[1]}


def content_type(kind: str) -> str:
    """What a WebM segment of this kind is served as."""
    return "audio/webm" if kind.endswith("audio") else "video/webm"
