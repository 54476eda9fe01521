"""Under load nothing that was confirmed is lost, nothing is wrong, and nobody waits long."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import pytest

from chalicelib.adapters import dynamodb_items as items
from chalicelib.core import events as e
from tests.adapters import vendor as v
from tests.reliability.kill.aws import Aws, server
from tests.reliability.load import NEW_TYPE, Answered, Delivery, Plan, key_of, letters
from tests.tally import Tally

type Size = Callable[[int, int], int]

P99_MS = 250
FACTS = {
    "participant-track-recording-starting": e.RecordingStarting,
    "participant-track-recording-started": e.RecordingStarted,
    "participant-track-recording-stopping": e.RecordingStopping,
    "participant-track-recording-stopped": e.RecordingStopped,
    NEW_TYPE: e.OddHeard,
}


@contextmanager
def workers(plan: Plan, aws: Aws, videosdk: str) -> Iterator[list[subprocess.Popen[str]]]:
    """The plan's workers, ready to begin."""
    command, environ = (
        [sys.executable, "-m", "tests.reliability.load"],
        os.environ | aws.environment(videosdk),
    )
    begun = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ)
        for _ in range(plan.workers)
    ]
    try:
        for number, process in enumerate(begun):
            _say(process, json.dumps({"plan": asdict(plan), "worker": number}))
        assert [_heard(process) for process in begun] == ["ready"] * len(begun)
        yield begun
    finally:
        for process in begun:
            process.kill()
            process.communicate()


def _say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def _heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def done(plan: Plan, aws: Aws, videosdk: str) -> dict[int, Answered]:
    """What became of each delivery of the plan."""
    with workers(plan, aws, videosdk) as begun:
        begin = str(time.monotonic() + 0.5)
        for process in begun:
            _say(process, begin)
        return {told[0]: Answered(*told) for process in begun for told in json.loads(_heard(process))}


@dataclass
class Books:
    """What was sent, what was answered, and what is there, held against each other."""

    plan: Plan
    answered: dict[int, Answered]
    rows: dict[str, items.Item]
    tally: Tally

    def audit(self) -> None:
        """Everything that must hold after a run."""
        news: Counter[int] = Counter()
        for delivery in self._sent():
            self.tally.case()
            answer = self.answered.get(delivery.number)
            if answer is None or not RIGHT[delivery.what](answer):
                self.tally.violation(f"{delivery.what}: {answer}")
            elif delivery.what != "bad":
                news[delivery.of] += bool(answer.news)
                self._must_have(delivery)
        if twice := [of for of, times in news.items() if times != 1]:
            self.tally.violation(f"news not just once: {twice[:5]}")
        if len(self.rows) != len(news):
            self.tally.violation(f"{len(news)} recordings were told of and {len(self.rows)} are there")

    def _must_have(self, delivery: Delivery) -> None:
        row = self.rows.get(key_of(delivery))
        if row is None:
            self.tally.violation(f"confirmed and lost: {delivery.number}")
        elif type(items.fact_of(row)) is not FACTS[delivery.letter.webhook_type]:
            self.tally.violation(f"not what was said: {row}")

    def _sent(self) -> Iterator[Delivery]:
        for worker in range(self.plan.workers):
            yield from self.plan.deliveries(worker)


RIGHT: dict[str, Callable[[Answered], bool]] = {
    "genuine": lambda answer: answer.status == 200,
    "repeat": lambda answer: answer.status == 200,
    "unknown": lambda answer: answer.status == 200 and answer.news is True,
    "bad": lambda answer: (
        (answer.status, answer.code) in ((401, "signature_wrong"), (503, "signature_undecided"))
    ),
}


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


@pytest.mark.invariant(16, "under load nothing confirmed is lost, nothing is wrong, p99 at most 250 ms")
def test_under_load_nothing_is_lost(seed: int, size: Size, tally: Tally) -> None:
    """The quick run shares its two cores with other tests, so nobody is held to a time in it."""
    signer = v.Signer()
    plan = Plan(seed, rate=size(60, 200), seconds=size(4, 600), workers=size(2, 4), letters=letters(signer))
    with server() as aws, v.Vendor(v.answer(200, signer.key_answer())) as vendor:
        aws.anew()
        answered = done(plan, aws, vendor.url)
        warm = {key_of(Delivery(-1 - n, "genuine", -1 - n, plan.letters[0])) for n in range(plan.workers)}
        rows = {row["pk"]["S"]: row for row in aws.items() if row["pk"]["S"] not in warm}

    Books(plan, answered, rows, tally).audit()

    waited = [answer.ms for answer in answered.values()]
    told = ", ".join(f"p{n} {percentile(waited, n):.0f} ms" for n in (50, 95, 99))
    print(
        f"{len(waited)} deliveries at {plan.rate}/s: {told}, at most {max(waited):.0f} ms; "
        f"asked for the key {len(vendor.seen)} times"
    )
    assert len(vendor.seen) <= plan.workers * (1 + plan.seconds // 30)
    assert percentile(waited, 99) <= size(30_000, P99_MS)
