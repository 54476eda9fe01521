"""How VideoSDK writes times and files, in webhooks and lists alike."""

from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def millis(told: object) -> int | None:
    """An ISO 8601 time as epoch milliseconds; None for what is no time, as minute 60 in the documents.

    REST ends it with `Z`, webhooks with `+00:00`; without either it would be a guess.

    >>> millis("1970-01-01T00:00:01.500Z"), millis("1970-01-01T01:00:01.500+01:00")
    (1500, 1500)
    >>> millis("2022-07-05T15:60:35.047+00:00"), millis("2022-07-05T15:55:35"), millis(7), millis(None)
    (None, None, None, None)
    """
    if not isinstance(told, str) or len(told) > 40 or not told.isascii():
        return None
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    at = (moment - _EPOCH) // _MILLISECOND
    return at if at >= 0 else None


def paths(told: object) -> tuple[str, ...] | None:
    """The files' paths as they were told; None where this is no list of files.

    `filePath` goes first: in a bucket of one's own `fileUrl` is null. An entry with neither names no file.

    >>> paths([{"filePath": "/a/b.webm", "fileUrl": None}, {"fileUrl": "https://x/c.webm?y"}, {}])
    ('/a/b.webm', 'https://x/c.webm')
    >>> paths(None), paths("a.webm"), paths([7])
    ((), None, None)
    """
    if told is None:
        return ()
    if not isinstance(told, list) or not all(isinstance(entry, dict) for entry in told):
        return None
    return tuple(path for entry in told if (path := _path(entry)))


def _path(entry: dict[str, Any]) -> str | None:
    match entry:
        case {"filePath": str(path)} if path:
            return path
        case {"fileUrl": str(url)} if url:
            return url.partition("?")[0]
    return None
