"""MP4 boxes (ISO/IEC 14496-12): what starts a stream, a fragment of it, and the index of a whole file.

Box by box and without dates, so that the same samples give the same bytes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from struct import pack

MOVIE_SCALE = 1_000  # units a second of what is said of a whole file


@dataclass(frozen=True, slots=True)
class Media:
    """One kind of samples: `entry` is its box in `stsd`, `scale` units make a second, `step` one sample.

    `width` and `height` are 0 for sound. All samples are shown `delay` samples earlier than they say, so that
    none has to be shown before it is decoded.
    """

    entry: bytes
    scale: int
    step: int
    width: int = 0
    height: int = 0
    delay: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample's size in bytes, whether decoding can begin there, and by how many samples it is shown later
    than it is decoded."""

    size: int
    key: bool = True
    later: int = 0


@dataclass(frozen=True, slots=True)
class Laid:
    """One track of a whole file: its samples, and where runs of them lie, each as (place, samples).

    The first `skipped` units are not played, and of what follows no more than `lasts`.
    """

    media: Media
    samples: Sequence[Sample]
    runs: Sequence[tuple[int, int]]
    lasts: int
    skipped: int = 0


def box(name: bytes, *bodies: bytes) -> bytes:
    """A box of this name."""
    body = b"".join(bodies)
    return pack(">I", 8 + len(body)) + name + body


def _full(name: bytes, version: int, flags: int, *bodies: bytes) -> bytes:
    return box(name, pack(">I", version << 24 | flags), *bodies)


# --- a stream in fragments ------------------------------------------------------------------------


def init(media: Media) -> bytes:
    """What a player needs before any fragment."""
    tables = b"".join(_full(name, 0, 0, bytes(4)) for name in (b"stts", b"stsc", b"stco"))
    nothing = tables + _full(b"stsz", 0, 0, bytes(8))
    extends = box(b"mvex", _full(b"trex", 0, 0, pack(">5I", 1, 1, 0, 0, 0)))
    brands = b"iso6" + bytes(4) + b"iso6cmfcmp41"
    edits = _edits(0, media.delay * media.step) if media.delay else b""
    return box(b"ftyp", brands) + box(b"moov", _movie(0, 1), _track(1, media, 0, edits, nothing), extends)


_KEY, _NOT_KEY = 0x0200_0000, 0x0101_0000


def fragment(media: Media, number: int, at: int, samples: Sequence[Sample], data: Sequence[bytes]) -> bytes:
    """The samples that begin at this time in the media's units; `number` counts the stream's fragments."""
    rows = b"".join(
        pack(">III", sample.size, _KEY if sample.key else _NOT_KEY, sample.later * media.step)
        for sample in samples
    )
    described = _full(b"tfhd", 0, 0x02_0008, pack(">II", 1, media.step))
    begins = _full(b"tfdt", 1, 0, pack(">Q", at))
    # Its samples' sizes, flags and composition offsets, behind where the first of them lies.
    run_flags, run_size = 0x0E01, 20 + len(rows)
    head = box(b"mfhd", bytes(4), pack(">I", number))
    before = 8 + len(head) + 8 + len(described) + len(begins) + run_size + 8
    run = _full(b"trun", 0, run_flags, pack(">Ii", len(samples), before), rows)
    return box(b"moof", head, box(b"traf", described, begins, run)) + box(b"mdat", *data)


# --- a whole file ---------------------------------------------------------------------------------


def whole_head(tracks: Sequence[Laid], media_size: int) -> bytes:
    """All that stands before the media of a file that plays while it loads; `runs` count from the media."""
    brands = box(b"ftyp", b"isom" + pack(">I", 0x200) + b"isomiso2avc1mp41")
    mdat = pack(">I", 1) + b"mdat" + pack(">Q", 16 + media_size)
    size = len(brands) + len(_index(tracks, 0)) + len(mdat)
    return brands + _index(tracks, size) + mdat


def _index(tracks: Sequence[Laid], by: int) -> bytes:
    longest = max(_in_movie(track) for track in tracks)
    boxes = [_whole_track(number, track, by) for number, track in enumerate(tracks, 1)]
    return box(b"moov", _movie(longest, len(tracks)), *boxes)


def _in_movie(track: Laid) -> int:
    return track.lasts * MOVIE_SCALE // track.media.scale


def _whole_track(number: int, track: Laid, by: int) -> bytes:
    media, samples = track.media, track.samples
    tables = [_full(b"stts", 0, 0, pack(">III", 1, len(samples), media.step))]
    if any(sample.later for sample in samples):
        tables.append(_offsets(media, samples))
    if not all(sample.key for sample in samples):
        keys = [number for number, sample in enumerate(samples, 1) if sample.key]
        tables.append(_full(b"stss", 0, 0, pack(f">I{len(keys)}I", len(keys), *keys)))
    sizes = [sample.size for sample in samples]
    tables += [
        _runs([count for _, count in track.runs]),
        _full(b"stsz", 0, 0, pack(f">II{len(sizes)}I", 0, len(sizes), *sizes)),
        _full(
            b"co64", 0, 0, pack(f">I{len(track.runs)}Q", len(track.runs), *(at + by for at, _ in track.runs))
        ),
    ]
    edits = _edits(_in_movie(track), track.skipped)
    return _track(number, media, _in_movie(track), edits, b"".join(tables), len(samples))


