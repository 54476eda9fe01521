"""A timeline on a page of its own: moved as a reader does, and read from its canvases."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page

from tests.page.stack import Stack, served

# The timeline alone, of the page's own files, with a player that only knows where it is. Whatever a key names
# is in the stack's folder.
SHOW = """async ([manifest, position]) => {
    const {Timeline} = await import('./web/now/timeline.js');
    const {Peaks} = await import('./web/now/peaks.js');
    const player = {
        position, muted: new Set(), speaker: null,
        seek(ms) { this.position = ms; timeline.show(); },
    };
    const asked = [];
    const addresses = {
        of: async (key) => {
            asked.push(key);
            return new URL(`/outputs/${key}?at=${Date.now() / 1000}`, location.href).href;
        },
        forget() {},
    };
    player.peaks = new Peaks(addresses);
    const timeline = new Timeline(player, addresses);
    document.body.replaceChildren(timeline.element);
    timeline.draw(manifest);
    Object.assign(window, {timeline, player, asked});
}"""

# What comes into view is told after a frame, and drawn in the next.
SETTLED = """async () => {
    for (let n = 0; n < 4; n += 1) await new Promise(requestAnimationFrame);
}"""

UNTIL = """async () => {
    for (let n = 0; n < 200 && !(condition); n += 1) await new Promise((done) => setTimeout(done, 25));
    return Boolean(condition);
}"""

# What is drawn in a lane's row of pixels a little above its edge, as runs of opaque ones, in CSS pixels.
RUNS = """([participant, kind]) => {
    const lane = document.querySelector(`[data-participant="${participant}"][data-kind="${kind}"]`);
    const canvas = lane.querySelector('canvas');
    const row = Math.round((canvas.clientHeight - 8) * devicePixelRatio);
    const pixels = canvas.getContext('2d').getImageData(0, row, canvas.width, 1).data;
    const found = [];
    for (let x = 0; x < canvas.width; x += 1) {
        if (pixels[4 * x + 3] < 128) continue;
        if (found.at(-1)?.[1] === x) found.at(-1)[1] = x + 1;
        else found.push([x, x + 1]);
    }
    return found.map((run) => run.map((x) => x * canvas.clientWidth / canvas.width));
}"""

# The colours of a lane's pixels at a moment, from top to bottom.
COLUMN = """([participant, kind, ms]) => {
    const lane = document.querySelector(`[data-participant="${participant}"][data-kind="${kind}"]`);
    const canvas = lane.querySelector('canvas');
    const x = Math.round(timeline.scale.x(ms) * canvas.width / canvas.clientWidth);
    return Array.from(canvas.getContext('2d').getImageData(x, 0, 1, canvas.height).data);
}"""


@dataclass
class Shown:
    """A timeline on a page of its own."""

    page: Page
    stack: Stack

    def draw(self, manifest: dict[str, Any], position: int = 0) -> None:
        self.page.evaluate(SHOW, [manifest, position])
        self.settled()

    def settled(self) -> None:
        """Wait until what was asked for is on the canvases."""
        self.page.evaluate(SETTLED)

    @property
    def view(self) -> tuple[float, float, float]:
        """What is shown: from when, for how long, on how many pixels."""
        start, span, width = self.page.evaluate(
            "[timeline.scale.start, timeline.scale.span, timeline.scale.width]"
        )
        return start, span, width

    def boxes(self, what: str) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = self.page.evaluate("timeline.element.boxes()")
        return [box for box in told if box["what"] == what]

    def until(self, condition: str) -> None:
        """Wait for it, and for what is drawn then; Playwright's own way is refused by the page's policy."""
        assert self.page.evaluate(UNTIL.replace("condition", condition)), condition
        self.settled()

    def runs(self, participant: str, kind: str) -> list[list[float]]:
        found: list[list[float]] = self.page.evaluate(RUNS, [participant, kind])
        return found

    def column(self, participant: str, kind: str, ms: float) -> list[tuple[int, ...]]:
        flat = self.page.evaluate(COLUMN, [participant, kind, ms])
        return [tuple(flat[at : at + 4]) for at in range(0, len(flat), 4)]

    def wheel(self, x: float, down: float, across: float = 0, key: str = "Control", y: float = 150) -> None:
        """Turn the wheel over a pixel of the lanes."""
        left = self.page.evaluate("document.querySelector('.ruler').getBoundingClientRect().left")
        self.page.mouse.move(left + x, y)
        if key:
            self.page.keyboard.down(key)
        self.page.mouse.wheel(across, down)
        self.settled()
        if key:
            self.page.keyboard.up(key)

    def hover(self, box: dict[str, Any], into: float = 4) -> Locator:
        self.page.mouse.move(box["x"] + into, box["y"])
        return self.page.locator(".readout")


type Open = Callable[..., Shown]


def showing(browser: Browser, folder: Path) -> Iterator[Open]:
    """Opens pages with nothing but a timeline, of whose artifacts the folder has the files."""
    stack = Stack(folder)
    server = served(stack)
    pages: list[Page] = []
    faults: list[str] = []

    def begin(width: int = 1280, sharp: float = 1, scheme: Any = "light") -> Shown:
        context = browser.new_context(
            viewport={"width": width, "height": 860},
            device_scale_factor=sharp,
            color_scheme=scheme,
            locale="en-GB",
            reduced_motion="reduce",
        )
        page = context.new_page()
        page.on("pageerror", lambda fault: faults.append(str(fault)))
        pages.append(page)
        page.goto(stack.page)
        page.wait_for_selector("#token")
        return Shown(page, stack)

    yield begin
    for page in pages:
        page.context.close()
    server.shutdown()
    server.server_close()
    assert faults == []


def bare(manifest: dict[str, Any]) -> dict[str, Any]:
    """Without what is drawn over segments."""
    people = [{**person, "marks": []} for person in manifest["participants"]]
    return {**manifest, "participants": people, "artifacts": []}


def spans(manifest: dict[str, Any], name: str) -> list[tuple[str, str, int, int]]:
    """All segments or gaps: whose, of which kind, from when to when."""
    return [
        (person["participantId"], track["kind"], span["start"], span["end"])
        for person in manifest["participants"]
        for track in person["tracks"]
        for span in track[name]
        if span["start"] is not None
    ]
