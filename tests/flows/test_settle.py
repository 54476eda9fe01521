"""News becomes heads, verdicts and manifests; late, twice, out of order and killed half-way."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from chalicelib.core import events as e
from chalicelib.core.errors import Unavailable
from chalicelib.core.heads import RecordingHead, recording_head
from chalicelib.core.ids import Kind
from chalicelib.core.recording import Recording
from chalicelib.flows.ingest import ingest
from chalicelib.flows.record import Wanted, stop
from chalicelib.flows.settle import EARLY_MS, MISSING, confirm, settle, settle_recording, settle_session
from chalicelib.ports import Presence, recording_subject, session_subject
from tests.builders import (
    END_OVERDUE,
    FAILED,
    ODD,
    REFUSED,
    ROOM,
    SESSION,
    STARTED,
    STARTING,
    STOP_ACCEPTED,
    STOP_ASKED,
    STOP_UNNEEDED,
    STOPPING,
    WHO,
    ended,
    listed,
    overdue,
    rejected,
    stopped,
    stored,
)
from tests.fakes import Died, MemoryBell, MemoryCatalog, MemoryLedger, MemoryWorld, film
from tests.flows.stage import (
    AUDIO,
    FILE,
    begun,
    deliver,
    facts,
    key_of,
    known,
    pass_by,
    remember,
    until_quiet,
    webhook,
)

VIDEO = Wanted(ROOM, WHO, (Kind.VIDEO,))
CLIP = FILE.replace("audio", "video")


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


def head(world: MemoryWorld, recording_id: str) -> Any:
    """A recording's head."""
    return world.catalog.recording(recording_id)


def manifest(world: MemoryWorld) -> dict[str, Any]:
    """The manifest that the session's head names."""
    kept = world.catalog.session(SESSION)
    assert kept is not None
    assert kept.manifest_key
    told: dict[str, Any] = json.loads(world.shelf.files[kept.manifest_key][0])
    return told


def played(world: MemoryWorld, wanted: Wanted = AUDIO, file: str = FILE) -> str:
    """A recording that was started, delivered and told of; VideoSDK's list has its end."""
    recording_id, kind = begun(world, wanted), wanted.kinds[0]
    about = (ROOM, WHO, kind.value)
    webhook(world, recording_id, STARTED, about)
    item = listed(f"x/{recording_id}/{file}", kind=kind.value, listed_id=f"track of {kind}")
    world.recorder.tracks.setdefault(ROOM, []).append(item)
    deliver(world, key_of(recording_id, file, kind=kind), film(kind=kind))
    webhook(world, recording_id, stopped(file), about)
    return recording_id


# --- witnesses ------------------------------------------------------------------------------------


def test_two_witnesses_and_every_file_settle_a_recording(world: MemoryWorld) -> None:
    recording_id = played(world)

    until_quiet(world)

    recording = known(world, recording_id)
    assert (recording.phase, recording.verdict.complete) == ("done", True)
    [reached] = recording.told(e.VerdictReached)
    assert (reached.complete, reached.digest) == (True, recording.verdict.digest)


def test_the_webhook_alone_settles_nothing(world: MemoryWorld) -> None:
    recording_id = played(world)
    world.recorder.tracks.clear()

    until_quiet(world)

    assert not head(world, recording_id).settled
    assert "VerdictReached" not in facts(world, recording_id)


def test_the_list_alone_settles_it_only_with_its_files(world: MemoryWorld) -> None:
    recording_id = begun(world)
    remember(world, recording_id, STARTED, ended(FILE))
    until_quiet(world)
    assert not head(world, recording_id).settled

    deliver(world, key_of(recording_id))
    until_quiet(world)

    assert head(world, recording_id).complete


def test_a_list_that_was_read_early_is_read_again_and_settles_nothing_alone(world: MemoryWorld) -> None:
    recording_id = begun(world)
    ends_at = world.clock + 5_000
    world.recorder.tracks[ROOM] = [listed(f"x/{recording_id}/{FILE}", end_at=ends_at)]
    deliver(world, key_of(recording_id))
    remember(world, recording_id, STOP_UNNEEDED)
    world.pass_time(5_000 + EARLY_MS - 1)
    until_quiet(world)
    assert not head(world, recording_id).settled
    assert [end.early for end in known(world, recording_id).told(e.RecordingEnded)] == [True]

    world.pass_time(1)
    settle(world, [recording_subject(recording_id)])
    until_quiet(world)

    assert head(world, recording_id).complete


