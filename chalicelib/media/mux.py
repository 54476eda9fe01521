"""A seekable WebM written in one go: Clusters as packets come, and last what stands before them.

EBML header, SeekHead, Info with the duration, Tracks, Cues, Clusters of known size. The same packets give
the same bytes. Nothing in it comes from the source's headers but what a decoder needs.
"""

from array import array
from struct import Struct
from typing import Protocol

from chalicelib.core.scan import Scan
from chalicelib.media import matroska as m
from chalicelib.media.codecs import opus_head
from chalicelib.media.ebml import element, of_real, of_sint, of_uint, size_of, spelled
from chalicelib.media.matroska import Extras, Track

# A Cluster begins at a key frame, but not sooner than after the first of these; and at the latest after the
# second, or with so many bytes.
_CLUSTER_LEAST_MS, _CLUSTER_MOST_MS, _CLUSTER_BYTES = 1_000, 5_000, 4 << 20
# As far back as a block can say: a Cluster that begins before its predecessor would look like another clock.
_CLUSTER_BACK_MS = 32_000

# With more than these every second one is forgotten: memory does not grow with the recording.
_MOST_CUES = 16_384

_NUMBER = 1
_KEY = 0x80
_APPLICATION = b"Tracklane"

# A simple block's id, size, track, relative time and marks, by how many bytes its size takes.
_BLOCKS = tuple(Struct(form).pack for form in (">BBBhB", ">BHBhB", ">BIBhB"))
_BLOCK_HEAD = 4


class Sink(Protocol):
    """Takes a file whose front is known last."""

    def body(self, data: bytes) -> None:
        """The next bytes of what follows the front."""
        ...

    def front(self, data: bytes) -> int:
        """The bytes before the body, given last; ends the file and returns its size."""
        ...


class Muxer:
    """Writes the packets of one track to a sink."""

    def __init__(self, sink: Sink, kind: str) -> None:
        self._sink = sink
        # Of audio every packet is a key frame: there the longest Clusters are as good.
        self._split_after = _CLUSTER_MOST_MS if kind == "audio" else _CLUSTER_LEAST_MS
        self._parts: list[bytes] = []
        self._start = self._size = self._written = 0
        self._cues = Cues()

    def add(self, time: int, key: int, frame: bytes, extras: Extras | None) -> None:
        """Write a packet."""
        passed = time - self._start
        if (
            passed >= _CLUSTER_MOST_MS
            or (key and passed >= self._split_after)
            or self._size >= _CLUSTER_BYTES
            or passed < -_CLUSTER_BACK_MS
            or not self._parts
        ):
            self._begin(time, key)
            passed = 0
        if extras is not None:
            self._keep(_group(passed, key, frame, extras))
            return
        size = len(frame) + _BLOCK_HEAD
        if size < 0x7F:
            head = _BLOCKS[0](m.SIMPLE_BLOCK, 0x80 | size, 0x80 | _NUMBER, passed, key)
        elif size < 0x3FFF:
            head = _BLOCKS[1](m.SIMPLE_BLOCK, 0x4000 | size, 0x80 | _NUMBER, passed, key)
        else:
            head = _BLOCKS[2](m.SIMPLE_BLOCK, 0x10000000 | size, 0x80 | _NUMBER, passed, key)
        self._parts += (head, frame)
        self._size += size + 5

    def finish(self, track: Track, scan: Scan) -> int:
        """Write what is left and the front; the size of the whole file."""
        self._flush()
        return self._sink.front(_front(track, scan, self._cues, self._written))

    def _keep(self, block: bytes) -> None:
        self._parts.append(block)
        self._size += len(block)

    def _begin(self, time: int, key: int) -> None:
        self._flush()
        self._start = time
        # A first Cluster without a key frame is still the place to begin at.
        if key or not self._written:
            self._cues.add(time, self._written)

    def _flush(self) -> None:
        if not self._parts:
            return
        body = b"".join(self._parts)
        stamp = of_uint(m.TIMESTAMP, self._start)
        head = spelled(m.CLUSTER) + size_of(len(stamp) + len(body), 4) + stamp
        self._sink.body(head + body)
        self._written += len(head) + len(body)
        self._parts, self._size = [], 0


class Cues:
    """Where Clusters begin that a player can start at: times, and places behind the front."""

    def __init__(self) -> None:
        self.times, self.places = array("Q"), array("Q")
        self._every, self._seen = 1, 0

    def add(self, time: int, place: int) -> None:
        """Take note of one."""
        if self._seen % self._every == 0:
            self.times.append(time)
            self.places.append(place)
        self._seen += 1
        if len(self.times) > _MOST_CUES:
            self.times, self.places = self.times[::2], self.places[::2]
            self._every *= 2


