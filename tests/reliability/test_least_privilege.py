"""Each function may do just what it does: its calls to AWS are its policy's rights, and no right is idle."""

import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.handlers import BUILTIN_HANDLERS
from moto import mock_aws
from moto.s3.models import s3_backends

import app as functions
from app import app
from chalicelib import wiring
from chalicelib.config import REQUIRED
from chalicelib.core import ids
from chalicelib.core.events import CompositionCancelled, RecordingRequested
from chalicelib.core.ids import Kind
from chalicelib.core.order import Order
from chalicelib.core.plan import REPAIRED
from chalicelib.core.recording import Recording
from chalicelib.core.step import Output, Piece, Step, Track
from chalicelib.flows.reconcile import STEP_MS
from chalicelib.flows.settle import settle_recording
from chalicelib.ports import composition_subject, recording_subject
from chalicelib.routes.authorizer import authorize
from tests.adapters import vendor as v
from tests.contracts.conftest import TABLE as SHAPE
from tests.media.live import OPUS, VP8, Sent, el, live, opus, shifted, video
from tests.routes.gateway import Gateway
from tests.routes.stage import bearer
from tests.tally import Tally

POLICIES = Path(__file__).parents[2] / ".chalice" / "policies"
REGION = "eu-central-1"
DAY_MS = 86_400_000

type Right = tuple[str, str]

# What Lambda itself does in a function's name, and S3's condition for saying 404 instead of 403.
NOT_OURS: dict[str, set[Right]] = {
    **{name: {("sqs:ReceiveMessage", queue), ("sqs:DeleteMessage", queue), ("sqs:GetQueueAttributes", queue)}
       for name, queue in (("ingest", "IngestQueue"), ("render", "RenderQueue"))},
    "settle": {
        ("dynamodb:DescribeStream", "Table/stream"), ("dynamodb:GetRecords", "Table/stream"),
        ("dynamodb:GetShardIterator", "Table/stream"), ("dynamodb:ListStreams", "Table/stream"),
        ("sqs:SendMessage", "DeadLetterQueue"),
    },
}  # fmt: skip
NOT_OURS["ingest"] |= {("s3:ListBucket", "RecordingsBucket")}
NOT_OURS["render"] |= {("s3:ListBucket", "OutputBucket")}
# A file of many parts that breaks off: the same code as in render, where it is tried.
NOT_OURS["compose"] = {("s3:ListBucket", "OutputBucket"), ("s3:AbortMultipartUpload", "OutputBucket")}
EVERYBODYS = re.compile(r"logs:(CreateLogStream|PutLogEvents)|xray:PutT(raceSegments|elemetryRecords)")

# The names that resources have in the policies, by a text that only they have.
NAMES = {
    "${Table.Arn}/index": "Table/index", "${Table.Arn}/stream": "Table/stream", '"Table"': "Table",
    "RecordingsBucket": "RecordingsBucket", "OutputBucket": "OutputBucket", "IngestQueue": "IngestQueue",
    "RenderQueue": "RenderQueue", "DeadLetterQueue": "DeadLetterQueue",
    "VideoSdkSecretName": "VideoSdkSecret", "WebhookTagSecret": "WebhookTagSecret",
    "AppTokenSecret": "AppTokenSecret", "event-bus/default": "EventBus", "-compositions": "Compositions",
}  # fmt: skip


def granted(function: str) -> set[Right]:
    """What a function's policy allows, on which resource."""
    policy = json.loads((POLICIES / f"{function}.json").read_text())
    return {
        (action, name)
        for statement in policy["Statement"]
        for resource in _list(statement["Resource"])
        for action in statement["Action"]
        for name in [_named(resource)]
        if not EVERYBODYS.fullmatch(action)
    }


def _list(told: Any) -> list[Any]:
    return told if isinstance(told, list) else [told]


