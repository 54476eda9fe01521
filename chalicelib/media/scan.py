"""What a recording is found to be, gathered packet by packet. Memory does not grow with its length."""

from chalicelib.core.scan import Scan
from chalicelib.media.codecs import KEY_SIZE, MAX_SIDE, OPUS_US, Size, opus_us
from chalicelib.media.matroska import Extras, Recording, Track

# More is not told: of the holes the longest are, of the changes the first.
MOST_HOLES = MOST_CHANGES = 1_000

# A packet that comes later than this after the last one's end leaves a hole.
AUDIO_HOLE_US = 100_000
VIDEO_HOLE_MS = 1_000

# An encoder with DTX says with a packet of at most two bytes that it falls silent, and speaks within 400 ms.
_DTX_BYTES, _DTX_US = 2, 420_000

# How long a picture is shown when nothing in the file tells.
_LONE_PICTURE_MS = 33

# The first byte of a frame has one of these bits when it is no key frame.
_NOT_KEY = {"vp8": 0x01, "vp9": 0x0C}
_KEY = 0x80

type Gauge = AudioGauge | VideoGauge


def gauge_of(track: Track) -> Gauge:
    """What measures a track's packets."""
    return AudioGauge() if track.kind == "audio" else VideoGauge(track)


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
    )


class AudioGauge:
    """Measures Opus by what each packet says of its length."""

    def __init__(self) -> None:
        self.packets, self.changes = 0, list[tuple[int, int, int]]()
        self._holes, self._end_us, self._quiet = Longest(), 0, False

    def note(self, time: int, _marked: int, frame: bytes, extras: Extras | None) -> int:
        """Take a packet into account; of Opus every one is a key frame."""
        start_us = time * 1000
        late_us = start_us - self._end_us
        if late_us > AUDIO_HOLE_US and not (self._quiet and late_us <= _DTX_US):
            self._holes.add(self._end_us // 1000, time)
        end_us = start_us + (OPUS_US[frame[0]] or opus_us(frame))
        if extras is not None and extras.discard_ns:
            end_us = max(start_us, min(end_us, end_us - extras.discard_ns // 1000))
        if end_us > self._end_us:
            self._end_us = end_us
        self._quiet = len(frame) <= _DTX_BYTES
        self.packets += 1
        return _KEY

    @property
    def key_frames(self) -> int:
        """As many as there are packets."""
        return self.packets

    def end_ms(self) -> int:
        """The last packet's end."""
        return (self._end_us + 500) // 1000

    def size(self) -> Size | None:
        """Sound has none."""
        return None

    def holes(self) -> tuple[tuple[int, int], ...]:
        """Where sound is missing, but not where the speaker was silent."""
        return self._holes.told()


class VideoGauge:
    """Measures pictures by their distances, and their sizes by what VP8 and VP9 key frames say."""

    def __init__(self, track: Track) -> None:
        self.packets, self.key_frames, self.changes = 0, 0, list[tuple[int, int, int]]()
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
