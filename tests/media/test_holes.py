"""What is missing in a recording is filled up, so that what decodes lasts as long as the clock says."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from random import Random

import av
import pytest
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.media.codecs import opus_filler, opus_us
from chalicelib.media.matroska import Packet, Recording
from chalicelib.media.repair import repair
from tests.media.live import (
    OPUS,
    VP8,
    Codec,
    Nowhere,
    Sent,
    as_sent,
    cluster,
    dtx,
    el,
    even,
    group,
    head,
    is_filler,
    live,
    num,
    opus,
    own_of,
    packets_of,
    repaired,
    samples_of,
    shifted,
    simple_block,
    video,
    without,
)

STEREO = replace(OPUS, private=OPUS.private[:9] + b"\2" + OPUS.private[10:])
DECODERS = ("opus", "libopus")
DAY_MS = 24 * 3_600_000


def of_length(milliseconds: float, count: int) -> list[Sent]:
    """Silence in packets of this length."""
    packet = opus_filler(int(1000 * milliseconds), 1, True)
    return [Sent(int(milliseconds * index), True, packet) for index in range(count)]


def lost(share: float, bursts: int) -> list[Sent]:
    """A minute of sound of which some packets never came, now and then many behind each other."""
    chance = Random(3)
    packets = [packet for turn in range(20) for packet in shifted(opus(3000), 3000 * turn)]
    kept = [packets[0], *(packet for packet in packets[1:-1] if chance.random() > share), packets[-1]]
    for _ in range(bursts):
        at = chance.randrange(1000, 59_000)
        kept = without(kept, at, at + 300)
    return kept


LONG = [*opus(1000), *shifted(opus(1000), 21_000)]
HOLES: list[tuple[str, list[Sent]]] = [
    ("a lost packet", without(opus(), 1000, 1020)),
    ("a burst of loss", without(opus(), 1000, 1300)),
    ("a hole of a second", without(opus(), 1000, 2000)),
    ("longer than a second", without(opus(), 1000, 2500)),
    ("a mute of twenty seconds", LONG),
    ("DTX", dtx(opus())),
    ("DTX and then nothing", without(dtx(opus()), 1000, 2000)),
    ("loss all along", lost(0.1, 5)),
    ("a hole of 7 ms", [*opus(1000), *shifted(opus(1000), 1007)]),
    ("packets of 60 ms", without(of_length(60, 50), 600, 1300)),
    ("packets of 120 ms", without(of_length(120, 25), 600, 1300)),
    ("packets of 10 ms", without(of_length(10, 90), 200, 410)),
    ("one packet and another", [opus()[0], *shifted(opus(20), 500)]),
]  # fmt: skip


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("codec", [OPUS, STEREO], ids=["mono", "stereo"])
@pytest.mark.parametrize("packets", [hole[1] for hole in HOLES], ids=[hole[0] for hole in HOLES])
def test_what_decodes_lasts_as_long_as_the_clock_says(
    packets: list[Sent], codec: Codec, decoder: str
) -> None:
    scan, file = repaired(live(codec, shifted(packets, 80)))

    assert scan.duration_ms == packets[-1].at + opus_us(packets[-1].data) // 1000
    assert abs(samples_of(file, decoder) / 48 - scan.duration_ms) < 5


@pytest.mark.parametrize("packets", [hole[1] for hole in HOLES], ids=[hole[0] for hole in HOLES])
def test_filler_changes_no_packet_and_no_time(packets: list[Sent]) -> None:
    scan, file = repaired(live(OPUS, shifted(packets, 80)))

    sent = {(time, data) for time, _, data in as_sent(packets)}
    assert [packet for packet in packets_of(file) if (packet[0], packet[2]) in sent] == as_sent(packets)
    assert scan.packets == len(packets)
    others = {data for time, _, data in packets_of(file) if (time, data) not in sent}
    assert others
    assert all(is_filler(data) or data in {packet.data for packet in packets} for data in others)


@pytest.mark.parametrize("packets", [hole[1] for hole in HOLES], ids=[hole[0] for hole in HOLES])
def test_a_filled_file_stays_as_it_is_when_repaired_again(packets: list[Sent]) -> None:
    _, file = repaired(live(OPUS, shifted(packets, 80)))

    scan, same = repaired(file)

    assert same == file
    assert scan.holes == ()


def written(file: bytes) -> list[Packet]:
    """The packets as our own reader finds them, with what only a group can say."""
    recording = Recording([file])
    recording.open()
    return list(recording.packets())


def sounding(packets: list[tuple[int, bool, bytes]]) -> Iterator[int]:
    """For each packet by how many microseconds it comes later than all sound before it ends."""
    ends = accumulate((opus_us(data) for _, _, data in packets), initial=0)
    return (1000 * time - end for (time, _, _), end in zip(packets, ends, strict=False))


@pytest.mark.parametrize("codec", [OPUS, STEREO], ids=["mono", "stereo"])
def test_filler_has_the_channels_of_what_it_stands_in_for(codec: Codec) -> None:
    _, file = repaired(live(codec, without(opus(), 1000, 1300)))

    told = {data[0] & 4 for _, _, data in packets_of(file) if is_filler(data)}
    assert told == {4 if codec is STEREO else 0}


def test_where_a_packet_or_three_are_missing_the_one_before_sounds_again() -> None:
    packets = opus(3000)
    for count in range(1, 6):
        lossy = without(packets, 1000, 1000 + 20 * count)

        _, file = repaired(live(OPUS, lossy))

        between = [data for time, _, data in packets_of(file) if 1000 <= time < 1000 + 20 * count]
        if count <= 3:
            assert between == [packets[49].data] * count
        else:
            assert all(map(is_filler, between))


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_lost_packet_is_not_heard_as_a_break(decoder: str) -> None:
    _, file = repaired(live(OPUS, without(opus(3000), 1000, 1020)))

    loud = loudest(file, decoder)
    assert min(loud[40:60]) > 0.6 * max(loud[40:60])


def loudest(file: bytes, decoder: str) -> list[int]:
    """The largest sample of each packet."""
    codec = av.CodecContext.create(decoder, "r")
    assert isinstance(codec, AudioCodecContext)
    codec.extradata = OPUS.private
    plane = AudioResampler("s16", "mono", 48_000)
    frames = [frame for _, _, data in packets_of(file) for frame in codec.decode(av.Packet(data))]
    sounds = [bytes(part.planes[0]) for frame in frames for part in plane.resample(frame)]
    return [max(map(abs, memoryview(sound).cast("h"))) for sound in sounds]


def test_short_holes_ring_out_and_long_ones_are_silent() -> None:
    _, short = repaired(live(OPUS, without(opus(), 1000, 1990)))
    _, long = repaired(live(OPUS, without(opus(), 1000, 2020)))

    short_ones, long_ones = (
        [data for _, _, data in packets_of(file) if is_filler(data)] for file in (short, long)
    )
    assert {len(data) for data in short_ones} == {2}
    assert min(len(data) for data in long_ones) > 2
    assert len(short_ones) == len(long_ones) == 9


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("channels", [1, 2])
def test_filler_of_any_length_sounds_as_long_as_it_says(channels: int, silent: bool, decoder: str) -> None:
    codec = av.CodecContext.create(decoder, "r")
    assert isinstance(codec, AudioCodecContext)
    codec.extradata = b"OpusHead\x01" + bytes([channels]) + bytes(2) + OPUS.private[12:]
    lengths = range(2_500, 122_500, 2_500)

    fillers = [opus_filler(length, channels, silent) for length in lengths]
    made = [sum(frame.samples for frame in codec.decode(av.Packet(filler))) for filler in fillers]

    assert made == [length * 48 // 1000 for length in lengths]
    assert [opus_us(filler) for filler in fillers] == list(lengths)


# --- clocks that are not quite right --------------------------------------------------------------


def filler_us(file: bytes, packets: list[Sent]) -> int:
    """How much was put between the packets."""
    return sum(opus_us(data) for _, _, data in packets_of(file)) - sum(opus_us(p.data) for p in packets)


def stamped(packets: list[Sent], late: list[int]) -> list[Sent]:
    """The same packets, so much later each, and none before the one ahead of it."""
    times = accumulate((packet.at + by for packet, by in zip(packets, late, strict=True)), max)
    return [replace(packet, at=time) for packet, time in zip(packets, times, strict=True)]


JITTERS: list[tuple[str, int, int]] = [
    ("rounding", 1, 0),
    ("a few milliseconds", 4, 0),
    ("a few milliseconds for each packet", 9, 9),
]


@pytest.mark.parametrize(("most", "filled"), [j[1:] for j in JITTERS], ids=[j[0] for j in JITTERS])
def test_jitter_is_filled_up_once_if_at_all(most: int, filled: int) -> None:
    chance = Random(5)
    packets = [packet for turn in range(20) for packet in shifted(opus(3000), 3000 * turn)]

    scan, file = repaired(live(OPUS, stamped(packets, [chance.randint(0, most) for _ in packets])))

    assert filler_us(file, packets) <= 1000 * filled
    assert all(abs(late) < 10_000 for late in sounding(packets_of(file)))
    assert scan.holes == ()


@pytest.mark.parametrize("hiccup", [40, 200, 900])
def test_a_muxer_that_was_held_up_has_lost_nothing(hiccup: int) -> None:
    packets = list(opus(3000))
    late = [max(0, hiccup - (packet.at - 1000)) if packet.at >= 1000 else 0 for packet in packets]

    scan, file = repaired(live(OPUS, stamped(packets, late)))

    assert [data for _, _, data in packets_of(file)] == [packet.data for packet in packets]
    assert all(abs(late) < 5_000 for late in sounding(packets_of(file)))
    assert (scan.holes, scan.duration_ms) == ((), 3000)


def test_a_loss_is_told_from_a_muxer_that_was_held_up_behind_it() -> None:
    packets = without(opus(3000), 1000, 1300)
    late = [max(0, 100 - (packet.at - 1300)) if packet.at >= 1300 else 0 for packet in packets]

    _, file = repaired(live(OPUS, stamped(packets, late)))

    assert abs(samples_of(file) / 48 - 3000) < 5
    assert [time for time, _, _ in own_of(file)][50] == 1300


@pytest.mark.parametrize("ppm", [-200, -50, 0, 50, 200])
def test_a_clock_that_drifts_is_told_of_and_is_followed_where_it_runs_ahead(ppm: int) -> None:
    packets = [packet for turn in range(100) for packet in shifted(opus(3000), 3000 * turn)]
    drifting = [replace(packet, at=packet.at + packet.at * ppm // 1_000_000) for packet in packets]

    scan, file = repaired(live(OPUS, drifting))

    assert scan.sounded_us == 300_000_000
    assert abs(1e6 * (scan.spanned_us - scan.sounded_us) / scan.sounded_us - ppm) < 5
    assert max(sounding(packets_of(file))) < 5_000
    assert scan.holes == ()


@pytest.mark.parametrize("packets", [dtx(opus()), lost(0.1, 5)], ids=["DTX", "loss"])
def test_what_is_missing_is_no_drift(packets: list[Sent]) -> None:
    scan, _ = repaired(live(OPUS, packets))

    assert scan.sounded_us == scan.spanned_us == sum(opus_us(packet.data) for packet in packets)


# --- bounds ---------------------------------------------------------------------------------------


class Counted(Nowhere):
    """Counts what it lets go."""

    size = 0

    def body(self, data: bytes) -> None:
        """Let it go."""
        self.size += len(data)


def test_a_hole_of_a_day_costs_no_more_than_a_short_recording() -> None:
    packet = opus(20)[0]
    far = cluster(DAY_MS, *(simple_block(replace(packet, at=at), 0) for at in range(0, 32_000, 20)))
    sink = Counted()

    scan = repair([head(OPUS), cluster(0, simple_block(packet, 0)), far], sink).scan

    assert (scan.holes, scan.duration_ms) == (((20, DAY_MS),), DAY_MS + 32_000)
    assert sink.size < 16_000_000


@given(
    times=st.lists(st.integers(0, 2 * DAY_MS) | st.integers(0, 40_000), min_size=1, max_size=12),
    steps=st.lists(st.integers(-32_768, 32_767), min_size=1, max_size=12),
)
@settings(max_examples=6, deadline=None)
def test_no_clock_makes_more_filler_than_a_day_has(times: list[int], steps: list[int]) -> None:
    packet = opus(20)[0]
    blocks = [el("a3", b"\x81", step.to_bytes(2, signed=True), b"\x80", packet.data) for step in steps]
    sink = Counted()

    scan = repair([head(OPUS), *(cluster(time, *blocks) for time in times)], sink).scan

    assert scan.packets == len(times) * len(steps)
    assert sink.size < 16_000_000


def test_packets_of_several_streams_are_left_alone() -> None:
    many = replace(OPUS, private=OPUS.private[:9] + b"\6\x38\x01\x80\xbb\0\0\0\0\1\4\2\0\4\1\2\3\5")

    scan, file = repaired(live(many, without(opus(), 1000, 1300)))

    assert [packet[:3] for packet in written(file)] == [
        (packet.at, 0x80, packet.data) for packet in without(opus(), 1000, 1300)
    ]
    assert scan.holes == ((1000, 1300),)


# --- pictures -------------------------------------------------------------------------------------


def lengths_of(file: bytes) -> list[int]:
    """How long each packet says that it is shown, 0 where it says nothing: FFmpeg would guess there."""
    return [extras.duration_ms or 0 if extras else 0 for _, _, _, extras in written(file)]


FROZEN: list[tuple[str, list[Sent], dict[int, int]]] = [
    ("a picture that stands for two seconds", without(even(video(60)), 400, 1900), {9: 1560}),
    ("a key frame that stands", without(even(video(60)), 40, 1900), {0: 1920}),
    ("no more than a second", without(even(video(60)), 400, 1360), {}),
    ("two that stand", [*even(video(20)), *shifted(even(video(20)), 5000), *shifted(even(video(5)), 9000)],
     {19: 4240, 39: 3240}),
    ("longer than a Cluster can say", [*even(video(20)), *shifted(even(video(20)), 100_000)], {19: 99_240}),
]  # fmt: skip


@pytest.mark.parametrize(("packets", "held"), [f[1:] for f in FROZEN], ids=[f[0] for f in FROZEN])
def test_the_last_picture_before_a_hole_is_shown_until_the_next(
    packets: list[Sent], held: dict[int, int]
) -> None:
    scan, file = repaired(live(VP8, shifted(packets, 80)))
    again, same = repaired(file)

    assert {index: length for index, length in enumerate(lengths_of(file)) if length} == held
    assert packets_of(file) == as_sent(packets)
    assert len(scan.holes) == len(held)
    assert (again.holes, same) == ((), file)


def test_a_picture_that_tells_a_length_is_held_for_longer_where_the_hole_is() -> None:
    first, second = even(video(2), 5_000)
    told = cluster(0, group(first, el("9b", num(100)))) + cluster(5_000, simple_block(second, 5_000))

    _, file = repaired(head(VP8) + told)

    assert lengths_of(file)[0] == 5_000
