"""A catalog keeps recordings apart, never goes back, and finds each thing exactly once."""

from collections.abc import Callable
from dataclasses import asdict, replace
from threading import Barrier, Thread
from typing import Any

import pytest

from chalicelib.core.errors import Invalid
from chalicelib.core.heads import RecordingHead, SessionHead
from chalicelib.core.ids import Kind
from chalicelib.ports import Claim, Filter, Making, Opening, Page, Taken, recording_subject
from tests.builders import ASKED, ROOM, WHO
from tests.contracts.conftest import BOTH, Aws, Store, a_store

DAY_MS = 86_400_000


def rid(number: int) -> str:
    """An id."""
    return f"rec-{number:032x}"


def opening(number: int, kind: Kind = Kind.AUDIO, over: int | None = None, at: int = 1) -> Opening:
    """A recording about to begin."""
    asked = replace(ASKED, kind=kind, at=at)
    return Opening(rid(number), asked, None if over is None else rid(over))


def claim(*numbers: int, key: str = "k", body: str = "b", at: int = 1, owner: str = "app") -> Claim:
    """A first use of a key."""
    return Claim(at, owner, key, body, tuple(rid(number) for number in numbers))


# --- opening --------------------------------------------------------------------------------------


def test_an_opening_writes_intent_head_and_slot_at_once(store: Store) -> None:
    assert store.catalog.open([opening(1)], None) is None

    assert store.ledger.read(recording_subject(rid(1))) == (ASKED,)
    assert store.catalog.holder(ROOM, WHO, "audio") == rid(1)
    [head] = store.catalog.recordings(Filter(), 10, None).items
    assert (head.recording_id, head.phase, head.settled, head.known) == (rid(1), "requested", False, 1)
    assert [head.recording_id for head in store.catalog.unsettled(10, None).items] == [rid(1)]


def test_an_empty_slot_has_no_holder(store: Store) -> None:
    store.catalog.open([opening(1)], None)

    assert store.catalog.holder(ROOM, WHO, "video") is None
    assert store.catalog.holder("other", WHO, "audio") is None


def test_a_taken_slot_tells_its_holder(store: Store) -> None:
    store.catalog.open([opening(1)], None)

    assert store.catalog.open([opening(2)], None) == Taken({rid(2): rid(1)}, None)
    assert store.catalog.holder(ROOM, WHO, "audio") == rid(1)


def test_all_slots_are_taken_or_none(store: Store) -> None:
    store.catalog.open([opening(1, Kind.VIDEO)], None)

    taken = store.catalog.open([opening(2), opening(3, Kind.VIDEO), opening(4, Kind.SCREEN_AUDIO)], claim(2))

    assert taken == Taken({rid(3): rid(1)}, None)
    assert store.catalog.holder(ROOM, WHO, "audio") is None
    assert store.catalog.holder(ROOM, WHO, "screen_audio") is None
    assert store.ledger.read(recording_subject(rid(2))) == ()
    assert len(store.catalog.recordings(Filter(), 10, None).items) == 1
    # Not even the claim: the same key can be used for the next try.
    assert store.catalog.open([opening(5)], claim(5)) is None


def test_several_taken_slots_are_all_told(store: Store) -> None:
    store.catalog.open([opening(1), opening(2, Kind.VIDEO)], None)

    assert store.catalog.open([opening(3), opening(4, Kind.VIDEO)], None) == Taken(
        {rid(3): rid(1), rid(4): rid(2)}, None
    )


def test_an_ended_holder_is_taken_over_by_name(store: Store) -> None:
    store.catalog.open([opening(1)], None)

    assert store.catalog.open([opening(2, over=1)], None) is None
    assert store.catalog.holder(ROOM, WHO, "audio") == rid(2)


def test_a_holder_is_not_taken_over_in_anothers_name(store: Store) -> None:
    store.catalog.open([opening(1)], None)
    store.catalog.open([opening(2, over=1)], None)

    assert store.catalog.open([opening(3, over=1)], None) == Taken({rid(3): rid(2)}, None)


def test_taking_over_a_slot_that_nobody_holds_is_fine(store: Store) -> None:
    assert store.catalog.open([opening(2, over=1)], None) is None


