"""AAC in MP4, written forward: FFmpeg's muxer goes back to the file's first bytes only, which are kept."""

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
        self._file.close()
        self._ahead.finish()


class _Ahead(io.RawIOBase):
    """A file to write whose first bytes alone may be written again."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._front = bytearray()
        self._at = self._size = 0

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
        given = bytes(data)
        kept = given[: max(0, _KEPT - self._at)]
        self._front[self._at : self._at + len(kept)] = kept
        rest = given[len(kept) :]
        if rest:
            if self._at + len(kept) != max(self._size, _KEPT):
                raise io.UnsupportedOperation("only the head may be written again")
            self._writing.body(rest)
        self._at += len(given)
        self._size = max(self._size, self._at)
        return len(given)

    def finish(self) -> None:
        """The head, as it was left."""
        self._writing.front(bytes(self._front))
