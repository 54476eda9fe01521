"""VideoSDK's deliveries: what is believed, what is kept, and what leaves no trace."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from local.videosdk import Simulation
from local.videosdk.courier import signature
from tests.routes.gateway import Answer, Gateway
from tests.routes.stage import Ledger, Letters, Room, Vendor, written

ACCOUNT = "/webhooks/videosdk"
CLOSED = "http://127.0.0.1:9"
UNDECIDED = (503, "signature_undecided", None)
JOINED = {"meetingId": "r", "sessionId": "session-1", "participantId": "ann", "participantName": "Ann"}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


@pytest.fixture
def recording(api: Gateway, room: Room) -> dict[str, Any]:
    """A recording that runs, and the path of its address."""
    answer = api.post("/recordings/start", room.track())
    told: dict[str, Any] = answer.told["recordings"][0]
    return told | {"path": address(room, -1)}


def address(room: Room, which: int) -> str:
    begun = sorted(room.begun, key=lambda found: found.start_at)[which]
    return str(begun.webhook_url).removeprefix(f"{room.videosdk.url}/nobody")


def delivered(api: Gateway, path: str, letters: Letters, body: bytes) -> Answer:
    return api.post(path, body, headers=letters.headers(body), by=None)


def counted(ledger: Ledger) -> int:
    return len(ledger.items())


# --- what should be ---------------------------------------------------------------------------------


def test_what_videosdk_sends_becomes_the_recordings_phase(
    api: Gateway, room: Room, recording: dict[str, Any], simulation: Simulation
) -> None:
    path = f"/recordings/{recording['recordingId']}"
    phases = []
    for act in ("started", "stopped"):
        if act == "stopped":
            api.post("/recordings/stop", room.track())
        assert simulation.courier.settle(10)
        for sent in simulation.courier.sent:
            if recording["path"] in sent.url and sent.webhook_type.endswith(act):
                headers = [("videosdk-signature", sent.signature)]
                assert api.post(recording["path"], sent.body, headers=headers, by=None).status == 200
        phases.append(api.get(path).told["phase"])

    assert phases == ["recording", "stopped"]


def test_a_repeat_is_heard_and_is_no_news(
    api: Gateway, recording: dict[str, Any], letters: Letters, ledger: Ledger
) -> None:
    body = letters.about(recording, "started")

    first = delivered(api, recording["path"], letters, body)
    before = counted(ledger)
    repeats = [delivered(api, recording["path"], letters, body) for _ in range(3)]

    assert first.told == {"received": True, "news": True}
    assert [answer.told for answer in repeats] == [{"received": True, "news": False}] * 3
    assert counted(ledger) == before


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_the_order_of_deliveries_does_not_matter(
    order: tuple[int, ...], api: Gateway, recording: dict[str, Any], letters: Letters
) -> None:
    what = ["starting", "started", "stopping", "stopped"]
    for place in order:
        delivered(api, recording["path"], letters, letters.about(recording, what[place]))

    told = api.get(f"/recordings/{recording['recordingId']}").told

    assert (told["phase"], told["sessionId"]) == ("stopped", "session-1")


@pytest.mark.parametrize(
    ("webhook_type", "data", "fact"),
    [
        ("participant-joined", JOINED, "ParticipantJoined"),
        ("participant-left", JOINED, "ParticipantLeft"),
        ("session-started", JOINED | {"start": "2022-07-05T15:55:35.047+00:00"}, "SessionStarted"),
        ("session-ended", JOINED | {"end": "2022-07-05T15:60:35.047+00:00"}, "SessionEnded"),
    ],
)
def test_people_and_sessions_are_heard_at_the_accounts_address(
    webhook_type: str, data: dict[str, Any], fact: str, api: Gateway, letters: Letters, ledger: Ledger
) -> None:
    answer = delivered(api, ACCOUNT, letters, written(webhook_type, data))

    assert (answer.status, answer.told) == (200, {"received": True, "news": True})
    assert [told["type"] for told in ledger.facts("session#session-1")] == [fact]


def test_a_recordings_news_without_its_address_is_kept_as_odd(
    api: Gateway, recording: dict[str, Any], letters: Letters, ledger: Ledger
) -> None:
    answer = delivered(api, ACCOUNT, letters, letters.about(recording, "started"))

    assert answer.status == 200
    (odd,) = ledger.facts("session#session-1")
    assert (odd["type"], odd["webhook_type"]) == ("OddHeard", "participant-track-recording-started")
    assert "RecordingStarted" not in ledger.types(recording["recordingId"])


@pytest.mark.parametrize("name", ["videosdk-signature", "VideoSDK-Signature", "VIDEOSDK-SIGNATURE"])
@pytest.mark.parametrize("binary", [False, True], ids=["as text", "in Base64"])
def test_the_bytes_are_verified_as_they_came(name: str, binary: bool, api: Gateway, letters: Letters) -> None:
    body = written("participant-joined", JOINED | {"participantName": "Änn ☃ 🎥"})

    answer = api(
        "POST", ACCOUNT, body, headers=[(name, signature(letters.key, body))], by=None, binary=binary
    )

    assert answer.status == 200


# --- what is kept, although it is not understood ----------------------------------------------------

ODD = [
    ("an unknown type", written("recording-merged", {"meetingId": "r"})),
    ("no data", b'{"webhookType":"whatever"}'),
    ("a type without a name", b'{"webhookType":""}'),
    ("no type", b'{"data":{}}'),
    ("a number as type", b'{"webhookType":7,"data":{}}'),
    ("text", b"hello"),
    ("nothing", b""),
    ("null", b"null"),
    ("a list", b"[]"),
    ("NaN", b'{"webhookType":NaN}'),
    ("a name twice", b'{"webhookType":"a","webhookType":"b"}'),
    ("nested deep", b"[" * 60_000),
    ("a number of 5000 digits", b'{"webhookType":' + b"1" * 5000 + b"}"),
    ("a lone surrogate", b'{"webhookType":"\\ud800"}'),
    ("data as text", b'{"webhookType":"participant-joined","data":"x"}'),
    ("an id that is none", written("participant-joined", JOINED | {"participantId": "../x"})),
    ("a kind that is none", written("participant-track-recording-started", JOINED | {"kind": "smell"})),
    ("files that are none", written("participant-track-recording-stopped", {"fileDetails": "x"})),
]  # fmt: skip


@pytest.mark.parametrize("body", [row[1] for row in ODD], ids=[row[0] for row in ODD])
def test_what_is_signed_and_not_understood_is_kept(
    body: bytes, api: Gateway, recording: dict[str, Any], letters: Letters, ledger: Ledger
) -> None:
    for path in (recording["path"], ACCOUNT):
        answer = delivered(api, path, letters, body)
        assert (answer.status, answer.told) == (200, {"received": True, "news": True})

    odd = [told for told in ledger.facts() if told["type"] == "OddHeard"]
    assert len(odd) == 2
    assert all(told["body"] == body[:4096].decode() for told in odd)
    assert ledger.types(recording["recordingId"])[-1] == "OddHeard"
    assert api.get(f"/recordings/{recording['recordingId']}/events").status == 200


# --- what is not believed ---------------------------------------------------------------------------


def pss(key: rsa.RSAPrivateKey, body: bytes) -> bytes:
    return key.sign(body, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def elliptic(body: bytes) -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).sign(body, ec.ECDSA(hashes.SHA256()))


def other(body: bytes) -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.sign(body, padding.PKCS1v15(), hashes.SHA256())


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


PKCS1 = padding.PKCS1v15()
type Sign = Callable[[rsa.RSAPrivateKey, bytes], str | None]
SIGNATURES: list[tuple[str, str, Sign]] = [
    ("none", "signature_missing", lambda _, __: None),
    ("empty", "signature_missing", lambda _, __: ""),
    ("a word", "signature_malformed", lambda _, __: "hello"),
    ("not ASCII", "signature_malformed", lambda _, __: "ü" * 344),
    ("half a character", "signature_malformed", lambda _, __: "\ud800" * 344),
    ("v1,…", "signature_malformed", lambda key, body: f"v1,{signature(key, body)}"),
    ("two of them", "signature_malformed", lambda key, body: ", ".join([signature(key, body)] * 2)),
    ("a space before", "signature_malformed", lambda key, body: f" {signature(key, body)}"),
    ("a line's end after", "signature_malformed", lambda key, body: f"{signature(key, body)}\n"),
    ("without padding", "signature_malformed", lambda key, body: signature(key, body).rstrip("=")),
    ("more padding", "signature_malformed", lambda key, body: signature(key, body) + "="),
    ("as hexadecimal", "signature_malformed",
     lambda key, body: base64.b64decode(signature(key, body)).hex() + "=="),
    ("cut", "signature_malformed", lambda key, body: b64(base64.b64decode(signature(key, body))[:-1])),
    ("longer", "signature_malformed", lambda key, body: b64(base64.b64decode(signature(key, body)) + b"\0")),
    ("10 kB", "signature_malformed", lambda _, __: "A" * 10_000),
    ("zeros", "signature_wrong", lambda _, __: b64(b"\0" * 256)),
    ("ones", "signature_wrong", lambda _, __: b64(b"\xff" * 256)),
    ("of another body", "signature_wrong", lambda key, body: signature(key, body + b" ")),
    ("with another key", "signature_wrong", lambda _, body: b64(other(body))),
    ("over SHA-1", "signature_wrong", lambda key, body: b64(key.sign(body, PKCS1, hashes.SHA1()))),  # noqa: S303
    ("over SHA-512", "signature_wrong", lambda key, body: b64(key.sign(body, PKCS1, hashes.SHA512()))),
    ("PSS", "signature_wrong", lambda key, body: b64(pss(key, body))),
    ("elliptic", "signature_malformed", lambda _, body: b64(elliptic(body))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "sign"), [row[1:] for row in SIGNATURES], ids=[row[0] for row in SIGNATURES]
)
def test_a_bad_signature_leaves_no_trace(
    code: str, sign: Sign, api: Gateway, recording: dict[str, Any], letters: Letters, ledger: Ledger
) -> None:
    body, before = letters.about(recording, "started"), counted(ledger)
    told = sign(letters.key, body)
    headers = [("videosdk-signature", told)] if told is not None else []

    first, second = (api.post(path, body, headers=headers, by=None) for path in (recording["path"], ACCOUNT))

    assert first.refusal == (401, code, None)
    assert second.refusal in ((401, code, None), UNDECIDED)
    assert counted(ledger) == before


def test_what_can_not_be_decided_is_to_come_again(
    api: Gateway, recording: dict[str, Any], letters: Letters, ledger: Ledger
) -> None:
    """VideoSDK's key was asked for a moment ago: whether it has changed since, nobody knows yet."""
    body, before = letters.about(recording, "started"), counted(ledger)
    headers = [("videosdk-signature", signature(letters.key, body + b" "))]
    api.post(ACCOUNT, body, headers=headers, by=None)

    answer = api.post(recording["path"], body, headers=headers, by=None)

    assert answer.refusal == UNDECIDED
    assert answer.headers["Retry-After"] == "30"
    assert counted(ledger) == before
    assert delivered(api, recording["path"], letters, body).status == 200