def _named(resource: Any) -> str:
    told = json.dumps(resource)
    return next((name for text, name in NAMES.items() if text in told), told)


# --- what is called ---------------------------------------------------------------------------------


@dataclass
class Notes:
    """Who called what; `who` is set by the stage. `upon_write` is done when the next object is written."""

    who: str = ""
    rights: dict[str, set[Right]] = field(default_factory=dict)
    upon_write: Callable[[], None] | None = None

    def hear(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        """A call, or an address that is signed for one."""
        service, name = model.service_model.service_name, model.name
        if name == "PutObject" and self.upon_write:
            meanwhile, self.upon_write = self.upon_write, None
            meanwhile()
        if self.who:
            found = {(right, _resource(service, params)) for right in _rights(service, name, params)}
            self.rights.setdefault(self.who, set()).update(found)


NOTES = Notes()
# Before there is any client, so that none is overlooked.
BUILTIN_HANDLERS.append(("provide-client-params", NOTES.hear))

# Where a right is not called as its operation is.
RIGHTS = {
    "s3:ListObjectsV2": "s3:ListBucket", "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject", "s3:CompleteMultipartUpload": "s3:PutObject",
    "sqs:SendMessageBatch": "sqs:SendMessage", "stepfunctions:StartExecution": "states:StartExecution",
    "stepfunctions:StopExecution": "states:StopExecution",
}  # fmt: skip
ITEMS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
}


def _rights(service: str, name: str, params: dict[str, Any]) -> set[str]:
    if name == "TransactWriteItems":
        return {f"dynamodb:{ITEMS[kind]}" for item in params["TransactItems"] for kind in item}
    return {RIGHTS.get(f"{service}:{name}", f"{service}:{name}")}


def _resource(service: str, params: dict[str, Any]) -> str:
    match service:
        case "dynamodb":
            return "Table/index" if "IndexName" in params else "Table"
        case "s3":
            return str(params["Bucket"])
        case "sqs":
            return str(params["QueueUrl"]).rpartition("/")[2]
        case "secretsmanager":
            return str(params["SecretId"])
    return {"events": "EventBus", "stepfunctions": "Compositions"}.get(service, service)


# --- the stage --------------------------------------------------------------------------------------


@dataclass
class Context:
    """What Lambda gives beside the event: enough time, for so many questions."""

    answers: int = 1_000_000
    memory_limit_in_mb: str = "1769"

    def get_remaining_time_in_millis(self) -> int:
        """Until the function is ended."""
        self.answers -= 1
        return 600_000 if self.answers >= 0 else 0


# What the schedule sends.
TICK = {
    "version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events", "account": "1",
    "time": "2026-01-01T00:00:00Z", "region": "eu-central-1", "resources": [], "detail": {},
}  # fmt: skip


IDLE = '{"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 60, "End": true}}}'


