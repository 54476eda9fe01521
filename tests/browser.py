"""One real Chromium for all tests of a process that need one, and what serves it."""

import shutil
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)


# Nothing passes by being waited for: this is how long a busy machine may take.
PATIENCE_MS = 20_000
POLICY = (
    "addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.effectiveDirective}`))"
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        yield browser
        browser.close()


def chromium(playwright: Playwright) -> Browser:
    """The system's Chromium; whoever asked for it closes it."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "this drives a real browser: install Debian's package chromium"
    return playwright.chromium.launch(executable_path=found, args=FLAGS.split())


def overheard(browser: Browser, width: int, height: int, asked: list[str], complaints: list[str]) -> Page:
    """A page in a profile of its own; what it asks for and complains of is noted."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale="en-GB", reduced_motion="reduce"
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda fault: complaints.append(str(fault)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.add_init_script(POLICY)
    return page


class Door(BaseHTTPRequestHandler):
    """Speaks HTTP/1.1 and says nothing of it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits 40 ms for its headers to be acknowledged

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Serves a browser, which may hang up in the middle of a file; all else is a fault of ours."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over what a browser does."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def serving(door: type[Door]) -> Server:
    """A server on a free port; whoever asked for it shuts it down."""
    server = Server(("127.0.0.1", 0), door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
