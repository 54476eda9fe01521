"""VideoSDK's REST API as a `Recorder`.

Law: a command is sent again only when it was surely not done: nothing had left, or VideoSDK refused it
before doing any work (401, 429, 400 for a participant who has not joined yet). Nothing is asked or waited for
beyond the time that is left, and what is sent again for VideoSDK's faults stays a small part of all.
"""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import quote

from jwt import PyJWTError

from chalicelib.adapters.videosdk import lists
from chalicelib.adapters.videosdk.answers import NOT_JOINED, START, STOP, Saying, outcome, text
from chalicelib.adapters.videosdk.budget import Budget
from chalicelib.adapters.videosdk.token import Credentials, Tokens
from chalicelib.adapters.videosdk.wire import LEAST_S, Answer, NotReached, Reply, Request, Wire
from chalicelib.core.errors import BadGateway, Invalid, Unavailable
from chalicelib.core.ids import external_id
from chalicelib.ports import Listed, Outcome, Presence

TRACKS = "/v2/recordings/participant/track"
COMMAND_CAP = 64 * 1024
LIST_CAP = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how often. A command ends within `again_s + connect_s + command_s`, a list within
    `list_s + connect_s + page_s`, whatever VideoSDK does.

    `early_s` is how long a start is tried for a participant who has not joined yet: VideoSDK's own agents
    have needed "another second or two" after `participant-joined`. `quiet_s` is how long no list is asked for
    after one that got no answer: who looks at many recordings shall not wait for each of them. A busy one may
    ask for more quiet, up to `quiet_at_most_s`.
    """

    connect_s: float = 2.0
    command_s: float = 5.0
    page_s: float = 5.0
    again_s: float = 6.0
    early_s: float = 6.0
    list_s: float = 30.0
    quiet_s: float = 15.0
    quiet_at_most_s: float = 60.0
    pages: int = 100


type Hurdle = Literal["unreached", "lost", "unauthorized", "rate_limited", "early"]


@dataclass(frozen=True, slots=True)
class Again:
    """How often to try again, and the first wait in seconds; it grows by `growth` each time."""

    times: int
    wait_s: float
    growth: float = 2.0


# Who comes too early is waited for within a time of its own; these are VideoSDK's, and many come at once.
FAULTS: frozenset[Hurdle] = frozenset({"unreached", "lost", "unauthorized", "rate_limited"})
# Only what was surely not done is in this table: see the law above.
COMMAND: Mapping[Hurdle, Again] = {
    "unreached": Again(1, 0.1),
    "unauthorized": Again(1, 0.0),
    "rate_limited": Again(3, 0.5),
    "early": Again(60, 1.0, growth=1.0),
}
QUESTION: Mapping[Hurdle, Again] = {
    "unreached": Again(2, 0.2),
    "lost": Again(2, 0.2),
    "unauthorized": Again(1, 0.0),
    "rate_limited": Again(3, 0.5),
}


@dataclass(frozen=True, slots=True)
class Clock:
    """What this adapter knows of time: epoch milliseconds, a count of seconds, and how to wait."""

    now: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Api:
    """Answers to the port `Recorder`. Threads may share it.

    `credentials` gives key and secret at each call, so that they can rotate; `forget` is called when
    VideoSDK does not take them, so that they are read anew. `left_s` tells how many seconds there are.
    """

    def __init__(
        self,
        api: str,
        credentials: Credentials,
        *,
        forget: Callable[[], None] = lambda: None,
        limits: Limits = Limits(),
        clock: Clock = Clock(),
        left_s: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self._wire = Wire(api, limits.connect_s, left_s=left_s)
        self._left_s = left_s
        self._budget = Budget()
        self._tokens = Tokens(credentials, clock.now)
        self._forget = forget
        self._limits = limits
        self._clock = clock
        self._quiet_until = 0.0

    def start(
        self, room_id: str, participant_id: str, kind: str, *, webhook_url: str, bucket_dir_path: str
    ) -> Outcome:
        """Ask for a track recording; never sent twice once bytes have left and may have worked."""
        body = {
            "roomId": room_id,
            "participantId": participant_id,
            "kind": kind,
            "webhookUrl": webhook_url,
            "bucketDirPath": bucket_dir_path,
        }
        return self._command("start", body, START, COMMAND)

    def stop(self, room_id: str, participant_id: str, kind: str) -> Outcome:
        """Ask for its end. Nobody who has not joined will join to be stopped: that is not waited for."""
        body = {"roomId": room_id, "participantId": participant_id, "kind": kind}
        return self._command("stop", body, STOP, {**COMMAND, "early": Again(0, 0.0)})

    def listed(
        self, room_id: str, *, session_id: str | None = None, participant_id: str | None = None
    ) -> Iterator[Listed]:
        """Every track recording that VideoSDK has for these; `Unavailable` rather than half a list."""
        narrowed = {"roomId": room_id, "sessionId": session_id, "participantId": participant_id}
        params = {name: value for name, value in narrowed.items() if value is not None}
        for told in self._pages(TRACKS, params):
            yield from lists.listed(told)

    def presences(self, session_id: str) -> list[Presence]:
        """Who was in a session, and when; nobody where VideoSDK can not have such a session."""
        try:
            path = f"/v2/sessions/{quote(external_id(session_id, 'sessionId'), safe='')}/participants"
        except Invalid:
            return []
        return [stay for told in self._pages(path, {}) for stay in lists.presences(told, session_id)]

    def _command(
        self, verb: str, body: Mapping[str, str], sayings: tuple[Saying, ...], again: Mapping[Hurdle, Again]
    ) -> Outcome:
        request = Request("POST", f"{TRACKS}/{verb}", COMMAND_CAP, self._limits.command_s, body=body)
        return outcome(self._ask(request, again, self._limits.again_s), sayings)

    def _pages(self, path: str, params: Mapping[str, str]) -> Iterator[lists.Told]:
        until = self._clock.monotonic() + self._limits.list_s
        for number in range(1, self._limits.pages + 1):
            left_s = until - self._clock.monotonic()
            if left_s <= 0 or not self._time_for(0.0):
                raise lists.unavailable("the list takes too long")
            request = Request("GET", path, LIST_CAP, self._limits.page_s, {**params, "page": str(number)})
            told = lists.page(_body(self._asked(request, left_s)))
            yield told
            if told.last <= number or not told.data:
                return
        raise lists.unavailable(f"the list has more than {self._limits.pages} pages")

    def _asked(self, request: Request, left_s: float) -> Reply:
        """A question's reply, unless VideoSDK gave none a moment ago."""
        if self._clock.monotonic() < self._quiet_until:
            raise lists.unavailable("it did not answer a moment ago")
        reply = self._ask(request, QUESTION, left_s)
        if _hurdle(reply) in ("unreached", "lost", "rate_limited"):
            wished = _retry_after(reply, self._clock.now())
            quiet_s = min(max(wished, self._limits.quiet_s), self._limits.quiet_at_most_s)
            self._quiet_until = self._clock.monotonic() + quiet_s
        return reply

    def _ask(self, request: Request, again: Mapping[Hurdle, Again], again_s: float) -> Reply:
        """Send, and send again where the table and the budget allow it, as long as there is time."""
        began = self._clock.monotonic()
        self._budget.earn()
        tried: dict[Hurdle, int] = {}
        while True:
            reply = self._once(request)
            hurdle = _hurdle(reply)
            count = tried.get(hurdle, 0) if hurdle else 0
            if hurdle is None or hurdle not in again or count >= again[hurdle].times:
                return reply
            wait = self._wait(reply, again[hurdle], count)
            most = min(again_s, self._limits.early_s) if hurdle == "early" else again_s
            if self._clock.monotonic() - began + wait > most or not self._time_for(wait):
                return reply
            if hurdle in FAULTS and not self._budget.spend():
                return reply
            tried[hurdle] = count + 1
            if hurdle == "unauthorized":
                self._tokens.forget()
                self._forget()
            self._clock.sleep(wait)

    def _time_for(self, wait_s: float) -> bool:
        """Whether after such a wait there is time enough to ask."""
        return self._left_s() >= wait_s + self._limits.connect_s + LEAST_S

    def _once(self, request: Request) -> Reply:
        try:
            token = self._tokens.token()
        except Unavailable as error:
            return NotReached(f"no credentials for VideoSDK: {error.message}")
        except (PyJWTError, LookupError, TypeError, ValueError):
            return NotReached("the credentials for VideoSDK can not sign a token")
        return self._wire.send(request, token)

    def _wait(self, reply: Reply, again: Again, count: int) -> float:
        """Longer each time, spread so that many do not come at once, and not less than VideoSDK asks for."""
        own = again.wait_s * again.growth**count * random.uniform(0.75, 1.0)
        return max(own, _retry_after(reply, self._clock.now()))


