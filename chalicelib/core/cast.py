"""Who is in a composition: when they were there, what is to be seen of them, and how loud they were.

In the cast is who was recorded. Without a word of VideoSDK's on their presence they were there from the first
to the last of what was recorded of them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise

from chalicelib.core.errors import Invalid
from chalicelib.core.ids import Kind
from chalicelib.core.layout import Laid, layout
from chalicelib.core.scenes import Video
from chalicelib.core.session import Session
from chalicelib.core.step import Track
from chalicelib.core.timeline import Span

PICTURES = (Kind.VIDEO, Kind.SCREEN_VIDEO)
SOUNDS = (Kind.AUDIO, Kind.SCREEN_AUDIO)
BRIDGED_MS = 1_000  # a picture is held so long for one that follows
AWAY_MS = 3_000  # who comes back so soon has not left


@dataclass(frozen=True, slots=True)
class Take(Span):
    """A time of the session, and the video that is shown in it."""

    video: Video


@dataclass(frozen=True, slots=True)
class Person:
    """A participant, in spans and takes that are in order and apart. `levels` is as `core/speaker.py` has it,
    from session zero on, and empty where nobody knows."""

    participant_id: str
    name: str
    present: tuple[Span, ...]
    camera: tuple[Take, ...]
    screen: tuple[Take, ...]
    levels: bytes = b""


def cast(
    session: Session, participants: Sequence[str] = ("*",), levels: Mapping[str, bytes] | None = None
) -> tuple[Person, ...]:
    """Those who were chosen, in the order of the choice and else in that of their arrival. `levels` are by
    participant. `Invalid` where the choice names nobody."""
    laid: dict[str, list[Laid]] = {participant_id: [] for participant_id in session.people}
    for track in layout(session):
        laid[track.participant_id].append(track)
    known = levels or {}
    everybody = [_person(session, who, tracks, known.get(who, b"")) for who, tracks in laid.items()]
    seen = sorted(
        (person for person in everybody if person.present),
        key=lambda person: (person.present[0].start, person.participant_id),
    )
    order = chosen(participants, [person.participant_id for person in seen])
    by_id = {person.participant_id: person for person in seen}
    return tuple(by_id[participant_id] for participant_id in order)


def voices(session: Session, participants: Sequence[str] = ("*",)) -> tuple[Track, ...]:
    """The tracks of sound of those who were chosen."""
    heard = {person.participant_id for person in cast(session, participants)}
    return tuple(
        track
        for laid in layout(session)
        if laid.participant_id in heard and laid.kind in SOUNDS
        for track in laid.tracks
    )


def sizes(session: Session) -> dict[str, tuple[int, int]]:
    """The size of the largest pictures in each repaired file, as (width, height), where it is known."""
    found = {}
    for told in session.lying:
        segment = told.place.segment
        seen = [(segment.width or 0, segment.height or 0), *((w, h) for _, w, h in segment.resolutions)]
        found[segment.repaired_key] = max(seen, key=lambda size: size[0] * size[1])
    return {key: size for key, size in found.items() if all(size)}


def chosen(participants: Sequence[str], ids: Sequence[str]) -> list[str]:
    """The ids that these ids and patterns choose. `Invalid` where one, or all, choose nobody."""
    found: list[str] = []
    for place, pattern in enumerate(participants):
        meant = [one for one in ids if matches(pattern, one)]
        if not meant and "*" not in pattern:
            raise _nobody(f"participants[{place}]", f"nobody of the id {pattern!r} was recorded")
        found += meant
    if not found:
        raise _nobody("participants", "nobody of these ids was recorded")
    return list(dict.fromkeys(found))


def matches(pattern: str, text: str) -> bool:
    """Whether a text is what a pattern says, in which only `*` stands for anything."""
    return fnmatchcase(text, _SPECIAL.sub(r"[\g<0>]", pattern))


_SPECIAL = re.compile(r"[?\[]")


def _nobody(field: str, fault: str) -> Invalid:
    expected = "ids of participants of whom the session has recordings, or patterns with * for any characters"
    return Invalid("unknown_participant", fault, field, expected)


def _person(session: Session, participant_id: str, tracks: Sequence[Laid], levels: bytes) -> Person:
    name = session.names.get(participant_id) or participant_id
    camera, screen = (tuple(_takes(name, tracks, kind)) for kind in PICTURES)
    return Person(
        participant_id=participant_id,
        name=name,
        present=tuple(_present(session, participant_id, tracks)),
        camera=camera,
        screen=screen,
        levels=levels,
    )


def _takes(name: str, tracks: Sequence[Laid], kind: Kind) -> Iterator[Take]:
    """One for each piece, whatever its codec; a short gap after it is bridged."""
    videos = sorted(
        (
            Video(track.participant_id, name, kind, track.codec, piece)
            for laid in tracks
            if laid.kind is kind
            for track in laid.tracks
            for piece in track.pieces
        ),
        key=lambda video: video.piece.start,
    )
    for video, following in pairwise([*videos, None]):
        assert video is not None
        end = video.piece.end
        if following is not None and following.piece.start - end <= BRIDGED_MS:
            end = following.piece.start
        yield Take(video.piece.start, end, video)


def _present(session: Session, participant_id: str, tracks: Sequence[Laid]) -> Iterator[Span]:
    zero, whole = session.extent.start, session.extent.end - session.extent.start
    recorded = [
        Span(piece.start, piece.end) for laid in tracks for track in laid.tracks for piece in track.pieces
    ]
    stays = [
        Span(start, end)
        for stay in session.stays(participant_id)
        for start in [max(0, stay.start_at - zero)]
        for end in [whole if stay.end_at is None else min(whole, stay.end_at - zero)]
        if start < end
    ]
    if recorded and not stays:
        yield Span(min(span.start for span in recorded), max(span.end for span in recorded))
    else:
        yield from _joined([*stays, *recorded])


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Those that are less than an absence apart are one."""
    begun: Span | None = None
    for span in sorted(spans):
        if begun is not None and span.start - begun.end > AWAY_MS:
            yield begun
            begun = None
        begun = span if begun is None else Span(begun.start, max(begun.end, span.end))
    if begun is not None:
        yield begun
