"""Commands and questions to VideoSDK, against a server that answers as badly as a server can."""

import itertools
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.adapters.videosdk.answers import START, STOP, outcome, text
from chalicelib.adapters.videosdk.api import Api, Clock, Limits
from chalicelib.adapters.videosdk.wire import Answer, AnswerLost, Reply, Request, Wire
from chalicelib.core.errors import BadGateway, Unavailable
from chalicelib.ports import Accepted, Declined, Listed, Outcome, Presence, Unconfirmed
from tests.adapters import vendor as v

KEY, SECRET = "the-api-key-5f2b", "a-secret-of-at-least-32-characters-0123456789"
# Patient where an answer comes, so that a busy machine changes nothing; hasty where none comes.
PATIENT, HASTY = (
    Limits(connect_s=5.0, page_s=10.0, command_s=10.0),
    Limits(connect_s=0.3, command_s=0.4, page_s=0.4),
)
SLACK_S = 1.0
STARTED, STOPPED = "track recording started successfully.", "track recording ended successfully."


@pytest.fixture
def hands() -> v.Hands:
    return v.Hands()


@pytest.fixture
def vendor() -> Iterator[v.Vendor]:
    with v.Vendor(v.answer(200, STARTED)) as server:
        yield server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, with its key, that nobody but itself vouches for."""
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(v.certificate())
    return path


@pytest.fixture(scope="module")
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def make_api(url: str, hands: v.Hands | None = None, **kwargs: Any) -> Api:
    clock = Clock(hands.now, hands.monotonic, hands.sleep) if hands else Clock()
    kwargs.setdefault("credentials", lambda: (KEY, SECRET))
    return Api(url, limits=kwargs.pop("limits", PATIENT), clock=clock, **kwargs)


def signed_claims(token: str) -> dict[str, Any]:
    """What a token says; raises when our secret did not sign it."""
    timeless = {"verify_exp": False, "verify_iat": False}
    return jwt.decode(token, SECRET, algorithms=["HS256"], options=timeless)  # type: ignore[arg-type]


def start(api: Api) -> Outcome:
    return api.start(
        v.ROOM, v.PERSON, "audio", webhook_url="https://us/webhooks/videosdk/t", bucket_dir_path="rec/rec-1"
    )


def stop(api: Api) -> Outcome:
    return api.stop(v.ROOM, v.PERSON, "audio")


# --- what is sent ---------------------------------------------------------------------------------


def test_a_start_says_who_what_and_where_to(vendor: v.Vendor) -> None:
    assert start(make_api(vendor.url)) == Accepted()

    [seen] = vendor.seen
    assert (seen.method, seen.path) == ("POST", "/v2/recordings/participant/track/start")
    assert json.loads(seen.body) == {
        "roomId": v.ROOM,
        "participantId": v.PERSON,
        "kind": "audio",
        "webhookUrl": "https://us/webhooks/videosdk/t",
        "bucketDirPath": "rec/rec-1",
    }
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["accept-encoding"] == "identity"


def test_a_stop_says_just_what_the_documents_want(vendor: v.Vendor) -> None:
    vendor.play(v.answer(200, STOPPED))

    assert stop(make_api(vendor.url)) == Accepted()

    assert vendor.seen[0].path == "/v2/recordings/participant/track/stop"
    assert json.loads(vendor.seen[0].body) == {"roomId": v.ROOM, "participantId": v.PERSON, "kind": "audio"}


def test_the_token_is_a_servers_and_lives_ten_minutes(vendor: v.Vendor, hands: v.Hands) -> None:
    start(make_api(vendor.url, hands))

    token = vendor.seen[0].headers["authorization"]
    claims = jwt.decode(
        token, SECRET, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False}
    )
    now = hands.at // 1000
    assert claims == {
        "apikey": KEY,
        "permissions": ["allow_join"],
        "version": 2,
        "roles": ["crawler"],
        "iat": now,
        "exp": now + 600,
    }


def test_a_token_is_used_again_until_its_last_minute_or_new_credentials(
    vendor: v.Vendor, hands: v.Hands
) -> None:
    pairs = [(KEY, SECRET)] * 3 + [(KEY, SECRET + "-new")]
    api = make_api(vendor.url, hands, credentials=lambda: pairs.pop(0))

    start(api)
    hands.at += 539_000
    start(api)
    hands.at += 2_000
    start(api)
    start(api)

    tokens = [seen.headers["authorization"] for seen in vendor.seen]
    assert tokens[0] == tokens[1]
    assert len(set(tokens)) == 3


def test_one_connection_serves_many_calls(vendor: v.Vendor) -> None:
    api = make_api(vendor.url)

    assert [start(api) for _ in range(5)] == [Accepted()] * 5
    assert vendor.connections == 1


def test_an_answer_that_closes_its_connection_is_read_whole(vendor: v.Vendor) -> None:
    vendor.play(v.answer_and_close(200, STARTED))
    api = make_api(vendor.url)

    assert [start(api), start(api)] == [Accepted(), Accepted()]


def test_cookies_are_not_kept_and_the_environment_has_no_say(
    vendor: v.Vendor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login thief password thief\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", v.closed_port())
    vendor.play(v.answer(200, STARTED, Set_Cookie="a=b; Path=/"))
    api = make_api(vendor.url)

    start(api)
    start(api)

    assert "cookie" not in vendor.seen[1].headers
    assert vendor.seen[1].headers["authorization"].startswith("eyJ")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.videosdk.live",
        "http://127.0.0.1.example.org",
        "http://169.254.169.254",
        "ftp://api.videosdk.live",
        "https://user@api.videosdk.live",
        "https://api.videosdk.live?x=1",
        "https://api.videosdk.live#x",
        "https://",
        "",
    ],
)
def test_only_https_or_this_machine_is_spoken_to(url: str) -> None:
    with pytest.raises(ValueError, match="must be https"):
        make_api(url)


# --- what an answer means -------------------------------------------------------------------------

ANSWERS: list[tuple[str, Callable[[Api], Outcome], v.Act, Outcome]] = [
    ("a JSON string", start, v.answer(200, STARTED), Accepted()),
    ("plain text", start, v.answer(200, STARTED.encode()), Accepted()),
    ("another 2xx", start, v.answer(201, STARTED), Accepted()),
    ("an object", start, v.answer(200, {"message": "ok"}), Accepted()),
    ("the end of it", stop, v.answer(200, STOPPED), Accepted()),
    (
        "no active session",
        start,
        v.answer(403, {"message": "No active session found"}),
        Declined("no_active_session", "VideoSDK answered 403: No active session found"),
    ),
    (
        "no such room",
        start,
        v.answer(402, {"error": "Room not found"}),
        Declined("room_not_found", "VideoSDK answered 402: Room not found"),
    ),
    ("nothing there", start, v.answer(404, v.HTML), Declined("room_not_found", "VideoSDK answered 404")),
    (
        "a reason that we do not know",
        start,
        v.answer(422, {"statusMessage": "kind must be one of audio, video"}),
        Declined("videosdk_refused", "VideoSDK answered 422: kind must be one of audio, video"),
    ),
    (
        "a bare string",
        start,
        v.answer(400, "invalid roomId"),
        Declined("videosdk_refused", "VideoSDK answered 400: invalid roomId"),
    ),
    (
        "another permission missing",
        start,
        v.answer(403, {"msg": "forbidden"}),
        Declined("videosdk_refused", "VideoSDK answered 403: forbidden"),
    ),
    (
        "nothing to stop",
        stop,
        v.answer(400, {"message": "track recording is not started yet"}),
        Declined("not_started", "VideoSDK answered 400: track recording is not started yet"),
    ),
    (
        "nobody to stop",
        stop,
        v.answer(400, {"message": "participant is not yet joined the meeting"}),
        Declined(
            "participant_not_joined", "VideoSDK answered 400: participant is not yet joined the meeting"
        ),
    ),
    (
        "perhaps our own start",
        start,
        v.answer(400, {"message": "track recording already started"}),
        Unconfirmed("VideoSDK answered 400: track recording already started"),
    ),
    (
        "a refusal cut off before its reason",
        start,
        v.promised(400, 100, b'{"mess'),
        Unconfirmed("VideoSDK answered 400: the body broke off (ProtocolError)"),
    ),
    (
        "a refusal that needs no reason",
        start,
        v.promised(404, 100, b'{"mess'),
        Declined("room_not_found", "VideoSDK answered 404: the body broke off (ProtocolError)"),
    ),
    (
        "a page of a proxy",
        start,
        v.answer(200, v.HTML),
        Unconfirmed("VideoSDK answered 200 with something that can not be read"),
    ),
    (
        "nothing",
        start,
        v.answer(200, b""),
        Unconfirmed("VideoSDK answered 200 with something that can not be read"),
    ),
    (
        "bytes that are no text",
        start,
        v.answer(200, b"\x1f\x8b\x08\x00\xff\xfe"),
        Unconfirmed("VideoSDK answered 200 with something that can not be read"),
    ),
    (
        "an error under a good status",
        start,
        v.answer(200, {"error": "no"}),
        Unconfirmed("VideoSDK answered 200 with something that can not be read"),
    ),
    (
        "a redirect",
        start,
        v.answer(302, Location="http://127.0.0.1:1/"),
        Unconfirmed("VideoSDK answered 302"),
    ),
    (
        "an error of theirs",
        start,
        v.answer(500, {"message": "oops"}),
        Unconfirmed("VideoSDK answered 500: oops"),
    ),
    ("a gateway's error", stop, v.answer(502, v.HTML), Unconfirmed("VideoSDK answered 502")),
    (
        "a hang-up",
        start,
        v.reset(),
        Unconfirmed("VideoSDK's answer did not come (ConnectionError)"),
    ),
    (
        "half a head",
        start,
        v.reset(b"HTTP/1.1 200 OK\r\nConte"),
        Unconfirmed("VideoSDK's answer did not come (ConnectionError)"),
    ),
    (
        "no HTTP",
        start,
        v.reset(b"SSH-2.0-OpenSSH_9.2\r\n"),
        Unconfirmed("VideoSDK's answer did not come (ConnectionError)"),
    ),
    (
        "a hang-up after the head",
        start,
        v.reset(v.HEAD_ONLY),
        Unconfirmed("VideoSDK answered 200, and the body broke off (ProtocolError)"),
    ),
    (
        "a gigabyte",
        start,
        v.endless(),
        Unconfirmed("VideoSDK answered 200, and the body is larger than 65536 bytes"),
    ),
]


@pytest.mark.parametrize(
    ("ask", "act", "expected"), [story[1:] for story in ANSWERS], ids=[story[0] for story in ANSWERS]
)
def test_a_command_is_sent_once_and_its_answer_means(
    ask: Callable[[Api], Outcome], act: v.Act, expected: Outcome, vendor: v.Vendor, hands: v.Hands
) -> None:
    vendor.play(act)

    assert ask(make_api(vendor.url, hands)) == expected
    assert len(vendor.seen) == 1


LATE: list[tuple[str, v.Act, Outcome]] = [
    (
        "no answer in time",
        v.silent(),
        Unconfirmed("VideoSDK's answer did not come (ReadTimeout)"),
    ),
    (
        "a body byte by byte",
        v.dripping(200, STARTED.encode()),
        Unconfirmed("VideoSDK answered 200, and the body broke off (ReadTimeoutError)"),
    ),
    (
        "a head byte by byte",
        v.dripping_head(),
        Unconfirmed("VideoSDK's answer did not come (ReadTimeout)"),
    ),
]


@pytest.mark.parametrize(("act", "expected"), [late[1:] for late in LATE], ids=[late[0] for late in LATE])
def test_a_command_is_sent_once_and_not_waited_for_beyond_its_time(
    act: v.Act, expected: Outcome, vendor: v.Vendor, hands: v.Hands
) -> None:
    vendor.play(act)
    began = time.monotonic()

    assert start(make_api(vendor.url, hands, limits=HASTY)) == expected

    assert len(vendor.seen) == 1
    assert time.monotonic() - began < HASTY.connect_s + HASTY.command_s + SLACK_S


NOT_YET = v.answer(400, {"message": "participant is not yet joined the meeting"})


def test_a_byte_in_the_last_moment_buys_no_more_time(vendor: v.Vendor) -> None:
    vendor.play(v.late_byte(after_s=1.5))
    began = time.monotonic()

    said = Wire(vendor.url).send(Request("GET", "/", 1000, 2.0))

    assert said == AnswerLost("VideoSDK's answer did not come (ReadTimeout)")
    assert time.monotonic() - began < 2.0 + SLACK_S


def test_a_start_that_comes_too_early_is_tried_until_the_participant_is_there(
    vendor: v.Vendor, hands: v.Hands
) -> None:
    vendor.play(NOT_YET, NOT_YET, v.answer(200, STARTED))

    assert start(make_api(vendor.url, hands)) == Accepted()
    assert len(vendor.seen) == 3
    assert all(0.5 < wait <= 1.0 for wait in hands.slept)


@pytest.mark.parametrize(("early_s", "at_most"), [(6.0, 9), (2.0, 3), (0.0, 1)])
def test_a_participant_who_never_joins_is_not_waited_for_long(
    early_s: float, at_most: int, vendor: v.Vendor, hands: v.Hands
) -> None:
    vendor.play(NOT_YET)

    said = start(make_api(vendor.url, hands, limits=Limits(early_s=early_s)))

    assert isinstance(said, Declined)
    assert said.code == "participant_not_joined"
    assert sum(hands.slept) <= early_s
    assert len(vendor.seen) <= at_most


def test_a_busy_vendor_is_asked_again_when_it_says(vendor: v.Vendor, hands: v.Hands) -> None:
    soon = datetime.fromtimestamp(hands.at // 1000, UTC) + timedelta(seconds=3)
    vendor.play(
        v.answer(429, "slow down"),
        v.answer(429, "slow down", Retry_After="2"),
        v.answer(429, "slow down", Retry_After=format_datetime(soon, usegmt=True)),
        v.answer(200, STARTED),
    )

    assert start(make_api(vendor.url, hands)) == Accepted()
    assert len(vendor.seen) == 4
    assert hands.slept[1] == 2.0
    assert sum(hands.slept) <= Limits().again_s


@pytest.mark.parametrize("retry_after", ["3600", "99999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_vendor_that_wants_an_hour_is_left_alone(
    retry_after: str, vendor: v.Vendor, hands: v.Hands
) -> None:
    vendor.play(v.answer(429, "slow down", Retry_After=retry_after))

    assert start(make_api(vendor.url, hands)) == Declined(
        "videosdk_rate_limited", "VideoSDK answered 429: slow down"
    )
    assert (len(vendor.seen), hands.slept) == (1, [])


@pytest.mark.parametrize("retry_after", ["0", "-5", "soon", "", "Thu, 01 Jan 1970 00:00:00 GMT", "٣"])
def test_a_vendor_that_stays_busy_is_asked_four_times(
    retry_after: str, vendor: v.Vendor, hands: v.Hands
) -> None:
    vendor.play(v.answer(429, "slow down", Retry_After=retry_after))

    said = start(make_api(vendor.url, hands))

    assert isinstance(said, Declined)
    assert len(vendor.seen) == 4
    assert 2.5 < sum(hands.slept) <= 3.5


def test_a_token_that_is_not_taken_is_made_anew_from_credentials_read_anew(
    vendor: v.Vendor, hands: v.Hands
) -> None:
    secrets = {"now": SECRET + "-old"}
    vendor.play(v.answer(401, "Token is invalid"), v.answer(200, STARTED))
    api = make_api(
        vendor.url,
        hands,
        credentials=lambda: (KEY, secrets["now"]),
        forget=lambda: secrets.update(now=SECRET),
    )

    assert start(api) == Accepted()
    last = vendor.seen[-1].headers["authorization"]
    assert jwt.decode(
        last, SECRET, algorithms=["HS256"], options={"verify_signature": True, "verify_exp": False}
    )


def test_a_token_that_is_not_taken_is_not_sent_again(vendor: v.Vendor) -> None:
    seconds = itertools.count(1_721_198_084_000, 1000)
    vendor.play(v.answer(401, "Token is invalid"), v.answer(200, STARTED))
    clock = Clock(now=lambda: next(seconds))

    assert start(Api(vendor.url, lambda: (KEY, SECRET), clock=clock)) == Accepted()
    assert len({seen.headers["authorization"] for seen in vendor.seen}) == 2


def test_credentials_that_are_wrong_are_tried_twice(vendor: v.Vendor, hands: v.Hands) -> None:
    vendor.play(v.answer(401, "Token is invalid"))

    assert start(make_api(vendor.url, hands)) == Declined(
        "videosdk_unauthorized", "VideoSDK answered 401: Token is invalid"
    )
    assert len(vendor.seen) == 2


def test_credentials_that_can_not_be_read_start_nothing(vendor: v.Vendor, hands: v.Hands) -> None:
    def unreadable() -> tuple[str, str]:
        raise Unavailable("secret_unavailable", "the secret x can not be read")

    said = start(make_api(vendor.url, hands, credentials=unreadable))

    assert said == Declined(
        "videosdk_unreachable", "no credentials for VideoSDK: the secret x can not be read"
    )
    assert vendor.seen == []


@pytest.mark.parametrize("pair", [(KEY, ""), (KEY, None), None, (KEY,)], ids=repr)
def test_credentials_that_are_none_start_nothing(pair: Any, vendor: v.Vendor, hands: v.Hands) -> None:
    said = start(make_api(vendor.url, hands, credentials=lambda: pair))

    assert said == Declined("videosdk_unreachable", "the credentials for VideoSDK can not sign a token")
    assert vendor.seen == []


def test_a_vendor_that_is_not_there_is_tried_twice(hands: v.Hands) -> None:
    said = start(make_api(v.closed_port(), hands))

    assert said == Declined("videosdk_unreachable", "no connection to VideoSDK (ConnectionRefusedError)")
    assert len(hands.slept) == 1


def test_a_name_that_nobody_knows_is_not_reached(hands: v.Hands) -> None:
    said = start(make_api("https://nobody.invalid", hands))

    assert said == Declined("videosdk_unreachable", "no connection to VideoSDK (gaierror)")


def test_a_host_that_does_not_take_the_connection_is_not_reached(hands: v.Hands) -> None:
    with ExitStack() as stack:
        port = _full(stack, "127.0.0.1")
        began = time.monotonic()

        said = start(make_api(f"http://127.0.0.1:{port}", hands, limits=HASTY))

    assert said == Declined("videosdk_unreachable", "no connection to VideoSDK (TimeoutError)")
    assert time.monotonic() - began < 2 * HASTY.connect_s + SLACK_S


def _full(stack: ExitStack, host: str, port: int = 0) -> int:
    """The port of one who listens, and whose queue of connections is full."""
    server = stack.enter_context(socket.create_server((host, port), backlog=0))
    for _ in range(4):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(server.getsockname())
    return int(server.getsockname()[1])


def test_a_host_of_many_addresses_is_not_waited_for_at_each(
    hands: v.Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        port = _full(stack, "127.0.0.1")
        hosts = [f"127.0.0.{number}" for number in range(1, 9)]
        for host in hosts[1:]:
            _full(stack, host, port)
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in hosts]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        began = time.monotonic()

        said = start(make_api(f"http://localhost:{port}", hands, limits=HASTY))

    assert said == Declined("videosdk_unreachable", "no connection to VideoSDK (TimeoutError)")
    assert time.monotonic() - began < 2 * HASTY.connect_s + SLACK_S


def test_of_a_hosts_addresses_one_that_answers_will_do(
    vendor: v.Vendor, hands: v.Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(vendor.url.rpartition(":")[2])
    hosts = ["127.0.0.2", "127.0.0.1"]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in hosts]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    assert start(make_api(f"http://localhost:{port}", hands)) == Accepted()


def test_a_host_without_a_trusted_certificate_is_told_nothing(hands: v.Hands, tls: ssl.SSLContext) -> None:
    with v.Vendor(v.answer(200, STARTED), tls=tls) as vendor:
        said = start(make_api(vendor.url, hands))

    assert said == Declined("videosdk_unreachable", "no connection to VideoSDK (SSLCertVerificationError)")
    assert vendor.seen == []


def test_a_host_that_speaks_no_tls_is_told_nothing(hands: v.Hands, vendor: v.Vendor) -> None:
    said = start(make_api(vendor.url.replace("http:", "https:"), hands, limits=HASTY))

    assert isinstance(said, Declined)
    assert said.code == "videosdk_unreachable"
    assert not any(seen.method == "POST" for seen in vendor.seen)


WHOLE = json.dumps(STARTED).encode()
OVER_TLS: list[tuple[str, v.Act, float, Reply]] = [
    ("whole", v.answer(200, STARTED), 10, Answer(200, WHOLE)),
    ("closing", v.answer_and_close(200, STARTED), 10, Answer(200, WHOLE)),
    ("a gigabyte", v.endless(), 10, Answer(200, b"", None, "the body is larger than 1000 bytes")),
    (
        "a body byte by byte",
        v.dripping(200, b"x" * 100),
        0.4,
        Answer(200, b"", None, "the body broke off (ReadTimeoutError)"),
    ),
    (
        "a head byte by byte",
        v.dripping_head(),
        0.4,
        AnswerLost("VideoSDK's answer did not come (ReadTimeout)"),
    ),
    ("silence", v.silent(), 0.4, AnswerLost("VideoSDK's answer did not come (ReadTimeout)")),
]


@pytest.mark.parametrize(
    ("act", "read_s", "expected"), [story[1:] for story in OVER_TLS], ids=[story[0] for story in OVER_TLS]
)
def test_over_tls_it_is_the_same(
    act: v.Act, read_s: float, expected: Reply, tls: ssl.SSLContext, certificate: Path
) -> None:
    with v.Vendor(act, tls=tls) as vendor:
        wire = Wire(vendor.url, 5.0, str(certificate))
        began = time.monotonic()

        assert [wire.send(Request("GET", "/", 1000, read_s)) for _ in range(2)] == [expected] * 2
        assert time.monotonic() - began < 2 * read_s + SLACK_S


def test_a_handshake_that_hangs_is_not_reached(hands: v.Hands) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        said = start(make_api(f"https://127.0.0.1:{mute.getsockname()[1]}", hands, limits=HASTY))

    assert isinstance(said, Declined)
    assert said.code == "videosdk_unreachable"


def test_threads_may_share_it(vendor: v.Vendor) -> None:
    api, said = make_api(vendor.url), list[Outcome]()
    threads = [threading.Thread(target=lambda: said.append(start(api))) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert said == [Accepted()] * 8
    assert len(vendor.seen) == 8


@given(status=st.integers(100, 599), body=st.binary(max_size=200), retry=st.none() | st.text(max_size=20))
def test_any_answer_has_a_meaning(status: int, body: bytes, retry: str | None) -> None:
    for sayings in (START, STOP):
        said = outcome(Answer(status, body, retry), sayings)

        assert isinstance(said, Accepted | Declined | Unconfirmed)
        assert isinstance(said, Accepted) <= (200 <= status < 300)
        assert isinstance(said, Declined) <= (400 <= status < 500)


# --- nothing of ours or theirs leaks --------------------------------------------------------------


@given(st.binary(max_size=2000) | st.text(max_size=2000).map(lambda s: json.dumps({"message": s}).encode()))
def test_the_vendors_text_is_one_short_printable_line(body: bytes) -> None:
    told = text(body)

    assert len(told) <= 300
    assert told == "" or told.isprintable()


def test_a_token_that_the_vendor_quotes_is_not_passed_on(
    vendor: v.Vendor, hands: v.Hands, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = jwt.encode({"apikey": KEY}, SECRET, algorithm="HS256")
    for status in (200, 400, 401, 403, 500):
        vendor.play(v.answer(status, {"message": f"bad token {token} of {status}", "error": token}))

        said = repr(start(make_api(vendor.url, hands)))

        assert token.split(".")[2] not in said
        assert token.split(".")[1] not in said
    sent = {seen.headers["authorization"] for seen in vendor.seen}
    assert not any(part in caplog.text for secret in (*sent, SECRET) for part in secret.split("."))


# --- lists ----------------------------------------------------------------------------------------


def item(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A track recording as the documents list it."""
    told = {
        "sessionId": v.SESSION,
        "participantId": v.PERSON,
        "kind": "video",
        "fileFormat": "webm",
        "start": "2024-07-18T07:10:30.247Z",
        "end": "2024-07-18T07:10:55.236Z",
        "mode": "track",
        "region": "region",
        "files": [{"meta": {"duration": 598}, "filePath": "a/b.webm", "fileUrl": None, "size": 1, "__v": 0}],
        "roomId": v.ROOM,
        "webhook": {"totalCount": 0, "successCount": 0, "data": []},
        "id": f"id-{number}",
    }
    return {**told, **fields}


