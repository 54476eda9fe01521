"""A link opens one session, for a while, and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.core import ids
from chalicelib.core.errors import Invalid, NotFound, Unavailable
from chalicelib.core.ids import Kind
from chalicelib.flows import review, share
from chalicelib.flows.record import Wanted
from tests.builders import ROOM, SESSION, WHO
from tests.fakes import MemoryWorld, film
from tests.flows.stage import FILE, begun, deliver, key_of, until_quiet

WEEK_S = 7 * 86_400
NOTHING = ("share_not_found", "this link opens nothing: it is wrong, over or taken back")


@pytest.fixture
def world() -> MemoryWorld:
    """A session of one picture, with a poster of it."""
    world = MemoryWorld()
    recording_id = begun(world, Wanted(ROOM, WHO, (Kind.VIDEO,)))
    deliver(world, key_of(recording_id, FILE.replace("audio", "video"), kind="video"), film(kind="video"))
    until_quiet(world)
    return world


def shown(world: MemoryWorld, token: str) -> dict[str, Any]:
    """The whole of what a link shows."""
    return share.shared(world, token, 0)


def opens(world: MemoryWorld, token: str) -> bool:
    """Whether a link opens anything; where it does not, both doors say the same."""
    said = [_refusal(lambda: shown(world, token)), _refusal(lambda: share.shared_addresses(world, token, []))]
    assert said in ([NOTHING] * 2, [None] * 2)
    return said[0] is None


def _refusal(ask: Callable[[], object]) -> tuple[str, str] | None:
    try:
        ask()
    except NotFound as nothing:
        return nothing.code, nothing.message
    return None


def test_a_link_shows_the_session_and_gives_addresses_of_what_it_shows(world: MemoryWorld) -> None:
    made = share.share(world, SESSION, WEEK_S, "app")

    told = shown(world, made["token"])
    keys = [artifact["key"] for artifact in told["artifacts"]]
    given = share.shared_addresses(world, made["token"], keys)

    assert (told["sessionId"], told["expiresAt"]) == (SESSION, world.now() + WEEK_S * 1000)
    assert [artifact["product"] for artifact in told["artifacts"]] == ["repaired", "poster"]
    assert not any("url" in artifact for artifact in told["artifacts"])
    assert given["addresses"] == {key: world.shelf.url(key) for key in keys}
    assert given["expiresAt"] == world.now() + world.settings.url_ms


def test_a_link_gives_files_to_save_under_the_names_that_it_shows(world: MemoryWorld) -> None:
    token = share.share(world, SESSION, WEEK_S, "app")["token"]
    named = {artifact["key"]: artifact["fileName"] for artifact in shown(world, token)["artifacts"]}

    given = share.shared_addresses(world, token, list(named), download=True)["addresses"]

    assert given == {key: world.shelf.url(key, name) for key, name in named.items()}


def test_what_the_last_manifest_shows_costs_no_look_at_the_recordings(world: MemoryWorld) -> None:
    token = share.share(world, SESSION, WEEK_S, "app")["token"]
    keys = [artifact["key"] for artifact in shown(world, token)["artifacts"]]
    review.finish_session(world, SESSION, (), "app")
    until_quiet(world)
    world.broken("catalog.of_session")

    assert share.shared_addresses(world, token, keys)["addresses"].keys() == set(keys)
    with pytest.raises(Unavailable, match="of_session is down"):
        share.shared_addresses(world, token, [*keys, "k"])


def test_a_link_opens_nothing_once_it_is_over(world: MemoryWorld) -> None:
    token = share.share(world, SESSION, 300, "app")["token"]

    world.pass_time(299_999)
    before = opens(world, token)
    world.pass_time(1)

    assert (before, opens(world, token)) == (True, False)


def test_a_link_that_was_taken_back_opens_nothing_and_the_others_still_do(world: MemoryWorld) -> None:
    first, other = (share.share(world, SESSION, WEEK_S, "app") for _ in range(2))
    world.pass_time(5)

    told = share.revoke(world, SESSION, first["shareId"], "ops")
    world.pass_time(5)

    assert told["revokedAt"] == world.now() - 5
    assert share.revoke(world, SESSION, first["shareId"], "ops") == told
    assert (opens(world, first["token"]), opens(world, other["token"])) == (False, True)


def test_shares_are_listed_without_what_opens_them(world: MemoryWorld) -> None:
    made = share.share(world, SESSION, 300, "app")

    [told] = share.all_shares(world, SESSION)["shares"]

    assert told == {
        "shareId": made["shareId"],
        "createdAt": world.now(),
        "expiresAt": made["expiresAt"],
        "revokedAt": None,
        "by": "app",
    }


def test_only_a_session_that_is_known_can_be_shared(world: MemoryWorld) -> None:
    with pytest.raises(NotFound, match="session_not_found"):
        share.share(world, "another", 300, "app")
    with pytest.raises(NotFound, match="share_not_found"):
        share.revoke(world, SESSION, ids.share_id(bytes(16)), "app")


def test_a_good_proof_of_a_share_that_nobody_made_opens_nothing(world: MemoryWorld) -> None:
    made = share.share(world, SESSION, WEEK_S, "app")
    elsewhere = ids.share_token(world.tag_key, "another", made["shareId"])
    never = ids.share_token(world.tag_key, SESSION, ids.share_id(bytes(16)))

    assert [opens(world, token) for token in (elsewhere, never)] == [False, False]


def test_what_is_forged_costs_no_look_into_the_ledger(world: MemoryWorld) -> None:
    token = share.share(world, SESSION, WEEK_S, "app")["token"]
    world.broken("ledger.read")

    assert not opens(world, token[:-1] + ("0" if token[-1] != "0" else "1"))


def test_a_link_gives_no_address_of_anything_that_it_does_not_show(world: MemoryWorld) -> None:
    token = share.share(world, SESSION, WEEK_S, "app")["token"]
    [repaired, _] = [artifact["key"] for artifact in shown(world, token)["artifacts"]]
    manifest = f"sessions/{SESSION}/manifest-0123456789abcdef.json"

    for key in (
        ids.index_key(repaired),
        manifest,
        repaired.replace(SESSION, "another"),
        f"{repaired}/..",
        "",
    ):
        with pytest.raises(Invalid, match="invalid_keys"):
            share.shared_addresses(world, token, [repaired, key])


def test_sharing_is_no_news_of_the_session(world: MemoryWorld) -> None:
    before = review.session(world, SESSION, 0, with_addresses=False)

    made = share.share(world, SESSION, WEEK_S, "app")
    share.revoke(world, SESSION, made["shareId"], "app")

    assert not world.ledger.stream
    assert review.session(world, SESSION, 0, with_addresses=False) == before
