"""Each port twice: in memory, and its adapter over an AWS in this process."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.config import Config
from moto import mock_aws

from chalicelib.adapters.dynamodb import DynamoCatalog, DynamoLedger
from chalicelib.adapters.s3 import S3Inbox, S3Shelf
from chalicelib.ports import Catalog, Inbox, Ledger, Shelf
from tests.fakes import NOON, MemoryCatalog, MemoryInbox, MemoryLedger, MemoryShelf, Tape

TEMPLATE = Path(__file__).parents[2] / ".chalice" / "template.yaml"
REGION = "us-east-1"
BOTH = ["memory", "aws"]
_NUMBERS = itertools.count(1)


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as what follows their tag."""


_Loader.add_multi_constructor("!", lambda _, __, node: node.value)

TABLE = yaml.load(TEMPLATE.read_text(), _Loader)["Resources"]["Table"]["Properties"]  # noqa: S506  # a SafeLoader


@dataclass(frozen=True)
class Aws:
    """An AWS in this process: fresh tables, buckets and clients for everybody who asks."""

    dynamodb: Any
    s3: Any

    def table(self) -> str:
        """A table as the template has it."""
        name = f"table-{next(_NUMBERS)}"
        told = {
            key: TABLE[key]
            for key in ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        }
        stream = {"StreamEnabled": True, **TABLE["StreamSpecification"]}
        self.dynamodb.create_table(TableName=name, StreamSpecification=stream, **told)
        return name

    def bucket(self) -> str:
        """An empty bucket."""
        name = f"bucket-{next(_NUMBERS)}"
        self.s3.create_bucket(Bucket=name)
        return name

    def client(self, service: str, **settings: Any) -> Any:
        """A client that tries once, as the wiring's would try three times."""
        return client(service, **settings)


def client(service: str, endpoint: str | None = None) -> Any:
    """A boto3 client with the wiring's settings, but for its patience."""
    config = Config(
        retries={"total_max_attempts": 1}, parameter_validation=False, s3={"addressing_style": "path"},
        signature_version="s3v4" if service == "s3" else None, connect_timeout=2, read_timeout=5,
    )  # fmt: skip
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.client(service, region_name=REGION, endpoint_url=endpoint, config=config, **keys)


@pytest.fixture(scope="package")
def aws() -> Iterator[Aws]:
    with mock_aws():
        yield Aws(client("dynamodb"), client("s3"))


@dataclass
class Store:
    """Ledger and catalog over one table."""

    ledger: Ledger
    catalog: Catalog


@pytest.fixture(params=BOTH)
def store(request: pytest.FixtureRequest, aws: Aws) -> Store:
    return a_store(request.param, aws)


def a_store(kind: str, aws: Aws) -> Store:
    """An empty one."""
    if kind == "memory":
        ledger = MemoryLedger()
        return Store(ledger, MemoryCatalog(ledger))
    table = aws.table()
    return Store(DynamoLedger(aws.dynamodb, table), DynamoCatalog(aws.dynamodb, table, pause=lambda _: None))


@dataclass
class Buckets:
    """Both buckets; `put` and `delete` are VideoSDK and the operator."""

    inbox: Inbox
    shelf: Shelf
    put: Callable[[str, bytes], object]
    delete: Callable[[str], object]
    unfinished: Callable[[], int]
    keys: Callable[[], list[str]]


@pytest.fixture(params=BOTH)
def buckets(request: pytest.FixtureRequest) -> Buckets:
    return _memory() if request.param == "memory" else _s3(request.getfixturevalue("aws"))


def _memory() -> Buckets:
    inbox, shelf = MemoryInbox(Tape(), lambda: NOON), MemoryShelf(Tape(), lambda: NOON)
    return Buckets(inbox, shelf, inbox.put, inbox.delete, lambda: shelf.begun, lambda: sorted(shelf.files))


def _s3(aws: Aws) -> Buckets:
    arrivals, outputs = aws.bucket(), aws.bucket()
    return Buckets(
        S3Inbox(aws.s3, arrivals),
        S3Shelf(aws.s3, outputs, 900),
        lambda key, body: aws.s3.put_object(Bucket=arrivals, Key=key, Body=body),
        lambda key: aws.s3.delete_object(Bucket=arrivals, Key=key),
        lambda: len(aws.s3.list_multipart_uploads(Bucket=outputs).get("Uploads", [])),
        lambda: [told["Key"] for told in aws.s3.list_objects_v2(Bucket=outputs).get("Contents", [])],
    )


@dataclass
class Wire:
    """What a client sends: every call is noted, and those that are named here break."""

    client: Any
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    broken: dict[str, BaseException] = field(default_factory=dict)

    def __post_init__(self) -> None:
        events, service = self.client.meta.events, self.client.meta.service_model.service_name
        events.register(f"provide-client-params.{service}.*", self._note)
        events.register_first(f"before-send.{service}.*", self._break)

    def _note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.calls.append((model.name, params))

    def _break(self, event_name: str, **_: Any) -> None:
        fault = self.broken.get(event_name.rpartition(".")[2]) or self.broken.get("*")
        if fault is not None:
            raise fault