def page(items: object, number: int = 1, last: int = 1) -> v.Act:
    info = {"currentPage": number, "perPage": 20, "lastPage": last, "total": 3}
    return v.answer(200, {"pageInfo": info, "data": items})


START_AT, END_AT = 1_721_286_630_247, 1_721_286_655_236
FIRST = Listed("id-1", v.SESSION, v.PERSON, "video", START_AT, END_AT, ("a/b.webm",))


def test_a_list_is_read_over_all_its_pages(vendor: v.Vendor) -> None:
    vendor.play(page([item(1)], 1, 3), page([item(2)], 2, 3), page([item(3)], 3, 3))

    told = list(make_api(vendor.url).listed(v.ROOM, session_id="s 1"))

    assert [one.listed_id for one in told] == ["id-1", "id-2", "id-3"]
    assert told[0] == FIRST
    assert [seen.path for seen in vendor.seen] == [
        f"/v2/recordings/participant/track?roomId={v.ROOM}&sessionId=s+1&page={number}"
        for number in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("fields", "start_at", "end_at", "files"),
    [
        ({"end": None}, START_AT, None, ("a/b.webm",)),
        ({"start": "2024-07-18T07:10:30.247+00:00"}, START_AT, END_AT, ("a/b.webm",)),
        ({"end": "2022-07-05T15:60:35.047+00:00"}, START_AT, None, ("a/b.webm",)),
        ({"files": []}, START_AT, END_AT, ()),
        ({"files": None}, START_AT, END_AT, ()),
        ({"files": [{"filePath": "/x.webm"}, {"fileUrl": None}, {}]}, START_AT, END_AT, ("/x.webm",)),
        ({"participantName": "Zoë", "status": {"odd": []}}, START_AT, END_AT, ("a/b.webm",)),
    ],
    ids=["running", "an offset", "no time", "no files", "null files", "files without names", "new fields"],
)
def test_an_item_is_read_as_far_as_it_can_be(
    fields: dict[str, Any], start_at: int, end_at: int | None, files: tuple[str, ...], vendor: v.Vendor
) -> None:
    vendor.play(page([item(**fields)]))

    [told] = make_api(vendor.url).listed(v.ROOM)

    assert (told.start_at, told.end_at, told.files) == (start_at, end_at, files)


