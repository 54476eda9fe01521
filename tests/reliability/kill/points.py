"""The moments at which an operation can die: before and after each call to AWS and to VideoSDK.

The hooks sit in botocore and requests, below our own code. Each moment is noted in a file that outlives the
process, so it is known how far a killed one came.
"""

import os
import signal
import threading
from typing import Any

import botocore.handlers
import requests.adapters


class Points:
    """Counts the moments of this process; at the chosen one the process sends itself the signal."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._note: int | None = None
        self._at: frozenset[int | str] = frozenset()
        self._signal = signal.SIGKILL
        self._count = 0

    def begin(self, note: int, at: frozenset[int | str], sign: signal.Signals) -> None:
        """From here on: note each moment in this file, and strike at those of these numbers or
        labels."""
        self._note, self._at, self._signal, self._count = note, at, sign, 0

    def pass_by(self, label: str) -> None:
        """One more moment."""
        with self._lock:
            if self._note is None:
                return
            number, self._count = self._count, self._count + 1
            os.write(self._note, f"{label}\n".encode())
            if number in self._at or label in self._at:
                os.kill(os.getpid(), self._signal)


POINTS = Points()


def hook() -> None:
    """Have every client of AWS and VideoSDK that this process makes pass by. Once, before any is made."""
    handlers: list[tuple[str, Any]] = botocore.handlers.BUILTIN_HANDLERS
    handlers.append(("before-send", _before_aws))
    handlers.append(("response-received", _after_aws))
    adapters: Any = requests.adapters
    send = adapters.HTTPAdapter.send

    def passing(adapter: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        POINTS.pass_by(f"before {request.method} {_path(request)}")
        answer = send(adapter, request, *args, **kwargs)
        POINTS.pass_by(f"after {request.method} {_path(request)}")
        return answer

    adapters.HTTPAdapter.send = passing


def _before_aws(event_name: str, **_: Any) -> None:
    POINTS.pass_by(f"before {_call(event_name)}")


def _after_aws(event_name: str, **_: Any) -> None:
    POINTS.pass_by(f"after {_call(event_name)}")


def _call(event_name: str) -> str:
    return ".".join(event_name.split(".")[-2:])


def _path(request: Any) -> str:
    return str(request.path_url).partition("?")[0].rpartition("/")[2]
