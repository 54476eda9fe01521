"""What other systems are told, on the account's event bus."""

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.core.errors import Unavailable

SOURCE = "tracklane"
READY = "Session Ready"


@dataclass(frozen=True)
class EventBridgeBell:
    """Answers to the port `Bell`. `client` is a boto3 EventBridge client."""

    client: Any

    def ready(self, told: dict[str, Any]) -> None:
        """One event; PutEvents reports a refused entry in its answer, not as an error."""
        entry = {"Source": SOURCE, "DetailType": READY, "Detail": json.dumps(told)}
        try:
            answer = self.client.put_events(Entries=[entry])
        except (ClientError, BotoCoreError) as error:
            raise Unavailable("events_unavailable", "EventBridge can not be reached; try again") from error
        if answer.get("FailedEntryCount"):
            raise Unavailable("events_unavailable", "EventBridge did not take the event; try again")
