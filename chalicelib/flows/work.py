"""Work is leased before it is begun, kept while it runs, and committed once.

Law: nothing is written into the ledger but under a lease that is still ours. Who dies, or is away for so
long that another has the work, leaves at most a file under a key that only the same work would use.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chalicelib.core.errors import TracklaneError, Unavailable
from chalicelib.core.events import Event, WorkGivenUp
from chalicelib.core.ids import generation
from chalicelib.core.work import LEASE_MS, Collected, Done, GivenUp, Lease, LeaseLost, Spent, TryFailed
from chalicelib.ports import World

KEEP_MS = LEASE_MS // 3  # how long a lease is left alone


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be made, for whose facts, and all that `WorkGivenUp` would tell of it but how it ended."""

    subject: str
    target: str
    about: dict[str, Any]


@dataclass(slots=True)
class Hold:
    """A lease while somebody works under it."""

    world: World
    lease: Lease

    @property
    def target(self) -> str:
        """The key that this generation of the work is made under."""
        return self.lease.target

    def kept(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same bytes; the lease is renewed as they go by. `LeaseLost` ends them."""
        for chunk in chunks:
            self.renew()
            yield chunk

    def renew(self) -> None:
        """Still at it: have the lease for longer, where a part of it has passed."""
        now = self.world.now()
        if now >= self.lease.until - LEASE_MS + KEEP_MS:
            self.lease = self.world.leases.keep(self.lease, now)


@dataclass(frozen=True, slots=True)
class Unleased:
    """Instead of a `Hold`, where somebody else sees to it that nobody works on the same."""

    target: str

    def kept(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same bytes."""
        yield from chunks

    def renew(self) -> None:
        """Nothing runs out."""


def once(world: World, job: Job, do: Callable[[Hold], Event | Sequence[Event]]) -> None:
    """Do it and write down what came of it, one fact or several at once, unless that is done already.

    What goes wrong is `TryFailed` while a further try is allowed, and `GivenUp` afterwards; `Busy` and
    `LeaseLost` are no failures: somebody else is at it.
    """
    try:
        hold = Hold(world, _taken(world, job.target))
    except Done:
        return
    except Spent as spent:
        raise _given_up(world, job, spent) from spent
    try:
        told = do(hold)
        world.leases.commit(hold.lease, job.subject, [told] if isinstance(told, Event) else told)
    except LeaseLost:
        raise
    except Exception as fault:
        raise _failed(world, hold.lease, fault) from fault


def _taken(world: World, target: str) -> Lease:
    number = 0
    while True:
        try:
            return world.leases.take(generation(target, number), world.now())
        except Collected:
            number += 1


def _given_up(world: World, job: Job, spent: Spent) -> GivenUp:
    told: dict[str, Any] = {"target": spent.target, "tries": spent.tries, "reason": spent.reason}
    world.ledger.append(job.subject, WorkGivenUp(at=world.now(), **job.about, **told))
    message = f"tried {spent.tries} times: {spent.reason}"
    return GivenUp("work_given_up", message, job.subject, spent.target)


def _failed(world: World, lease: Lease, fault: Exception) -> TryFailed:
    """Where the lease can not be given back, it runs out by itself."""
    reason = str(fault) if isinstance(fault, TracklaneError) else f"{type(fault).__name__}: {fault}"
    with suppress(Unavailable):
        world.leases.fail(lease, reason)
    return TryFailed("try_failed", f"try {lease.tries} at {lease.target}: {reason}", lease.tries)
