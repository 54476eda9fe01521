"""One video of a session: asked for once, rendered in pieces, resumed, called off, whatever dies."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.core import events as e
from chalicelib.core.errors import Invalid, NotFound, NotNow, Unavailable
from chalicelib.core.ids import Kind
from chalicelib.core.progress import Composition
from chalicelib.flows import compose
from chalicelib.flows.composing import perform, plan
from chalicelib.ports import Writing, composition_subject, session_subject
from tests.builders import ROOM, SESSION
from tests.fakes import Died, MemoryShelf, MemoryWorld, film
from tests.flows.machine import Machine
from tests.flows.stage import until_quiet
from tests.flows.test_products import USUAL, played

URL = "https://api.example/v1"


def meeting(last_ms: int = 40_000) -> MemoryWorld:
    """A session of a camera and a microphone: two files of each, the second a minute after the first."""
    world = MemoryWorld(products=USUAL)
    for kind in (Kind.AUDIO, Kind.VIDEO):
        played(world, kind, film(60_000, kind=kind.value), film(last_ms, kind=kind.value))
    until_quiet(world)
    return world


@pytest.fixture
def world() -> MemoryWorld:
    return meeting()


def asked(world: MemoryWorld, **told: Any) -> str:
    return str(compose.compose(world, SESSION, told, "app")["compositionId"])


def seen(world: MemoryWorld, composition_id: str) -> dict[str, Any]:
    return compose.composition(world, SESSION, composition_id, URL)


def facts(world: MemoryWorld, composition_id: str) -> Composition:
    return Composition.of(composition_id, world.ledger.read(composition_subject(composition_id)))


def below(world: MemoryWorld) -> dict[str, bytes]:
    """All files of compositions."""
    return {key: body for key, (body, _) in world.shelf.files.items() if "/compositions/" in key}


def made(world: MemoryWorld, **told: Any) -> dict[str, bytes]:
    """A composition's files when all goes well."""
    composition_id = asked(world, **told)
    Machine(world).work()
    assert seen(world, composition_id)["phase"] == "ready"
    return below(world)


# --- asking -------------------------------------------------------------------------------------------


def test_what_is_asked_for_is_rendered_chunk_by_chunk_and_told_with_its_addresses(world: MemoryWorld) -> None:
    composition_id = asked(world)
    assert seen(world, composition_id)["phase"] == "requested"

    Machine(world).work()

    told = seen(world, composition_id)
    assert told["phase"] == "ready"
    assert told["chunks"] == {"done": 6, "all": 6}
    assert told["urls"]["mp4"].startswith("https://shelf.invalid/sessions/")
    assert told["urls"]["hls"].startswith(f"{URL}/sessions/{SESSION}/compositions/{composition_id}/")
    assert told["urls"]["hls"].endswith("/master.m3u8")
    assert (told["slates"], told["failure"]) == ([], None)
    assert world.shelf.begun == 0


def test_the_same_request_of_the_same_session_is_the_same_composition(world: MemoryWorld) -> None:
    first = compose.compose(world, SESSION, {"layout": "grid"}, "app")
    again = compose.compose(world, SESSION, {"frameRate": 30}, "another app")
    Machine(world).work()
    later = compose.compose(world, SESSION, {}, "app")

    assert first == again == later
    assert first["estimate"]["seconds"] > 0
    assert first["estimate"]["dollars"] > 0
    assert list(world.composer.begun) == [f"{first['compositionId']}-1"]
    assert asked(world, layout="single") != first["compositionId"]


def test_a_sessions_compositions_are_found_the_last_request_first(world: MemoryWorld) -> None:
    grid = asked(world)
    world.pass_time(1_000)
    single = asked(world, layout="single")
    asked(world)

    told = compose.compositions(world, SESSION, URL)["compositions"]

    assert [one["compositionId"] for one in told] == [single, grid]
    assert told[1] == seen(world, grid)


@pytest.mark.parametrize("effects", range(3))
def test_a_request_that_died_is_made_good_by_the_next(world: MemoryWorld, effects: int) -> None:
    world.tape.dies_in(effects)
    with pytest.raises(Died):
        asked(world)
    world.tape.dies_before = None
    composition_id = asked(world)
    Machine(world).work()

    assert seen(world, composition_id)["phase"] == "ready"
    assert list(world.composer.begun) == [f"{composition_id}-1"]


