"""Looking at recordings and sessions: pages, filters, events, manifests; and finishing a session."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app import settle
from chalicelib import wiring
from chalicelib.core.events import Event, ParticipantJoined, SegmentRejected, SegmentStored, VerdictReached
from chalicelib.core.ids import Kind, unannounced_id
from chalicelib.ports import recording_subject, session_subject
from tests.routes.gateway import Gateway
from tests.routes.stage import Ledger, Room

AT = 1_795_339_800_000
UNKNOWN = f"rec-{'0' * 32}"


def stored(session_id: str, who: str = "ann", kind: Kind = Kind.AUDIO, start_at: int = AT) -> SegmentStored:
    """A segment as the ingest writes it."""
    file = f"track_{start_at}.webm"
    return SegmentStored(
        at=start_at + 20_000,
        key=f"rec/{session_id}/{who}/{kind}/{file}",
        etag="e",
        bytes=1000,
        session_id=session_id,
        participant_id=who,
        kind=kind,
        file=file,
        start_at=start_at,
        duration_ms=9_000,
        clock="stamp",
        uncertainty_ms=100,
        codec="opus" if kind is Kind.AUDIO else "vp8",
        width=None if kind is Kind.AUDIO else 640,
        height=None if kind is Kind.AUDIO else 360,
        resolutions=() if kind is Kind.AUDIO else ((0, 640, 360), (4_000, 320, 180)),
        holes=((1_000, 2_000),),
        tail_lost=False,
        repaired_key=f"sessions/{session_id}/{who}/{kind}/repaired-{start_at}-0b4c1ee02b4f40c1.webm",
        repaired_bytes=1100,
    )


def rejected(session_id: str, who: str = "ann") -> SegmentRejected:
    """A file that was none."""
    return SegmentRejected(
        at=AT + 21_000,
        key=f"rec/{session_id}/{who}/audio/track_{AT + 10_000}.webm",
        etag="e",
        bytes=4,
        session_id=session_id,
        participant_id=who,
        kind=Kind.AUDIO,
        file=f"track_{AT + 10_000}.webm",
        code="not_webm",
        reason="the file does not begin as WebM does",
    )


def written(recording_id: str, *facts: Event) -> str:
    """Write facts down and let the stream's function see them, as AWS would."""
    subject = recording_subject(recording_id)
    for fact in facts:
        wiring.world().ledger.append(subject, fact)
    settle(_record(subject), None)
    return recording_id


def _record(subject: str) -> dict[str, Any]:
    keys = {"pk": {"S": subject}, "sk": {"S": "event#"}}
    stream = {"ApproximateCreationDateTime": 1, "Keys": keys, "SequenceNumber": "1", "SizeBytes": 1}
    return {
        "Records": [
            {
                "eventID": "1",
                "eventName": "INSERT",
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "awsRegion": "eu-central-1",
                "dynamodb": stream | {"StreamViewType": "KEYS_ONLY"},
                "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/t/stream/1",
            }
        ]
    }


def unannounced(session_id: str, who: str = "ann", start_at: int = AT) -> str:
    """A session of one recording that nobody started here."""
    recording_id = unannounced_id(session_id, who, "audio")
    return written(recording_id, stored(session_id, who, start_at=start_at))


def every(api: Gateway, path: str, field: str, query: str = "", limit: int = 2) -> list[Any]:
    """All items over all pages."""
    found, cursor = [], None
    while True:
        asked = f"limit={limit}&{query}" + (f"&cursor={cursor}" if cursor else "")
        page = api.get(path, asked).told
        assert len(page[field]) <= limit
        found += page[field]
        cursor = page["cursor"]
        if cursor is None:
            return found


# --- lists ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "field"), [("/recordings", "recordings"), ("/sessions", "sessions")])
def test_where_there_is_nothing_the_page_is_empty(path: str, field: str, api: Gateway) -> None:
    for query in ("", "roomId=r", "limit=1"):
        assert api.get(path, query).told == {field: [], "cursor": None}


