"""Carries out effects: signs and sends webhooks, puts files into the bucket. Each lane keeps its order.

Signature [D API/webhook-verification]: header `videosdk-signature`, base64 of RSA-SHA256, PKCS#1 v1.5, over
the raw body; the body is compact as JavaScript writes it, non-ASCII unescaped [I, fact sheet 3.5].
Time-out, retries, content type and user agent are unknown [U]. Without a storage configuration nothing is
delivered and nobody is told. [issue 31 of videosdk-rtc-react-prebuilt-ui]
"""

import base64
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

import boto3
import requests
from botocore.config import Config
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from local.videosdk.faults import Fault, Faults
from local.videosdk.meetings import Deliver, Effect, Tell

_TIMEOUT_S = 20
_log = logging.getLogger(__name__)

type Put = Callable[[str, bytes], None]


@dataclass(frozen=True, slots=True)
class Storage:
    """The storage configuration of an API key. [D recording-storage-config: the S3 form]

    `endpoint` has no field there; it stands for the AWS that runs here.
    """

    bucket: str
    endpoint: str | None
    region: str
    access_key_id: str
    secret_access_key: str

    def put(self) -> Put:
        """What puts a key's bytes into the bucket. No content type is known to be set [U]."""
        s3: Any = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=Config(s3={"addressing_style": "path"}),
        )
        return lambda key, body: s3.put_object(Bucket=self.bucket, Key=key, Body=body)


@dataclass(frozen=True, slots=True)
class Sent:
    """A webhook that was sent, or lost on purpose; `status` is None without an answer."""

    webhook_type: str
    url: str
    body: bytes
    signature: str
    status: int | None

    def told(self) -> dict[str, Any]:
        """As it stands in JSON."""
        return {"type": self.webhook_type, "url": self.url, "status": self.status, "body": self.body.decode()}


class Courier:
    """A thread for each lane, so that what belongs together stays in order and nothing else waits."""

    def __init__(
        self, key: rsa.RSAPrivateKey, faults: Faults, put: Put | None, retries: Callable[[], int]
    ) -> None:
        self.sent: list[Sent] = []
        self._key, self._faults, self._put, self._retries = key, faults, put, retries
        self._lanes: dict[str, ThreadPoolExecutor] = {}
        self._waiting: set[Future[None]] = set()
        self._held: dict[str, list[Callable[[], None]]] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()

    def carry(self, effects: Iterable[Effect]) -> None:
        """Queue them; returns at once."""
        for effect in effects:
            match effect:
                case Tell():
                    self._queue(effect.lane, partial(self._tell, effect))
                case Deliver():
                    self._queue(effect.lane, partial(self._deliver, effect))

    def settle(self, timeout_s: float) -> bool:
        """Wait until all is carried out; False when it is not in time."""
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            with self._lock:
                waiting = set(self._waiting)
            if not waiting:
                return True
            wait(waiting, left)
        return False

    @property
    def pending(self) -> int:
        """How much is still under way."""
        with self._lock:
            return len(self._waiting)

    def close(self) -> None:
        """Drop what is still queued, and wait for nothing."""
        self._over.set()
        with self._lock:
            lanes = list(self._lanes.values())
        for lane in lanes:
            lane.shutdown(wait=False, cancel_futures=True)

    def _queue(self, lane: str, work: Callable[[], None]) -> None:
        with self._lock:
            if lane not in self._lanes:
                self._lanes[lane] = ThreadPoolExecutor(1, thread_name_prefix=f"lane-{lane}")
            carried = self._lanes[lane].submit(_logged, work)
            self._waiting.add(carried)
        carried.add_done_callback(self._done)

    def _done(self, carried: Future[None]) -> None:
        with self._lock:
            self._waiting.discard(carried)

    # --- files ------------------------------------------------------------------------------------

    def _deliver(self, deliver: Deliver) -> None:
        if self._put and not self._faults.strikes("lose_object", **deliver.facts):
            self._put(deliver.key, deliver.body)

    # --- webhooks ---------------------------------------------------------------------------------

    def _tell(self, tell: Tell) -> None:
        names = ("lose_webhook", "double_webhook", "delay_webhook", "reorder_webhook")
        facts = {name: tell.told.get(name) for name in ("participantId", "kind")}
        fault = self._faults.strikes(*names, type=tell.webhook_type, **facts)
        followed = self._let_go(tell.lane)
        self._as_faulted(tell, fault)
        for overtaken in followed:
            overtaken()

    def _as_faulted(self, tell: Tell, fault: Fault | None) -> None:
        match fault.name if fault else None:
            case "lose_webhook":
                self._note(tell, self._letter(tell), None)
            case "double_webhook":
                self._send(tell)
                self._send(tell)
            case "delay_webhook" if fault:
                self._queue(f"{tell.lane} late", partial(self._send_later, tell, fault.measures["ms"]))
            case "reorder_webhook" if fault:
                self._hold(tell, fault.measures["ms"])
            case _:
                self._send(tell)

    def _hold(self, tell: Tell, ms: int) -> None:
        """Keep it back until its follower has been sent, or nobody followed in time."""
        first, followed = threading.Lock(), threading.Event()

        def send() -> None:
            if first.acquire(blocking=False):
                self._send(tell)
            followed.set()

        def give_up() -> None:
            followed.wait(ms / 1_000)
            send()

        with self._lock:
            self._held.setdefault(tell.lane, []).append(send)
        self._queue(f"{tell.lane} held", give_up)

    def _let_go(self, lane: str) -> list[Callable[[], None]]:
        with self._lock:
            return self._held.pop(lane, [])

    def _send(self, tell: Tell) -> None:
        letter = self._letter(tell)
        status = None
        for attempt in range(self._retries() + 1):
            self._over.wait(0.2 * attempt)
            status = _posted(tell.url, letter)
            if _heard(status):
                break
        self._note(tell, letter, status)

    def _send_later(self, tell: Tell, ms: int) -> None:
        if not self._over.wait(ms / 1_000):
            self._send(tell)

    def _note(self, tell: Tell, letter: tuple[bytes, str], status: int | None) -> None:
        self.sent.append(Sent(tell.webhook_type, tell.url, *letter, status))
        if tell.recording:
            tell.recording.notices.append((tell.webhook_type, _heard(status)))

    def _letter(self, tell: Tell) -> tuple[bytes, str]:
        told = {"webhookType": tell.webhook_type, "data": tell.told}
        body = json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
        return body, signature(self._key, body)


def signature(key: rsa.RSAPrivateKey, body: bytes) -> str:
    """The `videosdk-signature` of these bytes."""
    return base64.b64encode(key.sign(body, padding.PKCS1v15(), hashes.SHA256())).decode()


def _posted(url: str, letter: tuple[bytes, str]) -> int | None:
    body, signed = letter
    headers = {"Content-Type": "application/json", "videosdk-signature": signed}
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.post(url, data=body, headers=headers, timeout=_TIMEOUT_S).status_code
    except requests.RequestException as reason:
        _log.warning("webhook not delivered: %s", reason)
        return None


def _heard(status: int | None) -> bool:
    return status is not None and 200 <= status < 300


def _logged(work: Callable[[], None]) -> None:
    """A thread has nobody to raise to."""
    try:
        work()
    except Exception:
        _log.exception("an effect could not be carried out")
