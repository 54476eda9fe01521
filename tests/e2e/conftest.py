"""The running stack, and the demo's meeting played through it once for all who look at what came of it."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from local import stack as standing
from local.demo.script import PEOPLE, SCRIPT
from local.videosdk import Meeting
from tests.browser import overheard
from tests.e2e.stage import Stage, Told, until
from tests.e2e.visit import Visit, Visits, session


@pytest.fixture(scope="session")
def stack() -> Iterator[Told]:
    """Where the stack stands. One that was up before stays up."""
    was_up = standing.read() is not None
    yield standing.up()
    if not was_up:
        standing.down()


@pytest.fixture(scope="session")
def stage(stack: Told) -> Iterator[Stage]:
    """Whatever the tests do here, no work may be given up but what they take out themselves."""
    stage = Stage(stack)
    before = stage.waiting("deadLetterQueue")
    yield stage
    assert stage.waiting("deadLetterQueue") == before


@pytest.fixture(scope="session")
def new() -> Callable[[str], str]:
    """Names that nothing in the stack has yet, also where it has seen these tests before."""
    run, count = int(time.time()), itertools.count(1)
    return lambda what: f"{what}-{run}-{next(count)}"


# --- what other systems are told ----------------------------------------------------------------------


@pytest.fixture(scope="session")
def rung(stage: Stage, new: Callable[[str], str]) -> Iterator[Callable[[str], list[Told]]]:
    """What was rung on EventBridge about a session; begun before anything is."""
    name, events = new("ready"), stage.client("events")
    queue = stage.sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = stage.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    pattern = {"source": ["tracklane"], "detail-type": ["Session Ready"]}
    rule = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    stage.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(_may_send(arn, rule))})
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    heard: list[Told] = []

    def about(session_id: str) -> list[Told]:
        while messages := stage.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            heard.extend(json.loads(message["Body"])["detail"] for message in messages)
            for message in messages:
                stage.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [told for told in heard if told["sessionId"] == session_id]

    yield about
    events.remove_targets(Rule=name, Ids=["queue"])
    events.delete_rule(Name=name)
    stage.sqs.delete_queue(QueueUrl=queue)


def _may_send(queue: str, rule: str) -> Told:
    right = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    return {"Version": "2012-10-17", "Statement": [right]}


# --- the demo's meeting -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Demo:
    """The demo's meeting when all is done: what the simulation did, and what we tell of it."""

    room: Told
    recordings: list[Told]
    manifest: Told

    @property
    def session_id(self) -> str:
        """Its session."""
        return str(self.manifest["sessionId"])

    @property
    def files(self) -> dict[str, Told]:
        """What VideoSDK delivered, by key."""
        return {file["key"]: file for recording in self.room["recordings"] for file in recording["files"]}

    @property
    def tracks(self) -> list[Told]:
        """All tracks of the manifest."""
        return [track for person in self.manifest["participants"] for track in person["tracks"]]

    @property
    def segments(self) -> dict[str, Told]:
        """All segments of the manifest, by key."""
        return {segment["key"]: segment for track in self.tracks for segment in track["segments"]}

    def artifacts(self, product: str) -> list[Told]:
        """What was made of one sort."""
        return [made for made in self.manifest["artifacts"] if made["product"] == product]


@pytest.fixture(scope="session")
def demo(stage: Stage, rung: Any, new: Callable[[str], str]) -> Demo:
    """Three people, forty seconds, ten recordings; played once."""
    assert rung
    room_id = new("demo")
    meeting = stage.meeting(room_id)
    recording_ids = _played(stage, meeting, room_id)
    recordings = [until("a verdict", partial(stage.api.settled, known)) for known in recording_ids]
    session_id = meeting.session_id
    until("the session's verdict", lambda: stage.line(room_id).get("complete"))
    manifest = until("all products", lambda: _finished(stage.api.get(f"/sessions/{session_id}")))
    room = meeting.seen()
    meeting.close()
    return Demo(room, recordings, manifest)


def _played(stage: Stage, meeting: Meeting, room_id: str) -> list[str]:
    """Play the demo's script, as fast as the stack answers; the recordings that were begun."""
    recording_ids: list[str] = []
    meeting.hold()
    meeting.webhook(f"{stage.told['api']}/webhooks/videosdk")
    now_ms = 0
    for cue in SCRIPT:
        meeting.advance(cue.at_ms - now_ms)
        now_ms = cue.at_ms
        track = {"roomId": room_id, "participantId": cue.who, "kinds": list(cue.kinds)}
        match cue.does:
            case "join":
                meeting.join(cue.who, PEOPLE[cue.who])
            case "leave":
                meeting.leave(cue.who)
            case "unmute":
                meeting.unmute(cue.who, *cue.kinds)
            case "mute":
                meeting.mute(cue.who, *cue.kinds)
            case "record":
                begun = stage.api.post("/recordings/start", track)["recordings"]
                recording_ids += [recording["recordingId"] for recording in begun]
            case "stop":
                stage.api.post("/recordings/stop", track)
    meeting.end()
    return recording_ids


def _finished(manifest: Told) -> Told | None:
    """The manifest once no product is awaited; the verdict does not wait for them."""
    return None if any(row["state"] == "pending" for row in manifest["products"]) else manifest


@pytest.fixture
def visits(browser: Browser, stage: Stage) -> Iterator[Visits]:
    """Whatever a browser complains of fails the test, but for what is expected of it."""
    opened: list[tuple[Visit, str]] = []

    def begin(expected: str = "") -> Visit:
        asked: list[str] = []
        complaints: list[str] = []
        page = overheard(browser, 1280, 1400, asked, complaints)
        visit = Visit(page, stage.told["page"].partition("#")[0], asked, complaints)
        opened.append((visit, expected))
        return visit

    yield begin
    for visit, expected in opened:
        visit.page.context.close()
        assert [told for told in visit.complaints if not expected or expected not in told] == []
        hosts = {urlsplit(url).hostname for url in visit.asked if url.startswith("http")}
        assert hosts == {urlsplit(visit.base).hostname}


@pytest.fixture
def shown(visits: Visits, stage: Stage, demo: Demo) -> Page:
    """The demo's session, opened by somebody with a token."""
    return session(visits(), stage, demo.session_id)
