"""Where each segment of a recording lies on the epoch clock, judged by all of the recording's segments.

A file's own clock either begins with the file, and then its first timestamp is how late the first packet came
after the name's stamp; or it runs on over the files of a recording, and then the stamp alone tells the start.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median_low

from chalicelib.core.events import SegmentStored
from chalicelib.core.timeline import CLOCKS, DAY_MS, Span

# A first packet later than this after its file's stamp has to be borne out by when the bucket got the file.
LATE_MS = 1_000
UPLOADED_MS = 5_000  # how far the bucket's clock may be behind the recorder's
# Two files count on one clock when their timestamps lie as far apart as their stamps do; apart by less than
# this they show nothing.
APART_MS = 3_000
STRAYS_MS = 250
STRAYS_PPM = 5_000


@dataclass(frozen=True, slots=True)
class Placed:
    """A segment on the epoch clock: `clock` says what told its start, `uncertainty_ms` how far it may be off.

    `shift_ms` is what a person moved it by. `runs_on`: its file's clock counts on over its recording's files,
    so `first_ms` tells how much media time has gone by since another's.
    """

    segment: SegmentStored
    start_at: int
    clock: str
    uncertainty_ms: int
    shift_ms: int = 0
    runs_on: bool = False

    @property
    def span(self) -> Span:
        """On the epoch clock, as long as the file says that it is."""
        return Span(self.start_at, self.start_at + self.segment.duration_ms)


def placed(segments: Iterable[SegmentStored], shifts: Mapping[str, int]) -> list[Placed]:
    """A recording's segments, in the order of the clock. `shifts` are corrections by hand, by file."""
    known = sorted(segments, key=lambda segment: (stamp_at(segment), segment.file))
    stamped = [segment for segment in known if segment.clock == "stamp"]
    runs_on = _runs_on(stamped)
    first = stamped[0] if stamped else None
    found = (
        _running(segment, begins=segment is first)
        if runs_on and segment.clock == "stamp"
        else Placed(segment, _alone(segment), segment.clock, segment.uncertainty_ms)
        for segment in known
    )
    moved = (_shifted(place, shifts.get(place.segment.file, 0)) for place in found)
    return sorted(moved, key=lambda place: (place.start_at, place.segment.file))


def _shifted(place: Placed, shift_ms: int) -> Placed:
    if not shift_ms:
        return place
    start_at = max(0, place.start_at + shift_ms)
    return replace(
        place,
        start_at=start_at,
        shift_ms=shift_ms,
        clock="corrected",
        uncertainty_ms=CLOCKS["corrected"],
    )


def stamp_at(segment: SegmentStored) -> int:
    """What the file's name says: the fact's start has the first packet's timestamp added."""
    counted = segment.clock == "stamp" and segment.first_ms < DAY_MS
    return segment.start_at - segment.first_ms if counted else segment.start_at


def _alone(segment: SegmentStored) -> int:
    """A start for which there is only this file's word, and the bucket's."""
    late = stamp_at(segment) != segment.start_at and segment.first_ms >= LATE_MS
    came_at = segment.modified_at + UPLOADED_MS
    return (
        stamp_at(segment) if late and segment.start_at + segment.duration_ms > came_at else segment.start_at
    )


def _running(segment: SegmentStored, *, begins: bool) -> Placed:
    """The first file's clock may begin with it, and its first packet be late."""
    start_at = stamp_at(segment)
    if begins and segment.first_ms < LATE_MS:
        start_at += segment.first_ms
    return Placed(segment, start_at, segment.clock, segment.uncertainty_ms, runs_on=True)


def _runs_on(stamped: list[SegmentStored]) -> bool:
    """Whether most files that lie far enough apart agree with the middle one on when their clock began."""
    if len(stamped) < 2:
        return False
    origins = {segment.file: stamp_at(segment) - segment.first_ms for segment in stamped}
    origin = median_low(origins.values())
    middle = next(segment for segment in stamped if origins[segment.file] == origin)
    apart = [(abs(stamp_at(other) - stamp_at(middle)), other) for other in stamped]
    far = [(distance, other) for distance, other in apart if distance >= APART_MS]
    agreeing = [
        distance
        for distance, other in far
        if abs(origins[other.file] - origin) <= STRAYS_MS + distance * STRAYS_PPM // 1_000_000
    ]
    return 2 * len(agreeing) > len(far)
