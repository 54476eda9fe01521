"""The page with a crowd, in Chromium, beside the same page with two people and beside plain boxes.

`python -m bench.page [--minutes M] [--runs N]`. The crowd: 25 people, 3 hours, 5,000 segments. Page, server
and browser share this machine; what is told includes the server's own work, which sends 4 MB of manifest.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright
from rich.console import Console
from rich.table import Table

from bench.measure import figure, tell
from tests.browser import chromium
from tests.page.crowd import CROWD, PAIR, Gathering
from tests.page.stack import TOKEN, Stack, served

CONSOLE = Console(width=110)
VIEW = {"width": 1440, "height": 900}
SESSIONS = {"2 people, 10 min, 28 segments": PAIR, "25 people, 3 h, 5,000 segments": CROWD}
PATIENCE_MS = 60_000

# The token is there already, as it is after the list; the first frame with lanes in it tells what it took.
BEGIN = f"sessionStorage.setItem('tracklane.token', '{TOKEN}');"
PAINTED = """
const look = (now) => {
    if (!document.querySelector('.timeline .lane')) return requestAnimationFrame(look);
    requestAnimationFrame(() => {
        const got = ['navigation', 'resource'].flatMap((type) => performance.getEntriesByType(type));
        window.painted = {ms: performance.now(), bytes: got.reduce((sum, one) => sum + one.transferSize, 0)};
        document.documentElement.dataset.painted = 'yes';
    });
};
requestAnimationFrame(look);
"""

# Into the session's middle and out again, and along it, with a wheel that turns in each frame.
TURN = """async ({target, seconds}) => {
    const strip = document.querySelector(target);
    const box = strip.getBoundingClientRect();
    const place = {clientX: box.left + box.width * 0.6, clientY: box.top + 12};
    const turns = [{deltaY: -40, ctrlKey: true}, {deltaX: 60}, {deltaY: 40, ctrlKey: true}, {deltaX: -60}];
    const frames = [];
    const begin = performance.now();
    let before = await new Promise(requestAnimationFrame);
    while (performance.now() - begin < seconds * 1000) {
        const part = ((performance.now() - begin) / seconds / 1000 * 4) % 4;
        strip.dispatchEvent(new WheelEvent('wheel', {
            bubbles: true, cancelable: true, ...place, ...turns[Math.floor(part)],
        }));
        const now = await new Promise(requestAnimationFrame);
        frames.push(now - before);
        before = now;
    }
    return frames;
}"""

BOXES = """() => {
    document.body.innerHTML = '<div id=all><div id=in></div></div>';
    const [all, inner] = document.querySelectorAll('div');
    all.style.cssText = 'position:relative;height:800px;overflow:hidden';
    inner.style.cssText = 'position:absolute;inset:0';
    for (let n = 0; n < 5000; n += 1) {
        const box = document.createElement('div');
        box.style.cssText = 'position:absolute;height:14px;width:0.8%;background:#7aa';
        Object.assign(box.style, {top: `${n % 50 * 16}px`, left: `${n / 50}%`});
        inner.append(box);
    }
    let scale = 1, left = 0;
    all.addEventListener('wheel', (event) => {
        if (event.ctrlKey) scale = Math.max(1, scale * Math.exp(-event.deltaY / 400));
        else left -= event.deltaX;
        Object.assign(inner.style, {width: `${100 * scale}%`, left: `${left}px`});
    });
}"""


def main() -> None:
    """Measure and print all tables."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=1, help="of play, of each session, for the memory")
    asked.add_argument("--runs", type=int, default=5)
    asked.add_argument("--seconds", type=float, default=10, help="of zooming")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        stages = {name: _stage(Path(folder) / told.session_id, told) for name, told in SESSIONS.items()}
        browser = chromium(playwright)
        _first_paint(browser, stages, options.runs)
        _zooming(browser, stages, options.seconds)
        _playing(browser, stages, options.minutes)
        browser.close()


@dataclass(frozen=True)
class Stage:
    """A session that is served."""

    stack: Stack
    session_id: str

    @property
    def address(self) -> str:
        """Where the page shows it."""
        return f"{self.stack.page}#/sessions/{self.session_id}"


def _stage(folder: Path, told: Gathering) -> Stage:
    told.make_media(folder)
    stack = Stack(folder, meetings=[told])
    served(stack)
    return Stage(stack, told.session_id)


