"""What came unheard is heard of after all; what nobody committed goes, and nobody can commit it any more."""

from collections.abc import Callable

import pytest

from chalicelib.core import events as e
from chalicelib.core import ids
from chalicelib.core.errors import Unavailable
from chalicelib.core.order import PLAN
from chalicelib.core.work import LEASE_MS, Collected, Done, LeaseLost
from chalicelib.flows.ingest import ingest
from chalicelib.flows.sweep import DAY_MS, FAULTS_AT_MOST, MINUTE_MS, sweep, target_of
from chalicelib.flows.work import Hold, Job, once
from chalicelib.ports import recording_subject
from tests.builders import RID, SESSION, stored
from tests.fakes import MemoryLeases, MemoryLedger, MemoryWorld, film
from tests.flows.stage import FILE, at_rest, begun, deliver, facts, key_of, known, remember, until_quiet

LEFT = f"recordings/{SESSION}/bela/audio/{FILE}"
TARGET = f"sessions/{SESSION}/anna/audio/repaired-1750000000000-0123456789abcdef.webm"


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


def swept(world: MemoryWorld) -> dict[str, int]:
    """A run that has all the time in the world."""
    return sweep(world, lambda: True)


def only(steps: int) -> Callable[[], bool]:
    """Time for so many steps."""
    left = iter([True] * steps)
    return lambda: next(left, False)


def queued(world: MemoryWorld) -> list[str]:
    """What waits to be processed."""
    return [thing.key for thing in world.work.objects]


# --- what came unheard ----------------------------------------------------------------------------


@pytest.mark.parametrize("lead", ids.LEADS)
def test_an_unannounced_object_whose_event_was_lost_is_processed(world: MemoryWorld, lead: str) -> None:
    deliver(world, lead + LEFT, silently=True)
    world.pass_time(DAY_MS)

    assert swept(world) == {"deliveries": 1, "outputs": 0}
    until_quiet(world)

    recording_id = ids.unannounced_id(SESSION, "bela", "audio")
    assert "SegmentStored" in facts(world, recording_id)
    assert at_rest(world)
    assert swept(world) == {"deliveries": 0, "outputs": 0}


def test_an_object_that_came_unheard_after_its_recording_was_settled_is_processed(world: MemoryWorld) -> None:
    recording_id = begun(world)
    remember(world, recording_id, e.StartRefused(at=1, code="never_started", message="nobody confirmed it"))
    deliver(world, key_of(recording_id), silently=True)
    until_quiet(world)
    assert world.catalog.unsettled(10, None).items == []
    world.pass_time(DAY_MS)

    swept(world)
    until_quiet(world)

    assert "SegmentStored" in facts(world, recording_id)


def test_an_object_at_no_place_is_told_of_once(world: MemoryWorld) -> None:
    deliver(world, "recordings/readme.txt", silently=True)
    world.pass_time(DAY_MS)

    assert swept(world)["deliveries"] == 1
    until_quiet(world)

    assert [type(fact) for fact in world.ledger.read("misplaced")] == [e.ObjectMisplaced]
    assert swept(world)["deliveries"] == 0


AGES = [
    (0, 0),
    (10 * MINUTE_MS - 1, 0),
    (10 * MINUTE_MS, 1),
    (3 * DAY_MS - 1, 1),
    (3 * DAY_MS, 0),
]


@pytest.mark.parametrize(("age_ms", "found"), AGES)
def test_only_what_must_have_been_heard_by_now_is_looked_at(
    world: MemoryWorld, age_ms: int, found: int
) -> None:
    deliver(world, LEFT, silently=True)
    world.pass_time(age_ms)

    assert swept(world)["deliveries"] == found


def test_a_known_object_is_left_alone_and_an_overwritten_one_is_not(world: MemoryWorld) -> None:
    recording_id = begun(world)
    for file in ("a.webm", "b.webm", "c.webm"):
        deliver(world, key_of(recording_id, file), b"text" if file == "b.webm" else None)
    until_quiet(world)
    deliver(world, key_of(recording_id, "c.webm"), film(2000), silently=True)
    world.pass_time(DAY_MS)

    swept(world)

    assert queued(world) == [key_of(recording_id, "c.webm")]


