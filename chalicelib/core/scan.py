"""What one pass over a delivered file found out."""

from dataclasses import dataclass


class NotRecording(Exception):
    """These bytes are not a recording that can be read. `code` is stable; `reason` is for people."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Scan:
    """A file's one track. `first_ms` is the first packet's own timestamp; all other times count from it.

    `resolutions` are changes of the picture's size, as (at_ms, width, height); `holes` are stretches
    without media, as (start_ms, end_ms). `lost_bytes` were damaged, or cut off at the end. `clock_breaks`:
    how often the file's clock jumped as time can not; there the packets were put one behind the other.
    `sounded_us` is how long the packets of sound last by their samples, `spanned_us` by their timestamps,
    over the stretches without holes. `packets` are the file's own, without filler.
    """

    kind: str
    codec: str
    first_ms: int
    duration_ms: int
    width: int | None
    height: int | None
    resolutions: tuple[tuple[int, int, int], ...]
    holes: tuple[tuple[int, int], ...]
    tail_lost: bool
    packets: int
    key_frames: int
    bytes_read: int
    lost_bytes: int = 0
    clock_breaks: int = 0
    sounded_us: int = 0
    spanned_us: int = 0


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was found in a file that was repaired, and the sidecar index of what was written."""

    scan: Scan
    index: bytes


class BadSegment(NotRecording):
    """A segment that was read well and whose packets can not be decoded. `source` is its repaired key."""

    def __init__(self, source: str, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.source = source
