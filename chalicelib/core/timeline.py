"""All tracks of a session on one clock, in whole milliseconds. Spans are half-open: [start, end)."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chalicelib.core.scan import Scan

# Where a segment's start was taken from, and how far that may be off, in milliseconds. The file name's
# stamp is inferred to be the segment's start; its accuracy is undocumented. Who corrects it by hand sees and
# hears to about a frame.
CLOCKS = {"stamp": 100, "last_modified": 5_000, "corrected": 40}
DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of time on some clock; its user says which."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise ValueError(f"a span cannot end before it starts: {self}")


def starts(stamp_at: int | None, first_ms: int, modified_at: int, duration_ms: int) -> tuple[int, str, int]:
    """A segment's start in epoch milliseconds, the clock it came from, and that clock's uncertainty.

    `first_ms` is the first packet's own timestamp, `modified_at` when the bucket got the object. A file whose
    own clock begins a day in or later has not waited for so long: it counts from somewhere else.
    """
    if stamp_at is not None:
        return stamp_at + (first_ms if first_ms < DAY_MS else 0), "stamp", CLOCKS["stamp"]
    return max(0, modified_at - duration_ms), "last_modified", CLOCKS["last_modified"]


def scanned(scan: Scan, stamp_at: int | None, modified_at: int) -> dict[str, Any]:
    """What `SegmentStored` tells of a file's inside, and where that lies on the session's clock."""
    start_at, clock, uncertainty_ms = starts(stamp_at, scan.first_ms, modified_at, scan.duration_ms)
    return {
        "start_at": start_at,
        "duration_ms": scan.duration_ms,
        "clock": clock,
        "uncertainty_ms": uncertainty_ms,
        "codec": scan.codec,
        "width": scan.width,
        "height": scan.height,
        "resolutions": scan.resolutions,
        "holes": scan.holes,
        "tail_lost": scan.tail_lost,
        "lost_bytes": scan.lost_bytes,
        "clock_breaks": scan.clock_breaks,
        "first_ms": scan.first_ms,
        "sounded_us": scan.sounded_us,
        "spanned_us": scan.spanned_us,
    }


def gaps(spans: Iterable[Span], whole: Span) -> list[Span]:
    """What of `whole` none of the spans covers: with them it makes `whole`, without overlap."""
    found, cursor = [], whole.start
    for span in sorted(spans):
        until = min(span.start, whole.end)
        if until > cursor:
            found.append(Span(cursor, until))
        cursor = max(cursor, span.end)
        if cursor >= whole.end:
            return found
    if cursor < whole.end:
        found.append(Span(cursor, whole.end))
    return found


def window(spans: Iterable[Span]) -> Span:
    """The day, on the epoch clock, in which most of these spans begin, from the first of them to its end or
    to that of the last. A stamp of another century so makes no session last until then.

    Of several such days it is the latest: a stamp that means nothing is more often 0 than to come.
    """
    known = sorted(spans)
    begins = [span.start for span in known]
    counts = [(bisect_left(begins, start + DAY_MS) - place, start) for place, start in enumerate(begins)]
    if not counts:
        return Span(0, 0)
    most, start = max(counts)
    first = bisect_left(begins, start)
    end = max(span.end for span in known[first : first + most])
    return Span(start, min(end, start + DAY_MS))
