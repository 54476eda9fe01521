"""Live-style WebM as a recorder writes it: real packets of real encoders, in elements of unknown size.

Its own small EBML writer, so that reading is not tested by what it shares with writing.
"""

import io
import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from chalicelib.core.scan import Scan
from chalicelib.media.blank import apart
from chalicelib.media.index import Index, index_of
from chalicelib.media.repair import repair

UNKNOWN = b"\x01\xff\xff\xff\xff\xff\xff\xff"
CLUSTER = bytes.fromhex("1f43b675")


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet as it was put into a file."""

    at: int
    key: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Codec:
    """What a file says of its track."""

    name: str
    id: bytes
    type: int
    private: bytes = b""
    width: int = 320
    height: int = 180


OPUS = Codec("opus", b"A_OPUS", 2, b"OpusHead\x01\x01\x38\x01\x80\xbb\x00\x00\x00\x00\x00")
VP8 = Codec("vp8", b"V_VP8", 1)
VP9 = Codec("vp9", b"V_VP9", 1)


def el(ident: str, *bodies: bytes, size: bytes | None = None) -> bytes:
    """An element; its id in hexadecimal, its size in eight bytes unless given."""
    body = b"".join(bodies)
    return bytes.fromhex(ident) + (size or (len(body) | 1 << 56).to_bytes(8)) + body


def num(value: int) -> bytes:
    """A number's body."""
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8))


def ebml_header(doc_type: bytes = b"webm", *more: bytes) -> bytes:
    """The header of the whole file."""
    return el("1a45dfa3", el("4286", b"\x01"), el("4282", doc_type), *more)


def track_entry(codec: Codec, *more: bytes, number: int = 1) -> bytes:
    """A track's description."""
    sizes = el("b0", num(codec.width)), el("ba", num(codec.height))
    media = el("e0", *sizes) if codec.type == 1 else el("e1", el("9f", b"\x01"))
    private = el("63a2", codec.private) if codec.private else b""
    head = el("d7", num(number)), el("73c5", num(number)), el("83", num(codec.type)), el("86", codec.id)
    return el("ae", *head, private, media, *more)


def head(codec: Codec, *more: bytes, tracks: bytes | None = None, scale: int = 1_000_000) -> bytes:
    """All before the first Cluster of a live file; `more` stands behind the tracks."""
    info = el("1549a966", el("2ad7b1", num(scale)))
    described = el("1654ae6b", track_entry(codec)) if tracks is None else tracks
    return ebml_header() + bytes.fromhex("18538067") + UNKNOWN + info + described + b"".join(more)


def simple_block(sent: Sent, cluster_at: int, track: int = 1) -> bytes:
    """A SimpleBlock."""
    flags = b"\x80" if sent.key else b"\x00"
    return el("a3", bytes([0x80 | track]), (sent.at - cluster_at).to_bytes(2, signed=True), flags, sent.data)


def cluster(at: int, *bodies: bytes, size: bytes | None = UNKNOWN) -> bytes:
    """A Cluster, of unknown size unless `size` is None."""
    return el("1f43b675", el("e7", num(at)), *bodies, size=size)


def clusters(packets: Iterable[Sent], every_ms: int = 1000, size: bytes | None = UNKNOWN) -> Iterator[bytes]:
    """Packets in Clusters of about this length."""
    held: list[Sent] = []
    for packet in packets:
        if held and packet.at - max(0, held[0].at) >= every_ms:
            yield _closed(held, size)
            held = []
        held.append(packet)
    yield _closed(held, size)


def _closed(held: list[Sent], size: bytes | None) -> bytes:
    at = max(0, held[0].at)
    return cluster(at, *(simple_block(packet, at) for packet in held), size=size)


def live(codec: Codec, packets: Iterable[Sent], every_ms: int = 1000) -> bytes:
    """A whole live file."""
    return head(codec) + b"".join(clusters(packets, every_ms))


def shifted(packets: Iterable[Sent], by: int) -> list[Sent]:
    """The same packets, later."""
    return [replace(packet, at=packet.at + by) for packet in packets]


# --- real packets ---


