"""Work is done by one at a time and committed once; who dies, fails or stays away too long harms nobody."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from chalicelib.core import events as e
from chalicelib.core.errors import Unavailable
from chalicelib.core.events import Event
from chalicelib.core.scan import NotRecording, Repaired
from chalicelib.core.step import Made, Step
from chalicelib.core.trigger import Appeared
from chalicelib.core.work import LEASE_MS, Busy, GivenUp, Lease, LeaseLost, TryFailed
from chalicelib.flows.ingest import ingest
from chalicelib.flows.render import render
from chalicelib.ports import Object, Reading, Store, Writing, recording_subject
from tests.builders import RID, SESSION, WHO
from tests.fakes import Died, MemoryInbox, MemoryLeases, MemoryWorld, ScriptedMedia, film
from tests.flows.stage import FILE, facts, key_of, known, redrive, until_quiet

KEY = key_of(RID)
CLIP = key_of(RID, FILE.replace("audio", "video"), kind="video")
TOLD = Appeared("deliveries", KEY)


@pytest.fixture
def world() -> MemoryWorld:
    world = MemoryWorld()
    world.inbox.put(KEY, film())
    world.inbox.put(CLIP, film(kind="video"))
    return world


@dataclass
class Meanwhile(ScriptedMedia):
    """Something happens the first time that a file was read to its end, or when the first bytes are drawn."""

    happens: Callable[[], object]
    when: str = "read"
    happened: bool = False

    def repair(self, chunks: Iterable[bytes], sink: Writing) -> Repaired:
        """As ever."""
        return super().repair(self._watched(chunks), sink)

    def _watched(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        if self.when == "begun":
            self._happen()
        yield from chunks
        if self.when == "read":
            self._happen()

    def _happen(self) -> None:
        if not self.happened:
            self.happened = True
            self.happens()


@dataclass
class Failing(ScriptedMedia):
    """Fails in turn as it is told, then no more; `tries` counts how often anybody began."""

    faults: list[BaseException] = field(default_factory=list)
    tries: int = 0

    def repair(self, chunks: Iterable[bytes], sink: Writing) -> Repaired:
        """Fails half-way."""
        self.tries += 1
        if self.faults:
            sink.body(next(iter(chunks))[:3])
            raise self.faults.pop(0)
        return super().repair(chunks, sink)

    def make(self, step: Step, store: Store) -> list[Made]:
        """Fails when half a file is written."""
        if self.faults:
            store.write("half", "text/plain").body(b"x")
            raise self.faults.pop(0)
        return super().make(step, store)


def away(world: MemoryWorld, do: Callable[[], object]) -> Callable[[], None]:
    """Longer than a lease, while somebody else does this."""

    def happens() -> None:
        world.pass_time(LEASE_MS)
        do()

    return happens


# --- one at a time --------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["begun", "read"])
@pytest.mark.parametrize("body", [film(), b"no film at all"])
def test_who_was_away_for_too_long_commits_nothing(world: MemoryWorld, when: str, body: bytes) -> None:
    world.inbox.put(KEY, body)
    world.media = Meanwhile(away(world, lambda: ingest(world, TOLD)), when)

    with pytest.raises(LeaseLost):
        ingest(world, TOLD)

    told = known(world, RID).facts
    assert (len(told), world.shelf.begun) == (1, 0)
    ingest(world, TOLD)
    assert known(world, RID).facts == told


def test_who_was_away_while_another_failed_commits_nothing_either(world: MemoryWorld) -> None:
    def fail() -> None:
        world.broken("shelf.front")
        with pytest.raises(TryFailed):
            ingest(world, TOLD)
        world.broken()

    world.media = Meanwhile(away(world, fail))

    with pytest.raises(LeaseLost):
        ingest(world, TOLD)

    assert facts(world, RID) == []


def test_who_was_away_and_missed_by_nobody_goes_on(world: MemoryWorld) -> None:
    world.media = Meanwhile(away(world, lambda: None))

    ingest(world, TOLD)

    assert facts(world, RID) == ["SegmentStored"]


def test_a_long_file_is_kept_while_its_bytes_go_by(world: MemoryWorld) -> None:
    refused: list[int] = []

    class Long(MemoryInbox):
        """Ten minutes of reading; at any time somebody else comes."""

        def read(self, key: str, etag: str | None = None) -> Reading:
            reading = super().read(key, etag)
            return _Slow(reading.object, reading, self._chunk)

        def _chunk(self) -> None:
            world.pass_time(19_000)
            world.inbox, mine = inbox, world.inbox
            with pytest.raises(Busy) as busy:
                ingest(world, TOLD)
            refused.append(busy.value.again_s)
            world.inbox = mine

    inbox = world.inbox
    world.inbox = Long(world.tape, world.now, inbox._objects)

    ingest(world, TOLD)

    kept = [done for done in world.tape.done if done.startswith("leases.keep")]
    assert (len(refused), len(kept)) == (32, 16)
    assert min(refused) > 20
    assert facts(world, RID) == ["SegmentStored"]


@dataclass
class _Slow:
    """Answers to the port `Reading`: a byte at a time, then nothing for a long while."""

    object: Object
    reading: Reading
    chunk: Callable[[], None]

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.reading:
            yield chunk
            for _ in range(32):
                self.chunk()
                yield b""


# --- three tries ----------------------------------------------------------------------------------


def test_what_always_kills_its_worker_is_begun_three_times_and_then_given_up(world: MemoryWorld) -> None:
    media = world.media = Failing([Died() for _ in range(99)])
    for _ in range(3):
        with pytest.raises(Died):
            ingest(world, TOLD)
        with pytest.raises(Busy):
            ingest(world, TOLD)
        world.pass_time(LEASE_MS)

    with pytest.raises(GivenUp, match="cut off") as given_up:
        ingest(world, TOLD)

    assert (media.tries, given_up.value.subject) == (3, recording_subject(RID))
    [fact] = known(world, RID).told(e.WorkGivenUp)
    assert (fact.product, fact.key, fact.tries, fact.target) == ("repaired", KEY, 3, given_up.value.target)
    assert (fact.session_id, fact.participant_id, fact.kind, fact.file) == (SESSION, WHO, "audio", FILE)
    assert fact.etag == world.inbox.read(KEY).object.etag
    assert "cut off" in fact.reason


FAULTS: list[tuple[Exception, str]] = [
    (Unavailable("bucket_unavailable", "the connection broke"), "bucket_unavailable: the connection broke"),
    (MemoryError("no room"), "MemoryError: no room"),
    (KeyError("x"), "KeyError: 'x'"),
]


@pytest.mark.parametrize(("fault", "reason"), FAULTS)
def test_what_always_fails_is_given_up_with_its_last_reason(
    world: MemoryWorld, fault: Exception, reason: str
) -> None:
    world.media = Failing([ValueError("another"), Died(), fault, fault])
    for tries in (1, 3):
        with pytest.raises(TryFailed) as failed:
            ingest(world, TOLD)
        assert failed.value.tries == tries
        if tries == 1:
            with pytest.raises(Died):
                ingest(world, TOLD)
            world.pass_time(LEASE_MS)

    for _ in range(2):
        with pytest.raises(GivenUp):
            ingest(world, TOLD)

    [given_up] = known(world, RID).told(e.WorkGivenUp)
    assert given_up.reason == reason
    assert facts(world, RID) == ["WorkGivenUp"]
    assert world.shelf.begun == 0


def test_waiting_for_somebody_is_no_try(world: MemoryWorld) -> None:
    world.media = Failing([Died()])
    with pytest.raises(Died):
        ingest(world, TOLD)
    for _ in range(5):
        with pytest.raises(Busy):
            ingest(world, TOLD)
    world.pass_time(LEASE_MS)

    ingest(world, TOLD)

    assert facts(world, RID) == ["SegmentStored"]


def test_what_is_overwritten_after_it_was_given_up_is_work_of_its_own(world: MemoryWorld) -> None:
    world.media = Failing([ValueError("bad") for _ in range(3)])
    world.work.ingest([KEY])
    failing_until_quiet(world)
    world.inbox.put(KEY, film(2000))

    ingest(world, TOLD)

    assert [segment.duration_ms for segment in known(world, RID).segments] == [2000]


def test_what_is_redriven_is_tried_again_and_may_be_given_up_again(world: MemoryWorld) -> None:
    world.media = Failing([ValueError("bad") for _ in range(6)])
    world.work.ingest([KEY])
    for _ in range(2):
        failing_until_quiet(world)
        redrive(world)
        world.pass_time(1000)
    failing_until_quiet(world)

    recording = known(world, RID)
    assert [fact.tries for fact in recording.told(e.WorkGivenUp)] == [3, 6]
    assert len(recording.told(e.WorkRedriven)) == 2
    assert len(recording.segments) == 1


def failing_until_quiet(world: MemoryWorld) -> None:
    """As the queues would bring it again."""
    for _ in range(10):
        try:
            return until_quiet(world)
        except TryFailed:
            continue
    raise AssertionError("it is tried for ever")


def test_a_step_that_always_fails_is_given_up(world: MemoryWorld) -> None:
    ingest(world, Appeared("deliveries", CLIP))
    [step] = world.work.steps
    world.media = Failing([ValueError("bad") for _ in range(3)])
    for _ in range(3):
        with pytest.raises(TryFailed):
            render(world, step)

    with pytest.raises(GivenUp, match="bad"):
        render(world, step)

    [fact] = known(world, RID).told(e.WorkGivenUp)
    [segment] = known(world, RID).told(e.SegmentStored)
    assert (fact.product, fact.target, fact.key) == ("poster", step["step"]["target"], segment.repaired_key)
    assert (fact.session_id, fact.file) == (SESSION, CLIP.rpartition("/")[2])
    assert world.shelf.begun == 0


def test_a_step_whose_picture_can_not_be_made_is_not_told_by_who_was_away(world: MemoryWorld) -> None:
    ingest(world, Appeared("deliveries", CLIP))
    [message] = world.work.steps

    class Away(ScriptedMedia):
        """Comes back with bad news when another has made the picture."""

        def make(self, step: Step, store: Store) -> list[Made]:
            world.pass_time(LEASE_MS)
            world.media = ScriptedMedia()
            render(world, message)
            raise NotRecording("undecodable", f"no picture for {step} in {store}")

    world.media = Away()

    with pytest.raises(LeaseLost):
        render(world, message)

    assert facts(world, RID) == ["ArtifactMade", "SegmentStored"]


# --- what a table may do --------------------------------------------------------------------------


def test_a_commit_whose_answer_never_came_was_done_all_the_same(world: MemoryWorld) -> None:
    class Silent(MemoryLeases):
        """Does what it is asked, and does not answer."""

        def commit(self, lease: Lease, subject: str, facts: Sequence[Event]) -> bool:
            super().commit(lease, subject, facts)
            raise Unavailable("ledger_unavailable", "the ledger can not be reached; try again")

    world.leases = Silent(world.ledger)
    with pytest.raises(TryFailed):
        ingest(world, TOLD)

    ingest(world, TOLD)

    assert facts(world, RID) == ["SegmentStored"]


def test_a_lease_that_can_not_be_given_back_runs_out(world: MemoryWorld) -> None:
    world.media = Failing([ValueError("bad")])
    world.broken("leases.fail")
    with pytest.raises(TryFailed, match="bad"):
        ingest(world, TOLD)
    with pytest.raises(Busy):
        ingest(world, TOLD)
    world.pass_time(LEASE_MS)

    ingest(world, TOLD)

    assert facts(world, RID) == ["SegmentStored"]


def test_what_can_not_be_written_down_as_given_up_is_told_the_next_time(world: MemoryWorld) -> None:
    world.media = Failing([ValueError("bad") for _ in range(3)])
    for _ in range(3):
        with pytest.raises(TryFailed):
            ingest(world, TOLD)
    world.broken("ledger.append")
    with pytest.raises(Unavailable):
        ingest(world, TOLD)
    world.broken()

    with pytest.raises(GivenUp):
        ingest(world, TOLD)

    assert facts(world, RID) == ["WorkGivenUp"]


# --- generations ----------------------------------------------------------------------------------


def orphaned(world: MemoryWorld, key: str) -> str:
    """A file that its killed worker wrote and nobody committed, and that was swept away; its key."""
    before = set(world.shelf.files)
    world.tape.dies_in(2)
    with pytest.raises(Died):
        ingest(world, Appeared("deliveries", key))
    world.tape.dies_before = None
    [orphan] = set(world.shelf.files) - before
    world.pass_time(86_400_000)
    assert world.leases.collect(orphan, world.now())
    del world.shelf.files[orphan]
    return orphan


def test_after_its_orphan_was_swept_away_a_file_has_another_key(world: MemoryWorld) -> None:
    first, second = orphaned(world, CLIP), orphaned(world, CLIP)

    world.work.ingest([CLIP])
    until_quiet(world)

    [stored] = known(world, RID).told(e.SegmentStored)
    [poster] = known(world, RID).told(e.ArtifactMade)
    assert len({first, second, stored.repaired_key}) == 3
    assert poster.source == stored.repaired_key
    assert set(world.shelf.files) >= {stored.repaired_key, poster.key}


def test_who_was_away_while_its_work_was_swept_away_commits_nothing(world: MemoryWorld) -> None:
    def swept() -> None:
        [target] = [done.split()[1] for done in world.tape.done if done.startswith("leases.take")]
        assert world.leases.collect(target, world.now())

    world.media = Meanwhile(away(world, swept))

    with pytest.raises(LeaseLost):
        ingest(world, TOLD)

    assert facts(world, RID) == []
    world.pass_time(1000)
    ingest(world, TOLD)
    [stored] = known(world, RID).told(e.SegmentStored)
    assert stored.repaired_key in world.shelf.files
