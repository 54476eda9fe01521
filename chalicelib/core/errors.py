"""Everything that can go wrong, split by what the caller should do.

TracklaneError
├── Refused              change something first
│   ├── Invalid          a field, what is wrong with its value, and what would be right
│   ├── TooLarge         send less
│   ├── Unauthenticated  no bearer token that we believe
│   ├── Untrusted        a delivery that VideoSDK did not sign
│   ├── Mismatched       a delivery that VideoSDK signed, about another recording
│   ├── NotFound         there is no such thing
│   ├── NotNow           the meeting is not in a state for it
│   └── KeyReused        an Idempotency-Key that came before with another body
└── Unavailable          try again: a neighbour is down, slow or wrong
    └── BadGateway       a neighbour refuses us for a reason the caller cannot mend
"""

from dataclasses import dataclass, field


@dataclass(eq=False)
class TracklaneError(Exception):
    """`code` is stable and for programs; `message` is for people."""

    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Refused(TracklaneError):
    """The request can not be granted as it is."""


@dataclass(eq=False)
class Invalid(Refused):
    """`field` holds what it may not hold; `expected` says what it may."""

    field: str
    expected: str


class TooLarge(Refused):
    """More bytes than this door takes."""


class Unauthenticated(Refused):
    """No bearer token, or none that we believe."""


class Untrusted(Refused):
    """A delivery that we can not prove to be VideoSDK's word."""


class Mismatched(Refused):
    """VideoSDK's word, but not about the recording whose address it came to."""


class NotFound(Refused):
    """There is no such thing."""


class NotNow(Refused):
    """The meeting is not in a state in which this can be done."""


class KeyReused(Refused):
    """The same Idempotency-Key came before with another body."""


@dataclass(eq=False)
class Unavailable(TracklaneError):
    """A neighbour is down, slow or wrong; the same request may succeed later, after `retry_after_s`."""

    retry_after_s: int | None = field(default=None, kw_only=True)


class BadGateway(Unavailable):
    """A neighbour refuses us for a reason that only the operator can mend."""
