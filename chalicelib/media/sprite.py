"""Thumbnails of a video track on sheets, and a WebVTT file that tells which one shows what time.

One sheet is held at a time, however long the session is.
"""

from collections.abc import Sequence
from itertools import pairwise
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote

import numpy as np

from chalicelib.core.step import Made, Output, Piece
from chalicelib.media.decoding import Decoding
from chalicelib.media.jpeg import Picture, plane_sizes
from chalicelib.media.store import Store, stored

CELL = (160, 90)
_ACROSS = _DOWN = 10
_CELLS = _ACROSS * _DOWN

# Nearer together are no two thumbnails, and there are no more of them.
NEAREST_MS = 10_000
MOST = 2_000

_QUALITY = 5
_BLACK = (0, 128, 128)
_HEAD = "WEBVTT\n"

type _Plane = np.ndarray[tuple[int, int], np.dtype[np.uint8]]


class _Shown(NamedTuple):
    """A thumbnail: its time, and the how manieth it is."""

    time: int
    number: int


class Sprite:
    """Takes key frames of a track in the order of time, and writes sheets while it does.

    All times are milliseconds of the session's clock, those of the cues count from `start`. `pieces` tell
    when the camera was on: other times have no cue; without any it was on from `start` to `end`.
    """

    def __init__(
        self, output: Output, store: Store, start: int, end: int, pieces: Sequence[Piece] = ()
    ) -> None:
        self._output, self._store, self._start, self._end = output, store, start, end
        self._on = [(piece.start, piece.end) for piece in pieces] or [(start, end)]
        self._distance_ms = max(NEAREST_MS, -((start - end) // MOST))
        self._decoding = Decoding()
        self._sheet, self._shown, self._made = _Sheet(), list[_Shown](), list[Made]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._decoding.close()

    def wants(self, time_ms: int) -> bool:
        """Whether a picture of that time is of use."""
        due = self._shown[-1].time + self._distance_ms if self._shown else self._start
        return due <= time_ms < self._end

    def add(self, time_ms: int, codec: str, private: bytes, frame: bytes | memoryview, source: str) -> None:
        """A key frame; one that does not decode is passed over. `BadSegment` when its decoder dies of it."""
        picture = self._decoding.picture(source, codec, private, frame, CELL)
        if picture is None:
            return
        self._sheet.put(len(self._shown) % _CELLS, picture)
        self._shown.append(_Shown(time_ms, len(self._shown)))
        if len(self._shown) % _CELLS == 0:
            self._write_sheet(_CELLS)

    def finish(self) -> list[Made]:
        """Write what is left, and the index of all."""
        self._decoding.close()
        left = len(self._shown) % _CELLS
        if left:
            self._write_sheet(left)
        return [*self._made, self._store_file(self._output.name, self._index().encode())]

    def _write_sheet(self, cells: int) -> None:
        name = self._sheet_name(len(self._made))
        self._made.append(self._store_file(name, self._sheet.picture(cells).jpeg(_QUALITY)))
        self._sheet = _Sheet()

    def _store_file(self, name: str, data: bytes) -> Made:
        return stored(self._store, self._output, name, data, self._start, self._end)

    def _sheet_name(self, number: int) -> str:
        return f"{self._output.name.rpartition('.')[0]}-{number + 1}.jpg"

    def _index(self) -> str:
        cues = [
            f"\n{_clock(start - self._start)} --> {_clock(end - self._start)}\n{self._address(number)}\n"
            for on in self._on
            for start, end, number in _cues(self._shown, *on)
        ]
        return _HEAD + "".join(cues)

    def _address(self, number: int) -> str:
        sheet, cell = divmod(number, _CELLS)
        x, y = _corner(cell)
        return f"{quote(self._sheet_name(sheet))}#xywh={x},{y},{CELL[0]},{CELL[1]}"


def _cues(shown: Sequence[_Shown], start: int, end: int) -> list[tuple[int, int, int]]:
    """What is shown while the camera is on: the first thumbnail from its start, the last up to its end."""
    inside = [one for one in shown if start <= one.time < end]
    if not inside:
        return []
    times = [start, *(one.time for one in inside[1:]), end]
    return [(since, until, one.number) for (since, until), one in zip(pairwise(times), inside, strict=True)]


def _clock(time_ms: int) -> str:
    seconds, milliseconds = divmod(time_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"


def _corner(cell: int) -> tuple[int, int]:
    return cell % _ACROSS * CELL[0], cell // _ACROSS * CELL[1]


class _Sheet:
    """Up to ten rows of ten cells; what no picture fills is black."""

    def __init__(self) -> None:
        sizes = plane_sizes(_ACROSS * CELL[0], _DOWN * CELL[1])
        self._planes: list[_Plane] = [
            np.full((height, width), black, np.uint8)
            for (width, height), black in zip(sizes, _BLACK, strict=True)
        ]

    def put(self, cell: int, picture: Picture) -> None:
        """A picture no larger than a cell, in its middle."""
        left, top = _corner(cell)
        x = left + (CELL[0] - picture.width) // 4 * 2
        y = top + (CELL[1] - picture.height) // 4 * 2
        for plane, found, scale in zip(self._planes, _planes(picture), (1, 2, 2), strict=True):
            height, width = found.shape
            plane[y // scale : y // scale + height, x // scale : x // scale + width] = found

    def picture(self, cells: int) -> Picture:
        """The part of the sheet that so many cells take."""
        across, down = min(cells, _ACROSS), -(-cells // _ACROSS)
        width, height = across * CELL[0], down * CELL[1]
        parts = [
            plane[:rows, :columns].tobytes()
            for plane, (columns, rows) in zip(self._planes, plane_sizes(width, height), strict=True)
        ]
        return Picture(width, height, b"".join(parts))


def _planes(picture: Picture) -> list[_Plane]:
    planes, at = list[_Plane](), 0
    for width, height in plane_sizes(picture.width, picture.height):
        planes.append(np.frombuffer(picture.planes, np.uint8, width * height, at).reshape(height, width))
        at += width * height
    return planes
