"""A track is what its pieces are, where the clock has them; all else is silence or black."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.ids import Kind
from chalicelib.core.step import Made, Output, Piece, Step, Track
from chalicelib.media.codecs import opus_us
from chalicelib.media.copies import copies
from tests.media.live import (
    OPUS,
    VP8,
    Codec,
    Sent,
    avcc,
    clusters,
    codec_of,
    el,
    even,
    head,
    indexed,
    lengths,
    live,
    num,
    opened,
    opus,
    packets_of,
    pictures,
    shifted,
    track_entry,
    video,
    without,
)

LEAST_MS, FRAME_MS = 2.5, 20
# Sound that stops for less is heard as one.
NEAR_MS = 30


@dataclass
class Memory:
    """Files in memory. `read_of` counts what was read of each, `left` what was begun and not ended."""

    files: dict[str, bytes] = field(default_factory=dict)
    made: dict[str, bytes] = field(default_factory=dict)
    read_of: dict[str, int] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """In chunks that are no Clusters."""
        end = len(self.files[key]) if end is None else min(end, len(self.files[key]))
        for at in range(start, end, 10_007):
            self.read_of[key] = self.read_of.get(key, 0) + min(10_007, end - at)
            yield self.files[key][at : min(at + 10_007, end)]

    def write(self, name: str, _content_type: str) -> "Writing":
        """Nothing is seen before the front."""
        self.left.add(name)
        return Writing(self, name)

    def put(self, name: str, codec: Codec, packets: Iterable[Sent]) -> int:
        """Repair a recording of these packets; how long it is."""
        return self.keep(name, live(codec, packets))

    def keep(self, name: str, delivered: bytes) -> int:
        """Repair a recording; how long it is."""
        index, self.files[name] = indexed(delivered)
        self.files[f"{name}.json"] = index.encoded()
        return index.duration_ms


@dataclass
class Writing:
    """A file of a `Memory`."""

    memory: Memory
    name: str
    size: int = 0
    parts: list[bytes] = field(default_factory=list)

    def body(self, data: bytes) -> None:
        """Behind the front."""
        self.parts.append(data)
        self.size += len(data)

    def front(self, data: bytes) -> None:
        """Last."""
        self.size += len(data)
        self.memory.left.discard(self.name)
        self.memory.made[self.name] = data + b"".join(self.parts)

    def abandon(self) -> None:
        """Not to be."""
        self.memory.left.discard(self.name)


def piece(source: str, start: int, end: int, skip_ms: int = 0, ppm: int = 0) -> Piece:
    return Piece(source, f"{source}.json", start, end, skip_ms, ppm)


def spliced(
    memory: Memory, kind: Kind, codec: str, pieces: Sequence[Piece], end: int, start: int = 0
) -> tuple[Made, bytes]:
    """The track of these pieces."""
    name = f"track-{kind}-{codec}.webm"
    tracks = (Track("ann", kind, codec, tuple(pieces)),)
    outputs = (Output("track", "webm", name, "ann", kind),)
    (made,) = copies(Step("copies", "s1", "t", 0, start, end, tracks, outputs), memory)
    assert not memory.left
    return made, memory.made[name]


# --- sound ---


def heard(file: bytes) -> tuple[list[tuple[int, int]], float, float]:
    """When it sounds, how long it is as decoded, and how far timestamps are off that; in milliseconds."""
    found = []
    slip, count = 0.0, 0
    with opened(file) as read:
        for frame in read.decode(audio=0):
            samples = frame.to_ndarray()
            assert frame.pts is not None
            slip = max(slip, abs(frame.pts - count / 48))
            count += frame.samples
            found.append(samples[0] if frame.format.is_planar else samples.reshape(-1))
    sound = np.concatenate(found)[: count - count % 48].reshape(-1, 48)
    loud = np.flatnonzero(np.abs(sound).max(axis=1) > 0.05)
    edges = np.flatnonzero(np.diff(loud, prepend=-NEAR_MS, append=loud[-1] + NEAR_MS) >= NEAR_MS)
    return [(int(loud[a]), int(loud[b - 1]) + 1) for a, b in pairwise(edges)], count / 48, slip


def tones(**lengths: int) -> Memory:
    memory = Memory()
    for name, length in lengths.items():
        memory.put(name, OPUS, opus(3000)[: length // 20])
    return memory


SOUND: list[tuple[str, list[Piece], int, list[tuple[int, int]]]] = [
    ("from beginning to end", [piece("a", 0, 1000)], 1000, [(0, 1000)]),
    ("silence before it", [piece("a", 733, 1733)], 1733, [(733, 1733)]),
    ("silence after it", [piece("a", 0, 1000)], 2211, [(0, 1000)]),
    ("half a second between", [piece("a", 0, 1000), piece("b", 1500, 3500)], 3500, [(0, 1000), (1500, 3500)]),
    ("three seconds", [piece("a", 0, 1000), piece("b", 4001, 6001)], 6001, [(0, 1000), (4001, 6001)]),
    ("twenty seconds", [piece("a", 10, 1010), piece("b", 21_010, 23_010)], 24_000,
     [(10, 1010), (21_010, 23_010)]),
    ("touching", [piece("a", 100, 1100), piece("b", 1100, 3100)], 3200, [(100, 3100)]),
    ("a hole of less than a frame", [piece("a", 100, 1100), piece("b", 1107, 3107)], 3200, [(100, 3107)]),
    ("an overlap of less than a frame", [piece("a", 100, 1091), piece("b", 1091, 3091)], 3200, [(100, 3091)]),
    ("an overlap that was cut", [piece("a", 0, 700), piece("b", 700, 2700)], 2700, [(0, 2700)]),
    ("the same again", [piece("a", 0, 1000), piece("a", 2000, 3000)], 3000, [(0, 1000), (2000, 3000)]),
    ("cut around another", [piece("b", 0, 600), piece("a", 1200, 1500), piece("b", 1700, 2000, 1700)], 2000,
     [(0, 600), (1200, 1500), (1740, 2000)]),
    # A decoder that comes in the middle needs a while until it sounds.
    ("its end alone", [piece("b", 300, 1300, 1000)], 1300, [(340, 1300)]),
    ("one packet", [piece("tick", 500, 520)], 1000, [(500, 520)]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("pieces", "end", "expected"), [case[1:] for case in SOUND], ids=[case[0] for case in SOUND]
)
def test_sound_is_where_the_clock_has_it(
    pieces: list[Piece], end: int, expected: list[tuple[int, int]]
) -> None:
    made, file = spliced(tones(a=1000, b=2000, tick=20), Kind.AUDIO, "opus", pieces, end)

    found, length, slip = heard(file)
    # A decoder rings out for a few milliseconds, and a packet that was cut is not heard at all.
    assert len(found) == len(expected)
    assert np.abs(np.subtract(found, expected)).max() <= 21
    assert end - LEAST_MS < length <= end + LEAST_MS
    assert slip <= FRAME_MS
    assert dict(made.notes)["pieces"] == len(pieces)
    sounded = sum(until - since for since, until in expected)
    assert dict(made.notes)["filled_ms"] == pytest.approx(end - sounded, abs=42)


def counted(file: bytes) -> tuple[float, float]:
    """How long it sounds, and how far any packet's timestamp is from what sounds before it."""
    played, off = 0, 0.0
    for time, _, frame in packets_of(file):
        off = max(off, abs(time - played / 1000))
        played += opus_us(frame)
    return played / 1000, off


