"""How the table is called: what a call's failure means, and what is tried again."""

import random
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.dynamodb_items import Item
from chalicelib.core.errors import Unavailable

CONFLICT_TRIES = 4
_CHECK_FAILED = "ConditionalCheckFailed"


class Failures:
    """Lets no foreign exception through: what DynamoDB could not do is `Unavailable`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ClientError | BotoCoreError):
            raise Unavailable("ledger_unavailable", "the ledger can not be reached; try again") from error


def transact(client: Any, told: list[Item], pause: Callable[[float], None]) -> list[Item] | None:
    """Write all of it; or nothing, where a condition does not hold, and give the reasons, one for each.

    A conflict with a concurrent write is tried again, bounded.
    """
    for tried in range(CONFLICT_TRIES):
        try:
            client.transact_write_items(TransactItems=told)
            return None
        except client.exceptions.TransactionCanceledException as canceled:
            reasons: list[Item] = canceled.response["CancellationReasons"]
            if any(failed(reason) for reason in reasons):
                return reasons
            pause(random.uniform(0, 0.05 * 2**tried))
    raise Unavailable("ledger_busy", "too many requests for the same recording at once; try again")


def failed(reason: Item) -> bool:
    """Whether it was this one's condition that did not hold."""
    return reason.get("Code") == _CHECK_FAILED
