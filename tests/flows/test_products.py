"""A session's products: planned, queued, made under a lease and told together, whatever dies on the way."""

import json
from collections import Counter
from typing import Any

import pytest

from chalicelib.core import events as e
from chalicelib.core.errors import Invalid, NotFound, Unavailable
from chalicelib.core.ids import Kind, artifact_key, place
from chalicelib.core.order import PLAN, SMALL
from chalicelib.core.scan import NotRecording
from chalicelib.core.step import Made, Step
from chalicelib.core.work import LEASE_MS, LeaseLost, TryFailed
from chalicelib.flows import review
from chalicelib.flows.ingest import ingest
from chalicelib.flows.reconcile import STEP_MS
from chalicelib.flows.record import Wanted
from chalicelib.flows.render import render
from chalicelib.flows.settle import settle
from chalicelib.flows.work import KEEP_MS
from chalicelib.ports import Store, session_subject
from tests.builders import ROOM, SESSION, STARTED, WHO, listed, stopped
from tests.fakes import NOON, Died, MemoryShelf, MemoryWorld, ScriptedMedia, film
from tests.flows.stage import FILE, begun, deliver, key_of, known, pass_by, remember, until_quiet, webhook

USUAL = ("track", "av", "stem", "mix", "peaks", "poster", "sprite")
CLIP = FILE.replace("audio", "video")
MINUTE_MS = 60_000


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld(products=USUAL)


def played(world: MemoryWorld, kind: Kind, *bodies: bytes) -> str:
    """A recording with a file for each body, one a minute; VideoSDK's list has its end."""
    recording_id, about = begun(world, Wanted(ROOM, WHO, (kind,))), (ROOM, WHO, kind.value)
    files = [file_of(kind, number) for number in range(len(bodies))]
    webhook(world, recording_id, STARTED, about)
    paths = [f"x/{recording_id}/{file}" for file in files]
    item = listed(*paths, kind=kind.value, listed_id=f"track of {kind}")
    world.recorder.tracks.setdefault(ROOM, []).append(item)
    for file, body in zip(files, bodies, strict=True):
        deliver(world, key_of(recording_id, file, kind=kind), body)
    webhook(world, recording_id, stopped(*files), about)
    return recording_id


def file_of(kind: Kind, number: int) -> str:
    """The name of a recording's file."""
    return f"track_recording_{WHO}_{kind}_{NOON + number * MINUTE_MS}.webm"


def meeting(world: MemoryWorld) -> tuple[str, str]:
    """Somebody's camera and microphone."""
    audio = played(world, Kind.AUDIO, film(kind="audio"))
    return audio, played(world, Kind.VIDEO, film(kind="video"))


def manifests(world: MemoryWorld) -> list[dict[str, Any]]:
    """Those that it was rung for, in order."""
    return [json.loads(world.shelf.files[told["manifestKey"]][0]) for told in world.bell.rung]


def products(told: dict[str, Any]) -> Counter[str]:
    """How many files there are of each product."""
    return Counter(artifact["product"] for artifact in told["artifacts"])


def own_facts(world: MemoryWorld) -> list[e.Event]:
    """The session's own facts."""
    return list(world.ledger.read(session_subject(SESSION)))


def queued(world: MemoryWorld) -> int:
    """How many messages the render queue ever got."""
    return len([done for done in world.tape.done if done.startswith("work.make")])


EVERYTHING = Counter(repaired=2, poster=1, track=2, av=1, sprite=1, stem=1, mix=1, peaks=2)


# --- from the end of a session to its last product --------------------------------------------------


def test_a_settled_session_gets_all_that_is_usual(world: MemoryWorld) -> None:
    _, video = meeting(world)

    until_quiet(world)

    last = manifests(world)[-1]
    assert products(last) == EVERYTHING
    assert last["verdict"]["complete"]
    assert all(artifact["key"] in world.shelf.files for artifact in last["artifacts"])
    assert {row["state"] for row in last["products"]} == {"made"}
    assert [fact.product for fact in known(world, video).told(e.ArtifactMade)] == ["poster"]
    assert len([fact for fact in own_facts(world) if isinstance(fact, e.ArtifactMade)]) == 8


def test_the_manifest_is_there_before_its_products_and_again_when_all_are_made(world: MemoryWorld) -> None:
    meeting(world)

    until_quiet(world)

    assert [told["productsPending"] for told in world.bell.rung] == [3, 0]  # poster, copies, sound
    assert products(manifests(world)[0])["repaired"] == 2
    assert "mix" not in products(manifests(world)[0])


def test_nothing_is_made_while_the_session_goes_on(world: MemoryWorld) -> None:
    recording_id = begun(world)
    deliver(world, key_of(recording_id))
    webhook(world, recording_id, STARTED)

    until_quiet(world)

    assert queued(world) == 0


