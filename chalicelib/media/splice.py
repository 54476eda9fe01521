"""One participant's one kind as one stream: Clusters on the session's clock, holes filled, packets copied.

The pieces' Clusters stay as they are; only where a piece is cut, or sound has to be brought back to the
clock, is one taken apart. Times are milliseconds since the span's start.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from operator import attrgetter

from chalicelib.core.step import Track
from chalicelib.media import matroska as m
from chalicelib.media.blank import RATE, Blank, blank
from chalicelib.media.clusters import KEY, Cluster, Key, Reading, packed, packets_in
from chalicelib.media.codecs import OPUS_US, Size, opus_filler, opus_us
from chalicelib.media.ebml import LENGTH, MASK
from chalicelib.media.index import ClusterAt, Index, index_of
from chalicelib.media.matroska import Extras, Packet
from chalicelib.media.mux import CLUSTER_HEAD
from chalicelib.media.store import Store

# Up to here a hole in a video is bridged by the picture before it; a longer one is black.
HOLD_MS = 1_000


def spliced(store: Store, track: Track, start: int, end: int) -> "Sound | Pictures":
    """The track over [start, end) of the session, to be iterated once."""
    kind = Sound if track.kind.endswith("audio") else Pictures
    return kind(store, track, start, end)


class _Spliced:
    """What sound and pictures have in common. `filled_us`, known when all was given: how much is filler."""

    def __init__(self, store: Store, track: Track, start: int, end: int) -> None:
        self._lasts = end - start
        told = {key: index_of(b"".join(store.read(key))) for key in {piece.index for piece in track.pieces}}
        self._readings = [
            Reading(store, piece, told[piece.index], start, end)
            for piece in track.pieces
            if piece.end > start and piece.start < end
        ]
        self.first = told[track.pieces[0].index]
        self.filled_us = 0


# --- sound ---

# What is filled up is made of packets that last so long, and one of the rest, in whole steps of the least.
_FILLER_US, _LEAST_US = 120_000, 2_500
_FILLER_CLUSTER_US = 4_800_000
# Silence longer than this is told to the decoder; in shorter one it lets the sound before ring out.
_RINGING_US = 1_000_000

# Of a packet's first byte.
_STEREO = 4

# How far what is heard may be from the clock inside of a piece, and how much is mended at a time; what is
# farther is a hole.
_OFF_US, _HOLE_US = 5_000, 120_000


class Sound(_Spliced):
    """Opus whose every sample is where its time is: who counts samples comes to the same as who reads times.

    The track's pre-skip is what the first piece's file told as CodecDelay, which players go by; all other
    pieces are moved to fit.
    """

    def __init__(self, store: Store, track: Track, start: int, end: int) -> None:
        super().__init__(store, track, start, end)
        # How much was given, as a decoder counts it: what is skipped at the beginning included.
        self._played_us = 0
        self._delay_us = self.first.delay_ns // 1000
        self._last = 0

    @property
    def described(self) -> m.Track:
        """As a file's front says it."""
        track, skipped = self.first.track, self._delay_us * 48 // 1000
        return replace(track, private=track.private[:10] + skipped.to_bytes(2, "little") + track.private[12:])

    def __iter__(self) -> Iterator[Cluster]:
        for reading in self._readings:
            yield from self._piece(reading)
        yield from self._silence(1000 * self._lasts + self._delay_us)

    def _piece(self, reading: Reading) -> Iterator[Cluster]:
        shift_us = self._delay_us - reading.index.delay_ns // 1000
        begun = False
        for row, until, data in reading:
            whole = Cluster(row.time_ms, True, data)
            for part in [whole] if reading.whole(row, until) else _cut(reading, data):
                due_us = max(0, 1000 * reading.at(part.time) + shift_us)
                yield from self._placed(part, due_us, not begun)
                begun = True

    def _placed(self, cluster: Cluster, due_us: int, opens: bool) -> Iterator[Cluster]:
        """A Cluster, after silence where it is late, and with less or more in it where the clock is off."""
        late_us = due_us - self._played_us
        if late_us >= _HOLE_US or (opens and late_us > 0):
            yield from self._silence(due_us)
            late_us = due_us - self._played_us
        by_us = _to_mend(late_us, opens)
        lasts_us = None if by_us else _lasting_us(cluster.data)
        if lasts_us is None:
            for part in packed("audio", _mended(cluster.data, by_us)):
                moved = replace(part, time=due_us // 1000 + part.time - cluster.time)
                yield self._given(moved, sum(opus_us(packet[2]) for packet in packets_in(part.data)))
            return
        yield self._given(replace(cluster, time=due_us // 1000), lasts_us)

    def _silence(self, until_us: int) -> Iterator[Cluster]:
        silent = until_us - self._played_us > _RINGING_US
        while (left_us := until_us - self._played_us) >= _LEAST_US:
            lasts_us = min(left_us - left_us % _LEAST_US, _FILLER_CLUSTER_US)
            for cluster in _filler(self.first.channels, silent, lasts_us):
                yield self._given(replace(cluster, time=self._played_us // 1000), lasts_us)
            self.filled_us += lasts_us

    def _given(self, cluster: Cluster, lasts_us: int) -> Cluster:
        self._played_us += lasts_us
        self._last = max(self._last, cluster.time)
        return cluster if cluster.time == self._last else replace(cluster, time=self._last)


def _lasting_us(cluster: bytes) -> int | None:
    """How long a Cluster sounds; None when something in it is more than a plain block."""
    at, end, lasts_us = CLUSTER_HEAD, len(cluster), 0
    from_bytes = int.from_bytes
    while at < end:
        if cluster[at] != m.SIMPLE_BLOCK:
            return None
        start = at + 1 + LENGTH[cluster[at + 1]]
        at = start + (from_bytes(cluster[at + 1 : start]) & MASK[start - at - 1])
        lasts_us += OPUS_US[cluster[start + 4]] or opus_us(cluster[start + 4 : at])
    return lasts_us


def _cut(reading: Reading, cluster: bytes) -> list[Cluster]:
    """What of a Cluster is to be heard: whole packets that lie inside of the piece."""
    kept = [
        packet
        for packet in packets_in(cluster)
        if packet[0] >= reading.skip
        and 1000 * packet[0] + opus_us(packet[2]) <= 1000 * reading.cut + _LEAST_US
    ]
    return packed("audio", kept) if kept else []


def _to_mend(late_us: int, opens: bool) -> int:
    """By how much a Cluster is to sound longer: a piece opens on the clock, and later is let go a little."""
    if abs(late_us) <= (_LEAST_US if opens else _OFF_US):
        return 0
    if opens or abs(late_us) > 2 * _OFF_US:
        return late_us
    return 2 * _OFF_US if late_us > 0 else -2 * _OFF_US


def _mended(cluster: bytes, by_us: int) -> list[Packet]:
    """Packets that sound longer or shorter by so much, changed where there is the least to hear."""
    packets: list[Packet] = [(time, key, frame, None) for time, key, frame, _ in packets_in(cluster)]
    channels = 1 + any(packet[2][0] & _STEREO for packet in packets)
    while packets and by_us <= -_LEAST_US:
        place = min(range(len(packets)), key=lambda n: len(packets[n][2]))
        by_us += opus_us(packets[place][2])
        packets[place : place + 1] = _filler_at(packets[place][0], channels, False, by_us)
        by_us = min(0, by_us)
    if packets and by_us >= _LEAST_US:
        place = min(range(len(packets)), key=lambda n: len(packets[n][2]))
        packets[place:place] = _filler_at(packets[place][0], channels, False, by_us)
    return packets


def _filler_at(time: int, channels: int, silent: bool, lasts_us: int) -> list[Packet]:
    """Packets that last as long as the least of their lengths allows; none longer."""
    lasts_us -= lasts_us % _LEAST_US
    return [
        (time + at // 1000, KEY, opus_filler(min(_FILLER_US, lasts_us - at), channels, silent), None)
        for at in range(0, lasts_us, _FILLER_US)
    ]


@lru_cache(maxsize=64)
def _filler(channels: int, silent: bool, lasts_us: int) -> list[Cluster]:
    return packed("audio", _filler_at(0, channels, silent, lasts_us))


# --- pictures ---

# How often black is said again, and how often from anew.
_BLACK_MS, _BLACK_KEY_MS = 1_000, 10_000
# By a file's first seconds FFmpeg guesses the rate of all its pictures. Where they are black they are said
# again quickly, or it would be one a second; and more finely than a camera does, or two of its pictures, one
# a little late and one a little early, would be taken for one.
_GUESSED_BY_MS = 5_000
_PACE = tuple(frame * 1000 // RATE for frame in range(4 * RATE))


class Pictures(_Spliced):
    """Video whose holes are black where its codec has black frames, and else hold the picture before."""

    def __init__(self, store: Store, track: Track, start: int, end: int) -> None:
        super().__init__(store, track, start, end)
        # Where a file says how long its pictures last, Media Source drops what follows a longer one.
        self.described = replace(self.first.track, frame_ns=0)
        self._mixed = len({reading.index.private for reading in self._readings}) > 1

    def __iter__(self) -> Iterator[Cluster]:
        last: Cluster | None = None
        shown, size = 0, (self.first.width, self.first.height)
        for reading in self._readings:
            opens = True
            for cluster in self._piece(reading):
                if opens:
                    yield from self._bridged(last, shown, cluster.time, size, cluster)
                elif last is not None:
                    yield last
                opens, last = False, cluster
            if not opens:
                shown, size = max(shown, reading.end), _size_at_end(reading)
        yield from self._bridged(last, shown, self._lasts, size, None)

    def _piece(self, reading: Reading) -> Iterator[Cluster]:
        """A piece's Clusters, from its first key frame on."""
        first: Packet | None = None
        prefix = b""
        for row, until, data in reading:
            whole = reading.whole(row, until) and (first is not None or row.key)
            if first is None:
                first = next((p for p in packets_in(data) if p[1] and p[0] >= reading.skip), None)
                if first is None:
                    continue
                prefix = self._prefix(reading.index, first[2])
            if whole and not prefix:
                yield Cluster(reading.at(row.time_ms), row.key, data, _keys(reading, row, data))
            else:
                kept = (p for p in packets_in(data) if first[0] <= p[0] < reading.cut)
                yield from _rebuilt(reading, kept, prefix)

    def _prefix(self, index: Index, key_frame: bytes) -> bytes:
        """What each key frame of a piece has to carry so that it can follow any other: its codec's header."""
        private = index.private
        if index.codec == "h264" and self._mixed and _lengths_of_four(private):
            return _parameter_sets(private)
        if index.codec == "av1" and not _has_sequence_header(key_frame):
            return private[_AV1_HEAD:]
        return b""

    def _bridged(
        self, last: Cluster | None, shown: int, until: int, size: Size, following: Cluster | None
    ) -> Iterator[Cluster]:
        """The last Cluster before a hole, if any, and what fills the hole."""
        hole = until - shown
        black = None
        if hole > 0:
            self.filled_us += 1000 * hole
            black = self._black(size) if last is None or hole > HOLD_MS else None
        if last is not None:
            yield from [last] if black is not None or hole <= 0 else _held(last, until)
        if black is not None:
            pace = _PACE if last is None and hole >= _GUESSED_BY_MS else ()
            yield from (replace(part, time=shown + part.time) for part in _black(black, hole, pace))
        elif last is None and hole > 0 and following is not None:
            # A player begins with a picture or stalls: there the first one is shown early.
            frame = next(packet[2] for packet in packets_in(following.data) if packet[1])
            yield from packed("video", [(shown, KEY, frame, Extras(hole, None, None))])

    def _black(self, size: Size) -> Blank | None:
        codec = self.first.codec
        if codec == "h264" and not _lengths_of_four(self.first.private):
            return None
        return blank(codec, *size)


def _size_at_end(reading: Reading) -> Size:
    index = reading.index
    changes = [(width, height) for at, width, height in index.resolutions if at < reading.cut]
    return changes[-1] if changes else (index.width, index.height)


def _keys(reading: Reading, row: ClusterAt, data: bytes) -> tuple[Key, ...]:
    """The key frames that lie in a Cluster, without a copy."""
    index, view = reading.index, memoryview(data)
    least = bisect_left(index.key_frames, row.place, key=attrgetter("place"))
    most = bisect_left(index.key_frames, row.place + row.size, key=attrgetter("place"))
    return tuple(
        Key(
            reading.at(found.time_ms),
            view[found.place - row.place : found.place - row.place + found.size],
            index.private,
            reading.key,
        )
        for found in index.key_frames[least:most]
    )


def _rebuilt(reading: Reading, packets: Iterable[Packet], prefix: bytes) -> Iterator[Cluster]:
    """Clusters of these packets, each key frame behind the prefix."""
    kept = [(time, key, prefix + frame if key else frame, extras) for time, key, frame, extras in packets]
    for part in packed("video", kept):
        keys = tuple(
            Key(reading.at(time), frame, reading.index.private, reading.key)
            for time, key, frame, _ in packets_in(part.data)
            if key
        )
        yield replace(part, time=reading.at(part.time), keys=keys)


def _held(cluster: Cluster, until: int) -> Iterator[Cluster]:
    """A Cluster whose last picture is shown until then."""
    by = cluster.time - int.from_bytes(cluster.data[10:CLUSTER_HEAD])
    keys = cluster.keys
    for part in packed("video", packets_in(cluster.data), until - by):
        yield replace(part, time=part.time + by, keys=keys)
        keys = ()


def _black(black: Blank, lasts: int, pace: tuple[int, ...]) -> Iterator[Cluster]:
    for at in range(0, lasts, _BLACK_KEY_MS):
        for part in _black_until(black, min(_BLACK_KEY_MS, lasts - at), () if at else pace):
            yield replace(part, time=at + part.time)


@lru_cache(maxsize=16)
def _black_until(black: Blank, lasts: int, pace: tuple[int, ...]) -> tuple[Cluster, ...]:
    """Black from one key frame to the next, or to its end."""
    times = sorted({*pace, *range(0, lasts, _BLACK_MS)})
    packets: list[Packet] = [
        (time, KEY * (time == 0), black[place], Extras(until - time, None, None))
        for place, (time, until) in enumerate(pairwise([*times, lasts]))
    ]
    return tuple(packed("video", packets))


# --- what H.264 and AV1 say before their pictures ---

_AV1_HEAD = 4  # of the configuration record, before the sequence header
_AV1_SEQUENCE = 1
_SPS_AT, _SPS_COUNT = 5, 0x1F


def _has_sequence_header(frame: bytes) -> bool:
    """Whether an AV1 frame can be decoded by what is in it; a delimiter may stand first."""
    return bool(frame) and frame.removeprefix(b"\x12\x00")[0] >> 3 & 15 == _AV1_SEQUENCE


def _lengths_of_four(private: bytes) -> bool:
    """Whether H.264's units have lengths of four bytes."""
    return len(private) > _SPS_AT and private[4] & 3 == 3


def _parameter_sets(private: bytes) -> bytes:
    """The units in H.264's configuration record, as they stand in a packet."""
    found, at = b"", _SPS_AT
    for mask in (_SPS_COUNT, 0xFF):
        count, at = private[at] & mask if at < len(private) else 0, at + 1
        for _ in range(count):
            size = int.from_bytes(private[at : at + 2])
            found += size.to_bytes(4) + private[at + 2 : at + 2 + size]
            at += 2 + size
    return found
