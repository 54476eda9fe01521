"""What is told by webhook, to whom, in which order, and signed how."""

from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from local.videosdk import Meeting, Simulation
from tests.simulation.stage import NOW, Bucket, Call, Ear, Heard, verified

STOPPED = "participant-track-recording-stopped"


def _recorded(meeting: Meeting, call: Call, ear: Ear, kind: str = "audio") -> None:
    """Ann is recorded for three seconds, with a pause of one in the middle."""
    meeting.join("ann")
    meeting.unmute("ann", kind)
    assert call.start("ann", kind, webhookUrl=ear.url).ok
    meeting.advance(1_000)
    meeting.mute("ann", kind)
    meeting.advance(1_000)
    meeting.unmute("ann", kind)
    meeting.advance(1_000)
    assert call.stop("ann", kind).ok
    assert meeting.settle()


def test_a_recording_tells_of_itself_in_order(meeting: Meeting, call: Call, ear: Ear) -> None:
    _recorded(meeting, call, ear)

    assert ear.types() == ["starting", "started", "stopping", "stopped"]
    said = {"meetingId": "room-1", "sessionId": meeting.session_id, "participantId": "ann", "kind": "audio"}
    assert [heard.data for heard in ear.heard[:3]] == [said] * 3
    path = f"/rec/a/{meeting.session_id}/ann/audio/track_recording_ann_audio_"
    files = [{"filePath": f"{path}{at}.webm", "fileUrl": None} for at in (NOW, NOW + 2_000)]
    assert ear.heard[3].data == said | {"fileDetails": files}


def test_a_recording_in_which_nothing_was_unmuted_has_no_files(
    meeting: Meeting, call: Call, ear: Ear, bucket: Bucket
) -> None:
    meeting.join("ann")
    call.start("ann", "audio", webhookUrl=ear.url)
    meeting.advance(5_000)
    call.stop("ann", "audio")
    meeting.settle()

    assert ear.heard[-1].data["fileDetails"] == []
    assert bucket == {}


def test_every_webhook_is_signed_over_its_raw_bytes(meeting: Meeting, call: Call, ear: Ear) -> None:
    meeting.webhook(ear.url)
    meeting.join("zoë", "Zoë Ünal 你好")
    meeting.settle()
    pem = call("GET", "/v2/public/rsa-public-key").json()["publicKey"]

    assert pem.startswith("\n-----BEGIN RSA PUBLIC KEY-----\n")
    assert all(verified(pem, heard) for heard in ear.heard)
    joined = ear.heard[-1]
    assert '"participantName":"Zoë Ünal 你好"}}'.encode() in joined.body
    assert joined.content_type == "application/json"
    altered = Heard(joined.body + b" ", joined.signature, "", "", ())
    with pytest.raises(InvalidSignature):
        verified(pem, altered)


def test_the_public_key_is_public(sim: Simulation) -> None:
    assert Call(sim.url, "")("GET", "/v2/public/rsa-public-key").ok


def test_a_rooms_events_go_to_the_rooms_webhook_only(meeting: Meeting, call: Call, ear: Ear) -> None:
    meeting.webhook(ear.url)
    session_id = meeting.join("ann", "Ann")
    call.start("ann", "audio")
    meeting.advance(1_500)
    meeting.end()
    meeting.settle()

    ann = {
        "meetingId": "room-1",
        "sessionId": session_id,
        "participantId": "ann",
        "participantName": "Ann",
    }
    began = {"sessionId": session_id, "meetingId": "room-1", "start": "2027-01-15T08:00:00.000+00:00"}
    assert [heard.told for heard in ear.heard] == [
        {"webhookType": "session-started", "data": began},
        {"webhookType": "participant-joined", "data": ann},
        {"webhookType": "participant-left", "data": ann},
        {"webhookType": "session-ended", "data": began | {"end": "2027-01-15T08:00:01.500+00:00"}},
    ]


def test_the_list_counts_deliveries(meeting: Meeting, call: Call, ear: Ear) -> None:
    ear.answers = [200, 500, 204]
    _recorded(meeting, call, ear)

    summary = call.listed()[0]["webhook"]

    assert (summary["totalCount"], summary["successCount"]) == (4, 3)
    assert [told["success"] for told in summary["data"]] == [True, False, True, True]
    assert summary["data"][-1]["type"] == STOPPED


def test_nobody_at_the_webhook_is_counted_as_well(meeting: Meeting, call: Call) -> None:
    meeting.join("ann")
    call.start("ann", "audio", webhookUrl="http://127.0.0.1:9/")
    meeting.settle()

    assert call.listed()[0]["webhook"]["successCount"] == 0


@pytest.mark.parametrize(("retries", "heard"), [(0, 1), (2, 3)], ids=["none", "two"])
def test_failed_deliveries_are_tried_again_as_often_as_the_switch_says(
    retries: int, heard: int, meeting: Meeting, call: Call, ear: Ear
) -> None:
    call("PUT", "/simulation/switches", {"webhook_retries": retries})
    ear.answers = [500, 500, 200]
    meeting.webhook(ear.url)
    meeting.join("ann")
    meeting.settle()

    assert ear.types().count("session-started") == heard


# --- what goes wrong on the way -------------------------------------------------------------------