def test_an_opening_whose_answer_was_lost_counts_as_done(store: Store) -> None:
    openings = [opening(1), opening(2, Kind.VIDEO)]

    assert store.catalog.open(openings, claim(1, 2)) is None
    assert store.catalog.open(openings, claim(1, 2)) is None
    assert store.catalog.open([opening(3, over=1)], None) is None
    assert store.catalog.open([opening(3, over=1)], None) is None


# moto's transactions are not isolated from each other: the adapter's race is run in tests/e2e/test_races.py.
@pytest.mark.parametrize("store", ["memory"], indirect=True)
def test_of_two_at_once_exactly_one_wins(store: Store) -> None:
    barrier = Barrier(2)
    answers: dict[int, Taken | None] = {}

    def race(number: int) -> None:
        barrier.wait()
        answers[number] = store.catalog.open([opening(number), opening(number + 10, Kind.VIDEO)], None)

    threads = [Thread(target=race, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    [winner] = [number for number, answer in answers.items() if answer is None]
    [loser] = [answer for answer in answers.values() if answer is not None]
    assert set(loser.holders.values()) == {rid(winner), rid(winner + 10)}
    assert store.catalog.holder(ROOM, WHO, "audio") == rid(winner)


# --- claims ---------------------------------------------------------------------------------------


def test_a_claim_is_told_to_who_repeats_it(store: Store) -> None:
    store.catalog.open([opening(1)], claim(1))

    taken = store.catalog.open([opening(2)], claim(2, body="another", at=5))

    assert taken is not None
    assert taken.claim == claim(1)


def test_a_claim_stands_even_where_nothing_is_opened(store: Store) -> None:
    # Everything was running already: the claim is all that there is to write.
    store.catalog.open([opening(1)], None)
    assert store.catalog.open([], claim(1)) is None

    taken = store.catalog.open([], claim(1, body="another", at=2))

    assert taken == Taken({}, claim(1))


def test_a_claim_holds_even_where_the_slots_are_free(store: Store) -> None:
    store.catalog.open([opening(1)], claim(1))

    assert store.catalog.open([opening(2, Kind.VIDEO)], claim(2, at=2)) == Taken({}, claim(1))
    assert store.catalog.holder(ROOM, WHO, "video") is None


@pytest.mark.parametrize("other", [claim(2, owner="other"), claim(2, key="other")])
def test_another_owner_or_key_is_another_claim(store: Store, other: Claim) -> None:
    store.catalog.open([opening(1)], claim(1))

    assert store.catalog.open([opening(2, Kind.VIDEO)], other) is None


@pytest.mark.parametrize(("owner", "key"), [("a", "b#c"), ("a#b", "c"), ("ä", "😀"), ("x" * 200, "y" * 255)])
def test_owners_and_keys_never_run_into_each_other(store: Store, owner: str, key: str) -> None:
    for number, (one, other) in enumerate([(owner, key), (owner + key, ""), ("", owner + key), (key, owner)]):
        assert store.catalog.open([], claim(number, owner=one, key=other)) is None


def test_an_expired_claim_is_free_again_before_it_is_swept(store: Store) -> None:
    store.catalog.open([opening(1)], claim(1, at=1000))

    assert store.catalog.open([opening(2, Kind.VIDEO)], claim(2, at=1000 + DAY_MS + 2000)) is None
    assert store.catalog.open([], claim(3, at=1000 + DAY_MS + 3000)) == Taken(
        {}, claim(2, at=1000 + DAY_MS + 2000)
    )


# --- heads ----------------------------------------------------------------------------------------


def recording(number: int, **said: Any) -> RecordingHead:
    """A recording's head."""
    told: dict[str, Any] = {
        "recording_id": rid(number),
        "room_id": ROOM,
        "session_id": None,
        "participant_id": WHO,
        "kind": "audio",
        "requested_at": 1_750_000_000_000 + number // 3,
        "phase": "recording",
        "settled": False,
        "complete": False,
        "segments": 0,
        "start_at": None,
        "end_at": None,
        "known": 1,
    }
    return RecordingHead(**{**told, **said})


def session(number: int, **said: Any) -> SessionHead:
    """A session's head."""
    told: dict[str, Any] = {
        "session_id": f"session-{number:04d}",
        "room_id": ROOM,
        "zero_at": 1_750_000_000_000 - number,
        "begun_at": 1_750_000_000_000 + number // 3,
        "duration_ms": 5,
        "participants": 1,
        "recordings": 1,
        "settled": False,
        "complete": False,
        "manifest_key": "",
        "known": 1,
    }
    return SessionHead(**{**told, **said})


def test_a_recordings_head_never_goes_back(store: Store) -> None:
    assert store.catalog.keep_recording(recording(1, known=3, phase="stopped", session_id="s"))

    assert not store.catalog.keep_recording(recording(1, known=2, phase="recording", session_id="s"))
    assert not store.catalog.keep_recording(recording(1, known=3, phase="recording", session_id="s"))

    assert [head.phase for head in store.catalog.of_session("s")] == ["stopped"]
    assert [head.phase for head in store.catalog.recordings(Filter(), 10, None).items] == ["stopped"]
    assert store.catalog.keep_recording(recording(1, known=4, phase="done", session_id="s"))


def test_a_recording_is_linked_once_its_session_is_known(store: Store) -> None:
    store.catalog.keep_recording(recording(1))
    assert store.catalog.of_session("s") == []

    store.catalog.keep_recording(recording(1, known=2, session_id="s"))

    assert store.catalog.of_session("s") == [recording(1, known=2, session_id="s")]


def test_a_recording_is_linked_although_its_head_was_kept_before(store: Store) -> None:
    """Whoever kept the head may have died before linking."""
    head = recording(1, session_id="s")
    store.catalog.keep_recording(replace(head, session_id=None))

    store.catalog.keep_recording(head)

    assert store.catalog.of_session("s") == [head]


def test_a_head_can_be_kept_while_its_link_stays_and_is_found_as_it_is_now(store: Store) -> None:
    before = recording(1, session_id="s", phase="starting")
    store.catalog.keep_recording(before)

    now = replace(before, known=2, phase="recording")
    assert store.catalog.keep_recording(now, relink=False)

    assert store.catalog.of_session("s") == [before]
    assert store.catalog.recording(rid(1)) == now
    assert store.catalog.recordings(Filter(session_id="s"), 10, None).items == [now]
    assert store.catalog.recordings(Filter(session_id="s", phase="starting"), 10, None).items == []


def test_a_recording_that_nobody_kept_has_no_head(store: Store) -> None:
    assert store.catalog.recording(rid(1)) is None


def test_a_bookmark_is_where_it_was_put_last(store: Store) -> None:
    assert store.catalog.bookmark("walk") is None
    for place in ("a", "ü/😀 b", None, "c"):
        store.catalog.keep_bookmark("walk", place)
        assert store.catalog.bookmark("walk") == place
    assert store.catalog.bookmark("another") is None


def test_the_links_of_a_session_are_all_read(store: Store) -> None:
    heads = [recording(number, session_id="s", participant_id="x" * 100) for number in range(60)]
    for head in heads:
        store.catalog.keep_recording(head)

    assert store.catalog.of_session("s") == heads


def test_a_sessions_head_never_goes_back(store: Store) -> None:
    assert store.catalog.session("session-0001") is None
    assert store.catalog.keep_session(session(1, known=5, manifest_key="k5"))

    assert not store.catalog.keep_session(session(1, known=4, manifest_key="k4"))
    assert not store.catalog.keep_session(session(1, known=5, manifest_key="other"))

    assert store.catalog.session("session-0001") == session(1, known=5, manifest_key="k5")


def test_what_is_settled_is_no_longer_listed_as_open_and_may_be_again(store: Store) -> None:
    store.catalog.open([opening(1)], None)
    store.catalog.keep_recording(recording(1, known=2, settled=True))
    assert store.catalog.unsettled(10, None).items == []

    store.catalog.keep_recording(recording(1, known=3))

    assert [head.recording_id for head in store.catalog.unsettled(10, None).items] == [rid(1)]


# --- lists ----------------------------------------------------------------------------------------

MANY = 250


def paged[Head](ask: Callable[[str | None], Page[Head]], limit: int) -> list[Head]:
    """Everything, page by page."""
    found: list[Head] = []
    cursor: str | None = None
    for _ in range(MANY + 5):
        page = ask(cursor)
        assert len(page.items) <= limit
        found += page.items
        if page.cursor is None:
            return found
        cursor = page.cursor
    raise AssertionError("the pages have no end")


HEADS = [
    recording(
        number,
        room_id=("room-a", "room-b")[number % 2],
        session_id=("s-0", "s-1", None)[number % 3],
        participant_id=("anna", "bela")[number % 2],
        kind=tuple(Kind)[number % 4].value,
        phase="failed" if number == 7 else "recording",
        settled=number % 5 == 0,
    )
    for number in range(MANY)
]
NEWEST_FIRST = sorted(HEADS, key=lambda head: (head.requested_at, head.recording_id), reverse=True)


@pytest.fixture(scope="module", params=BOTH)
def filled(request: pytest.FixtureRequest, aws: Aws) -> Store:
    """A store with many recordings, which the tests only read."""
    store = a_store(request.param, aws)
    for head in HEADS:
        store.catalog.keep_recording(head)
    return store


FILTERS = [
    Filter(),
    Filter(room_id="room-a"),
    Filter(room_id="nowhere"),
    Filter(session_id="s-1"),
    Filter(session_id="s-1", room_id="room-b", kind="video"),
    Filter(participant_id="bela"),
    Filter(kind="screen_video"),
    Filter(phase="failed"),
    Filter(room_id="room-b", phase="failed"),
    Filter(room_id="room-a", phase="failed"),
]


def test_recordings_are_found_by_every_filter_newest_first_and_exactly_once(filled: Store) -> None:
    for wanted in FILTERS:
        told = {name: value for name, value in asdict(wanted).items() if value is not None}
        expected = [h for h in NEWEST_FIRST if all(getattr(h, n) == v for n, v in told.items())]

        found = paged(lambda cursor, wanted=wanted: filled.catalog.recordings(wanted, 90, cursor), 90)  # type: ignore[misc]

        assert found == expected, wanted


def test_every_limit_pages_everything_exactly_once(filled: Store) -> None:
    for limit in (50, 99, 101, 250, 251):
        for wanted in (Filter(), Filter(session_id="s-0")):
            expected = [h for h in NEWEST_FIRST if wanted.session_id in (None, h.session_id)]

            found = paged(lambda c, w=wanted, n=limit: filled.catalog.recordings(w, n, c), limit)  # type: ignore[misc]

            assert found == expected, (limit, wanted)


def test_the_open_are_listed_oldest_first_and_exactly_once(filled: Store) -> None:
    expected = [head for head in reversed(NEWEST_FIRST) if not head.settled]

    for limit in (25, 100, 200, 201):
        assert paged(lambda c, n=limit: filled.catalog.unsettled(n, c), limit) == expected  # type: ignore[misc]


def test_what_is_settled_between_two_pages_takes_nothing_else_away(store: Store) -> None:
    heads = [recording(number) for number in range(12)]
    for head in heads:
        store.catalog.keep_recording(head)
    first = store.catalog.unsettled(5, None)
    for head in first.items:
        store.catalog.keep_recording(replace(head, known=2, settled=True))

    rest = paged(lambda cursor: store.catalog.unsettled(5, cursor or first.cursor), 5)

    assert [*first.items, *rest] == heads


def test_sessions_are_found_by_room_newest_first_and_exactly_once(store: Store) -> None:
    heads = [session(number, room_id=("room-a", "room-b", None)[number % 3]) for number in range(60)]
    for head in heads:
        store.catalog.keep_session(head)
    heads.sort(key=lambda head: (head.begun_at, head.session_id), reverse=True)

    for room in (None, "room-b", "nowhere"):
        for limit in (9, 40, 60):
            expected = [head for head in heads if room in (None, head.room_id)]
            found = paged(lambda c, r=room, n=limit: store.catalog.sessions(r, n, c), limit)  # type: ignore[misc]
            assert found == expected, (room, limit)


def test_sessions_are_found_by_participant_among_those_of_everybody(store: Store) -> None:
    heads = [
        session(number, room_id=("room-a", "room-b")[number % 2], who=("anna", f"p{number % 7}"))
        for number in range(60)
    ]
    for head in heads:
        store.catalog.keep_session(head)
    heads.sort(key=lambda head: (head.begun_at, head.session_id), reverse=True)

    for who in ("anna", "p3", "p", "nobody"):
        for room in (None, "room-b"):
            expected = [head for head in heads if room in (None, head.room_id) and who in head.who]

            def ask(cursor: str | None, room: str | None = room, who: str = who) -> Page[SessionHead]:
                return store.catalog.sessions(room, 4, cursor, participant_id=who)

            found = paged(ask, 4)
            assert found == expected, (who, room)


def test_a_sessions_head_keeps_its_people(store: Store) -> None:
    head = session(1, who=("anna", "bela"), people=("Anna", "bela"))
    store.catalog.keep_session(head)

    assert store.catalog.session(head.session_id) == head


def test_a_session_whose_beginning_moves_is_listed_once(store: Store) -> None:
    store.catalog.keep_session(session(9))
    store.catalog.keep_session(session(9, known=2, begun_at=1_000))

    assert [head.begun_at for head in store.catalog.sessions(ROOM, 10, None).items] == [1_000]


def test_a_list_can_be_gone_on_with_behind_any_recording(filled: Store) -> None:
    open_ones = [head for head in reversed(NEWEST_FIRST) if not head.settled]

    for place in (0, 17, len(open_ones) - 2):
        page = filled.catalog.unsettled(1, filled.catalog.beyond(open_ones[place]))
        assert page.items == [open_ones[place + 1]]
    assert filled.catalog.unsettled(1, filled.catalog.beyond(open_ones[-1])) == Page([], None)


BAD_CURSORS = [
    "",
    "x",
    "!!!!",
    "é",
    "AAAA",
    "bm8gY3Vyc29y",
    "MTc1",
    "eyJhIjoxfQ==",
    "W10=",
    "WzEsMl0" * 400,
    "MDAx" + "Nzk5" * 900,
    "\ud800",
]


@pytest.mark.parametrize("cursor", BAD_CURSORS, ids=range(len(BAD_CURSORS)))
def test_a_cursor_that_is_not_ours_is_refused(store: Store, cursor: str) -> None:
    for ask in (
        lambda: store.catalog.recordings(Filter(), 10, cursor),
        lambda: store.catalog.recordings(Filter(session_id="s"), 10, cursor),
        lambda: store.catalog.sessions(None, 10, cursor),
        lambda: store.catalog.unsettled(10, cursor),
        lambda: store.catalog.all_making(10, cursor),
    ):
        with pytest.raises(Invalid, match="invalid_cursor"):
            ask()


# --- what is being made ---------------------------------------------------------------------------


def being_made(number: int, *targets: str, queued_at: int = 0) -> Making:
    """Of one of many sessions."""
    return Making(f"s-{number:03d}", queued_at or 1_000 + number, targets or ("t",), known=7, asked=1)


def test_what_is_being_made_of_a_session_is_what_was_kept_last(store: Store) -> None:
    assert store.catalog.making("s-001") is None
    store.catalog.keep_making(being_made(1, "a", "ü", queued_at=9))
    store.catalog.keep_making(being_made(1, "b", queued_at=5))

    assert store.catalog.making("s-001") == being_made(1, "b", queued_at=5)
    assert store.catalog.making("s-002") is None
    assert store.catalog.session("s-001") is None
    assert store.catalog.of_session("s-001") == []


def test_what_is_being_made_is_listed_from_what_was_queued_longest_ago_until_it_is_made(store: Store) -> None:
    for number in range(20):
        store.catalog.keep_making(being_made(number))
    store.catalog.keep_making(being_made(3, queued_at=9_999))
    store.catalog.keep_making(replace(being_made(5), targets=()))
    order = [*(number for number in range(20) if number not in (3, 5)), 3]

    for limit in (1, 7, 19, 20):
        found = paged(lambda c, n=limit: store.catalog.all_making(n, c), limit)  # type: ignore[misc]
        assert [making.session_id for making in found] == [f"s-{number:03d}" for number in order]
    assert store.catalog.unsettled(10, None).items == []
