"""What an id may look like, and the grammar of the keys that objects lie under.

VideoSDK delivers to `{bucketDirPath}/{sessionId}/{participantId}/{kind}/{file}`; we send a
`bucketDirPath` that ends in the recording's id, so the id comes back in the key. How VideoSDK joins
the two is undocumented: a key is read from its last four parts, and empty parts, leading slashes and
anything between are tolerated.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum

from chalicelib.core.errors import Invalid


class Kind(StrEnum):
    """What VideoSDK can record of a participant."""

    AUDIO = "audio"
    VIDEO = "video"
    SCREEN_AUDIO = "screen_audio"
    SCREEN_VIDEO = "screen_video"


KINDS = tuple(kind.value for kind in Kind)

_RECORDING_ID = re.compile(r"rec-[0-9a-f]{32}")
_ID_AT_MOST = 128  # DynamoDB's sort keys end at 1024 bytes
_EXTERNAL_ID = re.compile(rf"(?!\.+$)[A-Za-z0-9_.@:+=~-]{{1,{_ID_AT_MOST}}}")
_TOLD_ID = re.compile(rf"[^/\x00-\x1f\x7f]{{1,{_ID_AT_MOST}}}")
_PLAIN_PART = re.compile(r"[A-Za-z0-9_-]{1,64}")
_STAMP = re.compile(r"(?<!\d)(\d{13})(?=\.[A-Za-z0-9]+$)")


def is_recording_id(text: str) -> bool:
    """Whether the text has the form of an id that `recording_id` mints."""
    return _RECORDING_ID.fullmatch(text) is not None


def recording_id(random: bytes) -> str:
    """The id of a new recording, from 16 random bytes."""
    return f"rec-{random.hex()}"


def unannounced_id(session_id: str, participant_id: str, kind: str) -> str:
    """The id of the recording that unannounced segments of one kind of one participant belong to."""
    told = "\0".join((session_id, participant_id, kind)).encode()
    return f"rec-{hashlib.sha256(told).hexdigest()[:32]}"


def external_id(text: object, field: str) -> str:
    """A room's, session's or participant's id as VideoSDK has it; `Invalid` when it can not be one."""
    if isinstance(text, str) and _EXTERNAL_ID.fullmatch(text):
        return text
    raise Invalid(
        f"invalid_{_snake(field)}",
        f"{field} is not an id",
        field,
        "1 to 128 of the characters A-Z a-z 0-9 _ . @ : + = ~ -, and not dots alone",
    )


def told_id(text: str, field: str) -> str:
    """A session's or participant's id as a delivered key may tell it; `Invalid` when no key could."""
    if _TOLD_ID.fullmatch(text) and _is_text(text):
        return text
    raise Invalid(
        f"invalid_{_snake(field)}",
        f"{field} is not an id",
        field,
        f"1 to {_ID_AT_MOST} characters without slashes and control characters",
    )


def known_recording_id(text: object, field: str = "recordingId") -> str:
    """An id of the form that we mint; `Invalid` otherwise."""
    if isinstance(text, str) and is_recording_id(text):
        return text
    raise Invalid("invalid_recording_id", f"{field} is not a recording's id", field, "rec- and 32 of 0-9 a-f")


def webhook_token(key: bytes, recording_id: str, told: tuple[str, str, str]) -> str:
    """The last part of a recording's webhook URL; `told` is its room, participant and kind.

    Two keyed hashes follow the id. The first proves that we made the URL; the second ties it to what
    every delivery must say of itself, so that agreement is checked without a look into the ledger.
    """
    return f"{recording_id}.{_keyed(key, recording_id)}{_keyed(key, recording_id, *told)}"


def recording_of_token(key: bytes, token: str) -> str | None:
    """The recording whose webhook URL ends in this token, or None when we never made that URL."""
    claimed, _, given = token.partition(".")
    if not is_recording_id(claimed) or len(given) != 2 * _HASH:
        return None
    return claimed if _same(given[:_HASH], _keyed(key, claimed)) else None


def token_agrees(key: bytes, token: str, told: tuple[str, str, str]) -> bool:
    """Whether a delivery that says this of itself belongs to the token's recording."""
    claimed, _, given = token.partition(".")
    return _same(given[_HASH:], _keyed(key, claimed, *told))


