"""Only VideoSDK is believed: forgeries, bodies changed by one bit, keys that can not be had, and floods."""

import base64
import hashlib
import json
import random
from collections.abc import Callable, Iterator
from functools import cached_property

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chalicelib.adapters.videosdk.signature import COOLDOWN_MS, TTL_MS, Signature
from chalicelib.core.errors import Unavailable, Untrusted
from tests.adapters import vendor as v
from tests.reliability.receiver import Receiver, receiving, token
from tests.tally import Tally

type Size = Callable[[int, int], int]
type Forgery = tuple[bytes, str]


@pytest.fixture(scope="module")
def ours() -> v.Signer:
    """VideoSDK."""
    return v.Signer()


@pytest.fixture(scope="module")
def others() -> v.Signer:
    """Anybody else; or VideoSDK, once it has changed its key."""
    return v.Signer()


@pytest.fixture(scope="module")
def received(ours: v.Signer) -> Iterator[Receiver]:
    with receiving(ours) as receiver:
        yield receiver


@pytest.fixture
def receiver(received: Receiver, ours: v.Signer) -> Iterator[Receiver]:
    """An empty one, that knows nobody's key yet."""
    received.vendor.play(v.answer(200, ours.key_answer()))
    received.cold()
    yield received
    received.empty()


@pytest.fixture(scope="module")
def forger(ours: v.Signer, others: v.Signer) -> "Forger":
    return Forger(ours, others)


@pytest.fixture
def hands() -> v.Hands:
    return v.Hands()


@pytest.fixture
def signature(received: Receiver, ours: v.Signer, hands: v.Hands) -> Signature:
    """One that has the key."""
    received.vendor.play(v.answer(200, ours.key_answer()))
    signature = Signature(received.vendor.url, now=hands.now)
    signature.verify(b"", ours.sign(b""))
    return signature


def outcome(signature: Signature, body: bytes, header: str) -> str:
    """The code of a refusal; empty for what was believed."""
    try:
        signature.verify(body, header)
    except (Untrusted, Unavailable) as refusal:
        return refusal.code
    return ""


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


# --- 8: signatures --------------------------------------------------------------------------------

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
SHA256_NAME = bytes.fromhex("3031300d060960864801650304020105000420")
MESSAGES = [v.body_of(name) for name in sorted(v.DATA)]


