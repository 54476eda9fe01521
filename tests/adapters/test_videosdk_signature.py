"""Nothing is believed that VideoSDK did not sign, and nobody can make us ask for its key all the time."""

import base64
import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.videosdk.post import SignedPost
from chalicelib.adapters.videosdk.signature import COOLDOWN_MS, TTL_MS, Signature, public_key
from chalicelib.core.errors import Unavailable, Untrusted
from chalicelib.core.events import OddHeard, ParticipantJoined, RecordingStarted
from tests.adapters import vendor as v

OURS, OTHERS = v.Signer(), v.Signer()
SPKI = PublicFormat.SubjectPublicKeyInfo
BODY = v.body_of("participant-track-recording-started")
GOOD = OURS.sign(BODY)


@pytest.fixture
def hands() -> v.Hands:
    return v.Hands()


@pytest.fixture
def vendor() -> Iterator[v.Vendor]:
    with v.Vendor(v.answer(200, OURS.key_answer())) as server:
        yield server


@pytest.fixture
def signature(vendor: v.Vendor, hands: v.Hands) -> Signature:
    return Signature(vendor.url, now=hands.now)


@pytest.fixture(scope="module")
def clock() -> v.Hands:
    """The clock of `known`."""
    return v.Hands()


@pytest.fixture(scope="module")
def known(clock: v.Hands) -> Iterator[Signature]:
    """One that has the key already."""
    with v.Vendor(v.answer(200, OURS.key_answer())) as server:
        told = Signature(server.url, now=clock.now)
        told.verify(BODY, GOOD)
        yield told


def answered(signature: Signature, body: bytes, header: str | None) -> str:
    """The code of what came of it; empty when it was believed."""
    try:
        signature.verify(body, header)
    except (Untrusted, Unavailable) as refusal:
        return refusal.code
    return ""


def believed(signature: Signature, body: bytes, header: str | None) -> bool:
    return not answered(signature, body, header)


# --- what is believed -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", [PublicFormat.PKCS1, SPKI])
@pytest.mark.parametrize("bits", [2048, 3072])
def test_what_the_key_signed_is_believed(form: PublicFormat, bits: int, vendor: v.Vendor) -> None:
    signer = v.Signer(bits)
    vendor.play(v.answer(200, signer.key_answer(form)))
    signature = Signature(vendor.url)

    for webhook_type in v.DATA:
        signature.verify(*v.delivery(webhook_type, signer))

    assert [(seen.method, seen.path) for seen in vendor.seen] == [("GET", v.KEY_PATH)]
    assert "authorization" not in vendor.seen[0].headers


