"""How much may be sent again: a part of all that is sent, so that who is down is not kept down."""

from threading import Lock

BURST = 3.0
EARNED = 0.08  # by each call that is sent for the first time


class Budget:
    """A bucket of tokens, one for each call that is sent again. One in a process; threads share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tokens = BURST

    def earn(self) -> None:
        """A call is sent for the first time."""
        with self._lock:
            self._tokens = min(BURST, self._tokens + EARNED)

    def spend(self) -> bool:
        """Whether a call may be sent again."""
        with self._lock:
            allowed = self._tokens >= 1
            self._tokens -= allowed
            return allowed
