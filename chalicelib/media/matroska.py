"""A recording read once, packet by packet, from a WebM that may be live, cut off, damaged or hostile.

Only one element is held at a time, and none over `LARGEST`. Where the bytes make no sense, reading goes on
at the next Cluster. What can not be a recording of one track is refused with `NotRecording`, whose codes are
`empty`, `not_webm`, `no_media`, `too_many_tracks`, `unsupported_codec`, `content_encoding`, `attachments`,
`no_packets` and `limits`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from chalicelib.core.scan import NotRecording
from chalicelib.media.codecs import CODECS, opus_us
from chalicelib.media.ebml import (
    HEADER,
    LENGTH,
    MASK,
    Malformed,
    Window,
    children,
    header,
    number,
    sint,
    uint,
)

EBML, DOC_TYPE = 0x1A45DFA3, 0x4282
SEGMENT, SEEK_HEAD, INFO, TRACKS, CLUSTER = 0x18538067, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1F43B675
CUES, TAGS, CHAPTERS, ATTACHMENTS, VOID, CRC = 0x1C53BB6B, 0x1254C367, 0x1043A770, 0x1941A469, 0xEC, 0xBF
TIMESTAMP, POSITION, PREV_SIZE, SILENT_TRACKS = 0xE7, 0xA7, 0xAB, 0x5854
SIMPLE_BLOCK, BLOCK_GROUP = 0xA3, 0xA0
BLOCK, BLOCK_DURATION, REFERENCE_BLOCK, DISCARD_PADDING = 0xA1, 0x9B, 0xFB, 0x75A2
TIMESTAMP_SCALE = 0x2AD7B1
TRACK_ENTRY, TRACK_NUMBER, TRACK_TYPE, CODEC_ID, CODEC_PRIVATE = 0xAE, 0xD7, 0x83, 0x86, 0x63A2
CODEC_DELAY, SEEK_PRE_ROLL, DEFAULT_DURATION, ENCODINGS = 0x56AA, 0x56BB, 0x23E383, 0x6D80
VIDEO, WIDTH, HEIGHT, AUDIO, CHANNELS = 0xE0, 0xB0, 0xBA, 0xE1, 0x9F

# Far beyond any packet that a meeting has, and any recording.
LARGEST = 16 << 20
LARGEST_HEADER = 1 << 20
LARGEST_PRIVATE = 1 << 16
LONGEST_MS = 24 * 3_600_000
MOST_ELEMENTS = 3_000_000
MOST_PACKETS = 20_000_000
MOST_CHILDREN = 100  # of one small element, as a block's group or a track's description

# The same clock never goes back further than this from one Cluster to the next.
_BACKWARD_MS = 1_000
# A timestamp that no clock shows, so the bytes are damaged; smaller ones are exact in JSON.
_NEVER_MS = 1 << 53

_MILLISECOND_NS = 1_000_000
_KIND_OF_TYPE = {1: "video", 2: "audio"}
_STEP_MS = {"video": 33, "audio": 20}
_LACED = 0x06
_KEY = 0x80
_RELATIVE = tuple(high << 8 if high < 128 else (high - 256) << 8 for high in range(256))
# What a Cluster's body begins with.
_FIRST_IN_CLUSTER = {TIMESTAMP, CRC, POSITION, PREV_SIZE, VOID}


@dataclass(frozen=True, slots=True)
class Track:
    """The one track of a recording."""

    number: int
    kind: str
    codec: str
    codec_id: bytes
    private: bytes = b""
    channels: int = 1
    width: int = 0
    height: int = 0
    frame_ns: int = 0
    delay_ns: int = 0
    pre_roll_ns: int = 0

    def same_stream(self, other: "Track") -> bool:
        """Whether the other's packets can follow this one's."""
        mine, theirs = (self.number, self.codec, self.private), (other.number, other.codec, other.private)
        return mine == theirs


@dataclass(frozen=True, slots=True)
class Extras:
    """What a few packets carry beside their bytes. `reference` is None for a key frame."""

    duration_ms: int | None = None
    discard_ns: int | None = None
    reference: int | None = None


# A packet's time from the first packet's in milliseconds, whether its block is marked as a key frame, and its
# bytes. A plain tuple, for there are millions.
type Packet = tuple[int, int, bytes, Extras | None]


class Recording:
    """A stream of WebM. `open` first, then `packets` once; the rest is known when they have ended.

    `tail_lost`: the stream ends inside of something. `lost_bytes`: bytes that were damaged and passed over.
    `clock_breaks`: how often the file's clock jumped where time can not, so that it was continued instead.
    """

    def __init__(
        self, chunks: Iterable[bytes], most_elements: int = MOST_ELEMENTS, most_packets: int = MOST_PACKETS
    ) -> None:
        self.window = Window(chunks)
        self.tail_lost = False
        self.lost_bytes = self.clock_breaks = self.first_ms = 0
        self._track: Track | None = None
        self._scale_ns = _MILLISECOND_NS
        # What is left to be read: elements one by one, and packets in runs, which cost far less.
        self._elements_left, self._packets_left = most_elements, most_packets
        self._segment_end: int | None = None
        self._in_cluster = self._restarted = False
        self._cluster_end: int | None = None
        # The Cluster's own timestamp, as it stands in the file.
        self._cluster_ticks: int | None = None
        # The first packet's own time; what to add to the file's clock; the last packet's time from the first.
        self._first: int | None = None
        self._shift = self._last = 0

    @property
    def bytes_read(self) -> int:
        """How far the stream was read."""
        return self.window.offset

    def open(self) -> Track:
        """Read all that comes before the packets; `NotRecording` when they are none that we take."""
        self._begin()
        while not self._in_cluster and self.window.peek(1):
            self._element()
        return self._media

    def packets(self) -> Iterator[Packet]:
        """Every whole packet, in the order of the file."""
        while self.window.peek(1):
            if self._plain():
                yield from self._run()
            if self.window.peek(1):
                yield from self._element()
        self._end()

    def _begin(self) -> None:
        if not self.window.peek(1):
            raise NotRecording("empty", "the file has no bytes")
        self.window.peek(HEADER)
        found = header(self.window.buf, self.window.pos)
        if found is None or found[0] != EBML or found[1] is None or found[1] > LARGEST_HEADER:
            raise NotRecording("not_webm", "the file does not begin as WebM does")
        self.window.pos = found[2]
        body = self.window.take(found[1])
        if body is None or _doc_type(body) not in (b"webm", b"matroska"):
            raise NotRecording("not_webm", "the file's first header is not WebM's")

    def _plain(self) -> bool:
        """Whether the first packet has set the clock, and its ticks are milliseconds."""
        return None not in (self._cluster_ticks, self._first) and self._scale_ns == _MILLISECOND_NS

    def _run(self) -> Iterator[Packet]:
        """Packets from whole simple blocks that lie in the window.

        Nearly all bytes of a recording pass here, so it is one loop over local names. It gives up, without
        harm, on whatever is not plain: `_element` takes that.
        """
        window = self.window
        buf, pos = window.buf, window.pos
        limit = len(buf) if self._cluster_end is None else min(len(buf), self._cluster_end - window.base)
        last_start = limit - HEADER - 4
        mark = _KEY | self._media.number
        origin = (self._cluster_ticks or 0) + self._shift - (self._first or 0)
        relative, began, time, count = _RELATIVE, pos, self._last, 0
        while pos <= last_start and buf[pos] == SIMPLE_BLOCK:
            size = buf[pos + 1]
            if size >= 0x80:
                start = pos + 2
                stop = start + size - 0x80
            elif size >= 0x40:
                start = pos + 3
                stop = start + (size - 0x40 << 8) + buf[pos + 2]
            else:
                start = pos + 1 + LENGTH[size]
                stop = start + (int.from_bytes(buf[pos + 1 : start]) & MASK[start - pos - 1])
            flags = buf[start + 3]
            if buf[start] != mark or flags & _LACED or stop > limit or stop < start + 5:
                break
            time = origin + relative[buf[start + 1]] + buf[start + 2]
            if time < 0:
                time = 0
            pos = stop
            count += 1
            yield time, flags & _KEY, buf[start + 4 : stop], None
        if pos != began:
            window.pos, self._last = pos, time
            self._packets_left -= count

    def _element(self) -> Iterable[Packet]:
        """Pass one element, of any kind; the packets that were in it."""
        self._count()
        window = self.window
        window.peek(HEADER)
        self._leave_cluster()
        found = header(window.buf, window.pos)
        if found is None or not self._belongs(*found):
            self._resync()
            return ()
        ident, size, start = found
        began, window.pos = window.offset, start
        try:
            return self._passed(began, _HANDLERS[ident](self, size or 0, size is not None))
        except Malformed:
            self.lost_bytes += window.offset - began
            return ()

    def _count(self) -> None:
        """One element more, or something that looked like one."""
        self._elements_left -= 1
        if min(self._elements_left, self._packets_left) < 0:
            raise NotRecording("limits", "the file has more elements than any recording")

    def _passed(self, began: int, packets: Iterable[Packet] | None) -> Iterable[Packet]:
        if packets is None:
            self._lose(began)
            return ()
        return packets

    def _leave_cluster(self) -> None:
        if self._cluster_end is not None and self.window.offset >= self._cluster_end:
            self._in_cluster, self._cluster_end, self._cluster_ticks = False, None, None

    def _belongs(self, ident: int, size: int | None, start: int) -> bool:
        """Whether such an element can stand here."""
        if ident in (SEGMENT, CLUSTER):
            return True
        if ident not in _HANDLERS or size is None or size > LARGEST:
            return False
        if ident not in _IN_CLUSTER:
            return True
        end = self.window.base + start + size
        return self._in_cluster and (self._cluster_end is None or end <= self._cluster_end)

    def _resync(self) -> None:
        """Go on at the next Cluster, which is known by the beginning of its body, too."""
        window = self.window
        began = window.offset
        while window.find(CLUSTER.to_bytes(4)):
            window.peek(2 * HEADER)
            found = header(window.buf, window.pos)
            inner = header(window.buf, found[2]) if found else None
            if inner and inner[0] in _FIRST_IN_CLUSTER:
                self.lost_bytes += window.offset - began
                return
            window.pos += 1
            self._count()
        self._lose(began)

    def _lose(self, began: int) -> None:
        """The stream ended; nothing since `began` was of use. Behind the told end of all, nothing was due."""
        self.lost_bytes += self.window.offset - began
        self._in_cluster, self._cluster_end = False, None
        if self._segment_end is None or began < self._segment_end:
            self.tail_lost = True

    def _end(self) -> None:
        end = self.window.offset
        if any(known is not None and end < known for known in (self._cluster_end, self._segment_end)):
            self.tail_lost = True

    # --- one method for each element: the packets in it, or None when the stream ends inside of it ---

    def _pass(self, size: int, _: bool = True) -> Iterable[Packet] | None:
        return () if self.window.skip(size) else None

    def _top(self, size: int, _: bool = True) -> Iterable[Packet] | None:
        """Something beside the Clusters, which ends one of unknown size."""
        self._in_cluster, self._cluster_end, self._cluster_ticks = False, None, None
        return self._pass(size)

    def _again(self, size: int, _: bool) -> Iterable[Packet] | None:
        """A second file begins in this one."""
        self._restarted, self._segment_end = True, None
        return self._top(size)

    def _segment(self, size: int, known: bool) -> Iterable[Packet] | None:
        self._segment_end = self.window.offset + size if known else None
        return self._top(0)

    def _info(self, size: int, _: bool) -> Iterable[Packet] | None:
        self._top(0)
        body = self.window.take(size)
        if body is None:
            return None
        self._scale_ns = _scale(body)
        return ()

    def _tracks(self, size: int, _: bool) -> Iterable[Packet] | None:
        self._top(0)
        if size > LARGEST_HEADER:
            raise NotRecording("limits", "the description of the tracks is too large")
        body = self.window.take(size)
        if body is None:
            return None
        if self._track is None:
            self._track = the_track(body)
            return ()
        return () if self._follows(body) else self._stop()

    def _follows(self, body: bytes) -> bool:
        try:
            return self._media.same_stream(the_track(body))
        except NotRecording:
            return False

    def _stop(self) -> Iterable[Packet] | None:
        """What follows is of another recording."""
        self._segment_end = None
        self.window.drain()
        return None

    def _attachments(self, _size: int, _: bool) -> Iterable[Packet] | None:
        raise NotRecording("attachments", "the file carries attachments")

    def _cluster(self, size: int, known: bool) -> Iterable[Packet] | None:
        # Without a track there is nothing to read Clusters for.
        self._in_cluster, self._cluster_ticks = self._media is not None, None
        self._cluster_end = self.window.offset + size if known else None
        return ()

    def _timestamp(self, size: int, _: bool) -> Iterable[Packet] | None:
        body = self.window.take(size)
        if body is None:
            return None
        self._cluster_ticks = None
        ticks = uint(body)
        self._agree(self._ms(ticks))
        self._cluster_ticks = ticks
        return ()

    def _agree(self, time: int) -> None:
        """Go by the file's clock, unless it shows what no clock does: then go on from the last packet."""
        if self._first is None:
            if time > _NEVER_MS:
                raise Malformed(f"the clock shows {time} ms")
            return
        passed = time + self._shift - self._first
        if not self._restarted and self._last - _BACKWARD_MS <= passed <= LONGEST_MS:
            return
        if self._last > LONGEST_MS:
            raise NotRecording("limits", "the file claims to last longer than a day")
        self._shift += self._last + _STEP_MS[self._media.kind] - passed
        self._restarted = False
        self.clock_breaks += 1

    def _simple_block(self, size: int, _: bool) -> Iterable[Packet] | None:
        body = self.window.take(size)
        return None if body is None else self._unpacked(body, None, None)

    def _block_group(self, size: int, _: bool) -> Iterable[Packet] | None:
        body = self.window.take(size)
        if body is None:
            return None
        parts = _parts(body)
        return self._unpacked(parts.get(BLOCK, b""), REFERENCE_BLOCK not in parts, self._extras(parts))

    def _extras(self, parts: dict[int, bytes]) -> Extras | None:
        duration = self._ms(uint(parts.get(BLOCK_DURATION, b"")))
        discard = sint(parts.get(DISCARD_PADDING, b""))
        if not 0 < duration <= LONGEST_MS and not discard:
            return None
        reference = sint(parts[REFERENCE_BLOCK]) if REFERENCE_BLOCK in parts else None
        return Extras(duration if 0 < duration <= LONGEST_MS else None, discard or None, reference)

    def _unpacked(self, body: bytes, key: bool | None, extras: Extras | None) -> Iterable[Packet]:
        """The packets of a block. `key` is None where the block's own mark counts."""
        found = number(body, 0)
        if found is None or len(body) < found[1] + 3 or self._cluster_ticks is None:
            raise Malformed("a block that is cut off, or that has no time")
        track, at = found
        if track != self._media.number:
            return ()
        flags = body[at + 2]
        marked = flags & _KEY if key is None else _KEY * key
        frames = [frame for frame in _laced(body, at + 3, flags & _LACED) if frame]
        time = self._ms(self._cluster_ticks + int.from_bytes(body[at : at + 2], signed=True))
        return self._timed(frames, time, marked, extras)

    def _timed(self, frames: list[bytes], time: int, marked: int, extras: Extras | None) -> Iterable[Packet]:
        """Packets, the first one at this time of the file's clock; those laced together follow each other."""
        if not frames:
            return ()
        if self._first is None:
            self._first = self.first_ms = time
        packets: list[Packet] = []
        passed_us = 0
        self._packets_left -= len(frames)
        for frame in frames:
            self._last = max(0, time + self._shift - self._first + passed_us // 1000)
            packets.append((self._last, marked, frame, extras))
            passed_us += self._length_us(frame)
        return packets

    def _length_us(self, frame: bytes) -> int:
        media = self._media
        return opus_us(frame) if media.codec == "opus" else media.frame_ns // 1000

    def _ms(self, ticks: int) -> int:
        return (ticks * self._scale_ns + _MILLISECOND_NS // 2) // _MILLISECOND_NS

    @property
    def _media(self) -> Track:
        if self._track is None:
            raise NotRecording("no_media", "no track is described before the media")
        return self._track


_IN_CLUSTER = {TIMESTAMP, POSITION, PREV_SIZE, SILENT_TRACKS, SIMPLE_BLOCK, BLOCK_GROUP}

_HANDLERS: dict[int, Callable[[Recording, int, bool], Iterable[Packet] | None]] = {
    EBML: Recording._again,
    SEGMENT: Recording._segment,
    INFO: Recording._info,
    TRACKS: Recording._tracks,
    ATTACHMENTS: Recording._attachments,
    SEEK_HEAD: Recording._top,
    CUES: Recording._top,
    TAGS: Recording._top,
    CHAPTERS: Recording._top,
    CLUSTER: Recording._cluster,
    TIMESTAMP: Recording._timestamp,
    SIMPLE_BLOCK: Recording._simple_block,
    BLOCK_GROUP: Recording._block_group,
    POSITION: Recording._pass,
    PREV_SIZE: Recording._pass,
    SILENT_TRACKS: Recording._pass,
    VOID: Recording._pass,
    CRC: Recording._pass,
}


def the_track(body: bytes) -> Track:
    """The one track that a Tracks element describes; `NotRecording` when it is not one that we take."""
    try:
        entries = [_parts(entry) for ident, entry in children(body) if ident == TRACK_ENTRY]
        return _checked([entry for entry in entries if _type(entry) in _KIND_OF_TYPE])
    except Malformed as wrong:
        raise NotRecording("no_media", f"the description of the tracks is damaged: {wrong}") from None


def _checked(media: list[dict[int, bytes]]) -> Track:
    if not media:
        raise NotRecording("no_media", "the file has neither an audio nor a video track")
    if len(media) > 1:
        raise NotRecording("too_many_tracks", f"the file has {len(media)} tracks, and a recording has one")
    entry = media[0]
    if ENCODINGS in entry:
        raise NotRecording("content_encoding", "the track is compressed or encrypted as a whole")
    codec_id = entry.get(CODEC_ID, b"").rstrip(b"\0")
    kind, codec = CODECS.get(codec_id, ("", ""))
    if kind != _KIND_OF_TYPE[_type(entry)]:
        raise NotRecording("unsupported_codec", f"the track's codec is {codec_id[:40].decode('latin-1')!r}")
    if len(entry.get(CODEC_PRIVATE, b"")) > LARGEST_PRIVATE:
        raise NotRecording("limits", "the codec's own header is too large")
    return _described(entry, kind, codec, codec_id)


def _described(entry: dict[int, bytes], kind: str, codec: str, codec_id: bytes) -> Track:
    video, audio = _parts(entry.get(VIDEO, b"")), _parts(entry.get(AUDIO, b""))
    number_of = uint(entry.get(TRACK_NUMBER, b""))
    # A block's track number that takes one byte is all that a file with one track has use for.
    if not 0 < number_of < MASK[1]:
        raise NotRecording("limits", f"the track's number is {number_of}")
    return Track(
        number=number_of,
        kind=kind,
        codec=codec,
        codec_id=codec_id,
        private=entry.get(CODEC_PRIVATE, b""),
        channels=uint(audio.get(CHANNELS, b"\1")),
        width=uint(video.get(WIDTH, b"")),
        height=uint(video.get(HEIGHT, b"")),
        frame_ns=uint(entry.get(DEFAULT_DURATION, b"")),
        delay_ns=uint(entry.get(CODEC_DELAY, b"")),
        pre_roll_ns=uint(entry.get(SEEK_PRE_ROLL, b"")),
    )


def _type(entry: dict[int, bytes]) -> int:
    return uint(entry.get(TRACK_TYPE, b""))


def _parts(body: bytes) -> dict[int, bytes]:
    """The children of a small element, the first of each id."""
    parts: dict[int, bytes] = {}
    for count, (ident, part) in enumerate(children(body)):
        if count >= MOST_CHILDREN:
            raise Malformed("too many children")
        parts.setdefault(ident, part)
    return parts


def _doc_type(body: bytes) -> bytes:
    try:
        return _parts(body).get(DOC_TYPE, b"").rstrip(b"\0")
    except Malformed:
        return b""


def _scale(body: bytes) -> int:
    """Nanoseconds to a tick of the file's clock; a millisecond where nothing sensible is said."""
    told = uint(_parts(body).get(TIMESTAMP_SCALE, b""))
    return told if 0 < told <= 1_000 * _MILLISECOND_NS else _MILLISECOND_NS


# --- lacing: several frames in one block (RFC 9559, 10.3) ---


def _laced(body: bytes, at: int, lacing: int) -> list[bytes]:
    if not lacing:
        return [body[at:]]
    if at >= len(body):
        raise Malformed("a laced block without a count")
    count, at = body[at] + 1, at + 1
    sizes, at = _LACINGS[lacing](body, at, count)
    sizes.append(len(body) - at - sum(sizes))
    if min(sizes) < 0:
        raise Malformed("laced frames that are larger than their block")
    frames = []
    for size in sizes:
        frames.append(body[at : at + size])
        at += size
    return frames


def _xiph(body: bytes, at: int, count: int) -> tuple[list[int], int]:
    sizes = []
    for _ in range(count - 1):
        size = 0
        while size <= len(body) and at < len(body) and body[at] == 255:
            size, at = size + 255, at + 1
        if size > len(body) or at >= len(body):
            raise Malformed("laced sizes that do not end")
        sizes.append(size + body[at])
        at += 1
    return sizes, at


def _equal(body: bytes, at: int, count: int) -> tuple[list[int], int]:
    size, rest = divmod(len(body) - at, count)
    if rest:
        raise Malformed("laced frames that are not equal")
    return [size] * (count - 1), at


def _ebml(body: bytes, at: int, count: int) -> tuple[list[int], int]:
    """The first size, then signed differences."""
    sizes: list[int] = []
    for index in range(count - 1):
        found = number(body, at)
        if found is None:
            raise Malformed("laced sizes that do not end")
        length, (value, at) = found[1] - at, found
        sizes.append(value if index == 0 else sizes[-1] + value - (MASK[length] >> 1))
        if sizes[-1] < 0:
            raise Malformed("a laced frame of negative size")
    return sizes, at


type _Lacing = Callable[[bytes, int, int], tuple[list[int], int]]
_LACINGS: dict[int, _Lacing] = {0x02: _xiph, 0x04: _equal, 0x06: _ebml}
