"""The two buckets: recordings, which are only read, and outputs, which are added to and rid of orphans."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from unicodedata import combining, normalize
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError  # botocore lets it through where an error's body breaks off

from chalicelib.core.errors import NotFound, Unavailable
from chalicelib.core.ids import file_name
from chalicelib.ports import Object, Reading, Writing

CHUNK = 1 << 20
PART = 5 << 20  # S3 takes no smaller parts, and 10,000 at most: files up to 50 GB
HELD = 256 << 10  # of what is not sent yet, what memory holds; /tmp has the rest
_GONE = frozenset({"NoSuchKey", "NoSuchVersion", "404", "PreconditionFailed", "412", "InvalidRange", "416"})
_THERE = frozenset({"PreconditionFailed", "412"})
_FINISHED = frozenset({"NoSuchUpload"})


@dataclass(frozen=True)
class S3Inbox:
    """Answers to the port `Inbox`. `client` is a boto3 S3 client."""

    client: Any
    bucket: str

    def read(self, key: str, etag: str | None = None) -> Reading:
        """One GET. The role needs s3:ListBucket: without it S3 answers 403 for a missing key."""
        pinned = {"IfMatch": etag} if etag else {}
        return _reading(self.client, self.bucket, key, **pinned)

    def under(self, prefix: str, after: str | None = None) -> Iterator[Object]:
        """ListObjectsV2, paged."""
        return _under(self.client, self.bucket, prefix, after)


@dataclass(frozen=True)
class S3Shelf:
    """Answers to the port `Shelf`."""

    client: Any
    bucket: str
    url_seconds: int

    def write(self, key: str, content_type: str) -> Writing:
        """A multipart upload whose first part goes last; a small file is one PUT."""
        return _Upload(self.client, {"Bucket": self.bucket, "Key": key}, content_type)

    def put(self, key: str, body: bytes, content_type: str) -> None:
        """One PUT, `If-None-Match: *`."""
        self.write(key, content_type).front(body)

    def read(self, key: str, start: int = 0, end: int | None = None) -> Reading:
        """One GET, ranged where not all is wanted. S3 cuts a range at the file's end."""
        if end is not None and end <= start:
            raise ValueError(f"no bytes are asked for: [{start}, {end})")
        ranged = (
            {} if (start, end) == (0, None) else {"Range": f"bytes={start}-{'' if end is None else end - 1}"}
        )
        return _reading(self.client, self.bucket, key, **ranged)

    def under(self, prefix: str, after: str | None = None) -> Iterator[Object]:
        """ListObjectsV2, paged."""
        return _under(self.client, self.bucket, prefix, after)

    def delete(self, key: str) -> None:
        """One DELETE, which does not mind that there is nothing."""
        with _Failures():
            self.client.delete_object(Bucket=self.bucket, Key=key)

    def url(self, key: str, save_as: str | None = None) -> str:
        """A presigned GET. Signed with a role's keys it dies with the role's session at the latest."""
        asked = {"Bucket": self.bucket, "Key": key}
        # A page of another host may not name what it has a browser save: only the answer's header may.
        asked["ResponseContentDisposition"] = (
            f'inline; filename="{file_name(key)}"' if save_as is None else attachment(save_as)
        )
        url: str = self.client.generate_presigned_url("get_object", Params=asked, ExpiresIn=self.url_seconds)
        return url


def attachment(name: str) -> str:
    """The header that has a file saved under this name (RFC 6266). No name can say more in it than a name:
    what is not plain is spelled as RFC 8187 has it, beside a plain likeness for who does not read that."""
    bare = "".join(sign for sign in normalize("NFKD", name) if not combining(sign))
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", bare)
    told = f'attachment; filename="{plain}"'
    return told if plain == name else f"{told}; filename*=UTF-8''{quote(name, safe='', errors='replace')}"


@dataclass
class _S3Reading:
    object: Object
    _body: Any

    def __iter__(self) -> Iterator[bytes]:
        with _Failures():
            yield from self._body.iter_chunks(CHUNK)


class _Spool:
    """Bytes that are not sent yet. A step writes some dozens of files at a time: memory is not for them."""

    def __init__(self) -> None:
        self.size = 0
        # Open until it is sent.
        self.file = SpooledTemporaryFile(HELD)  # noqa: SIM115

    def take(self, data: bytes) -> bytes:
        """As many of the next bytes as make a part; returns the others."""
        room = PART - self.size
        self.size += self.file.write(data[:room])
        return data[room:]

    def rewound(self) -> SpooledTemporaryFile[bytes]:
        """To be read from the start."""
        self.file.seek(0)
        return self.file


