"""The doors as clients find them: who may come in, what is served, and what a repeated request does."""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urljoin

import jwt
import pytest
import requests

from chalicelib.routes import openapi
from local.stack import ROOT
from local.videosdk import Meeting
from tests.e2e.stage import TIMEOUT_S, Sitting, Stage, until

pytestmark = pytest.mark.e2e

type New = Callable[[str], str]

# --- who may come in ----------------------------------------------------------------------------------

GUARDED = [
    ("POST", "/recordings/start"),
    ("POST", "/recordings/stop"),
    ("GET", "/recordings"),
    ("GET", "/recordings/{recordingId}"),
    ("GET", "/recordings/{recordingId}/events"),
    ("GET", "/sessions"),
    ("GET", "/sessions/{sessionId}"),
    ("POST", "/sessions/{sessionId}/finish"),
    ("POST", "/sessions/{sessionId}/corrections"),
    ("POST", "/sessions/{sessionId}/addresses"),
    ("POST", "/sessions/{sessionId}/shares"),
    ("GET", "/sessions/{sessionId}/shares"),
    ("DELETE", "/sessions/{sessionId}/shares/{shareId}"),
    ("POST", "/sessions/{sessionId}/compositions"),
    ("GET", "/sessions/{sessionId}/compositions"),
    ("GET", "/sessions/{sessionId}/compositions/{compositionId}"),
    ("DELETE", "/sessions/{sessionId}/compositions/{compositionId}"),
]


@pytest.fixture(scope="module")
def secret(stage: Stage) -> str:
    """What the apps' tokens are signed with."""
    name = stage.resource("AppTokenSecret")
    return str(stage.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])


def token(secret: str, algorithm: str = "HS256", **claims: Any) -> str:
    """A good token but for what is given."""
    now = int(time.time())
    good = {"sub": "an-app", "aud": "tracklane", "iat": now, "exp": now + 60}
    return jwt.encode(good | claims, secret, algorithm)


# Only what API Gateway has to do with: it asks the authorizer, whose own tests know every bad token.
BAD: dict[str, Callable[[str], str]] = {
    "another's secret": lambda _: token("x" * 64),
    "no algorithm": lambda _: token("", "none"),
    "expired": lambda secret: token(secret, exp=int(time.time()) - 60),
}


