"""One HTTP exchange with VideoSDK, bounded in time and size, that tells what surely did not happen.

Law: whoever calls learns which of three it was: nothing left this machine (`NotReached`), something was
sent and no status came back (`AnswerLost`), or a status came (`Answer`).
"""

import io
import math
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException
from http.client import HTTPResponse as PlainResponse
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError

LEAST_S = 1.0  # who can not hear the answer does better not to ask
_BROKEN = (requests.RequestException, HTTPError, HTTPException, OSError)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and as much of the body as came; `broken` says why it is not whole."""

    status: int
    body: bytes
    retry_after: str | None = None
    broken: str | None = None


@dataclass(frozen=True, slots=True)
class NotReached:
    """Not a byte of the request has left: it was surely not done."""

    reason: str


@dataclass(frozen=True, slots=True)
class AnswerLost:
    """The request was sent, in part or whole, and no status came back."""

    reason: str


type Reply = Answer | NotReached | AnswerLost


@dataclass(frozen=True, slots=True)
class Request:
    """What to send. `cap` is how many bytes of an answer are read, `read_s` how long that may take in all."""

    method: str
    path: str
    cap: int
    read_s: float
    params: Mapping[str, str] | None = None
    body: Mapping[str, str] | None = None


class Wire:
    """Connections to one host, kept open between requests. Threads may share it.

    `authorities` is a file of certificates to trust in place of the public ones; `left_s` tells how many
    seconds there are for an exchange.
    """

    def __init__(
        self,
        api: str,
        connect_s: float = 2.0,
        authorities: str | None = None,
        left_s: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self._api = _base(api)
        self._connect_s = connect_s
        self._left_s = left_s
        self._session = requests.Session()
        # Neither proxies nor .netrc: the latter would replace our Authorization header.
        self._session.trust_env = False
        self._session.verify = authorities or True
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # Nothing is unpacked, so a small answer can not become a large one.
        self._session.headers.clear()
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Bounded())

    def send(self, request: Request, token: str | None = None) -> Reply:
        """Send once; nothing is repeated or followed here."""
        left_s = self._left_s() - self._connect_s
        if left_s < LEAST_S:
            return NotReached("no time is left to ask VideoSDK")
        try:
            response = self._session.request(
                request.method,
                self._api + request.path,
                params=request.params,
                json=request.body,
                headers={"Authorization": token} if token else None,
                timeout=(self._connect_s, min(request.read_s, left_s)),
                allow_redirects=False,
                stream=True,
            )
        except _BROKEN as error:
            return _unanswered(error)
        with closing(response):
            return _read(response, request.cap)


def _base(api: str) -> str:
    parts = urlsplit(api)
    here = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
    extras = parts.username or parts.password or parts.query or parts.fragment
    if not parts.hostname or extras or not (here or parts.scheme == "https"):
        raise ValueError("VideoSDK's address must be https://host, or http:// on this machine")
    return api.rstrip("/")


def _read(response: requests.Response, cap: int) -> Answer:
    answer = Answer(response.status_code, b"", response.headers.get("Retry-After"))
    try:
        body = b"".join(_pieces(response, cap + 1))
    except _BROKEN as error:
        return Answer(answer.status, b"", answer.retry_after, f"the body broke off ({_name(error)})")
    if len(body) > cap:
        return Answer(answer.status, b"", answer.retry_after, f"the body is larger than {cap} bytes")
    return Answer(answer.status, body, answer.retry_after)


def _pieces(response: requests.Response, most: int) -> Iterator[bytes]:
    # Up to the empty piece: only there does urllib3 say that a body is shorter than was announced.
    while most > 0 and (piece := response.raw.read(most, decode_content=False)):
        most -= len(piece)
        yield piece


def _unanswered(error: Exception) -> NotReached | AnswerLost:
    inner = error.args[0] if error.args else None
    reason = getattr(inner, "reason", inner)
    if isinstance(reason, NewConnectionError):
        return NotReached(f"no connection to VideoSDK ({_name(reason.__cause__ or reason)})")
    return AnswerLost(f"VideoSDK's answer did not come ({_name(error)})")


def _name(error: BaseException) -> str:
    # Only the kind of error: its text may quote the request, and the request carries a token.
    return type(error).__name__


class _Clocked(io.RawIOBase):
    """A socket's bytes until the time is up, however slowly they come.

    A socket's own timeout begins anew with every byte; this one spans the answer's whole head and body.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._until = monotonic() + (sock.gettimeout() or 0.0)
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self._socket.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(PlainResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_Clocked(sock))


def _socket(host: str, port: int, seconds: float | None, options: Any) -> socket.socket:
    """Connected to one of a host's addresses. urllib3 would give each of them all the time there is."""
    until, last = monotonic() + (seconds or 0.0), OSError("the host has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            for option in options or ():
                sock.setsockopt(*option)
            sock.settimeout(max(0.001, until - monotonic()))
            sock.connect(address)
            return sock
        except OSError as error:
            sock.close()
            last = error
    raise last


class _Http(HTTPConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        return _socket(self._dns_host, self.port, self.timeout, self.socket_options)

    def connect(self) -> None:
        """Connect, or say that not even that was possible: so it is known that nothing was sent."""
        try:
            super().connect()
        except (HTTPError, OSError) as error:
            raise NewConnectionError(self, "not connected") from error


class _Https(HTTPSConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        return _socket(self._dns_host, self.port, self.timeout, self.socket_options)

    def connect(self) -> None:
        """Connect and shake hands, or say that nothing was sent."""
        try:
            super().connect()
        except (HTTPError, OSError) as error:
            raise NewConnectionError(self, "not connected") from error


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class _Bounded(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
