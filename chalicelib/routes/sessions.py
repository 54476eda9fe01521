"""Looking at sessions and finishing them."""

from typing import Any

from chalice.app import Blueprint, Request

from chalicelib import wiring
from chalicelib.core import ids
from chalicelib.core.errors import Invalid
from chalicelib.core.plan import asked
from chalicelib.core.timeline import DAY_MS
from chalicelib.flows import review
from chalicelib.routes import http
from chalicelib.routes.authorizer import authorize

bp = Blueprint(__name__)


@bp.route("/sessions", methods=["GET"], authorizer=authorize, content_types=http.ANY_TYPE)
@http.answers(200)
def sessions() -> dict[str, Any]:
    """A page of sessions, newest first."""
    told = http.query(bp.current_request, frozenset({"roomId", "participantId", "limit", "cursor"}))
    room_id = ids.external_id(told["roomId"], "roomId") if "roomId" in told else None
    who = ids.told_id(told["participantId"], "participantId") if "participantId" in told else None
    return review.sessions(wiring.world(), room_id, who, http.limit(told), told.get("cursor"))


@bp.route("/sessions/{session_id}", methods=["GET"], authorizer=authorize, content_types=http.ANY_TYPE)
@http.answers(200)
def session(session_id: str) -> dict[str, Any]:
    """A session's manifest, with an address for each artifact or with none."""
    told = http.query(bp.current_request, frozenset({"addresses", "cursor"}))
    known = ids.told_id(http.in_path(session_id), "sessionId")
    return review.session(wiring.world(), known, http.count(told), with_addresses=_with_addresses(told))


@bp.route(
    "/sessions/{session_id}/addresses", methods=["POST"], authorizer=authorize, content_types=http.ANY_TYPE
)
@http.answers(200)
def addresses(session_id: str) -> dict[str, Any]:
    """Addresses of some of a session's artifacts."""
    known = ids.told_id(http.in_path(session_id), "sessionId")
    wanted, download = files(bp.current_request)
    return review.addresses(wiring.world(), known, wanted, download=download)


@bp.route(
    "/sessions/{session_id}/finish", methods=["POST"], authorizer=authorize, content_types=http.ANY_TYPE
)
@http.answers(202)
def finish(session_id: str) -> dict[str, Any]:
    """Build the session's products now, without waiting for the last `stopped`."""
    known = ids.told_id(http.in_path(session_id), "sessionId")
    told = http.optional_json_body(bp.current_request, frozenset({"products"}))
    products = asked(told.get("products", []))
    return review.finish_session(wiring.world(), known, products, http.caller(bp.current_request))


@bp.route(
    "/sessions/{session_id}/corrections", methods=["POST"], authorizer=authorize, content_types=http.ANY_TYPE
)
@http.answers(202)
def correct(session_id: str) -> dict[str, Any]:
    """Move a segment on the session's clock."""
    known = ids.told_id(http.in_path(session_id), "sessionId")
    told = http.json_body(bp.current_request, frozenset({"file", "shiftMs"}), {})
    file, shift_ms = _file(told), _shift_ms(told)
    return review.correct(wiring.world(), known, file, shift_ms, http.caller(bp.current_request))


def files(request: Request) -> tuple[list[str], bool]:
    """The keys that a body names, and whether it is to save them."""
    told = http.json_body(request, frozenset({"keys", "download"}), {}, most=_KEYS_BODY_AT_MOST)
    return _keys(http.required(told, "keys")), _download(told.get("download", False))


def _keys(given: Any) -> list[str]:
    if isinstance(given, list) and 1 <= len(given) <= _KEYS_AT_MOST and all(map(_may_be_key, given)):
        return given
    expected = f"a list of 1 to {_KEYS_AT_MOST} keys of artifacts"
    raise Invalid("invalid_keys", "keys is not a list of keys", "keys", expected)


def _download(given: Any) -> bool:
    if isinstance(given, bool):
        return given
    raise Invalid("invalid_download", "download says neither", "download", "true or false")


def _may_be_key(told: object) -> bool:
    return isinstance(told, str) and 1 <= len(told) <= _FILE_AT_MOST


def _with_addresses(told: dict[str, str]) -> bool:
    given = told.get("addresses", "all")
    if given in ("all", "none"):
        return given == "all"
    raise Invalid("invalid_addresses", "addresses says neither", "addresses", "all or none")


def _file(told: dict[str, Any]) -> str:
    given = http.required(told, "file")
    if isinstance(given, str) and 1 <= len(given) <= _FILE_AT_MOST:
        return given
    expected = "the name of one of the session's files, as the manifest tells it"
    raise Invalid("invalid_file", "file is not the name of a file", "file", expected)


def _shift_ms(told: dict[str, Any]) -> int:
    given = http.required(told, "shiftMs")
    if isinstance(given, int) and not isinstance(given, bool) and abs(given) <= DAY_MS:
        return given
    expected = f"a whole number of milliseconds from -{DAY_MS} to {DAY_MS}"
    raise Invalid("invalid_shift", "shiftMs is not a shift", "shiftMs", expected)


_FILE_AT_MOST = 1024  # characters: S3's keys are no longer
_KEYS_AT_MOST, _KEYS_BODY_AT_MOST = 200, 128 * 1024
