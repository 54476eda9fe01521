"""What a packet says of itself in its first bytes, without decoding it."""

from collections.abc import Callable
from functools import cache

# Matroska's names of what we take, as a kind of media and our name.
CODECS = {
    b"A_OPUS": ("audio", "opus"),
    b"V_VP8": ("video", "vp8"),
    b"V_VP9": ("video", "vp9"),
    b"V_AV1": ("video", "av1"),
    b"V_MPEG4/ISO/AVC": ("video", "h264"),
}

# No side of a picture is longer: VP8 can not say more, and nobody sends it.
MAX_SIDE = 16_383

type Size = tuple[int, int]


def _frame_us(toc: int) -> int:
    """RFC 6716, table 2: SILK 10 to 60 ms, hybrid 10 and 20 ms, CELT 2.5 to 20 ms."""
    config = toc >> 3
    if config < 12:
        return (10_000, 20_000, 40_000, 60_000)[config % 4]
    if config < 16:
        return (10_000, 20_000)[config % 2]
    return (2_500, 5_000, 10_000, 20_000)[config % 4]


# By a packet's first byte: the length of one frame, and of all where that byte tells how many there are.
_FRAME_US = tuple(_frame_us(toc) for toc in range(256))
OPUS_US = tuple(_FRAME_US[toc] * (1, 2, 2, 0)[toc & 3] for toc in range(256))
_OPUS_MAX_US = 120_000


def opus_us(packet: bytes) -> int:
    """How long an Opus packet sounds, in microseconds."""
    toc = packet[0]
    if toc & 3 != 3:
        return OPUS_US[toc]
    count = packet[1] & 0x3F if len(packet) > 1 else 1
    return min(_FRAME_US[toc] * max(1, count), _OPUS_MAX_US)


@cache
def opus_filler(length_us: int, channels: int, silent: bool) -> bytes:
    """A packet of that length, at most 120 ms and of whole 2.5 ms, that a decoder hears nothing in.

    Frames without a byte (as DTX sends) let the sound before ring out; `silent` ones are digital silence.
    """
    config, frame_us = next(row for row in _CELT if length_us % row[1] == 0)
    count = length_us // frame_us
    return bytes([config << 3 | (channels > 1) << 2 | 3, count]) + _SILENT_FRAME * count * silent


# CELT of the whole band, the longest frames first; and one of its frames whose first bit says silence.
_CELT = ((31, 20_000), (30, 10_000), (29, 5_000), (28, 2_500))
_SILENT_FRAME = b"\xff\xfe"


def opus_head(channels: int) -> bytes:
    """The `OpusHead` (RFC 7845) of a track that came without: 48 kHz, no gain, one or two channels."""
    version, pre_skip, rate = b"\x01", b"\x38\x01", (48_000).to_bytes(4, "little")
    return b"OpusHead" + version + bytes([max(1, min(2, channels))]) + pre_skip + rate + bytes(3)


def vp8_key(frame: bytes) -> Size | None:
    """A VP8 key frame's size (RFC 6386, 9.1); None for any other frame."""
    if frame[0] & 1 or frame[3:6] != b"\x9d\x01\x2a" or len(frame) < 10:
        return None
    return int.from_bytes(frame[6:8], "little") & 0x3FFF, int.from_bytes(frame[8:10], "little") & 0x3FFF


def vp9_key(frame: bytes) -> Size | None:
    """A VP9 key frame's size (bitstream specification, 6.2); None for any other frame."""
    first = frame[0]
    profile = (first >> 5 & 1) | (first >> 3 & 2)
    # frame_marker 2; after the profile (and a zero bit behind profile 3) no repeated frame, and a key frame
    if first >> 6 != 2 or first & (0x0E if profile == 3 else 0x0C):
        return None
    bits = _Bits(frame[:20], 9 if profile == 3 else 8)
    if bits.read(24) != 0x498342:
        return None
    _vp9_colour(bits, profile)
    return bits.read(16) + 1, bits.read(16) + 1


def _vp9_colour(bits: "_Bits", profile: int) -> None:
    if profile >= 2:
        bits.read(1)
    rgb = bits.read(3) == 7
    if not rgb:
        bits.read(1)
    if profile % 2:
        bits.read(1 if rgb else 3)


class _Bits:
    """Bits of a header, highest first; zeros behind its end."""

    def __init__(self, data: bytes, at: int) -> None:
        self._value = int.from_bytes(data.ljust(20, b"\0"))
        self._left = 8 * 20 - at

    def read(self, count: int) -> int:
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)


KEY_SIZE: dict[str, Callable[[bytes], Size | None]] = {"vp8": vp8_key, "vp9": vp9_key}
