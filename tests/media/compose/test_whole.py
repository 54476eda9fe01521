"""Whole compositions: the template's machine runs the real engine, over real files of whole meetings."""

import resource
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pytest

from chalicelib.config import REQUIRED, Config
from chalicelib.core import events as e
from chalicelib.core.cast import cast
from chalicelib.core.chunks import WHOLE, Chunk, chunk_of
from chalicelib.core.ids import Kind
from chalicelib.core.layouts import SEATS
from chalicelib.core.scenes import Tile
from chalicelib.core.sheet import SHEET, Sheet
from chalicelib.core.trigger import Appeared
from chalicelib.flows.compose import cancel
from chalicelib.flows.ingest import ingest
from chalicelib.flows.settle import read_session
from chalicelib.ports import Writing, session_subject
from chalicelib.wiring import AwsWorld
from tests.builders import ROOM, SESSION
from tests.fakes import Died, MemoryShelf, MemoryWorld
from tests.flows.machine import Machine
from tests.flows.stage import until_quiet
from tests.flows.test_compose import asked, below, seen
from tests.media.compose.stage import Shot, flashes, shots
from tests.media.markers import compare, heard
from tests.media.meeting import ZERO_AT, Meeting, Segment, meeting

GIGABYTE_KB = 1 << 20


@dataclass
class Hall:
    """A meeting that was delivered to a world with the real engine."""

    meeting: Meeting
    world: MemoryWorld

    @property
    def zero(self) -> int:
        """Session zero in the meeting's milliseconds."""
        return read_session(self.world, SESSION).extent.start - ZERO_AT

    def expected(self, who: str, start: int, end: int, kind: Kind = Kind.VIDEO) -> list[float]:
        """When somebody's flashes or tones are there, in the milliseconds of a composition of this range."""
        found = [
            marker for marker in self.meeting.markers if (marker.participant_id, marker.kind) == (who, kind)
        ]
        at = [marker.shown_ms - self.zero for marker in found]
        return [one - start for one in at if start <= one < end - 200]

    def made(self, **said: object) -> tuple[bytes, list[Chunk]]:
        """A composition's MP4, and its chunks as they were planned."""
        composition_id = asked(self.world, **said)
        Machine(self.world).work()
        told = seen(self.world, composition_id)
        assert (told["phase"], told["slates"]) == ("ready", [])
        files = below(self.world)
        (folder,) = {key.rpartition("/")[0] for key in files if composition_id in key}
        sheet = Sheet(files[f"{folder}/{SHEET}"])
        return files[f"{folder}/{WHOLE}"], [chunk_of(line) for line in sheet.lines(sheet.chunks)]


def held(made: Meeting, segments: Iterable[Segment], names: Callable[[int], str] | None = None) -> Hall:
    """Deliver these files of it, and tell what its people are called."""
    world = MemoryWorld(products=())
    world.media = AwsWorld(Config.read(dict.fromkeys(REQUIRED, "unused"))).media  # type: ignore[assignment]
    for segment in segments:
        key = f"recordings/{SESSION}/{segment.participant_id}/{segment.kind}/{segment.file}"
        world.inbox.put(key, segment.data)
        ingest(world, Appeared("deliveries", key))
    for number in range(made.people if names else 0):
        assert names is not None
        who = made.manner.name.format(number)
        told = e.ParticipantJoined(at=1, room_id=ROOM, participant_id=who, name=names(number))
        world.ledger.append(session_subject(SESSION), told)
    until_quiet(world)
    return Hall(made, world)


def pair(minutes: float = 0.45) -> Hall:
    """Two people, small, for less than half a minute: three chunks."""
    made = meeting(2, minutes, size=(160, 96), mutes=False, ramp=False)
    return held(made, made.segments)


SMALL = {"width": 320, "height": 180, "frameRate": 10, "quality": "low"}


def wrong(hall: Hall, tiles: Iterable[Tile], film: list[Shot], start: int, end: int) -> Iterator[str]:
    """Whose flashes are not in their tile within a frame."""
    frame_ms = film[1].at - film[0].at
    for tile in tiles:
        expected = hall.expected(tile.shows.participant_id, start, end)
        report = compare(expected, flashes(film, tile.x, tile.y, tile.width, tile.height), frame_ms + 1)
        if not report.right:
            yield f"{tile.shows.participant_id}: {report}"


