"""Whatever comes is answered: no fault of ours, no waiting, no growing, nothing written by half."""

import ctypes
import gc
import hashlib
import json
import random
import resource
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chalicelib.core.events import OddHeard, to_record
from tests.adapters import vendor as v
from tests.reliability.receiver import SIGNATURE, Answer, Item, Receiver, receiving, token
from tests.tally import Tally

type Size = Callable[[int, int], int]

SLOW_MS = 50
GROWTH_MB = 5
BATCH = 500
MEGABYTES = 10 * 2**20


@pytest.fixture(scope="module")
def vendor() -> v.Signer:
    return v.Signer()


@pytest.fixture(scope="module")
def received(vendor: v.Signer) -> Iterator[Receiver]:
    with receiving(vendor) as receiver:
        yield receiver


@pytest.fixture
def receiver(received: Receiver) -> Iterator[Receiver]:
    yield received
    received.empty()


# --- bodies that VideoSDK signed ------------------------------------------------------------------

NASTY: list[Any] = [
    None, True, False, 0, -1, 2**63, 10**400, -(10**4000), 0.1, 1e308, float("nan"), float("inf"),
    "", " ", "..", "../../x", "a/b", "#", "\0", "\n", "\ud800", "\udfff\ud800", "\u202e", "é" * 200,
    "x" * 5000,
    "x" * 128, "x" * 129, "${jndi:ldap://x}", "' OR 1=1", "rec-" + "0" * 32, "2022-07-05T15:55:35.047+00:00",
    "9999-12-31T23:59:59.999999+23:59", "0001-01-01T00:00:00+23:59", "2022-W01-1T00:00Z", "1" * 40,
    [], {}, [[]], [{}], [None], [{"filePath": "x"}] * 300, [{"filePath": "\ud800"}], [{"fileUrl": "?"}],
    {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": 1}}}}}}}}, {"": ""}, {"\ud800": 1},
    {"pk": "x", "sk": "y"},
]  # fmt: skip
RAW: list[bytes] = [
    b"", b" ", b"\0", b"null", b"[]", b"{}", b'""', b"NaN", b"-Infinity", b"1e999999", b"{", b"}", b'{"a"',
    b'"',
    b"[" * 65_536, b'{"a":' * 13_000, b"[" * 30_000 + b"]" * 30_000, b'{"webhookType":' + b"[" * 60_000,
    b"[]," * 20_000, b"9" * 65_000, b'{"webhookType":' + b"1" * 5000 + b"}", b"-" + b"1" * 4300,
    b'{"webhookType":"a","webhookType":"b"}', b'{"webhookType":"a","data":{},"data":{}}',
    b"\xef\xbb\xbf{}", b"\xff\xfe{\0}\0", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80",
    b'{"webhookType":"\\ud800"}', b'{"webhookType":"\\u0000"}', b'"' + b"\\" * 65_000, b'"' * 65_001,
    b'{"webhookType":"' + b"x" * 65_000 + b'"}', b"{" + b'"a":1,' * 9000 + b'"b":1}',
    b"{" + b",".join(b'"%d":%d' % (n, 10**60) for n in range(800)) + b"}", b"x" * 65_536, b"x" * 65_537,
]  # fmt: skip
ENCODINGS = ("utf-16", "utf-32", "utf-16-le", "latin-1", "utf-7")


@dataclass
class Fuzzer:
    """Bodies between what VideoSDK sends and what nobody should."""

    chance: random.Random

    def any(self) -> bytes:
        """One more."""
        way = self.chance.choices(
            (self.mangled, self.bent, self.nested, self.encoded, self.raw), (30, 50, 8, 6, 6)
        )
        return way[0]()

    def bent(self) -> bytes:
        """JSON as VideoSDK writes it, some of it replaced."""
        told = self._genuine()
        for _ in range(self.chance.choice((1, 1, 2, 4))):
            self._bend(told)
        return self._spelled(told)

    def mangled(self) -> bytes:
        """Bytes of a genuine body, some of them others."""
        body = bytearray(v.body_of(self.chance.choice(TYPES)))
        for _ in range(self.chance.choice((1, 1, 3, 10))):
            place = self.chance.randrange(len(body) + 1)
            body[place : place + self.chance.randrange(4)] = self.chance.choice(
                (
                    b"",
                    self.chance.randbytes(2),
                    b'"',
                    b"{",
                    b"]",
                    b",",
                    b":",
                    b"\\",
                    b"\\ud800",
                    b"\xff",
                    b"\0",
                )
            )
        return bytes(body)

    def nested(self) -> bytes:
        """A genuine body with something deep in it."""
        told, deep = self._genuine(), self.chance.choice(NASTY)
        for _ in range(self.chance.randrange(12)):
            deep = self.chance.choice(([deep], {"x": deep}, [deep, deep]))
        told["data"][self.chance.choice(("fileDetails", "x", "kind"))] = deep
        return self._spelled(told)

    def encoded(self) -> bytes:
        """A genuine body in another encoding."""
        body = v.body_of(self.chance.choice(TYPES)).decode()
        return body.encode(self.chance.choice(ENCODINGS), "replace")

    def raw(self) -> bytes:
        """What no JSON library would write; a little of it of its own, so that it is news."""
        body = self.chance.choice(RAW)
        return self.chance.choice((body, body[: self.chance.randrange(len(body) + 1)]))

    def _genuine(self) -> dict[str, Any]:
        session = {"sessionId": f"session-{self.chance.randrange(10**9)}"}
        more = session if self.chance.random() < 0.7 else {}
        told: dict[str, Any] = json.loads(v.body_of(self.chance.choice(TYPES), **more))
        return told

    def _bend(self, told: dict[str, Any]) -> None:
        where = told if self.chance.random() < 0.2 or not isinstance(told.get("data"), dict) else told["data"]
        name = self.chance.choice([*where, "webhookType", "type", "fileDetails", "participantName", "start"])
        where[name] = deepcopy(self.chance.choice(NASTY))

    def _spelled(self, told: object) -> bytes:
        text = json.dumps(told, ensure_ascii=self.chance.random() < 0.5)
        body = text.encode("utf-8", "surrogatepass")
        if self.chance.random() < 0.1:  # a name twice
            body = body.replace(b'"kind"', b'"sessionId"', 1)
        return body


TYPES = [*sorted(v.DATA), "recording-started", "participant-track-recording-merged"]


# --- what is asked of each answer -----------------------------------------------------------------


@dataclass
class Watch:
    """Sends events, and says what was wrong with an answer, or with the time that it took."""

    receiver: Receiver
    tally: Tally
    slowest_ms: float = 0.0
    slowest: bytes = b""
    news: int = 0
    sent: set[str] = field(default_factory=set)

    def __call__(self, event: Item, body: bytes, allowed: Callable[[Answer], bool]) -> Answer:
        self.tally.case()
        answer, ms = self._timed(event)
        if answer.news:
            self.news += 1
            self.sent.add(hashlib.sha256(body).hexdigest())
        if ms > SLOW_MS:
            # Slow twice is slow; slow once may be the machine, or the garbage of others.
            ms = min(ms, self._timed(event)[1])
        self.slowest_ms, self.slowest = max((self.slowest_ms, self.slowest), (ms, body[:60]))
        if ms > SLOW_MS or not answer.typed or not allowed(answer) or self.receiver.faults.told:
            faults = [told[-300:] for told in self.receiver.faults.told]
            self.tally.violation(f"{answer} after {ms:.0f} ms for {body[:200]!r}… {faults}")
            self.receiver.faults.told.clear()
        return answer

    def _timed(self, event: Item) -> tuple[Answer, float]:
        began = time.thread_time_ns()
        answer = self.receiver.send(event)
        return answer, (time.thread_time_ns() - began) / 1e6

    def settle(self) -> None:
        """What was confirmed as news is there, whole, and nothing else; then begin anew."""
        facts = self.receiver.facts()
        if len(facts) != self.news:
            self.tally.violation(f"{self.news} were news and {len(facts)} are there")
        for fact in facts:
            json.dumps(to_record(fact), ensure_ascii=False).encode()  # no half characters
            if isinstance(fact, OddHeard) and fact.body_sha256 not in self.sent:
                self.tally.violation(f"nobody said this: {fact}")
        self.receiver.empty()
        self.news, self.sent = 0, set()


def resident_mb() -> float:
    """What the process holds, without what the C library keeps of freed bodies of ten megabytes."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


@pytest.mark.invariant(10, "of what VideoSDK signs, nothing is a fault of ours, slow, or kept by half")
def test_no_signed_body_is_a_fault_of_ours(
    vendor: v.Signer, receiver: Receiver, seed: int, size: Size, tally: Tally
) -> None:
    fuzzer, watch = Fuzzer(random.Random(seed)), Watch(receiver, tally)
    many, before = size(1000, 100_000), 0.0

    for number in range(many):
        body = fuzzer.any()
        address = fuzzer.chance.choice((None, token(number)))
        text = fuzzer.chance.random() < 0.5
        whole = not text or body == body.decode("utf-8", "replace").encode()
        event = receiver.event(body, [(SIGNATURE, vendor.sign(body))], token=address, text=text)
        watch(event, body, _believed if whole else _unbelieved)
        if number % BATCH == BATCH - 1:
            watch.settle()
            before = before or resident_mb()

    grown = resident_mb() - before
    print(f"slowest {watch.slowest_ms:.1f} ms of CPU for {watch.slowest!r}…, {grown:.1f} MB more")
    assert grown <= GROWTH_MB


def _believed(answer: Answer) -> bool:
    return answer.status in (200, 403, 413)


def _unbelieved(answer: Answer) -> bool:
    """API Gateway makes text of it, and other bytes: the signature does not fit any more."""
    undecided = answer.status == 503 and answer.code == "signature_undecided"
    return undecided or answer.status in (400, 401, 413)


# --- anything at all ------------------------------------------------------------------------------

VALUES = [
    "", " ", "*/*", "application/json", "text/html;q=0.1", ",;,;=", "\0", "é", "\ud800", "a" * 9000,
    "=?utf-8?b?AA?=", "application/octet-stream", "multipart/form-data; boundary=", "gzip", "chunked", "-1",
]  # fmt: skip
NAMES = [
    "Content-Type", "Accept", "Content-Length", "Transfer-Encoding", "Content-Encoding", "Host", "Cookie",
    "Authorization", "X-Forwarded-For", "x-amz-date", "Origin", "", " ", "é", "\ud800",
]  # fmt: skip


@dataclass
class Stranger:
    """Sends anything, to any address."""

    chance: random.Random
    receiver: Receiver
    fuzzer: Fuzzer

    def any(self, number: int) -> tuple[Item, bytes]:
        """One more event, and its body."""
        body = self._body()
        headers = [
            (self.chance.choice(NAMES), self.chance.choice(VALUES)) for _ in range(self.chance.randrange(4))
        ]
        headers += [(SIGNATURE, told) for told in self._signatures()]
        address = self.chance.choice((None, token(number), self._nowhere(token(number))))
        event = self.receiver.event(body, headers, token=address, text=self.chance.random() < 0.5)
        if self.chance.random() < 0.05:
            event |= {
                "isBase64Encoded": True,
                "body": self.chance.choice(("=", "AAAA=A", "é", "\ud800", "A")),
            }
        if self.chance.random() < 0.05:
            event |= {"isBase64Encoded": False, "body": self.chance.choice(("\ud800", "\0", "é" * 9000, ""))}
        return event, body or b""

    def _body(self) -> bytes | None:
        how = self.chance.random()
        if how < 0.001:
            return b"x" * MEGABYTES
        if how < 0.05:
            return None
        return self.fuzzer.any() if how < 0.6 else self.chance.randbytes(self.chance.randrange(400))

    def _signatures(self) -> list[str]:
        one = self.chance.choice(
            (
                "",
                self.chance.choice(VALUES),
                self.chance.randbytes(self.chance.choice((1, 64, 255, 257))).hex(),
                "A" * 342 + "==",
                "".join(map(chr, self.chance.choices(range(0x110000), k=self.chance.randrange(400)))),
            )
        )
        return self.chance.choice(([], [one], [one], [one], [one, one]))

    def _nowhere(self, known: str) -> str:
        place = self.chance.randrange(len(known))
        return self.chance.choice(
            (
                known[:place],
                known[:place] + "0" + known[place:],
                known.upper(),
                "%",
                "%ED%A0%80.%00",
                "..%2F..%2Fetc",
                "x" * 9000,
                "\ud800",
                known.replace(".", ".é"),
                f"rec-{'0' * 32}.{'0' * 64}",
            )
        )


@pytest.mark.invariant(10, "of what strangers send, nothing is a fault of ours, slow, or leaves a trace")
def test_nothing_that_a_stranger_sends_is_a_fault_of_ours(
    receiver: Receiver, seed: int, size: Size, tally: Tally
) -> None:
    chance, watch = random.Random(seed), Watch(receiver, tally)
    stranger = Stranger(chance, receiver, Fuzzer(chance))
    many, before = size(3000, 100_000), 0.0

    for number in range(many):
        watch(*stranger.any(number), _refused)
        if number == many // 5:
            before = resident_mb()

    grown = resident_mb() - before
    print(f"slowest {watch.slowest_ms:.1f} ms of CPU for {watch.slowest!r}…, {grown:.1f} MB more")
    watch.settle()
    assert watch.news == 0
    assert grown <= GROWTH_MB


def _refused(answer: Answer) -> bool:
    """Never a 5xx, but where a signature is well-formed and may be a new key's: then it is to come again."""
    undecided = answer.status == 503 and answer.code == "signature_undecided"
    return undecided or 400 <= answer.status < 500
