"""What an answer to a command means: done, surely not done, or nobody knows. Pure.

No page documents the wordings; they are those that VideoSDK's own agents look for (videosdk-agents 1.0.30,
`room/_recording_manager.py`).
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from chalicelib.adapters.videosdk.wire import Answer, AnswerLost, NotReached, Reply
from chalicelib.ports import Accepted, Declined, Outcome, Unconfirmed

TEXT_CAP = 300


@dataclass(frozen=True, slots=True)
class Saying:
    """A wording of VideoSDK's, and our code for it; without a code it proves nothing either way."""

    wording: re.Pattern[str]
    code: str | None


NOT_JOINED = Saying(re.compile(r"not (yet )?joined", re.IGNORECASE), "participant_not_joined")
NO_SESSION = Saying(re.compile(r"no active session", re.IGNORECASE), "no_active_session")
NOT_STARTED = Saying(re.compile(r"not (yet )?started", re.IGNORECASE), "not_started")
# Perhaps it is our own start, whose answer was lost: the list or a webhook will tell.
ALREADY = Saying(re.compile(r"already", re.IGNORECASE), None)

START = (NOT_JOINED, NO_SESSION, ALREADY)
STOP = (NOT_STARTED, NO_SESSION, NOT_JOINED)

STATUSES = {
    401: "videosdk_unauthorized",
    402: "room_not_found",
    404: "room_not_found",
    429: "videosdk_rate_limited",
}


def outcome(reply: Reply, sayings: tuple[Saying, ...]) -> Outcome:
    """What became of a command, from how it was answered."""
    match reply:
        case NotReached(reason):
            return Declined("videosdk_unreachable", reason)
        case AnswerLost(reason):
            return Unconfirmed(reason)
        case Answer(status) if 200 <= status < 300:
            return _done(reply)
        case Answer(status) if 400 <= status < 500:
            return _refusal(reply, sayings)
    return Unconfirmed(_told(reply))


def text(body: bytes) -> str:
    """What an error's body says, as one short printable line.

    It is a bare string, or an object with the text under one of four names (npm server-sdk, http/errors.ts).

    >>> text(b'{"error": {"msg": "no\\\\nroom"}}'), text(b'"no room"'), text(b"no room"), text(b"<html>")
    ('no room', 'no room', 'no room', '')
    """
    plain = body[: 4 * TEXT_CAP].decode("utf-8", "replace")
    told = _line(_said(_json(body), plain))
    return "" if told.startswith("<") else told


def _done(answer: Answer) -> Outcome:
    if answer.broken:
        return Unconfirmed(f"VideoSDK answered {answer.status}, and {answer.broken}")
    if not _readable(answer.body):
        return Unconfirmed(f"VideoSDK answered {answer.status} with something that can not be read")
    return Accepted()


def _readable(body: bytes) -> bool:
    """A JSON string or plain text, as VideoSDK's own client takes them, or an object that tells no error."""
    told = _json(body)
    if isinstance(told, dict):
        return not told.get("error")
    return bool(text(body)) and "\ufffd" not in text(body)


def _refusal(answer: Answer, sayings: tuple[Saying, ...]) -> Outcome:
    told = text(answer.body)
    saying = next((saying for saying in sayings if saying.wording.search(told)), None)
    if saying and saying.code:
        return Declined(saying.code, _told(answer))
    # The text would have decided, and it did not come or decides nothing.
    if saying or (answer.broken and answer.status not in STATUSES):
        return Unconfirmed(_told(answer))
    return Declined(STATUSES.get(answer.status, "videosdk_refused"), _told(answer))


def _told(answer: Answer) -> str:
    told = text(answer.body) or answer.broken
    return f"VideoSDK answered {answer.status}: {told}" if told else f"VideoSDK answered {answer.status}"


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


_NAMES = ("message", "error", "msg", "statusMessage")


def _said(told: object, otherwise: str) -> str:
    for _ in range(3):
        if not isinstance(told, dict):
            break
        told = next((told[name] for name in _NAMES if told.get(name)), None)
    return told if isinstance(told, str) else otherwise


def _line(told: str) -> str:
    # A vendor that quotes our token back must not bring it into the ledger or a log.
    safe = re.sub(r"eyJ[\w-]*\.?[\w-]*\.?[\w-]*", "[token]", told)
    printable = "".join(char if char.isprintable() else " " for char in safe[: 4 * TEXT_CAP])
    return " ".join(printable.split())[:TEXT_CAP]
