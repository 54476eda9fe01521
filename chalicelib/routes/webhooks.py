"""VideoSDK's deliveries. No authorizer: the signature over the raw bytes is what we believe."""

from typing import Any

from chalice.app import Blueprint, Request

from chalicelib import wiring
from chalicelib.flows import receive
from chalicelib.routes import http

bp = Blueprint(__name__)

SIGNATURE = "videosdk-signature"


@bp.route("/webhooks/videosdk/{token}", methods=["POST"], content_types=http.ANY_TYPE)
@http.answers(200)
def of_recording(token: str) -> dict[str, Any]:
    """A delivery about a recording that we started."""
    request = bp.current_request
    news = receive.receive_of_recording(
        wiring.world(), http.in_path(token), _body(request), _signature(request)
    )
    return {"received": True, "news": news}


@bp.route("/webhooks/videosdk", methods=["POST"], content_types=http.ANY_TYPE)
@http.answers(200)
def of_account() -> dict[str, Any]:
    """A delivery about a room or the whole account: who joined and left, sessions started and ended."""
    request = bp.current_request
    news = receive.receive_of_account(wiring.world(), _body(request), _signature(request))
    return {"received": True, "news": news}


def _body(request: Request) -> bytes:
    """The raw bytes. What is surely too large, in Base64 or not, is not even unpacked."""
    if len(request.to_original_event().get("body") or "") > 2 * receive.BODY_AT_MOST:
        raise receive.too_large()
    return http.raw_body(request)


def _signature(request: Request) -> str | None:
    """The header as it came. One that came twice is told as both, which is no signature: Chalice shows only
    the last, and somebody before us may have looked at the first."""
    lists = request.to_original_event().get("multiValueHeaders") or {}
    told = [value for name, values in lists.items() if name.lower() == SIGNATURE for value in values]
    return ",".join(told) if told else request.headers.get(SIGNATURE)
