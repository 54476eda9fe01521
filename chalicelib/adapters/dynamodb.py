"""One table: the ledger's facts, and what is derived from them for finding things.

| item                | pk                    | sk                 | indexed by                     |
|---------------------|-----------------------|--------------------|--------------------------------|
| fact                | `{subject}`           | `event#{identity}` |                                |
| conclusion          | `{subject}`           | `made#{identity}`  | (the stream passes it over)    |
| recording's head    | `recording#{id}`      | `head`             | by_room, by_time, open         |
| session's head      | `session#{id}`        | `head`             | by_room, by_time               |
| link                | `session#{id}`        | `link#{recording}` |                                |
| slot                | `slot#{room}#{…}#{…}` | `slot`             |                                |
| claim               | `claim#{hash}`        | `claim`            | (TTL)                          |

The indexes hold keys only, so a head that changes without moving costs one write; pages are read back
by BatchGetItem.
"""

import hashlib
import json
import random
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.core.errors import Invalid, Unavailable
from chalicelib.core.events import CONCLUSIONS, Event, from_record, to_record
from chalicelib.core.heads import RecordingHead, SessionHead, recording_head
from chalicelib.core.recording import Recording
from chalicelib.ports import Claim, Filter, Opening, Page, Taken, recording_subject, session_subject

CLAIM_SECONDS = 24 * 3600
_NEW = "attribute_not_exists(pk)"
_NEWER = "attribute_not_exists(pk) OR #known < :known"
_BATCH = 100  # BatchGetItem's limit
_READ_AT_MOST = 1000  # heads looked through for one page
_CONFLICT_TRIES = 4

type Item = dict[str, Any]


@dataclass(frozen=True)
class DynamoLedger:
    """Answers to the port `Ledger`. `client` is a boto3 DynamoDB client."""

    client: Any
    table: str

    def append(self, subject: str, event: Event) -> bool:
        """One conditional write."""
        with _Failures():
            return _put(self.client, self.table, _fact(subject, event), _NEW)

    def has(self, subject: str, identity: str) -> bool:
        """One consistent read."""
        with _Failures():
            asked = {"Key": _key(subject, f"event#{identity}"), "ProjectionExpression": "sk"}
            return "Item" in self.client.get_item(TableName=self.table, ConsistentRead=True, **asked)

    def read(self, subject: str) -> tuple[Event, ...]:
        """One consistent query, paged."""
        with _Failures():
            items = [
                item
                for item in _query(
                    self.client, TableName=self.table, ConsistentRead=True, **_partition(subject)
                )
                if "told" in item and item["sk"]["S"].startswith(("event#", "made#"))
            ]
        facts = (from_record(json.loads(item["told"]["S"])) for item in items)
        return tuple(sorted(facts, key=lambda fact: (fact.at, fact.identity)))


