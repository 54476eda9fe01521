"""`make screenshots`: pictures of the page's main states, of a meeting made up of people who are drawn.

The page is the real one, and what it shows is the core's manifest of the meeting's facts; only its API is the
tests'. All go to `.local/screenshots/`, and the best one, with fewer colours, to `docs/page.png`.
"""

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imageio_ffmpeg import get_ffmpeg_exe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, sync_playwright

from local.stack import ROOT
from tests.browser import chromium
from tests.page.crowd import CROWD, PAIR, STUDIO
from tests.page.meeting import TROUBLED, UNDER_WAY
from tests.page.stack import TOKEN, Stack, served

FOLDER = ROOT / ".local" / "screenshots"
BEST = ROOT / "docs" / "page.png"
AT_MOST = 300_000  # bytes
PATIENCE_MS = 15_000
SPOKEN_MS = 1_500  # until somebody is in the middle of what they say
SETTLED_MS = 1_500  # until waveforms and pictures are there
MINUTE_MS = 60_000


@dataclass(frozen=True)
class Shot:
    """One picture: what is done before it is taken, and on which screen."""

    take: Callable[[Page, Stack], None]
    width: int = 1440
    height: int = 1000
    dark: bool = False


def main() -> None:
    """Take them all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    BEST.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        stack = _stack(Path(folder))
        browser = chromium(playwright)
        for name, shot in SHOTS.items():
            _taken(browser, stack, shot, FOLDER / f"{name}.png")
            print(FOLDER / f"{name}.png")
        browser.close()
    fewer_colours(FOLDER / "session.png", BEST)
    size = BEST.stat().st_size
    print(f"{BEST}: {size / 1000:.0f} kB")
    assert size < AT_MOST, "the README's picture is too large"


def _stack(folder: Path) -> Stack:
    STUDIO.make_media(folder)
    stack = Stack(folder, meetings=[UNDER_WAY, STUDIO, PAIR, TROUBLED, CROWD])
    served(stack)
    return stack


def _taken(browser: Browser, stack: Stack, shot: Shot, path: Path) -> None:
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme="dark" if shot.dark else "light",
        locale="en-GB",
        timezone_id="Europe/London",
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{stack.page}#token={TOKEN}")
    page.wait_for_selector("main h1")
    shot.take(page, stack)
    page.wait_for_timeout(400)
    page.screenshot(path=path)
    context.close()


def fewer_colours(source: Path, target: Path) -> None:
    """Write a picture again, with 256 colours."""
    palette = "split[a][b];[a]palettegen=stats_mode=full[p];[b][p]paletteuse=dither=bayer:bayer_scale=4"
    quiet = ("-hide_banner", "-loglevel", "error", "-y")
    command = [get_ffmpeg_exe(), *quiet, "-i", str(source), "-vf", palette, "-compression_level", "100"]
    subprocess.run([*command, str(target)], check=True)


# --- what is done -------------------------------------------------------------------------------------


def _list(_: Page, __: Stack) -> None:
    """Nothing: this is where it begins."""


def _session(page: Page, stack: Stack, at: int = 5 * MINUTE_MS + 12_000) -> None:
    page.goto(f"{stack.page}#/sessions/{STUDIO.session_id}?t={at / 1000}")
    page.wait_for_selector(".timeline .lane")
    page.wait_for_timeout(SETTLED_MS)


def _playing(page: Page, stack: Stack) -> None:
    _session(page, stack)
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_selector('.toggle[data-state="playing"]')
    page.wait_for_selector(".tile.speaking")
    page.wait_for_timeout(SPOKEN_MS)
    page.wait_for_selector(".tile.speaking")


def _timeline(page: Page, stack: Stack) -> None:
    _session(page, stack)
    page.evaluate("document.querySelector('.timeline').scrollIntoView({block: 'start'})")


def _zoomed(page: Page, stack: Stack) -> None:
    _timeline(page, stack)
    for _ in range(6):
        page.get_by_role("button", name="Zoom in").click()
    page.wait_for_timeout(SETTLED_MS)


def _gap(page: Page, stack: Stack) -> None:
    _timeline(page, stack)
    boxes: list[dict[str, Any]] = page.evaluate("document.querySelector('.timeline').boxes()")
    lost = next(box for box in boxes if box["what"] == "gap" and box["state"] == "lost")
    page.mouse.move(lost["x"] + lost["width"] / 2, lost["y"])


def _files(page: Page, stack: Stack) -> None:
    _session(page, stack)
    page.locator(".files .owner summary").first.click()
    page.evaluate("document.querySelector('.files').scrollIntoView({block: 'start'})")


def _sharing(page: Page, stack: Stack) -> None:
    _session(page, stack)
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="Make a link").click()
    page.wait_for_selector(".share .link input")


def _shared(page: Page, stack: Stack) -> None:
    _sharing(page, stack)
    link = page.locator(".share .link input").input_value()
    page.goto("about:blank")
    page.goto(link)
    page.wait_for_selector(".timeline .lane")
    page.wait_for_timeout(SETTLED_MS)


def _empty(page: Page, stack: Stack) -> None:
    meetings, stack.meetings = stack.meetings, []
    page.reload()
    page.wait_for_selector("main .empty")
    stack.meetings = meetings


SHOTS = {
    "session": Shot(_playing, width=1280, height=1460),
    "dark": Shot(_playing, width=1280, height=1460, dark=True),
    "zoomed": Shot(_zoomed),
    "gap": Shot(_gap),
    "files": Shot(_files),
    "share": Shot(_sharing),
    "shared": Shot(_shared),
    "list": Shot(_list, height=860),
    "list-dark": Shot(_list, height=860, dark=True),
    "empty": Shot(_empty, height=760),
    "phone": Shot(_session, width=360, height=2200),
    "phone-list": Shot(_list, width=360, height=740),
    "wide": Shot(_session, width=2560, height=1440),
}

if __name__ == "__main__":
    main()
