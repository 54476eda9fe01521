"""The doors: VideoSDK's REST API as a WSGI application, and beside it the control of the simulation.

Werkzeug, because it is kept by the Pallets, comes with moto anyway, and hands its raw socket to the
application, so that an answer can be lost or dripped.
"""

import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from local.videosdk import tokens
from local.videosdk.api import CALLS, OPEN, Api, Call
from local.videosdk.asked import Asked, asked_of
from local.videosdk.control import ACTS, Act, Control
from local.videosdk.faults import FAULTS, Fault
from local.videosdk.meetings import Refusal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from local.videosdk.simulation import Simulation

SETTLE = "/simulation/settle"

_OF_ANSWERS = tuple(name for name, address in FAULTS.items() if "call" in address)


def _rules(kind: str, table: Iterable[tuple[str, str, Any]]) -> list[Rule]:
    return [
        Rule(path, methods=[method], endpoint=(kind, work), strict_slashes=False)
        for method, path, work in table
    ]


# Made once for all servers: it is compiled.
_DOORS = Map([*_rules("call", CALLS), *_rules("act", ACTS), *_rules("settle", [("POST", SETTLE, None)])])


class Server:
    """One simulation's doors."""

    def __init__(self, simulation: "Simulation") -> None:
        self._sim = simulation
        self._api, self._control = Api(simulation), Control(simulation)
        self._kinds: dict[str, Callable[[Any, Request, Asked], Response]] = {
            "call": self._call,
            "act": self._act,
            "settle": self._settle,
        }

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Any:
        request = Request(environ)
        return self._answer(request)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        try:
            (kind, work), path = _DOORS.bind_to_environ(request.environ).match()
            return self._kinds[kind](work, request, asked_of(request) | dict(path))
        except Refusal as refusal:
            return self._refused(refusal)
        except HTTPException as missing:
            return self._refused(Refusal(missing.code or 500, missing.name))
        except ValueError as wrong:
            return self._refused(Refusal(400, str(wrong)))

    def _settle(self, _work: None, _request: Request, asked: Asked) -> Response:
        """Wait until nothing is under way. Alone in not keeping others out meanwhile."""
        return _json({"settled": self._sim.courier.settle(float(asked.get("timeoutMs", 10_000)) / 1_000)})

    def _act(self, act: Act, _: Request, asked: Asked) -> Response:
        with self._sim.lock:
            return _json(act(self._control, asked))

    # --- VideoSDK's calls, and what may go wrong with their answers -------------------------------

    def _call(self, call: Call, request: Request, asked: Asked) -> Response:
        name = call.__name__.rstrip("_")
        facts = {"call": name, "participantId": asked.get("participantId"), "kind": asked.get("kind")}
        fault = self._sim.faults.strikes(*_OF_ANSWERS, **facts)
        if fault and (early := _instead(fault)):
            return self._refused(early, _retry_after(fault))
        answer = self._worked(name, call, request, asked)
        return self._spoilt(request, answer, fault) if fault else answer

    def _worked(self, name: str, call: Call, request: Request, asked: Asked) -> Response:
        try:
            if name not in OPEN:
                tokens.check(request.headers.get("Authorization", ""), self._sim.api_key, self._sim.secret)
            with self._sim.lock:
                return _json(call(self._api, asked))
        except Refusal as refusal:
            return self._refused(refusal)

    def _spoilt(self, request: Request, answer: Response, fault: Fault) -> Response:
        match fault.name:
            case "server_error":
                return self._refused(_broken(fault))
            case "slow":
                time.sleep(fault.measures["ms"] / 1_000)
            case "drip":
                return _dripping(answer, fault.measures["ms"])
            case "lose_answer":
                request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return answer

    def _refused(self, refusal: Refusal, headers: dict[str, str] | None = None) -> Response:
        """Both forms of an error's body are read by the vendor's client. [C NPM:http/errors.ts]"""
        bare = self._sim.meetings.switches.error_body == "string"
        answer = _json(refusal.message if bare else {"message": refusal.message}, refusal.status)
        answer.headers.update(headers or {})
        return answer


def _instead(fault: Fault) -> Refusal | None:
    """What is answered without any work being done."""
    match fault.name:
        case "rate_limit":
            return Refusal(429, "Too many requests")
        case "server_error" if not fault.measures["done"]:
            return _broken(fault)
    return None


def _broken(fault: Fault) -> Refusal:
    return Refusal(fault.measures["status"], "Internal server error")


def _retry_after(fault: Fault) -> dict[str, str]:
    return {"Retry-After": str(fault.measures["retry_after"])} if fault.name == "rate_limit" else {}


def _dripping(answer: Response, ms: int) -> Response:
    body = answer.get_data()

    def drops() -> Iterator[bytes]:
        for i in range(len(body)):
            yield body[i : i + 1]
            time.sleep(ms / 1_000)

    return Response(drops(), answer.status_code, answer.headers)


def _json(told: Any, status: int = 200) -> Response:
    body = json.dumps(told, separators=(",", ":"), ensure_ascii=False)
    return Response(body, status, content_type="application/json; charset=utf-8")
