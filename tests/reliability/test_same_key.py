"""Many send one start at once, under one Idempotency-Key or under none: VideoSDK hears it once."""

import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

import pytest

from chalicelib.core.errors import KeyReused, TracklaneError
from chalicelib.core.ids import Kind
from chalicelib.flows.record import Once, Wanted, start
from chalicelib.ports import Accepted, Declined, Outcome, Unconfirmed
from chalicelib.routes.http import digest
from tests.fakes import MemoryWorld, ScriptedRecorder
from tests.flows.stage import URL
from tests.tally import Tally

CROWD = 50
OUTCOMES: tuple[Outcome, ...] = (
    Accepted(),
    Unconfirmed("no answer"),
    Declined("room_not_found", "no such room"),
    Declined("videosdk_rate_limited", "too many"),
)
# What a crowd sends: the kinds of each body, and whether all come under one key.
CROWDS: tuple[tuple[tuple[tuple[Kind, ...], ...], bool], ...] = (
    (((Kind.AUDIO,),), True),
    (((Kind.AUDIO, Kind.VIDEO),), True),
    (((Kind.AUDIO,), (Kind.VIDEO,)), True),
    (((Kind.AUDIO,), (Kind.AUDIO, Kind.VIDEO), (Kind.SCREEN_VIDEO,)), True),
    (((Kind.AUDIO,),), False),
    (((Kind.AUDIO, Kind.VIDEO), (Kind.VIDEO, Kind.AUDIO)), False),
)


class Leisurely(ScriptedRecorder):
    """A VideoSDK that takes its time, so that all others come while it does."""

    def start(self, *about: str, webhook_url: str, bucket_dir_path: str) -> Outcome:
        """As told, a little later."""
        time.sleep(random.random() / 2000)
        return super().start(*about, webhook_url=webhook_url, bucket_dir_path=bucket_dir_path)


class Crowded(MemoryWorld):
    """A world that threads may share."""

    def random(self) -> bytes:
        """Not by counting."""
        return os.urandom(16)


@dataclass(frozen=True)
class Sent:
    """A start as one of the crowd sent it, and how that was answered."""

    kinds: tuple[Kind, ...]
    ids: frozenset[str]
    error: TracklaneError | None


def sent(world: MemoryWorld, room_id: str, kinds: tuple[Kind, ...], key: str | None) -> Sent:
    """Send it once."""
    body = {"roomId": room_id, "participantId": "ann", "kinds": list(kinds)}
    once = Once(key, digest(body)) if key else None
    try:
        told = start(world, Wanted(room_id, "ann", kinds), "app", URL, once)
    except TracklaneError as error:
        return Sent(kinds, frozenset(), error)
    return Sent(kinds, frozenset(one["recordingId"] for one in told["recordings"]), None)


def faults(
    recorder: ScriptedRecorder, outcome: Outcome, answers: list[Sent], *, keyed: bool
) -> Iterator[str]:
    """All that is not as it must be after one round."""
    begun = [command[-1] for command in recorder.sent]
    # Without a key, who comes after a refusal begins anew, and where many do, some are told to come again.
    anew = isinstance(outcome, Declined) and not keyed
    if len(begun) != len(set(begun)) and not anew:
        yield f"VideoSDK heard {begun}"
    won = [answer for answer in answers if not isinstance(answer.error, KeyReused)]
    if keyed and len({answer.kinds for answer in won}) != 1:
        yield "bodies that differ were taken under one key"
    if keyed and set(begun) != set(won[0].kinds if won else ()):
        yield f"VideoSDK heard {begun}, and not what won"
    if keyed and len({answer.ids for answer in won if answer.ids}) > 1:
        yield "one key began several recordings"
    allowed = {outcome.code if isinstance(outcome, Declined) else "", "slot_busy" if anew else ""}
    for answer in won:
        if answer.error and answer.error.code not in allowed:
            yield f"somebody was told {answer.error}"


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns a hundred times as often as usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 100)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("hasty")
@pytest.mark.invariant(19, "50 starts at once under one key: one is sent; another body is refused")
def test_of_a_crowd_under_one_key_one_start_is_sent(
    tally: Tally, size: Callable[[int, int], int], seed: int
) -> None:
    chance, barrier = random.Random(seed), Barrier(CROWD)

    def one(world: MemoryWorld, room_id: str, kinds: tuple[Kind, ...], key: str | None) -> Sent:
        barrier.wait()
        return sent(world, room_id, kinds, key)

    with ThreadPoolExecutor(CROWD) as pool:
        for number in range(size(36, 1000)):
            (bodies, keyed), outcome = CROWDS[number % len(CROWDS)], chance.choice(OUTCOMES)
            world = Crowded()
            recorder = world.recorder = Leisurely(world.tape, of_kind=dict.fromkeys(Kind, outcome))
            key = f"key {number}" if keyed else None
            asked: Any = [(world, "room", chance.choice(bodies), key) for _ in range(CROWD)]
            answers = list(pool.map(lambda told: one(*told), asked))

            tally.case()
            for fault in faults(recorder, outcome, answers, keyed=keyed):
                tally.violation(f"round {number}, {outcome}: {fault}")