def test_only_one_spelling_of_a_signature_is_taken(api: Gateway, letters: Letters) -> None:
    body = written("participant-joined", JOINED)
    good = signature(letters.key, body)
    spellings = [
        f"{good[:-3]}{last}=="
        for last in ALPHABET
        if base64.b64decode(f"{good[:-3]}{last}==") == base64.b64decode(good)
    ]

    answers = {
        told: api.post(ACCOUNT, body, headers=[("videosdk-signature", told)], by=None) for told in spellings
    }

    assert len(spellings) == 16
    assert [told for told, answer in answers.items() if answer.status == 200] == [good]


@pytest.mark.parametrize("names", [("videosdk-signature",) * 2, ("videosdk-signature", "VideoSDK-Signature")])
@pytest.mark.parametrize("good_first", [True, False])
def test_of_two_signatures_none_counts(
    names: tuple[str, str], good_first: bool, api: Gateway, letters: Letters, ledger: Ledger
) -> None:
    body = written("participant-joined", JOINED)
    told = [signature(letters.key, body), b64(b"\0" * 256)]
    headers = list(zip(names, told if good_first else told[::-1], strict=True))

    answer = api.post(ACCOUNT, body, headers=headers, by=None)

    assert answer.refusal == (401, "signature_malformed", None)
    assert ledger.items() == []