@cache
def opus(milliseconds: int = 3000) -> tuple[Sent, ...]:
    """A tone, in packets of 20 ms."""
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "s16"
    encoder.bit_rate, encoder.time_base = 24_000, Fraction(1, 48_000)
    packets = []
    for index in range(milliseconds // 20):
        packets += encoder.encode(_tone(index))
    return tuple(Sent(20 * index, True, bytes(packet)) for index, packet in enumerate(packets))


def _tone(index: int) -> AudioFrame:
    frame = AudioFrame(format="s16", layout="mono", samples=960)
    frame.sample_rate, frame.pts, frame.time_base = 48_000, 960 * index, Fraction(1, 48_000)
    at = (math.sin((960 * index + sample) * 0.05) for sample in range(960))
    frame.planes[0].update(b"".join(int(8000 * value).to_bytes(2, "little", signed=True) for value in at))
    return frame


@cache
@apart
def pictures(
    encoder_name: str = "libvpx", width: int = 320, height: int = 180, frames: int = 60, keys_every: int = 20
) -> tuple[tuple[Sent, ...], bytes]:
    """A moving picture at a jittered 30 frames a second, and the encoder's own header."""
    encoder = av.CodecContext.create(encoder_name, "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.gop_size = Fraction(1, 1000), Fraction(30), keys_every
    encoder.options = _OPTIONS[encoder_name]
    encoder.flags |= 1 << 22  # global header: the codec's private data apart from the packets
    packets = []
    for index in range(frames):
        packets += encoder.encode(_picture(width, height, index, jittered(index)))
    packets += encoder.encode(None)
    sent = tuple(Sent(packet.pts or 0, packet.is_keyframe, bytes(packet)) for packet in packets)
    return sent, bytes(encoder.extradata or b"")


_OPTIONS = {
    # Below zero: the speed as it is, not as the machine is busy; so the same bytes come each time.
    "libvpx": {"b": "300k", "deadline": "realtime", "cpu-used": "-8", "lag-in-frames": "0"},
    "libvpx-vp9": {"b": "300k", "deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    "libx264": {"b": "300k", "preset": "ultrafast", "tune": "zerolatency"},
    "libsvtav1": {"crf": "50", "preset": "10"},
}


def jittered(index: int) -> int:
    """A picture's time: 30 a second, a few milliseconds early or late."""
    return max(0, index * 1000 // 30 + (index * 7919) % 7 - 3) if index else 0


def _picture(width: int, height: int, index: int, at: int) -> VideoFrame:
    frame = VideoFrame(width, height, "yuv420p")
    for plane, step in zip(frame.planes, (3, 5, 7), strict=True):
        row = bytes((x * step + 4 * index) & 0xFF for x in range(plane.line_size))
        plane.update(row * plane.height)
    frame.pts, frame.time_base = at, Fraction(1, 1000)
    return frame


def video(frames: int = 60) -> list[Sent]:
    """VP8 packets, at most 60; every 20th is a key frame."""
    return list(pictures("libvpx")[0][:frames])


def codec_of(name: str) -> tuple[Codec, list[Sent]]:
    """A codec's description and some packets."""
    if name == "opus":
        return OPUS, list(opus())
    encoder, ident, wrapped = _ENCODERS[name]
    packets, extra = pictures(encoder)
    return Codec(name, ident, 1, avcc(extra) if wrapped else b""), [
        replace(packet, data=lengths(packet.data)) if wrapped else packet for packet in packets
    ]


_ENCODERS = {
    "vp8": ("libvpx", b"V_VP8", False),
    "vp9": ("libvpx-vp9", b"V_VP9", False),
    "h264": ("libx264", b"V_MPEG4/ISO/AVC", True),
    "av1": ("libsvtav1", b"V_AV1", False),
}


def _nals(data: bytes) -> list[bytes]:
    parts = data.replace(b"\x00\x00\x00\x01", b"\x00\x00\x01").split(b"\x00\x00\x01")
    return [part for part in parts if part]


def avcc(extra: bytes) -> bytes:
    """H.264's header as Matroska wants it, from start codes."""
    sets = [nal for nal in _nals(extra) if nal[0] & 31 in (7, 8)]
    sps, pps = (next(nal for nal in sets if nal[0] & 31 == kind) for kind in (7, 8))
    spelled = [len(nal).to_bytes(2) + nal for nal in (sps, pps)]
    return b"\x01" + sps[1:4] + b"\xff\xe1" + spelled[0] + b"\x01" + spelled[1]


def lengths(data: bytes) -> bytes:
    """An H.264 packet as Matroska wants it, from start codes."""
    return b"".join(len(nal).to_bytes(4) + nal for nal in _nals(data))


def even(packets: Iterable[Sent], step: int = 40) -> list[Sent]:
    """The same packets at even distances."""
    return [replace(packet, at=step * index) for index, packet in enumerate(packets)]


def without(packets: Iterable[Sent], start: int, end: int) -> list[Sent]:
    """The packets that do not begin in this stretch."""
    return [packet for packet in packets if not start <= packet.at < end]


def dtx(packets: Iterable[Sent]) -> list[Sent]:
    """Opus that falls silent: of each 400 ms the first packet and the word that silence follows."""
    kept = [packet for packet in packets if packet.at % 400 in (0, 20)]
    return [replace(packet, data=packet.data[:1]) if packet.at % 400 == 20 else packet for packet in kept]


def group(sent: Sent, *more: bytes) -> bytes:
    """A BlockGroup, of the Cluster's own time unless it says more."""
    at = sent.at.to_bytes(2) if more else b"\0\0"
    reference = b"" if sent.key else el("fb", b"\xff")
    return el("a0", el("a1", b"\x81", at, b"\0", sent.data), *more, reference)


def laced_block(sent: list[Sent], lacing: str) -> bytes:
    """One block of several packets, at the first one's time from the Cluster's."""
    flag, sizes = _LACINGS[lacing]([len(packet.data) for packet in sent])
    frames = b"".join(packet.data for packet in sent)
    return el("a3", b"\x81", sent[0].at.to_bytes(2), bytes([0x80 | flag, len(sent) - 1]), sizes, frames)


def _xiph(sizes: list[int]) -> tuple[int, bytes]:
    return 0x02, b"".join(b"\xff" * (size // 255) + bytes([size % 255]) for size in sizes[:-1])


def _ebml(sizes: list[int]) -> tuple[int, bytes]:
    steps = [(b - a + 0x1FFF) | 0x4000 for a, b in itertools.pairwise(sizes[:-1])]
    return 0x06, b"".join(size.to_bytes(2) for size in (sizes[0] | 0x4000, *steps))


def _equal(_: list[int]) -> tuple[int, bytes]:
    return 0x04, b""


_LACINGS = {"xiph": _xiph, "ebml": _ebml, "equal": _equal}


# --- reading back ---


def repaired(data: bytes | Iterable[bytes]) -> tuple[Scan, bytes]:
    """The scan and the file."""
    shelf = Shelf()
    found = repair([data] if isinstance(data, bytes) else data, shelf)
    return found.scan, shelf.file


def indexed(data: bytes) -> tuple[Index, bytes]:
    """The sidecar index and the file."""
    shelf = Shelf()
    return index_of(repair([data], shelf).index), shelf.file


def opened(file: bytes | io.BytesIO, form: str = "matroska") -> InputContainer:
    """A file as FFmpeg opens it."""
    source = io.BytesIO(file) if isinstance(file, bytes) else file
    found = av.open(source, format=form)
    assert isinstance(found, InputContainer)
    return found


def packets_of(file: bytes) -> list[tuple[int, bool, bytes]]:
    """Time, key and bytes of each packet, as FFmpeg finds them."""
    with opened(file) as read:
        found = [packet for packet in read.demux() if packet.size]
        return [(packet.pts or 0, packet.is_keyframe, bytes(packet)) for packet in found]


def is_filler(packet: bytes) -> bool:
    """Whether it is what a repair puts where sound is missing: many frames of silence, or of nothing."""
    count = packet[1] if len(packet) > 1 else 0
    return packet[0] >> 5 == 7 and packet[0] & 3 == 3 and packet[2:] in (b"", b"\xff\xfe" * count)


def own_of(file: bytes) -> list[tuple[int, bool, bytes]]:
    """The packets without filler."""
    return [packet for packet in packets_of(file) if not is_filler(packet[2])]


def samples_of(file: bytes, decoder: str = "opus") -> int:
    """How many samples a decoder of sound makes of a file, with those that it has to leave out."""
    with opened(file) as read:
        stream = read.streams.audio[0]
        codec = av.CodecContext.create(decoder, "r")
        assert isinstance(codec, AudioCodecContext)
        codec.extradata = stream.codec_context.extradata
        packets = [av.Packet(bytes(packet)) for packet in read.demux(stream) if packet.size]
        made = sum(frame.samples for packet in packets for frame in codec.decode(packet))
        return made + int.from_bytes((stream.codec_context.extradata or bytes(19))[10:12], "little")


def as_sent(packets: list[Sent]) -> list[tuple[int, bool, bytes]]:
    """The same of what was put in."""
    return [(packet.at - packets[0].at, packet.key, packet.data) for packet in packets]


class Nowhere:
    """Keeps nothing."""

    def body(self, data: bytes) -> None:
        """Let it go."""

    def front(self, data: bytes) -> None:
        """Let it go."""


class Shelf:
    """Keeps a repaired file."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.head: bytes | None = None

    def body(self, data: bytes) -> None:
        """The next bytes behind the front."""
        assert self.head is None
        self.bodies.append(data)

    def front(self, data: bytes) -> None:
        """The front, once."""
        assert self.head is None
        self.head = data

    @property
    def file(self) -> bytes:
        """The file, when it is whole."""
        assert self.head is not None
        return self.head + b"".join(self.bodies)
