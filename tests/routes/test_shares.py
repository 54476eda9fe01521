"""Sharing a session, and the doors of who has the link."""

import json
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from chalicelib import wiring
from chalicelib.core import ids
from chalicelib.core.errors import Unauthenticated
from tests.routes.gateway import Answer, Gateway
from tests.routes.stage import TAG_SECRET, Ledger
from tests.routes.test_looking import unannounced

SHARES = "/sessions/session-1/shares"


@pytest.fixture
def token(api: Gateway) -> str:
    """A link to a session."""
    unannounced("session-1")
    return str(api.post(SHARES, {"expiresInSeconds": 300}).told["token"])


def shown(api: Gateway, token: str, query: str = "") -> Answer:
    """What somebody gets who has nothing but this."""
    return api.get(f"/shared/{token}", query, by=None)


def asked(api: Gateway, token: str, keys: Any, **more: Any) -> Answer:
    """The addresses that somebody gets who has nothing but this."""
    return api.post(f"/shared/{token}/addresses", {"keys": keys, **more}, by=None)


def test_a_link_opens_the_session_to_who_has_no_other_proof(api: Gateway, token: str) -> None:
    told = shown(api, token).told
    [key] = [artifact["key"] for artifact in told["artifacts"]]

    given = asked(api, token, [key])

    assert (told["sessionId"], told["cursor"]) == ("session-1", None)
    assert given.status == 200
    assert f"/{key}?" in given.told["addresses"][key]


def test_a_share_is_made_listed_and_taken_back(api: Gateway, ledger: Ledger) -> None:
    unannounced("session-1")

    made = api.post(SHARES, by="other-app")
    [listed] = api.get(SHARES).told["shares"]
    gone = [api("DELETE", f"{SHARES}/{made.told['shareId']}") for _ in range(2)]

    assert made.status == 201
    assert made.told["expiresAt"] - listed["createdAt"] == 604_800_000
    assert (listed["shareId"], listed["revokedAt"], listed["by"]) == (made.told["shareId"], None, "other-app")
    assert [answer.status for answer in gone] == [200, 200]
    assert gone[0].told == gone[1].told
    assert gone[0].told["revokedAt"] is not None
    assert shown(api, made.told["token"]).refusal == (404, "share_not_found", None)
    assert made.told["token"] not in json.dumps(ledger.items())


@pytest.mark.parametrize(
    "seconds", [299, 7_776_001, 0, -1, 300.0, "300", True, None, [], {}, 10**400], ids=range(11)
)
def test_a_time_that_a_share_can_not_have(api: Gateway, seconds: Any, ledger: Ledger) -> None:
    answer = api.post(SHARES, {"expiresInSeconds": seconds})

    assert answer.refusal == (400, "invalid_expiry", "expiresInSeconds")
    assert ledger.items() == []


def test_only_what_is_known_can_be_shared_or_taken_back(api: Gateway) -> None:
    assert api.post(SHARES).refusal == (404, "session_not_found", None)
    assert api("DELETE", f"{SHARES}/share-{'0' * 32}").refusal == (404, "share_not_found", None)
    assert api("DELETE", f"{SHARES}/share-1").refusal == (400, "invalid_share_id", "shareId")


# --- who has no link ------------------------------------------------------------------------------

HOSTILE = [
    "t", ".", "..", "...", "%00", "%2e%2e", "\ud800", "\U0001f3a5", "x" * 8000, "a.b.c", "=.=.=", "%ff.x.y",
    "null", "[]", "'", "c2Vzc2lvbi0x", f"c2Vzc2lvbi0x.share-{'0' * 32}", f"c2Vzc2lvbi0x.share-{'0' * 32}.",
    f"c2Vzc2lvbi0x.share-{'0' * 32}.{'0' * 32}", f"c2Vzc2lvbi0x.share-{'0' * 32}.{'é' * 32}",
]  # fmt: skip


def test_nothing_that_is_no_token_opens_anything_or_breaks_anything(
    api: Gateway, token: str, calls: list[tuple[str, str]]
) -> None:
    where, share_id, proof = token.split(".")
    forged = [
        token[:-1], f"{token}0", token.upper(), f"{where}=.{share_id}.{proof}",
        f"{where}.{share_id}.{proof} ",
        ids.share_token(b"another", "session-1", share_id), f"bW9yZQ.{share_id}.{proof}",
    ]  # fmt: skip
    said = set()
    for bad in (*HOSTILE, *forged):
        for answer in (shown(api, _spelled(bad)), asked(api, _spelled(bad), ["k"])):
            said.add((answer.status, answer.body))
            assert [call for call in calls if call[0] != "secretsmanager"] == [], bad
    # A share that nobody made, under a good proof, is as little there.
    never = ids.share_token(TAG_SECRET.encode(), "session-1", ids.share_id(bytes(16)))
    said.add((shown(api, never).status, shown(api, never).body))

    assert len(said) == 1
    assert next(iter(said))[0] == 404


