"""Small descriptions of files that cost much: each made to break a reader that believes what it is told."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import repeat

from tests.media.live import (
    OPUS,
    UNKNOWN,
    VP8,
    VP9,
    Sent,
    cluster,
    ebml_header,
    el,
    head,
    live,
    num,
    opus,
    simple_block,
    track_entry,
    video,
)

MB = 1 << 20
CLUSTER = bytes.fromhex("1f43b675")
SEGMENT = bytes.fromhex("18538067") + UNKNOWN
TONE, PICTURE = opus(20)[0].data, video(1)[0].data
GOOD = cluster(0, simple_block(opus(20)[0], 0))


def _many(first: bytes, again: bytes, count: int) -> Iterator[bytes]:
    """So much of it, in chunks of about 64 kB."""
    yield first
    at_once = max(1, 65_536 // len(again))
    whole, rest = divmod(count, at_once)
    yield from repeat(again * at_once, whole)
    yield again * rest


def _much(first: bytes, count: int) -> Iterator[bytes]:
    """So many chunks of 64 kB, each of its own: the same one again would take no memory."""
    yield first
    for _ in range(count):
        yield b"\x01" * 65_536


def _size(claimed: int) -> bytes:
    return (claimed | 1 << 56).to_bytes(8)


def _block(frame: bytes, flags: int = 0x80, at: int = 0) -> bytes:
    return (
        b"\xa3" + (len(frame) + 4 | 1 << 28).to_bytes(4) + b"\x81" + at.to_bytes(2) + bytes([flags]) + frame
    )


def _key(width: int, height: int) -> bytes:
    """A VP8 key frame that claims this size."""
    return b"\x10\0\0\x9d\x01\x2a" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + bytes(20)


def _vp9_key() -> bytes:
    """A VP9 key frame of 65,536 x 65,536."""
    bits = "10" + "00" + "0" + "0" + "1" + "0" + f"{0x498342:024b}" + "001" + "0" + "1" * 32
    return int(bits.ljust(8 * 16, "0"), 2).to_bytes(16)


def _nested(ident: str, depth: int) -> bytes:
    spelled = bytes.fromhex(ident)
    each = len(spelled) + 8
    return b"".join(spelled + _size(each * below) for below in reversed(range(depth)))


def _clocks(step_ms: int, count: int) -> Iterator[bytes]:
    yield head(OPUS)
    for number in range(count):
        yield cluster(abs(step_ms * number), simple_block(Sent(0, True, TONE), 0))


def _sizes(count: int) -> Iterator[bytes]:
    yield head(VP8) + CLUSTER + UNKNOWN + el("e7", b"\0")
    for number in range(count):
        yield _block(_key(16 + number % 1000, 16), at=min(number, 32_767))


def _large_pictures(count: int) -> Iterator[bytes]:
    """Key frames of a kilobyte that do decode, to 12 MB each."""
    frame = bytearray(PICTURE)
    frame[6:10] = (3840).to_bytes(2, "little") + (2160).to_bytes(2, "little")
    yield head(VP8)
    for number in range(count):
        yield cluster(1000 * number, simple_block(Sent(0, True, bytes(frame)), 0))


def _endless_group(children: int) -> bytes:
    return el("a0", el("a1", b"\x81\0\0\0", TONE), b"\xec\x80" * children)


_ON = head(OPUS) + CLUSTER + UNKNOWN + el("e7", b"\0")
_ON_VIDEO = head(VP8) + CLUSTER + UNKNOWN + el("e7", b"\0")
_XIPH_255 = b"\x81\0\0\x82\xff" + b"\xff" * (15 * MB)

BOMBS: dict[str, Callable[[], Iterator[bytes]]] = {
    "a million Clusters of unknown size": lambda: _many(head(OPUS), CLUSTER + UNKNOWN, 1_000_000),
    "a million frames of one byte": lambda: _many(_ON, b"\xa3\x85\x81\0\0\x80\xf8", 1_000_000),
    "a million blocks of other tracks": lambda: _many(_ON, b"\xa3\x85\x82\0\0\x80\xf8", 300_000),
    "four million elements of nothing": lambda: _many(_ON, b"\xec\x80", 4_000_000),
    "a million checksums": lambda: _many(_ON, b"\xbf\x84\0\0\0\0", 1_000_000),
    "groups in groups": lambda: iter([_ON, _nested("a0", 100_000)]),
    "a hundred thousand Segments in Segments": lambda: _many(ebml_header(), SEGMENT, 100_000),
    "Clusters in Clusters": lambda: iter([head(OPUS), _nested("1f43b675", 100_000)]),
    "a thousand tracks": lambda: iter(
        [ebml_header() + SEGMENT + el("1654ae6b", *[track_entry(OPUS)] * 1000) + GOOD]
    ),
    "tracks of nothing but children": lambda: iter(
        [ebml_header() + SEGMENT + el("1654ae6b", b"\xec\x80" * 500_000) + GOOD]
    ),
    "the same tracks ten thousand times": lambda: _many(
        head(OPUS), el("1654ae6b", track_entry(OPUS)), 10_000
    ),
    "an attachment of 300 MB": lambda: _many(
        head(OPUS) + bytes.fromhex("1941a469") + _size(300 * MB), bytes(MB), 300
    ),
    "a block of 2 GB, of which 300 MB come": lambda: _much(
        _ON + GOOD + b"\xa3" + _size(2 << 30), 4800
    ),
    "nothing of a terabyte, of which 300 MB come": lambda: _much(
        head(OPUS) + GOOD + b"\xec" + _size(1 << 40), 4800
    ),
    "packed with zlib": lambda: iter(
        [head(OPUS, tracks=el("1654ae6b", track_entry(OPUS, el("6d80", el("6240", el("5034"))))))]
    ),
    "a picture of 16,383 x 16,383": lambda: iter([live(VP8, [Sent(0, True, _key(16_383, 16_383))])]),
    "ten thousand pictures of 16,383 x 16,383": lambda: _many(
        _ON_VIDEO, _block(_key(16_383, 16_383)), 10_000
    ),
    "a picture of 3840 x 2160 in a kilobyte, each second": lambda: _large_pictures(60),
    "a VP9 picture of 65,536 x 65,536": lambda: iter([live(VP9, [Sent(0, True, _vp9_key())])]),
    "a header of 65,535 x 65,535": lambda: iter(
        [live(replace(VP8, width=65_535, height=65_535), video(5))]
    ),
    "a hundred thousand changes of size": lambda: _sizes(100_000),
    "a million seconds": lambda: iter([_ON + GOOD, cluster(10**9, simple_block(Sent(0, True, TONE), 0))]),
    "a clock that leaps a day each time": lambda: _clocks(86_000_000, 20_000),
    "a clock that goes back each time": lambda: _clocks(-7_000, 100_000),
    "a Duration beyond all time": lambda: iter(
        [head(OPUS, el("1549a966", el("4489", b"\x7f\xef" + b"\xff" * 6))), GOOD]
    ),
    "twenty million bytes like Clusters": lambda: _many(_ON + GOOD, CLUSTER, 5 * MB),
    "twenty million bytes like Clusters, nearly": lambda: _many(_ON + GOOD, CLUSTER + b"\x81\xe7", 3 * MB),
    "300 MB of zeros": lambda: _many(_ON + GOOD, bytes(65_536), 4800),
    "256 frames in each block": lambda: _many(_ON, _block(b"\xff" + TONE[:1] * 256, 0x84), 20_000),
    "laced sizes without an end": lambda: _many(_ON, b"\xa3" + _size(len(_XIPH_255)) + _XIPH_255, 6),
    "groups of ten thousand children": lambda: _many(_ON, _endless_group(9_990), 300),
    "a table of a million cues": lambda: _many(
        head(OPUS), el("1c53bb6b", el("bb", el("b3", b"\0")) * 60_000), 17
    ),
    "a hundred thousand files in one": lambda: _many(head(OPUS), ebml_header(), 100_000),
    "a picture that no decoder takes, a hundred thousand times": lambda: _many(
        _ON_VIDEO, _block(_key(640, 360)), 100_000
    ),
    "ids of a hundred bytes": lambda: iter(
        [ebml_header(b"webm", el("42f2", num(100)), el("42f3", num(100))) + SEGMENT, bytes(MB)]
    ),
}  # fmt: skip
