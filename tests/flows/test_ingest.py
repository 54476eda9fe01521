"""Each delivered object becomes one segment, or one reason why not."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest

from chalicelib.core import events as e
from chalicelib.core import ids
from chalicelib.core.errors import Unavailable
from chalicelib.core.ids import Kind
from chalicelib.core.scan import Repaired
from chalicelib.core.trigger import Appeared
from chalicelib.core.work import LEASE_MS, Busy
from chalicelib.flows.ingest import ingest
from chalicelib.flows.render import render
from chalicelib.ports import Writing, recording_subject
from tests.builders import RID, SESSION, WHO
from tests.fakes import NOON, Died, MemoryWorld, ScriptedMedia, film
from tests.flows.stage import FILE, facts, key_of, known, until_quiet

KEY = key_of(RID)
CLIP = key_of(RID, FILE.replace("audio", "video"), kind="video")


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


def landed(world: MemoryWorld, key: str = KEY, body: bytes | None = None) -> Appeared:
    """An object in the bucket, and the word of it."""
    world.inbox.put(key, film() if body is None else body)
    return Appeared("deliveries", key)


def only(world: MemoryWorld, *types: type[e.Event]) -> Any:
    """The one fact of these types."""
    [fact] = known(world, RID).told(*types)
    return fact


def test_a_delivered_object_becomes_a_repaired_segment(world: MemoryWorld) -> None:
    ingest(world, landed(world, body=film(4000, first_ms=20, holes=((10, 20),))))

    fact = only(world, e.SegmentStored)
    assert (fact.key, fact.file, fact.kind, fact.participant_id) == (KEY, FILE, Kind.AUDIO, WHO)
    assert (fact.session_id, fact.start_at, fact.duration_ms) == (SESSION, NOON + 20, 4000)
    assert (fact.clock, fact.holes, fact.at) == ("stamp", ((10, 20),), world.clock)
    body, content_type = world.shelf.files[fact.repaired_key]
    assert (len(body), content_type) == (fact.repaired_bytes, "audio/webm")
    assert body.startswith(b"front:film:")


def test_the_copy_is_there_before_the_fact_and_the_work_before_the_word(world: MemoryWorld) -> None:
    ingest(world, landed(world, CLIP, film(kind="video")))

    doors = [done.split()[0] for done in world.tape.done]
    assert doors == ["leases.take", "shelf.front", "shelf.front", "work.make", "leases.commit"]


def test_a_segment_tells_its_first_timestamp_and_how_its_two_clocks_went(world: MemoryWorld) -> None:
    told = {"sounded_us": 3_999_000, "spanned_us": 4_000_000}
    ingest(world, landed(world, body=film(4000, first_ms=-7, **told)))

    fact = only(world, e.SegmentStored)
    assert (fact.first_ms, fact.sounded_us, fact.spanned_us) == (-7, 3_999_000, 4_000_000)


def test_the_sidecar_index_lies_beside_the_copy(world: MemoryWorld) -> None:
    ingest(world, landed(world))

    copy = only(world, e.SegmentStored).repaired_key
    assert world.shelf.files[ids.index_key(copy)] == (b'{"index":"of a film"}', "application/json")
    assert set(world.shelf.files) == {copy, ids.index_key(copy)}


def test_a_name_without_a_stamp_counts_back_from_its_arrival(world: MemoryWorld) -> None:
    ingest(world, landed(world, key_of(RID, "track.webm"), film(4000)))

    fact = only(world, e.SegmentStored)
    assert (fact.clock, fact.uncertainty_ms) == ("last_modified", 5000)
    assert fact.start_at == NOON - 4000


def test_an_object_is_processed_once(world: MemoryWorld) -> None:
    told = landed(world)
    ingest(world, told)
    done = len(world.tape.done)
    world.pass_time(1000)

    ingest(world, told)

    assert len(world.tape.done) == done


def test_two_at_once_write_one_fact_and_one_file(world: MemoryWorld) -> None:
    told, heard = landed(world), []

    class Interrupted(ScriptedMedia):
        """The same object's other message is received meanwhile."""

        def repair(self, chunks: Iterable[bytes], sink: Writing) -> Repaired:
            with pytest.raises(Busy) as busy:
                ingest(world, told)
            heard.append(busy.value.again_s)
            return super().repair(chunks, sink)

    world.media = Interrupted()
    ingest(world, told)
    ingest(world, told)

    assert heard == [60]
    assert facts(world, RID) == ["SegmentStored"]
    assert len(world.shelf.files) == 2


