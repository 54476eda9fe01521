"""A recording that is started again in the same session, its news byte for byte those of the first one."""

from collections.abc import Callable

import pytest

from chalicelib.core import events as e
from chalicelib.core.recording import Phase
from chalicelib.flows.record import stop
from tests.builders import SESSION
from tests.fakes import MemoryWorld
from tests.flows.stage import begun, known, webhook
from tests.tally import Tally

TOLD = (e.RecordingStarted, e.RecordingStopping)


@pytest.mark.invariant(1, "of recordings whose webhooks are equal byte for byte, each hears only its own")
def test_equal_news_reach_only_the_recording_that_they_were_sent_to(
    tally: Tally, size: Callable[[int, int], int]
) -> None:
    world = MemoryWorld()
    ids = []
    for _ in range(size(20, 500)):
        ids.append(begun(world))
        world.pass_time(100_000)
        stop(world, ids[-1:], "app")
        webhook(world, ids[-1], e.RecordingStopping(at=1, session_id=SESSION))

    for recording_id in ids[::2]:
        webhook(world, recording_id, e.RecordingStarted(at=1, session_id=SESSION))

    for number, recording_id in enumerate(ids):
        tally.case()
        recording = known(world, recording_id)
        if recording.knows(e.RecordingStarted) != (number % 2 == 0) or recording.phase is not Phase.STOPPING:
            tally.violation(f"recording {number} heard what was not its own")
