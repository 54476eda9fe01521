"""The media engine, product by product, against FFmpeg.

`python -m bench.media [--runs N] [--minutes M | --hours H]`.

Every figure is of a process of its own, with its start and its children; processes take turns and medians are
told. The sessions are made here: two people with a camera of 1280x720 that begins at half size, 15 % of the
pictures dropped, Opus with DTX, mutes of up to 20 s. What an hour costs is reckoned from wall seconds at
Lambda's list price (us-east-1, arm64, November 2026), with the memory of `.chalice/config.json`.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import Any

from imageio_ffmpeg import get_ffmpeg_exe  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from bench.measure import Run, in_child, median_run
from bench.repair import make
from chalicelib.core.ids import Kind
from chalicelib.core.step import Step
from tests.media.engine import Engine
from tests.media.meeting import Meeting, Segment, meeting
from tests.media.shelf import Shelf

GB_SECOND = 0.0000133334  # dollars
INGEST_GB, RENDER_GB = 512 / 1024, 1769 / 1024
CONSOLE = Console(width=140)
QUIET = ("-hide_banner", "-loglevel", "error", "-nostdin", "-y")

CAMERA: dict[str, Any] = {
    "size": (1280, 720),
    "fps": 30,
    "ramp": True,
    "drop": 0.15,
    "mutes": True,
    "dtx": True,
}
VOICE: dict[str, Any] = {"video": False, "dtx": True, "loss": True, "mutes": True}


@dataclass(frozen=True)
class Scene:
    """A delivered session in a folder: raw files, what repairs them, and the engine that plans."""

    folder: Path
    minutes: float
    raw: list[tuple[Path, str, str]]  # file, the repaired file's key, kind
    starts: list[float]
    engine: Engine

    @property
    def delivered(self) -> int:
        """Bytes."""
        return sum(path.stat().st_size for path, _, _ in self.raw)


def scene(folder: Path, told: Meeting) -> Scene:
    """Write the meeting's files, and repair them once so that steps can be planned."""
    raw_folder = folder / "delivered"
    raw_folder.mkdir(parents=True)
    engine = Engine(Shelf(folder / "shelf"))
    raw, starts = [], []
    for segment in told.segments:
        path = raw_folder / segment.file
        with path.open("wb") as file:
            file.writelines(segment.chunks())
        fact = engine.ingested(segment)
        raw.append((path, fact.repaired_key, str(segment.kind)))
        starts.append(segment.start)
    return Scene(folder, told.minutes, raw, starts, engine)


