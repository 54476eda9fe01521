"""Every door against everybody who may not enter; what secrets reach a log; what a flood costs."""

import io
import json
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.handlers import BUILTIN_HANDLERS

import app as app_module
from app import app
from chalicelib import wiring
from chalicelib.adapters.videosdk import lists
from chalicelib.core import ids
from chalicelib.core.asking import request_of
from chalicelib.core.events import ChunkRendered, CompositionRequested
from chalicelib.core.heads import recording_head
from chalicelib.core.recording import Recording
from chalicelib.core.timeline import DAY_MS
from chalicelib.ports import composition_subject, recording_subject
from tests.adapters import vendor as v
from tests.builders import ASKED, RID, A, stored
from tests.reliability.receiver import (
    ACCOUNT,
    ADDRESS,
    SIGNATURE,
    TAG_KEY,
    Receiver,
    receiving,
    recording_id,
    token,
)
from tests.routes.gateway import Gateway
from tests.routes.stage import APP_SECRET, bearer
from tests.routes.test_authorizer import BAD, asked
from tests.tally import Tally

type Size = Callable[[int, int], int]


def _letter(what: str, **fields: Any) -> bytes:
    """VideoSDK's news of a track recording."""
    return v.body_of(f"participant-track-recording-{what}", **fields)


STARTED = _letter("started")

# --- the doors ------------------------------------------------------------------------------------

COMPOSITIONS = "/sessions/{session_id}/compositions"
# What each door asks for; whoever adds a route has to say so here.
ASKS: dict[tuple[str, str], str] = {
    ("POST", "/recordings/start"): "bearer",
    ("POST", "/recordings/stop"): "bearer",
    ("GET", "/recordings"): "bearer",
    ("GET", "/recordings/{recording_id}"): "bearer",
    ("GET", "/recordings/{recording_id}/events"): "bearer",
    ("GET", "/sessions"): "bearer",
    ("GET", "/sessions/{session_id}"): "bearer",
    ("POST", "/sessions/{session_id}/finish"): "bearer",
    ("POST", "/sessions/{session_id}/corrections"): "bearer",
    ("POST", "/sessions/{session_id}/addresses"): "bearer",
    ("POST", "/sessions/{session_id}/shares"): "bearer",
    ("GET", "/sessions/{session_id}/shares"): "bearer",
    ("DELETE", "/sessions/{session_id}/shares/{share_id}"): "bearer",
    ("POST", COMPOSITIONS): "bearer",
    ("GET", COMPOSITIONS): "bearer",
    ("GET", f"{COMPOSITIONS}/{{composition_id}}"): "bearer",
    ("DELETE", f"{COMPOSITIONS}/{{composition_id}}"): "bearer",
    ("GET", f"{COMPOSITIONS}/{{composition_id}}/{{token}}/{{name}}"): "stream",
    ("GET", "/shared/{token}"): "share",
    ("POST", "/shared/{token}/addresses"): "share",
    ("POST", ADDRESS): "address and signature",
    ("POST", ACCOUNT): "signature",
    ("GET", "/"): "nothing",
    ("GET", "/web/{wanted}/{name}"): "nothing",
    ("GET", "/openapi.json"): "nothing",
    ("GET", "/health"): "nothing",
}

VIDEOSDK_SECRET = "the-secret-of-the-project-that-nobody-may-read"
SECRETS = {
    "APP_TOKEN": APP_SECRET,
    "VIDEOSDK": json.dumps({"apiKey": "the-key-of-the-project", "secret": VIDEOSDK_SECRET}),
}
_CALLS: Counter[str] = Counter()


def _note(model: Any, **_: Any) -> None:
    _CALLS[model.name] += 1


# Before there is any client, so that none is overlooked.
BUILTIN_HANDLERS.append(("before-call", _note))


@pytest.fixture(scope="module")
def signer() -> v.Signer:
    return v.Signer()


@pytest.fixture(scope="module")
def receiver(signer: v.Signer) -> Iterator[Receiver]:
    with receiving(signer) as receiver:
        for name, value in SECRETS.items():
            os.environ[f"{name}_SECRET"] = name
            boto3.client("secretsmanager").create_secret(Name=name, SecretString=value)
        receiver.cold()
        wiring.callers.cache_clear()
        yield receiver
    wiring.callers.cache_clear()


def entrances() -> dict[tuple[str, str], Any]:
    """The routes that there are, with what Chalice knows of them."""
    return {
        (method, path): entry for path, methods in app.routes.items() for method, entry in methods.items()
    }


