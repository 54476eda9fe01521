"""Whatever comes in, whole packets are kept, or it is refused with a reason. Nothing hangs."""

import time
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import accumulate, batched

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.scan import NotRecording
from chalicelib.media.matroska import Recording
from chalicelib.media.repair import repair
from tests.media.live import (
    OPUS,
    UNKNOWN,
    VP8,
    Nowhere,
    Sent,
    Shelf,
    as_sent,
    cluster,
    clusters,
    codec_of,
    ebml_header,
    el,
    even,
    head,
    live,
    num,
    opus,
    packets_of,
    repaired,
    shifted,
    simple_block,
    track_entry,
    video,
)

SEGMENT = bytes.fromhex("18538067") + UNKNOWN
SMALL = [replace(packet, data=packet.data[:40]) for packet in even(opus(200), 20)]
ONE = cluster(0, simple_block(video(1)[0], 0))
LARGE, TWO_GB = (1 << 40 | 1 << 56).to_bytes(8), (2 << 30 | 1 << 56).to_bytes(8)
UNTIMED = el("1f43b675", simple_block(video(1)[0], 0), size=UNKNOWN)


def tracks(*entries: bytes) -> bytes:
    return ebml_header() + SEGMENT + el("1654ae6b", *entries) + ONE


def nested(depth: int) -> bytes:
    """Groups in groups."""
    body = b""
    for _ in range(depth):
        body = bytes.fromhex("a0") + (len(body) | 1 << 56).to_bytes(8) + body
    return body


