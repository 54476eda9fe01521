"""All that a composition is made of, as it lies in the bucket: a line of JSON for each task.

The first line is the head; then comes one for each slice of its sound, then one for each chunk. A task is
told where its line begins and ends, and reads no other.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from typing import Any

from chalicelib.core.chunks import Chunk, Picture
from chalicelib.core.step import Step, step_of

SHEET = "sheet.jsonl"  # the name below the composition's folder

# Where a line begins and ends, in bytes.
type Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Head:
    """What is asked for, and what joins its sound: None where nobody is heard.

    The composition has [start, end) of what the sound has; milliseconds since the sound's beginning.
    """

    picture: Picture
    formats: tuple[str, ...]
    start: int
    end: int
    frames: int
    slices: int
    join: Step | None


def head_of(line: bytes) -> Head:
    """The head that `spelled` wrote."""
    told = json.loads(line)
    join = None if told["join"] is None else step_of(told["join"])
    picture, formats = Picture(**told["picture"]), tuple(told["formats"])
    return Head(**{**told, "picture": picture, "formats": formats, "join": join})


def spelled(head: Head, slices: tuple[Step, ...], chunks: tuple[Chunk, ...]) -> bytes:
    """The sheet's bytes: the same composition, the same bytes."""
    told: list[dict[str, Any]] = [asdict(head), *(s.told() for s in slices), *(c.told() for c in chunks)]
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in told)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet as it was read."""

    body: bytes

    @property
    def head(self) -> Head:
        """Its first line."""
        return head_of(self.body[slice(*self.begins)])

    @property
    def begins(self) -> Place:
        """Where its head is."""
        return self._places()[0]

    @property
    def slices(self) -> list[Place]:
        """Where the slices of the sound are."""
        return self._places()[1 : 1 + self.head.slices]

    @property
    def chunks(self) -> list[Place]:
        """Where the chunks are, in their order."""
        return self._places()[1 + self.head.slices :]

    def lines(self, places: list[Place]) -> Iterator[Any]:
        """What is said there."""
        return (json.loads(self.body[slice(*place)]) for place in places)

    def _places(self) -> list[Place]:
        lengths = (len(line) + 1 for line in self.body.splitlines())
        return list(pairwise(accumulate(lengths, initial=0)))
