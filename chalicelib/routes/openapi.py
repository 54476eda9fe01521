"""What this API is, for programs: its description, and whether it is there. Neither asks AWS anything."""

from functools import cache
from pathlib import Path
from typing import Any

from chalice.app import Blueprint, Response

from chalicelib.routes import http

bp = Blueprint(__name__)

_DOCUMENT = Path(__file__).with_suffix(".json")


@bp.route("/openapi.json", methods=["GET"], content_types=http.ANY_TYPE)
def openapi() -> Response:
    """The description in OpenAPI 3.1, as it stands in the file beside this one."""
    return Response(document(), headers={**http.HEADERS, "Cache-Control": "no-cache"})


@bp.route("/health", methods=["GET"], content_types=http.ANY_TYPE)
@http.answers(200)
def health() -> dict[str, Any]:
    """That requests reach us."""
    return {"status": "ok"}


@cache
def document() -> str:
    """The description's text."""
    return _DOCUMENT.read_text("utf-8")
