"""What shall be made of what: a plan is data, running it is dull.

A product is added by one row in `OF_A_SEGMENT` and one maker in `flows/render.py`.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from chalicelib.core.events import ArtifactMade, Event, ProductFailed, SegmentStored, WorkGivenUp
from chalicelib.core.ids import Kind, Place, artifact_key


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a product is called, how it is kept, and for which kinds it is made."""

    product: str
    version: str
    extension: str
    content_type: str
    kinds: frozenset[Kind]


REPAIRED = Recipe("repaired", "1", "webm", "video/webm", frozenset(Kind))
OF_A_SEGMENT = (Recipe("poster", "1", "jpg", "image/jpeg", frozenset({Kind.VIDEO, Kind.SCREEN_VIDEO})),)


@dataclass(frozen=True, slots=True)
class Step:
    """Make `target` out of `source`, both keys in the output bucket, for the delivered `file`.

    `start` and `end` are epoch.
    """

    product: str
    recording_id: str
    participant_id: str
    kind: Kind
    source: str
    target: str
    content_type: str
    start: int
    end: int
    session_id: str
    file: str

    def told(self) -> dict[str, Any]:
        """As it travels through the queue."""
        return asdict(self)


def step_of(told: dict[str, Any]) -> Step:
    """The step that `Step.told` gave."""
    return Step(**{**told, "kind": Kind(told["kind"])})


def steps(recording_id: str, facts: Iterable[Event]) -> list[Step]:
    """What is still to be made of a recording's segments, by the facts known of it."""
    told = list(facts)
    settled = {fact.key for fact in told if isinstance(fact, ArtifactMade | ProductFailed)}
    settled |= {fact.target for fact in told if isinstance(fact, WorkGivenUp)}  # until it is redriven
    wanted = (
        _step(recording_id, segment, recipe)
        for segment in told
        if isinstance(segment, SegmentStored)
        for recipe in OF_A_SEGMENT
        if segment.kind in recipe.kinds
    )
    return sorted((step for step in wanted if step.target not in settled), key=lambda step: step.target)


def _step(recording_id: str, segment: SegmentStored, recipe: Recipe) -> Step:
    where = Place(
        recording_id=recording_id,
        announced=True,
        session_id=segment.session_id,
        participant_id=segment.participant_id,
        kind=segment.kind,
        file=segment.file,
        stamp_at=segment.start_at,
    )
    digest = segment.repaired_key.rpartition("-")[2].partition(".")[0]
    return Step(
        product=recipe.product,
        recording_id=recording_id,
        participant_id=segment.participant_id,
        kind=segment.kind,
        source=segment.repaired_key,
        target=artifact_key(where, f"{recipe.product}{recipe.version}", digest, recipe.extension),
        content_type=recipe.content_type,
        start=segment.start_at,
        end=segment.start_at + segment.duration_ms,
        session_id=segment.session_id,
        file=segment.file,
    )
