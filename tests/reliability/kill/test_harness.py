"""The harness has teeth: a world that is broken on purpose does not get past it."""

import pytest

from tests.media.live import OPUS, live, opus
from tests.reliability.kill.oracle import End, faults
from tests.reliability.kill.platform import Stage, Strike
from tests.reliability.kill.stories import scenes, sweep
from tests.reliability.kill.test_zombies import COMES_ANEW, Sleep, woken

pytestmark = pytest.mark.slow

CAUGHT = [
    ("Overwriting", Strike("settle", 4, "before s3.PutObject"), "changed later"),
    ("Scattering", Strike("ingest", 1, "after s3.PutObject"), "nobody knows of"),
    ("InTwo", Strike("ingest", 1, "before dynamodb.PutItem"), "it ended as"),
]


@pytest.mark.parametrize(("world", "strike", "said"), CAUGHT, ids=[world for world, *_ in CAUGHT])
def test_a_broken_world_is_caught_by_a_kill(stage: Stage, world: str, strike: Strike, said: str) -> None:
    app = scenes()[0].play(stage, strike, world=world)
    sweep(stage)

    found = faults(stage, app, SOUND)

    assert said in "; ".join(found)


SOUND = End(
    {"SegmentStored": 1, "ArtifactMade": 1}, True, (), (), {"repaired": 1, "index": 1, "poster.jpg": 1}
)


def test_a_world_without_the_fence_is_caught_by_a_zombie(stage: Stage) -> None:
    body = live(OPUS, opus())
    late = Strike("ingest", 1, "before dynamodb.PutItem", "SIGSTOP")
    sleep = Sleep(COMES_ANEW, (late,), body, swept=True)

    assert any("a stale commit" in wrong for wrong in woken(stage, sleep, SOUND, "Unfenced"))
