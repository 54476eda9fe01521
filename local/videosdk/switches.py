"""What is unknown of the real service, as switches. Each has a default with its reason.

The fact sheet's marks are kept: [D] official docs, [C] official client code, [I] inferred, [U] unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self, get_args, get_type_hints


@dataclass(frozen=True, slots=True)
class Switches:
    """One setting of every switch.

    - `leading_slash`: `filePath` in `stopped` begins with `/`, as in the docs' example of it [D
      API/user-webhooks]. The list's `filePath` never has one [D API/fetch-all-track-recording].
    - `keep_individual_recordings`: the key has `individual-recordings/` between `bucketDirPath` and the
      usual path. VideoSDK's own CDN has it [D]; "the usual recording path" has not [D GUIDE/record-track];
      for a customer's bucket it is unknown [U].
    - `trim_slashes`: slashes around `bucketDirPath` are trimmed before it is joined [U]; else `//` may
      result.
    - `upload`: whether a recording's files are in the bucket before its `stopped` is sent, or come after it
      [U].
    - `file_url`: what `fileUrl` holds for a customer's bucket: `null` [S NOTE], or an address.
    - `stopped_per`: one `stopped` with all files in `fileDetails`, as documented by an array [D], or one
      per file [U].
    - `error_body`: an object with `message`, or a bare string; the vendor's client reads both [C
      NPM:http/errors.ts].
    - `not_found_status`: 404 or 402, "the API uses both" [C NPM:http/errors.ts].
    - `second_start`: what a start of a running track gets: `accepted`, changing nothing, or 409 [U].
    - `stop_on_leave_webhook`: whether a recording that ends because its participant left tells `stopping`
      and `stopped` [U]. That it ends is known [C PYA:room/room.py].
    - `webhook_retries`: how often an unsuccessful delivery is tried again [U].
    """

    leading_slash: bool = True
    keep_individual_recordings: bool = False
    trim_slashes: bool = True
    upload: Literal["before", "after"] = "before"
    file_url: Literal["null", "url"] = "null"
    stopped_per: Literal["recording", "file"] = "recording"
    error_body: Literal["object", "string"] = "object"
    not_found_status: Literal[404, 402] = 404
    second_start: Literal["accepted", "conflict"] = "accepted"
    stop_on_leave_webhook: bool = True
    webhook_retries: int = 0

    def turned(self, values: Mapping[str, Any]) -> Self:
        """These switches with some of them set anew; `ValueError` names what may be set."""
        hints = get_type_hints(type(self))
        return replace(self, **{name: _setting(name, value, hints) for name, value in values.items()})

    def told(self) -> dict[str, Any]:
        """As they stand in JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _setting(name: str, value: Any, hints: Mapping[str, Any]) -> Any:
    """The value as the switch's own type; words are read as a command line has them."""
    if name not in hints:
        raise ValueError(f"there is no switch {name!r}; there are {', '.join(sorted(hints))}")
    allowed = _allowed(hints[name])
    found = [choice for choice in allowed if _spelled(choice) == _spelled(value)]
    if not found:
        raise ValueError(f"{name} may be {', '.join(map(_spelled, allowed))}, not {_spelled(value)}")
    return found[0]


def _allowed(hint: Any) -> tuple[Any, ...]:
    if hint is bool:
        return (True, False)
    return tuple(range(11)) if hint is int else get_args(hint)


def _spelled(value: Any) -> str:
    spellings = {"True": "true", "False": "false", "None": "null"}
    return spellings.get(str(value), str(value))
