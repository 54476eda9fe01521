"""One table: the ledger's facts, and what is derived from them for finding things.

| item                | pk                    | sk                 | indexed by                     |
|---------------------|-----------------------|--------------------|--------------------------------|
| fact                | `{subject}`           | `event#{identity}` |                                |
| conclusion          | `{subject}`           | `made#{identity}`  | (the stream passes it over)    |
| recording's head    | `recording#{id}`      | `head`             | by_room, by_time, open         |
| session's head      | `session#{id}`        | `head`             | by_room, by_time               |
| link                | `session#{id}`        | `link#{recording}` |                                |
| making              | `session#{id}`        | `making`           | open                           |
| slot                | `slot#{room}#{…}#{…}` | `slot`             |                                |
| claim               | `claim#{hash}`        | `claim`            | (TTL)                          |
| work                | `work#{target}`       | `work`             | (see `dynamodb_work.py`)       |
| bookmark            | `bookmark#{walk}`     | `bookmark`         |                                |

The indexes hold keys only, so a head that changes without moving costs one write; pages are read back
by BatchGetItem.
"""

import random
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

from chalicelib.adapters import dynamodb_items as items
from chalicelib.adapters.dynamodb_calls import CONFLICT_TRIES, Failures, transact
from chalicelib.adapters.dynamodb_items import Item
from chalicelib.core.errors import Invalid, Unavailable
from chalicelib.core.events import Event
from chalicelib.core.heads import RecordingHead, SessionHead
from chalicelib.ports import Claim, Filter, Making, Opening, Page, Taken, session_subject

_NEWER = f"{items.NEW} OR #known < :known"
_BATCH = 100  # BatchGetItem's limit
_READ_AT_MOST = 1000  # heads looked through for one page
_READS_AT_ONCE = 8  # botocore keeps ten connections of a client


@dataclass(frozen=True)
class DynamoLedger:
    """Answers to the port `Ledger`. `client` is a boto3 DynamoDB client."""

    client: Any
    table: str

    def append(self, subject: str, event: Event) -> bool:
        """One conditional write."""
        with Failures():
            return _put(self.client, self.table, items.fact_item(subject, event), items.NEW)

    def has(self, subject: str, identity: str) -> bool:
        """One consistent read."""
        with Failures():
            asked = {"Key": items.fact_key(subject, identity), "ProjectionExpression": "sk"}
            return "Item" in self.client.get_item(TableName=self.table, ConsistentRead=True, **asked)

    def read(self, subject: str) -> tuple[Event, ...]:
        """One consistent query, paged."""
        with Failures():
            found = _query(self.client, TableName=self.table, ConsistentRead=True, **_partition(subject))
            facts = [items.fact_of(item) for item in found if item["sk"]["S"].startswith(items.FACTS)]
        return tuple(sorted(facts, key=lambda fact: (fact.at, fact.identity)))

    def read_each(self, subjects: Sequence[str]) -> list[tuple[Event, ...]]:
        """A few reads at a time: what a session costs are its recordings' round trips."""
        with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
            return list(pool.map(self.read, subjects))


