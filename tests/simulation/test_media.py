"""The files: real, live-style WebM, and true to the session's clock."""

import io
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import av
import pytest

from local.videosdk import Meeting, media
from tests.simulation.stage import NOW, Bucket, Call

DURATION, CUES = b"\x44\x89", b"\x1c\x53\xbb\x6b"
CLUSTER_OF_UNKNOWN_SIZE = b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff"
SEGMENT_OF_UNKNOWN_SIZE = b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"
KINDS = ("audio", "video", "screen_audio", "screen_video")

# Every so manieth sample is looked at: a beep's shortest wave is four times as long.
SAMPLED = 3

# Where in the session a segment lies: from a full second, from between two, across the loop's end, short.
STRETCHES = [(0, 6_000), (1_234, 9_876), (4_990, 12_010), (777, 1_200)]


def _packets(body: bytes) -> list[Any]:
    with av.open(io.BytesIO(body), "r") as container:
        return [packet for packet in container.demux() if packet.size]


def _decoded(body: bytes) -> Iterator[Any]:
    with av.open(io.BytesIO(body), "r") as container:
        yield from container.decode(container.streams[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_what_a_live_recorder_leaves(kind: str) -> None:
    body = media.segment(kind, 0, 0, 6_000)

    assert body.count(SEGMENT_OF_UNKNOWN_SIZE) == 1
    assert body.count(CLUSTER_OF_UNKNOWN_SIZE) == 3
    head = body[: body.index(CLUSTER_OF_UNKNOWN_SIZE)]
    assert DURATION not in head
    assert CUES not in body
    with av.open(io.BytesIO(body), "r") as container:
        assert container.duration is None
        codec = container.streams[0].codec_context
        assert codec.name == ("vp8" if kind in media.LAYERS else "opus")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("start", "end"), STRETCHES, ids=str)
def test_packets_lie_inside_their_segment_and_reach_its_end(kind: str, start: int, end: int) -> None:
    times = [packet.pts for packet in _packets(media.segment(kind, 3, start, end))]

    step = 1_000 // media.LAYERS[kind].fps if kind in media.LAYERS else media.PACKET_MS
    assert times == sorted(set(times))
    assert 0 <= times[0] <= 2.5 * step
    assert end - start - 2.5 * step <= times[-1] < end - start


@pytest.mark.parametrize("kind", ["video", "screen_video"])
def test_pictures_flash_on_the_full_seconds_of_the_session(kind: str) -> None:
    start, end = 1_234, 9_876

    bright = [
        f.pts + start for f in _decoded(media.segment(kind, 5, start, end)) if bytes(f.planes[0])[100] > 200
    ]

    assert [at for at in bright if at % 1_000 == 0] == list(range(2_000, 10_000, 1_000))
    assert all(at % 1_000 < media.BEEP_MS for at in bright)


@pytest.mark.parametrize("voice", [0, 4, 11])
@pytest.mark.parametrize("kind", ["audio", "screen_audio"])
def test_beeps_are_on_the_full_seconds_of_the_session(kind: str, voice: int) -> None:
    start, end = 1_234, 9_876

    onsets = [at for at, before in _loud(media.segment(kind, voice, start, end), start) if not before]

    assert len(onsets) == 8
    assert all(min(at % 1_000, -at % 1_000) <= 5 for at in onsets)


def _loud(body: bytes, start: int) -> Iterator[tuple[float, bool]]:
    """Where sound is as loud as a beep, in milliseconds of the session; whether it was so 150 ms before."""
    last = -1e9
    for frame in _decoded(body):
        samples = memoryview(bytes(frame.planes[0])).cast("f")[: frame.samples]
        for i in range(0, frame.samples, SAMPLED):
            if samples[i] > 0.2:
                at = frame.pts + i / 48 + start
                yield at, at - last < 150
                last = at


def test_voices_differ() -> None:
    files = {media.segment("audio", voice, 0, 2_000) for voice in range(3)}
    files |= {media.segment("screen_audio", 0, 0, 2_000)}

    assert len(files) == 4


def test_the_same_stretch_is_the_same_file() -> None:
    assert media.segment("video", 1, 100, 3_000) == media.segment("video", 1, 100, 3_000)


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [("video", [(320, 180), (640, 360)]), ("screen_video", [(480, 270), (960, 540)])],
    ids=["video", "screen"],
)
def test_pictures_grow_inside_a_file_and_their_rate_varies(kind: str, sizes: list[tuple[int, int]]) -> None:
    frames = list(_decoded(media.segment(kind, 2, 300, 7_000)))

    seen = [(frame.width, frame.height) for frame in frames]
    assert list(dict.fromkeys(seen)) == sizes
    assert seen == sorted(seen)
    steps = {second.pts - first.pts for first, second in pairwise(frames)}
    assert len(steps) > 4
    assert (media.resolution(kind, 300, 7_000), media.resolution(kind, 300, 1_900)) == (
        media.LAYERS[kind].large,
        media.LAYERS[kind].small,
    )


def test_silence_is_left_out_as_dtx_does() -> None:
    times = [packet.pts for packet in _packets(media.segment("audio", 0, 0, 10_000))]

    holes = [second - first for first, second in pairwise(times) if second - first > media.PACKET_MS]
    assert holes
    assert max(holes) <= 400
    assert 0.6 < len(times) / 500 < 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_too_short_for_a_packet_is_no_file(kind: str) -> None:
    assert media.segment(kind, 0, 10_003, 10_012) == b""


def test_each_unmute_is_a_file_named_by_its_start(meeting: Meeting, call: Call, bucket: Bucket) -> None:
    session_id = meeting.join("ann_b")
    call.start("ann_b", "screen_audio")
    for on, off in ((500, 2_000), (1_000, 3_000)):
        meeting.advance(on)
        meeting.unmute("ann_b", "screen_audio")
        meeting.advance(off)
        meeting.mute("ann_b", "screen_audio")
    call.stop("ann_b", "screen_audio")
    meeting.settle()

    front = f"rec/a/{session_id}/ann_b/screen_audio/track_recording_ann_b_screen_audio_"
    assert list(bucket) == [f"{front}{NOW + 500}.webm", f"{front}{NOW + 3_500}.webm"]
    lengths = [_packets(body)[-1].pts + media.PACKET_MS for body in bucket.values()]
    assert lengths == [2_000, 3_000]


def test_an_unmute_too_short_for_a_packet_leaves_nothing(
    meeting: Meeting, call: Call, bucket: Bucket
) -> None:
    meeting.join("ann")
    call.start("ann", "audio")
    meeting.unmute("ann", "audio")
    meeting.advance(5)
    meeting.mute("ann", "audio")
    call.stop("ann", "audio")
    meeting.settle()

    assert bucket == {}
    assert call.listed()[0]["files"] == []