def test_an_event_without_the_lists_of_headers_is_read_as_well(api: Gateway, letters: Letters) -> None:
    """As somebody writes it who invokes the function by hand."""
    body = written("participant-joined", JOINED)
    event = api.event("POST", ACCOUNT, headers=letters.headers(body), by=None)

    answer = api.send(event | {"body": body.decode(), "multiValueHeaders": None})

    assert answer.status == 200


def test_every_byte_of_the_body_is_signed(api: Gateway, letters: Letters, ledger: Ledger) -> None:
    body = written("participant-joined", JOINED)
    headers = letters.headers(body)

    for place in range(len(body)):
        flipped = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        told = api.post(ACCOUNT, flipped, headers=headers, by=None).refusal
        assert told == (UNDECIDED if place else (401, "signature_wrong", None))
    for changed in (body + b" ", body[:-1], b"", body * 2, json.dumps(json.loads(body)).encode()):
        assert api.post(ACCOUNT, changed, headers=headers, by=None).refusal == UNDECIDED
    assert ledger.items() == []


# --- what is about something else -------------------------------------------------------------------


def test_a_delivery_replayed_at_another_recordings_address_is_refused(
    api: Gateway, room: Room, recording: dict[str, Any], letters: Letters, ledger: Ledger
) -> None:
    room.join("bob")
    for track in (room.track("video"), room.track(who="bob")):
        assert api.post("/recordings/start", track).status == 202
    before = counted(ledger)
    body = letters.about(recording, "started")
    others = {str(begun.webhook_url).removeprefix(f"{room.videosdk.url}/nobody") for begun in room.begun}

    for path in others - {recording["path"]}:
        answer = delivered(api, path, letters, body)
        assert answer.refusal == (403, "not_this_recording", None)
        assert answer.message == "VideoSDK signed this delivery, but it is about another recording"
    assert len(others) == 3
    assert counted(ledger) == before


