"""A link to a session, through the running stack: whom it opens it to, and until when."""

import json
import time
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Demo
from tests.e2e.stage import Stage
from tests.e2e.visit import LISTEN, Visit, Visits, click_at, drawn, play

pytestmark = pytest.mark.e2e


def shared(page: Page) -> str:
    """A link to the session, made as a person would."""
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="Make a link").click()
    return page.get_by_label("The link", exact=True).input_value()


def opens(visit: Visit, link: str) -> Page:
    visit.page.goto(link)
    visit.page.wait_for_selector(".timeline .lane")
    return visit.page


def test_a_link_opens_the_session_to_somebody_without_a_token(
    visits: Visits, shown: Page, stage: Stage, demo: Demo
) -> None:
    guest = visits()
    page = opens(guest, shared(shown))

    expect(page.locator("main h1")).to_have_text(demo.room["roomId"])
    assert len(drawn(page, "segment")) == len(demo.segments)
    click_at(page, demo.manifest, 26_500)
    play(page)
    assert any(page.evaluate(LISTEN, 2_500)["heard"].values())
    assert page.evaluate("sessionStorage.length + localStorage.length") == 0
    expect(page.get_by_role("button", name="Share")).to_have_count(0)
    own = urlsplit(guest.base).path
    assert not [
        url for url in guest.asked if urlsplit(url).path.startswith((f"{own}sessions", f"{own}recordings"))
    ]
    for told in (demo.recordings[0]["recordingId"], stage.told["bucket"]):
        assert told not in page.content()


def test_a_link_that_was_taken_back_opens_nothing(visits: Visits, shown: Page) -> None:
    link = shared(shown)
    opens(visits("404"), link)

    shown.get_by_role("button", name="Revoke the link").first.click()
    expect(shown.locator(".shares")).to_contain_text("Revoked")

    late = visits("404")
    late.page.goto(link)
    expect(late.page.get_by_role("alert")).to_be_visible()
    expect(late.page.locator(".lane")).to_have_count(0)


def test_a_link_whose_time_is_over_opens_nothing(visits: Visits, stage: Stage, demo: Demo) -> None:
    made = stage.api.post(f"/sessions/{demo.session_id}/shares", {"expiresInSeconds": 300})
    link = f"#/shared/{made['token']}"
    visits("404").to(link, ".timeline .lane")

    outlive(stage, demo.session_id, made["shareId"])

    late = visits("404")
    late.page.goto(f"{late.base}{link}")
    expect(late.page.get_by_role("alert")).to_be_visible()
    expect(late.page.locator(".lane")).to_have_count(0)


def outlive(stage: Stage, session_id: str, share_id: str) -> None:
    """Have the share's fact say what it would if its five minutes had begun ten minutes ago."""
    table = stage.client("dynamodb")
    (item,) = [
        item
        for item in table.query(
            TableName=stage.told["table"],
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"session#{session_id}"}},
        )["Items"]
        if share_id in item.get("told", {}).get("S", "")
    ]
    told = json.loads(item["told"]["S"])
    told["expires_at"] = time.time_ns() // 1_000_000 - 300_000
    table.put_item(TableName=stage.told["table"], Item={**item, "told": {"S": json.dumps(told)}})