def test_no_bit_of_a_body_may_change(known: Signature) -> None:
    flipped = 0
    for webhook_type in v.DATA:
        body, header = v.delivery(webhook_type, OURS)
        for bit in range(len(body) * 8):
            changed = bytearray(body)
            changed[bit // 8] ^= 1 << bit % 8

            assert not believed(known, bytes(changed), header)
            flipped += 1
    assert flipped > 10_000


def test_no_bit_of_a_signature_may_change(known: Signature) -> None:
    told = base64.b64decode(GOOD)
    for bit in range(len(told) * 8):
        changed = bytearray(told)
        changed[bit // 8] ^= 1 << bit % 8

        assert not believed(known, BODY, base64.b64encode(changed).decode())


@pytest.mark.parametrize(
    "change",
    [
        lambda body: json.dumps(json.loads(body)).encode(),
        lambda body: body + b" ",
        lambda body: body + b"\n",
        lambda body: b"\xef\xbb\xbf" + body,
        lambda body: body[:-1],
        lambda _: b"",
    ],
    ids=["written anew", "a space", "a line feed", "a byte order mark", "truncated", "empty"],
)
def test_the_same_thing_said_in_other_bytes_is_not_believed(
    change: Callable[[bytes], bytes], known: Signature, clock: v.Hands
) -> None:
    clock.at += COOLDOWN_MS

    with pytest.raises(Untrusted, match="signature_wrong"):
        known.verify(change(BODY), GOOD)


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def test_of_all_spellings_of_a_signature_one_counts(known: Signature) -> None:
    """256 bytes leave four bits of the last character unused: sixteen spellings, the same bytes."""
    spellings = [GOOD[:-3] + last + "==" for last in ALPHABET]
    same = [told for told in spellings if base64.b64decode(told) == base64.b64decode(GOOD)]

    assert len(same) == 16
    assert [told for told in same if believed(known, BODY, told)] == [GOOD]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "signature_missing"),
        ("", "signature_missing"),
        (" ", "signature_malformed"),
        ("=", "signature_malformed"),
        ("nonsense", "signature_malformed"),
        ("v1,@@@a", "signature_malformed"),
        ("é" * 344, "signature_malformed"),
        ("\ud800" * 344, "signature_malformed"),
        ("٣" * 344, "signature_malformed"),
        ("A" * 100_000, "signature_malformed"),
        (GOOD + "\n", "signature_malformed"),
        (" " + GOOD, "signature_malformed"),
        (GOOD + "=", "signature_malformed"),
        (GOOD.rstrip("="), "signature_malformed"),
        (f"{GOOD},{GOOD}", "signature_malformed"),
        (GOOD[:100] + "!" + GOOD[100:], "signature_malformed"),
        (GOOD[:100] + "\r\n" + GOOD[100:], "signature_malformed"),
        (base64.urlsafe_b64encode(base64.b64decode(GOOD)).decode() + "-_", "signature_malformed"),
        (base64.b64decode(GOOD).hex(), "signature_malformed"),
        (base64.b64encode(base64.b64decode(GOOD)[:-1]).decode(), "signature_malformed"),
        (base64.b64encode(base64.b64decode(GOOD) + b"\0").decode(), "signature_malformed"),
        (base64.b64encode(bytes(255)).decode(), "signature_malformed"),
        (base64.b64encode(bytes(512)).decode(), "signature_malformed"),
        (base64.b64encode(bytes(256)).decode(), "signature_wrong"),
        (base64.b64encode(bytes(255) + b"\1").decode(), "signature_wrong"),
        (base64.b64encode(b"\xff" * 256).decode(), "signature_wrong"),
        (OTHERS.sign(BODY), "signature_wrong"),
        (OURS.sign(b"another body"), "signature_wrong"),
    ],
    ids=range(28),
)
def test_a_header_that_is_no_good_signature_is_turned_away(
    header: str | None, code: str, known: Signature, clock: v.Hands
) -> None:
    clock.at += COOLDOWN_MS

    with pytest.raises(Untrusted) as told:
        known.verify(BODY, header)

    assert told.value.code == code


SCHEMES: list[tuple[str, Callable[[], bytes]]] = [
    ("another hash", lambda: OURS.key.sign(BODY, PKCS1v15(), SHA512())),
    ("a broken hash", lambda: OURS.key.sign(BODY, PKCS1v15(), SHA1())),  # noqa: S303
    ("another padding", lambda: OURS.key.sign(BODY, PSS(MGF1(SHA256()), 32), SHA256())),
    ("an elliptic key", lambda: ec.generate_private_key(ec.SECP256R1()).sign(BODY, ec.ECDSA(SHA256()))),
    ("an Edwards key", lambda: ed25519.Ed25519PrivateKey.generate().sign(BODY)),
    ("a padding without its hash's name", lambda: _raw(b"\x00\x01" + b"\xff" * 221 + b"\x00" + _sha256())),
    ("a padding cut short", lambda: _raw(b"\x00\x01" + b"\xff" * 8 + b"\x00" + _sha256() + bytes(213))),
]


def _raw(block: bytes) -> bytes:
    """What the private key makes of a block that it should never be given."""
    numbers = OURS.key.private_numbers()
    modulus = numbers.public_numbers.n
    return pow(int.from_bytes(block), numbers.d, modulus).to_bytes(256)


def _sha256() -> bytes:
    return hashlib.sha256(BODY).digest()


@pytest.mark.parametrize("sign", [scheme[1] for scheme in SCHEMES], ids=[scheme[0] for scheme in SCHEMES])
def test_only_one_scheme_counts(sign: Callable[[], bytes], known: Signature) -> None:
    assert not believed(known, BODY, base64.b64encode(sign()).decode())


@given(st.text(max_size=400) | st.binary(max_size=600).map(lambda raw: base64.b64encode(raw).decode()))
def test_no_header_raises_anything_else(known: Signature, header: str) -> None:
    assert not believed(known, BODY, header)


# --- the key --------------------------------------------------------------------------------------


def key_body(pem: object) -> bytes:
    return json.dumps({"publicKey": pem}).encode()