def test_a_second_recording_of_the_same_track_has_an_address_of_its_own(
    api: Gateway, room: Room, recording: dict[str, Any], letters: Letters, ledger: Ledger
) -> None:
    for what in ("stopped", "failed"):
        delivered(api, recording["path"], letters, letters.about(recording, what))
    api.post("/recordings/stop", room.track())
    second = api.post("/recordings/start", room.track()).told["recordings"][0]
    assert second["recordingId"] != recording["recordingId"]

    delivered(api, recording["path"], letters, letters.about(recording, "started"))

    assert "RecordingStarted" in ledger.types(recording["recordingId"])
    assert ledger.types(second["recordingId"]) == ["RecordingRequested", "StartAccepted"]


ELSEWHERE = {"meetingId": "elsewhere", "participantId": "ann", "kind": "audio"}
OF_TRACKS = "participant-track-recording"
FOREIGN: list[tuple[str, bytes]] = [
    ("an unknown type", written(f"{OF_TRACKS}-merged", ELSEWHERE)),
    ("a session that is none", written(f"{OF_TRACKS}-started", ELSEWHERE | {"sessionId": "/"})),
    ("files", written(f"{OF_TRACKS}-stopped", ELSEWHERE | {"sessionId": "s", "fileDetails": "x"})),
]


@pytest.mark.parametrize("body", [row[1] for row in FOREIGN], ids=[row[0] for row in FOREIGN])
def test_what_is_odd_and_says_that_it_is_about_another_recording_is_refused(
    body: bytes, api: Gateway, recording: dict[str, Any], letters: Letters, ledger: Ledger
) -> None:
    before = counted(ledger)

    assert delivered(api, recording["path"], letters, body).refusal == (403, "not_this_recording", None)
    assert counted(ledger) == before


def test_what_is_odd_and_about_this_recording_is_kept(
    api: Gateway, recording: dict[str, Any], letters: Letters, ledger: Ledger
) -> None:
    body = letters.about(recording, "stopped", fileDetails="x")

    assert delivered(api, recording["path"], letters, body).status == 200
    assert ledger.types(recording["recordingId"])[-1] == "OddHeard"


THEIRS = f"rec-{'0' * 32}"


@pytest.mark.parametrize(
    ("files", "status"),
    [
        (["{theirs}/s/ann/audio/a.webm"], 403),
        (["/rec/{theirs}/s/ann/audio/a.webm", "x.webm"], 403),
        (["rec/{theirs}/a.webm", "rec/{ours}/b.webm"], 200),
        (["rec/{ours}/b.webm"], 200),
        (["s/ann/audio/a.webm"], 200),
        ([], 200),
    ],
)
def test_an_end_whose_files_lie_under_another_recording_is_refused(
    files: list[str], status: int, api: Gateway, recording: dict[str, Any], letters: Letters, ledger: Ledger
) -> None:
    """The same track, recorded again: room, participant and kind are equal, and VideoSDK may be late."""
    paths = [file.format(theirs=THEIRS, ours=recording["recordingId"]) for file in files]
    body = letters.about(recording, "stopped", fileDetails=[{"filePath": path} for path in paths])
    before = counted(ledger)

    assert delivered(api, recording["path"], letters, body).status == status
    assert counted(ledger) == before + (status == 200)


