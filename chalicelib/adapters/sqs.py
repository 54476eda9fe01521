"""The queues behind the media functions."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.core.errors import Unavailable


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
            for body in bodies:
                self.client.send_message(QueueUrl=queue_url, MessageBody=json.dumps(body))
        except (ClientError, BotoCoreError) as error:
            raise Unavailable("queue_unavailable", "SQS can not be reached; try again") from error


def hide(client: Any, queue_url: str, receipt: str, seconds: int) -> None:
    """Have a message that was received come back after so long from now, whatever its queue would do."""
    asked = {"QueueUrl": queue_url, "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
    try:
        client.change_message_visibility(**asked)
    except (ClientError, BotoCoreError) as error:
        raise Unavailable("queue_unavailable", "SQS can not be reached; try again") from error


def _object_created(bucket: str, key: str) -> dict[str, Any]:
    return {
        "source": "tracklane",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": bucket}, "object": {"key": key}},
    }
