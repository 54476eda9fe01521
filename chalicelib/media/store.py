"""Where makers read from and write to: what `ports.Store` and `ports.Writing` promise, as media knows it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from chalicelib.core.step import Made, Output


class Writing(Protocol):
    """A file whose front is given last; `size` is what was given so far, in bytes."""

    @property
    def size(self) -> int: ...

    def body(self, data: bytes) -> None:
        """The next bytes of what follows the front."""
        ...

    def front(self, data: bytes) -> None:
        """The bytes before the body; ends the file."""
        ...

    def abandon(self) -> None:
        """Leave nothing behind."""
        ...


class Store(Protocol):
    """Files by their keys, and new ones by their names below the step's target."""

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterable[bytes]:
        """A file's bytes from `start` to before `end`."""
        ...

    def write(self, name: str, content_type: str) -> Writing:
        """Begin a file."""
        ...


@contextmanager
def begun(store: Store, name: str, content_type: str) -> Iterator[Writing]:
    """A new file, of which nothing stays where its making breaks off."""
    writing = store.write(name, content_type)
    try:
        yield writing
    except BaseException:
        writing.abandon()
        raise


CONTENT_TYPES = {"jpg": "image/jpeg", "vtt": "text/vtt"}


def stored(store: Store, output: Output, name: str, data: bytes, start: int, end: int) -> Made:
    """A small file, written whole; its type is that of its name's ending."""
    content_type = CONTENT_TYPES[name.rpartition(".")[2]]
    store.write(name, content_type).front(data)
    return Made(output, name, content_type, len(data), start, end)
