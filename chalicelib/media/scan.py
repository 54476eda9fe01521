"""What a recording is found to be, gathered packet by packet, and what is put where sound is missing.

Memory does not grow with a recording's length.
"""

from collections.abc import Iterable, Iterator

from chalicelib.core.scan import Scan
from chalicelib.media.codecs import KEY_SIZE, MAX_SIDE, OPUS_US, Size, opus_filler, opus_us
from chalicelib.media.matroska import Extras, Packet, Recording, Track

# More is not told: of the holes the longest are, of the changes the first.
MOST_HOLES = MOST_CHANGES = 1_000

# A packet that comes later than this after the last one's end leaves a hole.
AUDIO_HOLE_US = 100_000
VIDEO_HOLE_MS = 1_000

# An encoder with DTX says with a packet of at most two bytes that it falls silent, and speaks within 400 ms.
_DTX_BYTES, _DTX_US = 2, 420_000

# A packet that comes later than this after all that sounded is preceded by filler. Less is what rounding to
# milliseconds and a live muxer's jitter make, and nobody hears it: 5 ms are two of Opus's shortest frames.
LATE_US = 5_000
# Where so few packets are missing, the one before sounds again: after frames without a byte FFmpeg's decoder
# needs 100 ms to be as loud as before, after a repeated packet it is at once. In longer holes decoders are
# told nothing and let the sound before ring out, and in the longest they are told silence.
_MOST_REPEATED, _CONCEALED_US = 3, 1_000_000
# No packet of one frame is longer.
_OPUS_BYTES = 1_275
_FILLER_US, _SHORTEST_US = 120_000, 2_500
# What waits until it is known how late it is: so many bytes, with so many for a packet as such.
_WAITING_BYTES, _PACKET_BYTES = 1 << 20, 256

# How long a picture is shown when nothing in the file tells.
_LONE_PICTURE_MS = 33

# The first byte of a frame has one of these bits when it is no key frame.
_NOT_KEY = {"vp8": 0x01, "vp9": 0x0C}
_KEY = 0x80

type Gauge = AudioGauge | VideoGauge


def told(gauge: Gauge, recording: Recording, track: Track) -> Scan:
    """What was found, when all packets have been noted."""
    width, height = gauge.size() or (None, None)
    return Scan(
        kind=track.kind,
        codec=track.codec,
        first_ms=recording.first_ms,
        duration_ms=gauge.end_ms(),
        width=width,
        height=height,
        resolutions=tuple(gauge.changes),
        holes=gauge.holes(),
        tail_lost=recording.tail_lost,
        packets=gauge.packets,
        key_frames=gauge.key_frames,
        bytes_read=recording.bytes_read,
        lost_bytes=recording.lost_bytes,
        clock_breaks=recording.clock_breaks,
        sounded_us=gauge.sounded_us,
        spanned_us=gauge.spanned_us,
    )