_HASH = 32


# --- shares


def share_id(random: bytes) -> str:
    """The id of a new share, from 16 random bytes."""
    return f"share-{random.hex()}"


def known_share_id(text: str) -> str:
    """An id of the form that `share_id` mints; `Invalid` otherwise."""
    if _SHARE_ID.fullmatch(text):
        return text
    raise Invalid("invalid_share_id", "shareId is not a share's id", "shareId", "share- and 32 of 0-9 a-f")


def share_token(key: bytes, session_id: str, share_id: str) -> str:
    """What opens a share: where its facts lie, and a keyed hash that proves that we made it."""
    return f"{_where(session_id)}.{share_id}.{_keyed(key, _SHARE, session_id, share_id)}"


def share_of_token(key: bytes, token: str) -> tuple[str, str] | None:
    """Session and share of a token, or None when we never made it. No ledger is asked."""
    where, _, rest = token.partition(".")
    claimed, _, given = rest.partition(".")
    try:
        session_id = urlsafe_b64decode(where.encode("ascii") + b"==").decode()
    except ValueError:
        return None
    # One share has one token: Base64 would let others be read as it.
    if where != _where(session_id) or not _SHARE_ID.fullmatch(claimed):
        return None
    proven = _same(given, _keyed(key, _SHARE, session_id, claimed))
    return (session_id, claimed) if proven else None


# --- compositions


def known_composition_id(text: str) -> str:
    """An id of the form that `core/composition.py` gives; `Invalid` otherwise."""
    if _COMPOSITION_ID.fullmatch(text):
        return text
    fault, expected = "compositionId is not a composition's id", "comp- and 32 of 0-9 a-f"
    raise Invalid("invalid_composition_id", fault, "compositionId", expected)


def stream_token(key: bytes, session_id: str, composition_id: str, until: int) -> str:
    """What opens the files of a composition's stream, to players that can send no header: until when, and a
    keyed hash that proves that we said so."""
    return f"{until}.{_keyed(key, _STREAM, session_id, composition_id, str(until))}"


def stream_opens(key: bytes, token: str, session_id: str, composition_id: str, now: int) -> bool:
    """Whether a token is of this composition, and not over. No ledger is asked."""
    told, _, given = token.partition(".")
    if not (told.isascii() and told.isdecimal() and len(told) < 16 and now < int(told)):
        return False
    return _same(given, _keyed(key, _STREAM, session_id, composition_id, told))


_STREAM = "stream"
_COMPOSITION_ID = re.compile(r"comp-[0-9a-f]{32}")


def _where(session_id: str) -> str:
    return urlsafe_b64encode(session_id.encode()).decode().rstrip("=")


_SHARE = "share"  # so that no share's hash is one of a webhook's address, which begins with a recording's id
_SHARE_ID = re.compile(r"share-[0-9a-f]{32}")


def _keyed(key: bytes, *parts: str) -> str:
    told = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hmac.new(key, told, hashlib.sha256).hexdigest()[:_HASH]


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode())


@dataclass(frozen=True, slots=True)
class Place:
    """Where a delivered object belongs. `stamp_at` is the epoch-millisecond stamp of its file name."""

    recording_id: str
    announced: bool
    session_id: str
    participant_id: str
    kind: Kind
    file: str
    stamp_at: int | None


_VENDORS_OWN = "individual-recordings"
# What may stand before our path in a key: nothing, a slash, or the folder of VideoSDK's own CDN (facts that
# only a delivery can settle). The template's rule and the policies name the same three.
LEADS = ("", "/", f"{_VENDORS_OWN}/")


