"""Many webhooks, on time: a worker delivers its share of a plan to the real app, and notes each answer.

Open loop: a delivery's latency counts from the moment that it was planned for, so whoever falls behind shows
it. Runs in processes of its own: `python -m tests.reliability.load`, the plan as JSON on its first line.
"""

import json
import logging
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from chalicelib.core.ids import KINDS
from tests.adapters import vendor as v
from tests.reliability.kill.aws import TAG_KEY
from tests.reliability.receiver import SIGNATURE, About, Door, recording_id, token

REPEATS, BAD, UNKNOWN = 0.10, 0.05, 0.01
TYPES = tuple(
    f"participant-track-recording-{what}" for what in ("starting", "started", "stopping", "stopped")
)
NEW_TYPE = "participant-track-recording-merged"


@dataclass(frozen=True)
class Letter:
    """What VideoSDK signs. Many recordings get the same: their addresses tell them apart."""

    about: About
    webhook_type: str
    body: str
    signature: str


@dataclass(frozen=True)
class Delivery:
    """The `number`-th delivery of a plan; `of` is the recording whose address it goes to."""

    number: int
    what: str  # "genuine", "repeat", "bad" or "unknown"
    of: int
    letter: Letter


@dataclass(frozen=True)
class Answered:
    """What became of a delivery. Milliseconds from the planned moment to the answer."""

    number: int
    status: int
    code: str
    news: bool | None
    ms: float


@dataclass(frozen=True)
class Plan:
    """The load as a whole: the same for all workers, each of which does every `workers`-th delivery."""

    seed: int
    rate: int
    seconds: int
    workers: int
    letters: list[Letter]

    @classmethod
    def of(cls, record: dict[str, Any]) -> "Plan":
        """Out of JSON."""
        letters = [Letter(**(told | {"about": tuple(told["about"])})) for told in record.pop("letters")]
        return cls(**record, letters=letters)

    def deliveries(self, worker: int) -> Iterator[Delivery]:
        """A worker's share. A repeat is of one that the same worker sent before, often just before."""
        chance, sent = random.Random(f"{self.seed}/{worker}"), list[Delivery]()
        known = [letter for letter in self.letters if letter.webhook_type != NEW_TYPE]
        new = [letter for letter in self.letters if letter.webhook_type == NEW_TYPE]
        for number in range(worker, self.rate * self.seconds, self.workers):
            draw = chance.random()
            if draw < REPEATS and sent:
                first = (
                    sent[-chance.choice((1, 2, chance.randint(1, len(sent))))] if len(sent) > 2 else sent[0]
                )
                yield Delivery(number, "repeat", first.of, first.letter)
            elif draw < REPEATS + BAD:
                yield Delivery(number, "bad", number, chance.choice(known))
            elif draw < REPEATS + BAD + UNKNOWN:
                yield Delivery(number, "unknown", number, chance.choice(new))
            else:
                sent.append(Delivery(number, "genuine", number, chance.choice(known)))
                yield sent[-1]


def letters(signer: v.Signer, sessions: int = 3) -> list[Letter]:
    """Every type about every kind of a few participants."""
    found = []
    for session in range(sessions):
        for kind in KINDS:
            about = (f"room-{session}", "anna", kind)
            told = {
                "meetingId": about[0],
                "participantId": about[1],
                "kind": kind,
                "sessionId": f"s-{session}",
            }
            for name in (*TYPES, NEW_TYPE):
                body, signature = v.delivery(name, signer, **told)
                found.append(Letter(about, name, body.decode(), signature))
    return found


class Worker:
    """One process of the receiver. It answers one delivery after the other, as Lambda has it: Chalice keeps
    the current request in the app, so threads would read each other's."""

    def __init__(self, plan: Plan, worker: int) -> None:
        self.plan, self.worker = plan, worker
        self.door = Door()
        self.answered: list[Answered] = []

    def warm(self) -> None:
        """As a function that was called before: one letter of a recording that is not in the plan."""
        self._deliver(Delivery(-1 - self.worker, "genuine", -1 - self.worker, self.plan.letters[0]), 0.0)
        assert self.answered.pop().status == 200

    def run(self, begin: float) -> None:
        """The worker's share, each delivery at its moment; `begin` is on the monotonic clock."""
        for delivery in self.plan.deliveries(self.worker):
            planned = begin + delivery.number / self.plan.rate
            time.sleep(max(0.0, planned - time.monotonic()))
            self._deliver(delivery, planned)

    def _deliver(self, delivery: Delivery, planned: float) -> None:
        letter, signature = delivery.letter, delivery.letter.signature
        if delivery.what == "bad":
            signature = signature[:40] + signature[40:80].swapcase() + signature[80:]
        address = token(delivery.of, letter.about, TAG_KEY.encode())
        event = self.door.event(letter.body.encode(), [(SIGNATURE, signature)], token=address, text=True)
        answer = self.door.send(event)
        ms = (time.monotonic() - planned) * 1000
        self.answered.append(Answered(delivery.number, answer.status, answer.code, answer.news, ms))


def key_of(delivery: Delivery) -> str:
    """The name that a delivery's fact has in the table, up to what it says."""
    return f"recording#{recording_id(delivery.of)}"


def main() -> None:
    """Read the plan, say `ready`, wait for the moment to begin, and tell of each answer."""
    told = json.loads(sys.stdin.readline())
    logging.getLogger("tracklane").addHandler(logging.NullHandler())
    logging.getLogger("tracklane").propagate = False
    worker = Worker(Plan.of(told["plan"]), told["worker"])
    worker.warm()
    print("ready", flush=True)
    worker.run(float(sys.stdin.readline()))
    print(json.dumps([list(asdict(answered).values()) for answered in worker.answered]), flush=True)


if __name__ == "__main__":
    main()
