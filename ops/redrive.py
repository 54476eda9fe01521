"""Do again what was given up: empty the dead-letter queue back to where its messages came from.

    python -m ops.redrive --stack tracklane-prod

SQS's own redrive stops at the first message that no queue gave up, and four kinds meet in ours: messages
that a function gave up, with the reason; messages that a queue gave up, because their functions never came to
say why; objects' events that EventBridge could not put into the queue; and notes of Lambda's that a batch of
the ledger's stream was not settled. The last hold only a place in the stream, which forgets after a day.

Work that was tried as often as is allowed may be tried as often again, and the ledger says who wanted it.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3

from chalicelib.adapters.dynamodb import DynamoLedger
from chalicelib.adapters.dynamodb_work import DynamoLeases
from chalicelib.core.events import WorkRedriven
from chalicelib.ports import Leases, Ledger
from ops.stacks import Stack

HIDDEN_S = 900  # from all being taken out to the last one being back


class NotAgainError(Exception):
    """This message stays where it is, for this reason."""


@dataclass(frozen=True)
class Redrive:
    """What a redrive speaks to, boto3 clients and the stack's own names; and who wants it."""

    sqs: Any
    streams: Any
    functions: Any
    dead_letters: str
    ingest_queue: str
    settle: str
    ledger: Ledger
    leases: Leases
    by: str

    @classmethod
    def of(cls, stack: Stack) -> "Redrive":
        """A stack's, by whoever's keys these are."""
        outputs, dynamodb = stack.outputs, boto3.client("dynamodb")
        return cls(
            boto3.client("sqs"),
            boto3.client("dynamodbstreams"),
            boto3.client("lambda"),
            outputs["DeadLetterQueueUrl"],
            outputs["IngestQueueUrl"],
            stack.resource("Settle"),
            DynamoLedger(dynamodb, outputs["Table"]),
            DynamoLeases(dynamodb, outputs["Table"]),
            boto3.client("sts").get_caller_identity()["Arn"],
        )

    def run(self) -> Counter[str]:
        """Bring every message back once, and count how each kind went and why it was there.

        What is done twice because this dies half-way does no harm: a message that comes twice finds its work
        done or begun.
        """
        went: Counter[str] = Counter()
        # All are taken out before the first goes back: what fails again at once is left for the next time.
        for message in list(self._messages()):
            letter = {"QueueUrl": self.dead_letters, "ReceiptHandle": message["ReceiptHandle"]}
            try:
                went[self._again(message)] += 1
                self.sqs.delete_message(**letter)
            except NotAgainError as kept:
                went[f"kept: {kept}"] += 1
                self.sqs.change_message_visibility(**letter, VisibilityTimeout=0)
        return went

    def _messages(self) -> Iterator[dict[str, Any]]:
        seen: set[str] = set()
        while batch := self._received():
            for message in batch:
                if message["MessageId"] in seen:
                    return
                seen.add(message["MessageId"])
                yield message

    def _received(self) -> list[dict[str, Any]]:
        answer = self.sqs.receive_message(
            QueueUrl=self.dead_letters,
            MaxNumberOfMessages=10,
            VisibilityTimeout=HIDDEN_S,
            MessageSystemAttributeNames=["DeadLetterQueueSourceArn"],
            MessageAttributeNames=["All"],
        )
        batch: list[dict[str, Any]] = answer.get("Messages", [])
        return batch

    def _again(self, message: dict[str, Any]) -> str:
        said = {name: told["StringValue"] for name, told in message.get("MessageAttributes", {}).items()}
        name = said.get("Queue") or _mover(message)
        told = _parsed(message["Body"])
        match told:
            case _ if name:
                self._allow(said)
                self._send(self.sqs.get_queue_url(QueueName=name)["QueueUrl"], message["Body"])
                return f"back to {name}: {said['Reason']}" if "Reason" in said else f"back to {name}"
            case {"detail-type": "Object Created"}:
                self._send(self.ingest_queue, message["Body"])
                return "objects' events to the ingest queue"
            case {"DDBStreamBatchInfo": batch}:
                self._settle(batch)
                return "batches of facts settled"
            case _:
                raise NotAgainError("nobody knows where it came from")

    def _allow(self, said: dict[str, str]) -> None:
        """More tries for leased work, as a fact of whoever's it is."""
        if {"Subject", "Target"} <= said.keys() and self.leases.redrive(said["Target"]):
            at = time.time_ns() // 1_000_000
            self.ledger.append(said["Subject"], WorkRedriven(at=at, target=said["Target"], by=self.by))

    def _send(self, queue: str, body: str) -> None:
        self.sqs.send_message(QueueUrl=queue, MessageBody=body)

    def _settle(self, batch: dict[str, Any]) -> None:
        records = list(self._records(batch))
        answer = self.functions.invoke(FunctionName=self.settle, Payload=json.dumps({"Records": records}))
        if "FunctionError" in answer:
            raise NotAgainError("settling failed again; the function's log says why")

    def _records(self, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The batch's records as Lambda would hand them over."""
        last = int(batch["endSequenceNumber"])
        iterator: str | None = self._iterator(batch)
        while iterator:
            answer = self.streams.get_records(ShardIterator=iterator)
            for record in answer["Records"]:
                told = record["dynamodb"]
                if int(told["SequenceNumber"]) > last:
                    return
                at = told["ApproximateCreationDateTime"].timestamp()
                yield record | {
                    "eventSourceARN": batch["streamArn"],
                    "dynamodb": told | {"ApproximateCreationDateTime": at},
                }
                if int(told["SequenceNumber"]) == last:
                    return
            iterator = answer.get("NextShardIterator") if answer["Records"] else None

    def _iterator(self, batch: dict[str, Any]) -> str:
        asked = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": batch["startSequenceNumber"]}
        try:
            answer = self.streams.get_shard_iterator(
                StreamArn=batch["streamArn"], ShardId=batch["shardId"], **asked
            )
        except (
            self.streams.exceptions.TrimmedDataAccessException,
            self.streams.exceptions.ResourceNotFoundException,
        ):
            raise NotAgainError(
                "the stream has forgotten the batch; the schedule settles what is open"
            ) from None
        return str(answer["ShardIterator"])


def _mover(message: dict[str, Any]) -> str:
    """The queue that moved a message by itself, because it had been received too often."""
    return str(message.get("Attributes", {}).get("DeadLetterQueueSourceArn", "")).rpartition(":")[2]


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def main() -> None:
    """Redrive the stack of the command line."""
    parser = argparse.ArgumentParser(prog="python -m ops.redrive", description=__doc__.split("\n")[0])
    parser.add_argument("--stack", required=True)
    went = Redrive.of(Stack(parser.parse_args().stack)).run()
    for how, many in sorted(went.items()):
        print(f"{many:6} {how}")
    if not went:
        print("There are no dead letters.")
    sys.exit(any(how.startswith("kept") for how in went))


if __name__ == "__main__":
    main()