@dataclass
class Stage:
    """The functions over an AWS in this process, each beginning as a new process does."""

    vendor: v.Vendor
    signer: v.Signer
    dynamodb: Any
    s3: Any
    sqs: Any

    @contextmanager
    def function(self, name: str) -> Iterator[None]:
        """What is done now, this function does."""
        wiring.world.cache_clear()
        wiring.callers.cache_clear()
        NOTES.who = name
        try:
            yield
        finally:
            NOTES.who = ""

    def queued(self, name: str, handler: Any, *bodies: str, received: int = 1) -> None:
        """Messages of a queue, one by one."""
        for body in bodies:
            attributes = {"ApproximateReceiveCount": str(received)}
            record = {"body": body, "messageId": "m", "receiptHandle": "none", "attributes": attributes}
            with self.function(name):
                handler({"Records": [record]}, Context())

    def delivered(self, key: str, body: bytes | None) -> str:
        """An object came into the recordings bucket; without a body it is gone again. The message of it."""
        if body is not None:
            self.s3.put_object(Bucket="RecordingsBucket", Key=key, Body=body)
        told = {"bucket": {"name": "RecordingsBucket"}, "object": {"key": key}}
        return json.dumps({"detail-type": "Object Created", "detail": told})

    def waiting(self, queue: str) -> list[str]:
        """The messages in a queue."""
        url = self.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        told = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [message["Body"] for message in told.get("Messages", [])]

    def subjects(self) -> list[str]:
        """All that facts are known of."""
        found = self.dynamodb.scan(TableName="Table")["Items"]
        return sorted({item["pk"]["S"] for item in found if item["sk"]["S"].startswith("event#")})


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    signer, before, level = v.Signer(), dict(os.environ), logging.getLogger().level
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": REGION,
    }  # fmt: skip
    os.environ.pop("AWS_ENDPOINT_URL", None)
    with v.Vendor(v.answer(200, _answer(signer, []))) as vendor, mock_aws():
        clients = (boto3.client(name) for name in ("dynamodb", "s3", "sqs"))
        made = Stage(vendor, signer, *clients)
        os.environ |= _laid(made)
        yield made
    wiring.world.cache_clear()
    wiring.callers.cache_clear()
    os.environ.clear()
    os.environ.update(before)
    logging.getLogger().setLevel(level)


def _answer(signer: v.Signer, tracks: list[dict[str, Any]]) -> dict[str, Any]:
    """One answer that says yes to a command, has the key, and lists the tracks."""
    told: dict[str, Any] = json.loads(signer.key_answer())
    return told | {"message": "ok", "data": tracks, "pageInfo": {"lastPage": 1}}


def _laid(stage: Stage) -> dict[str, str]:
    names = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    stage.dynamodb.create_table(TableName="Table", **{name: SHAPE[name] for name in names})
    for bucket in ("RecordingsBucket", "OutputBucket"):
        here = {"LocationConstraint": REGION}
        stage.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=here)
    secrets = {
        "VideoSdkSecret": json.dumps({"apiKey": "k", "secret": "s" * 40}),
        "WebhookTagSecret": "the tag's key",
        "AppTokenSecret": "a" * 64,
    }
    for name, value in secrets.items():
        boto3.client("secretsmanager").create_secret(Name=name, SecretString=value)
    queues = {
        f"{word.upper()}_QUEUE_URL": stage.sqs.create_queue(QueueName=name)["QueueUrl"]
        for word, name in (
            ("ingest", "IngestQueue"), ("render", "RenderQueue"), ("dead_letter", "DeadLetterQueue"),
        )
    }  # fmt: skip
    told = {
        "TABLE": "Table", "RECORDINGS_BUCKET": "RecordingsBucket", "OUTPUT_BUCKET": "OutputBucket",
        "BUCKET_DIR_PATH": "rec", "VIDEOSDK_SECRET": "VideoSdkSecret",
        "WEBHOOK_TAG_SECRET": "WebhookTagSecret", "APP_TOKEN_SECRET": "AppTokenSecret", **queues,
        "COMPOSITIONS": boto3.client("stepfunctions").create_state_machine(
            name="Compositions", definition=IDLE, roleArn="arn:aws:iam::123456789012:role/compositions"
        )["stateMachineArn"],
    }  # fmt: skip
    assert told.keys() == set(REQUIRED)
    return {
        **told,
        "VIDEOSDK_API": stage.vendor.url,
        "PUBLIC_URL": "https://api.example",
        "GRACE_MINUTES": "0",
    }


# --- the story: each function does all that it can do -------------------------------------------------

GATEWAY = Gateway(app, lambda: None, lambda: None)
ROOM, WHO, SESSION = "room-1", "ann", "session-1"
TRACK = {"roomId": ROOM, "participantId": WHO, "kind": "video"}
FILM = live(VP8, video(60))
# Too large for one PUT; and one more, which turns out to be none when much of it is written.
LONG = live(
    OPUS, [Sent(s.at, True, s.data * 400) for turn in range(6) for s in shifted(opus(3000), 3000 * turn)]
)


