"""Who speaks, from how loud everybody is: a new speaker has to hold the floor before the stage is theirs.

A recording is composed when it is over, so that the stage changes when the new speaker began, not when it had
become clear that they would go on.
"""

from collections import Counter, deque
from collections.abc import Sequence

LEVEL_MS = 100  # what one level stands for
LOUD = 4  # of 128, about -30 dB of full scale: less is no speech
WINDOW = 20  # levels that are looked at
HELD = 12  # of them, in which the new speaker was the loudest: words have pauses between them
APART_MS = 3_000  # between two changes, at least

_HEADER = 24  # bytes of audiowaveform's data format, version 2
_PAIRS = LEVEL_MS // 10
_NOBODY = -1
# From a signed byte to how far it is from zero.
_LOUDNESS = bytes(value if value < 128 else 256 - value for value in range(256))


def levels(peaks: bytes) -> bytes:
    """Levels of 0 to 128, one each 100 ms, of a peaks file in its binary form (`media/sound/peaks.py`)."""
    loudness = peaks[_HEADER:].translate(_LOUDNESS)
    return bytes(max(loudness[at : at + 2 * _PAIRS]) for at in range(0, len(loudness), 2 * _PAIRS))


def turns(heard: Sequence[bytes]) -> list[tuple[int, int]]:
    """When who takes the stage: milliseconds, rising, and the place among `heard`, each of whose levels begin
    at session zero. Nobody has it before the first turn."""
    found: list[tuple[int, int]] = []
    longest = max(map(len, heard), default=0)
    window: deque[int] = deque(maxlen=WINDOW)
    for step, values in enumerate(zip(*(one.ljust(longest, b"\0") for one in heard), strict=True)):
        since, current = found[-1] if found else (-APART_MS, _NOBODY)
        window.append(_loudest(values, current))
        now = (step + 1) * LEVEL_MS
        [(who, count)] = Counter(window).most_common(1)
        if who in (current, _NOBODY) or count < HELD or now < since + APART_MS:
            continue
        began = (step + 1 - len(window) + window.index(who)) * LEVEL_MS
        found.append((max(began, since + APART_MS), who))
    return found


def _loudest(values: tuple[int, ...], current: int) -> int:
    """Of several who are equally loud the one who has the stage, else the first."""
    most = max(values)
    if most < LOUD:
        return _NOBODY
    return current if current != _NOBODY and values[current] == most else values.index(most)
