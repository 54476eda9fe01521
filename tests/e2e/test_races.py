"""Many at once, through real transactions: one wins, and the others are told who did."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from secrets import token_bytes
from threading import Barrier

import pytest

from chalicelib.adapters.dynamodb import DynamoCatalog
from chalicelib.core.ids import Kind, recording_id
from chalicelib.ports import Opening, Taken
from tests.builders import ASKED
from tests.e2e.stage import Stage

pytestmark = pytest.mark.e2e

ROUNDS = 20
RACERS = 4


def test_of_many_openings_at_once_exactly_one_wins(stage: Stage, new: Callable[[str], str]) -> None:
    catalog = DynamoCatalog(stage.client("dynamodb"), stage.told["table"])
    barrier = Barrier(RACERS)

    def race(room_id: str) -> tuple[set[str], Taken | None]:
        kinds = (Kind.AUDIO, Kind.VIDEO)
        asked = [replace(ASKED, room_id=room_id, kind=kind) for kind in kinds]
        openings = [Opening(recording_id(token_bytes(16)), one) for one in asked]
        barrier.wait()
        return {opening.recording_id for opening in openings}, catalog.open(openings, None)

    with ThreadPoolExecutor(RACERS) as pool:
        for _ in range(ROUNDS):
            room_id = new("race")
            answers = list(pool.map(race, [room_id] * RACERS))

            [winner] = [ids for ids, taken in answers if taken is None]
            held = {catalog.holder(room_id, ASKED.participant_id, kind) for kind in ("audio", "video")}
            assert held == winner
            assert all(set(taken.holders.values()) == winner for _, taken in answers if taken is not None)


def test_of_many_starts_at_once_videosdk_hears_one(stage: Stage, new: Callable[[str], str]) -> None:
    room_id = new("crowd")
    meeting = stage.meeting(room_id)
    meeting.join("ann")
    body = {"roomId": room_id, "participantId": "ann", "kind": "audio"}

    with ThreadPoolExecutor(RACERS) as pool:
        answers = list(pool.map(lambda _: stage.api.post("/recordings/start", body), range(RACERS * 2)))

    ids = {recording["recordingId"] for answer in answers for recording in answer["recordings"]}
    assert len(ids) == 1
    assert len(meeting.seen()["recordings"]) == 1
    meeting.end()
