"""The doors: VideoSDK's REST API as a WSGI application, and beside it the control of the simulation.

Werkzeug, because it is kept by the Pallets, is already there with moto, and hands its raw socket to the
application, so that an answer can be lost or dripped.
"""

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from local.videosdk import shapes, tokens
from local.videosdk.faults import FAULTS, Fault
from local.videosdk.meetings import DELETED, KINDS, NO_RECORDING, NO_SUCH_SESSION, SESSION_ENDED, STARTED, STOPPED
from local.videosdk.meetings import Recording, Refusal, Session

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from local.videosdk.simulation import Simulation

TRACK = "/v2/recordings/participant/track"
ROOM = "/simulation/rooms/<room_id>"

# Which call answers what; the names are those that faults are addressed to. Control calls begin with a dot.
ROUTES = (
    ("POST", f"{TRACK}/start", "start"),
    ("POST", f"{TRACK}/stop", "stop"),
    ("GET", TRACK, "list"),
    ("GET", f"{TRACK}/<recording_id>", "get"),
    ("DELETE", f"{TRACK}/<recording_id>", "delete"),
    ("GET", "/v2/sessions", "sessions"),
    ("POST", "/v2/sessions/end", "end_session"),
    ("GET", "/v2/sessions/<session_id>", "session"),
    ("GET", "/v2/sessions/<session_id>/participants", "participants"),
    ("GET", "/v2/public/rsa-public-key", "key"),
    ("GET", ROOM, ".room"),
    ("POST", f"{ROOM}/join", ".join"),
    ("POST", f"{ROOM}/leave", ".leave"),
    ("POST", f"{ROOM}/unmute", ".unmute"),
    ("POST", f"{ROOM}/mute", ".mute"),
    ("POST", f"{ROOM}/fail", ".fail"),
    ("POST", f"{ROOM}/advance", ".advance"),
    ("POST", f"{ROOM}/end", ".end"),
    ("PUT", f"{ROOM}/webhook", ".webhook"),
    ("GET", "/simulation/switches", ".switches"),
    ("PUT", "/simulation/switches", ".turn"),
    ("GET", "/simulation/faults", ".faults"),
    ("POST", "/simulation/faults", ".arm"),
    ("DELETE", "/simulation/faults", ".disarm"),
    ("GET", "/simulation/webhooks", ".webhooks"),
    ("POST", "/simulation/settle", ".settle"),
)

_RULES = [Rule(path, methods=[method], endpoint=call, strict_slashes=False) for method, path, call in ROUTES]
_ANSWERS = tuple(name for name, address in FAULTS.items() if "call" in address)
_OPEN = {"key"}


class Server:
    """One simulation's doors."""

    def __init__(self, simulation: "Simulation") -> None:
        self._sim = simulation
        self._map = Map(_RULES)
        self._calls = _calls(simulation) | _controls(simulation)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Any:
        request = Request(environ)
        return self._answered(request)(environ, start_response)

    def _answered(self, request: Request) -> Response:
        try:
            call, path = self._map.bind_to_environ(request.environ).match()
            asked = path | _asked(request)
            if call.startswith("."):
                return _json(self._calls[call](asked))
            return self._with_faults(request, call, asked)
        except HTTPException as missing:
            return self._refused(Refusal(missing.code or 500, missing.name))
        except Refusal as refusal:
            return self._refused(refusal)
        except ValueError as wrong:
            return self._refused(Refusal(400, str(wrong)))

    def _with_faults(self, request: Request, call: str, asked: dict[str, Any]) -> Response:
        facts = {"call": call} | {name: asked.get(name) for name in ("participantId", "kind")}
        fault = self._sim.faults.strikes(*_ANSWERS, **facts)
        if fault and (early := _instead(fault)):
            return self._refused(early, fault)
        answer = self._worked(request, call, asked)
        return self._spoilt(request, answer, fault) if fault else answer

    def _worked(self, request: Request, call: str, asked: dict[str, Any]) -> Response:
        try:
            if call not in _OPEN:
                token = request.headers.get("Authorization", "")
                tokens.check(token, self._sim.api_key, self._sim.secret)
            return _json(self._calls[call](asked))
        except Refusal as refusal:
            return self._refused(refusal)

    def _spoilt(self, request: Request, answer: Response, fault: Fault) -> Response:
        match fault.name:
            case "server_error":
                return self._refused(Refusal(fault.measures["status"], "Internal server error"))
            case "slow":
                time.sleep(fault.measures["ms"] / 1_000)
            case "drip":
                return _dripping(answer, fault.measures["ms"])
            case "lose_answer":
                request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return answer

    def _refused(self, refusal: Refusal, fault: Fault | None = None) -> Response:
        """Both forms of an error's body are read by the vendor's client. [C NPM:http/errors.ts]"""
        as_text = self._sim.meetings.switches.error_body == "string"
        answer = _json(refusal.message if as_text else {"message": refusal.message}, refusal.status)
        if fault and fault.name == "rate_limit":
            answer.headers["Retry-After"] = str(fault.measures["retry_after"])
        return answer


