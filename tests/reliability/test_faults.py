"""Every call of every operation goes wrong in each way: nothing is lost, doubled, or running unknown."""

import random
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from local.videosdk import Simulation
from tests.reliability.between import FAULTS, Between
from tests.reliability.kill import aws
from tests.reliability.kill.clock import Clock
from tests.reliability.kill.oracle import End, faults
from tests.reliability.kill.platform import KEY, Ear, Ran, Stage, Strike, Worker
from tests.reliability.kill.stories import Scene, scenes, sweep
from tests.tally import Tally

pytestmark = pytest.mark.slow

UNREACHED = "unreached"  # VideoSDK; that AWS can not be is `unsent` to botocore
ASKED_BY_APPS = ("start", "stop")
ALWAYS = 99  # however often it is tried
NOWHERE = "at no call"  # a strike that never falls: its operation runs in a process that has done nothing yet


@dataclass(frozen=True)
class Cell:
    """One call of one run of an operation, and what befalls it."""

    operation: str
    nth: int
    at: int
    call: str
    fault: str
    times: int

    def __str__(self) -> str:
        often = "once" if self.times == 1 else "always"
        return f"{self.operation} {self.nth}, {self.call} {self.at}: {self.fault} {often}"


@dataclass
class Spoilt(Stage):
    """A stage on which one call goes wrong. `made` has the calls of all runs."""

    between: Between = field(default_factory=Between)
    wrong: Cell | None = None
    cell: Cell | None = None
    struck: int = 0
    made: list[tuple[str, int, tuple[str, ...]]] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def anew(self, *strikes: Any, **more: Any) -> None:
        """Another story, in which `wrong` goes wrong."""
        super().anew(*strikes, **more)
        self.cell, self.wrong, self.struck = self.wrong, None, 0
        self.made.clear()
        self.foreign.clear()

    def run(self, operation: str, **told: Any) -> Ran:
        """Run it, spoilt where the cell says so. The app that then gets an error asks again at once."""
        nth = self._counts[operation] + 1
        spoiler, cell = self.between.spoiler, self.cell
        spoiler.begin()
        struck = cell is not None and (cell.operation, cell.nth) == (operation, nth)
        if cell is None or not struck:
            ran = super().run(operation, **told)
        elif cell.fault == UNREACHED:
            with self.between.nobody(self.videosdk.url):
                ran = super().run(operation, **told)
            self.struck += 1
        else:
            spoiler.begin(cell.fault, cell.call, cell.at, cell.times)
            ran = super().run(operation, **told)
            self.struck += spoiler.struck
        self.made.append((operation, nth, tuple(spoiler.calls)))
        self.foreign += [f"{operation} raised {name}" for name in raised(ran.error or "") if foreign(name)]
        return replace(ran, state="refused") if ran.error and struck and operation in ASKED_BY_APPS else ran


def raised(trace: str) -> Iterator[str]:
    """The errors that came out, by name; of a group, each."""
    for part in re.split(r"\n[ |]*\+-[-+]+ \d+ -+\n", trace):
        names = re.findall(r"^[ |]*(\w[\w.]*(?:Error|Group|[a-z]))(?:: .*)?$", part, re.MULTILINE)
        yield from names[-1:]


def foreign(name: str) -> bool:
    """Whether no error of ours."""
    return not name.startswith("chalicelib.core.errors.") and name != "ExceptionGroup"


