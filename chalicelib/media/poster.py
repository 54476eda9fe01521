"""A still of a video segment: its first key frame that decodes, as a JPEG."""

from collections.abc import Iterable, Iterator
from itertools import islice

from chalicelib.core.scan import NotRecording
from chalicelib.core.step import Made, Piece, Step
from chalicelib.media.decoding import Decoding
from chalicelib.media.index import Index, index_of
from chalicelib.media.jpeg import Picture
from chalicelib.media.matroska import LARGEST
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
