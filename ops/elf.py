"""Shared libraries without what only debuggers and linkers read: tables of symbols and sections.

Done here, not by `strip`, so that it does the same everywhere to the libraries of every architecture.
"""

import struct
from pathlib import Path

# A header of ELF with 64 bits, little-endian; and a segment's type, flags, offset, two addresses and size.
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQ")
_MAGIC = b"\x7fELF\x02\x01"


def strip(path: Path) -> None:
    """Keep of a library what is loaded into memory; zeros, which take no room in a zip, between that.

    Nothing moves, so nothing has to be linked anew. Any other file stays as it is.
    """
    data = path.read_bytes()
    if data[: len(_MAGIC)] != _MAGIC or len(data) < _HEADER.size:
        return
    header = list(_HEADER.unpack_from(data))
    place, each, count = header[5], header[9], header[10]
    kept = [(place, place + each * count)]
    for at in range(place, place + each * count, each):
        _, _, offset, _, _, size = _SEGMENT.unpack_from(data, at)
        kept.append((offset, offset + size))
    stripped = bytearray(max(end for _, end in kept))
    for start, end in kept:
        stripped[start:end] = data[start:end]
    # There is no table of sections: it has no place, no entries, and none of them has the names.
    header[6] = header[12] = header[13] = 0
    stripped[: _HEADER.size] = _HEADER.pack(*header)
    path.write_bytes(stripped)