class Forger:
    """Makes signatures that VideoSDK did not make, from those that it did and from keys of its own."""

    def __init__(self, ours: v.Signer, others: v.Signer) -> None:
        self.ours, self.others, self.chance = ours, others, random.Random()
        self.genuine = [(body, base64.b64decode(ours.sign(body))) for body in MESSAGES]
        self._numbers = ours.key.private_numbers()
        self.modulus = self._numbers.public_numbers.n
        self._elliptic = ec.generate_private_key(ec.SECP256R1())
        self._edwards = ed25519.Ed25519PrivateKey.generate()
        self._small = v.Signer(2048, 3)

    def beginning(self, seed: int) -> "Forger":
        """The same, whose chance begins here."""
        self.chance.seed(seed)
        return self

    def any(self) -> Forgery:
        """One more; the cheap kinds, of which there can be many, come most often."""
        pool = self.chance.choices((self.changed, self.spelled, self.said, self.made), (60, 20, 10, 10))[0]
        return pool()

    # --- from a genuine one

    def changed(self) -> Forgery:
        """Its bytes changed, cut, or under another body."""
        body, told = self.chance.choice(self.genuine)
        return self.chance.choice((self._flipped, self._cut, self._moved, self._shifted))(body, told)

    def _flipped(self, body: bytes, told: bytes) -> Forgery:
        raw = bytearray(told)
        for bit in self.chance.sample(range(2048), self.chance.choice((1, 1, 1, 2, 8))):
            raw[bit // 8] ^= 1 << bit % 8
        return body, encoded(bytes(raw))

    def _cut(self, body: bytes, told: bytes) -> Forgery:
        more = self.chance.randbytes(self.chance.randint(1, 300))
        cut = self.chance.choice(
            (told[: -self.chance.randint(1, 256)], told + more, more + told, b"\0" + told)
        )
        return body, encoded(cut)

    def _moved(self, body: bytes, told: bytes) -> Forgery:
        place = self.chance.randint(0, len(body))
        changed = body[:place] + self.chance.randbytes(self.chance.randint(1, 3)) + body[place:]
        return self.chance.choice((changed, body[:place][:-1], body + b"\n", body * 2)), encoded(told)

    def _shifted(self, body: bytes, told: bytes) -> Forgery:
        """The same number to RSA, or its negative: only the least of them is a signature."""
        number = int.from_bytes(told)
        choices = (number + self.modulus, self.modulus - number, number * 2 % self.modulus)
        return body, encoded(self.chance.choice(choices).to_bytes(257).removeprefix(b"\0"))

    # --- the same, spelled otherwise

    def spelled(self) -> Forgery:
        """One of the other ways to write the same bytes, or both of two."""
        body, told = self.chance.choice(self.genuine)
        good = encoded(told)
        place = self.chance.randint(0, len(good))
        last = self.chance.choice([c for c in ALPHABET if c != good[-3]])
        ways = (
            f"{good[:-3]}{last}==",
            good[:place] + self.chance.choice(" \n\r\t!=-_\0\u00e9\ud800") + good[place:],
            good[:-1],
            good[:-2],
            good + "=",
            f"{good},{good}",
            f"{good} {good}",
            f"v1,{good}",
            f"sha256={good}",
            f'"{good}"',
            told.hex(),
            good.swapcase(),
            base64.urlsafe_b64encode(told).decode() + "A===",
        )
        return body, self.chance.choice(ways)

    # --- out of thin air

    def said(self) -> Forgery:
        """No signature at all, or any number."""
        number = self.chance.choice((0, 1, 2, self.modulus - 1, self.modulus, self.modulus + 1, 2**2048 - 1))
        raw = (number.to_bytes(256), self.chance.randbytes(256), self.chance.randbytes(64))
        words = (
            "",
            " ",
            "null",
            "none",
            "AAAA",
            "=" * 344,
            "\u0663" * 344,
            "A" * self.chance.randint(1, 2000),
        )
        told = self.chance.choice((*map(encoded, raw), *words))
        return self.chance.choice(MESSAGES), told

    # --- with a key

    def made(self) -> Forgery:
        """With other keys, by other schemes, or with the right key by a program that is wrong."""
        return self.chance.choice(self._dear)

    @cached_property
    def _dear(self) -> list[Forgery]:
        """Made once, since each costs a private key's work."""
        found = [(body, encoded(sign(body))) for body in MESSAGES for sign in self._schemes()]
        blocks = [(body, block) for body in MESSAGES[:3] for block in _blocks(hashlib.sha256(body).digest())]
        found += [(body, encoded(self._raised(block))) for body, block in blocks]
        found += [(body, encoded(_cube_root(body))) for body in MESSAGES]
        return found

    def _schemes(self) -> list[Callable[[bytes], bytes]]:
        key = self.ours.key
        return [
            lambda body: base64.b64decode(self.others.sign(body)),
            lambda body: base64.b64decode(self._small.sign(body)),
            lambda body: self._elliptic.sign(body, ec.ECDSA(SHA256())),
            lambda body: self._elliptic.sign(body, ec.ECDSA(SHA256())).ljust(256, b"\0"),
            lambda body: self._edwards.sign(body),
            lambda body: self._edwards.sign(body) * 4,
            lambda body: key.sign(body, PKCS1v15(), SHA1()),  # noqa: S303  # that is the point
            lambda body: key.sign(body, PKCS1v15(), SHA384()),
            lambda body: key.sign(body, PKCS1v15(), SHA512()),
            lambda body: key.sign(body, PSS(MGF1(SHA256()), 32), SHA256()),
            lambda body: key.sign(hashlib.sha256(body).digest(), PKCS1v15(), SHA256()),
        ]

    def _raised(self, block: bytes) -> bytes:
        """What the private key makes of a block that it should never be given."""
        told, of = int.from_bytes(block), self._numbers
        by_p, by_q = pow(told, of.dmp1, of.p), pow(told, of.dmq1, of.q)
        return (by_q + (by_p - by_q) * of.iqmp % of.p * of.q).to_bytes(256)


def _blocks(digest: bytes) -> list[bytes]:
    """PKCS#1 paddings that a careless reader takes for good."""
    named, bare = SHA256_NAME + digest, digest
    no_null = bytes.fromhex("302f300b06096086480165030402010420") + digest
    long_form = bytes.fromhex("308131300d060960864801650304020105000420") + digest
    tails = [
        b"\x00\x01" + b"\xff" * 8 + b"\0" + named,  # the hash not at the end (Bleichenbacher, 2006)
        b"\x00\x01\0" + named,
        b"\x00\x01" + b"\xff" * 100 + b"\0" + named,
    ]
    whole = [
        _padded(named, kind=b"\x00\x02"),
        _padded(named, kind=b"\x00\x00"),
        _padded(named, filler=b"\x00"),
        _padded(named, filler=b"\xfe"),
        _padded(bare),
        _padded(no_null),
        _padded(long_form),
        _padded(named + b"\0"),
        _padded(named[:-1] + bytes([named[-1] ^ 1])),
        _padded(SHA256_NAME.replace(b"\x04\x20", b"\x04\x1f") + digest[:31]),
        named.rjust(256, b"\0"),
    ]
    return [tail.ljust(256, b"\0") for tail in tails] + whole


def _padded(told: bytes, kind: bytes = b"\x00\x01", filler: bytes = b"\xff") -> bytes:
    return kind + filler * (253 - len(told)) + b"\0" + told


def _cube_root(body: bytes) -> bytes:
    """A number whose cube begins as a good block does: a signature to who lets the exponent be 3."""
    front = b"\x00\x01" + b"\xff" * 8 + b"\0" + SHA256_NAME + hashlib.sha256(body).digest()
    wanted = int.from_bytes(front.ljust(256, b"\xff"))
    low, high = 0, 1 << 700
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= wanted else (low, middle - 1)
    return low.to_bytes(256)


@pytest.mark.invariant(8, "no forged or changed signature is believed")
def test_no_forged_signature_is_believed(
    forger: Forger, signature: Signature, hands: v.Hands, seed: int, size: Size, tally: Tally
) -> None:
    forger.beginning(seed)

    for number in range(size(12_000, 1_000_000)):
        body, header = forger.any()
        tally.case()
        if number % 1000 == 0:
            hands.at += COOLDOWN_MS
        if not outcome(signature, body, header):
            tally.violation(f"case {number}: {header[:400]!r} under {body!r}")

    assert all(not outcome(signature, body, encoded(told)) for body, told in forger.genuine)


@pytest.mark.invariant(8, "no forged or changed signature is believed by the route, nor one of two")
def test_no_forged_signature_passes_the_route(
    forger: Forger, receiver: Receiver, seed: int, size: Size, tally: Tally
) -> None:
    chance = forger.beginning(seed).chance

    for number in range(size(1000, 50_000)):
        body, header = forger.any()
        good = encoded(chance.choice(forger.genuine)[1])
        headers = chance.choice(([header], [header, good], [good, header], [good, good]))
        tally.case()
        answer = receiver(body, *headers, token=chance.choice((None, token(number))))
        if answer.status not in (401, 503) or not answer.typed:
            tally.violation(f"case {number}: {answer} for {headers!r} under {body!r}")

    assert receiver.rows() == []
    body, told = forger.genuine[0]
    assert receiver(body, encoded(told)).status == 200


# --- 9: bodies ------------------------------------------------------------------------------------


def samples() -> list[bytes]:
    """25 bodies as VideoSDK may write them."""
    names = ["Zoë", "名前", "🎙", "", "a b", "\u202e", "O'Brien", '"']
    joined = [v.body_of("participant-joined", participantName=name) for name in names]
    files = [
        [{"filePath": f"{n}/{v.FILE}", "fileUrl": None} for n in range(count)] for count in (0, 1, 2, 8, 16)
    ]
    stopped = [v.body_of("participant-track-recording-stopped", fileDetails=told) for told in files]
    kinds = [v.body_of("participant-track-recording-started", kind=k) for k in ("video", "screen_audio")]
    return [*MESSAGES, *joined, *stopped, *kinds, v.body_of("recording-merged", **v.TRACK)]


@pytest.mark.invariant(9, "every single bit of a body matters")
def test_every_bit_of_a_body_matters(
    ours: v.Signer, signature: Signature, seed: int, size: Size, tally: Tally
) -> None:
    bodies = samples()
    assert len(bodies) == 25

    for body in random.Random(seed).sample(bodies, size(8, 25)):
        header = ours.sign(body)
        assert not outcome(signature, body, header)
        for bit in range(len(body) * 8):
            changed = bytearray(body)
            changed[bit // 8] ^= 1 << bit % 8
            tally.case()
            if not outcome(signature, bytes(changed), header):
                tally.violation(f"bit {bit} of {body!r}")


# --- 11: the key ----------------------------------------------------------------------------------


def _pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    told = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return told.decode()


def _key(pem: object) -> v.Act:
    return v.answer(200, json.dumps({"publicKey": pem}).encode())


def modes(ours: v.Signer) -> dict[str, v.Act]:
    """Ways in which the key's address can fail or lie."""
    good = ours.key_answer()
    return {
        "an error": v.answer(500, good),
        "not found": v.answer(404, good),
        "too many requests": v.answer(429, good, Retry_After="3600"),
        "another 2xx": v.answer(201, good),
        "a redirect": v.answer(302, good, Location="http://127.0.0.1:1/"),
        "a web page": v.answer(200, v.HTML),
        "a gigabyte": v.endless(),
        "a hang-up": v.reset(),
        "a hang-up after the head": v.reset(v.HEAD_ONLY),
        "a key cut short": v.promised(200, 1000, good[:100]),
        "no HTTP": v.reset(b"220 smtp\r\n"),
        "nothing": v.answer(200, b""),
        "another field": v.answer(200, {"key": ours.public_pem()}),
        "a key that is null": _key(None),
        "half a key": _key(ours.public_pem()[:200]),
        "a key too short": v.answer(200, v.Signer(1024).key_answer()),
        "an exponent of 3": v.answer(200, v.Signer(2048, 3).key_answer()),
        "an elliptic key": _key(_pem(ec.generate_private_key(ec.SECP256R1()))),
        "an Edwards key": _key(_pem(ed25519.Ed25519PrivateKey.generate())),
        "a private key": _key(ours.private_pem().decode()),
        "a body of brackets": v.answer(200, b"[" * 16_000),
        "a body that is no UTF-8": v.answer(200, good.decode().encode("utf-16")),
    }


# Each of these takes the three seconds that an answer may take.
SLOW: dict[str, Callable[[v.Signer], v.Act]] = {
    "silence": lambda _: v.silent(4.0),
    "a key that drips": lambda ours: v.dripping(200, ours.key_answer()),
    "a head that drips": lambda _: v.dripping_head(),
}


@pytest.mark.invariant(11, "without VideoSDK's key nothing is believed or written: 503")
def test_without_the_key_nothing_is_believed(
    ours: v.Signer, others: v.Signer, receiver: Receiver, size: Size, tally: Tally
) -> None:
    acts = modes(ours) | {name: act(ours) for name, act in list(SLOW.items())[: size(0, 3)]}
    told = [(body, signer.sign(body)) for signer in (ours, others) for body in MESSAGES]

    for mode, act in [*acts.items(), ("nobody there", None)]:
        receiver.vendor.play(act or v.answer(200))
        receiver.cold(None if act else v.closed_port())
        for body, header in told:
            for address in (None, token(1)):
                tally.case()
                answer = receiver(body, header, token=address)
                if (answer.status, answer.code) != (503, "videosdk_key_unavailable"):
                    tally.violation(f"{mode}: {answer}")

    assert receiver.rows() == []


@pytest.mark.invariant(11, "with the key of before and no other to be had, what it did not sign gets 503")
def test_what_an_old_key_did_not_sign_waits_for_the_new_one(
    ours: v.Signer, others: v.Signer, signature: Signature, received: Receiver, hands: v.Hands, tally: Tally
) -> None:
    """The old key serves: VideoSDK's word stays its word while no new key can be had."""
    renewed = [(body, others.sign(body)) for body in MESSAGES]

    for mode, act in modes(ours).items():
        received.vendor.play(act)
        hands.at += TTL_MS
        for body, header in renewed:
            tally.case()
            code = outcome(signature, body, header)
            if code != "signature_undecided" or outcome(signature, body, ours.sign(body)):
                tally.violation(f"{mode}: {code}")

    received.vendor.play(v.answer(200, others.key_answer()))
    hands.at += COOLDOWN_MS
    assert [outcome(signature, body, header) for body, header in renewed] == [""] * len(renewed)


# --- 11: rotation ---------------------------------------------------------------------------------

TRIES = 5


@pytest.mark.invariant(11, "no genuine delivery is refused for good while VideoSDK changes its key")
def test_no_genuine_delivery_is_lost_to_a_change_of_keys(
    ours: v.Signer, others: v.Signer, received: Receiver, seed: int, size: Size, tally: Tally
) -> None:
    """Several processes, forgeries between, and a sender that comes again only after a 5xx.

    What the old key signed and a process hears that never knew it is not in this: nobody can tell it from a
    forgery. The reconciler finds what it said.
    """
    chance, hands, signers = random.Random(seed), v.Hands(), [ours, others, v.Signer()]
    received.vendor.play(v.answer(200, signers[0].key_answer()))
    processes = [Signature(received.vendor.url, now=hands.now) for _ in range(3)]

    for _ in range(size(30, 1500)):
        hands.at += chance.choice((50, 900, 5_000, 29_000, 31_000, TTL_MS, 3 * TTL_MS))
        if chance.random() < 0.3:
            signers.append(signers.pop(0))
            received.vendor.play(v.answer(200, signers[0].key_answer()))
        body, process = chance.choice(MESSAGES), chance.choice(processes)
        if chance.random() < 0.5 and not outcome(process, body, encoded(chance.randbytes(256))):
            tally.violation("a forgery was believed")
        tally.case()
        codes = _sent(process, hands, body, signers[0].sign(body))
        if codes[-1]:
            tally.violation(f"a genuine delivery was refused: {codes}")


def _sent(process: Signature, hands: v.Hands, body: bytes, header: str) -> list[str]:
    codes = [outcome(process, body, header)]
    while codes[-1] in ("signature_undecided", "videosdk_key_unavailable") and len(codes) < TRIES:
        hands.at += COOLDOWN_MS
        codes.append(outcome(process, body, header))
    return codes


# --- 12: asking for the key -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "at_first"),
    [("it can be had", 1), ("it can not be had any more", 1), ("it never could be had", 6)],
)
@pytest.mark.invariant(12, "however many bad signatures come, the key is asked for at most once in 30 s")
def test_bad_signatures_can_not_make_us_ask(
    key: str, at_first: int, ours: v.Signer, forger: Forger, seed: int, size: Size, tally: Tally
) -> None:
    """A process that has no key yet may ask a few times more, each wait twice the one before."""
    chance, hands = forger.beginning(seed).chance, v.Hands()
    with v.Vendor(v.answer(200, ours.key_answer())) as vendor:
        signature = Signature(vendor.url, now=hands.now)
        if key != "it never could be had":
            signature.verify(b"", ours.sign(b""))
        if key != "it can be had":
            vendor.play(v.answer(503))
        began, many = hands.at, size(4_000, 100_000)
        for number in range(many):
            hands.at += chance.choice((0, 1, 10, 100, 1000))
            tally.case()
            if not outcome(signature, *forger.any()):
                tally.violation(f"case {number} was believed")
        allowed = at_first + (hands.at - began) // 30_000
        if len(vendor.seen) > allowed:
            tally.violation(f"{key}: asked {len(vendor.seen)} times where {allowed} are allowed")

    assert len(vendor.seen) > 5
