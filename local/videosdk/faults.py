"""What goes wrong on purpose, each addressed to what it shall hit.

A fault is armed as JSON: its name, what it is addressed to, how often it strikes and its measures. What
is not named matches all; a name may be given several values as a list.

| fault | addressed by | measures | what happens |
|---|---|---|---|
| `lose_webhook` | type, participantId, kind | | it is never sent; the list counts it as unsuccessful |
| `double_webhook` | type, participantId, kind | | it is sent twice, byte for byte the same |
| `delay_webhook` | type, participantId, kind | ms (1000) | it is sent that much later; others overtake it |
| `reorder_webhook` | type, participantId, kind | ms (1000) | its follower is sent first, if one comes in ms |
| `lose_answer` | call, participantId, kind | | the work is done, then the connection is closed |
| `server_error` | call, participantId, kind | status (503), done (false) | a 5xx, before or after the work |
| `rate_limit` | call, participantId, kind | retry_after (1) | 429 with Retry-After; no work is done |
| `drip` | call, participantId, kind | ms (500) | the answer comes byte by byte, one every ms |
| `slow` | call, participantId, kind | ms (1000) | the work is done, the answer waits |
| `lose_object` | participantId, kind, index | | a file, counted from 0, is announced and never uploaded |
| `fail_start` | participantId, kind | | `starting`, then `failed`: nothing is recorded |
| `fail_stop` | participantId, kind | | `stopping`, then `failed` in place of `stopped` |

`call` is `start`, `stop`, `list`, `get`, `delete`, `sessions`, `session`, `participants`, `participant`,
`end_session` or `key`. `times` is how often it strikes (1; null for ever), `fraction` how likely (1.0) each
time that it could.
"""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

FAULTS: dict[str, tuple[str, ...]] = {
    "lose_webhook": ("type", "participantId", "kind"),
    "double_webhook": ("type", "participantId", "kind"),
    "delay_webhook": ("type", "participantId", "kind"),
    "reorder_webhook": ("type", "participantId", "kind"),
    "lose_answer": ("call", "participantId", "kind"),
    "server_error": ("call", "participantId", "kind"),
    "rate_limit": ("call", "participantId", "kind"),
    "drip": ("call", "participantId", "kind"),
    "slow": ("call", "participantId", "kind"),
    "lose_object": ("participantId", "kind", "index"),
    "fail_start": ("participantId", "kind"),
    "fail_stop": ("participantId", "kind"),
}

MEASURES: dict[str, dict[str, Any]] = {
    "delay_webhook": {"ms": 1000},
    "reorder_webhook": {"ms": 1000},
    "server_error": {"status": 503, "done": False},
    "rate_limit": {"retry_after": 1},
    "drip": {"ms": 500},
    "slow": {"ms": 1000},
}


@dataclass
class Fault:
    """One armed fault; `left` counts down to 0, None strikes for ever."""

    name: str
    address: dict[str, list[Any]]
    measures: dict[str, Any]
    left: int | None = 1
    fraction: float = 1.0

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """The fault that this JSON describes; `ValueError` names what is wrong with it."""
        name = str(told.get("fault"))
        if name not in FAULTS:
            raise ValueError(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
        measures = MEASURES.get(name, {})
        unknown = told.keys() - {"fault", "times", "fraction", *FAULTS[name], *measures}
        if unknown:
            raise ValueError(f"{name} has no {', '.join(sorted(unknown))}")
        address = {key: _several(told[key]) for key in FAULTS[name] if key in told}
        chosen = {key: told.get(key, default) for key, default in measures.items()}
        return cls(name, address, chosen, told.get("times", 1), float(told.get("fraction", 1.0)))

    def hits(self, facts: Mapping[str, Any]) -> bool:
        """Whether it is addressed to these facts and still has a strike left."""
        return self.left != 0 and all(facts.get(key) in values for key, values in self.address.items())

    def told(self) -> dict[str, Any]:
        """As it stands in JSON."""
        said = {"fault": self.name, "times": self.left, "fraction": self.fraction}
        return said | self.address | self.measures


class Faults:
    """All armed faults. Chance is seeded: the same story goes wrong in the same way."""

    def __init__(self, seed: int = 0) -> None:
        self._armed: list[Fault] = []
        self._chance = random.Random(seed)
        self._lock = threading.Lock()

    def arm(self, told: Mapping[str, Any]) -> None:
        """Add a fault."""
        fault = Fault.of(told)
        with self._lock:
            self._armed.append(fault)

    def disarm(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._armed.clear()

    def strikes(self, *names: str, **facts: Any) -> Fault | None:
        """The first fault of these names that hits these facts now; it has one strike less after."""
        with self._lock:
            for fault in self._armed:
                if fault.name in names and fault.hits(facts) and self._chance.random() < fault.fraction:
                    fault.left = None if fault.left is None else fault.left - 1
                    return fault
        return None

    def told(self) -> list[dict[str, Any]]:
        """As they stand in JSON."""
        with self._lock:
            return [fault.told() for fault in self._armed]


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]
