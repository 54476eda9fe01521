"""What comes out of a repair, read by FFmpeg's own demuxer."""

import io
import subprocess
import sys
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.media.repair import repair
from tests.media.live import (
    OPUS,
    VP8,
    Codec,
    Nowhere,
    Sent,
    as_sent,
    cluster,
    clusters,
    codec_of,
    dtx,
    el,
    even,
    group,
    head,
    laced_block,
    live,
    num,
    opened,
    opus,
    own_of,
    packets_of,
    pictures,
    repaired,
    shifted,
    simple_block,
    track_entry,
    video,
    without,
)

CODECS = ("opus", "vp8", "vp9", "h264", "av1")


@pytest.mark.parametrize("late", [0, 80, 5_000])
@pytest.mark.parametrize("name", CODECS)
def test_every_codec_comes_out_bit_for_bit_from_zero_on(name: str, late: int) -> None:
    codec, packets = codec_of(name)

    scan, file = repaired(live(codec, shifted(packets, late)))

    assert packets_of(file) == as_sent(packets)
    assert (scan.codec, scan.first_ms, scan.packets) == (name, late, len(packets))
    assert scan.key_frames == sum(packet.key for packet in packets)
    assert (scan.holes, scan.tail_lost, scan.lost_bytes, scan.clock_breaks) == ((), False, 0, 0)


@pytest.mark.parametrize("name", CODECS)
def test_all_of_it_can_be_decoded(name: str) -> None:
    codec, packets = codec_of(name)

    _, file = repaired(live(codec, packets))

    with opened(file) as read:
        assert sum(1 for _ in read.decode()) == len(packets)


@pytest.mark.parametrize("name", CODECS)
def test_a_repaired_file_stays_as_it_is_when_repaired_again(name: str) -> None:
    codec, packets = codec_of(name)
    scan, file = repaired(live(codec, shifted(packets, 80)))

    again, same = repaired(file)

    assert same == file
    assert again == replace(scan, first_ms=0, bytes_read=len(file))


DURATIONS: list[tuple[str, Codec, list[Sent], int]] = [
    ("Opus ends with its last packet", OPUS, list(opus(3000)), 3000),
    ("the last picture lasts as they usually do", VP8, even(video(60)), 2400),
    ("a lone picture lasts a 30th of a second", VP8, video(1), 33),
    ("a lone packet of Opus lasts as it says", OPUS, list(opus(20)), 20),
]


@pytest.mark.parametrize(
    ("codec", "packets", "expected"), [d[1:] for d in DURATIONS], ids=[d[0] for d in DURATIONS]
)
def test_the_duration_is_exact(codec: Codec, packets: list[Sent], expected: int) -> None:
    scan, file = repaired(live(codec, shifted(packets, 80)))

    assert scan.duration_ms == expected
    with opened(file) as read:
        assert read.duration == 1000 * expected


def test_a_player_can_seek_to_any_time() -> None:
    packets = [packet for turn in range(30) for packet in shifted(video(60), 2000 * turn)]
    _, file = repaired(live(VP8, packets))
    keys = [packet.at for packet in packets if packet.key]

    with opened(file) as read:
        stream = read.streams.video[0]
        for wanted in Random(7).sample(range(60_000), 25):
            read.seek(wanted, stream=stream)
            landed = next(iter(read.demux(stream)))
            best = max(at for at in keys if at <= wanted)
            # Clusters are at least a second long, and only their first key frame has a cue.
            assert landed.is_keyframe
            assert best - 1_000 <= (landed.pts or 0) <= best


def test_seeking_reads_no_more_than_the_front_and_the_cluster() -> None:
    packets = [packet for turn in range(60) for packet in shifted(video(60), 2000 * turn)]
    _, file = repaired(live(VP8, packets))
    source = Counting(file)

    with opened(source) as read:
        read.seek(100_000, stream=read.streams.video[0])
        next(iter(read.demux()))

    assert source.given < len(file) / 5


class Counting(io.BytesIO):
    """A file that counts what is read of it."""

    given = 0

    def read(self, size: int | None = -1) -> bytes:
        """Read, and count."""
        data = super().read(size)
        self.given += len(data)
        return data


