"""The queues' door: each message by itself, so that one that fails takes no other with it."""

import logging
from collections.abc import Callable
from typing import Any

from chalice.app import SQSEvent

log = logging.getLogger("tracklane")


def each(event: SQSEvent, do: Callable[[str], object]) -> dict[str, Any]:
    """Do it for every message; those that failed come back to the queue, and after the third time go to
    the dead letters."""
    failed = [record.to_dict()["messageId"] for record in event if not _done(do, record.body)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _done(do: Callable[[str], object], body: str) -> bool:
    try:
        do(body)
    except Exception:
        log.exception("a message failed: %.2000s", body)
        return False
    return True
