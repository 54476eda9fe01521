"""Sharing a session; and the two doors of who has the link, whose token is all that we believe."""

from typing import Any

from chalice.app import Blueprint

from chalicelib import wiring
from chalicelib.core import ids
from chalicelib.core.errors import Invalid
from chalicelib.flows import share
from chalicelib.routes import http
from chalicelib.routes.authorizer import authorize
from chalicelib.routes.sessions import files

bp = Blueprint(__name__)

_SECONDS = range(300, 90 * 86_400 + 1)
_WEEK_S = 7 * 86_400


@bp.route(
    "/sessions/{session_id}/shares", methods=["POST"], authorizer=authorize, content_types=http.ANY_TYPE
)
@http.answers(201)
def make(session_id: str) -> dict[str, Any]:
    """Make a link that opens the session read-only, for a while."""
    known = ids.told_id(http.in_path(session_id), "sessionId")
    told = http.optional_json_body(bp.current_request, frozenset({"expiresInSeconds"}))
    return share.share(wiring.world(), known, _seconds(told), http.caller(bp.current_request))


@bp.route("/sessions/{session_id}/shares", methods=["GET"], authorizer=authorize, content_types=http.ANY_TYPE)
@http.answers(200)
def every(session_id: str) -> dict[str, Any]:
    """The session's shares, without their tokens."""
    return share.all_shares(wiring.world(), ids.told_id(http.in_path(session_id), "sessionId"))


@bp.route(
    "/sessions/{session_id}/shares/{share_id}",
    methods=["DELETE"],
    authorizer=authorize,
    content_types=http.ANY_TYPE,
)
@http.answers(200)
def revoke(session_id: str, share_id: str) -> dict[str, Any]:
    """Take a link back."""
    known = ids.told_id(http.in_path(session_id), "sessionId")
    meant = ids.known_share_id(http.in_path(share_id))
    return share.revoke(wiring.world(), known, meant, http.caller(bp.current_request))


@bp.route("/shared/{token}", methods=["GET"], content_types=http.ANY_TYPE)
@http.answers(200)
def shared(token: str) -> dict[str, Any]:
    """The session that a link opens."""
    told = http.query(bp.current_request, frozenset({"cursor"}))
    return share.shared(wiring.world(), http.in_path(token), http.count(told))


@bp.route("/shared/{token}/addresses", methods=["POST"], content_types=http.ANY_TYPE)
@http.answers(200)
def addresses(token: str) -> dict[str, Any]:
    """Addresses of what the link shows."""
    wanted, download = files(bp.current_request)
    return share.shared_addresses(wiring.world(), http.in_path(token), wanted, download=download)


def _seconds(told: dict[str, Any]) -> int:
    given = told.get("expiresInSeconds", _WEEK_S)
    if isinstance(given, int) and not isinstance(given, bool) and given in _SECONDS:
        return given
    expected = f"a whole number of seconds from {_SECONDS[0]} to {_SECONDS[-1]}"
    raise Invalid("invalid_expiry", "expiresInSeconds is not a time", "expiresInSeconds", expected)
