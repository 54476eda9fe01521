"""The doors of compositions: asking, looking, playing while it is made, calling off."""

import json
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from chalicelib import wiring
from chalicelib.core import events as e
from chalicelib.core.progress import Composition
from chalicelib.flows.compose import Run
from chalicelib.ports import composition_subject
from tests.routes.gateway import Answer, Gateway
from tests.routes.test_looking import unannounced

HERE = "/sessions/session-1/compositions"


@pytest.fixture
def composition_id(api: Gateway) -> str:
    """A composition that somebody asked for."""
    unannounced("session-1")
    return str(api.post(HERE, {"layout": "speaker"}).told["compositionId"])


def executions() -> list[dict[str, Any]]:
    """What the state machine was told to run."""
    client = boto3.client("stepfunctions")
    listed = client.list_executions(stateMachineArn=wiring.world().config.compositions)["executions"]
    return [client.describe_execution(executionArn=told["executionArn"]) for told in listed]


def rendered(composition_id: str, *numbers: int) -> Run:
    """Some of its chunks are there."""
    world = wiring.world()
    subject = composition_subject(composition_id)
    run = Run.of("session-1", Composition.of(composition_id, world.ledger.read(subject)))
    for number in numbers:
        key = f"{run.folder}/chunk-{number:05d}-0123456789abcdef.m4s"
        world.shelf.put(key, b"a chunk", "video/mp4")
        fact = e.ChunkRendered(
            at=world.now(), run=1, number=number, key=key, bytes=7, frames=135, billed_ms=900, memory_mb=1769
        )
        world.ledger.append(subject, fact)
    return run


def played(api: Gateway, url: str, name: str | None = None) -> Answer:
    """What a player gets, which has nothing but the address."""
    path = urlsplit(url).path
    path = path[path.index("/sessions/") :]
    return api.get(path if name is None else f"{path.rpartition('/')[0]}/{name}", by=None)


def test_what_is_asked_for_is_begun_once(api: Gateway, composition_id: str) -> None:
    again = api.post(HERE, {"layout": "speaker", "width": 1280})

    assert again.status == 202
    assert again.told["compositionId"] == composition_id
    [begun] = [told for told in executions() if told["name"].startswith(composition_id)]
    assert json.loads(begun["input"]) == {
        "sessionId": "session-1",
        "compositionId": composition_id,
        "run": 1,
        "folder": f"sessions/session-1/compositions/{composition_id}",
    }


def test_a_sessions_compositions_are_listed(api: Gateway, composition_id: str) -> None:
    other = api.post(HERE, {"layout": "single"}).told["compositionId"]

    told = api.get(HERE)

    assert told.status == 200
    assert {one["compositionId"] for one in told.told["compositions"]} == {composition_id, other}
    assert api.get(f"{HERE}/{other}").told in told.told["compositions"]
    assert api.get("/sessions/another/compositions").told == {"compositions": []}


def test_it_is_told_how_far_it_is(api: Gateway, composition_id: str) -> None:
    before = api.get(f"{HERE}/{composition_id}").told
    rendered(composition_id, 1)
    after = api.get(f"{HERE}/{composition_id}").told

    assert (before["phase"], before["chunks"], before["urls"]) == ("requested", {"done": 0, "all": None}, {})
    assert before["request"]["layout"] == "speaker"
    assert (after["phase"], after["chunks"]["done"]) == ("rendering", 1)
    assert after["dollars"] > before["dollars"] == 0


def test_it_is_played_while_it_is_made_by_who_has_its_address(api: Gateway, composition_id: str) -> None:
    run = rendered(composition_id, 1)
    url = api.get(f"{HERE}/{composition_id}").told["urls"]["hls"]

    playlist = played(api, url)
    [name] = [line for line in playlist.body.splitlines() if not line.startswith("#")]
    chunk = played(api, url, name)

    assert playlist.status == 200
    assert playlist.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert playlist.headers["Cache-Control"] == "no-store"
    assert chunk.status == 302
    assert urlsplit(chunk.headers["Location"]).path.endswith(f"{run.folder}/{name}")
    assert chunk.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["sheet.jsonl", "master.m3u8", "chunk-00002-0123456789abcdef.m4s", "%2e%2e"])
def test_an_address_opens_nothing_else(api: Gateway, composition_id: str, name: str) -> None:
    rendered(composition_id, 1)
    url = api.get(f"{HERE}/{composition_id}").told["urls"]["hls"]

    assert played(api, url, name).refusal == (404, "stream_not_found", None)
    assert played(api, url.replace("/video", "0/video")).refusal[0] == 404
    spoilt = urlsplit(url).path.replace(composition_id, f"comp-{'0' * 32}")
    assert played(api, spoilt).refusal == (404, "stream_not_found", None)


def test_what_is_called_off_stops_and_leaves_nothing(api: Gateway, composition_id: str) -> None:
    run = rendered(composition_id, 1, 2)

    told = [api("DELETE", f"{HERE}/{composition_id}") for _ in range(2)]

    assert [answer.status for answer in told] == [200, 200]
    assert told[0].told["phase"] == "cancelled"
    assert told[0].told["urls"] == {}
    assert list(wiring.world().shelf.under(run.folder)) == []
    [stopped] = [found for found in executions() if found["name"].startswith(composition_id)]
    assert stopped["status"] == "ABORTED"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"layout": "pile"}, "invalid_layout", "layout"),
        ({"width": 1281}, "invalid_width", "width"),
        ({"frameRate": 29}, "invalid_frame_rate", "frameRate"),
        ({"range": {"start": 9_000}}, "invalid_range", "range"),
        ({"participants": ["bob"]}, "unknown_participant", "participants[0]"),
        ({"formats": ["avi"]}, "invalid_formats", "formats"),
        ({"background": "red"}, "invalid_background", "background"),
        ({"music": True}, "unknown_field", "music"),
        ({"layout": {"regions": [{"x": 0, "y": 0, "width": 101, "height": 1}]}}, "invalid_layout", None),
    ],
)
def test_each_refusal_names_its_field(api: Gateway, body: Any, code: str, field: str | None) -> None:
    unannounced("session-1")
    answer = api.post(HERE, body)

    assert answer.refusal[:2] == (400, code)
    assert field in (None, answer.refusal[2])


def test_there_is_nothing_where_nobody_asked(api: Gateway) -> None:
    nobodys = f"{HERE}/comp-{'0' * 32}"

    assert api.post(HERE).refusal == (404, "session_not_found", None)
    assert api.get(nobodys).refusal == (404, "composition_not_found", None)
    assert api("DELETE", nobodys).refusal == (404, "composition_not_found", None)
    assert api.get(f"{HERE}/comp-1").refusal == (400, "invalid_composition_id", "compositionId")
