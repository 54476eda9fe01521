"""A meeting as facts, its manifest by the core, and its media as files."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from chalicelib.core import events as e
from chalicelib.core.heads import RecordingHead, named, recording_head, session_head
from chalicelib.core.ids import Kind, recording_id
from chalicelib.core.manifest import NOTHING, manifest
from chalicelib.core.naming import with_file_names
from chalicelib.core.plan import NAMES, planned
from chalicelib.core.recording import Recording
from chalicelib.core.session import Session
from chalicelib.core.step import Step
from chalicelib.core.steps import Wanted
from chalicelib.core.views import event_view, recording_line, session_line
from tests.page import media

ZERO = 1_790_000_000_000
SIZES = {"video": (320, 180), "screen_video": (480, 270)}
COLOURS = [(150, 110), (110, 150), (115, 112), (145, 140)]


@dataclass(frozen=True)
class Take:
    """One recording of the meeting. Of announced files, `missing` never came and `coming` may still."""

    participant_id: str
    kind: str
    segments: tuple[tuple[int, int], ...]
    missing: tuple[str, ...] = ()
    coming: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    tail_lost: bool = False
    holes: tuple[tuple[int, int], ...] = ()
    clock: str = "stamp"
    over: bool = True


@dataclass(frozen=True)
class Meeting:
    """A session in which these recordings were made."""

    session_id: str
    room_id: str
    names: dict[str, str]
    takes: tuple[Take, ...]
    zero_at: int = ZERO
    extra: tuple[e.Event, ...] = field(default=())
    wanted: Wanted = NOTHING
    made: tuple[str, ...] = ()  # the makers whose steps are done
    failed: tuple[str, ...] = ()  # and those whose steps never will be

    @cached_property
    def facts(self) -> dict[str, list[e.Event]]:
        """The facts of each recording, by its id."""
        ids = (recording_id(f"{self.session_id:<15.15}{n:c}".encode()[:16]) for n in range(len(self.takes)))
        return {rid: list(self._facts(take)) for rid, take in zip(ids, self.takes, strict=True)}

    @cached_property
    def session(self) -> Session:
        """The session that these facts tell of."""
        own = [
            e.ParticipantJoined(at=self.zero_at, room_id=self.room_id, participant_id=who, name=name)
            for who, name in self.names.items()
        ]
        recorded = Session.of(self.session_id, own, self.facts)
        products = [fact for step in planned(recorded, self.wanted) for fact in self._products(step)]
        return Session.of(self.session_id, [*own, *products], self.facts)

    def manifest(self) -> dict[str, Any]:
        """As the API tells it, but for the addresses."""
        return with_file_names(manifest(self.session, self.wanted))

    @cached_property
    def files(self) -> dict[str, str]:
        """The names of its artifacts, by their keys."""
        return {artifact["key"]: artifact["fileName"] for artifact in self.manifest()["artifacts"]}

    def line(self) -> dict[str, Any]:
        """As a list of sessions has it."""
        head = named(session_head(self.session_id, self.heads(), len(self.names), ""), self.names)
        return {**session_line(head), "live": not all(take.over for take in self.takes)}

    def heads(self) -> list[RecordingHead]:
        """What the lists show of its recordings."""
        return [recording_head(Recording.of(rid, told)) for rid, told in self.facts.items()]

    def recordings(self) -> list[dict[str, Any]]:
        """As a list of recordings has them."""
        return [recording_line(head) for head in self.heads()]

    def events(self, wanted: str) -> list[dict[str, Any]]:
        """A recording's ledger."""
        return [event_view(fact) for fact in sorted(self.facts[wanted], key=lambda fact: fact.at)]

    def make_media(self, folder: Path) -> None:
        """Write each repaired segment under its key's last part."""
        people = sorted({take.participant_id for take in self.takes})
        for take in self.takes:
            for start, end in take.segments:
                path = folder / self._file(take, start)
                if take.kind.endswith("audio"):
                    media.voice(path, start, end)
                else:
                    colour = COLOURS[people.index(take.participant_id) % len(COLOURS)]
                    media.picture(path, start, end, SIZES[take.kind], colour)

    def _products(self, step: Step) -> Iterable[e.Event]:
        at, reason = self.zero_at + step.end, "the worker ran out of time"
        for output in step.outputs:
            key = f"{step.target}/{output.name}"
            if step.maker in self.failed:
                yield e.ProductFailed(
                    at=at,
                    product=output.product,
                    key=key,
                    source=output.source,
                    reason=reason,
                    step=step.target,
                )
            elif step.maker in self.made:
                yield e.ArtifactMade(
                    at=at,
                    product=output.product,
                    key=key,
                    content_type="application/octet-stream",
                    bytes=(step.end - step.start) * 12,
                    participant_id=output.participant_id,
                    kind=output.kind,
                    source=output.source,
                    start=self.zero_at + step.start,
                    end=self.zero_at + step.end,
                    step=step.target,
                )

    def _file(self, take: Take, start: int) -> str:
        owner = "".join(letter for letter in take.participant_id if letter.isalnum())
        return f"{owner}-{take.kind}-{self.zero_at + start}.webm"

    def _facts(self, take: Take) -> Iterable[e.Event]:
        begun = self.zero_at + min((start for start, _ in take.segments), default=0)
        yield e.RecordingRequested(
            at=begun - 900,
            room_id=self.room_id,
            participant_id=take.participant_id,
            kind=Kind(take.kind),
            by="app",
        )
        yield e.StartAccepted(at=begun - 700)
        yield e.RecordingStarted(at=begun + 100, session_id=self.session_id)
        yield from (self._stored(take, start, end) for start, end in take.segments)
        yield from (self._rejected(take, file) for file in take.rejected)
        if take.over:
            yield from self._ended(take, begun)
        yield from self.extra

    def _ended(self, take: Take, begun: int) -> Iterable[e.Event]:
        end_at = self.zero_at + max((end for _, end in take.segments), default=0)
        files = (
            *(self._file(take, start) for start, _ in take.segments),
            *take.missing,
            *take.coming,
            *take.rejected,
        )
        yield e.StopAccepted(at=end_at + 50)
        yield e.RecordingStopped(at=end_at + 400, session_id=self.session_id, files=files)
        yield e.RecordingEnded(
            at=end_at + 9_000,
            listed_id="l1",
            session_id=self.session_id,
            start_at=begun,
            end_at=end_at,
            files=files,
        )
        yield from (e.SegmentOverdue(at=end_at + 900_000, file=file) for file in take.missing)

    def _rejected(self, take: Take, file: str) -> e.Event:
        return e.SegmentRejected(
            at=self.zero_at + 60_000,
            key=f"raw/{file}",
            etag="e",
            bytes=17,
            session_id=self.session_id,
            participant_id=take.participant_id,
            kind=Kind(take.kind),
            file=file,
            code="not_webm",
            reason="it does not begin as WebM does",
        )

    def _stored(self, take: Take, start: int, end: int) -> e.Event:
        size = SIZES.get(take.kind, (None, None))
        return e.SegmentStored(
            at=self.zero_at + end + 1_500,
            key=f"raw/{self._file(take, start)}",
            etag="e",
            bytes=(end - start) * 40,
            session_id=self.session_id,
            participant_id=take.participant_id,
            kind=Kind(take.kind),
            file=self._file(take, start),
            start_at=self.zero_at + start,
            duration_ms=end - start,
            clock=take.clock,
            uncertainty_ms=100 if take.clock == "stamp" else 5_000,
            codec="vp8" if size[0] else "opus",
            width=size[0],
            height=size[1],
            resolutions=(),
            holes=take.holes,
            tail_lost=take.tail_lost and (start, end) == take.segments[-1],
            repaired_key=f"sessions/{self.session_id}/{self._file(take, start)}",
            repaired_bytes=(end - start) * 41,
        )


