"""How far apart a participant's sound and picture lie, by where both were cut at once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median_low

from chalicelib.core import events as e
from chalicelib.core.recording import Recording
from chalicelib.core.session import Session
from chalicelib.core.steps import SOUND_OF
from chalicelib.core.timeline import Span

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
        seen.end - heard.end
        for picture, sound in SOUND_OF.items()
        for seen in _cut(session, kinds.get(picture, ()), left)
        for heard in _cut(session, kinds.get(sound, ()), left)
        if abs(seen.end - heard.end) <= TOGETHER_MS
    ]
    return Offset(median_low(apart), len(apart)) if apart else None


def _cut(session: Session, recordings: Iterable[Recording], left: list[int | None]) -> Iterator[Span]:
    """The segments that ended because the recording did or the participant left, and so did other kinds'; who
    mutes the sound does not hide the picture."""
    for recording in recordings:
        lying = session.lying_of[recording.recording_id]
        last = max((told.span.end for told in lying), default=None)
        over = recording.knows(e.RecordingStopped, e.RecordingEnded)
        for told in lying:
            gone = any(at is not None and abs(told.span.end - at) <= LEFT_MS for at in left)
            known = told.place.clock != "last_modified" and not told.place.segment.tail_lost
            if known and (gone or (over and told.span.end == last)):
                yield told.span