def _group(passed: int, key: int, frame: bytes, extras: Extras) -> bytes:
    """A block with what only a group can carry."""
    block = bytes([0x80 | _NUMBER]) + passed.to_bytes(2, signed=True) + b"\0" + frame
    parts = [element(m.BLOCK, block)]
    if extras.duration_ms:
        parts.append(of_uint(m.BLOCK_DURATION, extras.duration_ms))
    if not key:
        parts.append(of_sint(m.REFERENCE_BLOCK, extras.reference or -1))
    if extras.discard_ns:
        parts.append(of_sint(m.DISCARD_PADDING, extras.discard_ns))
    return element(m.BLOCK_GROUP, *parts)


# --- the front ---

_SEEK, _SEEK_ID, _SEEK_POSITION = 0x4DBB, 0x53AB, 0x53AC
_DURATION, _MUXING_APP, _WRITING_APP = 0x4489, 0x4D80, 0x5741
_TRACK_UID, _FLAG_LACING, _SAMPLING_FREQUENCY = 0x73C5, 0x9C, 0xB5
_CUE_POINT, _CUE_TIME, _CUE_POSITIONS, _CUE_TRACK, _CUE_CLUSTER = 0xBB, 0xB3, 0xB7, 0xF7, 0xF1
_TYPE_OF_KIND = {"video": 1, "audio": 2}
# H.264 is not allowed in WebM proper.
_DOC_TYPES = {"h264": b"matroska"}


def _front(track: Track, scan: Scan, cues: Cues, body_size: int) -> bytes:
    """All that stands before the Clusters. Its places have a fixed length, so that its size is known."""
    info, tracks = _info(scan), _tracks(track, scan)
    seek_size = len(_seek_head(0, 0, 0))
    cues_at = seek_size + len(info) + len(tracks)
    clusters_at = cues_at + len(_cue_table(cues, 0))
    parts = (
        _seek_head(seek_size, seek_size + len(info), cues_at),
        info,
        tracks,
        _cue_table(cues, clusters_at),
    )
    segment = spelled(m.SEGMENT) + size_of(clusters_at + body_size, 8)
    return b"".join((_ebml_header(track), segment, *parts))


def _ebml_header(track: Track) -> bytes:
    return element(
        m.EBML,
        of_uint(0x4286, 1),  # EBMLVersion
        of_uint(0x42F7, 1),  # EBMLReadVersion
        of_uint(0x42F2, 4),  # EBMLMaxIDLength
        of_uint(0x42F3, 8),  # EBMLMaxSizeLength
        element(m.DOC_TYPE, _DOC_TYPES.get(track.codec, b"webm")),
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


def _info(scan: Scan) -> bytes:
    return element(
        m.INFO,
        of_uint(m.TIMESTAMP_SCALE, 1_000_000),
        of_real(_DURATION, max(1, scan.duration_ms)),
        element(_MUXING_APP, _APPLICATION),
        element(_WRITING_APP, _APPLICATION),
    )


def _tracks(track: Track, scan: Scan) -> bytes:
    private = track.private
    if track.codec == "opus" and not private.startswith(b"OpusHead"):
        private = opus_head(track.channels)
    return element(
        m.TRACKS,
        element(
            m.TRACK_ENTRY,
            of_uint(m.TRACK_NUMBER, _NUMBER),
            of_uint(_TRACK_UID, _NUMBER),
            of_uint(m.TRACK_TYPE, _TYPE_OF_KIND[track.kind]),
            of_uint(_FLAG_LACING, 0),
            element(m.CODEC_ID, track.codec_id),
            element(m.CODEC_PRIVATE, private) if private else b"",
            _known(m.DEFAULT_DURATION, track.frame_ns),
            _known(m.CODEC_DELAY, track.delay_ns),
            _known(m.SEEK_PRE_ROLL, track.pre_roll_ns),
            _audio(private) if track.kind == "audio" else _video(scan),
        ),
    )


def _known(ident: int, value: int) -> bytes:
    return of_uint(ident, value) if value else b""


def _audio(head: bytes) -> bytes:
    """Opus always sounds at 48 kHz; its own header knows the channels best."""
    channels = head[9] if len(head) > 9 else 1
    return element(m.AUDIO, of_real(_SAMPLING_FREQUENCY, 48_000.0), of_uint(m.CHANNELS, max(1, channels)))


def _video(scan: Scan) -> bytes:
    if scan.width is None or scan.height is None:
        return b""
    return element(m.VIDEO, of_uint(m.WIDTH, scan.width), of_uint(m.HEIGHT, scan.height))


def _cue_table(cues: Cues, clusters_at: int) -> bytes:
    return element(
        m.CUES,
        *(_cue(time, clusters_at + place) for time, place in zip(cues.times, cues.places, strict=True)),
    )


def _cue(time: int, place: int) -> bytes:
    where = element(_CUE_POSITIONS, of_uint(_CUE_TRACK, _NUMBER), of_uint(_CUE_CLUSTER, place, 8))
    return element(_CUE_POINT, of_uint(_CUE_TIME, time), where)
