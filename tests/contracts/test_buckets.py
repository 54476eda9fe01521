"""The recordings bucket is only read; in the output bucket what is there stays, unless it is deleted."""

import hashlib
import itertools
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from chalicelib.adapters.s3 import HELD, PART, S3Inbox, S3Shelf
from chalicelib.core.errors import NotFound, Unavailable
from chalicelib.ports import Shelf
from tests.contracts.conftest import Aws, Buckets, Wire

KEYS = [
    "recordings/plain.webm",
    "with space/and  two.webm",
    "plus+and%2Fencoded%20.webm",
    "ünï/😀.webm",
    "//double//slash.webm",
    "/leading",
    "q?a=b&c#d",
    "dots/../up",
]


def whole(buckets: Buckets, key: str) -> bytes:
    """An output, read."""
    return b"".join(buckets.shelf.read(key))


# --- inbox ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
def test_an_object_is_read_whole_under_any_key(buckets: Buckets, key: str) -> None:
    body = b"a film" * 100_000
    buckets.put(key, body)

    reading = buckets.inbox.read(key)

    assert (reading.object.key, reading.object.bytes) == (key, len(body))
    assert reading.object.etag == hashlib.md5(body, usedforsecurity=False).hexdigest()
    assert reading.object.modified_at > 1_700_000_000_000
    assert b"".join(reading) == body


def test_an_empty_object_is_read(buckets: Buckets) -> None:
    buckets.put("empty", b"")

    reading = buckets.inbox.read("empty")

    assert (reading.object.bytes, b"".join(reading)) == (0, b"")


def test_a_large_object_comes_in_pieces(buckets: Buckets) -> None:
    body = bytes(5 << 20)
    buckets.put("large", body)

    pieces = list(buckets.inbox.read("large"))

    assert max(map(len, pieces)) <= 1 << 20
    assert b"".join(pieces) == body


def test_an_object_that_is_gone_is_not_found(buckets: Buckets) -> None:
    buckets.put("gone", b"film")
    buckets.delete("gone")

    with pytest.raises(NotFound, match="object_gone"):
        buckets.inbox.read("gone")


def test_an_object_that_was_overwritten_is_not_the_one_that_was_meant(buckets: Buckets) -> None:
    buckets.put("film", b"first")
    first = buckets.inbox.read("film").object.etag
    assert b"".join(buckets.inbox.read("film", first)) == b"first"
    buckets.put("film", b"second")

    with pytest.raises(NotFound, match="object_gone"):
        buckets.inbox.read("film", first)


def test_everything_below_a_prefix_is_listed(buckets: Buckets) -> None:
    for key in KEYS:
        buckets.put(f"in/{key}", key.encode())
    buckets.put("elsewhere/in/x", b"")

    found = {thing.key: thing for thing in buckets.inbox.under("in/")}

    assert set(found) == {f"in/{key}" for key in KEYS}
    for key, thing in found.items():
        read = buckets.inbox.read(key).object
        assert (thing.etag, thing.bytes) == (read.etag, read.bytes)
    assert list(buckets.inbox.under("nothing/")) == []


def test_a_listing_can_be_gone_on_with_behind_any_key(buckets: Buckets) -> None:
    keys = sorted((f"in/{key}" for key in KEYS), key=str.encode)
    for key in keys:
        buckets.put(key, b"")
        buckets.shelf.put(key, b"", "text/plain")

    for place, key in enumerate(keys):
        assert [thing.key for thing in buckets.inbox.under("in/", key)] == keys[place + 1 :]
        assert [thing.key for thing in buckets.shelf.under("in/", key)] == keys[place + 1 :]
    for after in ("a", "zzz"):
        assert len(list(buckets.inbox.under("in/", after))) == (len(keys) if after < "in/" else 0)


# --- shelf ----------------------------------------------------------------------------------------

