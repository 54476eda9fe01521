"""A composition as the API shows it; apart from the other views, for it needs all that compositions are."""

from typing import Any

from chalicelib.core.progress import Composition


def composition_view(composition: Composition, now: int) -> dict[str, Any]:
    """A composition's phase, how far it is, how fast, and what it costs."""
    asked, planned, failed = composition.requested, composition.planned, composition.failed
    assert asked is not None
    assert composition.request is not None
    why = failed if composition.phase == "failed" else None
    return {
        "compositionId": composition.composition_id,
        "sessionId": asked.session_id,
        "phase": composition.phase,
        "requestedAt": asked.at,
        "request": composition.request.told(),
        "estimate": {"seconds": asked.seconds, "dollars": asked.dollars},
        "chunks": {"done": len(composition.done), "all": planned.chunks if planned else None},
        "speed": round(composition.speed(now), 2),
        "dollars": round(composition.dollars, 6),
        "slates": [{"key": key, "reason": reason} for key, reason in composition.slates.items()],
        "failure": {"code": why.code, "message": why.reason} if why else None,
    }