ELLIPTIC = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.PEM, SPKI).decode()
EDWARDS = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, SPKI).decode()
KEYS: list[tuple[str, bytes]] = [
    ("a short key", v.Signer(1024).key_answer()),
    ("a small exponent", v.Signer(2048, 3).key_answer()),
    ("an elliptic key", key_body(ELLIPTIC)),
    ("an Edwards key", key_body(EDWARDS)),
    ("a private key", key_body(OURS.private_pem().decode())),
    ("no PEM", key_body("MIIBCgKCAQEA")),
    ("half a PEM", key_body(OURS.public_pem()[:200])),
    ("an empty text", key_body("")),
    ("no text", key_body(7)),
    ("half a character", key_body("\ud800")),
    ("another name", json.dumps({"key": OURS.public_pem()}).encode()),
    ("a bare PEM", OURS.public_pem().encode()),
    ("a list", b"[]"),
    ("null", b"null"),
    ("a web page", v.HTML),
    ("nothing", b""),
    ("no UTF-8", b"\xff\xfe"),
    ("UTF-16", OURS.key_answer().decode().encode("utf-16")),
    ("depth", b"[" * 16_000),
]


@pytest.mark.parametrize("body", [key[1] for key in KEYS], ids=[key[0] for key in KEYS])
def test_an_answer_without_a_key_to_trust_is_no_key(
    body: bytes, vendor: v.Vendor, signature: Signature
) -> None:
    assert public_key(body) is None
    vendor.play(v.answer(200, body))

    with pytest.raises(Unavailable, match="videosdk_key_unavailable"):
        signature.verify(BODY, GOOD)


@given(st.binary(max_size=300) | st.recursive(st.none() | st.text(), st.lists).map(key_body))
def test_any_answer_is_a_key_or_none(body: bytes) -> None:
    assert public_key(body) is None or isinstance(public_key(body), RSAPublicKey)


DOWN: list[tuple[str, v.Act]] = [
    ("an error of theirs", v.answer(500, OURS.key_answer())),
    ("not found", v.answer(404, OURS.key_answer())),
    ("a created thing", v.answer(201, OURS.key_answer())),
    ("a redirect", v.answer(302, OURS.key_answer(), Location="http://127.0.0.1:1/")),
    ("a gigabyte", v.endless()),
    ("a hang-up", v.reset()),
    ("a hang-up after the head", v.reset(v.HEAD_ONLY)),
    ("a key cut short", v.promised(200, 1000, OURS.key_answer()[:100])),
    ("no HTTP", v.reset(b"220 smtp\r\n")),
]


@pytest.mark.parametrize("act", [down[1] for down in DOWN], ids=[down[0] for down in DOWN])
def test_without_a_key_nothing_is_believed_and_the_sender_may_try_again(
    act: v.Act, vendor: v.Vendor, signature: Signature
) -> None:
    vendor.play(act)

    with pytest.raises(Unavailable, match="videosdk_key_unavailable"):
        signature.verify(BODY, GOOD)


def test_a_key_that_drips_is_given_up(vendor: v.Vendor, signature: Signature) -> None:
    vendor.play(v.dripping(200, OURS.key_answer()))
    began = time.monotonic()

    with pytest.raises(Unavailable):
        signature.verify(BODY, GOOD)

    assert time.monotonic() - began < 3.0 + 1.0


def test_a_redirect_to_another_key_is_not_followed(vendor: v.Vendor, signature: Signature) -> None:
    with v.Vendor(v.answer(200, OTHERS.key_answer())) as thief:
        vendor.play(v.answer(302, Location=thief.url + v.KEY_PATH))

        with pytest.raises(Unavailable):
            signature.verify(BODY, OTHERS.sign(BODY))

        assert thief.seen == []


def test_malformed_signatures_are_turned_away_without_a_key(vendor: v.Vendor, signature: Signature) -> None:
    for header in (None, "", "nonsense", GOOD[:-4]):
        assert not believed(signature, BODY, header)
    assert vendor.seen == []


def test_the_key_is_asked_for_when_it_is_too_old(
    vendor: v.Vendor, signature: Signature, hands: v.Hands
) -> None:
    signature.verify(BODY, GOOD)
    hands.at += TTL_MS - 1
    signature.verify(BODY, GOOD)
    assert len(vendor.seen) == 1

    hands.at += 1
    signature.verify(BODY, GOOD)
    assert len(vendor.seen) == 2


