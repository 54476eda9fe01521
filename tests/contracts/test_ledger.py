"""A ledger is a set of facts for each subject."""

from dataclasses import replace
from threading import Barrier, Thread

import pytest

from chalicelib.core import events as e
from chalicelib.core.heads import recording_head, session_head
from chalicelib.core.recording import Recording
from chalicelib.ports import recording_subject, session_subject
from tests.builders import ASKED, RID, STARTED, stopped, stored
from tests.contracts.conftest import Store

SUBJECT = recording_subject(RID)


def odd(number: int, size: int) -> e.OddHeard:
    """A large fact."""
    return e.OddHeard(
        at=number, webhook_type="t", reason="r", body_sha256=f"{number:064x}", body="ä" * (size // 6)
    )


def test_a_fact_is_news_once(store: Store) -> None:
    assert store.ledger.append(SUBJECT, STARTED)
    assert not store.ledger.append(SUBJECT, STARTED)
    assert not store.ledger.append(SUBJECT, replace(STARTED, at=99))

    assert store.ledger.read(SUBJECT) == (STARTED,)


def test_the_first_telling_stays(store: Store) -> None:
    store.ledger.append(SUBJECT, replace(STARTED, at=99))
    store.ledger.append(SUBJECT, STARTED)

    assert [fact.at for fact in store.ledger.read(SUBJECT)] == [99]


def test_subjects_know_nothing_of_each_other(store: Store) -> None:
    store.ledger.append(SUBJECT, STARTED)

    assert store.ledger.append(session_subject(RID), STARTED)
    assert store.ledger.read(recording_subject("rec-other")) == ()


def test_facts_are_read_in_the_order_of_hearing(store: Store) -> None:
    facts = [replace(stopped("a"), at=3), replace(ASKED, at=1), replace(STARTED, at=2), stopped("b", at=3)]
    for fact in facts:
        store.ledger.append(SUBJECT, fact)

    assert store.ledger.read(SUBJECT) == tuple(sorted(facts, key=lambda f: (f.at, f.identity)))


def test_many_subjects_are_read_each_in_its_place(store: Store) -> None:
    subjects = [recording_subject(f"rec-{number}") for number in range(30)]
    for number, subject in enumerate(subjects[1:]):
        store.ledger.append(subject, replace(STARTED, at=number))

    told = store.ledger.read_each(subjects)

    assert told == [store.ledger.read(subject) for subject in subjects]
    assert [len(facts) for facts in told] == [0, *[1] * 29]
    assert store.ledger.read_each([]) == []


def test_a_fact_comes_back_as_it_was_written(store: Store) -> None:
    fact = stored("ünï 😀#.webm", holes=((1, 2), (3, 4)), resolutions=((0, 640, 480),), width=640, height=480)

    store.ledger.append(SUBJECT, fact)

    assert store.ledger.read(SUBJECT) == (fact,)


def test_a_fact_is_found_by_what_it_says(store: Store) -> None:
    fact = stored("a.webm")
    store.ledger.append(SUBJECT, fact)

    assert store.ledger.has(SUBJECT, e.identity_of(e.SegmentStored, key=fact.key, etag=fact.etag))
    assert not store.ledger.has(SUBJECT, e.identity_of(e.SegmentStored, key=fact.key, etag="other"))
    assert not store.ledger.has(session_subject(RID), fact.identity)


def test_more_than_a_page_of_facts_is_read_whole(store: Store) -> None:
    facts = [odd(number, 100_000) for number in range(24)]
    for fact in facts:
        store.ledger.append(SUBJECT, fact)

    assert store.ledger.read(SUBJECT) == tuple(facts)


def test_the_largest_delivery_fits(store: Store) -> None:
    assert store.ledger.append(SUBJECT, odd(1, 380_000))


def test_conclusions_are_facts_as_well(store: Store) -> None:
    reached = e.VerdictReached(at=5, complete=True, digest="d")

    assert store.ledger.append(SUBJECT, reached)
    assert not store.ledger.append(SUBJECT, reached)
    assert store.ledger.read(SUBJECT) == (reached,)


def test_what_is_derived_is_no_fact(store: Store) -> None:
    head = recording_head(Recording.of(RID, [ASKED, STARTED]))
    store.catalog.keep_recording(head)
    store.catalog.keep_session(session_head(STARTED.session_id, [head], 0, ""))

    assert store.ledger.read(SUBJECT) == ()
    assert store.ledger.read(session_subject(STARTED.session_id)) == ()


@pytest.mark.parametrize("rounds", range(3))
def test_of_many_tellings_at_once_one_is_news(store: Store, rounds: int) -> None:
    barrier, news = Barrier(4), []

    def tell(at: int) -> None:
        barrier.wait()
        news.append(store.ledger.append(SUBJECT, stopped(str(rounds), at=at)))

    threads = [Thread(target=tell, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(news) == [False, False, False, True]