SIZES = [
    (0, 0),
    (0, 100),
    (1, 100),
    (PART - 1, 100),
    (PART, 0),
    (PART, 100),
    (PART + 1, 100),
    (2 * PART - 1, 7),
    (2 * PART, PART + 3),
    (2 * PART + 1, 100),
    (3 * PART, 100),
]
PATTERN = bytes(range(251)) * (4 * PART // 251 + 1)


@pytest.mark.parametrize(("size", "front"), SIZES, ids=[f"{size}+{front}" for size, front in SIZES])
def test_a_file_is_its_front_and_its_body(buckets: Buckets, size: int, front: int) -> None:
    writing = buckets.shelf.write("sessions/f.webm", "video/webm")
    body, head = PATTERN[:size], PATTERN[-front:] if front else b""

    for at in range(0, size, 3_000_017):
        writing.body(body[at : at + 3_000_017])
        assert buckets.keys() == []
    writing.front(head)

    assert writing.size == size + front
    assert whole(buckets, "sessions/f.webm") == head + body
    assert buckets.unfinished() == 0


RANGES: list[tuple[int, int | None]] = [(0, None), (0, 5), (3, 7), (3, None), (9, 10), (9, 99), (0, 99)]


@pytest.mark.parametrize(("start", "end"), RANGES)
def test_a_part_of_a_file_is_read(buckets: Buckets, start: int, end: int | None) -> None:
    body = b"0123456789"
    buckets.shelf.put("k", body, "text/plain")

    reading = buckets.shelf.read("k", start, end)

    assert b"".join(reading) == body[start:end]
    assert reading.object.bytes == len(body)


def test_bytes_behind_a_files_end_are_not_found(buckets: Buckets) -> None:
    buckets.shelf.put("k", b"0123456789", "text/plain")

    for start, end in ((10, None), (10, 20), (99, 100)):
        with pytest.raises(NotFound, match="object_gone"):
            buckets.shelf.read("k", start, end)


@pytest.mark.parametrize(("start", "end"), [(0, 0), (5, 5), (5, 4)])
def test_nobody_asks_for_no_bytes(buckets: Buckets, start: int, end: int) -> None:
    # S3 would answer with the whole file.
    buckets.shelf.put("k", b"0123456789", "text/plain")

    with pytest.raises(ValueError, match="no bytes"):
        buckets.shelf.read("k", start, end)


@pytest.mark.parametrize("size", [10, 3 * PART])
def test_what_lies_under_a_key_stays(buckets: Buckets, size: int) -> None:
    for fill in (b"first", b"other"):
        writing = buckets.shelf.write("k", "video/webm")
        writing.body(fill[:1] * size)
        writing.front(fill)

    assert whole(buckets, "k") == b"first" + b"f" * size
    assert buckets.unfinished() == 0


def test_a_small_file_is_put_once(buckets: Buckets) -> None:
    buckets.shelf.put("m.json", b"{}", "application/json")
    buckets.shelf.put("m.json", b"[]", "application/json")

    assert whole(buckets, "m.json") == b"{}"


@pytest.mark.parametrize("size", [0, 10, PART, 2 * PART + 1])
def test_an_abandoned_file_leaves_nothing(buckets: Buckets, size: int) -> None:
    writing = buckets.shelf.write("k", "video/webm")
    writing.body(PATTERN[:size])

    writing.abandon()
    writing.abandon()

    assert (buckets.unfinished(), buckets.keys()) == (0, [])
    with pytest.raises(NotFound, match="object_gone"):
        buckets.shelf.read("k")


def test_what_is_deleted_is_gone_and_may_be_deleted_again(buckets: Buckets) -> None:
    for key in ("k", "k2"):
        buckets.shelf.put(key, b"x", "text/plain")

    buckets.shelf.delete("k")
    buckets.shelf.delete("k")

    assert buckets.keys() == ["k2"]


def test_files_are_listed_with_their_size_and_time(buckets: Buckets) -> None:
    buckets.shelf.put("sessions/k", b"film", "text/plain")

    [thing] = buckets.shelf.under("sessions/")

    read = buckets.shelf.read("sessions/k").object
    assert (thing.key, thing.etag, thing.bytes) == (read.key, read.etag, read.bytes)
    assert thing.modified_at > 1_700_000_000_000
    assert thing.modified_at % 1000 == 0


def test_two_writers_of_one_file_agree(buckets: Buckets) -> None:
    writings = [buckets.shelf.write("k", "video/webm") for _ in range(2)]
    for writing in writings:
        writing.body(PATTERN[: 2 * PART + 5])
    for writing in writings:
        writing.front(b"front")

    assert whole(buckets, "k") == b"front" + PATTERN[: 2 * PART + 5]
    assert buckets.unfinished() == 0


def test_addresses_differ_by_key_and_by_what_they_are_for(buckets: Buckets) -> None:
    asked = itertools.product("ab", [None, "name.webm", "анна.webm"])
    urls = {buckets.shelf.url(f"sessions/{key}.webm", save_as) for key, save_as in asked}

    assert len(urls) == 6
    assert all(url.startswith("https://") for url in urls)


# --- S3 alone -------------------------------------------------------------------------------------

DOWN = [EndpointConnectionError(endpoint_url="s3"), ReadTimeoutError(endpoint_url="s3")]


def refusal(code: str, status: int) -> ClientError:
    """S3 says no."""
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")


class Bucket:
    """A bucket, read and written through one wire."""

    def __init__(self, aws: Aws) -> None:
        self.name = aws.bucket()
        self.wire = Wire(aws.client("s3"))
        self.inbox = S3Inbox(self.wire.client, self.name)
        self.shelf: Shelf = S3Shelf(self.wire.client, self.name, 900)

    def unfinished(self) -> int:
        """Uploads that nobody finished or abandoned."""
        self.wire.broken.clear()
        return len(self.wire.client.list_multipart_uploads(Bucket=self.name).get("Uploads", []))


@pytest.fixture
def bucket(aws: Aws) -> Bucket:
    made = Bucket(aws)
    made.wire.client.put_object(Bucket=made.name, Key="there", Body=b"x" * 100)
    return made


def write(bucket: Bucket, size: int) -> None:
    """A file of this size."""
    writing = bucket.shelf.write("k", "video/webm")
    try:
        writing.body(PATTERN[:size])
        writing.front(b"front")
    except BaseException:
        writing.abandon()
        raise


DOORS: list[tuple[str, str, Callable[[Bucket], object]]] = [
    ("read", "GetObject", lambda b: b.inbox.read("there")),
    ("read an output", "GetObject", lambda b: b.shelf.read("there")),
    ("list", "ListObjectsV2", lambda b: list(b.inbox.under(""))),
    ("list outputs", "ListObjectsV2", lambda b: list(b.shelf.under(""))),
    ("delete", "DeleteObject", lambda b: b.shelf.delete("k")),
    ("put", "PutObject", lambda b: b.shelf.put("k", b"x", "text/plain")),
    ("a small file", "PutObject", lambda b: write(b, 10)),
    ("begin", "CreateMultipartUpload", lambda b: write(b, 2 * PART)),
    ("a part", "UploadPart", lambda b: write(b, 2 * PART)),
    ("complete", "CompleteMultipartUpload", lambda b: write(b, 2 * PART)),
]
FAULTS = [*DOWN, refusal("AccessDenied", 403), refusal("SlowDown", 503), refusal("InternalError", 500),
          refusal("ConditionalRequestConflict", 409)]  # fmt: skip


@pytest.mark.parametrize(("operation", "door"), [d[1:] for d in DOORS], ids=[d[0] for d in DOORS])
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_bucket_that_fails_is_unavailable_and_keeps_no_half_file(
    bucket: Bucket, operation: str, door: Callable[[Bucket], object], fault: Exception
) -> None:
    bucket.wire.broken[operation] = fault

    with pytest.raises(Unavailable, match="unavailable"):
        door(bucket)

    assert bucket.unfinished() == 0
    with pytest.raises(NotFound):
        bucket.shelf.read("k")


def test_a_connection_that_breaks_while_reading_is_unavailable(bucket: Bucket) -> None:
    reading = bucket.inbox.read("there")

    def breaks(*_: Any) -> Any:
        raise ReadTimeoutError(endpoint_url="s3")

    reading._body.iter_chunks = breaks  # type: ignore[attr-defined]  # the socket itself is out of reach

    with pytest.raises(Unavailable, match="bucket_unavailable"):
        list(reading)


def test_an_upload_that_is_gone_already_is_abandoned_quietly(bucket: Bucket) -> None:
    writing = bucket.shelf.write("k", "video/webm")
    writing.body(PATTERN[: 3 * PART])
    [upload] = bucket.wire.client.list_multipart_uploads(Bucket=bucket.name)["Uploads"]
    told = {"Bucket": bucket.name, "Key": "k", "UploadId": upload["UploadId"]}
    bucket.wire.client.abort_multipart_upload(**told)

    writing.abandon()

    assert bucket.unfinished() == 0


def test_a_conditional_request_protects_each_file(bucket: Bucket) -> None:
    write(bucket, 10)
    write(bucket, 3 * PART)

    told = {name: params for name, params in bucket.wire.calls if "IfNoneMatch" in params}
    assert set(told) == {"PutObject", "CompleteMultipartUpload"}
    assert {params["IfNoneMatch"] for params in told.values()} == {"*"}


def test_a_large_file_is_sent_in_parts_as_it_comes(bucket: Bucket) -> None:
    sizes: list[int] = []

    def note(request: Any, **_: Any) -> None:
        told = request.headers
        sizes.append(int(told.get("X-Amz-Decoded-Content-Length") or told["Content-Length"]))

    bucket.wire.client.meta.events.register("before-send.s3.UploadPart", note)

    write(bucket, 3 * PART + 5)

    assert sorted(sizes) == [5, PART, PART, PART + len(b"front")]


def test_many_files_at_a_time_hold_little_in_memory(bucket: Bucket) -> None:
    writings = [bucket.shelf.write(f"k{number}", "audio/flac") for number in range(26)]
    chunk = bytes(HELD)
    tracemalloc.start()

    for _ in range(2 * PART // HELD):
        for writing in writings:
            writing.body(chunk)
    _, most = tracemalloc.get_traced_memory()

    tracemalloc.stop()
    for writing in writings:
        writing.abandon()
    assert most < 20_000_000


def test_more_than_a_page_of_objects_is_listed(aws: Aws) -> None:
    made = Bucket(aws)
    for number in range(7):
        made.wire.client.put_object(Bucket=made.name, Key=f"k{number}", Body=b"")

    def short(params: dict[str, Any], **_: Any) -> None:
        params["MaxKeys"] = 3

    made.wire.client.meta.events.register_first("provide-client-params.s3.ListObjectsV2", short)

    assert [thing.key for thing in made.inbox.under("k")] == [f"k{number}" for number in range(7)]
    assert [thing.key for thing in made.inbox.under("k", "k1")] == [f"k{number}" for number in range(2, 7)]