def test_what_was_given_up_waits_for_its_redrive(world: MemoryWorld) -> None:
    recording_id = begun(world)
    deliver(world, key_of(recording_id), silently=True)
    [thing] = world.inbox.under("")
    place = ids.place(thing.key, "recordings")
    remember(
        world,
        recording_id,
        e.WorkGivenUp(
            at=1, product="repaired", target="t", key=thing.key, etag=thing.etag, tries=3, reason="it broke",
            session_id=SESSION, participant_id=place.participant_id, kind=place.kind, file=place.file,
        ),
    )  # fmt: skip
    world.pass_time(DAY_MS)

    assert swept(world)["deliveries"] == 0


def test_a_recordings_facts_are_read_once_for_all_its_files(world: MemoryWorld) -> None:
    read: list[str] = []

    class Watched(MemoryLedger):
        """Notes what is read."""

        def read(self, subject: str) -> tuple[e.Event, ...]:
            read.append(subject)
            return super().read(subject)

    for number in range(20):
        deliver(world, LEFT.replace(FILE, f"{number}.webm"), silently=True)
    world.pass_time(DAY_MS)
    world.ledger = Watched(world.tape)

    assert swept(world)["deliveries"] == 20
    assert read == [recording_subject(ids.unannounced_id(SESSION, "bela", "audio"))]


# --- what nobody committed ------------------------------------------------------------------------


def orphan(world: MemoryWorld, target: str = TARGET) -> None:
    """Somebody took a lease, wrote the file and was killed."""
    world.leases.take(target, world.now())
    world.shelf.put(target, b"made by one who died", "audio/webm")


OUTPUT_AGES = [(0, 0), (DAY_MS - 1, 0), (DAY_MS, 1), (10 * DAY_MS - 1, 1), (10 * DAY_MS, 0)]


@pytest.mark.parametrize(("age_ms", "deleted"), OUTPUT_AGES)
def test_an_orphan_is_deleted_between_its_first_day_and_its_tenth(
    world: MemoryWorld, age_ms: int, deleted: int
) -> None:
    orphan(world)
    world.pass_time(age_ms)

    assert swept(world)["outputs"] == deleted
    assert (TARGET in world.shelf.files) == (not deleted)


def test_what_was_committed_and_every_manifest_stays(world: MemoryWorld) -> None:
    recording_id = begun(world)
    deliver(world, key_of(recording_id))
    remember(world, recording_id, e.EndOverdue(at=1, reason="-"))
    until_quiet(world)
    kept = set(world.shelf.files)
    assert any("manifest" in key for key in kept)
    assert any("repaired" in key for key in kept)
    orphan(world)

    for _ in range(12):
        world.pass_time(DAY_MS)
        swept(world)

    assert set(world.shelf.files) == kept


def test_what_was_never_leased_is_not_ours_to_delete(world: MemoryWorld) -> None:
    world.shelf.put("sessions/s/by-hand.webm", b"", "video/webm")
    world.pass_time(DAY_MS)

    assert swept(world)["outputs"] == 0
    assert "sessions/s/by-hand.webm" in world.shelf.files


def test_what_somebody_is_at_again_is_left_to_them(world: MemoryWorld) -> None:
    orphan(world)
    world.pass_time(DAY_MS)
    lease = world.leases.take(TARGET, world.now())

    assert swept(world)["outputs"] == 0
    assert world.leases.commit(lease, recording_subject(RID), [stored("a.webm")])


def test_who_is_late_commits_nothing_that_was_swept_away(world: MemoryWorld) -> None:
    lease = world.leases.take(TARGET, world.now())
    world.shelf.put(TARGET, b"made by one who was stopped", "audio/webm")
    world.pass_time(DAY_MS)

    assert swept(world)["outputs"] == 1
    with pytest.raises(LeaseLost):
        world.leases.keep(lease, world.now())
    with pytest.raises(LeaseLost):
        world.leases.commit(lease, recording_subject(RID), [stored("a.webm")])

    assert world.ledger.read(recording_subject(RID)) == ()


@pytest.mark.parametrize("between", ["unfinished", "collect"])
def test_who_commits_while_it_is_swept_keeps_what_they_committed(world: MemoryWorld, between: str) -> None:
    # However sweep and commit interleave: the fact is there and its file, or neither is.
    class Interleaved(MemoryLeases):
        """The commit comes in between."""

        def unfinished(self, target: str) -> bool:
            answer = super().unfinished(target)
            if between == "unfinished":
                assert self.commit(lease, recording_subject(RID), [stored("a.webm")])
            return answer

        def collect(self, target: str, now: int) -> bool:
            answer = super().collect(target, now)
            if between == "collect":
                with pytest.raises(LeaseLost):
                    self.commit(lease, recording_subject(RID), [stored("a.webm")])
            return answer

    world.leases = Interleaved(world.ledger)
    lease = world.leases.take(TARGET, world.now())
    world.shelf.put(TARGET, b"made by one who was slow", "audio/webm")
    world.pass_time(DAY_MS)

    swept(world)

    committed = bool(world.ledger.read(recording_subject(RID)))
    assert committed == (between == "unfinished") == (TARGET in world.shelf.files)


