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
    if not isinstance(heard.fact, OddHeard) and not ids.token_agrees(world.tag_key, token, heard.about):
        raise Mismatched(
            "not_this_recording",
            "VideoSDK signed this delivery, but its room, participant or kind is not this recording's",
        )
    return world.ledger.append(recording_subject(recording_id), heard.fact)


def receive_of_account(world: World, body: bytes, signature: str | None) -> bool:
    """A delivery to the address for rooms and the whole account; whether it was news.

    A recording's news is kept as odd here: without its address nobody can tell which recording it means.
    """
    heard, day = _hear(world, body, signature), datetime.fromtimestamp(world.now() / 1000, UTC).date()
    subject = session_subject(heard.session_id) if heard.session_id else f"deliveries#{day.isoformat()}"
    return world.ledger.append(subject, _unaddressed(heard) if heard.of_recording else heard.fact)


def _hear(world: World, body: bytes, signature: str | None) -> Heard:
    if len(body) > BODY_AT_MOST:
        raise TooLarge("body_too_large", f"a delivery has at most {BODY_AT_MOST} bytes")
    return world.post.hear(body, signature, world.now())


def _unaddressed(heard: Heard) -> OddHeard:
    return OddHeard(
        at=heard.fact.at,
        webhook_type=heard.webhook_type,
        reason="news of a recording, told without the recording's address",
        body_sha256=heard.body_sha256,
        body=heard.text,
    )