@pytest.mark.parametrize(
    "forge",
    [
        lambda _: "x",
        lambda token: token.partition(".")[0],
        lambda token: token.partition(".")[0] + ".",
        lambda token: token.partition(".")[0] + "." + "0" * 64,
        lambda token: f"rec-{'0' * 32}." + token.partition(".")[2],
        lambda token: token[:-1],
        lambda token: token + "0",
        lambda token: token.upper(),
        lambda token: token.replace(".", "%00"),
        lambda _: "%ED%A0%80." + "%C3%BC" * 64,
        lambda token: token.partition(".")[0] + "." + "%C3%BC" * 64,
        lambda _: "..%2F..",
        lambda _: "x" * 5000,
    ],
)
def test_an_address_that_we_never_gave_costs_nothing(
    forge: Callable[[str], str],
    api: Gateway,
    recording: dict[str, Any],
    letters: Letters,
    calls: list[tuple[str, str]],
) -> None:
    token = recording["path"].rpartition("/")[2]

    answer = delivered(api, f"{ACCOUNT}/{forge(token)}", letters, letters.about(recording, "started"))

    assert (answer.refusal, answer.message) == (
        (404, "unknown_webhook_address", None),
        "this is not the address of a recording",
    )
    assert calls == []


def test_half_an_address_does_not_help(
    api: Gateway, recording: dict[str, Any], letters: Letters, ledger: Ledger
) -> None:
    before = counted(ledger)

    answer = delivered(
        api, f"{recording['path'][:-32]}{'0' * 32}", letters, letters.about(recording, "started")
    )

    assert answer.refusal == (403, "not_this_recording", None)
    assert counted(ledger) == before


# --- size, and neighbours that fail -----------------------------------------------------------------


def test_a_delivery_has_at_most_64_kib(
    api: Gateway, recording: dict[str, Any], letters: Letters, ledger: Ledger
) -> None:
    body = letters.about(recording, "started")
    full = body + b" " * (64 * 1024 - len(body))
    before = counted(ledger)

    for path in (recording["path"], ACCOUNT):
        answer = delivered(api, path, letters, full + b" ")
        assert (answer.refusal, answer.message) == (
            (413, "body_too_large", None),
            "a delivery has at most 65536 bytes",
        )
    assert counted(ledger) == before
    assert delivered(api, recording["path"], letters, full).told["news"] is True


KEYS: list[tuple[str, int, bytes, dict[str, str]]] = [
    ("a fault of theirs", 500, b"oh", {}),
    ("a page", 200, b"<html>Welcome</html>", {}),
    ("a redirect", 302, b"", {"Location": "http://127.0.0.1:9/"}),
    ("nothing", 200, b"", {}),
    ("no key", 200, b"{}", {}),
    ("null", 200, b'{"publicKey": null}', {}),
    ("garbage", 200, b'{"publicKey": "-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----"}', {}),
    ("far too much", 200, b'{"publicKey": "' + b"x" * 100_000 + b'"}', {}),
]


@pytest.mark.parametrize("reply", KEYS, ids=[row[0] for row in KEYS])
def test_without_videosdks_key_nothing_is_believed(
    reply: tuple[str, int, bytes, dict[str, str]],
    api: Gateway,
    configured: Callable[..., None],
    vendor: Vendor,
    letters: Letters,
    ledger: Ledger,
) -> None:
    configured(VIDEOSDK_API=vendor.url)
    vendor.answers.append(reply[1:])
    body = written("participant-joined", JOINED)

    answer = delivered(api, ACCOUNT, letters, body)

    assert (answer.refusal, answer.message) == (
        (503, "videosdk_key_unavailable", None),
        "VideoSDK's public key can not be had now",
    )
    assert ledger.items() == []


def test_while_videosdk_is_down_deliveries_are_to_come_again(
    api: Gateway, recording: dict[str, Any], configured: Callable[..., None], letters: Letters, ledger: Ledger
) -> None:
    before, body = counted(ledger), letters.about(recording, "started")
    configured(VIDEOSDK_API=CLOSED)

    for path in (recording["path"], ACCOUNT):
        assert delivered(api, path, letters, body).refusal == (503, "videosdk_key_unavailable", None)
    assert counted(ledger) == before


