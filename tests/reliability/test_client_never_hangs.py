"""However a neighbour answers, our clients come back in time, send no start twice, add little to its load."""

import itertools
import json
import math
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from chalicelib.adapters import aws, deadline
from chalicelib.adapters.deadline import ANSWER_S, INVOCATION, LAST_WORDS_S
from chalicelib.adapters.dynamodb import DynamoCatalog, DynamoLedger
from chalicelib.adapters.s3 import S3Inbox
from chalicelib.adapters.sqs import SqsWork
from chalicelib.adapters.videosdk.api import Api, Clock, Limits
from chalicelib.adapters.videosdk.wire import LEAST_S
from chalicelib.core import events as e
from chalicelib.core.errors import TracklaneError, Unavailable
from chalicelib.ports import Accepted, Declined
from chalicelib.routes.authorizer import AT_MOST_MS as AUTHORIZE_MS
from tests.adapters import vendor as v
from tests.tally import Tally

SECRET = "a-secret-of-at-least-32-characters-0123456789"
SHORT = Limits(connect_s=0.2, command_s=0.3, page_s=0.3, again_s=0.4, early_s=0.4, list_s=0.8, quiet_s=0.0)
SLACK_S = 0.25
AT_ONCE = 8  # cases, which mostly wait


# --- the ways to answer badly ---------------------------------------------------------------------


def _bytes(told: bytes, then: v.Act) -> v.Act:
    def act(sock: Any) -> bool:
        sock.sendall(told)
        return then(sock)

    return act


def _over_and_over(told: bytes, every_s: float) -> v.Act:
    """The same bytes until nobody listens any more."""

    def act(sock: Any) -> bool:
        until = time.monotonic() + 5
        while time.monotonic() < until:
            sock.sendall(told)
            time.sleep(every_s)
        return False

    return act


