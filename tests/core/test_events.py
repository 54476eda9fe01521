"""A fact is what it says: it survives being written down, and its identity tells it from all others."""

import json
import types
from dataclasses import fields, replace
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core import events as e
from chalicelib.core.ids import Kind
from tests.builders import ASKED, stored

TYPES = sorted(
    (
        told
        for told in vars(e).values()
        if isinstance(told, type) and issubclass(told, e.Event) and not told.__name__.startswith("_")
    ),
    key=lambda told: told.__name__,
)
FACTS = [told for told in TYPES if told is not e.Event]

# What may come in from outside: separators of ours, half characters, long things.
TEXT = st.one_of(
    st.text(max_size=6),
    st.text("#~ab", max_size=4),
    st.text("x", min_size=60, max_size=70),
    st.sampled_from(["", "#", "a#b", "None", "1", "()", "\ud800"]),
)
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(0, 2**53),
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    Kind: st.sampled_from(list(Kind)),
    type(None): st.none(),
}


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Anything that a field of this type may hold."""
    annotation = getattr(annotation, "__value__", annotation)
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is tuple and args[-1] is Ellipsis:
        return st.lists(values(args[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, args))
    if origin in (Union, types.UnionType):
        return st.one_of(*map(values, args))
    return VALUES[annotation]


def facts(told: type[e.Event]) -> st.SearchStrategy[e.Event]:
    """Any fact of this type."""
    hints = get_type_hints(told)
    return st.builds(told, **{f.name: values(hints[f.name]) for f in fields(told)})


ANY_FACT = st.sampled_from(FACTS).flatmap(facts)


@pytest.mark.parametrize("told", FACTS, ids=[told.__name__ for told in FACTS])
def test_every_fact_survives_being_written_down(told: type[e.Event]) -> None:
    @settings(max_examples=12)
    @given(facts(told))
    def survives(fact: e.Event) -> None:
        again = e.from_record(json.loads(json.dumps(e.to_record(fact))))

        assert again == fact
        assert again.identity == fact.identity

    survives()


def said(fact: e.Event) -> tuple[Any, ...]:
    """What a fact says, apart from when we heard it."""
    return type(fact), *(getattr(fact, name) for name in fact.SAME_IF)


@settings(max_examples=120)
@given(st.sampled_from(FACTS).flatmap(lambda told: st.tuples(facts(told), facts(told))))
def test_two_facts_have_one_identity_only_if_they_say_the_same(pair: tuple[e.Event, e.Event]) -> None:
    one, other = pair

    assert (one.identity == other.identity) == (said(one) == said(other))


def test_no_separator_and_no_hash_of_a_long_value_can_be_forged() -> None:
    def heard(name: str, participant_id: str) -> str:
        return e.ParticipantJoined(at=0, room_id="r", participant_id=participant_id, name=name).identity

    assert heard("b", "a#x") != heard("x#b", "a")
    digest = heard("x" * 65, "a").rpartition("#")[2]
    assert heard(digest, "a") != heard("x" * 65, "a")


@given(ANY_FACT)
def test_an_identity_fits_into_a_key_and_is_plain_text(fact: e.Event) -> None:
    assert len(fact.identity.encode("ascii")) <= 512
    assert fact.identity.isprintable()


@given(ANY_FACT, st.integers(0, 2**53))
def test_the_time_of_hearing_is_no_part_of_an_identity(fact: e.Event, at: int) -> None:
    if "at" not in fact.SAME_IF:
        assert replace(fact, at=at).identity == fact.identity


def test_identity_of_agrees_with_the_fact() -> None:
    fact = stored("a.webm")

    assert e.identity_of(e.SegmentStored, key=fact.key, etag=fact.etag) == fact.identity


def test_fields_of_a_later_version_are_passed_over() -> None:
    assert e.from_record({**e.to_record(ASKED), "later": 1}) == ASKED


def test_a_delivery_of_an_older_version_is_read_without_its_time() -> None:
    old = e.to_record(stored("a.webm"))
    del old["modified_at"]

    assert e.from_record(old) == stored("a.webm", modified_at=0)


@given(ANY_FACT, ANY_FACT, st.integers(0, 9), st.integers(0, 9))
def test_of_two_tellings_the_first_that_was_heard_is_kept(
    one: e.Event, other: e.Event, sooner: int, later: int
) -> None:
    if "at" in one.SAME_IF:
        return
    first, again = replace(one, at=sooner), replace(one, at=sooner + later)

    kept = e.distinct([again, other, first])

    assert kept == {first, other} if one.identity != other.identity else len(kept) == 1
