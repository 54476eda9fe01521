"""A function in a child process, which may die of what it is given: crash, hang, or want too much.

The child is forked, for Lambda has no /dev/shm, and answers one request after another over a socket. It has
no other file, can open none, has no environment, and dies with its parent. What it answers is bytes, and is
not trusted. One that failed is killed; the next request gets a new one.
"""

import ctypes
import gc
import math
import os
import resource
import signal
import socket
import struct
import sys
import time
import warnings
from collections.abc import Buffer, Callable, Iterable
from types import TracebackType
from typing import Self

type Answer = Callable[[memoryview], Iterable[Buffer]]

_REQUEST = struct.Struct("<dQ")  # seconds of CPU, bytes that follow
_ANSWER = struct.Struct("<BQ")  # how it ended, bytes that follow
_WELL, _NO_MEMORY, _FAULT = range(3)

_MOST_WORDS = 300  # of a fault
_OUR_END = 3  # the child's one descriptor beside the standard three
_STACK = 8 << 20

_SET_PARENT_DEATH_SIGNAL, _SET_NO_NEW_PRIVILEGES = 1, 38
_LINUX = sys.platform == "linux"
_LIBC = ctypes.CDLL(None)


class Died(Exception):
    """The child gave no answer. `how` is crashed, hung, memory, cpu or babbled; `reason` is for people."""

    def __init__(self, how: str, reason: str) -> None:
        super().__init__(f"{how}: {reason}")
        self.how = how
        self.reason = reason


