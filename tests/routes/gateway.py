"""API Gateway in front of the app: events as it sends them, answers as it takes them, and each answer held
against the document that the API publishes."""

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from chalice.app import Chalice
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from chalicelib.routes import openapi

HOST = "abc123.execute-api.eu-central-1.amazonaws.com"
STAGE = "v1"
APP = "my-app"
DOCUMENT: dict[str, Any] = json.loads(openapi.document())
_HERE = "urn:document"
_REGISTRY: Registry[Any] = Registry().with_resource(
    _HERE, Resource.from_contents(DOCUMENT, default_specification=DRAFT202012)
)


@dataclass(frozen=True)
class Answer:
    """What the app's client gets."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def told(self) -> Any:
        """Its JSON."""
        return json.loads(self.body)

    @property
    def refusal(self) -> tuple[int, str, str | None]:
        """Status, code and field of an error."""
        error = self.told["error"]
        return self.status, str(error["code"]), error["field"]

    @property
    def message(self) -> str:
        """What an error says to people."""
        return str(self.told["error"]["message"])


@dataclass
class Gateway:
    """Sends requests to the app, and looks at the world before and after each of them."""

    app: Chalice
    before: Callable[[], None]
    after: Callable[[], None]

    def get(self, path: str, query: str = "", **more: Any) -> Answer:
        """GET, with a query as it stands in the address."""
        return self("GET", path, query=query, **more)

    def post(self, path: str, body: Any = b"", **more: Any) -> Answer:
        """POST bytes as they are, and anything else as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self("POST", path, raw, **more)

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        query: str = "",
        headers: Iterable[tuple[str, str]] = (("Content-Type", "application/json"),),
        by: str | None = APP,
        binary: bool = False,
    ) -> Answer:
        """One request; `by` is whom the authorizer found, `binary` sends the body in Base64."""
        event = self.event(method, path, query=query, headers=headers, by=by)
        return self.send(event | {"body": _body(body, binary), "isBase64Encoded": binary})

    def event(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        headers: Iterable[tuple[str, str]] = (),
        by: str | None = APP,
    ) -> dict[str, Any]:
        """What API Gateway makes of a request without a body."""
        route, named = self._route(path)
        return _event(method, path, route, named, query, list(headers), by)

    def send(self, event: dict[str, Any]) -> Answer:
        """Hand the app an event, through JSON as Lambda does; its answer must be as documented."""
        self.before()
        told = json.loads(json.dumps(self.app(json.loads(json.dumps(event)), None)))
        self.after()
        answer = Answer(told["statusCode"], told["headers"] | told["multiValueHeaders"], told["body"])
        _checked(event["httpMethod"], event["resource"], answer)
        return answer

    def _route(self, path: str) -> tuple[str, dict[str, str]]:
        """The route with the fewest variables wins, and their values stay as they are encoded."""
        parts = path.split("/")
        found = [(route, named) for route in self.app.routes if (named := _matched(route, parts)) is not None]
        return min(found, key=lambda match: len(match[1]))


def _matched(route: str, parts: list[str]) -> dict[str, str] | None:
    wanted = route.split("/")
    if len(wanted) != len(parts):
        return None
    pairs = list(zip(wanted, parts, strict=True))
    if any(have != want for want, have in pairs if not want.startswith("{")):
        return None
    return {want[1:-1]: have for want, have in pairs if want.startswith("{")}


def _body(body: bytes | None, binary: bool) -> str | None:
    if body is None:
        return None
    return base64.b64encode(body).decode() if binary else body.decode("utf-8", "replace")


