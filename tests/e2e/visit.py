"""Somebody who looks at the page, in a browser of their own; and what they see, hear and do there."""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from tests.e2e.stage import Stage, Told


@dataclass
class Visit:
    """Somebody with a browser of their own, of whom all is heard: what it asked for and complained of."""

    page: Page
    base: str
    asked: list[str]
    complaints: list[str]

    def to(self, fragment: str, settled: str) -> Page:
        """Follow an address of the page until this is there."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.base}{fragment}")
        self.page.wait_for_selector(settled)
        return self.page


type Visits = Callable[..., Visit]


def listed(visit: Visit, stage: Stage) -> Page:
    return visit.to(f"#token={stage.told['token']}", "main h1")


def session(visit: Visit, stage: Stage, session_id: str) -> Page:
    page = listed(visit, stage)
    page.evaluate("(id) => { location.hash = `#/sessions/${encodeURIComponent(id)}`; }", session_id)
    page.wait_for_selector(".timeline .lane")
    return page


def drawn(page: Page, what: str) -> list[Told]:
    """Where the timeline says that it draws its segments, or gaps."""
    page.wait_for_selector(".timeline")
    told: list[Told] = page.evaluate("document.querySelector('.timeline').boxes?.() ?? []")
    return [box for box in told if box["what"] == what]


def click_at(page: Page, manifest: Told, ms: int) -> None:
    """Click a moment on the ruler, while all of the session is shown."""
    box = page.locator(".ruler").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] * ms / manifest["durationMs"], box["y"] + box["height"] - 4)


def play(page: Page) -> None:
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_selector('.toggle[data-state="playing"]')


# Everybody beeps and flashes at each whole second of the meeting, and hums softly between. Onsets are told in
# milliseconds, of all that is heard on one clock, and of all that is seen.
LISTEN = """async (ms) => {
    const ears = new AudioContext({sampleRate: 48000});
    await ears.resume();
    const [heard, seen, taps] = [{}, {}, []];
    const on = (element) => !element.paused && element.readyState >= 2;
    const hear = (element) => {
        const onsets = heard[element.dataset.key] = [];
        const tap = ears.createScriptProcessor(512, 1, 1);
        let quiet = 0;
        const listen = (level, at) => {
            quiet += 1;
            if (Math.abs(level) < 0.2) return;
            if (quiet > 14400) onsets.push(at * 1000);
            quiet = 0;
        };
        tap.onaudioprocess = ({inputBuffer, playbackTime}) =>
            inputBuffer.getChannelData(0).forEach((level, n) => listen(level, playbackTime + n / 48000));
        ears.createMediaElementSource(element).connect(tap).connect(ears.destination);
        taps.push(tap);
    };
    const eye = new OffscreenCanvas(8, 8).getContext('2d', {willReadFrequently: true});
    const look = (video, onsets, bright) => video.requestVideoFrameCallback((now, frame) => {
        eye.drawImage(video, 0, 0, 8, 8);
        const white = eye.getImageData(4, 3, 1, 1).data[1] > 200;
        if (white && !bright) onsets.push(frame.expectedDisplayTime);
        look(video, onsets, white);
    });
    [...document.querySelectorAll('audio')].filter(on).forEach(hear);
    for (const video of [...document.querySelectorAll('video')].filter(on)) {
        look(video, seen[video.dataset.key] = [], true);
    }
    await new Promise((done) => setTimeout(done, ms));
    return {heard, seen, taps: taps.length};
}"""
