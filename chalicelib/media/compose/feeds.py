"""Which packets a chunk needs of each piece, from the key frame before it is shown, and when they are due."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from operator import attrgetter
from typing import NamedTuple

from chalicelib.core.chunks import Chunk
from chalicelib.core.scan import BadSegment
from chalicelib.core.scenes import Video
from chalicelib.core.step import Piece
from chalicelib.media.clusters import packets_in
from chalicelib.media.codecs import KEY_SIZE
from chalicelib.media.decoding import MAX_PIXELS
from chalicelib.media.ebml import Malformed
from chalicelib.media.index import ClusterAt, Index, index_of
from chalicelib.media.matroska import Packet
from chalicelib.media.store import Store

# Nobody keeps a connection open while what came over it is decoded: so many bytes are fetched at a time.
_AT_ONCE = 8 << 20
_MILLION = 1_000_000


class Due(NamedTuple):
    """A packet, and the first frame at which its picture, or what builds on it, is to be seen."""

    frame: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Feed:
    """A stretch of frames, [first, end), for which a piece's pictures are needed without a break."""

    piece: Piece
    codec: str
    index: Index
    first: int
    end: int


def feeds_of(chunk: Chunk, indexes: dict[str, Index]) -> list[Feed]:
    """What has to be decoded: of a piece that is not shown for a while nothing in between, where a key frame
    lies there."""
    shown: dict[Video, list[tuple[int, int]]] = {}
    for scene in chunk.scenes:
        for video in dict.fromkeys(t.shows for t in scene.tiles if isinstance(t.shows, Video)):
            shown.setdefault(video, []).append((scene.first_frame, scene.end_frame))
    return [
        Feed(video.piece, video.codec, indexes[video.piece.index], first, end)
        for video, spans in shown.items()
        for first, end in _without_needless_breaks(chunk, video.piece, indexes[video.piece.index], spans)
    ]


def _without_needless_breaks(
    chunk: Chunk, piece: Piece, index: Index, spans: list[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    clock = _Clock(chunk, piece)
    keys = [clock.frame(key.time_ms) for key in index.key_frames]
    (begun, ended), *later = spans
    for first, end in later:
        # Due by then, and not before what was decoded anyway.
        if bisect_right(keys, first) > bisect_right(keys, ended - 1):
            yield begun, ended
            begun = first
        ended = end
    yield begun, ended


class _Clock:
    """When the pictures of a piece are due, as frames of the composition; the same in every chunk."""

    def __init__(self, chunk: Chunk, piece: Piece) -> None:
        self._rate, self._piece = chunk.picture.frame_rate, piece
        self._offset = piece.start - chunk.zero

    def frame(self, media_ms: int) -> int:
        """The first frame that is not before a moment of the piece's file."""
        return -(-(self._offset + self._passed(media_ms)) * self._rate // 1000)

    def shows(self, media_ms: int) -> bool:
        """Whether a picture of this time is before the piece's end."""
        return self._piece.start + self._passed(media_ms) < self._piece.end

    def _passed(self, media_ms: int) -> int:
        """Milliseconds of the session since the piece's start."""
        return round((media_ms - self._piece.skip_ms) * _MILLION / (_MILLION + self._piece.ppm))


def indexes_of(chunk: Chunk, store: Store) -> dict[str, Index]:
    """The indexes of all pieces that are shown, by their keys."""
    keys = {
        tile.shows.piece.index
        for scene in chunk.scenes
        for tile in scene.tiles
        if isinstance(tile.shows, Video)
    }
    return {key: index_of(b"".join(store.read(key))) for key in sorted(keys)}


def packets_of(chunk: Chunk, feed: Feed, store: Store) -> Iterator[Due]:
    """A feed's packets, from a key frame on. `BadSegment` when the file is not what its index says, or has
    pictures that are too large."""
    clock, source = _Clock(chunk, feed.piece), feed.piece.source
    since = _begins(feed, clock)
    begun = False
    for cluster in _clusters(feed, clock, since, store):
        for time, key, data, _ in _read(source, cluster):
            begun = begun or bool(key and time >= since)
            if clock.frame(time) >= feed.end or not clock.shows(time):
                return
            if begun:
                if key:
                    _measured(source, feed.codec, data)
                yield Due(max(feed.first, clock.frame(time)), data)


def _begins(feed: Feed, clock: _Clock) -> int:
    """The time of the last key frame that is due when the feed is first shown; the first's if none is."""
    keys = feed.index.key_frames
    place = bisect_right(keys, feed.first, key=lambda key: clock.frame(key.time_ms))
    return keys[max(0, place - 1)].time_ms if keys else 0


def _clusters(feed: Feed, clock: _Clock, since: int, store: Store) -> Iterator[bytes]:
    """The Clusters from one time of the file on, as far as they are shown."""
    rows = feed.index.clusters
    first = max(0, bisect_right(rows, since, key=attrgetter("time_ms")) - 1)
    # A key frame may be the first of a Cluster, and Clusters begin at the same time where one was full.
    while first > 0 and rows[first].time_ms == since and rows[first - 1].time_ms == since:
        first -= 1
    wanted = takewhile(
        lambda row: clock.frame(row.time_ms) < feed.end and clock.shows(row.time_ms), rows[first:]
    )
    for some in _together(wanted):
        begin, end = some[0].place, some[-1].place + some[-1].size
        data = b"".join(store.read(feed.piece.source, begin, end))
        if len(data) < end - begin:
            raise BadSegment(feed.piece.source, "index_mismatch", "the file is shorter than its index says")
        for row in some:
            yield data[row.place - begin : row.place - begin + row.size]


def _together(rows: Iterable[ClusterAt]) -> Iterator[list[ClusterAt]]:
    """Clusters that are fetched with one request."""
    some: list[ClusterAt] = []
    for row in rows:
        if some and row.place + row.size - some[0].place > _AT_ONCE:
            yield some
            some = []
        some.append(row)
    if some:
        yield some


def _read(source: str, cluster: bytes) -> Iterator[Packet]:
    try:
        yield from packets_in(cluster)
    except (Malformed, LookupError):
        raise BadSegment(source, "index_mismatch", "a Cluster is not where the index says") from None


def _measured(source: str, codec: str, key_frame: bytes) -> None:
    """Where a key frame tells its size in front, a decoder is not trusted to refuse it."""
    size = KEY_SIZE[codec](key_frame) if codec in KEY_SIZE else None
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise BadSegment(source, "limits", f"a picture of {size[0]} x {size[1]}")
