"""By how much a participant's media clock runs faster or slower than the clock of the stamps.

The media time of a file is told by the participant's sound card and camera, the stamps by the recorder. What
both say of one stretch of time is evidence; `ppm` is by how many millionths the media clock runs faster.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from chalicelib.core import events as e
from chalicelib.core.clock import Placed, stamp_at
from chalicelib.core.recording import Recording
from chalicelib.core.timeline import CLOCKS

# It is corrected when it is more than chance, less than nonsense, and can be seen or heard.
LEAST_PPM, MOST_PPM = 50, 1_000
SURE = 3  # times the uncertainty, which few stamps tell badly
NOTICED_MS = 20  # by the end of the longest segment

ENDS_MEET_MS = 2_000  # a list's end this near to a segment's is that segment's end
LIST_ERROR_MS = 1_000  # the list's end is written about so long after the media's
LONG_MS = 600_000  # a shorter segment's end says nothing against that error
FEW = 4  # of fewer stamps the scatter says nothing
LEAST_SCATTER_MS = 10
# Student's t at 99.9 %, by the stamps beyond two: the fewer there are, the less their own scatter says.
STUDENT = {2: 31.6, 3: 12.9, 4: 8.6, 5: 6.9, 6: 6.0, 7: 5.4, 8: 5.0, 9: 4.8}
LEAST_SOUND_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """One estimate and how far it may be off, in ppm. `at_least`: the truth may be more, and not less."""

    source: str
    ppm: float
    error: float
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Drift:
    """What is believed of one participant. `evidence` counts the estimates by source.

    `sound_ppm` compares the sound's samples with its own timestamps, which says whether sound and picture of
    one file's clock part; None where there was too little sound.
    """

    ppm: int | None
    uncertainty_ppm: int | None
    evidence: tuple[tuple[str, int], ...]
    corrected: bool
    sound_ppm: int | None

    @property
    def applied(self) -> int:
        """What the pieces of this participant's tracks are corrected by."""
        return self.ppm if self.corrected and self.ppm is not None else 0


def drift(recordings: Iterable[Recording]) -> Drift:
    """The drift of the participant whose recordings these are."""
    known = list(recordings)
    believed = _believed([found for recording in known for found in evidence(recording)])
    ppm, error = _weighed(believed) if believed else (None, None)
    longest_ms = max((place.segment.duration_ms for r in known for place in r.placed), default=0)
    return Drift(
        ppm=None if ppm is None else round(ppm),
        uncertainty_ppm=None if error is None else math.ceil(error),
        evidence=tuple(sorted(Counter(found.source for found in believed).items())),
        corrected=ppm is not None and error is not None and _matters(ppm, error, longest_ms),
        sound_ppm=_sound_ppm(known),
    )


