"""Who was in which session, and when."""

import time
from typing import Any

import pytest

from local.videosdk import Meeting, Simulation
from tests.simulation.stage import Call


def test_a_session_begins_with_the_first_and_ends_when_it_is_ended(meeting: Meeting, call: Call) -> None:
    session_id = meeting.join("ann", "Ann")
    meeting.advance(1_000)
    meeting.end()

    [shown] = call("GET", "/v2/sessions/", roomId="room-1").json()["data"]

    links = shown.pop("links")
    assert set(links) == {"get_room", "get_session"}
    stay = {"start": "2027-01-15T08:00:00.000Z", "end": "2027-01-15T08:00:01.000Z"}
    assert shown == {
        "id": session_id,
        "roomId": "room-1",
        "participants": [{"participantId": "ann", "name": "Ann", "timelog": [stay]}],
        "status": "ended",
        **stay,
    }


def test_who_comes_back_has_two_stays_in_one_session(meeting: Meeting, call: Call) -> None:
    first = meeting.join("ann")
    meeting.join("bob")
    meeting.advance(1_000)
    meeting.leave("ann")
    meeting.advance(1_000)
    again = meeting.join("ann")

    people = call("GET", f"/v2/sessions/{first}/participants").json()["data"]["participants"]

    assert first == again
    assert [stay["end"] for stay in people[0]["timelog"]] == ["2027-01-15T08:00:01.000Z", None]
    assert len(people[1]["timelog"]) == 1


def test_joining_twice_is_one_stay(meeting: Meeting, call: Call) -> None:
    session_id = meeting.join("ann")
    meeting.join("ann")

    session = call("GET", f"/v2/sessions/{session_id}").json()

    assert len(session["participants"][0]["timelog"]) == 1


def test_a_room_that_is_used_again_has_another_session(meeting: Meeting, call: Call) -> None:
    first = meeting.join("ann")
    meeting.end()
    meeting.advance(60_000)
    second = meeting.join("ann")

    assert [s["id"] for s in call("GET", "/v2/sessions").json()["data"]] == [second, first]
    assert [s["id"] for s in call("GET", "/v2/sessions", status="ongoing").json()["data"]] == [second]
    assert call("GET", "/v2/sessions", roomId="another").json()["data"] == []


def test_one_session_has_more_fields(meeting: Meeting, call: Call) -> None:
    session_id = meeting.join("ann")

    session = call("GET", f"/v2/sessions/{session_id}").json()

    assert session.keys() > {"userId", "customRoomId", "activeDuration", "chatLink", "links"}
    assert "_id" in session["participants"][0]
    assert (session["status"], session["end"]) == ("ongoing", None)


def test_participants_are_paged_inside_an_object(meeting: Meeting, call: Call) -> None:
    for name in ("ann", "bob", "cho"):
        session_id = meeting.join(name)

    page = call("GET", f"/v2/sessions/{session_id}/participants", page=2, perPage=2).json()

    assert page["pageInfo"] == {"currentPage": 2, "perPage": 2, "lastPage": 2, "total": 3}
    assert [someone["participantId"] for someone in page["data"]["participants"]] == ["cho"]


def test_one_participant_can_be_asked_for(meeting: Meeting, call: Call) -> None:
    session_id = meeting.join("ann", "Ann")

    assert call("GET", f"/v2/sessions/{session_id}/participants/ann").json()["name"] == "Ann"
    assert call("GET", f"/v2/sessions/{session_id}/participants/bob").status_code == 404


def test_a_session_can_be_ended_by_the_api(meeting: Meeting, call: Call) -> None:
    meeting.join("ann")

    ended = call("POST", "/v2/sessions/end", {"roomId": "room-1"}).json()

    assert (ended["roomId"], ended["status"]) == ("room-1", "ended")
    assert meeting.seen()["live"] is False
    assert call("POST", "/v2/sessions/end", {"roomId": "room-1"}).status_code == 403


def test_leaving_ends_what_is_recorded_of_the_one_who_left(meeting: Meeting, call: Call) -> None:
    meeting.join("ann")
    meeting.join("bob")
    call.start("ann", "audio")
    call.start("bob", "audio")
    meeting.leave("ann")

    assert {r["participantId"]: r["end"] is None for r in call.listed()} == {"ann": False, "bob": True}
    assert call.stop("ann", "audio").status_code == 400


def test_everybody_else_can_only_be_asked_about(meeting: Meeting) -> None:
    meeting.join("ann")

    for act in (meeting.leave, meeting.unmute):
        with pytest.raises(ValueError, match="participant is not yet joined"):
            act(*{"leave": ["bob"], "unmute": ["bob", "audio"]}[act.__name__])


def test_the_room_shows_what_goes_on(meeting: Meeting, call: Call) -> None:
    meeting.join("ann", "Ann")
    meeting.unmute("ann", "audio", "video")
    call.start("ann", "audio")
    meeting.advance(2_000)

    room = meeting.seen()

    assert room["live"] is True
    assert room["now"] - room["startAt"] == 2_000
    assert room["participants"] == [
        {"participantId": "ann", "name": "Ann", "present": True, "unmuted": ["audio", "video"]}
    ]
    [recording] = room["recordings"]
    assert (recording["kind"], recording["endAt"], len(recording["files"])) == ("audio", None, 1)


def test_the_clock_is_the_real_one_until_it_is_advanced(sim: Simulation) -> None:
    other, ahead = Meeting(sim.url, "room-2"), Meeting(sim.url, "room-3")
    other.join("ann")
    ahead.join("ann")
    ahead.advance(5_000)

    assert ahead.seen()["now"] - other.seen()["now"] == 5_000
    other.close()
    ahead.close()


@pytest.mark.parametrize("ms", [-1, 1.5, "1", None], ids=str)
def test_the_clock_goes_forward_in_whole_milliseconds(ms: Any, call: Call) -> None:
    assert call("POST", "/simulation/rooms/room-1/advance", {"ms": ms}).status_code == 400


def test_a_room_that_nobody_named_is_not_there(call: Call) -> None:
    assert call("GET", "/simulation/rooms/nowhere").status_code == 404
    assert call("GET", "/simulation/nothing").status_code == 404


@pytest.mark.parametrize("ms", [-1, 1.5, "1", None], ids=str)
def test_a_clock_is_held_a_while_ago_in_whole_milliseconds(ms: Any, call: Call) -> None:
    assert call("POST", "/simulation/rooms/room-1/hold", {"agoMs": ms}).status_code == 400


def test_a_clock_may_be_held_a_while_ago(call: Call) -> None:
    now = call("POST", "/simulation/rooms/room-6/join", {"participantId": "ann"}).json()["now"]

    held = call("POST", "/simulation/rooms/room-6/hold", {"agoMs": 60_000}).json()["now"]

    assert now - 60_000 <= held < now


def test_a_held_clock_moves_only_when_it_is_advanced(call: Call) -> None:
    sim_room = "/simulation/rooms/room-4"
    call("POST", f"{sim_room}/join", {"participantId": "ann"})
    held = call("POST", f"{sim_room}/hold", {}).json()["now"]
    call("POST", f"{sim_room}/advance", {"ms": 700})

    time.sleep(0.01)

    assert call("GET", sim_room).json()["now"] == held + 700
