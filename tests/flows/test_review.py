"""What people and their programs may see."""

import pytest

from chalicelib.core import events as e
from chalicelib.core import ids
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.ids import Kind
from chalicelib.flows import review
from chalicelib.flows.ingest import ingest
from chalicelib.flows.record import Wanted, start
from chalicelib.ports import Filter
from tests.builders import RID, ROOM, SESSION, WHO, stopped
from tests.fakes import MemoryWorld, film
from tests.flows.stage import ALL, FILE, URL, begun, deliver, key_of, until_quiet, webhook


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


def test_a_recordings_facts_are_paged_in_the_order_of_hearing(world: MemoryWorld) -> None:
    recording_id = begun(world)
    for number in range(5):
        world.pass_time(1)
        webhook(world, recording_id, stopped(f"{number}.webm"))

    first = review.events(world, recording_id, limit=3, cursor=0)
    rest = review.events(world, recording_id, limit=4, cursor=int(first["cursor"]))

    told = [*first["events"], *rest["events"]]
    assert [fact["type"] for fact in told] == ["RecordingRequested", "StartAccepted"] + [
        "RecordingStopped"
    ] * 5
    assert [fact["files"] for fact in told[2:]] == [(f"/a/path/{n}.webm",) for n in range(5)]
    assert rest["cursor"] is None


def test_nobody_ever_spoke_of_it(world: MemoryWorld) -> None:
    with pytest.raises(NotFound, match="recording_not_found"):
        review.recording(world, RID)
    with pytest.raises(NotFound, match="recording_not_found"):
        review.events(world, RID, 10, 0)
    with pytest.raises(NotFound, match="session_not_found"):
        review.session(world, SESSION, 0, with_addresses=True)
    with pytest.raises(NotFound, match="session_not_found"):
        review.finish_session(world, SESSION, (), "app")


def test_every_file_of_a_session_has_an_address(world: MemoryWorld) -> None:
    recording_id = begun(world, Wanted(ROOM, WHO, (Kind.VIDEO,)))
    deliver(world, key_of(recording_id, FILE.replace("audio", "video"), kind="video"), film(kind="video"))
    until_quiet(world)

    told = review.session(world, SESSION, 0, with_addresses=True)

    assert [a["product"] for a in told["artifacts"]] == ["repaired", "poster"]
    assert all(a["url"].startswith("https://shelf.invalid/sessions/") for a in told["artifacts"])


def test_lists_are_told_as_pages(world: MemoryWorld) -> None:
    started = [r["recordingId"] for r in start(world, ALL, "app", URL)["recordings"]]

    first = review.recordings(world, Filter(room_id=ROOM), 3, None)
    rest = review.recordings(world, Filter(room_id=ROOM), 3, first["cursor"])

    assert sorted(r["recordingId"] for r in [*first["recordings"], *rest["recordings"]]) == sorted(started)
    assert rest["cursor"] is None


def test_a_session_is_listed_by_its_room(world: MemoryWorld) -> None:
    recording_id = begun(world)
    deliver(world, key_of(recording_id))
    until_quiet(world)

    [told] = review.sessions(world, ROOM, None, 10, None)["sessions"]

    assert (told["sessionId"], told["participants"], told["settled"]) == (SESSION, 1, False)
    assert review.sessions(world, "another-room", None, 10, None)["sessions"] == []


def test_a_session_is_listed_by_who_was_recorded_with_their_names(world: MemoryWorld) -> None:
    recording_id = begun(world)
    joined = e.ParticipantJoined(at=1, room_id=ROOM, participant_id=WHO, name="Anna " * 20)
    world.ledger.append(f"session#{SESSION}", joined)
    deliver(world, key_of(recording_id))
    until_quiet(world)

    [told] = review.sessions(world, None, WHO, 10, None)["sessions"]

    assert told["people"] == [("Anna " * 20)[:60]]
    assert review.sessions(world, ROOM, "somebody", 10, None)["sessions"] == []


