"""A VideoSDK for tests: it signs deliveries, and answers as well or as badly as it is told.

`Signer` has an RSA key of its own, `delivery` builds a webhook as the documents show it, and `Vendor` is a
server on a socket of this machine whose every answer is an act from a list.
"""

import base64
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

KEY_PATH = "/v2/public/rsa-public-key"
ROOM, SESSION, PERSON = "jvsg-8rjn-j304", "613731342f27f56e4fc4b6d0", "abcd"


class Signer:
    """Signs as VideoSDK does: RSA-SHA256, PKCS#1 v1.5, Base64."""

    def __init__(self, bits: int = 2048, exponent: int = 65537) -> None:
        self.key = generate_private_key(public_exponent=exponent, key_size=bits)

    def sign(self, body: bytes) -> str:
        return base64.b64encode(self.key.sign(body, PKCS1v15(), SHA256())).decode()

    def public_pem(self, form: PublicFormat = PublicFormat.PKCS1) -> str:
        return self.key.public_key().public_bytes(Encoding.PEM, form).decode()

    def private_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def key_answer(self, form: PublicFormat = PublicFormat.PKCS1) -> bytes:
        """The body of `GET /v2/public/rsa-public-key`; the real one begins with a newline, too."""
        return json.dumps({"publicKey": "\n" + self.public_pem(form)}).encode()


def body_of(webhook_type: str, **fields: Any) -> bytes:
    """A webhook's bytes: compact JSON as JavaScript writes it; a field set to None is left out."""
    told = {**DATA.get(webhook_type, {}), **fields}
    data = {name: value for name, value in told.items() if value is not None}
    envelope = {"webhookType": webhook_type, "data": data}
    return json.dumps(envelope, separators=(",", ":"), ensure_ascii=False).encode()


def delivery(webhook_type: str, signer: Signer, **fields: Any) -> tuple[bytes, str]:
    """A webhook's bytes and the header that goes with them."""
    body = body_of(webhook_type, **fields)
    return body, signer.sign(body)


TRACK = {"meetingId": ROOM, "sessionId": SESSION, "participantId": PERSON, "kind": "audio"}
FILE = f"{SESSION}/{PERSON}/audio/track_recording_{PERSON}_audio_1721198084716.webm"
JOINED = {"meetingId": ROOM, "sessionId": SESSION, "participantId": PERSON, "participantName": "Zoë"}
# What the documents show for each type (docs: user-webhooks), with the file of a bucket of one's own.
DATA: dict[str, dict[str, Any]] = {
    "participant-track-recording-starting": TRACK,
    "participant-track-recording-started": TRACK,
    "participant-track-recording-stopping": TRACK,
    "participant-track-recording-stopped": {**TRACK, "fileDetails": [{"filePath": FILE, "fileUrl": None}]},
    "participant-track-recording-failed": TRACK,
    "participant-joined": JOINED,
    "participant-left": JOINED,
    "session-started": {"sessionId": SESSION, "meetingId": ROOM, "start": "2022-07-05T15:55:35.047+00:00"},
    "session-ended": {
        "sessionId": SESSION,
        "meetingId": ROOM,
        "start": "2022-07-05T15:55:35.047+00:00",
        "end": "2022-07-05T15:60:35.047+00:00",
    },
}


# --- the server -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


# Answers on a socket; True keeps the connection for the next request.
type Act = Callable[[socket.socket], bool]


class Vendor:
    """Answers each request with the next act; the last one goes on for ever. `play` begins a new list."""

    def __init__(self, *acts: Act, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        self.play(*acts)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._tls = tls
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def play(self, *acts: Act) -> None:
        self._acts = list(acts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with (
            suppress(OSError),
            plain,
            self._secured(plain) as connection,
            connection.makefile("rb") as reader,
        ):
            while seen := _request(reader):
                self.seen.append(seen)
                act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
                if not act(connection):
                    return

    def _secured(self, plain: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(plain, server_side=True) if self._tls else plain


def _request(reader: Any) -> Seen | None:
    first = reader.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers: dict[str, str] = {}
    while line := reader.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Seen(first[0], first[1], headers, reader.read(int(headers.get("content-length", "0"))))


def answer(status: int, body: object = b"", **headers: str) -> Act:
    """A whole answer; what is not bytes becomes JSON. Headers are named with `_` for `-`."""
    told = body if isinstance(body, bytes) else json.dumps(body).encode()
    return _write(_head(status, len(told), headers) + told)


def answer_and_close(status: int, body: object) -> Act:
    whole = answer(status, body, Connection="close")
    return lambda sock: whole(sock) and False


def promised(status: int, length: int, body: bytes) -> Act:
    """Announces `length` bytes, sends these and goes away."""
    whole = _write(_head(status, length, {}) + body)
    return lambda sock: whole(sock) and False


def dripping(status: int, body: bytes, every_s: float = 0.1) -> Act:
    """The head at once, the body byte by byte."""

    def act(sock: socket.socket) -> bool:
        sock.sendall(_head(status, len(body), {}))
        return _drip(sock, body, every_s)

    return act


def dripping_head(every_s: float = 0.1) -> Act:
    """Not even the head comes at once."""
    return lambda sock: _drip(sock, _head(200, 0, {"X-Filler": "x" * 1000}), every_s)


def silent(for_s: float = 6.0) -> Act:
    """Takes the request and says nothing."""

    def act(_: socket.socket) -> bool:
        time.sleep(for_s)
        return False

    return act


def late_byte(after_s: float) -> Act:
    """One byte of the head after a while, then nothing."""

    def act(sock: socket.socket) -> bool:
        time.sleep(after_s)
        sock.sendall(b"H")
        return silent()(sock)

    return act


def reset(after: bytes = b"") -> Act:
    """Breaks the connection hard, perhaps after a few bytes."""

    def act(sock: socket.socket) -> bool:
        sock.sendall(after)
        time.sleep(0.05)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return act


def endless(status: int = 200) -> Act:
    """A body of a gigabyte, as far as anybody reads it."""

    def act(sock: socket.socket) -> bool:
        sock.sendall(_head(status, 2**30, {}))
        for _ in range(2**14):
            sock.sendall(b" " * 2**16)
        return False

    return act


HEAD_ONLY = b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n"
HTML = b"<html><body>Bad Gateway</body></html>"


def certificate() -> bytes:
    """A certificate for 127.0.0.1 that signs itself, and its key, as PEM."""
    key, name = Signer().key, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vendor")])
    here = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    day = timedelta(days=1)
    told = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - day)
        .not_valid_after(datetime.now(UTC) + day)
        .add_extension(here, critical=False)
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return told.public_bytes(Encoding.PEM) + secret


def closed_port() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _head(status: int, length: int, headers: dict[str, str]) -> bytes:
    told = {
        "Content-Length": str(length),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"HTTP/1.1 {status} Told", *(f"{name}: {value}" for name, value in told.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _write(told: bytes) -> Act:
    def act(sock: socket.socket) -> bool:
        sock.sendall(told)
        return True

    return act


def _drip(sock: socket.socket, told: bytes, every_s: float) -> bool:
    for byte in told:
        sock.sendall(bytes([byte]))
        time.sleep(every_s)
    return True


# --- time -----------------------------------------------------------------------------------------


class Hands:
    """A clock's hands, moved by sleeping or by the test."""

    def __init__(self, at: int = 1_721_198_084_716) -> None:
        self.at = at
        self.slept: list[float] = []

    def now(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.at / 1000

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += round(seconds * 1000)