def _spelled(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="%")


def test_a_link_of_one_session_is_none_of_another(api: Gateway, token: str) -> None:
    unannounced("session-2")
    [theirs] = api.get("/sessions/session-2", "addresses=none").told["artifacts"]

    assert asked(api, token, [theirs["key"]]).refusal == (400, "invalid_keys", "keys")


def test_a_link_is_no_bearer_token(token: str) -> None:
    with pytest.raises(Unauthenticated):
        wiring.callers().subject(f"Bearer {token}")


# --- addresses ------------------------------------------------------------------------------------

BAD_KEYS: list[Any] = [
    [], "k", None, {}, [None], [7], [["k"]], [""], ["k" * 1025], ["k"] * 201, ["\ud800"],
    ["sessions/session-2/a"], ["sessions/session-1/../session-2/a"], ["../../recordings/a"],
    ["sessions/session-1/a\0"],
    ["sessions/session-1/a?versionId=1"],
]  # fmt: skip


@pytest.mark.parametrize("keys", BAD_KEYS, ids=range(len(BAD_KEYS)))
def test_keys_that_are_none_of_the_session(api: Gateway, token: str, keys: Any) -> None:
    for answer in (asked(api, token, keys), api.post("/sessions/session-1/addresses", {"keys": keys})):
        assert answer.refusal == (400, "invalid_keys", "keys")
        assert "X-Amz" not in answer.body


def test_addresses_of_a_session_cost_no_reading(api: Gateway, calls: list[tuple[str, str]]) -> None:
    key = "sessions/session-1/ann/audio/repaired-1-0f.webm"

    answer = api.post("/sessions/session-1/addresses", {"keys": [key] * 200})

    assert answer.told["addresses"].keys() == {key}
    assert calls == []


def test_many_keys_fit_into_a_body(api: Gateway) -> None:
    keys = [f"sessions/session-1/ann/audio/{'x' * 200}-{number}.webm" for number in range(200)]

    assert len(api.post("/sessions/session-1/addresses", {"keys": keys}).told["addresses"]) == 200
    assert api.post("/sessions/session-1/addresses", b" " * 131_073).status == 413


def test_files_are_saved_under_their_names_by_who_asks_to(api: Gateway, token: str) -> None:
    [made] = shown(api, token).told["artifacts"]
    path, body = "/sessions/session-1/addresses", {"keys": [made["key"]]}

    for answer in (asked(api, token, body["keys"], download=True), api.post(path, body | {"download": True})):
        told = parse_qs(urlsplit(answer.told["addresses"][made["key"]]).query)
        said = f'attachment; filename="{made["fileName"]}"'
        assert told["response-content-disposition"] == [said]
        assert made["fileName"].endswith("-ann-audio-repaired-00-00-00.webm")
    assert "=attachment" not in api.post(path, body | {"download": False}).body


@pytest.mark.parametrize("download", ["true", 1, None, [], {}], ids=range(5))
def test_to_save_or_not_to_save(api: Gateway, token: str, download: Any) -> None:
    body = {"keys": ["sessions/session-1/a"], "download": download}
    for answer in (
        asked(api, token, body["keys"], download=download),
        api.post("/sessions/session-1/addresses", body),
    ):
        assert answer.refusal == (400, "invalid_download", "download")


# --- a manifest without addresses, and in pieces --------------------------------------------------


def test_a_manifest_can_come_without_addresses(api: Gateway) -> None:
    unannounced("session-1")

    bare, full = (api.get("/sessions/session-1", query).told for query in ("addresses=none", "addresses=all"))

    assert [artifact.pop("url")[:8] for artifact in full["artifacts"]] == ["https://"]
    assert bare == full


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("addresses=some", "invalid_addresses", "addresses"),
        ("addresses=", "invalid_addresses", "addresses"),
        ("cursor=-1", "invalid_cursor", "cursor"),
        ("cursor=", "invalid_cursor", "cursor"),
        ("cursor=x", "invalid_cursor", "cursor"),
        (f"cursor={'9' * 5000}", "invalid_cursor", "cursor"),
        ("limit=1", "unknown_parameter", "limit"),
    ],
)
def test_a_query_that_is_none_of_a_manifests(query: str, code: str, field: str, api: Gateway) -> None:
    assert api.get("/sessions/session-1", query).refusal == (400, code, field)


def test_sessions_are_found_by_who_was_recorded(api: Gateway) -> None:
    for number in range(3):
        unannounced(f"session-{number}", ("ann", "bob")[number % 2])

    found = api.get("/sessions", "participantId=bob").told["sessions"]

    assert [(told["sessionId"], told["people"]) for told in found] == [("session-1", ["bob"])]
    assert api.get("/sessions", "participantId=a%2Fb").refusal == (
        400,
        "invalid_participant_id",
        "participantId",
    )
