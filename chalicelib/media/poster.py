"""A still of a video segment: its first key frame that decodes, as a JPEG."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from chalicelib.core.scan import NotRecording
from chalicelib.core.step import Made, Piece, Step
from chalicelib.media.codecs import KEY_SIZE
from chalicelib.media.decoding import Decoding
from chalicelib.media.index import Index, index_of
from chalicelib.media.jpeg import Picture
from chalicelib.media.matroska import LARGEST, Recording, Track
from chalicelib.media.store import Store, stored

_BOX = (1280, 720)
_QUALITY = 3
_TRIES = 5


def make_poster(step: Step, store: Store) -> list[Made]:
    """A still of the step's one piece, of which only the index and the frame itself are read.

    `NotRecording` when none of the first key frames decodes.
    """
    (piece,), (output,) = step.tracks[0].pieces, step.outputs
    index = index_of(b"".join(store.read(piece.index)))
    picture = _first(piece, index, _frames(store, piece, index))
    return [stored(store, output, output.name, picture.jpeg(_QUALITY), step.start, step.end)]


def _frames(store: Store, piece: Piece, index: Index) -> Iterator[bytes]:
    for frame in index.key_frames:
        if frame.time_ms >= piece.skip_ms and frame.size <= LARGEST:
            yield b"".join(store.read(piece.source, frame.place, frame.place + frame.size))


def _first(piece: Piece, index: Index, frames: Iterable[bytes]) -> Picture:
    with Decoding() as decoding:
        for frame in islice(frames, _TRIES):
            picture = decoding.picture(piece.source, index.codec, index.private, frame, _BOX)
            if picture is not None:
                return picture
    raise NotRecording("undecodable", f"none of the first {_TRIES} key frames can be decoded")


# The first key frame comes early or, in a segment that is worth a still, not at all.
MAX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Poster:
    """A JPEG and its size."""

    jpeg: bytes
    width: int
    height: int


def poster(chunks: Iterable[bytes], max_bytes: int = MAX_BYTES) -> Poster:
    """A still of the first key frame that decodes; `NotRecording` when none of the first `max_bytes` does.

    No more chunks are drawn than are needed for that.
    """
    recording = Recording(_until(chunks, max_bytes))
    track = recording.open()
    if track.kind != "video":
        raise NotRecording("undecodable", "sound has no picture")
    with Decoding() as decoding:
        for frame in islice(_keys(recording, track), _TRIES):
            picture = decoding.picture("", track.codec, track.private, frame, _BOX)
            if picture is not None:
                return Poster(picture.jpeg(_QUALITY), picture.width, picture.height)
    raise NotRecording("undecodable", f"no key frame in the first {max_bytes} bytes can be decoded")


def _keys(recording: Recording, track: Track) -> Iterator[bytes]:
    """The key frames, by their own word where they have one."""
    read_size = KEY_SIZE.get(track.codec)
    for _, marked, frame, _ in recording.packets():
        if read_size(frame) if read_size else marked:
            yield frame


def _until(chunks: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    left = max_bytes
    for chunk in chunks:
        yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            return