def _api(stage: Stage) -> str:
    """Every route; the id of the recording that was started."""
    with stage.function("api"):
        headers = [("Content-Type", "application/json"), ("Idempotency-Key", "k1")]
        for _ in range(2):
            started = GATEWAY.post("/recordings/start", TRACK, headers=headers)
        GATEWAY.post("/recordings/start", TRACK)
        recording_id = str(started.told["recordings"][0]["recordingId"])
        address = json.loads(next(s.body for s in stage.vendor.seen if b"webhookUrl" in s.body))["webhookUrl"]
        told = v.body_of(
            "participant-track-recording-started",
            meetingId=ROOM, sessionId=SESSION, participantId=WHO, kind="video",
        )  # fmt: skip
        signed = [("VideoSDK-Signature", stage.signer.sign(told))]
        assert (
            GATEWAY.post(f"/webhooks/{address.partition('/webhooks/')[2]}", told, headers=signed).status
            == 200
        )
    return recording_id


def _looks(stage: Stage, recording_id: str) -> None:
    with stage.function("api"):
        GATEWAY.post("/recordings/stop", TRACK)
        paths = (
            "/recordings", f"/recordings/{recording_id}", f"/recordings/{recording_id}/events", "/sessions",
            f"/sessions/{SESSION}",
        )  # fmt: skip
        for path in paths:
            assert GATEWAY.get(path).status == 200, path
        assert GATEWAY.get("/recordings", f"sessionId={SESSION}").status == 200
        assert GATEWAY.post(f"/sessions/{SESSION}/finish").status == 202


def _ingests(stage: Stage, recording_id: str) -> None:
    at = f"rec/{recording_id}/{SESSION}/{WHO}/video/x_{{}}.webm"
    bodies = {1: FILM, 2: LONG, 3: LONG + el("1941a469", bytes(50)), 4: None}
    messages = [stage.delivered(at.format(1_750_000_000_000 + n), body) for n, body in bodies.items()]
    stage.queued("ingest", functions.ingest, *messages, messages[0], "no message")
    busy = stage.delivered(at.format(1_750_000_000_009), FILM)
    _leased(stage, lambda: stage.queued("ingest", functions.ingest, busy), at.format(1_750_000_000_009))


def _leased(stage: Stage, meanwhile: Callable[[], None], key: str) -> None:
    """Somebody else is at this object's work."""
    etag = stage.s3.head_object(Bucket="RecordingsBucket", Key=key)["ETag"].strip('"')
    world = wiring.world()
    digest = ids.input_digest("RecordingsBucket", key, etag, REPAIRED.version)
    where = ids.place(key, "rec")
    world.leases.take(ids.artifact_key(where, REPAIRED.product, digest, REPAIRED.extension), world.now())
    meanwhile()


def _renders(stage: Stage) -> None:
    """The steps that ingest queued, once more; one that is none; and one that breaks off in a large file."""
    (first, *_) = steps = stage.waiting("RenderQueue")
    stage.queued("render", functions.render, *steps, first)
    stage.queued("render", functions.render, "{}", received=3)
    stage.queued("render", functions.render, json.dumps(_broken(stage)))


def _broken(stage: Stage) -> dict[str, Any]:
    """A copy of the longest file, and of one behind it that is gone."""
    things = stage.s3.list_objects_v2(Bucket="OutputBucket", Prefix="sessions/")["Contents"]
    long = max(things, key=lambda thing: int(thing["Size"]))["Key"]
    index, end = ids.index_key(long), 18_000
    pieces = (Piece(long, index, 0, end), Piece("sessions/gone.webm", index, end, 2 * end))
    output = Output("track", "webm", "track-audio-opus.webm", WHO, Kind.AUDIO)
    track = Track(WHO, Kind.AUDIO, "opus", pieces)
    target = "sessions/s/copies/ann/0123456789abcdef"
    step = Step("copies", SESSION, target, 0, 0, 2 * end, (track,), (output,))
    return Order(step, {}).told()


