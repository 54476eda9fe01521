"""The queues' door: what fails comes back when that may help, and else is buried, with the reason."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from chalice.app import SQSEvent

from chalicelib.core.errors import Invalid, Unavailable
from chalicelib.core.work import Busy, GivenUp, LeaseLost, TryFailed
from chalicelib.routes.batch import all_of, each

REFUSAL = Invalid("unknown_message", "the message tells of no object", "body", "one that does")
OUTAGE = Unavailable("bucket_unavailable", "S3 can not be reached; try again")
BUSY = Busy("work_busy", "somebody is at it", 40)
LOST = LeaseLost("lease_lost", "somebody else has it")
GIVEN_UP = GivenUp("work_given_up", "tried 3 times: no picture", "recording#rec-1", "sessions/s/a.webm")


def failed(tries: int) -> TryFailed:
    """A try under a lease."""
    return TryFailed("try_failed", "the bucket is down", tries)


@dataclass
class Listening:
    """Answers to the port `Queue`, and remembers; what is in `down` can not be reached."""

    down: set[str] = field(default_factory=set)
    hidden: list[tuple[str, int]] = field(default_factory=list)
    buried: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def hide(self, receipt: str, seconds: int) -> None:
        """Remembered."""
        if "hide" in self.down:
            raise OUTAGE
        self.hidden.append((receipt, seconds))

    def bury(self, body: str, said: dict[str, str]) -> None:
        """Remembered."""
        if "bury" in self.down:
            raise OUTAGE
        self.buried.append((body, said))


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


def met(fault: Exception, received: int, queue: Listening) -> list[Any]:
    """The failures that are told to the queue when a message meets this fault at so manieth receipt."""
    failures: list[Any] = each(event(("bad", received)), raising({"bad": fault}), queue)["batchItemFailures"]
    return failures


BACK = [{"itemIdentifier": "id of bad"}]


def test_a_message_that_fails_takes_no_other_with_it() -> None:
    told = each(event(("good", 1), ("bad", 1), ("better", 1)), raising({"bad": OUTAGE}), Listening())

    assert told == {"batchItemFailures": BACK}


PAUSES: dict[str, tuple[Exception, int, int]] = {
    "a neighbour may need half a minute": (OUTAGE, 1, 30),
    "or some minutes": (OUTAGE, 2, 300),
    "a fault of ours may need a neighbour too": (KeyError("x"), 1, 30),
    "a first try under a lease": (failed(1), 1, 30),
    "a second": (failed(2), 5, 300),
    "a third is about to be given up": (failed(3), 3, 0),
    "a try after a redrive": (failed(4), 1, 30),
    "somebody is at it": (BUSY, 1, 40),
    "and is long at it": (BUSY, 5, 640),
    "somebody else took it": (LOST, 1, 30),
    "or took it when we came again": (LOST, 4, 300),
}


@pytest.mark.parametrize(("fault", "received", "pause"), list(PAUSES.values()), ids=list(PAUSES))
def test_a_message_that_failed_comes_back_when_it_may_succeed(
    fault: Exception, received: int, pause: int
) -> None:
    queue = Listening()

    assert met(fault, received, queue) == BACK

    assert queue.hidden == [("receipt of bad", pause)]
    assert queue.buried == []


def test_who_finds_somebody_at_work_outlasts_the_longest_function() -> None:
    queue = Listening()
    whole_lease = Busy("work_busy", "somebody is at it", 60)

    for received in range(1, 6):
        met(whole_lease, received, queue)

    assert sum(seconds for _, seconds in queue.hidden) > 900


BURIED: dict[str, tuple[Exception, int, str]] = {
    "no time makes it right": (REFUSAL, 1, "unknown_message: the message tells of no object"),
    "a third outage": (OUTAGE, 3, "bucket_unavailable: S3 can not be reached; try again"),
    "a third fault of ours": (KeyError("x"), 3, "KeyError: 'x'"),
    "one that could not be buried at its third": (OUTAGE, 4, str(OUTAGE)),
    "what was given up": (GIVEN_UP, 4, "work_given_up: tried 3 times: no picture"),
    "what its queue would move without a word": (failed(2), 6, "try_failed: the bucket is down"),
    "what somebody is always at": (BUSY, 6, "work_busy: somebody is at it"),
    "control characters": (ValueError("a\x00b\r\n\ud800\uffffc"), 3, "ValueError: a b    c"),
    "nothing to say": (ValueError(), 3, "ValueError: "),
}


@pytest.mark.parametrize(("fault", "received", "reason"), list(BURIED.values()), ids=list(BURIED))
def test_what_need_not_be_tried_again_is_buried_with_the_reason(
    fault: Exception, received: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    queue = Listening()

    # Half a character in a log that pytest captures can not go from one of its processes to another.
    with caplog.at_level(logging.CRITICAL, "tracklane"):
        assert met(fault, received, queue) == []

    [(body, said)] = queue.buried
    assert (body, said["Reason"], queue.hidden) == ("bad", reason, [])


def test_of_what_was_given_up_the_redrive_knows_what_to_allow() -> None:
    queue = Listening()

    met(GIVEN_UP, 4, queue)

    [(_, said)] = queue.buried
    assert (said["Subject"], said["Target"]) == ("recording#rec-1", "sessions/s/a.webm")


def test_an_endless_reason_fits() -> None:
    queue = Listening()

    met(ValueError("ü" * 5000), 3, queue)

    [(_, said)] = queue.buried
    assert 1000 < len(said["Reason"].encode()) <= 1024


def test_what_can_not_be_buried_stays_for_its_queue_to_move() -> None:
    queue = Listening(down={"bury"})

    assert met(GIVEN_UP, 4, queue) == BACK

    assert queue.hidden == [("receipt of bad", 300)]


def test_a_message_whose_return_can_not_be_hastened_returns_all_the_same() -> None:
    assert met(OUTAGE, 1, Listening(down={"hide"})) == BACK


SEVERAL: dict[str, tuple[list[Exception], type[Exception] | None]] = {
    "none": ([], None),
    "one that may pass": ([OUTAGE], Unavailable),
    "one that will not": ([GIVEN_UP], GivenUp),
    "one that may pass and one that will not": ([GIVEN_UP, BUSY, REFUSAL], Busy),
}


@pytest.mark.parametrize(("faults", "raised"), list(SEVERAL.values()), ids=list(SEVERAL))
def test_all_that_one_message_tells_of_is_tried_before_it_is_given_up(
    faults: list[Exception], raised: type[Exception] | None
) -> None:
    things = ["good", *(f"bad {number}" for number in range(len(faults))), "better"]
    by_name = dict(zip(things[1:], faults, strict=False))
    done: list[str] = []

    def do(thing: str) -> None:
        done.append(thing)
        raising(by_name)(thing)

    if raised is None:
        all_of(things, do)
    else:
        with pytest.raises(raised):
            all_of(things, do)

    assert done == things
