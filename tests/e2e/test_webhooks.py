"""Deliveries through API Gateway: what VideoSDK said is kept once, and nothing else is believed."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from local.videosdk.courier import signature
from tests.e2e.conftest import Demo
from tests.e2e.stage import Stage, Told

pytestmark = pytest.mark.e2e

type New = Callable[[str], str]


def joined(session_id: str, **more: Any) -> bytes:
    """Somebody comes in."""
    data = {"meetingId": "room-1", "sessionId": session_id, "participantId": "ann", "participantName": "Ann"}
    return written("participant-joined", data | more)


def written(webhook_type: str, data: Any) -> bytes:
    told = {"webhookType": webhook_type, "data": data}
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()


# --- who may speak ------------------------------------------------------------------------------------


def by_somebody_else(body: bytes) -> str:
    return signature(rsa.generate_private_key(public_exponent=65537, key_size=2048), body)


def undecided(code: str) -> list[tuple[int, str]]:
    """Also right for a well-formed signature that is wrong, where the key was asked for a moment ago."""
    return [(503, "signature_undecided")] if code == "signature_wrong" else []


UNTRUSTED: dict[str, tuple[Callable[[Stage, bytes], str], str]] = {
    "no signature": (lambda *_: "", "signature_missing"),
    "no Base64": (lambda *_: "%%%", "signature_malformed"),
    "too short": (lambda *_: "AAAA", "signature_malformed"),
    "of another's key": (lambda _, body: by_somebody_else(body), "signature_wrong"),
    "of other bytes": (lambda stage, body: stage.sign(body + b" "), "signature_wrong"),
    "spelled otherwise": (lambda stage, body: stage.sign(body).rstrip("="), "signature_malformed"),
}


@pytest.mark.parametrize(("signed", "code"), list(UNTRUSTED.values()), ids=list(UNTRUSTED))
def test_what_videosdk_did_not_sign_leaves_no_trace(
    stage: Stage, new: New, signed: Callable[[Stage, bytes], str], code: str
) -> None:
    session_id = new("forged")
    body = joined(session_id)

    answer = stage.deliver(body, **{"videosdk-signature": signed(stage, body)})

    assert (answer.status_code, answer.json()["error"]["code"]) in ((401, code), *undecided(code))
    assert stage.facts(f"session#{session_id}") == []


# --- what is said -------------------------------------------------------------------------------------


def test_news_is_kept_once_however_often_it_is_delivered(stage: Stage, new: New) -> None:
    session_id = new("joined")
    body = joined(session_id, participantName="Änn 😀")

    answers = [stage.deliver(body) for _ in range(3)]

    assert [(answer.status_code, answer.json()["news"]) for answer in answers] == [
        (200, True),
        (200, False),
        (200, False),
    ]
    (fact,) = stage.facts(f"session#{session_id}")
    assert (fact["type"], fact["name"]) == ("ParticipantJoined", "Änn 😀")


ODD: dict[str, Callable[[str], bytes]] = {
    "a type that nobody knows": lambda session: written("hologram-started", {"sessionId": session}),
    "a type that is documented and not ours": lambda session: written(
        "recording-started", {"sessionId": session, "meetingId": "room-1"}
    ),
    "a recording's news without its address": lambda session: written(
        "participant-track-recording-started",
        {"meetingId": "room-1", "sessionId": session, "participantId": "ann", "kind": "audio"},
    ),
}


@pytest.mark.parametrize("body", list(ODD.values()), ids=list(ODD))
def test_what_videosdk_says_and_we_do_not_understand_is_kept(
    stage: Stage, new: New, body: Callable[[str], bytes]
) -> None:
    session_id = new("odd")

    answer = stage.deliver(body(session_id))

    assert answer.status_code == 200
    (fact,) = stage.facts(f"session#{session_id}")
    assert (fact["type"], fact["body"].encode()) == ("OddHeard", body(session_id))


def test_a_signed_body_that_is_no_json_is_kept_among_the_days_deliveries(stage: Stage, new: New) -> None:
    body = f"not JSON, {new('odd')}".encode()

    answer = stage.deliver(body)

    assert (answer.status_code, answer.json()["news"]) == (200, True)


def test_bytes_that_are_no_text_do_not_pass_api_gateway_whole(stage: Stage) -> None:
    answer = stage.deliver(b'{"webhookType":"\xff\xfe"}')

    told = answer.status_code, answer.json()["error"]["code"]
    assert told in ((401, "signature_wrong"), *undecided("signature_wrong"))


def test_a_body_that_is_too_large_is_not_read(stage: Stage, new: New) -> None:
    session_id = new("large")

    answer = stage.deliver(joined(session_id, more="x" * 100_000))

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
    assert stage.facts(f"session#{session_id}") == []


# --- a recording's address ----------------------------------------------------------------------------


def address(letter: Told) -> str:
    """The part of a letter's address that is the recording's own."""
    return "/" + str(letter["url"]).rpartition("/")[2]


@pytest.fixture(scope="module")
def letters(stage: Stage, demo: Demo) -> list[Told]:
    """What VideoSDK told about the first recording of the demo."""
    return stage.letters(demo.recordings[0]["recordingId"])


def test_every_letter_that_comes_again_is_known(stage: Stage, demo: Demo, letters: list[Told]) -> None:
    recording_id = demo.recordings[0]["recordingId"]
    before = stage.api.events(recording_id)

    answers = [stage.deliver(letter["body"].encode(), address(letter)).json() for letter in letters]

    assert len(letters) == 4
    assert answers == [{"received": True, "news": False}] * 4
    assert stage.api.events(recording_id) == before


def test_a_letter_to_another_recordings_address_is_refused(
    stage: Stage, demo: Demo, letters: list[Told]
) -> None:
    other = stage.letters(demo.recordings[1]["recordingId"])
    before = stage.api.events(demo.recordings[1]["recordingId"])

    answer = stage.deliver(letters[-1]["body"].encode(), address(other[0]))

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_this_recording")
    assert stage.api.events(demo.recordings[1]["recordingId"]) == before


INVENTED: dict[str, Callable[[str], str]] = {
    "another tag": lambda known: known.replace(known[-40:], "0" * 40),
    "no tag": lambda known: known.partition(".")[0],
    "another recording's id": lambda known: "/rec-" + "0" * 32 + known[known.index(".") :],
    "no id": lambda _: "/x",
}


@pytest.mark.parametrize("invent", list(INVENTED.values()), ids=list(INVENTED))
def test_an_address_that_we_never_gave_is_nobodys(
    stage: Stage, letters: list[Told], invent: Callable[[str], str]
) -> None:
    answer = stage.deliver(letters[0]["body"].encode(), invent(address(letters[0])))

    assert answer.status_code in (403, 404)
    assert answer.json()["error"]["code"] in ("unknown_webhook_address", "not_this_recording")
