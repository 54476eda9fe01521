"""How far a composition is: questions to its facts, whose order and repeats do not matter.

What was cancelled or failed can be asked for again, as a run of its own; only the last run's phase counts.
Chunks that a run rendered serve the next ones, unless it was cancelled: then they are gone. A run tells of
each chunk that it has, also of one that was there already.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from chalicelib.core import events as e
from chalicelib.core.asking import request_of
from chalicelib.core.composition import Request, target
from chalicelib.core.cutting import following
from chalicelib.core.ids import generation
from chalicelib.core.price import cost

PHASES = ("requested", "rendering", "finishing", "ready", "failed", "cancelled")


@dataclass(frozen=True)
class Composition:
    """All that is known of one composition."""

    composition_id: str
    facts: frozenset[e.Event]

    @classmethod
    def of(cls, composition_id: str, facts: Iterable[e.Event]) -> "Composition":
        """The composition that these facts tell of."""
        return cls(composition_id, e.distinct(facts))

    @cached_property
    def requested(self) -> e.CompositionRequested | None:
        """The last request, if anybody made one."""
        return max(
            (fact for fact in self.facts if isinstance(fact, e.CompositionRequested)),
            key=lambda fact: fact.run,
            default=None,
        )

    @property
    def run(self) -> int:
        """The last run's number; 0 before the first."""
        return self.requested.run if self.requested else 0

    @property
    def request(self) -> Request | None:
        """What is asked for."""
        return request_of(json.loads(self.requested.request)) if self.requested else None

    @cached_property
    def phase(self) -> str:
        """One of `PHASES`. Who cancels does so for good: what is made at the same time is not kept."""
        if self._of_run(e.CompositionCancelled):
            return "cancelled"
        if self.finished:
            return "ready"
        if self.failed:
            return "failed"
        if self.planned and len(self.done) >= self.planned.chunks:
            return "finishing"
        return "rendering" if self.planned or self.done else "requested"

    def folder(self, session_id: str) -> str:
        """What the last run's objects lie below. What was cancelled is deleted, perhaps late, and so what was
        asked for afterwards lies elsewhere."""
        gone = {fact.run for fact in self.facts if isinstance(fact, e.CompositionCancelled)} - {self.run}
        return generation(target(session_id, self.composition_id), len(gone))

    @property
    def planned(self) -> e.CompositionPlanned | None:
        """How much the run is to render."""
        return _first(self._of_run(e.CompositionPlanned))

    @property
    def finished(self) -> e.CompositionFinished | None:
        """What the run has made."""
        return _first(self._of_run(e.CompositionFinished))

    @property
    def failed(self) -> e.CompositionFailed | None:
        """Why the run was given up."""
        return _first(self._of_run(e.CompositionFailed))

    @cached_property
    def done(self) -> dict[int, e.ChunkRendered]:
        """The run's chunks that are rendered, by number."""
        return {fact.number: fact for fact in reversed(self._of_run(e.ChunkRendered))}

    @property
    def playable(self) -> list[e.ChunkRendered]:
        """The chunks that follow each other from the first on."""
        found: list[e.ChunkRendered] = []
        frame = number = 0
        # Only the last one may be so short that its number would come again.
        while self.done and (after := following(frame, self._frame_rate)) > number and after in self.done:
            found.append(self.done[after])
            frame, number = frame + found[-1].frames, after
        return found

    @property
    def kept(self) -> dict[str, e.ChunkRendered]:
        """The chunks of any run that lie in the bucket, by key."""
        gone = {fact.run for fact in self.facts if isinstance(fact, e.CompositionCancelled)}
        made = [fact for fact in self.facts if isinstance(fact, e.ChunkRendered) and fact.run not in gone]
        return {fact.key: fact for fact in sorted(made, key=lambda fact: fact.identity, reverse=True)}

    @property
    def slates(self) -> dict[str, str]:
        """The repaired files that could not be decoded and so are not to be seen, each with why."""
        return dict(sorted(slate for fact in self.done.values() for slate in fact.slates))

    @property
    def dollars(self) -> float:
        """What it has cost so far, all runs together."""
        return cost(self.facts)

    def speed(self, now: int) -> float:
        """Seconds of it that were rendered in each second since it was asked for."""
        if not self.requested or not self.done:
            return 0.0
        last = max(fact.at for fact in self.done.values())
        until = now if self.phase == "rendering" else last
        seconds = sum(fact.frames for fact in self.done.values()) / self._frame_rate
        return seconds * 1000 / max(1, until - self.requested.at)

    @property
    def _frame_rate(self) -> int:
        assert self.requested
        return int(json.loads(self.requested.request)["frameRate"])

    def _of_run[F: e.Event](self, kind: type[F]) -> list[F]:
        """The last run's facts of one kind."""
        found = [
            fact for fact in self.facts if isinstance(fact, kind) and getattr(fact, "run", 0) == self.run
        ]
        return sorted(found, key=lambda fact: fact.identity)


def _first[F](found: list[F]) -> F | None:
    return found[0] if found else None
