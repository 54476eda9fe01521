"""Who calls us: a bearer token is believed only for every reason there is."""

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from chalicelib.adapters.callers import LEEWAY_S, Callers
from chalicelib.core.errors import Unauthenticated, Unavailable

SECRET, OTHER = "a secret of at least thirty-two bytes", "another secret of at least thirty-two"
CALLERS = Callers(lambda: SECRET, "tracklane")
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def told(**said: Any) -> dict[str, Any]:
    """A good token's claims; None takes one away."""
    now = int(time.time())
    claims = {"sub": "app", "aud": "tracklane", "iat": now, "exp": now + 60, **said}
    return {name: value for name, value in claims.items() if value is not None}


def bearer(key: Any = SECRET, algorithm: str = "HS256", **said: Any) -> str:
    """An `Authorization` header."""
    return f"Bearer {jwt.encode(told(**said), key, algorithm=algorithm)}"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_good_token_names_its_caller(scheme: str) -> None:
    assert CALLERS.subject(bearer().replace("Bearer", scheme)) == "app"


def test_several_audiences_may_hold_ours() -> None:
    assert CALLERS.subject(bearer(aud=["other", "tracklane"])) == "app"


def test_clocks_may_be_a_little_apart() -> None:
    now = int(time.time())

    assert CALLERS.subject(bearer(exp=now - LEEWAY_S // 2)) == "app"
    assert CALLERS.subject(bearer(iat=now + LEEWAY_S // 2)) == "app"


NOW = int(time.time())
BAD: list[tuple[str, Callable[[], str]]] = [
    ("nothing", lambda: ""),
    ("no scheme", lambda: bearer().removeprefix("Bearer ")),
    ("another scheme", lambda: bearer().replace("Bearer", "Basic")),
    ("no token", lambda: "Bearer "),
    ("two tokens", lambda: f"{bearer()} {bearer()}"),
    ("garbage", lambda: "Bearer x.y.z"),
    ("half a character", lambda: "Bearer \ud800"),
    ("letters of no alphabet", lambda: "Bearer ä.ö.ü"),
    ("another secret", lambda: bearer(OTHER)),
    ("no algorithm", lambda: bearer(None, "none")),
    ("another length", lambda: bearer(SECRET * 2, "HS512")),
    ("a key pair", lambda: bearer(RSA, "RS256")),
    ("expired", lambda: bearer(exp=NOW - LEEWAY_S - 60)),
    ("not yet", lambda: bearer(iat=NOW + 3600, exp=NOW + 7200)),
    ("not before", lambda: bearer(nbf=NOW + 3600)),
    ("another audience", lambda: bearer(aud="other")),
    ("an audience that begins so", lambda: bearer(aud="tracklane-test")),
    ("no expiry", lambda: bearer(exp=None)),
    ("no time of issue", lambda: bearer(iat=None)),
    ("no subject", lambda: bearer(sub=None)),
    ("an empty subject", lambda: bearer(sub="")),
    ("no audience", lambda: bearer(aud=None)),
    ("an expiry that is no number", lambda: bearer(exp="tomorrow")),
    ("claims that are none", lambda: f"Bearer {jwt.api_jws.encode(b'[]', SECRET, 'HS256')}"),
]


@pytest.mark.parametrize("header", [header for _, header in BAD], ids=[name for name, _ in BAD])
def test_a_token_that_is_not_good_is_refused(header: Callable[[], str]) -> None:
    with pytest.raises(Unauthenticated, match="invalid_token"):
        CALLERS.subject(header())


@pytest.mark.parametrize("part", range(3))
def test_a_token_with_a_letter_altered_is_refused(part: int) -> None:
    parts = bearer().removeprefix("Bearer ").split(".")
    # In the middle: the last letter of a part holds bits that say nothing.
    at = len(parts[part]) // 2
    parts[part] = parts[part][:at] + ("A" if parts[part][at] != "A" else "B") + parts[part][at + 1 :]

    with pytest.raises(Unauthenticated, match="invalid_token"):
        CALLERS.subject(f"Bearer {'.'.join(parts)}")


def test_the_refusal_never_tells_the_secret() -> None:
    with pytest.raises(Unauthenticated) as refusal:
        CALLERS.subject(bearer(OTHER))

    assert SECRET not in str(refusal.value)
    assert OTHER not in str(refusal.value)


def test_a_secret_that_can_not_be_had_is_no_refusal() -> None:
    def down() -> str:
        raise Unavailable("secrets_unavailable", "Secrets Manager can not be reached")

    with pytest.raises(Unavailable, match="secrets_unavailable"):
        Callers(down, "tracklane").subject(bearer())
