"""EBML: elements of an id, a size and a body; read from a stream in constant memory, and written.

RFC 8794. Ids have at most four bytes and sizes at most eight, whatever a file's own header claims.
"""

import struct
from collections.abc import Iterable, Iterator

# No element's id and size take more bytes than this together.
HEADER = 12

# The stream is held in pieces of about this size, however it is chunked.
_LEAST, _PIECE = 1 << 16, 1 << 20

# By the first byte of a number of variable length: how many bytes it has; 0 where none begins so.
LENGTH = bytes(0 if first == 0 else 9 - first.bit_length() for first in range(256))
# By that length: the bits that are the number's own. All of them set in a size means unknown.
MASK = tuple((1 << 7 * length) - 1 for length in range(9))


class Malformed(ValueError):
    """A body that is no sequence of elements, or not the value that it should be."""


class Window:
    """What is being looked at of a stream: `buf` from `pos` on; `base` is where `buf` begins in it."""

    __slots__ = ("_pieces", "base", "buf", "pos")

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._pieces = _pieces(chunks)
        self.buf, self.pos, self.base = b"", 0, 0

    @property
    def offset(self) -> int:
        """The place in the stream."""
        return self.base + self.pos

    def peek(self, count: int) -> bool:
        """Have the next `count` bytes in `buf`; False when the stream has fewer."""
        while len(self.buf) - self.pos < count:
            piece = next(self._pieces, b"")
            if not piece:
                return False
            self._keep(self.pos, piece)
        return True

    def take(self, count: int) -> bytes | None:
        """The next `count` bytes, passed over; None when the stream has fewer, and then it is at its end."""
        taken, missing = [self.buf[self.pos : self.pos + count]], count
        while (missing := missing - len(taken[-1])) > 0:
            if not self._turn():
                return None
            taken.append(self.buf[:missing])
        self.pos += len(taken[-1])
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def skip(self, count: int) -> bool:
        """Pass over `count` bytes; False when the stream has fewer, and then it is at its end."""
        while (missing := count - (len(self.buf) - self.pos)) > 0:
            if not self._turn():
                return False
            count = missing
        self.pos += count
        return True

    def find(self, mark: bytes) -> bool:
        """Pass over all before the next `mark`; False when there is none, and then all is passed."""
        while (at := self.buf.find(mark, self.pos)) < 0:
            piece = next(self._pieces, b"")
            if not piece:
                self.pos = len(self.buf)
                return False
            self._keep(max(self.pos, len(self.buf) - len(mark) + 1), piece)
        self.pos = at
        return True

    def drain(self) -> None:
        """Pass over all that is left."""
        while self._turn():
            pass

    def _keep(self, start: int, piece: bytes) -> None:
        self.base += start
        self.buf, self.pos = self.buf[start:] + piece, 0

    def _turn(self) -> bool:
        """Let go of all that is held for the next piece."""
        self.base += len(self.buf)
        self.buf, self.pos = next(self._pieces, b""), 0
        return bool(self.buf)


def header(data: bytes, at: int) -> tuple[int, int | None, int] | None:
    """An element's id, its body's size (None: unknown) and where the body begins; None when it is none."""
    if at >= len(data) or not 1 <= LENGTH[data[at]] <= 4:
        return None
    middle = at + LENGTH[data[at]]
    found = number(data, middle)
    if found is None:
        return None
    size, body = found
    return int.from_bytes(data[at:middle]), None if size == MASK[body - middle] else size, body


def number(data: bytes, at: int) -> tuple[int, int] | None:
    """A number of variable length and where it ends; None when it is not all there."""
    if at >= len(data) or not LENGTH[data[at]]:
        return None
    end = at + LENGTH[data[at]]
    if end > len(data):
        return None
    return int.from_bytes(data[at:end]) & MASK[end - at], end


def children(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The ids and bodies of the elements that make up a body; `Malformed` where it is anything else."""
    at = 0
    while at < len(body):
        ident, size, start = header(body, at) or (0, None, 0)
        if size is None or start + size > len(body):
            raise Malformed(f"no whole element at byte {at} of {len(body)}")
        at = start + size
        yield ident, body[start:at]


def uint(body: bytes) -> int:
    """The value of an unsigned element."""
    if len(body) > 8:
        raise Malformed(f"a number of {len(body)} bytes")
    return int.from_bytes(body)


def sint(body: bytes) -> int:
    """The value of a signed element."""
    if len(body) > 8:
        raise Malformed(f"a number of {len(body)} bytes")
    return int.from_bytes(body, signed=True)


def element(ident: int, *bodies: bytes) -> bytes:
    """An element written; a master element's bodies are its children."""
    body = b"".join(bodies)
    return spelled(ident) + size_of(len(body)) + body


def spelled(ident: int) -> bytes:
    """An id as it is written: it carries its own length."""
    return ident.to_bytes((ident.bit_length() + 7) // 8)


def size_of(size: int, length: int = 0) -> bytes:
    """A size as it is written, in `length` bytes or as few as hold it."""
    length = length or next(n for n in range(1, 9) if size < MASK[n])
    return (size | 1 << 7 * length).to_bytes(length)


def of_uint(ident: int, value: int, length: int = 0) -> bytes:
    """An unsigned element written, in `length` bytes or as few as hold it."""
    return element(ident, value.to_bytes(length or max(1, (value.bit_length() + 7) // 8)))


def of_sint(ident: int, value: int) -> bytes:
    """A signed element written."""
    return element(ident, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def of_real(ident: int, value: float) -> bytes:
    """A floating-point element written."""
    return element(ident, struct.pack(">d", value))


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks' bytes in pieces that are neither tiny nor huge, so that memory does not depend on them."""
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        if not chunk:
            continue
        held.append(chunk)
        size += len(chunk)
        if size >= _LEAST:
            yield from _cut(held)
            held, size = [], 0
    yield from _cut(held)


def _cut(held: list[bytes]) -> Iterator[bytes]:
    whole = held[0] if len(held) == 1 else b"".join(held)
    for at in range(0, len(whole), _PIECE):
        yield whole[at : at + _PIECE]