def test_an_end_that_is_confirmed_is_not_written_down_again(world: MemoryWorld) -> None:
    recording_id = played(world)
    until_quiet(world)
    assert [end.early for end in known(world, recording_id).told(e.RecordingEnded)] == [True]

    world.pass_time(2 * EARLY_MS)
    confirm(world, known(world, recording_id))

    assert len(known(world, recording_id).told(e.RecordingEnded)) == 1


def test_a_list_that_can_not_be_asked_holds_nothing_else_up(world: MemoryWorld) -> None:
    recording_id = played(world)
    world.broken("recorder.listed")

    until_quiet(world)

    assert (head(world, recording_id).phase, head(world, recording_id).settled) == ("stopped", False)


def test_the_list_is_asked_once_something_seems_over_and_not_before(world: MemoryWorld) -> None:
    recording_id = begun(world)
    world.recorder.tracks[ROOM] = [listed(end_at=None)]
    webhook(world, recording_id, STARTED)
    until_quiet(world)
    assert "RecordingListed" not in facts(world, recording_id)

    webhook(world, recording_id, stopped(FILE))
    until_quiet(world)

    assert "RecordingListed" in facts(world, recording_id)


def test_a_list_that_repeats_itself_does_not_hide_later_news(world: MemoryWorld) -> None:
    # The list keeps saying that it runs: each time the same fact, heard at another time.
    recording_id = begun(world)
    world.recorder.tracks[ROOM] = [listed(end_at=None)]
    webhook(world, recording_id, stopped(FILE))
    until_quiet(world)
    world.pass_time(1000)
    deliver(world, key_of(recording_id))
    until_quiet(world)
    world.recorder.tracks[ROOM] = [listed(f"{recording_id}/{FILE}")]

    remember(world, recording_id, ended(FILE))
    until_quiet(world)

    assert head(world, recording_id).known == 6
    assert head(world, recording_id).complete


# --- which of the list's items --------------------------------------------------------------------

NOW = MemoryWorld().clock


def item(start: int, *files: str, end: int | None = 30_000, **said: Any) -> Any:
    """An item that began so long after our request."""
    return listed(*files, start_at=NOW + start, end_at=None if end is None else NOW + end, **said)


MINE, OTHERS = "{rid}/a.webm", "rec-" + "f" * 32 + "/a.webm"
CHOICES: list[tuple[str, list[Any], str | None]] = [
    ("none", [], None),
    ("the one that names it", [item(0, OTHERS, listed_id="x"), item(0, MINE, listed_id="y")], "y"),
    ("named, however late", [item(900_000, MINE, listed_id="y")], "y"),
    ("without files, the one that began then", [item(2000, listed_id="y")], "y"),
    ("without an id in its paths, too", [item(2000, "s/p/k/f.webm", listed_id="y")], "y"),
    ("the nearest of two", [item(9000, listed_id="x"), item(2000, listed_id="y")], "y"),
    ("clocks a little apart", [item(-3000, listed_id="y")], "y"),
    ("too late to be ours", [item(61_000, listed_id="x")], None),
    ("begun before we asked: the one before ours", [item(-30_000, end=-20_000, listed_id="x")], None),
    ("begun after ours was over: the one after ours", [item(41_000, listed_id="x")], None),
    ("another's", [item(0, participant_id="bela", listed_id="x")], None),
    ("another kind", [item(0, kind="video", listed_id="x")], None),
    ("one that names another of ours", [item(0, OTHERS, listed_id="x")], None),
]


@pytest.mark.parametrize(("items", "chosen"), [c[1:] for c in CHOICES], ids=[c[0] for c in CHOICES])
def test_the_list_is_believed_only_about_the_recording_itself(
    world: MemoryWorld, items: list[Any], chosen: str | None
) -> None:
    recording_id = begun(world)
    told = [replace(i, files=tuple(f.format(rid=recording_id) for f in i.files)) for i in items]
    world.recorder.tracks[ROOM] = told
    remember(world, recording_id, e.RecordingStopped(at=NOW + 40_000, session_id=SESSION, files=()))

    settle_recording(world, recording_id)

    heard = [fact.listed_id for fact in known(world, recording_id).told(e.RecordingEnded)]
    assert heard == ([chosen] if chosen else [])


