"""Who calls us: bearer tokens that the app team's own backend signs with a secret that we share (RFC 8725)."""

from collections.abc import Callable
from dataclasses import dataclass

import jwt

from chalicelib.core.errors import Unauthenticated

ALGORITHM = "HS256"
LEEWAY_S = 30
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
        except (jwt.PyJWTError, ValueError) as fault:
            raise Unauthenticated("invalid_token", f"the token is not good: {fault}") from None
        return str(told["sub"])
