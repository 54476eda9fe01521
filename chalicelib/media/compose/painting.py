"""In the child: packets in, frames of H.264 out. It decodes what is shown, draws what changed, and encodes.

What it is asked has its form in `asked` and `told`, which the parent calls.
"""

from array import array
from collections import deque
from collections.abc import Buffer, Iterable, Iterator, Sequence
from itertools import accumulate
from struct import Struct
from typing import NamedTuple, Protocol

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from chalicelib.core.chunks import Chunk
from chalicelib.core.scenes import Card, Scene, Tile
from chalicelib.media.compose.canvas import Canvas, Place, colour_of
from chalicelib.media.compose.encoding import Encoded, Encoder
from chalicelib.media.compose.feeds import Due, Feed
from chalicelib.media.decoding import MAX_PIXELS, video_decoder

type Mark = memoryview[int]

_ASK, _ROW = Struct("<II"), 3  # draw up to before this frame, packets; of each its feed, frame and size
_ANSWER, _FRAME = Struct("<I"), Struct("<IBI")  # frames; of each its number, whether a key, size
END = 0xFFFFFFFF  # as a frame to draw up to: there are no more

# The mark: which feed's packets are being decoded, or nobody's; and what came of each so far.
NOBODY = 0xFFFFFFFF
UNTRIED, TRIED, SEEN = range(3)


def asked(until: int, packets: Sequence[tuple[int, Due]]) -> bytes:
    """A request: take these packets of feeds, and draw and encode all frames before one."""
    rows = array("I", [value for feed, due in packets for value in (feed, due.frame, len(due.data))])
    return b"".join([_ASK.pack(until, len(packets)), rows.tobytes(), *(due.data for _, due in packets)])


def told(answer: Buffer) -> list[Encoded]:
    """The frames in an answer; `ValueError` when it is none."""
    data = memoryview(answer)
    if len(data) < _ANSWER.size:
        raise ValueError("an answer without a head")
    (count,) = _ANSWER.unpack_from(data)
    at, found = _ANSWER.size + count * _FRAME.size, list[Encoded]()
    if at > len(data):
        raise ValueError("an answer shorter than it says")
    for number, key, size in _FRAME.iter_unpack(data[_ANSWER.size : at]):
        found.append(Encoded(number, bool(key), bytes(data[at : at + size])))
        at += size
    if at != len(data):
        raise ValueError("an answer longer or shorter than it says")
    return found


class Label(Protocol):
    """What is written on a tile."""

    def draw(self, canvas: Canvas) -> None:
        """Draw it where its tile is."""
        ...


class Painter:
    """Answers with frames, in order. `mark` is memory shared with the parent: the number of the feed that is
    being decoded, and behind it what came of each feed."""

    def __init__(self, chunk: Chunk, feeds: Sequence[Feed], labels: dict[Tile, Label], mark: Mark) -> None:
        picture = chunk.picture
        self._first = self._at = chunk.first_frame
        self._canvas = Canvas(picture.width, picture.height, colour_of(picture.background))
        self._encoder = Encoder(picture)
        self._screens = [_Screen(number, feed, mark) for number, feed in enumerate(feeds)]
        self._scenes = deque(_Stage.of(scene, self._screens, labels) for scene in chunk.scenes)

    def answer(self, request: memoryview) -> Iterable[Buffer]:
        """What `asked` asked for, as `told` reads it."""
        until, count = _ASK.unpack_from(request)
        rows_end = _ASK.size + 4 * _ROW * count
        rows = array("I", bytes(request[_ASK.size : rows_end]))
        sizes = rows[2::_ROW]
        for feed, frame, size, at in zip(
            rows[::_ROW], rows[1::_ROW], sizes, accumulate(sizes, initial=rows_end), strict=False
        ):
            self._screens[feed].queue.append(Due(frame, bytes(request[at : at + size])))
        made = self._encoder.encode(None) if until == END else list(self._drawn(until))
        heads = b"".join(_FRAME.pack(frame.number, frame.key, len(frame.data)) for frame in made)
        return [_ANSWER.pack(len(made)) + heads, *(frame.data for frame in made)]

    def _drawn(self, until: int) -> Iterator[Encoded]:
        for frame in range(self._at, until):
            if frame >= self._scenes[0].end:
                self._scenes.popleft()
            self._scenes[0].draw(frame, self._canvas)
            self._canvas.frame.pts = frame - self._first
            yield from self._encoder.encode(self._canvas.frame)
        self._at = max(self._at, until)


