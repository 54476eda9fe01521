"""What Lambda, SQS, the stream, the schedule, VideoSDK and the apps do around the operations.

A killed function's message comes back when its queue has hidden it long enough, the stream hands its batch
over again, the schedule runs on; a webhook that got no answer is not sent again.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from chalicelib.adapters.dynamodb_items import fact_of
from chalicelib.core.events import Event
from chalicelib.core.recording import Recording
from local.videosdk import Simulation
from tests.reliability.kill import aws
from tests.reliability.kill.clock import Clock

MINUTE_MS = 60_000
HIDDEN_MS = 90 * MINUTE_MS  # how long the queues hide what a function was killed over
FAILED_MS = 15 * MINUTE_MS  # longer than any pause that a function asks for
DAY_MS = 24 * 60 * MINUTE_MS
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True)
class Ran:
    """What became of an operation. `told` is what it was told to do."""

    pid: int
    state: str
    points: tuple[str, ...]
    answer: Any = None
    error: str | None = None
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def died(self) -> bool:
        """Whether nobody got an answer."""
        return self.state != "over"


@dataclass(frozen=True)
class Strike:
    """A signal at this point, by number or by label, of the nth run of an operation, counted from 1."""

    operation: str
    nth: int
    at: int | str
    sign: str = "SIGKILL"


class Worker:
    """The process that forks a child for each operation."""

    def __init__(self, environment: dict[str, str], clock: Path) -> None:
        command = [sys.executable, "-m", "tests.reliability.kill.worker", str(clock)]
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=theirs.fileno(), env=os.environ | environment
            )
        with ours:
            self._lines = ours.makefile("rw")

    def run(self, operation: str, told: dict[str, Any], world: str, struck: list[Strike] | None) -> Ran:
        """One operation; in a process of its own unless `struck` is None."""
        asked = {"operation": operation, "world": world, "told": told, "alone": struck is not None}
        at, signs = [s.at for s in struck or ()], {s.sign for s in struck or ()}
        ran = self._ask(asked | {"at": at, "signal": min(signs, default="SIGKILL")})
        return replace(ran, told=told)

    def resume(self, pid: int, sign: str = "SIGCONT") -> Ran:
        """A stopped one goes on, or ends."""
        return self._ask({"resume": pid, "signal": sign})

    def close(self) -> None:
        """End it."""
        self._lines.close()
        self._process.wait(10)

    def _ask(self, asked: dict[str, Any]) -> Ran:
        print(json.dumps(asked), file=self._lines, flush=True)
        told = json.loads(self._lines.readline())
        return Ran(**{**told, "points": tuple(told["points"])})


class Ear:
    """Where VideoSDK sends its webhooks: they wait here until the platform hands them to a function."""

    def __init__(self) -> None:
        self.heard: deque[dict[str, str]] = deque()
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                token = self.path.rpartition("/")[2]
                heard.append({"token": token, "body": body, "signature": self.headers["videosdk-signature"]})
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Our public address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Stage:
    """All of it together. `strikes` are still to come, `runs` are those that were.

    `lost` are webhook types that VideoSDK's sender loses; `silent` has the bucket tell nobody of its objects;
    `overwritten` has a file delivered anew, and other, once a function died over it; `film` is what every
    file holds; `cursed` are an operation and a file over which each of its tries dies.
    """

    aws: aws.Aws
    videosdk: Simulation
    ear: Ear
    worker: Worker
    clock: Clock
    strikes: list[Strike] = field(default_factory=list)
    world: str = "Sound"
    counting: bool = False
    lost: frozenset[str] = frozenset()
    silent: bool = False
    overwritten: bool = False
    film: bytes | None = None
    cursed: tuple[str, str] | None = None
    runs: list[tuple[str, Ran]] = field(default_factory=list)
    acked: list[dict[str, str]] = field(default_factory=list)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    asleep: list[int] = field(default_factory=list)
    _settled: set[str] = field(default_factory=set)
    _counts: Counter[str] = field(default_factory=Counter)

    def anew(self, *strikes: Strike, **more: Any) -> None:
        """Another story, on an empty stage."""
        while self.asleep:
            self.worker.resume(self.asleep.pop(), "SIGKILL")
        self.aws.anew()
        self.aws.listen()
        self.clock.ahead_ms = 0  # S3 stamps its objects by the machine's clock
        self.strikes = list(strikes)
        for name in ("world", "counting", "lost", "silent", "overwritten", "film", "cursed"):
            setattr(self, name, more.get(name, getattr(type(self), name)))
        for told in (self.runs, self.acked, self.facts, self.broken, self._settled, self._counts):
            told.clear()
        self.ear.heard.clear()

    # --- one operation

    def run(self, operation: str, **told: Any) -> Ran:
        """Run it, struck where the plan says so."""
        self._counts[operation] += 1
        nth = self._counts[operation]
        struck = [s for s in self.strikes if (s.operation, s.nth) == (operation, nth)]
        if not struck and self.cursed and self.cursed[0] == operation and self.cursed[1] in json.dumps(told):
            struck = [Strike(operation, nth, "before s3.PutObject")]
        alone = struck if struck or self.counting else None
        ran = self.worker.run(operation, told, self.world, alone)
        self.runs.append((operation, ran))
        if ran.died:
            self.look()
        if ran.state == "stopped":
            self.asleep.append(ran.pid)
        return ran

    def wake(self) -> None:
        """Whoever was stopped goes on, the last one first: it has the most to say."""
        while self.asleep:
            self.worker.resume(self.asleep.pop())
            self.drain()

    def look(self) -> None:
        """Read the table. What is in the ledger may never change or go again."""
        items = {f"{item['pk']['S']} {item['sk']['S']}": item for item in self.aws.items()}
        for name, item in self.facts.items():
            if items.get(name) != item:
                self.broken.append(f"{name} was written, and {'changed' if name in items else 'lost'} later")
        self.facts = {name: item for name, item in items.items() if _is_fact(name)}

    # --- what drives them

    def pass_time(self, ms: int) -> None:
        """Everybody's clock goes ahead, and the meetings' with it."""
        self.clock.ahead_ms += ms

    def drain(self) -> None:
        """Hand over all that waits, until nothing does."""
        for _ in range(300):
            self.videosdk.courier.settle(10)
            if self.ear.heard:
                self._hear(self.ear.heard.popleft())
            elif news := self._news():
                self._settle(news)
            elif not (self._serve("ingest") or self._serve("render")):
                return
        raise AssertionError("the platform never comes to rest")

    def _hear(self, delivery: dict[str, str]) -> None:
        """VideoSDK sends each once."""
        if json.loads(delivery["body"])["webhookType"] in self.lost:
            return
        ran = self.run("webhook", **delivery)
        if not ran.died and ran.error is None:
            self.acked.append(delivery)

    def _news(self) -> list[str]:
        self.look()
        return sorted(name for name in self.facts if " event#" in name and name not in self._settled)

    def _settle(self, news: list[str]) -> None:
        """The stream hands a batch over until it is taken."""
        ran = self.run("settle", subjects=[name.partition(" ")[0] for name in news])
        if not ran.died and ran.error is None:
            self._settled.update(news)

    def _serve(self, queue: str) -> bool:
        """One message, if there is one; what its function did not finish comes back in its time."""
        url = self.aws.queue(queue)
        asked = {"MessageSystemAttributeNames": ["All"], "MaxNumberOfMessages": 1}
        messages = self.aws.sqs.receive_message(QueueUrl=url, **asked).get("Messages", [])
        for message in messages:
            self._hand_over(queue, url, message)
        return bool(messages)

    def _hand_over(self, queue: str, url: str, message: dict[str, Any]) -> None:
        ran, receipt = self.run(queue, event=_event(message)), message["ReceiptHandle"]
        if not ran.died and ran.answer == {"batchItemFailures": []}:
            self.aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt)
            return
        if ran.died and self.overwritten:
            self.overwritten = False
            self._overwrite(message)
        self.pass_time(HIDDEN_MS if ran.died else FAILED_MS)
        self.aws.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)

    def _overwrite(self, message: dict[str, Any]) -> None:
        key = json.loads(message["Body"])["detail"]["object"]["key"]
        body = self.aws.s3.get_object(Bucket=aws.INBOX, Key=key)["Body"].read()
        self._deliver(key, body + bytes.fromhex("ec80"))  # Void, of no length: other bytes that say the same

    def put(self, key: str, body: bytes) -> None:
        """VideoSDK delivers a file."""
        self._deliver(key, self.film or body)

    def _deliver(self, key: str, body: bytes) -> None:
        """The bucket tells of what comes."""
        self.aws.s3.put_object(Bucket=aws.INBOX, Key=key, Body=body)
        told = {"bucket": {"name": aws.INBOX}, "object": {"key": key}}
        event = {"source": "aws.s3", "detail-type": "Object Created", "detail": told}
        if not self.silent:
            self.aws.sqs.send_message(QueueUrl=self.aws.queue("ingest"), MessageBody=json.dumps(event))

    def pass_by(self, ms: int = 5 * MINUTE_MS) -> None:
        """Time passes, the schedule runs once, and all that follows from it."""
        self.pass_time(ms)
        self.run("reconcile")
        self.drain()

    def recordings(self) -> list[Recording]:
        """All that anybody ever spoke of, as the ledger has them now."""
        self.look()
        told: dict[str, list[Event]] = {}
        for name, item in self.facts.items():
            told.setdefault(name.partition(" ")[0], []).append(fact_of(item))
        return [
            Recording.of(subject.removeprefix("recording#"), facts)
            for subject, facts in sorted(told.items())
            if subject.startswith("recording#")
        ]

    def session_facts(self) -> list[Event]:
        """The sessions' own facts."""
        return [fact_of(item) for name, item in self.facts.items() if name.startswith("session#")]


def _is_fact(name: str) -> bool:
    return name.partition(" ")[2].startswith(("event#", "made#"))


def _event(message: dict[str, Any]) -> dict[str, Any]:
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
    }
    return {"Records": [record]}


@contextmanager
def staged(directory: Path) -> Iterator[Stage]:
    """A stage, while it is wanted. `directory` is an empty one."""
    shared = directory / "clock"
    shared.write_bytes(bytes(8))
    clock = Clock(shared)
    with ExitStack() as all_of_it:
        there = all_of_it.enter_context(aws.server())
        ear = Ear()
        all_of_it.callback(ear.close)
        stages: list[Stage] = []
        videosdk = Simulation(
            aws.API_KEY, aws.SECRET, KEY, storage=lambda key, body: stages[0].put(key, body), now=clock.now
        )
        all_of_it.enter_context(videosdk)
        worker = Worker(there.environment(videosdk.url), shared)
        all_of_it.callback(worker.close)
        stages.append(Stage(there, videosdk, ear, worker, clock))
        yield stages[0]