def _settles(stage: Stage) -> None:
    news = [_news(subject) for subject in stage.subjects()]
    with stage.function("settle"):
        functions.settle({"Records": news}, Context())


def _news(subject: str) -> dict[str, Any]:
    """What the table's stream says of a new fact."""
    told = {
        "ApproximateCreationDateTime": 1_750_000_000.0, "Keys": {"pk": {"S": subject}}, "SequenceNumber": "1",
        "SizeBytes": 9, "StreamViewType": "KEYS_ONLY",
    }  # fmt: skip
    source = "arn:aws:dynamodb:eu-central-1:123456789012:table/Table/stream/2026-01-01T00:00:00.000"
    return {
        "eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb", "eventSourceARN": source,
        "eventVersion": "1.1", "awsRegion": "eu-central-1", "dynamodb": told,
    }  # fmt: skip


def _reconciles(stage: Stage) -> None:
    """A start that nobody confirmed, an object that nobody heard of, an end that is overdue, and steps that
    were queued long ago."""
    world = wiring.world()
    for number in range(2):
        asked = RecordingRequested(
            at=world.now() - DAY_MS // 2,
            room_id=ROOM,
            participant_id=f"bob{number}",
            kind=Kind.AUDIO,
            by="app",
        )
        recording_id = f"rec-{number:032x}"
        world.ledger.append(recording_subject(recording_id), asked)
        settle_recording(world, recording_id)
        if number:
            stage.delivered(f"rec/{recording_id}/{SESSION}/bob{number}/audio/x_1750000000000.webm", FILM)
    making = world.catalog.making(SESSION)
    assert making is not None
    world.catalog.keep_making(replace(making, queued_at=making.queued_at - STEP_MS))
    with stage.function("reconcile"):
        functions.reconcile(TICK, Context())


def _sweeps(stage: Stage) -> None:
    """An object that was never heard of, and an output that nobody committed."""
    world = wiring.world()
    key = "sessions/s/ann/audio/repaired-1-0.webm"
    stage.s3.put_object(Bucket="OutputBucket", Key=key, Body=b"x")
    world.leases.take(key, world.now() - 2 * DAY_MS)
    stage.delivered(f"rec/{SESSION}/{WHO}/audio/x_1750000000000.webm", FILM)
    for bucket in ("OutputBucket", "RecordingsBucket"):
        for thing in s3_backends["123456789012"]["aws"].buckets[bucket].keys.values():
            thing.last_modified -= timedelta(days=1, hours=1)
    for answers in (3, 1_000):
        with stage.function("sweep"):
            functions.sweep(TICK, Context(answers))


HERE = f"/sessions/{SESSION}/compositions"
SMALL = {"width": 160, "height": 160, "frameRate": 10, "layout": "speaker"}


def _composes(stage: Stage) -> None:
    """A composition from its request to its end; one that is called off while it is planned and one while it
    is rendered; and one that its machine gave up."""
    told = _composition(stage, SMALL)
    _rendered(stage, told, _planned(stage, told))
    with stage.function("api"):
        answer = GATEWAY.get(f"{HERE}/{told['compositionId']}")
        assert (answer.told["phase"], GATEWAY.get(HERE).status) == ("ready", 200)
        stream = answer.told["urls"]["hls"].partition("/sessions/")[2]
        assert GATEWAY.get(f"/sessions/{stream}").status == 200
        assert GATEWAY("DELETE", f"{HERE}/{told['compositionId']}").status == 200
    planned = _composition(stage, SMALL | {"names": False})
    NOTES.upon_write = partial(_called_off, planned)
    _planned(stage, planned)
    rendered = _composition(stage, SMALL | {"width": 320})
    plan = _planned(stage, rendered)
    NOTES.upon_write = partial(_called_off, rendered)
    with stage.function("compose"):
        functions.compose({**rendered, "task": "chunk", "place": plan["chunks"][0]}, Context())
    lost = _composition(stage, SMALL | {"height": 320})
    given_up = {"input": json.dumps(lost), "status": "FAILED", "error": "Died", "cause": "no reason"}
    with stage.function("compose_end"):
        functions.compose_end(TICK | {"source": "aws.states", "detail": given_up}, Context())


