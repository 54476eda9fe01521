"""Holds answers against the description that the stack itself publishes."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from requests import Response

_HERE = "urn:document"


@dataclass(frozen=True)
class Document:
    """An OpenAPI document."""

    told: dict[str, Any]

    @property
    def guarded(self) -> list[tuple[str, str]]:
        """Every method and path that wants a bearer token."""
        return [
            (method.upper(), path)
            for path, methods in self.told["paths"].items()
            for method, operation in methods.items()
            if operation.get("security", self.told["security"]) == [{"bearer": []}]
        ]

    def hold(self, method: str, path: str, answer: Response) -> None:
        """Fails unless the document has this status for the path, and the body's schema."""
        where = ["paths", self._named(path), method.lower(), "responses", str(answer.status_code)]
        response = self._at(where)
        if "$ref" in response:
            where = response["$ref"].split("/")[1:]
        media_type = answer.headers["Content-Type"].partition(";")[0]
        told = answer.json() if media_type == "application/json" else answer.text
        faults = [fault.message for fault in self._validator(*where, "content", media_type, "schema")(told)]
        assert not faults, f"{method} {path} {answer.status_code}: {faults}"

    def _named(self, path: str) -> str:
        """The document's path of an address; the one with the fewest variables, as API Gateway has it."""
        paths: list[str] = list(self.told["paths"])
        found = [known for known in paths if _matches(known.split("/"), path.split("/"))]
        return min(found, key=lambda known: known.count("{"))

    def _at(self, where: list[str]) -> Any:
        found: Any = self.told
        for name in where:
            assert name in found, f"{' '.join(where)}: the document has no {name}"
            found = found[name]
        return found

    def _validator(self, *where: str) -> Any:
        pointer = "/".join(name.replace("~", "~0").replace("/", "~1") for name in where)
        return Draft202012Validator({"$ref": f"{_HERE}#/{pointer}"}, registry=self._registry).iter_errors

    @cached_property
    def _registry(self) -> Registry[Any]:
        resource = Resource.from_contents(self.told, default_specification=DRAFT202012)
        registry: Registry[Any] = Registry().with_resource(_HERE, resource)
        return registry


def _matches(known: list[str], asked: list[str]) -> bool:
    return len(known) == len(asked) and all(
        want.startswith("{") or want == have for want, have in zip(known, asked, strict=True)
    )
