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

    def make(self, messages: Iterable[dict[str, Any]]) -> None:
        """One by one: each may be as large as ten together."""
        self._send(self.render_queue_url, messages)

    def _send(self, queue_url: str, bodies: Iterable[dict[str, Any]]) -> None:
        with _Failures():
            for body in bodies:
                self.client.send_message(QueueUrl=queue_url, MessageBody=json.dumps(body))


@dataclass(frozen=True)
class SqsQueue:
    """The queue that a function is fed from, and the dead letters behind it."""

    client: Any
    url: str
    dead_letters_url: str

    def hide(self, receipt: str, seconds: int) -> None:
        """Have a message that was received come back after so long from now, whatever the queue would do."""
        asked = {"QueueUrl": self.url, "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
        with _Failures():
            self.client.change_message_visibility(**asked)

    def bury(self, body: str, said: dict[str, str]) -> None:
        """Put a message among the dead letters: with what is said of it, and the name of its queue."""
        told = {"Queue": self.url.rpartition("/")[2], **said}
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in told.items()}
        with _Failures():
            self.client.send_message(
                QueueUrl=self.dead_letters_url, MessageBody=body, MessageAttributes=attributes
            )


class _Failures:
    """Lets no foreign exception through: what SQS could not do is `Unavailable`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ClientError | BotoCoreError):
            raise Unavailable("queue_unavailable", "SQS can not be reached; try again") from error


def _object_created(bucket: str, key: str) -> dict[str, Any]:
    return {
        "source": "tracklane",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": bucket}, "object": {"key": key}},
    }
