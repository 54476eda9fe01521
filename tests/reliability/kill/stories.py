"""A recording's life, told through the platform: an app, a meeting, and whatever strikes on the way."""

import itertools
import time
from dataclasses import dataclass, replace
from operator import methodcaller
from typing import Any

from chalicelib.core import events as e
from chalicelib.core.recording import Recording
from local.videosdk.meetings import Recording as Track
from tests.reliability.kill.platform import DAY_MS, MINUTE_MS, Ran, Stage, Strike

# What each webhook becomes.
HEARD = {
    "participant-track-recording-starting": e.RecordingStarting,
    "participant-track-recording-started": e.RecordingStarted,
    "participant-track-recording-stopping": e.RecordingStopping,
    "participant-track-recording-stopped": e.RecordingStopped,
    "participant-track-recording-failed": e.RecordingFailed,
}

WHO = "ann"
KINDS = ("video",)
PASSES = 6  # of the schedule, after which all has to be at rest
_ROOMS = itertools.count(1)
_NEWS_MS = 120_000


@dataclass
class App:
    """A caller whose request may get no answer. `again` is what it does then: repeat it with the same
    Idempotency-Key, or with another one, or look later what became of it."""

    stage: Stage
    again: str = "same key"
    kinds: tuple[str, ...] = KINDS

    def __post_init__(self) -> None:
        self.room_id = f"room-{next(_ROOMS)}"
        self._keys = itertools.count(1)

    def start(self) -> None:
        """Have it recorded, whatever that takes."""
        key = self._key()
        ran = self._ask_start(key)
        while ran.died and self.again != "later":
            ran = self._ask_start(key if self.again == "same key" else self._key())
        self.stage.drain()
        for _ in range(PASSES):
            if len(self.running()) == len(self.kinds):
                return
            self.stage.pass_by(_NEWS_MS)
            if len(self.alive()) < len(self.kinds):
                self._ask_start(self._key())
                self.stage.drain()
        raise AssertionError("the app never gets its recording")

    def stop(self) -> None:
        """Have it end, whatever that takes."""
        ran = self._ask_stop()
        while ran.died and self.again != "later":
            ran = self._ask_stop()
        self.stage.drain()
        for _ in range(PASSES):
            if not self.running():
                return
            self.stage.pass_by(_NEWS_MS)
            if self.running():
                self._ask_stop()
                self.stage.drain()
        raise AssertionError("the app never gets it stopped")

    def running(self) -> list[Track]:
        """What VideoSDK truly records in this room."""
        return [t for t in self.tracks() if t.end_at is None]

    def tracks(self) -> list[Track]:
        """What VideoSDK ever recorded in this room."""
        return [t for t in self.stage.videosdk.meetings.recordings if t.room_id == self.room_id]

    def alive(self) -> list[Recording]:
        """What we hold for not ended."""
        return [r for r in self.stage.recordings() if not r.ended]

    def _ask_start(self, key: str) -> Ran:
        return self.stage.run(
            "start",
            url=self.stage.ear.url,
            room_id=self.room_id,
            participant_id=WHO,
            kinds=self.kinds,
            key=key,
        )

    def _ask_stop(self) -> Ran:
        return self.stage.run("stop", recording_ids=[r.recording_id for r in self.alive()])

    def _key(self) -> str:
        return f"key-{next(self._keys)}"


def lived(stage: Stage, again: str, kinds: tuple[str, ...] = KINDS) -> App:
    """Start, three seconds of a meeting, stop, and all that follows until nothing is awaited."""
    app = App(stage, again, kinds)
    meet(stage, app.room_id, app.kinds)
    app.start()
    stage.pass_time(3_000)
    app.stop()
    rest(stage)
    return app


def meet(stage: Stage, room_id: str, kinds: tuple[str, ...]) -> None:
    """Somebody is there and is seen and heard."""
    stage.videosdk.act(methodcaller("join", room_id, WHO, WHO))
    for kind in kinds:
        stage.videosdk.act(methodcaller("unmute", room_id, WHO, kind))


def rest(stage: Stage) -> None:
    """The schedule runs until nothing is awaited any more."""
    for _ in range(PASSES):
        stage.pass_by()
        if all(r.verdict.settled for r in stage.recordings()):
            return


def sweep(stage: Stage) -> None:
    """A day goes by, and nothing is left to be swept. Who dies over the sweep leaves it to the next day."""
    ran = None
    while ran is None or ran.died:
        stage.pass_time(DAY_MS + MINUTE_MS)
        stage.aws.age()
        ran = stage.run("sweep")
        stage.drain()


@dataclass(frozen=True)
class Scene:
    """The same story under other circumstances. `first` are strikes that belong to them, `struck` the
    operations that differ from when all is well."""

    name: str
    lost: frozenset[str] = frozenset()
    silent: bool = False
    overwritten: bool = False
    cursed: tuple[str, str] | None = None
    world: str = "Sound"
    kinds: tuple[str, ...] = KINDS
    struck: tuple[str, ...] = ()
    first: tuple[Strike, ...] = ()
    again: tuple[str, ...] = ("same key", "another key", "later")

    def play(self, stage: Stage, *strikes: Strike, again: str | None = None, **more: Any) -> App:
        """Tell it with more strikes, up to where nothing is awaited; `more` is set on the stage."""
        told = {name: getattr(self, name) for name in ("lost", "silent", "overwritten", "cursed", "world")}
        stage.anew(*self.first, *strikes, **told | more)
        app = lived(stage, again or self.again[0], self.kinds)
        if self.cursed:
            stage.cursed = None
            redrive(stage)
        return app


def redrive(stage: Stage) -> None:
    """The operator has what was given up done again; who dies over it begins again."""
    while stage.run("redrive").died:
        time.sleep(1.1)
    stage.drain()
    rest(stage)


def scenes() -> list[Scene]:
    """Undisturbed but for what the name says."""
    deaf = Scene("nobody tells us anything", frozenset(HEARD), True, struck=("reconcile", "ingest", "settle"))
    lonely = replace(deaf, struck=("reconcile", "stop"), again=("later",))
    unsent, unanswered = Strike("start", 1, "before POST start"), Strike("start", 1, "after POST start")
    stored, unstopped = Strike("ingest", 1, "after s3.PutObject"), Strike("stop", 1, "before POST stop")
    return [
        Scene("all is well"),
        Scene("two kinds at once", kinds=("audio", "screen_audio"), struck=("start", "stop")),
        Scene("a file comes anew", overwritten=True, struck=("ingest", "sweep"), first=(stored,)),
        deaf,
        Scene("a start was never sent", struck=("reconcile", "start"), first=(unsent,), again=("later",)),
        replace(lonely, name="a start was never answered", first=(unanswered,)),
        replace(lonely, name="a stop was never sent", first=(unstopped,)),
        Scene("a file kills its workers", cursed=("ingest", ".webm"), struck=("ingest", "redrive")),
        Scene("a picture kills its workers", cursed=("render", ".webm"), struck=("render", "redrive")),
        PRODUCING,
    ]


# Both kinds of somebody, and steps of several files: what is planned, written and told together is struck.
PRODUCING = Scene("all is made", world="Producing", kinds=("video", "audio"), struck=("settle", "render"))
