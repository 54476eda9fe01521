"""Chunks are all frames of a composition, once; what changes in one of them leaves the others as they are."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core import price
from chalicelib.core.asking import QUALITIES
from chalicelib.core.cast import Person
from chalicelib.core.chunks import Chunk, chunk_of
from chalicelib.core.composition import Request
from chalicelib.core.cutting import SOON_S, chunks, cut, picture
from chalicelib.core.price import work_s
from chalicelib.core.scenes import Scene
from chalicelib.core.staging import scenes
from tests.core.test_staging import RATES, asked, casts, person

TARGET = "sessions/s/compositions/comp-0f"


def planned(cast: Sequence[Person], request: Request) -> tuple[Chunk, ...]:
    """The chunks of a request, all sources 1280x720."""
    return chunks(TARGET, request, scenes(cast, request), {})


def lengths(found: Sequence[Chunk]) -> list[float]:
    """Seconds of each."""
    return [chunk.frames / chunk.picture.frame_rate for chunk in found]


ALONE = [person("anna", (0, 95))]


def test_a_slot_is_30_seconds_and_the_first_is_there_soon() -> None:
    found = planned(ALONE, asked(end=95, frameRate=30))

    assert lengths(found) == [10, 10, 10, 30, 30, 5]
    assert [chunk.number for chunk in found] == [1, 2, 3, 4, 7, 10]


@pytest.mark.parametrize(("people", "expected"), [(1, [30]), (12, [15, 15]), (25, [10, 10, 10])])
def test_what_is_rendered_for_too_long_is_cut(people: int, expected: list[float]) -> None:
    crowd = [person(f"p{number}", (0, 60)) for number in range(people)]
    found = planned(crowd, asked(end=60, frameRate=30))

    assert lengths(found)[3:] == expected
    assert all(work_s(chunk.scenes, chunk.picture, {}) <= SOON_S or len(expected) == 3 for chunk in found)


@settings(max_examples=40, deadline=None)
@given(casts(), RATES, st.integers(0, 30_000), st.integers(1_000, 29_999))
def test_chunks_are_all_frames_once(people: list[Person], rate: int, start: int, length: int) -> None:
    request = asked(frameRate=rate, range={"start": start, "end": start + length})
    whole = scenes(people, request)
    found = planned(people, request)

    assert [chunk.zero for chunk in found] == [start] * len(found)
    assert (found[0].first_frame, found[-1].end_frame) == (0, request.frames)
    assert all(one.end_frame == other.first_frame for one, other in pairwise(found))
    for chunk in found:
        assert all(one.end_frame == other.first_frame for one, other in pairwise(chunk.scenes))
        assert all(scene.first_frame < scene.end_frame for scene in chunk.scenes)
    cuts = [scene for chunk in found for scene in chunk.scenes]
    assert joined(cuts) == list(whole)


def joined(cuts: Sequence[Scene]) -> list[Scene]:
    """Scenes put together where a chunk's end had cut them."""
    found: list[Scene] = []
    for scene in cuts:
        if found and found[-1].tiles == scene.tiles:
            scene = replace(scene, first_frame=found.pop().first_frame)
        found.append(scene)
    return found


@given(st.integers(0, 90), st.integers(1, 90))
def test_a_cut_is_what_lies_within(first: int, length: int) -> None:
    whole = [Scene(0, 20, ()), Scene(20, 50, ()), Scene(50, 90, ())]
    found = cut(whole, first, first + length)

    frames = [frame for scene in found for frame in range(scene.first_frame, scene.end_frame)]
    assert frames == list(range(first, min(90, first + length)))


@settings(max_examples=20, deadline=None)
@given(casts(), RATES)
def test_chunks_survive_the_bucket_and_the_same_is_planned_the_same(people: list[Person], rate: int) -> None:
    request = asked(frameRate=rate)
    found = planned(people, request)

    assert planned(list(people), request) == found
    for chunk in found:
        again = chunk_of(json.loads(json.dumps(chunk.told())))
        assert (again, again.name) == (chunk, chunk.name)


def names(found: Sequence[Chunk]) -> dict[int, str]:
    """What the chunks are called, by their first frame."""
    return {chunk.first_frame: chunk.name for chunk in found}


def test_a_change_of_one_segment_changes_only_the_chunks_that_show_it() -> None:
    def meeting(until: int) -> tuple[Chunk, ...]:
        people = [person("anna", (0, 300)), person("ben", (0, 100), (130, until), (200, 300))]
        return planned(people, asked(end=300))

    before, after = names(meeting(160)), names(meeting(170))
    changed = [first // 10 for first in before if before[first] != after.get(first)]
    assert before.keys() == after.keys()
    assert changed == [120, 150]


def test_a_slot_that_is_cut_otherwise_renames_no_other() -> None:
    few = [person(f"p{number}", (0, 200)) for number in range(5)]
    many = [person(f"q{number}", (65, 80), present=(65, 80)) for number in range(20)]
    before, after = (names(planned(people, asked(end=200, frameRate=30))) for people in (few, [*few, *many]))

    assert len(after) == len(before) + 1
    assert {first for first in before if before[first] != after[first]} == {60 * 30}


OTHER = [{"background": "#000000"}, {"names": False}, {"quality": "low"}, {"width": 640, "height": 360}]


@pytest.mark.parametrize("said", OTHER, ids=json.dumps)
def test_what_looks_otherwise_is_called_otherwise(said: dict[str, object]) -> None:
    one, other = (planned(ALONE, asked(end=20, **told)) for told in ({}, said))

    assert not {chunk.name for chunk in one} & {chunk.name for chunk in other}
    assert one[0].picture != other[0].picture


def test_the_same_chunk_of_another_composition_is_called_the_same() -> None:
    [first, *_] = planned(ALONE, asked(end=20))

    assert replace(first, target="elsewhere").name == first.name


@pytest.mark.parametrize("quality", QUALITIES)
def test_what_every_quality_costs_is_known(quality: str) -> None:
    assert picture(asked(quality=quality)).preset in price.ENCODED
