"""What a contained function may do to its parent: answer, or die with a reason. Nothing stays behind."""

import ctypes
import gc
import os
import resource
import signal
import socket
import time
from collections.abc import Buffer, Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest

from chalicelib.media.contained import Answer, Contained, Died

MB = 1 << 20
MEMORY = 64 * MB
SPARE = 200 * MB


def echo(request: memoryview) -> Iterable[Buffer]:
    return [request]


def segfault() -> None:
    ctypes.string_at(0)


def spin() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(60)


def hoard() -> None:
    bytearray(4 << 30)


def abort() -> None:
    os.abort()


def leave() -> None:
    os._exit(3)


def fail() -> None:
    raise ValueError("no\x1b[31m good")


def after(deed: Callable[[], object]) -> Answer:
    """Answers what it is told, and does the deed when that is nothing."""

    def answer(request: memoryview) -> Iterable[Buffer]:
        if not request:
            deed()
        return [request]

    return answer


def asked(contained: Contained, request: bytes, wall_s: float = 20, most: int = SPARE) -> bytes:
    return bytes(contained.ask(request, most=most, cpu_s=1, wall_s=wall_s))


DEATHS = [
    (segfault, "crashed", "it was ended by SIGSEGV"),
    (abort, "crashed", "it was ended by SIGABRT"),
    (leave, "crashed", "it ended with status 3"),
    (fail, "crashed", "it failed: ValueError('no"),
    (spin, "cpu", "it took more than 1 s of CPU"),
    (sleep, "hung", "it gave no answer within 0.2 s"),
    (hoard, "memory", "it wanted more memory than it may have"),
]


@pytest.mark.parametrize(("deed", "how", "reason"), DEATHS, ids=lambda told: getattr(told, "__name__", ""))
def test_a_death_has_a_reason_and_the_next_request_a_new_child(
    deed: Callable[[], object], how: str, reason: str
) -> None:
    with Contained(lambda: after(deed), MEMORY) as contained:
        assert asked(contained, b"before") == b"before"

        with pytest.raises(Died) as death:
            asked(contained, b"", wall_s=0.2 if deed is sleep else 20)

        assert death.value.how == how
        assert death.value.reason.startswith(reason)
        assert death.value.reason.isprintable()
        assert asked(contained, b"after") == b"after"


def test_one_child_answers_many_requests_and_keeps_what_it_has() -> None:
    def count() -> Answer:
        seen: list[int] = []

        def answer(request: memoryview) -> Iterable[Buffer]:
            seen.append(len(request))
            return [str(seen).encode()]

        return answer

    with Contained(count, MEMORY) as contained:
        assert [asked(contained, bytes(many)) for many in (1, 2)] == [b"[1]", b"[1, 2]"]


@pytest.mark.parametrize("size", [0, 1, 100_000, 30 * MB])
def test_an_answer_may_be_as_large_as_was_asked_for(size: int) -> None:
    data = os.urandom(size)
    with Contained(lambda: echo, SPARE) as contained:
        assert contained.ask(data, most=size, cpu_s=5, wall_s=30) == data


def test_who_answers_more_than_was_asked_for_is_not_listened_to() -> None:
    with (
        Contained(lambda: echo, SPARE) as contained,
        pytest.raises(Died, match="babbled: it answered with 9"),
    ):
        asked(contained, b"too much.", most=8)


def test_a_child_that_answers_unasked_is_not_believed() -> None:
    """It writes to the parent's socket by itself, more than any buffer holds."""

    def shout() -> None:
        with socket.socket(fileno=3) as channel:
            channel.sendall(b"\xff" * MB)

    with Contained(lambda: after(shout), MEMORY) as contained, pytest.raises(Died, match="babbled"):
        asked(contained, b"")


def test_a_child_that_does_not_read_is_given_up() -> None:
    def deaf() -> Answer:
        time.sleep(60)
        return echo

    with Contained(deaf, MEMORY) as contained, pytest.raises(Died, match="hung"):
        asked(contained, bytes(10 * MB), wall_s=0.2)


# --- what the child has and may -------------------------------------------------------------------


