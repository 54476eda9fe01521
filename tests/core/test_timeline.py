"""Spans and gaps make the whole, and never overlap."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.timeline import Span, gaps, starts, window
from tests.builders import ZERO

WHOLE = Span(100, 200)
SPAN = st.tuples(st.integers(0, 300), st.integers(0, 60)).map(lambda told: Span(told[0], told[0] + told[1]))

GAPS = [
    ("nothing covered", [], [(100, 200)]),
    ("all covered", [(100, 200)], []),
    ("more than all covered", [(50, 250)], []),
    ("the middle covered", [(120, 150)], [(100, 120), (150, 200)]),
    ("the ends covered", [(100, 110), (190, 200)], [(110, 190)]),
    ("neighbours leave no gap", [(100, 150), (150, 200)], []),
    ("overlapping", [(100, 150), (120, 180)], [(180, 200)]),
    ("one inside another", [(100, 180), (120, 130)], [(180, 200)]),
    ("without length", [(150, 150)], [(100, 150), (150, 200)]),
    ("outside", [(0, 50), (300, 400)], [(100, 200)]),
    ("out of order", [(180, 200), (100, 120)], [(120, 180)]),
]


@pytest.mark.parametrize(("spans", "expected"), [g[1:] for g in GAPS], ids=[g[0] for g in GAPS])
def test_gaps_are_what_no_span_covers(spans: list[tuple[int, int]], expected: list[tuple[int, int]]) -> None:
    found = gaps([Span(*told) for told in spans], WHOLE)

    assert [(gap.start, gap.end) for gap in found] == expected


@given(st.lists(SPAN, max_size=12), SPAN)
def test_spans_and_gaps_make_the_whole_and_never_overlap(spans: list[Span], whole: Span) -> None:
    found = gaps(spans, whole)

    covered = {at for span in spans for at in range(span.start, span.end)}
    empty = [at for gap in found for at in range(gap.start, gap.end)]
    assert len(empty) == len(set(empty))
    assert not covered & set(empty)
    assert (covered & set(range(whole.start, whole.end))) | set(empty) == set(range(whole.start, whole.end))


@given(st.lists(SPAN, max_size=12), SPAN)
def test_gaps_have_length_and_come_in_order(spans: list[Span], whole: Span) -> None:
    found = gaps(spans, whole)

    assert all(gap.start < gap.end for gap in found)
    assert found == sorted(found)
    assert all(one.end <= other.start for one, other in pairwise(found))


@given(st.permutations([Span(0, 10), Span(5, 20), Span(30, 40), Span(35, 36)]))
def test_the_order_of_spans_says_nothing(spans: list[Span]) -> None:
    assert gaps(spans, Span(0, 50)) == [Span(20, 30), Span(40, 50)]


def test_a_span_can_not_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="cannot end before it starts"):
        Span(2, 1)


DAY = 24 * 3_600_000
WINDOWS = [
    ("nothing", [], (0, 0)),
    ("from the earliest start to the latest end", [(1000, 1010), (0, 9000)], (0, 9000)),
    ("a stamp of 1970", [(0, 1000), (ZERO, ZERO + 5), (ZERO + 9, ZERO + 20)], (ZERO, ZERO + 20)),
    ("a stamp of 2400", [(ZERO, ZERO + 5), (ZERO + 9, ZERO + 20), (8 * ZERO, 9 * ZERO)], (ZERO, ZERO + 20)),
    ("one against one", [(0, 1000), (ZERO, ZERO + 5)], (ZERO, ZERO + 5)),
    ("to the last moment of a day", [(0, 10), (DAY - 1, DAY + 50)], (0, DAY)),
    ("a day is over", [(0, 10), (5, 6), (7, 8), (DAY + 6, DAY + 50)], (0, 10)),
    ("longer than a day", [(7, 7 + 2 * DAY)], (7, 7 + DAY)),
]


@pytest.mark.parametrize(("spans", "expected"), [w[1:] for w in WINDOWS], ids=[w[0] for w in WINDOWS])
def test_a_session_is_the_day_in_which_most_of_it_begins(
    spans: list[tuple[int, int]], expected: tuple[int, int]
) -> None:
    assert window([Span(*told) for told in spans]) == Span(*expected)


@given(st.lists(st.tuples(st.integers(0, 4 * DAY), st.integers(0, DAY)), min_size=1, max_size=9))
def test_no_other_day_holds_more(told: list[tuple[int, int]]) -> None:
    spans = [Span(start, start + length) for start, length in told]

    found = window(spans)

    def held(start: int) -> int:
        return sum(start <= span.start < start + DAY for span in spans)

    assert held(found.start) == max(held(span.start) for span in spans)
    assert found.end - found.start <= DAY


CLOCKS = [
    ("the stamp", (ZERO, 0, ZERO + 9_000, 5_000), (ZERO, "stamp", 100)),
    ("the stamp and the first packet", (ZERO, 40, ZERO + 9_000, 5_000), (ZERO + 40, "stamp", 100)),
    ("the stamp, and a clock of a day or more", (ZERO, DAY, ZERO + 9_000, 5_000), (ZERO, "stamp", 100)),
    ("no stamp", (None, 40, ZERO + 9_000, 5_000), (ZERO + 4_000, "last_modified", 5_000)),
    ("no stamp, and longer than time itself", (None, 0, 1_000, 5_000), (0, "last_modified", 5_000)),
]


@pytest.mark.parametrize(("told", "expected"), [c[1:] for c in CLOCKS], ids=[c[0] for c in CLOCKS])
def test_a_segment_starts_where_its_best_clock_says(
    told: tuple[int | None, int, int, int], expected: tuple[int, str, int]
) -> None:
    assert starts(*told) == expected