def test_each_step_is_queued_once_however_often_its_session_is_looked_at(world: MemoryWorld) -> None:
    meeting(world)
    until_quiet(world)

    assert queued(world) == 4  # the poster by its segment and by its session, the copies, the sound
    pass_by(world, STEP_MS)
    pass_by(world, STEP_MS)

    assert queued(world) == 4


def test_a_late_segment_makes_anew_only_what_depends_on_it(world: MemoryWorld) -> None:
    audio = played(world, Kind.AUDIO, film(500, kind="audio"))
    played(world, Kind.VIDEO, film(2_000, kind="video"))
    until_quiet(world)
    before = {(a["product"], a["kind"]): a["key"] for a in manifests(world)[-1]["artifacts"]}

    # It lies inside the session's time, so that the picture's track is as long as before.
    late = f"track_recording_{WHO}_audio_{NOON + 700}.webm"
    deliver(world, key_of(audio, late), film(300, kind="audio", packets=7))
    until_quiet(world)

    after = {(a["product"], a["kind"]): a["key"] for a in manifests(world)[-1]["artifacts"]}
    same = {what for what in before if before[what] == after[what]}
    assert same >= {("track", "video"), ("sprite", "video"), ("poster", "video")}
    assert same.isdisjoint({("track", "audio"), ("av", "video"), ("stem", "audio"), ("mix", None)})
    assert world.bell.rung[-1]["productsPending"] == 0


def test_a_correction_makes_another_manifest_with_other_files(world: MemoryWorld) -> None:
    meeting(world)
    until_quiet(world)
    before = {a["key"] for a in manifests(world)[-1]["artifacts"] if a["product"] == "mix"}

    review.correct(world, SESSION, file_of(Kind.AUDIO, 0), 250, "app")
    until_quiet(world)

    after = {a["key"] for a in manifests(world)[-1]["artifacts"] if a["product"] == "mix"}
    assert len(after) == 1
    assert after.isdisjoint(before)


# --- on request -------------------------------------------------------------------------------------


def test_products_are_made_on_request_before_the_session_ends(world: MemoryWorld) -> None:
    recording_id = begun(world)
    deliver(world, key_of(recording_id))
    webhook(world, recording_id, STARTED)
    until_quiet(world)

    told = review.finish_session(world, SESSION, ("stem:wav",), "app")
    until_quiet(world)

    assert told["toMake"] == [{"product": "stem", "form": "wav", "participantId": WHO, "kind": "audio"}]
    assert products(manifests(world)[-1]) == Counter(repaired=1, stem=1)


def test_a_request_is_answered_once_while_the_session_goes_on(world: MemoryWorld) -> None:
    recording_id = begun(world)
    deliver(world, key_of(recording_id))
    webhook(world, recording_id, STARTED)
    until_quiet(world)
    review.finish_session(world, SESSION, ("mix",), "app")
    until_quiet(world)
    assert queued(world) == 1

    deliver(world, key_of(recording_id, file_of(Kind.AUDIO, 1)))
    until_quiet(world)
    assert queued(world) == 1
    world.pass_time(1)
    review.finish_session(world, SESSION, ("mix",), "app")
    until_quiet(world)

    assert queued(world) == 2


def test_what_is_made_already_is_not_made_again_on_request(world: MemoryWorld) -> None:
    meeting(world)
    until_quiet(world)
    before = queued(world)

    told = review.finish_session(world, SESSION, ("mix", "stem"), "app")
    until_quiet(world)

    assert (told["toMake"], queued(world)) == ([], before)


# --- what is lost on the way --------------------------------------------------------------------------


def test_a_lost_message_is_queued_again_after_a_while_and_not_before(world: MemoryWorld) -> None:
    meeting(world)
    while not any("sound" in json.dumps(message) for message in world.work.steps):
        _one(world)
    world.work.steps.clear()
    until_quiet(world)
    assert world.bell.rung[-1]["productsPending"] > 0

    pass_by(world, STEP_MS - 1)
    assert world.bell.rung[-1]["productsPending"] > 0
    pass_by(world, 1)

    assert products(manifests(world)[-1]) == EVERYTHING
    before = list(world.tape.done)
    pass_by(world, STEP_MS)
    assert world.tape.done == before


def _one(world: MemoryWorld) -> None:
    """One piece of work."""
    steps, world.work.steps = world.work.steps, type(world.work.steps)()
    if not world.ledger.stream and not world.work.objects:
        raise AssertionError("nothing is queued")
    until_quiet_without_steps(world)
    world.work.steps = steps + world.work.steps


def until_quiet_without_steps(world: MemoryWorld) -> None:
    """Deliveries and news; what is queued for render stays."""
    while world.ledger.stream or world.work.objects:
        if world.ledger.stream:
            news = [*world.ledger.stream]
            world.ledger.stream.clear()
            settle(world, news)
        else:
            ingest(world, world.work.objects.popleft())


