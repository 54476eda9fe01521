"""The real world over an AWS in this process, a simulated VideoSDK, and API Gateway in front."""

import itertools
import json
import os
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.handlers import BUILTIN_HANDLERS
from cryptography.hazmat.primitives.asymmetric import rsa
from moto import mock_aws

from app import app
from chalicelib import wiring
from local.videosdk import Simulation
from tests.routes.gateway import Gateway
from tests.routes.stage import API_KEY, APP_SECRET, REGION, SECRET, TAG_SECRET, Ledger, Letters, Room, Vendor

TABLE = "tracklane"
ROOT = Path(__file__).parents[2]
_NUMBERS = itertools.count(1)
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
}
# What a call of the SDK is in a policy, where that has another name.
_RIGHTS = {
    "SendMessageBatch": {"sqs:SendMessage"},
    "TransactWriteItems": {"dynamodb:PutItem"},
    "ListObjectsV2": {"s3:ListBucket"},
    "StartExecution": {"states:StartExecution"},
    "StopExecution": {"states:StopExecution"},
}
# A machine that waits: what it would do is not the API's.
_IDLE = '{"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 60, "End": true}}}'


_CALLS: list[tuple[str, str]] = []


def _note(model: Any, **_: Any) -> None:
    _CALLS.append((model.service_model.service_name, model.name))


# Here, before there is any client: so no call is overlooked, however its client was made.
BUILTIN_HANDLERS.append(("before-call", _note))


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as what follows their tag."""


_Loader.add_multi_constructor("!", lambda _, __, node: getattr(node, "value", None))


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    """What VideoSDK signs with."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def simulation(key: rsa.RSAPrivateKey) -> Iterator[Simulation]:
    with Simulation(API_KEY, SECRET, key) as running:
        yield running


@pytest.fixture
def videosdk(simulation: Simulation) -> Iterator[Simulation]:
    yield simulation
    simulation.faults.disarm()


@pytest.fixture
def calls() -> list[tuple[str, str]]:
    """The calls to AWS that were made since the last request began: service and operation."""
    return _CALLS


@pytest.fixture(scope="package")
def aws() -> Iterator[dict[str, str]]:
    """An AWS with all that the API needs but the table; gives the settings."""
    before = {name: os.environ.get(name) for name in _CREDENTIALS}
    os.environ.update(_CREDENTIALS)
    with mock_aws():
        yield _ground()
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


def _ground() -> dict[str, str]:
    here = {"LocationConstraint": REGION}
    for bucket in ("recordings", "output"):
        boto3.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=here)
    secrets = {
        "videosdk": json.dumps({"apiKey": API_KEY, "secret": SECRET}),
        "app-token": APP_SECRET,
        "webhook-tag": TAG_SECRET,
    }
    for name, value in secrets.items():
        boto3.client("secretsmanager").create_secret(Name=name, SecretString=value)
    machine = boto3.client("stepfunctions").create_state_machine(
        name="compositions", definition=_IDLE, roleArn="arn:aws:iam::123456789012:role/compositions"
    )
    names = ("ingest", "render", "dead-letters")
    queues = [boto3.client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in names]
    return {
        "RECORDINGS_BUCKET": "recordings",
        "BUCKET_DIR_PATH": "rec",
        "OUTPUT_BUCKET": "output",
        "INGEST_QUEUE_URL": queues[0],
        "RENDER_QUEUE_URL": queues[1],
        "DEAD_LETTER_QUEUE_URL": queues[2],
        "VIDEOSDK_SECRET": "videosdk",
        "APP_TOKEN_SECRET": "app-token",
        "WEBHOOK_TAG_SECRET": "webhook-tag",
        "COMPOSITIONS": machine["stateMachineArn"],
    }


@pytest.fixture(scope="package")
def table_shape() -> dict[str, Any]:
    """The table's keys and indexes as the deployed template has them."""
    template = yaml.load((ROOT / ".chalice/template.yaml").read_text(), _Loader)  # noqa: S506  # ours, and safe
    told = template["Resources"]["Table"]["Properties"]
    names = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    return {name: told[name] for name in names}


@pytest.fixture(scope="package")
def dynamodb(aws: dict[str, str]) -> Any:
    """A client of the tests' own."""
    assert aws
    return boto3.client("dynamodb")


@pytest.fixture(scope="package")
def laid_table(dynamodb: Any, table_shape: dict[str, Any]) -> str:
    """The table, once."""
    dynamodb.create_table(TableName=TABLE, **table_shape)
    return TABLE


@pytest.fixture
def table(laid_table: str, dynamodb: Any, table_shape: dict[str, Any]) -> Iterator[str]:
    """An empty table; made anew only after a test that wrote."""
    yield laid_table
    if dynamodb.scan(TableName=laid_table, Limit=1)["Items"]:
        dynamodb.delete_table(TableName=laid_table)
        dynamodb.create_table(TableName=laid_table, **table_shape)


@pytest.fixture
def environ(
    aws: dict[str, str], videosdk: Simulation, table: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.MonkeyPatch]:
    """A world of its own, by its settings."""
    told = {**aws, "TABLE": table, "VIDEOSDK_API": videosdk.url, "PUBLIC_URL": f"{videosdk.url}/nobody"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    _forget()
    yield monkeypatch
    _forget()


def _forget() -> None:
    wiring.world.cache_clear()
    wiring.callers.cache_clear()


@pytest.fixture
def configured(environ: pytest.MonkeyPatch) -> Callable[..., None]:
    """Changes settings, as another deployment has them."""

    def change(**settings: str) -> None:
        for name, value in settings.items():
            environ.setenv(name, value)
        _forget()

    return change


@pytest.fixture(scope="session")
def rights() -> set[str]:
    """What the API's policy allows."""
    policy = json.loads((ROOT / ".chalice/policies/api.json").read_text())
    return {right for statement in policy["Statement"] for right in statement["Action"]}


@pytest.fixture
def api(environ: pytest.MonkeyPatch, calls: list[tuple[str, str]], rights: set[str]) -> Gateway:
    """The API. After each request: nothing was scanned, and nothing called that its policy does not allow."""
    assert environ

    def after() -> None:
        asked = {right for service, name in calls for right in _RIGHTS.get(name, {f"{service}:{name}"})}
        assert "dynamodb:Scan" not in asked
        lacking = {right for right in asked if not any(fnmatchcase(right, given) for given in rights)}
        assert not lacking, f"the policy lacks {lacking}"

    return Gateway(app, calls.clear, after)


@pytest.fixture
def ledger(dynamodb: Any, table: str) -> Ledger:
    """What the table holds."""
    return Ledger(dynamodb, table)


@pytest.fixture
def room(videosdk: Simulation) -> Room:
    """A meeting of its own, with ann in it."""
    room = Room(videosdk, f"room-{next(_NUMBERS)}")
    room.join("ann")
    return room


@pytest.fixture
def letters(key: rsa.RSAPrivateKey) -> Letters:
    return Letters(key)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A VideoSDK that answers just what it is told to."""
    vendor = Vendor()
    yield vendor
    vendor.close()