def _instead(fault: Fault) -> Refusal | None:
    """What is answered without any work being done."""
    match fault.name:
        case "rate_limit":
            return Refusal(429, "Too many requests")
        case "server_error" if not fault.measures["done"]:
            return Refusal(fault.measures["status"], "Internal server error")
    return None


def _dripping(answer: Response, ms: int) -> Response:
    body = answer.get_data()

    def drops() -> Iterator[bytes]:
        for i in range(len(body)):
            yield body[i : i + 1]
            time.sleep(ms / 1_000)

    return Response(drops(), answer.status_code, {**answer.headers, "Content-Length": str(len(body))})


def _json(told: Any, status: int = 200) -> Response:
    body = json.dumps(told, separators=(",", ":"), ensure_ascii=False)
    return Response(body, status, content_type="application/json; charset=utf-8")


def _asked(request: Request) -> dict[str, Any]:
    """The query's and the body's fields."""
    raw = request.get_data()
    told = json.loads(raw) if raw else {}
    if not isinstance(told, dict):
        raise ValueError("the body has to be a JSON object")
    return request.args.to_dict() | told


# --- VideoSDK's calls -----------------------------------------------------------------------------

type Call = Callable[[dict[str, Any]], Any]


def _calls(sim: "Simulation") -> dict[str, Call]:
    """What each call of VideoSDK's does."""

    def start(asked: dict[str, Any]) -> str:
        """A JSON string, no id. [D API/start-track-recording]"""
        _named(asked, "roomId", "participantId", "kind")
        if asked.get("fileFormat", "webm") != "webm":
            raise Refusal(400, "fileFormat must be webm")
        sim.act(lambda meetings: meetings.start(asked))
        return STARTED

    def stop(asked: dict[str, Any]) -> str:
        """A JSON string. [D DEV/stop-track-recording]"""
        _named(asked, "roomId", "participantId", "kind")
        sim.act(lambda meetings: meetings.stop(asked))
        return STOPPED

    def list_(asked: dict[str, Any]) -> Any:
        """Newest first [U]; `roomId` may be left out as in the SDK's type. [C NPM:resources/recordings.ts]"""
        filters = {"room_id": "roomId", "session_id": "sessionId", "participant_id": "participantId"}
        found = [r for r in sim.meetings.recordings if _matches(r, filters, asked)]
        info, shown = shapes.page_of(found, *_page(asked))
        return {"pageInfo": info, "data": [shapes.recording_shape(r, sim.meetings) for r in shown]}

    def get(asked: dict[str, Any]) -> Any:
        """The inner object of the list. [D API/fetch-a-track-recording]"""
        return shapes.recording_shape(_recording(asked["recording_id"]), sim.meetings)

    def delete(asked: dict[str, Any]) -> str:
        """A string, its text unknown. [C NPM:resources/recordings.ts]"""
        with sim.lock:
            sim.meetings.forget(asked["recording_id"])
        return DELETED

    def sessions(asked: dict[str, Any]) -> Any:
        """[D API/fetch-session; `status` C NPM:resources/sessions.ts]"""
        found = [s for s in sim.meetings.sessions if _matches(s, {"room_id": "roomId"}, asked)]
        told = [shapes.session_shape(session) for session in found]
        wanted = [s for s in told if asked.get("status") in (None, s["status"])]
        info, shown = shapes.page_of(wanted, *_page(asked))
        return {"pageInfo": info, "data": list(shown)}

    def session(asked: dict[str, Any]) -> Any:
        return shapes.session_whole(_session(asked["session_id"]))

    def participants(asked: dict[str, Any]) -> Any:
        """`data` is an object. [D API/fetch-participants]"""
        found = _session(asked["session_id"])
        info, shown = shapes.page_of(list(found.participants.values()), *_page(asked))
        return {"pageInfo": info, "data": shapes.participants_shape(found, shown)}

    def end_session(asked: dict[str, Any]) -> str:
        """[D API/end-session]"""
        _text(asked, "roomId")
        sim.act(lambda meetings: meetings.end_session(asked["roomId"]))
        return SESSION_ENDED

    def key(_: dict[str, Any]) -> Any:
        """PKCS#1 PEM with a leading newline. [C NPM:resources/webhooks.ts; S a published copy]"""
        pem = sim.private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
        return {"publicKey": "\n" + pem.decode()}

    def _recording(recording_id: str) -> Recording:
        found = next((r for r in sim.meetings.recordings if r.recording_id == recording_id), None)
        if found is None:
            raise Refusal(sim.meetings.switches.not_found_status, NO_RECORDING)
        return found

    def _session(session_id: str) -> Session:
        found = next((s for s in sim.meetings.sessions if s.session_id == session_id), None)
        if found is None:
            raise Refusal(sim.meetings.switches.not_found_status, NO_SUCH_SESSION)
        return found

    return {
        "start": start,
        "stop": stop,
        "list": list_,
        "get": get,
        "delete": delete,
        "sessions": sessions,
        "session": session,
        "participants": participants,
        "end_session": end_session,
        "key": key,
    }


