"""Who calls us: bearer tokens that the app team's backend signs with a secret that we share (RFC 8725)."""

from collections.abc import Callable
from dataclasses import dataclass

import jwt

from chalicelib.core.errors import Unauthenticated

ALGORITHM = "HS256"
LEEWAY_S = 30
SUBJECT_AT_MOST = 128
_REQUIRED = ["exp", "iat", "sub", "aud"]


@dataclass(frozen=True)
class Callers:
    """Knows a good token: one fixed algorithm, our audience, and every claim that we rely upon."""

    secret: Callable[[], str]
    audience: str

    def subject(self, authorization: str) -> str:
        """Whom an `Authorization` header names; `Unauthenticated` where it proves nothing."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("invalid_token", "send `Authorization: Bearer <JWT>`")
        try:
            told = jwt.decode(
                token,
                self.secret(),
                algorithms=[ALGORITHM],
                audience=self.audience,
                leeway=LEEWAY_S,
                options={"require": _REQUIRED},
            )
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as fault:
            raise Unauthenticated("invalid_token", f"the token is not good: {fault}") from None
        return _named(told["sub"])


def _named(subject: str) -> str:
    """The app as it will stand in the ledger; API Gateway takes no empty name, and people read it."""
    if not subject.strip() or len(subject) > SUBJECT_AT_MOST or not subject.isprintable():
        raise Unauthenticated("invalid_token", f"`sub` is not a name of 1 to {SUBJECT_AT_MOST} characters")
    return subject
