"""The queues' door: each message by itself, so that one that fails takes no other with it.

A queue hides a message for longer than its function may run, which is how long one waits whose function was
killed. What fails in the function need not wait that long.
"""

import logging
from collections.abc import Callable
from typing import Any

from chalice.app import SQSEvent, SQSRecord

from chalicelib.core.errors import Refused, TracklaneError

log = logging.getLogger("tracklane")

# Seconds until the second try and the third. After that it goes to the dead letters, which need no pause.
PAUSES_S = (30, 300)


def each(
    event: SQSEvent, do: Callable[[str], object], again_in: Callable[[str, int], None]
) -> dict[str, Any]:
    """Do it for every message; those that failed come back to the queue, and after the third time go to
    the dead letters. `again_in` has a message, by its receipt, come back after so many seconds."""
    failed = []
    for record in event:
        try:
            do(record.body)
        except Exception as fault:
            log.exception("a message failed: %.2000s", record.body)
            failed.append(record.to_dict()["messageId"])
            _come_back(record, fault, again_in)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _come_back(record: SQSRecord, fault: Exception, again_in: Callable[[str, int], None]) -> None:
    """Where even that fails, the message comes back when the queue has hidden it long enough."""
    try:
        again_in(record.receipt_handle, _pause_s(fault, int(record.to_dict()["attributes"][_COUNT])))
    except TracklaneError as unreachable:
        log.warning("a message that failed comes back late: %s", unreachable)


_COUNT = "ApproximateReceiveCount"


def _pause_s(fault: Exception, tried: int) -> int:
    """No time makes a message right that was refused."""
    return 0 if isinstance(fault, Refused) or tried > len(PAUSES_S) else PAUSES_S[tried - 1]