def test_the_document_says_which_doors_are_guarded(stage: Stage) -> None:
    assert sorted(stage.api.document.guarded) == sorted(GUARDED)


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_no_guarded_door_opens_without_a_token(stage: Stage, method: str, path: str) -> None:
    answer = stage.api(method, re.sub(r"{\w+}", "x", path), headers={})

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("bad", list(BAD.values()), ids=list(BAD))
def test_a_bad_token_opens_no_door(stage: Stage, secret: str, bad: Callable[[str], str]) -> None:
    answer = stage.api("GET", "/recordings", headers={"Authorization": f"Bearer {bad(secret)}"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")


def test_a_good_token_does(stage: Stage, secret: str) -> None:
    bearer = {"Authorization": f"Bearer {token(secret)}"}

    assert stage.api("GET", "/recordings", headers=bearer).status_code == 200


NOWHERE = ("/nowhere", "/recordings/x/y", "/webhooks", "/sessions/x/finish/now")


@pytest.mark.parametrize("path", NOWHERE)
def test_where_there_is_no_door_the_answer_has_our_shape(stage: Stage, path: str) -> None:
    answer = requests.get(stage.told["api"] + path, timeout=TIMEOUT_S)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert answer.json()["error"].keys() == {"code", "message", "field", "expected"}


# --- what is served -----------------------------------------------------------------------------------


def test_the_document_is_served_as_it_stands_in_the_package(stage: Stage) -> None:
    assert stage.api.document.told == json.loads(openapi.document())


def test_the_page_comes_with_all_that_it_loads(stage: Stage) -> None:
    base = f"{stage.told['api']}/"
    page = requests.get(base, timeout=TIMEOUT_S)
    asked = {urljoin(base, name) for name in re.findall(r'(?:src|href)="(web/[^"]+)"', page.text)}
    served: dict[str, requests.Response] = {}

    while missing := asked - served.keys():
        for url in missing:
            served[url] = requests.get(url, timeout=TIMEOUT_S)
            asked |= {
                urljoin(url, name) for name in re.findall(r'(?:from |import\()"(\./[^"]+)"', served[url].text)
            }

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert {url.rpartition("/")[2] for url in served} == {
        path.name
        for path in (ROOT / "chalicelib/web").rglob("*.*")
        if path.suffix in (".css", ".js", ".mjs", ".svg")
    }
    assert {answer.status_code for answer in served.values()} == {200}
    assert {"immutable" in answer.headers["Cache-Control"] for answer in served.values()} == {True}


def test_a_page_of_another_host_may_read_parts_of_the_outputs(stage: Stage, new: New) -> None:
    session_id = new("session")
    key = f"sessions/{session_id}/ann/audio/repaired-1-0f.webm"
    stage.client("s3").put_object(Bucket=stage.told["outputBucket"], Key=key, Body=b"0123456789")
    url = stage.api.post(f"/sessions/{session_id}/addresses", {"keys": [key]})["addresses"][key]
    origin = {"Origin": "https://abc123.execute-api.eu-central-1.amazonaws.com"}
    ask = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}

    part = requests.get(url, headers={**origin, "Range": "bytes=2-4"}, timeout=TIMEOUT_S)
    before = requests.options(url, headers={**origin, **ask}, timeout=TIMEOUT_S)

    assert (part.status_code, part.content) == (206, b"234")
    assert part.headers["Access-Control-Allow-Origin"] in ("*", origin["Origin"])
    assert "Content-Range" in part.headers["Access-Control-Expose-Headers"]
    assert before.ok
    assert before.headers["Access-Control-Allow-Headers"].lower() == "range"


def test_requests_reach_us(stage: Stage) -> None:
    assert requests.get(f"{stage.told['api']}/health", timeout=TIMEOUT_S).json() == {"status": "ok"}


# --- what a request does ------------------------------------------------------------------------------


@pytest.fixture
def room(stage: Stage, new: New) -> Iterator[Meeting]:
    """A room with ann in it."""
    meeting = stage.meeting(new("room"))
    meeting.join("ann")
    yield meeting
    meeting.end()
    meeting.close()


def test_a_repeated_request_begins_one_recording(stage: Stage, room: Meeting, new: New) -> None:
    asked, key = {"roomId": room.room_id, "participantId": "ann", "kind": "audio"}, new("key")

    first, second = (stage.api.post("/recordings/start", asked, **{"Idempotency-Key": key}) for _ in range(2))

    assert first == second
    assert len(room.seen()["recordings"]) == 1


def test_a_key_with_another_body_is_refused(stage: Stage, room: Meeting, new: New) -> None:
    asked, key = {"roomId": room.room_id, "participantId": "ann", "kind": "audio"}, new("key")
    headers = {"Authorization": f"Bearer {stage.told['token']}", "Idempotency-Key": key}
    stage.api("POST", "/recordings/start", json=asked, headers=headers)

    answer = stage.api("POST", "/recordings/start", json=asked | {"kind": "video"}, headers=headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert [recording["kind"] for recording in room.seen()["recordings"]] == ["audio"]


def test_a_room_that_videosdk_does_not_know_is_not_found(stage: Stage, new: New) -> None:
    asked = {"roomId": new("nowhere"), "participantId": "ann", "kind": "audio"}

    answer = stage.api("POST", "/recordings/start", json=asked)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "room_not_found")


def test_stopping_what_has_stopped_succeeds(stage: Stage, new: New) -> None:
    over = Sitting.held(stage, new("room"), "ann")

    (told,) = stage.api.post("/recordings/stop", {"recordingId": over.recording_id})["recordings"]

    assert told["phase"] in ("stopping", "stopped", "done")


def test_a_session_can_be_finished_while_it_goes_on(stage: Stage, room: Meeting) -> None:
    asked = {"roomId": room.room_id, "participantId": "ann", "kind": "audio"}
    stage.api.post("/recordings/start", asked)
    room.hold()
    room.unmute("ann", "audio")
    room.advance(1_500)
    room.mute("ann", "audio")

    until("its first file", lambda: stage.line(room.room_id).get("durationMs"))
    assert stage.line(room.room_id)["manifestKey"] is None

    stage.api.post(f"/sessions/{room.session_id}/finish")
    until("its manifest", lambda: stage.line(room.room_id)["manifestKey"])

    told = stage.line(room.room_id)
    assert (told["settled"], told["complete"]) == (False, False)
    manifest = json.load(
        stage.s3.get_object(Bucket=stage.told["outputBucket"], Key=told["manifestKey"])["Body"]
    )
    assert [finding["reason"] for finding in manifest["verdict"]["missing"]] == ["still_open"]
    assert "repaired" in [made["product"] for made in manifest["artifacts"]]