def lasts_ms(media_ms: int, ppm: int) -> int:
    """How long media of so much time lasts on the session's clock."""
    whole = 1_000_000 + ppm
    return (media_ms * 1_000_000 + whole // 2) // whole


def evidence(recording: Recording) -> Iterator[Evidence]:
    """All that one recording says."""
    stamped = [place for place in recording.placed if place.clock in ("stamp", "corrected")]
    yield from _running_clock(stamped)
    yield from _listed_end(recording, stamped)
    yield from _overlap(stamped)


def _matters(ppm: float, error: float, longest_ms: int) -> bool:
    size = abs(ppm)
    noticed = size * longest_ms > NOTICED_MS * 1_000_000
    return LEAST_PPM < size <= MOST_PPM and size > SURE * error and noticed


def _running_clock(stamped: list[Placed]) -> Iterator[Evidence]:
    """A clock that runs on over the files: the slope of its time against the stamps, by least squares."""
    running = [place for place in stamped if place.runs_on]
    if len(running) < 2:
        return
    # Stamps and not starts: what the first packets are late by is about the same in all files.
    elapsed = [float(stamp_at(place.segment) + place.shift_ms - running[0].start_at) for place in running]
    media = [float(place.segment.first_ms - running[0].segment.first_ms) for place in running]
    x, y, n = sum(elapsed) / len(running), sum(media) / len(running), len(running)
    spread = sum((value - x) ** 2 for value in elapsed)
    if not spread:
        return
    slope = sum((a - x) * (b - y) for a, b in zip(elapsed, media, strict=True)) / spread
    rest = sum((b - y - slope * (a - x)) ** 2 for a, b in zip(elapsed, media, strict=True))
    scatter = float(CLOCKS["stamp"])
    if n >= FEW:
        # It may be more than a stamp is off by: who begins in silence is first heard half a second late.
        told = math.sqrt(rest / (n - 2)) * STUDENT.get(n - 2, 4.6) / SURE
        scatter = max(LEAST_SCATTER_MS, told)
    yield Evidence("running_clock", (slope - 1) * 1e6, scatter / math.sqrt(spread) * 1e6)


def _listed_end(recording: Recording, stamped: list[Placed]) -> Iterator[Evidence]:
    """Where the list's end is that of the last segment, and not of what was muted before it."""
    ends = [fact.end_at for fact in recording.told(e.RecordingEnded) if not fact.early]
    last = max(stamped, key=lambda place: place.span.end, default=None)
    if not ends or last is None or last.segment.tail_lost or last.segment.duration_ms < LONG_MS:
        return
    elapsed = max(ends) - last.start_at
    if abs(elapsed - last.segment.duration_ms) <= ENDS_MEET_MS:
        yield Evidence("listed_end", *_compared(last.segment.duration_ms, elapsed, LIST_ERROR_MS))


def _overlap(stamped: list[Placed]) -> Iterator[Evidence]:
    """A file that ends after the next one's stamp: of one recording they can not overlap, so its clock ran
    fast, by at least so much. Of several the one that says most for certain."""
    found = []
    for one, other in pairwise(stamped):
        elapsed = other.start_at - one.start_at
        if 0 < elapsed < one.segment.duration_ms:
            error = math.hypot(one.uncertainty_ms, other.uncertainty_ms)
            told = Evidence("overlap", *_compared(one.segment.duration_ms, elapsed, error), at_least=True)
            if told.ppm <= MOST_PPM:
                found.append(told)
    if found:
        yield max(found, key=lambda told: (told.ppm - SURE * told.error, told.ppm))


def _compared(media_ms: int, elapsed_ms: int, error_ms: float) -> tuple[float, float]:
    return (media_ms / elapsed_ms - 1) * 1e6, error_ms / elapsed_ms * 1e6


def _believed(found: list[Evidence]) -> list[Evidence]:
    """All of it, but of what says "at least" only what the rest does not say already."""
    both_ways = [told for told in found if not told.at_least]
    so_far = _weighed(both_ways)[0] if both_ways else 0.0
    return both_ways + [told for told in found if told.at_least and told.ppm > so_far]


def _weighed(found: list[Evidence]) -> tuple[float, float]:
    """The mean by certainty; its error is by what each may be off, or by how far they disagree."""
    weights = [1 / told.error**2 for told in found]
    whole = sum(weights)
    mean = sum(weight * told.ppm for weight, told in zip(weights, found, strict=True)) / whole
    apart = sum(weight * (told.ppm - mean) ** 2 for weight, told in zip(weights, found, strict=True)) / whole
    return mean, max(whole**-0.5, math.sqrt(apart / max(1, len(found) - 1)))


def _sound_ppm(recordings: list[Recording]) -> int | None:
    segments = [place.segment for recording in recordings for place in recording.placed]
    spanned = sum(segment.spanned_us for segment in segments)
    sounded = sum(segment.sounded_us for segment in segments if segment.spanned_us)
    return round((sounded / spanned - 1) * 1e6) if spanned >= LEAST_SOUND_US else None
