"""Whatever people, rooms and files are called: keys stay where they belong, and say one thing each."""

import json
import random
from collections.abc import Callable, Iterator
from urllib.parse import quote_plus

import pytest

from chalicelib.core import ids
from chalicelib.core.errors import Invalid
from chalicelib.core.trigger import Appeared, appeared
from tests.tally import Tally

PREFIX = "rec/team"
NASTY = [
    "..", ".", "../..", "%2e%2e", "%2F", "a/b", "/", "//", "\\", "~", "~0", "#", "?", "+", " ", "%", "%25",
    "\0",
    "\n", "\r\n", "\x7f", "\u202e", "\u200b", "\ufeff", "\ufffd", "\ud800", "\udfff", "e\u0301", "é",
    "\u212b", "Å", "\ufb01", "İ", "ß", "SS", "\U0001d4b3", "🎥", "👩‍👩‍👧", "א", "\u0627", "CON", "nul", "-",
    "--help", "'", '"', "`", "$(x)", "{}", "*", "audio", "video", "rec", "rec-" + "0" * 32, "sessions",
    "manifest-", "x" * 63, "x" * 64, "x" * 65, "x" * 128, "é" * 64, "🎥" * 128, "x" * 129, "",
]  # fmt: skip
CHARACTERS = "abXY09_-.~@:+= /\\%\0\n\u202eé\u0301İß🎥א\ud800\uffff"
FILES = ("track_1750000000000.webm", "1750000000000.webm", "odd name +%.webm", "..webm", "🎥.webm", "x")


def names(many: int, seed: int) -> Iterator[str]:
    """So many different ones: what is known to break things, and chance."""
    chance, seen = random.Random(seed), set(NASTY)
    yield from NASTY
    while len(seen) < many:
        alphabet = (
            CHARACTERS if chance.random() < 0.5 else [chr(chance.randrange(0x110000)) for _ in range(8)]
        )
        name = "".join(chance.choices(alphabet, k=chance.choice([1, 2, 5, 20, 64, 127, 128])))
        if name not in seen:
            seen.add(name)
            yield name


def messages(key: str) -> list[str]:
    """What S3 and EventBridge say of an object of this key."""
    told = {"bucket": {"name": "b"}, "object": {"key": quote_plus(key)}}
    notification = {"Records": [{"eventName": "ObjectCreated:Put", "s3": told}]}
    bridged = {"detail-type": "Object Created", "detail": {"bucket": {"name": "b"}, "object": {"key": key}}}
    return [json.dumps(notification), json.dumps(bridged)]


def placed(key: str) -> ids.Place | None:
    """Where a delivered object belongs, if anywhere."""
    try:
        return ids.place(key, PREFIX)
    except Invalid:
        return None


def is_inside(key: str, folder: str) -> bool:
    """Whether an output's key lies in its folder and is a plain name there, in S3 and on any disk."""
    parts = key.split("/")
    plain = all(part not in ("", ".", "..") and part.isascii() and part.isprintable() for part in parts)
    return key.startswith(folder) and plain and len(key.encode()) <= 1024


@pytest.mark.invariant(25, "keys stay inside of their prefix, whatever the names, and no two names share one")
def test_whatever_the_names_their_keys_are_inside_and_their_own(
    tally: Tally, size: Callable[[int, int], int]
) -> None:
    chance = random.Random(tally.seed)
    spelled: dict[str, str] = {}
    for name in names(size(3_000, 100_000), tally.seed):
        tally.case()
        part = ids.safe_part(name)
        if spelled.setdefault(part, name) != name:
            tally.violation(f"{name!r} and {spelled[part]!r} share the key part {part}")
        if not is_inside(ids.manifest_key(name, "0" * 16), f"sessions/{part}/"):
            tally.violation(f"the manifest of {name!r} lies at {ids.manifest_key(name, '0' * 16)!r}")
        session, person = (name, "ann") if chance.random() < 0.5 else ("s", name)
        where = placed(f"{PREFIX}/{session}/{person}/audio/{chance.choice(FILES)}")
        if where is not None:
            key = ids.artifact_key(where, "repaired", "0" * 16, "webm")
            folder = (
                f"sessions/{ids.safe_part(where.session_id)}/{ids.safe_part(where.participant_id)}/audio/"
            )
            # A slash begins another part of a key, whoever wrote it.
            told = "/" in name or (where.session_id, where.participant_id) == (session, person)
            if not told or not is_inside(key, folder):
                tally.violation(f"{session!r} and {person!r} are placed at {where} and {key!r}")


@pytest.mark.invariant(25, "a key comes back from S3's and EventBridge's events as it was")
def test_a_key_comes_back_from_the_buckets_events(tally: Tally, size: Callable[[int, int], int]) -> None:
    for name in names(size(3_000, 100_000), tally.seed + 1):
        if any("\ud800" <= character <= "\udfff" for character in name):
            continue  # S3 has no such key
        tally.case()
        key = f"{PREFIX}/s/{name}/audio/1750000000000.webm"
        for message in messages(key):
            if appeared(message) != [Appeared("b", key)]:
                tally.violation(f"{key!r} came back as {appeared(message)}")


@pytest.mark.invariant(25, "no two tracks share the recording of what was never announced")
def test_no_two_recordings_of_different_tracks_share_an_id(
    tally: Tally, size: Callable[[int, int], int]
) -> None:
    chance, seen = random.Random(tally.seed), dict[str, tuple[str, ...]]()
    for name in names(size(3_000, 100_000), tally.seed + 2):
        track = (name, chance.choice(NASTY), chance.choice(ids.KINDS))
        if any(
            "\ud800" <= character <= "\udfff" or character == "\0" for part in track for character in part
        ):
            continue  # no key tells such a name
        tally.case()
        found = ids.unannounced_id(*track)
        if seen.setdefault(found, track) != track or not ids.is_recording_id(found):
            tally.violation(f"{track} and {seen[found]} share {found}")


def test_a_key_that_leaves_its_folder_is_seen() -> None:
    folder = "sessions/x/"

    outside = ["sessions/y/a", "sessions/x/../a", "sessions/x//a", "sessions/x/é", "sessions/x/" + "a" * 1020]

    assert not [key for key in outside if is_inside(key, folder)]
    assert is_inside("sessions/x/a.webm", folder)