@pytest.mark.parametrize("act", [down[1] for down in DOWN], ids=[down[0] for down in DOWN])
def test_an_old_key_serves_while_no_new_one_can_be_had(
    act: v.Act, vendor: v.Vendor, signature: Signature, hands: v.Hands
) -> None:
    signature.verify(BODY, GOOD)
    vendor.play(act)
    hands.at += 10 * TTL_MS

    for _ in range(5):
        signature.verify(BODY, GOOD)
        assert not believed(signature, BODY, OTHERS.sign(BODY))

    assert len(vendor.seen) == 2


def test_an_answer_of_nonsense_does_not_push_out_the_key(
    vendor: v.Vendor, signature: Signature, hands: v.Hands
) -> None:
    signature.verify(BODY, GOOD)

    for _, body in KEYS:
        vendor.play(v.answer(200, body))
        hands.at += COOLDOWN_MS
        assert not believed(signature, BODY, OTHERS.sign(BODY))
        signature.verify(BODY, GOOD)


def test_a_new_key_is_found_at_its_first_delivery(
    vendor: v.Vendor, signature: Signature, hands: v.Hands
) -> None:
    signature.verify(BODY, GOOD)
    vendor.play(v.answer(200, OTHERS.key_answer()))
    hands.at += COOLDOWN_MS

    signature.verify(BODY, OTHERS.sign(BODY))

    assert len(vendor.seen) == 2


def test_while_the_key_changes_both_are_believed_but_not_for_ever(
    vendor: v.Vendor, signature: Signature, hands: v.Hands
) -> None:
    signature.verify(BODY, GOOD)
    vendor.play(v.answer(200, OTHERS.key_answer()))
    hands.at += COOLDOWN_MS
    signature.verify(BODY, OTHERS.sign(BODY))
    signature.verify(BODY, GOOD)

    hands.at += TTL_MS
    signature.verify(BODY, OTHERS.sign(BODY))

    assert not believed(signature, BODY, GOOD)


def test_bad_signatures_can_not_make_us_ask_more_than_twice_a_minute(
    vendor: v.Vendor, signature: Signature, hands: v.Hands
) -> None:
    signature.verify(BODY, GOOD)
    bad, minutes = OTHERS.sign(BODY), 5

    for _ in range(minutes * 60 * 10):
        hands.at += 100
        assert not believed(signature, BODY, bad)

    assert len(vendor.seen) <= 1 + minutes * 2


def test_without_a_key_it_is_asked_for_ever_more_seldom(
    vendor: v.Vendor, signature: Signature, hands: v.Hands
) -> None:
    vendor.play(v.answer(503))
    asked: list[int] = []
    for second in range(120):
        assert answered(signature, BODY, GOOD) == "videosdk_key_unavailable"
        asked += [second] * (len(vendor.seen) - len(asked))
        hands.at += 1000
    assert asked == [0, 1, 3, 7, 15, 31, 61, 91]

    hands.at += COOLDOWN_MS
    vendor.play(v.answer(200, OURS.key_answer()))
    signature.verify(BODY, GOOD)


# --- wrong, or signed by a key that is new --------------------------------------------------------


def test_a_signature_is_called_wrong_only_by_a_key_that_was_asked_for_after_it_came(
    vendor: v.Vendor, signature: Signature, hands: v.Hands
) -> None:
    bad = OTHERS.sign(BODY)
    assert answered(signature, BODY, bad) == "signature_wrong"  # the first delivery of all: it asked itself

    for _ in range(3):
        assert answered(signature, BODY, bad) == "signature_undecided"
        hands.at += COOLDOWN_MS - 1
        assert answered(signature, BODY, bad) == "signature_undecided"
        hands.at += 1
        assert answered(signature, BODY, bad) == "signature_wrong"
    assert len(vendor.seen) == 4


def test_news_of_a_new_key_is_put_off_and_then_believed(
    vendor: v.Vendor, signature: Signature, hands: v.Hands
) -> None:
    signature.verify(BODY, GOOD)
    vendor.play(v.answer(200, OTHERS.key_answer()))
    hands.at += 1

    with pytest.raises(Unavailable, match="signature_undecided") as told:
        signature.verify(BODY, OTHERS.sign(BODY))

    assert told.value.retry_after_s is not None
    hands.at += told.value.retry_after_s * 1000
    signature.verify(BODY, OTHERS.sign(BODY))


