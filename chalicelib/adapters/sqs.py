"""The queues behind the media functions."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import batched
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.core.errors import Unavailable

_BATCH = 10  # SendMessageBatch's limit


@dataclass(frozen=True)
class SqsWork:
    """Answers to the port `Work`. `client` is a boto3 SQS client."""

    client: Any
    bucket: str
    ingest_queue_url: str
    render_queue_url: str

    def ingest(self, keys: Iterable[str]) -> None:
        """As EventBridge would have told it, so that one parser reads both."""
        self._send(self.ingest_queue_url, (_object_created(self.bucket, key) for key in keys))

    def make(self, steps: Iterable[dict[str, Any]]) -> None:
        """One message a step."""
        self._send(self.render_queue_url, steps)

    def _send(self, queue_url: str, bodies: Iterable[dict[str, Any]]) -> None:
        try:
            for entries in batched(_entries(bodies), _BATCH):
                answer = self.client.send_message_batch(QueueUrl=queue_url, Entries=list(entries))
                if answer.get("Failed"):
                    raise Unavailable("queue_unavailable", "SQS did not take every message; try again")
        except (ClientError, BotoCoreError) as error:
            raise Unavailable("queue_unavailable", "SQS can not be reached; try again") from error


def _entries(bodies: Iterable[dict[str, Any]]) -> Iterator[dict[str, str]]:
    return ({"Id": str(place), "MessageBody": json.dumps(body)} for place, body in enumerate(bodies))


def _object_created(bucket: str, key: str) -> dict[str, Any]:
    return {
        "source": "tracklane",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": bucket}, "object": {"key": key}},
    }
