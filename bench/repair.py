"""Repair against `ffmpeg -c copy`: CPU, peak memory and bytes read, on live-style video and sound.

`python -m bench.repair [--runs N] [--large MB]`. Each run is a process of its own; they take turns, and
medians are told. The video is made here, by looping real VP8 packets at 560 kbit/s: 250 MB are an hour. The
sound is an hour of Opus, half of it silence by DTX, which repair fills up and ffmpeg leaves as it is.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from imageio_ffmpeg import get_ffmpeg_exe  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from bench.measure import Run, in_child, median_run
from tests.media.live import OPUS, VP8, Sent, clusters, dtx, head, opus, pictures, shifted

MB, HOUR_MS = 1_000_000, 3_600_000


def main() -> None:
    """Measure and print the table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--runs", type=int, default=5)
    asked.add_argument("--large", type=int, default=250, help="the large file's size in MB")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _bench(Path(folder), options.large, options.runs)


def _bench(folder: Path, large: int, runs: int) -> None:
    table = Table("file", "engine", "CPU s", "CPU ms/MB", "wall s", "peak MB", "read/size", "CPU vs ffmpeg")
    for source in _sources(folder, large):
        found = _alternating(source, folder / "out.webm", runs)
        for name, medians in found.items():
            table.add_row(*_row(source, name, medians, found["ffmpeg -c copy"]))
        source.unlink()
    for name, command in STARTS.items():
        run = median_run([_in_child([*command, str(folder / "none")]) for _ in range(runs + 1)][1:])
        table.add_row(
            "none: start alone", name, f"{run.cpu_s:.3f}", "", f"{run.wall_s:.2f}", f"{run.peak_mb:.0f}"
        )
    console = Console(width=120)
    console.print(table)
    console.print(f"medians of {runs} runs in turns; ffmpeg starts anew for each file, a function does not")


def _alternating(source: Path, target: Path, runs: int) -> dict[str, Run]:
    measured: dict[str, list[Run]] = {name: [] for name in ENGINES}
    for _ in range(runs + 1):
        for name, command in ENGINES.items():
            measured[name].append(_in_child(command(source, target)))
    # The first turn brings file and programs into memory, and Python's modules into bytecode.
    return {name: median_run(taken[1:]) for name, taken in measured.items()}


def _row(source: Path, name: str, run: Run, baseline: Run) -> tuple[str, ...]:
    size = source.stat().st_size
    return (
        f"{source.stem} {size / MB:.1f} MB",
        name,
        f"{run.cpu_s:.3f}",
        f"{1000 * run.cpu_s / (size / MB):.2f}",
        f"{run.wall_s:.2f}",
        f"{run.peak_mb:.0f}",
        f"{run.told['read'] / size:.3f}" if run.told else "-",
        f"{run.cpu_s / baseline.cpu_s:.2f} x",
    )


# --- the engines ---

# As a Lambda does it: pieces of the object in, the body's parts out as they come, the front last and apart.
# Warm is a function that has done a file before: the second time's own CPU seconds are told.
_REPAIR = """
import json, sys, time
from chalicelib.media.repair import repair

class Sink:
    def __init__(self, target):
        self.body, self.target = open(target, "wb", 0).write, target
    def front(self, data):
        with open(self.target + ".front", "wb", 0) as first:
            first.write(data)

def once():
    source = open(sys.argv[1], "rb", 0)
    return repair(iter(lambda: source.read(1 << 20), b""), Sink(sys.argv[-1])).scan.bytes_read

if sys.argv[2] == "warm":
    once()
    began = time.process_time()
    read = once()
    print(json.dumps({"read": read, "cpu_s": time.process_time() - began}))
else:
    print(json.dumps({"read": once()}))
"""


def _ours(state: str) -> Callable[[Path, Path], list[str]]:
    # Nothing of site-packages is used, so it is not looked for.
    return lambda source, target: [sys.executable, "-S", "-c", _REPAIR, str(source), state, str(target)]


def _ffmpeg(source: Path, target: Path) -> list[str]:
    quiet = ["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]
    return [
        get_ffmpeg_exe(),
        *quiet,
        "-f",
        "matroska",
        "-i",
        str(source),
        "-c",
        "copy",
        "-f",
        "webm",
        str(target),
    ]


ENGINES: dict[str, Callable[[Path, Path], list[str]]] = {
    "repair, cold process": _ours("cold"),
    "repair, warm function": _ours("warm"),
    "ffmpeg -c copy": _ffmpeg,
}

STARTS = {
    "repair": [sys.executable, "-S", "-c", "import chalicelib.media.repair"],
    "ffmpeg -c copy": [get_ffmpeg_exe(), "-version"],
}


def _in_child(command: list[str]) -> Run:
    """The CPU seconds are those that it tells of itself, if it does."""
    run = in_child(command, Path(command[-1]).parent)
    match run.told:
        case {"cpu_s": float(cpu_s)}:
            return replace(run, cpu_s=cpu_s)
    return run


# --- the files ---


def _sources(folder: Path, large: int) -> Iterator[Path]:
    """One file after the other, each made when it is asked for."""
    for size in (10, large):
        make(folder / "video.webm", size * MB)
        yield folder / "video.webm"
    make_sound(folder / "sound.webm", HOUR_MS)
    yield folder / "sound.webm"


def make_sound(target: Path, length_ms: int) -> None:
    """A live file of somebody who speaks for two seconds and is silent for two, at 24 kbit/s."""
    talk = [replace(packet, data=packet.data[:60].ljust(60, b"\1")) for packet in opus(2_000)]
    turn = [*talk, *shifted(dtx(talk), 2_000)]
    packets = (packet for at in range(0, length_ms, 4_000) for packet in shifted(turn, at))
    with target.open("wb") as file:
        file.write(head(OPUS))
        file.writelines(clusters(packets))


def make(target: Path, size: int) -> None:
    """A live file of at least this size: ten seconds of pictures, again and again."""
    with target.open("wb") as file:
        file.write(head(replace(VP8, width=640, height=360)))
        for part in clusters(_endless(_ten_seconds()), every_ms=5_000):
            file.write(part)
            if file.tell() >= size:
                return


def _ten_seconds() -> list[Sent]:
    """VP8 at 30 frames a second, padded to a camera's bitrate: the padding is never decoded."""
    packets, _ = pictures("libvpx", width=640, height=360, frames=300, keys_every=300)
    return [
        replace(packet, data=packet.data.ljust(12_000 if packet.key else 2_300, b"\0")) for packet in packets
    ]


def _endless(packets: list[Sent]) -> Iterator[Sent]:
    for turn in count():
        yield from shifted(packets, 10_000 * turn)


if __name__ == "__main__":
    main()
