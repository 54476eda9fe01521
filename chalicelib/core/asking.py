"""Reading a request for a composition: each refusal names the field, its fault and what would be right.

| field         | is                                                                   | if not given       |
|---------------|----------------------------------------------------------------------|--------------------|
| layout        | grid, speaker, stage, single, or `{"regions": […]}`                  | grid               |
| width, height | even, 160 to 1920, together no more pixels than 1920x1080            | 1280, 720          |
| frameRate     | one of `FRAME_RATES`                                                 | 30                 |
| range         | `{"start": ms, "end": ms}` since session zero                        | all of the session |
| participants  | who is seen and heard: ids or patterns with `*`; their order counts  | all, by arrival    |
| background    | `#rrggbb`                                                            | `BACKGROUND`       |
| names         | whether names are drawn over videos                                  | true               |
| formats       | of mp4 and hls                                                       | both               |
| quality       | low, medium or high                                                  | medium             |

A region has x, y, width and height in per cent of the canvas, at most 100 together; and if need be z (from
-99 to 99; of equal ones the later lies above), participants and exclude (patterns), kinds (video for people,
screen_video; both if not given), columns and rows, and what becomes of those for whom there is no room: reuse
is show_oldest, or show_newest where who comes later takes the place of who came first.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from chalicelib.core.cast import PICTURES
from chalicelib.core.composition import CUSTOM, SHORTEST_MS, Region, Request
from chalicelib.core.errors import Invalid
from chalicelib.core.layouts import SEATS
from chalicelib.core.timeline import DAY_MS

BACKGROUND = "#14171a"
LAYOUTS = ("grid", "speaker", "stage", "single")
FRAME_RATES = (10, 12, 15, 20, 24, 25, 30, 50, 60)  # each divides the stream's clock of 90 kHz
FORMATS = ("mp4", "hls")
QUALITIES = ("low", "medium", "high")
REUSE = ("show_oldest", "show_newest")
SIDES = (160, 1920)
PIXELS_AT_MOST = 1920 * 1080
REGIONS_AT_MOST = 16
REGION_AT_LEAST = 32  # pixels: 25 tiles have room in it
PATTERNS_AT_MOST, PATTERN_AT_MOST = 256, 128


class _Field(NamedTuple):
    """What a field is when it is not given, how it is read, None meaning not at all, and what is right."""

    default: Any
    read: Callable[[Any], Any]
    expected: str


def request_of(told: Mapping[str, Any]) -> Request:
    """The request that a body's JSON object makes; `Invalid` where it makes none."""
    _known(told, "", _FIELDS)
    said = {name: _value(told, name, "", _FIELDS) for name in _FIELDS}
    if said["width"] * said["height"] > PIXELS_AT_MOST:
        fault = f"{said['width']}x{said['height']} is too large"
        raise Invalid("invalid_width", fault, "width", "width and height of no more pixels than 1920x1080")
    start, end = _range(said["range"])
    regions = _regions(said["layout"], said["width"], said["height"])
    return Request(
        layout=CUSTOM if regions else said["layout"],
        width=said["width"],
        height=said["height"],
        frame_rate=said["frameRate"],
        start=start,
        end=end,
        participants=said["participants"],
        background=said["background"],
        names=said["names"],
        formats=said["formats"],
        quality=said["quality"],
        regions=regions,
    )


# --- parts --------------------------------------------------------------------------------------------


def _range(told: Mapping[str, Any]) -> tuple[int, int | None]:
    _known(told, "range.", _RANGE)
    start = _value(told, "start", "range.", _RANGE)
    end = _value(told, "end", "range.", _RANGE) if "end" in told else None
    if end is not None and end < start + SHORTEST_MS:
        fault = "range ends too soon after its start"
        raise Invalid("invalid_range", fault, "range.end", f"at least {start + SHORTEST_MS}")
    return start, end


def _regions(told: Any, width: int, height: int) -> tuple[Region, ...]:
    if isinstance(told, str):
        return ()
    _known(told, "layout.", _CUSTOM)
    regions = _value(told, "regions", "layout.", _CUSTOM)
    return tuple(
        _region(region, f"layout.regions[{place}]", width, height) for place, region in enumerate(regions)
    )


def _region(told: Any, where: str, width: int, height: int) -> Region:
    if not isinstance(told, Mapping):
        raise _wrong(where, told, f"an object with {', '.join(_REGION)}")
    _known(told, f"{where}.", _REGION)
    said = {name: _value(told, name, f"{where}.", _REGION) for name in _REGION}
    for edge, side, pixels in (("x", "width", width), ("y", "height", height)):
        if said[edge] + said[side] > 100:
            fault = f"{where} ends at {said[edge] + said[side]:g} per cent of the canvas"
            raise Invalid("invalid_region", fault, f"{where}.{side}", f"at most {100 - said[edge]:g}")
        if said[side] * pixels < 100 * REGION_AT_LEAST:
            fault = f"{where} has a {side} of less than {REGION_AT_LEAST} pixels"
            least = f"at least {100 * REGION_AT_LEAST / pixels:.4g}"
            raise Invalid("invalid_region", fault, f"{where}.{side}", least)
    return Region(**said)


def _known(told: Mapping[str, Any], where: str, fields: Mapping[str, _Field]) -> None:
    for name in told:
        if name not in fields:
            fault = f"there is no field {where}{name[:64]}"
            raise Invalid("unknown_field", fault, f"{where}{name[:64]}", f"only {', '.join(fields)}")


