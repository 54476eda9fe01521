"""The whole service as a state machine against a VideoSDK that tells the truth late, twice or never: whatever
happens in whatever order, nothing acknowledged is lost, nothing is doubled, and no verdict lies."""

import logging
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from typing import Any, ClassVar

import hypothesis
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Phase_
from hypothesis.stateful import RuleBasedStateMachine, get_state_machine_test, invariant, rule

from chalicelib.core import events as e
from chalicelib.core.errors import TracklaneError
from chalicelib.core.heads import RecordingHead, in_session, named, recording_head, session_head
from chalicelib.core.ids import Kind, index_key
from chalicelib.core.plan import PRODUCTS, states
from chalicelib.core.recording import Phase, Recording
from chalicelib.core.session import names, weight
from chalicelib.core.work import GivenUp
from chalicelib.flows.ingest import ingest
from chalicelib.flows.reconcile import reconcile
from chalicelib.flows.record import Once, Wanted, start, stop
from chalicelib.flows.render import render
from chalicelib.flows.review import finish_session
from chalicelib.flows.settle import read_session, settle, wanted_of
from chalicelib.flows.sweep import sweep
from chalicelib.ports import Claim, Filter, Opening, Page, Taken, recording_subject, session_subject
from tests.builders import ROOM
from tests.fakes import CLAIM_MS, Died, MemoryCatalog, MemoryLedger, MemoryWorld
from tests.flows.stage import URL, redrive
from tests.reliability.vendor import FATES, FILES, Vendor
from tests.tally import Tally

PEOPLE = ("anna", "bela")
KINDS = (Kind.AUDIO, Kind.VIDEO)
people, kinds = st.sampled_from(PEOPLE), st.sampled_from(KINDS)
some_kinds = st.sampled_from([(Kind.AUDIO,), (Kind.VIDEO,), KINDS])
any_of = st.integers(0, 40)
MINUTE_MS, DAY_MS = 60_000, 90_000_000  # the sweep's own days are somewhat shorter
DOORS = (
    *("", "", "inbox.read", "inbox.under", "shelf.front", "shelf.read", "leases.take", "leases.commit"),
    *("ledger.append", "ledger.read", "catalog.open", "catalog.keep", "catalog.of_session", "bell.ready"),
)
RESTS = 14  # runs of the schedule, five minutes apart, after which everything has come to rest


@dataclass
class WatchedLedger(MemoryLedger):
    """Follows each recording through its phases, fact by fact."""

    known: dict[str, set[e.Event]] = field(default_factory=dict)
    moves: Counter[tuple[Phase, Phase]] = field(default_factory=Counter)
    touched: set[str] = field(default_factory=set)

    def keep(self, subject: str, event: e.Event) -> bool:
        """Written, and what it changed counted."""
        what, _, name = subject.partition("#")
        if not super().keep(subject, event):
            return False
        if what == "recording":
            facts = self.known.setdefault(name, set())
            before = Recording.of(name, facts).phase
            facts.add(event)
            after = Recording.of(name, facts).phase
            if before is not after:
                self.moves[before, after] += 1
            self.touched.add(name)
        return True


RULES: list[str] = []
A_RUN = "a run"


def survived(does: Callable[..., None]) -> Callable[..., None]:
    """One step: counted, and survived. Nobody starts, stops and starts again faster than clocks are apart."""
    RULES.append(does.__name__)

    @wraps(does)
    def step(service: "Service", **said: Any) -> None:
        service.hits[does.__name__] += 1
        service.world.pass_time(8_000)
        try:
            with suppress(TracklaneError):  # the caller is told, or the schedule's alarm
                does(service, **said)
        except Died:
            service.world.tape.dies_before = None

    return step


