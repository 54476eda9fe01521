"""A repaired file's sidecar: what it is, and where its Clusters and key frames lie, so that later steps read
byte ranges instead of the file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from chalicelib.media.codecs import CODECS
from chalicelib.media.matroska import Track

_ID_OF_CODEC = {codec: ident for ident, (_, codec) in CODECS.items()}


class ClusterAt(NamedTuple):
    """A Cluster element, whole: its place in the file. `key`: a player can begin there."""

    time_ms: int
    place: int
    size: int
    key: bool


class FrameAt(NamedTuple):
    """A frame's own bytes: their place in the file."""

    time_ms: int
    place: int
    size: int


@dataclass(frozen=True, slots=True)
class Index:
    """Times count from the file's first packet. `private` is the codec's own header, `delay_ns` the file's
    CodecDelay and `pre_roll_ns` its SeekPreRoll. `channels` is 0 for pictures, `width` and `height` for
    sound.

    `key_frames` are of pictures only, at most one each second. `resolutions` are changes of the picture's
    size, as (at_ms, width, height).
    """

    kind: str
    codec: str
    private: bytes
    channels: int
    width: int
    height: int
    frame_ns: int
    delay_ns: int
    pre_roll_ns: int
    duration_ms: int
    size: int
    clusters: tuple[ClusterAt, ...]
    key_frames: tuple[FrameAt, ...]
    resolutions: tuple[tuple[int, int, int], ...]

    def encoded(self) -> bytes:
        """As it is stored; the same index gives the same bytes."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return json.dumps({**told, "private": self.private.hex()}, separators=(",", ":")).encode()

    @property
    def track(self) -> Track:
        """The file's track, as a front describes it."""
        return Track(
            number=1,
            kind=self.kind,
            codec=self.codec,
            codec_id=_ID_OF_CODEC[self.codec],
            private=self.private,
            channels=self.channels,
            width=self.width,
            height=self.height,
            frame_ns=self.frame_ns,
            delay_ns=self.delay_ns,
            pre_roll_ns=self.pre_roll_ns,
        )


def index_of(stored: bytes) -> Index:
    """The index that `Index.encoded` gave."""
    told: dict[str, Any] = json.loads(stored)
    return Index(
        **{
            **told,
            "private": bytes.fromhex(told["private"]),
            "clusters": tuple(
                ClusterAt(time, place, size, bool(key)) for time, place, size, key in told["clusters"]
            ),
            "key_frames": tuple(FrameAt(*row) for row in told["key_frames"]),
            "resolutions": _triples(told["resolutions"]),
        }
    )


def _triples(rows: Sequence[Sequence[int]]) -> tuple[tuple[int, int, int], ...]:
    return tuple((at, width, height) for at, width, height in rows)
