"""What VideoSDK's lists say, checked field by field. Pure.

Fields that we do not know are passed over. An item that can not be understood is left out and counted,
so that one strange item does not hide the others; a page that can not be understood is an error.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from chalicelib.adapters.videosdk.shapes import millis, paths
from chalicelib.core.errors import Unavailable
from chalicelib.core.ids import KINDS
from chalicelib.ports import Listed, Presence

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """A page as it was told: the number of the last one, and its `data`."""

    last: int
    data: Any


def page(body: bytes) -> Told:
    """A page of a list; `Unavailable` when it is none."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise unavailable("a page is not JSON") from None
    match told:
        case list():
            return Told(1, told)
        case {"data": (list() | dict()) as data, "pageInfo": {"lastPage": int(last)}}:
            return Told(last, data)
        case {"data": dict() as data}:
            return Told(1, data)
    raise unavailable("a page lacks `data` or `pageInfo`")


def unavailable(why: str) -> Unavailable:
    """A question that VideoSDK did not answer."""
    return Unavailable("videosdk_unavailable", f"VideoSDK can not be asked: {why}")


def listed(told: Told) -> Iterator[Listed]:
    """The track recordings of a page."""
    if not isinstance(told.data, list):
        raise unavailable("`data` of the track recordings is not a list")
    return _understood(told.data, _listed, "track recording")


def presences(told: Told, session_id: str) -> Iterator[Presence]:
    """Who was in the session, one entry for each stay.

    `data` is the session, or a list of sessions (docs: fetch-participants; npm server-sdk, sessions.ts).
    """
    sessions = told.data if isinstance(told.data, list) else [told.data]
    for session in sessions:
        if not isinstance(session, dict) or not isinstance(session.get("participants"), list):
            raise unavailable("a session lacks `participants`")
        if session.get("id", session_id) == session_id:
            for stays in _understood(session["participants"], _stays, "participant"):
                yield from stays


def _understood[Item](
    told: Iterable[Any], read: Callable[[dict[str, Any]], Item | None], name: str
) -> Iterator[Item]:
    for number, entry in enumerate(told):
        item = read(entry) if isinstance(entry, dict) else None
        if item is None:
            # Not its content: names and paths of people do not belong into a log.
            _LOG.warning("VideoSDK listed a %s (entry %d) that can not be understood", name, number)
        else:
            yield item


def _listed(told: dict[str, Any]) -> Listed | None:
    match told:
        case {
            "id": str(listed_id),
            "sessionId": str(session_id),
            "participantId": str(participant_id),
            "kind": str(kind),
        } if listed_id and kind in KINDS:
            start_at, files = millis(told.get("start")), paths(told.get("files"))
            if start_at is None or files is None:
                return None
            end_at = millis(told.get("end"))
            return Listed(listed_id, session_id, participant_id, kind, start_at, end_at, files)
    return None


def _stays(told: dict[str, Any]) -> list[Presence] | None:
    match told:
        case {"participantId": str(participant_id), "timelog": list(timelog)}:
            name = told.get("name")
            shown = name[:256] if isinstance(name, str) else ""
            return list(_understood(timelog, _stay(participant_id, shown), "stay"))
    return None


def _stay(participant_id: str, name: str) -> Callable[[dict[str, Any]], Presence | None]:
    def read(told: dict[str, Any]) -> Presence | None:
        start_at = millis(told.get("start"))
        if start_at is None:
            return None
        return Presence(participant_id, name, start_at, millis(told.get("end")))

    return read