def _value(told: Mapping[str, Any], name: str, where: str, fields: Mapping[str, _Field]) -> Any:
    default, read, expected = fields[name]
    given = told.get(name, default)
    value = read(given)
    if value is None:
        raise _wrong(f"{where}{name}", given, expected)
    return value


def _wrong(field: str, given: Any, expected: str) -> Invalid:
    code = re.sub(r"(?<!^)(?=[A-Z])", "_", field.partition(".")[0]).lower()
    fault = f"{field} is missing" if given is None else f"{field} can not be {json.dumps(given)[:80]}"
    return Invalid(f"invalid_{code}", fault, field, expected)


# --- what a value may be ------------------------------------------------------------------------------


def _one_of(*values: Any) -> Callable[[Any], Any]:
    return lambda given: next((value for value in values if value == given), None)


def _flag(given: Any) -> bool | None:
    return given if isinstance(given, bool) else None


def _whole(least: int, most: int, step: int = 1) -> Callable[[Any], Any]:
    def read(given: Any) -> int | None:
        fine = type(given) is int and least <= given <= most and given % step == 0
        return given if fine else None

    return read


def _per_cent(given: Any) -> float | None:
    return float(given) if type(given) in (int, float) and 0 <= given <= 100 else None


def _list(given: Any) -> list[Any] | None:
    fine = isinstance(given, list) and 1 <= len(given) <= REGIONS_AT_MOST
    return given if fine else None


def _some(read: Callable[[Any], Any], most: int, least: int = 1) -> Callable[[Any], Any]:
    """A list of so many values, each once."""

    def values(given: Any) -> tuple[Any, ...] | None:
        if not isinstance(given, list | tuple) or not least <= len(given) <= most:
            return None
        found = tuple(read(one) for one in given)
        return None if None in found else tuple(dict.fromkeys(found))

    return values


def _in_order(values: tuple[str, ...]) -> Callable[[Any], Any]:
    """Some of these, whose order says nothing."""
    read = _some(_one_of(*values), len(values))

    def ordered(given: Any) -> tuple[str, ...] | None:
        found = read(given)
        return found and tuple(value for value in values if value in found)

    return ordered


def _pattern(given: Any) -> str | None:
    fine = isinstance(given, str) and 1 <= len(given) <= PATTERN_AT_MOST
    return given if fine else None


def _color(given: Any) -> str | None:
    fine = isinstance(given, str) and re.fullmatch(r"#[0-9A-Fa-f]{6}", given)
    return given.lower() if fine else None


def _object(given: Any) -> Mapping[str, Any] | None:
    return given if isinstance(given, Mapping) else None


def _layout(given: Any) -> Any:
    return given if isinstance(given, Mapping) else _one_of(*LAYOUTS)(given)


_COLUMNS = _Field(SEATS, _whole(1, SEATS), f"a whole number from 1 to {SEATS}")
_PATTERNS = f"up to {PATTERNS_AT_MOST} ids of participants, or patterns with * for any characters"
_SIDE = f"an even number from {SIDES[0]} to {SIDES[1]}"

_FIELDS = {
    "layout": _Field(
        "grid",
        _layout,
        f"{', '.join(LAYOUTS)}, or an object with regions",
    ),
    "width": _Field(1280, _whole(*SIDES, 2), _SIDE),
    "height": _Field(720, _whole(*SIDES, 2), _SIDE),
    "frameRate": _Field(30, _one_of(*FRAME_RATES), f"one of {', '.join(map(str, FRAME_RATES))}"),
    "range": _Field({}, _object, "an object with start, end or both"),
    "participants": _Field(("*",), _some(_pattern, PATTERNS_AT_MOST), f"1 {_PATTERNS}"),
    "background": _Field(BACKGROUND, _color, "a color as #rrggbb"),
    "names": _Field(True, _flag, "true or false"),
    "formats": _Field(FORMATS, _in_order(FORMATS), f"a list of {' and '.join(FORMATS)}, or of one"),
    "quality": _Field("medium", _one_of(*QUALITIES), ", ".join(QUALITIES)),
}
FIELDS = frozenset(_FIELDS)
_TIME = "milliseconds since session zero, a whole number up to a day"
_RANGE = {
    "start": _Field(0, _whole(0, DAY_MS), _TIME),
    "end": _Field(None, _whole(0, DAY_MS), _TIME),
}
_CUSTOM = {
    "regions": _Field(None, _list, f"a list of 1 to {REGIONS_AT_MOST} regions"),
}
_REGION = {
    **dict.fromkeys(("x", "y", "width", "height"), _Field(None, _per_cent, "a number from 0 to 100")),
    "z": _Field(0, _whole(-99, 99), "a whole number from -99 to 99"),
    "participants": _Field(("*",), _some(_pattern, PATTERNS_AT_MOST), f"1 {_PATTERNS}"),
    "exclude": _Field((), _some(_pattern, PATTERNS_AT_MOST, 0), _PATTERNS),
    "kinds": _Field(PICTURES, _in_order(PICTURES), f"a list of {' and '.join(PICTURES)}, or of one"),
    "columns": _COLUMNS,
    "rows": _COLUMNS,
    "reuse": _Field("show_oldest", _one_of(*REUSE), " or ".join(REUSE)),
}
