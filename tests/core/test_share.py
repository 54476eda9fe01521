"""Shares: when a link opens its session, and what is shown to who has it."""

import json
import re
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import events as e
from chalicelib.core import ids
from chalicelib.core.ids import Kind
from chalicelib.core.manifest import manifest
from chalicelib.core.session import Session
from chalicelib.core.share import pared, shares
from chalicelib.core.steps import Wanted
from tests.builders import (
    ASKED,
    ODD,
    RID,
    ROOM,
    SESSION,
    WHO,
    A,
    B,
    C,
    ended,
    given_up,
    rejected,
    stopped,
    stored,
)
from tests.core.stories import stay

KEY = b"the stack's own"
ONE, OTHER = (ids.share_id(bytes([number]) * 16) for number in (1, 2))
MADE = e.SessionShared(at=1_000, share_id=ONE, expires_at=5_000, by="app")
LATER = e.SessionShared(at=2_000, share_id=OTHER, expires_at=9_000, by="other")
BACK = e.ShareRevoked(at=3_000, share_id=ONE, by="app")


# --- when it opens --------------------------------------------------------------------------------


def test_a_share_opens_until_it_is_over() -> None:
    [share] = shares([MADE])

    assert [share.opens(at) for at in (1_000, 4_999, 5_000, 6_000)] == [True, True, False, False]


def test_a_share_that_was_taken_back_never_opens_again_whatever_was_heard_first() -> None:
    for facts in ([MADE, BACK], [BACK, MADE], [BACK, MADE, replace(BACK, at=4_000), MADE]):
        [share] = shares(facts)

        assert (share.revoked_at, share.opens(2_000)) == (3_000, False)


def test_shares_are_listed_newest_first_and_each_by_itself() -> None:
    told = shares([MADE, LATER, BACK])

    assert [share.share_id for share in told] == [OTHER, ONE]
    assert [share.opens(4_000) for share in told] == [True, False]
    assert shares([BACK]) == []


# --- its token ------------------------------------------------------------------------------------

SESSIONS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=128
)


@given(SESSIONS)
def test_a_token_leads_to_its_share_and_fits_into_a_path(session_id: str) -> None:
    token = ids.share_token(KEY, session_id, ONE)

    assert ids.share_of_token(KEY, token) == (session_id, ONE)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", token)


@given(SESSIONS, st.data())
def test_a_token_in_which_anything_is_changed_is_none(session_id: str, data: st.DataObject) -> None:
    token = ids.share_token(KEY, session_id, ONE)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(exclude_characters=token[at]))

    for forged in (token[:at] + other + token[at + 1 :], token[:at], token + other, token[at + 1 :]):
        assert ids.share_of_token(KEY, forged) is None


def test_another_key_another_session_and_another_share_have_another_proof() -> None:
    proof = ids.share_token(KEY, SESSION, ONE).rpartition(".")[2]
    where = ids.share_token(KEY, "session-2", ONE).partition(".")[0]

    assert ids.share_of_token(b"another", ids.share_token(KEY, SESSION, ONE)) is None
    assert ids.share_of_token(KEY, f"{where}.{ONE}.{proof}") is None
    assert (
        ids.share_of_token(KEY, f"{ids.share_token(KEY, SESSION, OTHER).rpartition('.')[0]}.{proof}") is None
    )


@given(st.text(max_size=300))
def test_no_text_breaks_the_reading_of_a_token(text: str) -> None:
    assert ids.share_of_token(KEY, text) is None


def test_the_address_of_a_webhook_opens_no_share() -> None:
    token = ids.webhook_token(KEY, RID, (ROOM, WHO, "audio"))

    assert ids.share_of_token(KEY, token) is None
    assert ids.recording_of_token(KEY, ids.share_token(KEY, SESSION, ONE)) is None


# --- what is shown --------------------------------------------------------------------------------

