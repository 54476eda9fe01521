"""Looking at sessions and finishing them."""

from typing import Any

from chalice.app import Blueprint

from chalicelib import wiring
from chalicelib.core import ids
from chalicelib.flows import review
from chalicelib.routes import http
from chalicelib.routes.authorizer import authorize

bp = Blueprint(__name__)


@bp.route("/sessions", methods=["GET"], authorizer=authorize, content_types=http.ANY_TYPE)
@http.answers(200)
def sessions() -> dict[str, Any]:
    """A page of sessions, newest first."""
    told = http.query(bp.current_request, frozenset({"roomId", "limit", "cursor"}))
    room_id = ids.external_id(told["roomId"], "roomId") if "roomId" in told else None
    return review.sessions(wiring.world(), room_id, http.limit(told), told.get("cursor"))


@bp.route("/sessions/{session_id}", methods=["GET"], authorizer=authorize, content_types=http.ANY_TYPE)
@http.answers(200)
def session(session_id: str) -> dict[str, Any]:
    """A session's manifest, with an address for each artifact."""
    return review.session(wiring.world(), ids.told_id(http.in_path(session_id), "sessionId"))


@bp.route(
    "/sessions/{session_id}/finish", methods=["POST"], authorizer=authorize, content_types=http.ANY_TYPE
)
@http.answers(202)
def finish(session_id: str) -> dict[str, Any]:
    """Build the session's products now, without waiting for the last `stopped`."""
    known = ids.told_id(http.in_path(session_id), "sessionId")
    return review.finish_session(wiring.world(), known, http.caller(bp.current_request))
