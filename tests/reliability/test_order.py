"""Facts are a set: in whatever order they are heard, and however often, all that is told is equal."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, combinations, permutations, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as given_seed
from hypothesis import strategies as st

from chalicelib.core import events as e
from chalicelib.core.heads import RecordingHead, recording_head
from chalicelib.core.ids import Kind
from chalicelib.core.manifest import encoded, manifest
from chalicelib.core.recording import Recording
from chalicelib.core.session import Session
from chalicelib.core.verdict import Verdict
from tests.builders import (
    ACCEPTED,
    ASKED,
    END_OVERDUE,
    FAILED,
    ODD,
    REFUSED,
    RID,
    ROOM,
    RUNS,
    SESSION,
    STARTED,
    STARTING,
    STOP_ACCEPTED,
    STOP_ASKED,
    STOP_UNCONFIRMED,
    STOP_UNNEEDED,
    STOPPING,
    UNCONFIRMED,
    WHO,
    ZERO,
    A,
    B,
    C,
    ended,
    given_up,
    overdue,
    rejected,
    stopped,
    stored,
)
from tests.core.stories import heard_at
from tests.fakes import MemoryLedger
from tests.tally import Tally

type Facts = list[e.Event]

ELSEWHERE = f"/recordings/{RID}/{SESSION}/{WHO}/audio"
NEVER_WAS = e.StartRefused(at=9, code="never_started", message="nobody confirmed it")
NO_ROOM = e.StartRefused(at=9, code="room_not_found", message="no such room")


def gone(file: str, at: int = ZERO) -> e.SegmentRejected:
    """A file that was not there any more."""
    return rejected(file, code="object_gone", etag="", modified_at=at)


def redriven(what: e.WorkGivenUp, at: int = 26) -> e.WorkRedriven:
    """An operator had it tried again."""
    return e.WorkRedriven(at=at, target=what.target, by="ops")


def odd(digest: str, reason: str) -> e.OddHeard:
    """Another delivery that nobody understands."""
    return replace(ODD, body_sha256=digest, reason=reason)


def present(name: str, start_at: int) -> e.ParticipantListed:
    """A presence in VideoSDK's session."""
    return e.ParticipantListed(at=8, participant_id=WHO, name=name, start_at=start_at, end_at=None)


def joined(name: str, room_id: str = ROOM) -> e.ParticipantJoined:
    """The webhook, which has no time."""
    return e.ParticipantJoined(at=7, room_id=room_id, participant_id=WHO, name=name)


def poster(key: str, start: int) -> e.ArtifactMade:
    """A product."""
    return e.ArtifactMade(
        at=40, product="poster", key=key, content_type="image/jpeg", bytes=9, participant_id=WHO,
        kind=Kind.VIDEO, source="sessions/r.webm", start=start, end=start + 1,
    )  # fmt: skip


# Five facts of a recording's life, and what may befall it besides: each life meets each twist.
LIVES: dict[str, Facts] = {
    "all was heard": [ASKED, STARTED, stopped(A), ended(A), stored(A)],
    "the webhooks were lost": [ASKED, ACCEPTED, RUNS, ended(A, B), stored(A)],
    "the list was lost": [ASKED, STARTING, stopped(A), stored(A), END_OVERDUE],
    "a file was lost": [ASKED, stopped(A, B), ended(A, B), stored(A), overdue(B)],
    "the start's answer was lost": [ASKED, UNCONFIRMED, STARTED, STOP_ASKED, STOP_ACCEPTED],
    "refused, and it ran": [ASKED, REFUSED, STARTED, stopped(A), stored(A)],
    "refused": [ASKED, REFUSED, STOP_ASKED, STOP_UNNEEDED, END_OVERDUE],
    "it failed": [ASKED, STARTED, FAILED, ended(A), stored(A)],
    "nobody announced it": [stored(A), stored(B, start_at=ZERO + 10_000), rejected(C), joined("Anna"),
                            present("Anna B.", ZERO)],
    "the list was read early": [ASKED, STOP_UNNEEDED, ended(A, early=True), ended(A, B), stored(A)],
    "a file was given up": [ASKED, stopped(A, B), ended(A, B), given_up(A), redriven(given_up(A))],
    "muted often": [ASKED, stopped(), stored(A), stored(B, start_at=ZERO + 10_000),
                    stored(C, start_at=ZERO + 20_000)],
}  # fmt: skip
TWISTS: dict[str, Facts] = {
    "told twice": [ACCEPTED, STARTED, STARTED],
    "stopped in doubt": [STOP_ASKED, STOP_UNCONFIRMED, STOPPING],
    "refused by many": [REFUSED, NEVER_WAS, NO_ROOM],
    "overwritten by a good one": [rejected(A, etag="e2", modified_at=ZERO + 1),
                                  stored(A, etag="e3", modified_at=ZERO + 2, duration_ms=900),
                                  stored(A, etag="e4", modified_at=ZERO + 3, duration_ms=800)],
    "overwritten by a bad one": [stored(A, etag="e2", modified_at=ZERO + 1, duration_ms=900),
                                 rejected(A, etag="e3", modified_at=ZERO + 2), gone(A)],
    "overwritten within one second": [stored(A, etag="e2", duration_ms=900), rejected(A, etag="e3"),
                                      rejected(B, etag="e2")],
    "tidied away": [gone(A, ZERO + 1), gone(B, ZERO + 2),
                    replace(gone(B, ZERO + 3), key=f"{ELSEWHERE}/{B}",
                            reason="it is not there")],
    "the ends disagree": [stopped(A), stopped(B), ended(C)],
    "ended early": [RUNS, ended(early=True), ended(A, early=True)],
    "odd news": [odd("0f", "not known"), odd("1e", "no kind"), odd("0a", "no session")],
    "given up again": [given_up(B), redriven(given_up(B)), given_up(B, tries=6)],
    "redriven twice": [given_up(C, product="poster"), redriven(given_up(C), 27), redriven(given_up(C), 28)],
    "waited for in vain": [overdue(A), overdue(C), END_OVERDUE],
    "another's keys": [stored(B, etag="e5", participant_id="bela"), stored(C, etag="e5", kind=Kind.VIDEO),
                       replace(STARTED, session_id="session-0")],
    "poor files": [stored(A, etag="e6", modified_at=ZERO + 4, lost_bytes=7),
                   stored(B, etag="e6", clock="last_modified", uncertainty_ms=5000),
                   stored(C, etag="e6", clock_breaks=2, tail_lost=True)],
    "many names": [joined("A.", "another-room"), present("Anna C.", ZERO + 5), present("Ann", ZERO + 5)],
    "products and conclusions": [poster("sessions/p1.jpg", 5), poster("sessions/p2.jpg", 4),
                                 e.VerdictReached(at=50, complete=True, digest="d")],
}  # fmt: skip
SCENARIOS = {f"{life}; {twist}": [*LIVES[life], *TWISTS[twist]] for life, twist in product(LIVES, TWISTS)}
OF_THE_SESSION = e.ParticipantJoined | e.ParticipantListed
SHARDS = 8