def test_25_people_are_each_in_their_tile_in_less_than_a_gigabyte() -> None:
    made = meeting(25, 0.3, size=(640, 360), fps=10, mutes=False, ramp=False)
    hall = held(made, (one for one in made.segments if one.kind is Kind.VIDEO))
    start, end = 13_900, 15_900

    film, [chunk] = hall.made(range={"start": start, "end": end}, names=False, quality="low")

    (scene,) = chunk.scenes
    assert len({tile.shows.participant_id for tile in scene.tiles}) == 25
    assert list(wrong(hall, scene.tiles, shots(film), start, end)) == []
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= GIGABYTE_KB


NAMES = ("👩‍👩‍👧‍👦🎉🏳️‍🌈", "שלום עולם 2026", "محمد \u202eعبد الله", "n" * 200, "\u200f\u200b", "نام" * 66, "")


def test_of_64_people_who_came_first_are_seen_whatever_they_are_called() -> None:
    made = meeting(64, 0.25, size=(80, 48), fps=10, mutes=False, ramp=False)
    cameras = (one for one in made.segments if one.kind is Kind.VIDEO)
    hall = held(made, cameras, lambda number: NAMES[number % len(NAMES)])
    people = cast(read_session(hall.world, SESSION))

    film, [chunk] = hall.made(range={"start": 10_000, "end": 11_000}, **SMALL)

    assert len(people) == 64
    shown = {tile.shows.participant_id for scene in chunk.scenes for tile in scene.tiles}
    assert shown == {person.participant_id for person in people[:SEATS]}
    assert len(shots(film)) == 10


def test_a_range_has_its_own_frames_and_its_own_sound() -> None:
    hall, start, end = pair(), 3_001, 17_501

    film, chunks = hall.made(range={"start": start, "end": end}, **{**SMALL, "frameRate": 30, "names": False})

    found = shots(film)
    assert [round(shot.at * 30 / 1000, 3) for shot in found] == list(range(435))
    assert list(wrong(hall, chunks[0].scenes[-1].tiles, found, start, end)) == []
    for marker in {marker.hz: marker for marker in hall.meeting.markers if marker.hz}.values():
        expected = hall.expected(marker.participant_id, start, end, Kind.AUDIO)
        assert compare(expected, heard(film, [marker.hz or 0]).tones[marker.hz or 0], 10).right


@dataclass
class Interrupted(MemoryShelf):
    """Something happens when a chunk is rendered and about to be written."""

    during: Callable[[], None] = lambda: None

    def write(self, key: str, content_type: str) -> Writing:
        """It happens first."""
        if key.endswith(".m4s"):
            self.during()
        return super().write(key, content_type)


def interrupted(hall: Hall, during: Callable[[int], None]) -> list[int]:
    """Have something happen at each chunk, which is told its number; what was rendered is counted."""
    world, counted = hall.world, list[int]()

    def rendered() -> None:
        counted.append(len(counted) + 1)
        during(counted[-1])

    world.shelf = Interrupted(
        world.tape, world.now, world.shelf.files, world.shelf.written_at, during=rendered
    )
    return counted


def test_a_render_that_is_killed_and_one_that_is_resumed_give_the_same_bytes() -> None:
    usual, other = pair(), pair()
    usual.made(**SMALL)

    def breaks(number: int) -> None:
        if number == 2:
            raise Died
        if number >= 4:
            raise RuntimeError("the disk is full")

    rendered = interrupted(other, breaks)
    composition_id = asked(other.world, **SMALL)
    Machine(other.world).work()
    assert seen(other.world, composition_id)["phase"] == "failed"
    assert len(rendered) > 4

    rendered = interrupted(other, lambda _: None)
    assert asked(other.world, **SMALL) == composition_id
    Machine(other.world).work()

    assert seen(other.world, composition_id)["phase"] == "ready"
    assert len(rendered) == 1
    assert below(other.world) == below(usual.world)
    kinds = {key.rpartition(".")[2] for key in below(usual.world)}
    assert {"mp4", "m4s", "m3u8"} <= kinds


@pytest.mark.parametrize("number", [1, 2])
def test_a_render_that_is_called_off_leaves_no_object(number: int) -> None:
    hall = pair(0.2)

    def call_off(place: int) -> None:
        if place == number:
            cancel(hall.world, SESSION, composition_id, "app")

    interrupted(hall, call_off)
    composition_id = asked(hall.world, **SMALL)
    Machine(hall.world).work()

    assert seen(hall.world, composition_id)["phase"] == "cancelled"
    assert below(hall.world) == {}
    assert hall.world.shelf.begun == 0