STATUS = b"HTTP/1.1 200 OK\r\n"
HEAD = STATUS + b'ETag: "1"\r\nLast-Modified: Sun, 22 Nov 2026 09:30:00 GMT\r\n'
FORTY = HEAD + b"Content-Length: 40\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
HOUR = "3600"
ACTS: dict[str, v.Act] = {
    "a black hole": v.silent(3),
    "a hole after half the head": _bytes(STATUS[:9], v.silent(3)),
    "a hole after the head": _bytes(FORTY, v.silent(3)),
    "a head byte by byte": v.dripping_head(0.05),
    "a body byte by byte": _bytes(FORTY, _over_and_over(b"x", 0.1)),
    "an error byte by byte": v.dripping(503, b'"' + b"x" * 200, 0.05),
    "a byte in the last moment": v.late_byte(0.25),
    "chunks without end": _bytes(CHUNKED, _over_and_over(b"1\r\nx\r\n", 0.02)),
    "a chunk that is no chunk": _bytes(CHUNKED, _bytes(b"zz\r\n", v.reset())),
    "headers without end": _bytes(HEAD, _over_and_over(b"X-More: x\r\n", 0.0)),
    "a line without end": _over_and_over(b"x" * 1000, 0.0),
    "wait, wait, wait": _over_and_over(b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
    "a hang-up": v.reset(),
    "a hang-up in the head": v.reset(HEAD),
    "a hang-up in the body": v.reset(FORTY + b"half"),
    "a body cut off": _bytes(FORTY + b'{"data"', lambda _: False),
    "a gigabyte": _bytes(HEAD + b"Content-Length: 1073741824\r\n\r\n", _over_and_over(b" " * 65536, 0.0)),
    "a gigabyte of an error": v.endless(500),
    "come back in an hour": v.answer(429, {"message": "slow down"}, Retry_After=HOUR),
    "be back in an hour": v.answer(503, {"message": "down"}, Retry_After=HOUR),
    "a redirect": v.answer(307, Location="http://127.0.0.1:1/"),
    "a redirect to itself": v.answer(308, Location="/v2/recordings/participant/track/start"),
    "another protocol": v.reset(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "garbage": v.reset(bytes(range(256))),
    "a status that is none": v.answer(999, {}),
    "an error": v.answer(500, {"message": "oops"}),
}


def _start(api: Api) -> object:
    return api.start(v.ROOM, v.PERSON, "audio", webhook_url="https://us/hook", bucket_dir_path="rec/rec-1")


def _stop(api: Api) -> object:
    return api.stop(v.ROOM, v.PERSON, "audio")


def _list(api: Api) -> object:
    with suppress(Unavailable):
        return list(api.listed(v.ROOM))
    return None


COMMAND_S = SHORT.again_s + SHORT.connect_s + SHORT.command_s
LIST_S = SHORT.list_s + SHORT.connect_s + SHORT.page_s
ASKED: dict[str, tuple[Callable[[Api], object], float]] = {
    "start": (_start, COMMAND_S),
    "stop": (_stop, COMMAND_S),
    "list": (_list, LIST_S),
}


@dataclass(frozen=True)
class Case:
    """What is asked, how it is answered, and how many seconds the invocation has."""

    asked: str
    act: str
    left_s: float

    def tried(self) -> str | None:
        """What is wrong with how it went."""
        ask, most_s = ASKED[self.asked]
        with v.Vendor(ACTS[self.act]) as server:
            began = time.monotonic()
            ask(Api(server.url, lambda: ("key", SECRET), limits=SHORT, left_s=self._left_s(began)))
            late_s = time.monotonic() - began - min(most_s, self.left_s)
            if self.asked != "list" and len(server.seen) > 1:
                return f"{self}: sent {len(server.seen)} times"
        return f"{self}: {late_s:.2f} s late" if late_s > SLACK_S else None

    def _left_s(self, began: float) -> Callable[[], float]:
        return lambda: self.left_s - (time.monotonic() - began)

    def fault(self) -> str | None:
        """A machine may be busy for a moment; who is late three times hangs."""
        return next((None for _ in range(3) if self.tried() is None), self.tried())


LEFT = [math.inf, math.inf, math.inf, LEAST_S + SHORT.connect_s + 0.1, 0.5]


@pytest.mark.invariant(20, "VideoSDK's client ends in its time, however answered, and sends no start twice")
def test_videosdk_is_never_waited_for_too_long(
    tally: Tally, size: Callable[[int, int], int], seed: int
) -> None:
    chance = random.Random(seed)
    whole = [Case(asked, act, math.inf) for act in ACTS for asked in ASKED]
    many = size(len(whole), 1000)
    chosen = (Case(chance.choice([*ASKED]), chance.choice([*ACTS]), chance.choice(LEFT)) for _ in range(many))
    cases = [*whole, *chosen][:many]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for fault in pool.map(Case.fault, cases):
            tally.case()
            if fault:
                tally.violation(fault)


# --- AWS ------------------------------------------------------------------------------------------


def invocation(left_s: float) -> AbstractContextManager[None]:
    """One that Lambda ends after so many seconds."""
    return INVOCATION.within(left_s * 1000)


@dataclass(frozen=True)
class _Session:
    """A session of botocore whose clients speak to this address."""

    url: str

    def create_client(self, service: str, config: Any) -> Any:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        where = {"region_name": "eu-central-1", "endpoint_url": self.url}
        return _BOTOCORE.create_client(service, config=config, **keys, **where)


_BOTOCORE = botocore.session.get_session()


def _client(service: str, url: str) -> Any:
    return aws.client(_Session(url), service, INVOCATION.left_s)


def _put(url: str) -> None:
    DynamoLedger(_client("dynamodb", url), "t").append("recording#1", e.StartAccepted(at=1))


def _read(url: str) -> None:
    DynamoLedger(_client("dynamodb", url), "t").read("recording#1")


def _get(url: str) -> None:
    for _ in S3Inbox(_client("s3", url), "b").read("k"):
        pass


def _under(url: str) -> None:
    for _ in S3Inbox(_client("s3", url), "b").under("k"):
        pass


def _send(url: str) -> None:
    SqsWork(_client("sqs", url), "b", f"{url}/1/ingest", f"{url}/1/render").ingest(["k"])


AWS_ASKED: tuple[Callable[[str], None], ...] = (_put, _read, _get, _under, _send)


THROTTLED = v.answer(
    400, {"__type": "ThrottlingException", "message": "slow down"}, x_amz_retry_after="3600000"
)
AWS_ACTS = {**ACTS, "throttled for an hour": THROTTLED}


type Call = tuple[Callable[[str], None], str]
# S3 says how long an object is: it sends none in chunks.
AWS_CALLS: list[Call] = [
    (ask, name) for name in AWS_ACTS for ask in AWS_ASKED if ask is not _get or "chunk" not in name
]


def _outcome(call: Call) -> tuple[float, str]:
    """By how many seconds a call outlasted the invocation, and what foreign thing it raised."""
    ask, name = call
    foreign = ""
    with v.Vendor(AWS_ACTS[name]) as server:
        try:
            ask(server.url)
        except TracklaneError:
            pass
        except Exception as error:
            foreign = repr(error)
    return -INVOCATION.left_s(), foreign


@pytest.mark.invariant(20, "no call to AWS outlasts the invocation, however it is answered")
def test_aws_is_never_waited_for_beyond_the_end(tally: Tally) -> None:
    for ask in AWS_ASKED:
        with v.Vendor(v.answer(403, {})) as server, suppress(TracklaneError):
            ask(server.url)  # botocore reads its models once, which takes longer than any call

    late = AWS_CALLS
    for _ in range(3):  # a machine may be busy for a moment; who is late three times hangs
        with invocation(aws.CONNECT_S + ANSWER_S + 1.0), ThreadPoolExecutor(len(AWS_CALLS)) as pool:
            outcomes = dict(zip(late, pool.map(_outcome, late), strict=True))
        late = [call for call, (over_s, _) in outcomes.items() if over_s > SLACK_S]
        tally.case(len(outcomes))
        for (ask, name), (_, foreign) in outcomes.items():
            if foreign:
                tally.violation(f"{ask.__name__} of {name}: {foreign}")
    for ask, name in late:
        tally.violation(f"{ask.__name__} of {name} was late")


def test_videosdk_is_not_asked_what_could_not_be_heard_or_written_down() -> None:
    with v.Vendor(v.answer(200, "track recording started successfully.")) as server:
        for left_s, said in (
            (LEAST_S + SHORT.connect_s - 0.1, Declined),
            (LEAST_S + SHORT.connect_s, Accepted),
        ):
            api = Api(
                server.url, lambda: ("key", SECRET), limits=SHORT, left_s=itertools.repeat(left_s).__next__
            )
            assert isinstance(_start(api), said)
            assert len(server.seen) == (said is Accepted)


def test_half_an_answer_is_none() -> None:
    """A balancer that closes in the middle: half of `{"Item": …}` is not an item that is not there."""
    with v.Vendor(v.promised(200, 100, b'{"Item": {"pk":')) as server:
        catalog = DynamoCatalog(_client("dynamodb", server.url), "t")
        with pytest.raises(Unavailable):
            catalog.holder("room", "ann", "audio")


def test_a_call_that_could_not_end_in_time_is_not_begun() -> None:
    with v.Vendor(v.answer(200, {})) as server, invocation(aws.CONNECT_S + ANSWER_S - 0.1):
        with pytest.raises(Unavailable):
            _put(server.url)

        assert server.seen == []


def test_a_call_is_not_repeated_where_its_repeat_could_not_end_in_time() -> None:
    with v.Vendor(v.answer(500, {})) as server:
        ledger = DynamoLedger(_client("dynamodb", server.url), "t")
        for left_s, tries in ((ANSWER_S + aws.CONNECT_S + 0.9, 1), (60.0, 3)):
            with invocation(left_s), pytest.raises(Unavailable):
                ledger.read("recording#1")
            assert len(server.seen) == tries
            server.seen.clear()


# --- how the seconds of a function are shared -------------------------------------------------------


def test_the_worst_start_ends_before_its_function_does() -> None:
    """What `deadline.py` says, reckoned from the limits as they are."""
    config = json.loads((Path(__file__).parents[2] / ".chalice" / "config.json").read_text())
    function_s, limits = float(config["lambda_timeout"]), Limits()
    one_try_s = aws.PLAIN["connect_timeout"] + aws.PLAIN["read_timeout"]
    last_asked_s = function_s - ANSWER_S - LAST_WORDS_S - limits.connect_s - LEAST_S
    last_heard_s = function_s - ANSWER_S - LAST_WORDS_S

    assert str(deadline.__doc__).count(f"second {last_asked_s:.0f} ") == 1
    assert str(deadline.__doc__).count(f"second {last_heard_s:.0f};") == 1
    assert last_heard_s + one_try_s < function_s - ANSWER_S
    # A VideoSDK that uses all of its time is not cut short while AWS answers as it does.
    assert limits.again_s + limits.connect_s + limits.command_s < last_heard_s
    # The authorizer is not told what is left of it.
    assert config["lambda_functions"]["authorize"]["lambda_timeout"] * 1000 == AUTHORIZE_MS


# --- an outage --------------------------------------------------------------------------------------

NOBODY = v.reset()
OUTAGES: dict[str, v.Act] = {
    "nobody there": NOBODY,
    "errors": v.answer(503, "down"),
    "hang-ups": lambda _: False,
    "too many requests": v.answer(429, "slow down"),
    "too many for a second": v.answer(429, "slow down", Retry_After="1"),
    "tokens not taken": v.answer(401, "no"),
}
OUTAGE_S = 60
AT_MOST = 1.1


def _tried(url: str, ask: Callable[[Api], object], calls: int) -> int:
    """How often so many calls knock in all while an outage lasts, on a clock that only moves by waiting."""
    hands, tokens = v.Hands(), itertools.count()

    def credentials() -> tuple[str, str]:
        next(tokens)
        return "key", SECRET

    api = Api(url, credentials, clock=Clock(hands.now, hands.monotonic, hands.sleep))
    for _ in range(calls):
        ask(api)
        hands.sleep(OUTAGE_S / calls)
    return next(tokens)


@pytest.mark.invariant(20, "in an outage of VideoSDK its load grows by a tenth at most")
def test_an_outage_is_not_made_worse(tally: Tally, size: Callable[[int, int], int]) -> None:
    calls = size(150, 2000)
    for name, act in OUTAGES.items():
        for asked in ("start", "stop", "list"):
            with v.Vendor(act) as server:
                url = v.closed_port() if act is NOBODY else server.url
                tried = _tried(url, ASKED[asked][0], calls)
            assert act is NOBODY or len(server.seen) == tried
            tally.case(calls)
            if tried > AT_MOST * calls:
                tally.violation(f"{name}: {calls} times {asked} was sent {tried} times")