def test_one_session_that_can_not_be_looked_at_keeps_no_other_waiting(world: MemoryWorld) -> None:
    meeting(world)
    until_quiet_without_steps(world)
    world.work.steps.clear()
    world.broken("catalog.making")

    with pytest.raises(ExceptionGroup, match="1 things"):
        pass_by(world, STEP_MS)
    world.broken()
    pass_by(world)

    assert products(manifests(world)[-1]) == EVERYTHING


EFFECTS = 60  # more than the whole story has


@pytest.mark.parametrize("effects", range(EFFECTS))
def test_whoever_is_killed_anywhere_all_products_are_made_and_told(effects: int) -> None:
    whole, world = MemoryWorld(products=USUAL), MemoryWorld(products=USUAL)
    for each in (whole, world):
        meeting(each)
    before = len(whole.tape.done)
    until_quiet(whole)
    assert len(whole.tape.done) - before < EFFECTS

    world.tape.dies_in(effects)
    try:
        until_quiet(world)
    except Died:
        world.tape.dies_before = None
        until_quiet(world)
    pass_by(world, STEP_MS)

    assert manifests(world)[-1] == manifests(whole)[-1]
    assert world.bell.rung[-1]["productsPending"] == 0


@pytest.mark.parametrize("door", ["shelf.read", "leases.take", "leases.commit", "work.make",
                                  "catalog.making", "catalog.keep_making"])  # fmt: skip
def test_a_neighbour_that_is_down_for_a_while_costs_no_product(world: MemoryWorld, door: str) -> None:
    meeting(world)
    world.broken(door)
    with pytest.raises(Unavailable, match="down"):
        until_quiet(world)
    world.broken()

    until_quiet(world)

    assert products(manifests(world)[-1]) == EVERYTHING


# --- what can not be decoded --------------------------------------------------------------------------


def test_what_can_not_be_decoded_is_said_of_its_recording_and_the_rest_is_made_without(
    world: MemoryWorld,
) -> None:
    good, blind = film(kind="video"), film(kind="video", codec="blind")
    played(world, Kind.AUDIO, film(kind="audio"))
    video = played(world, Kind.VIDEO, good, blind)

    until_quiet(world)

    [told] = known(world, video).told(e.SegmentUndecodable)
    assert (told.file, told.code) == (file_of(Kind.VIDEO, 1), "undecodable")
    last = manifests(world)[-1]
    assert "undecodable" in {finding["reason"] for finding in last["verdict"]["missing"]}
    assert products(last) >= Counter(repaired=3, track=2, av=1, mix=1)
    assert world.bell.rung[-1]["productsPending"] == 0


def test_a_step_that_can_not_be_done_is_failed_once_and_not_planned_again(world: MemoryWorld) -> None:
    class Deaf(ScriptedMedia):
        """Makes no sound."""

        def make(self, step: Step, store: Store) -> list[Made]:
            if step.maker == "sound":
                raise NotRecording("too_much", "it is too much")
            return super().make(step, store)

    world.media = Deaf()
    meeting(world)

    until_quiet(world)

    [failed] = [fact for fact in own_facts(world) if isinstance(fact, e.ProductFailed)]
    assert (failed.product, failed.reason) == ("sound", "too_much: it is too much")
    assert world.bell.rung[-1]["productsPending"] == 0
    assert {row["state"] for row in manifests(world)[-1]["products"]} == {"made", "failed"}


# --- one step ---------------------------------------------------------------------------------------


class Watched(ScriptedMedia):
    """Does something between reading and writing."""

    def __init__(self, happens: Any) -> None:
        self.happens = happens

    def make(self, step: Step, store: Store) -> list[Made]:
        if step.maker == "poster":
            return super().make(step, store)
        [*chunks] = store.read(step.tracks[0].pieces[0].source, 2, 5)
        writing = store.write("half", "text/plain")
        writing.body(b"".join(chunks))
        self.happens(store)
        writing.body(b"more")
        return super().make(step, store)


def stalled(world: MemoryWorld) -> dict[str, Any]:
    """A session that is settled, and the message of its sound."""
    meeting(world)
    until_quiet_without_steps(world)
    return next(message for message in world.work.steps if message.get("step", {}).get("maker") == "sound")


def test_who_writes_for_long_keeps_the_lease(world: MemoryWorld) -> None:
    message = stalled(world)
    target = message["step"]["target"]

    def goes_on(store: Store) -> None:
        for number in range(6):
            world.pass_time(KEEP_MS)
            store.write(f"{number}", "text/plain").front(b"")
        assert world.leases.unfinished(target)

    world.media = Watched(goes_on)

    render(world, message)

    keeps = [done for done in world.tape.done if done == f"leases.keep {target}"]
    assert len(keeps) >= 6
    assert 6 * KEEP_MS > LEASE_MS