# Ada mutes herself for three seconds, Ben turns his camera off for three and shares his screen.
REVIEW = Meeting(
    "6a1f-review",
    "weekly-review",
    {"ada": "Ada Okafor", "ben": "Ben Lindqvist", "chi": "Chidi"},
    (
        Take("ada", "audio", ((0, 6_000), (9_000, 16_000))),
        Take("ada", "video", ((500, 16_000),)),
        Take("ben", "audio", ((1_000, 16_000),)),
        Take("ben", "video", ((1_000, 7_000), (10_000, 15_000))),
        Take("ben", "screen_video", ((4_000, 12_000),)),
        Take("ben", "screen_audio", ((4_000, 12_000),)),
        Take("chi", "audio", ((2_000, 13_000),)),
    ),
)

# Everything that can be wrong at once; it has no media.
TROUBLED = Meeting(
    "77c0-standup",
    "standup",
    {"ada": "Ada Okafor", "ben": "Ben Lindqvist"},
    (
        Take("ada", "audio", ((0, 600_000), (900_000, 1_500_000)), missing=("a-1789914300000.webm",)),
        Take("ada", "video", ((0, 1_500_000),), tail_lost=True, holes=((200_000, 204_000),)),
        Take("ben", "audio", ((60_000, 1_450_000),), clock="last_modified"),
        Take("ben", "video", ((60_000, 700_000),), rejected=("b-1789914400000.webm",)),
    ),
    zero_at=ZERO - 86_400_000,
)

UNDER_WAY = Meeting(
    "9b2d-interview",
    "interview-42",
    {"dee": "Dee"},
    (Take("dee", "audio", ((0, 5_000),), over=False),),
    zero_at=ZERO + 3_600_000,
)

# Of its products the posters are there, what is copied failed, and the sound is still being worked on.
IN_THE_MAKING = Meeting(
    "8c11-lesson",
    "lesson-7",
    {"ada": "Ada Okafor", "ben": "Ben Lindqvist"},
    (
        Take("ada", "audio", ((0, 60_000),)),
        Take("ada", "video", ((0, 60_000),)),
        Take("ben", "audio", ((0, 60_000),)),
    ),
    zero_at=ZERO - 3_600_000,
    wanted=Wanted(frozenset(NAMES[name] for name in ("track", "av", "stem", "mix", "peaks", "poster"))),
    made=("poster",),
    failed=("copies",),
)

_EVIL = "<img src=x onerror=\"window.hurt='by markup'\">"
HOSTILE = Meeting(
    "s~@:+=evil",
    f"<script>window.hurt='by script'</script>{_EVIL}",
    {_EVIL: f"</b>{_EVIL}\u202e Mallory"},
    (
        Take(
            _EVIL,
            "audio",
            ((0, 4_000),),
            missing=(f"{_EVIL}.webm",),
            rejected=(f"'{_EVIL}",),
        ),
    ),
    zero_at=ZERO - 40 * 86_400_000,
    extra=(e.OddHeard(at=ZERO, webhook_type=_EVIL, reason=_EVIL, body_sha256="0", body=_EVIL),),
)
