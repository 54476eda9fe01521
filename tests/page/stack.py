"""A small stack: the blueprint's files by Chalice, the API's answers from facts, media with Range.

It listens under a path like API Gateway's stage prefix.
"""

import json
import re
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from chalice.test import Client

from app import app
from tests.page.meeting import Meeting

PREFIX = "/restapis/a1/local/_user_request_"
TOKEN = "eyJh.eyJz.c2ln"

type Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Stack:
    """What the server answers from; tests change it while it runs."""

    folder: Path
    port: int = 0
    meetings: list[Meeting] = field(default_factory=list)
    down: bool = False
    valid_seconds: int = 900
    media_asked: list[str] = field(default_factory=list)

    @property
    def page(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.port}{PREFIX}/"

    def answer(self, path: str, headers: dict[str, str]) -> Answer:
        """What a GET is answered with."""
        url = urlsplit(path)
        if url.path.startswith("/outputs/"):
            return self._media(unquote(url.path).rpartition("/")[2], url.query, headers.get("range"))
        below = url.path.removeprefix(PREFIX)
        if below in ("", "/") or below.startswith("/web/"):
            return _by_chalice(below or "/", headers)
        return self._api(below, parse_qs(url.query), headers)

    def _api(self, path: str, query: dict[str, list[str]], headers: dict[str, str]) -> Answer:
        if self.down:
            return _json({"error": {"code": "unavailable", "message": "The ledger is out of reach"}}, 503)
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return _json({"message": "Unauthorized"}, 401)
        told = self._told([unquote(part) for part in path.strip("/").split("/")], query)
        refusal = {"error": {"code": "session_not_found", "message": "no such session is known"}}
        return _json(told) if told else _json(refusal, 404)

    def _told(self, parts: list[str], query: dict[str, list[str]]) -> dict[str, Any] | None:
        known = {meeting.session_id: meeting for meeting in self.meetings}
        match parts:
            case ["sessions"]:
                return {"sessions": [meeting.line() for meeting in self.meetings], "cursor": None}
            case ["sessions", session_id] if session_id in known:
                return self._with_urls(known[session_id].manifest())
            case ["recordings"] if query["sessionId"][0] in known:
                return {"recordings": known[query["sessionId"][0]].recordings(), "cursor": None}
            case ["recordings", wanted, "events"]:
                owner = next(meeting for meeting in self.meetings if wanted in meeting.facts)
                return {"events": owner.events(wanted), "cursor": None}
        return None

    def _with_urls(self, told: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC)
        signed = f"X-Amz-Date={now:%Y%m%dT%H%M%SZ}&X-Amz-Expires={self.valid_seconds}&at={now.timestamp()}"
        for artifact in told["artifacts"]:
            artifact["url"] = f"http://127.0.0.1:{self.port}/outputs/{artifact['key']}?{signed}"
        return told

    def _media(self, name: str, query: str, wanted: str | None) -> Answer:
        self.media_asked.append(name)
        if time.time() > float(parse_qs(query)["at"][0]) + self.valid_seconds:
            return _json({"Code": "AccessDenied", "Message": "Request has expired"}, 403)
        if not (self.folder / name).is_file():
            return _json({"Code": "NoSuchKey"}, 404)
        body = (self.folder / name).read_bytes()
        headers = {"Content-Type": "video/webm", "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")
        if not asked:
            return 200, headers, body
        first, last = int(asked[1]), min(int(asked[2] or len(body) - 1), len(body) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
        return 206, headers, body[first : last + 1]


def _by_chalice(path: str, headers: dict[str, str]) -> Answer:
    with Client(app) as client:
        answer = client.http.get(path, headers={"host": headers["host"]})
    return answer.status_code, dict(answer.headers), answer.body


def _json(told: dict[str, Any], status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(told).encode()


def served(stack: Stack) -> ThreadingHTTPServer:
    """Serve it on a free port, until `shutdown`."""

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            told = {name.lower(): value for name, value in self.headers.items()}
            status, headers, body = stack.answer(self.path, told)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A browser may hang up in the middle of a file; all else is a fault of ours."""
            if not isinstance(sys.exception(), ConnectionError):
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", 0), Door)
    stack.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
