"""The queues' door: what fails comes back by itself, soon where waiting helps, at once where it does not."""

from collections.abc import Callable
from typing import Any

import pytest
from chalice.app import SQSEvent

from chalicelib.core.errors import Invalid, Unavailable
from chalicelib.routes.batch import each

REFUSAL = Invalid("unknown_message", "the message tells of no object", "body", "one that does")
OUTAGE = Unavailable("bucket_unavailable", "S3 can not be reached; try again")


def event(*messages: tuple[str, int]) -> SQSEvent:
    """Messages by what they say and how often they were received."""
    records = [
        {
            "messageId": f"id of {body}",
            "receiptHandle": f"receipt of {body}",
            "body": body,
            "attributes": {"ApproximateReceiveCount": str(count)},
        }
        for body, count in messages
    ]
    return SQSEvent({"Records": records}, None)


def raising(faults: dict[str, Exception]) -> Callable[[str], None]:
    """Work that fails for some messages."""

    def do(body: str) -> None:
        if body in faults:
            raise faults[body]

    return do


def test_a_message_that_fails_takes_no_other_with_it() -> None:
    told = each(event(("good", 1), ("bad", 1), ("better", 1)), raising({"bad": OUTAGE}), lambda *_: None)

    assert told == {"batchItemFailures": [{"itemIdentifier": "id of bad"}]}


PAUSES: dict[str, tuple[Exception, int, int]] = {
    "a neighbour may need half a minute": (OUTAGE, 1, 30),
    "or some minutes": (OUTAGE, 2, 300),
    "after the third time nothing is waited for": (OUTAGE, 3, 0),
    "a fault of ours may need a neighbour too": (KeyError("x"), 1, 30),
    "what was refused is refused again": (REFUSAL, 1, 0),
}


@pytest.mark.parametrize(("fault", "tried", "pause"), list(PAUSES.values()), ids=list(PAUSES))
def test_a_message_that_failed_comes_back_when_it_may_succeed(
    fault: Exception, tried: int, pause: int
) -> None:
    asked: list[Any] = []

    each(event(("bad", tried)), raising({"bad": fault}), lambda *told: asked.append(told))

    assert asked == [("receipt of bad", pause)]


def test_a_message_whose_return_can_not_be_hastened_returns_all_the_same() -> None:
    def unreachable(*_: object) -> None:
        raise OUTAGE

    told = each(event(("bad", 1)), raising({"bad": OUTAGE}), unreachable)

    assert told == {"batchItemFailures": [{"itemIdentifier": "id of bad"}]}
