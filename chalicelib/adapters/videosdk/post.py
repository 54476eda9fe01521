"""VideoSDK's deliveries: believed, then read. Answers to the port `Post`."""

from chalicelib.adapters.videosdk.news import fact_of, parse
from chalicelib.adapters.videosdk.signature import Signature
from chalicelib.ports import Heard


class Post:
    """Not a byte of a delivery is read before VideoSDK's signature over it is verified."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature

    def hear(self, body: bytes, signature: str | None, at: int) -> Heard:
        """What a delivery tells; `Untrusted` or `Unavailable` when it can not be believed."""
        self._signature.verify(body, signature)
        news = parse(body)
        return Heard(
            fact=fact_of(news, at),
            about=(news.meeting_id or "", news.participant_id or "", news.kind or ""),
            of_recording=news.of_recording,
            session_id=news.session_id,
            webhook_type=news.webhook_type,
            body_sha256=news.body_sha256,
            text=news.text,
        )
