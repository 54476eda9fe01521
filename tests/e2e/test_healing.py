"""What nobody told us: lost webhooks, lost events and lost files, and what the schedule makes of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from chalicelib.flows.settle import EARLY_MS
from local.videosdk import media
from tests.e2e.stage import Sitting, Stage, Told, until

pytestmark = pytest.mark.e2e

LAST_WORD = "participant-track-recording-stopped"


@dataclass(frozen=True)
class Losses:
    """Sittings of which something never came; the schedule's function ran since."""

    last_word: Sitting
    every_word: Sitting
    event: Sitting
    file: Sitting


@pytest.fixture(scope="module")
def lost(stage: Stage, new: Callable[[str], str]) -> Losses:
    stage.arm(fault="lose_webhook", type=LAST_WORD, participantId="word")
    stage.arm(fault="lose_webhook", participantId="words", times=None)
    stage.arm(fault="lose_object", participantId="file", index=1)
    # What the list says of an end without a webhook is believed once the end is a minute ago.
    last_word, every_word, file = (
        Sitting.held(stage, new("lost"), who, ago_ms=2 * EARLY_MS) for who in ("word", "words", "file")
    )
    with stage.deaf():
        event = Sitting.held(stage, new("lost"), "event")
        until("the files", lambda: len(stage.keys(stage.under(event.recording_id))) == 2)
    stage.disarm()
    until("an idle queue", stage.idle)
    stage.reconcile()
    return Losses(last_word, every_word, event, file)


def settled(stage: Stage, sitting: Sitting) -> Told:
    return until("the verdict", lambda: stage.api.settled(sitting.recording_id))


def test_a_last_word_that_was_lost_is_asked_for(stage: Stage, lost: Losses) -> None:
    recording = settled(stage, lost.last_word)

    assert recording["verdict"]["complete"]
    types = stage.api.types(lost.last_word.recording_id)
    assert "RecordingStopped" not in types
    assert "RecordingEnded" in types


def test_a_recording_of_which_nothing_was_told_is_complete(stage: Stage, lost: Losses) -> None:
    recording = settled(stage, lost.every_word)

    assert recording["verdict"] == {"complete": True, "settled": True, "missing": [], "odd": []}
    assert [segment["durationMs"] for segment in recording["segments"]] == [1_500, 1_500]
    assert not {"RecordingStarted", "RecordingStopped"} & set(stage.api.types(lost.every_word.recording_id))


def test_objects_whose_events_were_lost_are_found_in_the_bucket(stage: Stage, lost: Losses) -> None:
    recording = settled(stage, lost.event)

    assert recording["verdict"] == {"complete": True, "settled": True, "missing": [], "odd": []}
    assert len(recording["segments"]) == 2


def test_a_session_that_was_healed_has_its_manifest(stage: Stage, lost: Losses) -> None:
    until("the manifest", lambda: stage.line(lost.event.room_id).get("manifestKey"))

    assert stage.line(lost.event.room_id)["complete"]


# --- a file that never comes --------------------------------------------------------------------------


@contextmanager
def impatient(stage: Stage) -> Iterator[None]:
    """For this long nothing that was announced is waited for."""
    functions, name = stage.client("lambda"), stage.resource("Reconcile")
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    hasty = before | {"GRACE_MINUTES": "0"}
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": hasty})
    try:
        yield
    finally:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})


def test_a_file_that_never_comes_is_waited_for_named_and_still_welcome(stage: Stage, lost: Losses) -> None:
    sitting = lost.file
    never = sitting.files[1]
    name = never["key"].rpartition("/")[2]

    waiting = stage.api.get(f"/recordings/{sitting.recording_id}")["verdict"]

    assert (waiting["settled"], waiting["complete"]) == (False, False)
    assert [(finding["reason"], finding["file"]) for finding in waiting["missing"]] == [("still_open", name)]

    with impatient(stage):
        stage.reconcile()
    given_up = settled(stage, sitting)["verdict"]

    assert not given_up["complete"]
    assert [(finding["reason"], finding["file"]) for finding in given_up["missing"]] == [
        ("not_delivered", name)
    ]

    stage.put(never["key"], media.segment("audio", 0, 2_000, 3_500))
    recording = until("the late file", lambda: complete(stage, sitting))

    assert len(recording["segments"]) == 2


def complete(stage: Stage, sitting: Sitting) -> Told | None:
    told = stage.api.get(f"/recordings/{sitting.recording_id}")
    return told if told["verdict"]["complete"] else None
