"""Who is seen where over time: people come and go, speak and share, and no frame is lost or shown twice."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.asking import LAYOUTS, request_of
from chalicelib.core.cast import AWAY_MS, BRIDGED_MS, Person, Take, cast, sizes, voices
from chalicelib.core.composition import Request
from chalicelib.core.errors import Invalid
from chalicelib.core.ids import Kind
from chalicelib.core.layouts import BESIDE, SEATS, Rect
from chalicelib.core.scenes import Card, Scene, Tile, Video
from chalicelib.core.session import Session
from chalicelib.core.staging import scenes
from chalicelib.core.step import Piece
from chalicelib.core.timeline import Span
from tests.core.stories import meeting, recorded, segment, stay
from tests.core.test_layouts import sound

AUDIO, VIDEO, SCREEN = Kind.AUDIO, Kind.VIDEO, Kind.SCREEN_VIDEO
SECOND = 1_000


def take(who: str, kind: Kind, start: int, end: int) -> Take:
    """A segment's pictures."""
    return Take(
        start, end, Video(who, who.title(), kind, "vp8", Piece(f"{who}-{start}.webm", "i", start, end))
    )


def person(who: str, *cameras: tuple[int, int], **said: Any) -> Person:
    """Somebody whose camera was on in these seconds, and who was there for as long or as said."""
    screens = said.get("screen", ())
    present = said.get("present", (cameras[0][0], cameras[-1][1]) if cameras else (0, 100))
    return Person(
        who,
        who.title(),
        present=(Span(present[0] * SECOND, present[1] * SECOND),),
        camera=tuple(take(who, VIDEO, a * SECOND, b * SECOND) for a, b in cameras),
        screen=tuple(take(who, SCREEN, a * SECOND, b * SECOND) for a, b in screens),
        levels=b"".join(bytes([60 if (letter == who[0]) else 0]) * 10 for letter in said.get("heard", "")),
    )


def asked(layout: Any = "grid", end: int = 60, **said: Any) -> Request:
    """A request of so many seconds."""
    return request_of({"layout": layout, "frameRate": 10, **said}).within(end * SECOND)


def seen(scene: Scene) -> str:
    """Who is seen, in order: A is a camera, A# a screen, (a) a card."""
    return " ".join(map(_seen, scene.tiles))


def _seen(tile: Tile) -> str:
    if isinstance(tile.shows, Card):
        return f"({tile.shows.participant_id[0]})"
    return tile.shows.participant_id[0].upper() + ("#" if tile.shows.kind is SCREEN else "")


