"""What a composition takes and costs: reckoned before, and added up after."""

from dataclasses import replace

import pytest

from chalicelib.core import events as e
from chalicelib.core import price
from chalicelib.core.cast import Person
from chalicelib.core.cutting import picture
from chalicelib.core.price import Fleet, cost, estimate, work_s
from chalicelib.core.staging import scenes
from tests.core.test_cutting import TARGET, planned
from tests.core.test_staging import asked, person


def crowd(count: int) -> list[Person]:
    """So many people for ten minutes."""
    return [person(f"p{number}", (0, 600)) for number in range(count)]


def reckoned(people: list[Person], fleet: Fleet | None = None, **said: object) -> price.Estimate:
    """The estimate of ten minutes of them."""
    found = planned(people, asked(end=600, **{"frameRate": 30, **said}))
    return estimate(found, len(people), {}, fleet or Fleet())


MORE = [
    ("people", reckoned(crowd(2)), reckoned(crowd(9))),
    ("quality", reckoned(crowd(4), quality="low"), reckoned(crowd(4), quality="medium")),
    ("frames", reckoned(crowd(4), frameRate=15), reckoned(crowd(4))),
    ("pixels", reckoned(crowd(4), width=640, height=360), reckoned(crowd(4))),
    ("people seen", reckoned(crowd(16), layout="single"), reckoned(crowd(16))),
]


@pytest.mark.parametrize(("less", "more"), [m[1:] for m in MORE], ids=[m[0] for m in MORE])
def test_more_costs_more(less: price.Estimate, more: price.Estimate) -> None:
    assert less.dollars < more.dollars


def test_who_may_run_at_once_decides_on_the_time_and_not_on_the_cost() -> None:
    alone, few, many = (reckoned(crowd(9), Fleet(at_once=count, mixers=4)) for count in (1, 5, 100))

    assert alone.seconds > 4 * few.seconds > 8 * many.seconds
    assert alone.dollars == few.dollars == many.dollars
    assert alone.first_s == many.first_s


def test_the_first_segment_of_nine_people_is_there_in_15_seconds() -> None:
    assert reckoned(crowd(9)).first_s <= 15


def test_mixers_share_the_sound() -> None:
    one, four = (reckoned(crowd(25), Fleet(mixers=count), layout="single") for count in (1, 4))

    assert four.seconds < one.seconds


def test_a_card_costs_less_than_a_camera() -> None:
    cards = [person(f"p{number}", present=(0, 600)) for number in range(9)]

    assert reckoned(cards).dollars < reckoned(crowd(9)).dollars


def test_an_estimate_rests_on_the_size_of_what_is_decoded() -> None:
    request = asked(frameRate=30)
    found = scenes([person("anna", (0, 60))], request)
    [source] = {tile.shows.piece.source for tile in found[0].tiles if hasattr(tile.shows, "piece")}

    small = work_s(found, picture(request), {source: (320, 180)})
    assert small < work_s(found, picture(request), {source: (1920, 1080)})
    assert work_s(found, picture(request), {}) == work_s(found, picture(request), {source: (1280, 720)})


def rendered(number: int, billed_ms: int, run: int = 1) -> e.ChunkRendered:
    """A chunk that took so long."""
    return e.ChunkRendered(
        at=5, run=run, number=number, key=f"{TARGET}/chunk-{number}", bytes=9, frames=300,
        billed_ms=billed_ms, memory_mb=2048,
    )  # fmt: skip


def test_the_true_cost_is_what_was_billed_whoever_told_it_twice() -> None:
    mixed = e.CompositionBilled(at=6, run=1, task="sound", billed_ms=3_000, memory_mb=1024)
    facts = [rendered(1, 1_000), rendered(2, 2_000), mixed]

    seconds = 2 * 1 + 2 * 2 + 1 * 3
    functions = seconds * price.GB_SECOND + 3 * price.INVOCATION
    others = (
        price.TRANSITIONS + 2 * price.CHUNK_TRANSITIONS
    ) * price.TRANSITION + 2 * price.CHUNK_PUTS * price.PUT
    assert cost(facts) == pytest.approx(functions + others)
    assert cost([*reversed(facts), replace(facts[0], at=9)]) == cost(facts)
    assert cost([]) == 0


def test_a_second_rendering_costs_a_second_time() -> None:
    assert cost([rendered(1, 1_000), rendered(1, 1_001)]) > cost([rendered(1, 1_000)])