@dataclass(frozen=True)
class Heard:
    """Facts as they were heard: each with its place in the order as the time of hearing."""

    recording: Recording
    session: Session

    @classmethod
    def of(cls, facts: Iterable[e.Event]) -> "Heard":
        """The recording, and its session, that the facts tell of."""
        told = list(facts)
        own = [fact for fact in told if isinstance(fact, OF_THE_SESSION)]
        recording = Recording.of(RID, [fact for fact in told if not isinstance(fact, OF_THE_SESSION)])
        return cls(recording, Session(SESSION, e.distinct(own), (recording,)))

    @property
    def told(self) -> tuple[RecordingHead, Verdict]:
        """What lists and people are told. An unannounced recording is listed by when it first showed."""
        return replace(recording_head(self.recording), requested_at=0), self.recording.verdict

    @property
    def body(self) -> bytes:
        """The manifest."""
        return encoded(manifest(self.session))


def heard(facts: Facts) -> Callable[[Iterable[int]], Heard]:
    """Hears the facts in any order of their numbers."""
    at_place = [[heard_at(fact, at) for at in range(len(facts))] for fact in facts]
    return lambda order: Heard.of(at_place[fact][place] for place, fact in enumerate(order))


def orders(many: int, whole: bool, chance: random.Random) -> Iterator[tuple[int, ...]]:
    """Every order of 8 facts, or so many by chance."""
    places = range(8)
    return permutations(places) if whole else (tuple(chance.sample(places, 8)) for _ in range(many))


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_tells_no_fact_in_two_ways(name: str) -> None:
    """Of two tellings that differ only the first is kept: no ledger could make that equal in every order."""
    tellings = {replace(fact, at=0) for fact in SCENARIOS[name] if "at" not in fact.SAME_IF}

    assert len(SCENARIOS[name]) == 8
    assert len({fact.identity for fact in tellings}) == len(tellings)


SWAPS = [tuple(a if n == b else b if n == a else n for n in range(8)) for a, b in combinations(range(8), 2)]


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.invariant(
    1,
    "8 facts heard in any order give one phase, head and verdict; and one manifest, byte for byte, "
    "in every swap of two and a thousand orders of each scenario",
)
def test_the_order_of_hearing_changes_nothing(
    shard: int, tally: Tally, size: Callable[[int, int], int], seed: int
) -> None:
    mine, chance = sorted(SCENARIOS)[shard::SHARDS], random.Random(seed + shard)
    whole = set(chance.sample(mine, size(int(shard == seed % SHARDS), len(mine))))
    for name in mine:
        hear = heard(SCENARIOS[name])
        told, body = hear(range(8)).told, hear(range(8)).body
        for order in orders(20, name in whole, chance):
            tally.case()
            if hear(order).told != told:
                tally.violation(f"{name}, heard as {order}")
        for order in chain(SWAPS, orders(size(5, 1000), False, chance)):
            if hear(order).body != body:
                tally.violation(f"{name}: the manifest, heard as {order}")


