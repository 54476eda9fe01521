"""What surrounds the simulation in its tests: a bucket, somebody who calls, somebody who hears webhooks."""

import base64
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from werkzeug import Request, Response
from werkzeug.serving import make_server

from local.videosdk.simulation import QuietHandler

API_KEY = "the-key"
SECRET = "the-secret-of-the-project-that-is-long-enough"
TRACK = "/v2/recordings/participant/track"

# When the tests' clock stands still.
NOW = 1_800_000_000_000


def token(**claims: Any) -> str:
    """A token that the API takes, but for the claims that are given; None leaves a claim out."""
    good = {"apikey": API_KEY, "permissions": ["allow_join"], "version": 2, "exp": int(time.time()) + 600}
    told = {name: value for name, value in (good | claims).items() if value is not None}
    return jwt.encode(told, SECRET, algorithm="HS256")


@dataclass
class Call:
    """Calls the API at `url` as an application would."""

    url: str
    token: str = field(default_factory=token)

    def __call__(self, method: str, path: str, told: Any = None, **query: Any) -> requests.Response:
        headers = {"Authorization": self.token}
        return requests.request(method, self.url + path, json=told, params=query, headers=headers, timeout=10)

    def start(self, who: str, kind: str, **more: Any) -> requests.Response:
        """Start a recording in room-1."""
        told = {"roomId": "room-1", "participantId": who, "kind": kind, "bucketDirPath": "rec/a"}
        return self("POST", f"{TRACK}/start", told | more)

    def stop(self, who: str, kind: str, **more: Any) -> requests.Response:
        """Stop it."""
        told = {"roomId": "room-1", "participantId": who, "kind": kind}
        return self("POST", f"{TRACK}/stop", told | more)

    def listed(self, **query: Any) -> list[dict[str, Any]]:
        """The first page of the list."""
        found: list[dict[str, Any]] = self("GET", TRACK, **query).json()["data"]
        return found


@dataclass
class Heard:
    """One webhook as it came."""

    body: bytes
    signature: str
    content_type: str
    path: str
    files_then: tuple[str, ...]

    @property
    def type(self) -> str:
        """The last words of its type."""
        return str(self.told["webhookType"]).removeprefix("participant-track-recording-")

    @property
    def told(self) -> dict[str, Any]:
        """What it says."""
        told: dict[str, Any] = json.loads(self.body)
        return told

    @property
    def data(self) -> dict[str, Any]:
        """Its inner part."""
        data: dict[str, Any] = self.told["data"]
        return data


class Bucket(dict[str, bytes]):
    """Keys and bytes, as they were put."""

    def put(self, key: str, body: bytes) -> None:
        """Keep it."""
        self[key] = body


class Ear:
    """Hears webhooks and answers them with what `answers` has next, else 200."""

    def __init__(self, bucket: Bucket) -> None:
        self.heard: list[Heard] = []
        self.answers: list[int] = []
        self._bucket = bucket
        door = Request.application(self._hear)
        self._server = make_server("127.0.0.1", 0, door, threaded=True, request_handler=QuietHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}/ear"

    def types(self) -> list[str]:
        """What was heard, in order."""
        return [heard.type for heard in self.heard]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _hear(self, request: Request) -> Response:
        signature = request.headers.get("videosdk-signature", "")
        body, content_type = request.get_data(), request.headers.get("Content-Type", "")
        self.heard.append(Heard(body, signature, content_type, request.path, tuple(self._bucket)))
        return Response(status=self.answers.pop(0) if self.answers else 200)


def verified(pem: str, heard: Heard) -> bool:
    """Whether the key signed exactly these bytes; raises when it did not."""
    key = serialization.load_pem_public_key(pem.encode())
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(base64.b64decode(heard.signature), heard.body, padding.PKCS1v15(), hashes.SHA256())
    return True
