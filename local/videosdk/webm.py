"""A WebM writer that leaves out what a live recorder can not know.

FFmpeg's muxer closes its clusters with their sizes; a recorder that streams does not. So this writes what one
does: Segment and Clusters of unknown size, no Duration, no Cues. Element ids are those of the Matroska
specification (RFC 9559).
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_UNKNOWN_SIZE = b"\x01\xff\xff\xff\xff\xff\xff\xff"
_CLUSTER_MS = 2_000


@dataclass(frozen=True, slots=True)
class Frame:
    """One coded packet; `at` is milliseconds since the file's beginning."""

    at: int
    key: bool
    coded: bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """A VP8 track, first seen in this size."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Sound:
    """A mono Opus track."""

    rate: int = 48_000


type Track = Picture | Sound


def muxed(track: Track, frames: Iterable[Frame]) -> bytes:
    """The whole file, as it lies in the bucket when the recorder is done."""
    return b"".join([_front(track), *_clusters(frames)])


def _front(track: Track) -> bytes:
    ebml = _element(
        0x1A45DFA3,
        _number(0x4286, 1),
        _number(0x42F7, 1),
        _number(0x42F2, 4),
        _number(0x42F3, 8),
        _element(0x4282, b"webm"),
        _number(0x4287, 4),
        _number(0x4285, 2),
    )
    named = (_element(0x4D80, b"simulated recorder"), _element(0x5741, b"simulated recorder"))
    info = _element(0x1549A966, _number(0x2AD7B1, 1_000_000), *named)
    return ebml + _id(0x18538067) + _UNKNOWN_SIZE + info + _element(0x1654AE6B, _entry(track))


def _entry(track: Track) -> bytes:
    match track:
        case Picture(width, height):
            size = _element(0xE0, _number(0xB0, width), _number(0xBA, height))
            return _element(0xAE, *_numbered(1), _element(0x86, b"V_VP8"), size)
        case Sound(rate):
            # No pre-skip: a recorder that takes packets from the network has no encoder's delay to undo.
            head = struct.pack("<8sBBHIhB", b"OpusHead", 1, 1, 0, rate, 0, 0)
            shape = _element(0xE1, _element(0xB5, struct.pack(">d", rate)), _number(0x9F, 1))
            return _element(0xAE, *_numbered(2), _element(0x86, b"A_OPUS"), _element(0x63A2, head), shape)


def _numbered(track_type: int) -> tuple[bytes, bytes, bytes]:
    return _number(0xD7, 1), _number(0x73C5, 1), _number(0x83, track_type)


def _clusters(frames: Iterable[Frame]) -> Iterator[bytes]:
    opened: int | None = None
    for frame in frames:
        if opened is None or (frame.key and frame.at - opened >= _CLUSTER_MS):
            opened = frame.at
            yield _id(0x1F43B675) + _UNKNOWN_SIZE + _number(0xE7, opened)
        flags = 0x80 if frame.key else 0
        yield _element(0xA3, b"\x81" + struct.pack(">hB", frame.at - opened, flags), frame.coded)


def _element(element_id: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return _id(element_id) + (len(body) | 1 << 28).to_bytes(4) + body


def _number(element_id: int, value: int) -> bytes:
    return _element(element_id, value.to_bytes(max(1, (value.bit_length() + 7) // 8)))


def _id(element_id: int) -> bytes:
    return element_id.to_bytes((element_id.bit_length() + 7) // 8)