def _event(
    method: str,
    path: str,
    route: str,
    named: dict[str, str],
    query: str,
    headers: list[tuple[str, str]],
    by: str | None,
) -> dict[str, Any]:
    pairs = parse_qsl(query, keep_blank_values=True)
    return {
        "resource": route,
        "path": path,
        "httpMethod": method,
        "headers": dict(headers) or None,
        "multiValueHeaders": _many(headers) or None,
        "queryStringParameters": dict(pairs) or None,
        "multiValueQueryStringParameters": _many(pairs) or None,
        "pathParameters": named or None,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc123",
            **({"authorizer": {"principalId": by, "integrationLatency": 3}} if by is not None else {}),
            "domainName": HOST,
            "domainPrefix": "abc123",
            "extendedRequestId": "JKJaXmPLvHcESHA=",
            "httpMethod": method,
            "identity": {"sourceIp": "192.0.2.1", "userAgent": "curl/8.5.0"},
            "path": f"/{STAGE}{path}",
            "protocol": "HTTP/1.1",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "requestTime": "22/Nov/2026:09:30:00 +0000",
            "requestTimeEpoch": 1795339800000,
            "resourceId": "123456",
            "resourcePath": route,
            "stage": STAGE,
        },
    }


def _many(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {}
    for name, value in pairs:
        told.setdefault(name, []).append(value)
    return told


# --- the document ---------------------------------------------------------------------------------


def documented(route: str) -> str:
    """The document's name of a route: variables are called otherwise there."""
    paths: list[str] = list(DOCUMENT["paths"])
    return next(path for path in paths if shape(path) == shape(route))


def shape(path: str) -> str:
    """A path without its variables' names."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def good_body(path: str) -> bytes:
    """A body that a POST to a route takes."""
    bodies = {
        "corrections": b'{"file": "a.webm", "shiftMs": 40}',
        "finish": b'{"products": ["mix"]}',
        "addresses": b'{"keys": ["sessions/s/ann/audio/repaired-1-0f.webm"]}',
        "shares": b'{"expiresInSeconds": 300}',
        "compositions": b'{"layout": "speaker"}',
    }
    return bodies.get(path.rpartition("/")[2], b'{"roomId": "r", "participantId": "ann", "kind": "audio"}')


def takes(route: str, body: Any) -> bool:
    """Whether the document says that a POST there takes this body."""
    where = ["paths", documented(route), "post", "requestBody", "content", "application/json", "schema"]
    return bool(_validator(*where).is_valid(body))


def _checked(method: str, route: str, answer: Answer) -> None:
    """Fails unless the document has this answer's status for the route, and its body's schema."""
    where = ["paths", documented(route), method.lower(), "responses"]
    responses = _at(where)
    assert str(answer.status) in responses, f"{method} {route} answered {answer.status}: {answer.body}"
    response = responses[str(answer.status)]
    where = response["$ref"].split("/")[1:] if "$ref" in response else [*where, str(answer.status)]
    if "content" not in _at(where):
        assert not answer.body, f"{method} {route} answered {answer.body}"
        return
    media_type = answer.headers["Content-Type"].partition(";")[0]
    schema = [*where, "content", media_type, "schema"]
    assert media_type in _at([*where, "content"]), f"{method} {route} answered {media_type}"
    told = answer.told if media_type == "application/json" else answer.body
    assert not faults(told, *schema), f"{method} {route} {answer.status}: {faults(told, *schema)}"


def faults(told: Any, *where: str) -> list[str]:
    """What the document's schema there has against this."""
    return [f"{fault.json_path}: {fault.message}" for fault in _validator(*where).iter_errors(told)]


def _at(where: list[str]) -> Mapping[str, Any]:
    found = DOCUMENT
    for name in where:
        found = found[name]
    return found


@cache
def _validator(*where: str) -> Any:
    pointer = "/".join(name.replace("~", "~0").replace("/", "~1") for name in where)
    return _Validator({"$ref": f"{_HERE}#/{pointer}"}, registry=_REGISTRY)


def _pattern(_: Any, pattern: str, told: Any, __: Any) -> Any:
    """In JSON Schema `$` is the end; in Python it is before a last newline as well."""
    if isinstance(told, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), told):
        yield ValidationError(f"{told!r} does not match {pattern!r}")


_Validator = extend(Draft202012Validator, {"pattern": _pattern})