def is_let_in(who: str, method: str, path: str) -> bool:
    """Whether API Gateway, having asked the authorizer, would let them through this door."""
    arn = f"arn:aws:execute-api:eu-central-1:123456789012:abc123/v1/{method}{path}"
    try:
        return bool(asked(who, arn)["policyDocument"]["Statement"])
    except Exception as refused:
        if refused.args != ("Unauthorized",):
            raise
        return False


@pytest.mark.invariant(27, "no bad token opens any door, and no door is forgotten")
def test_no_bad_token_opens_a_door(tally: Tally, receiver: Receiver) -> None:
    found = entrances()
    assert found.keys() == ASKS.keys()
    assert len(BAD) >= 12
    for (method, path), entry in found.items():
        guard = entry.authorizer.name if entry.authorizer else None
        if (guard == "authorize") != (ASKS[method, path] == "bearer"):
            tally.violation(f"{method} {path} asks {guard}")
        for kind, who in BAD if guard else ():
            tally.case()
            if is_let_in(who(), method, path):
                tally.violation(f"{kind} opens {method} {path}")
    assert is_let_in(bearer(), "GET", "/recordings")
    assert receiver.rows() == []


# Not signed; or perhaps by a key that we can not ask for yet: then it may come again.
UNHEARD = {401, 503}
BAD_SIGNATURES: dict[str, Callable[[v.Signer, bytes], tuple[str, ...]]] = {
    "none": lambda _, __: (),
    "empty": lambda _, __: ("",),
    "of other bytes": lambda signer, body: (signer.sign(body + b" "),),
    "of nothing": lambda signer, _: (signer.sign(b""),),
    "of another key": lambda _, body: (v.Signer().sign(body),),
    "cut": lambda signer, body: (signer.sign(body)[:-4],),
    "twice": lambda signer, body: (signer.sign(body), signer.sign(body)),
    "with a blank": lambda signer, body: (f" {signer.sign(body)}",),
    "URL-safe": lambda signer, body: (signer.sign(body).translate(str.maketrans("+/", "-_")) + "=",),
    "in hexadecimal": lambda _, __: ("00" * 256,),
    "of zeros": lambda _, __: ("A" * 342 + "==",),
    "a bearer token": lambda _, __: (bearer(),),
    "our address's secret": lambda _, __: (TAG_KEY.decode(),),
}


@pytest.mark.invariant(27, "no delivery that VideoSDK did not sign for this address is heard")
def test_no_bad_signature_opens_a_door(tally: Tally, receiver: Receiver, signer: v.Signer) -> None:
    told = STARTED
    for kind, signatures in BAD_SIGNATURES.items():
        for address in (None, token(1)):
            tally.case()
            answer = receiver(told, *signatures(signer, told), token=address)
            if answer.status not in UNHEARD or not answer.typed:
                tally.violation(f"{kind} at {address}: {answer}")
    assert receiver.rows() == []
    assert receiver(told, signer.sign(told), token=token(1)).status == 200


BAD_ADDRESSES = [
    "", ".", "x", recording_id(1), f"{recording_id(1)}.", token(1)[:-1], token(1)[:-32], token(1) + "0",
    token(1).upper(), token(1, key=b"another"), token(2).replace(recording_id(2), recording_id(1)),
    f"{recording_id(1)}.{'0' * 64}", "%00", "🎥",
]  # fmt: skip


@pytest.mark.invariant(27, "an address that we never gave is not there, however good the signature")
def test_no_bad_address_is_a_door(tally: Tally, receiver: Receiver, signer: v.Signer) -> None:
    told, before = STARTED, receiver.rows()
    for address in BAD_ADDRESSES:
        tally.case()
        answer = receiver(told, signer.sign(told), token=address)
        if answer.status != 404 or not answer.typed:
            tally.violation(f"{address!r}: {answer}")
    assert receiver.rows() == before


BAD_SHARES: dict[str, Callable[[str, str], str]] = {
    "none": lambda _, __: "x",
    "cut": lambda good, _: good[:-1],
    "longer": lambda good, _: good + "0",
    "in capitals": lambda good, _: good.upper(),
    "of another key": lambda _, share: ids.share_token(b"another", SESSION_ID, share),
    "of another session": lambda good, share: ids.share_token(TAG_KEY, "s", share)[:4] + good[4:],
    "of a share that was never made": lambda _, __: ids.share_token(TAG_KEY, SESSION_ID, "share-" + "0" * 32),
    "of the same share elsewhere": lambda _, share: ids.share_token(TAG_KEY, "another", share),
    "a webhook's address": lambda _, __: token(1),
    "a bearer token": lambda _, __: bearer().partition(" ")[2],
}


