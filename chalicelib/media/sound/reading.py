"""A piece's packets out of its repaired file, from any time on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from chalicelib.core.step import Piece
from chalicelib.media.index import index_of
from chalicelib.media.matroska import Recording
from chalicelib.media.sound.packets import RATE_KHZ, is_silence
from chalicelib.media.store import Store

# What lies no further into a file than this is reached by reading from its beginning, without the index.
_NEAR_MS = 10_000


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that is being read. `packets`: the time of each one's first sample, counted in samples from the
    file's zero, and its bytes; without those that are silence."""

    private: bytes
    channels: int
    packets: Iterator[tuple[int, bytes]]


def read(store: Store, piece: Piece, start: int, end: int) -> Reading:
    """Begin to read the packets of a piece whose first samples lie in [start, end) of its file."""
    recording = Recording(_chunks(store, piece, start // RATE_KHZ))
    track = recording.open()
    delay = track.delay_ns * RATE_KHZ // 1_000_000
    channels = track.private[9] if len(track.private) > 9 else track.channels
    return Reading(track.private, 2 if channels > 1 else 1, _packets(recording, delay, start, end))


def _packets(recording: Recording, delay: int, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    # FFmpeg and Chromium go by the file's CodecDelay; a pre-skip that stands alone only mutes what it skips.
    for time, _, frame, _ in recording.packets():
        at = (recording.first_ms + time) * RATE_KHZ - delay
        if at >= end:
            return
        if at >= start and not is_silence(frame):
            yield at, frame


def _chunks(store: Store, piece: Piece, media_ms: int) -> Iterable[bytes]:
    if media_ms <= _NEAR_MS:
        return store.read(piece.source)
    clusters = index_of(b"".join(store.read(piece.index))).clusters
    place = max((row.place for row in clusters if row.time_ms <= media_ms), default=clusters[0].place)
    return chain(store.read(piece.source, 0, clusters[0].place), store.read(piece.source, place))