def place(key: str, bucket_dir_path: str) -> Place:
    """Read a delivered object's key; `Invalid` when it names no segment under `bucket_dir_path`."""
    parts = [part for part in key.split("/") if part]
    if parts[:1] == [_VENDORS_OWN]:
        parts = parts[1:]
    prefix = [part for part in bucket_dir_path.split("/") if part]
    if parts[: len(prefix)] != prefix:
        raise _misplaced(key, f"keys under {bucket_dir_path}/")
    rest = parts[len(prefix) :]
    if len(rest) < 4 or rest[-2] not in KINDS or ".." in rest:
        raise _misplaced(key, f"{bucket_dir_path}/…/{{sessionId}}/{{participantId}}/{{kind}}/{{file}}")
    session_id, participant_id, kind, file = rest[-4:]
    if not (_TOLD_ID.fullmatch(session_id) and _TOLD_ID.fullmatch(participant_id) and _is_text(key)):
        raise _misplaced(key, f"ids of at most {_ID_AT_MOST} characters, none of them broken or for control")
    minted = next((part for part in rest[:-4] if is_recording_id(part)), None)
    return Place(
        recording_id=minted or unannounced_id(session_id, participant_id, kind),
        announced=minted is not None,
        session_id=session_id,
        participant_id=participant_id,
        kind=Kind(kind),
        file=file,
        stamp_at=stamp(file),
    )


def stamp(file: str) -> int | None:
    """The 13-digit epoch-millisecond stamp before a file's extension (docs: fetch-all-track-recording)."""
    found = _STAMP.search(file)
    return int(found.group(1)) if found else None


def file_name(path: str) -> str:
    """The last part of a path, which is all that webhook, list and bucket agree upon."""
    return path.rstrip("/").rpartition("/")[2]


def safe_part(text: str) -> str:
    """A key part that stands for any text: the text itself where it is plain, else a hash behind `~`."""
    if _PLAIN_PART.fullmatch(text):
        return text
    return f"~{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def input_digest(bucket: str, key: str, etag: str, recipe: str) -> str:
    """What an artifact's key is computed from: the exact input and the recipe that it was made by."""
    told = "\0".join((bucket, key, etag.strip('"'), recipe)).encode("utf-8", "surrogatepass")
    return hashlib.sha256(told).hexdigest()[:16]


def artifact_key(where: Place, product: str, digest: str, extension: str) -> str:
    """Where an artifact of one segment lies in the output bucket."""
    return "/".join(
        (
            "sessions",
            safe_part(where.session_id),
            safe_part(where.participant_id),
            where.kind,
            f"{product}-{where.stamp_at or 'unstamped'}-{digest}.{extension}",
        )
    )


def index_key(repaired_key: str) -> str:
    """Where the sidecar index of a repaired file lies.

    >>> index_key("sessions/s/anna/audio/repaired-1-0f.webm")
    'sessions/s/anna/audio/index-1-0f.json'
    """
    folder, slash, file = repaired_key.rpartition("/")
    stem = file.rpartition(".")[0].partition("-")[2]
    return f"{folder}{slash}index-{stem}.json"


def generation(key: str, number: int) -> str:
    """An artifact's key once what lay under those of the generations before was swept away.

    >>> [generation("sessions/s/anna/audio/repaired-1-0f.webm", number) for number in (0, 2)]
    ['sessions/s/anna/audio/repaired-1-0f.webm', 'sessions/s/anna/audio/repaired-1-0f~2.webm']
    >>> generation("sessions/s/sound/0f", 1)
    'sessions/s/sound/0f~1'
    """
    folder, slash, name = key.rpartition("/")
    stem, dot, extension = name.partition(".")
    return f"{folder}{slash}{stem}~{number}{dot}{extension}" if number else key


def manifest_key(session_id: str, digest: str) -> str:
    """Where a session's manifest lies in the output bucket; other content, other key."""
    return f"sessions/{safe_part(session_id)}/manifest-{digest}.json"


def is_output_of(key: str, session_id: str) -> bool:
    """Whether a key is one of those that lie below a session in the output bucket."""
    prefix = f"sessions/{safe_part(session_id)}/"
    return key.startswith(prefix) and _BELOW.fullmatch(key, len(prefix)) is not None


_PART = r"[A-Za-z0-9_~-][A-Za-z0-9_~.-]{0,255}"  # never `..`, which who follows an address would resolve
_BELOW = re.compile(rf"(?:{_PART}/){{0,7}}{_PART}")


def _is_text(text: str) -> bool:
    """Whether UTF-8 can write it: half a character can come in through JSON's escapes."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _misplaced(key: str, expected: str) -> Invalid:
    return Invalid("misplaced_key", f"the key {key!r} names no segment", "key", expected)


def _snake(field: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", field).lower()
