"""Secrets by name, from Secrets Manager, kept for a few minutes so that they can rotate."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.core.errors import Unavailable

TTL_MS = 5 * 60 * 1000
# How soon a secret is asked for again after an attempt that brought nothing new.
COOLDOWN_MS = 30 * 1000


@dataclass(frozen=True, slots=True)
class _Kept:
    value: str
    until: int
    asked_at: int


def _epoch_ms() -> int:
    return time.time_ns() // 1_000_000


class Secrets:
    """Reads secrets. Threads may share it. While they can not be read anew, the last known ones serve."""

    def __init__(self, client: Any, now: Callable[[], int] = _epoch_ms) -> None:
        self._client = client
        self._now = now
        self._lock = Lock()
        self._kept: dict[str, _Kept] = {}

    def text(self, name: str) -> str:
        """A secret's value; `Unavailable` when it can not be read and never was."""
        with self._lock:
            kept, now = self._kept.get(name), self._now()
            if kept is None or not kept.until - TTL_MS <= now < kept.until:
                kept = self._kept[name] = self._renewed(name, kept, now)
            return kept.value

    def fields(self, name: str) -> dict[str, Any]:
        """A secret whose value is a JSON object."""
        try:
            told = json.loads(self.text(name))
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise Unavailable("secret_unavailable", f"the secret {name} is not a JSON object")
        return told

    def forget(self, name: str) -> None:
        """Somebody did not take this secret: read it anew at its next use, though not all the time."""
        with self._lock:
            kept = self._kept.get(name)
            if kept is not None and self._now() - kept.asked_at >= COOLDOWN_MS:
                self._kept[name] = replace(kept, until=0)

    def _renewed(self, name: str, kept: _Kept | None, now: int) -> _Kept:
        try:
            told = self._client.get_secret_value(SecretId=name)
            return _Kept(str(told["SecretString"]), now + TTL_MS, now)
        except (BotoCoreError, ClientError, KeyError) as error:
            if kept is not None:
                return _Kept(kept.value, now + COOLDOWN_MS, now)
            # Only the kind of error: a text of AWS's may name more than a log should hold.
            why = type(error).__name__
        raise Unavailable("secret_unavailable", f"the secret {name} can not be read ({why})")
