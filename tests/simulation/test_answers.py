"""What may go wrong with an answer, and whether the work was done."""

import time
from typing import Any

import pytest
import requests

from local.videosdk import Meeting
from tests.simulation.stage import TRACK, Call


@pytest.fixture
def ann(meeting: Meeting) -> None:
    meeting.join("ann")


def _arm(call: Call, /, **fault: Any) -> None:
    assert call("POST", "/simulation/faults", fault).ok


@pytest.mark.usefixtures("ann")
def test_an_answer_can_be_lost_after_the_work_is_done(call: Call) -> None:
    _arm(call, fault="lose_answer", call="start")

    with pytest.raises(requests.ConnectionError):
        call.start("ann", "audio")

    assert [r["kind"] for r in call.listed()] == ["audio"]


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize(("done", "running"), [(False, 0), (True, 1)], ids=["before the work", "after it"])
def test_the_server_can_break(done: bool, running: int, call: Call) -> None:
    _arm(call, fault="server_error", call="start", status=502, done=done)

    assert call.start("ann", "audio").status_code == 502
    assert len(call.listed()) == running


@pytest.mark.usefixtures("ann")
def test_the_rate_can_be_limited(call: Call) -> None:
    _arm(call, fault="rate_limit", call=["start", "stop"], retry_after=7, times=2)

    first, second, third = (call.start("ann", "audio") for _ in range(3))

    assert [answer.status_code for answer in (first, second, third)] == [429, 429, 200]
    assert first.headers["Retry-After"] == "7"


@pytest.mark.usefixtures("ann")
def test_an_answer_can_drip(call: Call) -> None:
    _arm(call, fault="drip", call="start", ms=10)
    began = time.monotonic()

    answer = call.start("ann", "audio")

    assert answer.json() == "track recording started successfully."
    assert time.monotonic() - began > 0.01 * len(answer.content) * 0.9


@pytest.mark.usefixtures("ann")
def test_an_answer_can_be_slow_and_nobody_else_waits(call: Call) -> None:
    _arm(call, fault="slow", call="start", ms=1_000)

    with pytest.raises(requests.ReadTimeout):
        requests.post(
            f"{call.url}{TRACK}/start",
            json={"roomId": "room-1", "participantId": "ann", "kind": "audio"},
            headers={"Authorization": call.token},
            timeout=0.2,
        )

    assert len(call.listed()) == 1


@pytest.mark.usefixtures("ann")
def test_a_fault_hits_only_what_it_is_addressed_to(call: Call) -> None:
    _arm(call, fault="server_error", call="start", participantId="ann", kind="video", times=None)

    assert call.start("ann", "audio").ok
    assert call.start("ann", "video").status_code == 503
    assert call.start("ann", "video").status_code == 503
    assert call("GET", TRACK).ok
