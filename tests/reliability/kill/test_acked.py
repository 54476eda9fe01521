"""What was answered with 200 is in the table, however often the function's processes were killed."""

import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import pytest

from tests.adapters import vendor as v
from tests.reliability.kill.aws import TAG_KEY, Aws
from tests.reliability.kill.platform import Stage
from tests.reliability.kill.stories import HEARD
from tests.reliability.load import Letter, letters
from tests.reliability.receiver import SIGNATURE, Door, recording_id, token
from tests.tally import Tally

pytestmark = pytest.mark.slow

SENDERS = 3
AT_MOST_S = 0.01  # about twice as long as a delivery takes
SIGNER = v.Signer()
# Those whose facts say nothing but their session: `stopped` names files.
LETTERS = [told for told in letters(SIGNER) if told.webhook_type in list(HEARD)[:3]]


@dataclass
class Sender:
    """Delivers one after the other, each about a recording of its own, to processes that it kills: in the
    middle of any delivery, after `lives` of them at most."""

    path: str
    numbers: Iterator[int]
    enough: Callable[[], bool]
    chance: random.Random
    lives: int
    acked: dict[int, Letter] = field(default_factory=dict)
    kills: int = 0

    def run(self) -> None:
        """Until it is enough."""
        door = Door()
        while not self.enough():
            # What was not sent yet is sent when the file is closed, perhaps to nobody.
            with suppress(BrokenPipeError), socket.socket(socket.AF_UNIX) as connection:
                connection.connect(self.path)
                with connection.makefile("rw") as lines:
                    self._live(door, lines)

    def _live(self, door: Door, lines: TextIO) -> None:
        """One process's life. Who dies without an answer has not promised anything."""
        pid, last = int(lines.readline()), self.chance.randint(1, self.lives)
        for count in itertools.count(1):
            if count == last:
                self.kills += 1
                threading.Timer(self.chance.uniform(0, AT_MOST_S), os.kill, (pid, signal.SIGKILL)).start()
            try:
                self._deliver(door, lines)
            except (OSError, ValueError):
                return

    def _deliver(self, door: Door, lines: TextIO) -> None:
        number = next(self.numbers)
        letter = LETTERS[number % len(LETTERS)]
        print(json.dumps(_event(door, number, letter)), file=lines, flush=True)
        if int(lines.readline()) == 200:
            self.acked[number] = letter


def _event(door: Door, number: int, letter: Letter) -> dict[str, Any]:
    address = token(number, letter.about, TAG_KEY.encode())
    return door.event(letter.body.encode(), [(SIGNATURE, letter.signature)], token=address, text=True)


@dataclass
class Load:
    """Senders side by side, until so many deliveries are acknowledged or the time is up."""

    path: str
    wanted: int
    within_s: float
    seed: int
    lives: int
    senders: list[Sender] = field(default_factory=list)

    def run(self) -> None:
        """All of it."""
        until, numbers = time.monotonic() + self.within_s, itertools.count()

        def enough() -> bool:
            return time.monotonic() > until or sum(len(s.acked) for s in self.senders) >= self.wanted

        self.senders += [
            Sender(self.path, numbers, enough, random.Random(self.seed + n), self.lives)
            for n in range(SENDERS)
        ]
        threads = [threading.Thread(target=sender.run) for sender in self.senders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @property
    def acked(self) -> dict[int, Letter]:
        """What was answered with 200."""
        return {number: letter for sender in self.senders for number, letter in sender.acked.items()}

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return sum(sender.kills for sender in self.senders)


@contextmanager
def handlers(aws: Aws, directory: Path, *more: str) -> Iterator[str]:
    """Where processes of the receiver wait for connections."""
    path = str(directory / f"handlers-{len(list(directory.iterdir()))}")
    command = [sys.executable, "-m", "tests.reliability.kill.handlers", path, *more]
    with v.Vendor(v.answer(200, SIGNER.key_answer())) as vendor:
        environ = os.environ | aws.environment(vendor.url)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)
        assert process.stdout is not None
        with process.stdout:
            assert process.stdout.readline() == "ready\n"
            try:
                yield path
            finally:
                process.kill()
                process.wait()


def lost(aws: Aws, acked: dict[int, Letter]) -> list[int]:
    """What was acknowledged and is not in the table."""
    there = {(item["pk"]["S"], item["sk"]["S"].split("#")[1]) for item in aws.items()}
    wanted = {n: (f"recording#{recording_id(n)}", HEARD[t.webhook_type].__name__) for n, t in acked.items()}
    return [number for number, name in wanted.items() if name not in there]


@pytest.mark.invariant(15, "a 2xx is durable: nothing acknowledged is missing after SIGKILLs under load")
def test_what_was_acknowledged_is_there(
    stage: Stage, tmp_path: Path, size: Callable[[int, int], int], seed: int, tally: Tally
) -> None:
    stage.anew()
    with handlers(stage.aws, tmp_path) as path:
        load = Load(path, size(500, 100_000), size(60, 330), seed, lives=size(50, 300))
        load.run()

    tally.case(len(load.acked))
    for number in lost(stage.aws, load.acked):
        tally.violation(f"delivery {number} was acknowledged and is not there")
    print(f"{len(load.acked)} acknowledged, {load.kills} kills")
    assert load.kills >= size(5, 100)


def test_who_answers_before_it_writes_is_caught(stage: Stage, tmp_path: Path) -> None:
    stage.anew()
    with handlers(stage.aws, tmp_path, "hasty") as path:
        # On a machine that is busy elsewhere a kill may find nobody between answer and write.
        caught = any(_loses(Load(path, 60, 60, seed, lives=4), stage.aws) for seed in range(10))

    assert caught


def _loses(load: Load, aws: Aws) -> bool:
    load.run()
    return bool(lost(aws, load.acked))
