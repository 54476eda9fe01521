"""Starting, stopping, listing and deleting, with the documented words."""

from typing import Any

import jwt
import pytest

from local.videosdk import Meeting, Simulation
from tests.simulation.stage import NOW, SECRET, TRACK, Call, token


def test_start_and_stop_answer_with_a_bare_string_and_no_id(meeting: Meeting, call: Call) -> None:
    meeting.join("ann")

    started, stopped = call.start("ann", "audio"), call.stop("ann", "audio")

    assert (started.status_code, started.json()) == (200, "track recording started successfully.")
    assert (stopped.status_code, stopped.json()) == (200, "track recording ended successfully.")


GOOD = {"roomId": "room-1", "participantId": "ann", "kind": "audio"}


@pytest.mark.parametrize(
    ("told", "status", "message"),
    [
        ({"participantId": "bob"}, 400, "participant is not yet joined the meeting"),
        ({"participantId": "gone"}, 400, "participant is not yet joined the meeting"),
        ({"roomId": "over"}, 403, "No active session found"),
        ({"roomId": "nowhere"}, 404, "Room not found"),
        ({"kind": "smell"}, 400, "kind must be one of audio, video, screen_audio, screen_video"),
        ({"kind": 7}, 400, "kind is required"),
        ({"participantId": ""}, 400, "participantId is required"),
        ({"fileFormat": "mp4"}, 400, "fileFormat must be webm"),
    ],
    ids=["not joined", "left", "no session", "no room", "unknown kind", "wrong type", "empty", "not webm"],
)
def test_a_start_that_can_not_be_is_refused(
    told: dict[str, Any], status: int, message: str, sim: Simulation, meeting: Meeting, call: Call
) -> None:
    meeting.join("ann")
    meeting.join("gone")
    meeting.leave("gone")
    over = Meeting(sim.url, "over")
    over.join("ann")
    over.end()

    refused = call("POST", f"{TRACK}/start", GOOD | told)

    assert (refused.status_code, refused.json()) == (status, {"message": message})
    over.close()


def test_stopping_what_does_not_run_is_refused(meeting: Meeting, call: Call) -> None:
    meeting.join("ann")
    call.start("ann", "audio")

    other_kind = call.stop("ann", "video")
    call.stop("ann", "audio")
    again = call.stop("ann", "audio")

    for refused in (other_kind, again):
        assert refused.status_code == 400
        assert refused.json() == {"message": "track recording is not started yet"}


def test_stopping_after_the_session_is_forbidden(meeting: Meeting, call: Call) -> None:
    meeting.join("ann")
    call.start("ann", "audio")
    meeting.end()

    refused = call.stop("ann", "audio")

    assert (refused.status_code, refused.json()) == (403, {"message": "No active session found"})


def test_bodies_that_are_not_json_objects_are_refused(call: Call) -> None:
    assert call("POST", f"{TRACK}/start", ["room-1"]).status_code == 400


TOKENS = {
    "nothing": "",
    "a prefix": f"Bearer {token()}",
    "expired": token(exp=1),
    "another key": token(apikey="another"),
    "no permissions": token(permissions=None),
    "empty permissions": token(permissions=[]),
    "unknown permissions": token(permissions=["allow_all"]),
    "version 1": token(version=1),
    "no version": token(version=None),
    "for joining only": token(roles=["rtc"]),
    "another secret": jwt.encode({"apikey": "the-key"}, SECRET[::-1], algorithm="HS256"),
    "another algorithm": jwt.encode({"apikey": "the-key"}, SECRET * 2, algorithm="HS512"),
    "no algorithm": jwt.encode({"apikey": "the-key"}, "", algorithm="none"),
}


@pytest.mark.parametrize("bad", TOKENS.values(), ids=TOKENS)
def test_a_token_that_is_not_good_is_refused(bad: str, sim: Simulation) -> None:
    assert Call(sim.url, bad)("GET", TRACK).status_code == 401


@pytest.mark.parametrize("claims", [{"roles": ["crawler"]}, {"exp": None}], ids=["crawler", "no end"])
def test_other_good_tokens_are_taken(claims: dict[str, Any], sim: Simulation) -> None:
    assert Call(sim.url, token(**claims))("GET", TRACK).status_code == 200