def test_a_key_of_theirs_does_not_open_our_door(
    api: Gateway, configured: Callable[..., None], vendor: Vendor, letters: Letters, ledger: Ledger
) -> None:
    """VideoSDK changed its key: what the old one signed is not believed any more by who never knew it."""
    configured(VIDEOSDK_API=vendor.url)
    new = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = new.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
    vendor.will(200, json.dumps({"publicKey": f"\n{pem}"}).encode())
    body = written("participant-joined", JOINED)

    old, renewed = delivered(api, ACCOUNT, letters, body), delivered(api, ACCOUNT, Letters(new), body)

    assert old.refusal == (401, "signature_wrong", None)
    assert renewed.status == 200
    assert len(ledger.facts()) == 1


def test_what_can_not_be_written_is_not_confirmed(
    api: Gateway, configured: Callable[..., None], letters: Letters
) -> None:
    configured(TABLE="nowhere")

    answer = delivered(api, ACCOUNT, letters, written("participant-joined", JOINED))

    assert answer.refusal == (503, "ledger_unavailable", None)


def test_a_delivery_is_one_write(
    api: Gateway, recording: dict[str, Any], letters: Letters, calls: list[tuple[str, str]]
) -> None:
    delivered(api, recording["path"], letters, letters.about(recording, "starting"))

    delivered(api, recording["path"], letters, letters.about(recording, "started"))

    assert calls == [("dynamodb", "PutItem")]


# --- whatever it is ---------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
TYPES = st.sampled_from(
    [
        *(
            f"participant-track-recording-{what}"
            for what in ("starting", "started", "stopping", "stopped", "failed")
        ),
        *("participant-joined", "participant-left", "session-started", "session-ended", "new"),
    ]
)
IDS = st.sampled_from(["r", "ann", "session-1", "x" * 128, "x" * 129, "#", "\ud800", ""])
TIMES = st.sampled_from(
    ["2022-07-05T15:55:35.047+00:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "T"]
)
FILES = st.lists(st.fixed_dictionaries({}, optional={"filePath": st.text() | st.none(), "fileUrl": VALUES}))
DATA = st.fixed_dictionaries(
    {},
    optional={
        "meetingId": IDS | VALUES,
        "sessionId": IDS | VALUES,
        "participantId": IDS | VALUES,
        "participantName": st.text(st.characters()) | VALUES,
        "kind": st.sampled_from(["audio", "video"]) | VALUES,
        "start": TIMES | VALUES,
        "end": TIMES | VALUES,
        "fileDetails": FILES | VALUES,
    },
)
HOSTILE = st.one_of(
    st.builds(lambda type_, data: json.dumps({"webhookType": type_, "data": data}).encode(), TYPES, DATA),
    st.builds(lambda type_, data: json.dumps({"type": type_, "data": data}).encode(), VALUES, VALUES),
    VALUES.map(lambda told: json.dumps(told).encode()),
    st.binary(max_size=200),
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=HOSTILE, ours=st.booleans())
@example(body=b"[" * 65_536, ours=True)
@example(body=b'{"webhookType":"' + b"x" * 65_000 + b'"}', ours=True)
@example(body=json.dumps({"webhookType": "participant-track-recording-stopped", "data": JOINED | {
    "kind": "audio", "fileDetails": [{"filePath": "f" * 1000}] * 60}}).encode(), ours=False)  # fmt: skip
def test_no_signed_body_is_a_fault_of_ours(
    body: bytes, ours: bool, api: Gateway, recording: dict[str, Any], letters: Letters
) -> None:
    # In Base64, as API Gateway sends what is no text: so every byte arrives.
    path = recording["path"] if ours else ACCOUNT

    answer = api("POST", path, body, headers=letters.headers(body), by=None, binary=True)

    assert answer.status in ((200, 403) if ours else (200,))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=100), told=st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
def test_no_unsigned_body_is_a_fault_of_ours_or_leaves_a_trace(
    body: bytes, told: str, api: Gateway, ledger: Ledger
) -> None:
    answer = api("POST", ACCOUNT, body, headers=[("videosdk-signature", told)], by=None, binary=True)

    assert answer.status == 401
    assert ledger.items() == []
