"""What a message of the render queue asks for: a step, and whose segments it reads; and what came of it.

| message                            | for                                                             |
|------------------------------------|-----------------------------------------------------------------|
| `{"step": …, "segments": …}`       | a small order, whole                                            |
| `{"plan": key}`                    | a large one, which lies in the output bucket, as the former     |
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.core.events import ArtifactMade, SegmentStored
from chalicelib.core.step import Made, Step, step_of

SMALL = 128 << 10  # bytes: the queue takes twice as many, and what is said of a dead letter
PLAN = "plan.json"  # the name below the step's target that a large order lies under


@dataclass(frozen=True, slots=True)
class Order:
    """A step; and of each repaired file that it reads, by its key, the recording and the delivered file."""

    step: Step
    segments: Mapping[str, tuple[str, str]]

    @classmethod
    def of(cls, step: Step, segments: Iterable[tuple[str, SegmentStored]]) -> "Order":
        """The order of a step; `segments` are those it may read, each with its recording."""
        sources = {piece.source for track in step.tracks for piece in track.pieces}
        known = ((segment.repaired_key, (recording_id, segment.file)) for recording_id, segment in segments)
        return cls(step, {source: whose for source, whose in known if source in sources})

    @property
    def recording_id(self) -> str | None:
        """The recording whose facts tell of what was made, for a step of one segment alone."""
        return next(iter(self.segments.values()))[0] if self.step.maker in OF_A_SEGMENT else None

    @property
    def plan_key(self) -> str:
        """Where it lies when it is large."""
        return f"{self.step.target}/{PLAN}"

    def told(self) -> dict[str, Any]:
        """As it travels when it is small."""
        return {"step": self.step.told(), "segments": dict(self.segments)}


OF_A_SEGMENT = frozenset({"poster"})


def order_of(told: dict[str, Any]) -> Order:
    """The order that `Order.told` gave, after JSON."""
    segments = {source: (whose[0], whose[1]) for source, whose in told["segments"].items()}
    return Order(step_of(told["step"]), segments)


def spelled(order: Order) -> bytes:
    """An order's bytes: the same order, the same bytes."""
    return json.dumps(order.told(), sort_keys=True, separators=(",", ":")).encode()


def artifact(step: Step, target: str, made: Made, now: int) -> ArtifactMade:
    """The fact of a file that a step made below this target."""
    return ArtifactMade(
        at=now,
        product=made.output.product,
        key=f"{target}/{made.name}",
        content_type=made.content_type,
        bytes=made.bytes,
        participant_id=made.output.participant_id,
        kind=made.output.kind,
        source=made.output.source,
        start=step.zero_at + made.start,
        end=step.zero_at + made.end,
        step=step.target,
        notes=made.notes,
    )