def _offsets(media: Media, samples: Sequence[Sample]) -> bytes:
    rows = [(len(list(same)), later) for later, same in groupby(sample.later for sample in samples)]
    told = b"".join(pack(">II", count, later * media.step) for count, later in rows)
    return _full(b"ctts", 0, 0, pack(">I", len(rows)), told)


def _runs(counts: Iterable[int]) -> bytes:
    """Which runs have how many samples, said where that changes."""
    rows, last = [], None
    for number, count in enumerate(counts, 1):
        if count != last:
            rows.append(pack(">III", number, count, 1))
        last = count
    return _full(b"stsc", 0, 0, pack(">I", len(rows)), *rows)


# --- both -----------------------------------------------------------------------------------------


def _edits(lasts: int, skipped: int) -> bytes:
    """So long, in the movie's units, from this time of the media on; 0 is all that comes."""
    return box(b"edts", _full(b"elst", 1, 0, pack(">IQqI", 1, lasts, skipped, 1 << 16)))


_UPRIGHT = pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


def _movie(lasts: int, tracks: int) -> bytes:
    speed_and_volume = pack(">IH", 1 << 16, 1 << 8) + bytes(10)
    times = pack(">QQIQ", 0, 0, MOVIE_SCALE, lasts)
    return _full(b"mvhd", 1, 0, times, speed_and_volume, _UPRIGHT, bytes(24), pack(">I", tracks + 1))


def _track(number: int, media: Media, lasts: int, edits: bytes, tables: bytes, samples: int = 0) -> bytes:
    """A `trak` that is `lasts` long in the movie's units and has so many samples."""
    times = pack(">QQIIQ", 0, 0, number, 0, lasts)
    volume = 0 if media.width else 1 << 8
    placed = pack(">8xHHHH", 0, 0, volume, 0)
    sides = pack(">II", media.width << 16, media.height << 16)
    kind, header = _KINDS[bool(media.width)]
    described = _full(b"stsd", 0, 0, pack(">I", 1), media.entry)
    here = box(b"dinf", _full(b"dref", 0, 0, pack(">I", 1), _full(b"url ", 0, 1)))
    undetermined = pack(">HH", 0x55C4, 0)
    return box(
        b"trak",
        _full(b"tkhd", 1, 3, times, placed, _UPRIGHT, sides),
        edits,
        box(
            b"mdia",
            _full(b"mdhd", 1, 0, pack(">QQIQ", 0, 0, media.scale, samples * media.step), undetermined),
            _full(b"hdlr", 0, 0, bytes(4), kind, bytes(13)),
            box(b"minf", header, here, box(b"stbl", described, tables)),
        ),
    )


# By whether it has a width: the handler's name and the media's header.
_KINDS = {
    True: (b"vide", _full(b"vmhd", 0, 1, bytes(8))),
    False: (b"soun", _full(b"smhd", 0, 0, bytes(4))),
}


def avc_entry(width: int, height: int, config: bytes) -> bytes:
    """The description of H.264 with this `AVCDecoderConfigurationRecord`."""
    sides_and_resolution = pack(">HHII", width, height, 72 << 16, 72 << 16)
    head = bytes(6) + pack(">H", 1) + bytes(16) + sides_and_resolution + bytes(4)
    one_frame = pack(">H", 1) + bytes(32) + pack(">Hh", 24, -1)
    return box(b"avc1", head, one_frame, box(b"avcC", config))


def boxes(data: bytes, at: int = 0, end: int | None = None) -> dict[bytes, tuple[int, int]]:
    """The boxes in a box or file, by name: each one's body as (start, end). Of one name the first."""
    end, found = len(data) if end is None else end, dict[bytes, tuple[int, int]]()
    while at + 8 <= end:
        size, start = int.from_bytes(data[at : at + 4]), at + 8
        if size == 1:
            size, start = int.from_bytes(data[at + 8 : at + 16]), at + 16
        if size < start - at:
            break
        found.setdefault(data[at + 4 : at + 8], (start, at + size))
        at += size
    return found


def inside(data: bytes, *names: bytes, within: tuple[int, int] | None = None) -> tuple[int, int]:
    """The body of a box that lies in others, the outermost first. `KeyError` when it is not there."""
    at, end = within or (0, len(data))
    for name in names:
        at, end = boxes(data, at, end)[name]
    return at, end
