"""The deployed world with a clock that can be moved, and worlds that are broken on purpose."""

from collections.abc import Callable
from typing import Self

from chalicelib.config import Config
from chalicelib.wiring import AwsWorld

CLIENTS = ["ledger", "catalog", "leases", "recorder", "post", "inbox", "shelf", "bell", "work", "secrets"]


class Sound(AwsWorld):
    """As it is deployed."""

    def __init__(self, config: Config, now: Callable[[], int]) -> None:
        super().__init__(config)
        self._now = now

    def now(self) -> int:
        """The clock that the test moves."""
        return self._now()

    def warm(self) -> Self:
        """Make every client, and connect none."""
        for name in CLIENTS:
            getattr(self, name)
        return self


WORLDS: dict[str, type[Sound]] = {"sound": Sound}