def test_an_hour_of_silence_is_an_hour() -> None:
    made, file = spliced(tones(a=1000), Kind.AUDIO, "opus", [piece("a", 3_600_003, 3_601_003)], 3_601_003)

    length, off = counted(file)
    assert length == pytest.approx(3_601_003, abs=LEAST_MS)
    assert off <= LEAST_MS
    assert len(file) < 700_000
    assert dict(made.notes)["filled_ms"] == pytest.approx(3_600_003, abs=LEAST_MS)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 700), st.integers(1, 1000), st.integers(0, 900)), min_size=1, max_size=40
    ),
    st.integers(100, 3000),
)
def test_what_is_off_does_not_add_up(steps: list[tuple[int, int, int]], rest: int) -> None:
    pieces, at = [], 0
    for silence, length, skip in steps:
        pieces.append(piece("a", at + silence, at + silence + min(length, 1000 - skip), skip))
        at = pieces[-1].end

    _, file = spliced(tones(a=1000), Kind.AUDIO, "opus", pieces, at + rest)

    played, off = counted(file)
    assert played == pytest.approx(at + rest, abs=LEAST_MS)
    assert off <= FRAME_MS


def test_a_file_that_is_cut_in_two_is_read_once() -> None:
    memory = Memory()
    memory.put("a", OPUS, (p for turn in range(10) for p in shifted(opus(3000), 3000 * turn)))

    spliced(memory, Kind.AUDIO, "opus", [piece("a", 0, 10_000), piece("a", 20_000, 40_000, 10_000)], 40_000)

    assert memory.read_of["a"] <= len(memory.files["a"])


