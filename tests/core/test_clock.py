"""Where a recording's files lie on the epoch clock, and what is believed of stamps and timestamps."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import events as e
from chalicelib.core.clock import placed
from chalicelib.core.recording import Recording
from tests.builders import RID, ZERO, name, stored
from tests.core.stories import HOUR, MINUTE

DAY = 24 * HOUR

# Each file: its stamp since ZERO, its first timestamp, its length, and where it really begins since ZERO.
type Told = tuple[int | None, int, int, int]
CLOCKS: list[tuple[str, list[Told]]] = [
    ("one file from 0", [(0, 0, 9000, 0)]),
    ("a first frame 80 ms late", [(0, 80, 9000, 80)]),
    ("each file's clock begins with it", [(0, 0, 9000, 0), (20_000, 40, 9000, 20_040),
                                          (MINUTE, 0, 900, MINUTE)]),
    ("one clock runs on over all files", [(0, 0, 9000, 0), (20_000, 20_010, 9000, 20_000),
                                          (HOUR, HOUR - 30, 900, HOUR)]),
    ("it runs on, and the first frame is late", [(0, 80, 9000, 80), (20_000, 20_090, 9000, 20_000)]),
    ("it runs on from elsewhere", [(0, 5 * MINUTE, 9000, 0), (HOUR, HOUR + 5 * MINUTE, 900, HOUR)]),
    ("it runs on and drifts", [(0, 0, 9000, 0), (HOUR, HOUR + 7200, 900, HOUR)]),
    ("it runs on from more than a day", [(0, DAY + 7, 9000, 0), (HOUR, DAY + HOUR + 7, 900, HOUR)]),
    ("one stamp of many is absurd", [(0, 0, 9000, 0), (MINUTE, MINUTE, 900, MINUTE),
                                     (2 * MINUTE, 2 * MINUTE, 900, 2 * MINUTE),
                                     (90 * DAY, HOUR, 900, 90 * DAY)]),
    ("two of many seem to agree", [(0, 0, 900, 0), (MINUTE, 0, 900, MINUTE),
                                   (2 * MINUTE, MINUTE, 900, 3 * MINUTE), (150_000, 0, 900, 150_000),
                                   (200_000, 0, 900, 200_000)]),
    ("too near to each other to tell", [(0, 0, 900, 0), (1500, 1500, 900, 3000)]),
    ("one file, from a clock of a day or more", [(0, DAY + 5, 9000, 0)]),
    ("one file, whose first frame would come after it was delivered", [(0, HOUR, 9000, 0)]),
]  # fmt: skip


def files(told: list[Told]) -> list[e.SegmentStored]:
    """As ingest writes them down: the start is the stamp and the first timestamp, if that is below a day."""
    return [
        stored(
            name(ZERO + (stamp or 0)),
            start_at=ZERO + (stamp or 0) + (first_ms if first_ms < DAY else 0),
            first_ms=first_ms,
            duration_ms=length_ms,
            modified_at=ZERO + real + length_ms + 1000,
        )
        for stamp, first_ms, length_ms, real in told
    ]


@pytest.mark.parametrize("told", [c[1] for c in CLOCKS], ids=[c[0] for c in CLOCKS])
def test_a_file_lies_where_all_files_together_say(told: list[Told]) -> None:
    found = placed(files(told), {})

    assert sorted(place.start_at - ZERO for place in found) == sorted(real for *_, real in told)
    assert {(place.clock, place.uncertainty_ms) for place in found} == {("stamp", 100)}


def test_a_late_first_frame_is_believed_while_the_bucket_bears_it_out() -> None:
    [late] = files([(0, 20_000, 9000, 20_000)])

    assert placed([late], {})[0].start_at == ZERO + 20_000
    assert placed([replace(late, modified_at=ZERO + 10_000)], {})[0].start_at == ZERO


def test_without_a_stamp_the_bucket_tells() -> None:
    lone = stored("audio.webm", start_at=ZERO + 4000, first_ms=40, clock="last_modified", uncertainty_ms=5000)

    [place] = placed([lone], {})

    assert (place.start_at, place.clock, place.uncertainty_ms) == (ZERO + 4000, "last_modified", 5000)


# --- by hand ------------------------------------------------------------------------------------------


def corrected(shift_ms: int, number: int, **said: Any) -> e.SegmentCorrected:
    """Somebody moved the first file."""
    return e.SegmentCorrected(
        at=said.pop("at", 50), file=name(ZERO), shift_ms=shift_ms, number=number, by="ops"
    )


def starts(*facts: e.Event) -> list[tuple[int, str]]:
    """Where the recording's files then lie, and by what."""
    told = Recording.of(RID, [*files([(0, 0, 9000, 0), (20_000, 0, 9000, 20_000)]), *facts]).placed
    return [(place.start_at - ZERO, place.clock) for place in told]


def test_a_correction_moves_one_file() -> None:
    assert starts(corrected(-120, 1)) == [(-120, "corrected"), (20_000, "stamp")]
    assert starts(corrected(HOUR, 1)) == [(20_000, "stamp"), (HOUR, "corrected")]


def test_the_last_correction_holds_and_none_adds_to_another() -> None:
    assert starts(corrected(-120, 1), corrected(500, 2)) == [(500, "corrected"), (20_000, "stamp")]
    assert starts(corrected(500, 1), corrected(0, 2)) == [(0, "stamp"), (20_000, "stamp")]


@given(
    st.permutations([corrected(7, 3), corrected(1, 1), corrected(9, 3), corrected(5, 2)]), st.integers(0, 99)
)
def test_two_who_correct_at_once_leave_one_correction_whoever_was_heard_first(
    facts: list[e.SegmentCorrected], at: int
) -> None:
    heard = [replace(fact, at=at + number) for number, fact in enumerate(facts)]

    assert starts(*heard)[0] == (9, "corrected")


@given(st.permutations(files(CLOCKS[3][1])))
def test_the_order_of_files_says_nothing(facts: list[e.SegmentStored]) -> None:
    assert placed(facts, {}) == placed(files(CLOCKS[3][1]), {})
