"""Who works on what: one item for each target, under `work#{target}`.

| attribute   | what it says                                                              |
|-------------|---------------------------------------------------------------------------|
| `epoch`     | how many leases there were; only the last one's holder can commit         |
| `until`     | when the lease runs out, epoch milliseconds; 0 when it was given back     |
| `tries`     | how many tries were begun, and `allowed` how many may be                  |
| `mark`      | the write that took the lease: whose answer is lost knows its work by it  |
| `reason`    | what the last try died of, where it could say                             |
| `done`      | committed; true when a fact of it was news                                |
| `collected` | its output was swept away: nobody can commit it any more                  |
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.adapters import dynamodb_items as items
from chalicelib.adapters.dynamodb_calls import Failures, failed, transact
from chalicelib.adapters.dynamodb_items import Item
from chalicelib.core.events import Event
from chalicelib.core.work import FACTS_AT_MOST, LEASE_MS, TRIES, Collected, Done, Lease, busy, lost, spent

_MINE = "epoch = :epoch AND attribute_not_exists(done) AND attribute_not_exists(collected)"
_FREE = "attribute_not_exists(done) AND #until <= :now"
_REASON_AT_MOST = 500  # characters: the item stays below the kilobyte that one write unit buys


@dataclass(frozen=True)
class DynamoLeases:
    """Answers to the port `Leases`. `client` is a boto3 DynamoDB client."""

    client: Any
    table: str
    pause: Callable[[float], None] = time.sleep

    def take(self, target: str, now: int) -> Lease:
        """One conditional update. Its mark tells a refusal from our own success whose answer was lost."""
        mark = secrets.token_hex(8)
        was_done, item = self._update(
            target,
            "SET epoch = if_not_exists(epoch, :none) + :one, tries = if_not_exists(tries, :none) + :one, "
            "allowed = if_not_exists(allowed, :allowed), #until = :until, mark = :mark REMOVE reason",
            f"{items.NEW} OR ({_FREE} AND attribute_not_exists(collected) AND tries < allowed)",
            now=now, until=now + LEASE_MS, none=0, one=1, allowed=TRIES, mark=mark,
        )  # fmt: skip
        if was_done or item.get("mark") == {"S": mark}:
            return _lease(target, item)
        raise _refusal(target, item, now)

    def keep(self, lease: Lease, now: int) -> Lease:
        """One conditional update, which holds for its own repetition as well."""
        update, until = "SET #until = :until", now + LEASE_MS
        was_done, item = self._update(lease.target, update, _MINE, epoch=lease.epoch, until=until)
        if not was_done:
            raise lost(lease)
        return _lease(lease.target, item)

    def fail(self, lease: Lease, reason: str) -> None:
        """One conditional update."""
        update, told = (
            "SET #until = :until, reason = :reason",
            reason[:_REASON_AT_MOST] or "it gave no reason",
        )
        self._update(lease.target, update, _MINE, epoch=lease.epoch, until=0, reason=told)

    def commit(self, lease: Lease, subject: str, facts: Sequence[Event]) -> bool:
        """One transaction, and one more without those facts that turn out to be there: a fact never goes
        away. Where all of them were, one update writes the work off."""
        if len(facts) > FACTS_AT_MOST:
            raise ValueError(f"{len(facts)} facts in one commit")
        puts = list({fact.identity: items.fact_put(subject, fact) for fact in facts}.values())
        while puts:
            reasons = self._commit(lease, puts)
            if reasons is None:
                return True
            if failed(reasons[-1]):
                return _was_news(lease, reasons[-1].get("Item", {}))
            puts = [put for put, reason in zip(puts, reasons, strict=False) if not failed(reason)]
        was_done, item = self._send(_done(lease, news=False))
        return False if was_done else _was_news(lease, item)

    def _commit(self, lease: Lease, puts: list[Item]) -> list[Item] | None:
        """None where it is done, else why it is not: a reason for each put, and for the lease."""
        told = [{"Put": self._named(put)} for put in puts]
        with Failures():
            done = {"Update": self._named(_done(lease, news=True))}
            return transact(self.client, [*told, done], self.pause)

    def unfinished(self, target: str) -> bool:
        """One consistent read."""
        asked = {"Key": items.work_key(target), "ProjectionExpression": "pk, done"}
        with Failures():
            item = self.client.get_item(TableName=self.table, ConsistentRead=True, **asked).get("Item")
        return item is not None and "done" not in item

    def collect(self, target: str, now: int) -> bool:
        """One conditional update, which holds for its own repetition as well."""
        found = f"attribute_exists(pk) AND {_FREE}"
        return self._update(target, "SET collected = :collected", found, now=now, collected=True)[0]

    def redrive(self, target: str) -> bool:
        """One conditional update, which allows no more when it is repeated."""
        found = "attribute_exists(pk) AND attribute_not_exists(done)"
        return self._update(target, "SET allowed = tries + :more", found, more=TRIES)[0]

    def _update(
        self, target: str, expression: str, condition: str, **values: str | int | bool
    ) -> tuple[bool, Item]:
        return self._send(_update(target, expression, condition, values))

    def _send(self, update: Item) -> tuple[bool, Item]:
        """Whether it was done, and the item as it is now or as it was met."""
        with Failures():
            try:
                told = self.client.update_item(**self._named(update), ReturnValues="ALL_NEW")
            except self.client.exceptions.ConditionalCheckFailedException as refused:
                return False, refused.response.get("Item", {})
        return True, told["Attributes"]

    def _named(self, request: Item) -> Item:
        return {"TableName": self.table, **request}


def _done(lease: Lease, *, news: bool) -> Item:
    values = {"epoch": lease.epoch, "done": news}
    return _update(lease.target, "SET done = :done REMOVE mark, reason", _MINE, values)


def _update(target: str, expression: str, condition: str, values: dict[str, Any]) -> Item:
    names = {"ExpressionAttributeNames": {"#until": "until"}} if "#until" in expression + condition else {}
    return {
        "Key": items.work_key(target),
        "UpdateExpression": expression,
        "ConditionExpression": condition,
        "ExpressionAttributeValues": {f":{name}": _spelled(value) for name, value in values.items()},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        **names,
    }


def _spelled(value: str | int | bool) -> Item:
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def _lease(target: str, item: Item) -> Lease:
    return Lease(target, *(int(item[name]["N"]) for name in ("epoch", "until", "tries")))


def _refusal(target: str, item: Item, now: int) -> Exception:
    """Why there is no try to begin. A last try that still runs is not spent yet."""
    if "done" in item:
        return Done(target)
    if "collected" in item:
        return Collected(target)
    lease = _lease(target, item)
    if lease.until > now:
        return busy(lease, now)
    return spent(lease, item["reason"]["S"] if "reason" in item else None)


def _was_news(lease: Lease, met: Item) -> bool:
    """Our own commit whose answer was lost, or somebody else's work."""
    if "done" in met and met["epoch"] == {"N": str(lease.epoch)}:
        return bool(met["done"]["BOOL"])
    raise lost(lease)
