"""Compositions against one FFmpeg graph that makes the same pictures in one piece.

`python -m bench.compose [--runs N] [--seconds S] [--camera FILE]`.

Everybody has a camera of 640x360 in VP8 at 30 frames a second, of which 15 % are dropped, and a tile of 720p.
`--camera` takes a film instead of the generator's pictures, which are smooth: its frames are scaled and
encoded as a camera's would be. Both sides have the same preset, frame rate and crf; SSIM is against the
graph's own pictures without loss. Every figure is of a process of its own with its children; they take turns
and medians are told. Memory is of the largest process of each.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from fractions import Fraction
from io import BytesIO
from itertools import islice, pairwise
from math import ceil, sqrt
from pathlib import Path
from random import Random

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from imageio_ffmpeg import get_ffmpeg_exe  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from bench.measure import Run, in_child, median_run
from chalicelib.core.chunks import INIT, Chunk, Picture, chunk_of
from chalicelib.core.ids import Kind
from chalicelib.core.layout import layout
from chalicelib.core.scenes import Scene, Tile, Video
from tests.media.engine import Engine
from tests.media.meeting import Segment, meeting
from tests.media.shelf import Shelf, Store

CONSOLE = Console(width=140)
QUIET = ("-hide_banner", "-loglevel", "error", "-nostdin", "-y")
CAMERA, CANVAS, RATE = (640, 360), (1280, 720), 30
PRESET, CRF = "veryfast", 23
CHUNK_S = 30


@dataclass(frozen=True)
class Show:
    """A session in a folder, and the chunks of its composition; `one` is all of it in one piece."""

    folder: Path
    one: Chunk
    chunks: list[Chunk]


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--runs", type=int, default=3)
    asked.add_argument("--seconds", type=int, default=60)
    asked.add_argument("--people", type=int, nargs="+", default=[2, 4, 9])
    asked.add_argument("--camera", type=Path)
    asked.add_argument("--render", nargs=2, metavar=("FOLDER", "JOB"), help=argparse.SUPPRESS)
    options = asked.parse_args()
    if options.render:
        _render(Path(options.render[0]), Path(options.render[1]))
        return
    table = Table(
        *("", "CPU s/min", "over ffmpeg", "wall s", "peak MB", "kbit/s", "over ffmpeg", "SSIM"),
        *("chunked over one", "read ÷ delivered"),
    )
    for people in options.people:
        with tempfile.TemporaryDirectory() as folder:
            show = _show(Path(folder), people, options.seconds, options.camera)
            _tell(table, people, show, options.runs, options.seconds)
    CONSOLE.print(table)


def _tell(table: Table, people: int, show: Show, runs: int, seconds: int) -> None:
    candidates = {
        "ffmpeg": _graph(show, "ffmpeg.mp4", "-preset", PRESET, "-crf", str(CRF)),
        "one piece": _ours(show, "one", [show.one]),
        "chunks": _ours(show, "chunks", show.chunks),
    }
    taken: dict[str, list[Run]] = {name: [] for name in candidates}
    for _ in range(runs):
        for name, command in candidates.items():
            taken[name].append(in_child(command, show.folder))
    found = {name: median_run(each) for name, each in taken.items()}
    subprocess.run(_graph(show, "lossless.mp4", "-preset", "ultrafast", "-qp", "0"), check=True)
    baseline, size = found["ffmpeg"], _size(show, "ffmpeg")
    for name, run in found.items():
        chunked = f"{run.cpu_s / found['one piece'].cpu_s:.2f}" if name == "chunks" else ""
        read = f"{run.told / _delivered(show):.2f}" if run.told else ""
        table.add_row(
            f"{people} people, {name}",
            f"{run.cpu_s * 60 / seconds:.1f}",
            f"{run.cpu_s / baseline.cpu_s:.2f}",
            f"{run.wall_s:.1f}",
            f"{run.peak_mb:.0f}",
            f"{_size(show, name) * 8 / seconds / 1000:.0f}",
            f"{_size(show, name) / size:.2f}",
            f"{_ssim(show, name):.5f}",
            chunked,
            read,
        )


# --- the session ----------------------------------------------------------------------------------


def _show(folder: Path, people: int, seconds: int, camera: Path | None) -> Show:
    engine = Engine(Shelf(folder))
    made = meeting(people, (seconds + 10) / 60, size=CAMERA, ramp=False, mutes=False)
    for number, segment in enumerate(one for one in made.segments if one.kind is Kind.VIDEO):
        engine.ingested(segment if camera is None else _filmed(segment, camera, number))
    videos = [
        Video(laid.participant_id, "", track.kind, track.codec, track.pieces[0])
        for laid in layout(engine.session)
        for track in laid.tracks
    ]
    picture = Picture(*CANVAS, RATE, "#000000", False, PRESET, CRF)
    tiles = _tiles(videos)
    zero = max(video.piece.start for video in videos) + 1_000
    edges = [*range(0, seconds, CHUNK_S), seconds]
    chunks = [
        Chunk("chunks", number, zero, picture, (Scene(first * RATE, end * RATE, tiles),))
        for number, (first, end) in enumerate(pairwise(edges), 1)
    ]
    return Show(folder, Chunk("one", 1, zero, picture, (Scene(0, seconds * RATE, tiles),)), chunks)


def _tiles(videos: list[Video]) -> tuple[Tile, ...]:
    """A grid in the middle of the canvas."""
    across = ceil(sqrt(len(videos)))
    down = ceil(len(videos) / across)
    width, height = CANVAS[0] // across // 2 * 2, CANVAS[1] // max(across, down) // 2 * 2
    left, top = (CANVAS[0] - width * across) // 4 * 2, (CANVAS[1] - height * down) // 4 * 2
    return tuple(
        Tile(left + place % across * width, top + place // across * height, width, height, video)
        for place, video in enumerate(videos)
    )


def _filmed(like: Segment, film: Path, number: int) -> Segment:
    """The segment with a film's pictures, begun at another place for everybody."""
    data = _camera(film, number, round((like.end - like.start) * RATE / 1000))

    class Filmed(Segment):
        def chunks(self) -> Iterator[bytes]:
            yield data

    return Filmed(**{told.name: getattr(like, told.name) for told in fields(like)})


