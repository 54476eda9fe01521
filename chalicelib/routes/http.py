"""What all doors share: one shape for errors, one way to read a body, who is calling."""

import functools
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from chalice.app import Request, Response

from chalicelib.core.errors import (
    BadGateway,
    Invalid,
    KeyReused,
    Mismatched,
    NotFound,
    NotNow,
    Refused,
    TooLarge,
    TracklaneError,
    Unauthenticated,
    Unavailable,
    Untrusted,
)

log = logging.getLogger("tracklane")

# The nearest class of an error decides its status.
STATUS: dict[type[TracklaneError], int] = {
    Invalid: 400,
    Unauthenticated: 401,
    Untrusted: 401,
    Mismatched: 403,
    NotFound: 404,
    NotNow: 409,
    TooLarge: 413,
    KeyReused: 422,
    Refused: 400,
    BadGateway: 502,
    Unavailable: 503,
}
BODY_AT_MOST = 16 * 1024
DEPTH_AT_MOST = 8
# For a route's `content_types`: else Chalice answers 415 in a shape of its own, to a GET as well.
ANY_TYPE = ["*/*"]
HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


def answers(status: int) -> Callable[[Callable[..., Any]], Callable[..., Response]]:
    """A view that returns JSON under this status, or a whole response, and whose errors become their own."""

    def wrapped(view: Callable[..., Any]) -> Callable[..., Response]:
        @functools.wraps(view)
        def door(*args: Any, **kwargs: Any) -> Response:
            try:
                told = view(*args, **kwargs)
                return told if isinstance(told, Response) else _json(told, status)
            except TracklaneError as error:
                return _refusal(error)
            except Exception:
                log.exception("a view failed")
                return _json(_error("internal", "something broke on our side; it is logged", None, None), 500)

        return door

    return wrapped


def json_body(
    request: Request, allowed: frozenset[str], ours: Mapping[str, str], *, most: int = BODY_AT_MOST
) -> dict[str, Any]:
    """The request's JSON object, which may have only these fields; `ours` tells why others are not taken."""
    told = _loaded(raw_body(request), most)
    if not isinstance(told, dict):
        raise Invalid("invalid_body", "the body is not a JSON object", "body", "a JSON object")
    for name in told.keys() - allowed:
        reason = ours.get(name, "there is no such field")
        raise Invalid(
            "unknown_field", f"{name[:64]}: {reason}", name[:64], f"only {', '.join(sorted(allowed))}"
        )
    return told


def optional_json_body(request: Request, allowed: frozenset[str]) -> dict[str, Any]:
    """The same where there need not be a body."""
    return json_body(request, allowed, {}) if raw_body(request) else {}


def required(told: Mapping[str, Any], name: str) -> Any:
    """What a body says under a name that it must have."""
    if name not in told:
        raise Invalid("missing_field", f"{name} is missing", name, "a value")
    return told[name]


def raw_body(request: Request) -> bytes:
    """The bytes that the client sent, before anybody has read them."""
    try:
        raw = request.raw_body
    except ValueError:
        # API Gateway sends no such event; whoever may invoke the function can.
        raise Invalid(
            "invalid_body", "the body can not be read", "body", "bytes, as text or in Base64"
        ) from None
    assert isinstance(raw, bytes)
    return raw


def in_path(value: str) -> str:
    """A variable of the path, which API Gateway leaves percent-encoded. No id has a `%`, so one that is
    decoded already stays as it is."""
    return unquote(value)


def digest(told: dict[str, Any]) -> str:
    """Equal for bodies that say the same."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def query(request: Request, allowed: frozenset[str]) -> dict[str, str]:
    """The query's parameters, of which only these may be given, each once."""
    told = request.query_params
    given = {name: told.getlist(name) for name in told} if told else {}
    for name, values in given.items():
        if name not in allowed:
            raise Invalid(
                "unknown_parameter",
                f"there is no parameter {name[:64]}",
                name[:64],
                f"only {', '.join(sorted(allowed))}",
            )
        if len(values) != 1:
            raise Invalid("repeated_parameter", f"{name} is given more than once", name, "one value")
    return {name: values[0] for name, values in given.items()}


def limit(told: Mapping[str, str], most: int = 100, default: int = 50) -> int:
    """How many items a page shall have."""
    given = told.get("limit", str(default))
    if given.isascii() and given.isdecimal() and len(given) < 6 and 1 <= int(given) <= most:
        return int(given)
    raise Invalid("invalid_limit", "limit is not a number of items", "limit", f"1 to {most}")


def count(told: Mapping[str, str]) -> int:
    """How many items came before, where a cursor counts them."""
    given = told.get("cursor", "0")
    if given.isascii() and given.isdecimal() and len(given) < 10:
        return int(given)
    raise Invalid("invalid_cursor", "cursor is not one of ours", "cursor", "the cursor of a page before")


def caller(request: Request) -> str:
    """The subject of the bearer token, as the authorizer found it."""
    return str((request.context.get("authorizer") or {}).get("principalId", "unknown"))


def _loaded(body: bytes, most: int) -> Any:
    if len(body) > most:
        raise TooLarge("body_too_large", f"a body has at most {most} bytes")
    if not body:
        raise Invalid("invalid_body", "the body is not JSON: it is empty", "body", "JSON in UTF-8")
    try:
        text = body.decode("utf-8")
        if _depth(text) > DEPTH_AT_MOST:
            raise Invalid(
                "invalid_body", "the body is nested too deep", "body", f"{DEPTH_AT_MOST} levels at most"
            )
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except (ValueError, RecursionError) as fault:
        raise Invalid("invalid_body", f"the body is not JSON: {fault}", "body", "JSON in UTF-8") from None


def _depth(text: str) -> int:
    """An upper bound of the nesting: brackets inside strings count as well."""
    depth = deepest = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) != len(pairs):
        raise ValueError("a name is given twice")
    return told


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _refusal(error: TracklaneError) -> Response:
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    field, expected = getattr(error, "field", None), getattr(error, "expected", None)
    log.log(logging.WARNING if status < 500 else logging.ERROR, "%s %s", status, error.code)
    answer = _json(_error(error.code, error.message, field, expected), status)
    if (seconds := getattr(error, "retry_after_s", None)) is not None:
        answer.headers["Retry-After"] = str(seconds)
    return answer


def _error(code: str, message: str, field: str | None, expected: str | None) -> dict[str, Any]:
    return {"error": {"code": code, "message": _whole(message), "field": _whole(field), "expected": expected}}


def _whole(text: str | None) -> str | None:
    """What a client wrote, quoted back to it: half a character would make the answer unreadable."""
    return text and text.encode("utf-8", "backslashreplace").decode()


def _json(told: Any, status: int) -> Response:
    return Response(json.dumps(told), headers=dict(HEADERS), status_code=status)