def test_a_try_after_the_sweep_makes_what_a_second_late_deletion_does_not_touch(world: MemoryWorld) -> None:
    recording_id = begun(world)
    deliver(world, key_of(recording_id))
    world.broken("leases.commit")
    with pytest.raises(Unavailable):
        ingest(world, world.work.objects[0])
    world.broken()
    [old] = [key for key in world.shelf.files if "repaired" in key]
    world.pass_time(DAY_MS)
    assert swept(world)["outputs"] == 2  # its index goes with it

    until_quiet(world)
    world.shelf.delete(old)

    [segment] = known(world, recording_id).segments
    assert segment.repaired_key != old
    assert segment.repaired_key in world.shelf.files
    with pytest.raises(Collected):
        world.leases.take(old, world.now())
    with pytest.raises(Done):
        world.leases.take(segment.repaired_key, world.now())


def test_a_file_that_a_stopped_worker_wrote_after_the_sweep_is_swept_again(world: MemoryWorld) -> None:
    orphan(world)
    world.pass_time(DAY_MS)
    swept(world)
    world.shelf.put(TARGET, b"made by one who was stopped", "audio/webm")

    world.pass_time(DAY_MS)

    assert swept(world)["outputs"] == 1
    assert TARGET not in world.shelf.files


def test_a_deletion_that_failed_is_done_the_next_day(world: MemoryWorld) -> None:
    orphan(world)
    world.pass_time(DAY_MS)
    world.broken("shelf.delete")
    with pytest.raises(ExceptionGroup):
        swept(world)
    world.broken()

    assert swept(world)["outputs"] == 1


def test_an_orphans_work_can_be_done_all_the_same(world: MemoryWorld) -> None:
    orphan(world)
    world.pass_time(DAY_MS)
    swept(world)
    made: list[str] = []
    job = Job(recording_subject(RID), TARGET, {})

    def make(hold: Hold) -> e.Event:
        made.append(hold.target)
        return stored("a.webm")

    once(world, job, make)
    world.pass_time(LEASE_MS)
    once(world, job, make)

    assert len(made) == 1
    assert made[0] != TARGET


STEP = "sessions/s/sound/0123456789abcdef"
OF_A_STEP = [f"{STEP}/mix.webm", f"{STEP}/anna/stem-audio.flac", f"{STEP}/anna/peaks-audio.dat"]


def test_all_files_of_a_step_that_nobody_committed_go_and_its_plan_stays(world: MemoryWorld) -> None:
    world.leases.take(STEP, world.now())
    for key in [*OF_A_STEP, f"{STEP}/{PLAN}", "sessions/s/sound/fedcba9876543210/mix.webm"]:
        world.shelf.put(key, b"made by one who died", "audio/webm")
    world.pass_time(DAY_MS)

    assert swept(world)["outputs"] == len(OF_A_STEP)
    assert world.tape.done.count(f"leases.collect {STEP}") == 1
    assert set(world.shelf.files) == {f"{STEP}/{PLAN}", "sessions/s/sound/fedcba9876543210/mix.webm"}
    with pytest.raises(Collected):
        world.leases.take(STEP, world.now())


def test_the_files_of_a_step_that_was_committed_stay(world: MemoryWorld) -> None:
    lease = world.leases.take(STEP, world.now())
    for key in OF_A_STEP:
        world.shelf.put(key, b"made", "audio/webm")
    world.leases.commit(lease, recording_subject(RID), [])
    world.pass_time(DAY_MS)

    assert swept(world)["outputs"] == 0


# A file, and the target of the lease that it was made under.
TARGETS = [
    *((key, STEP) for key in OF_A_STEP),
    (f"{STEP}~2/mix.webm", f"{STEP}~2"),
    ("sessions/s/copies/anna/0123456789abcdef/av-vp8.webm", "sessions/s/copies/anna/0123456789abcdef"),
    ("sessions/s/copies/fedcba9876543210/0123456789abcdef/a.webm",
     "sessions/s/copies/fedcba9876543210/0123456789abcdef"),
    (TARGET, TARGET),
    ("sessions/s/copies/audio/repaired-1-0f.webm", "sessions/s/copies/audio/repaired-1-0f.webm"),
    (ids.index_key(TARGET), TARGET),
    (ids.index_key(ids.generation(TARGET, 3)), ids.generation(TARGET, 3)),
    ("sessions/s/manifest-0123456789abcdef.json", "sessions/s/manifest-0123456789abcdef.json"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "target"), TARGETS)
