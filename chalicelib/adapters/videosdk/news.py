"""What a webhook says: bytes that VideoSDK signed become news, and news a fact. Pure.

Law: nothing here raises for what came in. What can not be understood is told as odd, with the reason, and
kept. Types and fields that we do not know are passed over.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.adapters.videosdk.shapes import millis, paths
from chalicelib.core import events as e
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import KINDS, external_id

DEPTH = 8
KEPT = 4096
SHOWN = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A delivery as it was told. `odd` says why it can not be understood; then it says no more than whom it
    is about, as far as that can be read."""

    body: bytes
    body_sha256: str
    webhook_type: str = ""
    meeting_id: str | None = None
    session_id: str | None = None
    participant_id: str | None = None
    kind: str | None = None
    name: str | None = None
    files: tuple[str, ...] = ()
    start_at: int | None = None
    end_at: int | None = None
    odd: str | None = None

    @property
    def of_recording(self) -> bool:
        """Whether its type speaks of a track recording; else of a session, or of nothing that we know."""
        return self.webhook_type.startswith(_TRACK)

    @property
    def text(self) -> str:
        """The beginning of the body, for a person to read."""
        return self.body[:KEPT].decode("utf-8", "replace")


def parse(body: bytes) -> News:
    """Read a delivery's bytes, which are verified and of bounded size."""
    told: dict[str, Any] = {"body": body, "body_sha256": hashlib.sha256(body).hexdigest()}
    try:
        envelope = _object(body)
        told["webhook_type"] = _type(envelope)
        data = _data(envelope)
        told |= _fields(_PERHAPS, data)
        known = _TYPES.get(told["webhook_type"])
        return News(**told | (_fields(known.says, data) if known else {}))
    except _OddError as odd:
        return News(**told, odd=str(odd))


def fact_of(news: News, at: int) -> e.Event:
    """The fact that the news tells of; `OddHeard` for what we do not understand. `at` is when we heard it."""
    known = _TYPES.get(news.webhook_type)
    if known is not None and news.odd is None:
        return known.fact(news, at)
    return e.OddHeard(
        at=at,
        webhook_type=news.webhook_type,
        reason=news.odd or "this type of webhook is not known",
        body_sha256=news.body_sha256,
        body=news.text,
    )


class _OddError(Exception):
    """Why a delivery can not be understood."""


# --- from bytes to an object ----------------------------------------------------------------------


def _object(body: bytes) -> dict[str, Any]:
    if _too_deep(body):
        raise _OddError(f"the body is nested deeper than {DEPTH}")
    try:
        told = _JSON.decode(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise _OddError("the body is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise _OddError(_REASONS.get(type(error), "the body is not JSON")) from None
    if not isinstance(told, dict):
        raise _OddError("the body is not an object")
    if b"\\u" in body and _unwritable(told):
        raise _OddError("the body holds half a character (a lone surrogate)")
    return told


class _TwiceError(ValueError):
    """One name twice in one object: two readers could believe two different things."""


class _NoNumberError(ValueError):
    """NaN or Infinity, which JSON does not have."""


_REASONS: dict[type[Exception], str] = {
    _TwiceError: "the body names a field twice",
    _NoNumberError: "the body holds a number that JSON does not have",
}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) != len(pairs):
        raise _TwiceError
    return told


def _no_number(_: str) -> None:
    raise _NoNumberError


_JSON = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number)
# Possessive, so that a body of quotes and backslashes costs no more than its length.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_STEP = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


def _too_deep(body: bytes) -> bool:
    """Looked at before parsing, which recurses. Few brackets, as in most bodies, can not be deep."""
    if body.count(b"{") + body.count(b"[") <= DEPTH:
        return False
    depth = 0
    for token in _TOKEN.finditer(body):
        depth += _STEP.get(token.group(), 0)
        if depth > DEPTH:
            return True
    return False