# --- heads ----------------------------------------------------------------------------------------


def test_a_settler_that_read_early_and_writes_late_changes_nothing(world: MemoryWorld) -> None:
    recording_id = played(world)
    early = world.ledger.read(recording_subject(recording_id))
    until_quiet(world)
    before = head(world, recording_id)

    class Stale(MemoryWorld):
        """Sees the ledger as it was, and the rest as it is."""

        def __init__(self) -> None:
            super().__init__()
            self.catalog, self.shelf, self.bell = world.catalog, world.shelf, world.bell
            for fact in early:
                self.ledger.append(recording_subject(recording_id), fact)

    settle(Stale(), [recording_subject(recording_id)])

    assert head(world, recording_id) == before


def test_settling_again_has_no_effect(world: MemoryWorld) -> None:
    recording_id = played(world)
    until_quiet(world)
    before, rung = len(world.tape.done), len(world.bell.rung)

    settle(world, [recording_subject(recording_id), session_subject(SESSION)] * 3)

    assert world.tape.done[before:] == []
    assert len(world.bell.rung) == rung


def test_subjects_that_are_neither_recordings_nor_sessions_are_passed_over(world: MemoryWorld) -> None:
    settle(world, ["misplaced", "deliveries#2025-06-15", "slot#a#b#c", "claim#x", ""])

    assert world.tape.done == []


def test_an_unheard_of_session_gets_no_head(world: MemoryWorld) -> None:
    remember_session(world, e.SessionStarted(at=1, room_id=ROOM, start_at=1))
    until_quiet(world)

    assert world.catalog.session(SESSION) is None
    assert world.shelf.files == {}


def remember_session(world: MemoryWorld, fact: e.Event) -> None:
    """A fact of the session's own."""
    world.ledger.append(session_subject(SESSION), fact)


# --- what is written ------------------------------------------------------------------------------


def written(world: MemoryWorld) -> list[str]:
    """The heads that were kept so far; a link is kept as its recording's head."""
    return [done.split()[1] for done in world.tape.done if done.startswith("catalog.keep ")]


def test_each_piece_of_news_costs_no_more_writes_than_it_changes(world: MemoryWorld) -> None:
    recording_id, costs = begun(world), []
    end = e.RecordingEnded(
        at=1, listed_id="l", session_id=SESSION, start_at=NOW, end_at=NOW, files=(FILE,), early=False
    )
    told = [STARTING, STARTED, STOP_ASKED, STOP_ACCEPTED, STOPPING, stopped(FILE), end, stored(FILE)]
    for fact in told:
        before = len(written(world))
        remember(world, recording_id, fact)
        until_quiet(world)
        heads = written(world)[before:]
        costs.append((heads.count("RecordingHead"), heads.count("SessionHead")))

    assert costs == [
        (2, 1),  # starting: its link and its head, and the session's
        (1, 0),  # started: another phase
        (1, 0),  # stopping
        (0, 0),
        (0, 0),
        (1, 0),  # stopped
        (2, 0),  # the list: from now on it may be settled, and all is kept
        (2, 1),  # the segment settles it
    ]


def test_what_is_kept_already_is_not_even_offered(world: MemoryWorld) -> None:
    # DynamoDB charges for a write that its condition refuses.
    recording_id = played(world)
    until_quiet(world)

    class Sealed(MemoryCatalog):
        """Nobody may knock."""

        def keep_recording(self, head: RecordingHead, *, relink: bool = True) -> bool:
            raise AssertionError(f"{head} was offered, relink={relink}")

    sealed = Sealed(world.ledger)
    vars(sealed).update(vars(world.catalog))
    world.catalog = sealed

    settle(world, [recording_subject(recording_id)])


def test_a_head_that_was_never_kept_is_caught_up_with_by_the_schedule(world: MemoryWorld) -> None:
    recording_id = begun(world)
    webhook(world, recording_id, STARTED)
    world.ledger.stream.clear()

    pass_by(world)

    assert head(world, recording_id).phase == "recording"
    assert [linked.recording_id for linked in world.catalog.of_session(SESSION)] == [recording_id]
    session = world.catalog.session(SESSION)
    assert session is not None
    assert session.recordings == 1