@pytest.mark.invariant(27, "a link that we did not make, or that is over or taken back, opens nothing")
def test_no_bad_share_opens_a_door(tally: Tally, receiver: Receiver) -> None:
    _lay_a_session()
    made = GATEWAY.post(f"/sessions/{SESSION_ID}/shares").told
    before = receiver.rows()

    def said(share: str) -> set[tuple[int, str]]:
        answers = (
            GATEWAY.get(f"/shared/{share}", by=None),
            GATEWAY.post(f"/shared/{share}/addresses", {"keys": ["k"]}, by=None),
        )
        return {(answer.status, answer.body) for answer in answers}

    assert {status for status, _ in said(made["token"])} == {200, 400}
    nothing = said("x")
    for kind, spoil in BAD_SHARES.items():
        tally.case()
        if said(spoil(made["token"], made["shareId"])) != nothing:
            tally.violation(f"a share {kind} is told apart")
    if receiver.rows() != before:
        tally.violation("a bad share was written down")
    GATEWAY("DELETE", f"/sessions/{SESSION_ID}/shares/{made['shareId']}")
    assert said(made["token"]) == nothing
    assert {status for status, _ in nothing} == {404}


COMPOSITION, ANOTHER = f"comp-{'1' * 32}", f"comp-{'2' * 32}"
BAD_STREAMS: dict[str, Callable[[str, int], str]] = {
    "none": lambda _, __: "x",
    "cut": lambda good, _: good[:-1],
    "longer": lambda good, _: good + "0",
    "in capitals": lambda good, _: good.upper(),
    "that lasts longer than we said": lambda good, until: good.replace(str(until), str(until + 1)),
    "that is over": lambda _, until: ids.stream_token(TAG_KEY, SESSION_ID, COMPOSITION, until - 2 * DAY_MS),
    "of another key": lambda _, until: ids.stream_token(b"another", SESSION_ID, COMPOSITION, until),
    "of another session": lambda _, until: ids.stream_token(TAG_KEY, "s", COMPOSITION, until),
    "of another composition": lambda _, until: ids.stream_token(TAG_KEY, SESSION_ID, ANOTHER, until),
    "a webhook's address": lambda _, __: token(1),
    "a bearer token": lambda _, __: bearer().partition(" ")[2],
}


@pytest.mark.invariant(27, "an address of a stream that we did not give, or that is over, plays nothing")
def test_no_bad_token_plays_a_stream(tally: Tally, receiver: Receiver) -> None:
    until = _lay_a_stream()
    good, before = ids.stream_token(TAG_KEY, SESSION_ID, COMPOSITION, until), receiver.rows()

    def said(stream: str) -> tuple[int, str]:
        path = f"/sessions/{SESSION_ID}/compositions/{COMPOSITION}/{stream}/video.m3u8"
        answer = GATEWAY.get(path, by=None)
        return answer.status, answer.body

    assert said(good)[0] == 200
    nothing = said("x")
    for kind, spoil in BAD_STREAMS.items():
        tally.case()
        if said(spoil(good, until)) != nothing:
            tally.violation(f"a token {kind} is told apart")
    if receiver.rows() != before:
        tally.violation("a bad token was written down")
    assert nothing[0] == 404


def _lay_a_stream() -> int:
    """A composition whose first chunk is there; until when its stream may be played."""
    world = wiring.world()
    asked_for, folder = (
        json.dumps(request_of({}).told() | {"range": {"start": 0, "end": 20_000}}),
        "sessions/s",
    )
    facts = (
        CompositionRequested(
            at=1, run=1, session_id=SESSION_ID, request=asked_for, seconds=1, dollars=1, by="app"
        ),
        ChunkRendered(
            at=2,
            run=1,
            number=1,
            key=f"{folder}/chunk-00001.m4s",
            bytes=9,
            frames=300,
            billed_ms=1,
            memory_mb=1,
        ),
    )
    for fact in facts:
        world.ledger.append(composition_subject(COMPOSITION), fact)
    return world.now() + DAY_MS


# --- a flood --------------------------------------------------------------------------------------


