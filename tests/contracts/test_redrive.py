"""What was given up is tried again when an operator wants it, and the ledger says who that was."""

import itertools
import json
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.adapters.dynamodb import DynamoLedger
from chalicelib.adapters.dynamodb_work import DynamoLeases
from chalicelib.adapters.sqs import SqsQueue
from chalicelib.core import events as e
from chalicelib.core.work import Spent
from chalicelib.ports import recording_subject
from ops.redrive import Redrive
from tests.builders import RID, SESSION
from tests.contracts.conftest import Aws
from tests.contracts.test_queues import drained
from tests.fakes import NOON

SUBJECT = recording_subject(RID)
TARGET = f"sessions/{SESSION}/anna/audio/repaired-1-0123456789abcdef.webm"
GIVEN_UP = {"Reason": "tried 3 times: no room", "Subject": SUBJECT, "Target": TARGET}
OPERATOR = "arn:aws:sts::1:assumed-role/operator/olga"
_NUMBERS = itertools.count(1)


@dataclass
class Stack:
    """The part of a stack that a redrive touches."""

    sqs: Any
    queue: SqsQueue
    ledger: DynamoLedger
    leases: DynamoLeases

    def spend(self) -> None:
        """Three tries at the target."""
        for _ in range(3):
            self.leases.fail(self.leases.take(TARGET, NOON), "no room")

    def redrive(self) -> dict[str, int]:
        """What the operator does."""
        dead, work = self.queue.dead_letters_url, self.queue.url
        return Redrive(self.sqs, None, None, dead, work, "settle", self.ledger, self.leases, OPERATOR).run()

    @property
    def redriven(self) -> list[tuple[str, str]]:
        """Of what the ledger says that it was redriven, and by whom."""
        told = self.ledger.read(SUBJECT)
        return [(fact.target, fact.by) for fact in told if isinstance(fact, e.WorkRedriven)]


@pytest.fixture
def stack(aws: Aws) -> Stack:
    sqs, table, number = aws.client("sqs"), aws.table(), next(_NUMBERS)
    urls = [sqs.create_queue(QueueName=f"{name}-{number}")["QueueUrl"] for name in ("fed", "buried")]
    return Stack(
        sqs, SqsQueue(sqs, *urls), DynamoLedger(aws.dynamodb, table), DynamoLeases(aws.dynamodb, table)
    )


def test_work_that_was_given_up_may_be_tried_three_times_more(stack: Stack) -> None:
    stack.spend()
    stack.queue.bury("the message", GIVEN_UP)

    went = stack.redrive()

    name = stack.queue.url.rpartition("/")[2]
    assert went == {f"back to {name}: tried 3 times: no room": 1}
    assert drained(stack.sqs, stack.queue.url) == ["the message"]
    assert drained(stack.sqs, stack.queue.dead_letters_url) == []
    assert stack.redriven == [(TARGET, OPERATOR)]
    stack.spend()
    with pytest.raises(Spent):
        stack.leases.take(TARGET, NOON)


def test_work_that_was_done_meanwhile_is_not_said_to_be_tried_again(stack: Stack) -> None:
    stack.leases.commit(stack.leases.take(TARGET, NOON), SUBJECT, [e.StartAccepted(at=1)])
    stack.queue.bury("the message", GIVEN_UP)

    stack.redrive()

    assert drained(stack.sqs, stack.queue.url) == ["the message"]
    assert stack.redriven == []


def test_what_was_refused_goes_back_and_touches_no_work(stack: Stack) -> None:
    stack.queue.bury("poison", {"Reason": "unknown_message"})

    [how] = stack.redrive()

    assert how.endswith(": unknown_message")
    assert drained(stack.sqs, stack.queue.url) == ["poison"]
    assert stack.redriven == []


def test_a_redrive_that_dies_half_way_is_repeated_without_harm(stack: Stack) -> None:
    stack.spend()
    for _ in range(2):
        stack.queue.bury("the message", GIVEN_UP)

    assert list(stack.redrive().values()) == [2]

    stack.spend()
    with pytest.raises(Spent):
        stack.leases.take(TARGET, NOON)


def test_an_object_whose_event_was_not_taken_goes_to_the_ingest_queue(stack: Stack) -> None:
    told = json.dumps({"detail-type": "Object Created", "detail": {}})
    stack.sqs.send_message(QueueUrl=stack.queue.dead_letters_url, MessageBody=told)

    assert stack.redrive() == {"objects' events to the ingest queue": 1}
    assert drained(stack.sqs, stack.queue.url) == [told]


def test_what_nobody_knows_stays(stack: Stack) -> None:
    stack.sqs.send_message(QueueUrl=stack.queue.dead_letters_url, MessageBody="what ever")

    for _ in range(2):
        assert stack.redrive() == {"kept: nobody knows where it came from": 1}


def test_what_fails_again_at_once_is_left_for_the_next_time(stack: Stack) -> None:
    stack.queue.bury("poison", {"Reason": "unknown_message"})

    def fail(params: dict[str, str], **_: object) -> None:
        if params["QueueUrl"] == stack.queue.url:
            stack.queue.bury(params["MessageBody"], {"Reason": "unknown_message"})

    stack.sqs.meta.events.register("provide-client-params.sqs.SendMessage", fail)

    assert list(stack.redrive().values()) == [1]
    assert drained(stack.sqs, stack.queue.dead_letters_url) == ["poison"]