def test_who_lost_the_lease_hears_it_at_the_next_byte_and_leaves_no_half_file(world: MemoryWorld) -> None:
    message = stalled(world)

    def overtaken(_: Store) -> None:
        world.media = ScriptedMedia()
        world.pass_time(LEASE_MS)
        render(world, message)

    world.media = Watched(overtaken)

    with pytest.raises(LeaseLost):
        render(world, message)

    assert world.shelf.begun == 0
    made = [fact for fact in own_facts(world) if isinstance(fact, e.ArtifactMade)]
    assert len(made) == len({fact.key for fact in made}) == 4


def test_what_breaks_off_leaves_no_half_file(world: MemoryWorld) -> None:
    message = stalled(world)

    def breaks(_: Store) -> None:
        raise OSError("no memory")

    world.media = Watched(breaks)

    with pytest.raises(TryFailed, match="no memory"):
        render(world, message)

    assert world.shelf.begun == 0
    assert not [key for key in world.shelf.files if key.endswith("/half")]


def test_an_abandoning_that_fails_hides_nothing(world: MemoryWorld) -> None:
    class Stuck(MemoryShelf):
        """Forgets no upload."""

        def write(self, key: str, content_type: str) -> Any:
            writing = super().write(key, content_type)
            if key.endswith("/half"):
                writing.abandon = _down  # type: ignore[method-assign]  # S3 alone fails so
            return writing

    def _down() -> None:
        raise Unavailable("bucket_unavailable", "S3 can not be reached")

    message = stalled(world)
    shelf = Stuck(world.tape, world.now)
    vars(shelf).update(vars(world.shelf))
    world.shelf = shelf

    def breaks(_: Store) -> None:
        raise OSError("no memory")

    world.media = Watched(breaks)

    with pytest.raises(TryFailed, match="no memory"):
        render(world, message)


def test_a_step_is_logged_with_what_it_read_and_wrote(
    world: MemoryWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "tracklane")
    message = stalled(world)

    render(world, message)

    sizes = [world.shelf.files[fact.key][0] for fact in own_facts(world) if isinstance(fact, e.ArtifactMade)]
    [source] = [piece["source"] for track in message["step"]["tracks"] for piece in track["pieces"]]
    read = len(world.shelf.files[source][0])
    assert [record.getMessage() for record in caplog.records if record.levelname == "INFO"] == [
        f"sound: {read} bytes read, {sum(map(len, sizes))} written, 4 files"
    ]


@pytest.mark.parametrize("message", [{}, {"step": 1}, {"step": {}}, {"plan": 1}, {"plan": None}, {"x": "y"}])
def test_a_message_that_asks_for_nothing_is_refused(world: MemoryWorld, message: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="unknown_message"):
        render(world, message)


# --- large orders -----------------------------------------------------------------------------------

MANY = 400


def long_session(world: MemoryWorld) -> None:
    """So many segments that their step is no message."""
    recording_id = begun(world)
    for number in range(MANY):
        key = key_of(recording_id, file_of(Kind.AUDIO, number))
        repaired = artifact_key(place(key, "recordings"), "repaired", f"{number:016x}", "webm")
        world.shelf.put(repaired, film(), "audio/webm")
        remember(world, recording_id, _stored(key, repaired, number))
    remember(world, recording_id, e.EndOverdue(at=1, reason="-"))


def _stored(key: str, repaired: str, number: int) -> e.SegmentStored:
    return e.SegmentStored(
        at=NOON, key=key, etag="e", bytes=1, session_id=SESSION, participant_id=WHO, kind=Kind.AUDIO,
        file=file_of(Kind.AUDIO, number), start_at=NOON + number * MINUTE_MS, duration_ms=30_000,
        clock="stamp", uncertainty_ms=100, codec="opus", width=None, height=None, resolutions=(), holes=(),
        tail_lost=False, repaired_key=repaired, repaired_bytes=1,
    )  # fmt: skip


def test_a_large_order_lies_in_the_bucket_and_its_message_names_it(world: MemoryWorld) -> None:
    long_session(world)
    until_quiet_without_steps(world)

    keys = [message["plan"] for message in world.work.steps]
    assert len(keys) == 2
    for key in keys:
        assert key.endswith(f"/{PLAN}")
        assert len(world.shelf.files[key][0]) > SMALL
    until_quiet(world)

    assert products(manifests(world)[-1])["mix"] == 1
    assert all(artifact["source"] for artifact in manifests(world)[-1]["artifacts"])


def test_an_order_that_is_gone_is_refused(world: MemoryWorld) -> None:
    with pytest.raises(NotFound, match="object_gone"):
        render(world, {"plan": "sessions/s/sound/0123456789abcdef/plan.json"})
