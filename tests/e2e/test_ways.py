"""What is unknown of VideoSDK, and what goes wrong by itself: each way a meeting ends complete."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.stage import Sitting, Stage, until

pytestmark = pytest.mark.e2e

# How the simulation behaves in a sitting: its switches, and faults that are addressed to its participant.
WAYS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "paths-without-a-leading-slash": ({"leading_slash": False}, []),
    "a-folder-more-in-the-key": ({"keep_individual_recordings": True}, []),
    "files-after-the-last-word": ({"upload": "after"}, []),
    "a-last-word-for-each-file": ({"stopped_per": "file"}, []),
    "addresses-of-files": ({"file_url": "url"}, []),
    "everything-told-twice": ({}, [{"fault": "double_webhook", "times": None}]),
    "told-in-another-order": ({}, [{"fault": "reorder_webhook", "times": None, "ms": 300}]),
    "the-answer-to-start-is-lost": ({}, [{"fault": "lose_answer", "call": "start"}]),
    "the-answer-to-stop-is-lost": ({}, [{"fault": "lose_answer", "call": "stop"}]),
}


@pytest.fixture(scope="module")
def sittings(stage: Stage, new: Callable[[str], str]) -> dict[str, Sitting]:
    """One for each way; what comes of them comes while the others are held."""
    held = {}
    for way, (switches, faults) in WAYS.items():
        for fault in faults:
            stage.arm(participantId=way, **fault)
        with stage.switched(**switches):
            held[way] = Sitting.held(stage, new(way), way)
    stage.disarm()
    return held


@pytest.mark.parametrize("way", WAYS)
def test_a_meeting_ends_complete(stage: Stage, sittings: dict[str, Sitting], way: str) -> None:
    sitting = sittings[way]

    recording = until("the verdict", lambda: stage.api.settled(sitting.recording_id))

    assert recording["verdict"] == {"complete": True, "settled": True, "missing": [], "odd": []}
    assert [segment["key"] for segment in recording["segments"]] == [file["key"] for file in sitting.files]
    assert [segment["durationMs"] for segment in recording["segments"]] == [1_500, 1_500]
    until("the manifest", lambda: stage.line(sitting.room_id).get("manifestKey"))
    assert stage.line(sitting.room_id)["complete"]
