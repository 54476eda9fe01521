"""The mix as a composition has it: the AAC packets of a finished MP4, cut to the composition's range."""

from array import array
from collections.abc import Iterator
from itertools import accumulate

from chalicelib.media.compose.boxes import Media, Sample, boxes, inside
from chalicelib.media.store import Store

PACKET = 1_024  # samples of a packet of AAC
_HEAD = 64  # bytes in which a file says where its media begin and end
_AT_ONCE = 4 << 20


class Sound:
    """The mix from one moment to another, in milliseconds since session zero.

    `samples` are its packets; the first `skipped` units of them are not to be heard. One packet that was
    before the range comes first, for a decoder to get going.
    """

    def __init__(self, store: Store, key: str, start: int, end: int) -> None:
        self._store, self._key = store, key
        file = _File(store, key)
        self.media = file.media
        begin, until = (file.primed + at * file.media.scale // 1000 for at in (start, end))
        first = max(0, begin // PACKET - 1)
        last = min(len(file.sizes), -(-until // PACKET))
        self.lasts = min(until, len(file.sizes) * PACKET) - begin
        self.skipped = begin - first * PACKET
        self.samples = [Sample(size) for size in file.sizes[first:last]]
        places = list(accumulate(file.sizes[:last], initial=file.place))
        self._span = places[first], places[last]

    @property
    def begins(self) -> int:
        """The first packet's time in the stream in the media's units; below 0 where it is not heard."""
        return -self.skipped

    def packets(self) -> Iterator[bytes]:
        """What the packets hold."""
        at, end = self._span
        held, used = b"", 0
        for sample in self.samples:
            if used + sample.size > len(held):
                until = min(end, at + _AT_ONCE)
                held = b"".join([held[used:], *self._store.read(self._key, at, until)])
                at, used = until, 0
            yield held[used : used + sample.size]
            used += sample.size


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4])


class _File:
    """An MP4 of one track of AAC, as `media/sound/mp4.py` writes it: all packets behind each other."""

    def __init__(self, store: Store, key: str) -> None:
        head = b"".join(store.read(key, 0, _HEAD))
        self.place, end = boxes(head)[b"mdat"]
        data = b"".join(store.read(key, end))
        media = inside(data, b"moov", b"trak", b"mdia")
        table = inside(data, b"minf", b"stbl", within=media)
        entry, _ = inside(data, b"stsd", within=table)
        scale = _number(data, inside(data, b"mdhd", within=media)[0] + 12)
        sizes, _ = inside(data, b"stsz", within=table)
        count = _number(data, sizes + 8)
        self.sizes = array("I", data[sizes + 12 : sizes + 12 + 4 * count])
        self.sizes.byteswap()
        edits, _ = inside(data, b"moov", b"trak", b"edts", b"elst")
        self.primed = _number(data, edits + 12)
        length = int.from_bytes(data[entry + 8 : entry + 12])
        self.media = Media(data[entry + 8 : entry + 8 + length], scale, PACKET)
