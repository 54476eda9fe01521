"""A fresh profile and stack for each test; whatever the browser complains of fails it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import PATIENCE_MS, overheard
from tests.page.meeting import HOSTILE, REVIEW, TROUBLED, UNDER_WAY
from tests.page.stack import TOKEN, Stack, served
from tests.page.studio import Reel, Studio


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the review's media."""
    folder = tmp_path_factory.mktemp("outputs")
    REVIEW.make_media(folder)
    return folder


@pytest.fixture
def stack(recorded: Path) -> Iterator[Stack]:
    stack = Stack(recorded, meetings=[TROUBLED, REVIEW, HOSTILE, UNDER_WAY])
    server = served(stack)
    yield stack
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Reel:
    """What can be watched of a video."""
    return Reel.made(tmp_path_factory.mktemp("reel"))


@pytest.fixture
def studio(stack: Stack, reel: Reel) -> Studio:
    """Where videos of the review are made."""
    return stack.studio(REVIEW, reel)


@dataclass
class Watched:
    """A page of which all is heard: what it asked for and what it complained of."""

    page: Page
    stack: Stack
    asked: list[str]
    complaints: list[str]

    def open(self, session_id: str = "", settle: str = "main h1") -> Page:
        """Go to the list, or to a session, with a token in the fragment as a link would have it."""
        self.page.goto(f"{self.stack.page}#token={TOKEN}")
        self.page.wait_for_selector(settle)
        if session_id:
            self.page.evaluate(GO, session_id)
            self.page.wait_for_selector(".timeline .lane")
        return self.page


expect.set_options(timeout=PATIENCE_MS)

GO = "(id) => { location.hash = `#/sessions/${encodeURIComponent(id)}`; }"

type Watch = Callable[..., Watched]


@pytest.fixture
def watch(browser: Browser, stack: Stack) -> Iterator[Watch]:
    """Open a watched page; `expected` complaints are those that the test is about."""
    opened: list[tuple[Watched, str]] = []

    def begin(width: int = 1280, expected: str = "") -> Watched:
        asked: list[str] = []
        complaints: list[str] = []
        watched = Watched(overheard(browser, width, 860, asked, complaints), stack, asked, complaints)
        opened.append((watched, expected))
        return watched

    yield begin
    for watched, expected in opened:
        watched.page.context.close()
        assert [told for told in watched.complaints if not expected or expected not in told] == []
        assert {url.split("/")[2] for url in watched.asked} <= {f"127.0.0.1:{stack.port}"}