def test_an_object_that_is_overwritten_while_it_is_read_keeps_its_own_name(world: MemoryWorld) -> None:
    told, first = landed(world, body=film(1000)), world.inbox.read(KEY).object

    class Slow(ScriptedMedia):
        """VideoSDK delivers again before the first is read to its end."""

        def repair(self, chunks: Iterable[bytes], sink: Writing) -> Repaired:
            repaired = super().repair(chunks, sink)
            world.inbox.put(KEY, film(2000))
            return repaired

    world.media = Slow()
    ingest(world, told)

    fact = only(world, e.SegmentStored)
    assert (fact.etag, fact.duration_ms) == (first.etag, 1000)


def test_an_overwritten_object_is_another_segment_of_the_same_file(world: MemoryWorld) -> None:
    ingest(world, landed(world, body=film(1000)))
    world.pass_time(5000)
    ingest(world, landed(world, body=film(2000)))

    recording = known(world, RID)
    assert len(recording.told(e.SegmentStored)) == 2
    assert [segment.duration_ms for segment in recording.segments] == [2000]
    assert len(world.shelf.files) == 4


@pytest.mark.parametrize("body", [b"", b"text that claims to be WebM"])
def test_what_is_no_recording_is_named_and_never_tried_again(world: MemoryWorld, body: bytes) -> None:
    told = landed(world, body=body)
    ingest(world, told)
    done = len(world.tape.done)

    ingest(world, told)

    fact = only(world, e.SegmentRejected)
    assert (fact.code, fact.bytes, fact.file) == ("not_webm", len(body), FILE)
    assert len(world.tape.done) == done


def test_what_turns_out_to_be_no_recording_leaves_no_output(world: MemoryWorld) -> None:
    ingest(world, landed(world, body=film(breaks_off="no packets at all")))

    assert only(world, e.SegmentRejected).reason == "no packets at all"
    assert world.shelf.files == {}
    assert world.shelf.begun == 0


def test_an_object_that_is_gone_is_named(world: MemoryWorld) -> None:
    ingest(world, Appeared("deliveries", KEY))

    fact = only(world, e.SegmentRejected)
    assert (fact.code, fact.etag, fact.bytes) == ("object_gone", "", 0)


def test_an_object_that_is_tidied_away_after_it_was_read_stays_a_segment(world: MemoryWorld) -> None:
    told = landed(world)
    ingest(world, told)
    world.pass_time(60_000)
    world.inbox.delete(KEY)

    ingest(world, told)

    assert [segment.file for segment in known(world, RID).segments] == [FILE]


MISPLACED = [
    "recordings/readme.txt",
    f"recordings/{RID}/{SESSION}/{WHO}/smell/{FILE}",
    f"recordings/../{SESSION}/{WHO}/audio/{FILE}",
    "elsewhere/a.webm",
    "",
]


@pytest.mark.parametrize("key", MISPLACED)
def test_a_key_that_names_no_segment_is_kept_as_a_fact(world: MemoryWorld, key: str) -> None:
    ingest(world, landed(world, key))

    [fact] = world.ledger.read("misplaced")
    assert isinstance(fact, e.ObjectMisplaced)
    assert fact.key == key
    assert world.shelf.files == {}


def test_another_bucket_is_never_read(world: MemoryWorld) -> None:
    world.broken("inbox.read")

    ingest(world, Appeared("another-bucket", KEY))

    [fact] = world.ledger.read("misplaced")
    assert isinstance(fact, e.ObjectMisplaced)
    assert "another-bucket" in fact.reason


def test_an_unannounced_segment_has_a_recording_of_its_track(world: MemoryWorld) -> None:
    for file in (FILE, FILE.replace("0.webm", "9.webm")):
        ingest(world, landed(world, f"recordings/{SESSION}/bela/audio/{file}"))

    [subject] = world.ledger.subjects()
    assert len(world.ledger.read(subject)) == 2
    assert subject != recording_subject(RID)


HOSTILE = ["a b+c.webm", "ünï-😀.webm", "%2F.webm", "a#b.webm", "~x.webm"]


@pytest.mark.parametrize("file", HOSTILE)
def test_a_hostile_name_never_reaches_an_output_key(world: MemoryWorld, file: str) -> None:
    ingest(world, landed(world, f"recordings/{RID}/s 1#/{'p' * 90}/audio/{file}"))

    for output in world.shelf.files:
        assert output.isascii()
        assert not set(output) & set(" #%+?&")
        assert output.count("/") == 4


# --- killed and down ------------------------------------------------------------------------------


