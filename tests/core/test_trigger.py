"""What a message of the ingest queue says, in all its shapes and in none of them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import Invalid
from chalicelib.core.trigger import Appeared, appeared


def eventbridge(key: Any, bucket: Any = "b", kind: str = "Object Created") -> str:
    """As EventBridge tells it."""
    detail = {"version": "0", "bucket": {"name": bucket}, "object": {"key": key, "size": 5}}
    return json.dumps({"source": "aws.s3", "detail-type": kind, "detail": detail})


def s3(*keys: Any, bucket: Any = "b", event: Any = "ObjectCreated:Put") -> str:
    """As S3 tells it itself."""
    records = [{"eventName": event, "s3": {"bucket": {"name": bucket}, "object": {"key": k}}} for k in keys]
    return json.dumps({"Records": records})


TEST_EVENT = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"})

TOLD = [
    ("EventBridge", eventbridge("a/b.webm"), ["a/b.webm"]),
    ("EventBridge does not encode", eventbridge("a+b%2F c ä.webm"), ["a+b%2F c ä.webm"]),
    ("S3", s3("a/b.webm"), ["a/b.webm"]),
    ("S3 encodes", s3("a%2Bb+c%252F%C3%A4%F0%9F%98%80.webm"), ["a+b c%2Fä😀.webm"]),
    ("S3, several", s3("a", "b"), ["a", "b"]),
    ("S3, multipart", s3("a", event="ObjectCreated:CompleteMultipartUpload"), ["a"]),
    ("S3, as the documents spell it", s3("a", event="s3:ObjectCreated:Put"), ["a"]),
    ("S3 deletes", s3("a", event="ObjectRemoved:Delete"), []),
    ("S3 says nothing", s3(), []),
    ("S3 tries the wire", TEST_EVENT, []),
]
HOSTILE = [
    ("nothing", ""),
    ("no JSON", "{"),
    ("another thing", "{}"),
    ("a list", "[]"),
    ("a text", '"Records"'),
    ("a number", "7"),
    ("null", "null"),
    ("too deep", "[" * 100_000),
    ("a number without end", "9" * 5_000),
    ("another event", eventbridge("a", kind="Object Deleted")),
    ("an event without detail", '{"detail-type": "Object Created"}'),
    ("a detail that is none", '{"detail-type": "Object Created", "detail": []}'),
    ("a key that is a number", eventbridge(7)),
    ("no key", eventbridge(None)),
    ("a bucket that is a list", eventbridge("a", bucket=["b"])),
    ("half a character", eventbridge("\ud800")),
    ("records that are none", '{"Records": 7}'),
    ("a record that is none", '{"Records": [7]}'),
    ("a record without a name", '{"Records": [{"s3": {}}]}'),
    ("a record whose name is a number", s3("a", event=7)),
    ("a record whose key is a number", s3(7)),
    ("a record whose key is null", s3(None)),
    ("a record with half a character", s3("\ud800")),
]


@pytest.mark.parametrize(("body", "keys"), [t[1:] for t in TOLD], ids=[t[0] for t in TOLD])
def test_each_shape_names_its_objects(body: str, keys: list[str]) -> None:
    assert appeared(body) == [Appeared("b", key) for key in keys]


@pytest.mark.parametrize("body", [h[1] for h in HOSTILE], ids=[h[0] for h in HOSTILE])
def test_what_has_no_shape_is_refused_by_name(body: str) -> None:
    with pytest.raises(Invalid, match="unknown_message"):
        appeared(body)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["Records", "detail-type", "detail", "bucket", "object", "key", "name", "s3",
                             "eventName", "Event"]),
            inner,
        ),
    ),
)  # fmt: skip


@given(JSON)
def test_nothing_else_is_ever_raised(told: Any) -> None:
    try:
        appeared(json.dumps(told))
    except Invalid:
        return
