"""Packets in, samples and pictures out: FFmpeg's decoders, which alone see what came from outside.

They run in a child process (`contained.py`) within limits that follow from what is asked. No demuxer of
FFmpeg's is involved: our own reader finds the packets.
"""

import struct
from array import array
from collections.abc import Buffer, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from chalicelib.core.scan import BadSegment
from chalicelib.media.codecs import KEY_SIZE, opus_head, opus_us
from chalicelib.media.contained import Answer, Contained, Died
from chalicelib.media.jpeg import FORMAT, Picture, plane_sizes

type Samples = np.ndarray[tuple[int, int], np.dtype[np.int16]]
type Wave = np.ndarray[tuple[int, int], np.dtype[np.float32]]  # channels, samples
type Box = tuple[int, int]

# The largest picture that is decoded.
MAX_PIXELS = 3840 * 2160

# What the child may take beyond its parent: a picture of that size, several times and as 4:4:4 of 16 bits.
_MEMORY = 256 << 20
# Decoding sound takes a thousandth of the time that it lasts, a picture of that size a quarter of a second.
_SOUND_CPU_S, _SOUND_CPU_PART, _PICTURE_CPU_S = 2.0, 0.05, 5.0
_WALL_S, _WALL_PER_CPU = 10.0, 2.0

_RATE_KHZ = 48
_MERGED_US = 120_000
_LARGEST_FRAME = 1275  # RFC 6716, 3.4
_FIRST_CELT = 16 << 3  # the lowest first byte of a packet without SILK

_DECODERS = {"vp8": "vp8", "vp9": "vp9", "h264": "h264", "av1": "libdav1d"}
_WITH_HEADER = ("h264", "av1")

_CODES = {"crashed": "crashed", "hung": "hung"}  # all other deaths are of a limit

_SOUND = struct.Struct("<cIBBBI")  # what, voice, channels, fresh, bytes of the header, packets
_PICTURE = struct.Struct("<c5sHHII")  # what, codec, box, bytes of the header and of the frame
_SIZE = struct.Struct("<HH")


class Decoding:
    """Decoders that may die of what they are given; each ends as `BadSegment` with the segment's source.

    Its codes are `crashed`, `hung` and `limits`. After one, every voice begins anew.
    """

    def __init__(self, max_pixels: int = MAX_PIXELS) -> None:
        self._max_pixels = max_pixels
        self._child = Contained(lambda: _Decoders(max_pixels).answer, _MEMORY)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the decoders. The next call would begin others."""
        self._child.close()

    def sound(
        self, voice: int, source: str, private: bytes, channels: int, packets: Sequence[bytes], fresh: bool
    ) -> Samples:
        """Opus decoded at 48 kHz, as (samples, channels), exactly as long as the packets say.

        What does not decode is silence. Nothing is skipped: what the header says of a pre-skip is the
        caller's to do. A voice keeps its decoder from one call to the next unless it is `fresh`. One or two
        channels; 30 s at a time are plenty.
        """
        packets = [packet for packet in packets if packet]
        lasts_us = sum(map(opus_us, packets))
        size = _samples(lasts_us) * channels * 2
        head = _head(private, channels)
        request = _SOUND.pack(b"s", voice, channels, fresh, len(head), len(packets)) + head
        sizes = array("I", map(len, packets)).tobytes()
        cpu_s = _SOUND_CPU_S + _SOUND_CPU_PART * lasts_us / 1e6
        answer = self._asked(source, request + sizes + b"".join(packets), size, cpu_s)
        if len(answer) != size:
            raise BadSegment(source, "crashed", f"{len(answer)} bytes of sound came instead of {size}")
        return np.frombuffer(answer, np.int16).reshape(-1, channels)

    def picture(
        self, source: str, codec: str, private: bytes, frame: bytes | memoryview, box: Box
    ) -> Picture | None:
        """A key frame, made to fit the box and never enlarged; None if it is too large or does not decode."""
        frame, read_size = bytes(frame), KEY_SIZE.get(codec)
        if not frame or (read_size and not _allowed(read_size(frame), self._max_pixels)):
            return None
        head = private if codec in _WITH_HEADER else b""
        request = _PICTURE.pack(b"p", codec.encode(), *box, len(head), len(frame)) + head + frame
        most = _SIZE.size + box[0] * box[1] * 3 // 2
        answer = self._asked(source, request, most, _PICTURE_CPU_S)
        return _believed(source, answer, box) if answer else None

    def _asked(self, source: str, request: bytes, most: int, cpu_s: float) -> bytearray:
        try:
            return self._child.ask(request, most=most, cpu_s=cpu_s, wall_s=_WALL_S + _WALL_PER_CPU * cpu_s)
        except Died as death:
            raise BadSegment(source, _CODES.get(death.how, "limits"), f"its decoder died: {death}") from None


def _samples(lasts_us: int) -> int:
    return lasts_us * _RATE_KHZ // 1000


def _head(private: bytes, channels: int) -> bytes:
    """What the decoder is told: these channels, the file's own gain, and that nothing is to be skipped."""
    head = bytearray(opus_head(channels))
    head[10:12] = bytes(2)
    if private[:8] == b"OpusHead" and len(private) >= len(head):
        head[16:18] = private[16:18]
    return bytes(head)


