"""One video of a session: asking for it, looking how far it is, playing it while it is made, calling it off.

A stream's own door asks for no app's token: players send no header of ours. What opens it is in its address.
The flow is imported where it is called: other requests' cold starts should not pay for it.
"""

from typing import Any

from chalice.app import Blueprint, Response

from chalicelib import wiring
from chalicelib.core import ids
from chalicelib.routes import http
from chalicelib.routes.authorizer import authorize

bp = Blueprint(__name__)

_ONE = "/sessions/{session_id}/compositions/{composition_id}"


@bp.route(
    "/sessions/{session_id}/compositions", methods=["POST"], authorizer=authorize, content_types=http.ANY_TYPE
)
@http.answers(202)
def make(session_id: str) -> dict[str, Any]:
    """Have it rendered; the same request of the same session again is only told of."""
    from chalicelib.core.asking import FIELDS
    from chalicelib.flows import compose

    known, request = ids.told_id(http.in_path(session_id), "sessionId"), bp.current_request
    told = http.optional_json_body(request, FIELDS)
    return compose.compose(wiring.world(), known, told, http.caller(request))


@bp.route(
    "/sessions/{session_id}/compositions", methods=["GET"], authorizer=authorize, content_types=http.ANY_TYPE
)
@http.answers(200)
def every(session_id: str) -> dict[str, Any]:
    """All of them, the last request first."""
    from chalicelib.flows import compose

    known = ids.told_id(http.in_path(session_id), "sessionId")
    return compose.compositions(wiring.world(), known, wiring.public_url(bp.current_request.context))


@bp.route(_ONE, methods=["GET"], authorizer=authorize, content_types=http.ANY_TYPE)
@http.answers(200)
def look(session_id: str, composition_id: str) -> dict[str, Any]:
    """How far it is, what it has cost so far, and where it can be had."""
    return _told(session_id, composition_id)


@bp.route(_ONE, methods=["DELETE"], authorizer=authorize, content_types=http.ANY_TYPE)
@http.answers(200)
def cancel(session_id: str, composition_id: str) -> dict[str, Any]:
    """Call it off, and delete what was made of it."""
    from chalicelib.flows import compose

    known, wanted = _named(session_id, composition_id)
    compose.cancel(wiring.world(), known, wanted, http.caller(bp.current_request))
    return _told(session_id, composition_id)


@bp.route(_ONE + "/{token}/{name}", methods=["GET"], content_types=http.ANY_TYPE)
@http.answers(200)
def stream(session_id: str, composition_id: str, token: str, name: str) -> Response:
    """A playlist; or, for any other file of the stream, where it is. So an address in a playlist is never
    over while it is played."""
    from chalicelib.core.playlist import CONTENT_TYPE
    from chalicelib.flows import compose

    known, wanted = _named(session_id, composition_id)
    found = compose.streamed(wiring.world(), known, wanted, http.in_path(token), http.in_path(name))
    if found.text is None:
        return Response("", {"Location": found.address, "Cache-Control": "no-store"}, status_code=302)
    return Response(found.text, {**http.HEADERS, "Content-Type": CONTENT_TYPE}, status_code=200)


def _told(session_id: str, composition_id: str) -> dict[str, Any]:
    from chalicelib.flows import compose

    known, wanted = _named(session_id, composition_id)
    base = wiring.public_url(bp.current_request.context)
    return compose.composition(wiring.world(), known, wanted, base)


def _named(session_id: str, composition_id: str) -> tuple[str, str]:
    known = ids.told_id(http.in_path(session_id), "sessionId")
    return known, ids.known_composition_id(http.in_path(composition_id))