LIFE = [stored(FILE), stopped(FILE, FILE.replace("0.webm", "9.webm")), END_OVERDUE,
        overdue(FILE.replace("0.webm", "9.webm")), ODD]  # fmt: skip


@pytest.mark.parametrize("late", range(len(LIFE)))
def test_in_whatever_order_settlers_come_to_write_the_last_word_is_of_who_knows_all(late: int) -> None:
    # Each knows the facts up to one of them; the one at `late` writes last of all.
    for order in permutations([upto for upto in range(len(LIFE) + 1) if upto != late]):
        world = MemoryWorld()
        recording_id = begun(world)
        for knows in (*order, late):
            _settled_by_one_who_knows(world, recording_id, LIFE[:knows])

        full = Recording.of(recording_id, _all(world, recording_id))
        assert world.catalog.recording(recording_id) == recording_head(full)
        assert world.catalog.of_session(SESSION) == [recording_head(full)]


def _all(world: MemoryWorld, recording_id: str) -> list[e.Event]:
    return [*world.ledger.read(recording_subject(recording_id)), *LIFE]


def _settled_by_one_who_knows(world: MemoryWorld, recording_id: str, told: list[e.Event]) -> None:
    settler = MemoryWorld()
    settler.catalog, settler.shelf, settler.bell = world.catalog, world.shelf, world.bell
    for fact in (*world.ledger.read(recording_subject(recording_id)), *told):
        settler.ledger.append(recording_subject(recording_id), fact)
    settle_recording(settler, recording_id)


# --- who is called --------------------------------------------------------------------------------

OTHER = FILE.replace("0.webm", "9.webm")
GIVEN_UP = e.WorkGivenUp(
    at=1, product="repaired", target="t", key="k", etag="e", session_id=SESSION, participant_id=WHO,
    kind=Kind.AUDIO, file=FILE, tries=3, reason="it broke",
)  # fmt: skip
CALLS: list[tuple[str, list[e.Event], str | None]] = [
    ("complete", [ended(FILE), stored(FILE)], None),
    ("it was never started", [REFUSED], None),
    ("its tail is lost, which nobody can mend", [ended(FILE), stored(FILE, tail_lost=True)], None),
    ("a file never came", [ended(FILE), overdue(FILE)], "not_delivered"),
    ("nobody knows how it ended", [STARTED, END_OVERDUE], "unproven"),
    ("it failed", [FAILED, END_OVERDUE], "failed"),
    ("a file can not be read", [ended(FILE), rejected(FILE)], "rejected"),
    ("a file was given up", [ended(FILE), GIVEN_UP], "given_up"),
    ("two things", [ended(FILE, OTHER), rejected(FILE), overdue(OTHER)], "not_delivered, rejected"),
]


@pytest.mark.parametrize(("told", "said"), [call[1:] for call in CALLS], ids=[call[0] for call in CALLS])
def test_somebody_is_called_once_for_what_can_be_mended(
    world: MemoryWorld, caplog: pytest.LogCaptureFixture, told: list[e.Event], said: str | None
) -> None:
    recording_id = begun(world)
    remember(world, recording_id, *told)

    for _ in range(3):
        settle(world, [recording_subject(recording_id)])

    called = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert called == ([f"{MISSING}: {recording_id}: {said}"] if said else [])


def test_nobody_is_called_twice_where_two_settle_at_once(
    world: MemoryWorld, caplog: pytest.LogCaptureFixture
) -> None:
    class Overtaken(MemoryLedger):
        """Somebody else writes the same a moment before."""

        def append(self, subject: str, event: e.Event) -> bool:
            if isinstance(event, e.VerdictReached):
                super().append(subject, replace(event, at=event.at - 1))
            return super().append(subject, event)

    world.ledger = Overtaken(world.tape)
    world.catalog = MemoryCatalog(world.ledger)
    recording_id = begun(world)
    remember(world, recording_id, ended(FILE), overdue(FILE))

    settle(world, [recording_subject(recording_id)])

    assert not [record for record in caplog.records if record.levelname == "ERROR"]


# --- manifests ------------------------------------------------------------------------------------


