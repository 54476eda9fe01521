"""Runs the script: the meeting through the simulation's control, the recordings through our API."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from local.demo.client import TIMEOUT_S, Bucket, Tracklane
from local.demo.script import PEOPLE, SCRIPT, Cue
from local.demo.show import Recording, Show
from local.videosdk.client import Meeting

PATIENCE_S = 120
# Cues of the same moment pass at once; between moments a spectator needs time to see something.
BEAT_S = 0.25
LOOK_S = 0.3


class Play:
    """One performance in one room."""

    def __init__(
        self, tracklane: Tracklane, meeting: Meeting, bucket: Bucket, room_id: str, show: Show
    ) -> None:
        self.tracklane = tracklane
        self.meeting = meeting
        self.bucket = bucket
        self.room_id = room_id
        self.show = show
        self.recording_ids: list[str] = []

    def run(self) -> list[Recording]:
        """Play the meeting to its end and wait for every verdict; the recordings as they are then."""
        self.meeting.hold()
        self.meeting.webhook(f"{self.tracklane.api}/webhooks/videosdk")
        with self._watched():
            now_ms = 0
            for cue in SCRIPT:
                if cue.at_ms > now_ms:
                    time.sleep(BEAT_S)
                    self.meeting.advance(cue.at_ms - now_ms)
                    now_ms = cue.at_ms
                self.show.say(f"{cue.at_ms / 1000:5.1f} s  {PEOPLE[cue.who]} {_told(cue)}")
                DOES[cue.does](self, cue)
            self.meeting.end()
        return self._settled()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Show how far the recordings have come, beside the meeting."""
        over = threading.Event()

        def watch() -> None:
            spectator = Tracklane(self.tracklane.api, self.tracklane.token)
            while not over.is_set():
                known = tuple(self.recording_ids)
                self.show.update([spectator.recording(one) for one in known], self.bucket.files())
                over.wait(LOOK_S)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def session(self) -> dict[str, Any]:
        """The session's manifest, once it has been written and all products are settled."""
        self.show.say("all recordings have their verdict; the session's products are being made")
        return self._wait(self._written, "the manifest was not written")

    def _written(self) -> dict[str, Any] | None:
        lines = self.tracklane.sessions(self.room_id)
        if not lines or not lines[0]["manifestKey"] or not lines[0]["settled"]:
            return None
        manifest = self.tracklane.session(lines[0]["sessionId"])
        return None if any(row["state"] == "pending" for row in manifest["products"]) else manifest

    def _settled(self) -> list[Recording]:
        def all_settled() -> list[Recording] | None:
            recordings = self._recordings()
            self.show.update(recordings, self.bucket.files())
            return recordings if all(told["verdict"]["settled"] for told in recordings) else None

        return self._wait(all_settled, "not every recording got its verdict")

    def _recordings(self) -> list[Recording]:
        return [self.tracklane.recording(recording_id) for recording_id in self.recording_ids]

    def _wait[Found](self, look: Callable[[], Found | None], complaint: str) -> Found:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found = look()
            if found is not None:
                return found
            time.sleep(LOOK_S)
        raise TimeoutError(f"{complaint} within {PATIENCE_S} s")

    def _join(self, cue: Cue) -> None:
        self.meeting.join(cue.who, PEOPLE[cue.who])

    def _leave(self, cue: Cue) -> None:
        self.meeting.leave(cue.who)

    def _unmute(self, cue: Cue) -> None:
        self.meeting.unmute(cue.who, *cue.kinds)

    def _mute(self, cue: Cue) -> None:
        self.meeting.mute(cue.who, *cue.kinds)

    def _record(self, cue: Cue) -> None:
        begun = self.tracklane.record(self.room_id, cue.who, cue.kinds)
        again = sorted(set(begun) & set(self.recording_ids))
        if again:
            raise RuntimeError(f"nothing new was begun for {cue.who}: {', '.join(again)} is said to run")
        self.recording_ids += begun

    def _stop(self, cue: Cue) -> None:
        self.tracklane.stop(self.room_id, cue.who, cue.kinds)


DOES: dict[str, Callable[[Play, Cue], None]] = {
    "join": Play._join,
    "leave": Play._leave,
    "unmute": Play._unmute,
    "mute": Play._mute,
    "record": Play._record,
    "stop": Play._stop,
}


def download(manifest: dict[str, Any], into: Path) -> int:
    """Fetch every artifact as a player would; how many there were."""
    for artifact in manifest["artifacts"]:
        target = into / artifact["key"].removeprefix(f"sessions/{manifest['sessionId']}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        answer = requests.get(artifact["url"], timeout=TIMEOUT_S)
        answer.raise_for_status()
        target.write_bytes(answer.content)
    return len(manifest["artifacts"])


def _told(cue: Cue) -> str:
    verbs = {
        "join": "joins",
        "leave": "leaves",
        "unmute": "turns on",
        "mute": "turns off",
        "record": "is being recorded:",
        "stop": "is no longer recorded:",
    }
    return f"{verbs[cue.does]} {', '.join(cue.kinds)}".strip()
