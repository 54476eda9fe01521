"""Our wall and the simulated VideoSDK, each written from the documents alone, understand each other."""

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.adapters.videosdk.api import Api, Clock, Limits
from chalicelib.adapters.videosdk.post import SignedPost
from chalicelib.adapters.videosdk.signature import Signature
from chalicelib.core import events as e
from chalicelib.ports import Accepted, Declined, Outcome, Presence, Unconfirmed
from local.videosdk import Meeting, Simulation
from tests.adapters import vendor as v
from tests.simulation.stage import API_KEY, NOW, SECRET, Bucket, Ear

SIGNER = v.Signer()
ROOM = "room-1"


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def ear(bucket: Bucket) -> Iterator[Ear]:
    ear = Ear(bucket)
    yield ear
    ear.close()


@pytest.fixture
def sim(bucket: Bucket) -> Iterator[Simulation]:
    with Simulation(API_KEY, SECRET, SIGNER.key, storage=bucket.put, now=lambda: NOW) as sim:
        yield sim


@pytest.fixture
def meeting(sim: Simulation) -> Iterator[Meeting]:
    meeting = Meeting(sim.url, ROOM)
    meeting.hold()
    yield meeting
    meeting.close()


@pytest.fixture
def api(sim: Simulation) -> Api:
    # The simulation checks a token's time by the wall clock; only waiting is not done for real.
    return Api(
        sim.url, lambda: (API_KEY, SECRET), limits=Limits(command_s=1.0), clock=Clock(sleep=lambda _: None)
    )


def start(api: Api, who: str, kind: str = "audio", url: str = "http://127.0.0.1:9/") -> Outcome:
    return api.start(ROOM, who, kind, webhook_url=url, bucket_dir_path="rec/rec-1")


def test_a_recording_is_started_stopped_and_listed(api: Api, meeting: Meeting, bucket: Bucket) -> None:
    session_id = meeting.join("ann", "Ann")

    assert start(api, "ann") == Accepted()
    meeting.unmute("ann", "audio")
    [running] = api.listed(ROOM, participant_id="ann")
    assert (running.session_id, running.kind, running.end_at) == (session_id, "audio", None)

    meeting.advance(2_000)
    assert api.stop(ROOM, "ann", "audio") == Accepted()
    assert meeting.settle()
    [ended] = api.listed(ROOM, session_id=session_id)
    assert ended.end_at == ended.start_at + 2_000
    assert [path.rpartition("/")[2] for path in ended.files] == [key.rpartition("/")[2] for key in bucket]


def test_refusals_are_known_by_their_words(api: Api, meeting: Meeting) -> None:
    def code(said: Outcome) -> str:
        assert isinstance(said, Declined)
        return said.code

    assert (
        code(api.start("nowhere", "ann", "audio", webhook_url="x", bucket_dir_path="y")) == "room_not_found"
    )
    meeting.join("ann")
    assert code(start(api, "bob")) == "participant_not_joined"
    assert code(api.stop(ROOM, "ann", "audio")) == "not_started"
    assert code(start(api, "ann", "smell")) == "videosdk_refused"
    meeting.end()
    assert code(start(api, "ann")) == "no_active_session"


def test_wrong_credentials_are_known(sim: Simulation, meeting: Meeting) -> None:
    meeting.join("ann")
    said = start(Api(sim.url, lambda: (API_KEY, SECRET + "-old")), "ann")

    assert isinstance(said, Declined)
    assert said.code == "videosdk_unauthorized"


FAULTS: list[tuple[dict[str, Any], type[Outcome], int]] = [
    ({"fault": "lose_answer", "call": "start"}, Unconfirmed, 1),
    ({"fault": "slow", "call": "start", "ms": 3000}, Unconfirmed, 1),
    ({"fault": "drip", "call": "start", "ms": 200}, Unconfirmed, 1),
    ({"fault": "server_error", "call": "start", "done": True}, Unconfirmed, 1),
    ({"fault": "server_error", "call": "start", "done": False}, Unconfirmed, 0),
    ({"fault": "rate_limit", "call": "start"}, Accepted, 1),
    ({"fault": "server_error", "call": "list", "times": 2}, Accepted, 1),
    ({"fault": "rate_limit", "call": "list"}, Accepted, 1),
]


@pytest.mark.parametrize(("fault", "said", "running"), FAULTS, ids=[str(fault[0]) for fault in FAULTS])
def test_whatever_becomes_of_an_answer_nothing_is_started_twice(
    fault: dict[str, Any], said: type[Outcome], running: int, sim: Simulation, meeting: Meeting, api: Api
) -> None:
    meeting.join("ann")
    sim.faults.arm(fault)

    assert isinstance(start(api, "ann"), said)
    assert len(list(api.listed(ROOM))) == running


def test_the_list_is_read_over_its_pages(api: Api, meeting: Meeting) -> None:
    meeting.join("ann")
    for _ in range(23):
        start(api, "ann")
        meeting.advance(1_000)
        api.stop(ROOM, "ann", "audio")

    assert len({listed.listed_id for listed in api.listed(ROOM)}) == 23


def test_who_was_there_and_when(api: Api, meeting: Meeting) -> None:
    session_id = meeting.join("ann", "Ann")
    meeting.advance(1_000)
    meeting.leave("ann")
    meeting.advance(1_000)
    meeting.join("ann", "Ann")

    assert api.presences(session_id) == [
        Presence("ann", "Ann", NOW, NOW + 1_000),
        Presence("ann", "Ann", NOW + 2_000, None),
    ]


def test_its_webhooks_are_believed_and_understood(
    sim: Simulation, api: Api, meeting: Meeting, ear: Ear, bucket: Bucket
) -> None:
    meeting.webhook(ear.url)
    session_id = meeting.join("ann", "Ann")
    start(api, "ann", url=ear.url)
    meeting.unmute("ann", "audio")
    meeting.advance(2_000)
    meeting.leave("ann")
    meeting.end()
    assert meeting.settle()

    post = SignedPost(Signature(sim.url))
    facts = [post.hear(told.body, told.signature, 7).fact for told in ear.heard]

    assert not [fact for fact in facts if isinstance(fact, e.OddHeard)]
    assert {type(fact) for fact in facts} >= {
        e.SessionStarted,
        e.ParticipantJoined,
        e.RecordingStarting,
        e.RecordingStarted,
        e.RecordingStopped,
        e.ParticipantLeft,
        e.SessionEnded,
    }
    [stopped] = [fact for fact in facts if isinstance(fact, e.RecordingStopped)]
    assert stopped.session_id == session_id
    assert [path.rpartition("/")[2] for path in stopped.files] == [key.rpartition("/")[2] for key in bucket]