def _matches(found: object, filters: dict[str, str], asked: dict[str, Any]) -> bool:
    return all(asked.get(query) in (None, getattr(found, name)) for name, query in filters.items())


def _page(asked: dict[str, Any]) -> tuple[int, int]:
    """`page` counts from 1, `perPage` is 20 unless told. [D API/fetch-all-track-recording]"""
    page, per_page = int(asked.get("page", 1)), int(asked.get("perPage", 20))
    if page < 1 or per_page < 1:
        raise ValueError("page and perPage count from 1")
    return page, per_page


def _named(asked: dict[str, Any], *names: str) -> None:
    """All required. [D API/start-track-recording, DEV/stop-track-recording; wording U]"""
    for name in names:
        _text(asked, name)
    if asked.get("kind", KINDS[0]) not in KINDS:
        raise Refusal(400, f"kind must be one of {', '.join(KINDS)}")


def _text(asked: dict[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value:
        raise Refusal(400, f"{name} is required")
    return value


# --- the simulation's control ---------------------------------------------------------------------


def _controls(sim: "Simulation") -> dict[str, Call]:
    """What each control call does; they are described in the package's docstring."""

    def join(asked: dict[str, Any]) -> Any:
        who = _text(asked, "participantId")
        sim.act(lambda meetings: meetings.join(asked["room_id"], who, asked.get("name") or who))
        return _seen(asked)

    def leave(asked: dict[str, Any]) -> Any:
        who = _text(asked, "participantId")
        sim.act(lambda meetings: meetings.leave(asked["room_id"], who))
        return _seen(asked)

    def unmute(asked: dict[str, Any]) -> Any:
        _named(asked, "participantId", "kind")
        sim.act(lambda meetings: meetings.unmute(asked["room_id"], asked["participantId"], asked["kind"]))
        return _seen(asked)

    def mute(asked: dict[str, Any]) -> Any:
        _named(asked, "participantId", "kind")
        sim.act(lambda meetings: meetings.mute(asked["room_id"], asked["participantId"], asked["kind"]))
        return _seen(asked)

    def fail(asked: dict[str, Any]) -> Any:
        _named(asked, "participantId", "kind")
        sim.act(lambda meetings: meetings.fail(asked["room_id"], asked["participantId"], asked["kind"]))
        return _seen(asked)

    def advance(asked: dict[str, Any]) -> Any:
        ms = asked.get("ms")
        if not isinstance(ms, int) or ms < 0:
            raise Refusal(400, "ms has to be a whole number of milliseconds, at least 0")
        with sim.lock:
            sim.meetings.room(asked["room_id"]).ahead_ms += ms
        return _seen(asked)

    def end(asked: dict[str, Any]) -> Any:
        sim.act(lambda meetings: meetings.end_session(asked["room_id"]))
        return _seen(asked)

    def webhook(asked: dict[str, Any]) -> Any:
        with sim.lock:
            sim.meetings.room(asked["room_id"]).webhook_url = asked.get("url")
        return _seen(asked)

    def room(asked: dict[str, Any]) -> Any:
        if asked["room_id"] not in sim.meetings.rooms:
            raise Refusal(404, "Room not found")
        return _seen(asked)

    def _seen(asked: dict[str, Any]) -> Any:
        with sim.lock:
            return sim.seen(asked["room_id"])

    def turn(asked: dict[str, Any]) -> Any:
        with sim.lock:
            sim.meetings.switches = sim.meetings.switches.turned(asked)
        return sim.meetings.switches.told()

    def arm(asked: dict[str, Any]) -> Any:
        sim.faults.arm(asked)
        return sim.faults.told()

    def disarm(_: dict[str, Any]) -> Any:
        sim.faults.disarm()
        return sim.faults.told()

    def settle(asked: dict[str, Any]) -> Any:
        return {"settled": sim.courier.settle(float(asked.get("timeoutMs", 10_000)) / 1_000)}

    return {
        ".join": join,
        ".leave": leave,
        ".unmute": unmute,
        ".mute": mute,
        ".fail": fail,
        ".advance": advance,
        ".end": end,
        ".webhook": webhook,
        ".room": room,
        ".switches": lambda _: sim.meetings.switches.told(),
        ".turn": turn,
        ".faults": lambda _: sim.faults.told(),
        ".arm": arm,
        ".disarm": disarm,
        ".webhooks": lambda _: [sent.told() for sent in list(sim.courier.sent)],
        ".settle": settle,
    }
