"""What the end-to-end tests speak to: the doors of the running stack, its AWS, its simulated VideoSDK."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
import requests
from botocore.config import Config

from local.stack import ROOT
from local.videosdk import Meeting, private_key
from local.videosdk.courier import signature
from tests.e2e.document import Document

PATIENCE_S = 60
LOOK_S = 0.2
TIMEOUT_S = 30

type Told = dict[str, Any]


def until[Found](what: str, look: Callable[[], Found | None]) -> Found:
    """What `look` finds, as soon as that is something."""
    last = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < last, f"not within {PATIENCE_S} s: {what}"
        time.sleep(LOOK_S)
    return found


class Api:
    """The API as an app calls it; each answer must be as documented."""

    def __init__(self, base: str, token: str) -> None:
        self.base = base
        self._authorization = f"Bearer {token}"
        self._http = requests.Session()
        self.document = Document(self._http.get(f"{base}/openapi.json", timeout=TIMEOUT_S).json())

    def __call__(self, method: str, path: str, **more: Any) -> requests.Response:
        """One request, with the app's token unless other headers are given."""
        more.setdefault("headers", {"Authorization": self._authorization})
        answer = self._http.request(method, f"{self.base}{path}", timeout=TIMEOUT_S, **more)
        self.document.hold(method, path, answer)
        return answer

    def get(self, path: str, **params: str | int) -> Told:
        """What a GET tells that must succeed."""
        return self._told(self("GET", path, params=params))

    def post(self, path: str, body: Told | None = None, **headers: str) -> Told:
        """What a POST tells that must succeed."""
        headers = {"Authorization": self._authorization} | headers
        return self._told(self("POST", path, json=body or {}, headers=headers))

    def pages(self, path: str, **params: str | int) -> Iterator[Told]:
        """Every page of a list."""
        cursor: Told = {}
        while True:
            page = self.get(path, **params, **cursor)
            yield page
            if page["cursor"] is None:
                return
            cursor = {"cursor": page["cursor"]}

    def events(self, recording_id: str) -> list[Told]:
        """A recording's ledger."""
        told: list[Told] = self.get(f"/recordings/{recording_id}/events", limit=1000)["events"]
        return told

    def types(self, recording_id: str) -> list[str]:
        """What became of a recording, in order."""
        return [event["type"] for event in self.events(recording_id)]

    def settled(self, recording_id: str) -> Told | None:
        """A recording, once nothing more will come by itself."""
        told = self.get(f"/recordings/{recording_id}")
        return told if told["verdict"]["settled"] else None

    def _told(self, answer: requests.Response) -> Told:
        assert answer.ok, f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}"
        told: Told = answer.json()
        return told


