"""A meeting, played through the simulation's control: for the demo and the end-to-end tests."""

from typing import Any

import requests


class Meeting:
    """One room of the simulation at `url`."""

    def __init__(self, url: str, room_id: str) -> None:
        self.url, self.room_id = url, room_id
        self._http = requests.Session()
        self._http.trust_env = False

    @property
    def session_id(self) -> str:
        """The session that goes on, or the latest."""
        return str(self.seen()["sessionId"])

    def join(self, participant_id: str, name: str | None = None) -> str:
        """Somebody comes in; the session's id."""
        joined = self._ask("POST", "/join", participantId=participant_id, name=name or participant_id)
        return str(joined["sessionId"])

    def leave(self, participant_id: str) -> None:
        """Somebody goes."""
        self._ask("POST", "/leave", participantId=participant_id)

    def unmute(self, participant_id: str, *kinds: str) -> None:
        """Microphone, camera or share go on."""
        for kind in kinds:
            self._ask("POST", "/unmute", participantId=participant_id, kind=kind)

    def mute(self, participant_id: str, *kinds: str) -> None:
        """They go off."""
        for kind in kinds:
            self._ask("POST", "/mute", participantId=participant_id, kind=kind)

    def fail(self, participant_id: str, kind: str) -> None:
        """A running recording breaks down."""
        self._ask("POST", "/fail", participantId=participant_id, kind=kind)

    def advance(self, ms: int) -> None:
        """Let this much of the meeting go by at once."""
        self._ask("POST", "/advance", ms=ms)

    def hold(self, ago_ms: int = 0) -> None:
        """From here on time passes only by `advance`; the meeting may be one of a while ago."""
        self._ask("POST", "/hold", agoMs=ago_ms)

    def end(self) -> None:
        """Everybody goes and the session is over."""
        self._ask("POST", "/end")

    def webhook(self, url: str | None) -> None:
        """Where the room's own events go."""
        self._ask("PUT", "/webhook", url=url)

    def seen(self) -> dict[str, Any]:
        """The room as it is now."""
        return self._ask("GET", "")

    def settle(self, timeout_ms: int = 10_000) -> bool:
        """Wait until every webhook and file of the simulation is out."""
        answer = self._http.post(f"{self.url}/simulation/settle", json={"timeoutMs": timeout_ms}, timeout=60)
        return bool(answer.json()["settled"])

    def close(self) -> None:
        """Let the connection go."""
        self._http.close()

    def _ask(self, method: str, path: str, **told: Any) -> dict[str, Any]:
        url = f"{self.url}/simulation/rooms/{self.room_id}{path}"
        answer = self._http.request(method, url, json=told if method != "GET" else None, timeout=30)
        if not answer.ok:
            raise ValueError(f"{method} {path} {told}: {answer.status_code} {answer.text}")
        seen: dict[str, Any] = answer.json()
        return seen
