"""A delivery from the wire to a fact: first the signature over the bytes, only then what they say."""

from dataclasses import dataclass

from chalicelib.adapters.videosdk.news import KEPT, fact_of, parse
from chalicelib.adapters.videosdk.signature import Signature
from chalicelib.ports import Heard


@dataclass(frozen=True)
class SignedPost:
    """Answers to the port `Post`."""

    signature: Signature

    def hear(self, body: bytes, signature: str | None, at: int) -> Heard:
        """Verify exactly these bytes, then read them."""
        self.signature.verify(body, signature)
        news = parse(body)
        return Heard(
            fact=fact_of(news, at),
            about=(news.meeting_id or "", news.participant_id or "", news.kind or ""),
            of_recording=news.of_recording,
            session_id=news.session_id,
            webhook_type=news.webhook_type,
            body_sha256=news.body_sha256,
            text=body[:KEPT].decode("utf-8", "replace"),
        )