def _unwritable(told: dict[str, Any]) -> bool:
    try:
        json.dumps(told, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


# --- from an object to news -----------------------------------------------------------------------


def _type(told: dict[str, Any]) -> str:
    # VideoSDK's own client takes `type` too (npm server-sdk, webhooks.ts).
    named = told.get("webhookType", told.get("type"))
    if not isinstance(named, str) or not 0 < len(named) <= SHOWN:
        raise _OddError("the body names no webhookType")
    return named


def _data(envelope: dict[str, Any]) -> dict[str, Any]:
    told = envelope.get("data", {})
    if not isinstance(told, dict):
        raise _OddError("data is not an object")
    return told


def _fields(says: "_Says", data: dict[str, Any]) -> dict[str, Any]:
    return {_FIELDS[name]: read(data.get(name), name) for name, read in says.items()}


_FIELDS = {
    "meetingId": "meeting_id",
    "sessionId": "session_id",
    "participantId": "participant_id",
    "kind": "kind",
    "participantName": "name",
    "fileDetails": "files",
    "start": "start_at",
    "end": "end_at",
}


def _id(told: object, name: str) -> str:
    try:
        return external_id(told, name)
    except Invalid:
        raise _OddError(f"data.{name} is not an id") from None


def _perhaps_id(told: object, _: str) -> str | None:
    try:
        return external_id(told, "id")
    except Invalid:
        return None


def _kind(told: object, name: str) -> str:
    if not isinstance(told, str) or told not in KINDS:
        raise _OddError(f"data.{name} is none of {', '.join(KINDS)}")
    return told


def _perhaps_kind(told: object, _: str) -> str | None:
    return told if isinstance(told, str) and told in KINDS else None


def _perhaps_text(told: object, name: str) -> str | None:
    if told is not None and (not isinstance(told, str) or len(told) > SHOWN):
        raise _OddError(f"data.{name} is not a short text")
    return told


def _files(told: object, name: str) -> tuple[str, ...]:
    found = paths(told)
    if found is None:
        raise _OddError(f"data.{name} is not a list of files")
    return found


def _time(told: object, name: str) -> int:
    at = millis(told)
    if at is None:
        raise _OddError(f"data.{name} is no time")
    return at


def _perhaps_time(told: object, _: str) -> int | None:
    return millis(told)


# --- from news to facts ---------------------------------------------------------------------------

type _Says = dict[str, Callable[[object, str], Any]]

# What is read of every delivery, so that it is known whom it is about even where it is odd.
_PERHAPS: _Says = {
    "meetingId": _perhaps_id,
    "sessionId": _perhaps_id,
    "participantId": _perhaps_id,
    "kind": _perhaps_kind,
}
_ROOM: _Says = {"meetingId": _id, "sessionId": _id}
_PERSON: _Says = {**_ROOM, "participantId": _id}
_RECORDING: _Says = {**_PERSON, "kind": _kind}


@dataclass(frozen=True, slots=True)
class _Type:
    """What a type of webhook says, how each field is read, and the fact that it tells."""

    says: _Says
    fact: Callable[[News, int], e.Event]


def _starting(news: News, at: int) -> e.Event:
    return e.RecordingStarting(at=at, session_id=news.session_id or "")


def _started(news: News, at: int) -> e.Event:
    return e.RecordingStarted(at=at, session_id=news.session_id or "")


def _stopping(news: News, at: int) -> e.Event:
    return e.RecordingStopping(at=at, session_id=news.session_id or "")


def _stopped(news: News, at: int) -> e.Event:
    return e.RecordingStopped(at=at, session_id=news.session_id or "", files=news.files)


def _failed(news: News, at: int) -> e.Event:
    return e.RecordingFailed(at=at, session_id=news.session_id or "")


def _session_started(news: News, at: int) -> e.Event:
    return e.SessionStarted(at=at, room_id=news.meeting_id or "", start_at=news.start_at or 0)


def _session_ended(news: News, at: int) -> e.Event:
    return e.SessionEnded(at=at, room_id=news.meeting_id or "", end_at=news.end_at)


def _joined(news: News, at: int) -> e.Event:
    room_id, participant_id = news.meeting_id or "", news.participant_id or ""
    return e.ParticipantJoined(at=at, room_id=room_id, participant_id=participant_id, name=news.name or "")


def _left(news: News, at: int) -> e.Event:
    return e.ParticipantLeft(at=at, room_id=news.meeting_id or "", participant_id=news.participant_id or "")


_TRACK = "participant-track-recording-"
# The types that we understand (docs: user-webhooks).
_TYPES = {
    f"{_TRACK}starting": _Type(_RECORDING, _starting),
    f"{_TRACK}started": _Type(_RECORDING, _started),
    f"{_TRACK}stopping": _Type(_RECORDING, _stopping),
    f"{_TRACK}stopped": _Type({**_RECORDING, "fileDetails": _files}, _stopped),
    f"{_TRACK}failed": _Type(_RECORDING, _failed),
    "session-started": _Type({**_ROOM, "start": _time}, _session_started),
    "session-ended": _Type({**_ROOM, "end": _perhaps_time}, _session_ended),
    "participant-joined": _Type({**_PERSON, "participantName": _perhaps_text}, _joined),
    "participant-left": _Type(_PERSON, _left),
}