def test_pages_together_are_the_whole_list_newest_first(api: Gateway, room: Room) -> None:
    kinds = ["audio", "video", "screen_audio", "screen_video"]
    body = {"roomId": room.room_id, "participantId": "ann", "kinds": kinds}
    api.post("/recordings/start", body)
    room.join("bob")
    api.post("/recordings/start", body | {"participantId": "bob", "kinds": kinds[:3]})

    for limit in (1, 2, 3, 7, 100):
        found = every(api, "/recordings", "recordings", limit=limit)

        order = [(told["requestedAt"], told["recordingId"]) for told in found]
        assert order == sorted(order, reverse=True)
        assert len(set(order)) == 7


# A query, and the participants and kinds that it finds.
NARROWED = [
    ("kind=audio", ["ann audio", "bob audio"]),
    ("participantId=ann", ["ann audio", "ann video"]),
    ("participantId=ann&kind=video", ["ann video"]),
    ("phase=starting", ["ann video", "bob audio"]),
    ("phase=stopping", ["ann audio"]),
    ("phase=done", []),
    ("participantId=nobody", []),
]


def test_what_is_given_narrows_the_list(api: Gateway, room: Room) -> None:
    room.join("bob")
    for track in (room.track(), room.track("video"), room.track(who="bob")):
        api.post("/recordings/start", track)
    api.post("/recordings/stop", room.track())
    for told in api.get("/recordings").told["recordings"]:
        written(told["recordingId"])

    for query, expected in NARROWED:
        for narrowed in (query, f"{query}&roomId={room.room_id}"):
            found = every(api, "/recordings", "recordings", narrowed, limit=1)
            assert sorted(f"{told['participantId']} {told['kind']}" for told in found) == expected, narrowed


def test_recordings_of_a_session_are_found_by_it(api: Gateway) -> None:
    ours = {unannounced("session-1"), unannounced("session-1", "bob")}
    unannounced("session-2")

    found = every(api, "/recordings", "recordings", "sessionId=session-1", limit=1)

    assert {told["recordingId"] for told in found} == ours
    assert every(api, "/recordings", "recordings", "sessionId=session-1&roomId=r") == []


def test_sessions_are_listed_newest_first(api: Gateway) -> None:
    for day in range(5):
        unannounced(f"session-{day}", start_at=AT + day * 86_400_000)

    for limit in (1, 2, 5, 100):
        found = every(api, "/sessions", "sessions", limit=limit)
        assert [told["sessionId"] for told in found] == [f"session-{day}" for day in (4, 3, 2, 1, 0)]
    assert found[0] | {"manifestKey": None} == {
        "sessionId": "session-4",
        "roomId": None,
        "zeroAt": AT + 4 * 86_400_000,
        "durationMs": 9_000,
        "participants": 1,
        "people": ["ann"],
        "recordings": 1,
        "complete": True,
        "settled": True,
        "live": False,
        "manifestKey": None,
    }


def test_a_cursor_of_another_list_is_harmless(api: Gateway, room: Room) -> None:
    body = {"roomId": room.room_id, "participantId": "ann", "kinds": ["audio", "video"]}
    api.post("/recordings/start", body)
    cursor = api.get("/recordings", "limit=1").told["cursor"]

    assert api.get("/sessions", f"cursor={cursor}").status == 200
    assert api.get("/recordings", f"cursor={cursor}&sessionId=session-1").status == 200


# --- one recording ----------------------------------------------------------------------------------


def test_a_recording_nobody_spoke_of(api: Gateway) -> None:
    for path in (f"/recordings/{UNKNOWN}", f"/recordings/{UNKNOWN}/events"):
        answer = api.get(path)
        assert (answer.refusal, answer.message) == (
            (404, "recording_not_found", None),
            f"there is no recording {UNKNOWN}",
        )