@pytest.mark.parametrize("bits", [3072, 4096])
def test_a_signature_of_another_length_may_be_a_new_keys(
    bits: int, vendor: v.Vendor, signature: Signature, hands: v.Hands
) -> None:
    larger = v.Signer(bits)
    signature.verify(BODY, GOOD)
    vendor.play(v.answer(200, larger.key_answer()))

    assert answered(signature, BODY, larger.sign(BODY)) == "signature_undecided"
    hands.at += COOLDOWN_MS
    signature.verify(BODY, larger.sign(BODY))


def test_who_only_waited_for_anothers_question_is_not_refused_for_good(
    vendor: v.Vendor, signature: Signature, hands: v.Hands
) -> None:
    """The answer may have been on its way when the key changed."""
    signature.verify(BODY, GOOD)
    hands.at += COOLDOWN_MS
    asked, go_on = threading.Event(), threading.Event()

    def slow(sock: socket.socket) -> bool:
        asked.set()
        go_on.wait(2)
        return v.answer(200, OURS.key_answer())(sock)

    vendor.play(slow)
    told: dict[str, str] = {}
    bad = OTHERS.sign(BODY)

    def first() -> None:
        told["first"] = answered(signature, BODY, bad)

    def second() -> None:
        told["second"] = answered(signature, BODY, bad)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert asked.wait(2)
    threads[1].start()
    time.sleep(0.05)
    go_on.set()
    for thread in threads:
        thread.join()

    assert told == {"first": "signature_wrong", "second": "signature_undecided"}
    assert len(vendor.seen) == 2


def test_many_threads_ask_once(vendor: v.Vendor, signature: Signature, hands: v.Hands) -> None:
    def together(header: str) -> list[bool]:
        told = list[bool]()
        threads = [
            threading.Thread(target=lambda: told.append(believed(signature, BODY, header))) for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return told

    assert together(GOOD) == [True] * 16
    assert len(vendor.seen) == 1

    vendor.play(v.answer(200, OTHERS.key_answer()))
    hands.at += COOLDOWN_MS
    assert together(OTHERS.sign(BODY)) == [True] * 16
    assert len(vendor.seen) == 2


def test_a_clock_that_is_set_back_does_not_keep_us_from_asking(
    vendor: v.Vendor, signature: Signature, hands: v.Hands
) -> None:
    signature.verify(BODY, GOOD)
    vendor.play(v.answer(200, OTHERS.key_answer()))
    hands.at -= 365 * 24 * 3600 * 1000

    signature.verify(BODY, OTHERS.sign(BODY))


# --- believed, then read --------------------------------------------------------------------------


def test_a_delivery_is_heard_once_it_is_believed(known: Signature) -> None:
    post = SignedPost(known)

    heard = post.hear(*v.delivery("participant-track-recording-started", OURS), 7)

    assert heard.fact == RecordingStarted(at=7, session_id=v.SESSION)
    assert heard.about == (v.ROOM, v.PERSON, "audio")
    assert (heard.of_recording, heard.session_id) == (True, v.SESSION)


def test_news_of_a_session_is_about_no_recording(known: Signature) -> None:
    heard = SignedPost(known).hear(*v.delivery("participant-joined", OURS), 7)

    assert heard.fact == ParticipantJoined(at=7, room_id=v.ROOM, participant_id=v.PERSON, name="Zoë")
    assert (heard.of_recording, heard.session_id) == (False, v.SESSION)


def test_what_is_signed_and_not_understood_is_heard_as_odd(known: Signature) -> None:
    body = b"[" * 50_000
    heard = SignedPost(known).hear(body, OURS.sign(body), 7)

    assert isinstance(heard.fact, OddHeard)
    assert (heard.about, heard.session_id, heard.of_recording) == (("", "", ""), None, False)


def test_an_unbelieved_body_is_never_read(known: Signature, clock: v.Hands) -> None:
    clock.at += COOLDOWN_MS

    class Unreadable(bytes):
        def decode(self, *_: Any, **__: Any) -> str:
            raise AssertionError("somebody read it")

    with pytest.raises(Untrusted):
        SignedPost(known).hear(Unreadable(BODY), OTHERS.sign(BODY), 7)
