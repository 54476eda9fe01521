"""The processes of one local stack, known by a mark in their environment and not by their numbers.

A number may be a stranger's by the time it is used; the mark is inherited, so it also finds the workers that
a killed server leaves behind, without anything having been written down before the crash.
"""

import os
from collections.abc import Callable
from pathlib import Path

import psutil

MARK = "TRACKLANE_STACK"
# Nothing here has anything to lose: the embedded AWS keeps all it has in memory.
PATIENCE_S = 1


def start(command: list[str], home: Path, log: Path, environ: dict[str, str]) -> psutil.Process:
    """Run it in the background, marked as `home`'s, all it says in `log`; it outlives us and our terminal."""
    streams = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    marked = environ | {MARK: str(home)}
    return psutil.Process(os.posix_spawn(command[0], command, marked, file_actions=streams, setsid=True))


def running(home: Path) -> list[psutil.Process]:
    """Every living process with `home`'s mark."""
    return [process for process in psutil.process_iter() if _is_marked(process, str(home))]


def end(home: Path) -> int:
    """End them all, and say how many there were: asked first, then killed, with what they started since."""
    asked = running(home)
    for process in asked:
        _signal(process.terminate)
    psutil.wait_procs(asked, timeout=PATIENCE_S)
    while rest := running(home):
        for process in rest:
            _signal(process.kill)
        psutil.wait_procs(rest, timeout=PATIENCE_S)
    return len(asked)


def _is_marked(process: psutil.Process, mark: str) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get(MARK) == mark
    except psutil.Error:
        return False  # gone, a zombie, or somebody else's: none of them ours


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        return
