"""How far apart a participant's sound and picture lie, by where both were cut at once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median_low

from chalicelib.core import events as e
from chalicelib.core.clock import Placed
from chalicelib.core.recording import Recording
from chalicelib.core.session import Session
from chalicelib.core.steps import SOUND_OF

TOGETHER_MS = 500  # two files that end within this time ended because one thing ended both
LEFT_MS = 2_000  # so far from it the list may put a participant's leaving


@dataclass(frozen=True, slots=True)
class Offset:
    """By how much later the picture ends than the sound: the median of so many pairs."""

    ms: int
    count: int


def av_offset(session: Session, participant_id: str) -> Offset | None:
    """What a participant's files say; None where no two of them were cut at once."""
    kinds = session.people[participant_id]
    left = [fact.end_at for fact in session.presences if fact.participant_id == participant_id]
    apart = [
        seen.span.end - heard.span.end
        for picture, sound in SOUND_OF.items()
        for seen in _cut(kinds.get(picture, ()), left)
        for heard in _cut(kinds.get(sound, ()), left)
        if abs(seen.span.end - heard.span.end) <= TOGETHER_MS
    ]
    return Offset(median_low(apart), len(apart)) if apart else None


def _cut(recordings: Iterable[Recording], left: list[int | None]) -> Iterator[Placed]:
    """The segments that ended because the recording did, or the participant left; not those that were muted,
    whose ends nobody knows of together."""
    for recording in recordings:
        known = [p for p in recording.placed if p.clock != "last_modified" and not p.segment.tail_lost]
        last = max(recording.placed, key=lambda place: place.span.end, default=None)
        over = recording.knows(e.RecordingStopped, e.RecordingEnded)
        for place in known:
            gone = any(at is not None and abs(place.span.end - at) <= LEFT_MS for at in left)
            if gone or (over and place is last):
                yield place