def _camera(film: Path, number: int, frames: int) -> bytes:
    """So many frames of a film, there and back again, as WebM."""
    with av.open(str(film)) as file:
        assert isinstance(file, InputContainer)
        shots = [frame.reformat(*CAMERA, "yuv420p") for frame in islice(file.decode(video=0), 400)]
    turn, chance, written = [*shots, *reversed(shots)], Random(number), BytesIO()
    with av.open(written, "w", format="webm") as out:
        stream = out.add_stream("libvpx", rate=RATE)
        assert isinstance(stream, VideoStream)
        coder = stream.codec_context
        assert isinstance(coder, VideoCodecContext)
        coder.width, coder.height, coder.pix_fmt, coder.bit_rate = *CAMERA, "yuv420p", 600_000
        coder.options = {"deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0"}
        coder.gop_size, coder.time_base = 10 * RATE, Fraction(1, 1000)
        for place in (place for place in range(frames) if chance.random() >= 0.15 or not place):
            shot = VideoFrame.from_ndarray(turn[(place + 70 * number) % len(turn)].to_ndarray(), "yuv420p")
            shot.pts, shot.time_base = place * 1000 // RATE, Fraction(1, 1000)
            out.mux(stream.encode(shot))
        out.mux(stream.encode(None))
    return written.getvalue()


# --- both sides -----------------------------------------------------------------------------------


def _ours(show: Show, name: str, chunks: list[Chunk]) -> list[str]:
    job = show.folder / f"{name}.json"
    job.write_text(json.dumps([chunk.told() for chunk in chunks]))
    return [sys.executable, "-m", "bench.compose", "--render", str(show.folder), str(job)]


def _render(folder: Path, job: Path) -> None:
    """Render as the function does, one chunk after the other; prints how many bytes were read."""
    from chalicelib.media.compose.chunk import render_chunk

    shelf = Shelf(folder)
    chunks = [chunk_of(told) for told in json.loads(job.read_text())]
    made = [render_chunk(chunk, Store(shelf, chunk.target)) for chunk in chunks]
    names = [f"{chunks[0].target}/{name}" for name in (INIT, *(one.name for one in made))]
    read = shelf.bytes_read
    (folder / f"{job.stem}.mp4").write_bytes(b"".join(shelf.data(name) for name in names))
    print(json.dumps(read))


def _graph(show: Show, name: str, *encoder: str) -> list[str]:
    """One pass of FFmpeg: every file at its place on the composition's clock, every frame when it is due."""
    tiles, zero = show.one.scenes[0].tiles, show.one.zero
    inputs: list[str] = []
    chains: list[str] = []
    for place, tile in enumerate(tiles):
        assert isinstance(tile.shows, Video)
        piece = tile.shows.piece
        inputs += ["-itsoffset", f"{(piece.start - zero) / 1000:.3f}", "-i", str(show.folder / piece.source)]
        chains.append(
            f"[{place}:v]fps={RATE}:round=up:start_time=0,scale={tile.width}:{tile.height}[tile{place}]"
        )
    chains += _placed(tiles)
    length = str(show.one.frames / RATE)
    written = ["-map", "[whole]", "-t", length, "-an", "-c:v", "libx264", *encoder, str(show.folder / name)]
    return [get_ffmpeg_exe(), *QUIET, "-copyts", *inputs, "-filter_complex", ";".join(chains), *written]


def _placed(tiles: tuple[Tile, ...]) -> list[str]:
    """All tiles beside each other, in the middle of the canvas."""
    left, top = min(tile.x for tile in tiles), min(tile.y for tile in tiles)
    places = "|".join(f"{tile.x - left}_{tile.y - top}" for tile in tiles)
    inputs = "".join(f"[tile{place}]" for place in range(len(tiles)))
    pad = f"pad={CANVAS[0]}:{CANVAS[1]}:{left}:{top}"
    return [f"{inputs}xstack=inputs={len(tiles)}:layout={places},{pad}[whole]"]


def _size(show: Show, name: str) -> int:
    return (show.folder / f"{name.partition(' ')[0]}.mp4").stat().st_size


def _delivered(show: Show) -> int:
    """Bytes of all files, over the share of them that is shown."""
    shown = [tile.shows.piece for tile in show.one.scenes[0].tiles if isinstance(tile.shows, Video)]
    length = show.one.frames * 1000 / RATE
    return round(
        sum(
            (show.folder / piece.source).stat().st_size * length / (piece.end - piece.start)
            for piece in shown
        )
    )


def _ssim(show: Show, name: str) -> float:
    files = (show.folder / f"{name.partition(' ')[0]}.mp4", show.folder / "lossless.mp4")
    inputs = [word for file in files for word in ("-i", str(file))]
    said = subprocess.run(
        [get_ffmpeg_exe(), "-hide_banner", "-nostdin", *inputs, "-lavfi", "ssim", "-f", "null", "-"],
        capture_output=True,
        check=True,
        text=True,
    )
    told = re.search(r"All:([\d.]+)", said.stderr)
    assert told is not None
    return float(told[1])


if __name__ == "__main__":
    main()