def story(cast: Sequence[Person], request: Request) -> list[tuple[int, str]]:
    """From which second on who is seen."""
    return [(scene.first_frame // 10, seen(scene)) for scene in scenes(cast, request)]


ANNA, BEN, CLEO = person("anna", (0, 60)), person("ben", (10, 30), present=(10, 40)), person("cleo", (20, 60))


# --- the layouts ----------------------------------------------------------------------------------------


def test_people_come_and_go_and_a_camera_that_is_off_is_a_card() -> None:
    assert story([ANNA, BEN, CLEO], asked()) == [
        (0, "A"), (10, "A B"), (20, "A B C"), (30, "A (b) C"), (40, "A C"),
    ]  # fmt: skip


def test_only_who_comes_or_goes_moves_tiles() -> None:
    found = scenes([ANNA, BEN, CLEO], asked())

    places = [[(tile.x, tile.y, tile.width) for tile in scene.tiles] for scene in found]
    assert places[2] == places[3]
    assert [len(set(map(tuple, places)))] == [3]


def test_a_shared_screen_has_a_tile_before_its_owner() -> None:
    sharing = person("ben", (0, 60), screen=[(20, 30)])

    assert story([ANNA, sharing, CLEO], asked())[1:] == [(20, "A B# B C"), (30, "A B C")]


TALKING = "aaaaaaaaaabbbbbbbbbbccccccccccaaaaaaaaaa"


def test_who_speaks_is_large_and_changes_places_with_who_spoke_before() -> None:
    people = [person(who, (0, 40), heard=TALKING) for who in ("anna", "ben", "cleo")]

    assert story(people, asked("speaker", 40)) == [(0, "A B C"), (10, "B A C"), (20, "C A B"), (30, "A C B")]
    large = {scene.tiles[0].width for scene in scenes(people, asked("speaker", 40))}
    assert large == {1018}


def test_who_speaks_and_leaves_gives_the_stage_to_who_spoke_before() -> None:
    people = [person("anna", (0, 60), heard="a" * 9), person("ben", (0, 20), heard="." * 10 + "b" * 8), CLEO]

    assert story(people, asked("speaker"))[-2:] == [(10, "B A"), (20, "A C")]


def test_before_anybody_has_spoken_the_first_camera_is_large() -> None:
    assert story([person("anna", present=(0, 60)), CLEO], asked("speaker")) == [(0, "(a)"), (20, "C (a)")]


def test_a_screen_takes_the_stage_the_last_one_first() -> None:
    people = [person("anna", (0, 60), screen=[(10, 50)]), person("ben", (0, 60), screen=[(20, 30)])]

    assert story(people, asked("stage")) == [
        (0, "A B"), (10, "A# A B"), (20, "B# A# A B"), (30, "A# A B"), (50, "A B"),
    ]  # fmt: skip


def test_a_screen_that_comes_in_several_files_was_shared_once() -> None:
    people = [
        person("anna", (0, 60), screen=[(10, 20), (20, 40)]),
        person("ben", (0, 60), screen=[(15, 30)]),
    ]

    assert [who.split()[0] for _, who in story(people, asked("stage"))] == ["A", "A#", "B#", "B#", "A#", "A"]


def test_single_shows_a_screen_or_else_who_speaks() -> None:
    people = [
        person("anna", (0, 60), heard=TALKING, screen=[(15, 17)]),
        person("ben", (0, 60), heard=TALKING),
    ]

    assert story(people, asked("single", 29)) == [(0, "A"), (10, "B"), (15, "A#"), (17, "B")]
    assert story(people[:1], asked("single", 14)) == [(0, "A")]


def custom(*regions: dict[str, Any]) -> dict[str, Any]:
    """A layout of these regions, each the whole canvas or as said."""
    return {"regions": [{"x": 0, "y": 0, "width": 100, "height": 100, **region} for region in regions]}


def test_regions_choose_by_pattern_and_kind_and_lie_by_their_z() -> None:
    layout = custom(
        {"z": 2, "participants": ["b*"], "kinds": ["video"], "width": 25, "height": 25},
        {"participants": ["*"], "exclude": ["ben"], "kinds": ["video"]},
        {"z": 1, "kinds": ["screen_video"], "height": 50},
    )
    people = [ANNA, person("ben", (0, 60), screen=[(10, 20)]), person("[b]*", (0, 60))]
    found = scenes(people, asked(layout))

    assert [seen(scene) for scene in found] == ["A [ B", "A [ B# B", "A [ B"]
    assert (found[1].tiles[-1].width, found[1].tiles[-1].height) == (320, 180)
    assert found[1].tiles[-2].height == 360


@pytest.mark.parametrize(("reuse", "expected"), [("show_oldest", "A B"), ("show_newest", "C B")])
def test_a_region_without_room_shows_the_oldest_or_the_newest(reuse: str, expected: str) -> None:
    layout = custom({"columns": 1, "rows": 2, "reuse": reuse})

    assert story([ANNA, person("ben", (5, 60)), person("cleo", (9, 60))], asked(layout))[-1][1] == expected


# --- more than there is room for --------------------------------------------------------------------------


def crowd(count: int, **said: dict[str, Any]) -> list[Person]:
    """So many people, called after letters, or as said of some."""
    names = [chr(ord("A") + number) for number in range(count)]
    return [person(name, (0, 60), **said.get(name, {})) for name in names]


def test_who_came_first_has_a_seat_until_somebody_without_one_speaks() -> None:
    heard = "." * 10 + "Z" * 5 + "[" * 5
    people = crowd(27, **{name: {"heard": heard} for name in ("Z", "[")})
    found = story(people, asked())

    assert [who.replace(" ", "") for _, who in found] == [
        "ABCDEFGHIJKLMNOPQRSTUVWXY", "ABCDEFGHIJKLMNOPQRSTUVWXZ", "ABCDEFGHIJKLMNOPQRSTUVW[Z",
    ]  # fmt: skip
    assert [second for second, _ in found] == [0, 10, 15]


def test_who_leaves_gives_the_seat_to_who_waits_and_nobody_else_moves() -> None:
    people = [*crowd(26)]
    people[3] = person("D", (0, 20))

    assert [who.replace(" ", "") for _, who in story(people, asked())] == [
        "ABCDEFGHIJKLMNOPQRSTUVWXY", "ABCZEFGHIJKLMNOPQRSTUVWXY",
    ]  # fmt: skip


def test_who_was_large_is_beside_who_comes_from_nowhere() -> None:
    heard = "A" * 10 + "L" * 10
    people = crowd(12, A={"heard": heard}, L={"heard": heard})

    assert story(people, asked("speaker", 20)) == [(0, "A B C D E F G H I"), (10, "L B C D E F G H A")]


def test_who_took_a_seat_while_a_screen_was_shared_has_it_afterwards() -> None:
    heard = "." * 12 + "Z" * 4 + "C" * 4 + "D" * 4
    people = crowd(26, Z={"heard": heard}, C={"heard": heard}, D={"heard": heard}, A={"screen": [(10, 30)]})

    assert story(people, asked("stage"))[-1] == (30, " ".join("ABCDEFGHIJKLMNOPQRSTUVWZX"))


def test_a_screen_has_a_seat_whoever_came_first() -> None:
    people = crowd(30)
    people[-1] = person("^", (0, 60), screen=[(30, 40)])

    assert "^#" in story(people, asked())[1][1]
    assert story(people, asked("stage"))[1][1].startswith("^#")


def test_of_64_people_as_many_are_seen_as_there_are_seats() -> None:
    people = crowd(64, B={"heard": "B" * 9})

    assert [len(scene.tiles) for scene in scenes(people, asked())] == [SEATS]
    assert {len(scene.tiles) for scene in scenes(people, asked("speaker"))} == {1 + BESIDE}


# --- whatever happens -------------------------------------------------------------------------------------

TIMES = st.integers(0, 59_999)
SPANS = st.lists(TIMES, max_size=6, unique=True).map(
    lambda at: list(zip(sorted(at)[::2], sorted(at)[1::2], strict=False))
)


@st.composite
def casts(draw: st.DrawFn) -> list[Person]:
    """People of whom anything may be known."""
    return [
        Person(
            who,
            who,
            present=tuple(Span(*span) for span in draw(SPANS)),
            camera=tuple(take(who, VIDEO, *span) for span in draw(SPANS)),
            screen=tuple(take(who, SCREEN, *span) for span in draw(SPANS)),
            levels=draw(
                st.sampled_from([b"", bytes(600), bytes([50] * 100 + [0] * 100) * 3, bytes([9] * 600)])
            ),
        )
        for who in [f"p{number}" for number in range(draw(st.integers(1, 12)))]
    ]


REGIONS = custom(
    {"width": 70, "participants": ["p1*", "p2"]},
    {"x": 70, "width": 30, "height": 50, "columns": 2, "rows": 2, "reuse": "show_newest"},
    {"x": 70, "y": 50, "width": 30, "height": 50, "kinds": ["screen_video"]},
)
ANY_LAYOUT = st.sampled_from([*LAYOUTS, REGIONS])
RATES = st.sampled_from([10, 12, 24, 25, 30])


@settings(max_examples=30, deadline=None)
@given(casts(), ANY_LAYOUT, RATES, st.integers(0, 30_000), st.integers(1_000, 29_999))
def test_scenes_are_all_frames_once_and_their_tiles_may_be_drawn(
    people: list[Person], layout: Any, rate: int, start: int, length: int
) -> None:
    told = {"layout": layout, "frameRate": rate, "range": {"start": start, "end": start + length}}
    request = request_of(told).within(60_000)
    found = scenes(people, request)

    assert (found[0].first_frame, found[-1].end_frame) == (0, request.frames)
    assert all(one.end_frame == other.first_frame for one, other in pairwise(found))
    assert all(scene.first_frame < scene.end_frame for scene in found)
    assert all(one.tiles != other.tiles for one, other in pairwise(found))
    for scene in found:
        rects = [Rect(tile.x, tile.y, tile.width, tile.height) for tile in scene.tiles]
        assert sound(Rect(0, 0, 1280, 720), rects)
    assert scenes(list(people), request) == found


@settings(max_examples=30, deadline=None)
@given(casts(), RATES)
def test_a_tile_shows_what_there_is_at_its_time(people: list[Person], rate: int) -> None:
    request = request_of({"frameRate": rate}).within(60_000)

    for scene in scenes(people, request):
        for frame in (scene.first_frame, scene.end_frame - 1):
            at = frame * 1000 / rate
            shown = {tile.shows for tile in scene.tiles}
            there = [p for p in people if any(span.start <= at < span.end for span in p.present)]
            cameras = {
                next((t.video for t in p.camera if t.start <= at < t.end), Card(p.participant_id, p.name))
                for p in there
            }
            screens = {t.video for p in people for t in p.screen if t.start <= at < t.end}
            assert shown == cameras | screens


@settings(max_examples=30, deadline=None)
@given(casts(), ANY_LAYOUT, st.integers(0, 59), st.integers(1, 60))
def test_a_range_shows_what_the_whole_shows_then(
    people: list[Person], layout: Any, first: int, length: int
) -> None:
    told = {"layout": layout, "frameRate": 10}
    start, end = first * SECOND, min(60, first + length) * SECOND
    whole = scenes(people, request_of(told).within(60_000))
    ranged = scenes(people, request_of({**told, "range": {"start": start, "end": end}}).within(60_000))

    def tiles(found: tuple[Scene, ...], frame: int) -> tuple[Tile, ...]:
        [scene] = [scene for scene in found if scene.first_frame <= frame < scene.end_frame]
        return scene.tiles

    for frame in range(0, (end - start) // 100, 7):
        assert tiles(ranged, frame) == tiles(whole, frame + first * 10)


# --- a session's cast -------------------------------------------------------------------------------------


def told(session: Session, *participants: str) -> dict[str, Person]:
    """The cast by participant."""
    return {one.participant_id: one for one in cast(session, participants or ("*",))}


def test_without_a_word_on_presence_who_is_recorded_is_there_from_first_to_last() -> None:
    anna = [recorded("anna", AUDIO, (0, 10_000)), recorded("anna", VIDEO, (50_000, 60_000))]

    assert told(meeting(*anna))["anna"].present == (Span(0, 60_000),)


def test_presence_is_what_the_list_says_and_whatever_was_recorded() -> None:
    anna = recorded("anna", AUDIO, (0, 10_000), (40_000, 60_000))
    stays = [stay("anna", -5_000, 8_000), stay("anna", 45_000, None)]
    session = meeting(anna, recorded("ben", AUDIO, (0, 70_000)), own=stays)

    assert told(session)["anna"].present == (Span(0, 10_000), Span(40_000, 70_000))
    assert told(session)["anna"].name == "Anna"
    assert told(session)["ben"].name == "ben"


@pytest.mark.parametrize(("away", "spans"), [(AWAY_MS, 1), (AWAY_MS + 1, 2)])
def test_who_is_back_soon_has_not_left(away: int, spans: int) -> None:
    stays = [stay("anna", 0, 5_000), stay("anna", 5_000 + away, 20_000)]

    assert (
        len(told(meeting(recorded("anna", AUDIO, (0, 1_000), (19_000, 20_000)), own=stays))["anna"].present)
        == spans
    )


@pytest.mark.parametrize(("gap", "end"), [(BRIDGED_MS, 5_000 + BRIDGED_MS), (BRIDGED_MS + 1, 5_000)])
def test_a_picture_is_held_over_a_short_gap(gap: int, end: int) -> None:
    first, second = told(meeting(recorded("anna", VIDEO, (0, 5_000), (5_000 + gap, 9_000))))["anna"].camera

    assert (first.start, first.end, second.start) == (0, end, 5_000 + gap)
    assert first.video.piece.end == 5_000


def test_takes_of_several_codecs_are_in_order() -> None:
    codecs = [*recorded("anna", VIDEO, (0, 5_000)), segment("anna", VIDEO, 2_000, 9_000, codec="av1")]

    takes = told(meeting(codecs))["anna"].camera
    assert [(t.start, t.end, t.video.codec) for t in takes] == [(0, 2_000, "vp8"), (2_000, 9_000, "av1")]


THREE = meeting(*(recorded(who, AUDIO, (at, 9_000)) for at, who in enumerate(("zoe", "a*b", "axb"))))
CHOICES = [
    (("*",), ["zoe", "a*b", "axb"]),
    (("axb", "*"), ["axb", "zoe", "a*b"]),
    (("a*",), ["a*b", "axb"]),
    (("zoe", "zoe"), ["zoe"]),
    (("q*", "zoe"), ["zoe"]),
]


@pytest.mark.parametrize(("choice", "expected"), CHOICES)
def test_people_are_in_the_order_of_the_choice_and_else_of_arrival(
    choice: tuple[str, ...], expected: list[str]
) -> None:
    assert list(told(THREE, *choice)) == expected
    assert [track.participant_id for track in voices(THREE, choice)] == sorted(expected)


@pytest.mark.parametrize(
    ("choice", "field"),
    [(("zoe", "mia"), "participants[1]"), (("q*",), "participants"), (("[a]xb",), "participants[0]")],
)
def test_a_choice_of_nobody_is_refused(choice: tuple[str, ...], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        cast(THREE, choice)

    assert (refused.value.code, refused.value.field) == ("unknown_participant", field)


def test_the_size_of_a_file_is_that_of_its_largest_pictures() -> None:
    ramp = segment("anna", VIDEO, 0, 9, width=640, height=360, resolutions=((0, 640, 360), (5, 1280, 720)))
    unknown = segment("ben", VIDEO, 0, 9, width=None, height=None, resolutions=())
    asked = recorded("anna", AUDIO, (0, 9))[0]
    ben = recorded("ben", AUDIO, (0, 9))[0]

    assert sizes(meeting([asked, ramp], [ben, unknown])) == {ramp.repaired_key: (1280, 720)}
