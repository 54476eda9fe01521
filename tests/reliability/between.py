"""What stands between the functions and a neighbour, passes all calls on and spoils the chosen one.

It speaks HTTP on real sockets, so that every layer above them, their repeats included, is the real one.
"""

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

THROTTLED, BUSY = "ThrottlingException", "TransactionConflictException"


@dataclass(frozen=True)
class Answer:
    """As much of one as matters here."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def raw(self) -> bytes:
        """As it stands on the wire."""
        told = [*self.headers, ("Content-Length", str(len(self.body)))]
        head = "".join(f"{name}: {value}\r\n" for name, value in told)
        return f"HTTP/1.1 {self.status} Told\r\n{head}\r\n".encode() + self.body


@dataclass
class Spoiler:
    """Which call of an operation shall go wrong, and how. `calls` are the names of those that were made.

    The fault strikes at the call of this name and number, and at its repeats, `times` in all.
    """

    calls: list[str] = field(default_factory=list)
    fault: str | None = None
    call: str = ""
    at: int = 0
    times: int = 1
    struck: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, fault: str | None = None, call: str = "", at: int = 0, times: int = 1) -> None:
        """Another operation."""
        self.calls, self.struck = [], 0
        self.fault, self.call, self.at, self.times = fault, call, at, times

    def strikes(self, call: str) -> str | None:
        """What shall happen to this call."""
        with self._lock:
            self.calls.append(call)
            if call != self.call or self.calls.count(call) <= self.at or self.struck == self.times:
                return None
            self.struck += 1
            return self.fault


# --- how a call goes wrong ------------------------------------------------------------------------


type Pass = Callable[[], Answer]


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def unsent(sock: socket.socket, _: Pass, __: str) -> None:
    """The connection breaks before anything is done."""
    _reset(sock)


def unanswered(sock: socket.socket, pass_on: Pass, _: str) -> None:
    """It is done, and the connection breaks."""
    pass_on()
    _reset(sock)


def torn(sock: socket.socket, pass_on: Pass, _: str) -> None:
    """It is done, and the connection breaks in the middle of the answer."""
    raw = pass_on().raw()
    sock.sendall(raw[: _middle(raw)])
    time.sleep(0.02)  # or the reset would overtake the bytes
    _reset(sock)


def cut(sock: socket.socket, pass_on: Pass, _: str) -> None:
    """It is done, and the answer ends in its middle as if it were whole."""
    raw = pass_on().raw()
    sock.sendall(raw[: _middle(raw)])


def _middle(raw: bytes) -> int:
    """Of the body where there is one, else of the head."""
    head = raw.index(b"\r\n\r\n") + 4
    return head + (len(raw) - head) // 2 if len(raw) > head + 1 else head // 2


def dripping(sock: socket.socket, pass_on: Pass, _: str) -> None:
    """It is done, and the answer comes in drops."""
    raw = pass_on().raw()
    size = max(1, len(raw) // 50)
    for at in range(0, len(raw), size):
        sock.sendall(raw[at : at + size])
        time.sleep(0.01)


def broken(sock: socket.socket, _: Pass, call: str) -> None:
    """500, and nothing is done."""
    sock.sendall(_refusal(call, 500, "InternalServerError", "InternalError").raw())


def broken_after(sock: socket.socket, pass_on: Pass, call: str) -> None:
    """It is done, and the answer is a 500."""
    pass_on()
    broken(sock, pass_on, call)


def throttled(sock: socket.socket, _: Pass, call: str) -> None:
    """Too many: nothing is done."""
    status = 429 if call.startswith("videosdk") else 400 if "s3." not in call else 503
    sock.sendall(_refusal(call, status, THROTTLED, "SlowDown").raw())


def conflicting(sock: socket.socket, _: Pass, call: str) -> None:
    """Somebody else was writing just then: nothing is done."""
    if call == "dynamodb.TransactWriteItems":
        told = {
            "__type": "x#TransactionCanceledException",
            "CancellationReasons": [{"Code": "TransactionConflict"}],
        }
        sock.sendall(Answer(400, [], json.dumps(told).encode()).raw())
    else:
        status = 400 if call.startswith("dynamodb") else 409
        sock.sendall(_refusal(call, status, BUSY, "ConditionalRequestConflict").raw())


def _refusal(call: str, status: int, code: str, s3_code: str) -> Answer:
    if "s3." in call:
        return Answer(status, [], f"<Error><Code>{s3_code}</Code></Error>".encode())
    return Answer(status, [], f'{{"__type":"x#{code}","message":"not now"}}'.encode())


FAULTS: dict[str, Callable[[socket.socket, Pass, str], None]] = {
    one.__name__: one
    for one in (
        unsent, unanswered, torn, cut, dripping, broken, broken_after, throttled, conflicting
    )
}  # fmt: skip


# --- the sockets ------------------------------------------------------------------------------------


class Between:
    """One spoiler in front of all neighbours."""

    def __init__(self) -> None:
        self.spoiler = Spoiler()
        self._servers: dict[str, ThreadingHTTPServer] = {}

    @contextmanager
    def before(self, url: str) -> Iterator[str]:
        """The address in front of this one."""
        self._open(url, 0)
        try:
            yield f"http://127.0.0.1:{self._servers[url].server_port}"
        finally:
            self._close(url)

    @contextmanager
    def nobody(self, url: str) -> Iterator[None]:
        """Meanwhile nobody can be reached in front of this address."""
        port = self._close(url)
        try:
            yield
        finally:
            self._open(url, port)

    def _open(self, url: str, port: int) -> None:
        server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self, urlsplit(url).netloc))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self._servers[url] = server

    def _close(self, url: str) -> int:
        server = self._servers.pop(url)
        server.shutdown()
        server.server_close()
        return server.server_port


def _handler(between: Between, upstream: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            # Who was spoilt hangs up, and so do we.
            with suppress(OSError):
                super().handle_one_request()
                return
            self.close_connection = True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            call = _named(self.command, self.path, dict(self.headers.items()))
            fault = between.spoiler.strikes(call)
            if fault is None:
                self.connection.sendall(self._passed_on(body).raw())
                return
            self.close_connection = True
            FAULTS[fault](self.connection, lambda: self._passed_on(body), call)

        do_POST = do_PUT = do_DELETE = do_GET

        def _passed_on(self, body: bytes) -> Answer:
            there = HTTPConnection(upstream, timeout=20)
            try:
                there.request(self.command, self.path, body, dict(self.headers.items()))
                told = there.getresponse()
                dropped = {"content-length", "transfer-encoding", "connection"}
                kept = [(name, value) for name, value in told.getheaders() if name.lower() not in dropped]
                return Answer(told.status, kept, told.read())
            except HTTPException as gone:
                raise ConnectionError(str(gone)) from gone
            finally:
                there.close()

        def log_message(self, *_: object) -> None:
            return None

    return Handler


_S3 = {
    ("GET", "list-type"): "ListObjectsV2",
    ("GET", None): "GetObject",
    ("PUT", "partNumber"): "UploadPart",
    ("PUT", None): "PutObject",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("DELETE", None): "DeleteObject",
}


def _named(method: str, path: str, headers: dict[str, str]) -> str:
    """A call as it is called in the documents of whom it is made to."""
    parts = urlsplit(path)
    scope = re.search(r"/([a-z0-9]+)/aws4_request", headers.get("Authorization", ""))
    if scope is None:
        return f"videosdk.{method} {parts.path.rpartition('/')[2]}"
    if target := headers.get("X-Amz-Target"):
        return f"{scope[1]}.{target.rpartition('.')[2]}"
    asked = parse_qs(parts.query, keep_blank_values=True)
    names = (name for (verb, key), name in _S3.items() if verb == method and (key is None or key in asked))
    return f"{scope[1]}.{next(names)}"