class AudioGauge:
    """Measures Opus by what each packet says of its length, and fills up what is missing.

    A decoder puts one packet's sound behind the other's, whatever their timestamps say. So all that sounds is
    counted against the clock, and a packet that is late by that count is preceded by filler. It is not
    believed at once, though: where only the muxer was held up, the packets behind it are less and less late.
    No more is filled up than the least that one of them was late, and so jitter is filled up once, if at all.
    """

    def __init__(self, track: Track) -> None:
        self.packets, self.changes = 0, list[tuple[int, int, int]]()
        self._holes = Longest()
        # All that sounds, and of it the filler; where the clock is, and where the last hole ended.
        self._filled_us = self._filler_us = self._end_us = self._resumed_us = self._spanned_us = 0
        self._last = b""
        # Packets of which it is not known yet how late they are: their length, and the least lateness.
        self._waiting: list[Packet] = []
        self._ahead_us = self._lowest_us = self._weight = 0
        # Packets of several streams, which no meeting has, have a filler of their own, which we can not make.
        self._channels = track.channels if track.private[18:19] in (b"", b"\0") else 0

    def through(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """The packets, each of which is a key frame, and filler between them."""
        lengths_us = OPUS_US
        for packet in packets:
            time, marked, frame, extras = packet
            start_us = time * 1000
            if self._waiting or start_us - self._filled_us >= LATE_US:
                yield from self._late(packet)
            elif extras is not None or not marked:
                yield self._placed(packet)
            else:
                # As `_placed` does, which nearly all packets would have to be handed to.
                length_us = lengths_us[frame[0]] or opus_us(frame)
                self._filled_us += length_us
                if start_us + length_us > self._end_us:
                    self._end_us = start_us + length_us
                self._last = frame
                self.packets += 1
                yield packet
        yield from self._settled()

    @property
    def key_frames(self) -> int:
        """As many as there are packets."""
        return self.packets

    @property
    def sounded_us(self) -> int:
        """How long the file's own packets sound."""
        return self._filled_us - self._filler_us

    @property
    def spanned_us(self) -> int:
        """How far the file's clock went meanwhile: where that is another time, one of the clocks drifts."""
        return self._spanned_us + self._end_us - self._resumed_us

    def end_ms(self) -> int:
        """The last packet's end."""
        return (self._end_us + 500) // 1000

    def size(self) -> Size | None:
        """Sound has none."""
        return None

    def holes(self) -> tuple[tuple[int, int], ...]:
        """Where sound is missing, but not where the speaker was silent."""
        return self._holes.told()

    def _placed(self, packet: Packet) -> Packet:
        """Take a packet into account."""
        time, marked, frame, extras = packet
        length_us = OPUS_US[frame[0]] or opus_us(frame)
        if extras is not None and extras.discard_ns:
            length_us = max(0, min(length_us, length_us - extras.discard_ns // 1000))
        self._filled_us += length_us
        end_us = time * 1000 + length_us
        if end_us > self._end_us:
            self._end_us = end_us
        self._last = frame
        self.packets += 1
        return packet if marked else (time, _KEY, frame, extras)

    def _late(self, packet: Packet) -> Iterator[Packet]:
        """Have it wait, unless those that wait are settled by it and it is in time then."""
        late_us = packet[0] * 1000 - self._filled_us - self._ahead_us
        if self._waiting and (late_us >= self._lowest_us or self._weight > _WAITING_BYTES):
            yield from self._settled()
            late_us = packet[0] * 1000 - self._filled_us
            if late_us < LATE_US:
                yield self._placed(packet)
                return
        self._lowest_us = late_us
        self._waiting.append(packet)
        self._ahead_us += opus_us(packet[2])
        self._weight += len(packet[2]) + _PACKET_BYTES

    def _settled(self) -> Iterator[Packet]:
        """Filler for what is missing before those that wait, and they themselves, none of them late now."""
        waiting, self._waiting = self._waiting, []
        self._ahead_us = self._weight = 0
        if waiting and self._lowest_us >= LATE_US:
            self._tell(waiting[0][0])
            yield from self._filler(self._lowest_us // _SHORTEST_US * _SHORTEST_US)
        for time, marked, frame, extras in waiting:
            due_ms = self._filled_us // 1000
            held_up = self._channels > 0 and time * 1000 - self._filled_us >= LATE_US
            yield self._placed((due_ms if held_up else time, marked, frame, extras))

    def _tell(self, time: int) -> None:
        """Sound is missing before a packet of this time, or the file's clock has gone ahead of it."""
        missing_us = time * 1000 - self._end_us
        if missing_us < LATE_US:
            return
        self._spanned_us += self._end_us - self._resumed_us
        self._resumed_us = time * 1000
        quiet = len(self._last) <= _DTX_BYTES and missing_us <= _DTX_US
        if missing_us > AUDIO_HOLE_US and not quiet:
            self._holes.add(self._end_us // 1000, time)

    def _filler(self, missing_us: int) -> Iterator[Packet]:
        """No more than the clock can go, which is a day: some 720,000 packets, 14 MB."""
        fillers = self._again(missing_us) or self._quiet(missing_us)
        for filler in fillers:
            if self._channels:
                yield self._filled_us // 1000, _KEY, filler, None
            self._filler_us += opus_us(filler)
            self._filled_us += opus_us(filler)

    def _again(self, missing_us: int) -> list[bytes]:
        """The last packet, as often as it fits; not where it said that silence follows, or is no packet."""
        length_us = opus_us(self._last)
        count = (missing_us + length_us // 2) // length_us
        fits = count <= _MOST_REPEATED and abs(missing_us - count * length_us) < LATE_US
        sounds = _DTX_BYTES < len(self._last) <= _OPUS_BYTES
        return [self._last] * count if fits and sounds else []

    def _quiet(self, missing_us: int) -> Iterator[bytes]:
        silent = missing_us > _CONCEALED_US
        for at_us in range(0, missing_us, _FILLER_US):
            yield opus_filler(min(_FILLER_US, missing_us - at_us), self._channels, silent)


class VideoGauge:
    """Measures pictures by their distances, and their sizes by what VP8 and VP9 key frames say."""

    def __init__(self, track: Track) -> None:
        self.packets, self.key_frames, self.changes = 0, 0, list[tuple[int, int, int]]()
        self.sounded_us = self.spanned_us = 0
        self._track, self._read_size, self._not_key = (
            track,
            KEY_SIZE.get(track.codec),
            _NOT_KEY.get(track.codec, 0),
        )
        self._first_size: Size | None = None
        # Where the last picture begins, and where the last that tells its length ends.
        self._last, self._end, self._holes = 0, 0, Longest()
        # How often the next picture came after so many milliseconds.
        self._steps = [0] * (VIDEO_HOLE_MS + 1)

    def note(self, time: int, marked: int, frame: bytes, extras: Extras | None) -> int:
        """Take a packet into account; whether it is a key frame, by its own word where it has one."""
        step = time - self._last
        if step > 0:
            if step > VIDEO_HOLE_MS:
                self._late(time)
            else:
                self._steps[step] += 1
            self._last = time
        if extras is not None and extras.duration_ms:
            self._end = max(self._end, time + extras.duration_ms)
        self.packets += 1
        if self._read_size is None:
            self.key_frames += marked >> 7
            return marked
        if frame[0] & self._not_key:
            return 0
        return self._key(time, self._read_size(frame))

    def end_ms(self) -> int:
        """The last picture's end: it is shown as long as they usually are."""
        return max(self._end, self._last + self._usual_ms())

    def size(self) -> Size | None:
        """The first key frame's size, or else what the file's header says."""
        return self._first_size or believable(self._track.width, self._track.height)

    def holes(self) -> tuple[tuple[int, int], ...]:
        """Where no picture came for long after the last one should have ended."""
        usual = self._usual_ms()
        return tuple((min(start + usual, end), end) for start, end in self._holes.told())

    def _late(self, time: int) -> None:
        """The picture before may be meant to stand so long."""
        shown = max(self._end, self._last)
        if time - shown > VIDEO_HOLE_MS:
            self._holes.add(shown, time)

    def _key(self, time: int, size: Size | None) -> int:
        if size is None:
            return 0
        self.key_frames += 1
        shown = self.changes[-1][1:] if self.changes else self._first_size
        if believable(*size) and size != shown:
            self._changed(time, size)
        return _KEY

    def _changed(self, time: int, size: Size) -> None:
        if self._first_size is None:
            self._first_size = size
        elif len(self.changes) < MOST_CHANGES:
            self.changes.append((time, *size))

    def _usual_ms(self) -> int:
        """The median distance of two pictures."""
        half, seen = (sum(self._steps) + 1) // 2, 0
        if not half:
            return self._told_ms()
        for step, count in enumerate(self._steps):
            seen += count
            if seen >= half:
                return step
        return self._told_ms()

    def _told_ms(self) -> int:
        told_ms = self._track.frame_ns // 1_000_000
        return told_ms if 0 < told_ms <= VIDEO_HOLE_MS else _LONE_PICTURE_MS


class Longest:
    """Stretches without media; when there are too many, the longest."""

    def __init__(self) -> None:
        self._found: list[tuple[int, int]] = []

    def add(self, start: int, end: int) -> None:
        """Take note of one."""
        self._found.append((start, end))
        if len(self._found) > 2 * MOST_HOLES:
            self._found = list(self.told())

    def told(self) -> tuple[tuple[int, int], ...]:
        """All that count, in the order of time."""
        longest = sorted(self._found, key=lambda hole: hole[0] - hole[1])[:MOST_HOLES]
        return tuple(sorted(longest))


def believable(width: int, height: int) -> Size | None:
    """A picture's size, or None when no picture has it."""
    return (width, height) if 0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE else None
