"""Renders a chunk: one fragment of the composition's stream, of H.264 in MP4.

Packets are found and taken apart here; what is in them is decoded, drawn and encoded in a child. A piece
whose packets end the child, or of which no picture decodes, is shown as a card, and named.
"""

from collections.abc import Iterator, Sequence
from mmap import mmap

from chalicelib.core.chunks import INIT, Chunk, Picture, Rendered
from chalicelib.core.scan import BadSegment
from chalicelib.core.scenes import Card, Tile
from chalicelib.media.compose.boxes import Sample, fragment, init
from chalicelib.media.compose.encoding import Encoded, media_of
from chalicelib.media.compose.feeds import Due, feeds_of, indexes_of, packets_of
from chalicelib.media.compose.painting import END, NOBODY, TRIED, Label, Mark, Painter, asked, told
from chalicelib.media.contained import Contained, Died
from chalicelib.media.store import Store

CONTENT_TYPE = "video/mp4"

# What the child may take beyond its parent: decoders of 25 pictures, and what an encoder looks ahead.
_MEMORY = 768 << 20
_FRAME_BYTES = 16 << 20  # more than any encoded second has, times its frames
_CPU_S, _WALL_S = 60.0, 300.0  # for a second of the composition, or for some packets before it
_PACKETS = 3_000  # that are sent at once


def render_chunk(chunk: Chunk, store: Store) -> Rendered:
    """Write the chunk's file; the first chunk writes the stream's beginning too.

    `Died` when the child died of no segment. What can not be decoded is a slate.
    """
    if chunk.number == 1:
        store.write(INIT, CONTENT_TYPE).front(beginning(chunk.picture))
    slates: dict[str, str] = {}
    while True:
        try:
            frames = _Rendering(chunk.without(slates), store).frames()
            break
        except BadSegment as bad:
            slates[bad.source] = str(bad)
    made = _fragment(chunk, frames)
    store.write(chunk.name, CONTENT_TYPE).front(made)
    return Rendered(chunk.name, len(made), len(frames), tuple(sorted(slates.items())))


def beginning(picture: Picture) -> bytes:
    """What a player reads before any chunk: the same for all chunks of a composition."""
    return init(media_of(picture))


def _fragment(chunk: Chunk, frames: Sequence[Encoded]) -> bytes:
    media = media_of(chunk.picture)
    samples = [
        Sample(len(one.data), one.key, media.delay + one.number - place) for place, one in enumerate(frames)
    ]
    return fragment(media, chunk.number, chunk.first_frame * media.step, samples, [f.data for f in frames])


class _Rendering:
    """One attempt at a chunk."""

    def __init__(self, chunk: Chunk, store: Store) -> None:
        self._chunk = chunk
        self._feeds = feeds_of(chunk, indexes_of(chunk, store))
        self._waiting = [_Waiting(packets_of(chunk, feed, store)) for feed in self._feeds]
        self._memory = mmap(-1, 4 * (1 + len(self._feeds)))
        self._mark: Mark = memoryview(self._memory).cast("I")
        self._mark[0] = NOBODY

    def frames(self) -> list[Encoded]:
        """All frames in the order of decoding, numbered from 0. `BadSegment` when there can not be any
        because of one."""
        chunk, rate = self._chunk, self._chunk.picture.frame_rate
        labels = _labels(chunk)
        made: list[Encoded] = []
        seconds = range(chunk.first_frame + rate, chunk.end_frame, rate)
        with Contained(lambda: Painter(chunk, self._feeds, labels, self._mark).answer, _MEMORY) as child:
            for until in (*seconds, chunk.end_frame, END):
                made += self._second(child, until)
        self._look()
        if sorted(frame.number for frame in made) != list(range(chunk.frames)):
            raise Died("babbled", "it did not encode every frame once")
        return made

    def _second(self, child: Contained, until: int) -> list[Encoded]:
        """Frames that are done when all before one are drawn."""
        due = [
            (feed, packet) for feed, waiting in enumerate(self._waiting) for packet in waiting.until(until)
        ]
        made: list[Encoded] = []
        while len(due) > _PACKETS:
            made += self._ask(child, asked(0, due[:_PACKETS]))
            due = due[_PACKETS:]
        return made + self._ask(child, asked(until, due))

    def _ask(self, child: Contained, request: bytes) -> list[Encoded]:
        most = _FRAME_BYTES + _FRAME_BYTES // 16 * self._chunk.picture.frame_rate
        try:
            return told(child.ask(request, most=most, cpu_s=_CPU_S, wall_s=_WALL_S))
        except Died as death:
            number = self._mark[0]
            if number >= len(self._feeds):
                raise
            source = self._feeds[number].piece.source
            raise BadSegment(source, _CODES.get(death.how, "limits"), f"its decoder died: {death}") from None
        except ValueError as nonsense:
            raise Died("babbled", str(nonsense)) from None

    def _look(self) -> None:
        """Whether any packets were given to a decoder and none became a picture."""
        for feed, came in zip(self._feeds, self._mark[1:], strict=True):
            if came == TRIED:
                raise BadSegment(feed.piece.source, "undecodable", "none of its pictures can be decoded")


_CODES = {"crashed": "crashed", "hung": "hung"}  # all other deaths are of a limit


class _Waiting:
    """A feed's packets, taken as far as they are due."""

    def __init__(self, packets: Iterator[Due]) -> None:
        self._packets = packets
        self._next: Due | None = None
        self._asked = False

    def until(self, frame: int) -> Iterator[Due]:
        """Those due before a frame, and not taken yet."""
        if not self._asked:
            self._asked, self._next = True, next(self._packets, None)
        while self._next is not None and self._next.frame < frame:
            yield self._next
            self._next = next(self._packets, None)


def _labels(chunk: Chunk) -> dict[Tile, Label]:
    """What is written on tiles: here, for the child can open no font."""
    written = dict.fromkeys(
        tile
        for scene in chunk.scenes
        for tile in scene.tiles
        if chunk.picture.names or isinstance(tile.shows, Card)
    )
    if not written:
        return {}
    # Fonts take as long to load as a second of video to render.
    from chalicelib.media.compose.label import label_of

    return {tile: label_of(tile) for tile in written}