SECRET = "recordings/rec-secret/secret"
WRONG = replace(given_up(C), reason=f"the object {SECRET} is gone")
ALL: list[e.Event] = [
    ASKED, stopped(A, B, C), ended(A, B, C), stored(A), replace(rejected(B), reason=f"no {SECRET}"), WRONG,
    replace(ODD, reason=SECRET, webhook_type=SECRET),
]  # fmt: skip
OWN = [
    stay(WHO, 0, 9_000),
    e.ProductFailed(at=9, product="sound", key="k", source=SECRET, reason=SECRET, step="s"),
]
WANTED = Wanted(frozenset({("track", "webm"), ("mix", "opus")}), -16.0)


def whole() -> dict[str, Any]:
    """A manifest in which everything stands that can."""
    told: dict[str, Any] = json.loads(json.dumps(manifest(Session.of(SESSION, OWN, {RID: ALL}), WANTED)))
    for product in told["products"]:
        product.update(state="failed", reason=SECRET)
    return told


def test_who_has_a_link_sees_times_people_media_and_verdict() -> None:
    told, shown = whole(), pared(whole())

    assert shown.keys() == told.keys()
    [anna], [seen] = told["participants"], shown["participants"]
    assert (seen["name"], seen["presence"]) == ("Anna", anna["presence"])
    [track] = seen["tracks"]
    assert track["gaps"] == anna["tracks"][0]["gaps"]
    assert [(s["start"], s["end"], s["repairedKey"]) for s in track["segments"]] == [
        (s["start"], s["end"], s["repairedKey"]) for s in anna["tracks"][0]["segments"]
    ]
    assert [mark["what"] for mark in seen["marks"]] == [mark["what"] for mark in anna["marks"]]
    assert [a["key"] for a in shown["artifacts"]] == [a["key"] for a in told["artifacts"]]
    for field in ("missing", "odd"):
        assert [f["reason"] for f in shown["verdict"][field]] == [f["reason"] for f in told["verdict"][field]]


def test_who_has_a_link_sees_no_recording_no_raw_key_and_nothing_that_went_wrong_inside() -> None:
    hidden = (RID, "secret", "recordings/", "drift", "uncertaintyMs")
    assert all(text in json.dumps(whole()) for text in hidden), "the test would not notice"

    shown = json.dumps(pared(whole()))

    assert [text for text in hidden if text in shown] == []


def test_paring_changes_nothing_of_the_manifest_itself() -> None:
    told = whole()

    pared(told)

    assert told == whole()


# --- whose keys ----------------------------------------------------------------------------------

OF_A_SESSION = [
    ("sessions/session-1/anna/audio/repaired-1750000000000-0123456789abcdef.webm", True),
    ("sessions/session-1/sound/0f~1/mix.webm", True),
    ("sessions/session-1/~00ff/video/poster-unstamped-0f.jpg", True),
    ("sessions/session-2/anna/audio/a.webm", False),
    ("sessions/session-12/anna/a.webm", False),
    ("sessions/session-1", False),
    ("sessions/session-1/", False),
    ("sessions/session-1/../session-2/a.webm", False),
    ("sessions/session-1/a/../../session-2/a.webm", False),
    ("sessions/session-1/./a.webm", False),
    ("sessions/session-1//a.webm", False),
    ("sessions/session-1/%2e%2e/a.webm", False),
    ("sessions/session-1/a.webm?x=1", False),
    ("sessions/session-1/a.webm#x", False),
    ("sessions/session-1/a\\b", False),
    ("sessions/session-1/a\n", False),
    ("sessions/session-1/\ud800", False),
    ("/sessions/session-1/a.webm", False),
    ("", False),
]


def test_a_key_of_a_session_lies_below_it_and_nowhere_else() -> None:
    assert [(key, ids.is_output_of(key, SESSION)) for key, _ in OF_A_SESSION] == OF_A_SESSION


def test_every_key_that_a_manifest_shows_is_its_sessions() -> None:
    told = manifest(Session.of(SESSION, OWN, {RID: [*ALL, stored(B, kind=Kind.VIDEO)]}))

    assert told["artifacts"]
    assert all(ids.is_output_of(artifact["key"], SESSION) for artifact in told["artifacts"])
