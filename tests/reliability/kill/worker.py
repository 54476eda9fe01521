"""Runs one operation after the other, each in a child of its own that may be killed or stopped.

    python -m tests.reliability.kill.worker CLOCK

reads orders as lines of JSON and answers each with one line. All is imported and all clients are made before
the first fork, none is connected: so a child costs milliseconds, and no two share a connection. What shall
only be done, and is not to be struck, a single lasting child does.
"""

import json
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.reliability.kill.points import POINTS, hook

hook()

# Only now: whoever makes a client must find the hooks.
from chalicelib.config import Config  # noqa: E402
from tests.reliability.kill.clock import Clock  # noqa: E402
from tests.reliability.kill.operations import OPERATIONS  # noqa: E402
from tests.reliability.kill.worlds import WORLDS  # noqa: E402


def main(clock: Path) -> None:
    """Serve until the input ends."""
    logging.disable(logging.ERROR)
    config = Config.read(os.environ)
    worlds = {name: world(config, Clock(clock).now).warm() for name, world in WORLDS.items()}
    zygote, steady = Zygote(worlds), Steady(worlds)
    for line in sys.stdin:
        order = json.loads(line)
        if "resume" in order:
            answer = zygote.resume(order["resume"], signal.Signals[order["signal"]])
        else:
            answer = zygote.run(order) if order["alone"] else steady.run(order)
        print(json.dumps(answer), flush=True)


def done(worlds: dict[str, Any], order: dict[str, Any]) -> dict[str, Any]:
    """The operation's answer, or its error; an operation may end in any way, and none is ours to judge."""
    operation: Callable[..., Any] = OPERATIONS[order["operation"]]
    try:
        return {"answer": operation(worlds[order["world"]], **order["told"]), "error": None}
    except Exception:
        return {"answer": None, "error": traceback.format_exc()}


class Steady:
    """A child that lives on, as a function's process does that nothing happens to."""

    def __init__(self, worlds: dict[str, Any]) -> None:
        ours, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            ours.close()
            with theirs.makefile("rw") as lines:
                for line in lines:
                    print(json.dumps(done(worlds, json.loads(line))), file=lines, flush=True)
            os._exit(0)
        theirs.close()
        self._lines = ours.makefile("rw")

    def run(self, order: dict[str, Any]) -> dict[str, Any]:
        """One operation."""
        print(json.dumps(order), file=self._lines, flush=True)
        line = self._lines.readline()
        if not line:
            _, status = os.waitpid(self._pid, 0)
            raise ChildProcessError(f"it ended over {order}: {os.waitstatus_to_exitcode(status)}")
        told: dict[str, Any] = json.loads(line)
        return {"pid": 0, "state": "over", "points": []} | told


class Zygote:
    """Forks, waits, and tells what became of it."""

    def __init__(self, worlds: dict[str, Any]) -> None:
        self._worlds = worlds
        self._notes: dict[int, int] = {}

    def run(self, order: dict[str, Any]) -> dict[str, Any]:
        """One operation, until it is over, killed or stopped."""
        note = os.memfd_create("note")
        pid = os.fork()
        if pid == 0:
            self._child(note, order)
        self._notes[pid] = note
        return self._outcome(pid)

    def resume(self, pid: int, sign: signal.Signals) -> dict[str, Any]:
        """A stopped one goes on, or ends."""
        os.kill(pid, sign)
        return self._outcome(pid)

    def _outcome(self, pid: int) -> dict[str, Any]:
        _, status = os.waitpid(pid, os.WUNTRACED)
        state = "stopped" if os.WIFSTOPPED(status) else "killed" if os.WIFSIGNALED(status) else "over"
        *points, last = _read(self._notes[pid]).decode().split("\n")
        if state != "stopped":
            os.close(self._notes.pop(pid))
        told = json.loads(last) if state == "over" else {}
        return {"pid": pid, "state": state, "points": points} | told

    def _child(self, note: int, order: dict[str, Any]) -> None:
        """Ends the process whatever happens; the last line of the note is what the caller would get."""
        try:
            POINTS.begin(note, frozenset(order["at"]), signal.Signals[order["signal"]])
            os.write(note, json.dumps(done(self._worlds, order)).encode())
        finally:
            os._exit(0)


def _read(note: int) -> bytes:
    os.lseek(note, 0, os.SEEK_SET)
    found = b"".join(iter(lambda: os.read(note, 1 << 16), b""))
    os.lseek(note, 0, os.SEEK_END)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