def main() -> None:
    """Measure and print all tables."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--runs", type=int, default=3)
    asked.add_argument("--minutes", type=float, default=10, help="of the sessions whose sound is mixed")
    asked.add_argument("--hours", type=float, help="only: a session of so many hours, beyond one function")
    options = asked.parse_args()
    if options.hours:
        with tempfile.TemporaryDirectory() as folder:
            _long(Path(folder), options.hours)
        return
    for bench in (_products, _copying, _mixing, _growing):
        with tempfile.TemporaryDirectory() as folder:
            bench(Path(folder), options.runs, options.minutes)


# --- each product of two people's session ---------------------------------------------------------


def _products(folder: Path, runs: int, _minutes: float) -> None:
    two = scene(folder, meeting(2, 2, **CAMERA))
    table = Table(
        "product", "CPU s", "CPU s/min", "wall s", "peak MB", "read ÷ delivered", "written MB", "$/hour"
    )
    jobs: dict[str, dict[str, Any]] = {
        "repaired": _repairs(two),
        "poster": _steps(two, "poster"),
        "track": _steps(two, "track"),
        "track, av, sprite": _steps(two, "track", "av", "sprite"),
        "stem": _steps(two, "stem"),
        "peaks": _steps(two, "peaks"),
        "mix": _steps(two, "mix"),
        "stem, mix, peaks": _steps(two, "stem", "mix", "peaks"),
        "mix:aac": _steps(two, "mix:aac"),
    }
    commands: dict[str, list[str]] = {name: _maker(two, name, job) for name, job in jobs.items()}
    commands["ffmpeg: -c copy of each file"] = _copy_each(two)
    commands["ffmpeg: one graph, stems and mix"] = _graph(two)
    found = _in_turns(commands, runs, folder)
    for name, run in found.items():
        table.add_row(name, *_cells(run, two, INGEST_GB if name == "repaired" else RENDER_GB))
    together = [
        found[name].told["read"] for name in ("repaired", "poster", "track, av, sprite", "stem, mix, peaks")
    ]
    CONSOLE.print(table)
    CONSOLE.print(
        f"read from S3 for all of these, over what was delivered: {sum(together) / two.delivered:.3f}"
    )
    baseline = found["ffmpeg: -c copy of each file"].cpu_s
    for name in ("repaired", "track"):
        CONSOLE.print(f"{name} over `ffmpeg -c copy`: {found[name].cpu_s / baseline:.2f} x CPU")


def _cells(run: Run, of: Scene, gb: float) -> tuple[str, ...]:
    told = run.told if isinstance(run.told, dict) else None
    return (
        f"{run.cpu_s:.2f}",
        f"{run.cpu_s / of.minutes:.3f}",
        f"{run.wall_s:.2f}",
        f"{run.peak_mb:.0f}",
        f"{told['read'] / of.delivered:.3f}" if told else "-",
        f"{told['written'] / 1e6:.1f}" if told else "-",
        f"{run.wall_s * 60 / of.minutes * gb * GB_SECOND:.5f}" if told else "-",
    )


# --- an hour of video, copied ---------------------------------------------------------------------


def _copying(folder: Path, runs: int, _minutes: float) -> None:
    """An hour of one camera at 560 kbit/s, 250 MB, in one file."""
    hour = meeting(1, 60, **CAMERA | {"size": (640, 360), "ramp": False, "mutes": False})
    path = folder / "hour.webm"
    make(path, 250_000_000)
    hour.segments[:] = [_lying_in(path, one) for one in hour.segments if one.kind == Kind.VIDEO]
    one = scene(folder, hour)
    commands = {
        "ffmpeg -c copy": _copy_each(one),
        "repaired": _maker(one, "repaired", _repairs(one)),
        "track": _maker(one, "track", _steps(one, "track")),
    }
    found = _in_turns(commands, runs, folder)
    table = Table("an hour of video", "MB", "CPU s", "wall s", "peak MB", "CPU vs ffmpeg")
    for name, run in found.items():
        table.add_row(name, f"{one.delivered / 1e6:.0f}", *_against(run, found["ffmpeg -c copy"]))
    CONSOLE.print(table)


def _lying_in(path: Path, like: Segment) -> Segment:
    """The segment with a file's bytes."""

    class Lying(Segment):
        def chunks(self) -> Iterator[bytes]:
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    yield chunk

    return Lying(**{told.name: getattr(like, told.name) for told in fields(like)})


def _against(run: Run, baseline: Run) -> tuple[str, ...]:
    ratio = f"{run.cpu_s / baseline.cpu_s:.2f} x"
    return f"{run.cpu_s:.2f}", f"{run.wall_s:.2f}", f"{run.peak_mb:.0f}", ratio


# --- sound ----------------------------------------------------------------------------------------


def _mixing(folder: Path, runs: int, minutes: float) -> None:
    table = Table(
        "mix, peaks, loudness", "CPU s", "per hour", "aim", "wall s", "peak MB", "CPU vs ffmpeg's graph"
    )
    for people, aim in ((2, 28), (8, 44), (25, 89)):
        room = scene(folder / str(people), meeting(people, minutes, **VOICE))
        commands = {
            "ffmpeg": _graph(room, stems=False),
            "ours": _maker(room, "mix", _steps(room, "mix", "peaks")),
        }
        found = _in_turns(commands, runs, folder)
        for name, run in found.items():
            per_hour = f"{run.cpu_s * 60 / minutes:.0f}"
            told = f"≤ {aim}" if name == "ours" else ""
            cells = _against(run, found["ffmpeg"])
            table.add_row(f"{people} people, {name}", cells[0], per_hour, told, *cells[1:])
    CONSOLE.print(table)


# --- growth ---------------------------------------------------------------------------------------


def _growing(folder: Path, _runs: int, _minutes: float) -> None:
    """One run each: CPU seconds of all sound over minutes x tracks, and how far from a straight line."""
    table = Table("people", "minutes", "CPU s", "ms per track minute", "peak MB")
    for people, minutes in ((2, 1), (2, 10), (2, 60), (2, 180), (8, 10), (25, 1), (25, 10), (25, 30)):
        room = scene(folder / f"{people}-{minutes}", meeting(people, minutes, **VOICE))
        run = in_child(_maker(room, "grow", _steps(room, "stem", "mix", "peaks")), folder)
        per = f"{1000 * run.cpu_s / (people * minutes):.0f}"
        table.add_row(str(people), str(minutes), f"{run.cpu_s:.2f}", per, f"{run.peak_mb:.0f}")
    CONSOLE.print(table)


# --- longer than one function may run -------------------------------------------------------------


