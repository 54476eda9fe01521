"""Who may call: API Gateway asks the authorizer with the header as it came."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import app
from chalicelib.core.errors import Unavailable
from chalicelib.routes.authorizer import authorize
from tests.routes.stage import APP_SECRET, bearer

ARN = "arn:aws:execute-api:eu-central-1:123456789012:abc123/v1/GET/recordings"
OPEN = {
    "/",
    "/web/{wanted}/{name}",
    "/openapi.json",
    "/health",
    "/webhooks/videosdk",
    "/webhooks/videosdk/{token}",
    "/shared/{token}",
    "/shared/{token}/addresses",
    "/sessions/{session_id}/compositions/{composition_id}/{token}/{name}",
}

pytestmark = pytest.mark.usefixtures("environ")


def asked(token: str, arn: str = ARN) -> dict[str, Any]:
    """The authorizer's answer to API Gateway's TOKEN event."""
    event = {"type": "TOKEN", "authorizationToken": token, "methodArn": arn}
    answer: dict[str, Any] = authorize(event, {})
    return answer


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def made(header: Any, claims: Any = None, signature: bytes = b"x" * 32) -> str:
    """A token of which nothing needs to be right."""
    now = int(time.time())
    good = {"sub": "evil", "aud": "tracklane", "iat": now, "exp": now + 600}
    parts = [
        part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims or good)
    ]
    return f"Bearer {'.'.join(map(b64, [*parts, signature]))}"


def now(offset: int) -> int:
    return int(time.time()) + offset


RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_PEM = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
GOOD = {"alg": "HS256", "typ": "JWT"}

BAD: list[tuple[str, Callable[[], str]]] = [
    ("nothing", lambda: ""),
    ("the scheme alone", lambda: "Bearer"),
    ("the scheme and a space", lambda: "Bearer "),
    ("no scheme", lambda: bearer().removeprefix("Bearer ")),
    ("another scheme", lambda: bearer().replace("Bearer", "Basic")),
    ("two spaces", lambda: bearer().replace("Bearer ", "Bearer  ")),
    ("two tokens", lambda: f"{bearer()}, {bearer()}"),
    ("quoted", lambda: bearer().replace("Bearer ", 'Bearer "') + '"'),
    ("expired", lambda: bearer(exp=now(-31))),
    ("expired long ago", lambda: bearer(exp=1)),
    ("no exp", lambda: bearer(exp=None)),
    ("no iat", lambda: bearer(iat=None)),
    ("no sub", lambda: bearer(sub=None)),
    ("no aud", lambda: bearer(aud=None)),
    ("iat in the future", lambda: bearer(iat=now(60))),
    ("nbf in the future", lambda: bearer(nbf=now(60))),
    ("another audience", lambda: bearer(aud="other")),
    ("an audience like ours", lambda: bearer(aud="tracklane2")),
    ("exp as a word", lambda: bearer(exp="never")),
    ("exp endless", lambda: signed(GOOD, b'{"sub": "a", "aud": "tracklane", "iat": 1, "exp": 1e999}')),
    ("iat endless", lambda: signed(GOOD, b'{"sub": "a", "aud": "tracklane", "iat": 1e999, "exp": 9e9}')),
    ("claims that are a list", lambda: signed(GOOD, b"[]")),
    ("claims nested deep", lambda: signed(GOOD, b'{"a": ' + b"[" * 7000 + b"]" * 7000 + b"}")),
    ("an empty sub", lambda: bearer(sub="")),
    ("a blank sub", lambda: bearer(sub="  ")),
    ("a sub of two lines", lambda: bearer(sub="my-app\nadmin")),
    ("a sub that runs backwards", lambda: bearer(sub="my-app\u202e")),
    ("half a character as sub", lambda: bearer(sub="\ud800")),
    ("a sub of a thousand characters", lambda: bearer(sub="x" * 1000)),
    ("a number as sub", lambda: bearer(sub=7)),
    ("another secret", lambda: bearer("another-secret-of-the-apps-that-is-long-enough")),
    ("an empty secret", lambda: made(GOOD)),
    ("claims changed after signing", lambda: changed(bearer())),
    ("signature cut", lambda: bearer()[:-1]),
    ("no signature", lambda: bearer().rpartition(".")[0] + "."),
    ("two parts", lambda: bearer().rpartition(".")[0]),
    ("four parts", lambda: bearer() + ".x"),
    ("alg none", lambda: made({"alg": "none"}, signature=b"")),
    ("alg None", lambda: made({"alg": "None", "typ": "JWT"}, signature=b"")),
    ("alg missing", lambda: made({"typ": "JWT"})),
    ("alg a list", lambda: made({"alg": ["HS256"]})),
    ("alg null", lambda: made({"alg": None})),
    ("HS384 with our secret", lambda: bearer(algorithm="HS384")),
    ("HS512 with our secret", lambda: bearer(algorithm="HS512")),
    ("RS256 with a key of theirs", lambda: f"Bearer {jwt.encode(claims(), RSA_KEY, 'RS256')}"),
    ("RS256's public key as HS256's secret", lambda: confused()),
    ("a key in the header", lambda: made(GOOD | {"jwk": {"kty": "oct", "k": "AAAA"}, "jku": "https://evil.example"})),
    ("kid as a list", lambda: made(GOOD | {"kid": ["x"]})),
    ("crit", lambda: made(GOOD | {"crit": ["b64"], "b64": False})),
    ("a header that is a list", lambda: made([])),
    ("a header that is no JSON", lambda: made(b"\xff\xfe")),
    ("a header nested deep", lambda: made(b"[" * 7000)),
    ("a header with a number of 5000 digits", lambda: made(b'{"alg": ' + b"1" * 5000 + b"}")),
    ("10 kB of letters", lambda: f"Bearer {'x' * 10_000}"),
    ("10 kB of dots", lambda: f"Bearer {'.' * 10_000}"),
    ("10 kB between dots", lambda: f"Bearer {'eyJ' * 1000}.{'eyJ' * 1000}.{'eyJ' * 1000}"),
    ("not ASCII", lambda: "Bearer ü.☃.\ud800"),
    ("NULs", lambda: "Bearer \0.\0.\0"),
]  # fmt: skip


def claims() -> dict[str, Any]:
    return {"sub": "evil", "aud": "tracklane", "iat": now(0), "exp": now(600)}


def changed(good: str) -> str:
    head, body, signature = good.split(".")
    told = json.loads(base64.urlsafe_b64decode(body + "=="))
    return ".".join([head, b64(json.dumps(told | {"sub": "admin"}).encode()), signature])


def confused() -> str:
    return signed(GOOD, json.dumps(claims()).encode(), PUBLIC_PEM)


def signed(header: dict[str, str], claims: bytes, secret: bytes = APP_SECRET.encode()) -> str:
    """By hand: PyJWT does not sign what it would not take."""
    told = f"{b64(json.dumps(header).encode())}.{b64(claims)}"
    return f"Bearer {told}.{b64(hmac.new(secret, told.encode(), hashlib.sha256).digest())}"


@pytest.mark.parametrize("token", [row[1] for row in BAD], ids=[row[0] for row in BAD])
def test_a_bad_token_is_unauthorized_and_nothing_else(token: Callable[[], str]) -> None:
    with pytest.raises(Exception, match=r"^Unauthorized$") as refused:
        asked(token())

    # API Gateway answers 401 to exactly this, and 500 to anything else that is raised.
    assert (type(refused.value), refused.value.args) == (Exception, ("Unauthorized",))


HEADERS = st.dictionaries(
    st.sampled_from(["alg", "kid", "crit", "b64", "zip"]),
    st.none() | st.integers() | st.text() | st.lists(st.text()) | st.just("HS256"),
)
TOKENS = st.one_of(
    st.text(max_size=60),
    st.builds("Bearer {}".format, st.text(max_size=60)),
    st.builds(made, st.binary(max_size=60) | HEADERS),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(token=TOKENS)
def test_no_garbage_is_let_in_or_breaks_anything(token: str) -> None:
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        asked(token)


@pytest.mark.parametrize(
    "token",
    [
        lambda: bearer(),
        lambda: bearer().replace("Bearer", "bearer"),
        lambda: bearer().replace("Bearer", "BEARER"),
        lambda: bearer(exp=now(-20)),
        lambda: bearer(iat=now(20)),
        lambda: bearer(aud=["other", "tracklane"]),
        lambda: bearer(iss="anybody", jti="7", scope="x"),
    ],
    ids=[
        "plain",
        "lower case",
        "upper case",
        "expired a moment ago",
        "iat a moment ahead",
        "two audiences",
        "more claims",
    ],
)
def test_a_good_token_opens_every_door(token: Callable[[], str]) -> None:
    answer = asked(token())

    assert answer["principalId"] == "my-app"
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement == {
        "Action": "execute-api:Invoke",
        "Effect": "Allow",
        # For all routes and methods: API Gateway keeps this answer for the token, whichever route was asked.
        "Resource": ["arn:aws:execute-api:eu-central-1:123456789012:abc123/v1/*/*"],
    }


@pytest.mark.parametrize("subject", ["my-app", "Schülerverwaltung", "ann@example.com", "x" * 128])
def test_the_subject_is_the_caller(subject: str) -> None:
    assert asked(bearer(sub=subject))["principalId"] == subject


def test_another_audience_can_be_configured(configured: Callable[..., None]) -> None:
    configured(TOKEN_AUDIENCE="school")

    assert asked(bearer(aud="school"))["principalId"] == "my-app"
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        asked(bearer(aud="tracklane"))


def test_while_the_secret_can_not_be_read_nobody_is_let_in(configured: Callable[..., None]) -> None:
    configured(APP_TOKEN_SECRET="nowhere")

    with pytest.raises(Unavailable, match="secret_unavailable"):
        asked(bearer())


def test_the_secret_is_asked_for_once(calls: list[tuple[str, str]]) -> None:
    calls.clear()

    for _ in range(5):
        asked(bearer())

    assert calls == [("secretsmanager", "GetSecretValue")]
    assert APP_SECRET not in json.dumps(asked(bearer()))


def test_every_door_but_the_open_ones_asks_who_calls() -> None:
    guarded = {
        (route, method): entry.authorizer is not None and entry.authorizer.name == "authorize"
        for route, methods in app.routes.items()
        for method, entry in methods.items()
    }

    assert {route for (route, _), asks in guarded.items() if not asks} == OPEN
    assert all(asks != (route in OPEN) for (route, _), asks in guarded.items())
