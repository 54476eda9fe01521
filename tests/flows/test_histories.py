"""Whole histories against a VideoSDK that tells the truth late, twice or never: all of them come to rest,
nothing runs that nobody wants, and every verdict is the truth."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from chalicelib.core import events as e
from chalicelib.core.errors import TracklaneError
from chalicelib.core.ids import Kind
from chalicelib.flows.record import Wanted, start, stop
from chalicelib.ports import Accepted, Declined, Listed, Outcome, Presence, Unconfirmed
from tests.builders import ROOM, SESSION, WHO
from tests.fakes import Died, MemoryWorld
from tests.flows.stage import URL, deliver, key_of, known, pass_by, redrive, until_quiet, webhook

KINDS = (Kind.AUDIO, Kind.VIDEO)


@dataclass
class Track:
    """What VideoSDK truly did for one start."""

    recording_id: str
    kind: str
    start_at: int
    end_at: int | None = None
    files: list[str] = field(default_factory=list)
    arrived: set[str] = field(default_factory=set)

    @property
    def about(self) -> tuple[str, str, str]:
        """Room, participant and kind."""
        return ROOM, WHO, self.kind


@dataclass
class Vendor:
    """Answers to the port `Recorder`, and truly records. `fates` say what befalls each command."""

    world: MemoryWorld
    fates: list[str] = field(default_factory=list)
    tracks: list[Track] = field(default_factory=list)
    late: list[Track] = field(default_factory=list)
    outbox: list[tuple[Track, e.Event]] = field(default_factory=list)
    must_tell: list[tuple[Track, e.Event]] = field(default_factory=list)

    def running(self, kind: str) -> Track | None:
        """The track that runs."""
        return next((t for t in self.tracks if t.kind == kind and t.end_at is None), None)

    def start(
        self, room_id: str, participant_id: str, kind: str, *, webhook_url: str, bucket_dir_path: str
    ) -> Outcome:
        """Begins a track, or seems to."""
        assert (room_id, participant_id) == (ROOM, WHO)
        track = Track(bucket_dir_path.rpartition("/")[2], kind, self.world.clock)
        assert track.recording_id in webhook_url
        # Of a start done after the next was asked for, without a file, nobody could say whose it was.
        self.late = [track for track in self.late if track.kind != kind]
        fate = self._fate()
        if fate == "unreachable":
            return Declined("videosdk_unreachable", "no route")
        if fate == "lost before":
            return Unconfirmed("no answer")
        if fate == "late":
            self.late.append(track)
            return Unconfirmed("no answer")
        if self.running(kind):
            return Declined("videosdk_refused", "it is being recorded already")
        self.begin(track)
        return Accepted() if fate == "fine" else Unconfirmed("no answer")

    def begin(self, track: Track) -> None:
        """It runs."""
        self.tracks.append(replace(track, start_at=self.world.clock))
        self.outbox.append((self.tracks[-1], e.RecordingStarted(at=1, session_id=SESSION)))

    def stop(self, room_id: str, participant_id: str, kind: str) -> Outcome:
        """Ends what runs."""
        assert (room_id, participant_id) == (ROOM, WHO)
        fate, track = self._fate(), self.running(kind)
        if fate == "unreachable":
            return Declined("videosdk_unreachable", "no route")
        if fate in ("lost before", "late"):
            return Unconfirmed("no answer")
        if track is None:
            return Declined("not_started", "nothing runs")
        self.end(track)
        return Accepted() if fate == "fine" else Unconfirmed("no answer")

    def _fate(self) -> str:
        return self.fates.pop(0) if self.fates else "fine"

    def cut(self, track: Track, how: str) -> None:
        """A file ends, as at a mute; it arrives, arrives without an event, or never."""
        stamp = track.start_at + 1000 * len(track.files)
        name = f"track_recording_{WHO}_{track.kind}_{stamp}.webm"
        track.files.append(name)
        if how != "never":
            track.arrived.add(name)
            key = key_of(track.recording_id, name, kind=track.kind)
            deliver(self.world, key, silently=how == "silently")

    def end(self, track: Track) -> None:
        """It ended, by whomever."""
        track.end_at = self.world.clock
        self.outbox.append((track, e.RecordingStopped(at=1, session_id=SESSION, files=tuple(track.files))))

    def tell(self, track: Track, fact: e.Event) -> None:
        """A webhook is sent; it may come again."""
        webhook(self.world, track.recording_id, fact, track.about)

    def listed(
        self, room_id: str, *, session_id: str | None = None, participant_id: str | None = None
    ) -> Iterator[Listed]:
        """The truth."""
        assert room_id == ROOM
        assert session_id in (None, SESSION)
        assert participant_id in (None, WHO)
        for number, t in enumerate(self.tracks):
            files = tuple(f"x/{t.recording_id}/{SESSION}/{WHO}/{t.kind}/{file}" for file in t.files)
            yield Listed(f"listed-{number}", SESSION, WHO, t.kind, t.start_at, t.end_at, files)

    def presences(self, session_id: str) -> list[Presence]:
        """Anna was there."""
        assert session_id == SESSION
        return [Presence(WHO, "Anna", self.world.clock, None)] if not self.tracks else []


FATES = ["fine", "fine", "fine", "lost before", "lost after", "late", "unreachable"]


def app_starts(world: MemoryWorld, _: Vendor, what: Any) -> None:
    """One kind, or both."""
    start(world, Wanted(ROOM, WHO, what), "app", URL)


def app_stops(world: MemoryWorld, _: Vendor, kind: Any) -> None:
    """The latest recording of a kind."""
    holder = world.catalog.holder(ROOM, WHO, kind)
    stop(world, [holder] if holder else [], "app")


def anna_mutes(_: MemoryWorld, vendor: Vendor, how: Any) -> None:
    """A file ends of all that runs."""
    for track in [t for t in vendor.tracks if t.end_at is None]:
        vendor.cut(track, how)


def anna_leaves(_: MemoryWorld, vendor: Vendor, kind: Any) -> None:
    """VideoSDK ends a track by itself."""
    if track := vendor.running(kind):
        vendor.end(track)


def late_start(_: MemoryWorld, vendor: Vendor, __: Any) -> None:
    """A start that we believe lost is done after all, unless its place is taken."""
    if vendor.late and not vendor.running(vendor.late[0].kind):
        vendor.begin(vendor.late.pop(0))
        vendor.must_tell.append(vendor.outbox[-1])


def webhook_comes(_: MemoryWorld, vendor: Vendor, which: Any) -> None:
    """Any of those that were sent so far."""
    if vendor.outbox:
        vendor.tell(*vendor.outbox[which % len(vendor.outbox)])


HAPPENS: list[tuple[Callable[[MemoryWorld, Vendor, Any], object], st.SearchStrategy[Any]]] = [
    (app_starts, st.sampled_from([(Kind.AUDIO,), (Kind.VIDEO,), KINDS])),
    (app_stops, st.sampled_from(KINDS)),
    (anna_mutes, st.sampled_from(["told", "told", "silently", "never"])),
    (anna_leaves, st.sampled_from(KINDS)),
    (late_start, st.none()),
    (webhook_comes, st.integers(0, 9)),
    (lambda world, _, ms: world.pass_time(ms), st.sampled_from([1_000, 30_000, 100_000, 400_000])),
    (lambda world, _, __: until_quiet(world), st.none()),
    (lambda world, _, __: pass_by(world), st.none()),
    (lambda world, _, effects: world.tape.dies_in(effects), st.integers(0, 6)),
]
ACTIONS = st.one_of(*(st.tuples(st.just(action), what) for action, what in HAPPENS))
type History = list[tuple[Callable[[MemoryWorld, Vendor, Any], object], Any]]


def lived(history: History, fates: list[str]) -> tuple[MemoryWorld, Vendor]:
    """A history, at whose end the app stops everything and the world is left alone for an hour."""
    world = MemoryWorld()
    vendor = world.recorder = Vendor(world, list(fates))  # type: ignore[assignment]  # another of its kind
    for happens, what in history:
        world.pass_time(6_000)  # nobody starts, stops and starts again faster than clocks are apart
        try:
            with suppress(TracklaneError):
                happens(world, vendor, what)
        except Died:
            world.tape.dies_before = None
    world.tape.dies_before = None
    vendor.fates.clear()
    # What began after its answer was lost, and neither list nor webhook nor file tells of, nobody can know.
    for told in vendor.must_tell:
        vendor.tell(*told)
    for kind in KINDS:
        app_stops(world, vendor, kind)
    for _ in range(12):
        until_quiet(world)
        redrive(world)
        pass_by(world, 300_000)
    return world, vendor


@settings(max_examples=150)
@given(st.lists(ACTIONS, max_size=14), st.lists(st.sampled_from(FATES), max_size=6))
def test_every_history_comes_to_rest_with_the_truth(history: History, fates: list[str]) -> None:
    world, vendor = lived(history, fates)

    assert [t for t in vendor.tracks if t.end_at is None] == []
    assert world.catalog.unsettled(100, None).items == []
    for subject in [s for s in world.ledger.subjects() if s.startswith("recording#")]:
        recording_id = subject.partition("#")[2]
        verdict = known(world, recording_id).verdict
        track = next((t for t in vendor.tracks if t.recording_id == recording_id), None)
        delivered = set(known(world, recording_id).delivered)
        assert verdict.settled
        assert delivered == (track.arrived if track else set())
        if verdict.complete:
            assert track is not None
            assert set(track.files) == track.arrived
    before = len(world.tape.done)
    assert pass_by(world, 300_000) == 0
    assert len(world.tape.done) == before