def test_without_a_machine_the_request_stays_and_can_be_made_again(world: MemoryWorld) -> None:
    world.broken("composer.start")
    with pytest.raises(Unavailable):
        asked(world)
    world.broken()
    composition_id = asked(world)

    assert list(world.composer.begun) == [f"{composition_id}-1"]


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"layout": "heap"}, "layout"),
        ({"range": {"start": 100_000}}, "range"),
        ({"participants": ["nobody"]}, "participants[0]"),
    ],
)
def test_what_can_not_be_rendered_is_refused_by_its_field(
    world: MemoryWorld, told: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        asked(world, **told)

    assert refused.value.field == field
    assert not world.composer.begun


def test_nothing_is_composed_of_what_nobody_knows(world: MemoryWorld) -> None:
    with pytest.raises(NotFound):
        compose.compose(world, "another session", {}, "app")
    with pytest.raises(NotFound):
        seen(world, "comp-" + "0" * 32)
    with pytest.raises(NotFound):
        compose.composition(world, "another session", asked(world), URL)


def test_a_session_of_which_more_became_known_has_to_be_asked_for_again(world: MemoryWorld) -> None:
    composition_id = asked(world)
    name = e.ParticipantJoined(at=1, room_id=ROOM, participant_id="anna", name="Anna")
    world.ledger.append(session_subject(SESSION), name)
    Machine(world).work()

    told = seen(world, composition_id)
    assert (told["phase"], told["failure"]["code"]) == ("failed", "NotNow")
    assert "ask again" in told["failure"]["message"]
    assert asked(world) != composition_id


# --- what dies on the way -----------------------------------------------------------------------------


def test_whatever_task_is_killed_where_ever_the_result_is_the_same() -> None:
    usual, deaths = made(meeting(12_000)), 0
    while True:
        world = meeting(12_000)
        composition_id = asked(world)
        world.tape.dies_in(deaths)

        def revived(_: str, __: object, world: MemoryWorld = world) -> None:
            if world.tape.dies_before is not None and len(world.tape.done) >= world.tape.dies_before:
                world.tape.dies_before = None

        Machine(world, revived).work()
        assert seen(world, composition_id)["phase"] == "ready", deaths
        assert below(world) == usual, deaths
        if world.tape.dies_before is not None:
            break
        deaths += 1
    assert deaths > 10


def test_a_chunk_that_no_try_renders_is_shown_as_slates_and_the_rest_as_it_is(world: MemoryWorld) -> None:
    usual = made(world)

    def dies(name: str, told: dict[str, Any]) -> None:
        if name == "Chunk" and told["place"] == places[2]:
            raise Died

    composition_id = asked(world, quality="low")
    places = _places(world, composition_id)
    Machine(world, dies).work()

    told = seen(world, composition_id)
    assert told["phase"] == "ready"
    assert [slate["reason"] for slate in told["slates"]] == ["the function was killed"] * len(told["slates"])
    assert told["slates"]
    assert len(usual) == len(below(world)) - len(usual)


def _places(world: MemoryWorld, composition_id: str) -> list[list[int]]:
    """Where the lines of its chunks are going to be."""
    run = compose.Run.of(SESSION, facts(world, composition_id))
    return [list(place) for place in plan(world, run.told(), 128)["chunks"]]


def test_a_file_that_can_not_be_decoded_is_named_and_loses_nothing_else() -> None:
    world = MemoryWorld(products=())
    played(world, Kind.VIDEO, film(60_000, kind="video"), film(40_000, kind="video", codec="blind"))
    until_quiet(world)
    composition_id = asked(world)
    Machine(world).work()

    told = seen(world, composition_id)
    assert told["phase"] == "ready"
    [slate] = told["slates"]
    assert slate["reason"] == "it is blind"


def test_a_voice_that_can_not_be_decoded_is_not_heard_and_the_rest_is() -> None:
    world = MemoryWorld(products=())
    played(world, Kind.AUDIO, film(60_000, kind="audio"), film(40_000, kind="audio", blind=True))
    until_quiet(world)
    composition_id = asked(world)
    Machine(world).work()

    assert seen(world, composition_id)["phase"] == "ready"
    assert any(key.endswith(".part") for key in below(world))


def test_what_failed_is_resumed_where_it_stopped(world: MemoryWorld) -> None:
    def breaks(name: str, _: object) -> None:
        if name == "Finish":
            raise RuntimeError("the disk is full")

    composition_id = asked(world)
    Machine(world, breaks).work()
    told = seen(world, composition_id)
    assert told["phase"] == "failed"
    assert told["failure"] == {"code": "RuntimeError", "message": "the disk is full"}
    before, spent = below(world), told["dollars"]

    assert asked(world) == composition_id
    machine = Machine(world)
    machine.work()

    after = seen(world, composition_id)
    assert (after["phase"], after["chunks"]) == ("ready", {"done": 6, "all": 6})
    assert machine.entered.count("Chunk") == 0
    assert before.items() <= below(world).items()
    assert after["dollars"] > spent


def test_nothing_is_finished_while_a_frame_is_missing(world: MemoryWorld) -> None:
    run = compose.Run.of(SESSION, facts(world, asked(world)))
    planned = plan(world, run.told(), 128)

    with pytest.raises(NotNow, match="not every frame"):
        perform(world, {**run.told(), "task": "finish", "place": planned["head"]}, 128)


def test_a_composition_is_its_session_s_alone(world: MemoryWorld) -> None:
    composition_id = asked(world)

    with pytest.raises(NotFound):
        compose.composition(world, "another", composition_id, URL)


def test_a_resumed_composition_has_the_same_bytes(world: MemoryWorld) -> None:
    usual = made(world)
    other = meeting()
    rendered: list[object] = []

    def breaks(name: str, told: dict[str, Any]) -> None:
        if name in ("Chunk", "Slates"):
            rendered.append(told)
            if len(rendered) > 3:
                raise RuntimeError("no more today")

    composition_id = asked(other)
    Machine(other, breaks).work()
    assert seen(other, composition_id)["phase"] == "failed"
    asked(other)
    machine = Machine(other)
    machine.work()

    assert machine.entered.count("Chunk") == 3
    assert below(other) == usual


# --- who speaks ---------------------------------------------------------------------------------------


def test_who_speaks_is_waited_for_and_asked_for_where_nobody_did() -> None:
    world = MemoryWorld(products=("poster",))
    played(world, Kind.AUDIO, film(60_000, kind="audio"))
    until_quiet(world)
    composition_id = asked(world, layout="speaker")
    machine = Machine(world)
    machine.work()

    assert seen(world, composition_id)["phase"] == "ready"
    assert machine.entered[:3] == ["Plan", "Planned?", "Patience"]
    assert [key for key in world.shelf.files if "/peaks-" in key]


def test_the_usual_layout_waits_for_nobody() -> None:
    world = MemoryWorld(products=("poster",))
    played(world, Kind.AUDIO, film(60_000, kind="audio"))
    until_quiet(world)
    asked(world)
    machine = Machine(world)
    machine.work()

    assert "Patience" not in machine.entered


# --- playing it while it is made ----------------------------------------------------------------------


def _stream(world: MemoryWorld, composition_id: str) -> tuple[str, str]:
    token, name = seen(world, composition_id)["urls"]["hls"].rsplit("/", 2)[1:]
    return token, name


def test_the_stream_can_be_played_while_it_is_made(world: MemoryWorld) -> None:
    composition_id = asked(world)
    lengths = []

    def look(name: str, _: object) -> None:
        if name != "Chunk" or "hls" not in seen(world, composition_id)["urls"]:
            return
        token, playlist = _stream(world, composition_id)
        text = compose.streamed(world, SESSION, composition_id, token, playlist).text
        assert text is not None
        assert "#EXT-X-PLAYLIST-TYPE:EVENT" in text
        assert "#EXT-X-ENDLIST" not in text
        names = [line for line in text.splitlines() if not line.startswith("#")]
        lengths.append(len(names))
        for file in ("init.mp4", *names):
            address = compose.streamed(world, SESSION, composition_id, token, file).address
            assert address.endswith(f"/{file}?signed")

    Machine(world, look).work()

    assert lengths == [1, 2, 3, 4, 5]
    token, playlist = _stream(world, composition_id)
    assert playlist == "master.m3u8"
    assert compose.streamed(world, SESSION, composition_id, token, playlist).text


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1], lambda t: "9" + t, lambda _: "", lambda t: "\u00b2." + t]
)
def test_nobody_plays_with_a_token_that_is_not_ours(world: MemoryWorld, spoil: Callable[[str], str]) -> None:
    composition_id = asked(world)
    Machine(world).work()
    token, name = _stream(world, composition_id)

    with pytest.raises(NotFound):
        compose.streamed(world, SESSION, composition_id, spoil(token), name)
    with pytest.raises(NotFound):
        compose.streamed(world, SESSION, asked(world, quality="low"), token, name)