def _allowed(size: Box | None, max_pixels: int) -> bool:
    return size is not None and 0 < size[0] * size[1] <= max_pixels


def _believed(source: str, answer: bytearray, box: Box) -> Picture:
    """The child's picture, if it can be one."""
    width, height = _SIZE.unpack_from(answer) if len(answer) >= _SIZE.size else (0, 0)
    planes = answer[_SIZE.size :]
    fits = 0 < width <= box[0] and 0 < height <= box[1] and not (width % 2 or height % 2)
    if not fits or len(planes) != width * height * 3 // 2:
        raise BadSegment(source, "crashed", "what came is no picture")
    return Picture(width, height, planes)


def fitting(width: int, height: int, box: Box) -> Box:
    """The size in the box, never larger than it is, of even sides."""
    part = min(Fraction(box[0], width), Fraction(box[1], height), Fraction(1))
    return max(2, int(width * part) // 2 * 2), max(2, int(height * part) // 2 * 2)


# --- in the child ---------------------------------------------------------------------------------


class _Decoders:
    """What answers in the child."""

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._voices: dict[int, AudioCodecContext] = {}
        # PyAV's common one may be the parent's, whose threads are not here.
        self._scaler = VideoReformatter()
        self._does: dict[int, Answer] = {ord("s"): self._sound, ord("p"): self._picture}

    def answer(self, request: memoryview) -> Iterable[Buffer]:
        """What `Decoding` asked for."""
        return self._does[request[0]](request)

    def _sound(self, request: memoryview) -> Iterable[Buffer]:
        _, voice, channels, fresh, head, count = _SOUND.unpack_from(request)
        at = _SOUND.size + head
        if fresh or voice not in self._voices:
            self._voices[voice] = _voice(bytes(request[_SOUND.size : at]))
        sizes = array("I", bytes(request[at : at + 4 * count]))
        places = accumulate(sizes, initial=at + 4 * count)
        packets = [bytes(request[start:end]) for start, end in pairwise(places)]
        # Converted all at once: that takes a third of what it takes packet by packet.
        samples = np.zeros((channels, _samples(sum(map(opus_us, packets)))), np.float32)
        _decode_sound(self._voices[voice], packets, samples)
        return [_rounded(samples).data.cast("B")] if samples.size else []

    def _picture(self, request: memoryview) -> Iterable[Buffer]:
        _, codec, width, height, head, size = _PICTURE.unpack_from(request)
        at = _PICTURE.size + head
        private, frame = bytes(request[_PICTURE.size : at]), bytes(request[at : at + size])
        found = _decode_picture(codec.rstrip(b"\0").decode(), private, frame, self._max_pixels)
        if found is None:
            return []
        sides = fitting(found.width, found.height, (width, height))
        scaled = self._scaler.reformat(found, *sides, FORMAT, threads=1)
        return [_SIZE.pack(*sides), *_planes(scaled)]


def _voice(head: bytes) -> AudioCodecContext:
    decoder = av.CodecContext.create("opus", "r")
    assert isinstance(decoder, AudioCodecContext)
    decoder.thread_count, decoder.extradata = 1, head
    return decoder


def _decode_sound(decoder: AudioCodecContext, packets: list[bytes], into: Wave) -> None:
    """Put each packet's samples where it says that they are."""
    at = 0
    for merged, parts in _merged(packets):
        end = at + _samples(opus_us(merged))
        if not _put(decoder, merged, into[:, at:end]) and len(parts) > 1:
            place = at
            for part in parts:
                until = place + _samples(opus_us(part))
                _put(decoder, part, into[:, place:until])
                place = until
        at = end


def _put(decoder: AudioCodecContext, packet: bytes, into: Wave) -> bool:
    """Decode a packet, as many of its samples as were announced; whether it could be."""
    try:
        frames = decoder.decode(av.Packet(packet))
    except MemoryError:
        raise
    except Exception:  # nearly always FFmpegError, but PyAV has others for what it can not make sense of
        return False
    at = 0
    for frame in frames:
        count = min(frame.samples, into.shape[1] - at)
        for channel, plane in zip(into, frame.planes, strict=True):
            channel[at : at + count] = np.frombuffer(plane, np.float32, count)
        at += count
    return bool(frames)


def _rounded(wave: Wave) -> Samples:
    """Floats from -1 to 1 as integers; louder ones are clipped."""
    np.multiply(wave, np.float32(32768), out=wave)
    np.clip(wave, -32768, 32767, out=wave)
    np.rint(wave, out=wave)
    return wave.T.astype(np.int16, order="C")


def _merged(packets: list[bytes]) -> Iterator[tuple[bytes, list[bytes]]]:
    """Packets of up to 120 ms and what each was made of: to decode few large ones takes a tenth less CPU.

    Only packets of one frame without SILK: FFmpeg decodes several frames of SILK in one packet otherwise.
    """
    run: list[bytes] = []
    for packet in packets:
        if run and not (packet[0] == run[0][0] and len(run) < _MERGED_US // opus_us(run[0])):
            yield _joined(run), run
            run = []
        if packet[0] & 3 or packet[0] < _FIRST_CELT or len(packet) > _LARGEST_FRAME:
            yield packet, [packet]
        else:
            run.append(packet)
    if run:
        yield _joined(run), run


def _joined(run: list[bytes]) -> bytes:
    """One packet of several frames, each of its own size (RFC 6716, 3.2.5)."""
    if len(run) == 1:
        return run[0]
    sizes = b"".join(_frame_size(len(packet) - 1) for packet in run[:-1])
    return bytes([run[0][0] | 3, 0x80 | len(run)]) + sizes + b"".join(packet[1:] for packet in run)


def _frame_size(size: int) -> bytes:
    if size < 252:
        return bytes([size])
    low = 252 + (size & 3)
    return bytes([low, (size - low) >> 2])


def video_decoder(codec: str, private: bytes, max_pixels: int) -> VideoCodecContext:
    """A decoder of pictures up to this size, for use in a child. `private` is the codec's own header."""
    decoder = av.CodecContext.create(_DECODERS[codec], "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.thread_count = 1
    # H.264 and AV1 tell their size inside: there the decoder itself has to refuse.
    decoder.options = {"max_pixels": str(max_pixels)}
    if private and codec in _WITH_HEADER:
        decoder.extradata = private
    return decoder


def _decode_picture(codec: str, private: bytes, frame: bytes, max_pixels: int) -> VideoFrame | None:
    decoder = video_decoder(codec, private, max_pixels)
    try:
        pictures = [*decoder.decode(av.Packet(frame)), *decoder.decode(None)]
    except MemoryError:
        raise
    except Exception:  # as of sound
        return None
    return pictures[0] if pictures else None


def _planes(picture: VideoFrame) -> Iterator[bytes]:
    """The planes' rows without padding."""
    sizes = plane_sizes(picture.width, picture.height)
    for plane, (width, height) in zip(picture.planes, sizes, strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        yield rows[:height, :width].tobytes()