@pytest.mark.invariant(30, "a flood of bad addresses and signatures makes no call to AWS")
def test_a_flood_is_free(
    tally: Tally, size: Size, receiver: Receiver, signer: v.Signer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "tracklane")
    told, began = STARTED, time.monotonic()
    receiver(told, signer.sign(told), token=token(1))
    assert _CALLS["PutItem"] > 0, "the count would not notice"
    flood = [
        receiver.event(told, [(SIGNATURE, header)], token=address)
        for header, address in _bad_letters(random.Random(tally.seed), signer.sign(told))
    ]
    _CALLS.clear()
    for number in range(size(5_000, 1_000_000)):
        tally.case()
        answer = receiver.send(flood[number % len(flood)])
        if answer.status not in {403, 404, *UNHEARD}:
            tally.violation(f"letter {number}: {answer}")
    # The secrets are read anew every five minutes, whoever asks.
    known = _CALLS.pop("GetSecretValue", 0)
    if _CALLS or known > 1 + (time.monotonic() - began) / 300:
        tally.violation(f"AWS was called: {dict(_CALLS)}, and {known} times for secrets")


def _bad_letters(chance: random.Random, good: str) -> Iterator[tuple[str, str | None]]:
    """Signatures and addresses, one of which is wrong."""
    for number in range(500):
        at = chance.randrange(len(good) - 4)
        other = "B" if good[at] == "A" else "A"
        yield good[:at] + other + good[at + 1 :], None if number % 2 else token(1)
        spoiled = bytearray(token(1).encode())
        spoiled[-1 - chance.randrange(60)] = ord("g")
        yield good, spoiled.decode()


# --- where a list or a body points ------------------------------------------------------------------

POINTERS = [
    f"{scheme}://{host}{path}"
    for scheme in ("http", "https", "ftp", "file", "gopher")
    for host in (
        "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:169.254.169.254]",
        "100.64.0.1", "192.0.0.192", "localhost", "127.0.0.1:22", "[::1]", "0", "user:pass@evil.example",
        "api.videosdk.live@evil.example", "api.videosdk.live.evil.example", "evil.example#api.videosdk.live",
        "xn--pple-43d.com", "\uff45vil.example", "metadata.google.internal",
    )
    for path in ("/latest/meta-data/", "/a.webm?x=1", "/../../etc/passwd")
]  # fmt: skip


@pytest.mark.invariant(26, "no address that a body or a list names is ever asked for")
def test_what_a_body_points_at_is_never_fetched(
    tally: Tally, receiver: Receiver, signer: v.Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver(STARTED, signer.sign(STARTED), token=token(1))  # from here on the key is known
    asked_for: list[Any] = []

    def looked_up(*where: Any, **_: Any) -> list[Any]:
        asked_for.append(where)
        return []

    monkeypatch.setattr("socket.getaddrinfo", looked_up)
    monkeypatch.setattr("socket.socket.connect", lambda _, where: asked_for.append(where))
    for pointer in POINTERS:
        for field_ in ("fileUrl", "filePath"):
            tally.case()
            told = _letter("stopped", fileDetails=[{field_: pointer}], webhookUrl=pointer, publicKey=pointer)
            answer = receiver(told, signer.sign(told), token=token(1))
            items = list(
                lists.listed(lists.Told(1, [{**_ITEM, "files": [{field_: pointer}], "webhookUrl": pointer}]))
            )
            if answer.status != 200 or len(items) != 1 or asked_for:
                tally.violation(f"{field_} {pointer}: {answer}, {items}, {asked_for}")
                asked_for.clear()
    assert len(POINTERS) >= 250


_ITEM = {"id": "t", "sessionId": "s", "participantId": "p", "kind": "audio", "start": "2026-01-01T00:00:00Z"}


# --- what is told -----------------------------------------------------------------------------------

NAME = "Ann-Secretly-Smith"
GATEWAY = Gateway(app, lambda: None, lambda: None)
SESSION_ID = "session-of-secrets"


@dataclass
class Told:
    """All that was logged and all errors that were answered, and the secrets that must not be in them."""

    receiver: Receiver
    signer: v.Signer
    chance: random.Random
    log: io.StringIO = field(default_factory=io.StringIO)
    answers: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)

    def hears(self, status: int, body: str) -> None:
        """An answer: what a good one says is its caller's to know."""
        if status >= 400:
            self.answers.append(body)

    def leaks(self) -> set[str]:
        """The secrets that were told, by their beginnings."""
        told = self.log.getvalue() + "\n".join(self.answers)
        return {secret[:24] for secret in self.secrets if secret in told}


@contextmanager
def listening(told: Told) -> Iterator[None]:
    """Everything that any log is given, as production's level has it, and ours to the last word."""
    root, handler = logging.getLogger(), logging.StreamHandler(told.log)
    ours = logging.getLogger("tracklane"), logging.getLogger("chalicelib")
    before = [(log, log.level, log.propagate, log.filters) for log in ours]
    root.addHandler(handler)
    for log in ours:
        log.setLevel(logging.DEBUG)
        log.propagate, log.filters = True, []  # the receiver's keeps all from pytest
    try:
        yield
    finally:
        root.removeHandler(handler)
        for log, level, propagate, filters in before:
            log.setLevel(level)
            log.propagate, log.filters = propagate, filters


