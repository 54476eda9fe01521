"""Media that nobody trusts, each tried in a process of its own that may die: what came of it, at what cost,
and what was opened meanwhile.

Run as a program it is that process: a line of JSON comes in for each case, a line goes out.
"""

import base64
import io
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import batched, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
from av.error import FFmpegError

from chalicelib.core.scan import NotRecording
from chalicelib.core.step import Output
from chalicelib.media.decoding import Decoding
from chalicelib.media.index import Index, index_of
from chalicelib.media.matroska import Recording
from chalicelib.media.repair import repair
from chalicelib.media.sprite import Sprite
from tests.media.live import Nowhere, Shelf
from tests.reliability.bombs import BOMBS

ROOT = Path(__file__).parents[2]
CPU_S = 20.0  # for one case, and then it hangs
MEMORY = 3 << 30

MOST_BATCHES = 20  # of one file's sound are decoded: an hour of filler takes seconds
SPRITE = Output("sprite", "vtt", "sprite.vtt")


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of one case: `made`, a refusal's code, `fault: …`, `crashed …` or `hung`."""

    what: str
    bytes: int = 0
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    opened: tuple[str, ...] = ()

    @property
    def is_fault(self) -> bool:
        """Whether it ended otherwise than by a file or a refusal."""
        return self.what.startswith(("fault", "crashed", "hung"))


class Cell:
    """The process, begun anew whenever it died."""

    def __init__(self, cwd: Path = ROOT, cpu_s: float = CPU_S) -> None:
        self._cwd, self._cpu_s = cwd, cpu_s
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self._process is not None:
            self._process.kill()
            self._buried()

    def tries(self, do: str, data: bytes) -> Ending:
        """One case of bytes."""
        return self._tries({"do": do, "data": base64.b64encode(data).decode()})

    def explodes(self, do: str, bomb: str, budget_s: float) -> Ending:
        """One bomb, by its name; the file ends where it has cost so much, if it has not ended before."""
        return self._tries({"do": do, "bomb": bomb, "budget_s": budget_s})

    def _tries(self, case: dict[str, Any]) -> Ending:
        process = self._running()
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(json.dumps({"cpu_s": self._cpu_s, **case}) + "\n")
            process.stdin.flush()
            told = process.stdout.readline()
        except BrokenPipeError:
            told = ""
        if not told:
            return Ending(self._buried())
        ending: dict[str, Any] = json.loads(told)
        return Ending(**{**ending, "opened": tuple(ending["opened"])})

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __spec__.name],
                cwd=self._cwd, env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
        return self._process

    def _buried(self) -> str:
        """Why it died."""
        process, self._process = self._process, None
        assert process
        for pipe in (process.stdin, process.stdout):
            assert pipe
            try:
                pipe.close()
            except BrokenPipeError:
                continue
        code = process.wait()
        return "hung" if code in (-signal.SIGPROF, -signal.SIGXCPU) else f"crashed {code}"


# --- inside ---------------------------------------------------------------------------------------

# What Python tells an audit hook of, and what of it would be a way out. A child process of ours, and a pair
# of sockets with it, is none: it can open nothing.
WAYS_OUT = ("open", "socket.", "subprocess.", "os.exec", "os.posix_spawn", "os.system", "urllib.")


class _Watch:
    """Notes what is opened while a case is tried."""

    def __init__(self) -> None:
        self.on = False
        self.opened: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        ours = event == "socket.__new__" and args[1] == socket.AF_UNIX
        if self.on and event.startswith(WAYS_OUT) and not ours:
            self.opened.append(f"{event} {args[:1]!r}"[:200])