def _long(folder: Path, hours: float) -> None:
    """Two people for so long that the plan cuts the mix into slices; what joins them is planned when they are
    made. Each step once, one after the other in this process."""
    room = scene(folder, meeting(2, 60 * hours, **VOICE))
    table = Table(f"{hours:g} hours, 2 people", "files", "minutes", "CPU s", "wall s")
    while left := room.engine.left("stem", "mix", "peaks"):
        for step in left:
            cpu_s, wall_s, files = _made_here(room.engine, step)
            minutes = f"{(step.end - step.start) / 60_000:.0f}"
            table.add_row(step.maker, files, minutes, f"{cpu_s:.1f}", f"{wall_s:.1f}")
    CONSOLE.print(table)
    peak_mb = getrusage(RUSAGE_SELF).ru_maxrss / 1000
    CONSOLE.print(f"{room.delivered / 1e6:.0f} MB delivered; this process took {peak_mb:.0f} MB at most")


def _made_here(engine: Engine, step: Step) -> tuple[float, float, str]:
    began, wall = _used_s(), time.monotonic()
    made = engine.made(step)
    return _used_s() - began, time.monotonic() - wall, ", ".join(product.output.name for product in made)


def _used_s() -> float:
    """CPU seconds of this process and its ended children."""
    used = getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


# --- the candidates -------------------------------------------------------------------------------


def _in_turns(commands: dict[str, list[str]], runs: int, folder: Path) -> dict[str, Run]:
    taken: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(runs + 1):
        for name, command in commands.items():
            taken[name].append(in_child(command, folder))
    # The first turn brings files and programs into memory, and Python's modules into bytecode.
    return {name: median_run(found[1:]) for name, found in taken.items()}


def _repairs(of: Scene) -> dict[str, Any]:
    return {"repair": [[str(path), key] for path, key, _ in of.raw]}


def _steps(of: Scene, *products: str) -> dict[str, Any]:
    return {"steps": [step.told() for step in _planned(of.engine, products)]}


def _planned(engine: Engine, products: Iterable[str]) -> list[Step]:
    return engine.planned(*products)


def _maker(of: Scene, name: str, job: dict[str, Any]) -> list[str]:
    path = of.folder / f"{name.replace(', ', '-').replace(':', '-')}.json"
    path.write_text(json.dumps(job))
    return [sys.executable, "-m", "bench.maker", str(of.folder / "shelf"), str(path)]


def _copy_each(of: Scene) -> list[str]:
    each = [
        [get_ffmpeg_exe(), *QUIET, "-i", str(path), "-c", "copy", f"{path}.copy.webm"]
        for path, _, _ in of.raw
    ]
    return [
        sys.executable,
        "-S",
        "-c",
        f"import subprocess\nfor command in {each!r}: subprocess.run(command, check=True)",
    ]


def _graph(of: Scene, *, stems: bool = True) -> list[str]:
    """One pass of FFmpeg over the delivered sound: every file put at its place on the session's clock."""
    heard = [
        (path, start) for (path, _, kind), start in zip(of.raw, of.starts, strict=True) if kind == "audio"
    ]
    people = sorted({_person(path) for path, _ in heard})
    inputs: list[str] = []
    for path, start in heard:
        inputs += ["-itsoffset", f"{start / 1000:.3f}", "-i", str(path)]
    chains, outputs = [], []
    for number, person in enumerate(people):
        own = [index for index, (path, _) in enumerate(heard) if _person(path) == person]
        placed = "".join(f"[{index}:a]aresample=async=1:first_pts=0[s{index}];" for index in own)
        joined = "".join(f"[s{index}]" for index in own)
        split = f"asplit=2[stem{number}][voice{number}]" if stems else f"anull[voice{number}]"
        chains.append(f"{placed}{joined}amix=inputs={len(own)}:normalize=0,{split}")
        outputs += ["-map", f"[stem{number}]", str(of.folder / f"{number}.flac")] if stems else []
    voices = "".join(f"[voice{number}]" for number in range(len(people)))
    chains.append(f"{voices}amix=inputs={len(people)}:normalize=0,alimiter=limit=0.9,ebur128=peak=true[mix]")
    mix = [
        "-map",
        "[mix]",
        "-ac",
        "2",
        "-c:a",
        "libopus",
        "-compression_level",
        "5",
        str(of.folder / "mix.webm"),
    ]
    return [get_ffmpeg_exe(), *QUIET, "-copyts", *inputs, "-filter_complex", ";".join(chains), *outputs, *mix]


def _person(path: Path) -> str:
    return path.name.split("_")[2]


if __name__ == "__main__":
    main()
