"""Webhooks and the bucket's events are lost, some or all: the reconciler brings the ledger to where it would
stand had nothing been lost, and then writes nothing more."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from math import ceil
from random import Random
from typing import Any

import pytest

from chalicelib.core.errors import TracklaneError
from chalicelib.core.ids import Kind
from chalicelib.core.manifest import manifest
from chalicelib.core.recording import Recording
from chalicelib.flows.reconcile import reconcile
from chalicelib.flows.record import Wanted, start, stop
from chalicelib.flows.settle import read_session
from chalicelib.flows.sweep import UNHEARD_MS, sweep
from tests.builders import ROOM
from tests.fakes import MemoryWorld
from tests.flows.stage import URL, deliver, until_quiet
from tests.reliability.vendor import Vendor
from tests.tally import Tally

PEOPLE, KINDS = ("anna", "bela", "cleo"), (Kind.AUDIO, Kind.VIDEO)
LOOKS = 3  # at most so many recordings are looked at in a run that is cut short
RATES = range(0, 101, 10)
EVERY_MS = 300_000
NEWS_TAKES_MS = 100_000  # until the first pass: what was told last may be told early
FILES = ("told", "told", "told", "damaged", "never")
FATES = ("fine", "fine", "fine", "lost after", "lost before", "unreachable")


@dataclass
class Drops:
    """Which of what is sent gets lost. Chance is drawn for each, so what is lost changes nothing else."""

    chance: Random
    webhooks: int
    objects: int

    def loses(self, percent: int) -> bool:
        """Whether this one is."""
        return self.chance.randrange(100) < percent


class History:
    """What happens, drawn before it is known what will be lost: the same for whoever lives it.

    `stays` is somebody who comes first, is recorded all the time, and does not leave. No command is lost
    then: when one is made good depends on when its recording is looked at.
    """

    def __init__(self, seed: str, stays: str | None) -> None:
        chance = Random(seed)
        self.fates = ("fine",) if stays else FATES
        self.steps = self._staying(stays) if stays else []
        self.steps += [(6_000, "joins", (who,)) for who in PEOPLE if chance.random() < 0.7]
        self.steps += [self._step(chance) for _ in range(chance.randint(8, 30))]
        self.all_ends = stays is None and chance.random() < 0.8

    def _staying(self, who: str) -> list[tuple[int, str, Any]]:
        starts = [(6_000, "starts", (who, kind, "told", "fine")) for kind in list(Kind)[:LOOKS]]
        return [(6_000, "joins", (who,)), *starts]

    def _step(self, chance: Random) -> tuple[int, str, Any]:
        who, kind, wait_ms = chance.choice(PEOPLE), chance.choice(KINDS), chance.randint(6_000, 120_000)
        what = chance.choice(("joins", *("starts", "mutes") * 2, "leaves", "stops", "rests", "strays"))
        return wait_ms, what, (who, kind, chance.choice(FILES), chance.choice(self.fates))


class Life:
    """A history, lived in a world that loses things."""

    def __init__(self, history: History, drops: Drops) -> None:
        self.world, self.drops = MemoryWorld(), drops
        self.vendor = Vendor(self.world)
        self.world.recorder = self.vendor  # type: ignore[assignment]  # another of its kind
        self.strayed: list[str] = []
        for wait_ms, what, said in history.steps:
            self.world.pass_time(wait_ms)
            with suppress(TracklaneError):
                getattr(self, what)(*said)
            self._news()
        if history.all_ends:
            self._all_leave()
        self.over_at = self.world.now()
        self.vendor.fates = []  # what was to befall a command that was never given befalls no pass

    def joins(self, who: str, *_: Any) -> None:
        """Somebody comes in."""
        self.vendor.joins(who)

    def starts(self, who: str, kind: Kind, _: str, fate: str) -> None:
        """The app wants a recording."""
        self.vendor.fates = [fate]
        start(self.world, Wanted(ROOM, who, (kind,)), "app", URL)

    def stops(self, who: str, kind: Kind, file: str, fate: str) -> None:
        """The app wants no more of it."""
        self.vendor.fates, self.vendor.endings = [fate], [self._event_of(file)]
        holder = self.world.catalog.holder(ROOM, who, kind)
        stop(self.world, [holder] if holder else [], "app")

    def mutes(self, who: str, _: Kind, file: str, __: str) -> None:
        """A file of each of what runs is closed."""
        for track in self.vendor.running(who):
            self.vendor.cut(track, self._event_of(file))

    def leaves(self, who: str, _: Kind, file: str, __: str) -> None:
        """All that runs of somebody ends."""
        self.vendor.endings = [self._event_of(file)]
        self.vendor.leaves(who)

    def strays(self, who: str, kind: Kind, file: str, _: str) -> None:
        """An object comes that no start of ours asked for. Of these nobody but the sweep can find one."""
        if file == "told" and who in self.vendor.present:
            key = f"recordings/{self.vendor.present[who]}/{who}/{kind}/stray_{self.world.now()}.webm"
            self.strayed.append(key)
            deliver(self.world, key, silently=self._event_of(file) == "silently")

    def rests(self, *_: Any) -> None:
        """Stream and queues run dry."""
        until_quiet(self.world)

    def _all_leave(self) -> None:
        for who in PEOPLE:
            self.world.pass_time(6_000)
            self.vendor.leaves(who)
            self._news()

    def _event_of(self, file: str) -> str:
        lost = self.drops.loses(self.drops.objects)
        return "silently" if lost and file == "told" else file

    def _news(self) -> None:
        """Each webhook is sent once."""
        for track, fact in self.vendor.outbox:
            if not self.drops.loses(self.drops.webhooks):
                self.vendor.tell(track, fact)
        self.vendor.outbox.clear()

    def passes(self, ms: int, looks: int | None = None) -> list[str]:
        """The schedule runs once, with time for so many looks; what it and all that follows wrote."""
        self.world.pass_time(ms)
        before, left = len(self.world.tape.done), count()
        reconcile(self.world, lambda: looks is None or next(left) < looks)
        until_quiet(self.world)
        return self.world.tape.done[before:]

    def swept(self) -> None:
        """The sweep runs, when whatever still comes by itself has had its time."""
        self.world.pass_time(UNHEARD_MS.start)
        sweep(self.world, lambda: True)
        until_quiet(self.world)

    @property
    def state(self) -> dict[str, object]:
        """All that anybody is shown, and what VideoSDK did."""
        recordings = [self._known(s) for s in self.world.ledger.subjects() if s.startswith("recording#")]
        told: dict[str, object] = {
            r.recording_id: (r.phase, r.session_id, r.verdict.told(), [_shown(s) for s in r.segments])
            for r in recordings
        }
        told |= {sits: self._manifest(sits) for r in recordings if (sits := r.session_id)}
        return told | {
            f"track {number}": (t.recording_id, t.session_id, t.start_at, t.end_at, t.files)
            for number, t in enumerate(self.vendor.tracks)
        }

    def _manifest(self, session_id: str) -> dict[str, Any]:
        """Without what VideoSDK tells of who is there, which depends on when it is asked, and without our own
        requests, some of which are made by the passes. While something runs it was not asked for names, and
        perhaps not for moments, nor for who was away."""
        session = read_session(self.world, session_id)
        told, moments = manifest(session), ("started", "stopped") if session.verdict.settled else ()
        for participant in told["participants"]:
            participant["name"] = participant["name"] if session.verdict.settled else None
            participant["presence"] = None
            participant["marks"] = [mark for mark in participant["marks"] if mark["what"] in moments]
            for track in () if session.verdict.settled else participant["tracks"]:
                track["gaps"] = None
        return told

    def _known(self, subject: str) -> Recording:
        return Recording.of(subject.partition("#")[2], self.world.ledger.read(subject))

    @property
    def waits_in_vain(self) -> bool:
        """Whether a file never comes, or nobody ever says that a start whose answer was lost did nothing."""
        began = {track.recording_id for track in self.vendor.tracks}
        absent = any("absent" in track.files.values() for track in self.vendor.tracks)
        return absent or not began.issuperset(self.vendor.asked)


def _shown(segment: Any) -> tuple[object, ...]:
    return segment.key, segment.etag, segment.start_at, segment.duration_ms, segment.repaired_key


def lived(number: int, seed: int, stays: str | None = None) -> tuple[Life, Life]:
    """One history, with nothing lost, and with as much lost as its number says."""
    history, cell = History(f"{seed}/{number}", stays), number % len(RATES) ** 2
    rates = RATES[cell // len(RATES)], RATES[cell % len(RATES)]
    chance = f"{seed}/{number}/lost"
    return Life(history, Drops(Random(chance), 0, 0)), Life(history, Drops(Random(chance), *rates))


def differences(whole: Life, healed: Life, *, swept: bool) -> list[str]:
    """What is not as it would be. Before the sweep, this is asked of the recordings that we started."""
    apart = _ended_apart(whole, healed)
    right, found = _compared(whole.state, apart), _compared(healed.state, apart)
    return [
        f"{name}: {found.get(name)} instead of {right.get(name)}"
        for name in right.keys() | found.keys()
        if (swept or name in whole.vendor.asked) and found.get(name) != right.get(name)
    ]


def _ended_apart(whole: Life, healed: Life) -> set[str | None]:
    """The recordings whose lost stop one pass made good here and another there, and their sessions: in which
    it is depends on what is known by then, and so does the end of the last file."""
    found: set[str | None] = set()
    for one, other in zip(whole.vendor.tracks, healed.vendor.tracks, strict=False):
        late = min(one.end_at or 0, other.end_at or 0) > max(whole.over_at, healed.over_at)
        if late and one.end_at != other.end_at and one.recording_id == other.recording_id:
            found |= {one.recording_id, one.session_id}
    return found


def _compared(state: dict[str, Any], apart: set[str | None]) -> dict[str, object]:
    """All of it; of recordings that ended apart whether they are complete and of how many files, and their
    sessions' times not at all."""
    told: dict[str, object] = {}
    for name, known in state.items():
        if name.startswith("track ") and known[0] in apart:
            continue
        if name in apart and isinstance(known, tuple):
            told[name] = (known[0], known[1], known[2]["complete"], known[2]["settled"], len(known[3]))
        elif name not in apart:
            told[name] = known
    return told


