"""H.264 for compositions: on one thread, so that the same pictures give the same bytes.

Every encoder of a composition begins with the same parameter sets: one initialisation segment does for all.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import av
from av.video.codeccontext import VideoCodecContext

from chalicelib.core.chunks import Picture
from chalicelib.media.compose import boxes
from chalicelib.media.compose.boxes import Media

# A frame lasts as many units as the stream has in a second, over the frame rate, which divides them.
SCALE = 90_000

_GLOBAL_HEADER, _BIT_EXACT = 1 << 22, 1 << 23
_START = b"\x00\x00\x01"
_SEI, _SPS, _PPS = 6, 7, 8
_UNIT = 31

# What cameras send: BT.601, limited range. Said of the stream, so that no pixel has to be converted.
_COLOURS = "colorprim=bt709:transfer=bt709:colormatrix=smpte170m:range=tv"
# For about as many bits and as good a picture this takes two thirds of `veryfast`'s time: fewer ways to look
# for motion, and more bits for what is dark and flat, as rooms are (`bench/compose.py`). Other presets are
# taken at their word.
_INSTEAD = {"veryfast": ("superfast", "mbtree=1:rc-lookahead=10:aq-mode=3:aq-strength=0.9:")}
# A chunk can be decoded by itself, and none of its frames is shown more than two later than it is decoded.
_CLOSED = "open-gop=0:b-pyramid=normal:"
_DELAY = 2
_GOP_S = 8


class Encoded(NamedTuple):
    """A frame, numbered from the encoder's first, with lengths instead of start codes."""

    number: int
    key: bool
    data: bytes


class Encoder:
    """Frames in, packets out, some frames later."""

    def __init__(self, picture: Picture) -> None:
        codec = av.CodecContext.create("libx264", "w")
        assert isinstance(codec, VideoCodecContext)
        codec.width, codec.height, codec.pix_fmt = picture.width, picture.height, "yuv420p"
        codec.time_base, codec.framerate = Fraction(1, picture.frame_rate), Fraction(picture.frame_rate)
        codec.gop_size, codec.thread_count = _GOP_S * picture.frame_rate, 1
        codec.flags |= _GLOBAL_HEADER | _BIT_EXACT
        preset, settings = _INSTEAD.get(picture.preset, (picture.preset, ""))
        told = settings + _CLOSED + _COLOURS
        codec.options = {"preset": preset, "crf": str(picture.crf), "x264-params": told}
        self._codec = codec

    def encode(self, frame: av.VideoFrame | None) -> list[Encoded]:
        """What is done when this frame came, or when none comes any more."""
        return [
            Encoded(packet.pts or 0, packet.is_keyframe, _with_lengths(bytes(packet)))
            for packet in self._codec.encode(frame)
        ]

    def opened(self) -> tuple[bytes, int]:
        """The parameter sets, behind start codes, and how many frames later than decoded some are shown."""
        self._codec.open(strict=False)
        return bytes(self._codec.extradata or b""), _DELAY if self._codec.has_b_frames else 0


def media_of(picture: Picture) -> Media:
    """The video of a composition, as MP4 describes it."""
    header, delay = Encoder(picture).opened()
    entry = boxes.avc_entry(picture.width, picture.height, _config(_units(header)))
    return Media(entry, SCALE, SCALE // picture.frame_rate, picture.width, picture.height, delay)


def codec_of(media: Media) -> str:
    """As playlists name it (RFC 6381)."""
    at = media.entry.index(b"avcC") + 5
    return f"avc1.{media.entry[at : at + 3].hex()}"


def _config(units: Sequence[bytes]) -> bytes:
    """An `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15) whose lengths have four bytes."""
    (sets,) = [unit for unit in units if unit[0] & _UNIT == _SPS]
    (pictures,) = [unit for unit in units if unit[0] & _UNIT == _PPS]
    head = b"\x01" + sets[1:4] + b"\xff"
    of_high_profile = b"\xfd\xf8\xf8\x00" if sets[1] >= _HIGH else b""
    return b"".join(
        (
            head,
            *(b"\xe1", len(sets).to_bytes(2), sets),
            *(b"\x01", len(pictures).to_bytes(2), pictures),
            of_high_profile,
        )
    )


_HIGH = 100


def _units(stream: bytes) -> list[bytes]:
    return [unit.rstrip(b"\0") for unit in stream.split(_START) if unit.rstrip(b"\0")]


def _with_lengths(packet: bytes) -> bytes:
    """Units behind their lengths, without what x264 says of itself."""
    kept = [unit for unit in _units(packet) if unit[0] & _UNIT != _SEI]
    return b"".join(len(unit).to_bytes(4) + unit for unit in kept)
