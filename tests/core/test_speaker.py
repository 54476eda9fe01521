"""Who speaks has the stage: soon, but not for a cough, and never in a flicker."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.speaker import APART_MS, HELD, LEVEL_MS, LOUD, WINDOW, levels, turns

SILENT, SPEAKS = 0, 60


def heard(told: str) -> list[bytes]:
    """Levels of two people from a line of a second each: who of a and b is loud, or . for nobody."""
    return [
        b"".join(bytes([SPEAKS if letter in (who, who.upper()) else SILENT]) * 10 for letter in told)
        for who in "ab"
    ]


STORIES = [
    ("nobody speaks", "......", []),
    ("the stage changes when they begin", ".aaaaabbbbb", [(1000, 0), (6000, 1)]),
    ("a cough changes nothing", "aaaaabaaaaa", [(0, 0)]),
    ("two that interrupt each other stay apart", "aabbaabbaabbb", [(0, 0), (3000, 1), (6000, 0), (10000, 1)]),
    ("who has the stage keeps it in silence", "aaaa......aaaa", [(0, 0)]),
    ("who spoke before may come again", "aaaabbbbaaaa", [(0, 0), (4000, 1), (8000, 0)]),
]


@pytest.mark.parametrize(("told", "expected"), [s[1:] for s in STORIES], ids=[s[0] for s in STORIES])
def test_who_takes_the_stage_when(told: str, expected: list[tuple[int, int]]) -> None:
    assert turns(heard(told)) == expected


def test_words_have_pauses() -> None:
    assert turns([bytes([0, 0, SPEAKS, SPEAKS, SPEAKS] * 10), bytes(50)]) == [(200, 0)]


def test_of_two_who_are_equally_loud_the_one_who_has_the_stage_keeps_it() -> None:
    first, both = bytes([0] * 30 + [SPEAKS] * 40), bytes([SPEAKS] * 70)

    assert turns([first, both]) == [(0, 1)]


def test_who_is_heard_for_a_part_of_the_session_only_is_silent_else() -> None:
    assert turns([bytes([SPEAKS] * 30), b"", bytes([0] * 60 + [SPEAKS] * 30)]) == [(0, 0), (6000, 2)]
    assert turns([]) == []


LEVELS = st.lists(st.lists(st.sampled_from([0, LOUD - 1, LOUD, 90]), max_size=120).map(bytes), max_size=4)


@given(LEVELS)
def test_changes_are_apart_and_each_is_to_whom_was_the_loudest_for_long(told: list[bytes]) -> None:
    found = turns(told)

    assert all(b[0] - a[0] >= APART_MS and a[1] != b[1] for a, b in pairwise(found))
    longest = max(map(len, told), default=0)
    values = [one.ljust(longest, b"\0") for one in told]
    for at, who in found:
        loudest = [
            step
            for step in range(longest)
            if values[who][step] >= LOUD and values[who][step] == max(one[step] for one in values)
        ]
        windows = range(max(0, at // LEVEL_MS - WINDOW), longest)
        assert any(sum(first <= step < first + WINDOW for step in loudest) >= HELD for first in windows)


def test_a_level_is_the_loudest_of_a_tenth_of_a_second_whatever_its_sign() -> None:
    pairs = [(0, 0)] * 9 + [(-100, 3)] + [(-1, 127)] * 10 + [(-128, 0)] * 3
    dat = bytes(24) + b"".join(value.to_bytes(1, "big", signed=True) for pair in pairs for value in pair)

    assert list(levels(dat)) == [100, 127, 128]
    assert levels(bytes(24)) == b""