REFUSED: list[tuple[str, bytes, str]] = [
    ("no bytes", b"", "empty"),
    ("one byte", b"\x1a", "not_webm"),
    ("garbage", bytes(range(7, 256)) * 40, "not_webm"),
    ("zeros", bytes(100_000), "not_webm"),
    ("a page", b"<!doctype html><html><body>403 Forbidden</body></html>", "not_webm"),
    ("a list of other files", b"ffconcat version 1.0\nfile other.webm\n", "not_webm"),
    ("a session description", b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n", "not_webm"),
    ("half a header", ebml_header()[:20], "not_webm"),
    ("another kind of EBML", ebml_header(b"mka-index") + SEGMENT, "not_webm"),
    ("a header of unknown size", bytes.fromhex("1a45dfa3") + UNKNOWN + bytes(50), "not_webm"),
    ("a header alone", ebml_header(), "no_media"),
    ("no tracks", ebml_header() + SEGMENT + ONE, "no_media"),
    ("a terabyte of nothing for tracks", ebml_header() + SEGMENT + el("ec", size=LARGE) + ONE, "no_media"),
    ("tracks of garbage", ebml_header() + SEGMENT + el("1654ae6b", b"\x01" * 30) + ONE, "no_media"),
    ("only subtitles", tracks(el("ae", el("d7", b"\1"), el("83", b"\x11"), el("86", b"S_TEXT"))), "no_media"),
    ("two tracks", tracks(track_entry(VP8), track_entry(OPUS, number=2)), "too_many_tracks"),
    ("a thousand tracks", tracks(*[track_entry(VP8)] * 1000), "too_many_tracks"),
    ("tracks of megabytes", tracks(track_entry(VP8), el("ec", bytes(2 << 20))), "limits"),
    ("Vorbis", tracks(track_entry(replace(OPUS, id=b"A_VORBIS"))), "unsupported_codec"),
    ("no codec", tracks(track_entry(replace(VP8, id=b""))), "unsupported_codec"),
    ("a codec of the other kind", tracks(track_entry(replace(VP8, type=2))), "unsupported_codec"),
    ("a codec's header of 100 kB", tracks(track_entry(replace(VP8, private=bytes(100_000)))), "limits"),
    ("a track numbered 0", tracks(track_entry(VP8, number=0)), "limits"),
    ("a compressed track", tracks(track_entry(VP8, el("6d80", el("6240", el("5034"))))), "content_encoding"),
    ("attachments", head(VP8, el("1941a469", el("61a7", bytes(50)))) + ONE, "attachments"),
    ("attachments behind the media", live(VP8, video(5)) + el("1941a469", bytes(50)), "attachments"),
    ("tracks without media", head(VP8), "no_packets"),
    ("a cluster without a block", head(VP8) + cluster(0), "no_packets"),
    ("a block of a terabyte", head(VP8) + cluster(0, el("a3", b"\x81\0\0\0", size=LARGE)), "no_packets"),
    ("a block of 2 GB", head(VP8) + cluster(0, el("a3", b"\x81\0\0\0", size=TWO_GB)), "no_packets"),
    ("a terabyte of nothing", head(VP8) + el("ec", bytes(100), size=LARGE), "no_packets"),
    ("20,000 groups in groups", head(VP8) + cluster(0, nested(20_000)), "no_packets"),
    ("empty blocks", head(VP8) + cluster(0, *[el("a3", b"\x81\0\0\x80")] * 50), "no_packets"),
    ("a clock beyond all time", head(VP8) + cluster(1 << 60, simple_block(video(1)[0], 0)), "no_packets"),
    ("blocks without a clock", head(VP8) + UNTIMED, "no_packets"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "code"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_is_no_recording_is_refused_with_its_code(data: bytes, code: str) -> None:
    shelf = Shelf()

    with pytest.raises(NotRecording) as refusal:
        repair([data], shelf)

    assert (refusal.value.code, refusal.value.reason > "") == (code, True)
    assert shelf.head is None
    assert shelf.bodies == []


def test_cut_off_at_any_byte_all_whole_packets_are_kept() -> None:
    parts = [head(OPUS), *_elements_of(SMALL)]
    whole, ends = b"".join(parts), list(accumulate(map(len, parts)))

    for length in range(len(whole) + 1):
        kept = sum(part[0] == 0xA3 and end <= length for part, end in zip(parts, ends, strict=True))
        assert _outcome(whole[:length]) == ((kept, length not in ends) if kept else None)


def _elements_of(packets: list[Sent]) -> Iterator[bytes]:
    """Two packets to a Cluster, element by element."""
    for first, second in batched(packets, 2, strict=True):
        yield bytes.fromhex("1f43b675") + UNKNOWN
        yield el("e7", num(first.at))
        yield simple_block(first, first.at)
        yield simple_block(second, first.at)


def _outcome(data: bytes) -> tuple[int, bool] | None:
    """How many packets are kept and whether the tail is lost; None when it is refused."""
    try:
        scan, file = repaired(data)
    except NotRecording:
        return None
    assert [frame for _, _, frame in packets_of(file)] == [packet.data for packet in SMALL[: scan.packets]]
    return scan.packets, scan.tail_lost


def test_a_finished_file_cut_between_two_clusters_lost_its_tail() -> None:
    _, finished = repaired(live(VP8, video(60)))
    last = finished.rindex(bytes.fromhex("1f43b675"))

    scan, _ = repaired(finished[:last])

    assert scan.tail_lost
    assert scan.packets == 40


def test_a_hole_of_zeros_costs_no_more_than_up_to_the_next_cluster() -> None:
    packets = [packet for turn in range(10) for packet in shifted(video(60), 2000 * turn)]
    data = live(VP8, packets)
    middle = len(data) // 2

    scan, file = repaired(data[:middle] + bytes(65_536) + data[middle + 65_536 :])

    found = packets_of(file)
    # One is whole in length, and its last part is zeros.
    assert len(set(found) - set(as_sent(packets))) <= 1
    assert len(packets) - 150 < scan.packets < len(packets)
    assert scan.holes
    assert scan.holes[0][1] - scan.holes[0][0] < 4_000
    assert scan.lost_bytes > 30_000
    assert not scan.tail_lost


def test_garbage_behind_a_live_file_is_dropped_and_told() -> None:
    data = live(VP8, video(60))

    scan, file = repaired(data + bytes(100_000))

    assert packets_of(file) == as_sent(video(60))
    assert (scan.lost_bytes, scan.tail_lost) == (100_000, True)


def test_garbage_behind_a_finished_file_is_no_loss() -> None:
    _, finished = repaired(live(VP8, video(60)))

    scan, file = repaired(finished + bytes(100_000))

    assert (file, scan.lost_bytes, scan.tail_lost) == (finished, 100_000, False)


def test_garbage_between_clusters_is_passed_over() -> None:
    parts = list(clusters(video(60)))

    scan, file = repaired(head(VP8) + parts[0] + b"\x99" * 5000 + parts[1])

    assert packets_of(file) == as_sent(video(60))
    assert (scan.lost_bytes, scan.tail_lost) == (5000, False)


CLOCKS: list[tuple[str, int, bool]] = [
    ("an hour forward is a hole", 3_602_000, True),
    ("two days forward can not be", 172_800_000, False),
    ("2^60 forward can not be", 1 << 60, False),
    ("back to the start can not be", 0, False),
]


@pytest.mark.parametrize(("at", "followed"), [c[1:] for c in CLOCKS], ids=[c[0] for c in CLOCKS])
def test_a_clock_that_jumps_is_followed_only_where_time_can_go(at: int, followed: bool) -> None:
    more = cluster(at, *(simple_block(packet, 0) for packet in even(video(5))))

    scan, file = repaired(live(VP8, even(video(50))) + more)

    times = [time for time, _, _ in packets_of(file)]
    expected = at if followed else 49 * 40 + 33
    assert times[50:] == [expected + 40 * index for index in range(5)]
    assert scan.holes == (((2000, at),) if followed else ())
    assert (scan.clock_breaks, scan.duration_ms) == (0 if followed else 1, times[-1] + 40)


def test_a_packet_that_is_far_ahead_of_its_time_breaks_no_clock() -> None:
    packets = list(opus(400))
    packets[5] = replace(packets[5], at=12_000)

    _, file = repaired(head(OPUS) + cluster(0, *(simple_block(packet, 0) for packet in packets)))
    again, same = repaired(file)

    assert (again.clock_breaks, same) == (0, file)


def test_a_second_file_behind_the_first_goes_on_where_that_ends() -> None:
    scan, file = repaired(live(OPUS, opus(400)) + live(OPUS, opus(400)))

    assert packets_of(file) == as_sent([*opus(400), *shifted(opus(400), 400)])
    assert (scan.duration_ms, scan.clock_breaks, scan.lost_bytes, scan.tail_lost) == (800, 1, 0, False)


def test_another_recording_behind_the_first_is_lost() -> None:
    first, second = live(VP8, video(10)), live(OPUS, opus(400))

    scan, file = repaired(first + second)

    assert packets_of(file) == as_sent(video(10))
    assert scan.tail_lost
    assert scan.lost_bytes > len(second) - 200


def test_a_clock_that_creeps_for_ever_is_refused() -> None:
    packet = video(1)[0]
    jumps = (cluster(turn * 80_000_000, simple_block(packet, 0)) for turn in (0, 1, 2, 3))
    crept = (cluster(0, simple_block(replace(packet, at=32_000), 0)) for _ in range(4000))

    with pytest.raises(NotRecording, match="limits"):
        repair([head(VP8), *jumps, *crept], Nowhere())


def test_a_lying_cluster_size_loses_only_what_it_hides() -> None:
    inner = simple_block(video(1)[0], 0)
    short = el("1f43b675", el("e7", b"\0"), inner, inner, size=(len(inner) + 11 | 1 << 56).to_bytes(8))

    scan, _ = repaired(head(VP8) + short + cluster(1000, inner))

    assert (scan.packets, scan.lost_bytes) == (2, len(inner))


def test_an_id_length_of_a_hundred_is_not_believed() -> None:
    lying = live(VP8, video(5)).replace(
        ebml_header(), ebml_header(b"webm", el("42f2", b"\x64"), el("42f3", b"\x64"))
    )

    scan, file = repaired(lying)

    assert scan.packets == 5
    assert file == repaired(live(VP8, video(5)))[1]


LACED = [
    ("no count", 0x82, b""),
    ("sizes beyond the block", 0x82, b"\x02\xff\x00\xff\x00"),
    ("sizes that never end", 0x82, b"\xff" + b"\xff" * 30),
    ("unequal frames", 0x84, b"\x02" + bytes(4)),
    ("no first size", 0x86, b"\x02"),
    ("a negative size", 0x86, b"\x02\x81\x80\x80"),
]


@pytest.mark.parametrize(("flags", "laced"), [case[1:] for case in LACED], ids=[case[0] for case in LACED])
def test_broken_lacing_costs_its_block_alone(flags: int, laced: bytes) -> None:
    packet = opus(20)[0]
    broken = el("a3", b"\x81\0\x14", bytes([flags]), laced)

    scan, _ = repaired(head(OPUS) + cluster(0, simple_block(packet, 0), broken, simple_block(packet, 0)))

    assert (scan.packets, scan.lost_bytes) == (2, len(broken))


SIZES = [(0, 0), (65_535, 65_535), (1 << 31, 1 << 31)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_size_that_no_picture_has_is_not_told(width: int, height: int) -> None:
    inter = replace(video(2)[1], at=0)
    blind = cluster(0, simple_block(inter, 0))

    scan, _ = repaired(head(replace(VP8, width=width, height=height)) + blind)

    assert (scan.width, scan.height) == (None, None)


def test_a_key_frame_of_the_largest_size_is_told_and_no_memory_is_made_for_it() -> None:
    key = bytearray(video(1)[0].data)
    key[6:10] = (16_383).to_bytes(2, "little") * 2

    scan, _ = repaired(live(VP8, [Sent(0, True, bytes(key))]))

    assert (scan.width, scan.height) == (16_383, 16_383)


def test_no_more_holes_and_changes_are_told_than_a_fact_can_hold() -> None:
    holey = (cluster(1000 * turn, simple_block(opus(20)[0], 0)) for turn in range(5000))
    scan, _ = repaired([head(OPUS), *holey])

    assert len(scan.holes) == 1000
    assert scan.holes == tuple(sorted(scan.holes))


def test_more_elements_than_any_meeting_has_are_refused() -> None:
    recording = Recording([head(VP8), ONE, b"\xec\x80" * 1000], most_elements=1000)
    recording.open()

    with pytest.raises(NotRecording, match="limits"):
        list(recording.packets())


def test_what_only_looks_like_an_element_counts_as_one() -> None:
    recording = Recording([head(VP8), ONE, b"\x99", bytes.fromhex("1f43b675") * 1001], most_elements=1000)
    recording.open()

    with pytest.raises(NotRecording, match="limits"):
        list(recording.packets())


def test_packets_that_are_laced_together_count_each() -> None:
    laced = el("a3", b"\x81\0\0\x84\xff", bytes(range(256)))
    recording = Recording([head(OPUS), cluster(0, *[laced] * 10)], most_packets=2000)
    recording.open()

    with pytest.raises(NotRecording, match="limits"):
        list(recording.packets())


def test_laced_sizes_beyond_their_block_are_not_read_to_their_end() -> None:
    endless = el("a3", b"\x81\0\0\x82\xff", b"\xff" * (15 << 20))
    began = time.process_time()

    scan, _ = repaired(head(OPUS) + cluster(0, simple_block(opus(20)[0], 0), endless))

    assert scan.packets == 1
    assert time.process_time() - began < 0.5


@given(
    flips=st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 255)), min_size=1, max_size=12),
    cut=st.integers(0, 4000),
    name=st.sampled_from(["opus", "vp8", "vp9", "h264"]),
    finished=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_flipped_bytes_lead_to_a_readable_file_or_a_refusal(
    flips: list[tuple[int, int]], cut: int, name: str, finished: bool
) -> None:
    codec, packets = codec_of(name)
    data = live(codec, packets[:30])
    if finished:
        data = repaired(data)[1]
    broken = bytearray(data)
    for at, value in flips:
        # Half of the flips hit the headers, where they hurt.
        broken[at % len(broken) if at % 2 else at % 400] = value

    try:
        scan, file = repaired(bytes(broken[: len(broken) - cut]))
    except NotRecording:
        return
    again, same = repaired(file)
    # What was put into holes counts the second time.
    assert again.packets >= scan.packets
    assert same == file


@given(data=st.binary(max_size=600))
@settings(max_examples=200, deadline=None)
def test_any_bytes_behind_a_good_start_do_no_harm(data: bytes) -> None:
    scan, _ = repaired(head(OPUS) + b"".join(_elements_of(SMALL[:2])) + data + b"".join(clusters(SMALL[2:4])))

    assert scan.packets >= 2


def test_hostile_bytes_take_no_memory() -> None:
    hostile = [
        head(VP8) + cluster(0, el("a3", size=((16 << 20) | 1 << 56).to_bytes(8))) + bytes(30 << 20),
        head(VP8) + ONE + el("ec", size=((15 << 20) | 1 << 56).to_bytes(8)) * 2 + bytes(31 << 20),
        head(VP8) + ONE + bytes.fromhex("1f43b675") * 100_000,
    ]

    for data in hostile:
        tracemalloc.start()
        try:
            _outcome_of(data[at : at + 65_536] for at in range(0, len(data), 65_536))
            assert tracemalloc.get_traced_memory()[1] < 45_000_000
        finally:
            tracemalloc.stop()


def _outcome_of(chunks: Iterable[bytes]) -> None:
    try:
        repair(chunks, Nowhere())
    except NotRecording:
        return
