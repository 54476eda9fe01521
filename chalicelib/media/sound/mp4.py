"""AAC in MP4, written forward: FFmpeg's muxer goes back to the first bytes and in the index at the end only.

Those are kept until they are done; the index takes some megabytes for hours.
"""

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from chalicelib.media.sound.level import Array
from chalicelib.media.store import Writing

_RATE, _BIT_RATE = 48_000, 128_000
_AT_ONCE = 10 * 1_024
# The muxer writes the size of all the media into the head when it is done.
_KEPT = 4_096
_NEVER = 1 << 62


class Mp4:
    """Stereo samples of -1 to 1 as AAC; an edit list has players drop the encoder's priming."""

    def __init__(self, writing: Writing) -> None:
        self._ahead = _Ahead(writing)
        self._file: Any = av.open(self._ahead, "w", format="mp4", options={"fflags": "bitexact"})
        stream = self._file.add_stream("aac", rate=_RATE, layout="stereo", options={"aac_coder": "fast"})
        assert isinstance(stream, AudioStream)
        stream.codec_context.bit_rate, stream.codec_context.thread_count = _BIT_RATE, 1
        stream.codec_context.flags |= 1 << 23  # bitexact: no name of the encoder in its packets
        self._stream, self._samples = stream, 0

    def write(self, samples: Array) -> None:
        """What is heard next, in one channel or two."""
        for at in range(0, len(samples), _AT_ONCE):
            part = np.ascontiguousarray(
                np.broadcast_to(samples[at : at + _AT_ONCE], (len(samples[at : at + _AT_ONCE]), 2)).T,
                np.float32,
            )
            frame = AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
            frame.sample_rate, frame.time_base, frame.pts = _RATE, Fraction(1, _RATE), self._samples
            self._file.mux(self._stream.encode(frame))
            self._samples += part.shape[1]

    def finish(self) -> None:
        """End the file."""
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
