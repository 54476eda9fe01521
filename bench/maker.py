"""One function's work in a process of its own, to be measured: `python -m bench.maker FOLDER JOB`.

JOB is a file of JSON: `{"repair": [[source, target], …]}` or `{"steps": [step, …]}`. Prints what went through
the buckets. Nothing is imported that the function would not import.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.media.shelf import Shelf, Store, Writing


class Parts(Shelf):
    """Keeps what is written as S3 gets it: a body as it comes, and its front apart."""

    def write(self, key: str) -> Writing:
        """Begin a file."""
        return Part(self, f"{key}.part")


class Part(Writing):
    """A file whose front lies beside it."""

    def front(self, data: bytes) -> None:
        """The front; the file is ended."""
        self.size += len(data)
        self._shelf.bytes_written += self.size
        self._body.close()
        self._path.write_bytes(data)


def main() -> None:
    """Do the job."""
    shelf, job = Parts(Path(sys.argv[1])), json.loads(Path(sys.argv[2]).read_text())
    read = sum(_repaired(shelf, *pair) for pair in job.get("repair", ()))
    for told in job.get("steps", ()):
        _made(shelf, told)
    print(json.dumps({"read": read + shelf.bytes_read, "written": shelf.bytes_written}))


def _repaired(shelf: Shelf, source: str, target: str) -> int:
    from chalicelib.core.ids import index_key
    from chalicelib.media.repair import repair

    found = repair(_chunks(Path(source)), shelf.write(target))
    shelf.put(index_key(target), found.index)
    return found.scan.bytes_read


def _chunks(source: Path) -> Iterator[bytes]:
    with source.open("rb", 0) as file:
        while chunk := file.read(1 << 20):
            yield chunk


def _made(shelf: Shelf, told: dict[str, object]) -> None:
    from chalicelib.core.step import step_of

    step = step_of(told)
    store = Store(shelf, step.target)
    if step.maker == "copies":
        from chalicelib.media.copies import copies

        copies(step, store)
    elif step.maker == "poster":
        from chalicelib.media.poster import make_poster

        make_poster(step, store)
    elif step.maker == "sound":
        from chalicelib.media.sound.make import sound

        sound(step, store)
    else:
        raise ValueError(step.maker)


if __name__ == "__main__":
    main()
