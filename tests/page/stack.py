"""A small stack: the blueprint's files by Chalice, the API's answers from facts, media with Range.

It listens under a path like API Gateway's stage prefix.
"""

import json
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlsplit

from chalice.app import Response
from chalice.test import Client

from app import app
from chalicelib.adapters.s3 import attachment
from chalicelib.core.pieces import AT_MOST, piece
from chalicelib.core.share import pared
from tests.browser import Door, Server, serving
from tests.page.meeting import Meeting
from tests.page.studio import Reel, Studio

PREFIX = "/restapis/a1/local/_user_request_"
TOKEN = "eyJh.eyJz.c2ln"

SHARE = ("shareId", "createdAt", "expiresAt", "revokedAt", "by")

type Answer = tuple[int, dict[str, str], bytes]


class Asked:
    """A request to the API, taken apart."""

    def __init__(self, method: str, parts: list[str], query: str, body: bytes) -> None:
        self.method, self.parts = method, parts
        self.query = dict(parse_qsl(query))
        self.json: dict[str, Any] = json.loads(body or b"{}")


@dataclass
class Stack:
    """What the server answers from; tests change it while it runs."""

    folder: Path
    port: int = 0
    meetings: list[Meeting] = field(default_factory=list)
    down: bool = False
    valid_seconds: int = 900
    piece_bytes: int = AT_MOST
    shares: dict[str, dict[str, Any]] = field(default_factory=dict)  # by token
    media_asked: list[str] = field(default_factory=list)
    studios: dict[str, Studio] = field(default_factory=dict)  # by session
    streaming: bool = True

    @property
    def page(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.port}{PREFIX}/"

    def answer(self, path: str, headers: dict[str, str], method: str = "GET", body: bytes = b"") -> Answer:
        """What a request is answered with."""
        url = urlsplit(path)
        if url.path.startswith("/outputs/"):
            return self._media(unquote(url.path).removeprefix("/outputs/"), url.query, headers.get("range"))
        below = url.path.removeprefix(PREFIX)
        if below in ("", "/") or below.startswith("/web/"):
            return _by_chalice(below or "/", headers["host"])
        asked = Asked(method, [unquote(part) for part in below.strip("/").split("/")], url.query, body)
        return self._api(asked, headers)

    def share(self, meeting: Meeting, seconds: int) -> dict[str, Any]:
        """Make a link."""
        token = f"shared-{len(self.shares)}.c2ln"
        self.shares[token] = {
            "shareId": f"share-{len(self.shares)}",
            "sessionId": meeting.session_id,
            "createdAt": _now(),
            "expiresAt": _now() + seconds * 1000,
            "revokedAt": None,
            "by": "app",
        }
        return {"token": token, **{name: self.shares[token][name] for name in ("shareId", "expiresAt")}}

    def studio(self, meeting: Meeting, reel: Reel) -> Studio:
        """Have videos of a meeting made."""
        self.studios[meeting.session_id] = Studio(meeting, reel, self.page.rstrip("/"), self._url)
        return self.studios[meeting.session_id]

    def _api(self, asked: Asked, headers: dict[str, str]) -> Answer:
        if self.down:
            return _refused(503, "unavailable", "The ledger is out of reach")
        if asked.parts[0] == "shared":
            return self._shared(asked)
        if len(asked.parts) == 6:
            return self._stream(asked.parts[1], *asked.parts[3:])
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return _json({"message": "Unauthorized"}, 401)
        return self._told(asked) or _refused(404, "session_not_found", "no such session is known")

    def _told(self, asked: Asked) -> Answer | None:
        match asked.method, *asked.parts:
            case "GET", "sessions":
                return _json(self._sessions(asked))
            case _, "sessions", session_id, "compositions", *rest if found := self._meeting(session_id):
                return self._compositions(asked, found, rest)
            case _, "sessions", session_id, *rest if found := self._meeting(session_id):
                return self._session(asked, found, rest)
            case "GET", "recordings" if found := self._meeting(asked.query["sessionId"]):
                return _json({"recordings": found.recordings(), "cursor": None})
            case "GET", "recordings", wanted, "events":
                owner = next(meeting for meeting in self.meetings if wanted in meeting.facts)
                return _json({"events": owner.events(wanted), "cursor": None})
        return None

    def _meeting(self, session_id: str) -> Meeting | None:
        return next((meeting for meeting in self.meetings if meeting.session_id == session_id), None)

    def _sessions(self, asked: Asked) -> dict[str, Any]:
        room, person = asked.query.get("roomId"), asked.query.get("participantId")
        found = [meeting for meeting in self.meetings if room in (None, meeting.room_id)]
        lines = [meeting.line() for meeting in found if person is None or person in meeting.names]
        return {"sessions": lines, "cursor": None}

    def _session(self, asked: Asked, meeting: Meeting, rest: list[str]) -> Answer | None:
        match asked.method, *rest:
            case ("GET",):
                return _json(self._piece(meeting.manifest(), asked.query))
            case "POST", "addresses":
                return self._addresses(asked, meeting)
            case "POST", "shares":
                return _json(self.share(meeting, asked.json.get("expiresInSeconds", 604_800)), 201)
            case "GET", "shares":
                ours = [told for told in self.shares.values() if told["sessionId"] == meeting.session_id]
                return _json({"shares": [{name: told[name] for name in SHARE} for told in ours]})
            case "DELETE", "shares", share_id:
                told = next(told for told in self.shares.values() if told["shareId"] == share_id)
                told["revokedAt"] = _now()
                return _json({"shareId": share_id, "revokedAt": told["revokedAt"]})
        return None

    def _compositions(self, asked: Asked, meeting: Meeting, rest: list[str]) -> Answer:
        studio = self.studios.get(meeting.session_id)
        if studio is None:
            return _json({"compositions": []})
        return _answer(studio.answer(asked.method, rest, asked.json))

    def _stream(self, session_id: str, composition_id: str, token: str, name: str) -> Answer:
        if not self.streaming:
            return _refused(503, "unavailable", "The ledger is out of reach")
        return _answer(self.studios[session_id].stream(composition_id, token, name))

    def _shared(self, asked: Asked) -> Answer:
        told = self.shares.get(asked.parts[1])
        meeting = self._meeting(told["sessionId"]) if told else None
        if not told or not meeting or told["revokedAt"] or told["expiresAt"] <= _now():
            return _refused(404, "share_not_found", "this link opens nothing")
        if asked.method == "POST":
            return self._addresses(asked, meeting)
        shown = self._piece(pared(meeting.manifest()), asked.query)
        return _json({**shown, "expiresAt": told["expiresAt"]})

    def _piece(self, told: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        return piece(told, int(query.get("cursor", 0)), lambda artifact: artifact, self.piece_bytes)

    def _addresses(self, asked: Asked, meeting: Meeting) -> Answer:
        keys, files = asked.json["keys"], meeting.files
        strange = [key for key in keys if key not in files]
        if strange or not 1 <= len(keys) <= 200:
            return _refused(400, "invalid_keys", f"not keys of this session: {strange}")
        expires = _now() + self.valid_seconds * 1000
        told = {key: attachment(files[key]) if asked.json["download"] else "inline" for key in keys}
        urls = {key: self._url(key, disposition) for key, disposition in told.items()}
        return _json({"addresses": urls, "expiresAt": expires})

    def _url(self, key: str, disposition: str) -> str:
        now = datetime.now(UTC)
        signed = f"X-Amz-Date={now:%Y%m%dT%H%M%SZ}&X-Amz-Expires={self.valid_seconds}&at={now.timestamp()}"
        asked = f"{signed}&response-content-disposition={quote(disposition)}"
        return f"http://127.0.0.1:{self.port}/outputs/{quote(key)}?{asked}"

    def _media(self, key: str, query: str, wanted: str | None) -> Answer:
        self.media_asked.append(key.rpartition("/")[2])
        signed = parse_qs(query)
        if time.time() > float(signed["at"][0]) + self.valid_seconds:
            return _json({"Code": "AccessDenied", "Message": "Request has expired"}, 403)
        body = self._stored(key)
        if body is None:
            return _json({"Code": "NoSuchKey"}, 404)
        headers = {"Content-Type": "video/webm", "Accept-Ranges": "bytes"}
        headers["Content-Disposition"] = signed.get("response-content-disposition", ["inline"])[0]
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")
        if not asked:
            return 200, headers, body
        first, last = int(asked[1]), min(int(asked[2] or len(body) - 1), len(body) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
        return 206, headers, body[first : last + 1]

    def _stored(self, key: str) -> bytes | None:
        composed = [studio.world.shelf.files.get(key) for studio in self.studios.values()]
        path = self.folder / key.rpartition("/")[2]
        found = next((body for body, _ in filter(None, composed)), None)
        return path.read_bytes() if found is None and path.is_file() else found


@cache
def _by_chalice(path: str, host: str) -> Answer:
    """A file of the page, which does not change while we look."""
    with Client(app) as client:
        answer = client.http.get(path, headers={"host": host})
    return answer.status_code, dict(answer.headers), answer.body


def _json(told: dict[str, Any], status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(told).encode()


def _answer(told: Response) -> Answer:
    return told.status_code, {name: str(value) for name, value in told.headers.items()}, told.body.encode()


def _refused(status: int, code: str, message: str) -> Answer:
    return _json({"error": {"code": code, "message": message, "field": None, "expected": None}}, status)


def _now() -> int:
    return time.time_ns() // 1_000_000


def served(stack: Stack) -> Server:
    """Serve it on a free port, until `shutdown`."""

    class Answers(Door):
        def do_GET(self) -> None:
            told = {name.lower(): value for name, value in self.headers.items()}
            sent = self.rfile.read(int(told.get("content-length", 0)))
            status, headers, body = stack.answer(self.path, told, self.command, sent)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_GET

    server = serving(Answers)
    stack.port = server.server_port
    return server
