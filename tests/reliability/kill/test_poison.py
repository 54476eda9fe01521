"""A job that kills each of its workers is given up after three tries, and keeps no other from being done."""

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from chalicelib.core import events as e
from tests.media.live import VP8, live, video
from tests.reliability.kill.platform import Ran, Stage
from tests.reliability.kill.stories import redrive
from tests.tally import Tally

pytestmark = pytest.mark.slow

CLAIMS = 3
MESSAGES = {"ingest": (1,), "render": (1, 2)}  # so many ask for the same
FILM = live(VP8, video(20))


@dataclass(frozen=True)
class Jobs:
    """Files that are delivered, one after the other; by name."""

    files: tuple[str, ...]

    @classmethod
    def of(cls, many: int) -> "Jobs":
        """So many."""
        return cls(tuple(f"track_recording_ann_video_{1_750_000_000_000 + n}.webm" for n in range(many)))

    def deliver(self, stage: Stage) -> None:
        """Each as a recording of its own."""
        for number, file in enumerate(self.files):
            stage.put(f"recordings/rec-{number:032x}/session/ann/video/{file}", FILM)
        stage.drain()


def runs(stage: Stage, operation: str) -> dict[str, list[Ran]]:
    """The runs of an operation, by the file that they were about."""
    found: dict[str, list[Ran]] = {}
    for name, ran in stage.runs:
        if name == operation:
            found.setdefault(_file(ran), []).append(ran)
    return found


def _file(ran: Ran) -> str:
    told = json.loads(ran.told["event"]["Records"][0]["body"])
    if "segments" in told:
        ((_, file),) = told["segments"].values()
        return str(file)
    return str(told["detail"]["object"]["key"].rpartition("/")[2])


def calls(stage: Stage, operation: str, but: str = "") -> dict[str, list[tuple[str, ...]]]:
    """What each job's runs called, but for one job's."""
    return {
        file: [ran.points for ran in ran_] for file, ran_ in runs(stage, operation).items() if file != but
    }


def made(stage: Stage) -> Counter[str]:
    """The facts that are there, by type."""
    return Counter(type(fact).__name__ for recording in stage.recordings() for fact in recording.facts)


@pytest.mark.invariant(24, "who kills each worker: 3 claims, then given up and told; nobody else suffers")
def test_a_job_that_kills_its_workers_is_given_up_and_harms_no_other(
    stage: Stage, size: Callable[[int, int], int], seed: int, tally: Tally
) -> None:
    chance, jobs = random.Random(seed), Jobs.of(size(2, 12))
    stage.anew(counting=True)
    jobs.deliver(stage)
    usual = {name: calls(stage, name) for name in ("ingest", "render")}
    for cursed in chance.sample(jobs.files, size(1, 12)):
        operation = chance.choice(("ingest", "render"))
        stage.anew(counting=True, cursed=(operation, cursed))
        jobs.deliver(stage)
        tally.case()
        for wrong in _wrong(stage, operation, cursed, usual):
            tally.violation(f"{operation} of {cursed}: {wrong}")
        stage.cursed, dead = None, stage.aws.waiting("dead")
        redrive(stage)
        for wrong in _left(stage, len(jobs.files), dead):
            tally.violation(f"{operation} of {cursed}, redriven: {wrong}")


def _wrong(
    stage: Stage, operation: str, cursed: str, usual: dict[str, dict[str, list[tuple[str, ...]]]]
) -> list[str]:
    found = []
    tries, letters = runs(stage, operation)[cursed], stage.aws.letters()
    # A poster is asked for when its segment is stored, and again when its session is planned.
    if len(letters) not in MESSAGES[operation] or len({letter["Body"] for letter in letters}) != 1:
        found.append(f"the dead letters are {letters}")
    if [ran.died for ran in tries] != [True] * CLAIMS + [False] * len(letters):
        found.append(f"its tries: {[ran.state for ran in tries]}")
    (fact,) = (f for r in stage.recordings() for f in r.facts if isinstance(f, e.WorkGivenUp))
    if (fact.file, fact.tries) != (cursed, CLAIMS) or not fact.reason:
        found.append(f"it is told as {fact}")
    for letter in letters:
        if cursed not in letter["Body"] or not letter["MessageAttributes"]["Reason"]["StringValue"]:
            found.append(f"the dead letter is {letter}")
    for name in ("ingest", "render"):
        expected = {file: told for file, told in usual[name].items() if file != cursed}
        if calls(stage, name, but=cursed) != expected:
            found.append(f"the {name} of others did not go as it does")
    return found


def _left(stage: Stage, many: int, dead: int) -> list[str]:
    """What is not as if nothing had been, after the redrive."""
    told = made(stage)
    expected = {"SegmentStored": many, "ArtifactMade": many, "WorkGivenUp": 1, "WorkRedriven": dead}
    found = [f"{told[name]} {name}" for name, times in expected.items() if told[name] != times]
    if not all(recording.verdict.complete for recording in stage.recordings()):
        found.append("a verdict is not complete")
    if stage.aws.waiting("dead"):
        found.append("a dead letter is left")
    return found
