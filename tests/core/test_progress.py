"""How far a composition is: whatever order its facts come in, and however often each is told."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import events as e
from chalicelib.core.asking import request_of
from chalicelib.core.progress import PHASES, Composition

TARGET = "sessions/s/compositions/comp-0f"


def requested(run: int = 1, **told: Any) -> e.CompositionRequested:
    """Somebody asked."""
    request = json.dumps(request_of({"frameRate": 10, **told}).within(60_000).told())
    return e.CompositionRequested(
        at=1_000 * run, run=run, session_id="s", request=request, seconds=9.5, dollars=0.01, by="app"
    )


def planned(run: int = 1, chunks: int = 3) -> e.CompositionPlanned:
    """So many chunks."""
    return e.CompositionPlanned(at=2_000, run=run, chunks=chunks, frames=100 * chunks)


def rendered(number: int, run: int = 1, at: int = 11_000, **said: Any) -> e.ChunkRendered:
    """One of them, of ten seconds."""
    told: dict[str, Any] = {
        "key": f"{TARGET}/chunk-{number}",
        "bytes": 5,
        "frames": 100,
        "billed_ms": 2_000,
        "memory_mb": 1_769,
    }
    return e.ChunkRendered(at=at, run=run, number=number, **{**told, **said})


def finished(run: int = 1) -> e.CompositionFinished:
    """All is there."""
    return e.CompositionFinished(at=12_000, run=run, files=(("mp4", f"{TARGET}/all.mp4"),), dollars=0.02)


def failed(run: int = 1) -> e.CompositionFailed:
    """It was given up."""
    return e.CompositionFailed(at=9_000, run=run, code="render_failed", reason="no memory")


def cancelled(run: int = 1) -> e.CompositionCancelled:
    """Nobody wants it."""
    return e.CompositionCancelled(at=9_000, run=run, by="app")


CHUNKS = [rendered(number) for number in (1, 2, 4)]
STORIES: list[tuple[str, list[e.Event]]] = [
    ("requested", [requested()]),
    ("rendering", [requested(), planned()]),
    ("rendering", [requested(), planned(), *CHUNKS[:2]]),
    ("rendering", [requested(), planned(), *CHUNKS[:2], rendered(2, billed_ms=9)]),
    ("rendering", [requested(), *CHUNKS]),
    ("finishing", [requested(), planned(), *CHUNKS]),
    ("ready", [requested(), planned(), *CHUNKS, finished()]),
    ("ready", [requested(), planned(), *CHUNKS, failed(), finished()]),
    ("failed", [requested(), planned(), *CHUNKS[:2], failed()]),
    ("cancelled", [requested(), cancelled()]),
    ("cancelled", [requested(), planned(), *CHUNKS, finished(), cancelled()]),
    ("requested", [requested(), failed(), requested(2)]),
    ("requested", [requested(), finished(), cancelled(), requested(2)]),
    ("rendering", [requested(), planned(), *CHUNKS, cancelled(), requested(2), planned(2)]),
    ("finishing", [requested(), planned(), failed(), requested(2), planned(2, 1), rendered(1, 2)]),
    ("ready", [requested(), failed(), requested(2), finished(2)]),
]


@pytest.mark.parametrize(("phase", "facts"), STORIES)
def test_the_last_run_s_facts_tell_the_phase(phase: str, facts: list[e.Event]) -> None:
    assert Composition.of("comp-0f", facts).phase == phase


def test_every_phase_has_a_story() -> None:
    assert {phase for phase, _ in STORIES} == set(PHASES)


def told(one: Composition) -> tuple[Any, ...]:
    """All that is asked of a composition."""
    return (
        *(one.run, one.phase, one.requested, one.planned, one.finished, one.failed, one.request),
        *(one.done, one.kept, one.slates, one.dollars, one.speed(20_000)),
    )


@given(st.sampled_from(STORIES), st.data())
def test_order_and_repeats_of_facts_do_not_matter(
    story: tuple[str, list[e.Event]], data: st.DataObject
) -> None:
    facts = story[1]
    repeats = data.draw(st.lists(st.sampled_from(facts), max_size=4))
    later = [replace(fact, at=fact.at + 5_000) for fact in repeats]
    shuffled = data.draw(st.permutations([*facts, *later]))

    assert told(Composition.of("comp-0f", shuffled)) == told(Composition.of("comp-0f", facts))


def test_before_anybody_asks_there_is_nothing() -> None:
    nothing = Composition.of("comp-0f", [])

    assert (nothing.run, nothing.requested, nothing.request, nothing.dollars) == (0, None, None, 0)
    assert nothing.speed(5) == 0


def test_the_request_is_told_as_it_was_made() -> None:
    one = Composition.of("comp-0f", [requested(layout="stage")])

    assert one.request == request_of({"frameRate": 10, "layout": "stage"}).within(60_000)


def test_a_chunk_that_was_rendered_twice_is_one() -> None:
    one = Composition.of("comp-0f", [requested(), planned(), rendered(1), rendered(1, billed_ms=7)])

    assert list(one.done) == [1]


def test_speed_is_what_was_rendered_in_the_time_since_somebody_asked() -> None:
    facts = [requested(), planned(), rendered(1), rendered(2)]

    assert Composition.of("comp-0f", facts).speed(11_000) == 2
    assert Composition.of("comp-0f", facts).speed(21_000) == 1
    assert Composition.of("comp-0f", [*facts, finished()]).speed(99_000) == 2
    assert Composition.of("comp-0f", facts[:2]).speed(11_000) == 0


def test_chunks_of_a_run_that_failed_serve_the_next_and_those_of_a_cancelled_one_are_gone() -> None:
    once = [requested(), planned(), *CHUNKS]

    assert Composition.of("comp-0f", [*once, failed(), requested(2)]).kept.keys() == {c.key for c in CHUNKS}
    assert not Composition.of("comp-0f", [*once, cancelled(), requested(2)]).kept
    assert not Composition.of("comp-0f", [*once, failed(), requested(2)]).done


def test_what_can_not_be_seen_is_told() -> None:
    facts = [
        requested(),
        rendered(1, slates=(("b.webm", "crashed"),)),
        rendered(2, slates=(("a.webm", "cut"),)),
    ]

    assert Composition.of("comp-0f", facts).slates == {"a.webm": "cut", "b.webm": "crashed"}


def test_all_runs_cost() -> None:
    once = Composition.of("comp-0f", [requested(), rendered(1)])
    twice = Composition.of("comp-0f", [requested(), rendered(1), cancelled(), requested(2), rendered(1, 2)])

    assert twice.dollars > once.dollars > 0


@pytest.mark.parametrize(
    ("facts", "numbers"),
    [
        ([], []),
        ([rendered(2)], []),
        ([rendered(1)], [1]),
        ([rendered(1), rendered(2), rendered(4)], [1, 2]),
        ([rendered(1, frames=150), rendered(2, frames=150), rendered(4, frames=300)], [1, 2, 4]),
        ([rendered(1, frames=300), rendered(4, frames=7)], [1, 4]),
    ],
    ids=["nothing", "not the first", "the first", "a gap", "chunks of all lengths", "a short last one"],
)
def test_what_can_be_played_are_the_chunks_that_follow_each_other_from_the_first_on(
    facts: list[e.Event], numbers: list[int]
) -> None:
    composition = Composition.of("comp-0f", [requested(), *facts])

    assert [fact.number for fact in composition.playable] == numbers


@pytest.mark.parametrize(
    ("facts", "folder"),
    [
        ([requested()], TARGET),
        ([requested(), cancelled()], TARGET),
        ([requested(), failed(), requested(2)], TARGET),
        ([requested(), failed(), requested(2), cancelled(2), requested(3)], f"{TARGET}~1"),
        ([requested(), cancelled(), requested(2), cancelled(2)], f"{TARGET}~1"),
    ],
    ids=["the first", "cancelled", "resumed", "after a cancelled one", "cancelled again"],
)
def test_a_run_writes_where_no_cancelled_one_did(facts: list[e.Event], folder: str) -> None:
    assert Composition.of("comp-0f", facts).folder("s") == folder