@pytest.mark.parametrize(
    "odd",
    [
        7,
        None,
        "text",
        [],
        {},
        item(id=7),
        item(id=""),
        item(kind="share"),
        item(kind=["audio"]),
        item(start=None),
        item(start="2024-07-18T07:10:30"),
        item(start=1_721_286_630_247),
        item(sessionId=None),
        item(participantId={"a": 1}),
        item(files="a.webm"),
        item(files=["a.webm"]),
    ],
    ids=repr,
)
def test_an_item_that_can_not_be_understood_hides_no_other(
    odd: object, vendor: v.Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    vendor.play(page([odd, item()]))

    assert list(make_api(vendor.url).listed(v.ROOM)) == [FIRST]
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("chalicelib.")]
    assert ours == ["VideoSDK listed a track recording (entry 0) that can not be understood"]


SHAKY: list[tuple[str, list[v.Act], int]] = [
    ("two errors of theirs", [v.answer(500, "oops"), v.answer(503, v.HTML), page([item()])], 3),
    ("a hang-up", [v.reset(), page([item()])], 2),
    ("a body cut off", [v.promised(200, 10_000, b'{"data"'), page([item()])], 2),
    ("a busy vendor", [v.answer(429, "slow"), v.answer(429, "slow", Retry_After="1"), page([item()])], 3),
    ("a token not taken", [v.answer(401, "no"), page([item()])], 2),
    ("a bare list", [v.answer(200, [item()])], 1),
]


