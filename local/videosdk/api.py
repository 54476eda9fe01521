"""VideoSDK's REST API: what each call does once the token is good. Faults are addressed by the names here."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from local.videosdk import meetings as m
from local.videosdk import shapes
from local.videosdk.asked import Asked, need, page_and_size

if TYPE_CHECKING:
    from local.videosdk.simulation import Simulation

TRACK = "/v2/recordings/participant/track"


class Api:
    """The calls on one simulation."""

    def __init__(self, simulation: "Simulation") -> None:
        self._sim = simulation

    def start(self, asked: Asked) -> str:
        """Answers a JSON string and no id; only webm is a file format. [D API/start-track-recording]"""
        need(asked, "roomId", "participantId", "kind")
        if asked.get("fileFormat", "webm") != "webm":
            raise m.Refusal(400, "fileFormat must be webm")
        self._sim.act(lambda meetings: meetings.start(asked))
        return m.STARTED

    def stop(self, asked: Asked) -> str:
        """Answers a JSON string. [D DEV/stop-track-recording]"""
        need(asked, "roomId", "participantId", "kind")
        self._sim.act(lambda meetings: meetings.stop(asked))
        return m.STOPPED

    def list_(self, asked: Asked) -> Any:
        """Newest first [U]; `roomId` may be left out. [C NPM:resources/recordings.ts]"""
        filters = {"room_id": "roomId", "session_id": "sessionId", "participant_id": "participantId"}
        found = [r for r in self._sim.meetings.recordings if _matches(r, filters, asked)]
        info, shown = shapes.page_of(found, *page_and_size(asked))
        told = [shapes.recording_shape(recording, self._sim.meetings) for recording in shown]
        return {"pageInfo": info, "data": told}

    def get(self, asked: Asked) -> Any:
        """The inner object of the list. [D API/fetch-a-track-recording]"""
        found = [r for r in self._sim.meetings.recordings if r.recording_id == asked["recording_id"]]
        return shapes.recording_shape(self._only(found, m.NO_RECORDING), self._sim.meetings)

    def delete(self, asked: Asked) -> str:
        """Answers a string, its text unknown. [C NPM:resources/recordings.ts]"""
        self._sim.meetings.forget(asked["recording_id"])
        return m.DELETED

    def sessions(self, asked: Asked) -> Any:
        """By room and status. [D API/fetch-session; `status` C NPM:resources/sessions.ts]"""
        found = [s for s in self._sim.meetings.sessions if _matches(s, {"room_id": "roomId"}, asked)]
        told = [shapes.session_shape(session) for session in found]
        wanted = [s for s in told if asked.get("status") in (None, s["status"])]
        info, shown = shapes.page_of(wanted, *page_and_size(asked))
        return {"pageInfo": info, "data": shown}

    def session(self, asked: Asked) -> Any:
        """One session, with more fields. [D GHD data/fetch-session-using-sessionid.json]"""
        return shapes.session_whole(self._session(asked))

    def participants(self, asked: Asked) -> Any:
        """`data` is an object. [D API/fetch-participants]"""
        session = self._session(asked)
        info, shown = shapes.page_of(list(session.participants.values()), *page_and_size(asked))
        return {"pageInfo": info, "data": shapes.participants_shape(session, shown)}

    def participant(self, asked: Asked) -> Any:
        """One of them. [C NPM:resources/sessions.ts]"""
        someone = self._session(asked).participants.get(asked["participant_id"])
        return shapes.participant_shape(self._only([someone] if someone else [], m.NO_PARTICIPANT))

    def end_session(self, asked: Asked) -> Any:
        """Everybody goes; answers the session, now ended. [D API/end-session; C NPM:resources/sessions.ts]"""
        need(asked, "roomId")
        self._sim.act(lambda meetings: meetings.end_session(asked["roomId"]))
        return shapes.session_whole(self._sim.meetings.room(asked["roomId"]).sessions[-1])

    def key(self, _: Asked) -> Any:
        """PKCS#1 PEM with a leading newline. [C NPM:resources/webhooks.ts; S a published copy]"""
        public = self._sim.private_key.public_key()
        return {"publicKey": "\n" + public.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()}

    def _session(self, asked: Asked) -> m.Session:
        found = [s for s in self._sim.meetings.sessions if s.session_id == asked["session_id"]]
        return self._only(found, m.NO_SUCH_SESSION)

    def _only[Item](self, found: list[Item], otherwise: str) -> Item:
        if not found:
            raise m.Refusal(self._sim.meetings.switches.not_found_status, otherwise)
        return found[0]


type Call = Callable[[Api, Asked], Any]

CALLS: tuple[tuple[str, str, Call], ...] = (
    ("POST", f"{TRACK}/start", Api.start),
    ("POST", f"{TRACK}/stop", Api.stop),
    ("GET", TRACK, Api.list_),
    ("GET", f"{TRACK}/<recording_id>", Api.get),
    ("DELETE", f"{TRACK}/<recording_id>", Api.delete),
    ("GET", "/v2/sessions", Api.sessions),
    ("POST", "/v2/sessions/end", Api.end_session),
    ("GET", "/v2/sessions/<session_id>", Api.session),
    ("GET", "/v2/sessions/<session_id>/participants", Api.participants),
    ("GET", "/v2/sessions/<session_id>/participants/<participant_id>", Api.participant),
    ("GET", "/v2/public/rsa-public-key", Api.key),
)

# Answered without a token. [C NPM:resources/webhooks.ts]
OPEN = {"key"}


def _matches(found: object, filters: dict[str, str], asked: Asked) -> bool:
    return all(asked.get(query) in (None, getattr(found, name)) for name, query in filters.items())
