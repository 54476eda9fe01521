"""Clusters of repaired files: read by the sidecar's rows, taken apart, and put together again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from struct import Struct
from typing import NamedTuple

from chalicelib.core.scan import BadSegment
from chalicelib.core.step import Piece
from chalicelib.media import matroska as m
from chalicelib.media.ebml import LENGTH, MASK, Window, children, of_uint, sint, size_of, spelled, uint
from chalicelib.media.index import ClusterAt, Index
from chalicelib.media.matroska import Extras, Packet
from chalicelib.media.mux import CLUSTER_HEAD, Muxer
from chalicelib.media.store import Store

KEY = 0x80
_MILLION = 1_000_000


class Key(NamedTuple):
    """A key frame that is in a Cluster: its time, its bytes, the codec's own header, the file it is from."""

    time: int
    frame: bytes | memoryview
    private: bytes
    source: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Cluster element that a Muxer made, whose time is now this one. `key`: a player can begin there."""

    time: int
    key: bool
    data: bytes
    keys: tuple[Key, ...] = ()


class Reading:
    """A piece's file read once, from the first Cluster that it needs to the last."""

    def __init__(self, store: Store, piece: Piece, index: Index, start: int, end: int) -> None:
        self.index, self.key = index, piece.source
        self._store, self._ppm = store, piece.ppm
        self._start = max(piece.start, start) - start
        self.skip = piece.skip_ms + self._media(max(0, start - piece.start))
        self.cut = self.skip + self._media(min(piece.end, end) - max(piece.start, start))

    def at(self, media_ms: int) -> int:
        """Where a time of the file lies."""
        return self._start + round((media_ms - self.skip) * _MILLION / (_MILLION + self._ppm))

    @property
    def end(self) -> int:
        """Where its media ends."""
        return self.at(min(self.cut, self.index.duration_ms))

    def __iter__(self) -> Iterator[tuple[ClusterAt, int, bytes]]:
        """The Clusters that are needed of it, each with the time of its file at which the next begins."""
        rows = self.index.clusters
        ends = [*(row.time_ms for row in rows[1:]), self.index.duration_ms]
        needed = [
            (row, until)
            for row, until in zip(rows, ends, strict=True)
            if row.time_ms < self.cut and until > self.skip
        ]
        if not needed:
            return
        place, last = needed[0][0].place, needed[-1][0]
        window = Window(self._store.read(self.key, place, last.place + last.size))
        for row, until in needed:
            data = window.take(row.size) if window.skip(row.place - place - window.offset) else None
            if data is None:
                raise BadSegment(self.key, "index_mismatch", "the file is shorter than its index says")
            yield row, until, data

    def whole(self, row: ClusterAt, until: int) -> bool:
        """Whether nothing of a Cluster is cut off."""
        return row.time_ms >= self.skip and until <= self.cut

    def _media(self, session_ms: int) -> int:
        return session_ms + round(session_ms * self._ppm / _MILLION)


def packets_in(cluster: bytes) -> Iterator[Packet]:
    """A Cluster's packets, by its own time."""
    origin = int.from_bytes(cluster[10:CLUSTER_HEAD])
    for ident, body in children(cluster[CLUSTER_HEAD:]):
        if ident == m.SIMPLE_BLOCK:
            yield origin + sint(body[1:3]), body[3] & KEY, body[4:], None
        elif ident == m.BLOCK_GROUP:
            parts = dict(children(body))
            block, reference = parts[m.BLOCK], parts.get(m.REFERENCE_BLOCK)
            extras = Extras(
                uint(parts.get(m.BLOCK_DURATION, b"")) or None,
                sint(parts.get(m.DISCARD_PADDING, b"")) or None,
                None if reference is None else sint(reference),
            )
            yield origin + sint(block[1:3]), KEY * (reference is None), block[4:], extras


def packed(kind: str, packets: Iterable[Packet], until: int | None = None) -> list[Cluster]:
    """Packets as Clusters. `until` is to when the last picture is held."""
    kept = _Kept()
    muxer = Muxer(kept, kind)
    for packet in packets:
        muxer.add(*packet)
    if until is not None:
        muxer.hold(until)
    muxer.finish((_ANY[kind],), 0)
    rows = zip(muxer.clusters(0), kept.bodies, strict=True)
    return [Cluster(row.time_ms, row.key, data) for row, data in rows]


# What the front speaks of that nobody reads.
_ANY = {"audio": m.Track(1, "audio", "opus", b"A_OPUS"), "video": m.Track(1, "video", "vp8", b"V_VP8")}


class _Kept:
    """Keeps Clusters and no front."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def body(self, data: bytes) -> None:
        self.bodies.append(data)

    def front(self, data: bytes) -> None:
        pass


# A block's time, counted from its Cluster's; it stands behind a track number of one byte.
_PASSED = Struct(">h")


def split(cluster: Cluster, until: int) -> tuple[Cluster | None, Cluster | None]:
    """What of a Cluster of plain blocks lies before a time, and what does not."""
    data, passed, passed_at = cluster.data, until - cluster.time, _PASSED.unpack_from
    at = next((at for at, block in _blocks(data) if passed_at(data, block + 1)[0] >= passed), len(data))
    before = replace(cluster, data=_headed(data[CLUSTER_HEAD:at])) if at > CLUSTER_HEAD else None
    after = replace(cluster, data=_headed(data[at:])) if at < len(data) else None
    return before, after


def settled(cluster: Cluster) -> Cluster:
    """A Cluster of plain blocks that has the time of its first one."""
    data = bytearray(cluster.data)
    _, first = next(_blocks(cluster.data))
    (by,) = _PASSED.unpack_from(data, first + 1)
    if not by:
        return cluster
    for _, block in _blocks(cluster.data):
        _PASSED.pack_into(data, block + 1, _PASSED.unpack_from(data, block + 1)[0] - by)
    return replace(cluster, time=cluster.time + by, data=bytes(data))


def _blocks(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each block begins, and where what follows its size does."""
    at, end, from_bytes = CLUSTER_HEAD, len(data), int.from_bytes
    while at < end:
        start = at + 1 + LENGTH[data[at + 1]]
        yield at, start
        at = start + (from_bytes(data[at + 1 : start]) & MASK[start - at - 1])


def _headed(blocks: bytes) -> bytes:
    """Blocks as a Cluster, at 0."""
    stamp = of_uint(m.TIMESTAMP, 0, 8)
    return spelled(m.CLUSTER) + size_of(len(stamp) + len(blocks), 4) + stamp + blocks