def test_the_list_shows_a_recording_as_documented(meeting: Meeting, call: Call) -> None:
    session_id = meeting.join("ann", "Ann")
    meeting.unmute("ann", "video")
    call.start("ann", "video")
    meeting.advance(4_000)
    call.stop("ann", "video")
    meeting.settle()

    [shown] = call.listed(roomId="room-1")

    [file] = shown.pop("files")
    assert shown.pop("id")[:8] == f"{NOW // 1000:08x}"
    assert shown == {
        "sessionId": session_id,
        "participantId": "ann",
        "participantName": "Ann",
        "kind": "video",
        "fileFormat": "webm",
        "start": "2027-01-15T08:00:00.000Z",
        "end": "2027-01-15T08:00:04.000Z",
        "mode": "track",
        "region": "region",
        "roomId": "room-1",
        "webhook": {"totalCount": 0, "successCount": 0, "data": []},
    }
    assert file["filePath"] == f"rec/a/{session_id}/ann/video/track_recording_ann_video_{NOW}.webm"
    assert file["fileUrl"] is None
    assert file["meta"] == {"resolution": {"width": 640, "height": 360}, "format": "webm", "duration": 4}
    assert file["ratio"] == {"360": file["size"] / 4}


def test_a_running_recording_has_no_end(meeting: Meeting, call: Call) -> None:
    meeting.join("ann")
    call.start("ann", "audio")

    [shown] = call.listed()

    assert (shown["end"], shown["files"]) == (None, [])


def test_a_file_of_sound_has_no_resolution(meeting: Meeting, call: Call) -> None:
    meeting.join("ann")
    meeting.unmute("ann", "audio")
    call.start("ann", "audio")
    meeting.advance(1_500)
    meeting.mute("ann", "audio")

    [file] = call.listed()[0]["files"]

    assert file["meta"] == {"format": "webm", "duration": 2}
    assert list(file["ratio"]) == ["audio"]


def test_the_list_is_paged_newest_first(meeting: Meeting, call: Call) -> None:
    meeting.join("ann")
    for kind in ("audio", "video", "screen_audio"):
        call.start("ann", kind)
        meeting.advance(1_000)

    pages = [call("GET", TRACK, page=page, perPage=2).json() for page in (1, 2, 3)]

    assert [[r["kind"] for r in page["data"]] for page in pages] == [["screen_audio", "video"], ["audio"], []]
    assert pages[1]["pageInfo"] == {"currentPage": 2, "perPage": 2, "lastPage": 2, "total": 3}


def test_the_list_is_filtered(meeting: Meeting, call: Call) -> None:
    session_id = meeting.join("ann")
    meeting.join("bob")
    call.start("ann", "audio")
    call.start("bob", "audio")

    assert [r["participantId"] for r in call.listed(participantId="bob")] == ["bob"]
    assert len(call.listed(sessionId=session_id)) == 2
    assert call.listed(roomId="room-2") == call.listed(sessionId="another") == []


@pytest.mark.parametrize("query", [{"page": 0}, {"perPage": 0}, {"page": "one"}], ids=str)
def test_pages_count_from_one(query: dict[str, Any], call: Call) -> None:
    assert call("GET", TRACK, **query).status_code == 400


def test_one_recording_can_be_got_and_deleted(meeting: Meeting, call: Call) -> None:
    meeting.join("ann")
    call.start("ann", "audio")
    [listed] = call.listed()
    path = f"{TRACK}/{listed['id']}"

    assert call("GET", path).json() == listed
    assert isinstance(call("DELETE", path).json(), str)
    assert call("GET", path).status_code == call("DELETE", path).status_code == 404
    assert call.listed() == []


def test_a_recording_can_be_started_again(meeting: Meeting, call: Call) -> None:
    meeting.join("ann")
    for _ in range(2):
        call.start("ann", "audio")
        call.stop("ann", "audio")

    assert len({r["id"] for r in call.listed()}) == 2
