"""In which order a line's characters are seen: Unicode's bidirectional algorithm (UAX #9), less its controls.

Names come with controls removed, so that nobody's name reorders what is not its own; what is left are the
implicit rules, W1 to I2, over one run of text.
"""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

_STRONG = {"L": 0, "R": 1, "AL": 1}
# What is on which side; digits are written among letters that run to the left.
_SIDES = {"L": "L", "R": "R", "EN": "R", "AN": "R"}
# What goes with the character before it: marks, what joins characters, and controls, which nothing obeys.
_MARKS = {"NSM", "BN", "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def levels(text: str) -> list[int]:
    """Each character's level: even ones are read from the left, odd ones from the right."""
    kinds = [unicodedata.bidirectional(character) or "L" for character in text]
    base = next((_STRONG[kind] for kind in kinds if kind in _STRONG), 0)
    side = "R" if base else "L"
    for rule in (_marks, _after_letters, _between_digits, _beside_digits, _digits_of_latin):
        kinds = rule(kinds, side)
    kinds = _neutrals(_brackets(text, kinds, side), side)
    return [_LEVELS[base][kind] for kind in kinds]


_LEVELS = ({"L": 0, "R": 1, "AN": 2, "EN": 2}, {"R": 1, "L": 2, "AN": 2, "EN": 2})


def visual[T](items: Sequence[T], level: Callable[[T], int]) -> list[T]:
    """Items in the order in which they are seen, from left to right (L2)."""
    seen = list(items)
    highest = max(map(level, seen), default=0)
    for least in range(highest, 0, -1):
        turned: list[T] = []
        for deep, group in groupby(seen, key=lambda item: level(item) >= least):
            stretch = list(group)
            turned += stretch[::-1] if deep else stretch
        seen = turned
    return seen


def _marks(kinds: list[str], side: str) -> list[str]:
    """What goes with a character is as that one (W1)."""
    given, last = [], side
    for kind in kinds:
        last = last if kind in _MARKS else kind
        given.append(last)
    return given


def _after_letters(kinds: list[str], side: str) -> list[str]:
    """Digits after Arabic letters are Arabic (W2), and these letters like all that run to the left (W3)."""
    given, strong = [], side
    for kind in kinds:
        strong = kind if kind in _STRONG else strong
        given.append("AN" if kind == "EN" and strong == "AL" else "R" if kind == "AL" else kind)
    return given


def _between_digits(kinds: list[str], _side: str) -> list[str]:
    """One separator between two numbers of a kind is part of a number (W4)."""
    given = list(kinds)
    for place in range(1, len(kinds) - 1):
        before, kind, after = given[place - 1], kinds[place], kinds[place + 1]
        if before == after and (before, kind) in (("EN", "ES"), ("EN", "CS"), ("AN", "CS")):
            given[place] = before
    return given


def _beside_digits(kinds: list[str], _side: str) -> list[str]:
    """Signs such as that of per cent are part of the number beside them (W5)."""
    given: list[str] = []
    runs = [(kind, len(list(group))) for kind, group in groupby(kinds)]
    for place, (kind, length) in enumerate(runs):
        beside = [runs[at][0] for at in (place - 1, place + 1) if 0 <= at < len(runs)]
        given += ["EN" if kind == "ET" and "EN" in beside else kind] * length
    return given


def _digits_of_latin(kinds: list[str], side: str) -> list[str]:
    """Digits after what runs to the right do so, too (W7); W6 is in what counts as neutral."""
    given, strong = [], side
    for kind in kinds:
        strong = kind if kind in ("L", "R") else strong
        given.append("L" if kind == "EN" and strong == "L" else kind)
    return given


def _brackets(text: str, kinds: list[str], side: str) -> list[str]:
    """Both of a pair take the line's side if that is within, or else that of the letters before them (N0)."""
    given = list(kinds)
    for start, end in sorted(_pairs(text, kinds)):
        within = {_SIDES.get(kind, "") for kind in given[start + 1 : end]} - {""}
        before = next((_SIDES[kind] for kind in reversed(given[:start]) if kind in _SIDES), side)
        if within:
            given[start] = given[end] = side if side in within else before
    return given


def _pairs(text: str, kinds: list[str]) -> Iterator[tuple[int, int]]:
    """Where brackets are that belong together (BD16)."""
    opened: list[int] = []
    for place, character in enumerate(text):
        if kinds[place] != "ON":
            continue
        if character in _CLOSING:
            opened.append(place)
        for depth in range(len(opened) - 1, -1, -1):
            if character == _CLOSING[text[opened[depth]]]:
                yield opened[depth], place
                del opened[depth:]
                break


def _neutrals(kinds: list[str], side: str) -> list[str]:
    """What has no side takes that of both its neighbours, or else the line's (N1, N2)."""
    sides = [_SIDES.get(kind, "") for kind in kinds]
    given: list[str] = []
    for neutral, group in groupby(range(len(kinds)), key=lambda place: not sides[place]):
        places = list(group)
        if not neutral:
            given += [kinds[place] for place in places]
            continue
        before = sides[places[0] - 1] if places[0] else side
        after = sides[places[-1] + 1] if places[-1] + 1 < len(kinds) else side
        given += [before if before == after else side] * len(places)
    return given
