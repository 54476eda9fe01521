"""The published description, and the probe."""

from openapi_spec_validator import validate

from app import app
from tests.routes.gateway import DOCUMENT, Gateway, shape


def test_the_document_is_openapi() -> None:
    validate(DOCUMENT)


def test_the_document_has_every_route_and_nothing_else() -> None:
    told = {(shape(path), method.upper()) for path, item in DOCUMENT["paths"].items() for method in item}
    have = {(shape(path), method) for path, methods in app.routes.items() for method in methods}

    assert told == have


def test_the_api_is_there(api: Gateway, calls: list[tuple[str, str]]) -> None:
    health, document = api.get("/health", by=None), api.get("/openapi.json", by=None)

    assert (health.status, health.told) == (200, {"status": "ok"})
    assert document.told == DOCUMENT
    assert calls == []