@pytest.mark.parametrize(
    ("acts", "requests"), [story[1:] for story in SHAKY], ids=[story[0] for story in SHAKY]
)
def test_a_question_survives(acts: list[v.Act], requests: int, vendor: v.Vendor, hands: v.Hands) -> None:
    vendor.play(*acts)

    assert list(make_api(vendor.url, hands).listed(v.ROOM)) == [FIRST]
    assert len(vendor.seen) == requests


def test_a_question_survives_a_late_answer(vendor: v.Vendor, hands: v.Hands) -> None:
    vendor.play(v.silent(), page([item()]))

    assert list(make_api(vendor.url, hands, limits=Limits(page_s=1.0)).listed(v.ROOM)) == [FIRST]
    assert len(vendor.seen) == 2


HOPELESS: list[tuple[str, v.Act, int, str]] = [
    ("always an error", v.answer(500, "oops"), 3, "it answered 500: oops"),
    ("always a hang-up", v.reset(), 3, "did not come"),
    ("always a gigabyte", v.endless(), 3, "larger than 1048576 bytes"),
    ("always busy", v.answer(429, "slow down"), 4, "it answered 429: slow down"),
    ("busy for an hour", v.answer(429, "slow down", Retry_After="3600"), 1, "it answered 429"),
    ("never our token", v.answer(401, "Token is invalid"), 2, "it answered 401: Token is invalid"),
    ("a redirect", v.answer(302, Location="http://127.0.0.1:1/"), 1, "it answered 302"),
    ("a refusal", v.answer(403, {"error": "forbidden"}), 1, "it answered 403: forbidden"),
    ("a web page", v.answer(200, v.HTML), 1, "a page is not JSON"),
    ("too deep", v.answer(200, b"[" * 100_000), 1, "a page is not JSON"),
    ("another shape", v.answer(200, {"recordings": []}), 1, "lacks `data`"),
    ("no page numbers", v.answer(200, {"data": [item()]}), 1, "lacks `data` or `pageInfo`"),
    ("an object for a list", page(item()), 1, "not a list"),
    ("pages without end", page([item()], 1, 10**9), 100, "more than 100 pages"),
]


