"""Starting and stopping, with a VideoSDK that does as it should, and with one that does not."""

from collections.abc import Callable
from typing import Any

import pytest

from local.videosdk import Meeting, Simulation
from tests.routes.gateway import HOST, STAGE, Answer, Gateway
from tests.routes.stage import Clock, Ledger, Room, Vendor

TRACK = {"roomId": "r", "participantId": "ann", "kind": "audio"}
CLOSED = "http://127.0.0.1:9"  # the discard port: nobody listens


@pytest.fixture
def answering(configured: Callable[..., None], vendor: Vendor) -> Vendor:
    """A VideoSDK that answers as it is told to."""
    configured(VIDEOSDK_API=vendor.url)
    return vendor


def started(api: Gateway, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = api.post("/recordings/start", body, headers=list(headers.items()))
    assert answer.status == 202, answer.body
    recording: dict[str, Any] = answer.told["recordings"][0]
    return recording


# --- what should be ---------------------------------------------------------------------------------


def test_a_started_recording_is_written_down_before_and_after_videosdk_is_asked(
    api: Gateway, room: Room, ledger: Ledger
) -> None:
    recording = started(api, room.track())

    asked, accepted = ledger.facts(f"recording#{recording['recordingId']}")
    assert recording["phase"] == "starting"
    assert asked == {"type": "RecordingRequested", "at": asked["at"], "by": "my-app"} | {
        "room_id": room.room_id,
        "participant_id": "ann",
        "kind": "audio",
    }
    assert accepted["type"] == "StartAccepted"


def test_several_kinds_are_several_recordings(api: Gateway, room: Room) -> None:
    body = room.track() | {"kinds": ["audio", "screen_video"]}
    del body["kind"]

    answer = api.post("/recordings/start", body)

    assert [told["kind"] for told in answer.told["recordings"]] == ["audio", "screen_video"]
    assert {begun.kind for begun in room.begun} == {"audio", "screen_video"}


def test_webhook_address_and_bucket_path_carry_the_recording(
    api: Gateway, room: Room, simulation: Simulation
) -> None:
    recording_id = started(api, room.track())["recordingId"]

    (begun,) = room.begun
    assert begun.dir_path == f"rec/{recording_id}"
    assert begun.webhook_url.startswith(f"{simulation.url}/nobody/webhooks/videosdk/{recording_id}.")


def test_without_a_configured_address_videosdk_gets_the_one_that_the_request_came_to(
    api: Gateway, configured: Callable[..., None], vendor: Vendor, room: Room
) -> None:
    configured(PUBLIC_URL="", VIDEOSDK_API=vendor.url)
    vendor.will(200, b'"track recording started successfully."')

    recording_id = started(api, room.track())["recordingId"]

    address = vendor.heard[0][2]["webhookUrl"]
    assert address.startswith(f"https://{HOST}/{STAGE}/webhooks/videosdk/{recording_id}.")


def test_a_kind_that_is_being_recorded_stays_as_it_is(api: Gateway, room: Room) -> None:
    first = started(api, room.track())

    second = started(api, room.track())

    assert second["recordingId"] == first["recordingId"]
    assert len(room.begun) == 1


@pytest.mark.parametrize("by_id", [True, False], ids=["by id", "by what it records"])
def test_what_is_stopped_stops_and_stopping_it_again_succeeds(
    by_id: bool, api: Gateway, room: Room, ledger: Ledger
) -> None:
    recording_id = started(api, room.track())["recordingId"]
    body = {"recordingId": recording_id} if by_id else room.track()

    answers = [api.post("/recordings/stop", body) for _ in range(2)]

    for answer in answers:
        assert answer.status == 202
        (told,) = answer.told["recordings"]
        assert (told["recordingId"], told["phase"]) == (recording_id, "stopping")
    assert ledger.types(recording_id)[1:] == ["StartAccepted", "StopRequested", "StopAccepted"]
    assert room.begun[0].end_at is not None


def test_the_caller_stands_in_the_ledger(api: Gateway, room: Room, ledger: Ledger) -> None:
    started(api, room.track())
    api.post("/recordings/stop", room.track(), by="the other app")

    named = {fact["type"]: fact["by"] for fact in ledger.facts() if "by" in fact}

    assert named == {"RecordingRequested": "my-app", "StopRequested": "the other app"}


# --- idempotency ------------------------------------------------------------------------------------


def test_a_repeat_under_the_same_key_gets_the_same_answer_and_starts_nothing(
    api: Gateway, room: Room
) -> None:
    first = api.post("/recordings/start", room.track(), headers=[("Idempotency-Key", "lesson 42")])
    api.post("/recordings/stop", room.track())

    for name in ("Idempotency-Key", "idempotency-key", "IDEMPOTENCY-KEY"):
        again = api.post("/recordings/start", room.track(), headers=[(name, "lesson 42")])
        assert (again.status, again.told) == (202, first.told)
    assert len(room.begun) == 1


def test_the_same_body_spelled_otherwise_is_the_same(api: Gateway, room: Room) -> None:
    header = [("Idempotency-Key", "k")]
    first = api.post("/recordings/start", room.track(), headers=header)

    spelled = f'{{ "kind" : "audio", "participantId":"\\u0061nn",\n"roomId": "{room.room_id}" }}'
    again = api.post("/recordings/start", spelled.encode(), headers=header)

    assert again.told == first.told


def test_another_body_under_the_same_key_is_refused(api: Gateway, room: Room) -> None:
    header = [("Idempotency-Key", "k")]
    api.post("/recordings/start", room.track(), headers=header)

    other = api.post("/recordings/start", room.track("video"), headers=header)

    assert other.refusal == (422, "idempotency_key_reused", None)
    assert [begun.kind for begun in room.begun] == ["audio"]


def test_keys_of_different_apps_do_not_meet(api: Gateway, room: Room) -> None:
    header = [("Idempotency-Key", "k")]
    api.post("/recordings/start", room.track(), headers=header)

    other = api.post("/recordings/start", room.track("video"), headers=header, by="other-app")

    assert other.status == 202
    assert len(room.begun) == 2


def test_a_repeat_of_a_refused_start_is_refused_alike(api: Gateway, ledger: Ledger) -> None:
    body = {"roomId": "nowhere", "participantId": "ann", "kind": "audio"}

    answers = [api.post("/recordings/start", body, headers=[("Idempotency-Key", "k")]) for _ in range(2)]

    assert {answer.refusal for answer in answers} == {(404, "room_not_found", None)}
    assert [fact["type"] for fact in ledger.facts()] == ["RecordingRequested", "StartRefused"]


@pytest.mark.parametrize(
    "odd",
    ["", "x" * 256, "a\tb", "a\x7fb", "a\u202eb", "a\u00a0b"],
    ids=["empty", "256 long", "tab", "delete", "right to left", "no-break space"],
)
def test_an_odd_key_is_refused(odd: str, api: Gateway, room: Room, ledger: Ledger) -> None:
    answer = api.post("/recordings/start", room.track(), headers=[("Idempotency-Key", odd)])

    assert answer.refusal == (400, "invalid_idempotency_key", "Idempotency-Key")
    assert ledger.items() == []


@pytest.mark.parametrize("good", ["k", "x" * 255, "schlüssel ☃", "a b", "#", '"'])
def test_any_printable_key_will_do(good: str, api: Gateway, room: Room) -> None:
    header = [("Idempotency-Key", good)]
    first = api.post("/recordings/start", room.track(), headers=header)

    assert api.post("/recordings/start", room.track(), headers=header).told == first.told


# --- VideoSDK's refusals ----------------------------------------------------------------------------


def test_an_unknown_room(api: Gateway, ledger: Ledger) -> None:
    answer = api.post("/recordings/start", {"roomId": "nowhere", "participantId": "ann", "kind": "audio"})

    assert answer.refusal == (404, "room_not_found", None)
    assert answer.message == "VideoSDK answered 404: Room not found"
    assert [fact["type"] for fact in ledger.facts()] == ["RecordingRequested", "StartRefused"]


@pytest.mark.slow
def test_a_participant_who_does_not_join_while_we_wait(api: Gateway, room: Room, ledger: Ledger) -> None:
    clock = Clock()

    answer = api.post("/recordings/start", room.track(who="bob"))

    assert answer.refusal == (409, "participant_not_joined", None)
    assert answer.message == "VideoSDK answered 400: participant is not yet joined the meeting"
    assert clock.seconds < 8
    (_, refused) = ledger.facts()
    assert (refused["type"], refused["code"]) == ("StartRefused", "participant_not_joined")


def test_a_meeting_that_is_over(api: Gateway, room: Room) -> None:
    room.videosdk.act(lambda meetings: meetings.end_session(room.room_id))

    answer = api.post("/recordings/start", room.track())

    assert answer.refusal == (409, "no_active_session", None)
    assert answer.message == "VideoSDK answered 403: No active session found"


def test_a_refused_start_can_be_tried_again(api: Gateway, room: Room) -> None:
    body = {"roomId": f"{room.room_id}-later", "participantId": "ann", "kind": "audio"}
    assert api.post("/recordings/start", body).status == 404
    later = Meeting(room.videosdk.url, body["roomId"])
    later.join("ann")
    later.close()

    assert started(api, body)["phase"] == "starting"


def test_some_refused_and_some_not_is_told_of_each(api: Gateway, answering: Vendor) -> None:
    answering.will(200, b'"track recording started successfully."')
    answering.will(403, b'{"message": "No active session found"}')

    body = {"roomId": "r", "participantId": "ann", "kinds": ["audio", "video"]}
    answer = api.post("/recordings/start", body)

    assert answer.status == 202
    begun, refused = sorted(answer.told["recordings"], key=lambda told: told["phase"] == "failed")
    assert (begun["phase"], refused["phase"]) == ("starting", "failed")
    assert refused["failure"] == {
        "code": "no_active_session",
        "message": "VideoSDK answered 403: No active session found",
    }


def test_what_was_never_recorded_can_not_be_stopped(api: Gateway, room: Room, ledger: Ledger) -> None:
    answer = api.post("/recordings/stop", room.track("video"))

    assert answer.refusal == (404, "recording_not_found", None)
    assert answer.message == f"video of ann was never recorded in room {room.room_id}"
    assert ledger.items() == []


def test_an_unknown_recording_can_not_be_stopped(api: Gateway) -> None:
    unknown = f"rec-{'0' * 32}"

    answer = api.post("/recordings/stop", {"recordingId": unknown})

    assert (answer.refusal, answer.message) == (
        (404, "recording_not_found", None),
        f"there is no recording {unknown}",
    )


def test_what_ended_by_itself_is_stopped(api: Gateway, room: Room, ledger: Ledger) -> None:
    recording_id = started(api, room.track())["recordingId"]
    room.videosdk.act(lambda meetings: meetings.leave(room.room_id, "ann"))

    answer = api.post("/recordings/stop", {"recordingId": recording_id})

    assert answer.status == 202
    assert ledger.types(recording_id)[-1] == "StopUnneeded"


# --- VideoSDK down, slow, wrong ---------------------------------------------------------------------


def test_videosdk_down(api: Gateway, configured: Callable[..., None], room: Room, ledger: Ledger) -> None:
    running = started(api, room.track("video"))["recordingId"]
    configured(VIDEOSDK_API=CLOSED)

    start = api.post("/recordings/start", room.track())
    stop = api.post("/recordings/stop", room.track("video"))

    for answer in (start, stop):
        assert answer.refusal == (503, "videosdk_unreachable", None)
    refused = [fact["code"] for fact in ledger.facts() if fact["type"] == "StartRefused"]
    assert refused == ["videosdk_unreachable"]
    assert ledger.types(running)[-1] == "StopRequested"


def test_a_stop_that_did_not_reach_videosdk_can_be_repeated(
    api: Gateway, configured: Callable[..., None], room: Room, ledger: Ledger
) -> None:
    recording_id = started(api, room.track())["recordingId"]
    configured(VIDEOSDK_API=CLOSED)
    assert api.post("/recordings/stop", {"recordingId": recording_id}).status == 503
    configured(VIDEOSDK_API=room.videosdk.url)

    again = api.post("/recordings/stop", {"recordingId": recording_id})

    assert again.status == 202
    assert ledger.types(recording_id)[-2:] == ["StopRequested", "StopAccepted"]


def test_videosdk_does_not_take_our_credentials(api: Gateway, answering: Vendor, ledger: Ledger) -> None:
    for _ in range(2):
        answering.will(401, b'{"message": "Token is invalid or expired"}')

    answer = api.post("/recordings/start", TRACK)

    assert answer.refusal == (502, "videosdk_unauthorized", None)
    assert answer.message == "VideoSDK answered 401: Token is invalid or expired"
    assert ledger.facts()[-1]["code"] == "videosdk_unauthorized"


# What VideoSDK answers, and what that is to the caller of a start, and in the ledger.
type Reply = tuple[str, int, bytes, dict[str, str]]
REFUSED: list[tuple[Reply, int, str]] = [
    (("many requests", 429, b'"Too many"', {"Retry-After": "60"}), 503, "videosdk_rate_limited"),
    (("bad request", 400, b'{"message": "kind is odd"}', {}), 502, "videosdk_refused"),
    (("forbidden", 403, b'"no"', {}), 502, "videosdk_refused"),
    (("unknown room", 402, b'"Room not found"', {}), 404, "room_not_found"),
]
UNKNOWN: list[Reply] = [
    ("a fault of theirs", 500, b"oh", {}),
    ("a gateway", 502, b"<html>bad gateway</html>", {}),
    ("a redirect", 302, b"", {"Location": "http://127.0.0.1:9/"}),
    ("a page", 200, b"<html>Welcome</html>", {}),
    ("nothing", 200, b"", {}),
    ("garbage", 200, b"\xff\xfe\x00", {}),
    ("an error under 200", 200, b'{"error": "it broke"}', {}),
    ("half an answer", 200, b'"track', {"Content-Length": "1000"}),
    ("far too much", 200, b'"' + b"x" * 100_000 + b'"', {}),
]
ALREADY: Reply = ("already", 409, b'"track recording is already started"', {})  # as a start may be answered


@pytest.mark.parametrize(("reply", "status", "code"), REFUSED, ids=[row[0][0] for row in REFUSED])
def test_videosdk_refuses(
    reply: Reply, status: int, code: str, api: Gateway, answering: Vendor, ledger: Ledger
) -> None:
    answering.answers.append(reply[1:])

    answer = api.post("/recordings/start", TRACK)

    assert answer.refusal == (status, code, None)
    asked, refused = ledger.facts()
    assert (asked["type"], refused["type"], refused["code"]) == ("RecordingRequested", "StartRefused", code)
    assert len(answering.heard) == 1


@pytest.mark.parametrize("reply", [*UNKNOWN, ALREADY], ids=[row[0] for row in [*UNKNOWN, ALREADY]])
def test_an_answer_to_a_start_that_says_nothing_is_unconfirmed_and_not_asked_again(
    reply: Reply, api: Gateway, answering: Vendor, ledger: Ledger
) -> None:
    answering.answers.append(reply[1:])

    recording = started(api, TRACK)

    assert recording["phase"] == "requested"
    assert ledger.types(recording["recordingId"]) == ["RecordingRequested", "StartUnconfirmed"]
    assert len(answering.heard) == 1


@pytest.mark.parametrize("reply", UNKNOWN, ids=[row[0] for row in UNKNOWN])
def test_an_answer_to_a_stop_that_says_nothing_is_unconfirmed(
    reply: Reply, api: Gateway, answering: Vendor, ledger: Ledger
) -> None:
    answering.will(200, b'"track recording started successfully."')
    recording_id = started(api, TRACK)["recordingId"]
    answering.answers.append(reply[1:])

    answer = api.post("/recordings/stop", TRACK)

    (recording,) = answer.told["recordings"]
    assert (answer.status, recording["phase"]) == (202, "stopping")
    assert ledger.types(recording_id)[-1] == "StopUnconfirmed"
    assert len(answering.heard) == 2


@pytest.mark.slow
def test_a_slow_videosdk_is_waited_for_just_so_long(
    api: Gateway, room: Room, simulation: Simulation, ledger: Ledger
) -> None:
    simulation.faults.arm({"fault": "slow", "call": "start", "ms": 6_000})
    clock = Clock()

    recording = started(api, room.track())

    assert clock.seconds < 6
    assert recording["phase"] == "requested"
    assert ledger.types(recording["recordingId"]) == ["RecordingRequested", "StartUnconfirmed"]


def test_an_answer_that_is_lost_is_unconfirmed(api: Gateway, room: Room, ledger: Ledger) -> None:
    room.videosdk.faults.arm({"fault": "lose_answer", "call": "start"})

    recording = started(api, room.track())

    assert recording["phase"] == "requested"
    assert len(room.begun) == 1
    assert ledger.types(recording["recordingId"])[-1] == "StartUnconfirmed"


def test_no_credentials_at_all(
    api: Gateway, configured: Callable[..., None], room: Room, ledger: Ledger
) -> None:
    configured(VIDEOSDK_SECRET="nowhere")

    answer = api.post("/recordings/start", room.track())

    assert answer.refusal == (503, "videosdk_unreachable", None)
    assert [fact["type"] for fact in ledger.facts()] == ["RecordingRequested", "StartRefused"]


def test_no_secret_for_addresses_means_no_start(
    api: Gateway, configured: Callable[..., None], room: Room
) -> None:
    configured(WEBHOOK_TAG_SECRET="nowhere")

    answer = api.post("/recordings/start", room.track())

    assert answer.refusal == (503, "secret_unavailable", None)
    assert room.begun == []


def test_no_table_means_no_start(api: Gateway, configured: Callable[..., None], room: Room) -> None:
    configured(TABLE="nowhere")

    answers: list[Answer] = [api.post("/recordings/start", room.track()), api.get("/recordings")]

    assert {answer.refusal for answer in answers} == {(503, "ledger_unavailable", None)}
    assert room.begun == []
