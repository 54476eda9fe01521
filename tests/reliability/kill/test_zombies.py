"""A worker that is stopped, loses its lease to another and goes on later commits nothing."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from chalicelib.flows.sweep import target_of
from tests.reliability.kill.films import film, sound
from tests.reliability.kill.oracle import End, faults
from tests.reliability.kill.platform import Stage, Strike
from tests.reliability.kill.stories import Scene, scenes, sweep
from tests.tally import Tally

pytestmark = pytest.mark.slow

ALL_IS_WELL = scenes()[0]
# Of sound nothing more is made, so what is swept is all that the sleeper can have left.
COMES_ANEW = Scene("a file comes anew", overwritten=True, kinds=("audio",))
STORED, COMMITTED = "after s3.PutObject", "after dynamodb.TransactWriteItems"


@dataclass(frozen=True)
class Sleep:
    """Where workers are stopped over this file, and whether their outputs are swept before they go on."""

    scene: Scene
    strikes: tuple[Strike, ...]
    film: bytes = field(repr=False)
    swept: bool = False

    def __str__(self) -> str:
        asleep = ", ".join(f"{s.operation} {s.nth} at {s.at}" for s in self.strikes)
        return f"{len(self.film)} bytes; {asleep}; {'swept' if self.swept else 'not swept'}"


def usual(stage: Stage, scene: Scene, body: bytes) -> tuple[End, dict[str, tuple[str, ...]]]:
    """How it ends when nobody sleeps, and at which points somebody may."""
    app = scene.play(stage, film=body, counting=True)
    sweep(stage)
    end = End.of(stage)
    points = {name: ran.points for name, ran in stage.runs if name in ("ingest", "render")}
    assert faults(stage, app, end) == []
    return end, points


def one(points: dict[str, tuple[str, ...]], body: bytes) -> Iterator[Sleep]:
    """One worker sleeps, wherever it may."""
    for name, labels in points.items():
        for at in range(len(labels)):
            yield Sleep(ALL_IS_WELL, (Strike(name, 1, at, "SIGSTOP"),), body)


def two(points: dict[str, tuple[str, ...]], body: bytes, chance: random.Random) -> Sleep:
    """The one that takes over sleeps as well."""
    name, labels = chance.choice(list(points.items()))
    strikes = (Strike(name, nth, chance.randrange(len(labels)), "SIGSTOP") for nth in (1, 2))
    return Sleep(ALL_IS_WELL, tuple(strikes), body)


def swept(points: dict[str, tuple[str, ...]], body: bytes) -> Iterator[Sleep]:
    """The file is delivered anew, so nobody takes over; what the sleeper left is swept away."""
    labels = points["ingest"]
    for at in range(labels.index(STORED), labels.index(COMMITTED)):
        yield Sleep(COMES_ANEW, (Strike("ingest", 1, at, "SIGSTOP"),), body, swept=True)


def woken(stage: Stage, sleep: Sleep, end: End, world: str = "Sound") -> list[str]:
    """What is wrong after all who slept have gone on."""
    app = sleep.scene.play(stage, *sleep.strikes, film=sleep.film, world=world)
    if not stage.asleep:  # the second finds the work done where the first sleeps behind its commit
        return ["nobody sleeps"]
    if sleep.swept:
        sweep(stage)
    stage.look()
    facts, objects = set(stage.facts), set(stage.aws.objects())
    stage.wake()
    stage.look()
    found = [f"a stale commit: {name}" for name in stage.facts.keys() - facts]
    orphans = {target_of(key) for key in stage.aws.objects().keys() - objects}
    if len(orphans) > 1:
        found.append(f"orphans of {len(orphans)} leases")
    sweep(stage)
    return found + faults(stage, app, end)


@pytest.mark.invariant(6, "stopped past the lease at any point, then woken: 0 stale commits, orphans swept")
def test_a_worker_that_sleeps_past_its_lease_commits_nothing(
    stage: Stage, size: Callable[[int, int], int], seed: int, tally: Tally
) -> None:
    chance = random.Random(seed)
    for _ in range(size(1, 20)):
        body = film(chance)
        end, points = usual(stage, ALL_IS_WELL, body)
        everywhere = list(one(points, body))
        sleeps = chance.sample(everywhere, size(1, len(everywhere)))
        sleeps += [two(points, body, chance) for _ in range(size(1, 3))]
        for sleep in sleeps:
            _note(tally, sleep, woken(stage, sleep, end))


@pytest.mark.invariant(6, "woken when its output was swept: 0 stale commits")
def test_a_worker_whose_output_was_swept_commits_nothing(
    stage: Stage, size: Callable[[int, int], int], seed: int, tally: Tally
) -> None:
    chance = random.Random(seed)
    for _ in range(size(1, 20)):
        body = sound(chance)
        end, points = usual(stage, COMES_ANEW, body)
        everywhere = list(swept(points, body))
        for sleep in chance.sample(everywhere, size(1, len(everywhere))):
            _note(tally, sleep, woken(stage, sleep, end))


def _note(tally: Tally, sleep: Sleep, found: list[str]) -> None:
    tally.case()
    if found:
        tally.violation(f"{sleep}: {'; '.join(found[:3])}")
