"""The receiver as it is deployed: the app under API Gateway's events, over an AWS in this process.

Between its tests the table is empty and the world new, so each begins with a cold function.
"""

import base64
import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto import mock_aws
from moto.core.model_instances import reset_model_data

from app import app
from chalicelib import wiring
from chalicelib.adapters import dynamodb_items as items
from chalicelib.config import REQUIRED
from chalicelib.core import ids
from chalicelib.core.events import Event
from tests.adapters import vendor as v
from tests.routes.gateway import DOCUMENT, Gateway

TABLE = "receiver"
TAG_KEY = b"the secret of the addresses"
ACCOUNT = "/webhooks/videosdk"
ADDRESS = "/webhooks/videosdk/{token}"
SIGNATURE = "VideoSDK-Signature"
CODES = frozenset(row["const"] for row in DOCUMENT["components"]["schemas"]["ErrorCode"]["oneOf"])
_PLACE = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
}

type Item = dict[str, Any]
type About = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What API Gateway gets; `code` is empty for what is no error of the API's shape."""

    status: int
    code: str
    news: bool | None

    @property
    def typed(self) -> bool:
        """Whether it is one of those that the API documents."""
        return self.code in CODES or (self.status == 200 and self.news is not None)


class Faults(logging.Filter):
    """Takes the app's log before pytest does, which keeps all of it; keeps what should never be in it."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self._formatter = logging.Formatter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Formatted as it would be, and thrown away unless a view failed."""
        told = self._formatter.format(record)
        if record.exc_info:
            self.told.append(told)
        return False


class Door:
    """Delivers to the app."""

    def __init__(self) -> None:
        gateway = Gateway(app, lambda: None, lambda: None)
        self._events = {route: gateway.event("POST", route, by=None) for route in (ACCOUNT, ADDRESS)}

    def __call__(
        self,
        body: bytes | None,
        *signatures: str,
        token: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
        text: bool = False,
    ) -> Answer:
        """Deliver these bytes, in Base64 so that each arrives, or as the `text` that API Gateway makes of
        them; to a recording's address where there is a token."""
        told = [*headers, *((SIGNATURE, signature) for signature in signatures)]
        return self.send(self.event(body, told, token=token, text=text))

    def event(
        self,
        body: bytes | None,
        headers: list[tuple[str, str]],
        *,
        token: str | None = None,
        text: bool = False,
    ) -> Item:
        """What API Gateway makes of a delivery."""
        many: dict[str, list[str]] = {}
        for name, value in headers:
            many.setdefault(name, []).append(value)
        return self._events[ACCOUNT if token is None else ADDRESS] | {
            "headers": dict(headers) or None,
            "multiValueHeaders": many or None,
            "pathParameters": None if token is None else {"token": token},
            "body": _told(body, text),
            "isBase64Encoded": not text and body is not None,
        }

    def send(self, event: Item) -> Answer:
        """The app's answer to an event."""
        told = app(event, None)
        body = json.loads(told["body"])
        return Answer(told["statusCode"], body.get("error", {}).get("code", ""), body.get("news"))


class Receiver(Door):
    """Delivers to the app, and looks into its table."""

    def __init__(self, vendor: v.Vendor, faults: Faults) -> None:
        super().__init__()
        self.vendor = vendor
        self.faults = faults
        self._dynamodb = boto3.client("dynamodb")
        self._lay()

    def rows(self) -> list[Item]:
        """Everything in it."""
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]

    def facts(self) -> list[Event]:
        """The facts in it; each was written as it would be again."""
        facts = [(row, items.fact_of(row)) for row in self.rows()]
        torn = [row for row, fact in facts if items.fact_item(row["pk"]["S"], fact) != row]
        assert not torn, f"not as anybody writes it: {torn[:3]}"
        return [fact for _, fact in facts]

    def state(self) -> str:
        """A hash of all that is in it."""
        rows = sorted(json.dumps(row, sort_keys=True) for row in self.rows())
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()

    def empty(self) -> None:
        """Throw the table away, and lay a new one."""
        self._dynamodb.delete_table(TableName=TABLE)
        reset_model_data()  # else moto keeps every item that there ever was, for its dashboard
        self._lay()

    def cold(self, api: str | None = None) -> None:
        """Begin as a new process does, perhaps with VideoSDK at another address."""
        os.environ["VIDEOSDK_API"] = api or self.vendor.url
        wiring.world.cache_clear()

    def _lay(self) -> None:
        self._dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        )


@contextmanager
def receiving(signer: v.Signer) -> Iterator[Receiver]:
    """A receiver that believes this signer."""
    with v.Vendor(v.answer(200, signer.key_answer())) as vendor, _environ(), mock_aws(), _log() as faults:
        boto3.client("secretsmanager").create_secret(Name="webhook-tag", SecretString=TAG_KEY.decode())
        receiver = Receiver(vendor, faults)
        receiver.cold()
        try:
            yield receiver
        finally:
            wiring.world.cache_clear()


@contextmanager
def _environ() -> Iterator[None]:
    told = {
        **_PLACE,
        **dict.fromkeys(REQUIRED, "nobody"),
        "TABLE": TABLE,
        "WEBHOOK_TAG_SECRET": "webhook-tag",
        "COMPOSITIONS": "none",
    }
    before = dict(os.environ)
    os.environ.update(told)
    os.environ.pop("AWS_ENDPOINT_URL", None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _log() -> Iterator[Faults]:
    faults, log, root = Faults(), logging.getLogger("tracklane"), logging.getLogger()
    before = root.level
    log.addFilter(faults)
    try:
        yield faults
    finally:
        log.removeFilter(faults)
        root.setLevel(before)


def recording_id(number: int) -> str:
    """The id of one of many recordings."""
    return ids.recording_id(hashlib.sha256(b"%d" % number).digest()[:16])


def token(number: int, about: About = (v.ROOM, v.PERSON, "audio"), key: bytes = TAG_KEY) -> str:
    """The last part of its address."""
    return ids.webhook_token(key, recording_id(number), about)


def _told(body: bytes | None, text: bool) -> str | None:
    if body is None:
        return None
    return body.decode("utf-8", "replace") if text else base64.b64encode(body).decode()