def test_a_recording_shows_its_segments_and_verdict(api: Gateway) -> None:
    recording_id = unannounced_id("session-1", "ann", "audio")
    written(recording_id, stored("session-1"), rejected("session-1"))

    told = api.get(f"/recordings/{recording_id}").told

    assert [segment["state"] for segment in told["segments"]] == ["rejected", "ready"]
    assert [finding["reason"] for finding in told["verdict"]["missing"]] == ["rejected"]
    assert [finding["reason"] for finding in told["verdict"]["odd"]] == ["unannounced"]
    assert (told["roomId"], told["sessionId"]) == (None, "session-1")


def test_what_was_not_started_here_can_not_be_stopped_here(api: Gateway) -> None:
    recording_id = unannounced("session-1")

    answer = api.post("/recordings/stop", {"recordingId": recording_id})

    assert answer.refusal == (409, "not_ours", None)


def test_events_come_in_order_and_in_pages(api: Gateway, room: Room) -> None:
    recording_id = api.post("/recordings/start", room.track()).told["recordings"][0]["recordingId"]
    api.post("/recordings/stop", room.track())
    written(recording_id, stored("session-1", kind=Kind.VIDEO), rejected("session-1"))

    pages = [
        every(api, f"/recordings/{recording_id}/events", "events", limit=limit) for limit in (1, 2, 3, 1000)
    ]

    assert all(found == pages[0] for found in pages)
    assert [told["at"] for told in pages[0]] == sorted(told["at"] for told in pages[0])
    assert {told["type"] for told in pages[0]} >= {
        "RecordingRequested", "StartAccepted", "StopRequested", "StopAccepted", "SegmentStored",
        "SegmentRejected",
    }  # fmt: skip


def test_after_the_last_event_the_page_is_empty(api: Gateway) -> None:
    recording_id = unannounced("session-1")

    assert api.get(f"/recordings/{recording_id}/events", "cursor=999999999").told == {
        "events": [],
        "cursor": None,
    }


# --- one session ------------------------------------------------------------------------------------


def test_a_session_nobody_spoke_of(api: Gateway) -> None:
    for answer in (api.get("/sessions/nothing"), api.post("/sessions/nothing/finish")):
        assert (answer.refusal, answer.message) == (
            (404, "session_not_found", None),
            "no recording of a session nothing is known",
        )


def test_a_session_is_its_manifest_with_an_address_for_each_artifact(api: Gateway) -> None:
    audio = unannounced_id("session-1", "ann", "audio")
    written(audio, stored("session-1"), rejected("session-1"))
    video = unannounced_id("session-1", "bob", "video")
    written(video, stored("session-1", "bob", Kind.VIDEO, AT + 3_000))
    joined = ParticipantJoined(at=AT, room_id="r", participant_id="ann", name="Ann")
    wiring.world().ledger.append(session_subject("session-1"), joined)

    told = api.get("/sessions/session-1").told

    ann, bob = told["participants"]
    assert (told["zeroAt"], told["durationMs"], ann["name"], bob["name"]) == (AT, 12_000, "Ann", None)
    assert [segment["state"] for segment in ann["tracks"][0]["segments"]] == ["ready", "rejected"]
    assert ann["tracks"][0]["gaps"] == [
        {"start": 9_000, "end": 10_000, "reason": "unknown"},
        {"start": 10_000, "end": 12_000, "reason": "rejected"},
    ]
    assert bob["tracks"][0]["segments"][0]["clock"] == {"source": "stamp", "uncertaintyMs": 100, "shiftMs": 0}
    assert told["verdict"]["complete"] is False
    assert [artifact["product"] for artifact in told["artifacts"]] == ["repaired", "repaired"]
    for artifact in told["artifacts"]:
        address = urlsplit(artifact["url"])
        assert address.path.endswith(artifact["key"])
        assert parse_qs(address.query)["X-Amz-Expires"] == ["900"]


