"""Tracks, and pictures with their sound, in one reading of the segments, as players and FFmpeg take them."""

import re
import subprocess
import tracemalloc
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from imageio_ffmpeg import get_ffmpeg_exe  # type: ignore[import-untyped]

from chalicelib.core.ids import Kind
from chalicelib.core.scan import BadSegment
from chalicelib.core.step import Made, Output, Piece, Step, Track
from chalicelib.media import matroska as m
from chalicelib.media.codecs import opus_us
from chalicelib.media.copies import copies
from chalicelib.media.ebml import children
from chalicelib.media.index import index_of
from tests.media.live import OPUS, VP8, even, opened, opus, packets_of, shifted, video
from tests.media.markers import compare, heard, seen
from tests.media.meeting import ZERO_AT, hertz, meeting
from tests.media.test_splice import Memory, piece

SIZE = (160, 96)
MINUTES = 0.75
SPANS = {
    (0, Kind.AUDIO): ((2_000, 13_000), (14_000, 31_000), (34_500, 45_000)),
    (0, Kind.VIDEO): ((3_000, 12_000), (13_000, 23_700), (27_000, 45_000)),
}


def recorded(codec: str, memory: Memory) -> tuple[Track, ...]:
    """A participant's camera and microphone, with holes before, between and after."""
    found: dict[Kind, list[Piece]] = {}
    session = meeting(
        1, MINUTES, codec=codec, size=SIZE, spans=SPANS, ramp=codec != "h264", first_frame_late_ms=80
    )
    for segment in session.segments:
        lasts = memory.keep(segment.file, segment.data)
        # Silence is not sent, so that a file's first packet may come late.
        first = packets_of(segment.data)[0][0]
        start = segment.start_at - ZERO_AT + first - segment.first_ms
        found.setdefault(segment.kind, []).append(piece(segment.file, start, start + lasts))
    return tuple(
        Track("ann", kind, codec if kind is Kind.VIDEO else "opus", tuple(pieces))
        for kind, pieces in found.items()
    )


def outputs(*tracks: Track) -> tuple[Output, ...]:
    """All that can be made of them."""
    videos = [track for track in tracks if track.kind is Kind.VIDEO]
    return (
        *(Output("track", "webm", f"track-{t.kind}-{t.codec}.webm", "ann", t.kind) for t in tracks),
        *(Output("av", "webm", f"av-{t.codec}.webm", "ann", t.kind) for t in videos),
        *(Output("sprite", "vtt", f"sprite-{t.kind}-{t.codec}.vtt", "ann", t.kind) for t in videos),
    )


def made_of(memory: Memory, *tracks: Track, end: int = 46_000, only: Iterable[Output] = ()) -> list[Made]:
    wanted = tuple(only) or outputs(*tracks)
    return copies(Step("copies", "s1", "t", 0, 0, end, tracks, wanted), memory)


