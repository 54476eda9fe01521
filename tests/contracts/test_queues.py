"""What is sent on: work to the queues, and the word that a session is ready."""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from chalicelib.adapters.eventbridge import EventBridgeBell
from chalicelib.adapters.sqs import SqsQueue, SqsWork
from chalicelib.core.errors import Unavailable
from chalicelib.core.ids import Kind
from chalicelib.core.order import Order, order_of
from chalicelib.core.step import Output, Piece, Step, Track
from chalicelib.core.trigger import Appeared, appeared
from chalicelib.ports import Bell, Work
from tests.contracts.conftest import BOTH, Aws, Wire
from tests.fakes import MemoryBell, MemoryWork, Tape

BUCKET = "deliveries"
_NUMBERS = itertools.count(1)


@dataclass
class Queues:
    """The port, and what came out at the other end."""

    work: Work
    objects: Callable[[], list[Appeared]]
    messages: Callable[[], list[dict[str, Any]]]


@pytest.fixture(params=BOTH)
def queues(request: pytest.FixtureRequest, aws: Aws) -> Queues:
    if request.param == "memory":
        work = MemoryWork(Tape(), BUCKET)
        return Queues(work, lambda: list(work.objects), lambda: list(work.steps))
    sqs = aws.client("sqs")
    urls = [sqs.create_queue(QueueName=f"queue-{name}-{id(request)}")["QueueUrl"] for name in ("in", "out")]
    return Queues(
        SqsWork(sqs, BUCKET, *urls),
        lambda: [thing for body in drained(sqs, urls[0]) for thing in appeared(body)],
        lambda: [json.loads(body) for body in drained(sqs, urls[1])],
    )


def drained(sqs: Any, url: str) -> list[str]:
    """Every message of a queue."""
    bodies: list[str] = []
    while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        bodies += [message["Body"] for message in got]
    return bodies


def order(number: int) -> dict[str, Any]:
    """What a message asks for: every other is large and lies elsewhere."""
    if number % 2:
        return {"plan": f"sessions/s/sound/{number:016x}/plan.json"}
    piece = Piece("sessions/s/anna/audio/repaired-1-0.webm", "sessions/s/anna/audio/index-1-0.json", 0, 9)
    output = Output("stem", "flac", "stem.flac", "anna-ä", Kind.AUDIO)
    track = Track("anna-ä", Kind.AUDIO, "opus", (piece,))
    step = Step("sound", "s", f"sessions/s/sound/{number:016x}", 1, 0, 9, (track,), (output,))
    return Order(step, {piece.source: ("rec-1", "a.webm")}).told()


@pytest.mark.parametrize("count", [0, 1, 10, 11, 25])
def test_every_object_arrives_as_the_bucket_would_have_told_it(queues: Queues, count: int) -> None:
    keys = [f"recordings/a b+c%2F-ü😀/{number}.webm" for number in range(count)]

    queues.work.ingest(key for key in keys)

    assert sorted(thing.key for thing in queues.objects()) == sorted(keys)
    assert {thing.bucket for thing in queues.objects()} <= {BUCKET}
    assert queues.messages() == []


@pytest.mark.parametrize("count", [0, 1, 10, 11])
def test_every_order_arrives(queues: Queues, count: int) -> None:
    orders = [order(number) for number in range(count)]

    queues.work.make(message for message in orders)

    came, sent = (sorted(json.dumps(told) for told in some) for some in (queues.messages(), orders))
    assert came == sent


def test_an_order_is_the_same_after_its_way() -> None:
    told = order(0)

    assert order_of(json.loads(json.dumps(told))).told() == told


def test_a_queue_that_is_down_is_unavailable(aws: Aws) -> None:
    wire = Wire(aws.client("sqs"))
    url = wire.client.create_queue(QueueName="down")["QueueUrl"]
    work = SqsWork(wire.client, BUCKET, url, url)
    wire.broken["*"] = ConnectTimeoutError(endpoint_url="sqs")

    with pytest.raises(Unavailable, match="queue_unavailable"):
        work.ingest(["a"])
    with pytest.raises(Unavailable, match="queue_unavailable"):
        work.make([order(1)])