def test_a_change_of_resolution_inside_is_told() -> None:
    small, _ = pictures("libvpx", width=160, height=90, frames=20)
    packets = [*video(40), *shifted(small, 1400), *shifted(video(40), 2100)]

    scan, file = repaired(live(VP8, packets))

    assert (scan.width, scan.height) == (320, 180)
    assert scan.resolutions == ((1400, 160, 90), (2100, 320, 180))
    assert packets_of(file) == as_sent(packets)
    with opened(file) as read:
        assert {(frame.width, frame.height) for frame in read.decode(video=0)} == {(320, 180), (160, 90)}


HOLES: list[tuple[str, Codec, list[Sent], tuple[tuple[int, int], ...]]] = [
    ("lost sound", OPUS, without(opus(), 1000, 1300), ((1000, 1300),)),
    ("sound lost shorter than it is told", OPUS, without(opus(), 1000, 1100), ()),
    ("silence by DTX is no hole", OPUS, dtx(opus()), ()),
    ("DTX and then nothing is one", OPUS, without(dtx(opus()), 1000, 2000), ((840, 2000),)),
    ("a frozen picture", VP8, without(even(video(60)), 400, 1900), ((400, 1920),)),
    ("a picture that came late", VP8, without(even(video(60)), 400, 1300), ()),
]


@pytest.mark.parametrize(("codec", "packets", "expected"), [h[1:] for h in HOLES], ids=[h[0] for h in HOLES])
def test_holes_are_told_from_silence(
    codec: Codec, packets: list[Sent], expected: tuple[tuple[int, int], ...]
) -> None:
    scan, file = repaired(live(codec, shifted(packets, 80)))

    assert scan.holes == expected
    assert own_of(file) == as_sent(packets)


def test_a_file_without_a_key_frame_at_its_start_keeps_all() -> None:
    packets = video(60)[5:]

    scan, file = repaired(live(VP8, packets))

    assert (scan.packets, scan.key_frames, scan.first_ms) == (55, 2, packets[0].at)
    assert packets_of(file) == as_sent(packets)


def test_key_frames_are_known_by_themselves_where_the_muxer_marked_none() -> None:
    unmarked = [replace(packet, key=False) for packet in video(60)]

    scan, file = repaired(live(VP8, unmarked))

    assert scan.key_frames == 3
    assert [key for _, key, _ in packets_of(file)] == [packet.key for packet in video(60)]


def test_a_first_packet_before_zero_is_the_zero_of_the_output() -> None:
    packets = shifted(opus(1000), -7)

    scan, file = repaired(live(OPUS, packets))

    assert (scan.first_ms, scan.duration_ms) == (-7, 1000)
    assert packets_of(file) == as_sent(packets)


FORMS: list[tuple[str, bytes]] = [
    ("one endless cluster", head(VP8) + cluster(0, *(simple_block(p, 0) for p in video(60)))),
    ("a cluster for each packet", live(VP8, video(60), every_ms=1)),
    ("clusters of known size", head(VP8) + b"".join(clusters(video(60), size=None))),
    ("ticks of 10 microseconds", head(VP8, scale=10_000) + b"".join(
        cluster(p.at * 100, simple_block(replace(p, at=0), 0)) for p in video(60)
    )),
    ("groups instead of simple blocks", head(VP8) + b"".join(cluster(p.at, group(p)) for p in video(60))),
    ("things of no use between", head(VP8, el("ec", bytes(500)), el("1254c367", bytes(90))) + b"".join(
        cluster(p.at, el("bf", bytes(4)), el("ab", b"\7"), el("ec", b""), simple_block(p, p.at))
        for p in video(60)
    )),
    ("another track's blocks between", head(VP8, tracks=el(
        "1654ae6b",
        track_entry(VP8),
        el("ae", el("d7", b"\2"), el("83", b"\x11"), el("86", b"S_TEXT/UTF8")),
    )) + b"".join(cluster(p.at, simple_block(p, p.at), simple_block(p, p.at, track=2)) for p in video(60))),
    ("numbered as track 100", head(VP8, tracks=el("1654ae6b", track_entry(VP8, number=100))) + b"".join(
        cluster(p.at, simple_block(p, p.at, track=100)) for p in video(60)
    )),
]  # fmt: skip


