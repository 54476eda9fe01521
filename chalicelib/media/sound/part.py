"""What one slice of a mix leaves for the join: its packets, and what is needed to measure the whole.

A line of JSON with its length before it, then each packet with its length before it.
"""

import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from chalicelib.media.ebml import Window
from chalicelib.media.sound.level import integrated

_HEAD, _SIZE = 4, 2


@dataclass(frozen=True, slots=True)
class Part:
    """A slice of so many samples. `peak` is its true peak, 1 at full scale; `energies` are of each 100 ms."""

    samples: int
    peak: float
    energies: "array[float]"

    def front(self) -> bytes:
        """What stands before the packets."""
        told = {"samples": self.samples, "peak": self.peak, "energies": self.energies.tolist()}
        line = json.dumps(told, separators=(",", ":")).encode()
        return len(line).to_bytes(_HEAD) + line

    @staticmethod
    def packed(packets: Iterable[bytes]) -> bytes:
        """Packets as they are stored."""
        return b"".join(len(packet).to_bytes(_SIZE) + packet for packet in packets)


def loudness(parts: Sequence[Part]) -> tuple[float | None, float]:
    """Of the mix that these slices make: LUFS, and the true peak, 1 at full scale."""
    energies = array("f", chain.from_iterable(part.energies for part in parts))
    return integrated(energies), max((part.peak for part in parts), default=0.0)


def read_part(chunks: Iterable[bytes]) -> tuple[Part, Iterator[bytes]]:
    """A part, and its packets, of which the last one or two are beyond its end."""
    window = Window(chunks)
    told = json.loads(_taken(window, int.from_bytes(_taken(window, _HEAD))))
    return Part(told["samples"], told["peak"], array("f", told["energies"])), _packets(window)


def _packets(window: Window) -> Iterator[bytes]:
    while window.peek(_SIZE):
        yield _taken(window, int.from_bytes(_taken(window, _SIZE)))


def _taken(window: Window, count: int) -> bytes:
    taken = window.take(count)
    if taken is None:
        raise ValueError("a part of a mix is cut off")
    return taken
