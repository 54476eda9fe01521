"""What lies in the table, item by item, and back. The table of items is in `adapters/dynamodb.py`."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import MISSING, asdict, fields, replace
from typing import Any

from chalicelib.core.events import CONCLUSIONS, Event, from_record, to_record
from chalicelib.core.heads import RecordingHead, SessionHead, recording_head
from chalicelib.core.recording import Recording
from chalicelib.ports import Claim, Making, Opening, recording_subject, session_subject

CLAIM_SECONDS = 24 * 3600
FACTS = ("event#", "made#")  # how the sort keys of facts and conclusions begin
NEW = "attribute_not_exists(pk)"

type Item = dict[str, Any]


def key(pk: str, sk: str) -> Item:
    """A primary key."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


# --- facts


def fact_key(subject: str, identity: str) -> Item:
    """Where a fact that is news lies."""
    return key(subject, f"event#{identity}")


def fact_item(subject: str, event: Event) -> Item:
    """A fact, or a conclusion, which the stream passes over.

    Spelled as shortly as can be: a segment of usual names then fits into the kilobyte of one write unit.
    """
    shelf = "made" if isinstance(event, CONCLUSIONS) else "event"
    usual = {f.name: f.default for f in fields(event)}
    told = {name: value for name, value in to_record(event).items() if value != usual.get(name, MISSING)}
    spelled = json.dumps(told, ensure_ascii=True, separators=(",", ":"))
    return {**key(subject, f"{shelf}#{event.identity}"), "told": {"S": spelled}}


def fact_of(item: Item) -> Event:
    """The fact of a fact's item."""
    return from_record(json.loads(item["told"]["S"]))


# --- work


def work_key(target: str) -> Item:
    """Where it is kept who works on an output."""
    return key(f"work#{target}", "work")


# --- heads


def head_key(recording_id: str) -> Item:
    """Where a recording's head lies."""
    return key(recording_subject(recording_id), "head")


def recording_item(head: RecordingHead) -> Item:
    """A recording's head, as the indexes find it."""
    item = _head_item(recording_subject(head.recording_id), "head", head)
    item |= {"timeKey": {"S": "recordings"}, "sortKey": {"S": recording_sort(head)}}
    if head.room_id is not None:
        item["roomKey"] = {"S": f"recordings#{head.room_id}"}
    if not head.settled:
        item["openKey"] = {"S": "recordings"}
    return item


def link_item(session_id: str, head: RecordingHead) -> Item:
    """A recording's head, as its session finds it."""
    return _head_item(session_subject(session_id), f"link#{head.recording_id}", head)


def session_item(head: SessionHead) -> Item:
    """A session's head, as the indexes find it."""
    item = _head_item(session_subject(head.session_id), "head", head)
    item |= {"timeKey": {"S": "sessions"}, "sortKey": {"S": session_sort(head)}}
    if head.room_id is not None:
        item["roomKey"] = {"S": f"sessions#{head.room_id}"}
    return item


def _head_item(pk: str, sk: str, head: RecordingHead | SessionHead) -> Item:
    return {**key(pk, sk), "told": {"S": json.dumps(asdict(head))}, "known": {"N": str(head.known)}}


def recording_of(item: Item) -> RecordingHead:
    """The head of a recording's head or link."""
    return RecordingHead(**json.loads(item["told"]["S"]))


def session_of(item: Item) -> SessionHead:
    """The head of a session's head."""
    head = SessionHead(**json.loads(item["told"]["S"]))
    return replace(head, who=tuple(head.who), people=tuple(head.people))


def recording_sort(head: RecordingHead) -> str:
    """By the time of asking."""
    return f"{head.requested_at:015d}#{head.recording_id}"


def session_sort(head: SessionHead) -> str:
    """By the time of its beginning."""
    return f"{head.begun_at:015d}#{head.session_id}"


# --- what is being made


def making_key(session_id: str) -> Item:
    """Where it is kept what is being made of a session."""
    return key(session_subject(session_id), "making")


def making_item(making: Making) -> Item:
    """What is being made of a session, as the index of what is open finds it while there is anything."""
    item = {**making_key(making.session_id), "told": {"S": json.dumps(asdict(making))}}
    if making.targets:
        sort_key = f"{making.queued_at:015d}#{making.session_id}"
        item |= {"openKey": {"S": "making"}, "sortKey": {"S": sort_key}}
    return item


def making_of(item: Item) -> Making:
    """What `making_item` gave this item for."""
    making = Making(**json.loads(item["told"]["S"]))
    return replace(making, targets=tuple(making.targets))


# --- bookmarks


def bookmark_key(walk: str) -> Item:
    """Where the place is kept at which a walk goes on."""
    return key(f"bookmark#{walk}", "bookmark")


# --- slots and claims


def slot_key(room_id: str, participant_id: str, kind: str) -> Item:
    """Where the latest recording of one kind of one participant is named."""
    return key(f"slot#{room_id}#{participant_id}#{kind}", "slot")


def claim_key(claim: Claim) -> Item:
    """Where the first use of one caller's Idempotency-Key is kept."""
    digest = hashlib.sha256(json.dumps([claim.owner, claim.key]).encode()).hexdigest()
    return key(f"claim#{digest}", "claim")


def claim_of(item: Item) -> Claim:
    """The claim of a claim's item."""
    claim = Claim(**json.loads(item["told"]["S"]))
    return replace(claim, recording_ids=tuple(claim.recording_ids))


# --- what transactions put: for an opening three items, and the claim


def opening_puts(opening: Opening) -> Iterator[Item]:
    """The slot, if it is free or `over`'s; the intent; the head."""
    asked, subject = opening.requested, recording_subject(opening.recording_id)
    slot = {
        **slot_key(asked.room_id, asked.participant_id, asked.kind),
        "holder": {"S": opening.recording_id},
    }
    if opening.over is None:
        yield _put(slot, NEW)
    else:
        yield _put(slot, f"{NEW} OR holder = :over", values={":over": {"S": opening.over}})
    yield fact_put(subject, asked)
    yield {"Item": recording_item(recording_head(Recording.of(opening.recording_id, [asked])))}


def fact_put(subject: str, event: Event) -> Item:
    """The fact, unless it is there."""
    return _put(fact_item(subject, event), NEW)


def claim_put(claim: Claim) -> Item:
    """The claim, unless it was made before and has not expired: DynamoDB sweeps late."""
    seconds = claim.at // 1000
    item = {
        **claim_key(claim),
        "told": {"S": json.dumps(asdict(claim))},
        "ttl": {"N": str(seconds + CLAIM_SECONDS)},
    }
    put = _put(item, f"{NEW} OR #ttl < :now", values={":now": {"N": str(seconds)}})
    return {**put, "ExpressionAttributeNames": {"#ttl": "ttl"}}


def _put(item: Item, condition: str, values: Item | None = None) -> Item:
    told = {"Item": item, "ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    return told if values is None else {**told, "ExpressionAttributeValues": values}