WAYS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "lost": (
        {"fault": "lose_webhook", "type": STOPPED},
        ["starting", "started", "stopping"],
    ),
    "two types lost": (
        {"fault": "lose_webhook", "type": [STOPPED, STOPPED.replace("stopped", "started")], "times": None},
        ["starting", "stopping"],
    ),
    "the first two lost": ({"fault": "lose_webhook", "times": 2}, ["stopping", "stopped"]),
    "all lost": ({"fault": "lose_webhook", "times": None, "fraction": 1}, []),
    "doubled": (
        {"fault": "double_webhook", "type": STOPPED},
        ["starting", "started", "stopping", "stopped", "stopped"],
    ),
    "late": (
        {"fault": "delay_webhook", "kind": "audio", "ms": 300},
        ["started", "stopping", "stopped", "starting"],
    ),
    "reordered": (
        {"fault": "reorder_webhook", "participantId": "ann", "ms": 5_000},
        ["started", "starting", "stopping", "stopped"],
    ),
    "reordered, and nobody follows": (
        {"fault": "reorder_webhook", "type": STOPPED, "ms": 100},
        ["starting", "started", "stopping", "stopped"],
    ),
    "for another kind": (
        {"fault": "lose_webhook", "kind": "video"},
        ["starting", "started", "stopping", "stopped"],
    ),
}


@pytest.mark.parametrize(("fault", "heard"), WAYS.values(), ids=WAYS)
def test_webhooks_go_wrong_as_they_are_told_to(
    fault: dict[str, Any], heard: list[str], meeting: Meeting, call: Call, ear: Ear
) -> None:
    assert call("POST", "/simulation/faults", fault).ok
    _recorded(meeting, call, ear)

    assert ear.types() == heard


def test_a_lost_webhook_counts_as_undelivered(meeting: Meeting, call: Call, ear: Ear) -> None:
    call("POST", "/simulation/faults", {"fault": "lose_webhook", "type": STOPPED})
    _recorded(meeting, call, ear)

    assert call.listed()[0]["webhook"]["data"][-1] == {"type": STOPPED, "success": False}
    sent = call("GET", "/simulation/webhooks").json()
    assert [(one["type"], one["status"]) for one in sent][-1] == (STOPPED, None)


def test_a_doubled_webhook_is_the_same_byte_for_byte(meeting: Meeting, call: Call, ear: Ear) -> None:
    call("POST", "/simulation/faults", {"fault": "double_webhook"})
    _recorded(meeting, call, ear)

    first, second = ear.heard[:2]
    assert (first.body, first.signature) == (second.body, second.signature)


def test_a_fraction_is_lost_and_the_same_one_each_time(meeting: Meeting, call: Call, ear: Ear) -> None:
    call("POST", "/simulation/faults", {"fault": "lose_webhook", "times": None, "fraction": 0.5})
    for kind in ("audio", "video", "screen_audio", "screen_video"):
        meeting.join("ann")
        call.start("ann", kind, webhookUrl=ear.url)
        call.stop("ann", kind)
        meeting.settle()

    assert 0 < len(ear.heard) < 16


def test_a_start_can_fail(meeting: Meeting, call: Call, ear: Ear) -> None:
    call("POST", "/simulation/faults", {"fault": "fail_start", "participantId": "ann"})
    meeting.join("ann")

    assert call.start("ann", "audio", webhookUrl=ear.url).ok

    meeting.settle()
    assert ear.types() == ["starting", "failed"]
    assert "fileDetails" not in ear.heard[1].data
    assert call.stop("ann", "audio").status_code == 400


def test_a_stop_can_fail_and_its_files_are_kept(
    meeting: Meeting, call: Call, ear: Ear, bucket: Bucket
) -> None:
    call("POST", "/simulation/faults", {"fault": "fail_stop"})
    _recorded(meeting, call, ear)

    assert ear.types() == ["starting", "started", "stopping", "failed"]
    assert len(bucket) == len(call.listed()[0]["files"]) == 2


def test_a_running_recording_can_break_down(meeting: Meeting, call: Call, ear: Ear, bucket: Bucket) -> None:
    meeting.join("ann")
    meeting.unmute("ann", "audio")
    call.start("ann", "audio", webhookUrl=ear.url)
    meeting.advance(1_000)
    meeting.fail("ann", "audio")
    meeting.settle()

    assert ear.types() == ["starting", "started", "failed"]
    assert len(bucket) == 1
    assert call.listed()[0]["end"] is not None


def test_an_object_can_be_announced_and_never_delivered(
    meeting: Meeting, call: Call, ear: Ear, bucket: Bucket
) -> None:
    call("POST", "/simulation/faults", {"fault": "lose_object", "kind": "audio", "index": 1})
    _recorded(meeting, call, ear)

    assert [key.rsplit("_", 1)[1] for key in bucket] == [f"{NOW}.webm"]
    assert len(ear.heard[-1].data["fileDetails"]) == len(call.listed()[0]["files"]) == 2


@pytest.mark.parametrize(
    "fault", [{"fault": "gremlins"}, {"fault": "drip", "type": STOPPED}, {}], ids=["unknown", "field", "none"]
)
def test_a_fault_that_is_not_known_is_refused(fault: dict[str, Any], call: Call) -> None:
    assert call("POST", "/simulation/faults", fault).status_code == 400


def test_faults_are_shown_and_disarmed(call: Call) -> None:
    armed = call("POST", "/simulation/faults", {"fault": "drip", "call": "list", "ms": 5}).json()

    assert armed == [{"fault": "drip", "times": 1, "fraction": 1.0, "call": ["list"], "ms": 5}]
    assert call("GET", "/simulation/faults").json() == armed
    assert call("DELETE", "/simulation/faults").json() == []
