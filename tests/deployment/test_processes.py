"""Only what a stack started is ended, and all of it, whatever happened in between."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from local import processes

FOREVER = "import time; time.sleep(600)"
DEAF = f"import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); {FOREVER}"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {FOREVER!r}]).wait()"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home of its own for every test."""
    yield tmp_path
    processes.end(tmp_path)


def started(home: Path, code: str = FOREVER) -> psutil.Process:
    return processes.start([sys.executable, "-c", code], home, home / "log", dict(os.environ))


def soon(happens: Callable[[], object]) -> None:
    last = time.monotonic() + 10
    while not happens():
        assert time.monotonic() < last
        time.sleep(0.02)


def test_what_was_started_is_found_and_ended(home: Path) -> None:
    process = started(home)
    soon(lambda: processes.running(home))

    assert processes.end(home) == 1

    assert not process.is_running()


def test_what_will_not_end_is_killed(home: Path) -> None:
    process = started(home, DEAF)
    soon(lambda: "deaf" in (home / "log").read_text())

    processes.end(home)

    assert not process.is_running()


def test_the_children_of_a_killed_server_are_ended_too(home: Path) -> None:
    server = started(home, PARENT)
    soon(lambda: len(processes.running(home)) == 2)
    server.kill()
    server.wait()

    assert processes.end(home) == 1

    assert processes.running(home) == []


def test_a_killed_starter_leaves_nothing_that_is_not_found(home: Path) -> None:
    start = f"import sys; sys.path.insert(0, {str(Path.cwd())!r})\n"
    start += "from pathlib import Path; from local import processes; import time\n"
    start += f"home = Path({str(home)!r}); "
    start += (
        f"processes.start([sys.executable, '-c', {FOREVER!r}], home, home / 'log', {{}}); time.sleep(600)"
    )
    starter = subprocess.Popen([sys.executable, "-c", start])
    soon(lambda: processes.running(home))
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()

    assert processes.end(home) == 1


@pytest.mark.parametrize("mark", [None, "/another/home"], ids=["unmarked", "another stack's"])
def test_a_stranger_is_left_alone(home: Path, mark: str | None) -> None:
    environ = {name: value for name, value in os.environ.items() if name != processes.MARK}
    stranger = subprocess.Popen(
        [sys.executable, "-c", FOREVER], env=environ | ({processes.MARK: mark} if mark else {})
    )
    started(home)
    soon(lambda: processes.running(home))

    assert processes.end(home) == 1

    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_ending_nothing_is_well(home: Path) -> None:
    assert processes.end(home) == 0
