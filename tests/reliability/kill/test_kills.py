"""A SIGKILL before and after every call of every operation loses nothing and doubles nothing."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.reliability.kill.oracle import End, faults
from tests.reliability.kill.platform import Stage, Strike
from tests.reliability.kill.stories import PRODUCING, Scene, scenes, sweep
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


@dataclass(frozen=True)
class Usual:
    """How a scene goes when nothing more strikes it: its end, who dies in it, and each call that is made."""

    scene: Scene
    end: End
    died: int
    cases: tuple[Case, ...]

    @classmethod
    def of(cls, stage: Stage, scene: Scene) -> "Usual":
        """Play it once."""
        app = scene.play(stage, counting=True)
        sweep(stage)
        died, cases = sum(ran.died for _, ran in stage.runs), tuple(_points(stage, scene))
        end = End.of(stage)
        assert end.complete
        assert faults(stage, app, end) == []
        return cls(scene, end, died, cases)


def _points(stage: Stage, scene: Scene) -> Iterator[Case]:
    nth: dict[str, int] = {}
    for operation, ran in stage.runs:
        nth[operation] = nth.get(operation, 0) + 1
        if ran.died or (scene.struck and operation not in scene.struck):
            continue
        for at in range(len(ran.points)):
            for again in scene.again if operation in ASKED_BY_APPS else scene.again[:1]:
                yield Case(scene, (Strike(operation, nth[operation], at),), again)


def tried(stage: Stage, case: Case, usual: Usual, tally: Tally) -> int:
    """Play one case; how many of its strikes fell."""
    try:
        app = case.scene.play(stage, *case.strikes, again=case.again)
        sweep(stage)
        fell = sum(ran.died for _, ran in stage.runs) - usual.died
        found = faults(stage, app, usual.end)
    except AssertionError as endless:
        found, fell = [str(endless)], len(case.strikes)
    if found:
        tally.violation(f"{case}: {'; '.join(found[:3])}")
    return fell


@pytest.fixture(scope="package")
def usual(stage: Stage) -> Usual:
    return Usual.of(stage, scenes()[0])


@pytest.mark.invariant(5, "killed before or after any call of any operation: 0 lost, 0 doubled")
def test_a_kill_at_any_point_loses_and_doubles_nothing(
    stage: Stage, usual: Usual, size: Callable[[int, int], int], seed: int, tally: Tally
) -> None:
    chance = random.Random(seed)
    others = (Usual.of(stage, scene) for scene in scenes()[1 : size(1, 1000)] if scene is not PRODUCING)
    for expected in (usual, *others):
        struck(
            stage, expected, chance.sample(expected.cases, min(size(4, 100_000), len(expected.cases))), tally
        )


@pytest.mark.invariant(5, "killed before or after any call that plans or makes products: 0 lost, 0 doubled")
def test_a_kill_while_products_are_planned_or_made_loses_and_doubles_none(
    stage: Stage, size: Callable[[int, int], int], seed: int, tally: Tally
) -> None:
    chance, expected = random.Random(seed), Usual.of(stage, PRODUCING)
    assert set(expected.end.products) >= {"av", "track", "stem", "peaks", "mix.mp4", "mix.webm", "sprite"}
    for operation in PRODUCING.struck:
        cases = [case for case in expected.cases if case.strikes[0].operation == operation]
        struck(stage, expected, chance.sample(cases, min(size(2, 100_000), len(cases))), tally)


def struck(stage: Stage, expected: Usual, cases: list[Case], tally: Tally) -> None:
    """Each of these, in which one strike is to fall."""
    for case in cases:
        fell = tried(stage, case, expected, tally)
        tally.case(fell)
        if fell != 1:
            tally.violation(f"{case}: {fell} strikes fell where 1 was planned")


@pytest.mark.invariant(5, "killed at i, and in the next try at j, all pairs in post-processing")
def test_two_kills_in_post_processing_lose_and_double_nothing(
    stage: Stage, usual: Usual, size: Callable[[int, int], int], seed: int, tally: Tally
) -> None:
    """The second try is killed at each of its points, until it comes to its end."""
    chance = random.Random(seed)
    firsts = [c.strikes[0] for c in usual.cases if c.strikes[0].operation in ("ingest", "render")]
    for first in chance.sample(firsts, size(2, len(firsts))):
        for at in range(1000) if size(0, 1) else (chance.randrange(4),):
            case = Case(usual.scene, (first, Strike(first.operation, first.nth + 1, at)), "same key")
            fell = tried(stage, case, usual, tally)
            tally.case(fell)
            if fell < 2:
                break