class Service(RuleBasedStateMachine):
    """What may happen to it. Every rule survives being killed before any of its effects."""

    hits: ClassVar[Counter[str]]
    moves: ClassVar[Counter[tuple[Phase, Phase]]]
    ledger_of: ClassVar[type[WatchedLedger]] = WatchedLedger
    catalog_of: ClassVar[type[MemoryCatalog]] = MemoryCatalog

    def __init__(self) -> None:
        super().__init__()
        self.hits[A_RUN] += 1
        self.world = MemoryWorld(products=PRODUCTS)
        self.ledger = self.ledger_of(self.world.tape)
        self.world.catalog = self.catalog_of(self.ledger)
        self.world.ledger = self.world.leases.ledger = self.ledger
        self.vendor = Vendor(self.world)
        self.world.recorder = self.vendor  # type: ignore[assignment]  # another of its kind
        self.answers: dict[str, tuple[int, str, list[str]]] = {}
        self.vendor.joins(PEOPLE[0])

    # --- the app ----------------------------------------------------------------------------------

    @rule(who=people, wanted=some_kinds)
    @survived
    def app_starts(self, who: str, wanted: tuple[Kind, ...]) -> None:
        """Without a key: each is a new wish."""
        start(self.world, Wanted(ROOM, who, wanted), "app", URL)

    @rule(who=people, wanted=some_kinds, key=st.sampled_from(["1", "2"]))
    @survived
    def app_starts_once(self, who: str, wanted: tuple[Kind, ...], key: str) -> None:
        """With a key, which is used again: the same body gets the same recordings."""
        self._once(who, wanted, key)

    def _once(self, who: str, wanted: tuple[Kind, ...], key: str) -> None:
        now, body = self.world.now(), f"{who} {wanted}"
        told = start(self.world, Wanted(ROOM, who, wanted), "app", URL, Once(key, body))
        ids = [recording["recordingId"] for recording in told["recordings"]]
        at, before, same = self.answers.get(key, (now, body, ids))
        if now - at < CLAIM_MS - 10_000:
            assert (before, same) == (body, ids)
        else:
            at = now
        self.answers[key] = at, body, ids

    @rule(who=people, kind=kinds)
    @survived
    def app_stops(self, who: str, kind: Kind) -> None:
        """The latest recording of a kind."""
        self._stop(who, kind)

    def _stop(self, who: str, kind: Kind) -> None:
        holder = self.world.catalog.holder(ROOM, who, kind)
        stop(self.world, [holder] if holder else [], "app")

    @rule(number=any_of)
    @survived
    def app_finishes(self, number: int) -> None:
        """Somebody wants a session's products now."""
        sits = f"session-{number % 3 + 1}"
        finish_session(self.world, sits, (), "app")

    # --- VideoSDK ---------------------------------------------------------------------------------

    @rule(who=people)
    @survived
    def somebody_joins(self, who: str) -> None:
        """A recording that is asked for before this is refused."""
        self.vendor.joins(who)

    @rule(who=people, ending=st.sampled_from(FILES))
    @survived
    def somebody_leaves(self, who: str, ending: str) -> None:
        """What is recorded of them ends by itself; when the last has left, so does the session."""
        self.vendor.endings = [ending]
        self.vendor.leaves(who)

    @rule(who=people, how=st.sampled_from(FILES))
    @survived
    def somebody_mutes(self, who: str, how: str) -> None:
        """A file ends of all that runs of them."""
        for track in self.vendor.running(who):
            self.vendor.cut(track, how)

    @rule(which=any_of, intact=st.booleans(), silently=st.booleans())
    @survived
    def object_comes(self, which: int, intact: bool, silently: bool) -> None:
        """A file comes late, or again with other bytes."""
        self._deliver(which, intact, silently)

    def _deliver(self, which: int, intact: bool, silently: bool) -> None:
        files = [(track, file) for track in self.vendor.tracks for file in track.files]
        if files:
            track, file = files[which % len(files)]
            self.vendor.deliver(track, file, intact=intact, silently=silently)

    @rule(which=any_of)
    @survived
    def object_event_comes_again(self, which: int) -> None:
        """As buckets do."""
        keys = [
            track.key(file)
            for track in self.vendor.tracks
            for file in track.files
            if track.files[file] != "absent"
        ]
        self.world.work.ingest([keys[which % len(keys)]] if keys else [])

    @rule(fates=st.lists(st.sampled_from((*FATES, "late", "late")), min_size=1, max_size=3))
    @survived
    def commands_fare(self, fates: list[str]) -> None:
        """What will befall the next commands."""
        self.vendor.fates = fates

    @rule(endings=st.lists(st.sampled_from(FILES), min_size=1, max_size=3))
    @survived
    def last_files_fare(self, endings: list[str]) -> None:
        """What will become of the last files of what ends next."""
        self.vendor.endings = endings

    @rule()
    @survived
    def late_start(self) -> None:
        """A start that we believe lost is done after all."""
        self.vendor.late_start()

    @rule(who=people, kind=kinds)
    @survived
    def start_comes_after_it_was_given_up(self, who: str, kind: Kind) -> None:
        """The app was told that nothing runs."""
        self.vendor.fates = ["late"]
        start(self.world, Wanted(ROOM, who, (kind,)), "app", URL)
        for _ in range(3):
            self.world.pass_time(MINUTE_MS)
            reconcile(self.world, lambda: True, hurried=True)
        self.vendor.late_start()

    @rule(which=any_of)
    @survived
    def recording_fails(self, which: int) -> None:
        """VideoSDK ends one and says so."""
        running = self.vendor.running()
        if running:
            self.vendor.end(running[which % len(running)], "failed")

    @rule(which=any_of)
    @survived
    def webhook_comes(self, which: int) -> None:
        """Any of those that were sent so far: late, again, overtaken, or never."""
        sent = self.vendor.outbox
        if sent:
            self.vendor.tell(*sent[which % len(sent)])

    @rule(which=any_of)
    @survived
    def newest_webhook_comes(self, which: int) -> None:
        """One of the latest, as it mostly is."""
        sent = self.vendor.outbox[-4:]
        if sent:
            self.vendor.tell(*sent[which % len(sent)])

    @rule(
        silent_ms=st.sampled_from([0, MINUTE_MS, 10 * MINUTE_MS, 60 * MINUTE_MS]),
        lag_ms=st.sampled_from([0, 30_000]),
    )
    @survived
    def list_fares(self, silent_ms: int, lag_ms: int) -> None:
        """VideoSDK's list gives no answer for a while, or names files some time after they were closed."""
        self.vendor.silent_until, self.vendor.lag_ms = self.vendor.now + silent_ms, lag_ms

    # --- time, death, and what happens behind the doors -------------------------------------------

    @rule(ms=st.sampled_from([1_000, 30_000, 100_000, 400_000, 3_600_000]))
    @survived
    def time_passes(self, ms: int) -> None:
        """While nobody does anything, not even the schedule."""
        self.world.pass_time(ms)

    @rule(off_ms=st.sampled_from([-2_000, -500, 0, 500, 2_000]))
    @survived
    def clock_jumps(self, off_ms: int) -> None:
        """Ours is set right, or wrong: also back."""
        self.world.pass_time(off_ms - self.vendor.off_ms)
        self.vendor.off_ms = off_ms

    @rule(effects=st.integers(0, 8))
    @survived
    def process_will_die(self, effects: int) -> None:
        """Before the effect after so many more."""
        self.world.tape.dies_in(effects)

    @rule(which=st.sampled_from(["stream", "objects", "steps"]), many=st.integers(1, 12))
    @survived
    def queue_moves(self, which: str, many: int) -> None:
        """One of the queues, and the others not yet."""
        self._drain({"stream": 0, "objects": 0, "steps": 0} | {which: many})

    @rule()
    @survived
    def queues_run_dry(self) -> None:
        """As mostly, within a second."""
        self._run_dry()

    @rule(looks=st.integers(1, 20), hurried=st.booleans())
    @survived
    def schedule_runs(self, looks: int, hurried: bool) -> None:
        """With time for so many recordings."""
        left = iter([True] * looks)
        reconcile(self.world, lambda: next(left, False), hurried=hurried)

    @rule(pieces=st.integers(1, 20))
    @survived
    def sweep_runs(self, pieces: int) -> None:
        """With time for so many pieces of both buckets."""
        left = iter([True] * pieces)
        sweep(self.world, lambda: next(left, False))

    @rule(minutes=st.integers(1, 20))
    @survived
    def minutes_pass(self, minutes: int) -> None:
        """As they mostly do: queues run dry and the schedule runs."""
        for minute in range(1, minutes + 1):
            self.world.pass_time(MINUTE_MS)
            reconcile(self.world, lambda: True, hurried=minute % 5 != 0)
            self._run_dry()

    @rule()
    @survived
    def a_day_passes(self) -> None:
        """And the sweep has run."""
        self.world.pass_time(DAY_MS)
        self._sweep()

    @rule(door=st.sampled_from(DOORS))
    @survived
    def neighbour_fails(self, door: str) -> None:
        """Until another does, or none."""
        self.world.broken(*filter(None, [door]))

    @rule()
    @survived
    def operator_redrives(self) -> None:
        """All that was given up."""
        redrive(self.world)

    def _run_dry(self) -> None:
        for _ in range(50):
            if not self._drain(dict.fromkeys(("stream", "objects", "steps"), 50)):
                return
        raise AssertionError("the world never comes to rest")

    def _drain(self, most: dict[str, int]) -> int:
        world = self.world
        return (
            self._take(world.ledger.stream, most["stream"], lambda subject: settle(world, [subject]))
            + self._take(world.work.objects, most["objects"], lambda told: ingest(world, told))
            + self._take(world.work.steps, most["steps"], lambda told: render(world, told))
        )

    def _take[Item](self, queue: deque[Item], many: int, do: Callable[[Item], object]) -> int:
        """At least once: what raises goes to the end of its queue, what dies stays at its front, and what is
        given up is buried. How many were done."""
        done = 0
        for _ in range(min(many, len(queue))):
            try:
                do(queue[0])
            except GivenUp as given_up:
                self.world.work.buried.append((given_up, partial(queue.append, queue.popleft())))
            except TracklaneError:
                queue.rotate(-1)
            else:
                queue.popleft()
                done += 1
        return done

    # --- what always holds ------------------------------------------------------------------------

    @invariant()
    def nothing_acknowledged_is_lost(self) -> None:
        """What was answered with 2xx is in the ledger."""
        for subject, fact in self.vendor.acknowledged:
            assert self.ledger.has(subject, fact.identity), (subject, fact)

    @invariant()
    def no_start_is_sent_twice(self) -> None:
        """Nor is one sent while another of its slot runs, unless that came to life late."""
        assert max(Counter(self.vendor.asked).values(), default=1) == 1
        assert self.vendor.doubles == []

    @invariant()
    def who_is_said_to_be_complete_is(self) -> None:
        """Ended, and each of its files is or was in the bucket."""
        for recording_id in self.ledger.touched:
            recording = Recording.of(recording_id, self.ledger.known[recording_id])
            if recording.verdict.complete:
                track = self._track(recording_id)
                assert track is not None, recording_id
                assert not track.runs, recording_id
                assert set(track.files) == set(recording.delivered), recording_id
        self.ledger.touched.clear()

    def _track(self, recording_id: str) -> Any:
        return next((t for t in self.vendor.tracks if t.recording_id == recording_id), None)

    # --- how it ends ------------------------------------------------------------------------------

    def teardown(self) -> None:
        """The app stops everything, and the world is left alone: then everything is true and at rest."""
        self.world.tape.dies_before = None
        self._comes_to_rest()
        self._nothing_runs_unknown(self.vendor.running())
        for who in PEOPLE:
            for kind in KINDS:
                self._stop(who, kind)
        self.world.pass_time(DAY_MS)
        self._sweep()
        self._comes_to_rest()
        self._sweep()
        assert self.vendor.running() == []
        assert self.world.catalog.unsettled(100, None).items == []
        for recording_id in self.ledger.known:
            self._ends_with_the_truth(recording_id)
        self._heads_are_what_the_ledger_says()
        self._nothing_lies_about()
        self._all_that_is_wanted_is_made()
        self._is_quiet()
        self.moves.update(self.ledger.moves)

    def _sweep(self) -> None:
        sweep(self.world, lambda: True)
        self._run_dry()

    def _comes_to_rest(self) -> None:
        vendor = self.vendor
        self.world.broken()
        vendor.fates, vendor.late, vendor.silent_until = [], [], 0
        for told in vendor.must_tell:
            vendor.tell(*told)
        for _ in range(RESTS):
            self._run_dry()
            redrive(self.world)
            self.world.pass_time(5 * MINUTE_MS)
            reconcile(self.world, lambda: True)
        self._run_dry()

    def _nothing_runs_unknown(self, running: list[Any]) -> None:
        for track in running:
            facts = Recording.of(track.recording_id, self.ledger.known[track.recording_id])
            assert facts.phase in (Phase.STARTING, Phase.RECORDING), (track, facts.phase)
            assert not facts.knows(e.StopRequested, e.StartRefused), track

    def _ends_with_the_truth(self, recording_id: str) -> None:
        recording, track = (
            Recording.of(recording_id, self.ledger.known[recording_id]),
            self._track(recording_id),
        )
        verdict = recording.verdict
        missing = {(finding.reason, finding.file) for finding in verdict.missing}
        assert verdict.settled
        if track is None:
            # Where VideoSDK could not be asked for days, nobody says that it did nothing.
            reason = "unproven" if recording.knows(e.EndOverdue) else "start_refused"
            assert missing == {(reason, None)}
            return
        truth = {(MISSING[state], file) for file, state in track.files.items() if state != "intact"}
        if recording.knows(e.RecordingFailed):
            truth.add(("failed", None))
        if track.late and not track.files:
            # It began long after it was asked for and left no file: nothing in the list says whose it was.
            assert missing - truth <= {("unproven", None), ("start_refused", None)}
        else:
            assert missing == truth, (missing, truth)
        assert verdict.complete == (not missing)

    def _heads_are_what_the_ledger_says(self) -> None:
        catalog, heads = self.world.catalog, {}
        for head in catalog.recordings(Filter(), 1000, None).items:
            heads[head.recording_id] = head
            assert head == recording_head(Recording.of(head.recording_id, self._facts(head.recording_id)))
        assert heads.keys() == self.ledger.known.keys()
        for sits in {head.session_id for head in heads.values()} - {None}:
            linked = [head for _, head in sorted(heads.items()) if head.session_id == sits]
            own = self.ledger.read(session_subject(str(sits)))
            assert [in_session(head) for head in catalog.of_session(str(sits))] == [*map(in_session, linked)]
            kept = catalog.session(str(sits))
            assert kept is not None
            told = named(session_head(str(sits), linked, weight(own), kept.manifest_key), names(own))
            assert replace(kept, known=told.known) == told
            assert kept.manifest_key in self.world.shelf.files

    def _nothing_lies_about(self) -> None:
        """Every output is told of by a fact."""
        stored = {fact.repaired_key for fact in self._all(e.SegmentStored)}
        made = stored | {index_key(repaired) for repaired in stored}
        made |= {fact.key for fact in self._all(e.ArtifactMade)}
        assert {key for key in self.world.shelf.files if "/manifest-" not in key} == made

    def _all_that_is_wanted_is_made(self) -> None:
        """Of whatever there is; nothing of it has failed or is awaited."""
        for sits in {head.session_id for head in self.world.catalog.recordings(Filter(), 1000, None).items}:
            if sits is not None:
                session = read_session(self.world, sits)
                told = {one.state for one in states(session, wanted_of(self.world, session))}
                assert told <= {"made", "none"}, (sits, told)

    def _all[Fact: e.Event](self, told: type[Fact]) -> list[Fact]:
        facts = (fact for subject in self.ledger.subjects() for fact in self.ledger.read(subject))
        return [fact for fact in facts if isinstance(fact, told)]

    def _facts(self, recording_id: str) -> tuple[e.Event, ...]:
        return self.ledger.read(recording_subject(recording_id))

    def _is_quiet(self) -> None:
        before = len(self.world.tape.done)
        self.world.pass_time(5 * MINUTE_MS)
        assert reconcile(self.world, lambda: True) == 0
        self._run_dry()
        assert self.world.tape.done[before:] == []