@dataclass(frozen=True)
class DynamoCatalog:
    """Answers to the port `Catalog`."""

    client: Any
    table: str
    pause: Callable[[float], None] = time.sleep
    read_at_most: int = _READ_AT_MOST

    # --- opening recordings

    def open(self, openings: Sequence[Opening], claim: Claim | None) -> Taken | None:
        """One transaction; a conflict with a concurrent one is tried again, bounded."""
        puts = [put for opening in openings for put in items.opening_puts(opening)]
        if claim is not None:
            puts.append(items.claim_put(claim))
        told = [{"Put": {"TableName": self.table, **put}} for put in puts]
        with Failures():
            reasons = transact(self.client, told, self.pause)
        if reasons is None:
            return None
        taken = _taken(reasons, openings, claim)
        return taken if taken.holders or taken.claim else None

    def holder(self, room_id: str, participant_id: str, kind: str) -> str | None:
        """One consistent read."""
        item = self._item(items.slot_key(room_id, participant_id, kind))
        return item["holder"]["S"] if item else None

    # --- heads

    def recording(self, recording_id: str) -> RecordingHead | None:
        """One consistent read."""
        item = self._item(items.head_key(recording_id))
        return items.recording_of(item) if item else None

    def keep_recording(self, head: RecordingHead, *, relink: bool = True) -> bool:
        """Two conditional writes where the session is known and the link is behind."""
        news = False
        with Failures():
            if head.session_id is not None and relink:
                news = self._keep(items.link_item(head.session_id, head), head.known)
            return self._keep(items.recording_item(head), head.known) or news

    def keep_session(self, head: SessionHead) -> bool:
        """One conditional write."""
        with Failures():
            return self._keep(items.session_item(head), head.known)

    def _keep(self, item: Item, known: int) -> bool:
        return _put(
            self.client,
            self.table,
            item,
            _NEWER,
            ExpressionAttributeNames={"#known": "known"},
            ExpressionAttributeValues={":known": {"N": str(known)}},
        )

    def bookmark(self, walk: str) -> str | None:
        """One consistent read."""
        item = self._item(items.bookmark_key(walk))
        return (item["place"]["S"] or None) if item else None

    def keep_bookmark(self, walk: str, place: str | None) -> None:
        """One write."""
        told = {**items.bookmark_key(walk), "place": {"S": place or ""}}
        with Failures():
            self.client.put_item(TableName=self.table, Item=told)

    def making(self, session_id: str) -> Making | None:
        """One consistent read."""
        item = self._item(items.making_key(session_id))
        return items.making_of(item) if item else None

    def keep_making(self, making: Making) -> None:
        """One write."""
        with Failures():
            self.client.put_item(TableName=self.table, Item=items.making_item(making))

    def session(self, session_id: str) -> SessionHead | None:
        """One consistent read."""
        item = self._item(items.key(session_subject(session_id), "head"))
        return items.session_of(item) if item else None

    def of_session(self, session_id: str) -> list[RecordingHead]:
        """One consistent query, paged."""
        where = _partition(session_subject(session_id), "link#")
        with Failures():
            found = _query(self.client, TableName=self.table, ConsistentRead=True, **where)
            return [items.recording_of(item) for item in found]

    # --- lists

    def recordings(self, wanted: Filter, limit: int, cursor: str | None) -> Page[RecordingHead]:
        """By the narrowest index there is for what is wanted; the rest is left out while reading."""
        after, told = _opened(cursor), _told(wanted)
        at_once = limit if told.keys() <= {"room_id"} else _BATCH
        with Failures():
            found = (
                self._linked(wanted.session_id, after)
                if wanted.session_id is not None
                else self._listed("recordings", wanted.room_id, after, at_once, items.recording_of)
            )
            return self._page(found, limit, lambda head: _matches(head, told))

    def unsettled(self, limit: int, cursor: str | None) -> Page[RecordingHead]:
        """By the sparse index of open recordings, which may be a little behind the heads."""
        where = _Where("open", "openKey", "recordings", _opened(cursor), forward=True, at_once=limit)
        with Failures():
            found = self._heads(where, items.recording_of)
            return self._page(found, limit, lambda head: not head.settled)

    def all_making(self, limit: int, cursor: str | None) -> Page[Making]:
        """By the same index."""
        where = _Where("open", "openKey", "making", _opened(cursor), forward=True, at_once=limit)
        with Failures():
            found = self._heads(where, items.making_of)
            return self._page(found, limit, lambda making: bool(making.targets))

    def sessions(
        self, room_id: str | None, limit: int, cursor: str | None, *, participant_id: str | None = None
    ) -> Page[SessionHead]:
        """By room or by time; those of other people are left out while reading."""
        after, at_once = _opened(cursor), limit if participant_id is None else _BATCH
        with Failures():
            found = self._listed("sessions", room_id, after, at_once, items.session_of)
            return self._page(found, limit, lambda head: participant_id in (None, *head.who))

    def beyond(self, head: RecordingHead) -> str:
        """Its place in every index."""
        return _closed(items.recording_sort(head))

    def _linked(self, session_id: str, after: str | None) -> Iterator[tuple[str, RecordingHead]]:
        """By the links; what they say of the phase may be behind the heads."""
        linked = {items.recording_sort(h): h.recording_id for h in self.of_session(session_id)}
        rest = iter(sorted((sort for sort in linked if after is None or sort < after), reverse=True))
        while batch := list(islice(rest, _BATCH)):
            yield from self._read(
                [(sort, items.head_key(linked[sort])) for sort in batch], items.recording_of
            )

    def _listed[Head](
        self, what: str, room_id: str | None, after: str | None, at_once: int, head_of: Callable[[Item], Head]
    ) -> Iterator[tuple[str, Head]]:
        if room_id is None:
            where = _Where("by_time", "timeKey", what, after, forward=False, at_once=at_once)
        else:
            where = _Where("by_room", "roomKey", f"{what}#{room_id}", after, forward=False, at_once=at_once)
        return self._heads(where, head_of)

    def _heads[Head](self, where: "_Where", head_of: Callable[[Item], Head]) -> Iterator[tuple[str, Head]]:
        """The heads under one index key with their places in it, read lazily a batch at a time."""
        keys = _query(self.client, TableName=self.table, **where.request())
        while batch := list(islice(keys, where.batch)):
            places = [(key["sortKey"]["S"], {"pk": key["pk"], "sk": key["sk"]}) for key in batch]
            yield from self._read(places, head_of)

    def _read[Head](
        self, places: list[tuple[str, Item]], head_of: Callable[[Item], Head]
    ) -> Iterator[tuple[str, Head]]:
        found = self._batch([key for _, key in places])
        told = ((sort, found.get(key["pk"]["S"])) for sort, key in places)
        return ((sort, head_of(item)) for sort, item in told if item)

    def _batch(self, keys: list[Item]) -> dict[str, Item]:
        wanted: Item = {self.table: {"Keys": keys}}
        found: dict[str, Item] = {}
        for tried in range(CONFLICT_TRIES):
            answer = self.client.batch_get_item(RequestItems=wanted)
            found |= {item["pk"]["S"]: item for item in answer["Responses"].get(self.table, [])}
            wanted = answer.get("UnprocessedKeys") or {}
            if not wanted:
                return found
            self.pause(random.uniform(0, 0.05 * 2**tried))
        raise Unavailable("ledger_busy", "DynamoDB throttles reads; try again")

    def _page[Head](
        self, found: Iterable[tuple[str, Head]], limit: int, wanted: Callable[[Head], bool]
    ) -> Page[Head]:
        """The first `limit` that are wanted. A page may be short: it reads no more than `read_at_most`."""
        heads: list[Head] = []
        last = ""
        for count, (sort, head) in enumerate(found):
            if len(heads) == limit or count == self.read_at_most:
                return Page(heads, _closed(last))
            if wanted(head):
                heads.append(head)
            last = sort
        return Page(heads, None)

    def _item(self, key: Item) -> Item | None:
        with Failures():
            answer = self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True)
        found: Item | None = answer.get("Item")
        return found


