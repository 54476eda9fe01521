"""Complete, or exactly what is missing and why. Written for the person who has to act on it."""

import hashlib
import json
from dataclasses import asdict, dataclass

# Each reason, as a person should read it. `Finding.reason` is always one of these.
REASONS = {
    "start_refused": "VideoSDK did not start the recording",
    "failed": "VideoSDK reported that the recording failed",
    "not_delivered": "VideoSDK announced this file and it never came into the bucket; check the storage "
    "configuration of the API key",
    "given_up": "this file was delivered and could not be processed; mend the cause, then redrive",
    "rejected": "this file was delivered and is not a recording that can be read",
    "tail_lost": "this file ends in the middle of a packet: its tail is missing",
    "damaged": "some bytes inside this file can not be read: what they held is missing",
    "undecodable": "what this file holds can not be decoded: it is left out of the session's products",
    "outside_session": "this file's place on the clock is more than a day from the others: it is left out of "
    "the session's products until its clock is corrected",
    "wrong_media": "this file holds a picture where sound should be, or sound instead of a picture: it is "
    "left out of the session's products",
    "unproven": "nobody said for certain which files there should be: no webhook named them, and VideoSDK's "
    "list does not have the recording's end or was last read too soon after it",
    "still_open": "the recording has not ended, its end is not confirmed yet, or this file is on its way",
    "refused_and_ran": "we were told that VideoSDK did not start the recording, and it ran all the same",
    "unannounced": "these segments came without a start of ours",
    "unconfirmed_by_list": "VideoSDK's list did not confirm the end; the webhook named the files",
    "unlisted_file": "this file was delivered and neither the webhook nor VideoSDK's list names it",
    "no_segments": "the recording ended without a single file: nothing was ever unmuted",
    "odd_delivery": "VideoSDK signed a delivery that we do not understand",
    "disagrees": "the object's key disagrees with the recording that its path names",
    "broken_clock": "the file's own clock jumps as time can not; its packets were put one behind the other",
    "short_tail": "VideoSDK says that the recording went on a little after this file's end: it was muted "
    "last, or is cut off",
    "overlapped": "this file lies wholly inside the time of another of the same track, which is used",
    "product_failed": "this product could not be made",
    "uncertain_clock": "the file name carries no time: the segment's place on the clock is an estimate",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing missing or odd. `recording_id` is None where it is of the session as a whole."""

    reason: str
    recording_id: str | None
    participant_id: str | None
    kind: str | None
    file: str | None = None
    detail: str | None = None

    def told(self) -> dict[str, str | None]:
        """As it stands in JSON."""
        return {
            "reason": self.reason,
            "message": REASONS[self.reason],
            "recordingId": self.recording_id,
            "participantId": self.participant_id,
            "kind": self.kind,
            "file": self.file,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """`settled` is False while something may still come by itself."""

    settled: bool
    missing: tuple[Finding, ...]
    odd: tuple[Finding, ...]

    @property
    def complete(self) -> bool:
        """Proven: settled, and nothing is missing."""
        return self.settled and not self.missing

    @property
    def digest(self) -> str:
        """Equal for equal verdicts."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def told(self) -> dict[str, object]:
        """As it stands in JSON."""
        return {
            "complete": self.complete,
            "settled": self.settled,
            "missing": [finding.told() for finding in self.missing],
            "odd": [finding.told() for finding in self.odd],
        }


def joined(verdicts: list[Verdict]) -> Verdict:
    """The verdict on all of them together."""
    return Verdict(
        settled=bool(verdicts) and all(verdict.settled for verdict in verdicts),
        missing=tuple(finding for verdict in verdicts for finding in verdict.missing),
        odd=tuple(finding for verdict in verdicts for finding in verdict.odd),
    )
