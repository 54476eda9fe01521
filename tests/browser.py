"""One real Chromium for all tests of a process that need one, and what serves it."""

import shutil
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
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
