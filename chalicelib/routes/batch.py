"""The queues' door: each message by itself, so that one that fails takes no other with it.

A queue hides a message for longer than its function may run, which is how long one waits whose function was
killed. What fails in the function need not wait that long. What need not be tried again goes to the dead
letters, with the reason; where even that fails, the queue moves it there itself when it was received often
enough.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from chalice.app import SQSEvent, SQSRecord

from chalicelib.core.errors import Refused, TracklaneError
from chalicelib.core.work import TRIES, Busy, GivenUp, LeaseLost, TryFailed
from chalicelib.ports import Queue

log = logging.getLogger("tracklane")

# Seconds until the second try, the third, and until the third that failed is given up.
PAUSES_S = (30, 300, 0)
RECEIVED_AT_MOST = 6  # the template's maxReceiveCount
REASON_AT_MOST = 1024  # bytes


def each(event: SQSEvent, do: Callable[[str], object], queue: Queue) -> dict[str, Any]:
    """Do it for every message; those that failed come back to the queue, or are buried."""
    failed = []
    for record in event:
        try:
            do(record.body)
        except Exception as fault:
            _tell(record, fault)
            if not (_is_final(fault, _received(record)) and _buried(record, fault, queue)):
                _come_back(record, fault, queue)
                failed.append(record.to_dict()["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def all_of[Told](things: Iterable[Told], do: Callable[[Told], object]) -> None:
    """Do it for each thing that one message tells of. Of their faults, one that may pass is raised before
    one that will not: a message is buried when there is nothing left in it to wait for."""
    faults = []
    for thing in things:
        try:
            do(thing)
        except Exception as fault:
            faults.append(fault)
    if faults:
        raise min(faults, key=lambda fault: isinstance(fault, Refused))


def _tell(record: SQSRecord, fault: Exception) -> None:
    if isinstance(fault, Busy | LeaseLost):
        log.info("a message waits: %s", fault)
    else:
        log.error("a message failed: %.2000s", record.body, exc_info=fault)


def _is_final(fault: Exception, received: int) -> bool:
    """Leased work counts its own tries: it may come back while it is not given up."""
    again = isinstance(fault, TryFailed | Busy | LeaseLost)
    return isinstance(fault, Refused) or received >= (RECEIVED_AT_MOST if again else TRIES)


def _buried(record: SQSRecord, fault: Exception, queue: Queue) -> bool:
    said = {"Reason": _reason(fault)}
    if isinstance(fault, GivenUp):
        said |= {"Subject": fault.subject, "Target": fault.target}
    try:
        queue.bury(record.body, said)
    except TracklaneError as unreachable:
        log.warning("a dead letter could not be sent: %s", unreachable)
        return False
    return True


def _reason(fault: Exception) -> str:
    """Short, and of characters that SQS takes."""
    told = str(fault) if isinstance(fault, TracklaneError) else f"{type(fault).__name__}: {fault}"
    plain = "".join(character if character.isprintable() else " " for character in told)
    return plain.encode()[:REASON_AT_MOST].decode(errors="ignore")


def _come_back(record: SQSRecord, fault: Exception, queue: Queue) -> None:
    """Where even that fails, the message comes back when the queue has hidden it long enough."""
    try:
        queue.hide(record.receipt_handle, _pause_s(fault, _received(record)))
    except TracklaneError as unreachable:
        log.warning("a message that failed comes back late: %s", unreachable)


def _pause_s(fault: Exception, received: int) -> int:
    """Who finds somebody at work waits for the rest of a lease, then twice as long each time: the other may
    be long at it, and a queue gives out a message only so often."""
    match fault:
        case Busy():
            return int(fault.again_s * 2 ** (received - 1))
        case TryFailed():
            return PAUSES_S[(fault.tries - 1) % TRIES]
        case _:
            return PAUSES_S[0] if received == 1 else PAUSES_S[1]


def _received(record: SQSRecord) -> int:
    return int(record.to_dict()["attributes"]["ApproximateReceiveCount"])
