"""What files are called: each of a session's otherwise, in any script, and never more than a name."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.naming import with_file_names


def artifact(who: str | None = "p-1", product: str = "stem", **more: Any) -> dict[str, Any]:
    """One of a session's files."""
    told = {"participantId": who, "kind": "audio" if who else None, "product": product}
    return {**told, "key": "sessions/s/sound/0f/a.flac", "start": 0, **more}


def names(
    artifacts: list[dict[str, Any]], people: dict[str, str | None], room: str | None = "room"
) -> list[str]:
    """What the files of a session are called."""
    participants = [{"participantId": who, "name": name} for who, name in people.items()]
    told = {"sessionId": "session", "roomId": room, "participants": participants, "artifacts": artifacts}
    return [named["fileName"] for named in with_file_names(told)["artifacts"]]


CALLED = [
    (artifact(), "room-ann-lee-audio-stem.flac"),
    (artifact("p-2"), "room-p-2-audio-stem.flac"),
    (artifact("p-3"), "room-p-3-audio-stem.flac"),
    (artifact(None, "mix", key="sessions/s/sound/0f/mix.webm"), "room-mix.webm"),
    (artifact(product="repaired", start=3_723_999), "room-ann-lee-audio-repaired-01-02-03.flac"),
    (artifact(product="track", kind="screen_video"), "room-ann-lee-screen-video-track.flac"),
    (artifact(product="poster", start=None), "room-ann-lee-audio-poster.flac"),
    (artifact(product="track", start=5_000), "room-ann-lee-audio-track.flac"),
    (artifact(key="sessions/s/sound/0f"), "room-ann-lee-audio-stem"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "name"), CALLED)
def test_a_name_says_room_person_kind_product_and_when(file: dict[str, Any], name: str) -> None:
    assert names([file], {"p-1": "Ann Lee", "p-2": None}) == [name]


def test_where_nobody_told_the_room_it_is_the_session() -> None:
    assert names([artifact()], {"p-1": "Ann"}, room=None) == ["session-ann-audio-stem.flac"]


def test_people_of_one_name_are_told_apart_in_all_their_files() -> None:
    files = [artifact("p-2", "track"), artifact("p-1"), artifact("p-2"), artifact("p-3")]

    assert names(files, {"p-1": "Ann", "p-2": "ann!", "p-3": "Ben"}) == [
        "room-ann-p-2-audio-track.flac",
        "room-ann-p-1-audio-stem.flac",
        "room-ann-p-2-audio-stem.flac",
        "room-ben-audio-stem.flac",
    ]


def test_a_number_is_never_the_name_of_another() -> None:
    files = [artifact(), artifact(product="stem-2"), artifact(), artifact(), artifact(product="stem-2")]

    told = names(files, {"p-1": "Ann"})

    assert [name.removeprefix("room-ann-audio-") for name in told] == [
        "stem.flac", "stem-2.flac", "stem-3.flac", "stem-4.flac", "stem-2-2.flac"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["Анна", "安娜", "नीना", "آنا", "Ὀδυσσεύς"])
def test_a_name_keeps_its_script(name: str) -> None:
    assert names([artifact()], {"p-1": name}) == [f"room-{name.lower()}-audio-stem.flac"]


def test_a_name_hides_and_ends_nothing() -> None:
    evil = '../..\\a"\r\nSet-Cookie: x=1; \u202egpj.\ud800\0'

    assert names([artifact()], {"p-1": evil}) == ["room-a-set-cookie-x-1-gpj-audio-stem.flac"]


PEOPLE = st.dictionaries(st.text(min_size=1), st.none() | st.text(), max_size=6)
FILES = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["stem", "repaired", "mix"]), st.integers(0, 3000)),
    max_size=12,
)


@given(PEOPLE, FILES)
def test_all_files_of_a_session_fit_into_one_folder(
    people: dict[str, str | None], files: list[tuple[int, str, int]]
) -> None:
    ids = list(people)
    made = [artifact(ids[n] if n < len(ids) else None, product, start=start) for n, product, start in files]

    told = names(made, people, "r" * 128)

    assert len(set(told)) == len(made)
    assert all(
        len(name.encode()) <= 255 and re.fullmatch(r"[\w\u0300-\U0010ffff-]+\.flac", name) for name in told
    )
