"""A request for a composition: what is not said is the usual; what is wrong is told, with what were right."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.asking import FORMATS, FRAME_RATES, LAYOUTS, QUALITIES, REUSE, request_of
from chalicelib.core.composition import CUSTOM, Request, composition_id, target
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import Kind
from chalicelib.core.session import Session
from tests.core.stories import HOUR, meeting, recorded, stay

AUDIO, VIDEO = Kind.AUDIO, Kind.VIDEO
WHOLE = {"x": 0, "y": 0, "width": 100, "height": 100}


def test_what_is_not_said_is_the_usual() -> None:
    assert request_of({}) == Request(
        layout="grid", width=1280, height=720, frame_rate=30, start=0, end=None, participants=("*",),
        background="#14171a", names=True, formats=("mp4", "hls"), quality="medium",
    )  # fmt: skip


def region(**said: Any) -> dict[str, Any]:
    """A layout of one region of the whole canvas, or as said."""
    return {"layout": {"regions": [{**WHOLE, **said}]}}


REFUSED = [
    ({"layot": "grid"}, "layot", "unknown_field"),
    ({"layout": "circle"}, "layout", "invalid_layout"),
    ({"layout": None}, "layout", "invalid_layout"),
    ({"layout": {}}, "layout.regions", "invalid_layout"),
    ({"layout": {"regions": []}}, "layout.regions", "invalid_layout"),
    ({"layout": {"regions": [WHOLE] * 17}}, "layout.regions", "invalid_layout"),
    ({"layout": {"regions": ["main"]}}, "layout.regions[0]", "invalid_layout"),
    ({"layout": {"regions": [WHOLE], "z": 1}}, "layout.z", "unknown_field"),
    (region(color="red"), "layout.regions[0].color", "unknown_field"),
    ({"layout": {"regions": [{"x": 0}]}}, "layout.regions[0].y", "invalid_layout"),
    (region(x=-1), "layout.regions[0].x", "invalid_layout"),
    (region(x=True), "layout.regions[0].x", "invalid_layout"),
    (region(x=50.5), "layout.regions[0].width", "invalid_region"),
    (region(y=1), "layout.regions[0].height", "invalid_region"),
    (region(width=1), "layout.regions[0].width", "invalid_region"),
    (region(z=100), "layout.regions[0].z", "invalid_layout"),
    (region(columns=0), "layout.regions[0].columns", "invalid_layout"),
    (region(participants=[]), "layout.regions[0].participants", "invalid_layout"),
    (region(kinds=["audio"]), "layout.regions[0].kinds", "invalid_layout"),
    (region(reuse="none"), "layout.regions[0].reuse", "invalid_layout"),
    ({"width": 1281}, "width", "invalid_width"),
    ({"width": "1280"}, "width", "invalid_width"),
    ({"width": True}, "width", "invalid_width"),
    ({"height": 158}, "height", "invalid_height"),
    ({"height": 1922}, "height", "invalid_height"),
    ({"width": 1920, "height": 1920}, "width", "invalid_width"),
    ({"frameRate": 29.97}, "frameRate", "invalid_frame_rate"),
    ({"frameRate": 0}, "frameRate", "invalid_frame_rate"),
    ({"range": [0, 1]}, "range", "invalid_range"),
    ({"range": {"from": 0}}, "range.from", "unknown_field"),
    ({"range": {"start": -1}}, "range.start", "invalid_range"),
    ({"range": {"start": 1.5}}, "range.start", "invalid_range"),
    ({"range": {"end": None}}, "range.end", "invalid_range"),
    ({"range": {"start": 5000, "end": 5999}}, "range.end", "invalid_range"),
    ({"participants": "anna"}, "participants", "invalid_participants"),
    ({"participants": []}, "participants", "invalid_participants"),
    ({"participants": ["x" * 129]}, "participants", "invalid_participants"),
    ({"participants": [1]}, "participants", "invalid_participants"),
    ({"background": "black"}, "background", "invalid_background"),
    ({"background": "#14171a\n"}, "background", "invalid_background"),
    ({"names": "yes"}, "names", "invalid_names"),
    ({"names": 1}, "names", "invalid_names"),
    ({"formats": []}, "formats", "invalid_formats"),
    ({"formats": ["webm"]}, "formats", "invalid_formats"),
    ({"quality": "best"}, "quality", "invalid_quality"),
]


@pytest.mark.parametrize(("told", "field", "code"), REFUSED, ids=[json.dumps(r[0])[:60] for r in REFUSED])
def test_a_refusal_names_the_field_its_fault_and_what_would_be_right(
    told: dict[str, Any], field: str, code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        request_of(told)

    assert (refused.value.field, refused.value.code) == (field, code)
    assert refused.value.message
    assert refused.value.expected


REGION = st.fixed_dictionaries(
    {
        "x": st.sampled_from([0, 12.5, 50]),
        "y": st.integers(0, 50),
        "width": st.floats(30, 50),
        "height": st.just(50),
    },
    optional={
        "z": st.integers(-99, 99),
        "participants": st.lists(st.text(min_size=1, max_size=9), min_size=1, max_size=3),
        "exclude": st.lists(st.text(min_size=1, max_size=9), max_size=3),
        "kinds": st.lists(st.sampled_from(["video", "screen_video"]), min_size=1, max_size=2),
        "columns": st.integers(1, 25),
        "rows": st.integers(1, 25),
        "reuse": st.sampled_from(REUSE),
    },
)
LAYOUT = st.lists(REGION, min_size=1, max_size=3).map(lambda found: {"regions": found})
RANGE = st.tuples(st.integers(0, 9), st.integers(1000, HOUR)).map(lambda r: {"start": r[0], "end": sum(r)})
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "layout": st.sampled_from(LAYOUTS) | LAYOUT,
        "width": st.sampled_from([640, 1280, 1920]),
        "height": st.sampled_from([360, 720, 1080]),
        "frameRate": st.sampled_from([*FRAME_RATES, 30.0]),
        "range": st.just({}) | RANGE,
        "participants": st.lists(st.text(min_size=1, max_size=9), min_size=1, max_size=3),
        "background": st.sampled_from(["#AABBCC", "#000000"]),
        "names": st.booleans(),
        "formats": st.permutations(FORMATS).map(list),
        "quality": st.sampled_from(QUALITIES),
    },
)


@given(ASKED)
def test_a_request_is_told_as_it_was_understood(told: dict[str, Any]) -> None:
    request = request_of(told)

    assert request_of(json.loads(json.dumps(request.told()))) == request
    assert (request.layout == CUSTOM) == bool(request.regions)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    "layout",
    "width",
    "frameRate",
    "range",
    "participants",
    "background",
    "names",
    "formats",
    "quality",
    "x",
]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1, max_size=3))
def test_whatever_is_sent_is_a_request_or_is_refused(told: dict[str, Any]) -> None:
    try:
        request = request_of(told)
    except Invalid:
        return
    assert request_of(request.told()) == request


# --- of a session ---------------------------------------------------------------------------------------

MEETING = [recorded("anna", VIDEO, (0, 60_000)), recorded("ben", AUDIO, (10_000, 50_000))]


def id_of(session: Session, **told: Any) -> str:
    """The id of a composition of this session."""
    return composition_id(session, request_of(told).within(session.extent.end - session.extent.start))


def test_a_range_ends_with_the_session_at_the_latest() -> None:
    assert request_of({"range": {"start": 10, "end": HOUR}}).within(60_000).end == 60_000
    assert request_of({}).within(60_000).end == 60_000


@pytest.mark.parametrize("start", [59_001, 70_000])
def test_a_range_that_has_nothing_of_the_session_is_refused(start: int) -> None:
    with pytest.raises(Invalid, match="ends at 60000") as refused:
        request_of({"range": {"start": start}}).within(60_000)

    assert refused.value.field == "range"


SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"layout": "grid", "names": True}),
    ({}, {"range": {"start": 0, "end": 60_000}}),
    ({"formats": ["mp4", "hls"]}, {"formats": ["hls", "mp4"]}),
    ({"background": "#AABBCC"}, {"background": "#aabbcc"}),
    (region(), region(width=100.0)),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_asks_for_the_same_is_the_same_composition(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert id_of(meeting(*MEETING), **one) == id_of(meeting(*reversed(MEETING)), **other)


OTHER: list[dict[str, Any]] = [
    {"layout": "stage"}, {"width": 640}, {"frameRate": 25}, {"range": {"start": 1}}, {"names": False},
    {"participants": ["anna"]}, {"background": "#000000"}, {"formats": ["mp4"]}, {"quality": "low"}, region(),
]  # fmt: skip


@pytest.mark.parametrize("told", OTHER, ids=json.dumps)
def test_what_asks_for_anything_else_is_another(told: dict[str, Any]) -> None:
    assert id_of(meeting(*MEETING), **told) != id_of(meeting(*MEETING))


def test_what_is_learned_of_the_session_makes_another() -> None:
    known = id_of(meeting(*MEETING))
    more = [
        meeting(*MEETING, recorded("ben", AUDIO, (52_000, 55_000))),
        meeting(*MEETING, own=[stay("anna", 0, 40_000)]),
    ]

    assert len({known, *map(id_of, more)}) == 3


def test_its_files_lie_below_the_session() -> None:
    assert target("session-1", "comp-0f") == "sessions/session-1/compositions/comp-0f"
