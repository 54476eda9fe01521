"""A manifest in pieces: Lambda answers with no more than 6 MB.

Each piece has the whole frame, and as many participants and artifacts as fit. Laid end to end, the pieces'
participants and artifacts are the manifest's: first the session's own artifacts, then each participant with
theirs.
"""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

AT_MOST = 5_500_000  # bytes of the answer as Lambda hands it on: JSON inside of JSON

type Manifest = dict[str, Any]
type Artifact = dict[str, Any]


def piece(
    whole: Manifest, first: int, address: Callable[[Artifact], Artifact], at_most: int = AT_MOST
) -> Manifest:
    """The piece that begins with the item of this number; `cursor` is the number of the item that the next
    begins with, or None. Each artifact is given its address, which only what is in the piece needs."""
    told: Manifest = {**whole, "participants": [], "artifacts": []}
    size = _size(told)
    for field, item in islice(_items(whole), first, None):
        item = address(item) if field == "artifacts" else item
        size += _size(item)
        count = len(told["participants"]) + len(told["artifacts"])
        if count and size > at_most:
            return {**told, "cursor": str(first + count)}
        told[field].append(item)
    return {**told, "cursor": None}


def _items(whole: Manifest) -> Iterator[tuple[str, dict[str, Any]]]:
    of: dict[str | None, list[Artifact]] = {}
    for artifact in whole["artifacts"]:
        of.setdefault(artifact["participantId"], []).append(artifact)
    yield from (("artifacts", artifact) for artifact in of.pop(None, []))
    for participant in whole["participants"]:
        yield "participants", participant
        yield from (("artifacts", artifact) for artifact in of.pop(participant["participantId"], []))
    # A file that lies under another participant's name than its recording's.
    yield from (("artifacts", artifact) for artifacts in of.values() for artifact in artifacts)


def _size(told: Any) -> int:
    return len(json.dumps(json.dumps(told)))
