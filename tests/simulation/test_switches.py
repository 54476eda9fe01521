"""Both settings of everything that is unknown of the real service."""

from typing import Any

import pytest
import requests

from local.videosdk import Meeting, Switches
from local.videosdk.meetings import NOT_JOINED
from tests.simulation.stage import NOW, Bucket, Call, Ear


def _turn(call: Call, **switches: Any) -> None:
    assert call("PUT", "/simulation/switches", switches).json().items() >= switches.items()


def _recorded(meeting: Meeting, call: Call, ear: Ear, **more: Any) -> str:
    """Ann's microphone is recorded with a pause; the session's id."""
    session_id = meeting.join("ann")
    meeting.unmute("ann", "audio")
    call.start("ann", "audio", webhookUrl=ear.url, **more)
    meeting.advance(1_000)
    meeting.mute("ann", "audio")
    meeting.unmute("ann", "audio")
    meeting.advance(1_000)
    call.stop("ann", "audio")
    assert meeting.settle()
    return session_id


@pytest.mark.parametrize(("on", "begins"), [(True, "/rec/a/"), (False, "rec/a/")], ids=str)
def test_leading_slash(on: bool, begins: str, meeting: Meeting, call: Call, ear: Ear) -> None:
    _turn(call, leading_slash=on)
    _recorded(meeting, call, ear)

    assert ear.heard[-1].data["fileDetails"][0]["filePath"].startswith(begins)
    assert call.listed()[0]["files"][0]["filePath"].startswith("rec/a/")


@pytest.mark.parametrize(("on", "kept"), [(True, "individual-recordings/"), (False, "")], ids=str)
def test_keep_individual_recordings(
    on: bool, kept: str, meeting: Meeting, call: Call, ear: Ear, bucket: Bucket
) -> None:
    _turn(call, keep_individual_recordings=on)
    session_id = _recorded(meeting, call, ear)

    assert next(iter(bucket)).startswith(
        f"rec/a/{kept}{session_id}/ann/audio/track_recording_ann_audio_{NOW}"
    )
    assert ear.heard[-1].data["fileDetails"][0]["filePath"] == "/" + next(iter(bucket))


@pytest.mark.parametrize(("on", "front"), [(True, "rec/a/"), (False, "/rec/a//")], ids=str)
def test_trim_slashes(on: bool, front: str, meeting: Meeting, call: Call, ear: Ear, bucket: Bucket) -> None:
    _turn(call, trim_slashes=on)
    session_id = _recorded(meeting, call, ear, bucketDirPath="/rec/a/")

    assert next(iter(bucket)).startswith(f"{front}{session_id}/")


def test_without_a_directory_the_usual_path_is_all(
    meeting: Meeting, call: Call, ear: Ear, bucket: Bucket
) -> None:
    session_id = _recorded(meeting, call, ear, bucketDirPath=None)

    assert next(iter(bucket)).startswith(f"{session_id}/ann/audio/")


@pytest.mark.parametrize(("upload", "there"), [("before", 2), ("after", 0)], ids=["before", "after"])
def test_upload(upload: str, there: int, meeting: Meeting, call: Call, ear: Ear, bucket: Bucket) -> None:
    _turn(call, upload=upload)
    _recorded(meeting, call, ear)

    stopped = ear.heard[-1]
    assert (stopped.type, len(stopped.files_then), len(bucket)) == ("stopped", there, 2)


def test_with_upload_before_a_file_is_there_once_it_ends(
    meeting: Meeting, call: Call, bucket: Bucket
) -> None:
    meeting.join("ann")
    meeting.unmute("ann", "audio")
    call.start("ann", "audio")
    meeting.advance(1_000)
    assert meeting.settle()
    assert bucket == {}

    meeting.mute("ann", "audio")

    assert meeting.settle()
    assert len(bucket) == 1