@pytest.mark.parametrize("ppm", [300, -300])
def test_a_clock_that_runs_fast_or_slow_is_followed(ppm: int) -> None:
    memory = Memory()
    lasts = memory.put("a", OPUS, (p for turn in range(120) for p in shifted(opus(3000), 3000 * turn)))
    end = round(lasts / (1 + ppm / 1e6))

    _, file = spliced(memory, Kind.AUDIO, "opus", [piece("a", 0, end, ppm=ppm)], end)

    length, off = counted(file)
    assert abs(lasts - end) > 100
    assert length == pytest.approx(end, abs=7)
    assert off <= 7


def skipping(samples: int) -> bytes:
    """A recording whose first samples are to be skipped, and which says so twice."""
    private = OPUS.private[:10] + samples.to_bytes(2, "little") + OPUS.private[12:]
    delay = el("56aa", num(samples * 1_000_000_000 // 48_000))
    entry = track_entry(replace(OPUS, private=private), delay)
    return head(OPUS, tracks=el("1654ae6b", entry)) + b"".join(clusters(opus(1000)))


@pytest.mark.parametrize("skips", [(0, 312), (312, 0), (312, 3840), (312, 312)])
def test_files_that_skip_differently_are_moved_to_fit(skips: tuple[int, int]) -> None:
    memory = Memory()
    for name, samples in zip("ab", skips, strict=True):
        memory.keep(name, skipping(samples))
    pieces = [piece("a", 1000, 2000), piece("b", 4000, 5000)]

    _, file = spliced(memory, Kind.AUDIO, "opus", pieces, 6000)

    found, length, _ = heard(file)
    # A packet is heard at its time, less what its file says is to be skipped; its encoder was 6.5 ms late.
    expected = [at + 6.5 - skip / 48 for at, skip in zip((1000, 4000), skips, strict=True)]
    assert [begin for begin, _ in found] == pytest.approx(expected, abs=4)
    assert length == pytest.approx(6000, abs=LEAST_MS)


# --- pictures ---

CODECS = ("vp8", "vp9", "h264", "av1")


def filmed(name: str, **sources: Sequence[Sent] | None) -> Memory:
    memory, (codec, packets) = Memory(), codec_of(name)
    for source, other in sources.items():
        memory.put(source, codec, other or packets)
    return memory


def seen(file: bytes) -> list[tuple[int, bool]]:
    """When each picture is shown, and whether it is black."""
    with opened(file) as read:
        return [
            (frame.pts or 0, int(frame.to_ndarray()[: frame.height].max()) < 20)
            for frame in read.decode(video=0)
        ]


@pytest.mark.parametrize("name", CODECS)
def test_holes_in_a_video_are_black(name: str) -> None:
    at = [packet.at for packet in codec_of(name)[1]]
    pieces = [piece("a", 1_500, 3_500), piece("a", 6_500, 8_500)]

    made, file = spliced(filmed(name, a=None), Kind.VIDEO, name, pieces, 30_000)

    found = seen(file)
    assert [time for time, black in found if not black] == [b + t for b in (1_500, 6_500) for t in at]
    blacks = [time for time, black in found if black]
    assert blacks[0] == 0
    assert max(later - time for time, later in pairwise([time for time, _ in found])) <= 1_000
    assert dict(made.notes) == {"codec": name, "filled_ms": 26_000, "pieces": 2}
    with opened(file) as read:
        keys = [frame.pts or 0 for frame in read.decode(video=0) if frame.key_frame]
    assert [time for time in keys if time >= 8_500] == [8_500, 18_500, 28_500]


@pytest.mark.parametrize("hole", [1_000, 3_000, 5_000, 20_000])
@pytest.mark.parametrize("name", CODECS)
def test_ffmpeg_does_not_take_black_for_a_picture_a_second(name: str, hole: int) -> None:
    memory, (codec, packets) = Memory(), codec_of(name)
    lasts = memory.put("a", codec, [*packets, *shifted(packets, 2_000), *shifted(packets, 4_000)])

    _, file = spliced(memory, Kind.VIDEO, name, [piece("a", hole, hole + lasts)], hole + lasts)

    with opened(file) as read:
        assert 24 <= (read.streams.video[0].guessed_rate or 0) <= 61


def test_how_long_pictures_last_is_not_said_of_all() -> None:
    # Media Source throws away what follows a picture that was twice as long as that.
    memory = Memory()
    entry = track_entry(VP8, el("23e383", num(33_333_333)))
    memory.keep("a", head(VP8, tracks=el("1654ae6b", entry)) + b"".join(clusters(video(60))))

    _, file = spliced(memory, Kind.VIDEO, "vp8", [piece("a", 0, 2_000)], 2_000)

    assert bytes.fromhex("23e383") not in file[:1_000]


@pytest.mark.parametrize("name", CODECS)
def test_each_packet_comes_out_bit_for_bit(name: str) -> None:
    _, packets = codec_of(name)

    _, file = spliced(filmed(name, a=None), Kind.VIDEO, name, [piece("a", 0, 2_000)], 2_000)

    assert packets_of(file) == [(p.at, p.key, p.data) for p in packets]


SHORT = [1, 30, 500, 1_000]


@pytest.mark.parametrize("hole", SHORT)
def test_a_short_hole_is_bridged_by_the_picture_before_it(hole: int) -> None:
    pieces = [piece("a", 0, 2_000), piece("a", 2_000 + hole, 4_000 + hole)]

    _, file = spliced(filmed("vp8", a=even(video(50))), Kind.VIDEO, "vp8", pieces, 4_000 + hole)

    assert not any(black for _, black in seen(file))
    with opened(file) as read:
        ends = {p.pts: (p.pts or 0) + (p.duration or 0) for p in read.demux() if p.size}
    assert ends[1_960] == 2_000 + hole


def test_pictures_come_from_the_next_key_frame_on() -> None:
    # Key frames each 800 ms; the piece begins behind the first of them and is cut before its end.
    pieces = [piece("a", 3_000, 4_000, 500)]

    _, file = spliced(filmed("vp8", a=even(video(60))), Kind.VIDEO, "vp8", pieces, 5_000)

    shown = [time for time, black in seen(file) if not black]
    assert shown == list(range(3_300, 4_000, 40))


def test_what_no_key_frame_comes_before_is_not_shown() -> None:
    memory = filmed("vp8", a=even(video(60))[10:], b=even(video(60))[1:15])

    _, file = spliced(memory, Kind.VIDEO, "vp8", [piece("a", 0, 2_000), piece("b", 3_000, 3_560)], 5_000)

    shown = [time for time, black in seen(file) if not black]
    assert shown[0] == 400
    assert shown[-1] < 2_000


def test_a_lone_picture_is_shown_until_it_ends() -> None:
    _, file = spliced(filmed("vp8", a=video(1)), Kind.VIDEO, "vp8", [piece("a", 2_000, 2_033)], 6_000)

    found = seen(file)
    assert [time for time, black in found if not black] == [2_000]
    assert min(time for time, black in found if black and time > 2_000) == 2_033


def test_black_is_as_large_as_the_picture_before_it() -> None:
    memory = Memory()
    for name, size in (("small", (160, 90)), ("large", (320, 180))):
        memory.put(name, VP8, pictures("libvpx", *size, frames=30)[0])

    pieces = [piece("small", 2_000, 3_000), piece("large", 6_000, 7_000)]
    _, file = spliced(memory, Kind.VIDEO, "vp8", pieces, 9_000)

    with opened(file) as read:
        sizes = [(frame.pts or 0, frame.width) for frame in read.decode(video=0)]
        assert (read.streams.video[0].codec_context.width) == 320
    assert {width for at, width in sizes if at < 6_000} == {160}
    assert {width for at, width in sizes if at >= 6_000} == {320}


@pytest.mark.parametrize(("end", "width"), [(1_000, 160), (2_000, 320), (3_000, 240)])
def test_black_is_as_large_as_the_picture_was_in_the_end(end: int, width: int) -> None:
    sizes = ((160, 90), (320, 180), (240, 136))
    shots = [pictures("libvpx", *size, frames=30)[0] for size in sizes]
    memory = Memory()
    memory.put("a", VP8, [p for turn, shot in enumerate(shots) for p in shifted(shot, 1_000 * turn)])

    _, file = spliced(memory, Kind.VIDEO, "vp8", [piece("a", 0, end)], end + 3_000)

    with opened(file) as read:
        assert {frame.width for frame in read.decode(video=0) if (frame.pts or 0) >= end} == {width}


def test_h264_that_was_encoded_differently_can_follow_itself() -> None:
    memory = Memory()
    for name, size in (("small", (160, 90)), ("large", (320, 180))):
        packets, extra = pictures("libx264", *size, frames=30)
        codec = replace(codec_of("h264")[0], private=avcc(extra))
        memory.put(name, codec, [replace(packet, data=lengths(packet.data)) for packet in packets])
    pieces = [piece("small", 0, 1_000), piece("large", 1_000, 2_000), piece("small", 2_000, 3_000)]

    _, file = spliced(memory, Kind.VIDEO, "h264", pieces, 3_000)

    with opened(file) as read:
        sizes = [frame.width for frame in read.decode(video=0)]
    assert sizes == [160] * 30 + [320] * 30 + [160] * 30


def test_av1_whose_key_frames_lack_their_header_gets_it_back() -> None:
    codec, packets = codec_of("av1")
    key = packets[0].data.removeprefix(b"\x12\x00")
    assert key[0] == 0x0A
    header = key[: 2 + key[1]]
    bare = [replace(p, data=p.data.removeprefix(b"\x12\x00").removeprefix(header)) for p in packets]
    memory = Memory()
    memory.put("a", replace(codec, private=b"\x81\x00\x0c\x00" + header), bare)

    _, file = spliced(memory, Kind.VIDEO, "av1", [piece("a", 3_000, 5_000)], 8_000)

    assert sum(not black for _, black in seen(file)) == len(packets)
    assert [
        frame.count(header) for time, key, frame in packets_of(file) if 3_000 <= time < 5_000 and key
    ] == [1 for packet in packets if packet.key]


def test_a_video_without_black_begins_with_its_first_picture_and_holds_its_last() -> None:
    # H.264 of odd sides has no encoder: such a stream says so in its file's header alone.
    codec, packets = codec_of("h264")
    memory = Memory()
    memory.put("a", replace(codec, width=321, height=181), packets)

    made, file = spliced(memory, Kind.VIDEO, "h264", [piece("a", 5_000, 7_000)], 9_000)

    with opened(file) as read:
        spans = [(p.pts, p.duration) for p in read.demux() if p.size]
    assert spans[0] == (0, 5_000)
    assert spans[-1] == (5_000 + packets[-1].at, 4_000 - packets[-1].at)
    assert not any(black for _, black in seen(file))
    assert dict(made.notes)["filled_ms"] == 7_000


@pytest.mark.parametrize("ppm", [400, -400])
def test_pictures_follow_a_clock_that_runs_fast_or_slow(ppm: int) -> None:
    memory = Memory()
    lasts = memory.put("a", VP8, (p for turn in range(60) for p in shifted(even(video(60)), 2400 * turn)))
    end = round(lasts / (1 + ppm / 1e6))

    _, file = spliced(memory, Kind.VIDEO, "vp8", [piece("a", 0, end, ppm=ppm)], end)

    times = [time for time, _, _ in packets_of(file)]
    assert times == [pytest.approx(40 * n / (1 + ppm / 1e6), abs=3) for n in range(len(times))]
    assert abs(40 * len(times) - end) >= 57


def test_only_what_lies_in_the_span_is_taken() -> None:
    pieces = [piece("a", 0, 2_400), piece("a", 10_000, 12_400)]

    _, file = spliced(filmed("vp8", a=even(video(60))), Kind.VIDEO, "vp8", pieces, 11_200, start=1_600)

    shown = [time for time, black in seen(file) if not black]
    assert shown == [*range(0, 800, 40), *range(8_400, 9_600, 40)]


def test_pictures_that_are_missing_in_a_piece_stay_missing() -> None:
    packets = without(even(video(60)), 410, 790)

    _, file = spliced(filmed("vp8", a=packets), Kind.VIDEO, "vp8", [piece("a", 0, 2_400)], 2_400)

    assert [time for time, _ in seen(file)] == [packet.at for packet in packets]