# --- requests


@dataclass(frozen=True, slots=True)
class _Where:
    """A place in an index: one of its keys, beyond a sort key, and how much of it to read at once."""

    index: str
    name: str
    value: str
    after: str | None
    forward: bool
    at_once: int

    @property
    def batch(self) -> int:
        """One more than a page, which tells whether there is a next one."""
        return min(self.at_once + 1, _BATCH)

    def request(self) -> Item:
        """What Query is asked."""
        beyond = f" AND sortKey {'>' if self.forward else '<'} :after" if self.after else ""
        values = {":value": {"S": self.value}} | ({":after": {"S": self.after}} if self.after else {})
        return {
            "IndexName": self.index,
            "KeyConditionExpression": f"{self.name} = :value{beyond}",
            "ExpressionAttributeValues": values,
            "ScanIndexForward": self.forward,
            "Limit": self.batch,
        }


def _put(client: Any, table: str, item: Item, condition: str, **names: Any) -> bool:
    try:
        client.put_item(TableName=table, Item=item, ConditionExpression=condition, **names)
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True


def _partition(pk: str, sk: str = "") -> Item:
    begins = " AND begins_with(sk, :sk)" if sk else ""
    values = {":pk": {"S": pk}} | ({":sk": {"S": sk}} if sk else {})
    return {"KeyConditionExpression": f"pk = :pk{begins}", "ExpressionAttributeValues": values}


def _query(client: Any, **request: Any) -> Iterator[Item]:
    while True:
        answer = client.query(**request)
        yield from answer["Items"]
        if not answer.get("LastEvaluatedKey"):
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _taken(reasons: list[Item], openings: Sequence[Opening], claim: Claim | None) -> Taken:
    """Why nothing was written.

    A slot that our own id holds, and a claim that is ours to the last field, mean that our own write was
    done and its answer lost.
    """
    olds = [reason.get("Item") or {} for reason in reasons]
    holders = {
        opening.recording_id: olds[3 * place]["holder"]["S"]
        for place, opening in enumerate(openings)
        if "holder" in olds[3 * place] and olds[3 * place]["holder"]["S"] != opening.recording_id
    }
    before = items.claim_of(olds[-1]) if claim is not None and "told" in olds[-1] else None
    return Taken(holders, None if before == claim else before)


# --- filters and cursors


def _told(wanted: Filter) -> dict[str, str]:
    named = {f.name: getattr(wanted, f.name) for f in fields(wanted)}
    return {name: value for name, value in named.items() if value is not None}


def _matches(head: RecordingHead, told: dict[str, str]) -> bool:
    return all(getattr(head, name) == value for name, value in told.items())


_SORT_KEY = re.compile(r"\d{15}#.{1,500}", re.ASCII | re.DOTALL)  # DynamoDB takes 1024 bytes


def _closed(sort_key: str) -> str:
    return urlsafe_b64encode(sort_key.encode()).decode()


def _opened(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        sort_key = urlsafe_b64decode(cursor.encode("ascii")).decode()
    except ValueError:
        sort_key = ""
    if not _SORT_KEY.fullmatch(sort_key) or len(sort_key.encode()) > 1024:
        raise Invalid("invalid_cursor", "cursor is not one of ours", "cursor", "the cursor of a page before")
    return sort_key