def test_a_name_that_becomes_known_later_is_listed(world: MemoryWorld) -> None:
    recording_id = begun(world)
    deliver(world, key_of(recording_id))
    until_quiet(world)
    before = review.sessions(world, None, None, 10, None)["sessions"]

    joined = e.ParticipantJoined(at=1, room_id=ROOM, participant_id=WHO, name="Anna")
    world.ledger.append(f"session#{SESSION}", joined)
    until_quiet(world)

    assert [line["people"] for line in before] == [[WHO]]
    assert [line["people"] for line in review.sessions(world, None, None, 10, None)["sessions"]] == [["Anna"]]


def test_a_session_is_live_until_its_last_recording_has_ended(world: MemoryWorld) -> None:
    recording_id = begun(world)
    deliver(world, key_of(recording_id))
    until_quiet(world)

    def is_live() -> list[bool]:
        return [line["live"] for line in review.sessions(world, None, None, 10, None)["sessions"]]

    before = is_live()
    webhook(world, recording_id, stopped(FILE))
    until_quiet(world)

    assert (before, is_live()) == ([True], [False])


def test_addresses_are_given_for_what_lies_below_the_session_and_nothing_is_read(world: MemoryWorld) -> None:
    key = f"sessions/{SESSION}/anna/audio/repaired-1-0f.webm"
    world.broken("ledger.read")

    told = review.addresses(world, SESSION, [key])

    assert told == {"addresses": {key: world.shelf.url(key)}, "expiresAt": world.now() + 900_000}
    with pytest.raises(Invalid, match="sessions/another/a"):
        review.addresses(world, SESSION, [key, "sessions/another/a.webm"])


def test_files_to_save_have_names_and_what_no_manifest_names_has_its_keys(world: MemoryWorld) -> None:
    deliver(world, key_of(begun(world)))
    until_quiet(world)
    [made] = review.session(world, SESSION, 0, with_addresses=False)["artifacts"]
    beside = ids.index_key(made["key"])

    told = review.addresses(world, SESSION, [made["key"], beside], download=True)["addresses"]

    assert told == {
        made["key"]: world.shelf.url(made["key"], made["fileName"]),
        beside: world.shelf.url(beside, ids.file_name(beside)),
    }
    with pytest.raises(NotFound, match="session_not_found"):
        review.addresses(world, "another", ["sessions/another/a.webm"], download=True)


def test_names_are_those_of_the_last_manifest_and_no_recording_is_read(world: MemoryWorld) -> None:
    deliver(world, key_of(begun(world)))
    until_quiet(world)
    review.finish_session(world, SESSION, (), "app")
    until_quiet(world)
    [made, *_] = review.session(world, SESSION, 0, with_addresses=False)["artifacts"]
    world.broken("ledger.read")

    told = review.addresses(world, SESSION, [made["key"]], download=True)["addresses"]

    assert told == {made["key"]: world.shelf.url(made["key"], made["fileName"])}


def test_what_came_after_the_last_manifest_has_its_name_too(world: MemoryWorld) -> None:
    recording_id = begun(world)
    deliver(world, key_of(recording_id))
    until_quiet(world)
    review.finish_session(world, SESSION, (), "app")
    until_quiet(world)
    world.pass_time(1)
    deliver(world, key_of(recording_id, "audio_1750000099000.webm"))
    ingest(world, world.work.objects.popleft())
    told = review.session(world, SESSION, 0, with_addresses=False)["artifacts"]
    named = {artifact["key"]: artifact["fileName"] for artifact in told}

    given = review.addresses(world, SESSION, list(named), download=True)["addresses"]

    assert given == {key: world.shelf.url(key, name) for key, name in named.items()}


def test_finishing_is_a_fact_with_its_author(world: MemoryWorld) -> None:
    recording_id = begun(world)
    deliver(world, key_of(recording_id))
    until_quiet(world)

    assert review.finish_session(world, SESSION, (), "app")["finishing"]

    facts = world.ledger.read(f"session#{SESSION}")
    assert [(type(fact), getattr(fact, "by", None)) for fact in facts] == [(e.FinishRequested, "app")]
    assert WHO in str(review.session(world, SESSION, 0, with_addresses=True))