def test_a_queue_that_does_not_exist_is_unavailable(aws: Aws) -> None:
    sqs = aws.client("sqs")

    with pytest.raises(Unavailable, match="queue_unavailable"):
        SqsWork(sqs, BUCKET, "https://sqs.us-east-1.amazonaws.com/1/none", "x").ingest(["a"])


# --- where messages come from ---------------------------------------------------------------------


@pytest.fixture
def fed(aws: Aws) -> tuple[Wire, SqsQueue]:
    """A queue with its dead letters, and the wire to both."""
    wire = Wire(aws.client("sqs"))
    numbers = (f"{name}-{next(_NUMBERS)}" for name in ("work", "dead"))
    urls = [wire.client.create_queue(QueueName=name)["QueueUrl"] for name in numbers]
    return wire, SqsQueue(wire.client, *urls)


def test_a_message_that_is_hidden_comes_back_when_it_was_told_to(fed: tuple[Wire, SqsQueue]) -> None:
    wire, queue = fed
    wire.client.send_message(QueueUrl=queue.url, MessageBody="again")
    [message] = wire.client.receive_message(QueueUrl=queue.url)["Messages"]
    assert drained(wire.client, queue.url) == []

    queue.hide(message["ReceiptHandle"], 0)

    assert drained(wire.client, queue.url) == ["again"]


def test_a_dead_letter_says_why_and_where_it_came_from(fed: tuple[Wire, SqsQueue]) -> None:
    wire, queue = fed

    queue.bury("the message ü", {"Reason": "no picture", "Target": "a/b.webm"})

    asked = {"QueueUrl": queue.dead_letters_url, "MessageAttributeNames": ["All"]}
    [letter] = wire.client.receive_message(**asked)["Messages"]
    said = {name: told["StringValue"] for name, told in letter["MessageAttributes"].items()}
    assert letter["Body"] == "the message ü"
    assert said == {"Queue": queue.url.rpartition("/")[2], "Reason": "no picture", "Target": "a/b.webm"}


def test_a_queue_that_can_not_be_reached_neither_hides_nor_buries(fed: tuple[Wire, SqsQueue]) -> None:
    wire, queue = fed
    wire.broken["*"] = ConnectTimeoutError(endpoint_url="sqs")

    with pytest.raises(Unavailable, match="queue_unavailable"):
        queue.hide("receipt", 30)
    with pytest.raises(Unavailable, match="queue_unavailable"):
        queue.bury("body", {"Reason": "x"})


# --- the bell -------------------------------------------------------------------------------------

READY = {"sessionId": "s-ä", "roomId": None, "manifestKey": "k", "complete": True, "missing": 0}


def test_who_listens_hears_that_a_session_is_ready(aws: Aws) -> None:
    sqs, events = aws.client("sqs"), aws.client("events")
    url = sqs.create_queue(QueueName="listener")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["tracklane"], "detail-type": ["Session Ready"]}
    events.put_rule(Name="ready", EventPattern=json.dumps(pattern), State="ENABLED")
    events.put_targets(Rule="ready", Targets=[{"Id": "1", "Arn": arn}])

    EventBridgeBell(events).ready(READY)

    [body] = drained(sqs, url)
    assert json.loads(body)["detail"] == READY


def test_the_bell_in_memory_remembers_the_same() -> None:
    bell = MemoryBell(Tape())

    bell.ready(READY)

    assert bell.rung == [READY]


def bells(aws: Aws) -> tuple[Wire, Bell]:
    """A bell and its wire."""
    wire = Wire(aws.client("events"))
    return wire, EventBridgeBell(wire.client)


def test_a_bus_that_is_down_is_unavailable(aws: Aws) -> None:
    wire, bell = bells(aws)
    wire.broken["*"] = ConnectTimeoutError(endpoint_url="events")

    with pytest.raises(Unavailable, match="events_unavailable"):
        bell.ready(READY)


def test_an_event_that_was_not_taken_is_unavailable(aws: Aws) -> None:
    wire, bell = bells(aws)

    def refuse(parsed: dict[str, Any], **_: Any) -> None:
        parsed["FailedEntryCount"] = 1

    wire.client.meta.events.register("after-call.events.PutEvents", refuse)

    with pytest.raises(Unavailable, match="events_unavailable"):
        bell.ready(READY)