def test_each_file_belongs_to_the_work_that_made_it(key: str, target: str) -> None:
    assert target_of(key) == target


# --- parts ----------------------------------------------------------------------------------------


def many(world: MemoryWorld, number: int) -> None:
    """Deliveries of many participants, each with an orphan."""
    for count in range(number):
        deliver(world, f"recordings/{SESSION}/guest-{count:02}/audio/{FILE}", silently=True)
        orphan(world, f"sessions/s/guest-{count:02}/audio/repaired-1-{count:016x}.webm")
    world.pass_time(DAY_MS)


def test_both_walks_go_on_where_they_ended(world: MemoryWorld) -> None:
    many(world, 7)

    done = [sweep(world, only(3)) for _ in range(3)]

    assert done == [{"deliveries": n, "outputs": n} for n in (3, 3, 1)]
    assert len(set(queued(world))) == 7
    assert not world.shelf.files


def test_a_walk_that_came_to_its_end_begins_anew(world: MemoryWorld) -> None:
    many(world, 3)
    sweep(world, only(2))
    sweep(world, only(9))
    deliver(world, f"recordings/{SESSION}/aaron/audio/{FILE}", silently=True)
    world.pass_time(DAY_MS)

    swept(world)

    assert queued(world)[-4].split("/")[2] == "aaron"


def test_the_places_are_kept_only_while_there_are_any(world: MemoryWorld) -> None:
    many(world, 5)
    swept(world)
    until_quiet(world)

    def kept() -> int:
        return len([done for done in world.tape.done if "bookmark" in done])

    assert kept() == 0
    sweep(world, only(2))
    assert kept() == 2
    swept(world)
    assert kept() == 4
    swept(world)
    assert kept() == 4


def test_when_all_is_well_nothing_is_written(world: MemoryWorld) -> None:
    recording_id = begun(world)
    deliver(world, key_of(recording_id))
    remember(world, recording_id, e.EndOverdue(at=1, reason="-"))
    until_quiet(world)
    world.pass_time(DAY_MS)
    before = list(world.tape.done)

    assert swept(world) == {"deliveries": 0, "outputs": 0}

    assert world.tape.done == before


@pytest.mark.parametrize(
    ("door", "walk"),
    [
        ("ledger.read", "deliveries"),
        ("work.ingest", "deliveries"),
        ("leases.unfinished", "outputs"),
        ("leases.collect", "outputs"),
        ("shelf.delete", "outputs"),
    ],
)
def test_one_piece_that_fails_keeps_no_other_waiting(world: MemoryWorld, door: str, walk: str) -> None:
    many(world, 3)
    world.broken(door)

    with pytest.raises(ExceptionGroup) as trouble:
        swept(world)

    assert len(trouble.value.exceptions) == 3
    assert len(queued(world)) == (0 if walk == "deliveries" else 3)
    assert len(world.shelf.files) == (3 if walk == "outputs" else 0)
    world.broken()
    assert swept(world)[walk] == 3


@pytest.mark.parametrize(("door", "other"), [("inbox.under", "outputs"), ("shelf.under", "deliveries")])
def test_a_bucket_that_can_not_be_listed_does_not_stop_the_other_walk(
    world: MemoryWorld, door: str, other: str
) -> None:
    many(world, 3)
    world.broken(door)

    with pytest.raises(ExceptionGroup, match="1 pieces"):
        swept(world)

    assert len(queued(world)) == (3 if other == "deliveries" else 0)
    assert len(world.shelf.files) == (0 if other == "outputs" else 3)


def test_a_walk_on_which_all_goes_wrong_is_given_up_for_the_day_and_goes_on_behind(
    world: MemoryWorld,
) -> None:
    many(world, FAULTS_AT_MOST + 5)
    world.broken("ledger.read")
    with pytest.raises(ExceptionGroup) as trouble:
        swept(world)
    assert len(trouble.value.exceptions) == FAULTS_AT_MOST
    world.broken()

    assert swept(world)["deliveries"] == 5
    assert swept(world)["deliveries"] == FAULTS_AT_MOST + 5