@pytest.mark.invariant(
    17, "0-100 % of webhooks and object events are lost: two passes heal, the third is silent"
)
def test_two_passes_heal_what_was_lost_and_the_third_writes_nothing(
    tally: Tally, size: Callable[[int, int], int]
) -> None:
    for number in range(size(121, 10_000)):
        tally.case()
        whole, healed = lived(number, tally.seed)
        for life in (whole, healed):
            life.passes(NEWS_TAKES_MS)
            life.passes(EVERY_MS)
            if life.waits_in_vain:
                life.passes(life.world.settings.grace_ms)
        found = differences(whole, healed, swept=False)
        written = healed.passes(EVERY_MS)
        for life in (whole, healed):
            life.swept()
        found += differences(whole, healed, swept=True)
        for what in [*found, *(f"the third pass wrote {what}" for what in written)]:
            tally.violation(f"history {number}: {what}")


@pytest.mark.invariant(
    17, "with time for one to three in each run, and three that run on, every one gets its turn"
)
def test_runs_that_are_cut_short_heal_the_same(tally: Tally, size: Callable[[int, int], int]) -> None:
    for number in range(size(40, 2_000)):
        tally.case()
        whole, healed = lived(number, tally.seed, stays="dora")
        looks = number % LOOKS + 1
        rounds = 2 + whole.waits_in_vain * ceil(whole.world.settings.grace_ms / EVERY_MS)
        whole.world.pass_time(NEWS_TAKES_MS)
        healed.world.pass_time(NEWS_TAKES_MS)
        for _ in range(rounds * ceil(len(healed.world.ledger.subjects()) / looks) + 1):
            whole.passes(EVERY_MS)
            healed.passes(EVERY_MS, looks)
        for what in differences(whole, healed, swept=False):
            tally.violation(f"history {number}, {looks} looks: {what}")
