"""The published description, and the probe."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from openapi_spec_validator import validate

from app import app
from chalicelib.core import (
    asking,
    events,
    ids,
    layout,
    manifest,
    plan,
    progress,
    recording,
    timeline,
    verdict,
)
from chalicelib.flows.record import DECLINED
from tests.routes.gateway import DOCUMENT, Gateway, faults, shape

ROOT = Path(__file__).parents[2]
TEMPLATE = (ROOT / ".chalice/template.yaml").read_text()
SCHEMAS = DOCUMENT["components"]["schemas"]
FACTS = [
    told
    for told in vars(events).values()
    if isinstance(told, type) and issubclass(told, events.Event) and not told.__name__.startswith("_")
]


def choices(name: str) -> set[str]:
    """What a schema of words may be."""
    schema = SCHEMAS[name]
    return set(schema["enum"]) if "enum" in schema else {row["const"] for row in schema["oneOf"]}


def test_the_document_is_openapi() -> None:
    validate(DOCUMENT)


def test_the_document_has_every_route_and_nothing_else() -> None:
    told = {(shape(path), method.upper()) for path, item in DOCUMENT["paths"].items() for method in item}
    have = {(shape(path), method) for path, methods in app.routes.items() for method in methods}

    assert told == have


def test_the_document_asks_for_a_token_where_the_routes_do() -> None:
    told = {
        (shape(path), method.upper()): operation.get("security", DOCUMENT["security"]) == [{"bearer": []}]
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
    }
    have = {
        (shape(path), method): entry.authorizer is not None
        for path, methods in app.routes.items()
        for method, entry in methods.items()
    }

    assert told == have


def test_the_document_has_our_words() -> None:
    assert choices("Kind") == set(ids.KINDS)
    assert choices("Phase") == set(recording.PHASES)
    assert choices("CompositionPhase") == set(progress.PHASES)
    assert set(SCHEMAS["CompositionRequest"]["properties"]) == asking.FIELDS
    assert set(SCHEMAS["Finding"]["properties"]["reason"]["enum"]) == set(verdict.REASONS)
    assert choices("GapReason") == set(layout.REASONS)
    assert choices("ProductName") == set(plan.NAMES)
    assert choices("ClockSource") == set(timeline.CLOCKS)
    assert SCHEMAS["Manifest"]["properties"]["manifestVersion"]["const"] == manifest.VERSION


def test_the_document_has_every_type_of_event_with_its_fields() -> None:
    def camel(name: str) -> str:
        return re.sub(r"_([a-z])", lambda found: found.group(1).upper(), name)

    concrete = [fact for fact in FACTS if fact not in (events.Event, *events.OF_COMPOSITIONS)]
    told = {camel(field.name) for fact in concrete for field in fields(fact)}

    assert choices("EventType") == {fact.__name__ for fact in concrete}
    assert set(SCHEMAS["Event"]["properties"]) == told | {"type"}


def test_the_document_has_every_code_and_none_that_nobody_says() -> None:
    codes = choices("ErrorCode")
    sources = [path.read_text() for path in (ROOT / "chalicelib").rglob("*.py")]
    said = {code for text in sources for code in re.findall(r'"([a-z][a-z_]+)"', text)} | gateways()
    fields = {re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", name) for name in asking.FIELDS}
    ids = {"invalid_room_id", "invalid_participant_id", "invalid_session_id"}
    ours = ids | {f"invalid_{name}" for name in fields}  # put together from the field

    assert codes >= set(DECLINED) | gateways() | ours
    assert codes - ours <= said


def gateways() -> set[str]:
    """The codes that API Gateway answers by itself."""
    return set(re.findall(r'\{"error":\{"code":"([a-z_]+)"', TEMPLATE))


def test_what_api_gateway_answers_by_itself_has_the_same_shape() -> None:
    bodies = re.findall(r"responseTemplates: \{application/json: '(\{.*\})'\}", TEMPLATE)

    assert len(bodies) >= 10
    for body in bodies:
        assert faults(json.loads(body), "components", "schemas", "Error") == []


def test_examples_are_what_they_are_examples_of() -> None:
    examples = list(_examples(DOCUMENT, []))

    assert len(examples) > 15
    for where, example in examples:
        assert faults(example, *where) == [], where


def _examples(told: Any, where: list[str]) -> Iterator[tuple[list[str], Any]]:
    """Every example and the place of its schema: in a schema itself, beside it, or named."""
    if not isinstance(told, dict):
        return
    match told:
        case {"schema": _, "examples": dict() as named}:
            yield from (([*where, "schema"], example["value"]) for example in named.values())
        case {"schema": _, "example": example}:
            yield [*where, "schema"], example
        case {"examples": list() as examples}:
            yield from ((where, example) for example in examples)
    for name, inner in told.items():
        if name not in ("example", "examples"):
            yield from _examples(inner, [*where, name])


def test_the_api_is_there(api: Gateway, calls: list[tuple[str, str]]) -> None:
    health, document = api.get("/health", by=None), api.get("/openapi.json", by=None)

    assert (health.status, health.told) == (200, {"status": "ok"})
    assert document.told == DOCUMENT
    assert calls == []