@pytest.mark.parametrize("data", [form[1] for form in FORMS], ids=[form[0] for form in FORMS])
def test_however_it_was_muxed_it_comes_out_the_same(data: bytes) -> None:
    scan, file = repaired(data)
    plain, expected = repaired(live(VP8, video(60)))

    assert file == expected
    assert replace(scan, bytes_read=0) == replace(plain, bytes_read=0)


@pytest.mark.parametrize("lacing", ["xiph", "ebml", "equal"])
def test_laced_packets_are_taken_apart(lacing: str) -> None:
    sent = [replace(packet, data=packet.data[:1].ljust(60, b"x")) for packet in opus(1000)]
    if lacing != "equal":
        sent = [
            replace(packet, data=packet.data + bytes(50 * (index % 7))) for index, packet in enumerate(sent)
        ]
    laced = b"".join(laced_block(sent[at : at + 5], lacing) for at in range(0, 50, 5))

    scan, file = repaired(head(OPUS) + cluster(0, laced))

    assert packets_of(file) == as_sent(sent)
    assert scan.duration_ms == 1000


def test_what_a_group_says_of_its_packet_is_kept() -> None:
    packets = even(video(10))
    held = group(packets[-1], el("9b", num(3000)))
    blocks = [simple_block(packet, 0) for packet in packets[:-1]]

    scan, file = repaired(head(VP8) + cluster(0, *blocks, held))

    assert scan.duration_ms == 360 + 3000
    with opened(file) as read:
        assert [packet.duration for packet in read.demux() if packet.size][-1] == 3000


@given(cuts=st.lists(st.integers(0, 60_000), max_size=40), name=st.sampled_from(["opus", "vp8"]))
@settings(max_examples=40, deadline=None)
def test_the_same_bytes_give_the_same_file_however_chunked(cuts: list[int], name: str) -> None:
    codec, packets = codec_of(name)
    data = live(codec, shifted(packets, 80))
    edges = [0, *sorted(cuts), len(data)]

    assert repaired(data[a:b] for a, b in pairwise(edges)) == repaired(data)


def test_one_byte_at_a_time_will_do() -> None:
    data = live(VP8, video(20))

    assert repaired(data[at : at + 1] for at in range(len(data))) == repaired(data)


def test_pieces_of_a_mebibyte_of_a_large_file_give_the_same_as_the_whole() -> None:
    grown = [
        replace(p, data=p.data.ljust(40_000, b"\0"))
        for turn in range(2)
        for p in shifted(video(60), 2000 * turn)
    ]
    data = live(VP8, grown)

    whole, pieces = (
        repaired(data),
        repaired(data[at : at + 1_000_003] for at in range(0, len(data), 1_000_003)),
    )

    assert len(data) > 4 << 20
    assert whole == pieces
    assert packets_of(whole[1]) == as_sent(grown)


def test_opus_without_its_header_gets_one() -> None:
    _, file = repaired(live(replace(OPUS, private=b""), opus(1000)))

    with opened(file) as read:
        assert sum(frame.samples for frame in read.decode(audio=0)) > 40_000


def test_memory_does_not_grow_with_the_recording() -> None:
    peaks = [peak_of(virtual(minutes)) for minutes in (2, 40)]

    assert peaks[1] < 24_000_000
    assert peaks[1] < peaks[0] + 2_000_000


def virtual(minutes: int) -> Iterator[bytes]:
    """A file of 5 MB a minute that is never all there, with one Cluster of 30 s after the other."""
    packets = [replace(p, data=p.data.ljust(42_000, b"\0")) for p in even(video(60), 500)]
    yield head(VP8)
    for turn in range(2 * minutes):
        yield cluster(30_000 * turn)
        yield from (simple_block(packet, 0) for packet in packets)


def peak_of(chunks: Iterable[bytes]) -> int:
    """The most memory that a repair held."""
    tracemalloc.start()
    try:
        repair(chunks, Nowhere())
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_what_processes_a_delivery_loads_no_decoder() -> None:
    asked = (
        "import sys, chalicelib.flows.ingest, chalicelib.media.repair, chalicelib.wiring; print(*sys.modules)"
    )

    loaded = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True).stdout

    assert "chalicelib.media.repair" in loaded.split()
    assert not {"av", "numpy", "chalicelib.media.poster"} & set(loaded.split())