@pytest.mark.parametrize(
    ("act", "requests", "why"), [story[1:] for story in HOPELESS], ids=[story[0] for story in HOPELESS]
)
def test_a_question_that_is_not_answered_says_so(
    act: v.Act, requests: int, why: str, vendor: v.Vendor, hands: v.Hands
) -> None:
    vendor.play(act)

    with pytest.raises(Unavailable, match=why) as told:
        list(make_api(vendor.url, hands).listed(v.ROOM))

    assert told.value.code == "videosdk_unavailable"
    assert len(vendor.seen) == requests


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_a_question_that_was_refused_is_told_apart_and_the_next_is_asked(
    status: int, vendor: v.Vendor
) -> None:
    vendor.play(v.answer(status, "no such room"))
    api = make_api(vendor.url)

    with pytest.raises(BadGateway, match=f"VideoSDK answered {status}: no such room"):
        list(api.listed(v.ROOM))
    vendor.play(page([item()]))

    assert list(api.listed(v.ROOM)) == [FIRST]


@pytest.mark.parametrize(
    "act", [v.silent(), v.dripping(200, b" " * 10_000), v.dripping_head()], ids=["silence", "body", "head"]
)
def test_a_question_is_asked_three_times_and_not_waited_for_beyond_its_time(
    act: v.Act, vendor: v.Vendor, hands: v.Hands
) -> None:
    vendor.play(act)
    began = time.monotonic()

    with pytest.raises(Unavailable, match="videosdk_unavailable"):
        list(make_api(vendor.url, hands, limits=HASTY).listed(v.ROOM))

    assert len(vendor.seen) == 3
    assert time.monotonic() - began < 3 * (HASTY.connect_s + HASTY.page_s) + SLACK_S


