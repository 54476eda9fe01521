"""A seekable WebM written in one go: Clusters as packets come, and last what stands before them.

EBML header, SeekHead, Info with the duration, Tracks, Cues, Clusters of known size. The same packets give
the same bytes. Nothing in it comes from the source's headers but what a decoder needs. Video is track 1 and
sound track 2, and every Cluster's head has the same length, so that whole Clusters can be copied from file
to file: `1F43B675`, four bytes of size, `E7 88`, eight bytes of time, blocks.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import batched
from struct import Struct
from typing import Protocol

from chalicelib.core.scan import NotRecording
from chalicelib.media import matroska as m
from chalicelib.media.ebml import element, of_real, of_sint, of_uint, size_of, spelled
from chalicelib.media.index import ClusterAt, FrameAt
from chalicelib.media.matroska import Extras, Track

NUMBER_OF_KIND = {"video": 1, "audio": 2}

# A Cluster begins at a key frame, but not sooner than after the first of these; and at the latest after the
# second, or with so many bytes.
_CLUSTER_LEAST_MS, _CLUSTER_MOST_MS, _CLUSTER_BYTES = 1_000, 5_000, 4 << 20
# As far back as a block can say: farther is not told, for a Cluster that begins long before its predecessor
# would look like another clock.
_CLUSTER_BACK_MS = 1 << 15

# A day of Clusters of a second, and then some: memory does not grow with what a clock is made to show.
_MOST_CLUSTERS = 100_000
# With more cues than these every second one is forgotten: the front stays small.
_MOST_CUES = 16_384
# Key frames that follow sooner than this are not told of.
_KEY_FRAME_MS = 1_000

_NEVER = 1 << 62

_APPLICATION = b"Tracklane"

# A Cluster's head: id, size, and its time as an element.
CLUSTER_HEAD = 18
_CLUSTER_TIME = slice(10, CLUSTER_HEAD)
_cluster_head = Struct(">IIHQ").pack
# A size of four bytes, the time's id and size, and how much all of the time takes.
_SIZE, _STAMP, _TIME = 0x10000000, 0xE788, 10

# A simple block's id, size, track, relative time and marks, by how many bytes its size takes.
_BLOCKS = tuple(Struct(form).pack for form in (">BBBhB", ">BHBhB", ">BIBhB"))
_BLOCK_HEAD, _BLOCK_TAIL = 4, Struct(">hB")


class Sink(Protocol):
    """Takes a file whose front is known last."""

    def body(self, data: bytes) -> None:
        """The next bytes of what follows the front."""
        ...

    def front(self, data: bytes) -> None:
        """The bytes before the body, given last; ends the file."""
        ...


class Muxer:
    """Writes packets of one kind, and Clusters of any, to a sink. All times are milliseconds, and rise.

    `NotRecording` with the code `limits` when there are more Clusters than a day has.
    """

    def __init__(self, sink: Sink, kind: str) -> None:
        self._sink, self._number = sink, NUMBER_OF_KIND[kind]
        # Of audio every packet is a key frame: there the longest Clusters are as good.
        self._split_after = _CLUSTER_MOST_MS if kind == "audio" else _CLUSTER_LEAST_MS
        self._parts: list[bytes] = []
        self._start = self._size = self._opens = self._written = 0
        # Of the open Cluster: the earliest time that it tells; when it ends at a key frame, and when at any.
        self._least = self._split = self._most = 0
        # The last group's time in its Cluster, whether it is a key frame, what it says; and where it ends.
        self._said, self._said_until = (0, 0, Extras()), 0
        # Rows of four: time, place behind the front, size, key. Rows of three: time, place, size.
        self._clusters, self._key_frames = array("Q"), array("Q")
        self._next_key = 0 if kind == "video" else _NEVER

    def add(self, time: int, key: int, frame: bytes, extras: Extras | None) -> None:
        """Write a packet. `key` is 0x80 for a key frame and else 0."""
        if time >= self._most or (key and time >= self._split) or self._size >= _CLUSTER_BYTES:
            self._begin(time, key)
        elif time < self._least:
            time = self._least
        passed = time - self._start
        if extras is not None:
            self._group(passed, key, frame, extras)
            return
        length = len(frame)
        size = length + _BLOCK_HEAD
        if size < 0x7F:
            head, added = _BLOCKS[0](m.SIMPLE_BLOCK, 0x80 | size, 0x80 | self._number, passed, key), 6
        elif size < 0x3FFF:
            head, added = _BLOCKS[1](m.SIMPLE_BLOCK, 0x4000 | size, 0x80 | self._number, passed, key), 7
        else:
            head, added = _BLOCKS[2](m.SIMPLE_BLOCK, 0x10000000 | size, 0x80 | self._number, passed, key), 9
        if key and time >= self._next_key:
            self._note(time, added, length)
        self._parts += (head, frame)
        self._size += added + length

    def hold(self, until: int) -> None:
        """Have the last picture that was added shown until then: players stall where nothing spans a hole."""
        grouped = self._said_until == len(self._parts)
        taken = self._parts[-3 if grouped else -2 :]
        passed, key, said = self._said if grouped else (*_BLOCK_TAIL.unpack(taken[0][-3:]), Extras())
        del self._parts[-len(taken) :]
        self._size -= sum(map(len, taken))
        self._forget(self._written + CLUSTER_HEAD + self._size)
        longer = max(until - self._start - passed, said.duration_ms or 0)
        self._group(passed, key, taken[1], replace(said, duration_ms=longer))

    def copy(self, time: int, key: bool, cluster: bytes) -> None:
        """Write a whole Cluster that a Muxer made, at another time. `key`: a player can begin there."""
        self._flush()
        stamp = time.to_bytes(_CLUSTER_TIME.stop - _CLUSTER_TIME.start)
        rest = memoryview(cluster)[_CLUSTER_TIME.stop :]
        self._write(time, key, b"".join((cluster[: _CLUSTER_TIME.start], stamp, rest)))

    def finish(self, tracks: Sequence[Track], duration_ms: int) -> int:
        """Write what is left, and the front, whose size is told: there the Clusters begin."""
        self._flush()
        front = _front(tracks, duration_ms, self._cues(), self._written)
        self._sink.front(front)
        return len(front)

    def clusters(self, front: int) -> tuple[ClusterAt, ...]:
        """Where the Clusters lie in a file with so large a front."""
        return tuple(
            ClusterAt(time, front + place, size, bool(key))
            for time, place, size, key in _rows(self._clusters, 4)
        )

    def key_frames(self, front: int) -> tuple[FrameAt, ...]:
        """Where key frames of pictures lie in a file with so large a front; at most one each second."""
        return tuple(FrameAt(time, front + place, size) for time, place, size in _rows(self._key_frames, 3))

    def _group(self, passed: int, key: int, frame: bytes, extras: Extras) -> None:
        """A block with what only a group can carry."""
        head, tail = _group(self._number, passed, key, frame, extras)
        if key and self._start + passed >= self._next_key:
            self._note(self._start + passed, len(head), len(frame))
        self._parts += (head, frame, tail)
        self._size += len(head) + len(frame) + len(tail)
        self._said, self._said_until = (passed, key, extras), len(self._parts)

    def _note(self, time: int, head: int, size: int) -> None:
        """Keep in mind where the key frame lies that is about to be written behind so much of a head."""
        self._key_frames.extend((time, self._written + CLUSTER_HEAD + self._size + head, size))
        self._next_key = time + _KEY_FRAME_MS

    def _forget(self, place: int) -> None:
        """What was said of a key frame that would have begun behind this place."""
        if self._key_frames and self._key_frames[-2] > place:
            self._next_key = self._key_frames[-3]
            del self._key_frames[-3:]

    def _begin(self, time: int, key: int) -> None:
        self._flush()
        self._start, self._opens = time, key
        self._least, self._split, self._most = (
            time - _CLUSTER_BACK_MS,
            time + self._split_after,
            time + _CLUSTER_MOST_MS,
        )

    def _flush(self) -> None:
        if self._parts:
            self._parts.insert(0, _cluster_head(m.CLUSTER, _SIZE | self._size + _TIME, _STAMP, self._start))
            self._write(self._start, bool(self._opens), b"".join(self._parts))
            self._parts, self._size = [], 0
            self._most = self._said_until = 0

    def _write(self, time: int, key: bool, cluster: bytes) -> None:
        if len(self._clusters) >= 4 * _MOST_CLUSTERS:
            raise NotRecording("limits", f"the file has more than {_MOST_CLUSTERS} stretches")
        self._clusters.extend((time, self._written, len(cluster), key))
        self._sink.body(cluster)
        self._written += len(cluster)

    def _cues(self) -> list[tuple[int, int]]:
        """Times and places that a player can start at. A first Cluster without a key frame still is one."""
        rows = _rows(self._clusters, 4)
        cues = [(time, place) for time, place, _, key in rows if key or not place]
        return cues[:: 1 + len(cues) // _MOST_CUES]


def _rows(flat: "array[int]", width: int) -> Iterator[tuple[int, ...]]:
    return batched(flat, width, strict=True)


def _group(number: int, passed: int, key: int, frame: bytes, extras: Extras) -> tuple[bytes, bytes]:
    """What stands before and behind a frame that has a group."""
    tail = b""
    if extras.duration_ms:
        tail += of_uint(m.BLOCK_DURATION, extras.duration_ms)
    if not key:
        tail += of_sint(m.REFERENCE_BLOCK, extras.reference or -1)
    if extras.discard_ns:
        tail += of_sint(m.DISCARD_PADDING, extras.discard_ns)
    block = bytes([0x80 | number]) + passed.to_bytes(2, signed=True) + b"\0"
    inner = spelled(m.BLOCK) + size_of(len(block) + len(frame)) + block
    outer = spelled(m.BLOCK_GROUP) + size_of(len(inner) + len(frame) + len(tail))
    return outer + inner, tail


# --- the front ---

_SEEK, _SEEK_ID, _SEEK_POSITION = 0x4DBB, 0x53AB, 0x53AC
_DURATION, _MUXING_APP, _WRITING_APP = 0x4489, 0x4D80, 0x5741
_TRACK_UID, _FLAG_LACING, _SAMPLING_FREQUENCY = 0x73C5, 0x9C, 0xB5
_CUE_POINT, _CUE_TIME, _CUE_POSITIONS, _CUE_TRACK, _CUE_CLUSTER = 0xBB, 0xB3, 0xB7, 0xF7, 0xF1
_TYPE_OF_KIND = {"video": 1, "audio": 2}


type _Cues = list[tuple[int, int]]


def _front(tracks: Sequence[Track], duration_ms: int, cues: _Cues, body_size: int) -> bytes:
    """All that stands before the Clusters. Its places have a fixed length, so that its size is known."""
    number = min(NUMBER_OF_KIND[track.kind] for track in tracks)
    info, described = _info(duration_ms), element(m.TRACKS, *map(_track, tracks))
    seek_size = len(_seek_head(0, 0, 0))
    cues_at = seek_size + len(info) + len(described)
    clusters_at = cues_at + len(_cue_table(number, cues, 0))
    parts = (
        _seek_head(seek_size, seek_size + len(info), cues_at),
        info,
        described,
        _cue_table(number, cues, clusters_at),
    )
    segment = spelled(m.SEGMENT) + size_of(clusters_at + body_size, 8)
    return b"".join((_ebml_header(tracks), segment, *parts))


def _ebml_header(tracks: Sequence[Track]) -> bytes:
    # H.264 is not allowed in WebM proper.
    doc_type = b"matroska" if any(track.codec == "h264" for track in tracks) else b"webm"
    return element(
        m.EBML,
        of_uint(0x4286, 1),  # EBMLVersion
        of_uint(0x42F7, 1),  # EBMLReadVersion
        of_uint(0x42F2, 4),  # EBMLMaxIDLength
        of_uint(0x42F3, 8),  # EBMLMaxSizeLength
        element(m.DOC_TYPE, doc_type),
        of_uint(0x4287, 4),  # DocTypeVersion
        of_uint(0x4285, 2),  # DocTypeReadVersion
    )


def _seek_head(info_at: int, tracks_at: int, cues_at: int) -> bytes:
    places = ((m.INFO, info_at), (m.TRACKS, tracks_at), (m.CUES, cues_at))
    return element(
        m.SEEK_HEAD,
        *(
            element(_SEEK, element(_SEEK_ID, spelled(ident)), of_uint(_SEEK_POSITION, at, 8))
            for ident, at in places
        ),
    )


def _info(duration_ms: int) -> bytes:
    return element(
        m.INFO,
        of_uint(m.TIMESTAMP_SCALE, 1_000_000),
        of_real(_DURATION, max(1, duration_ms)),
        element(_MUXING_APP, _APPLICATION),
        element(_WRITING_APP, _APPLICATION),
    )


def _track(track: Track) -> bytes:
    """How long a picture lasts is left unsaid: where one comes after more than twice that, Media Source
    drops all up to the next key frame."""
    return element(
        m.TRACK_ENTRY,
        of_uint(m.TRACK_NUMBER, NUMBER_OF_KIND[track.kind]),
        of_uint(_TRACK_UID, NUMBER_OF_KIND[track.kind]),
        of_uint(m.TRACK_TYPE, _TYPE_OF_KIND[track.kind]),
        of_uint(_FLAG_LACING, 0),
        element(m.CODEC_ID, track.codec_id),
        element(m.CODEC_PRIVATE, track.private) if track.private else b"",
        _known(m.CODEC_DELAY, track.delay_ns),
        _known(m.SEEK_PRE_ROLL, track.pre_roll_ns),
        _audio(track) if track.kind == "audio" else _video(track),
    )


def _known(ident: int, value: int) -> bytes:
    return of_uint(ident, value) if value else b""


def _audio(track: Track) -> bytes:
    """Opus always sounds at 48 kHz."""
    return element(m.AUDIO, of_real(_SAMPLING_FREQUENCY, 48_000.0), of_uint(m.CHANNELS, track.channels))


def _video(track: Track) -> bytes:
    if not track.width or not track.height:
        return b""
    return element(m.VIDEO, of_uint(m.WIDTH, track.width), of_uint(m.HEIGHT, track.height))


def _cue_table(number: int, cues: _Cues, clusters_at: int) -> bytes:
    return element(m.CUES, *(_cue(number, time, clusters_at + place) for time, place in cues))


def _cue(number: int, time: int, place: int) -> bytes:
    where = element(_CUE_POSITIONS, of_uint(_CUE_TRACK, number), of_uint(_CUE_CLUSTER, place, 8))
    return element(_CUE_POINT, of_uint(_CUE_TIME, time), where)
