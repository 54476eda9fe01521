"""How long the running invocation may still take. Lambda runs one at a time in a process, so there is one.

The worst start, which Lambda ends after 28 s: whatever the secrets and the transaction take, VideoSDK is
asked only up to second 16 and heard up to second 19; what became of it is written by second 27 at the latest.
What can not be written even then, the reconciler finds out: the intent was there before.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ANSWER_S = 1.0  # to pack the answer and to hand it over
LAST_WORDS_S = 8.0  # to write down what became of a call: a try that hangs for its 2 + 5 seconds, and another


class Deadline:
    """Set by the door, kept by every call to a neighbour. Without one there is all the time in the world."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._until = math.inf

    @contextmanager
    def within(self, left_ms: float | None) -> Iterator[None]:
        """While an invocation runs, which Lambda ends after so many milliseconds."""
        self._until = math.inf if left_ms is None else self._monotonic() + left_ms / 1000 - ANSWER_S
        try:
            yield
        finally:
            self._until = math.inf

    def left_s(self) -> float:
        """Seconds for everything that is still to be done. Negative when they are over."""
        return self._until - self._monotonic()

    def left_for_work_s(self) -> float:
        """Seconds for what has a result that must be written down afterwards."""
        return self.left_s() - LAST_WORDS_S


INVOCATION = Deadline()