def _starts(told: Told) -> None:
    """Starts and stops, with a VideoSDK that fails, and one that quotes our own token back."""
    vendor = told.receiver.vendor
    acts: list[v.Act] = [
        v.answer(200, "ok"),
        v.answer(500, "x"),
        v.answer(403, "no"),
        v.reset(),
        lambda sock: v.answer(400, {"message": f"no good: {vendor.seen[-1].headers.get('authorization')}"})(
            sock
        ),
    ]
    vendor.play(told.chance.choice(acts))
    track = {"roomId": v.ROOM, "participantId": f"p{told.chance.randrange(9)}", "kind": "audio"}
    answer = GATEWAY.post(told.chance.choice(["/recordings/start", "/recordings/stop"]), track)
    told.hears(answer.status, answer.body)
    for seen in vendor.seen:
        told.secrets.add(seen.headers.get("authorization") or VIDEOSDK_SECRET)
        if b"webhookUrl" in seen.body:
            told.secrets.add(json.loads(seen.body)["webhookUrl"].rpartition(".")[2])
    vendor.seen.clear()


def _delivers(told: Told) -> None:
    """Deliveries, of which half are not signed as they came, or about another recording, or odd."""
    types = ["participant-joined", "participant-odd", "participant-track-recording-started"]
    room = told.chance.choice([v.ROOM, 7, "other"])
    body = v.body_of(told.chance.choice(types), participantName=NAME, meetingId=room)
    signed, address = told.signer.sign(body), told.chance.choice([None, token(told.chance.randrange(3))])
    sent = body + told.chance.choice([b"", b" "])
    answer = app(told.receiver.event(sent, [(SIGNATURE, signed)], token=address), None)
    told.hears(answer["statusCode"], answer["body"])
    told.secrets |= {signed, *([address.partition(".")[2]] if address else [])}


def _looks(told: Told) -> None:
    """Pages, of which some can not be had."""
    paths = ["/recordings", f"/sessions/{SESSION_ID}", "/sessions", f"/recordings/{recording_id(5)}"]
    answer = GATEWAY.get(told.chance.choice(paths))
    told.hears(answer.status, answer.body)


def _knocks(told: Told) -> None:
    """Bearers who are not let in."""
    who = told.chance.choice([bearer("another-secret-that-is-long-enough"), bearer(exp=1), bearer(aud=NAME)])
    told.secrets.add(who.partition(" ")[2])
    with suppress(Exception):
        asked(who)


def _fails(told: Told) -> None:
    """A message that nobody understands."""
    record = {
        "body": json.dumps({"detail-type": "Object Created", "detail": {"bucket": {"name": "x"}}}),
        "messageId": "m",
        "receiptHandle": "r",
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    told.hears(500, json.dumps(app_module.ingest({"Records": [record]}, None)))


DEEDS = [_starts, _delivers, _delivers, _looks, _knocks, _fails]


def _lay_a_session() -> None:
    """One whose files have addresses."""
    world, recording = wiring.world(), Recording.of(RID, [ASKED, stored(A, session_id=SESSION_ID)])
    for fact in recording.facts:
        world.ledger.append(recording_subject(RID), fact)
    world.catalog.keep_recording(recording_head(recording))


@pytest.mark.invariant(28, "no secret, token, address or person's name is logged, or told in an error")
def test_no_secret_is_told(tally: Tally, size: Size, receiver: Receiver, signer: v.Signer) -> None:
    _lay_a_session()
    receiver(STARTED, signer.sign(STARTED), token=token(1))  # from here on the key is known
    told = Told(receiver, signer, random.Random(tally.seed))
    told.secrets |= {VIDEOSDK_SECRET, APP_SECRET, TAG_KEY.decode(), NAME, "X-Amz-Signature"}
    with listening(told):
        assert "X-Amz-Signature" in GATEWAY.get(f"/sessions/{SESSION_ID}").body
        for _ in range(size(300, 10_000)):
            tally.case()
            told.chance.choice(DEEDS)(told)
        for leak in told.leaks():
            tally.violation(f"{leak}… was told")
        assert min(len(told.answers), told.log.getvalue().count("\n")) > tally.cases / 10
        logging.getLogger("tracklane").warning("%s is told", NAME)
        assert NAME in told.leaks(), "nobody would notice"
