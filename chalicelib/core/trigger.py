"""What a message of the ingest queue says: which objects appeared.

Three shapes are understood: EventBridge's `Object Created` (keys as they are), S3's own notification
(keys URL-encoded, `+` for a space) and the `s3:TestEvent` that S3 sends when a bucket is wired.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from chalicelib.core.errors import Invalid


@dataclass(frozen=True, slots=True)
class Appeared:
    """An object that came into a bucket."""

    bucket: str
    key: str


def appeared(body: str) -> list[Appeared]:
    """The objects that a message tells of; `Invalid` when it is of none of the three shapes."""
    try:
        told = json.loads(body)
        return next(reading(told) for knows, reading in SHAPES if knows(told))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError, StopIteration):
        raise Invalid(
            "unknown_message",
            "the message tells of no object",
            "body",
            "an S3 notification, an EventBridge `Object Created` event or an s3:TestEvent",
        ) from None


def _of_eventbridge(told: dict[str, Any]) -> list[Appeared]:
    detail = told["detail"]
    return [_appeared(detail["bucket"]["name"], detail["object"]["key"])]


def _of_s3(told: dict[str, Any]) -> list[Appeared]:
    created = (
        r["s3"] for r in told["Records"] if r["eventName"].removeprefix("s3:").startswith("ObjectCreated")
    )
    return [_appeared(s3["bucket"]["name"], unquote_plus(s3["object"]["key"])) for s3 in created]


def _appeared(bucket: Any, key: Any) -> Appeared:
    if not isinstance(bucket, str) or not isinstance(key, str):
        raise TypeError("bucket and key are strings")
    key.encode()  # half a character can come in through JSON's escapes; S3 has no such key
    return Appeared(bucket, key)


SHAPES: tuple[tuple[Callable[[Any], bool], Callable[[Any], list[Appeared]]], ...] = (
    (lambda told: told.get("detail-type") == "Object Created", _of_eventbridge),
    (lambda told: "Records" in told, _of_s3),
    (lambda told: told.get("Event") == "s3:TestEvent", lambda _: []),
)
