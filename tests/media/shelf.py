"""The output bucket as a folder, for makers that run without AWS."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chalicelib.core.errors import NotFound

_CHUNK = 1 << 20


@dataclass
class Shelf:
    """The output bucket as a folder. `bytes_read` and `bytes_written` count what went through it."""

    folder: Path
    bytes_read: int = 0
    bytes_written: int = 0

    def path(self, key: str) -> Path:
        """Where a file lies."""
        return self.folder / key

    def data(self, key: str) -> bytes:
        """A whole file, for the test itself: it does not count."""
        return self.path(key).read_bytes()

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """A part of a file."""
        if not self.path(key).is_file():
            raise NotFound("object_gone", f"the object {key!r} is not there any more")
        with self.path(key).open("rb") as file:
            left = (self.path(key).stat().st_size if end is None else end) - file.seek(start)
            while left > 0 and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                self.bytes_read += len(chunk)
                yield chunk

    def write(self, key: str) -> "Writing":
        """Begin a file."""
        return Writing(self, key)

    def put(self, key: str, body: bytes) -> None:
        """Store a small file."""
        self.write(key).front(body)


class Writing:
    """Answers to the port `Writing`: the body lies apart until the front is there."""

    def __init__(self, shelf: Shelf, key: str) -> None:
        self._shelf, self._path, self.size = shelf, shelf.path(key), 0
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._apart = self._path.with_name(self._path.name + ".body")
        self._body = self._apart.open("wb")

    def body(self, data: bytes) -> None:
        """The next bytes behind the front."""
        self.size += len(data)
        self._body.write(data)

    def front(self, data: bytes) -> None:
        """The front; now the file is there."""
        self.size += len(data)
        self._shelf.bytes_written += self.size
        self._body.close()
        with self._path.open("wb") as file, self._apart.open("rb") as body:
            file.write(data)
            while chunk := body.read(_CHUNK):
                file.write(chunk)
        self._apart.unlink()

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._body.close()
        self._apart.unlink(missing_ok=True)


@dataclass
class Store:
    """Answers to the port `Store` for one step."""

    shelf: Shelf
    target: str

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterable[bytes]:
        """A part of any file."""
        return self.shelf.read(key, start, end)

    def write(self, name: str, _content_type: str) -> Writing:
        """Begin a file of the step."""
        return self.shelf.write(f"{self.target}/{name}")
