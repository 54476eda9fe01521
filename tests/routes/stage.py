"""What surrounds the API in its tests: a meeting, a VideoSDK that answers as told, the table, tokens."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from local.videosdk import Simulation
from local.videosdk.courier import signature

REGION = "eu-central-1"
API_KEY, SECRET = "the-key", "the-secret-of-the-project-that-is-long-enough"
APP_SECRET = "a-secret-of-64-characters-as-the-template-has-Secrets-Manager-make"
TAG_SECRET = "the-secret-of-the-addresses"


@dataclass(frozen=True)
class Room:
    """One simulated meeting."""

    videosdk: Simulation
    room_id: str

    def join(self, who: str) -> None:
        """Somebody comes in."""
        self.videosdk.act(lambda meetings: meetings.join(self.room_id, who, who.title()))

    def track(self, kind: str = "audio", who: str = "ann") -> dict[str, Any]:
        """A body that means one of their tracks."""
        return {"roomId": self.room_id, "participantId": who, "kind": kind}

    @property
    def begun(self) -> list[Any]:
        """The recordings that VideoSDK began here."""
        return [found for found in self.videosdk.meetings.recordings if found.room_id == self.room_id]


@dataclass(frozen=True)
class Ledger:
    """The table as it is now, seen by another client than the API's."""

    dynamodb: Any
    table: str

    def items(self) -> list[dict[str, str]]:
        """Everything in it; what the API itself must never do."""
        found = self.dynamodb.scan(TableName=self.table)["Items"]
        return [{name: told for name, value in item.items() for told in value.values()} for item in found]

    def facts(self, subject: str | None = None) -> list[dict[str, Any]]:
        """The facts of a subject, or of all, in the order in which they were heard."""
        found = [
            json.loads(item["told"])
            for item in self.items()
            if item["sk"].startswith("event#") and subject in (None, item["pk"])
        ]
        return sorted(found, key=lambda fact: int(fact["at"]))

    def types(self, recording_id: str) -> list[str]:
        """What became of a recording, by the types of its facts."""
        return [fact["type"] for fact in self.facts(f"recording#{recording_id}")]


class Vendor:
    """A VideoSDK that gives the answers it was told to: status, body and headers; then 404."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes, dict[str, str]]] = []
        self.heard: list[tuple[str, str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def will(self, status: int, body: bytes, **headers: str) -> None:
        """Answer this next."""
        self.answers.append((status, body, {name.replace("_", "-"): told for name, told in headers.items()}))

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def _answer(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                vendor.heard.append((self.command, self.path, json.loads(raw) if raw else None))
                status, body, headers = vendor.answers.pop(0) if vendor.answers else (404, b'"?"', {})
                self.send_response(status)
                for name, told in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, told)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        return Handler


@dataclass(frozen=True)
class Letters:
    """Deliveries as VideoSDK writes and signs them."""

    key: rsa.RSAPrivateKey

    def headers(self, body: bytes) -> list[tuple[str, str]]:
        """What goes with these bytes."""
        return [("Content-Type", "application/json"), ("VideoSDK-Signature", signature(self.key, body))]

    @staticmethod
    def about(recording: dict[str, Any], what: str, **more: Any) -> bytes:
        """A delivery about a recording."""
        data = {
            "meetingId": recording["roomId"],
            "sessionId": "session-1",
            "participantId": recording["participantId"],
            "kind": recording["kind"],
        }
        return written(f"participant-track-recording-{what}", data | more)


def written(webhook_type: str, data: Any) -> bytes:
    """Compact, and non-ASCII as it is."""
    told = {"webhookType": webhook_type, "data": data}
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()


def bearer(secret: str = APP_SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A good token's header but for the claims given; None leaves one out."""
    now = int(time.time())
    good: dict[str, Any] = {"sub": "my-app", "aud": "tracklane", "iat": now, "exp": now + 600}
    told = {name: value for name, value in (good | claims).items() if value is not None}
    return f"Bearer {jwt.encode(told, secret, algorithm)}"


@dataclass
class Clock:
    """Measures how long something took."""

    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began
