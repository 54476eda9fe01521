"""Shares of a session: who has the link may look, until it is over or taken back; and what they see."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chalicelib.core import events as e


@dataclass(frozen=True, slots=True)
class Share:
    """A link to one session, as its facts tell of it."""

    share_id: str
    created_at: int
    expires_at: int
    revoked_at: int | None
    by: str

    def opens(self, now: int) -> bool:
        """Whether it shows anything to who has it."""
        return self.revoked_at is None and now < self.expires_at


def shares(facts: Iterable[e.Event]) -> list[Share]:
    """All shares that a session ever had, the newest first."""
    told = e.distinct(facts)
    revoked = {fact.share_id: fact.at for fact in told if isinstance(fact, e.ShareRevoked)}
    made = [
        Share(fact.share_id, fact.at, fact.expires_at, revoked.get(fact.share_id), fact.by)
        for fact in told
        if isinstance(fact, e.SessionShared)
    ]
    return sorted(made, key=lambda share: (-share.created_at, share.share_id))


def pared(manifest: dict[str, Any]) -> dict[str, Any]:
    """What of a manifest is for the eyes of who has a link: times, people, media and verdict, but nothing of
    the recordings bucket, of recordings, of clocks, or of what went wrong inside."""
    told: dict[str, Any] = _pared(manifest, "")
    return told


# What is left out, by the field that it stands in; and everywhere.
_HIDDEN = {
    "segments": frozenset({"key", "clock"}),
    "participants": frozenset({"drift", "avOffset"}),
    "missing": frozenset({"detail"}),
    "odd": frozenset({"detail"}),
    "products": frozenset({"reason"}),
}
_ANYWHERE = frozenset({"recordings", "recordingId", "source"})


def _pared(told: Any, field: str) -> Any:
    if isinstance(told, list):
        return [_pared(one, field) for one in told]
    if not isinstance(told, dict):
        return told
    hidden = _ANYWHERE | _HIDDEN.get(field, frozenset())
    kept = {name: _pared(value, name) for name, value in told.items() if name not in hidden}
    return {**kept, "reason": None} if kept.get("state") == "rejected" else kept
