"""A link that opens one session to whoever has it, for a while, and gives nothing else away."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from chalicelib.core.plan import NAMES
from chalicelib.core.steps import Wanted
from tests.page.conftest import GO, Watch
from tests.page.meeting import HOSTILE, REVIEW, TROUBLED, UNDER_WAY, Meeting
from tests.page.stack import TOKEN, Stack

DAY_MS = 86_400_000
NOTHING = "This link opens nothing now"


def shared(page: Page, stack: Stack, meeting: Meeting, more: str = "") -> None:
    """Open a new link to a meeting, as somebody without a token."""
    page.goto(f"{stack.page}#/shared/{stack.share(meeting, 3_600)['token']}{more}")
    page.wait_for_selector(".timeline")


def dialog(page: Page) -> None:
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.get_by_role("dialog", name="Share this session")).to_be_visible()


TERMS = [("An hour", DAY_MS // 24), ("A day", DAY_MS), ("A week", 7 * DAY_MS), ("30 days", 30 * DAY_MS)]


def test_a_link_is_made_for_as_long_as_was_chosen(watch: Watch, stack: Stack) -> None:
    page = watch(expected="404").open(UNDER_WAY.session_id)
    dialog(page)

    for n, (term, lasts_ms) in enumerate(TERMS, 1):
        page.get_by_role("radio", name=term).check()
        page.get_by_role("button", name="Make a link").click()
        expect(page.locator(".shares li button")).to_have_count(n)

        token, told = list(stack.shares.items())[-1]
        expect(page.get_by_label("The link", exact=True)).to_have_value(f"{stack.page}#/shared/{token}")
        assert told["expiresAt"] - told["createdAt"] == lasts_ms


def test_what_was_made_is_copied_and_opens_the_session_to_somebody_without_a_token(watch: Watch) -> None:
    mine = watch()
    mine.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = mine.open(REVIEW.session_id)
    dialog(page)
    page.get_by_role("button", name="Make a link").click()
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()

    theirs = watch()
    theirs.page.goto(page.evaluate("navigator.clipboard.readText()"))

    expect(theirs.page.locator("main h1")).to_have_text("weekly-review")
    expect(theirs.page.locator(".lent")).to_contain_text("Shared with you, to watch and download, until ")
    expect(theirs.page.locator(".file").first).to_be_visible()
    assert theirs.page.evaluate("sessionStorage.length") == 0


def test_a_shared_session_shows_no_stories_no_list_and_no_sharing(watch: Watch, stack: Stack) -> None:
    watched = watch()
    shared(watched.page, stack, REVIEW)

    page = watched.page
    assert page.locator(".stories, .crumbs a, dialog.share, a[href='#/']").count() == 0
    assert page.get_by_role("button", name="Share", exact=True).count() == 0
    asked = {url.removeprefix(stack.page).split("?")[0].split("/")[0] for url in watched.asked}
    assert asked <= {"", "web", "shared", "http:"}


def test_the_readers_own_token_does_not_go_with_a_link(watch: Watch, stack: Stack) -> None:
    watched = watch()
    sent: list[str | None] = []
    watched.page.on(
        "request",
        lambda asked: sent.append(asked.headers.get("authorization")) if "/shared/" in asked.url else None,
    )
    page = watched.open()
    assert page.evaluate("sessionStorage.length") == 1

    page.goto("about:blank")
    shared(page, stack, REVIEW)

    assert set(sent) == {None}
    assert TOKEN in str(page.evaluate("JSON.stringify(sessionStorage)"))


type Ending = Callable[[Stack], None]


def expired(stack: Stack) -> None:
    for share in stack.shares.values():
        share["expiresAt"] = 1


def revoked(stack: Stack) -> None:
    for share in stack.shares.values():
        share["revokedAt"] = 1


ENDINGS: list[Ending] = [expired, revoked, lambda stack: stack.shares.clear()]


@pytest.mark.parametrize("end", ENDINGS, ids=["expired", "revoked", "forged"])
def test_a_link_that_is_over_says_so_in_words_and_nothing_else(
    watch: Watch, stack: Stack, end: Ending
) -> None:
    page = watch(expected="404").page
    token = stack.share(REVIEW, 3_600)["token"]
    end(stack)

    page.goto(f"{stack.page}#/shared/{token}")

    expect(page.get_by_role("alert").locator("h1")).to_have_text(NOTHING)
    expect(page.get_by_role("alert")).to_contain_text("It has expired, was taken back, or is not whole")
    body = page.locator("body").inner_text()
    assert not any(word in body for word in (REVIEW.session_id, REVIEW.room_id, "Ada", "token"))
    assert page.locator("main :is(a, button, input)").count() == 0


@pytest.mark.parametrize("end", ENDINGS[:2], ids=["expires", "is revoked"])
def test_what_is_open_closes_when_its_link(watch: Watch, stack: Stack, end: Ending) -> None:
    page = watch(expected="404").page
    shared(page, stack, UNDER_WAY)

    end(stack)

    expect(page.get_by_role("alert").locator("h1")).to_have_text(NOTHING)
    assert page.locator("video, audio, .timeline").count() == 0


def test_a_finished_session_closes_at_the_moment_that_its_page_told(watch: Watch, stack: Stack) -> None:
    page = watch(expected="404").page
    token = stack.share(REVIEW, 4)["token"]
    page.goto(f"{stack.page}#/shared/{token}")
    page.wait_for_selector(".timeline")

    expect(page.get_by_role("alert").locator("h1")).to_have_text(NOTHING)


@pytest.mark.parametrize("lent", [False, True], ids=["own", "shared"])
def test_everybodys_poster_is_their_own(watch: Watch, stack: Stack, lent: bool) -> None:
    seen = replace(REVIEW, wanted=Wanted(frozenset({NAMES["poster"]})), made=("poster",))
    stack.meetings = [seen]
    watched = watch(expected="404")
    if lent:
        shared(watched.page, stack, seen, "?t=2")
    else:
        watched.open(seen.session_id)
        watched.page.locator(".scrub").fill("2000")
    posters = {
        made["participantId"]: made["key"]
        for made in seen.manifest()["artifacts"]
        if made["product"] == "poster" and made["kind"] == "video" and made["start"] <= 2_000
    }

    for who in REVIEW.names:
        poster = watched.page.locator(f'.faces .tile[data-participant="{who}"] .poster')
        assert poster.get_attribute("data-key") == posters.get(who)
    assert len(posters) == 2


def test_links_are_listed_and_revoked_one_by_one(watch: Watch, stack: Stack) -> None:
    stack.share(REVIEW, 3_600)
    stack.share(REVIEW, 7_200)
    stack.share(REVIEW, -5)
    stack.share(TROUBLED, 3_600)
    page = watch().open(REVIEW.session_id)
    dialog(page)
    rows = page.locator(".shares li")
    expect(rows).to_have_count(3)
    expect(rows.filter(has_text="Works until")).to_have_count(2)
    expect(rows.filter(has_text="Expired")).to_have_count(1)
    expect(rows.filter(has_text=re.compile("Made today, "))).to_have_count(3)

    page.get_by_role("button", name="Revoke").first.click()

    expect(rows.filter(has_text="Revoked")).to_have_count(1)
    expect(rows.filter(has_text="Works until")).to_have_count(1)
    assert sum(share["revokedAt"] is not None for share in stack.shares.values()) == 1


def test_a_link_can_begin_at_a_moment(watch: Watch) -> None:
    page = watch().open(REVIEW.session_id)
    page.keyboard.press("ArrowRight")
    dialog(page)
    page.get_by_role("checkbox", name="Begin at 0:05.0").check()
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("The link", exact=True).input_value()

    theirs = watch()
    theirs.page.goto(link)

    expect(theirs.page.get_by_role("slider", name="Position in the session")).to_have_attribute(
        "aria-valuenow", "5000"
    )


def test_the_dialog_closes_by_key_and_button_and_says_what_went_wrong(watch: Watch, stack: Stack) -> None:
    page = watch(expected="503").open(REVIEW.session_id)
    for key in ("Escape", "Enter"):
        dialog(page)
        page.get_by_role("button", name="Close").focus()
        page.keyboard.press(key)
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.get_by_role("button", name="Share", exact=True)).to_be_focused()

    dialog(page)
    stack.down = True
    page.get_by_role("button", name="Make a link").click()

    expect(page.get_by_role("alert")).to_contain_text("The ledger is out of reach. The API had a fault.")


def test_a_shared_name_never_becomes_markup(watch: Watch, stack: Stack) -> None:
    page = watch(expected="404").page
    shared(page, stack, HOSTILE)

    assert page.evaluate("window.hurt ?? null") is None
    assert page.locator("main :is(script, iframe, [onerror], img[src=x])").count() == 0
    assert page.locator("h1").text_content() == HOSTILE.room_id


def test_a_shared_session_under_way_follows(watch: Watch, stack: Stack) -> None:
    page = watch(expected="404").page
    shared(page, stack, UNDER_WAY)
    expect(page.locator(".said")).to_contain_text("Recording")

    stack.meetings = [replace(UNDER_WAY, takes=(replace(UNDER_WAY.takes[0], over=True),))]

    expect(page.locator(".said")).to_contain_text("Complete")


def test_a_token_of_no_session_asks_for_no_password(watch: Watch, stack: Stack) -> None:
    page = watch(expected="404").page

    page.goto(f"{stack.page}#/shared/%3Cimg%20src=x%20onerror=alert(1)%3E")

    expect(page.get_by_role("alert").locator("h1")).to_have_text(NOTHING)
    page.evaluate(GO, REVIEW.session_id)
    expect(page.get_by_label("Bearer token")).to_be_visible()
