"""A start of which nobody can say whether it was done: whatever truly happened, and whenever it becomes
known, three minutes later VideoSDK records nothing that the ledger does not say is running."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from itertools import count, product
from pathlib import Path
from random import Random

import pytest

from app import app
from chalicelib.core import events as e
from chalicelib.core.errors import TracklaneError
from chalicelib.core.ids import Kind
from chalicelib.core.recording import ENDED, Phase, Recording
from chalicelib.flows.reconcile import reconcile
from chalicelib.flows.record import Once, Wanted, start, stop
from chalicelib.ports import Accepted, Declined, Listed, Outcome, Unconfirmed, recording_subject
from tests.builders import ROOM, WHO
from tests.fakes import Died, MemoryWorld
from tests.flows.stage import URL, pass_by, until_quiet
from tests.reliability.vendor import Track, Vendor
from tests.tally import Tally

EVERY_MS = 60_000  # how often a round comes
WHOLE = 5  # each so manieth is no hurried one
AMBIGUOUS_MS = 180_000
REST_MS = 25 * 60_000
WANTED = Wanted(ROOM, WHO, (Kind.AUDIO,))

EXECUTED = ("never", "at once", "later")
ANSWERS = ("comes", "is lost", "comes too late", "is a 500")
WEBHOOKS = ("lost", "before the answer", "after it")
DIES_BEFORE_EFFECT = (0, 1, 2, 3, None)  # of opening, calling, noting the outcome, keeping the answer
THEN = ("nothing", "the same request again", "a new request", "a stop")


@dataclass(frozen=True)
class Plot:
    """What truly happens to one start. `dies_before` counts the effects of our own process."""

    executed: str
    answer: str
    webhook: str
    dies_before: int | None
    then: str


PLOTS = [Plot(*told) for told in product(EXECUTED, ANSWERS, WEBHOOKS, DIES_BEFORE_EFFECT, THEN)]
SMOOTH = Plot("at once", "comes", "after it", None, "nothing")


class Agenda:
    """What will happen, in the order of its time. Time passes inside of slow calls too."""

    def __init__(self, world: MemoryWorld) -> None:
        self.world, self._numbers = world, count()
        self._ahead: list[tuple[int, int, Callable[[], object]]] = []

    def at(self, at: int, happens: Callable[[], object]) -> None:
        """Not before it."""
        heappush(self._ahead, (at, next(self._numbers), happens))

    def live(self, until: int) -> None:
        """All that happens until then. Who is to be killed is the caller, and not who acts meanwhile."""
        tape = self.world.tape
        left = None if tape.dies_before is None else tape.dies_before - len(tape.done)
        tape.dies_before = None
        while self._ahead and self._ahead[0][0] <= until:
            at, _, happens = heappop(self._ahead)
            self.world.clock = max(self.world.clock, at)
            with suppress(TracklaneError):
                happens()
            until_quiet(self.world)
        self.world.clock = max(self.world.clock, until)
        tape.dies_before = None if left is None else len(tape.done) + left


class SlowVendor(Vendor):
    """One start of it goes as the combination says, its timing by chance; all else goes well.

    It would record twice, were it asked to. Its list has a track some time after that began.
    """

    def __init__(self, world: MemoryWorld, agenda: Agenda, plot: Plot, chance: Random) -> None:
        super().__init__(world)
        self.agenda, self.chance = agenda, chance
        self.plots = [plot]
        self.seen_after_ms = chance.randint(0, 20_000)

    def start(
        self, room_id: str, participant_id: str, kind: str, *, webhook_url: str, bucket_dir_path: str
    ) -> Outcome:
        """Slow."""
        self.world.tape.does("recorder.start", kind)
        recording_id = bucket_dir_path.rpartition("/")[2]
        assert (room_id, recording_id in webhook_url) == (ROOM, True)
        self.asked.append(recording_id)
        plot = self.plots.pop() if self.plots else SMOOTH
        asked_at, takes_ms = self.world.clock, self._takes_ms(plot.answer)
        track = Track(recording_id, self.present[participant_id], participant_id, kind, asked_at)
        if plot.executed != "never":
            early, late = (0, takes_ms) if plot.executed == "at once" else (takes_ms, 60_000)
            begins_at = asked_at + self.chance.randint(early, late)
            self.agenda.at(begins_at, lambda: self._runs(track, plot.webhook, asked_at + takes_ms))
        self.agenda.live(asked_at + takes_ms)
        return _answer(plot)

    def _takes_ms(self, answer: str) -> int:
        return self.chance.randint(5_000, 25_000) if "late" in answer else self.chance.randint(50, 5_000)

    def _runs(self, track: Track, webhook: str, answered_at: int) -> None:
        self._begin(track)
        told_at = {
            "before the answer": self.now,
            "after it": max(self.now, answered_at) + self.chance.randint(1, 600_000),
        }
        if webhook in told_at:
            self.agenda.at(told_at[webhook], lambda: self.tell(track, _started(track)))

    def listed(
        self, room_id: str, *, session_id: str | None = None, participant_id: str | None = None
    ) -> Iterator[Listed]:
        """Not at once."""
        for item in super().listed(room_id, session_id=session_id, participant_id=participant_id):
            if item.start_at + self.seen_after_ms <= self.now:
                yield item


def _answer(plot: Plot) -> Outcome:
    if plot.answer != "comes":
        return Unconfirmed(plot.answer)
    return Declined("videosdk_rate_limited", "slow down") if plot.executed == "never" else Accepted()


def _started(track: Track) -> e.Event:
    return e.RecordingStarted(at=1, session_id=track.session_id)


class Ambiguity:
    """One start, what truly happened, and half an hour of what follows."""

    def __init__(self, number: int, seed: int) -> None:
        self.plot = PLOTS[number % len(PLOTS)]
        self.chance = Random(f"{seed}/{number}")
        self.world = MemoryWorld()
        self.agenda = Agenda(self.world)
        self.vendor = SlowVendor(self.world, self.agenda, self.plot, self.chance)
        self.world.recorder = self.vendor  # type: ignore[assignment]  # another of its kind
        self.vendor.joins(WHO)
        self.found: list[str] = []

    def lived(self) -> "Ambiguity":
        """At the end the app stops what it finds running."""
        began = self.world.clock
        first = began + self.chance.randint(0, EVERY_MS)
        for number, at in enumerate(
            range(first, began + 2 * REST_MS, EVERY_MS), self.chance.randrange(WHOLE)
        ):
            self.agenda.at(at, partial(self._run, hurried=number % WHOLE != 0))
        self._start()
        if self.plot.then != "nothing":
            self.agenda.at(self.world.clock + self.chance.randint(1_000, 240_000), self._again)
        self.agenda.live(began + REST_MS)
        self._stop()
        self.agenda.live(began + 2 * REST_MS)
        return self

    def _start(self) -> None:
        self.world.tape.dies_before = self.plot.dies_before
        with suppress(Died, TracklaneError):
            start(self.world, WANTED, "app", URL, Once("key", "body"))
        self.world.tape.dies_before = None

    def _again(self) -> None:
        if self.plot.then == "a stop":
            return self._stop()
        once = Once("key", "body") if self.plot.then == "the same request again" else None
        start(self.world, WANTED, "app", URL, once)
        return None

    def _stop(self) -> None:
        holder = self.world.catalog.holder(ROOM, WHO, "audio")
        stop(self.world, [holder] if holder else [], "app")

    def _run(self, *, hurried: bool) -> None:
        self._look()
        reconcile(self.world, lambda: True, hurried=hurried)
        until_quiet(self.world)
        self._look()

    def _look(self) -> None:
        """What must hold at any time."""
        running = self.vendor.running()
        if len(running) > 1:
            self.found.append("two run at once")
        for track in running:
            recording = self._known(track.recording_id)
            asked = recording.requested
            old = asked is not None and self.world.now() - asked.at > AMBIGUOUS_MS
            if old and recording.phase not in (Phase.STARTING, Phase.RECORDING):
                self.found.append(f"{track.recording_id} runs, and is said to be {recording.phase}")

    def _known(self, recording_id: str) -> Recording:
        return Recording.of(recording_id, self.world.ledger.read(recording_subject(recording_id)))

    def violations(self) -> list[str]:
        """All that was found on the way and at the end."""
        told = list(self.found)
        told += [f"{rid} was asked for {n} times" for rid, n in Counter(self.vendor.asked).items() if n > 1]
        told += [f"{track.recording_id} runs for ever" for track in self.vendor.running()]
        for subject in self.world.ledger.subjects():
            if subject.startswith("recording#"):
                phase = self._known(subject.partition("#")[2]).phase
                told += [] if phase in ENDED else [f"{subject} ends as {phase}"]
        told += [
            f"{head.recording_id} is not settled" for head in self.world.catalog.unsettled(9, None).items
        ]
        return told


@pytest.mark.invariant(18, "no ambiguous start leaves an orphan for 3 minutes, a double or an open end")
def test_an_ambiguous_start_ends_well(tally: Tally, size: Callable[[int, int], int]) -> None:
    for number in range(size(len(PLOTS), 50_000)):
        tally.case()
        for what in Ambiguity(number, tally.seed).lived().violations():
            tally.violation(f"{number}, {PLOTS[number % len(PLOTS)]}: {what}")


def test_what_begins_after_its_stop_was_not_needed_is_found_and_stopped() -> None:
    world = MemoryWorld()
    vendor = world.recorder = Vendor(world, fates=["late"])  # type: ignore[assignment]  # another of its kind
    vendor.joins(WHO)
    [told] = start(world, WANTED, "app", URL)["recordings"]
    stop(world, [told["recordingId"]], "app")
    world.pass_time(10_000)
    vendor.late_start()
    assert vendor.running()

    for _ in range(2):
        pass_by(world, EVERY_MS)

    assert not vendor.running()


def test_the_schedule_runs_as_often_as_is_tried_here() -> None:
    template = (Path(__file__).parents[2] / ".chalice" / "template.yaml").read_text()
    [whole] = [
        source.schedule_expression
        for source in app.event_sources
        if getattr(source, "name", "") == "reconcile" and hasattr(source, "schedule_expression")
    ]

    assert whole == f"rate({WHOLE * EVERY_MS // 60_000} minutes)"
    assert (
        f"Hurry: {{Type: Schedule, Properties: {{Schedule: rate({EVERY_MS // 60_000} minute)}}}}" in template
    )