COVERS = 2_000  # so many runs and more see each of these
MOVES = {
    (one, other)
    for one, others in {
        Phase.REQUESTED: [*Phase][1:],
        Phase.STARTING: [*Phase][2:],
        Phase.RECORDING: [*Phase][3:],
        Phase.STOPPING: [*Phase][4:],
        Phase.STOPPED: [Phase.DONE, Phase.FAILED],
        Phase.DONE: [Phase.FAILED],
        Phase.FAILED: [Phase.RECORDING, Phase.STOPPING],
    }.items()
    for other in others
}
# A refused start that ran was already over when somebody told; a file was told of after the end was given up.
RARE_MOVES = {
    (Phase.FAILED, Phase.STOPPED),
    (Phase.FAILED, Phase.DONE),
    (Phase.DONE, Phase.STOPPED),
}
MISSING = {"absent": "not_delivered", "damaged": "rejected"}


@contextmanager
def one_thread_at_a_time() -> Iterator[None]:
    """Commands of several kinds are sent by threads. Each runs until it is done, so that a run can be
    repeated exactly."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def quiet() -> Iterator[None]:
    """A broken door would be told of a thousand times; whoever comes after us wants to hear again."""
    log = logging.getLogger("tracklane")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def lived(service: type[Service], runs: int, seed: int, phases: Sequence[Phase_] = tuple(Phase_)) -> None:
    """So many runs of fifty steps."""
    how = settings(
        max_examples=runs,
        stateful_step_count=50,
        phases=phases,
        derandomize=False,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    with quiet(), one_thread_at_a_time():
        hypothesis.seed(seed)(get_state_machine_test(service, settings=how))()


def counting(service: type[Service] = Service, **said: Any) -> type[Service]:
    """The same, with counts of its own."""
    return type(service.__name__, (service,), {"hits": Counter(), "moves": Counter(), **said})


@pytest.mark.invariant(4, "the whole service, whatever happens in whatever order: runs of 50 steps")
def test_whatever_happens_the_service_tells_the_truth_and_comes_to_rest(
    tally: Tally, size: Callable[[int, int], int]
) -> None:
    service, runs = counting(), size(150, 5_000)

    try:
        lived(service, runs, tally.seed)
    except AssertionError as broken:
        tally.violation(str(broken))
        raise
    finally:
        tally.case(service.hits[A_RUN])

    steps = service.hits.total() - service.hits[A_RUN]
    assert {rule: n for rule in RULES if (n := service.hits[rule]) < steps / 100} == {}
    assert service.moves.keys() <= MOVES | RARE_MOVES
    if runs >= COVERS:
        assert service.moves.keys() >= MOVES


# --- the model has teeth --------------------------------------------------------------------------


class Forgetful(WatchedLedger):
    """Says that it has written down what it has not."""

    def append(self, subject: str, event: e.Event) -> bool:
        """Some of it."""
        return isinstance(event, e.RecordingStarted) or super().append(subject, event)


class Generous(MemoryCatalog):
    """Gives a slot away that somebody holds."""

    def open(self, openings: Sequence[Opening], claim: Claim | None) -> Taken | None:
        """As if its holder were over."""
        return super().open([replace(o, over=self._holder_of(o.requested)) for o in openings], claim)

    def _holder_of(self, asked: e.RecordingRequested) -> str | None:
        return self.holder(asked.room_id, asked.participant_id, asked.kind)


class Blind(MemoryCatalog):
    """Does not show what is awaited."""

    def unsettled(self, limit: int, cursor: str | None) -> Page[RecordingHead]:
        """Never."""
        return Page(super().unsettled(limit, cursor).items[:0], None)


class Cold(MemoryCatalog):
    """Keeps no head but the first."""

    def keep_recording(self, head: RecordingHead, *, relink: bool = True) -> bool:
        """Once."""
        return self.recording(head.recording_id) is None and super().keep_recording(head, relink=relink)


BROKEN: dict[str, dict[str, Any]] = {
    "a fact is acknowledged and not kept": {"ledger_of": Forgetful},
    "a slot is given away twice": {"catalog_of": Generous},
    "the reconciler sees nothing": {"catalog_of": Blind},
    "heads fall behind the ledger": {"catalog_of": Cold},
}


@pytest.mark.invariant(32, "what breaks the model is found, and found again from its seed")
@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_service_is_found_and_its_seed_finds_it_again(tally: Tally, how: str) -> None:
    told = [_broken(how, tally.seed) for _ in range(2)]

    tally.case(len(told))
    assert told[0] == told[1]
    assert "state.teardown()" in told[0]


def _broken(how: str, seed: int) -> str:
    """The run that broke it, as Hypothesis tells it."""
    service = counting(**BROKEN[how])
    with pytest.raises(AssertionError) as fault:
        lived(service, 1000, seed, (Phase_.generate,))
    return "\n".join(fault.value.__notes__)