def told_by(look: Callable[[], str]) -> str:
    """What a contained function finds out."""
    with Contained(lambda: lambda _: [look().encode()], MEMORY) as contained:
        return asked(contained, b"").decode()


def tries(deed: Callable[[], object]) -> Callable[[], str]:
    def attempt() -> str:
        try:
            deed()
        except OSError as refused:
            return type(refused).__name__ + f" {refused.errno}"
        return "done"

    return attempt


TOO_MANY_FILES, NO_FORK = "OSError 24", "BlockingIOError 11"
DEEDS: list[tuple[Callable[[], object], str]] = [
    (lambda: Path("/etc/hostname").read_text(), TOO_MANY_FILES),
    (socket.socket, TOO_MANY_FILES),
    (lambda: os.write(1, b"x"), "done"),
    (lambda: os.kill(os.getppid(), 0), "done"),
]


@pytest.mark.parametrize(("deed", "ending"), DEEDS)
def test_no_file_and_no_socket_can_be_opened(deed: Callable[[], object], ending: str) -> None:
    assert told_by(tries(deed)) == ending


def test_there_are_four_descriptors_and_three_of_them_are_nothing() -> None:
    def look() -> str:
        there = []
        for descriptor in range(200):
            try:
                there.append((descriptor, os.fstat(descriptor).st_rdev))
            except OSError:
                continue
        return repr(there)

    nothing = Path(os.devnull).stat().st_rdev
    with Path(os.devnull).open() as _, closing(socket.socket()) as __:
        assert told_by(look) == repr([(0, nothing), (1, nothing), (2, nothing), (3, 0)])


def test_there_is_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    assert told_by(lambda: repr(dict(os.environ))) == "{}"


def test_the_limits_hold() -> None:
    names = ("CORE", "FSIZE", "NOFILE", "NPROC")

    def look() -> str:
        return repr([resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in names])

    assert told_by(look) == repr([(0, 0), (0, 0), (4, 4), (0, 0)])


def test_what_the_parent_left_lying_about_is_not_ended_by_the_child() -> None:
    """As a decoder whose threads are only in the parent: to end it there would take for ever."""

    class Knot:
        def __init__(self) -> None:
            self.itself, self.made_in = self, os.getpid()

        def __del__(self) -> None:
            if os.getpid() != self.made_in:
                os._exit(9)

    def look() -> str:
        gc.collect()
        return "well"

    gc.disable()
    try:
        Knot()
        assert told_by(look) == "well"
    finally:
        gc.enable()


# --- what stays behind ----------------------------------------------------------------------------


def held() -> tuple[list[Path], list[str]]:
    """This process's descriptors and children."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return sorted(path for path in Path("/proc/self/fd").iterdir() if path.exists()), children


def test_hundreds_of_children_leave_nothing_behind() -> None:
    before = held()

    with Contained(lambda: after(leave), MEMORY) as contained:
        for number in range(200):
            with pytest.raises(Died):
                asked(contained, b"")
            if number % 2:
                asked(contained, b"well")
    for _ in range(50):
        with Contained(lambda: echo, MEMORY) as contained:
            asked(contained, b"well")

    assert held() == before


def test_a_child_that_is_never_asked_is_never_begun() -> None:
    before = held()

    with Contained(lambda: echo, MEMORY):
        assert held() == before


def test_a_child_dies_with_its_parent() -> None:
    """The parent is one of our own, killed while its child spins and hears nothing."""
    reading, writing = os.pipe()
    parent = os.fork()
    if not parent:
        try:
            with Contained(lambda: after(spin), MEMORY) as contained:
                asked(contained, b"well")
                os.write(writing, held()[1][0].encode())
                contained.ask(b"", most=1, cpu_s=60, wall_s=60)
        finally:
            os._exit(1)
    os.close(writing)
    child = int(os.read(reading, 20))
    os.close(reading)
    assert soon(lambda: state(child) == "R")

    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)

    assert soon(lambda: state(child) in ("", "Z"))


def soon(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + 5
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    return holds()


def state(pid: int) -> str:
    """R while it runs, Z when it is only waiting to be taken off the list, nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""
