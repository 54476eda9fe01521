"""One simulated VideoSDK: its state, its courier and its server, bound together."""

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from werkzeug.serving import WSGIRequestHandler, make_server

from local.videosdk.courier import Courier, Put, Storage
from local.videosdk.faults import Faults
from local.videosdk.meetings import Effect, Meetings
from local.videosdk.server import Server
from local.videosdk.switches import Switches


class Simulation:
    """Runs while it is a context; `url` is its base URL.

    `storage` is where files go: a storage configuration, whatever takes a key and its bytes, or nothing.
    `now` is the clock in epoch milliseconds that rooms begin with.
    """

    def __init__(
        self,
        api_key: str,
        secret: str,
        private_key: rsa.RSAPrivateKey,
        *,
        storage: Storage | Put | None = None,
        switches: Switches | None = None,
        now: Callable[[], int] | None = None,
        port: int = 0,
    ) -> None:
        self.api_key, self.secret, self.private_key = api_key, secret, private_key
        self.faults = Faults()
        self.meetings = Meetings(now or _real_clock, self.faults, switches or Switches())
        put = storage.put() if isinstance(storage, Storage) else storage
        self.courier = Courier(private_key, self.faults, put, lambda: self.meetings.switches.webhook_retries)
        self.lock = threading.RLock()
        self._server = make_server(
            "127.0.0.1", port, Server(self), threaded=True, request_handler=QuietHandler
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The base URL, in place of https://api.videosdk.live."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.courier.close()

    def act(self, change: Callable[[Meetings], Iterable[Effect]]) -> None:
        """Let something happen and queue what follows from it, before anything else happens."""
        with self.lock:
            for effect in change(self.meetings):
                self.courier.carry([effect])

    def seen(self, room_id: str) -> dict[str, Any]:
        """A room as it is now."""
        room = self.meetings.room(room_id)
        latest = room.sessions[-1] if room.sessions else None
        return {
            "roomId": room_id,
            "sessionId": latest.session_id if latest else None,
            "live": room.session is not None,
            "startAt": latest.start_at if latest else None,
            "now": self.meetings.now(room),
            "webhook": room.webhook_url,
            "pending": self.courier.pending,
            "participants": [
                {
                    "participantId": p.participant_id,
                    "name": p.name,
                    "present": p.present,
                    "unmuted": sorted(p.unmuted),
                }
                for p in (latest.participants.values() if latest else ())
            ],
            "recordings": [
                {
                    "id": r.recording_id,
                    "participantId": r.participant_id,
                    "kind": r.kind,
                    "startAt": r.start_at,
                    "endAt": r.end_at,
                    "files": [
                        {"key": s.key, "startAt": s.start_at, "endAt": s.end_at, "size": s.size}
                        for s in r.segments
                    ],
                }
                for r in (latest.recordings if latest else ())
            ],
        }


def private_key(path: Path) -> rsa.RSAPrivateKey:
    """The signing key in this PEM file; made, for its owner only, when there is none."""
    if path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError(f"{path} holds no RSA key")
        return key
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(_pem(made))
    return made


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _real_clock() -> int:
    return time.time_ns() // 1_000_000


class QuietHandler(WSGIRequestHandler):
    """Says nothing of every request, and does not let small answers wait for an acknowledgement."""

    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""