@dataclass(frozen=True)
class DynamoCatalog:
    """Answers to the port `Catalog`."""

    client: Any
    table: str
    pause: Callable[[float], None] = time.sleep

    # --- opening recordings

    def open(self, openings: Sequence[Opening], claim: Claim | None) -> Taken | None:
        """One transaction; a conflict with a concurrent one is tried again, bounded."""
        items = [put for opening in openings for put in self._opening(opening)]
        if claim is not None:
            items.append(self._claiming(claim))
        with _Failures():
            for tried in range(_CONFLICT_TRIES):
                try:
                    self.client.transact_write_items(TransactItems=items)
                    return None
                except self.client.exceptions.TransactionCanceledException as canceled:
                    taken = _taken(canceled, openings, claim)
                    if taken is not None:
                        return taken if taken.holders or taken.claim else None
                    self.pause(random.uniform(0, 0.05 * 2**tried))
        raise Unavailable("ledger_busy", "too many requests for the same recording at once; try again")

    def _opening(self, opening: Opening) -> Iterator[Item]:
        asked, subject = opening.requested, recording_subject(opening.recording_id)
        head = recording_head(Recording.of(opening.recording_id, [asked]))
        free = f"{_NEW} OR holder = :over" if opening.over else _NEW
        over = {"ExpressionAttributeValues": {":over": {"S": opening.over}}} if opening.over else {}
        slot = {
            **_key(_slot(asked.room_id, asked.participant_id, asked.kind), "slot"),
            "holder": {"S": opening.recording_id},
        }
        yield {
            "Put": {"TableName": self.table, "Item": slot, "ConditionExpression": free, **_TELL_OLD, **over}
        }
        yield {
            "Put": {
                "TableName": self.table,
                "Item": _fact(subject, asked),
                "ConditionExpression": _NEW,
                **_TELL_OLD,
            }
        }
        yield {"Put": {"TableName": self.table, "Item": _recording_item(subject, "head", head)}}

    def _claiming(self, claim: Claim) -> Item:
        item = {
            **_key(_claim_key(claim), "claim"),
            "told": {"S": json.dumps(asdict(claim))},
            "ttl": {"N": str(claim.at // 1000 + CLAIM_SECONDS)},
        }
        return {
            "Put": {
                "TableName": self.table,
                "Item": item,
                "ConditionExpression": f"{_NEW} OR #ttl < :now",
                "ExpressionAttributeNames": {"#ttl": "ttl"},
                "ExpressionAttributeValues": {":now": {"N": str(claim.at // 1000)}},
                **_TELL_OLD,
            }
        }

    def answer(self, claim: Claim) -> None:
        """Overwrites the claim with the one that has its answer."""
        with _Failures():
            self.client.update_item(
                TableName=self.table,
                Key=_key(_claim_key(claim), "claim"),
                UpdateExpression="SET told = :told",
                ExpressionAttributeValues={":told": {"S": json.dumps(asdict(claim))}},
            )

    def holder(self, room_id: str, participant_id: str, kind: str) -> str | None:
        """One consistent read."""
        item = self._item(_slot(room_id, participant_id, kind), "slot")
        return item["holder"]["S"] if item else None

    # --- heads

    def keep_recording(self, head: RecordingHead) -> bool:
        """Two conditional writes where the session is known. The link follows even a head that was there:
        whoever wrote that may have died before linking."""
        subject = recording_subject(head.recording_id)
        with _Failures():
            news = self._keep(_recording_item(subject, "head", head), head.known)
            if head.session_id is not None:
                link = _head_item(session_subject(head.session_id), f"link#{head.recording_id}", head)
                news = self._keep(link, head.known) or news
        return news

    def keep_session(self, head: SessionHead) -> bool:
        """One conditional write."""
        with _Failures():
            return self._keep(_session_item(head), head.known)

    def _keep(self, item: Item, known: int) -> bool:
        return _put(
            self.client,
            self.table,
            item,
            _NEWER,
            ExpressionAttributeNames={"#known": "known"},
            ExpressionAttributeValues={":known": {"N": str(known)}},
        )

    def session(self, session_id: str) -> SessionHead | None:
        """One consistent read."""
        item = self._item(session_subject(session_id), "head")
        return _session_of(item) if item else None

    def of_session(self, session_id: str) -> list[RecordingHead]:
        """One consistent query, paged."""
        with _Failures():
            where = _partition(session_subject(session_id), "link#")
            return [
                _recording_of(item)
                for item in _query(self.client, TableName=self.table, ConsistentRead=True, **where)
            ]

    # --- lists

    def recordings(self, wanted: Filter, limit: int, cursor: str | None) -> Page[RecordingHead]:
        """By the narrowest index there is for what is wanted; the rest is left out while reading."""
        after = _opened(cursor)
        with _Failures():
            if wanted.session_id is not None:
                linked = sorted(self.of_session(wanted.session_id), key=_recording_sort, reverse=True)
                heads: Iterable[RecordingHead] = [
                    h for h in linked if after is None or _recording_sort(h) < after
                ]
            else:
                heads = map(_recording_of, self._indexed("recordings", wanted.room_id, after))
            return _page(heads, limit, _recording_sort, lambda head: _matches(head, wanted))

    def unsettled(self, limit: int, cursor: str | None) -> Page[RecordingHead]:
        """By the sparse index of open recordings."""
        with _Failures():
            found = self._heads("open", "openKey", "recordings", _opened(cursor), forward=True)
            return _page(map(_recording_of, found), limit, _recording_sort, _any)

    def sessions(self, room_id: str | None, limit: int, cursor: str | None) -> Page[SessionHead]:
        """By room or by time."""
        with _Failures():
            found = self._indexed("sessions", room_id, _opened(cursor))
            return _page(map(_session_of, found), limit, _session_sort, _any)

    def _indexed(self, what: str, room_id: str | None, after: str | None) -> Iterator[Item]:
        if room_id is not None:
            return self._heads("by_room", "roomKey", f"{what}#{room_id}", after, forward=False)
        return self._heads("by_time", "timeKey", what, after, forward=False)

    def _heads(
        self, index: str, name: str, value: str, after: str | None, *, forward: bool
    ) -> Iterator[Item]:
        """The heads under one index key, in its order, read lazily a batch at a time."""
        beyond = f" AND sortKey {'>' if forward else '<'} :after" if after else ""
        values = {":value": {"S": value}} | ({":after": {"S": after}} if after else {})
        keys = _query(
            self.client,
            TableName=self.table,
            IndexName=index,
            KeyConditionExpression=f"{name} = :value{beyond}",
            ExpressionAttributeValues=values,
            ScanIndexForward=forward,
            Limit=_BATCH,
        )
        while batch := list(islice(keys, _BATCH)):
            found = self._batch([{"pk": key["pk"], "sk": key["sk"]} for key in batch])
            yield from (found[key["pk"]["S"]] for key in batch if key["pk"]["S"] in found)

    def _batch(self, keys: list[Item]) -> dict[str, Item]:
        wanted: Item = {self.table: {"Keys": keys}}
        found: dict[str, Item] = {}
        for tried in range(_CONFLICT_TRIES):
            answer = self.client.batch_get_item(RequestItems=wanted)
            found |= {item["pk"]["S"]: item for item in answer["Responses"].get(self.table, [])}
            wanted = answer.get("UnprocessedKeys") or {}
            if not wanted:
                return found
            self.pause(random.uniform(0, 0.05 * 2**tried))
        raise Unavailable("ledger_busy", "DynamoDB throttles reads; try again")

    def _item(self, pk: str, sk: str) -> Item | None:
        with _Failures():
            answer = self.client.get_item(TableName=self.table, Key=_key(pk, sk), ConsistentRead=True)
        found: Item | None = answer.get("Item")
        return found


# --- items


def _key(pk: str, sk: str) -> Item:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _fact(subject: str, event: Event) -> Item:
    shelf = "made" if isinstance(event, CONCLUSIONS) else "event"
    return {
        **_key(subject, f"{shelf}#{event.identity}"),
        "told": {"S": json.dumps(to_record(event), ensure_ascii=True)},
    }


def _head_item(pk: str, sk: str, head: RecordingHead | SessionHead) -> Item:
    return {**_key(pk, sk), "told": {"S": json.dumps(asdict(head))}, "known": {"N": str(head.known)}}


def _recording_item(pk: str, sk: str, head: RecordingHead) -> Item:
    item = _head_item(pk, sk, head)
    item |= {"timeKey": {"S": "recordings"}, "sortKey": {"S": _recording_sort(head)}}
    if head.room_id is not None:
        item["roomKey"] = {"S": f"recordings#{head.room_id}"}
    if not head.settled:
        item["openKey"] = {"S": "recordings"}
    return item


def _session_item(head: SessionHead) -> Item:
    item = _head_item(session_subject(head.session_id), "head", head)
    item |= {"timeKey": {"S": "sessions"}, "sortKey": {"S": _session_sort(head)}}
    if head.room_id is not None:
        item["roomKey"] = {"S": f"sessions#{head.room_id}"}
    return item


def _recording_of(item: Item) -> RecordingHead:
    return RecordingHead(**json.loads(item["told"]["S"]))


def _session_of(item: Item) -> SessionHead:
    return SessionHead(**json.loads(item["told"]["S"]))


def _recording_sort(head: RecordingHead) -> str:
    return f"{head.requested_at:015d}#{head.recording_id}"


def _session_sort(head: SessionHead) -> str:
    return f"{head.zero_at:015d}#{head.session_id}"


def _slot(room_id: str, participant_id: str, kind: str) -> str:
    return f"slot#{room_id}#{participant_id}#{kind}"


def _claim_key(claim: Claim) -> str:
    return f"claim#{hashlib.sha256(json.dumps([claim.owner, claim.key]).encode()).hexdigest()}"


# --- requests

_TELL_OLD = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


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


def _taken(canceled: Any, openings: Sequence[Opening], claim: Claim | None) -> Taken | None:
    """Why nothing was written; None where it was only a conflict in time.

    A slot that our own id holds means that our own write was done and its answer lost.
    """
    reasons = canceled.response["CancellationReasons"]
    if not any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons):
        return None
    olds = [reason.get("Item") or {} for reason in reasons]
    holders = {
        opening.recording_id: olds[3 * place]["holder"]["S"]
        for place, opening in enumerate(openings)
        if "holder" in olds[3 * place] and olds[3 * place]["holder"]["S"] != opening.recording_id
    }
    before = _claim_of(olds[-1]) if claim is not None and "told" in olds[-1] else None
    ours = before is not None and claim is not None and before.recording_ids == claim.recording_ids
    return Taken(holders, None if ours else before)


def _claim_of(item: Item) -> Claim:
    claim = Claim(**json.loads(item["told"]["S"]))
    return replace(claim, recording_ids=tuple(claim.recording_ids))


# --- pages


def _matches(head: RecordingHead, wanted: Filter) -> bool:
    return all(value is None or getattr(head, name) == value for name, value in asdict(wanted).items())


def _any(_: object) -> bool:
    return True


def _page[Head](
    heads: Iterable[Head], limit: int, sort: Callable[[Head], str], wanted: Callable[[Head], bool]
) -> Page[Head]:
    """The first `limit` that are wanted. A page may be short: it reads no more than `_READ_AT_MOST`."""
    found: list[Head] = []
    last: Head | None = None
    for count, head in enumerate(heads):
        if last is not None and (len(found) == limit or count == _READ_AT_MOST):
            return Page(found, _closed(sort(last)))
        if wanted(head):
            found.append(head)
        last = head
    return Page(found, None)


def _closed(sort_key: str) -> str:
    return urlsafe_b64encode(sort_key.encode()).decode()


def _opened(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        sort_key = urlsafe_b64decode(cursor.encode("ascii")).decode()
        int(sort_key.partition("#")[0])
    except ValueError:
        raise Invalid(
            "invalid_cursor", "cursor is not one of ours", "cursor", "the cursor of a page before"
        ) from None
    return sort_key


class _Failures:
    """Lets no foreign exception through: what DynamoDB could not do is `Unavailable`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ClientError | BotoCoreError):
            raise Unavailable("ledger_unavailable", "the ledger can not be reached; try again") from error