@contextmanager
def staged(directory: Path) -> Iterator[Spoilt]:
    """The stage, while it is wanted: all calls of the functions go through `between`."""
    shared = directory / "clock"
    shared.write_bytes(bytes(8))
    clock, ear, between = Clock(shared), Ear(), Between()
    stages: list[Spoilt] = []
    with ExitStack() as all_of_it:
        all_of_it.callback(ear.close)
        there = all_of_it.enter_context(aws.server())
        videosdk = all_of_it.enter_context(
            Simulation(
                aws.API_KEY,
                aws.SECRET,
                KEY,
                storage=lambda key, body: stages[0].put(key, body),
                now=clock.now,
            )
        )
        near, far = (all_of_it.enter_context(between.before(url)) for url in (there.endpoint, videosdk.url))
        told = {name: v.replace(there.endpoint, near) for name, v in there.environment(far).items()}
        worker = Worker(told, shared)
        all_of_it.callback(worker.close)
        stages.append(Spoilt(there, videosdk, ear, worker, clock, between=between))
        yield stages[0]


# --- the cells --------------------------------------------------------------------------------------

# How each call goes wrong, and how often. A lost answer makes the repeat meet our own earlier write.
WRONG = (
    ("unsent", 1),
    ("unsent", ALWAYS),
    ("unanswered", 1),
    ("unanswered", ALWAYS),
    ("broken", ALWAYS),
    ("broken_after", 1),
    ("throttled", 1),
    ("throttled", ALWAYS),
    ("conflicting", 1),
    ("torn", 1),
    ("cut", 1),
    ("dripping", 1),
)


@dataclass(frozen=True)
class Usual:
    """How a scene goes when nothing is spoilt: its end, and every call of every operation that it struck."""

    scene: Scene
    end: End
    places: dict[tuple[str, str], list[tuple[int, int]]]

    @classmethod
    def of(cls, stage: Spoilt, scene: Scene) -> "Usual":
        """Play it once. Each operation begins cold, so that it makes every call that it can."""
        app = scene.play(stage, counting=True)
        sweep(stage)
        places: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for operation, nth, calls in stage.made:
            for place, call in enumerate(calls):
                places.setdefault((operation, call), []).append((nth, calls[:place].count(call)))
        end = End.of(stage)
        assert faults(stage, app, end) == []
        assert stage.foreign == []
        return cls(scene, end, places)

    def cells(self, chance: random.Random) -> list[Cell]:
        """Each call of each operation in each way, at one of its places."""
        return [
            Cell(operation, *chance.choice(places), call, fault, times)
            for (operation, call), places in sorted(self.places.items())
            for fault, times in (*WRONG, *((UNREACHED, ALWAYS),) * call.startswith("videosdk"))
            if not self.scene.struck or operation in self.scene.struck
        ]


def tried(stage: Spoilt, usual: Usual, cell: Cell) -> list[str]:
    """What is wrong after one cell."""
    stage.wrong = cell
    try:
        app = usual.scene.play(stage, Strike(cell.operation, cell.nth, NOWHERE))
        sweep(stage)
        found = faults(stage, app, usual.end)
    except AssertionError as endless:
        found = [str(endless)]
    if not stage.struck:
        found.append("the call was not made")
    return found + stage.foreign


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spoilt]:
    with staged(tmp_path_factory.mktemp("faults")) as made:
        yield made


@pytest.mark.invariant(
    7, "each call of each operation goes wrong in each way: 0 lost, doubled or left running"
)
def test_whatever_goes_wrong_with_a_call_all_ends_well(
    stage: Spoilt, tally: Tally, size: Callable[[int, int], int], seed: int
) -> None:
    chance, covered = random.Random(seed), set[tuple[str, str]]()
    for scene in [one for one in scenes() if not one.first and not one.cursed][: size(1, 99)]:
        usual = Usual.of(stage, scene)
        cells = [cell for cell in usual.cells(chance) if (cell.operation, cell.call) not in covered]
        covered |= usual.places.keys()
        for cell in chance.sample(cells, min(size(8, len(cells)), len(cells))):
            tally.case()
            if found := tried(stage, usual, cell):
                tally.violation(f"{scene.name}; {cell}: {'; '.join(found[:3])}")


def test_the_faults_that_can_strike_are_those_that_do() -> None:
    assert {fault for fault, _ in WRONG} == set(FAULTS)
