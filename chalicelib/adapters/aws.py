"""The clients of AWS: botocore repeats calls with jitter and a quota, and here learns when to stop.

Law: no call is begun, repeated or listened to beyond the invocation's deadline, however slow its answer is.
"""

import io
import socket
from collections.abc import Callable, Mapping
from http.client import HTTPResponse, IncompleteRead
from typing import Any

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPSConnection
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from chalicelib.adapters.deadline import INVOCATION

CONNECT_S = 2
# Unless told a name, botocore puts its own together anew for each call: a quarter of the call's CPU.
PLAIN: Mapping[str, Any] = {
    "user_agent": "tracklane",
    "parameter_validation": False,
    "account_id_endpoint_mode": "disabled",
    "retries": {"mode": "standard", "total_max_attempts": 3},
    "connect_timeout": CONNECT_S,
    "read_timeout": 5,
}
RETRY_AFTER = "x-amz-retry-after"
RETRY_AFTER_AT_MOST_S = 5  # botocore's own cap


class OutOfTime(BotoCoreError):  # type: ignore[misc]  # botocore comes without types
    """The call was not begun. botocore repeats no error of this kind."""

    fmt = "the invocation has no time left for another call"


def client(session: Any, service: str, left_s: Callable[[], float], **settings: Any) -> Any:
    """The client that boto3 would give; boto3 itself takes as long again to import, and gives no more.

    `left_s` tells how many seconds there are for its calls.
    """
    made = session.create_client(service, config=Config(**{**PLAIN, **settings}))

    def begin(**_: Any) -> None:
        if left_s() < CONNECT_S:
            raise OutOfTime

    def again(attempts: int, response: Any, **_: Any) -> bool | None:
        # botocore's answer comes after ours; it sleeps as long as that says, at most so long.
        wished = response is not None and RETRY_AFTER in response[0].headers
        longest_s = 2 ** (attempts - 1) + (RETRY_AFTER_AT_MOST_S if wished else 0)
        return False if left_s() < longest_s + CONNECT_S else None

    named = made.meta.service_model.service_id.hyphenize()
    made.meta.events.register_first(f"before-send.{named}", begin)
    made.meta.events.register_first(f"needs-retry.{named}", again)
    return made


class _InTime(io.RawIOBase):
    """A socket's bytes until the invocation's time is up, however slowly they come."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._patience = sock.gettimeout() or float("inf")
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = min(self._patience, INVOCATION.left_s())
        if left <= 0:
            raise TimeoutError("the invocation has no time left for this answer")
        self._socket.settimeout(left if left < float("inf") else None)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_InTime(sock))

    def read(self, amt: int | None = None) -> bytes:
        """As much of the body; botocore would take one that breaks off for a whole one, and half a page of
        JSON for an empty one."""
        told = super().read(amt)
        if amt and not told and self.length:
            raise IncompleteRead(told, self.length)
        return told


# There is no other door to botocore's sockets, and its time-outs begin anew with every byte.
AWSHTTPConnection.response_class = AWSHTTPSConnection.response_class = _Answer
