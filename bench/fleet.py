"""An hour of nine people on a fleet of Lambda functions: how soon it is there, and what it costs.

`python -m bench.fleet [--minutes M] [--samples N]`.

Measured here: the CPU of real chunks of each layout, of mixing and of encoding a slice of sound, of joining
all slices and of finishing, each in a process of its own, and how much each reads and writes. Cameras are of
640x360 in VP8 at 30 frames a second, of which 15 % are dropped: somebody who is drawn moves before a room
that keeps still, and a sensor's noise is over all. One person shares a screen in the half of the session;
somebody else speaks every 20 s.

Simulated: the template's state machine. Nothing here ran in an account, so it is assumed that

- a function of 1,769 MB has a whole processor, `price.SLOWER` times as slow; a new environment takes
  `ENVIRONMENT_S` with its layer of 50 MB before imports, which are in the measured CPU;
- of a function there come 1,000 environments each 10 s, and no sooner
  (docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html);
- a Map keeps as many children at work as the template says, of 10,000 that it may have
  (docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html), and starts them as fast as Lambda
  has environments: AWS publishes no rate of its own for that;
- a step of the machine takes `STEP_S`, a GET `GET_S` until its first byte, and bytes pass at `BYTES_S`.

Dollars are list prices, reckoned by `core/price.cost` from what would be billed.
"""

import argparse
import heapq
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.camera import CAMERA, Filmed
from bench.measure import in_child
from chalicelib.core import events as e
from chalicelib.core import price
from chalicelib.core.asking import request_of
from chalicelib.core.cast import cast, sizes, voices
from chalicelib.core.chunks import Chunk, Picture, Rendered, Whole, chunk_of
from chalicelib.core.composition import Request
from chalicelib.core.cutting import PARTS, chunks, picture
from chalicelib.core.ids import Kind
from chalicelib.core.mixing import encoding as coded
from chalicelib.core.mixing import mixing
from chalicelib.core.session import Session
from chalicelib.core.sheet import Head, spelled
from chalicelib.core.speaker import LEVEL_MS
from chalicelib.core.staging import scenes
from chalicelib.core.step import Step, step_of
from chalicelib.core.timeline import Span
from tests.media.engine import MAKERS, Engine
from tests.media.meeting import meeting
from tests.media.shelf import Shelf, Store

CONSOLE = Console(width=150)
PEOPLE = 9
LAYOUTS, QUALITIES = ("grid", "speaker", "stage", "single"), ("low", "medium")
TURN_MS = 20_000
MEMORY_MB = 1_769  # of all of the template's functions for compositions
AT_ONCE = 200  # CompositionConcurrency
LUFS = -16.0

ENVIRONMENT_S, STEP_S = 1.0, 0.1
GET_S, BYTES_S = 0.03, 62.5e6  # seconds; bytes a second
RAMP = 100  # environments a second
SECONDS_AIM, FIRST_AIM, DOLLARS_AIM = 45, 15, 0.05


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it was measured: seconds of CPU with its process's start, GETs, bytes read and written."""

    cpu_s: float
    gets: int = 0
    bytes: int = 0

    @property
    def lambda_s(self) -> float:
        """As long as a function takes that is there already."""
        return self.cpu_s * price.SLOWER + self.gets * GET_S + self.bytes / BYTES_S

    def times(self, share: float) -> "Task":
        """One that is so much longer."""
        return Task(self.cpu_s * share, round(self.gets * share), round(self.bytes * share))