def _peak_mb() -> float:
    """Since the case began; of children, since all began."""
    told = Path("/proc/self/status").read_text()
    own = int(told.partition("VmHWM:")[2].split()[0])
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def _cpu_s() -> float:
    """With that of children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _end(do: str, chunks: Iterable[bytes]) -> str:
    try:
        DO[do](chunks)
    except NotRecording as refused:
        return refused.code
    except Exception as fault:
        return f"fault: {fault!r}"[:300]
    return "made"


def _again(chunks: Iterable[bytes]) -> None:
    """Repair, and what was repaired once more: it may not change."""
    first, second = Shelf(), Shelf()
    repair(chunks, first)
    repair([first.file], second)
    if first.file != second.file:
        raise AssertionError("a repaired file was not whole")


def _decode(chunks: Iterable[bytes]) -> None:
    """Repair, and decode what was repaired as the makers do."""
    shelf = Shelf()
    index = index_of(repair(chunks, shelf).index)
    (_decode_pictures if index.kind == "video" else _decode_sound)(index, shelf.file)


def _decode_pictures(index: Index, file: bytes) -> None:
    with Sprite(SPRITE, _Void(), 0, index.duration_ms) as sprite:
        for frame in index.key_frames:
            if sprite.wants(frame.time_ms):
                data = file[frame.place : frame.place + frame.size]
                sprite.add(frame.time_ms, index.codec, index.private, data, "k")
        sprite.finish()


class _Void:
    """A store that keeps nothing, and a file in it."""

    size = 0

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterable[bytes]:
        """Nothing is there."""
        raise FileNotFoundError(key, start, end)

    def write(self, *_: str) -> "_Void":
        """Begin a file."""
        return self

    def body(self, _: bytes) -> None:
        """Some bytes of it."""

    def front(self, _: bytes) -> None:
        """The first ones."""

    def abandon(self) -> None:
        """It is gone anyway."""


def _decode_sound(index: Index, file: bytes) -> None:
    recording = Recording([file])
    recording.open()
    packets = (frame for _, _, frame, _ in recording.packets())
    with Decoding() as decoding:
        for batch in islice(batched(packets, 200, strict=False), MOST_BATCHES):
            decoding.sound(0, "k", index.private, min(2, index.channels), batch, False)


def _believe(chunks: Iterable[bytes]) -> None:
    """What no code of ours does: have FFmpeg guess what it is. So that the watch is seen to work."""
    try:
        with av.open(io.BytesIO(b"".join(chunks)), mode="r") as opened:
            list(opened.demux())
    except FFmpegError:
        return


def _crash(_: Iterable[bytes]) -> None:
    """As a decoder might. So that the cell is seen to hold."""
    os.kill(os.getpid(), signal.SIGSEGV)


def _hang(chunks: Iterable[bytes]) -> None:
    while chunks:
        signal.getitimer(signal.ITIMER_PROF)


DO: dict[str, Callable[[Iterable[bytes]], object]] = {
    "repair": lambda chunks: repair(chunks, Nowhere()),
    "repair twice": _again,
    "decode": _decode,
    "believe": _believe,
    "crash": _crash,
    "hang": _hang,
}


class _Fed:
    """Chunks as long as their reading has not cost too much; `bytes` counts them."""

    def __init__(self, chunks: Iterable[bytes], budget_s: float) -> None:
        self._chunks, self._until, self.bytes = chunks, time.process_time() + budget_s, 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.bytes += len(chunk)
            yield chunk
            if time.process_time() > self._until:
                return


def _tried(watch: _Watch, case: dict[str, Any]) -> dict[str, Any]:
    chunks = BOMBS[case["bomb"]]() if "bomb" in case else [base64.b64decode(case["data"])]
    fed = _Fed(chunks, case.get("budget_s", case["cpu_s"]))
    Path("/proc/self/clear_refs").write_text("5")  # the highest use of memory is counted anew
    signal.setitimer(signal.ITIMER_PROF, case["cpu_s"])
    watch.opened, watch.on, began = [], True, _cpu_s()
    what = _end(case["do"], fed)
    watch.on, spent = False, _cpu_s() - began
    signal.setitimer(signal.ITIMER_PROF, 0)
    peak_mb, opened = _peak_mb(), watch.opened
    return {"what": what, "bytes": fed.bytes, "cpu_s": spent, "peak_mb": peak_mb, "opened": opened}


def main() -> None:
    """Try what comes in, line by line."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    watch = _Watch()
    for line in sys.stdin:
        print(json.dumps(_tried(watch, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
