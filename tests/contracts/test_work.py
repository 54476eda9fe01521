"""Work is begun by one at a time, three times at most, and committed once: who is late commits nothing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Barrier, Thread
from typing import Any

import boto3
import hypothesis.strategies as st
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from moto.core.models import botocore_stubber

from chalicelib.adapters.dynamodb import DynamoLedger
from chalicelib.adapters.dynamodb_work import DynamoLeases
from chalicelib.core.errors import Unavailable
from chalicelib.core.events import Event, SegmentStored
from chalicelib.core.ids import Kind
from chalicelib.core.work import FACTS_AT_MOST, LEASE_MS, Busy, Collected, Done, Lease, LeaseLost, Spent
from chalicelib.ports import Leases, Ledger, recording_subject
from tests.builders import RID, stored
from tests.contracts.conftest import BOTH, REGION, Aws, Wire
from tests.fakes import NOON, MemoryLeases, MemoryLedger

SUBJECT = recording_subject(RID)
TARGET = "sessions/s/anna/audio/repaired-1750000000000-0123456789abcdef.webm"
FACT = stored("a.webm")
LATER = NOON + LEASE_MS


@dataclass
class Works:
    """Leases over a ledger."""

    leases: Leases
    ledger: Ledger

    def take(self, now: int = NOON) -> Lease:
        """A try at the one target of these stories."""
        return self.leases.take(TARGET, now)

    def commit(self, lease: Lease, fact: Event = FACT) -> bool:
        """With the one fact."""
        return self.leases.commit(lease, SUBJECT, [fact])

    def spend(self, tries: int, reason: str = "the bucket is down") -> None:
        """Tries that fail."""
        for _ in range(tries):
            self.leases.fail(self.take(), reason)


@pytest.fixture(params=BOTH)
def works(request: pytest.FixtureRequest, aws: Aws) -> Works:
    return some_works(request.param, aws)


def some_works(kind: str, aws: Aws) -> Works:
    """Where nobody has worked yet."""
    if kind == "memory":
        ledger = MemoryLedger()
        return Works(MemoryLeases(ledger), ledger)
    table = aws.table()
    leases = DynamoLeases(aws.dynamodb, table, pause=lambda _: None)
    return Works(leases, DynamoLedger(aws.dynamodb, table))


# --- one at a time --------------------------------------------------------------------------------


def test_a_lease_is_for_a_minute(works: Works) -> None:
    assert works.take() == Lease(TARGET, epoch=1, until=LATER, tries=1)


@pytest.mark.parametrize(("passed_ms", "again_s"), [(0, 60), (1, 60), (1000, 59), (59_999, 1)])
def test_who_comes_second_hears_how_long_to_wait(works: Works, passed_ms: int, again_s: int) -> None:
    works.take()

    with pytest.raises(Busy) as busy:
        works.take(NOON + passed_ms)

    assert busy.value.again_s == again_s


def test_a_lease_that_ran_out_goes_to_the_next(works: Works) -> None:
    works.take()

    assert works.take(LATER) == Lease(TARGET, epoch=2, until=LATER + LEASE_MS, tries=2)


def test_a_lease_that_is_kept_does_not_run_out(works: Works) -> None:
    kept = works.leases.keep(works.take(), NOON + 20_000)

    assert kept.until == NOON + 20_000 + LEASE_MS
    with pytest.raises(Busy):
        works.take(LATER)
    assert works.commit(kept)


def test_targets_know_nothing_of_each_other(works: Works) -> None:
    works.take()

    assert works.leases.take(f"{TARGET}x", NOON).tries == 1


def test_of_many_at_once_one_begins() -> None:
    works = Works(leases := MemoryLeases(MemoryLedger()), leases.ledger)
    barrier, taken = Barrier(4), []

    def take() -> None:
        barrier.wait()
        try:
            taken.append(works.take().tries)
        except Busy:
            taken.append(0)

    threads = [Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(taken) == [0, 0, 0, 1]


# --- committed once -------------------------------------------------------------------------------


def test_a_commit_writes_the_fact_and_the_work_off(works: Works) -> None:
    assert works.commit(works.take())

    assert works.ledger.read(SUBJECT) == (FACT,)
    for now in (NOON, LATER, 10 * LATER):
        with pytest.raises(Done):
            works.take(now)


def test_a_fact_that_was_there_is_no_news_and_the_work_is_done(works: Works) -> None:
    works.ledger.append(SUBJECT, FACT)

    assert not works.commit(works.take(), replace(FACT, at=99))

    assert works.ledger.read(SUBJECT) == (FACT,)
    with pytest.raises(Done):
        works.take(LATER)


def test_a_lease_that_ran_out_and_nobody_took_still_commits(works: Works) -> None:
    lease = works.take()

    assert works.leases.keep(lease, LATER + 5).until == LATER + 5 + LEASE_MS
    assert works.commit(lease)


OVERTAKEN: dict[str, Callable[[Works], object]] = {
    "taken by another": lambda w: w.take(LATER),
    "done by another": lambda w: w.commit(w.take(LATER), stored("other.webm")),
    "done by another who said the same": lambda w: w.commit(w.take(LATER)),
    "given back by another": lambda w: w.leases.fail(w.take(LATER), "x"),
    "collected": lambda w: w.leases.collect(TARGET, LATER),
}


@pytest.mark.parametrize("overtake", list(OVERTAKEN.values()), ids=list(OVERTAKEN))
def test_a_zombie_commits_nothing(works: Works, overtake: Callable[[Works], object]) -> None:
    lease = works.take()
    overtake(works)
    before = works.ledger.read(SUBJECT)

    with pytest.raises(LeaseLost):
        works.leases.keep(lease, LATER)
    with pytest.raises(LeaseLost):
        works.commit(lease)

    assert works.ledger.read(SUBJECT) == before


def test_a_zombie_takes_nothing_from_who_came_after(works: Works) -> None:
    zombie = works.take()
    lease = works.take(LATER)

    works.leases.fail(zombie, "I was away")

    with pytest.raises(Busy):
        works.take(LATER)
    assert works.commit(lease)


def test_who_committed_can_not_fail_and_hears_the_same_again(works: Works) -> None:
    lease = works.take()
    works.commit(lease)

    works.leases.fail(lease, "the answer was lost")
    assert works.commit(lease)

    with pytest.raises(Done):
        works.take()
    assert works.ledger.read(SUBJECT) == (FACT,)


FACTS = tuple(stored(f"{name}.webm") for name in "abc")


def test_all_facts_of_a_commit_are_written_at_once(works: Works) -> None:
    assert works.leases.commit(works.take(), SUBJECT, FACTS)

    assert set(works.ledger.read(SUBJECT)) == set(FACTS)
    with pytest.raises(Done):
        works.take(LATER)


@pytest.mark.parametrize("there", [(0,), (1,), (0, 2), (0, 1, 2)])
def test_facts_that_were_there_stay_and_hinder_no_other(works: Works, there: tuple[int, ...]) -> None:
    for place in there:
        works.ledger.append(SUBJECT, FACTS[place])
    lease, later = works.take(), [replace(fact, at=99) for fact in FACTS]

    news = [works.leases.commit(lease, SUBJECT, later) for _ in range(2)]

    assert news == [len(there) < len(FACTS)] * 2
    told = {fact.file: fact.at for fact in works.ledger.read(SUBJECT) if isinstance(fact, SegmentStored)}
    assert told == {fact.file: FACTS[0].at if n in there else 99 for n, fact in enumerate(FACTS)}


def test_a_fact_that_is_told_twice_in_a_commit_is_one(works: Works) -> None:
    assert works.leases.commit(works.take(), SUBJECT, [FACT, FACT])

    assert works.ledger.read(SUBJECT) == (FACT,)


def test_a_commit_may_have_nothing_to_tell(works: Works) -> None:
    assert not works.leases.commit(works.take(), SUBJECT, [])

    with pytest.raises(Done):
        works.take(LATER)


def test_a_zombie_commits_none_of_many(works: Works) -> None:
    lease = works.take()
    works.ledger.append(SUBJECT, FACTS[0])
    works.take(LATER)

    with pytest.raises(LeaseLost):
        works.leases.commit(lease, SUBJECT, FACTS)

    assert works.ledger.read(SUBJECT) == FACTS[:1]


def test_a_commit_holds_as_many_facts_as_a_transaction(works: Works) -> None:
    facts = [stored(f"{number}.webm") for number in range(FACTS_AT_MOST + 1)]
    lease = works.take()

    with pytest.raises(ValueError, match="91 facts"):
        works.leases.commit(lease, SUBJECT, facts)
    assert works.leases.commit(lease, SUBJECT, facts[1:])

    assert len(works.ledger.read(SUBJECT)) == FACTS_AT_MOST


# --- three tries ----------------------------------------------------------------------------------


def test_who_fails_gives_the_work_back_at_once(works: Works) -> None:
    works.spend(1)

    assert works.take().tries == 2


def test_after_three_tries_it_is_spent_and_says_why(works: Works) -> None:
    works.spend(2)
    works.spend(1, "no picture ünï")

    with pytest.raises(Spent) as given_up:
        works.take(LATER)

    told = given_up.value
    assert (told.target, told.tries, told.reason) == (TARGET, 3, "no picture ünï")


def test_a_try_whose_worker_was_killed_counts(works: Works) -> None:
    works.spend(2, "an earlier reason")
    works.take()
    with pytest.raises(Busy):
        works.take()

    with pytest.raises(Spent, match="cut off") as given_up:
        works.take(LATER)

    assert "an earlier reason" not in given_up.value.reason


def test_the_last_try_can_be_committed(works: Works) -> None:
    works.spend(2)

    assert works.commit(works.take())


def test_an_endless_reason_is_kept_short(works: Works) -> None:
    works.spend(3, "because " * 10_000)

    with pytest.raises(Spent, match="because because"):
        works.take()


def test_a_reason_may_be_empty(works: Works) -> None:
    works.spend(3, "")

    with pytest.raises(Spent, match="no reason"):
        works.take()


def test_what_is_redriven_may_be_tried_three_times_more(works: Works) -> None:
    works.spend(3)

    assert works.leases.redrive(TARGET)
    assert works.leases.redrive(TARGET)

    works.spend(2)
    assert works.take().tries == 6
    with pytest.raises(Spent) as given_up:
        works.take(LATER)
    assert given_up.value.tries == 6


def test_there_is_nothing_to_redrive_of_what_is_done_or_never_was(works: Works) -> None:
    assert not works.leases.redrive(TARGET)
    works.commit(works.take())

    assert not works.leases.redrive(TARGET)
    with pytest.raises(Done):
        works.take()


# --- sweeping away --------------------------------------------------------------------------------


def test_what_was_left_behind_may_be_deleted_and_is_never_committed(works: Works) -> None:
    lease = works.take()

    assert works.leases.collect(TARGET, LATER)
    assert works.leases.collect(TARGET, LATER)

    with pytest.raises(Collected):
        works.take(10 * LATER)
    with pytest.raises(LeaseLost):
        works.commit(lease)


KEPT: dict[str, Callable[[Works], object]] = {
    "committed": lambda w: w.commit(w.take()),
    "being worked on": lambda w: w.take(LATER),
    "kept": lambda w: w.leases.keep(w.take(), LATER),
    "never leased": lambda w: w.leases.take("another", NOON),
}


@pytest.mark.parametrize("story", list(KEPT.values()), ids=list(KEPT))
def test_what_is_ours_or_somebodys_is_not_deleted(works: Works, story: Callable[[Works], object]) -> None:
    story(works)

    assert not works.leases.collect(TARGET, LATER)


def test_what_was_begun_is_unfinished_until_it_is_committed(works: Works) -> None:
    assert not works.leases.unfinished(TARGET)
    lease = works.take()
    assert works.leases.unfinished(TARGET)

    works.commit(lease)

    assert not works.leases.unfinished(TARGET)


def test_what_was_collected_stays_unfinished(works: Works) -> None:
    works.take()
    works.leases.collect(TARGET, LATER)

    assert works.leases.unfinished(TARGET)


def test_what_is_spent_may_be_deleted(works: Works) -> None:
    works.spend(3)

    assert works.leases.collect(TARGET, NOON)


# --- any story ------------------------------------------------------------------------------------

HAPPENS = st.lists(
    st.tuples(st.sampled_from(["take", "keep", "fail", "commit", "collect", "redrive", "wait"]),
              st.integers(0, 3)),
    max_size=25,
)  # fmt: skip


def lived(works: Works, story: list[tuple[str, int]]) -> list[str]:
    """What each of them met; a number says which of the leases that were ever had is meant."""
    now, leases, met = NOON, [Lease(TARGET, 0, 0, 0)], []
    happens: dict[str, Callable[[Lease], object]] = {
        "take": lambda _: leases.append(works.take(now)),
        "keep": lambda lease: works.leases.keep(lease, now).until,
        "fail": lambda lease: works.leases.fail(lease, "down"),
        "commit": lambda lease: works.commit(lease, replace(FACT, etag=str(lease.epoch))),
        "collect": lambda _: works.leases.collect(TARGET, now),
        "redrive": lambda _: works.leases.redrive(TARGET),
    }
    for what, which in story:
        if what == "wait":
            now += which * 25_000
            continue
        try:
            met.append(repr(happens[what](leases[-1 - which % len(leases)])))
        except (Done, Collected, Unavailable, Spent) as refusal:
            met.append(repr(refusal))
    return [*met, *(str(lease) for lease in leases), *map(str, works.ledger.read(SUBJECT))]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HAPPENS)
def test_the_fake_lives_every_story_as_the_table_does(aws: Aws, story: list[tuple[str, int]]) -> None:
    # Who never had a lease asks nothing of it.
    story = [("take", 0), *story]

    in_memory, in_the_table = (some_works(kind, aws) for kind in BOTH)

    assert lived(in_memory, story) == lived(in_the_table, story)


@settings(max_examples=60)
@given(HAPPENS)
def test_no_story_commits_twice_or_after_collecting(story: list[tuple[str, int]]) -> None:
    ledger = MemoryLedger()
    leases = MemoryLeases(ledger)
    lived(Works(leases, ledger), [("take", 0), *story])

    assert len(ledger.read(SUBJECT)) <= 1


# --- what only the table can show -----------------------------------------------------------------


class Table:
    """Leases and a ledger over one table, a client that tries three times, and what it sent."""

    def __init__(self, aws: Aws) -> None:
        self.name = aws.table()
        config = Config(retries={"mode": "standard", "total_max_attempts": 3}, parameter_validation=False)
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        self.wire = Wire(boto3.client("dynamodb", region_name=REGION, config=config, **keys))
        self.pauses: list[float] = []
        self.works = Works(
            DynamoLeases(self.wire.client, self.name, pause=self.pauses.append),
            DynamoLedger(self.wire.client, self.name),
        )

    def loses_an_answer(self, operation: str) -> None:
        """The next call of this operation is done, and is sent again because its answer is lost."""
        events, name = self.wire.client.meta.events, f"before-send.dynamodb.{operation}"

        def lose(event_name: str, request: Any, **_: Any) -> None:
            events.unregister(name, lose)
            done = botocore_stubber(event_name, request)
            assert done is not None
            assert done.status_code == 200
            raise ReadTimeoutError(endpoint_url="dynamodb")

        events.register_first(name, lose)

    def conflicts(self, times: int) -> None:
        """The next transactions meet another one."""
        events, name = self.wire.client.meta.events, "before-send.dynamodb.TransactWriteItems"
        left = iter(range(times))

        def conflict(**_: Any) -> None:
            if next(left, None) is None:
                return
            reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
            answer = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
            raise self.wire.client.exceptions.TransactionCanceledException(answer, "TransactWriteItems")

        events.register_first(name, conflict)

    def item(self, target: str) -> dict[str, Any]:
        """Who works on it."""
        key = {"pk": {"S": f"work#{target}"}, "sk": {"S": "work"}}
        item: dict[str, Any] = self.wire.client.get_item(TableName=self.name, Key=key)["Item"]
        return item


@pytest.fixture
def table(aws: Aws) -> Table:
    return Table(aws)


def test_who_did_not_hear_that_it_took_the_work_has_it(table: Table) -> None:
    table.loses_an_answer("UpdateItem")

    lease = table.works.take()

    assert (lease.epoch, lease.tries) == (1, 1)
    assert table.works.commit(lease)


def test_who_did_not_hear_that_it_kept_the_work_has_it(table: Table) -> None:
    lease = table.works.take()
    table.loses_an_answer("UpdateItem")

    assert table.works.leases.keep(lease, LATER).until == LATER + LEASE_MS


@pytest.mark.parametrize("news", [True, False])
def test_who_did_not_hear_that_it_committed_did(table: Table, news: bool) -> None:
    if not news:
        table.works.ledger.append(SUBJECT, FACT)
    lease = table.works.take()
    table.loses_an_answer("TransactWriteItems" if news else "UpdateItem")

    assert table.works.commit(lease) is news
    assert table.works.ledger.read(SUBJECT) == (FACT,)


def test_who_did_not_hear_what_it_redrove_allows_three_tries_and_no_more(table: Table) -> None:
    table.works.spend(3)
    table.loses_an_answer("UpdateItem")

    assert table.works.leases.redrive(TARGET)

    table.works.spend(3)
    with pytest.raises(Spent):
        table.works.take()


def test_who_did_not_hear_that_it_collected_may_delete(table: Table) -> None:
    table.works.spend(1)
    table.loses_an_answer("UpdateItem")

    assert table.works.leases.collect(TARGET, NOON)


def test_a_commit_that_meets_another_write_is_tried_again(table: Table) -> None:
    lease = table.works.take()
    table.conflicts(2)

    assert table.works.commit(lease)
    assert len(table.pauses) == 2


def test_a_commit_that_always_meets_another_is_unavailable(table: Table) -> None:
    lease = table.works.take()
    table.conflicts(99)

    with pytest.raises(Unavailable, match="ledger_busy"):
        table.works.commit(lease)
    with pytest.raises(Busy):
        table.works.take()


LEASE = Lease(TARGET, 1, LATER, 1)
DOORS: list[tuple[str, Callable[[Works], object]]] = [
    ("take", lambda w: w.take()),
    ("keep", lambda w: w.leases.keep(LEASE, NOON)),
    ("fail", lambda w: w.leases.fail(LEASE, "x")),
    ("commit", lambda w: w.commit(LEASE)),
    ("unfinished", lambda w: w.leases.unfinished(TARGET)),
    ("collect", lambda w: w.leases.collect(TARGET, NOON)),
    ("redrive", lambda w: w.leases.redrive(TARGET)),
]


@pytest.mark.parametrize("door", [door for _, door in DOORS], ids=[name for name, _ in DOORS])
def test_a_table_that_says_no_is_unavailable(table: Table, door: Callable[[Works], object]) -> None:
    table.wire.client.delete_table(TableName=table.name)

    with pytest.raises(Unavailable, match="ledger_unavailable"):
        door(table.works)


def test_the_work_of_a_segment_with_usual_names_costs_five_write_units(table: Table) -> None:
    who, session = "0a1b2c3d-4e5f-6789-abcd-ef0123456789", "65f0c0ffee65f0c0ffee65f0"
    file = f"track_recording_{who}_video_{NOON}.webm"
    target = f"sessions/{session}/{who}/video/repaired-{NOON}-0123456789abcdef.webm"
    fact = stored(
        file, start_at=NOON, at=NOON, modified_at=NOON, key=f"recordings/{RID}/{session}/{who}/video/{file}",
        etag="9" * 32, bytes=12_345_678, repaired_bytes=12_345_678, session_id=session, participant_id=who,
        kind=Kind.VIDEO, width=1280, height=720, resolutions=((0, 1280, 720),), repaired_key=target,
    )  # fmt: skip

    lease = table.works.leases.take(target, NOON)
    taken = size(table.item(target))
    table.works.commit(lease, fact)

    [told] = [params for name, params in table.wire.calls if name == "TransactWriteItems"]
    written = told["TransactItems"][0]["Put"]["Item"]
    assert units(taken) + 2 * (units(size(written)) + units(taken)) == 5


def size(item: dict[str, dict[str, Any]]) -> int:
    """An item's bytes, as DynamoDB counts them: names and values, a number as long as it is written."""
    return sum(
        len(name.encode()) + len(str(value).encode())
        for name, told in item.items()
        for value in told.values()
    )


def units(size: int) -> int:
    """Write units: one for each kilobyte begun."""
    return -(-size // 1024)
