"""What would shut people out: axe-core finds nothing in any state of the page, light or dark."""

import json
from collections.abc import Callable
from importlib.resources import files

import pytest
from playwright.sync_api import Page

from tests.page.conftest import GO, Watch, Watched
from tests.page.meeting import HOSTILE, REVIEW, TROUBLED, UNDER_WAY

AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
FIND = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations.map((found) => ({
    rule: found.id, help: found.help,
    where: found.nodes.map((node) => [node.target.join(' '), node.failureSummary, node.html.slice(0, 200)]),
}))"""


def found(page: Page) -> str:
    """What axe complains of, to be read. Its source is evaluated, as the page's policy lets no script in."""
    page.evaluate(AXE)
    return json.dumps(page.evaluate(FIND), indent=1)


def in_both_lights(page: Page) -> tuple[str, str]:
    """What axe complains of in the light, and in the dark."""
    page.emulate_media(color_scheme="light")
    light = found(page)
    page.emulate_media(color_scheme="dark")
    return light, found(page)


def listed(watched: Watched) -> None:
    watched.open()


def searched(watched: Watched) -> None:
    page = watched.open()
    page.get_by_role("searchbox").fill("ben")
    page.keyboard.press("Enter")
    page.wait_for_selector(".found a")


def empty(watched: Watched) -> None:
    watched.stack.meetings = []
    watched.open(settle=".empty")


def without_token(watched: Watched) -> None:
    watched.page.goto(watched.stack.page)
    watched.page.wait_for_selector(".token")


def refused(watched: Watched) -> None:
    watched.page.goto(f"{watched.stack.page}#token=wrong")
    watched.page.wait_for_selector(".token .trouble")


def faulty(watched: Watched) -> None:
    watched.open().evaluate(GO, "nope")
    watched.page.wait_for_selector(".fault")


def complete(watched: Watched) -> None:
    watched.open(REVIEW.session_id)


def incomplete(watched: Watched) -> None:
    unfold(watched.open(TROUBLED.session_id))


def live(watched: Watched) -> None:
    unfold(watched.open(UNDER_WAY.session_id))


def hostile(watched: Watched) -> None:
    unfold(watched.open(HOSTILE.session_id))


def sharing(watched: Watched) -> None:
    watched.stack.share(REVIEW, -5)
    page = watched.open(REVIEW.session_id)
    page.get_by_role("button", name="Share", exact=True).click()
    page.get_by_role("button", name="Make a link").click()
    page.wait_for_selector(".shares li:nth-child(2)")


def shared(watched: Watched) -> None:
    watched.page.goto(f"{watched.stack.page}#/shared/{watched.stack.share(REVIEW, 3_600)['token']}")
    watched.page.wait_for_selector(".file")


def over(watched: Watched) -> None:
    watched.page.goto(f"{watched.stack.page}#/shared/nothing")
    watched.page.wait_for_selector(".fault")


def unfold(page: Page) -> None:
    """Open every fold, and wait for the stories that come."""
    page.wait_for_selector(".stories summary")
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    page.wait_for_selector(".events time")


type State = Callable[[Watched], None]
STATES: list[State] = [listed, searched, empty, without_token, refused, faulty, over]
OPENED: list[State] = [complete, incomplete, live, hostile, sharing, shared]


@pytest.mark.parametrize("state", [*STATES, *OPENED], ids=lambda state: state.__name__)
def test_nobody_is_shut_out(watch: Watch, state: State) -> None:
    watched = watch(expected="40")
    state(watched)

    assert in_both_lights(watched.page) == ("[]", "[]")


def test_axe_does_look(watch: Watch) -> None:
    page = watch().open()

    page.evaluate("document.querySelector('main').append(document.createElement('button'))")

    assert "button-name" in found(page)
