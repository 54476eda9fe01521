"""The right to work on something, and why there is none: one at a time, a few tries, one commit."""

from dataclasses import dataclass

from chalicelib.core.errors import Refused, Unavailable


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do a piece of work until then. Who has an older epoch can commit nothing."""

    target: str
    epoch: int
    until: int
    tries: int


LEASE_MS = 60_000
FACTS_AT_MOST = 90  # of one commit: a transaction of DynamoDB holds 100 writes
TRIES = 3  # what kills its worker never reports a failure: a try counts when it begins


class Done(Exception):
    """The work is committed: there is nothing left to do."""


class Collected(Exception):
    """What an earlier try left was swept away: only the next generation of the key can be made."""


@dataclass(eq=False)
class Busy(Unavailable):
    """Somebody else is at this work, for so many seconds more at most if they were killed."""

    again_s: int


class LeaseLost(Unavailable):
    """Somebody else has the work now, or has done it."""


@dataclass(eq=False)
class TryFailed(Unavailable):
    """A try, the how manieth it was, came to nothing; the next may do better."""

    tries: int


@dataclass(eq=False)
class Spent(Refused):
    """The work was tried as often as is allowed; `reason` is what the last try died of."""

    target: str
    tries: int
    reason: str


@dataclass(eq=False)
class GivenUp(Refused):
    """It is written down in the subject's facts that nobody will try this again by himself."""

    subject: str
    target: str


def busy(lease: Lease, now: int) -> Busy:
    """Told to who comes second."""
    seconds = -((now - lease.until) // 1000)
    return Busy("work_busy", f"somebody is at {lease.target} for {seconds} s more at most", seconds)


def lost(lease: Lease) -> LeaseLost:
    """Told to who was away for too long."""
    return LeaseLost("lease_lost", f"somebody else has {lease.target} now, or has done it")


def spent(lease: Lease, reason: str | None) -> Spent:
    """Told to who comes after the last try. A try that could not say what it died of was cut off."""
    died_of = reason or "the last try was cut off: its function was killed or ran out of time or memory"
    message = f"{lease.target} was tried {lease.tries} times: {died_of}"
    return Spent("work_spent", message, lease.target, lease.tries, died_of)
