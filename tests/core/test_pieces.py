"""A manifest in pieces: end to end they are all of it, and none is larger than an answer may be."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.ids import Kind
from chalicelib.core.manifest import manifest
from chalicelib.core.pieces import piece
from tests.core.stories import meeting, recorded

AUDIO = Kind.AUDIO


def as_it_is(artifact: dict[str, Any]) -> dict[str, Any]:
    return artifact


def in_pieces(whole: dict[str, Any], at_most: int) -> list[dict[str, Any]]:
    """Every piece, as a client asks for them."""
    found, cursor = [], "0"
    while cursor is not None:
        found.append(told := piece(whole, int(cursor), as_it_is, at_most))
        cursor = told["cursor"]
    return found


def a_meeting(people: int, segments: int) -> dict[str, Any]:
    """A manifest of so many people with so many segments each; the names are as hard to send as can be."""
    takes = [
        recorded(f'p{number:03d}"\U0001f3a5\\', AUDIO, *((1000 * n, 1000 * n + 900) for n in range(segments)))
        for number in range(people)
    ]
    return manifest(meeting(*takes))


def by_key(told: dict[str, Any]) -> list[str]:
    return sorted(artifact["key"] for artifact in told["artifacts"])


@given(st.integers(0, 6), st.integers(1, 5), st.integers(1, 40_000))
def test_the_pieces_laid_end_to_end_are_the_whole(people: int, segments: int, at_most: int) -> None:
    whole = a_meeting(people, segments)

    pieces = in_pieces(whole, at_most)

    participants = [one for told in pieces for one in told["participants"]]
    artifacts = [one for told in pieces for one in told["artifacts"]]
    assert participants == whole["participants"]
    assert sorted(one["key"] for one in artifacts) == by_key(whole)
    frame = {name: told for name, told in whole.items() if name not in ("participants", "artifacts")}
    assert all(told.items() >= frame.items() for told in pieces)


def test_a_piece_as_it_is_handed_on_has_the_size_that_was_asked_for() -> None:
    whole, at_most = a_meeting(8, 40), 120_000

    pieces = in_pieces(whole, at_most)

    sizes = [len(json.dumps({"statusCode": 200, "body": json.dumps(told)})) for told in pieces]
    # Commas and blanks between items are not counted beforehand.
    assert max(sizes) <= at_most * 1.02
    assert min(sizes[:-1]) >= at_most * 0.8


def test_what_is_larger_than_a_piece_by_itself_is_one() -> None:
    pieces = in_pieces(a_meeting(3, 2), 1)

    assert [len(told["participants"]) + len(told["artifacts"]) for told in pieces] == [1] * 9


def test_a_participant_comes_before_their_artifacts_and_the_sessions_own_come_first() -> None:
    whole = a_meeting(2, 2)
    mix = {**whole["artifacts"][0], "participantId": None, "key": "mix"}

    told = piece({**whole, "artifacts": [*whole["artifacts"], mix]}, 0, as_it_is)

    assert told["cursor"] is None
    assert told["artifacts"][0]["key"] == "mix"


def test_only_what_is_in_a_piece_is_given_an_address() -> None:
    given_to: list[str] = []

    def address(artifact: dict[str, Any]) -> dict[str, Any]:
        given_to.append(artifact["key"])
        return {**artifact, "url": "https://x"}

    told = piece(a_meeting(20, 20), 0, address, 30_000)

    assert all("url" in artifact for artifact in told["artifacts"])
    assert len(given_to) <= len(told["artifacts"]) + 1


def test_beyond_the_end_there_is_nothing() -> None:
    told = piece(a_meeting(1, 1), 999_999_999, as_it_is)

    assert (told["participants"], told["artifacts"], told["cursor"]) == ([], [], None)
