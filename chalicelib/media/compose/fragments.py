"""Reads what a chunk became, as `boxes.fragment` wrote it."""

from itertools import accumulate, pairwise
from struct import Struct

from chalicelib.media.compose.boxes import Sample, boxes, inside

_ROW = Struct(">III")
_RUN_HEAD = 12  # of a run: version and flags, the number of samples, where they lie
_NOT_KEY = 0x0001_0000


def read_fragment(data: bytes, step: int) -> tuple[list[Sample], list[bytes]]:
    """A fragment's samples and what each holds; `step` is how long one lasts in the media's units."""
    top = boxes(data)
    run, _ = inside(data, b"traf", b"trun", within=top[b"moof"])
    count = int.from_bytes(data[run + 4 : run + 8])
    rows = data[run + _RUN_HEAD : run + _RUN_HEAD + count * _ROW.size]
    samples = [
        Sample(size, not flags & _NOT_KEY, later // step) for size, flags, later in _ROW.iter_unpack(rows)
    ]
    places = accumulate((sample.size for sample in samples), initial=top[b"mdat"][0])
    return samples, [data[start:end] for start, end in pairwise(places)]
