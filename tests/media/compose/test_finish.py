"""What a composition is in the end: HLS, and one MP4, with no frame and no tone more or less."""

import re
from dataclasses import dataclass
from pathlib import Path

import av
import pytest
from av.container import InputContainer

from chalicelib.core.chunks import SOUND_FILE, WHOLE, Chunk, Rendered, Whole
from chalicelib.core.ids import Kind
from chalicelib.core.playlist import MASTER, SOUND, VIDEO, video_playlist
from chalicelib.media.compose.boxes import boxes
from chalicelib.media.compose.finish import finish
from tests.media.compose.stage import TARGET, Room, cut, flashes, rendered, room, shots, stream
from tests.media.markers import compare, ffmpeg_heard, ffmpeg_seen, heard
from tests.media.meeting import hertz
from tests.media.shelf import Store

FRAMES, EDGES = 700, (90, 350)
PITCHES = [hertz(number, Kind.AUDIO) for number in (0, 1)]
FORMATS = ("mp4", "hls")


@dataclass
class Show:
    """A meeting, its chunks and its mix."""

    room: Room
    chunks: list[Chunk]
    made: tuple[Rendered, ...]
    mix: str

    def finished(self, *formats: str, start: int = 0, mix: bool = True) -> dict[str, Path]:
        """What comes of it, by name."""
        end = start + FRAMES * 1000 // self.room.rate
        whole = Whole(TARGET, self.room.picture, self.made, self.mix if mix else None, start, end)
        shelf = self.room.engine.shelf
        files = finish(whole, formats, Store(shelf, TARGET))
        assert all(shelf.path(f"{TARGET}/{file.name}").stat().st_size == file.bytes for file in files)
        return {file.name: shelf.path(f"{TARGET}/{file.name}") for file in files}

    def tones(self, hz: int, start: int = 0) -> list[float]:
        """When somebody's tones are there."""
        at = [
            marker.shown_ms - self.room.zero - start
            for marker in self.room.meeting.markers
            if marker.hz == hz
        ]
        return [one for one in at if 0 <= one < FRAMES * 1000 / self.room.rate - 200]


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Show:
    """Half a minute of two people."""
    made = room(tmp_path_factory.mktemp("room"), 2, 0.5, mutes=False)
    (mix,) = made.engine.produced("mix:aac")
    chunks = cut(made.chunk(FRAMES), *EDGES)
    key = str(Path(mix.path).relative_to(made.engine.shelf.folder))
    return Show(made, chunks, tuple(rendered(made.engine.shelf, chunks)), key)


def test_the_mp4_has_every_frame_and_every_marker_at_its_time(show: Show) -> None:
    whole = str(show.finished("mp4")[WHOLE])

    found = shots(whole)
    assert [round(shot.at * 30 / 1000, 3) for shot in found] == list(range(FRAMES))
    for number, hz in enumerate(PITCHES):
        seen = flashes(found, 160 * number, 0, 160, 96)
        assert compare(show.room.expected(number)[: len(seen)], seen, 34.4).right
        assert compare(show.tones(hz), heard(whole, [hz]).tones[hz], 10).right
        assert compare(show.tones(hz), ffmpeg_heard(whole, hz)[0], 10).right


def test_what_the_chunks_have_is_in_the_mp4_bit_by_bit(show: Show) -> None:
    def packets(source: str) -> list[tuple[bytes, bool]]:
        with av.open(source) as file:
            assert isinstance(file, InputContainer)
            return [(bytes(packet), packet.is_keyframe) for packet in file.demux(video=0) if packet.size]

    apart = show.room.engine.shelf.path("apart.mp4")
    apart.write_bytes(stream(show.room.engine.shelf, show.chunks))

    assert packets(str(show.finished("mp4")[WHOLE])) == packets(str(apart))


def test_an_mp4_begins_with_its_index_and_sound_lies_beside_pictures(show: Show) -> None:
    path = show.finished("mp4")[WHOLE]

    assert list(boxes(path.read_bytes())) == [b"ftyp", b"moov", b"mdat"]
    with av.open(str(path)) as file:
        assert isinstance(file, InputContainer)
        told = [(packet.pos, packet.stream.type, packet.pts, packet.time_base) for packet in file.demux()]
    placed = sorted(
        (pos, kind, pts * base) for pos, kind, pts, base in told if pos and pts is not None and base
    )
    last = {"video": 0.0, "audio": 0.0}
    for _, kind, at in placed:
        last[kind] = float(at)
        assert abs(last["video"] - last["audio"]) < 1.2


def test_the_same_input_gives_the_same_bytes(show: Show) -> None:
    first = {name: path.read_bytes() for name, path in show.finished(*FORMATS).items()}

    assert {name: path.read_bytes() for name, path in show.finished(*FORMATS).items()} == first


def test_the_stream_plays_as_a_whole_with_its_sound(show: Show) -> None:
    master = str(show.finished("hls")[MASTER])

    assert ffmpeg_seen(master)
    for hz in PITCHES:
        tones, length = ffmpeg_heard(master, hz)
        assert compare(show.tones(hz), tones, 10).right
        assert length == pytest.approx(FRAMES * 1000 / 30, abs=25)
    found = shots(master)
    assert [round((shot.at - found[0].at) * 30 / 1000, 2) for shot in found] == list(range(FRAMES))


def test_playlists_say_how_long_each_segment_lasts_and_where_it_lies(show: Show) -> None:
    files = show.finished("hls")
    lasts = [float(told) for told in re.findall(r"EXTINF:([\d.]+)", files[VIDEO].read_text())]
    ranges = [
        (int(at), int(size))
        for size, at in re.findall(r"BYTERANGE[:=]\"?(\d+)@(\d+)", files[SOUND].read_text())
    ]

    assert lasts == [pytest.approx(frames / 30, abs=1e-5) for frames in (90, 260, 350)]
    ends = [at + size for at, size in ranges]
    assert [at for at, _ in ranges] == [0, *ends[:-1]]
    assert ends[-1] == files[SOUND_FILE].stat().st_size


def test_what_is_done_plays_while_the_rest_is_rendered(show: Show) -> None:
    playlist = show.room.engine.shelf.path(f"{TARGET}/live.m3u8")
    playlist.write_text(video_playlist(show.room.picture, show.made[:2], ended=False))

    assert "ENDLIST" not in playlist.read_text()
    playlist.write_text(playlist.read_text() + "#EXT-X-ENDLIST\n")  # or FFmpeg waits for more
    assert len(shots(str(playlist))) == EDGES[1]


@pytest.mark.parametrize("start", [3_001, 5_453, 7_000])
def test_of_a_range_the_sound_is_cut_to_the_sample(show: Show, start: int) -> None:
    files = show.finished(*FORMATS, start=start)

    for name in (WHOLE, SOUND_FILE):
        tones = heard(str(files[name]), PITCHES).tones
        assert all(compare(show.tones(hz, start), tones[hz], 10).right for hz in PITCHES)


def test_where_nobody_spoke_there_are_pictures_alone(show: Show) -> None:
    files = show.finished(*FORMATS, mix=False)

    assert set(files) == {MASTER, VIDEO, WHOLE}
    assert "AUDIO" not in files[MASTER].read_text()
    with av.open(str(files[WHOLE])) as file:
        assert isinstance(file, InputContainer)
        assert [stream.type for stream in file.streams] == ["video"]
    assert len(shots(str(files[WHOLE]))) == FRAMES