class Contained:
    """Has requests answered in a child, which is begun with the first one.

    `prepare` is called in each new child and gives what answers; all that it needs has to be imported before.
    The child may have `memory` bytes more than its parent had at the fork.
    """

    def __init__(self, prepare: Callable[[], Answer], memory: int) -> None:
        self._prepare, self._memory = prepare, memory
        self._pid: int | None = None
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the child. The next request would begin another."""
        self._bury()

    def ask(self, request: Buffer, *, most: int, cpu_s: float, wall_s: float) -> bytearray:
        """The answer, of at most so many bytes; `Died` when there is none in that time."""
        channel = self._socket or self._begin()
        until = time.monotonic() + wall_s
        try:
            _send(channel, [_REQUEST.pack(cpu_s, memoryview(request).nbytes), request], until)
            ending, size = _ANSWER.unpack(_receive(channel, _ANSWER.size, until))
            if size > (most if ending == _WELL else _MOST_WORDS):
                raise Died("babbled", f"it answered with {size} bytes, and {most} were asked for")
            answer = _receive(channel, size, until)
        except TimeoutError:
            self._bury()
            raise Died("hung", f"it gave no answer within {wall_s:g} s") from None
        except (EOFError, ConnectionError):
            raise _died_of(self._bury(), cpu_s) from None
        except BaseException:
            # Half an answer may lie in the socket, so nobody could tell the next one from it.
            self._bury()
            raise
        if ending != _WELL:
            self._bury()
            raise _failed(ending, answer)
        return answer

    def _begin(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        with warnings.catch_warnings():
            # NumPy's threads do not outlive the fork, and the child takes no lock that they might have held.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            try:
                _serve(theirs, parent, self._prepare, self._memory)
            finally:
                os._exit(1)
        theirs.close()
        self._pid, self._socket = pid, ours
        return ours

    def _bury(self) -> int:
        """Kill the child and all that it began, and take it off the list; its status, 0 if there is none."""
        channel, pid, self._socket, self._pid = self._socket, self._pid, None, None
        if channel is not None:
            channel.close()
        if pid is None:
            return 0
        for kill in (os.killpg, os.kill):
            try:
                kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it died before, or before it had a group
        return os.waitpid(pid, 0)[1]


def _died_of(status: int, cpu_s: float) -> Died:
    if not os.WIFSIGNALED(status):
        return Died("crashed", f"it ended with status {os.waitstatus_to_exitcode(status)}")
    number = os.WTERMSIG(status)
    if number == signal.SIGXCPU:
        return Died("cpu", f"it took more than {cpu_s:g} s of CPU")
    return Died("crashed", f"it was ended by {signal.Signals(number).name}")


def _failed(ending: int, words: bytearray) -> Died:
    if ending == _NO_MEMORY:
        return Died("memory", "it wanted more memory than it may have")
    told = "".join(char if char.isprintable() else "?" for char in words.decode("ascii", "replace"))
    return Died("crashed", f"it failed: {told}")


def _send(channel: socket.socket, parts: Iterable[Buffer], until: float) -> None:
    for part in parts:
        channel.settimeout(_left(until))
        channel.sendall(part)


def _receive(channel: socket.socket, size: int, until: float | None = None) -> bytearray:
    data = bytearray(size)
    view, have = memoryview(data), 0
    while have < size:
        channel.settimeout(None if until is None else _left(until))
        count = channel.recv_into(view[have:])
        if not count:
            raise EOFError
        have += count
    return data


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


# --- in the child ---------------------------------------------------------------------------------


def _serve(channel: socket.socket, parent: int, prepare: Callable[[], Answer], memory: int) -> None:
    """Answer until the parent closes its end. Does not return."""
    # What the parent left lying about is not the child's to end: it may wait for threads that are not here.
    gc.freeze()
    descriptor = _alone(channel, parent)
    _confine(memory)
    channel = socket.socket(fileno=descriptor)
    answer = prepare()
    while True:
        try:
            cpu_s, size = _REQUEST.unpack(_receive(channel, _REQUEST.size))
            request = _receive(channel, size)
        except (EOFError, ConnectionError):
            os._exit(0)
        _allow(cpu_s)
        _reply(channel, *_tried(answer, memoryview(request)))


def _tried(answer: Answer, request: memoryview) -> tuple[int, list[Buffer]]:
    try:
        return _WELL, list(answer(request))
    except MemoryError:
        return _NO_MEMORY, []
    except Exception as fault:
        return _FAULT, [repr(fault)[:_MOST_WORDS].encode("ascii", "replace")]


def _reply(channel: socket.socket, ending: int, parts: list[Buffer]) -> None:
    channel.sendall(_ANSWER.pack(ending, sum(memoryview(part).nbytes for part in parts)))
    for part in parts:
        channel.sendall(part)


def _alone(channel: socket.socket, parent: int) -> int:
    """Have a group of its own, no other descriptor, no environment, and no life without the parent."""
    os.setsid()
    if _LINUX:
        _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        _LIBC.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)  # it died before it could be noticed
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGXCPU, signal.SIGSEGV, signal.SIGABRT):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    held = os.dup2(channel.detach(), max(nothing, _OUR_END) + 1)
    for standard in range(_OUR_END):
        os.dup2(nothing, standard)
    os.dup2(held, _OUR_END)
    os.closerange(_OUR_END + 1, _open_at_most())
    os.environ.clear()
    return _OUR_END


def _open_at_most() -> int:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return (1 << 20) if limit == resource.RLIM_INFINITY else limit


def _confine(memory: int) -> None:
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _OUR_END + 1,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_STACK: _STACK,
    }
    if _LINUX:
        # What the parent freed and its C library kept would be more than is allowed.
        _LIBC.malloc_trim(0)
        limits[resource.RLIMIT_AS] = _size() + memory
    for what, most in limits.items():
        hard = resource.getrlimit(what)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))


def _size() -> int:
    """The address space in use, in bytes."""
    descriptor = os.open("/proc/self/statm", os.O_RDONLY)
    try:
        return int(os.read(descriptor, 100).split()[0]) * resource.getpagesize()
    finally:
        os.close(descriptor)


def _allow(cpu_s: float) -> None:
    """Whole seconds, rounded up, for the next request: beyond them comes SIGXCPU."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(usage.ru_utime + usage.ru_stime + cpu_s), hard))