@pytest.mark.parametrize("effects", range(5))
def test_killed_anywhere_the_retry_gives_the_same_file_and_every_step(
    world: MemoryWorld, effects: int
) -> None:
    told = landed(world, CLIP, film(kind="video"))
    world.tape.dies_before = effects
    with pytest.raises(Died):
        ingest(world, told)
    world.tape.dies_before = None
    world.pass_time(LEASE_MS)

    ingest(world, told)
    until_quiet(world)

    whole = MemoryWorld()
    ingest(whole, landed(whole, CLIP, film(kind="video")))
    until_quiet(whole)
    assert facts(world, RID) == facts(whole, RID)
    assert world.shelf.files == whole.shelf.files


@pytest.mark.parametrize("door", ["inbox.read", "leases.take", "shelf.front", "work.make", "leases.commit"])
def test_a_neighbour_that_is_down_is_raised_and_loses_nothing(world: MemoryWorld, door: str) -> None:
    told = landed(world, CLIP, film(kind="video"))
    world.broken(door)
    with pytest.raises(Unavailable, match="down"):
        ingest(world, told)
    assert world.shelf.begun == 0

    world.broken()
    ingest(world, told)

    assert facts(world, RID) == ["SegmentStored"]


def test_a_reading_that_breaks_off_leaves_no_output(world: MemoryWorld) -> None:
    told = landed(world)

    class Torn(ScriptedMedia):
        """The connection breaks while the file is being written."""

        def repair(self, chunks: Iterable[bytes], sink: Writing) -> Repaired:
            del chunks
            sink.body(b"half")
            raise Unavailable("bucket_unavailable", "the connection broke")

    world.media = Torn()

    with pytest.raises(Unavailable, match="the connection broke"):
        ingest(world, told)
    assert (world.shelf.begun, world.shelf.files) == (0, {})
    assert world.ledger.subjects() == []


# --- products -------------------------------------------------------------------------------------


def rendered(world: MemoryWorld) -> None:
    """The queue of steps, worked off."""
    while world.work.steps:
        render(world, world.work.steps.popleft())


def test_no_poster_is_made_where_none_is_wanted() -> None:
    world = MemoryWorld(products=("mix",))

    ingest(world, landed(world, CLIP, film(4000, kind="video")))

    assert only(world, e.SegmentStored)
    assert not world.work.steps


def test_a_picture_gets_its_poster(world: MemoryWorld) -> None:
    ingest(world, landed(world, CLIP, film(4000, kind="video")))
    rendered(world)

    made = only(world, e.ArtifactMade)
    body, content_type = world.shelf.files[made.key]
    assert (made.product, content_type, made.bytes) == ("poster", "image/jpeg", len(body))
    assert (made.start, made.end, made.kind) == (NOON, NOON + 4000, Kind.VIDEO)
    assert made.source == only(world, e.SegmentStored).repaired_key


def test_a_step_done_twice_is_one_product(world: MemoryWorld) -> None:
    ingest(world, landed(world, CLIP, film(kind="video")))
    [step] = world.work.steps
    rendered(world)
    files = dict(world.shelf.files)
    world.pass_time(1000)

    render(world, step)

    assert world.shelf.files == files
    assert facts(world, RID) == ["ArtifactMade", "SegmentStored"]


def test_what_can_not_be_made_is_a_fact_and_is_not_tried_again(world: MemoryWorld) -> None:
    ingest(world, landed(world, CLIP, film(kind="video", codec="blind")))
    rendered(world)

    failed = only(world, e.ProductFailed)
    assert (failed.product, failed.reason) == ("poster", "undecodable: no picture can be decoded")
    assert failed.key not in world.shelf.files


@pytest.mark.parametrize("effects", range(3))
def test_a_step_killed_anywhere_is_made_good_by_its_retry(world: MemoryWorld, effects: int) -> None:
    ingest(world, landed(world, CLIP, film(kind="video")))
    [step] = world.work.steps
    world.tape.dies_before = len(world.tape.done) + effects
    with suppress(Died):
        render(world, step)
    world.tape.dies_before = None
    world.pass_time(LEASE_MS)

    render(world, step)

    assert only(world, e.ArtifactMade).key in world.shelf.files


def test_a_shelf_that_is_down_is_raised(world: MemoryWorld) -> None:
    ingest(world, landed(world, CLIP, film(kind="video")))
    world.broken("shelf.read")

    with pytest.raises(Unavailable, match="down"):
        rendered(world)
    assert "ProductFailed" not in facts(world, RID)