def test_the_manifest_waits_for_every_recording(world: MemoryWorld) -> None:
    played(world)
    video = begun(world, VIDEO)
    webhook(world, video, STARTED, (ROOM, WHO, "video"))
    until_quiet(world)
    assert not [key for key in world.shelf.files if "manifest" in key]

    remember(world, video, ended())
    until_quiet(world)

    assert manifest(world)["verdict"]["complete"]
    assert [t["kind"] for t in manifest(world)["participants"][0]["tracks"]] == ["audio", "video"]


def test_it_rings_once_for_each_manifest(world: MemoryWorld) -> None:
    played(world, VIDEO, CLIP)
    until_quiet(world)

    keys = [key for key in world.shelf.files if "manifest" in key]
    assert sorted(told["manifestKey"] for told in world.bell.rung) == sorted(keys)
    last = world.bell.rung[-1]
    kept = world.catalog.session(SESSION)
    assert kept is not None
    assert last == {
        "sessionId": SESSION,
        "roomId": ROOM,
        "manifestKey": kept.manifest_key,
        "complete": True,
        "missing": 0,
        "known": kept.known,
        "productsPending": 0,
    }


def test_a_manifest_that_was_noted_does_not_ring_again(world: MemoryWorld) -> None:
    whole = MemoryWorld()
    for each in (whole, world):
        played(each)
    until_quiet(whole)
    world.tape.dies_before = whole.tape.done.index("ledger.append ManifestMade") + 1

    with pytest.raises(Died):
        until_quiet(world)
    world.tape.dies_before = None
    until_quiet(world)

    assert world.bell.rung == whole.bell.rung


def test_a_poster_that_is_made_later_is_in_the_last_manifest(world: MemoryWorld) -> None:
    played(world, VIDEO, CLIP)

    until_quiet(world)

    assert [a["product"] for a in manifest(world)["artifacts"]] == ["repaired", "poster"]


def test_a_late_segment_makes_a_new_manifest(world: MemoryWorld) -> None:
    recording_id = played(world)
    until_quiet(world)
    [first] = [told["manifestKey"] for told in world.bell.rung]

    deliver(world, key_of(recording_id, FILE.replace("0.webm", "9.webm")), film(2000))
    until_quiet(world)

    assert len(world.bell.rung) == 2
    assert world.bell.rung[0]["manifestKey"] == first
    assert len(manifest(world)["participants"][0]["tracks"][0]["segments"]) == 2
    assert first in world.shelf.files


def test_somebody_who_wants_it_now_gets_it_unsettled(world: MemoryWorld) -> None:
    recording_id = begun(world)
    webhook(world, recording_id, STARTED)
    deliver(world, key_of(recording_id))
    remember_session(world, e.FinishRequested(at=5, by="app"))

    until_quiet(world)

    assert not manifest(world)["verdict"]["complete"]
    assert {f["reason"] for f in manifest(world)["verdict"]["missing"]} == {"still_open"}
    assert world.bell.rung[-1]["missing"] == 1


def test_the_manifest_has_the_names_that_videosdk_knows(world: MemoryWorld) -> None:
    played(world)
    world.recorder.present[SESSION] = [Presence(WHO, "Anna", NOW, None)]

    until_quiet(world)

    assert [p["name"] for p in manifest(world)["participants"]] == ["Anna"]
    assert len(world.bell.rung) == 1


def test_without_names_there_is_a_manifest_all_the_same(world: MemoryWorld) -> None:
    played(world)
    world.broken("recorder.presences")

    until_quiet(world)

    assert [p["name"] for p in manifest(world)["participants"]] == [None]


def test_news_that_comes_while_a_manifest_is_written_is_in_the_next(world: MemoryWorld) -> None:
    recording_id = played(world)

    class Interrupted(MemoryBell):
        """While it rings, another settler has kept a newer head, and was killed before the session's."""

        def ready(self, told: dict[str, Any]) -> None:
            super().ready(told)
            if len(self.rung) == 1:
                remember(world, recording_id, ODD)
                settle_recording(world, recording_id)

    world.bell = Interrupted(world.tape)

    until_quiet(world)

    assert {f["reason"] for f in manifest(world)["verdict"]["odd"]} == {"odd_delivery"}
    assert len(world.bell.rung) == 2