@pytest.mark.parametrize("file_url", ["null", "url"])
def test_file_url(file_url: str, meeting: Meeting, call: Call, ear: Ear, bucket: Bucket) -> None:
    _turn(call, file_url=file_url)
    _recorded(meeting, call, ear)

    expected = None if file_url == "null" else f"https://cdn.videosdk.live/{next(iter(bucket))}"
    assert ear.heard[-1].data["fileDetails"][0]["fileUrl"] == expected
    assert call.listed()[0]["files"][0]["fileUrl"] == expected


@pytest.mark.parametrize(("per", "counts"), [("recording", [2]), ("file", [1, 1])], ids=["recording", "file"])
def test_stopped_per(per: str, counts: list[int], meeting: Meeting, call: Call, ear: Ear) -> None:
    _turn(call, stopped_per=per)
    _recorded(meeting, call, ear)

    assert [len(h.data["fileDetails"]) for h in ear.heard if h.type == "stopped"] == counts


def test_stopped_per_file_is_told_once_when_there_is_no_file(meeting: Meeting, call: Call, ear: Ear) -> None:
    _turn(call, stopped_per="file")
    meeting.join("ann")
    call.start("ann", "audio", webhookUrl=ear.url)
    call.stop("ann", "audio")
    meeting.settle()

    assert [h.data["fileDetails"] for h in ear.heard if h.type == "stopped"] == [[]]


@pytest.mark.parametrize(
    ("form", "body"), [("object", {"message": NOT_JOINED}), ("string", NOT_JOINED)], ids=str
)
def test_error_body(form: str, body: Any, meeting: Meeting, call: Call) -> None:
    _turn(call, error_body=form)
    meeting.join("bob")

    assert call.start("ann", "audio").json() == body


@pytest.mark.parametrize("status", [404, 402])
def test_not_found_status(status: int, call: Call) -> None:
    _turn(call, not_found_status=status)

    assert call("GET", "/v2/sessions/nobody").status_code == status
    assert call.start("ann", "audio", roomId="nowhere").status_code == status


@pytest.mark.parametrize(("second", "status"), [("accepted", 200), ("conflict", 409)], ids=str)
def test_second_start(second: str, status: int, meeting: Meeting, call: Call) -> None:
    _turn(call, second_start=second)
    meeting.join("ann")
    call.start("ann", "audio")

    assert call.start("ann", "audio").status_code == status
    assert len(call.listed()) == 1


@pytest.mark.parametrize(("on", "heard"), [(True, ["stopping", "stopped"]), (False, [])], ids=str)
def test_stop_on_leave_webhook(
    on: bool, heard: list[str], meeting: Meeting, call: Call, ear: Ear, bucket: Bucket
) -> None:
    _turn(call, stop_on_leave_webhook=on)
    meeting.join("ann")
    meeting.unmute("ann", "audio")
    call.start("ann", "audio", webhookUrl=ear.url)
    meeting.advance(1_000)
    meeting.leave("ann")
    meeting.settle()

    assert ear.types() == ["starting", "started", *heard]
    assert call.listed()[0]["end"] is not None
    assert len(bucket) == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"gravity": "off"}, "there is no switch 'gravity'"),
        ({"upload": "never"}, "upload may be before, after, not never"),
        ({"webhook_retries": 11}, "webhook_retries may be 0, 1"),
    ],
    ids=["unknown", "word", "number"],
)
def test_a_switch_that_can_not_be_set_is_refused(wrong: dict[str, Any], message: str, call: Call) -> None:
    refused: requests.Response = call("PUT", "/simulation/switches", wrong)

    assert refused.status_code == 400
    assert message in refused.json()["message"]


def test_a_command_lines_words_are_read() -> None:
    turned = Switches().turned({"leading_slash": "false", "webhook_retries": "3", "not_found_status": "402"})

    assert (turned.leading_slash, turned.webhook_retries, turned.not_found_status) == (False, 3, 402)
