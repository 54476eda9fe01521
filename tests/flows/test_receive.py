"""A delivery becomes a fact, once, and only where it belongs."""

import pytest

from chalicelib.core import events as e
from chalicelib.core.errors import Mismatched, NotFound, TooLarge, Unavailable, Untrusted
from chalicelib.flows.receive import BODY_AT_MOST, receive_of_account, receive_of_recording
from chalicelib.ports import recording_subject, session_subject
from tests.builders import ODD, RID, ROOM, SESSION, STARTED, WHO, stopped
from tests.fakes import SIGNED, MemoryWorld
from tests.flows.stage import ABOUT, begun, facts, known, webhook

JOINED = e.ParticipantJoined(at=1, room_id=ROOM, participant_id=WHO, name="Anna")


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


def told(world: MemoryWorld, subject: str) -> list[e.Event]:
    """A subject's facts."""
    return list(world.ledger.read(subject))


def test_news_of_a_recording_is_written_once_and_durably(world: MemoryWorld) -> None:
    recording_id = begun(world)
    done = len(world.tape.done)

    assert webhook(world, recording_id, STARTED)

    assert world.tape.done[done:] == ["ledger.append RecordingStarted"]
    [heard] = known(world, recording_id).told(e.RecordingStarted)
    assert heard.at == world.clock


def test_a_repeat_is_no_news(world: MemoryWorld) -> None:
    recording_id = begun(world)
    webhook(world, recording_id, STARTED)
    before = told(world, recording_subject(recording_id))
    world.pass_time(60_000)

    assert not webhook(world, recording_id, STARTED)
    assert told(world, recording_subject(recording_id)) == before


def test_an_end_with_other_files_is_news(world: MemoryWorld) -> None:
    recording_id = begun(world)

    assert [webhook(world, recording_id, stopped(*files)) for files in (["a"], ["b"], ["a"])] == [
        True,
        True,
        False,
    ]


def test_news_may_come_before_the_start_has_its_answer(world: MemoryWorld) -> None:
    assert webhook(world, RID, STARTED)


@pytest.mark.parametrize(
    "token", ["", "x", RID, f"{RID}.", f"{RID}.{'0' * 64}", "../../etc/passwd", "é" * 99]
)
def test_a_wrong_address_costs_no_read_and_no_write(world: MemoryWorld, token: str) -> None:
    doors = ("post.hear", "ledger.read", "ledger.has", "ledger.append", "catalog.session", "recorder.listed")
    world.broken(*doors)

    with pytest.raises(NotFound, match="unknown_webhook_address"):
        receive_of_recording(world, token, b"{}", SIGNED)
    assert world.tape.done == []


@pytest.mark.parametrize("signature", [None, "", "signed by somebody"])
def test_what_videosdk_did_not_sign_is_not_written(world: MemoryWorld, signature: str | None) -> None:
    body = world.post.write(STARTED, ABOUT)

    with pytest.raises(Untrusted, match="bad_signature"):
        receive_of_recording(world, world.token(RID, ABOUT), body, signature)
    with pytest.raises(Untrusted, match="bad_signature"):
        receive_of_account(world, body, signature)
    assert world.tape.done == []


@pytest.mark.parametrize(
    "about", [("other-room", WHO, "audio"), (ROOM, "bela", "audio"), (ROOM, WHO, "video"), ("", "", "")]
)
def test_news_of_another_recording_is_refused_and_not_written(
    world: MemoryWorld, about: tuple[str, str, str]
) -> None:
    body = world.post.write(STARTED, about)

    with pytest.raises(Mismatched, match="not_this_recording"):
        receive_of_recording(world, world.token(RID, ABOUT), body, SIGNED)
    assert world.tape.done == []


def test_a_genuine_delivery_at_anothers_address_changes_nothing(world: MemoryWorld) -> None:
    body = world.post.write(STARTED, ABOUT)
    others = ("rec-" + "f" * 32, (ROOM, "bela", "audio"))

    with pytest.raises(Mismatched):
        receive_of_recording(world, world.token(*others), body, SIGNED)
    assert world.ledger.subjects() == []


def test_what_we_do_not_understand_is_kept(world: MemoryWorld) -> None:
    recording_id = begun(world)

    body = world.post.write(ODD)
    receive_of_recording(world, world.token(recording_id, ABOUT), body, SIGNED)

    assert "OddHeard" in facts(world, recording_id)


def test_a_body_of_the_largest_size_is_heard_and_a_larger_one_is_not(world: MemoryWorld) -> None:
    world.post.letters[b" " * BODY_AT_MOST] = world.post.letters[world.post.write(STARTED, ABOUT)]
    token = world.token(RID, ABOUT)

    assert receive_of_recording(world, token, b" " * BODY_AT_MOST, SIGNED)
    with pytest.raises(TooLarge, match="body_too_large"):
        receive_of_recording(world, token, b" " * (BODY_AT_MOST + 1), SIGNED)


@pytest.mark.parametrize("door", ["ledger.append", "post.hear"])
def test_without_a_durable_write_there_is_no_answer(world: MemoryWorld, door: str) -> None:
    body = world.post.write(STARTED, ABOUT)
    world.broken(door)

    with pytest.raises(Unavailable, match="down"):
        receive_of_recording(world, world.token(RID, ABOUT), body, SIGNED)

    world.broken()
    assert receive_of_recording(world, world.token(RID, ABOUT), body, SIGNED)


# --- the account's address ------------------------------------------------------------------------


def test_news_of_a_session_goes_to_the_session(world: MemoryWorld) -> None:
    body = world.post.write(JOINED, of_recording=False, session_id=SESSION)

    assert receive_of_account(world, body, SIGNED)
    assert not receive_of_account(world, body, SIGNED)
    assert [type(fact) for fact in told(world, session_subject(SESSION))] == [e.ParticipantJoined]


def test_news_of_a_recording_without_its_address_is_kept_as_odd(world: MemoryWorld) -> None:
    body = world.post.write(STARTED, ABOUT, session_id=SESSION)

    receive_of_account(world, body, SIGNED)

    [odd] = told(world, session_subject(SESSION))
    assert isinstance(odd, e.OddHeard)
    assert odd.webhook_type == "participant-track-recording-started"
    assert "without the recording's address" in odd.reason
    assert odd.body == body.decode()


def test_news_of_nothing_we_know_is_kept_by_its_day(world: MemoryWorld) -> None:
    body = world.post.write(ODD, of_recording=False, webhook_type="hls-started")

    receive_of_account(world, body, SIGNED)

    assert world.ledger.subjects() == ["deliveries#2025-06-15"]
