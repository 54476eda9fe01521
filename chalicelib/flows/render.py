"""One step of a plan becomes one artifact. What it is made of and called was decided when it was planned."""

from collections.abc import Callable, Iterable
from typing import Any

from chalicelib.core.events import ArtifactMade, Event, ProductFailed
from chalicelib.core.plan import Step
from chalicelib.core.scan import NotRecording
from chalicelib.flows.work import Hold, Job, once
from chalicelib.ports import Media, World, recording_subject

MAKERS: dict[str, Callable[[Media, Iterable[bytes]], bytes]] = {
    "poster": lambda media, chunks: media.poster(chunks),
}


def render(world: World, step: Step) -> None:
    """Make a step's target once; what can not be made is a fact and is not tried again."""
    job = Job(recording_subject(step.recording_id), step.target, _about(step))
    once(world, job, lambda hold: _made(world, step, hold))


def _made(world: World, step: Step, hold: Hold) -> Event:
    try:
        body = MAKERS[step.product](world.media, hold.kept(world.shelf.read(step.source)))
    except NotRecording as unreadable:
        return ProductFailed(
            at=world.now(),
            product=step.product,
            key=hold.target,
            source=step.source,
            reason=str(unreadable),
        )
    world.shelf.put(hold.target, body, step.content_type)
    return ArtifactMade(
        at=world.now(),
        product=step.product,
        key=hold.target,
        content_type=step.content_type,
        bytes=len(body),
        participant_id=step.participant_id,
        kind=step.kind,
        source=step.source,
        start=step.start,
        end=step.end,
    )


def _about(step: Step) -> dict[str, Any]:
    return {
        "product": step.product,
        "key": step.source,
        "etag": "",
        "session_id": step.session_id,
        "participant_id": step.participant_id,
        "kind": step.kind,
        "file": step.file,
    }
