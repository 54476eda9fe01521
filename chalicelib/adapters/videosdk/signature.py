"""VideoSDK's signature under a webhook: RSA-SHA256, PKCS#1 v1.5, over the raw bytes.

Law: the key comes from VideoSDK's fixed address alone, and a bad signature can make us ask for it at most
once in `COOLDOWN_MS`. An old key is better than none: it is public, and serves while no new one can be had.
A signature is called wrong only by a key that was asked for after its delivery came, for the key may have
changed; until it may be asked for again the answer is "try again": nothing genuine is refused for good.
"""

import base64
import binascii
import json
import math
import time
from collections.abc import Callable
from threading import Lock

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from chalicelib.adapters.videosdk.wire import Answer, Request, Wire
from chalicelib.core.errors import Unavailable, Untrusted

KEY = Request("GET", "/v2/public/rsa-public-key", cap=16 * 1024, read_s=3.0)
TTL_MS = 10 * 60 * 1000
COOLDOWN_MS = 30 * 1000
# Without any key every delivery is turned away, so the first waits are short, each twice the one before.
KEYLESS_COOLDOWN_MS = 1000
_SHORT_WAITS = 5

_PADDING, _HASH = PKCS1v15(), SHA256()


def _epoch_ms() -> int:
    return time.time_ns() // 1_000_000


class Signature:
    """Knows VideoSDK's public key. Threads may share it."""

    def __init__(
        self,
        api: str,
        *,
        now: Callable[[], int] = _epoch_ms,
        connect_s: float = 2.0,
        left_s: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self._wire = Wire(api, connect_s, left_s=left_s)
        self._now = now
        self._lock = Lock()
        self._keys: tuple[RSAPublicKey, ...] = ()  # the newest first
        self._fresh_at = self._asked_at = self._changed_at = -(10**15)
        self._asks = self._answered = 0  # how often we asked; the last of them that brought a key

    def verify(self, body: bytes, signature: str | None) -> None:
        """Return when VideoSDK signed exactly these bytes; `Untrusted` or `Unavailable` otherwise."""
        told, before = _decoded(signature), self._asks
        keys = self._known()
        if _signed(body, told, keys):
            return
        # The key may have changed under us.
        renewed = self._renewed()
        if renewed is not keys and _signed(body, told, renewed):
            return
        if self._answered <= before:
            raise Unavailable(
                "signature_undecided",
                "the signature does not fit VideoSDK's key, and whether that changed can not be asked yet",
                retry_after_s=COOLDOWN_MS // 1000,
            )
        if len(told) not in {key.key_size // 8 for key in renewed}:
            raise Untrusted("signature_malformed", "the signature is not as long as VideoSDK's key")
        raise Untrusted("signature_wrong", "VideoSDK did not sign these bytes")

    def _known(self) -> tuple[RSAPublicKey, ...]:
        keys = self._keys
        if not _within(self._now() - self._fresh_at, TTL_MS):
            keys = self._renewed()
        if not keys:
            raise Unavailable(
                "videosdk_key_unavailable",
                "VideoSDK's public key can not be had now",
                retry_after_s=COOLDOWN_MS // 1000,
            )
        return keys

    def _renewed(self) -> tuple[RSAPublicKey, ...]:
        """The keys after asking for them, unless that was done a moment ago; many threads ask once."""
        with self._lock:
            if not _within(self._now() - self._asked_at, self._cooldown_ms()):
                self._asks += 1
                key = self._fetched()
                self._asked_at = self._now()
                if key is not None:
                    self._take(key, self._asked_at)
                    self._answered = self._asks
            return self._keys

    def _cooldown_ms(self) -> int:
        if self._keys or self._asks > _SHORT_WAITS:
            return COOLDOWN_MS
        return KEYLESS_COOLDOWN_MS << max(0, self._asks - 1)

    def _take(self, key: RSAPublicKey, now: int) -> None:
        """Put the key first; the one before it stays for a while, for deliveries that were on their way."""
        self._fresh_at = now
        if not self._keys or self._keys[0] != key:
            self._keys = (key, *self._keys[:1])
            self._changed_at = now
        elif not _within(now - self._changed_at, TTL_MS):
            self._keys = self._keys[:1]

    def _fetched(self) -> RSAPublicKey | None:
        match self._wire.send(KEY):
            case Answer(200, body, broken=None):
                return public_key(body)
        return None


def public_key(body: bytes) -> RSAPublicKey | None:
    """The key in an answer `{"publicKey": PEM}`, PKCS#1 or SPKI; None for a key that we would not trust."""
    try:
        key = load_pem_public_key(json.loads(body.decode("utf-8"))["publicKey"].strip().encode())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, RSAPublicKey) or not 2048 <= key.key_size <= 8192:
        return None
    return key if key.public_numbers().e == 65537 else None


def _decoded(signature: str | None) -> bytes:
    """A signature's bytes. Only the canonical spelling counts: Base64 has sixteen for one signature."""
    if not signature:
        raise Untrusted("signature_missing", "the delivery carries no signature")
    try:
        told = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        told = b""
    if not 256 <= len(told) <= 1024 or base64.b64encode(told).decode() != signature:
        raise Untrusted("signature_malformed", "the signature is not canonical Base64 of an RSA signature")
    return told


def _signed(body: bytes, told: bytes, keys: tuple[RSAPublicKey, ...]) -> bool:
    for key in keys:
        try:
            key.verify(told, body, _PADDING, _HASH)
        except InvalidSignature:
            continue
        return True
    return False


def _within(elapsed: int, most: int) -> bool:
    # A clock that was set back does not make anything young again.
    return 0 <= elapsed < most