def test_finishing_a_session_is_written_down_and_tells_what_will_be_made(
    api: Gateway, ledger: Ledger
) -> None:
    written(unannounced_id("session-1", "ann", "video"), stored("session-1", kind=Kind.VIDEO))

    answers = [api.post("/sessions/session-1/finish", by="other-app") for _ in range(2)]

    assert {answer.status for answer in answers} == {202}
    told = answers[0].told
    assert (told["sessionId"], told["finishing"]) == ("session-1", True)
    assert [(out["product"], out["participantId"], out["kind"]) for out in told["toMake"]] == [
        ("track", "ann", "video"), ("sprite", "ann", "video"), ("poster", "ann", "video"),
    ]  # fmt: skip
    finished = [fact for fact in ledger.facts("session#session-1") if fact["type"] == "FinishRequested"]
    assert {(fact["by"], *fact.get("products", ())) for fact in finished} == {("other-app",)}


def test_products_are_made_on_request(api: Gateway, ledger: Ledger, configured: Callable[..., None]) -> None:
    configured(PRODUCTS="peaks")
    written(unannounced_id("session-1", "ann", "audio"), stored("session-1"))

    told = api.post("/sessions/session-1/finish", {"products": ["mix:aac", "stem:wav"]}).told

    assert {(out["product"], out["form"]) for out in told["toMake"]} == {
        ("mix", "mp4"), ("stem", "wav"), ("peaks", "json"), ("peaks", "dat"),
    }  # fmt: skip
    [asked] = [fact for fact in ledger.facts("session#session-1") if fact["type"] == "FinishRequested"]
    assert asked["products"] == ["mix:aac", "stem:wav"]


def test_finish_needs_no_body(api: Gateway) -> None:
    unannounced("session-1")

    for body in (None, b"", b"{}", b'{"products": []}'):
        assert api("POST", "/sessions/session-1/finish", body).status == 202


def test_a_segment_can_be_moved_on_the_clock_as_often_as_one_likes(api: Gateway, ledger: Ledger) -> None:
    written(unannounced_id("session-1", "ann", "audio"), segment := stored("session-1"))
    written(unannounced_id("session-1", "bob", "audio"), stored("session-1", "bob", start_at=AT + 1))

    for shift_ms in (1_500, -250, 0):
        answer = api.post(
            "/sessions/session-1/corrections", {"file": segment.file, "shiftMs": shift_ms}, by="other-app"
        )
        assert answer.status == 202
        assert answer.told == {"sessionId": "session-1", "file": segment.file, "shiftMs": shift_ms}

    told = ledger.facts(recording_subject(unannounced_id("session-1", "ann", "audio")))
    corrections = [fact for fact in told if fact["type"] == "SegmentCorrected"]
    assert [(f["number"], f["shift_ms"], f["by"]) for f in corrections] == [
        (1, 1_500, "other-app"), (2, -250, "other-app"), (3, 0, "other-app"),
    ]  # fmt: skip
    assert len(ledger.facts(recording_subject(unannounced_id("session-1", "bob", "audio")))) == 1


def test_only_a_segment_of_the_session_can_be_moved(api: Gateway, ledger: Ledger) -> None:
    written(unannounced_id("session-1", "ann", "audio"), rejected("session-1"))
    written(unannounced_id("session-2", "ann", "audio"), stored("session-2", start_at=AT + 1))
    before = ledger.items()

    for session_id, file, code in (
        ("nothing", "a.webm", "session_not_found"),
        ("session-1", stored("session-2", start_at=AT + 1).file, "segment_not_found"),
        ("session-1", rejected("session-1").file, "segment_not_found"),
    ):
        answer = api.post(f"/sessions/{session_id}/corrections", {"file": file, "shiftMs": 1})
        assert answer.refusal == (404, code, None)
    assert ledger.items() == before


def test_what_was_concluded_is_an_event_as_well(api: Gateway) -> None:
    recording_id = unannounced("session-1")
    told = VerdictReached(at=AT, complete=False, digest="0b4c1ee02b4f40c1")
    wiring.world().ledger.append(recording_subject(recording_id), told)

    events = api.get(f"/recordings/{recording_id}/events").told["events"]

    assert [event["type"] for event in events if event["at"] == AT] == ["VerdictReached"]