def test_an_empty_page_ends_the_list(vendor: v.Vendor) -> None:
    vendor.play(page([item()], 1, 9), page([], 2, 9))

    assert list(make_api(vendor.url).listed(v.ROOM)) == [FIRST]
    assert len(vendor.seen) == 2


def test_a_list_whose_pages_never_end_is_given_up(vendor: v.Vendor, hands: v.Hands) -> None:
    endless = page([item()], 1, 10**6)

    def late(sock: Any) -> bool:
        hands.sleep(9)
        return endless(sock)

    vendor.play(late)

    with pytest.raises(Unavailable, match="takes too long"):
        list(make_api(vendor.url, hands).listed(v.ROOM))
    assert len(vendor.seen) == 4


def test_who_got_no_list_does_not_ask_for_the_next_at_once(vendor: v.Vendor, hands: v.Hands) -> None:
    vendor.play(v.answer(503, v.HTML))
    api = make_api(vendor.url, hands)
    with pytest.raises(Unavailable):
        list(api.listed(v.ROOM))
    asked = len(vendor.seen)

    with pytest.raises(Unavailable, match="a moment ago"):
        api.presences(v.SESSION)

    assert len(vendor.seen) == asked
    hands.sleep(PATIENT.quiet_s)
    vendor.play(page([item()]))
    assert list(api.listed(v.ROOM)) == [FIRST]