def test_a_token_is_over_after_a_day_and_opens_no_other_file(world: MemoryWorld) -> None:
    composition_id = asked(world)
    Machine(world).work()
    token, name = _stream(world, composition_id)

    for other in ("sheet.jsonl", "../../x", "chunk-00001-0000000000000000.m4s"):
        with pytest.raises(NotFound):
            compose.streamed(world, SESSION, composition_id, token, other)
    world.pass_time(compose.STREAM_MS)
    with pytest.raises(NotFound):
        compose.streamed(world, SESSION, composition_id, token, name)


# --- calling it off -----------------------------------------------------------------------------------


@dataclass
class Interrupted(MemoryShelf):
    """Something happens while a file is being written."""

    during: Callable[[], None] = lambda: None

    def write(self, key: str, content_type: str) -> Writing:
        """It happens first."""
        self.during()
        return super().write(key, content_type)


@pytest.mark.parametrize("when", ["Plan", "Chunk", "Part", "Mix", "Finish"])
@pytest.mark.parametrize("late", [False, True], ids=["before the task", "while it works"])
def test_what_is_called_off_leaves_nothing_behind(world: MemoryWorld, when: str, late: bool) -> None:
    composition_id = asked(world)
    called: list[str] = []
    world.shelf = shelf = Interrupted(world.tape, world.now, world.shelf.files, world.shelf.written_at)

    def call_off() -> None:
        if not called:
            called.append(when)
            compose.cancel(world, SESSION, composition_id, "app")

    def before(name: str, _: object) -> None:
        if name == when and not late:
            call_off()
        if name == when and late:
            shelf.during = call_off

    Machine(world, before).work()

    assert called
    assert below(world) == {}
    told = seen(world, composition_id)
    assert (told["phase"], told["urls"], told["failure"]) == ("cancelled", {}, None)


