"""What a session's files are called where they are saved: by room, person, kind, product and perhaps time.

All of them fit into one folder, whoever was there and whatever they call themselves.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unicodedata import category, normalize

_OF_A_SEGMENT = frozenset({"repaired", "poster"})
_ENDING = re.compile(r"\.[A-Za-z0-9]+$")
_PART_AT_MOST = 48  # bytes: four parts of a name, with what stands between, are no more than 255
_KEPT = frozenset("LMN")  # letters of any script, their marks, and numbers


def with_file_names(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest, each of its artifacts with the `fileName` that no other of them has."""
    names = _unlike(_names(manifest))
    artifacts = [{**artifact, "fileName": next(names)} for artifact in manifest["artifacts"]]
    return {**manifest, "artifacts": artifacts}


def _names(manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    room, people = _plain(manifest["roomId"] or manifest["sessionId"]), _people(manifest["participants"])
    for artifact in manifest["artifacts"]:
        who, ending = artifact["participantId"], _ENDING.search(artifact["key"])
        person = people.get(who) or _plain(who or "")
        parts = (room, person, _plain(artifact["kind"] or ""), _plain(artifact["product"]), _when(artifact))
        yield "-".join(part for part in parts if part), ending[0] if ending else ""


def _people(participants: list[dict[str, Any]]) -> dict[str, str]:
    """What each is called: by name, and by id too where others have the same name."""
    called = {told["participantId"]: _plain(told["name"] or told["participantId"]) for told in participants}
    bearers = Counter(called.values())
    return {who: name if bearers[name] == 1 else f"{name}-{_plain(who)}" for who, name in called.items()}


def _plain(text: str) -> str:
    """A text as a part of a file's name: letters, numbers and hyphens."""
    kept = (sign if category(sign)[0] in _KEPT else " " for sign in normalize("NFC", text.lower()))
    words = "-".join("".join(kept).split())
    return words.encode()[:_PART_AT_MOST].decode(errors="ignore").strip("-")


def _when(artifact: dict[str, Any]) -> str:
    start = artifact["start"]
    if start is None or artifact["product"] not in _OF_A_SEGMENT:
        return ""
    seconds = start // 1000
    return f"{seconds // 3600:02}-{seconds // 60 % 60:02}-{seconds % 60:02}"


def _unlike(names: Iterator[tuple[str, str]]) -> Iterator[str]:
    """Each name, with a number where it was there before."""
    taken: set[str] = set()
    asked: Counter[tuple[str, str]] = Counter()
    for name, ending in names:
        told = name + ending
        while told in taken:
            asked[name, ending] += 1
            told = f"{name}-{asked[name, ending] + 1}{ending}"
        taken.add(told)
        yield told
