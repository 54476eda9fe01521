"""One start-to-stop of one kind of one participant: all that is asked of its facts.

Rule of this file: facts are a set. Nothing here may depend on the order in which they were heard, and so
not on when: no answer is taken from a fact's `at`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from chalicelib.core import events as e
from chalicelib.core.clock import Placed, placed
from chalicelib.core.ids import Kind, file_name
from chalicelib.core.verdict import Finding, Verdict


class Phase(StrEnum):
    """How far a recording has come."""

    REQUESTED = "requested"
    STARTING = "starting"
    RECORDING = "recording"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DONE = "done"
    FAILED = "failed"


# The first row of which a fact is known decides the phase.
SAYS: dict[type[e.Event], Phase] = {
    e.StartRefused: Phase.FAILED,
    e.RecordingFailed: Phase.FAILED,
    e.RecordingEnded: Phase.STOPPED,
    e.RecordingStopped: Phase.STOPPED,
    e.EndOverdue: Phase.STOPPED,
    e.RecordingStopping: Phase.STOPPING,
    e.StopAccepted: Phase.STOPPING,
    e.StopUnneeded: Phase.STOPPING,
    e.StopUnconfirmed: Phase.STOPPING,
    e.StopRequested: Phase.STOPPING,
    e.RecordingStarted: Phase.RECORDING,
    e.RecordingListed: Phase.RECORDING,
    e.SegmentStored: Phase.RECORDING,
    e.SegmentRejected: Phase.RECORDING,
    e.WorkGivenUp: Phase.RECORDING,
    e.RecordingStarting: Phase.STARTING,
    e.StartAccepted: Phase.STARTING,
    e.StartUnconfirmed: Phase.REQUESTED,
    e.RecordingRequested: Phase.REQUESTED,
}

# Who says one of these has seen it run: a refusal, or that it was never started, was wrong then.
RAN = (
    e.RecordingStarted,
    e.RecordingStopping,
    e.RecordingStopped,
    e.RecordingListed,
    e.RecordingEnded,
    e.SegmentStored,
    e.SegmentRejected,
    e.WorkGivenUp,
)
SOUND = frozenset({"opus"})  # every other codec that is let in is of pictures
SHORT_TAIL_MS = range(2_000, 5_000)
GONE = "object_gone"  # the code of a delivered file that was not there any more when we came to read it

ENDED = frozenset({Phase.STOPPED, Phase.DONE, Phase.FAILED})
PHASES = tuple(phase.value for phase in Phase)

type Delivered = e.SegmentStored | e.SegmentRejected


@dataclass(frozen=True)
class Recording:
    """All that is known of one recording."""

    recording_id: str
    facts: frozenset[e.Event]

    @classmethod
    def of(cls, recording_id: str, facts: Iterable[e.Event]) -> "Recording":
        """The recording that these facts tell of; each may be told more than once."""
        return cls(recording_id, e.distinct(facts))

    def told[Fact: e.Event](self, *types: type[Fact]) -> list[Fact]:
        """The facts of these types, in an order that is theirs whenever they were heard."""
        found = [fact for fact in self.facts if isinstance(fact, types)] if self.knows(*types) else []
        return sorted(found, key=lambda fact: fact.identity) if len(found) > 1 else found

    def knows(self, *types: type[e.Event]) -> bool:
        """Whether any fact of these types is known."""
        return not self._types.isdisjoint(types)

    @cached_property
    def _types(self) -> frozenset[type[e.Event]]:
        return frozenset(type(fact) for fact in self.facts)

    @cached_property
    def requested(self) -> e.RecordingRequested | None:
        """Our own request, or None for a recording that was never ours."""
        return next((f for f in self.facts if isinstance(f, e.RecordingRequested)), None)

    @cached_property
    def phase(self) -> Phase:
        """How far it has come."""
        known = self._types if self.refused else self._types - {e.StartRefused}
        says = next((phase for kind, phase in SAYS.items() if kind in known), Phase.REQUESTED)
        return Phase.DONE if says is Phase.STOPPED and self.verdict.settled else says

    @cached_property
    def refused(self) -> bool:
        """Whether nothing was ever started."""
        return self.knows(e.StartRefused) and not self.knows(*RAN)

    @property
    def ended(self) -> bool:
        """Whether nothing more is being recorded."""
        return self.phase in ENDED

    @cached_property
    def session_id(self) -> str | None:
        """The session it belongs to, once anybody has named it; the same whoever spoke first."""
        named = {s for f in self.facts if (s := getattr(f, "session_id", None)) is not None}
        return min(named, default=None)

    @property
    def room_id(self) -> str | None:
        """The room, where we asked for the recording."""
        return self.requested.room_id if self.requested else None

    @cached_property
    def participant_id(self) -> str | None:
        """Whom it records."""
        return self.requested.participant_id if self.requested else self._of_deliveries("participant_id")

    @cached_property
    def kind(self) -> Kind | None:
        """What it records of them."""
        if self.requested:
            return self.requested.kind
        named = self._of_deliveries("kind")
        return Kind(named) if named else None

    def _of_deliveries(self, name: str) -> str | None:
        told = [*self.delivered.values(), *self.told(e.WorkGivenUp)]
        return min((str(getattr(fact, name)) for fact in told), default=None)

    @cached_property
    def delivered(self) -> dict[str, Delivered]:
        """The newest delivery of each file by the bucket's clock, by file name: an object may be overwritten.

        An object that was gone when its event came is no delivery where another of its file is known.
        """
        found: list[Delivered] = [*self.told(e.SegmentStored), *self.told(e.SegmentRejected)]
        found.sort(key=lambda f: (*_newness(f), f.identity))
        return {fact.file: fact for fact in found}

    @cached_property
    def segments(self) -> list[e.SegmentStored]:
        """The segments that can be used, in the order of the clock."""
        stored = [f for f in self.delivered.values() if isinstance(f, e.SegmentStored)]
        return sorted(stored, key=lambda f: (f.start_at, f.file))

    @cached_property
    def placed(self) -> list[Placed]:
        """The same segments, each where all that is known puts it on the epoch clock."""
        return placed(self.segments, self.shifts)

    @cached_property
    def shifts(self) -> dict[str, int]:
        """By how much each file was moved by hand: what its last correction says."""
        told = sorted(self.told(e.SegmentCorrected), key=lambda f: (f.number, f.shift_ms))
        return {fact.file: fact.shift_ms for fact in told}

    @cached_property
    def undecodable(self) -> dict[str, e.SegmentUndecodable]:
        """The segments whose packets can not be decoded, by file. A newer delivery has its own chance."""
        copies = {segment.file: segment.repaired_key for segment in self.segments}
        return {f.file: f for f in self.told(e.SegmentUndecodable) if copies.get(f.file) == f.source}

    @cached_property
    def useless(self) -> frozenset[str]:
        """The files of those that no product can be made of."""
        others = {segment.file for segment in self.segments if self._of_another_kind(segment)}
        return frozenset(others | self.undecodable.keys())

    def state_of(self, segment: e.SegmentStored) -> str:
        """What can be done with a segment, in a word."""
        if segment.file in self.undecodable:
            return "undecodable"
        if segment.file in self.useless:
            return "wrong_media"
        return "tail_lost" if segment.tail_lost else "ready"

    def _of_another_kind(self, segment: e.SegmentStored) -> bool:
        """Whether a file holds a picture where sound should be, or sound instead of a picture."""
        return self.kind is not None and (segment.codec in SOUND) != self.kind.endswith("audio")

    @cached_property
    def expected(self) -> frozenset[str]:
        """The names of the files that a webhook or VideoSDK's list said there are."""
        return frozenset(
            file_name(path)
            for fact in self.facts
            if isinstance(fact, e.RecordingStopped | e.RecordingEnded)
            for path in fact.files
        )

    @cached_property
    def given_up(self) -> dict[str, e.WorkGivenUp]:
        """The files that came and could not be processed, by name, each with the last word on it."""
        tried = sorted(self.told(e.WorkGivenUp), key=lambda f: (f.tries, f.identity))
        return {fact.file: fact for fact in tried if fact.file not in self.delivered}

    @cached_property
    def awaited(self) -> frozenset[str]:
        """Expected files that are neither here nor given up."""
        overdue = {f.file for f in self.facts if isinstance(f, e.SegmentOverdue)}
        return self.expected - self.delivered.keys() - self.given_up.keys() - overdue

    @property
    def confirmed(self) -> bool:
        """Whether VideoSDK's list has confirmed the end.

        A list that was read early confirms what a webhook says, but nothing by itself.
        """
        ends = self.told(e.RecordingEnded)
        return any(not end.early for end in ends) or (bool(ends) and self.knows(e.RecordingStopped))

    @property
    def awaits_confirmation(self) -> bool:
        """Whether it seems to have ended and VideoSDK's list is still to be asked about it."""
        seems_over = self.knows(e.RecordingStopped, e.RecordingFailed, e.StopUnneeded, e.RecordingEnded)
        over = self.refused or self.confirmed or self.knows(e.EndOverdue)
        return self.requested is not None and seems_over and not over

    @cached_property
    def verdict(self) -> Verdict:
        """Complete and proven by two witnesses, or what is missing and why."""
        missing = tuple(self._missing())
        return Verdict(self._settled(), missing, tuple(self._odd()))

    def _settled(self) -> bool:
        if self.requested is None:
            return bool(self.delivered or self.given_up)
        if self.refused:
            return True
        return (self.confirmed or self.knows(e.EndOverdue)) and not self.awaited

    def _missing(self) -> Iterable[Finding]:
        for refusal in self.told(e.StartRefused) if self.refused else ():
            yield self._finding("start_refused", detail=refusal.message)
        if self.knows(e.RecordingFailed):
            yield self._finding("failed")
        for file in sorted(self.expected - self.delivered.keys() - self.given_up.keys()):
            yield self._finding("not_delivered" if file not in self.awaited else "still_open", file)
        for file, fact in sorted(self.given_up.items()):
            yield self._finding("given_up", file, fact.reason)
        for file in sorted(self.delivered):
            yield from self._missing_of(self.delivered[file])
        for file, undecodable in sorted(self.undecodable.items()):
            yield self._finding("undecodable", file, undecodable.reason)
        if self._unproven:
            yield self._finding("unproven")
        if not self.awaited and not self._settled():
            yield self._finding("still_open")

    @property
    def _unproven(self) -> bool:
        """Given up on: the list never confirmed an end, and no webhook told one either."""
        told = self.refused or self.confirmed or self.knows(e.RecordingStopped, e.RecordingFailed)
        return self.knows(e.EndOverdue) and not told

    def _missing_of(self, fact: Delivered) -> Iterable[Finding]:
        if isinstance(fact, e.SegmentRejected):
            yield self._finding("rejected", fact.file, fact.reason)
        elif fact.tail_lost:
            yield self._finding("tail_lost", fact.file)
        elif fact.lost_bytes:
            yield self._finding("damaged", fact.file, f"{fact.lost_bytes} bytes")
        if isinstance(fact, e.SegmentStored) and self._of_another_kind(fact):
            yield self._finding("wrong_media", fact.file, fact.codec)

    def _odd(self) -> Iterable[Finding]:
        if self.requested is None:
            yield self._finding("unannounced")
        if self.knows(e.StartRefused) and not self.refused:
            yield self._finding("refused_and_ran")
        if self.knows(e.EndOverdue) and self.knows(e.RecordingStopped) and not self.confirmed:
            yield self._finding("unconfirmed_by_list")
        if self.knows(e.RecordingStopped, e.RecordingEnded) and not self._files:
            yield self._finding("no_segments")
        for fact in self.told(e.OddHeard):
            yield self._finding("odd_delivery", detail=f"{fact.webhook_type}: {fact.reason}")
        for delivered in sorted(self.delivered.values(), key=lambda f: f.file):
            yield from self._odd_of(delivered)
        yield from self._short_tail()

    def _odd_of(self, fact: Delivered) -> Iterable[Finding]:
        if self.requested and self.expected and fact.file not in self.expected:
            yield self._finding("unlisted_file", fact.file)
        if self.requested and (fact.participant_id, fact.kind) != (self.participant_id, self.kind):
            yield self._finding("disagrees", fact.file, f"{fact.participant_id}/{fact.kind}")
        if isinstance(fact, e.SegmentStored) and fact.clock_breaks:
            yield self._finding("broken_clock", fact.file, f"{fact.clock_breaks} times")
        if isinstance(fact, e.SegmentStored) and fact.clock != "stamp":
            yield self._finding("uncertain_clock", fact.file, f"by {fact.clock}, ±{fact.uncertainty_ms} ms")

    def _short_tail(self) -> Iterable[Finding]:
        """By the list the recording went on a little after its last file's end: too long for what the end
        takes to be written, too short to be likely a mute."""
        ends = [fact.end_at for fact in self.told(e.RecordingEnded) if not fact.early]
        last = max(self.placed, key=lambda place: (place.span.end, place.segment.file), default=None)
        short_ms = max(ends) - last.span.end if ends and last is not None and last.clock == "stamp" else 0
        if last is not None and short_ms in SHORT_TAIL_MS:
            yield self._finding("short_tail", last.segment.file, f"{short_ms} ms")

    @property
    def _files(self) -> frozenset[str]:
        return self.expected | self.delivered.keys() | self.given_up.keys()

    def _finding(self, reason: str, file: str | None = None, detail: str | None = None) -> Finding:
        return Finding(reason, self.recording_id, self.participant_id, self.kind, file, detail)


def _newness(fact: Delivered) -> tuple[bool, int]:
    gone = isinstance(fact, e.SegmentRejected) and fact.code == GONE
    return not gone, 0 if gone else fact.modified_at
