"""A delivery becomes a fact: verify the bytes, read them, write once. 2xx only when that is durable."""

from datetime import UTC, datetime

from chalicelib.core import ids
from chalicelib.core.errors import Mismatched, NotFound, TooLarge
from chalicelib.core.events import OddHeard
from chalicelib.ports import Heard, World, recording_subject, session_subject

BODY_AT_MOST = 64 * 1024  # the senders' convention is below 20 kB (Standard Webhooks)


def receive_of_recording(world: World, token: str, body: bytes, signature: str | None) -> bool:
    """A delivery to the address that we gave VideoSDK for one recording; whether it was news.

    The token is checked first: who does not know an address costs us nothing but a hash.
    """
    recording_id = ids.recording_of_token(world.tag_key, token)
    if recording_id is None:
        raise NotFound("unknown_webhook_address", "this is not the address of a recording")
    heard = _hear(world, body, signature)
    if not _may_be_about(heard, recording_id) or not _agrees(world.tag_key, token, heard):
        raise Mismatched(
            "not_this_recording",
            "VideoSDK signed this delivery, but it is about another recording",
        )
    return world.ledger.append(recording_subject(recording_id), heard.fact)


def receive_of_account(world: World, body: bytes, signature: str | None) -> bool:
    """A delivery to the address for rooms and the whole account; whether it was news.

    A recording's news is kept as odd here: without its address nobody can tell which recording it means.
    """
    heard, day = _hear(world, body, signature), datetime.fromtimestamp(world.now() / 1000, UTC).date()
    subject = session_subject(heard.session_id) if heard.session_id else f"deliveries#{day.isoformat()}"
    return world.ledger.append(subject, _unaddressed(heard) if heard.of_recording else heard.fact)


def too_large() -> TooLarge:
    """The refusal of a body that no sender of ours would send."""
    return TooLarge("body_too_large", f"a delivery has at most {BODY_AT_MOST} bytes")


def _hear(world: World, body: bytes, signature: str | None) -> Heard:
    if len(body) > BODY_AT_MOST:
        raise too_large()
    return world.post.hear(body, signature, world.now())


def _agrees(tag_key: bytes, token: str, heard: Heard) -> bool:
    """Whether room, participant and kind are the recording's. What is odd and does not say them is kept."""
    unsaid = isinstance(heard.fact, OddHeard) and not all(heard.about)
    return unsaid or ids.token_agrees(tag_key, token, heard.about)


def _may_be_about(heard: Heard, recording_id: str) -> bool:
    """Not when all its files lie under other recordings: a track that is recorded again has the same room,
    participant and kind, and VideoSDK may be late with the end of the one before."""
    paths: tuple[str, ...] = getattr(heard.fact, "files", ())
    named = {part for path in paths for part in path.split("/") if ids.is_recording_id(part)}
    return not named or recording_id in named


def _unaddressed(heard: Heard) -> OddHeard:
    return OddHeard(
        at=heard.fact.at,
        webhook_type=heard.webhook_type,
        reason="news of a recording, told without the recording's address",
        body_sha256=heard.body_sha256,
        body=heard.text,
    )
