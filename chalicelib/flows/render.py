"""One step of a plan becomes one artifact. What it is made of and called was decided when it was planned."""

from collections.abc import Callable, Iterable

from chalicelib.core.events import ArtifactMade, Event, ProductFailed
from chalicelib.core.plan import Step
from chalicelib.core.scan import NotRecording
from chalicelib.ports import Media, World, recording_subject

MAKERS: dict[str, Callable[[Media, Iterable[bytes]], bytes]] = {
    "poster": lambda media, chunks: media.poster(chunks),
}


def render(world: World, step: Step) -> None:
    """Make a step's target, unless it is there; what can not be made is a fact and is not tried again."""
    world.ledger.append(recording_subject(step.recording_id), _made(world, step))


def _made(world: World, step: Step) -> Event:
    try:
        body = MAKERS[step.product](world.media, world.shelf.read(step.source))
    except NotRecording as unreadable:
        return ProductFailed(
            at=world.now(),
            product=step.product,
            key=step.target,
            source=step.source,
            reason=str(unreadable),
        )
    world.shelf.put(step.target, body, step.content_type)
    return ArtifactMade(
        at=world.now(),
        product=step.product,
        key=step.target,
        content_type=step.content_type,
        bytes=len(body),
        participant_id=step.participant_id,
        kind=step.kind,
        source=step.source,
        start=step.start,
        end=step.end,
    )
