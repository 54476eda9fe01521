"""A SIGKILL before and after every call of every operation loses nothing and doubles nothing."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.reliability.kill.oracle import End, faults
from tests.reliability.kill.platform import Stage, Strike
from tests.reliability.kill.stories import Scene, scenes
from tests.tally import Tally

pytestmark = pytest.mark.slow

ASKED_BY_APPS = ("start", "stop")


@dataclass(frozen=True)
class Case:
    """A story and where it is struck."""

    scene: Scene
    strikes: tuple[Strike, ...]
    again: str

    def __str__(self) -> str:
        struck = ", then ".join(f"{s.operation} {s.nth} at {s.at}" for s in self.strikes)
        return f"{self.scene.name}; {struck}; {self.again}"


def undisturbed(stage: Stage, scene: Scene) -> tuple[End, list[Case]]:
    """How a scene ends when nothing more strikes it, and every way in which one kill may."""
    app = scene.play(stage, counting=True)
    end = End.of(stage)
    assert end.complete
    assert faults(stage, app, end) == []
    return end, list(_points(stage, scene))


def _points(stage: Stage, scene: Scene) -> Iterator[Case]:
    nth: dict[str, int] = {}
    for operation, ran in list(stage.runs):
        nth[operation] = nth.get(operation, 0) + 1
        if any((s.operation, s.nth) == (operation, nth[operation]) for s in scene.first):
            continue
        for at in range(len(ran.points)):
            for again in scene.again if operation in ASKED_BY_APPS else scene.again[:1]:
                yield Case(scene, (Strike(operation, nth[operation], at),), again)


def tried(stage: Stage, case: Case, end: End, tally: Tally) -> int:
    """Play one case; how many of its strikes fell."""
    try:
        app = case.scene.play(stage, *case.strikes, again=case.again)
        found = faults(stage, app, end)
    except AssertionError as endless:
        found = [str(endless)]
    fell = sum(ran.died for _, ran in stage.runs) - len(case.scene.first)
    if found:
        tally.violation(f"{case}: {'; '.join(found[:3])}")
    return fell


@pytest.mark.invariant(5, "killed before or after any call of any operation: 0 lost, 0 doubled")
def test_a_kill_at_any_point_loses_and_doubles_nothing(
    stage: Stage, size: Callable[[int, int], int], seed: int, tally: Tally
) -> None:
    chance = random.Random(seed)
    for scene in scenes()[: size(1, len(scenes()))]:
        end, cases = undisturbed(stage, scene)
        for case in chance.sample(cases, min(size(8, len(cases)), len(cases))):
            fell = tried(stage, case, end, tally)
            tally.case(fell)
            if fell != 1:
                tally.violation(f"{case}: {fell} strikes fell where 1 was planned")


@pytest.mark.invariant(5, "killed at i, and in the next try at j, all pairs in post-processing")
def test_two_kills_in_post_processing_lose_and_double_nothing(
    stage: Stage, size: Callable[[int, int], int], seed: int, tally: Tally
) -> None:
    scene, chance = scenes()[0], random.Random(seed)
    end, cases = undisturbed(stage, scene)
    first = [c.strikes[0] for c in cases if c.strikes[0].operation in ("ingest", "render")]
    for strike in first if size(0, 1) else chance.sample(first, 2):
        for at in range(1000) if size(0, 1) else (chance.randrange(4),):
            second = Strike(strike.operation, strike.nth + 1, at)
            fell = tried(stage, Case(scene, (strike, second), "same key"), end, tally)
            tally.case(fell)
            if fell < 2:
                break
