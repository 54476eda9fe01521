"""The processes of one local stack, known by a mark in their environment and not by their numbers.

A number may be a stranger's by the time it is used; the mark is inherited, so it also finds the workers that
a killed server leaves behind, without anything having been written down before the crash.
"""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
MARK = "TRACKLANE_STACK"
# Nothing here has anything to lose: the embedded AWS keeps all it has in memory.
PATIENCE_S = 1


def start(command: Sequence[str], home: Path, log: Path, environ: dict[str, str]) -> psutil.Popen:
    """Run it in the background, marked as `home`'s, all it says in `log`; it outlives us and our terminal."""
    with log.open("ab") as said:
        return psutil.Popen(
            command,
            cwd=ROOT,
            env=environ | {MARK: str(home)},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


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