@contextmanager
def _opened(browser: Browser, address: str = "about:blank") -> Iterator[Page]:
    """A page with nothing in its cache, once it has painted the timeline."""
    context = browser.new_context(viewport={"width": VIEW["width"], "height": VIEW["height"]})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    if address != "about:blank":
        page.add_init_script(BEGIN + PAINTED)
        page.goto(address)
        page.wait_for_selector("[data-painted]", state="attached")
    yield page
    context.close()


# --- the first paint ------------------------------------------------------------------------------


def _first_paint(browser: Browser, stages: dict[str, Stage], runs: int) -> None:
    taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in stages}
    for _ in range(runs):
        for name, stage in stages.items():
            before = _used_s()
            with _opened(browser, stage.address) as page:
                told = page.evaluate("window.painted")
                used_s = sum(used - before.get(pid, 0) for pid, used in _used_s().items())
                taken[name].append((told["ms"] / 1000, used_s, told["bytes"]))
    titles = (
        ("page: from navigation to the first frame with lanes; wall, aim 1 s", "s", 1.0),
        ("page: the browser's CPU for it", "s", 1.0),
        ("page: fetched until then", "kB", 1e-3),
    )
    for place, (title, unit, scale) in enumerate(titles):
        figures = [figure(name, [run[place] for run in found]) for name, found in taken.items()]
        tell(title, figures, None, unit=unit, scale=scale)


def _used_s() -> dict[int, float]:
    """CPU seconds of each of the browser's processes, by its id."""
    used = {process.pid: process.cpu_times() for process in _browsers()}
    return {pid: times.user + times.system for pid, times in used.items()}


def _browsers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if "chrom" in child.name()]


# --- zooming --------------------------------------------------------------------------------------


def _zooming(browser: Browser, stages: dict[str, Stage], seconds: float) -> None:
    table = Table("frames while zooming and panning, ms", "p50", "p95", "max", "frames/s", "aim of p95")
    with _opened(browser) as page:
        page.evaluate(BOXES)
        table.add_row("5,000 plain boxes", *_frames(page, "#all", seconds), "")
    for name, stage in stages.items():
        with _opened(browser, stage.address) as page:
            page.wait_for_load_state("networkidle")
            table.add_row(name, *_frames(page, ".ruler", seconds), "≤ 50")
            _playing_on(page)
            table.add_row(f"{name}, playing", *_frames(page, ".ruler", seconds), "")
    CONSOLE.print(table)


def _frames(page: Page, target: str, seconds: float) -> tuple[str, ...]:
    frames = page.evaluate(TURN, {"target": target, "seconds": seconds})
    cuts = statistics.quantiles(frames, n=100)
    rate = 1000 / statistics.mean(frames)
    return f"{cuts[49]:.1f}", f"{cuts[94]:.1f}", f"{max(frames):.1f}", f"{rate:.0f}"


# --- memory ---------------------------------------------------------------------------------------


def _playing(browser: Browser, stages: dict[str, Stage], minutes: float) -> None:
    table = Table(
        f"memory over {minutes:g} min of play, MB",
        *("heap: start", "middle", "end", "renderer: start", "middle", "end", "played s"),
    )
    for name, stage in stages.items():
        with _opened(browser, stage.address) as page:
            _playing_on(page)
            page.wait_for_timeout(5_000)
            begun, told = _position_s(page), [_memory_mb(page)]
            for _ in range(2):
                page.wait_for_timeout(minutes * 30_000)
                told.append(_memory_mb(page))
            played = _position_s(page) - begun
            heaps, renderers = zip(*told, strict=True)
            cells = (*(f"{mb:.1f}" for mb in heaps), *(f"{mb:.0f}" for mb in renderers))
            table.add_row(name, *cells, f"{played:.0f}")
    CONSOLE.print(table)


def _playing_on(page: Page) -> None:
    page.keyboard.press("Space")
    page.wait_for_selector('.toggle[data-state="playing"]')


def _position_s(page: Page) -> float:
    return int(page.locator(".ruler").get_attribute("aria-valuenow") or 0) / 1000


def _memory_mb(page: Page) -> tuple[float, float]:
    """The script's heap after a full collection, and what the largest renderer holds."""
    session: CDPSession = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    told: list[dict[str, Any]] = session.send("Performance.getMetrics")["metrics"]
    session.detach()
    heap = next(metric["value"] for metric in told if metric["name"] == "JSHeapUsedSize")
    renderers = [child for child in _browsers() if "--type=renderer" in child.cmdline()]
    return heap / 1e6, max(child.memory_info().rss for child in renderers) / 1e6


if __name__ == "__main__":
    main()