def ffmpeg(*arguments: str) -> str:
    """What FFmpeg says."""
    command = [get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-threads", "1", *arguments]
    return subprocess.run(command, capture_output=True).stderr.decode()


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264", "av1"])
def test_what_was_seen_and_heard_is_there_when_it_was(codec: str, tmp_path: Path) -> None:
    memory = Memory()
    made_of(memory, *recorded(codec, memory))
    markers = meeting(1, MINUTES, codec=codec, size=SIZE, spans=SPANS).markers
    flashes = [marker.shown_ms for marker in markers if marker.kind is Kind.VIDEO]
    tones = [marker.session_ms for marker in markers if marker.kind is Kind.AUDIO]
    hz = hertz(0, Kind.AUDIO)

    both = memory.made[f"av-{codec}.webm"]
    for file in (both, memory.made["track-audio-opus.webm"]):
        found = heard(file, [hz])
        assert compare(tones, found.tones[hz], 3).right
        assert found.duration_ms == pytest.approx(46_000, abs=2.5)
        assert found.slip_ms <= 5
    for file in (both, memory.made[f"track-video-{codec}.webm"]):
        assert compare(flashes, seen(file).flashes, 1).right
    for name in (f"av-{codec}.webm", f"track-video-{codec}.webm", "track-audio-opus.webm"):
        path = tmp_path / name
        path.write_bytes(memory.made[name])
        assert ffmpeg("-v", "error", "-i", str(path), "-f", "null", "-") == ""
        told = ffmpeg("-i", str(path))
        assert "Duration: 00:00:46.00, start: 0.000000" in told
        assert "audio" in name or float(re.findall(r"([\d.]+)k? tbr", told)[0]) >= 24


def test_each_byte_is_read_once_for_all_that_is_made() -> None:
    memory = Memory()
    made_of(memory, *recorded("vp8", memory))

    assert set(memory.read_of) == set(memory.files)
    assert all(memory.read_of[name] <= len(data) for name, data in memory.files.items())


def test_nothing_is_read_that_nobody_wants() -> None:
    memory = Memory()
    tracks = recorded("vp8", memory)
    (wanted,) = (one for one in outputs(*tracks) if one.name == "track-audio-opus.webm")

    made_of(memory, *tracks, only=[wanted])

    assert {name for name in memory.read_of if name.endswith("webm")} == {
        one.source for track in tracks if track.kind is Kind.AUDIO for one in track.pieces
    }


def test_the_same_step_gives_the_same_bytes() -> None:
    memory = Memory()
    tracks = recorded("vp8", memory)

    first = made_of(memory, *tracks), dict(memory.made)
    memory.made.clear()

    assert (made_of(memory, *tracks), memory.made) == first


def test_what_was_made_says_what_it_is() -> None:
    memory = Memory()
    tracks = recorded("vp8", memory)

    made = {one.name: one for one in made_of(memory, *tracks)}

    assert {name: one.bytes for name, one in made.items()} == {
        n: len(file) for n, file in memory.made.items()
    }
    assert {(one.start, one.end) for one in made.values()} == {(0, 46_000)}
    types = {
        "track-audio-opus.webm": "audio/webm",
        "track-video-vp8.webm": "video/webm",
        "av-vp8.webm": "video/webm",
    }
    assert {name: made[name].content_type for name in types} == types
    for name, (codec, track) in {
        "track-audio-opus.webm": ("opus", tracks[0]),
        "track-video-vp8.webm": ("vp8", tracks[1]),
        "av-vp8.webm": ("vp8", tracks[1]),
    }.items():
        filled = 46_000 - sum(min(one.end, 46_000) - one.start for one in track.pieces)
        assert dict(made[name].notes) == {
            "codec": codec,
            "filled_ms": pytest.approx(filled, abs=130),
            "pieces": 3,
        }


def clusters_of(file: bytes) -> list[tuple[int, int, int, int]]:
    """Each Cluster's time and track, and its first and last block's time."""
    segment = dict(children(file))[m.SEGMENT]
    found = []
    for ident, body in children(segment):
        if ident == m.CLUSTER:
            (_, stamp), *blocks = children(body)
            bodies = [dict(children(b)).get(m.BLOCK, b"") if i == m.BLOCK_GROUP else b for i, b in blocks]
            time = int.from_bytes(stamp)
            times = [time + int.from_bytes(block[1:3], signed=True) for block in bodies]
            assert len({block[0] for block in bodies}) == 1
            assert times == sorted(times)
            found.append((time, bodies[0][0] & 0x7F, times[0], times[-1]))
    return found


def test_pictures_are_followed_by_their_sound() -> None:
    memory = Memory()
    made_of(memory, *recorded("vp8", memory))

    found = clusters_of(memory.made["av-vp8.webm"])

    assert found[0][:2] == (0, 1)
    assert [time for time, _, first, _ in found] == [first for _, _, first, _ in found]
    pictures = [first for _, track, first, _ in found if track == 1]
    sounds = [(first, last) for _, track, first, last in found if track == 2]
    assert found == sorted(found, key=lambda one: (one[0], one[1]))
    # No sound lies before the pictures that it is heard with, and none is put off for long.
    assert all(not first < at <= last for first, last in sounds for at in pictures)
    assert max(later[0] - first for (first, _), later in pairwise(sounds)) <= 5_000


def test_the_packets_of_both_are_those_of_the_tracks() -> None:
    memory = Memory()
    made_of(memory, *recorded("vp8", memory))

    both = packets_of(memory.made["av-vp8.webm"])

    apart = packets_of(memory.made["track-video-vp8.webm"]) + packets_of(memory.made["track-audio-opus.webm"])
    assert sorted(both) == sorted(apart)


def test_a_player_seeks_by_pictures_alone() -> None:
    memory = Memory()
    made_of(memory, *recorded("vp8", memory))

    with opened(memory.made["av-vp8.webm"]) as read:
        picture, sound = read.streams.video[0], read.streams.audio[0]
        for wanted in (0, 5_500, 20_000, 26_000, 44_000):
            read.seek(wanted, stream=picture)
            landed = next(packet for packet in read.demux(picture) if packet.size)
            assert landed.is_keyframe
            assert 0 <= wanted - (landed.pts or 0) <= 10_000
            read.seek(wanted, stream=picture)
            first = next(packet for packet in read.demux(sound) if packet.size)
            assert 0 <= (first.pts or 0) - (landed.pts or 0) <= 20


def test_a_sprite_shows_what_goes_by() -> None:
    memory = Memory()
    made = made_of(memory, *recorded("vp8", memory))

    sheet, index = (one for one in made if one.output.product == "sprite")

    assert memory.made[sheet.name].startswith(b"\xff\xd8")
    cues = re.findall(r"^(\S+) -->.*\n\S+#xywh=(\S+)", memory.made[index.name].decode(), re.MULTILINE)
    assert [start for start, _ in cues][:2] == ["00:00:03.000", "00:00:13.000"]
    assert len({place for _, place in cues}) >= 4


def test_a_track_of_each_codec_that_a_camera_used() -> None:
    memory = Memory()
    (sound, vp8), (_, vp9) = recorded("vp8", memory), recorded("vp9", Memory())
    other = Memory()
    recorded("vp9", other)
    memory.files.update({f"vp9-{name}": data for name, data in other.files.items()})
    second = tuple(
        replace(one, source=f"vp9-{one.source}", index=f"vp9-{one.index}") for one in vp9.pieces[2:]
    )
    tracks = sound, replace(vp8, pieces=vp8.pieces[:2]), replace(vp9, pieces=second)

    made_of(memory, *tracks)

    for codec, first in (("vp8", 3_000), ("vp9", 27_000)):
        for name in (f"track-video-{codec}.webm", f"av-{codec}.webm"):
            with opened(memory.made[name]) as read:
                assert read.streams.video[0].codec_context.name.startswith(codec)
            assert first in seen(memory.made[name]).times
    assert heard(memory.made["av-vp8.webm"], [500]) == heard(memory.made["av-vp9.webm"], [500])


def test_a_screen_is_made_with_its_own_sound() -> None:
    memory = Memory()
    memory.put("screen", VP8, even(video(50), 40))
    memory.put("sound", OPUS, opus(2000))
    memory.put("voice", OPUS, opus(1000))
    tracks = (
        Track("ann", Kind.AUDIO, "opus", (piece("voice", 3_000, 4_000),)),
        Track("ann", Kind.SCREEN_VIDEO, "vp8", (piece("screen", 1_000, 3_000),)),
        Track("ann", Kind.SCREEN_AUDIO, "opus", (piece("sound", 1_000, 3_000),)),
    )
    wanted = Output("av", "webm", "screen-av-vp8.webm", "ann", Kind.SCREEN_VIDEO)

    made_of(memory, *tracks, end=4_000, only=[wanted])

    file = memory.made["screen-av-vp8.webm"]
    long = [time for time, _, data in packets_of(file) if len(data) > 30 and opus_us(data) == 20_000]
    assert min(long) >= 1_000
    assert max(long) < 3_000


def test_a_file_that_is_shorter_than_its_index_says_fails_and_leaves_nothing() -> None:
    memory = Memory()
    tracks = recorded("vp8", memory)
    short = tracks[1].pieces[1].source
    memory.files[short] = memory.files[short][:-100]

    with pytest.raises(BadSegment) as failed:
        made_of(memory, *tracks, only=[one for one in outputs(*tracks) if one.product != "sprite"])

    assert (failed.value.source, failed.value.code) == (short, "index_mismatch")
    assert not memory.left
    assert not memory.made


def test_memory_does_not_grow_with_the_recording() -> None:
    memory = Memory()
    heavy = [replace(packet, data=packet.data + bytes(20_000)) for packet in even(video(60), 33)]
    memory.put("a", VP8, (packet for turn in range(40) for packet in shifted(heavy, 2000 * turn)))
    size = len(memory.files["a"])
    track = Track("ann", Kind.VIDEO, "vp8", (piece("a", 1_000, 81_000),))
    (wanted,) = (one for one in outputs(track) if one.product == "track")

    tracemalloc.start()
    made_of(Forgetful(memory.files), track, end=82_000, only=[wanted])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size > 40_000_000
    assert len(index_of(memory.files["a.json"]).clusters) >= 40
    assert peak < 10_000_000


class Forgetful(Memory):
    """Keeps nothing of what is written."""

    def write(self, _name: str, _content_type: str) -> "Nothing":  # type: ignore[override]
        """Begin nothing."""
        return Nothing()


class Nothing:
    """A file that is not kept."""

    size = 0

    def body(self, data: bytes) -> None:
        """Let it go."""

    def front(self, data: bytes) -> None:
        """Let it go."""

    def abandon(self) -> None:
        """Let it go."""
