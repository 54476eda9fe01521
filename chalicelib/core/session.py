"""One sitting in a room: its recordings, its people, and the verdict on all of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from chalicelib.core import events as e
from chalicelib.core.clock import Placed
from chalicelib.core.recording import Recording
from chalicelib.core.timeline import DAY_MS, Span, window
from chalicelib.core.verdict import Finding, Verdict, joined


@dataclass(frozen=True)
class Session:
    """All that is known of one session. `facts` are the session's own; each recording has its own."""

    session_id: str
    facts: frozenset[e.Event]
    recordings: tuple[Recording, ...]

    @classmethod
    def of(
        cls, session_id: str, facts: Iterable[e.Event], recordings: Mapping[str, Iterable[e.Event]]
    ) -> "Session":
        """The session that these facts tell of; `recordings` maps ids to their facts."""
        known = (Recording.of(rid, told) for rid, told in sorted(recordings.items()))
        return cls(session_id, e.distinct(facts), tuple(known))

    @cached_property
    def room_id(self) -> str | None:
        """The room, as we asked for it or else as it was told."""
        ours = [r.room_id for r in self.recordings if r.room_id]
        told = [room for f in self.facts if (room := getattr(f, "room_id", None))]
        return min(ours or told, default=None)

    @cached_property
    def placed(self) -> list[Placed]:
        """Every segment, wherever it lies."""
        return [place for recording in self.recordings for place in recording.placed]

    @cached_property
    def extent(self) -> Span:
        """From session zero to the end, on the epoch clock; at most a day."""
        return window(place.span for place in self.placed)

    def holds(self, place: Placed) -> bool:
        """Whether a segment begins within the session's time; what does not is no part of its products."""
        return self.extent.start <= place.start_at < self.extent.start + DAY_MS

    @cached_property
    def names(self) -> dict[str, str]:
        """Participants' names by id, where somebody told them: that of the latest presence in VideoSDK's
        session, else the webhook's, which carries no time."""
        told = [f for f in self.facts if isinstance(f, e.ParticipantJoined | e.ParticipantListed)]
        told.sort(key=lambda f: (getattr(f, "start_at", -1), f.name))
        return {fact.participant_id: fact.name for fact in told}

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict on every recording of the session, and on what only they together tell."""
        told = joined([recording.verdict for recording in self.recordings])
        return replace(told, missing=(*told.missing, *self._outside()))

    def _outside(self) -> Iterable[Finding]:
        for recording in self.recordings:
            for place in recording.placed:
                if not self.holds(place):
                    who, kind, file = recording.participant_id, recording.kind, place.segment.file
                    yield Finding("outside_session", recording.recording_id, who, kind, file)

    @property
    def known(self) -> int:
        """How many facts this knowledge rests on; it only grows, so more is newer."""
        return weight(self.facts) + sum(weight(recording.facts) for recording in self.recordings)

    @property
    def made(self) -> list[e.ArtifactMade]:
        """The artifacts that were made of it so far."""
        found = [f for r in self.recordings for f in r.facts if isinstance(f, e.ArtifactMade)]
        found += [f for f in self.facts if isinstance(f, e.ArtifactMade)]
        return sorted(found, key=lambda f: (f.product, f.start, f.key))


def weight(facts: Iterable[e.Event]) -> int:
    """How many of these facts are news, and not conclusions from the others."""
    return sum(1 for fact in facts if not isinstance(fact, e.CONCLUSIONS))