@dataclass(frozen=True)
class Hour:
    """The session in a folder."""

    folder: Path
    session: Session

    @property
    def lasts(self) -> int:
        """Milliseconds."""
        return self.session.extent.end - self.session.extent.start

    def chunks(self, layout: str, quality: str) -> tuple[Request, tuple[Chunk, ...]]:
        """A composition of all of it."""
        request = request_of({"layout": layout, "quality": quality}).within(self.lasts)
        people = cast(self.session, request.participants, self._levels())
        return request, chunks(f"{layout}-{quality}", request, scenes(people, request), sizes(self.session))

    def mix(self) -> tuple[Step, ...]:
        """The slices of its sound, and what joins them."""
        return mixing(self.session, voices(self.session), Span(0, self.lasts), "mix", LUFS)

    def done(self, **job: Any) -> Task:
        """A task in a process of its own."""
        path = self.folder / "job.json"
        path.write_text(json.dumps(job))
        run = in_child(
            [sys.executable, "-m", "bench.fleet", "--work", str(self.folder), str(path)], self.folder
        )
        return Task(run.cpu_s, *run.told)

    def _levels(self) -> dict[str, bytes]:
        """One after the other speaks."""
        turn, ids = TURN_MS // LEVEL_MS, sorted(self.session.people)
        steps = range(self.lasts // LEVEL_MS)
        return {
            who: bytes(60 * (step // turn % len(ids) == number) for step in steps)
            for number, who in enumerate(ids)
        }


@dataclass(frozen=True)
class Sound:
    """Mixing and encoding a slice, joining all of them, and the key of what comes of that."""

    part: Task
    encode: Task
    join: Task
    slices: int
    key: str


@dataclass(frozen=True)
class Show:
    """All tasks of a composition: some measured, the others like these. `work` is what `price.py` says of the
    CPU of those that were measured, over what they took."""

    layout: str
    quality: str
    plan: Task
    chunks: Sequence[Task]
    sound: Sound
    finish: Task
    estimate: price.Estimate
    work: float


def main() -> None:
    """Measure, simulate and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=60)
    asked.add_argument("--samples", type=int, default=6, help="chunks of 30 s that are rendered of the grid")
    asked.add_argument("--work", nargs=2, metavar=("FOLDER", "JOB"), help=argparse.SUPPRESS)
    options = asked.parse_args()
    if options.work:
        _work(Path(options.work[0]), json.loads(Path(options.work[1]).read_text()))
        return
    with tempfile.TemporaryDirectory() as folder:
        hour = _held(Path(folder), options.minutes)
        sound, idle = _sound(hour), hour.done()
        shows = [
            _show(
                hour,
                sound,
                idle,
                (layout, quality),
                max(1, options.samples // (1 if layout == "grid" else 2)),
            )
            for layout in LAYOUTS
            for quality in QUALITIES
        ]
    _tell(shows)
    _tell_path(shows)


# --- measuring ------------------------------------------------------------------------------------


def _held(folder: Path, minutes: float) -> Hour:
    engine = Engine(Shelf(folder))
    for segment in meeting(PEOPLE, minutes, size=CAMERA, ramp=False, screen=True).segments:
        told = {field.name: getattr(segment, field.name) for field in fields(segment)}
        engine.ingested(Filmed(**told) if segment.kind is Kind.VIDEO else segment)
    return Hour(folder, engine.session)


def _sound(hour: Hour) -> Sound:
    """One slice is mixed and encoded, beside others that are the same, and joined as often as there are."""
    *slices, join = hour.mix()
    middle = slices[len(slices) // 2]
    part = hour.done(step=middle.told())
    encoding = coded(middle, join)
    own = encoding.parts[0]
    _beside(hour.folder, own, encoding.parts)
    encode = hour.done(step=encoding.told())
    parts = (f"{encoding.target}/{encoding.outputs[0].name}",) * len(slices)
    joined = hour.done(step=replace(join, parts=parts).told())
    return Sound(part, encode, joined, len(slices), f"{join.target}/{join.outputs[0].name}")


def _beside(folder: Path, own: str, keys: Sequence[str]) -> None:
    """All slices' files, each as this one."""
    for key in set(keys) - {own}:
        (folder / key).write_bytes((folder / own).read_bytes())


def _show(hour: Hour, sound: Sound, idle: Task, of: tuple[str, str], samples: int) -> Show:
    began = time.process_time()
    request, planned = hour.chunks(*of)
    *slices, join = hour.mix()
    begin = Head(picture(request), request.formats, 0, hour.lasts, request.frames, len(slices), join)
    sheet = spelled(begin, tuple(slices), planned)
    plan = Task(idle.cpu_s + time.process_time() - began, len(hour.session.recordings), len(sheet))
    short, usual = planned[0], planned[PARTS[-1] :]
    some = [usual[(2 * place + 1) * len(usual) // (2 * samples)] for place in range(samples)]
    first, *renders = (hour.done(chunk=chunk.told()) for chunk in (short, *some))
    known = sizes(hour.session)
    works = sum(price.work_s(chunk.scenes, chunk.picture, known) for chunk in (short, *some))
    took = sum(task.cpu_s - idle.cpu_s for task in (first, *renders))
    tasks = [
        like.times(chunk.frames / of.frames)
        for number, chunk in enumerate(planned)
        for like, of in [
            (first, short) if number < PARTS[-1] else (renders[number % samples], some[number % samples])
        ]
    ]
    fleet = price.Fleet(at_once=AT_ONCE, mixers=sound.slices)
    return Show(
        *of,
        plan=plan,
        chunks=tasks,
        sound=sound,
        finish=_finish(hour, sound, planned, [short, *some]),
        estimate=price.estimate(planned, len(voices(hour.session)), known, fleet),
        work=works / took,
    )


def _finish(hour: Hour, sound: Sound, planned: Sequence[Chunk], made: Sequence[Chunk]) -> Task:
    """All chunks are joined: for those that were not rendered, one that was."""
    short, *some = made
    there = [short] * PARTS[-1] + [some[place % len(some)] for place in range(len(planned) - PARTS[-1])]
    size = {chunk.name: (hour.folder / chunk.target / chunk.name).stat().st_size for chunk in made}
    rendered = tuple(Rendered(chunk.name, size[chunk.name], chunk.frames) for chunk in there)
    whole = Whole(short.target, short.picture, rendered, sound.key, 0, hour.lasts)
    return hour.done(whole=asdict(whole))


class Counted(Store):
    """Counts GETs."""

    gets = 0

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterable[bytes]:
        """A part of any file."""
        self.gets += 1
        return super().read(key, start, end)


def _work(folder: Path, job: dict[str, Any]) -> None:
    """Do a job as a function would; prints its GETs, and the bytes that it read and wrote."""
    from chalicelib.media.compose.chunk import render_chunk
    from chalicelib.media.compose.finish import finish

    store = Counted(Shelf(folder), "")
    if "chunk" in job:
        chunk = chunk_of(job["chunk"])
        store.target = chunk.target
        render_chunk(chunk, store)
    elif "step" in job:
        step = step_of(job["step"])
        store.target = step.target
        MAKERS[step.maker](step, store)
    elif "whole" in job:
        told = job["whole"]
        rendered = tuple(Rendered(**{**one, "slates": ()}) for one in told["chunks"])
        whole = Whole(**{**told, "picture": Picture(**told["picture"]), "chunks": rendered})
        store.target = whole.target
        finish(whole, ("mp4", "hls"), store)
    print(json.dumps([store.gets, store.shelf.bytes_read + store.shelf.bytes_written]))


# --- the machine, simulated -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Passed:
    """When what was over, in seconds since the request."""

    plan: float
    first: float
    chunks: float
    sound: float
    end: float

    @property
    def limit(self) -> str:
        """What the end waited for."""
        return "its chunks" if self.chunks > self.sound else "its sound"


def simulated(show: Show) -> Passed:
    """As the template's machine goes: chunks and sound at once, in environments that are all new."""
    new = STEP_S + ENVIRONMENT_S
    plan = new + show.plan.lambda_s
    ends = _ends(plan + STEP_S, [new + task.lambda_s for task in show.chunks])
    tasks = (show.sound.part, show.sound.encode, show.sound.join)
    sound = plan + STEP_S + new + sum(STEP_S + task.lambda_s for task in tasks)
    chunks = max(ends)
    return Passed(plan, ends[0], chunks, sound, max(chunks, sound) + STEP_S + show.finish.lambda_s)


def _ends(at: float, lengths: Sequence[float]) -> list[float]:
    """When each is over, as they find room."""
    running: list[float] = []
    found = []
    for place, length in enumerate(lengths):
        begins = at + place / RAMP
        if len(running) == AT_ONCE:
            begins = max(begins, heapq.heappop(running))
        heapq.heappush(running, begins + length)
        found.append(begins + length)
    return found


def dollars(show: Show) -> float:
    """What would be billed: a new environment's start as well."""
    slices = [show.sound.part, show.sound.encode] * show.sound.slices
    others = [show.plan, *slices, show.sound.join, show.finish]
    facts: list[e.Event] = [
        e.CompositionBilled(at=1, run=1, task=str(number), billed_ms=_billed_ms(task), memory_mb=MEMORY_MB)
        for number, task in enumerate(others)
    ]
    facts += [
        e.ChunkRendered(
            at=1, run=1, number=number, key=str(number), bytes=1, frames=1,
            billed_ms=_billed_ms(task), memory_mb=MEMORY_MB,
        )
        for number, task in enumerate(show.chunks)
    ]  # fmt: skip
    return price.cost(facts) + sum(task.gets for task in show.chunks) * price.GET


def _billed_ms(task: Task) -> int:
    return round(1000 * (ENVIRONMENT_S + task.lambda_s))


# --- telling --------------------------------------------------------------------------------------


def _tell(shows: Sequence[Show]) -> None:
    table = Table(
        *("", "chunks", "CPU s of a chunk: median", "most", "s to the first", "to the end", "waits for", "$"),
        *("estimate: s to the first", "to the end", "$", "prices ÷ measured CPU"),
        title=f"{PEOPLE} people for an hour, 720p30; aims: {FIRST_AIM} s, {SECONDS_AIM} s, ${DOLLARS_AIM}",
    )
    for show in shows:
        passed, cpu = simulated(show), [task.cpu_s for task in show.chunks[PARTS[-1] :]]
        table.add_row(
            f"{show.layout}, {show.quality}",
            str(len(show.chunks)),
            f"{statistics.median(cpu):.1f}",
            f"{max(cpu):.1f}",
            f"{passed.first:.1f}",
            f"{passed.end:.1f}",
            passed.limit,
            f"{dollars(show):.4f}",
            f"{show.estimate.first_s:.1f}",
            f"{show.estimate.seconds:.1f}",
            f"{show.estimate.dollars:.4f}",
            f"{show.work:.2f}",
        )
    CONSOLE.print(table)


def _tell_path(shows: Sequence[Show]) -> None:
    """What each part of the way takes."""
    table = Table(
        *(
            "",
            "plan over at",
            "chunks",
            "sound",
            "end",
            "s of a slice",
            "of encoding it",
            "of joining",
            "of finishing",
        )
    )
    for show in shows:
        passed = simulated(show)
        seconds = [passed.plan, passed.chunks, passed.sound, passed.end]
        seconds += [
            task.lambda_s for task in (show.sound.part, show.sound.encode, show.sound.join, show.finish)
        ]
        table.add_row(f"{show.layout}, {show.quality}", *(f"{value:.1f}" for value in seconds))
    CONSOLE.print(table)


if __name__ == "__main__":
    main()