@pytest.mark.parametrize(("retry_after", "quiet_s"), [("1", 15), ("40", 40), ("3600", 60)])
def test_who_is_too_busy_for_a_list_is_left_alone(
    retry_after: str, quiet_s: int, vendor: v.Vendor, hands: v.Hands
) -> None:
    vendor.play(v.answer(429, "slow down", Retry_After=retry_after))
    api = make_api(vendor.url, hands)
    with pytest.raises(Unavailable):
        list(api.listed(v.ROOM))
    vendor.play(page([item()]))

    hands.sleep(quiet_s - 1)
    with pytest.raises(Unavailable, match="a moment ago"):
        list(api.listed(v.ROOM))

    hands.sleep(1)
    assert list(api.listed(v.ROOM)) == [FIRST]


def test_nobody_waits_longer_than_there_is_time(vendor: v.Vendor, hands: v.Hands) -> None:
    vendor.play(v.answer(429, "slow down", Retry_After="4"))

    for left_s, asked in ((8.0, 1), (12.0, 2)):
        until = hands.monotonic() + left_s
        api = make_api(vendor.url, hands, left_s=lambda until=until: until - hands.monotonic())
        assert isinstance(start(api), Declined)
        assert (len(vendor.seen), hands.slept) == (asked, [4.0] * (asked - 1))
        vendor.seen.clear()


