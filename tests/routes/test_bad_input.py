"""What the API does not take: each with its status, code, field and message, and without a trace."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import app
from tests.routes.gateway import Gateway, good_body, takes
from tests.routes.stage import Ledger, Room

TRACK = {"roomId": "r", "participantId": "ann", "kind": "audio"}
RECORDING_ID = f"rec-{'0' * 32}"
AN_ID = "1 to 128 of the characters A-Z a-z 0-9 _ . @ : + = ~ -, and not dots alone"
A_KIND = "one of audio, video, screen_audio, screen_video"
LISTED = ["/recordings", "/sessions", f"/recordings/{RECORDING_ID}/events"]

ODD_IDS: list[Any] = [
    "", " ", "a b", "a/b", "..", ".", "....", "a#b", "a?b", "a%b", "a%2Fb", "a\\b", "a\0b", "a\nb", "\u202ea",
    "ünicode", "日本", "🎥", "a'b", 'a"b', "<b>", "a;b", "a,b", "a&b", "a|b", "a*b", "$a", "{a}", "[a]",
    "a^b", "a`b", "(a)", "a!", "x" * 129, "a\n", "\ud800",
    7, 1.5, True, None, [], ["a"], {}, {"a": "b"}, 10**400,
]  # fmt: skip
GOOD_IDS = ["a", "7", "jvsg-8rjn-j304", "x" * 128, "a.b", "..a", "ann@example.com", "a:b", "a+b=c", "~a_B-9"]


# --- bodies that say the wrong thing ----------------------------------------------------------------

# What is changed in a good body (None leaves a field out), then code, field and message.
type Wrong = tuple[str, dict[str, Any], str, str, str, str]
WRONG: list[Wrong] = [
    ("no room", {"roomId": None}, "missing_field", "roomId", "roomId is missing", "a value"),
    ("no participant", {"participantId": None}, "missing_field", "participantId",
     "participantId is missing", "a value"),
    ("no kind", {"kind": None}, "missing_field", "kind",
     "one of kind and kinds must be given", "kind or kinds"),
    ("kind and kinds", {"kinds": ["audio"]}, "ambiguous_body", "kinds",
     "kind and kinds are both given", "one of them"),
    ("unknown kind", {"kind": "smell"}, "unknown_kind", "kind", "kind is not a kind of track", A_KIND),
    ("kind in capitals", {"kind": "AUDIO"}, "unknown_kind", "kind", "kind is not a kind of track", A_KIND),
    ("kind as a number", {"kind": 1}, "unknown_kind", "kind", "kind is not a kind of track", A_KIND),
    ("kind as a list", {"kind": ["audio"]}, "unknown_kind", "kind", "kind is not a kind of track", A_KIND),
    ("the web address", {"webhookUrl": "https://evil.example"}, "unknown_field", "webhookUrl",
     "webhookUrl: it is ours to set", "only kind, kinds, participantId, roomId"),
    ("the path", {"bucketDirPath": "/etc"}, "unknown_field", "bucketDirPath",
     "bucketDirPath: it is ours to set", "only kind, kinds, participantId, roomId"),
    ("the format", {"fileFormat": "mp4"}, "unknown_field", "fileFormat",
     "fileFormat: it is ours to set, and always webm", "only kind, kinds, participantId, roomId"),
    ("the right format", {"fileFormat": "webm"}, "unknown_field", "fileFormat",
     "fileFormat: it is ours to set, and always webm", "only kind, kinds, participantId, roomId"),
    ("an unknown field", {"room": "r"}, "unknown_field", "room",
     "room: there is no such field", "only kind, kinds, participantId, roomId"),
    ("a long unknown field", {"x" * 1000: 1}, "unknown_field", "x" * 64,
     f"{'x' * 64}: there is no such field", "only kind, kinds, participantId, roomId"),
    ("half a character", {"\ud800": 1}, "unknown_field", "\\ud800",
     "\\ud800: there is no such field", "only kind, kinds, participantId, roomId"),
]  # fmt: skip


def changed(change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (TRACK | change).items() if value is not None}


@pytest.mark.parametrize("row", WRONG, ids=[row[0] for row in WRONG])
def test_a_body_that_says_the_wrong_thing(row: Wrong, api: Gateway, ledger: Ledger) -> None:
    _, change, code, field, message, expected = row
    body = changed(change)

    answer = api.post("/recordings/start", body)

    assert answer.refusal == (400, code, field)
    assert (answer.message, answer.told["error"]["expected"]) == (message, expected)
    assert not takes("/recordings/start", body)
    assert ledger.items() == []


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        ([], "invalid_kinds"),
        ("audio", "invalid_kinds"),
        ({"audio": 1}, "invalid_kinds"),
        (["audio", "audio"], "invalid_kinds"),
        (["audio", "video", "screen_audio", "screen_video", "audio"], "invalid_kinds"),
        (["smell"], "unknown_kind"),
        (["audio", 7], "unknown_kind"),
        ([["audio"]], "unknown_kind"),
    ],
)
def test_kinds_that_are_no_kinds(kinds: Any, code: str, api: Gateway, ledger: Ledger) -> None:
    body = {"roomId": "r", "participantId": "ann", "kinds": kinds}

    assert api.post("/recordings/start", body).refusal == (400, code, "kinds")
    assert not takes("/recordings/start", body)
    assert ledger.items() == []


@pytest.mark.parametrize("field", ["roomId", "participantId"])
def test_an_id_that_is_none(field: str, api: Gateway, ledger: Ledger) -> None:
    code = {"roomId": "invalid_room_id", "participantId": "invalid_participant_id"}[field]
    for odd in ODD_IDS:
        for path in ("/recordings/start", "/recordings/stop"):
            answer = api.post(path, TRACK | {field: odd})

            assert answer.refusal == (400, code, field), odd
            assert answer.told["error"]["expected"] == AN_ID
            assert not takes(path, TRACK | {field: odd})
    assert ledger.items() == []


@pytest.mark.parametrize("good", GOOD_IDS)
def test_any_id_of_videosdk_will_do(good: str, api: Gateway) -> None:
    body = TRACK | {"roomId": good, "participantId": good}

    assert takes("/recordings/start", body)
    assert api.post("/recordings/stop", body).refusal == (404, "recording_not_found", None)


# A stop may name a recording as well.
@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "missing_field", "roomId"),
        ({"recordingId": "rec-1"}, "invalid_recording_id", "recordingId"),
        ({"recordingId": RECORDING_ID.upper()}, "invalid_recording_id", "recordingId"),
        ({"recordingId": f"{RECORDING_ID}\n"}, "invalid_recording_id", "recordingId"),
        ({"recordingId": 7}, "invalid_recording_id", "recordingId"),
        ({"recordingId": None}, "invalid_recording_id", "recordingId"),
        ({"recordingId": [RECORDING_ID]}, "invalid_recording_id", "recordingId"),
        (TRACK | {"recordingId": RECORDING_ID}, "ambiguous_body", "recordingId"),
        ({"recordingId": RECORDING_ID, "webhookUrl": "x"}, "unknown_field", "webhookUrl"),
    ],
)
def test_a_stop_that_says_the_wrong_thing(body: Any, code: str, field: str, api: Gateway) -> None:
    assert api.post("/recordings/stop", body).refusal == (400, code, field)
    assert not takes("/recordings/stop", body)


# --- bodies that are not what they should be as such ------------------------------------------------

GOOD = json.dumps(TRACK).encode()
DEEP = b'{"roomId": ' + b"[" * 8 + b"]" * 8 + b"}"
# Bytes, then code and message.
UNREADABLE: list[tuple[str, bytes | None, int, str, str]] = [
    ("no body", None, 400, "invalid_body", "the body is not JSON: it is empty"),
    ("an empty body", b"", 400, "invalid_body", "the body is not JSON: it is empty"),
    ("a space", b" ", 400, "invalid_body", "the body is not JSON: "),
    ("text", b"hello", 400, "invalid_body", "the body is not JSON: "),
    ("a form", b"roomId=r&kind=audio", 400, "invalid_body", "the body is not JSON: "),
    ("XML", b"<roomId>r</roomId>", 400, "invalid_body", "the body is not JSON: "),
    ("half of it", GOOD[:-1], 400, "invalid_body", "the body is not JSON: "),
    ("two of it", GOOD * 2, 400, "invalid_body", "the body is not JSON: "),
    ("a comment", b"/* */" + GOOD, 400, "invalid_body", "the body is not JSON: "),
    ("a trailing comma", GOOD[:-1] + b",}", 400, "invalid_body", "the body is not JSON: "),
    ("single quotes", GOOD.replace(b'"', b"'"), 400, "invalid_body", "the body is not JSON: "),
    ("a byte-order mark", b"\xef\xbb\xbf" + GOOD, 400, "invalid_body", "the body is not JSON: "),
    ("NaN", b'{"roomId": NaN}', 400, "invalid_body", "the body is not JSON: NaN is no JSON"),
    ("Infinity", b'{"roomId": -Infinity}', 400, "invalid_body", "the body is not JSON: -Infinity is no JSON"),
    ("a name twice", b'{"kind": "audio", "kind": "video"}', 400, "invalid_body",
     "the body is not JSON: a name is given twice"),
    ("a name twice, further in", b'{"roomId": {"a": 1, "a": 2}}', 400, "invalid_body",
     "the body is not JSON: a name is given twice"),
    ("null", b"null", 400, "invalid_body", "the body is not a JSON object"),
    ("a list", b"[" + GOOD + b"]", 400, "invalid_body", "the body is not a JSON object"),
    ("a text", b'"audio"', 400, "invalid_body", "the body is not a JSON object"),
    ("a number", b"7", 400, "invalid_body", "the body is not a JSON object"),
    ("a number too large for a float", b"1e999", 400, "invalid_body", "the body is not a JSON object"),
    ("a number of 5000 digits", b"1" * 5000, 400, "invalid_body", "the body is not JSON: "),
    ("too deep", DEEP, 400, "invalid_body", "the body is nested too deep"),
    ("far too deep", b"[" * 16_000, 400, "invalid_body", "the body is nested too deep"),
    ("far too deep with names", b'{"a":' * 3_000, 400, "invalid_body", "the body is nested too deep"),
    ("too large", GOOD[:-1] + b" " * 16_400 + b"}", 413, "body_too_large", "a body has at most 16384 bytes"),
    ("far too large", b"x" * 1_000_000, 413, "body_too_large", "a body has at most 16384 bytes"),
]  # fmt: skip
ENCODED = [
    ("UTF-16", GOOD.decode().encode("utf-16")),
    ("UTF-16, little-endian", GOOD.decode().encode("utf-16-le")),
    ("UTF-32", GOOD.decode().encode("utf-32")),
    ("Latin-1", '{"roomId": "ü"}'.encode("latin-1")),
    ("bytes that are no text", b"\xff\xfe\xfd"),
    ("a lone surrogate", b'{"roomId": "\xed\xa0\x80"}'),
    ("an overlong slash", b'{"roomId": "\xc0\xaf"}'),
    ("a NUL", b"\0" + GOOD),
    ("compressed", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x05\x00"),
]


@pytest.mark.parametrize("path", ["/recordings/start", "/recordings/stop"])
@pytest.mark.parametrize(
    ("body", "status", "code", "message"), [row[1:] for row in UNREADABLE], ids=[row[0] for row in UNREADABLE]
)
def test_a_body_that_is_not_what_it_should_be(
    path: str, body: bytes | None, status: int, code: str, message: str, api: Gateway
) -> None:
    answer = api("POST", path, body)

    assert answer.refusal[:2] == (status, code)
    assert answer.message.startswith(message)


@pytest.mark.parametrize("binary", [False, True], ids=["as text", "in Base64"])
@pytest.mark.parametrize("body", [row[1] for row in ENCODED], ids=[row[0] for row in ENCODED])
def test_a_body_in_another_encoding(body: bytes, binary: bool, api: Gateway, ledger: Ledger) -> None:
    answer = api("POST", "/recordings/start", body, binary=binary)

    assert answer.status == 400
    assert ledger.items() == []


def test_a_body_just_large_enough_is_taken(api: Gateway, room: Room) -> None:
    body = json.dumps(room.track()).encode()

    answer = api.post("/recordings/start", body + b" " * (16 * 1024 - len(body)))

    assert answer.status == 202


@pytest.mark.parametrize(
    "content_type",
    [
        None, "", "application/json", "APPLICATION/JSON; charset=UTF-8", "application/vnd.api+json",
        "text/plain", "application/x-www-form-urlencoded", "application/octet-stream",
        "multipart/form-data; boundary=x", "*/*", "nonsense", "video/webm", "application/json, text/plain",
        "\u00fc",
    ],
)  # fmt: skip
def test_the_content_type_does_not_matter(content_type: str | None, api: Gateway) -> None:
    headers = [("Content-Type", content_type)] if content_type is not None else []

    for method, path, body in every_route():
        answer = api(method, path, body, headers=headers)
        assert answer.status in (200, 401, 404), (method, path, answer.body)


@pytest.mark.parametrize(
    "accept", [None, "application/json", "text/html", "video/webm", "image/*;q=0.1", "nonsense"]
)
def test_what_the_client_accepts_does_not_matter(accept: str | None, api: Gateway) -> None:
    headers = [("Accept", accept)] if accept is not None else []

    for method, path, body in every_route():
        assert api(method, path, body, headers=headers).status in (200, 401, 404), (method, path)


def every_route() -> list[tuple[str, str, bytes | None]]:
    """A request for each route that is ours, with what it takes: nothing of it is known."""
    values = {
        "recording_id": RECORDING_ID,
        "session_id": "s",
        "token": "t",
        "share_id": f"share-{'0' * 32}",
        "composition_id": f"comp-{'0' * 32}",
        "name": "video.m3u8",
    }
    others = {"/", "/web/{wanted}/{name}", "/recordings/start"}  # the last would ask VideoSDK
    return [
        (method, route.format(**values), good_body(route) if method == "POST" else None)
        for route, methods in app.routes.items()
        for method in methods
        if route not in others
    ]


# --- queries ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", LISTED)
@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("page=2", "unknown_parameter", "page"),
        ("Limit=2", "unknown_parameter", "Limit"),
        ("=", "unknown_parameter", ""),
        (f"{'x' * 1000}=1", "unknown_parameter", "x" * 64),
        ("%ED%A0%80=1", "unknown_parameter", "\ufffd\ufffd\ufffd"),
        ("limit=1&limit=2", "repeated_parameter", "limit"),
        ("limit=1&limit=1", "repeated_parameter", "limit"),
        ("limit=", "invalid_limit", "limit"),
        ("limit=0", "invalid_limit", "limit"),
        ("limit=-1", "invalid_limit", "limit"),
        ("limit=1001", "invalid_limit", "limit"),
        ("limit=1.0", "invalid_limit", "limit"),
        ("limit=1e1", "invalid_limit", "limit"),
        ("limit=%201", "invalid_limit", "limit"),
        ("limit=%D9%A3", "invalid_limit", "limit"),
        ("limit=%C2%B2", "invalid_limit", "limit"),
        (f"limit={'9' * 5000}", "invalid_limit", "limit"),
        ("limit=all", "invalid_limit", "limit"),
        ("cursor=", "invalid_cursor", "cursor"),
        ("cursor=x", "invalid_cursor", "cursor"),
        ("cursor=-1", "invalid_cursor", "cursor"),
        ("cursor=%00", "invalid_cursor", "cursor"),
        ("cursor=%C3%BC", "invalid_cursor", "cursor"),
        ("cursor=%D9%A3", "invalid_cursor", "cursor"),
        ("cursor=Li4vLi4vZXRj", "invalid_cursor", "cursor"),
        (f"cursor={'9' * 5000}", "invalid_cursor", "cursor"),
        (f"cursor={'MDAx' * 1000}", "invalid_cursor", "cursor"),
        (f"cursor=MDAxI{'eHh4' * 1000}", "invalid_cursor", "cursor"),
    ],
)
def test_a_query_that_is_none(path: str, query: str, code: str, field: str, api: Gateway) -> None:
    assert api.get(path, query).refusal == (400, code, field)


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("kind=smell", "unknown_kind", "kind"),
        ("kind=", "unknown_kind", "kind"),
        ("phase=happy", "unknown_phase", "phase"),
        ("phase=", "unknown_phase", "phase"),
        ("roomId=", "invalid_room_id", "roomId"),
        ("roomId=a%2Fb", "invalid_room_id", "roomId"),
        ("sessionId=", "invalid_session_id", "sessionId"),
        ("sessionId=a%2Fb", "invalid_session_id", "sessionId"),
        ("participantId=a%00b", "invalid_participant_id", "participantId"),
        ("kind=audio&kind=video", "repeated_parameter", "kind"),
    ],
)
def test_a_filter_that_is_none(query: str, code: str, field: str, api: Gateway) -> None:
    assert api.get("/recordings", query).refusal == (400, code, field)


@pytest.mark.parametrize("path", ["/recordings", "/sessions"])
@pytest.mark.parametrize("limit", [101, 1000])
def test_a_page_has_at_most_a_hundred(path: str, limit: int, api: Gateway) -> None:
    answer = api.get(path, f"limit={limit}")

    assert answer.refusal == (400, "invalid_limit", "limit")
    assert answer.told["error"]["expected"] == "1 to 100"


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NAMES = ["limit", "cursor", "roomId", "sessionId", "participantId", "kind", "phase"]
QUERIES = st.dictionaries(TEXTS | st.sampled_from(NAMES), TEXTS, max_size=4)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(LISTED), query=QUERIES)
def test_no_query_is_a_fault_of_ours(path: str, query: dict[str, str], api: Gateway) -> None:
    assert api.get(path, urlencode(query)).status in (200, 400, 404)


# --- finishing --------------------------------------------------------------------------------------

SOME_PRODUCTS = (
    "a list of track, av, stem, mix, peaks, poster, sprite, stem:flac, stem:wav, stem:opus, mix:opus, mix:aac"
)
NO_PRODUCTS: list[Any] = ["mix", None, 1, True, {}, {"mix": 1}, ["smell"], ["mix", 7], [None], [["mix"]],
                          ["MIX"], ["stem:mp3"], ["mix:"], [""], ["\ud800"]]  # fmt: skip


@pytest.mark.parametrize("odd", NO_PRODUCTS, ids=repr)
def test_products_that_are_none(odd: Any, api: Gateway, ledger: Ledger) -> None:
    answer = api.post("/sessions/session-1/finish", {"products": odd})

    assert answer.refusal == (400, "invalid_products", "products")
    assert answer.told["error"]["expected"] == SOME_PRODUCTS
    assert not takes("/sessions/{session_id}/finish", {"products": odd})
    assert ledger.items() == []


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b'{"product": ["mix"]}', (400, "unknown_field", "product")),
        (b"[]", (400, "invalid_body", "body")),
        (b"not JSON", (400, "invalid_body", "body")),
        (b"\xff" * 20_000, (413, "body_too_large", None)),
    ],
)
def test_a_body_of_finish_that_is_none(body: bytes, refusal: tuple[Any, ...], api: Gateway) -> None:
    assert api("POST", "/sessions/session-1/finish", body).refusal == refusal


# --- corrections ------------------------------------------------------------------------------------

A_SHIFT = "a whole number of milliseconds from -86400000 to 86400000"
A_FILE = "the name of one of the session's files, as the manifest tells it"
NO_FILES: list[Any] = ["", 7, None, True, ["a.webm"], {"a": 1}, "x" * 1025]
NO_SHIFTS: list[Any] = ["1", 1.5, None, True, [], {}, 86_400_001, -86_400_001, 10**400]
CORRECTIONS: list[tuple[dict[str, Any], str, str, str]] = [
    ({}, "missing_field", "file", "a value"),
    ({"file": "a.webm"}, "missing_field", "shiftMs", "a value"),
    ({"shiftMs": 1}, "missing_field", "file", "a value"),
    *(({"file": odd, "shiftMs": 1}, "invalid_file", "file", A_FILE)
      for odd in NO_FILES),
    *(({"file": "a.webm", "shiftMs": odd}, "invalid_shift", "shiftMs", A_SHIFT)
      for odd in NO_SHIFTS),
    ({"file": "a.webm", "shiftMs": 1, "by": "me"}, "unknown_field", "by", "only file, shiftMs"),
]  # fmt: skip


@pytest.mark.parametrize("row", CORRECTIONS, ids=[str(row[0])[:40] for row in CORRECTIONS])
def test_a_correction_that_is_none(
    row: tuple[dict[str, Any], str, str, str], api: Gateway, ledger: Ledger
) -> None:
    body, code, field, expected = row

    answer = api.post("/sessions/session-1/corrections", body)

    assert answer.refusal == (400, code, field)
    assert answer.told["error"]["expected"] == expected
    assert not takes("/sessions/{session_id}/corrections", body)
    assert ledger.items() == []


@pytest.mark.parametrize("shift_ms", [86_400_000, -86_400_000, 0])
def test_a_shift_may_be_a_day(shift_ms: int, api: Gateway) -> None:
    body = {"file": "a.webm", "shiftMs": shift_ms}

    assert takes("/sessions/{session_id}/corrections", body)
    assert api.post("/sessions/session-1/corrections", body).refusal == (404, "session_not_found", None)


# --- paths ------------------------------------------------------------------------------------------

# As they stand in the address; API Gateway hands them on like this.
NO_ID = ["a%2Fb", "..%2F..", "a%00b", "a%0A", "a%7F", "x" * 129]
# A delivered key may hold these: they are looked for, and not found.
ODD_ID = [
    "%20", "a%20b", "%2e%2e", "%C3%BC", "%ED%A0%80", "%FF", "%", "%zz", "a%25b", "%252e", "*", "a'b", "a;b",
    "a,b", "a&b", "$a", "(a)", "a!", "+%2B%20",
]  # fmt: skip


@pytest.mark.parametrize("odd", NO_ID)
def test_a_path_that_names_no_id(odd: str, api: Gateway) -> None:
    for answer in (api.get(f"/sessions/{odd}"), api.post(f"/sessions/{odd}/finish")):
        assert answer.refusal == (400, "invalid_session_id", "sessionId")


@pytest.mark.parametrize("odd", ODD_ID)
def test_a_path_that_names_an_odd_id(odd: str, api: Gateway) -> None:
    for answer in (api.get(f"/sessions/{odd}"), api.post(f"/sessions/{odd}/finish")):
        assert answer.refusal == (404, "session_not_found", None)


@pytest.mark.parametrize("odd", NO_ID + ODD_ID)
def test_a_path_that_names_no_recording(odd: str, api: Gateway) -> None:
    for answer in (api.get(f"/recordings/{odd}"), api.get(f"/recordings/{odd}/events")):
        assert answer.refusal == (400, "invalid_recording_id", "recordingId")


@pytest.mark.parametrize("session_id", ["ann@example.com", "a:b", "a+b", "a=b", "a~b"])
@pytest.mark.parametrize("encoded", [True, False])
def test_an_id_may_be_percent_encoded(session_id: str, encoded: bool, api: Gateway) -> None:
    in_path = "".join(f"%{byte:02X}" for byte in session_id.encode()) if encoded else session_id

    answer = api.get(f"/sessions/{in_path}")

    assert answer.message == f"no recording of a session {session_id} is known"


# --- whatever it is ---------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(["roomId", "participantId", "kind", "kinds", "recordingId", "webhookUrl"])
BODIES = (
    st.one_of(
        st.dictionaries(FIELDS, JSON | st.sampled_from(["r", "audio", ["audio"], RECORDING_ID])).map(
            json.dumps
        ),
        JSON.map(json.dumps),
        st.text(st.characters(exclude_categories=["Cs"])),
    ).map(str.encode)
    | st.binary()
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES, binary=st.booleans())
def test_no_body_is_a_fault_of_ours(body: bytes, binary: bool, api: Gateway) -> None:
    assert api("POST", "/recordings/stop", body, binary=binary).status in (400, 404, 413)


@pytest.mark.parametrize(
    ("body", "is_base64"),
    [("not Base64 at all", True), ("ü", True), ('{"roomId": "\ud800"}', False)],
    ids=["not Base64", "not ASCII", "half a character"],
)
def test_even_an_event_that_api_gateway_never_sends_is_no_fault_of_ours(
    body: str, is_base64: bool, api: Gateway
) -> None:
    event = api.event("POST", "/recordings/stop") | {"body": body, "isBase64Encoded": is_base64}

    answer = api.send(event)

    assert answer.refusal == (400, "invalid_body", "body")
