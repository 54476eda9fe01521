"""A step of a plan becomes files. What they are made of and called was decided when it was planned."""

import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from chalicelib.core import events as e
from chalicelib.core.errors import Invalid, Unavailable
from chalicelib.core.order import Order, artifact, order_of
from chalicelib.core.scan import BadSegment, NotRecording
from chalicelib.core.step import Step
from chalicelib.flows.work import Hold, Job, Unleased, once
from chalicelib.ports import Shelf, World, Writing, recording_subject, session_subject

log = logging.getLogger("tracklane")


def render(world: World, message: dict[str, Any]) -> None:
    """Make a step's files once; what can not be made is a fact and is not tried again."""
    order = _ordered(world, message)
    job = Job(_subject(order), order.step.target, _about(order))
    once(world, job, lambda hold: _made(world, order, hold))


def _ordered(world: World, message: dict[str, Any]) -> Order:
    match message:
        case {"plan": str(key)}:
            return order_of(json.loads(b"".join(world.shelf.read(key))))
        case {"step": dict(), "segments": dict()}:
            return order_of(message)
    raise Invalid("unknown_message", "the message holds no step", "body", "a step, or the key of its plan")


def _subject(order: Order) -> str:
    of_one = order.recording_id
    return recording_subject(of_one) if of_one else session_subject(order.step.session_id)


def _about(order: Order) -> dict[str, Any]:
    step, of_one = order.step, order.recording_id is not None
    [*whose] = {(output.participant_id, output.kind) for output in step.outputs}
    participant_id, kind = whose[0] if len(whose) == 1 else (None, None)
    key, file = next((key, file) for key, (_, file) in order.segments.items()) if of_one else ("", "")
    return {
        "product": step.maker,
        "key": key,
        "etag": "",
        "session_id": step.session_id,
        "participant_id": participant_id,
        "kind": kind,
        "file": file,
    }


def _made(world: World, order: Order, hold: Hold) -> list[e.Event]:
    step, store = order.step, Below(world.shelf, hold)
    try:
        made = world.media.makers[step.maker](step, store)
    except NotRecording as unreadable:
        if isinstance(unreadable, BadSegment):
            _tell(world, order, unreadable)
        return [_failed(step, hold.target, unreadable, world.now())]
    finally:
        store.abandon()
    log.info("%s: %s bytes read, %s written, %s files", step.maker, store.taken, store.given, len(made))
    return [artifact(step, hold.target, file, world.now()) for file in made]


def _tell(world: World, order: Order, bad: BadSegment) -> None:
    """Of a file that can not be decoded, so that the next plan does without it. True under any lease."""
    recording_id, file = order.segments[bad.source]
    fact = e.SegmentUndecodable(
        at=world.now(), source=bad.source, file=file, code=bad.code, reason=bad.reason
    )
    world.ledger.append(recording_subject(recording_id), fact)


def _failed(step: Step, target: str, unreadable: NotRecording, now: int) -> e.ProductFailed:
    return e.ProductFailed(
        at=now,
        product=step.maker,
        key=target,
        source=getattr(unreadable, "source", ""),
        reason=str(unreadable),
        step=step.target,
    )


@dataclass
class Below:
    """Answers to the port `Store` over the shelf, below a target: whoever reads or writes keeps the lease.

    `taken` and `given` count bytes.
    """

    shelf: Shelf
    hold: Hold | Unleased
    taken: int = 0
    _begun: list["_Kept"] = field(default_factory=list)

    @property
    def given(self) -> int:
        """What was written so far."""
        return sum(writing.size for writing in self._begun)

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterable[bytes]:
        """One GET, at once."""
        return self._counted(self.shelf.read(key, start, end))

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in self.hold.kept(chunks):
            self.taken += len(chunk)
            yield chunk

    def write(self, name: str, content_type: str) -> Writing:
        """A file of its own."""
        writing = _Kept(self.shelf.write(f"{self.hold.target}/{name}", content_type), self.hold)
        self._begun.append(writing)
        return writing

    def abandon(self) -> None:
        """Leave none behind that was not ended. What S3 does not forget now it forgets after a day."""
        for writing in self._begun:
            with suppress(Unavailable):
                writing.abandon()


@dataclass
class _Kept:
    """A writing that keeps its lease, and is abandoned only while it is not ended."""

    writing: Writing
    hold: Hold | Unleased
    ended: bool = False

    @property
    def size(self) -> int:
        return self.writing.size

    def body(self, data: bytes) -> None:
        self.hold.renew()
        self.writing.body(data)

    def front(self, data: bytes) -> None:
        self.hold.renew()
        self.writing.front(data)
        self.ended = True

    def abandon(self) -> None:
        if not self.ended:
            self.ended = True
            self.writing.abandon()