# Whose decoders can be told from packet to packet to pass over what nobody sees and no picture builds on.
_PASSING = ("vp8", "vp9", "h264")


class _Screen:
    """A feed while it is decoded: the last of its pictures."""

    def __init__(self, number: int, feed: Feed, mark: Mark) -> None:
        self.feed = feed
        self.queue: deque[Due] = deque()
        self.picture: VideoFrame | None = None
        self._number, self._mark, self._seen = number, mark, False
        self._decoder: VideoCodecContext | None = None

    def advance(self, frame: int) -> bool:
        """Decode what is due by a frame; whether there is another picture."""
        queue, found = self.queue, None
        if not queue or queue[0].frame > frame:
            return False
        self._mark[0] = self._number
        while queue and queue[0].frame <= frame:
            packet = queue.popleft().data
            found = self._decoded(packet, last=not queue or queue[0].frame > frame) or found
        self._mark[0] = NOBODY
        self._seen = self._seen or found is not None
        self._mark[1 + self._number] = SEEN if self._seen else TRIED
        self.picture = found or self.picture
        return found is not None

    def _decoded(self, packet: bytes, *, last: bool) -> VideoFrame | None:
        if self._decoder is None:
            private = self.feed.index.private
            self._decoder = video_decoder(self.feed.codec, private, MAX_PIXELS)
        if self.feed.codec in _PASSING:
            self._decoder.skip_frame = "DEFAULT" if last else "NONREF"
        try:
            pictures = self._decoder.decode(av.Packet(packet))
        except MemoryError:
            raise
        except Exception:  # nearly always FFmpegError, but PyAV has others for what it can not make sense of
            return None
        return pictures[-1] if pictures else None


class _Shown(NamedTuple):
    """A tile with what is in it; `under` are the tiles, by their place in the scene, that it lies on."""

    place: Place
    screen: _Screen | None
    label: Label | None
    under: tuple[int, ...]

    @property
    def resized(self) -> bool:
        """Whether its picture has another size than what was drawn last."""
        picture = self.screen.picture if self.screen is not None else None
        return picture is not None and self.place.resized(picture)


class _Stage:
    """A scene while it is drawn."""

    def __init__(self, scene: Scene, shown: Sequence[_Shown]) -> None:
        self.end = scene.end_frame
        self._shown = shown
        self._screens = list({id(one.screen): one.screen for one in shown if one.screen is not None}.values())
        self._begun = False

    @classmethod
    def of(cls, scene: Scene, screens: Sequence[_Screen], labels: dict[Tile, Label]) -> "_Stage":
        return cls(scene, [_shown(scene, number, screens, labels) for number in range(len(scene.tiles))])

    def draw(self, frame: int, canvas: Canvas) -> None:
        """Bring the canvas to a frame: tiles that did not change, and are on nothing that did, stay."""
        changed = {id(screen) for screen in self._screens if screen.advance(frame)}
        whole = not self._begun or any(one.resized for one in self._shown if id(one.screen) in changed)
        self._begun = True
        if whole:
            canvas.clear()
        drawn = set[int]()
        for number, one in enumerate(self._shown):
            bare = whole or not drawn.isdisjoint(one.under)
            if bare or id(one.screen) in changed:
                drawn.add(number)
                _draw(one, canvas, bare=bare)


def _draw(one: _Shown, canvas: Canvas, *, bare: bool) -> None:
    if one.screen is not None:
        if one.screen.picture is None:
            return
        one.place.put(one.screen.picture, canvas, bare=bare)
    if one.label is not None:
        one.label.draw(canvas)


def _shown(scene: Scene, number: int, screens: Sequence[_Screen], labels: dict[Tile, Label]) -> _Shown:
    tile = scene.tiles[number]
    under = tuple(below for below in range(number) if _overlap(scene.tiles[below], tile))
    return _Shown(Place(tile), _screen_of(tile, scene, screens), labels.get(tile), under)


def _screen_of(tile: Tile, scene: Scene, screens: Sequence[_Screen]) -> _Screen | None:
    shows = tile.shows
    if isinstance(shows, Card):
        return None
    return next(
        screen
        for screen in screens
        if screen.feed.piece == shows.piece and screen.feed.first <= scene.first_frame < screen.feed.end
    )


def _overlap(one: Tile, other: Tile) -> bool:
    across = one.x < other.x + other.width and other.x < one.x + one.width
    return across and one.y < other.y + other.height and other.y < one.y + one.height
