"""Starting, stopping and looking at recordings."""

from typing import Any

from chalice.app import Blueprint

from chalicelib import wiring
from chalicelib.core import ids
from chalicelib.core.errors import Invalid
from chalicelib.core.recording import PHASES
from chalicelib.flows import record, review
from chalicelib.ports import Filter
from chalicelib.routes import http
from chalicelib.routes.authorizer import authorize

bp = Blueprint(__name__)

_TRACK = frozenset({"roomId", "participantId", "kind", "kinds"})
_OURS = {
    "webhookUrl": "it is ours to set",
    "bucketDirPath": "it is ours to set",
    "fileFormat": "it is ours to set, and always webm",
}
_LISTED_BY = frozenset({"roomId", "sessionId", "participantId", "kind", "phase", "limit", "cursor"})
_KEY_AT_MOST = 255
# Rooms are named by us alone; sessions and participants also by the keys of unannounced segments.
_ID_FILTERS = {"roomId": ids.external_id, "sessionId": ids.told_id, "participantId": ids.told_id}


@bp.route("/recordings/start", methods=["POST"], authorizer=authorize, content_types=http.ANY_TYPE)
@http.answers(202)
def start() -> dict[str, Any]:
    """Have one or several kinds of a participant recorded."""
    request = bp.current_request
    told = http.json_body(request, _TRACK, _OURS)
    return record.start(
        wiring.world(),
        _wanted(told),
        http.caller(request),
        wiring.public_url(request.context),
        _once(request, told),
    )


@bp.route("/recordings/stop", methods=["POST"], authorizer=authorize, content_types=http.ANY_TYPE)
@http.answers(202)
def stop() -> dict[str, Any]:
    """Have recordings end, by id or by what they record."""
    told = http.json_body(bp.current_request, _TRACK | {"recordingId"}, _OURS)
    return record.stop(wiring.world(), _meant(told), http.caller(bp.current_request))


@bp.route("/recordings", methods=["GET"], authorizer=authorize, content_types=http.ANY_TYPE)
@http.answers(200)
def recordings() -> dict[str, Any]:
    """A page of recordings, newest first."""
    told = http.query(bp.current_request, _LISTED_BY)
    return review.recordings(wiring.world(), _filter(told), http.limit(told), told.get("cursor"))


@bp.route("/recordings/{recording_id}", methods=["GET"], authorizer=authorize, content_types=http.ANY_TYPE)
@http.answers(200)
def recording(recording_id: str) -> dict[str, Any]:
    """One recording with its segments and verdict."""
    return review.recording(wiring.world(), ids.known_recording_id(http.in_path(recording_id)))


@bp.route(
    "/recordings/{recording_id}/events", methods=["GET"], authorizer=authorize, content_types=http.ANY_TYPE
)
@http.answers(200)
def events(recording_id: str) -> dict[str, Any]:
    """The recording's ledger, in order."""
    told = http.query(bp.current_request, frozenset({"limit", "cursor"}))
    known = ids.known_recording_id(http.in_path(recording_id))
    return review.events(wiring.world(), known, http.limit(told, most=1000, default=200), http.count(told))


def _wanted(told: dict[str, Any]) -> record.Wanted:
    room_id = ids.external_id(http.required(told, "roomId"), "roomId")
    participant_id = ids.external_id(http.required(told, "participantId"), "participantId")
    return record.Wanted(room_id, participant_id, _kinds(told))


def _kinds(told: dict[str, Any]) -> tuple[ids.Kind, ...]:
    """`kind` or `kinds`, not both; each once."""
    if "kind" in told and "kinds" in told:
        raise Invalid("ambiguous_body", "kind and kinds are both given", "kinds", "one of them")
    if "kind" in told:
        return (_kind(told["kind"], "kind"),)
    if "kinds" not in told:
        raise Invalid("missing_field", "one of kind and kinds must be given", "kind", "kind or kinds")
    given = told["kinds"]
    if not isinstance(given, list) or not given or len(given) > len(ids.KINDS):
        raise Invalid(
            "invalid_kinds", "kinds is not a list of kinds", "kinds", f"some of {', '.join(ids.KINDS)}"
        )
    kinds = tuple(_kind(item, "kinds") for item in given)
    if len(set(kinds)) != len(kinds):
        raise Invalid("invalid_kinds", "a kind is given twice", "kinds", "each kind once")
    return kinds


def _kind(told: Any, field: str) -> ids.Kind:
    if isinstance(told, str) and told in ids.KINDS:
        return ids.Kind(told)
    raise Invalid("unknown_kind", f"{field} is not a kind of track", field, f"one of {', '.join(ids.KINDS)}")


def _meant(told: dict[str, Any]) -> list[str]:
    """The recordings that a stop means."""
    if "recordingId" not in told:
        return record.holders(wiring.world(), _wanted(told))
    if len(told) > 1:
        raise Invalid("ambiguous_body", "recordingId says it all", "recordingId", "recordingId alone")
    return [ids.known_recording_id(told["recordingId"])]


def _once(request: Any, told: dict[str, Any]) -> record.Once | None:
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= _KEY_AT_MOST or not key.isprintable():
        raise Invalid(
            "invalid_idempotency_key",
            "the Idempotency-Key header is not a key",
            "Idempotency-Key",
            f"1 to {_KEY_AT_MOST} printable characters",
        )
    return record.Once(key, http.digest(told))


def _filter(told: dict[str, str]) -> Filter:
    kind, phase = told.get("kind"), told.get("phase")
    if kind is not None:
        _kind(kind, "kind")
    if phase is not None and phase not in PHASES:
        raise Invalid("unknown_phase", "there is no such phase", "phase", f"one of {', '.join(PHASES)}")
    named = {name: check(told[name], name) for name, check in _ID_FILTERS.items() if name in told}
    return Filter(named.get("roomId"), named.get("sessionId"), named.get("participantId"), kind, phase)