def _composition(stage: Stage, request: dict[str, Any]) -> dict[str, Any]:
    """What the machine was told to run."""
    with stage.function("api"):
        composition_id = GATEWAY.post(HERE, request).told["compositionId"]
    client = boto3.client("stepfunctions")
    machine = os.environ["COMPOSITIONS"].replace(":stateMachine:", ":execution:")
    told: dict[str, Any] = json.loads(
        client.describe_execution(executionArn=f"{machine}:{composition_id}-1")["input"]
    )
    return told


def _planned(stage: Stage, told: dict[str, Any]) -> dict[str, Any]:
    with stage.function("compose_plan"):
        plan: dict[str, Any] = functions.compose_plan(told, Context())
    return plan


def _rendered(stage: Stage, told: dict[str, Any], plan: dict[str, Any]) -> None:
    work = [("chunk", place) for place in plan["chunks"]] + [("part", place) for place in plan["slices"]]
    with stage.function("compose"):
        for task, place in [*work, ("mix", plan["head"]), ("finish", plan["head"])]:
            functions.compose({**told, "task": task, "place": place}, Context())


def _called_off(told: dict[str, Any]) -> None:
    """Somebody calls the run off, and somebody else's right it is."""
    who, NOTES.who = NOTES.who, ""
    world = wiring.world()
    world.ledger.append(
        composition_subject(told["compositionId"]),
        CompositionCancelled(at=world.now(), run=told["run"], by="app"),
    )
    NOTES.who = who


def played(stage: Stage) -> dict[str, set[Right]]:
    """The whole story, and the rights that each function needed in it."""
    recording_id = _api(stage)
    with stage.function("authorize"):
        arn = "arn:aws:execute-api:eu-central-1:123456789012:abc123/v1/GET/recordings"
        authorize({"type": "TOKEN", "authorizationToken": bearer("a" * 64), "methodArn": arn}, {})
    _ingests(stage, recording_id)
    _settles(stage)
    _looks(stage, recording_id)
    _renders(stage)
    track = {
        "id": "t1", "sessionId": SESSION, "participantId": WHO, "kind": "video",
        "start": "2025-06-15T15:06:40Z", "end": "2025-06-15T15:09:40Z", "files": [],
    }  # fmt: skip
    stage.vendor.play(v.answer(200, _answer(stage.signer, [track])))
    _settles(stage)
    _composes(stage)
    _reconciles(stage)
    _sweeps(stage)
    return NOTES.rights


@pytest.mark.invariant(29, "what a function calls is what its policy grants, and nothing more")
def test_each_function_may_do_what_it_does_and_nothing_else(
    tally: Tally, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "tracklane")
    called = played(stage)
    assert called.keys() == {path.stem for path in POLICIES.glob("*.json")}
    for function, rights in called.items():
        allowed = granted(function)
        tally.case(len(allowed | rights))
        for right in sorted(rights - allowed):
            tally.violation(f"{function} lacks {right}")
        for right in sorted(allowed - rights - NOT_OURS.get(function, set())):
            tally.violation(f"{function} never needs {right}")
        tally.violation(f"{function} has a whole service") if any("*" in a for a, _ in allowed) else None
    asked = recording_subject(
        next(s for s in stage.subjects() if s.startswith("recording#")).partition("#")[2]
    )
    assert Recording.of("r", wiring.world().ledger.read(asked)).facts, "the story did nothing"