def _hurdle(reply: Reply) -> Hurdle | None:
    match reply:
        case NotReached():
            return "unreached"
        case Answer(401 | 429 as status):
            return "unauthorized" if status == 401 else "rate_limited"
        case Answer(400) if NOT_JOINED.wording.search(text(reply.body)):
            return "early"
        case Answer(status, broken=None) if status < 500:
            return None
    return "lost"


def _retry_after(reply: Reply, now: int) -> float:
    """The wait that a Retry-After asks for, in seconds: a number, or a date."""
    told = (isinstance(reply, Answer) and reply.retry_after) or ""
    if told.isascii() and told.isdecimal():
        return float(told[:9])
    try:
        moment = parsedate_to_datetime(told)
    except ValueError:
        return 0.0
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now / 1000


# The question itself was refused, as for a room that is gone: the next one may be answered.
KNOWS_NOTHING = frozenset({400, 404, 410, 422})


def _body(reply: Reply) -> bytes:
    match reply:
        case Answer(200, body, broken=None):
            return body
        case Answer(status, broken=None) if status in KNOWS_NOTHING:
            raise BadGateway("videosdk_refused", f"VideoSDK answered {status}: {text(reply.body)}")
        case Answer(status):
            told = text(reply.body) or reply.broken or "nothing"
            raise lists.unavailable(f"it answered {status}: {told}")
    raise lists.unavailable(reply.reason)
