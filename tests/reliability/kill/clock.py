"""The one clock of all processes, which the test can move."""

import mmap
import time
from pathlib import Path


class Clock:
    """How far ahead of the machine's clock it is, in a file that all processes share.

    So the clock goes on while a process is stopped, and is right when it wakes.
    """

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 8)

    @property
    def ahead_ms(self) -> int:
        """By how much."""
        return int.from_bytes(self._shared[:8])

    @ahead_ms.setter
    def ahead_ms(self, ms: int) -> None:
        self._shared[:8] = ms.to_bytes(8)

    def now(self) -> int:
        """Epoch milliseconds."""
        return time.time_ns() // 1_000_000 + self.ahead_ms
