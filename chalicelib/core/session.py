"""One sitting in a room: its recordings, its people, and the verdict on all of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from chalicelib.core import events as e
from chalicelib.core.clock import Placed
from chalicelib.core.drift import Drift, drift, lasts_ms
from chalicelib.core.ids import Kind
from chalicelib.core.recording import Recording
from chalicelib.core.timeline import DAY_MS, Span, window
from chalicelib.core.verdict import Finding, Verdict, joined


@dataclass(frozen=True, slots=True)
class Lying:
    """A segment and its time on the epoch clock. `inside` the session's; `usable` for its products."""

    recording: Recording
    place: Placed
    span: Span
    inside: bool
    usable: bool

    def finding(self, reason: str) -> Finding:
        """What is to be said of it."""
        of = self.recording
        return Finding(reason, of.recording_id, of.participant_id, of.kind, self.place.segment.file)


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
    def people(self) -> dict[str, dict[Kind, list[Recording]]]:
        """The recordings of each participant's kinds."""
        found: dict[str, dict[Kind, list[Recording]]] = {}
        for recording in self.recordings:
            if recording.participant_id and recording.kind:
                kinds = found.setdefault(recording.participant_id, {})
                kinds.setdefault(recording.kind, []).append(recording)
        return found

    @cached_property
    def drifts(self) -> dict[str, Drift]:
        """How each participant's media clock runs."""
        return {
            participant_id: drift(recording for told in kinds.values() for recording in told)
            for participant_id, kinds in self.people.items()
        }

    @cached_property
    def extent(self) -> Span:
        """From session zero to the end, on the epoch clock; at most a day."""
        return window(span for _, _, span in self._spans)

    @cached_property
    def lying(self) -> list["Lying"]:
        """Every segment with its place on the epoch clock, its length corrected for its clock's drift."""
        whole = self.extent
        return [
            Lying(
                recording,
                place,
                Span(span.start, max(span.start, min(span.end, whole.end))) if inside else span,
                inside=inside,
                usable=inside and place.segment.file not in recording.useless,
            )
            for recording, place, span in self._spans
            for inside in [whole.start <= span.start < whole.start + DAY_MS]
        ]

    @cached_property
    def lying_of(self) -> dict[str, list["Lying"]]:
        """The same by recording."""
        found: dict[str, list[Lying]] = {recording.recording_id: [] for recording in self.recordings}
        for told in self.lying:
            found[told.recording.recording_id].append(told)
        return found

    @cached_property
    def _spans(self) -> list[tuple[Recording, Placed, Span]]:
        found = []
        for recording in self.recordings:
            ppm = self.drifts[recording.participant_id].applied if recording.participant_id else 0
            for place in recording.placed:
                length_ms = lasts_ms(place.segment.duration_ms, ppm)
                found.append((recording, place, Span(place.start_at, place.start_at + length_ms)))
        return found

    @cached_property
    def presences(self) -> list[e.ParticipantListed]:
        """The stays that VideoSDK's session has."""
        found = [fact for fact in self.facts if isinstance(fact, e.ParticipantListed)]
        return sorted(found, key=lambda fact: fact.identity)

    def stays(self, participant_id: str) -> list[e.ParticipantListed]:
        """Those of one participant. A stay that was told while it lasted was perhaps told again."""
        stays = [fact for fact in self.presences if fact.participant_id == participant_id]
        over = {fact.start_at for fact in stays if fact.end_at is not None}
        return [stay for stay in stays if stay.end_at is not None or stay.start_at not in over]

    @cached_property
    def names(self) -> dict[str, str]:
        """Participants' names by id."""
        return names(self.facts)

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict on every recording of the session, and on what only they together tell."""
        told = joined([recording.verdict for recording in self.recordings])
        return replace(told, missing=(*told.missing, *self._outside()))

    def _outside(self) -> Iterable[Finding]:
        for told in self.lying:
            if not told.inside:
                yield told.finding("outside_session")

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


def names(facts: Iterable[e.Event]) -> dict[str, str]:
    """Participants' names by id, where somebody told them: that of the latest presence in VideoSDK's session,
    else the webhook's, which carries no time."""
    told = [fact for fact in facts if isinstance(fact, e.ParticipantJoined | e.ParticipantListed)]
    told.sort(key=lambda fact: (getattr(fact, "start_at", -1), fact.name))
    return {fact.participant_id: fact.name for fact in told}


def weight(facts: Iterable[e.Event]) -> int:
    """How many of these facts are news, and not conclusions from the others."""
    return sum(1 for fact in facts if not isinstance(fact, e.CONCLUSIONS))
