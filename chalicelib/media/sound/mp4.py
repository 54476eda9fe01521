"""AAC in MP4, written forward: FFmpeg's muxer goes back to the first bytes and in the index at the end only.

Those are kept until they are done; the index takes some megabytes for hours.
"""

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.packet import Packet

from chalicelib.media.sound.level import Array
from chalicelib.media.store import Writing

PACKET = 1_024  # samples of a packet
_RATE, _BIT_RATE = 48_000, 128_000
_AT_ONCE = 10 * 1_024
# The muxer writes the size of all the media into the head when it is done.
_KEPT = 4_096
_NEVER = 1 << 62


def encoder() -> AudioCodecContext:
    """Of AAC; the same for all that is to be one stream."""
    coder = CodecContext.create("aac", "w")
    assert isinstance(coder, AudioCodecContext)
    coder.options = {"aac_coder": "fast"}
    coder.sample_rate, coder.layout, coder.format = _RATE, "stereo", "fltp"
    return _set(coder)


def _set[Coder: AudioCodecContext](coder: Coder) -> Coder:
    coder.bit_rate, coder.thread_count = _BIT_RATE, 1
    coder.flags |= 1 << 23  # bitexact: no name of the encoder in its packets
    return coder


def frames(given: Iterable[Array], at: int = 0) -> Iterator[AudioFrame]:
    """Samples as an encoder takes them, in one channel or two; the first is the stream's sample `at`."""
    for samples in given:
        for begin in range(0, len(samples), _AT_ONCE):
            some = samples[begin : begin + _AT_ONCE]
            both = np.ascontiguousarray(np.broadcast_to(some, (len(some), 2)).T, np.float32)
            frame = AudioFrame.from_ndarray(both, format="fltp", layout="stereo")
            frame.sample_rate, frame.time_base, frame.pts = _RATE, Fraction(1, _RATE), at
            yield frame
            at += len(some)


class Mp4:
    """Samples of -1 to 1 as AAC, or its packets; an edit list has players drop the encoder's priming."""

    def __init__(self, writing: Writing) -> None:
        self._ahead = _Ahead(writing)
        self._file: Any = av.open(self._ahead, "w", format="mp4", options={"fflags": "bitexact"})
        stream = self._file.add_stream("aac", rate=_RATE, layout="stereo", options={"aac_coder": "fast"})
        assert isinstance(stream, AudioStream)
        _set(stream.codec_context)
        self._stream, self._samples, self._added = stream, 0, 0

    def write(self, samples: Array) -> None:
        """What is heard next, in one channel or two."""
        for frame in frames([samples], self._samples):
            self._file.mux(self._stream.encode(frame))
        self._samples += len(samples)

    def add(self, packet: bytes) -> None:
        """The next packet of an `encoder`."""
        if not self._added:
            self._file.start_encoding()
        told = Packet(packet)
        told.stream, told.time_base, told.duration = self._stream, Fraction(1, _RATE), PACKET
        told.pts = told.dts = (self._added - 1) * PACKET
        self._file.mux(told)
        self._added += 1

    def finish(self) -> None:
        """End the file."""
        if not self._added:
            self._file.mux(self._stream.encode(None))
        self._ahead.hold()
        self._file.close()
        self._ahead.finish()


class _Ahead(io.RawIOBase):
    """A file to write. Its first bytes may be written again, and its end once it is held."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._front, self._end = bytearray(), bytearray()
        self._at = self._size = 0
        # From where on all is kept.
        self._held = _NEVER

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def write(self, data: Any) -> int:
        given, at = bytes(data), self._at
        kept = given[: max(0, _KEPT - at)]
        _put(self._front, at, kept)
        at, rest = at + len(kept), given[len(kept) :]
        if at >= self._held:
            _put(self._end, at - self._held, rest)
        elif rest:
            if at != max(self._size, _KEPT):
                raise io.UnsupportedOperation("what is written is gone")
            self._writing.body(rest)
        self._at += len(given)
        self._size = max(self._size, self._at)
        return len(given)

    def hold(self) -> None:
        """Keep all that follows."""
        self._held = max(self._size, _KEPT)

    def finish(self) -> None:
        """End the file."""
        self._writing.body(bytes(self._end))
        self._writing.front(bytes(self._front))


def _put(held: bytearray, at: int, data: bytes) -> None:
    """Write over what is held, or right behind it."""
    if data:
        held[at : at + len(data)] = data
