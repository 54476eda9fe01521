"""The tokens by which VideoSDK knows us: minted here, short-lived, never a participant's.

`roles: ["crawler"]` is the documented role of servers; a participant's token may not call the API
(docs: api-reference, intro).
"""

from collections.abc import Callable
from threading import Lock

import jwt

LIFE_S = 600
# A token is not used in its last minute: VideoSDK's clock may be ahead of ours.
_MARGIN_S = 60

type Credentials = Callable[[], tuple[str, str]]


class Tokens:
    """Mints a token from the key and secret of the moment, and keeps it until one of them or time changes."""

    def __init__(self, credentials: Credentials, now: Callable[[], int]) -> None:
        self._credentials = credentials
        self._now = now
        self._lock = Lock()
        self._made_for: tuple[str, str] | None = None
        self._made_at = 0
        self._token = ""

    def token(self) -> str:
        """A token that VideoSDK should take. Passes on what the credentials raise."""
        credentials, now = self._credentials(), self._now() // 1000
        with self._lock:
            fresh = 0 <= now - self._made_at < LIFE_S - _MARGIN_S
            if not fresh or credentials != self._made_for:
                self._token = _minted(*credentials, now)
                self._made_for, self._made_at = credentials, now
            return self._token

    def forget(self) -> None:
        """The token was not taken: make another."""
        with self._lock:
            self._made_for = None


def _minted(api_key: str, secret: str, now: int) -> str:
    claims = {
        "apikey": api_key,
        "permissions": ["allow_join"],
        "version": 2,
        "roles": ["crawler"],
        "iat": now,
        "exp": now + LIFE_S,
    }
    return jwt.encode(claims, secret, algorithm="HS256")