# --- losses, repeats and laws ---------------------------------------------------------------------


def written(facts: Iterable[e.Event]) -> MemoryLedger:
    """A ledger that was told these, one after the other."""
    ledger = MemoryLedger()
    for at, fact in enumerate(facts):
        ledger.append(RID, heard_at(fact, at))
    return ledger


def often(examples: int, begin: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """So many examples, by chance that begins here."""
    told = settings(max_examples=examples, derandomize=False, suppress_health_check=list(HealthCheck))
    return lambda prop: told(given_seed(begin)(prop))


FILES = [A, B, C]
STARTS: list[Facts] = [[ACCEPTED], [UNCONFIRMED], [NEVER_WAS], []]
STOPS: list[Facts] = [[STOP_ASKED, STOP_ACCEPTED], [STOP_ASKED, STOP_UNCONFIRMED], [STOP_ASKED], []]
FATES: dict[str, Callable[[str], Facts]] = {
    "stored": lambda file: [stored(file)],
    "broken": lambda file: [rejected(file)],
    "given up": lambda file: [given_up(file)],
    "mended": lambda file: [given_up(file), redriven(given_up(file)), stored(file)],
    "overwritten": lambda file: [stored(file), rejected(file, etag="e2", modified_at=ZERO + 1)],
    "lost": lambda file: [overdue(file)],
}


@dataclass(frozen=True)
class Life:
    """What truly happened: what we did, what VideoSDK sends once, and what list and bucket say for ever."""

    ours: Facts
    sent: Facts
    lasting: Facts


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Any recording that ran and ended."""
    fates = draw(st.lists(st.sampled_from(sorted(FATES)), max_size=len(FILES)))
    files = FILES[: len(fates)]
    ours = [ASKED, *draw(st.sampled_from(STARTS)), *draw(st.sampled_from(STOPS))]
    sent: Facts = [STARTING, STARTED, STOPPING, stopped(*files)]
    come = [fact for file, fate in zip(files, fates, strict=True) for fact in FATES[fate](file)]
    return Life(ours, sent, [ended(*files), *come])


CHANCE = st.integers(0, 2**32).map(random.Random)


@pytest.mark.invariant(
    2,
    "what is lost, repeated and heard in any order ends, once list and bucket are asked, as if all was heard",
)
def test_what_was_lost_and_doubled_ends_as_if_all_was_heard(
    tally: Tally, size: Callable[[int, int], int], seed: int
) -> None:
    @often(size(500, 100_000), seed)
    @given(lives(), st.data(), CHANCE)
    def healed(life: Life, data: st.DataObject, chance: random.Random) -> None:
        whole = Heard.of([*life.ours, *life.sent, *life.lasting])
        first = data.draw(st.lists(st.sampled_from([*life.ours, *life.sent, *life.lasting]), max_size=12))

        ledger = written([*first, *shuffled([*life.ours, *life.lasting], chance)])
        asked = Heard.of(ledger.read(RID))
        for fact in shuffled(life.sent, chance):
            ledger.append(RID, heard_at(fact, 99))
        late = Heard.of(ledger.read(RID))

        tally.case()
        assert (asked.recording.phase, asked.recording.verdict) == (late.recording.phase, whole.told[1])
        assert asked.body == whole.body == late.body
        assert late.told == whole.told

    healed()


def shuffled(facts: Facts, chance: random.Random) -> Facts:
    """In another order."""
    return chance.sample(facts, len(facts))


type Three = tuple[Facts, Facts, Facts]
THREES = st.sampled_from(sorted(SCENARIOS)).flatmap(
    lambda name: st.tuples(*[st.lists(st.sampled_from(SCENARIOS[name]), max_size=6)] * 3)
)


def union(one: MemoryLedger, other: MemoryLedger) -> MemoryLedger:
    """A ledger that is told all that two know."""
    return written([*one.read(RID), *other.read(RID)])


def known(ledger: MemoryLedger) -> list[e.Event]:
    """What a ledger knows, whenever it heard it."""
    return [heard_at(fact, 0) for fact in sorted(ledger.read(RID), key=lambda fact: fact.identity)]


@pytest.mark.invariant(2, "the union of ledgers is associative, commutative and idempotent")
def test_what_ledgers_know_together_has_the_laws_of_a_set(
    tally: Tally, size: Callable[[int, int], int], seed: int
) -> None:
    @often(size(500, 100_000), seed)
    @given(THREES)
    def lawful(three: Three) -> None:
        a, b, c = map(written, three)
        both = union(a, b)
        left, right = union(both, c), union(a, union(b, c))

        tally.case()
        assert known(left) == known(right)
        assert known(both) == known(union(b, a))
        assert known(union(a, a)) == known(a)
        assert Heard.of(left.read(RID)).told == Heard.of(right.read(RID)).told

    lawful()