def test_a_list_without_time_for_it_is_not_asked_for_and_leaves_no_quiet(
    vendor: v.Vendor, hands: v.Hands
) -> None:
    left = [PATIENT.connect_s + 0.5]
    api = make_api(vendor.url, hands, left_s=lambda: left[0])
    vendor.play(page([item()]))

    with pytest.raises(Unavailable, match="too long"):
        list(api.listed(v.ROOM))

    assert vendor.seen == []
    left[0] = 60.0
    assert list(api.listed(v.ROOM)) == [FIRST]


def test_what_may_be_sent_again_is_used_up_and_earned_anew(vendor: v.Vendor, hands: v.Hands) -> None:
    vendor.play(v.answer(401, "no"))
    api = make_api(vendor.url, hands)

    def sent_again(calls: int) -> int:
        vendor.seen.clear()
        for _ in range(calls):
            start(api)
        return len(vendor.seen) - calls

    assert sent_again(10) == 3
    assert sent_again(4) == 1
    assert sent_again(100) == 8


def test_a_vendor_that_is_not_there_can_not_be_asked(hands: v.Hands) -> None:
    with pytest.raises(Unavailable, match="no connection"):
        make_api(v.closed_port(), hands).presences(v.SESSION)


PEOPLE = [
    {
        "participantId": "p1",
        "name": "Zoë",
        "timelog": [
            {"start": "2024-07-18T07:10:30.247Z", "end": "2024-07-18T07:10:55.236Z"},
            {"start": "2024-07-18T07:10:55.236Z", "end": None},
        ],
    },
    {"participantId": "p2", "timelog": [{"start": "no time", "end": None}, 7]},
    {"participantId": "p3", "timelog": None},
    {"name": "nobody", "timelog": []},
    "strange",
]
STAYS = [Presence("p1", "Zoë", START_AT, END_AT), Presence("p1", "Zoë", END_AT, None)]


@pytest.mark.parametrize(
    "shape",
    [
        {"id": v.SESSION, "roomId": v.ROOM, "participants": PEOPLE},
        {"participants": PEOPLE},
        [{"id": v.SESSION, "participants": PEOPLE}, {"id": "another", "participants": PEOPLE}],
    ],
    ids=["an object", "an object without id", "a list of sessions"],
)
def test_the_people_of_a_session_are_found_in_either_shape(shape: object, vendor: v.Vendor) -> None:
    vendor.play(page(shape))

    assert make_api(vendor.url).presences(v.SESSION) == STAYS
    assert vendor.seen[0].path == f"/v2/sessions/{v.SESSION}/participants?page=1"


def test_the_people_may_come_without_page_numbers(vendor: v.Vendor) -> None:
    vendor.play(v.answer(200, {"data": {"id": v.SESSION, "participants": PEOPLE}}))

    assert make_api(vendor.url).presences(v.SESSION) == STAYS


@pytest.mark.parametrize("shape", [{"id": v.SESSION}, [[]], [{"participants": {}}]])
def test_a_session_without_people_is_not_a_session(shape: object, vendor: v.Vendor) -> None:
    vendor.play(page(shape))

    with pytest.raises(Unavailable, match="lacks `participants`"):
        make_api(vendor.url).presences(v.SESSION)


@pytest.mark.parametrize("session_id", ["..", "a b", "s/1", "é"])
def test_nobody_is_in_a_session_that_videosdk_can_not_have(session_id: str, vendor: v.Vendor) -> None:
    assert make_api(vendor.url).presences(session_id) == []
    assert not vendor.seen


def test_a_strange_session_id_does_not_change_the_path(vendor: v.Vendor) -> None:
    vendor.play(page({"participants": []}))

    assert make_api(vendor.url).presences("a@b:c+d=~") == []
    assert vendor.seen[0].path == "/v2/sessions/a%40b%3Ac%2Bd%3D~/participants?page=1"