@dataclass
class _Upload:
    """Answers to the port `Writing`. Holds back the first part, and less than one more."""

    client: Any
    where: dict[str, str]
    content_type: str
    _first: _Spool = field(default_factory=_Spool)
    _next: _Spool = field(default_factory=_Spool)
    _parts: list[dict[str, Any]] = field(default_factory=list)
    _upload_id: str | None = None
    size: int = 0

    def body(self, data: bytes) -> None:
        self.size += len(data)
        rest = self._first.take(data)
        while rest:
            if self._next.size == PART:
                self._send_next()
            rest = self._next.take(rest)

    def front(self, data: bytes) -> None:
        self.size += len(data)
        try:
            if self._upload_id is None and not self._next.size:
                self._put(self._behind(data))
            else:
                self._finish(data)
        except (ClientError, BotoCoreError, HTTPError) as error:
            self.abandon()
            if _code(error) not in _THERE:
                raise Unavailable(
                    "output_unavailable", "the output bucket did not take a file; try again"
                ) from error
        self._forget()

    def abandon(self) -> None:
        self._forget()
        if self._upload_id is not None:
            with suppress(self.client.exceptions.NoSuchUpload), _Failures(_FINISHED):
                self.client.abort_multipart_upload(**self.where, UploadId=self._upload_id)
            self._upload_id = None

    def _forget(self) -> None:
        self._first.file.close()
        self._next.file.close()

    def _behind(self, front: bytes) -> bytes:
        return front + self._first.rewound().read()

    def _send_next(self) -> None:
        with self._next.rewound() as part:
            self._send(len(self._parts) + 2, part)
        self._next = _Spool()

    def _put(self, body: bytes) -> None:
        self.client.put_object(**self.where, Body=body, ContentType=self.content_type, IfNoneMatch="*")

    def _send(self, number: int, data: bytes | IO[bytes]) -> None:
        with _Failures():
            if self._upload_id is None:
                begun = self.client.create_multipart_upload(**self.where, ContentType=self.content_type)
                self._upload_id = begun["UploadId"]
            sent = self.client.upload_part(
                **self.where, UploadId=self._upload_id, PartNumber=number, Body=data
            )
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})

    def _finish(self, front: bytes) -> None:
        if self._next.size:
            self._send_next()
        self._send(1, self._behind(front))
        self.client.complete_multipart_upload(
            **self.where,
            UploadId=self._upload_id,
            MultipartUpload={"Parts": sorted(self._parts, key=lambda part: int(part["PartNumber"]))},
            IfNoneMatch="*",
        )


def _reading(client: Any, bucket: str, key: str, **asked: str) -> Reading:
    try:
        with _Failures(_GONE):
            answer = client.get_object(Bucket=bucket, Key=key, **asked)
    except ClientError as error:
        raise NotFound("object_gone", f"the object {key!r} is not there any more") from error
    whole = answer.get("ContentRange", "").rpartition("/")[2] or answer["ContentLength"]
    told = Object(key, answer["ETag"].strip('"'), int(whole), _millis(answer["LastModified"]))
    return _S3Reading(told, answer["Body"])


def _under(client: Any, bucket: str, prefix: str, after: str | None) -> Iterator[Object]:
    request = {"Bucket": bucket, "Prefix": prefix} | ({"StartAfter": after} if after else {})
    while True:
        with _Failures():
            answer = client.list_objects_v2(**request)
        for told in answer.get("Contents", ()):
            yield Object(told["Key"], told["ETag"].strip('"'), told["Size"], _millis(told["LastModified"]))
        if not answer.get("IsTruncated"):
            return
        request["ContinuationToken"] = answer["NextContinuationToken"]


def _millis(when: Any) -> int:
    return int(when.timestamp() * 1000)


def _code(error: BaseException | None) -> str:
    """What S3 says that went wrong; empty where it said nothing."""
    said = error.response if isinstance(error, ClientError) else {}
    return str(said.get("Error", {}).get("Code", ""))


@dataclass(frozen=True)
class _Failures:
    """Lets no foreign exception through, but for the codes that the caller knows what to do with."""

    known: frozenset[str] = frozenset()

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if _code(error) in self.known:
            return
        if isinstance(error, ClientError | BotoCoreError | HTTPError):
            raise Unavailable("bucket_unavailable", "S3 can not be reached; try again") from error