def test_what_is_ready_can_be_deleted_and_twice_is_fine(world: MemoryWorld) -> None:
    composition_id = asked(world)
    Machine(world).work()
    compose.cancel(world, SESSION, composition_id, "app")
    compose.cancel(world, SESSION, composition_id, "app")

    assert below(world) == {}
    assert seen(world, composition_id)["phase"] == "cancelled"


def test_what_was_called_off_and_is_asked_for_again_lies_elsewhere(world: MemoryWorld) -> None:
    usual = made(world)
    composition_id = asked(world)
    compose.cancel(world, SESSION, composition_id, "app")

    assert asked(world) == composition_id
    Machine(world).work()

    again = below(world)
    assert seen(world, composition_id)["phase"] == "ready"
    assert all(f"/{composition_id}~1/" in key for key in again)
    renamed = {key.replace("~1/", "/"): body.replace(b"~1/", b"/") for key, body in again.items()}
    same = [key for key in usual if not key.endswith(".jsonl")]
    assert {key: renamed[key] for key in same} == {key: usual[key] for key in same}


def test_what_is_known_of_a_composition_is_json(world: MemoryWorld) -> None:
    composition_id = asked(world, layout={"regions": [{"x": 0, "y": 0, "width": 50, "height": 50}]})
    Machine(world).work()

    assert json.loads(json.dumps(seen(world, composition_id)))["request"]["layout"]["regions"]
