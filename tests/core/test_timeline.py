"""Spans and gaps make the whole, and never overlap."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.timeline import Span, extent, gaps, span_of, starts
from tests.builders import ZERO, A, B, stored

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


def test_an_extent_reaches_from_the_earliest_start_to_the_latest_end() -> None:
    long, late = stored(A, start_at=ZERO, duration_ms=9000), stored(B, start_at=ZERO + 1000, duration_ms=10)

    assert extent([late, long]) == Span(ZERO, ZERO + 9000)
    assert extent([]) == Span(0, 0)
    assert span_of(late) == Span(ZERO + 1000, ZERO + 1010)


CLOCKS = [
    ("the stamp", (ZERO, 0, ZERO + 9_000, 5_000), (ZERO, "stamp", 100)),
    ("the stamp and the first packet", (ZERO, 40, ZERO + 9_000, 5_000), (ZERO + 40, "stamp", 100)),
    ("no stamp", (None, 40, ZERO + 9_000, 5_000), (ZERO + 4_000, "last_modified", 5_000)),
    ("no stamp, and longer than time itself", (None, 0, 1_000, 5_000), (0, "last_modified", 5_000)),
]


@pytest.mark.parametrize(("told", "expected"), [c[1:] for c in CLOCKS], ids=[c[0] for c in CLOCKS])
def test_a_segment_starts_where_its_best_clock_says(
    told: tuple[int | None, int, int, int], expected: tuple[int, str, int]
) -> None:
    assert starts(*told) == expected