@dataclass(frozen=True)
class Stage:
    """One running stack; `told` is what its file tells."""

    told: Told

    @cached_property
    def api(self) -> Api:
        """Its API."""
        return Api(self.told["api"], self.told["token"])

    def line(self, room_id: str) -> Told:
        """What the list tells of a room's latest session; nothing while there is none."""
        lines: list[Told] = self.api.get("/sessions", roomId=room_id)["sessions"]
        return lines[0] if lines else {}

    # --- AWS ------------------------------------------------------------------------------------------

    def client(self, service: str) -> Any:
        """A boto3 client, in the name of the account's owner."""
        path_style = Config(s3={"addressing_style": "path"})
        return self._session.client(service, endpoint_url=self.told["aws"]["endpoint"], config=path_style)

    def resource(self, logical_id: str) -> str:
        """What AWS calls a resource of the template."""
        detail = self.client("cloudformation").describe_stack_resource(
            StackName=self.told["stackName"], LogicalResourceId=logical_id
        )["StackResourceDetail"]
        return str(detail["PhysicalResourceId"])

    def facts(self, subject: str) -> list[Told]:
        """A subject's facts as they lie in the table."""
        found = self.client("dynamodb").query(
            TableName=self.told["table"],
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": subject}},
        )["Items"]
        return [json.loads(item["told"]["S"]) for item in found if item["sk"]["S"].startswith("event#")]

    def put(self, key: str, body: bytes) -> None:
        """Have an object in the recordings bucket."""
        self.s3.put_object(Bucket=self.told["bucket"], Key=key, Body=body)

    def delivered(self, key: str) -> bytes:
        """An object of the recordings bucket."""
        body: bytes = self.s3.get_object(Bucket=self.told["bucket"], Key=key)["Body"].read()
        return body

    def keys(self, prefix: str) -> list[str]:
        """The keys of the recordings bucket below a prefix."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.told["bucket"], Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def under(self, *parts: str) -> str:
        """A key below the watched prefix."""
        return "/".join((self.told["bucketDirPath"], *parts))

    def send(self, body: str) -> None:
        """Put a message on the queue of delivered objects by hand."""
        self.sqs.send_message(QueueUrl=self.told["queue"], MessageBody=body)

    def idle(self) -> bool:
        """Whether nothing that was delivered waits or is being worked at."""
        return self.waiting("queue") == 0

    def waiting(self, queue: str) -> int:
        """How many messages a queue has, those that are being worked at too."""
        counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        asked = self.sqs.get_queue_attributes(QueueUrl=self.told[queue], AttributeNames=counts)
        return sum(int(asked["Attributes"][name]) for name in counts)

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """For this long no object is told of."""
        rule = self.resource("ObjectCreatedRule")
        self.client("events").disable_rule(Name=rule)
        try:
            yield
        finally:
            self.client("events").enable_rule(Name=rule)

    def reconcile(self) -> None:
        """Have the schedule's function run now."""
        answer = self.client("lambda").invoke(
            FunctionName=self.resource("Reconcile"), Payload=json.dumps(_SCHEDULED)
        )
        assert "FunctionError" not in answer, answer["Payload"].read()

    @cached_property
    def s3(self) -> Any:
        """The buckets."""
        return self.client("s3")

    @cached_property
    def sqs(self) -> Any:
        """The queues."""
        return self.client("sqs")

    @cached_property
    def _session(self) -> boto3.Session:
        aws = self.told["aws"]
        return boto3.Session(aws["accessKeyId"], aws["secretAccessKey"], region_name=aws["region"])

    # --- VideoSDK -------------------------------------------------------------------------------------

    def meeting(self, room_id: str) -> Meeting:
        """A room of the simulation."""
        return Meeting(self.told["videosdk"]["api"], room_id)

    @contextmanager
    def switched(self, **switches: Any) -> Iterator[None]:
        """For this long the simulation behaves otherwise."""
        before = self._control("GET", "switches")
        self._control("PUT", "switches", switches)
        try:
            yield
        finally:
            self._control("PUT", "switches", before)

    def arm(self, **fault: Any) -> None:
        """Have something go wrong in the simulation."""
        self._control("POST", "faults", fault)

    def disarm(self) -> None:
        """Let nothing more go wrong."""
        self._control("DELETE", "faults")

    def letters(self, recording_id: str) -> list[Told]:
        """The webhooks that the simulation sent to a recording's address, or lost."""
        sent: list[Told] = self._control("GET", "webhooks")
        return [letter for letter in sent if f"/{recording_id}." in letter["url"]]

    def deliver(self, body: bytes, to: str = "", **headers: str) -> requests.Response:
        """A webhook of VideoSDK's to one of our addresses, signed unless the headers say otherwise."""
        told = {"Content-Type": "application/json", "videosdk-signature": self.sign(body)} | headers
        return self.api("POST", f"/webhooks/videosdk{to}", data=body, headers=told)

    def sign(self, body: bytes) -> str:
        """VideoSDK's signature under these bytes."""
        return signature(private_key(ROOT / self.told["videosdk"]["webhookPrivateKey"]), body)

    def _control(self, method: str, what: str, told: Any = None) -> Any:
        url = f"{self.told['videosdk']['api']}/simulation/{what}"
        answer = requests.request(method, url, json=told, timeout=TIMEOUT_S)
        answer.raise_for_status()
        return answer.json()


_SCHEDULED = {
    "version": "0",
    "id": "by-hand",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "000000000000",
    "time": "2026-01-01T00:00:00Z",
    "region": "us-east-1",
    "resources": [],
    "detail": {},
}


@dataclass(frozen=True)
class Sitting:
    """A small meeting that is over: one person, one kind, two stretches of a second and a half."""

    stage: Stage
    room_id: str
    session_id: str
    recording_id: str

    @classmethod
    def held(cls, stage: Stage, room_id: str, who: str, kind: str = "audio", ago_ms: int = 0) -> "Sitting":
        """Play it as if it were so long ago, and have it recorded."""
        meeting = stage.meeting(room_id)
        meeting.hold(ago_ms)
        session_id = meeting.join(who)
        asked = {"roomId": room_id, "participantId": who, "kind": kind}
        (recording,) = stage.api.post("/recordings/start", asked)["recordings"]
        for _ in range(2):
            meeting.unmute(who, kind)
            meeting.advance(1_500)
            meeting.mute(who, kind)
            meeting.advance(500)
        stage.api.post("/recordings/stop", {"recordingId": recording["recordingId"]})
        meeting.end()
        meeting.close()
        return cls(stage, room_id, session_id, recording["recordingId"])

    @property
    def files(self) -> list[Told]:
        """The files that VideoSDK wrote."""
        meeting = self.stage.meeting(self.room_id)
        try:
            return [file for recording in meeting.seen()["recordings"] for file in recording["files"]]
        finally:
            meeting.close()