@pytest.mark.parametrize("order", ["recordings first", "sessions first"])
def test_two_last_recordings_settled_at_once_still_make_a_manifest(world: MemoryWorld, order: str) -> None:
    ids = [played(world), played(world, VIDEO, CLIP)]
    until_quiet(world)
    world.shelf.files.clear()
    for rid in ids:
        remember(world, rid, ODD)

    # Two settlers interleaved: each keeps its recording's head before it looks at the session.
    for rid in ids if order == "recordings first" else reversed(ids):
        settle_recording(world, rid)
    for _ in ids:
        settle_session(world, SESSION)

    assert manifest(world)["verdict"]["complete"]


def test_a_manifests_key_is_made_of_its_content(world: MemoryWorld) -> None:
    played(world)
    until_quiet(world)

    other = MemoryWorld()
    played(other)
    until_quiet(other)

    assert manifest(world) == manifest(other)
    assert world.shelf.files.keys() == other.shelf.files.keys()


# --- killed and down ------------------------------------------------------------------------------


EFFECTS = 30  # more than the whole story has


@pytest.mark.parametrize("effects", range(EFFECTS))
def test_a_settler_killed_anywhere_is_made_good_by_its_retry(effects: int) -> None:
    whole, world = MemoryWorld(), MemoryWorld()
    for each in (whole, world):
        played(each, VIDEO, CLIP)
    begun = len(whole.tape.done)
    until_quiet(whole)
    assert len(whole.tape.done) - begun < EFFECTS

    world.tape.dies_before = len(world.tape.done) + effects
    try:
        until_quiet(world)
    except Died:
        world.tape.dies_before = None
        until_quiet(world)

    assert manifest(world) == manifest(whole)
    assert {told["manifestKey"] for told in world.bell.rung} >= {whole.bell.rung[-1]["manifestKey"]}
    assert world.bell.rung[-1] == whole.bell.rung[-1]


DOORS = ["ledger.read", "ledger.append", "catalog.keep_recording", "catalog.of_session", "catalog.session",
         "catalog.keep_session", "shelf.front", "bell.ready"]  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_a_neighbour_that_is_down_for_a_while_loses_nothing(world: MemoryWorld, door: str) -> None:
    played(world)
    ingest(world, world.work.objects.popleft())
    world.broken(door)

    with pytest.raises(Unavailable, match="down"):
        until_quiet(world)
    world.broken()
    until_quiet(world)

    assert manifest(world)["verdict"]["complete"]


# --- tables of orders -----------------------------------------------------------------------------

NEWS: list[tuple[str, Callable[[MemoryWorld, str], object]]] = [
    ("started", lambda world, rid: webhook(world, rid, STARTED)),
    ("stopped", lambda world, rid: webhook(world, rid, stopped(FILE))),
    ("the object", lambda world, rid: deliver(world, key_of(rid))),
    ("a stop of ours", lambda world, rid: stop(world, [rid], "app")),
]


@pytest.mark.parametrize("first", range(len(NEWS)), ids=[name for name, _ in NEWS])
@pytest.mark.parametrize("step", [1, 3])
def test_whatever_comes_first_all_ends_in_one_verdict(first: int, step: int) -> None:
    world = MemoryWorld()
    recording_id = begun(world)
    world.recorder.tracks[ROOM] = [listed(f"{recording_id}/{FILE}")]

    for place in range(len(NEWS)):
        _, happens = NEWS[(first + step * place) % len(NEWS)]
        happens(world, recording_id)
        until_quiet(world)

    assert head(world, recording_id).complete
    assert manifest(world)["verdict"]["complete"]


def test_an_unannounced_segment_makes_its_own_recording(world: MemoryWorld) -> None:
    deliver(world, f"recordings/{SESSION}/bela/audio/{FILE}")

    until_quiet(world)

    [told] = manifest(world)["verdict"]["odd"]
    assert (told["reason"], told["participantId"]) == ("unannounced", "bela")


def test_a_recording_is_linked_even_when_its_head_was_kept_before(world: MemoryWorld) -> None:
    recording_id = begun(world)
    remember(world, recording_id, stored(FILE))

    settle(world, [recording_subject(recording_id)])

    assert [h.recording_id for h in world.catalog.of_session(SESSION)] == [recording_id]
